"""What Entra says of an application, and how that compares with the registration here."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, Self

from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware

from tenants.ladder import day_of
from tenants.models import AppRegistration, Credential
from tenants.scopes import PERMISSION_IDS, permissions_listed

from .http import GUID
from .kinds import DRIFT, OURS_BY_KIND
from .report import fields_known_to
from .signals import Seen

GRAPH = "00000003-0000-0000-c000-000000000000"
NAMES = {guid: name for name, guid in PERMISSION_IDS.items()}
# Permissions of the application itself that docs/verify.md has people allow, so that it may read what is told here.
OF_THE_APPLICATION = {
    "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30": "Application.Read.All",
    "18a4783c-866b-4cc7-a460-3d5e5662c884": "Application.ReadWrite.OwnedBy",
    "7ab1d382-f21e-4acd-a863-ba3e13f7da61": "Directory.Read.All",
    "81b4724a-58aa-41c1-8a55-84ef97466587": "DelegatedPermissionGrant.Read.All",
}
# Platforms besides Web, in Graph's words and the portal's. A redirect URI registered there takes no client secret.
OTHER_PLATFORMS = {"spa": "Single-page application", "publicClient": "Mobile and desktop applications"}
LONGEST = 500  # a redirect URI has 256 characters at most

Sameness = Literal["same", "more", "different"]


@dataclass(frozen=True, kw_only=True)
class Password:
    """A client secret as Entra lists it: all but its value, which Entra shows nobody again."""

    key_id: str
    hint: str
    starts_at: datetime | None
    ends_at: datetime | None
    name: str = ""

    def kept(self) -> dict[str, Any]:
        moments = {"starts_at": self.starts_at, "ends_at": self.ends_at}
        return asdict(self) | {name: moment.isoformat() if moment else None for name, moment in moments.items()}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        moments = {name: _moment(stored.get(name)) for name in ("starts_at", "ends_at")}
        return cls(**{"key_id": "", "hint": "", **fields_known_to(cls, stored), **moments})


@dataclass(frozen=True, kw_only=True)
class InEntra:
    """An application, as far as it concerns us. `permissions` are Graph's delegated ones, by name where we know it.

    `is_blocked` is Microsoft's doing, `is_disabled` its owner's. `redirect_uris` are those of the platform Web,
    `uris_elsewhere` those of the others, each with its platform.
    `own` are permissions of the application itself, `elsewhere` how many it lists of other APIs, `others` the IDs of
    those APIs and of what it lists of them.
    """

    client_id: str
    name: str
    audience: str
    is_disabled: bool
    is_blocked: bool = False
    redirect_uris: tuple[str, ...] = ()
    uris_elsewhere: Mapping[str, str] = field(default_factory=dict)
    permissions: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    elsewhere: int = 0
    others: tuple[str, ...] = ()
    certificates: int = 0
    passwords: tuple[Password, ...] = field(default=())

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Self:
        """From Graph's answer, of which anything may be missing or of another kind than it should."""
        access = list(_access(answer.get("requiredResourceAccess")))
        of_graph = [(guid, kind) for resource, guid, kind in access if resource == GRAPH]
        return cls(
            client_id=_text(answer.get("appId")).lower(),
            name=_text(answer.get("displayName")),
            audience=_text(answer.get("signInAudience")),
            is_disabled=answer.get("isDisabled") is True,
            # null, NotDisabled or DisabledDueToViolationOfServicesAgreement
            is_blocked=_text(answer.get("disabledByMicrosoftStatus")).startswith("Disabled"),
            redirect_uris=tuple(_redirect_uris(answer, "web")),
            uris_elsewhere={
                uri: platform for key, platform in OTHER_PLATFORMS.items() for uri in _redirect_uris(answer, key)
            },
            permissions=tuple(NAMES.get(guid, guid) for guid, kind in of_graph if kind == "Scope"),
            own=tuple(OF_THE_APPLICATION.get(guid, guid) for guid, kind in of_graph if kind != "Scope"),
            elsewhere=len(access) - len(of_graph),
            others=tuple(sorted({each for entry in access if entry[0] != GRAPH for each in entry[:2]})),
            certificates=len(_objects(answer.get("keyCredentials"))),
            passwords=tuple(_passwords(answer.get("passwordCredentials"))),
        )

    def kept(self) -> dict[str, Any]:
        """As JSON."""
        whole = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}
        return whole | {"passwords": [password.kept() for password in self.passwords]}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """As it was kept, by whichever version of this program."""
        tuples = {name: tuple(stored.get(name, ())) for name in ("redirect_uris", "permissions", "own", "others")}
        passwords = tuple(map(Password.of, stored.get("passwords", ())))
        unknown: dict[str, Any] = {"client_id": "", "name": "", "audience": "", "is_disabled": False}
        return cls(**{**unknown, **fields_known_to(cls, stored), **tuples, "passwords": passwords})

    def password(self, key_id: Any) -> Password | None:
        return next((password for password in self.passwords if password.key_id == str(key_id)), None)


def listed_in(stored: Mapping[str, Any] | None, client_id: str) -> list[str]:
    """IDs of all that lint may know of what this application lists, as it was kept; nothing where nothing was."""
    there = InEntra.of(stored) if stored else None
    if there is None or there.client_id != client_id:
        return []
    return [*there.permissions, *there.own, *there.others]


@dataclass(frozen=True)
class Property:
    """One line of a side-by-side: what stands here and there, and what one lacks of the other."""

    key: str
    label: str
    here: str
    there: str
    sameness: Sameness
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()


def compare(registration: AppRegistration, current: Credential | None, there: InEntra) -> list[Property]:
    """Side by side, property by property. What Entra has besides is told and is no difference: others may need it."""
    return [
        _plain("name", "Name", registration.name, there.name),
        _plain("enabled", "Switched on", "yes", _enabled(there)),
        _plain("audience", "Supported account types", _audience(registration.audience), _audience(there.audience)),
        _uris(registration, there),
        _permissions(registration, there),
        _secret(current, there),
    ]


def look_at_drift(registration: AppRegistration, properties: Iterable[Property]) -> Seen | None:
    """`drift`, if something that matters is not the same here and in Entra. A name is told, and breaks nothing."""
    different = [each for each in properties if each.sameness == "different" and each.key != "name"]
    if not different:
        return None
    names = ", ".join(_in_a_sentence(each.label) for each in different)
    told = "; ".join(_told(each) for each in different)
    return OURS_BY_KIND[DRIFT].seen(
        what=f"“{registration.name}” is not the same here and in Entra: {names}.",
        remedy=f"{told}. {OURS_BY_KIND[DRIFT].remedy}",
    )


def _in_a_sentence(label: str) -> str:
    return label[0].lower() + label[1:]


def _told(each: Property) -> str:
    if each.missing:
        return f"{each.label} missing in Entra: {', '.join(each.missing)}"
    return f"{each.label}: “{each.here}” here, “{each.there}” in Entra"


def _plain(key: str, label: str, here: str, there: str) -> Property:
    return Property(key, label, here, there, "same" if here == there else "different")


def _lists(key: str, label: str, here: Iterable[str], there: Iterable[str]) -> Property:
    wanted, listed = list(here), list(there)
    missing = tuple(each for each in wanted if each not in listed)
    extra = tuple(each for each in listed if each not in wanted)
    sameness: Sameness = "different" if missing else "more" if extra else "same"
    return Property(key, label, "\n".join(wanted), "\n".join(listed), sameness, missing, extra)


def _uris(registration: AppRegistration, there: InEntra) -> Property:
    """One on another platform is as good as none, and is told with that platform, lest it be added where it stands."""
    compared = _lists("redirect_uris", "Redirect URIs", registration.uris_to_register, there.redirect_uris)
    elsewhere = [f"{uri} ({platform})" for uri, platform in there.uris_elsewhere.items()]
    missing = tuple(
        f"{uri} (registered as {there.uris_elsewhere[uri]}, not Web)" if uri in there.uris_elsewhere else uri
        for uri in compared.missing
    )
    return replace(compared, there="\n".join([*there.redirect_uris, *elsewhere]), missing=missing)


def _permissions(registration: AppRegistration, there: InEntra) -> Property:
    """By name: links ask so, and an approval in Entra, which is of what is listed, gives nothing that it contains."""
    names = registration.scope_names
    wanted = sorted(permissions_listed(names)) if names else []
    return _lists("permissions", "Permissions", wanted, sorted(there.permissions))


def _secret(current: Credential | None, there: InEntra) -> Property:
    label = "Current client secret"
    if current is None:
        return Property("secret", label, "none", "", "same")
    here = f"{current.hint}…, {_end(current.ends_at)}"
    password = there.password(current.key_id) if current.key_id else None
    if password is not None:
        same = password.ends_at == current.ends_at
        words = f"{password.hint}…, {_end(password.ends_at)}"
        return Property("secret", label, here, words, "same" if same else "different")
    alike = sum(password.hint == current.hint for password in there.passwords)
    if alike:
        return Property("secret", label, here, f"{alike} that begin so; which one is not known", "more")
    # It signs in all the same where it is one of the enterprise application, which are not listed here.
    return Property("secret", label, here, "not listed", "more")


def _end(moment: datetime | None) -> str:
    return f"ends on {day_of(moment)}" if moment else "without an end"


def _enabled(there: InEntra) -> str:
    if there.is_blocked:
        return "no, blocked by Microsoft"
    return "no" if there.is_disabled else "yes"


def _audience(value: str) -> str:
    return dict(AppRegistration.Audience.choices).get(value, value)


# Reading


def _passwords(rows: Any) -> Iterable[Password]:
    for row in _objects(rows):
        key_id = _text(row.get("keyId")).lower()
        if GUID.fullmatch(key_id):
            yield Password(
                key_id=key_id,
                hint=_text(row.get("hint"))[:3],
                starts_at=_moment(row.get("startDateTime")),
                ends_at=_moment(row.get("endDateTime")),
                name=_text(row.get("displayName")),
            )


def _redirect_uris(answer: Mapping[str, Any], platform: str) -> list[str]:
    found = answer.get(platform)
    return _texts(found.get("redirectUris") if isinstance(found, dict) else None)


def _access(rows: Any) -> Iterable[tuple[str, str, str]]:
    for resource in _objects(rows):
        for each in _objects(resource.get("resourceAccess")):
            yield _text(resource.get("resourceAppId")).lower(), _text(each.get("id")).lower(), _text(each.get("type"))


def _objects(rows: Any) -> list[Mapping[str, Any]]:
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _texts(values: Any) -> list[str]:
    return [_text(value) for value in values if _text(value)] if isinstance(values, list) else []


def _text(value: Any) -> str:
    """Without what PostgreSQL keeps in no JSON: NUL, and halves of characters (lone surrogates)."""
    whole = value[:LONGEST].replace("\x00", "") if isinstance(value, str) else ""
    return whole.encode(errors="ignore").decode()


def _moment(value: Any) -> datetime | None:
    try:
        found = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and is_aware(found) else None
