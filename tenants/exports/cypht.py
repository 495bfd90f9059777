"""Cypht's .env: the variables of its two Microsoft services, OUTLOOK_ and OFFICE365_.

What Cypht does with them was read in its code (2.x: config/oauth2.php, modules/nux, lib/environment.php); how its .env
is read, in Symfony's Dotenv 6.4, which it loads it with.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from tenants import dotenv
from tenants.models import AppRegistration

from .export import Dialect, Export, File, comments
from .values import Values

OUTLOOK, OFFICE365 = "OUTLOOK_", "OFFICE365_"
Audience = AppRegistration.Audience

# Cypht's own defaults for Outlook. Live Connect takes personal accounts only, and is the one place that knows wl.imap.
LIVE_AUTH = "https://login.live.com/oauth20_authorize.srf"
LIVE_TOKEN = "https://login.live.com/oauth20_token.srf"  # noqa: S105  an address
WORLDWIDE = "outlook.office.com"  # the outlook_host of the cloud whose mailboxes are where Cypht looks for them

WHO = {OUTLOOK: "personal Microsoft accounts", OFFICE365: "work and school accounts"}
NEEDS_PATCH = (
    "Cypht needs a patch for work and school accounts: it always asks for the scope wl.imap "
    "(modules/nux/services.php), which only login.live.com knows, for personal accounts. Work accounts need "
    "IMAP.AccessAsUser.All, SMTP.Send and offline_access instead."
)
NO_REFRESH = (
    "Cypht does not renew sign-ins of Microsoft accounts: its check compares the server's name with another than the "
    "one it saves. People sign in again when their token has ended, after about an hour."
)
WEAK_FLOW = (
    "Cypht sends every sign-in the same state and no PKCE challenge: it cannot tell whether an answer belongs to a "
    "sign-in that it began."
)
NO_EWS = "Cypht's EWS signs in with user name and password and uses none of this."
LATER_WINS = (
    "Put these lines in the place of those with the same names in Cypht's .env: of two the later counts, and one "
    "that was copied from .env.example has them already, empty."
)
PROCESS_WINS = (
    "A variable that is set in the environment of the process already (Docker's env_file, the web server) wins over "
    "this file. One that is empty or 0 counts as not set."
)


def write(values: Values) -> Export:
    uri = _client_uri(values)
    meant: dict[str, str] = {}
    blocks = [_block(values, prefix, uri, meant) for prefix in (OUTLOOK, OFFICE365)]
    warnings = list(_warnings(values, uri, quoted="'" in "".join(blocks)))
    text = "\n".join([comments([f"Cypht 2.x. {values.headline}", *warnings]), *blocks])
    _refuse_unless_read_as(values, text, meant)
    return Export(values.title, (File(f"{values.stem}.cypht.env", text),), tuple(warnings))


def _takes(values: Values, prefix: str) -> bool:
    """Does the registration take the accounts that this service of Cypht's is for?"""
    audience = values.registration.audience
    if prefix == OUTLOOK:
        return audience in (Audience.PERSONAL, Audience.ANY)
    return audience != Audience.PERSONAL


def _block(values: Values, prefix: str, uri: str, meant: dict[str, str]) -> str:
    """The lines of one service, and what they shall be read as; where nothing is to be set, why not."""
    if not _takes(values, prefix):
        names = ", ".join(f"{prefix}{name}" for name in ("CLIENT_ID", "CLIENT_SECRET", "CLIENT_URI"))
        return comments(
            [
                f"{names} and the rest are not set: this registration takes no {WHO[prefix]}. Cypht offers the service "
                "all the same, and who chooses it meets “Missing required parameter: client_id”. Copy them from a "
                "registration that does."
            ]
        )
    authorize, token = _endpoints(values, prefix)
    if "?" in authorize:  # Cypht puts its own ? after it
        raise values.cannot(f"{prefix}AUTH_URI would hold a ?.", "Mend the cloud's login_host in EXTRA_CLOUDS.")
    settings = {
        f"{prefix}CLIENT_ID": values.registration.client_id,
        f"{prefix}CLIENT_SECRET": values.secret_or_placeholder,
        f"{prefix}CLIENT_URI": uri,
        f"{prefix}AUTH_URI": authorize,
        f"{prefix}TOKEN_URI": token,
        f"{prefix}REFRESH_URI": token,
    }
    meant |= settings
    lines = [f"{_assignment(values, name, value)}\n" for name, value in settings.items()]
    return comments([_heading(values, prefix)]) + "".join(lines)


def _heading(values: Values, prefix: str) -> str:
    heading = WHO[prefix][0].upper() + WHO[prefix][1:]
    if prefix == OFFICE365 and values.registration.audience == Audience.ANY:
        # What Tenantry's own links go through. Personal accounts would be let in there too, but to no scope that
        # Cypht asks for: they have OUTLOOK_.
        return f"{heading}, through “common”. Personal accounts belong to {OUTLOOK} above, though “common” takes them."
    return heading


def _endpoints(values: Values, prefix: str) -> tuple[str, str]:
    if prefix == OFFICE365:
        return values.authorize_endpoint, values.token_endpoint
    if values.cloud.built_in:
        return LIVE_AUTH, LIVE_TOKEN
    # A cloud of one's own has no Live Connect beside it.
    paths = f"{values.cloud.sign_in_origin}/consumers", values.cloud.authority("consumers")
    return f"{paths[0]}/oauth2/v2.0/authorize", f"{paths[1]}/oauth2/v2.0/token"


def _client_uri(values: Values) -> str:
    uri = values.product_uri()
    for character in "&#":
        if character in uri:
            raise values.cannot(
                f"CLIENT_URI must hold no {character}, for Cypht puts it into addresses as it is: {uri}",
                "Choose another redirect URI; the bare address of Cypht will do.",
            )
    return uri


def _assignment(values: Values, name: str, value: str) -> str:
    try:
        return dotenv.assignment(name, value)
    except dotenv.Unwritable as unwritable:
        raise values.cannot(f"Cypht's .env cannot hold {unwritable}.", _way_out(name)) from unwritable


def _way_out(name: str) -> str:
    if name.endswith("SECRET"):
        return "Make a new client secret in Entra and paste it on the registration's page."
    return "Choose another redirect URI."


def _refuse_unless_read_as(values: Values, text: str, meant: dict[str, str]) -> None:
    """Nothing is offered that Cypht would read as anything but what is stored here."""
    try:
        read = dotenv.read(text)
    except dotenv.BadDotenv as bad:
        raise values.cannot(f"Cypht could not read the file: {bad}", "Report this; nothing was exported.") from bad
    if read != meant:
        wrong = ", ".join(sorted(name for name in read.keys() | meant.keys() if read.get(name) != meant.get(name)))
        raise values.cannot(f"Cypht would read another value of {wrong}.", "Report this; nothing was exported.")


def _warnings(values: Values, uri: str, *, quoted: bool) -> Iterator[str]:
    yield from values.about_secret()
    yield f"Register {uri} in Entra, under Authentication, platform Web: it is compared to the letter."
    yield from _about_uri(values, uri)
    if _takes(values, OFFICE365):
        yield NEEDS_PATCH
        host = values.cloud.outlook_host
        if values.cloud.built_in and host != WORLDWIDE:
            yield f"Cypht looks for mailboxes at outlook.office365.com only, and those of this cloud are at {host}."
    yield NO_REFRESH
    yield WEAK_FLOW
    yield NO_EWS
    yield LATER_WINS
    yield PROCESS_WINS
    if quoted:
        yield "docker run --env-file takes the quotes below as part of the values. Docker Compose does not."


def _about_uri(values: Values, uri: str) -> Iterator[str]:
    query = urlsplit(uri).query
    if not query:
        yield "CLIENT_URI must lead to Cypht's page “home”, as its bare address does."
    else:
        yield "CLIENT_URI must lead to Cypht's page “home”. Its bare address does, too, without a query string."
        if _takes(values, OUTLOOK):
            yield (
                "Entra takes no redirect URI with a query string where personal accounts may sign in: use the bare "
                "address."
            )
    if set(uri) & set("%+"):
        yield "Cypht does not encode CLIENT_URI: Microsoft decodes a % or + in it, and then compares another address."


CYPHT = Dialect(
    key="cypht",
    label="Cypht .env",
    purpose="the variables OUTLOOK_ and OFFICE365_ of a Cypht server",
    write=write,
    takes_redirect_uri=True,
)
