"""What can be done to directories."""

from sandbox.arguments import Arguments, Done
from sandbox.directory import World
from sandbox.snapshot import organization_data


class DirectoryActions:
    def __init__(self, world: World) -> None:
        self._world = world
        self.actions = {
            "add_directory": self.add_directory,
            "set_users_may_consent": self.set_users_may_consent,
            "set_managed_policy": self.set_managed_policy,
            "set_approval_workflow": self.set_approval_workflow,
            "set_federated": self.set_federated,
        }

    def add_directory(self, given: Arguments) -> Done:
        region = given.text("region", default="")
        made = self._world.add_directory(given.text("name"), given.text("domain"), given.maybe("id"), region)
        return Done(organization_data(made), f"{made.name} ({made.domain}) is a directory now.")

    def set_users_may_consent(self, given: Arguments) -> Done:
        changed = self._world.set_users_may_consent(given.text("directory"), given.flag("allowed"))
        who = "may consent for themselves" if changed.users_may_consent else "need an administrator to consent"
        return Done(organization_data(changed), f"People of {changed.name} {who} now.")

    def set_managed_policy(self, given: Arguments) -> Done:
        changed = self._world.set_managed_policy(given.text("directory"), given.flag("on"))
        what = "what Microsoft's managed policy lets them" if changed.managed_policy else "everything"
        return Done(organization_data(changed), f"People of {changed.name} may consent to {what} now.")

    def set_approval_workflow(self, given: Arguments) -> Done:
        changed = self._world.set_approval_workflow(given.text("directory"), given.flag("on"))
        can = "can" if changed.approval_workflow else "cannot"
        return Done(
            organization_data(changed), f"People of {changed.name} {can} ask an administrator for approval now."
        )

    def set_federated(self, given: Arguments) -> Done:
        changed = self._world.set_federated(given.text("directory"), given.flag("on"))
        where = "at a server of its own" if changed.federated else "at the sandbox"
        return Done(organization_data(changed), f"People of {changed.name} sign in {where} now.")
