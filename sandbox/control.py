"""What can be done at the control page and through its API: one action each, told in one sentence."""

import datetime
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.directory import DAY, BadInput, Unknown, World
from sandbox.faults import CHANGES, PLACES, WORDS, Fault
from sandbox.things import App, Grant, Organization, Person, Secret, iso


@dataclass(frozen=True)
class Done:
    """What came of an action: data for the API, a sentence for the page."""

    result: dict[str, Any]
    notice: str
    secret: str = ""  # shown once, on the page that follows


class Arguments:
    """Named arguments from JSON or from a form; whatever does not fit is BadInput by name."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def text(self, name: str, default: str | None = None) -> str:
        value = self._given.get(name)
        if value in (None, "") and default is not None:
            return default
        if not isinstance(value, str) or not value:
            raise BadInput(f"“{name}” must be given, as text.")
        return value

    def maybe(self, name: str) -> str | None:
        return self.text(name) if self._given.get(name) not in (None, "") else None

    def flag(self, name: str) -> bool:
        value = self._given.get(name, False)
        if value in (True, "on", "true", "yes"):
            return True
        if value in (False, None, "", "false", "no"):
            return False
        raise BadInput(f"“{name}” must be true or false.")

    def number(self, name: str, default: float | None = None) -> float:
        value = self._given.get(name)
        if value in (None, "") and default is not None:
            return default
        try:
            number = float("nan" if value is None or isinstance(value, bool) else value)
        except (TypeError, ValueError):
            number = float("nan")
        if not abs(number) < 1e12:
            raise BadInput(f"“{name}” must be a number.")
        return number

    def moment(self, name: str) -> float | None:
        """A date or time as ISO text, UTC unless it says otherwise."""
        value = self.maybe(name)
        if value is None:
            return None
        try:
            moment = datetime.datetime.fromisoformat(value)
        except ValueError:
            raise BadInput(f"“{value}” is not a date. Example: 2027-03-31") from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.UTC)
        return moment.timestamp()

    def lines(self, name: str) -> list[str]:
        """A list of texts, or a text with one a line."""
        value = self._given.get(name) or []
        lines = value.splitlines() if isinstance(value, str) else value
        if not isinstance(lines, list) or not all(isinstance(each, str) for each in lines):
            raise BadInput(f"“{name}” must be a list of texts.")
        return lines

    def object(self, name: str) -> dict[str, Any]:
        value = self._given.get(name) or {}
        if not isinstance(value, dict):
            raise BadInput(f"“{name}” must be an object.")
        return value

    def raw(self, name: str) -> Any:
        return self._given.get(name)


class Control:
    def __init__(self, world: World) -> None:
        self.world = world
        self.actions: dict[str, Callable[[Arguments], Done]] = {
            "add_directory": self.add_directory,
            "set_users_may_consent": self.set_users_may_consent,
            "add_app": self.add_app,
            "set_redirect_uris": self.set_redirect_uris,
            "add_secret": self.add_secret,
            "expire_secret": self.expire_secret,
            "remove_secret": self.remove_secret,
            "add_person": self.add_person,
            "disable_person": lambda given: self._disabled(given, True),
            "enable_person": lambda given: self._disabled(given, False),
            "set_admin": self.set_admin,
            "revoke_sessions": self.revoke_sessions,
            "withdraw_consent": self.withdraw_consent,
            "set_fault": self.set_fault,
            "clear_fault": self.clear_fault,
            "clear_faults": self.clear_faults,
            "advance": self.advance,
            "real_time": self.real_time,
            "reset": self.reset,
        }

    def do(self, verb: str, given: Mapping[str, Any]) -> Done:
        if verb not in self.actions:
            raise Unknown(f"There is no action “{verb}”.")
        return self.actions[verb](Arguments(given))

    # -- directories

    def add_directory(self, given: Arguments) -> Done:
        made = self.world.add_directory(given.text("name"), given.text("domain"), given.maybe("id"))
        return Done(organization_data(made), f"{made.name} ({made.domain}) is a directory now.")

    def set_users_may_consent(self, given: Arguments) -> Done:
        changed = self.world.set_users_may_consent(given.text("directory"), given.flag("allowed"))
        who = "may consent for themselves" if changed.users_may_consent else "need an administrator to consent"
        return Done(organization_data(changed), f"People of {changed.name} {who} now.")

    # -- apps

    def add_app(self, given: Arguments) -> Done:
        app = self.world.add_app(
            directory=given.text("directory"),
            name=given.text("name", default="App"),
            redirect_uris=given.lines("redirect_uris"),
            audience=given.text("audience", default="AzureADMyOrg"),
            client_id=given.maybe("client_id"),
        )
        return Done(self.app_data(app), f"{app.name} is registered. Its client ID is {app.client_id}.")

    def set_redirect_uris(self, given: Arguments) -> Done:
        app = self.world.set_redirect_uris(given.text("client_id"), given.lines("redirect_uris"))
        count = len(app.redirect_uris)
        return Done(self.app_data(app), f"{app.name} has {count} redirect URI{'' if count == 1 else 's'} now.")

    def add_secret(self, given: Arguments) -> Done:
        ends_at, name = given.moment("ends_at"), given.text("name", default="")
        secret, value = self.world.add_secret(given.text("client_id"), ends_at, name)
        app = self.world.app(given.text("client_id"))
        notice = f"{app.name} has a new secret until {day(secret.ends_at)}. Copy its value now; it is not shown again."
        return Done({**self.secret_data(secret), "value": value}, notice, secret=value)

    def expire_secret(self, given: Arguments) -> Done:
        app, secret = self.world.secret(given.text("client_id"), given.text("key_id"))
        self.world.expire_secret(app.client_id, secret.key_id)
        return Done(self.secret_data(secret), f"Secret {secret.hint}… of {app.name} now counts as expired.")

    def remove_secret(self, given: Arguments) -> Done:
        app, secret = self.world.secret(given.text("client_id"), given.text("key_id"))
        self.world.remove_secret(app.client_id, secret.key_id)
        return Done({}, f"Secret {secret.hint}… of {app.name} is removed.")

    # -- people

    def add_person(self, given: Arguments) -> Done:
        person = self.world.add_person(
            directory=given.text("directory"),
            name=given.text("name"),
            address=given.text("address"),
            admin=given.flag("admin"),
            oid=given.maybe("oid"),
        )
        home = self.world.organization(person.directory).name
        return Done(person_data(person), f"{person.name} ({person.address}) belongs to {home} now.")

    def _disabled(self, given: Arguments, disabled: bool) -> Done:
        person = self.world.set_disabled(given.text("oid"), disabled)
        return Done(person_data(person), f"{person.name} is {'disabled' if disabled else 'enabled again'}.")

    def set_admin(self, given: Arguments) -> Done:
        person = self.world.set_admin(given.text("oid"), given.flag("admin"))
        what = "an administrator now" if person.admin else "no administrator any more"
        return Done(person_data(person), f"{person.name} is {what}.")

    def revoke_sessions(self, given: Arguments) -> Done:
        person = self.world.revoke_sessions(given.text("oid"))
        notice = f"All sessions of {person.name} are revoked. Refresh tokens made until now no longer work."
        return Done(person_data(person), notice)

    def withdraw_consent(self, given: Arguments) -> Done:
        app, person = self.world.app(given.text("client_id")), self.world.person(given.text("oid"))
        self.world.withdraw_consent(app.client_id, person.oid)
        return Done({}, f"What {person.name} granted {app.name} is withdrawn.")

    # -- faults and the clock

    def set_fault(self, given: Arguments) -> Done:
        what = _what(given.raw("what"))
        place = given.maybe("grant_type")
        if place is not None and place not in PLACES:
            raise BadInput(f"“{place}” is not a place a fault can strike. Choose one of {', '.join(PLACES)}.")
        times = given.number("times", default=0)
        directory = given.maybe("directory")
        client_id = given.maybe("client_id")
        fault = Fault(
            what,
            client_id=client_id.lower() if client_id else None,
            oid=given.maybe("oid"),
            directory=self.world.organization(directory).id if directory else None,
            grant_type=place,
            seconds=min(max(given.number("seconds", default=5), 0), 600),
            times=int(times) or None,
            change=given.object("change"),
            remove=given.lines("remove"),
            missing=given.flag("missing"),
        )
        if what in CHANGES and not (fault.change or fault.remove or fault.missing):
            raise BadInput(f"Say what “{what}” should change: “change”, “remove” or “missing”.")
        self.world.set_fault(fault)
        return Done(self.fault_data(fault), f"From now on: {self.fault_sentence(fault)}.")

    def clear_fault(self, given: Arguments) -> Done:
        self.world.clear_fault(given.text("id"))
        return Done({}, "That fault is cleared.")

    def clear_faults(self, given: Arguments) -> Done:
        self.world.clear_faults()
        return Done({}, "All faults are cleared. The sandbox answers as it should.")

    def advance(self, given: Arguments) -> Done:
        seconds = given.number("seconds")
        self.world.advance(seconds)
        days = seconds / DAY
        step = f"{days:g} day{'' if days == 1 else 's'}" if days >= 1 else f"{seconds:g} seconds"
        return Done({"now": iso(self.world.now())}, f"The sandbox's clock went forward by {step}.")

    def real_time(self, given: Arguments) -> Done:
        self.world.real_time()
        return Done({"now": iso(self.world.now())}, "The sandbox's clock shows real time again.")

    def reset(self, given: Arguments) -> Done:
        self.world.reset()
        return Done({}, "The sandbox is empty and on real time.")

    # -- as data

    def snapshot(self) -> dict[str, Any]:
        world = self.world
        return {
            "now": iso(world.now()),
            "directories": [organization_data(each) for each in world.organizations.values()],
            "apps": [self.app_data(each) for each in world.apps.values()],
            "people": [person_data(each) for each in world.people.values()],
            "grants": [grant_data(each) for each in world.grants.values()],
            "faults": [self.fault_data(each) for each in world.faults.values()],
        }

    def app_data(self, app: App) -> dict[str, Any]:
        return {
            "client_id": app.client_id,
            "name": app.name,
            "directory": app.directory,
            "audience": app.audience,
            "redirect_uris": app.redirect_uris,
            "secrets": [self.secret_data(each) for each in app.secrets],
        }

    def secret_data(self, secret: Secret) -> dict[str, Any]:
        return {
            "key_id": secret.key_id,
            "hint": secret.hint,
            "name": secret.name,
            "starts_at": iso(secret.starts_at),
            "ends_at": iso(secret.ends_at),
            "expired": secret.ends_at <= self.world.now(),
        }

    def fault_data(self, fault: Fault) -> dict[str, Any]:
        return {"id": fault.id, "what": fault.what, "sentence": self.fault_sentence(fault)}

    def fault_sentence(self, fault: Fault) -> str:
        app = self.world.apps.get(fault.client_id or "")
        person = self.world.people.get(fault.oid or "")
        home = self.world.organizations.get(fault.directory or "")
        whom = [f"for {name}" for name in (app and app.name, person and person.name, home and home.name) if name]
        where = [f"({fault.grant_type.replace('_', ' ')} only)"] if fault.grant_type else []
        often = [f"{fault.times} more time{'' if fault.times == 1 else 's'}"] if fault.times else []
        return " ".join(["the sandbox", fault.sentence, *whom, *where, *often])


def organization_data(organization: Organization) -> dict[str, Any]:
    return dict(vars(organization))


def person_data(person: Person) -> dict[str, Any]:
    names = ("oid", "directory", "name", "address", "admin", "disabled")
    return {name: getattr(person, name) for name in names}


def grant_data(grant: Grant) -> dict[str, Any]:
    return {
        "client_id": grant.client_id,
        "oid": grant.oid,
        "scopes": grant.scopes,
        "granted_at": iso(grant.granted_at),
        "last_used_at": iso(grant.last_used_at) if grant.last_used_at is not None else None,
    }


def day(moment: float) -> str:
    return iso(moment)[:10]


def _what(value: Any) -> int | str:
    text = str(value).strip()
    number = re.fullmatch(r"(?:AADSTS)?(\d{4,8})", text, re.IGNORECASE)
    if number and not isinstance(value, bool):
        return int(number[1])
    if text in WORDS or text in CHANGES:
        return text
    raise BadInput(f"“{text}” is not a fault. Give an AADSTS number or one of {', '.join([*WORDS, *CHANGES])}.")
