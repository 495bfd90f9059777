"""What can be done to directories and apps."""

from sandbox.arguments import Arguments, Done
from sandbox.directory import World
from sandbox.snapshot import app_data, organization_data, secret_data
from sandbox.things import iso


class DirectoryActions:
    def __init__(self, world: World) -> None:
        self._world = world
        self.actions = {
            "add_directory": self.add_directory,
            "set_users_may_consent": self.set_users_may_consent,
            "set_managed_policy": self.set_managed_policy,
            "set_approval_workflow": self.set_approval_workflow,
            "set_federated": self.set_federated,
            "add_app": self.add_app,
            "set_redirect_uris": self.set_redirect_uris,
            "set_app_disabled": self.set_app_disabled,
            "set_assignment_required": self.set_assignment_required,
            "set_assigned": self.set_assigned,
            "set_may_read_grants": self.set_may_read_grants,
            "add_secret": self.add_secret,
            "expire_secret": self.expire_secret,
            "remove_secret": self.remove_secret,
        }

    def add_directory(self, given: Arguments) -> Done:
        made = self._world.add_directory(given.text("name"), given.text("domain"), given.maybe("id"))
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

    # -- apps

    def add_app(self, given: Arguments) -> Done:
        app = self._world.add_app(
            directory=given.text("directory"),
            name=given.text("name", default="App"),
            redirect_uris=given.lines("redirect_uris"),
            audience=given.text("audience", default="AzureADMyOrg"),
            client_id=given.maybe("client_id"),
        )
        return Done(app_data(app, self._world), f"{app.name} is registered. Its client ID is {app.client_id}.")

    def set_redirect_uris(self, given: Arguments) -> Done:
        app = self._world.set_redirect_uris(given.text("client_id"), given.lines("redirect_uris"))
        count = len(app.redirect_uris)
        return Done(app_data(app, self._world), f"{app.name} has {count} redirect URI{'' if count == 1 else 's'} now.")

    def set_app_disabled(self, given: Arguments) -> Done:
        directory, disabled = given.maybe("directory"), given.flag("disabled")
        app = self._world.set_app_disabled(given.text("client_id"), disabled, directory)
        where = self._world.organization(directory).name if directory else "every directory"
        return Done(
            app_data(app, self._world), f"{app.name} is {'disabled' if disabled else 'enabled'} in {where} now."
        )

    def set_assignment_required(self, given: Arguments) -> Done:
        directory, required = self._world.organization(given.text("directory")), given.flag("required")
        app = self._world.set_assignment_required(given.text("client_id"), directory.id, required)
        who = "only people assigned to it" if required else "everybody"
        return Done(app_data(app, self._world), f"In {directory.name}, {who} may use {app.name} now.")

    def set_assigned(self, given: Arguments) -> Done:
        person, assigned = self._world.person(given.text("oid")), given.flag("assigned")
        app = self._world.set_assigned(given.text("client_id"), person.oid, assigned)
        notice = f"{person.name} is {'assigned to' if assigned else 'taken off'} {app.name} now."
        return Done(app_data(app, self._world), notice)

    def set_may_read_grants(self, given: Arguments) -> Done:
        directory, allowed = self._world.organization(given.text("directory")), given.flag("allowed")
        app = self._world.set_may_read_grants(given.text("client_id"), directory.id, allowed)
        may = "may" if allowed else "may not"
        return Done(app_data(app, self._world), f"{app.name} {may} read the grants of {directory.name} through Graph.")

    def add_secret(self, given: Arguments) -> Done:
        ends_at, name = given.moment("ends_at"), given.text("name", default="")
        secret, value = self._world.add_secret(given.text("client_id"), ends_at, name)
        app = self._world.app(given.text("client_id"))
        notice = f"{app.name} has a new secret until {day(secret.ends_at)}. Copy its value now; it is not shown again."
        return Done({**secret_data(secret, self._world), "value": value}, notice, secret=value)

    def expire_secret(self, given: Arguments) -> Done:
        app, secret = self._world.secret(given.text("client_id"), given.text("key_id"))
        self._world.expire_secret(app.client_id, secret.key_id)
        return Done(secret_data(secret, self._world), f"Secret {secret.hint}… of {app.name} now counts as expired.")

    def remove_secret(self, given: Arguments) -> Done:
        app, secret = self._world.secret(given.text("client_id"), given.text("key_id"))
        self._world.remove_secret(app.client_id, secret.key_id)
        return Done({}, f"Secret {secret.hint}… of {app.name} is removed.")


def day(moment: float) -> str:
    return iso(moment)[:10]
