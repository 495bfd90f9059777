"""What can be done to people."""

from sandbox.arguments import Arguments, Done
from sandbox.directory import World
from sandbox.snapshot import person_data


class PeopleActions:
    def __init__(self, world: World) -> None:
        self._world = world
        self.actions = {
            "add_person": self.add_person,
            "add_guest": self.add_guest,
            "disable_person": lambda given: self._disabled(given, True),
            "enable_person": lambda given: self._disabled(given, False),
            "set_admin": self.set_admin,
            "set_mailbox": self.set_mailbox,
            "set_mail": self.set_mail,
            "revoke_sessions": self.revoke_sessions,
        }

    def add_person(self, given: Arguments) -> Done:
        person = self._world.add_person(
            directory=given.text("directory"),
            name=given.text("name"),
            address=given.text("address"),
            admin=given.flag("admin"),
            oid=given.maybe("oid"),
        )
        home = self._world.organization(person.directory).name
        return Done(person_data(person), f"{person.name} ({person.address}) belongs to {home} now.")

    def add_guest(self, given: Arguments) -> Done:
        guest = self._world.add_guest(given.text("directory"), given.text("oid"))
        host = self._world.organization(guest.directory).name
        return Done(person_data(guest), f"{guest.name} ({guest.address}) is a guest of {host} now.")

    def _disabled(self, given: Arguments, disabled: bool) -> Done:
        person = self._world.set_disabled(given.text("oid"), disabled)
        return Done(person_data(person), f"{person.name} is {'disabled' if disabled else 'enabled again'}.")

    def set_admin(self, given: Arguments) -> Done:
        person = self._world.set_admin(given.text("oid"), given.flag("admin"))
        what = "an administrator now" if person.admin else "no administrator any more"
        return Done(person_data(person), f"{person.name} is {what}.")

    def set_mailbox(self, given: Arguments) -> Done:
        person = self._world.set_mailbox(given.text("oid"), given.flag("has"))
        return Done(person_data(person), f"{person.name} has {'a' if person.mailbox else 'no'} mailbox now.")

    def set_mail(self, given: Arguments) -> Done:
        person = self._world.set_mail(given.text("oid"), given.text("mail", default=""))
        return Done(person_data(person), f"Mail to {person.name} goes to {person.mail or person.address} now.")

    def revoke_sessions(self, given: Arguments) -> Done:
        person = self._world.revoke_sessions(given.text("oid"))
        notice = f"All sessions of {person.name} are revoked. Refresh tokens made until now no longer work."
        return Done(person_data(person), notice)
