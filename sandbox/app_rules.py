"""What Entra refuses of an app registration, by who may sign in to it."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sandbox.things import App
from sandbox.typed import BadInput

# signInAudience -> the account types, as the portal words them today
AUDIENCES = {
    "AzureADMyOrg": "Single tenant only",
    "AzureADMultipleOrgs": "Multiple Entra ID tenants",
    "AzureADandPersonalMicrosoftAccount": "Any Entra ID Tenant + Personal Microsoft accounts",
    "PersonalMicrosoftAccount": "Personal accounts only",
}
# disabledByMicrosoftStatus, where it is not null
MICROSOFT_STATUSES = ("NotDisabled", "DisabledDueToViolationOfServicesAgreement")
PERSONAL_AUDIENCES = ("AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount")
LONGEST_URI = 256
FORBIDDEN = "!$'(),;"
MOST_APIS = 50


@dataclass(frozen=True)
class Limits:
    whose: str
    name: int
    redirect_uris: int
    permissions: int
    per_api: int
    secrets: int | None


WORK = Limits("an app for work or school accounts only", 120, 256, 400, 400, None)
PERSONAL = Limits("an app that takes personal accounts", 90, 100, 200, 30, 2)


def check(app: App, changed: Collection[str]) -> None:
    """Raises BadInput, naming the rule, where a changed field breaks one. With the audience every field counts anew."""
    rules = {"name": _name, "redirect_uris": _redirect_uris, "required": _required, "secrets": _secrets}
    if app.audience not in AUDIENCES:
        raise BadInput(f"“{app.audience}” is not a sign-in audience. Choose one of {', '.join(AUDIENCES)}.")
    limits = PERSONAL if app.audience in PERSONAL_AUDIENCES else WORK
    for field, rule in rules.items():
        if field in changed or "audience" in changed:
            rule(app, limits)


def refuse_new_wildcards(app: App, uris: Iterable[str]) -> None:
    """Only the manifest takes them; those it took may stay."""
    for uri in uris:
        if "*" in uri and uri not in app.redirect_uris:
            raise _no_uri(uri, "a wildcard (*) is taken through the manifest only")


def _name(app: App, limits: Limits) -> None:
    if not 0 < len(app.name) <= limits.name:
        raise BadInput(f"The name of {limits.whose} has 1 to {limits.name} characters, and this one {len(app.name)}.")
    if not app.name.isprintable():
        raise BadInput("The name of an app has only characters that can be shown.")


def _redirect_uris(app: App, limits: Limits) -> None:
    count = len(app.redirect_uris)
    if count > limits.redirect_uris:
        raise BadInput(f"There are {count} redirect URIs: {limits.whose} has at most {limits.redirect_uris}.")
    for uri in app.redirect_uris:
        _redirect_uri(uri, limits)


def _redirect_uri(uri: str, limits: Limits) -> None:
    if len(uri) > LONGEST_URI:
        raise _no_uri(f"{uri[:40]}…", f"it has {len(uri)} characters, and at most {LONGEST_URI} are taken")
    if re.match(r"https?://\[", uri):
        raise _no_uri(uri, "an IPv6 address is not taken, not even the loopback one")
    if not re.fullmatch(r"https?://[A-Za-z0-9.*-]+(:\d{1,5})?([/?#][^\s\"<>\\]*)?", uri) or not uri.isprintable():
        raise _no_uri(uri, "give a full http or https address")
    if uri.startswith("http:") and not re.match(r"http://(localhost|127\.0\.0\.1)[:/?#]", uri + "/"):
        raise _no_uri(uri, "http is for localhost only, elsewhere it must be https")
    if "#" in uri:
        raise _no_uri(uri, "a fragment (#) is not taken")
    if set(uri) & set(FORBIDDEN):
        raise _no_uri(uri, f"none of {' '.join(FORBIDDEN)} is taken")
    if limits is PERSONAL and "*" in uri:
        raise _no_uri(uri, f"a wildcard (*) is not taken for {limits.whose}")
    if limits is PERSONAL and "?" in uri:
        raise _no_uri(uri, f"a query string (?) is not taken for {limits.whose}")


def _required(app: App, limits: Limits) -> None:
    counts = {each["resourceAppId"]: len(each["resourceAccess"]) for each in app.required}
    if sum(counts.values()) > limits.permissions:
        raise BadInput(
            f"There are {sum(counts.values())} required permissions: {limits.whose} lists at most {limits.permissions}."
        )
    if len(counts) > MOST_APIS:
        raise BadInput(f"The required permissions are of {len(counts)} APIs: an app lists at most {MOST_APIS}.")
    for api, count in counts.items():
        if count > limits.per_api:
            raise BadInput(
                f"There are {count} required permissions of the API {api}: "
                f"{limits.whose} lists at most {limits.per_api} of one API."
            )


def _secrets(app: App, limits: Limits) -> None:
    count = len(app.secrets)
    if limits.secrets is not None and count > limits.secrets:
        raise BadInput(
            f"That would be {count} client secrets: {limits.whose} has at most {limits.secrets} (TooManyAppPasswords)."
            " Remove one first."
        )


def _no_uri(uri: str, why: str) -> BadInput:
    return BadInput(f"“{uri}” cannot be a redirect URI: {why}.")
