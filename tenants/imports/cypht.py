"""What a running Cypht's `.env` says of its app registrations. Everything else in that file is dropped. No database.

Names, defaults and the places of the two services: cypht-org/cypht, config/oauth2.php and .env.example.
"""

from collections.abc import Mapping
from datetime import date
from urllib.parse import urlsplit

from django.views.decorators.debug import sensitive_variables

from tenants import clouds
from tenants.dotenv import BadDotenv, read
from tenants.models import AppRegistration
from tenants.models.credential import LEFT_OUT
from tenants.models.registration import DOMAIN, as_guid

from .columns import ENDS_ON, SECRET
from .reading import BadFile, Entry, entry_of

SERVICES = {"OUTLOOK": "Cypht Outlook", "OFFICE365": "Cypht Office 365"}
LARGEST_ENV = 100_000  # characters; reading by a shell's rules takes time, and whoever waits is a web worker
LIVE = "login.live.com"  # where Cypht sends people unless its AUTH_URI says otherwise: personal accounts only
Audience = AppRegistration.Audience
Cells = Mapping[str, str | list[str]]
AUDIENCES = {
    "common": Audience.ANY,
    "organizations": Audience.MULTIPLE_ORGS,
    "consumers": Audience.PERSONAL,
}


@sensitive_variables()
def read_env(text: str, *, tenant: str, cloud: str, ends_on: date | None) -> list[Entry]:
    """A row for each service with a client ID; both with the same one are one row. Raises BadFile."""
    if len(text) > LARGEST_ENV:
        raise BadFile(f"A .env has at most {LARGEST_ENV:,} characters, and this file has {len(text):,}.")
    try:
        variables = read(text)
    except BadDotenv as wrong:
        raise BadFile(f"This .env cannot be read: line {wrong.line}: {wrong.reason}.") from None
    # As Cypht reads them: what is empty or "0" counts as not there.
    used = {name: variables[name] for name in variables if variables[name] not in ("", "0")}
    prefixes = [prefix for prefix in SERVICES if f"{prefix}_CLIENT_ID" in used]
    if not prefixes:
        raise BadFile("Neither OUTLOOK_CLIENT_ID nor OFFICE365_CLIENT_ID has a value in this .env.")
    entries: list[Entry] = []
    for prefix in prefixes:
        own = {name: used.get(f"{prefix}_{name}", "").strip() for name in ("CLIENT_ID", "CLIENT_SECRET", "CLIENT_URI")}
        if own["CLIENT_SECRET"] == LEFT_OUT:
            own["CLIENT_SECRET"] = ""
        place = _place(prefix, used.get(f"{prefix}_AUTH_URI", ""), cloud)
        host = urlsplit(own["CLIENT_URI"]).hostname or "no address" if _is_address(own["CLIENT_URI"]) else "no address"
        cells: dict[str, str | list[str]] = {
            "tenant": tenant,
            "name": f"{SERVICES[prefix]} ({host})"[:120],
            "client_id": own["CLIENT_ID"],
            "product_uris": [own["CLIENT_URI"]] if own["CLIENT_URI"] else [],
            **place,
            SECRET: own["CLIENT_SECRET"],
            ENDS_ON: ends_on.isoformat() if ends_on and own["CLIENT_SECRET"] else "",
        }
        entries.append(entry_of(len(entries) + 1, cells))
    return _as_one(entries) if len(entries) > 1 else entries


def _is_address(uri: str) -> bool:
    try:
        return bool(urlsplit(uri).hostname)
    except ValueError:
        return False


def _place(prefix: str, auth_uri: str, chosen: str) -> dict[str, str | list[str]]:
    """Cloud, audience and directory, as the address says to which Cypht sends people."""
    if not auth_uri:
        return {"cloud": chosen, "audience": Audience.PERSONAL, "directory": ""}
    wrong = f"{prefix}_AUTH_URI: "
    try:
        parts = urlsplit(auth_uri)
        host = parts.netloc.rpartition("@")[2].lower()
    except ValueError:
        raise BadFile(f"{wrong}this is not a URL.") from None
    if host == LIVE:
        return {"cloud": chosen, "audience": Audience.PERSONAL, "directory": ""}
    cloud = _cloud_at(host, chosen)
    if cloud is None:
        raise BadFile(
            f"{wrong}“{host[:100]}” is the sign-in host of no cloud that is configured here. "
            "Add the cloud to EXTRA_CLOUDS, or correct the address."
        )
    directory = parts.path.strip("/").partition("/")[0].lower()
    if directory in AUDIENCES:
        return {"cloud": cloud, "audience": AUDIENCES[directory], "directory": ""}
    if as_guid(directory) or DOMAIN.fullmatch(directory):
        return {"cloud": cloud, "audience": Audience.MY_ORG, "directory": directory}
    raise BadFile(
        f"{wrong}the first part of its path must be common, organizations, consumers, a directory ID or a domain."
    )


def _cloud_at(host: str, chosen: str) -> str | None:
    """The cloud with this sign-in host: the chosen one if it is, as two clouds may share a host."""
    there = [
        cloud.key
        for cloud in clouds.clouds().values()
        if host in (cloud.login_host.lower(), urlsplit(cloud.sign_in_origin).netloc.lower())
    ]
    return chosen if chosen in there else next(iter(there), None)


@sensitive_variables()
def _as_one(entries: list[Entry]) -> list[Entry]:
    first, second = entries
    keys = [(str(entry.cells["cloud"]), str(entry.cells["client_id"]).lower()) for entry in entries]
    if keys[0] != keys[1]:
        return entries
    place = _both(first.cells, second.cells)
    if first.secret != second.secret or place is None:
        raise BadFile(
            "OUTLOOK_CLIENT_ID and OFFICE365_CLIENT_ID are the same, but their secrets or AUTH_URIs are not. "
            "Keep what is right."
        )
    uris = [*first.cells["product_uris"], *second.cells["product_uris"]]
    return [Entry(1, {**first.cells, **place, "product_uris": list(dict.fromkeys(uris))}, first.secret)]


def _both(first: Cells, second: Cells) -> Cells | None:
    """Audience and directory of a registration that both services sign in with; None where they contradict."""
    places = [{name: cells[name] for name in ("audience", "directory")} for cells in (first, second)]
    if places[0] == places[1]:
        return places[0]
    # Personal accounts by the one, others by the other: whoever takes both kinds takes them from every directory.
    others = [place for place in places if place["audience"] != Audience.PERSONAL]
    return {**others[0], "audience": Audience.ANY} if len(others) == 1 else None


# Whom else those take in who may sign in.
_TAKES_IN = {
    Audience.ANY: frozenset(Audience),
    Audience.MULTIPLE_ORGS: frozenset({Audience.MULTIPLE_ORGS, Audience.MY_ORG}),
    Audience.MY_ORG: frozenset({Audience.MY_ORG}),
    Audience.PERSONAL: frozenset({Audience.PERSONAL}),
}


def says_nothing_new(cells: Cells, stored: AppRegistration) -> set[str]:
    """The columns of a `.env`'s row that are guessed and that what is stored knows better.

    Where Cypht sends people tells some of who may sign in, and hardly ever where the registration is registered.
    """
    known = {"name"}
    agrees = cells["audience"] in _TAKES_IN[Audience(stored.audience)]
    if agrees:
        known.add("audience")
    if not cells["directory"] or (agrees and stored.directory and stored.audience != Audience.MY_ORG):
        known.add("directory")
    return known
