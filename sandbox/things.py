"""What the sandbox's world is made of, and how each thing is kept."""

import datetime
import hashlib
from dataclasses import asdict, dataclass, field

from sandbox.faults import Fault
from sandbox.store import Row


@dataclass
class Organization:
    """A directory, which Microsoft also calls a tenant."""

    id: str
    name: str
    domain: str
    users_may_consent: bool = True


@dataclass
class Secret:
    key_id: str
    hint: str
    digest: str
    starts_at: float
    ends_at: float
    name: str = ""


@dataclass
class App:
    client_id: str
    name: str
    directory: str
    audience: str
    redirect_uris: list[str]
    secrets: list[Secret] = field(default_factory=list)
    installed_in: list[str] = field(default_factory=list)  # directories that know it: its own, and where it was granted

    def __post_init__(self) -> None:
        self.secrets = [Secret(**each) if isinstance(each, dict) else each for each in self.secrets]


@dataclass
class Person:
    oid: str
    directory: str
    name: str
    address: str
    admin: bool = False
    disabled: bool = False
    session: int = 0  # rises when sessions are revoked; tokens carry the number they were made under
    revoked_at: float = 0.0


@dataclass
class Grant:
    client_id: str
    oid: str
    scopes: list[str]
    granted_at: float
    last_used_at: float | None = None

    @property
    def id(self) -> str:
        return grant_id(self.client_id, self.oid)


Thing = Organization | App | Person | Grant | Fault


def grant_id(client_id: str, oid: str) -> str:
    return f"{client_id}|{oid}"


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def row(thing: Thing) -> Row:
    return type(thing).__name__, key_of(thing), asdict(thing)


def key_of(thing: Thing) -> str:
    match thing:
        case App():
            return thing.client_id
        case Person():
            return thing.oid
        case _:
            return thing.id


def iso(moment: float) -> str:
    stamp = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    return stamp.isoformat(timespec="seconds").replace("+00:00", "Z")
