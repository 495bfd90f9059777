"""What can be done to grants and to requests for approval."""

from sandbox import approvals, grants
from sandbox.arguments import Arguments, Done
from sandbox.directory import World
from sandbox.permissions import PERMISSIONS
from sandbox.snapshot import approval_data, grant_data
from sandbox.typed import BadInput


class GrantActions:
    def __init__(self, world: World) -> None:
        self._world = world
        self.actions = {
            "withdraw_consent": self.withdraw_consent,
            "grant_for_everybody": self.grant_for_everybody,
            "withdraw_for_everybody": self.withdraw_for_everybody,
            "approve": lambda given: self._decide(given, True),
            "deny": lambda given: self._decide(given, False),
            "set_spread": self.set_spread,
        }

    def withdraw_consent(self, given: Arguments) -> Done:
        app, person = self._world.app(given.text("client_id")), self._world.person(given.text("oid"))
        grants.withdraw(self._world, app, person)
        return Done({}, f"What {person.name} granted {app.name} is withdrawn.")

    def grant_for_everybody(self, given: Arguments) -> Done:
        """What an administrator's consent does, without the pages."""
        app, directory = self._world.app(given.text("client_id")), self._world.organization(given.text("directory"))
        scopes = given.lines("scopes")
        unknown = [name for name in scopes if name not in PERMISSIONS]
        if unknown or not scopes:
            raise BadInput(f"“{' '.join(unknown)}” is not a permission. Example: Mail.Read")
        grant = grants.consent_for_everybody(self._world, app, directory, scopes)
        return Done(grant_data(grant), f"{app.name} may act for everybody in {directory.name} now.")

    def withdraw_for_everybody(self, given: Arguments) -> Done:
        app, directory = self._world.app(given.text("client_id")), self._world.organization(given.text("directory"))
        grants.withdraw_for_everybody(self._world, app, directory)
        return Done({}, f"What an administrator of {directory.name} granted {app.name} for everybody is withdrawn.")

    def _decide(self, given: Arguments, approve: bool) -> Done:
        approval = approvals.decide(self._world, given.text("id"), approve=approve)
        app, person = self._world.app(approval.client_id), self._world.person(approval.oid)
        home = self._world.organization(approval.directory).name
        notice = f"{person.name}'s request is denied. {app.name} is not told."
        if approve:
            notice = f"{app.name} may act for everybody in {home} now. It is not told: {person.name} must start again."
        return Done(approval_data(approval), notice)

    def set_spread(self, given: Arguments) -> Done:
        self._world.set_spread(given.number("seconds"))
        seconds = self._world.spread
        notice = f"The token endpoint knows a consent {seconds:g} seconds after the sign-in pages do."
        return Done({"seconds": seconds}, notice if seconds else "The token endpoint knows a consent at once.")
