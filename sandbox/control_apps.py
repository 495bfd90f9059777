"""What can be done to app registrations."""

from sandbox import registrations, required_access
from sandbox.app_rules import AUDIENCES
from sandbox.arguments import Arguments, Done
from sandbox.directory import World
from sandbox.snapshot import app_data, secret_data
from sandbox.things import App, iso


class AppActions:
    def __init__(self, world: World) -> None:
        self._world = world
        self.actions = {
            "add_app": self.add_app,
            "set_app": self.set_app,
            "set_redirect_uris": self.set_redirect_uris,
            "set_required_access": self.set_required_access,
            "set_manifest": self.set_manifest,
            "set_app_disabled": self.set_app_disabled,
            "set_assignment_required": self.set_assignment_required,
            "set_assigned": self.set_assigned,
            "set_may_read_grants": self.set_may_read_grants,
            "set_may_read_applications": self.set_may_read_applications,
            "set_owns_itself": self.set_owns_itself,
            "set_microsoft_status": self.set_microsoft_status,
            "add_secret": self.add_secret,
            "expire_secret": self.expire_secret,
            "remove_secret": self.remove_secret,
        }

    def add_app(self, given: Arguments) -> Done:
        app = registrations.add(
            self._world,
            directory=given.text("directory"),
            name=given.text("name", default="App"),
            redirect_uris=given.lines("redirect_uris"),
            audience=given.text("audience", default="AzureADMyOrg"),
            client_id=given.maybe("client_id"),
        )
        return self._done(app, f"{app.name} is registered. Its client ID is {app.client_id}.")

    def set_app(self, given: Arguments) -> Done:
        """Its name, its account types, or both."""
        app = registrations.change(self._world, given.text("client_id"), given.maybe("name"), given.maybe("audience"))
        return self._done(app, f"The app is called {app.name} now, and is for: {AUDIENCES[app.audience]}.")

    def set_redirect_uris(self, given: Arguments) -> Done:
        app = registrations.set_redirect_uris(self._world, given.text("client_id"), given.lines("redirect_uris"))
        return self._done(app, f"{app.name} has {_counted(len(app.redirect_uris), 'redirect URI')} now.")

    def set_required_access(self, given: Arguments) -> Done:
        app = registrations.set_required_access(self._world, given.text("client_id"), given.lines("permissions"))
        count = len(required_access.delegated(app.required))
        return self._done(app, f"{app.name} lists {_counted(count, 'delegated permission')} now.")

    def set_manifest(self, given: Arguments) -> Done:
        app = registrations.set_manifest(self._world, given.text("client_id"), given.raw("manifest"))
        return self._done(app, f"The manifest of {app.name} is saved.")

    def set_app_disabled(self, given: Arguments) -> Done:
        directory, disabled = given.maybe("directory"), given.flag("disabled")
        app = self._world.set_app_disabled(given.text("client_id"), disabled, directory)
        where = self._world.organization(directory).name if directory else "every directory"
        return self._done(app, f"{app.name} is {'disabled' if disabled else 'enabled'} in {where} now.")

    def set_assignment_required(self, given: Arguments) -> Done:
        directory, required = self._world.organization(given.text("directory")), given.flag("required")
        app = self._world.set_assignment_required(given.text("client_id"), directory.id, required)
        who = "only people assigned to it" if required else "everybody"
        return self._done(app, f"In {directory.name}, {who} may use {app.name} now.")

    def set_assigned(self, given: Arguments) -> Done:
        person, assigned = self._world.person(given.text("oid")), given.flag("assigned")
        app = self._world.set_assigned(given.text("client_id"), person.oid, assigned)
        notice = f"{person.name} is {'assigned to' if assigned else 'taken off'} {app.name} now."
        return self._done(app, notice)

    def set_may_read_grants(self, given: Arguments) -> Done:
        directory, allowed = self._world.organization(given.text("directory")), given.flag("allowed")
        app = self._world.set_may_read_grants(given.text("client_id"), directory.id, allowed)
        may = "may" if allowed else "may not"
        return self._done(app, f"{app.name} {may} read the grants of {directory.name} through Graph.")

    def set_may_read_applications(self, given: Arguments) -> Done:
        directory, allowed = self._world.organization(given.text("directory")), given.flag("allowed")
        app = self._world.set_may_read_applications(given.text("client_id"), directory.id, allowed)
        may = "may" if allowed else "may not"
        return self._done(app, f"{app.name} {may} read the apps registered in {directory.name} through Graph.")

    def set_owns_itself(self, given: Arguments) -> Done:
        app = self._world.set_owns_itself(given.text("client_id"), given.flag("owns"))
        does = "owns itself now, and may" if app.owns_itself else "does not own itself any more, and may not"
        return self._done(app, f"{app.name} {does} read its own registration through Graph.")

    def set_microsoft_status(self, given: Arguments) -> Done:
        status = given.text("status", default="")
        app = registrations.set_microsoft_status(self._world, given.text("client_id"), status)
        return self._done(app, f"Microsoft says of {app.name}: {app.microsoft_status or 'nothing'}.")

    def add_secret(self, given: Arguments) -> Done:
        ends_at, name = given.moment("ends_at"), given.text("name", default="")
        hint = given.text("hint", default="")
        secret, value = registrations.add_secret(self._world, given.text("client_id"), ends_at, name, hint)
        app = self._world.app(given.text("client_id"))
        notice = f"{app.name} has a new secret until {day(secret.ends_at)}. Copy its value now; it is not shown again."
        return Done({**secret_data(secret, self._world), "value": value}, notice, value, secret.key_id)

    def expire_secret(self, given: Arguments) -> Done:
        app, secret = registrations.find_secret(self._world, given.text("client_id"), given.text("key_id"))
        registrations.expire_secret(self._world, app.client_id, secret.key_id)
        return Done(secret_data(secret, self._world), f"Secret {secret.hint}… of {app.name} now counts as expired.")

    def remove_secret(self, given: Arguments) -> Done:
        app, secret = registrations.find_secret(self._world, given.text("client_id"), given.text("key_id"))
        registrations.remove_secret(self._world, app.client_id, secret.key_id)
        return Done({}, f"Secret {secret.hint}… of {app.name} is removed.")

    def _done(self, app: App, notice: str) -> Done:
        return Done(app_data(app, self._world), notice)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def day(moment: float) -> str:
    return iso(moment)[:10]
