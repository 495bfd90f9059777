"""What the sandbox's world is made of, and how each thing is kept."""

import datetime
import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from sandbox import required_access
from sandbox.faults import Fault
from sandbox.store import Row

CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"  # the directory of all personal accounts


@dataclass
class Organization:
    """A directory, which Microsoft also calls a tenant."""

    id: str
    name: str
    domain: str
    users_may_consent: bool = True
    managed_policy: bool = False  # Microsoft decides what people may consent to
    approval_workflow: bool = False  # who may not consent can ask an administrator
    federated: bool = False  # its people sign in at a server of its own
    region: str = ""  # of a US government's: GCC, which is in the worldwide cloud; DODCON and DOD, which are not


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
    redirect_uris: list[str]  # of the platform Web, the only one that signs in here
    secrets: list[Secret] = field(default_factory=list)
    installed_in: list[str] = field(default_factory=list)  # directories that know it: its own, and where it was granted
    may_read_grants_in: list[str] = field(default_factory=list)  # directories whose grants it may read through Graph
    disabled: bool = False  # everywhere
    disabled_in: list[str] = field(default_factory=list)
    assignment_required_in: list[str] = field(default_factory=list)
    assigned: list[str] = field(default_factory=list)  # people, for the directories that require it
    required: required_access.Required = field(default_factory=required_access.of_a_new_app)
    may_read_applications_in: list[str] = field(default_factory=list)  # directories whose apps it may read likewise
    owns_itself: bool = False  # so that it may read itself
    spa_redirect_uris: list[str] = field(default_factory=list)  # those of other platforms are kept and shown
    public_redirect_uris: list[str] = field(default_factory=list)
    microsoft_status: str = ""  # what Microsoft itself says of it, one of app_rules.MICROSOFT_STATUSES; empty: nothing

    def __post_init__(self) -> None:
        self.secrets = [Secret(**each) if isinstance(each, dict) else each for each in self.secrets]

    @property
    def object_id(self) -> str:
        """Of the registration itself; its service principals have IDs of their own."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.client_id))


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
    mailbox: bool = True
    mail: str = ""  # where mail reaches them, if that is not their sign-in name
    home: str = ""  # a guest's account at home
    home_directory: str = ""

    @property
    def email(self) -> str | None:
        """A guest's mail is at home; somebody else without a mailbox has none."""
        return (self.mail or self.address) if self.mailbox or self.home else None


@dataclass(kw_only=True)
class Consented:
    """What an app may do, and since when."""

    client_id: str
    scopes: list[str]
    granted_at: float
    last_used_at: float | None = None
    since: dict[str, float] = field(default_factory=dict)  # when each scope was first granted

    def add(self, scopes: Iterable[str], now: float) -> None:
        new = {*scopes} - {*self.scopes}
        self.scopes = sorted({*self.scopes, *new})
        self.since |= dict.fromkeys(new, now)
        self.granted_at = now

    def spread(self, before: float) -> list[str]:
        """The scopes granted before this moment."""
        return [name for name in self.scopes if self.since.get(name, before) <= before]


@dataclass(kw_only=True)
class Grant(Consented):
    """One person's own consent; Graph calls it Principal."""

    oid: str

    @property
    def id(self) -> str:
        return grant_id(self.client_id, self.oid)


@dataclass(kw_only=True)
class AdminGrant(Consented):
    """An administrator's consent for everybody in a directory; Graph calls it AllPrincipals."""

    directory: str

    @property
    def id(self) -> str:
        return grant_id(self.client_id, self.directory)


@dataclass
class Approval:
    """Somebody's request that an administrator approve an app."""

    id: str
    client_id: str
    oid: str
    directory: str
    scopes: list[str]
    reason: str
    asked_at: float
    state: str = "pending"  # approved, denied
    decided_at: float | None = None


Thing = Organization | App | Person | Grant | AdminGrant | Approval | Fault


def grant_id(client_id: str, whose: str) -> str:
    return f"{client_id}|{whose}"


def principal_id(client_id: str, directory: str) -> str:
    """The object ID of the app's service principal, which every directory that knows it has its own of."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{client_id}|{directory}"))


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
