"""What must hold before Tenantry may run. `settings_problems` is also a Django system check."""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.http.request import validate_host

from config.logo import LARGEST as LARGEST_LOGO
from config.logo import content_type
from tenants.addresses import is_address
from tenants.client_address import proxy_network
from tenants.clouds import BUILT_IN, EXTRA_FIELDS, SWITCHES, extra_cloud

RANDOM_TEXT = "python -c 'import secrets; print(secrets.token_urlsafe(50))'"
FERNET_KEY = "python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")  # RFC 6750
SHORTEST_WATCH = 25
CLOUD_KEY = re.compile(r"[a-z0-9][a-z0-9_-]*")
HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?")


def settings_problems(**kwargs: Any) -> list[CheckMessage]:
    """Looks at settings only: no model is loaded, no database asked."""
    return [
        *_secret_key(),
        *encryption_key_problems(),
        *_site_url(),
        *_debug(),
        *_trusted_proxies(),
        *_extra_clouds(),
        *_alerts(),
        *_watch(),
        *_webhooks(),
        *_logo(),
    ]


def _alerts() -> Iterator[Error]:
    if not all(map(is_address, settings.ALERT_EMAILS)):
        yield Error(
            "ALERT_EMAILS holds something that is not an email address.",
            hint="Separate addresses by commas: ops@example.com,oncall@example.com",
            id="config.E015",
        )
    if not is_address(parseaddr(settings.DEFAULT_FROM_EMAIL)[1]):
        yield Error(
            "DEFAULT_FROM_EMAIL is not an email address.",
            hint="Alerts come from it: tenantry@example.com, or Tenantry <tenantry@example.com>",
            id="config.E016",
        )
    if max(settings.SECRET_WARN_DAYS, default=0) < 1 or not set(settings.SECRET_WARN_DAYS) <= {*range(366)}:
        yield Error(
            "SECRET_WARN_DAYS holds no day of warning, or a number that is not from 0 to 365.",
            hint="60,30,14,7,3,1,0 is usual.",
            id="config.E017",
        )
    yield from _checking()


def _watch() -> Iterator[Error]:
    if settings.WATCH_HOURS < SHORTEST_WATCH:
        yield Error(
            f"WATCH_HOURS is less than {SHORTEST_WATCH}: on a night that the clocks go back, all would be overdue.",
            hint="26 is usual: a day, that hour, and one for the check itself.",
            id="config.E031",
        )
    if settings.HEARTBEAT_URL and not _is_heartbeat_address(settings.HEARTBEAT_URL):
        yield Error(
            "HEARTBEAT_URL is not an address that a heartbeat may be sent to.",
            hint="Give the whole address that your dead-man's switch shows, with https; plain http is for this machine "
            "alone.",
            id="config.E032",
        )
    if settings.METRICS_TOKEN and (len(settings.METRICS_TOKEN) < 20 or not TOKEN.fullmatch(settings.METRICS_TOKEN)):
        yield Error(
            "METRICS_TOKEN is too short to be a secret, or holds characters that no header can carry.",
            hint=f"Set 20 random letters and digits or more: {RANDOM_TEXT}",
            id="config.E033",
        )


def _is_heartbeat_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or not url.isascii() or any(map(str.isspace, url)):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.netloc))


def _webhooks() -> Iterator[Error]:
    if settings.WEBHOOK_ALLOW_LOOPBACK and not _allowed_hosts_are_loopback():
        yield Error(
            "WEBHOOK_ALLOW_LOOPBACK is on while ALLOWED_HOSTS names hosts that others can reach: whoever may add a "
            "channel could reach what listens on this machine alone.",
            hint="Remove it, or allow only localhost and 127.0.0.1.",
            id="config.E023",
        )
    if settings.WEBHOOK_CA_FILE and not Path(settings.WEBHOOK_CA_FILE).is_file():
        yield Error(
            "The file of WEBHOOK_CA_FILE does not exist, so no webhook could be sent.",
            hint="Correct the path, or leave it empty to trust the usual authorities.",
            id="config.E024",
        )


def _checking() -> Iterator[Error]:
    least = {"SWEEP_WORKERS": 1, "CHECKS_IN_FLIGHT": 1, "UNANSWERED_NIGHTS": 1}
    for name, number in least.items():
        if getattr(settings, name) < number:
            yield Error(f"{name} is less than {number}.", hint="Leave it out to have the default.", id="config.E025")
    if settings.CHECKS_PER_SECOND <= 0:
        yield Error(
            "CHECKS_PER_SECOND is not more than nothing, so nothing would ever be checked.",
            hint="20 is the default; a tenth of a request a second is 0.1.",
            id="config.E026",
        )


def _logo() -> Iterator[Error]:
    if settings.ORGANIZATION_LOGO is None:
        return
    try:
        with settings.ORGANIZATION_LOGO.open("rb") as file:
            content = file.read(LARGEST_LOGO + 1)
    except OSError as problem:
        yield Error(
            f"The file of ORGANIZATION_LOGO cannot be read: {problem.strerror}.",
            hint="Correct the path; a relative one starts at the project's folder.",
            id="config.E020",
        )
        return
    if len(content) > LARGEST_LOGO:
        yield Error(
            "The file of ORGANIZATION_LOGO is larger than 200 kB.",
            hint="It is shown 40 pixels high: make it smaller.",
            id="config.E021",
        )
    elif content_type(content) is None:
        yield Error(
            "The file of ORGANIZATION_LOGO is neither a PNG, JPEG, WebP nor SVG picture, whatever its name says.",
            hint="Save it as one of these.",
            id="config.E022",
        )


def is_loopback(host: str) -> bool:
    """Whether a host name of ALLOWED_HOSTS, or host:port of a cloud, means this machine alone."""
    name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _allowed_hosts_are_loopback() -> bool:
    return all(map(is_loopback, settings.ALLOWED_HOSTS))


def _secret_key() -> Iterator[Error]:
    key = settings.SECRET_KEY
    placeholder = key.startswith("django-insecure-") or "change" in key.lower()
    if placeholder or len(key) < 50 or len(set(key)) < 5:
        yield Error(
            "SECRET_KEY is a placeholder or too short to be a secret.",
            hint=f"Set 50 random characters or more: {RANDOM_TEXT}",
            id="config.E001",
        )


def encryption_key_problems() -> Iterator[Error]:
    """Without usable keys not even the models can be loaded."""
    keys = settings.FIELD_ENCRYPTION_KEY
    if not keys:
        yield Error("FIELD_ENCRYPTION_KEYS holds no key.", hint=f"Make the first one: {FERNET_KEY}", id="config.E002")
    for number, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError:
            yield Error(
                f"Key {number} of FIELD_ENCRYPTION_KEYS is not a Fernet key.",
                hint=f"Copy the whole key, 44 characters, or make one: {FERNET_KEY}",
                id="config.E003",
            )


def _site_url() -> Iterator[Error]:
    url = settings.SITE_URL
    try:
        site = urlsplit(url)
        origin_only = url == f"{site.scheme}://{site.netloc}" and "@" not in site.netloc and site.port != 0
    except ValueError:
        origin_only = False
    if not origin_only or site.scheme not in ("http", "https") or not site.hostname:
        yield Error(
            "SITE_URL is not the address of a site.",
            hint="Give scheme and host, and a port where it needs one, and nothing after: https://tenantry.example.com",
            id="config.E004",
        )
        return
    if not validate_host(site.hostname, settings.ALLOWED_HOSTS):
        yield Error(
            f"SITE_URL's host {site.hostname} is not in ALLOWED_HOSTS, so every page would answer 400.",
            hint=f"Add {site.hostname} to ALLOWED_HOSTS.",
            id="config.E005",
        )
    if site.scheme == "http" and not is_loopback(site.netloc):
        yield Error(
            f"SITE_URL is plain http on {site.hostname}: secrets would cross the network readable to anyone.",
            hint="Put a proxy with a certificate in front and give SITE_URL as https.",
            id="config.E006",
        )


def _debug() -> Iterator[Error]:
    if settings.DEBUG and not _allowed_hosts_are_loopback():
        yield Error(
            "DEBUG is on while ALLOWED_HOSTS names hosts that others can reach; its error pages show the inside.",
            hint="Remove DEBUG, or allow only localhost and 127.0.0.1.",
            id="config.E007",
        )


def _trusted_proxies() -> Iterator[Error]:
    for number, entry in enumerate(settings.TRUSTED_PROXIES, start=1):
        try:
            trusts_everybody = proxy_network(entry).prefixlen == 0
        except ValueError:
            yield Error(
                f"Entry {number} of TRUSTED_PROXIES is neither an IP address nor a network.",
                hint="Separate entries by commas; a network is its first address and length: 127.0.0.1,10.1.0.0/16",
                id="config.E018",
            )
            continue
        if trusts_everybody:
            yield Error(
                f"Entry {number} of TRUSTED_PROXIES is every address there is: anyone could claim to be anyone.",
                hint="Name only the proxies in front of this site.",
                id="config.E019",
            )


def _extra_clouds() -> Iterator[Error]:
    rows = settings.EXTRA_CLOUDS
    if not isinstance(rows, list):
        yield _bad_cloud("EXTRA_CLOUDS is not a JSON list.")
        return
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        faults = list(_cloud_faults(row))
        for fault in faults:
            yield _bad_cloud(f"Entry {number} of EXTRA_CLOUDS: {fault}.")
        if not faults:
            yield from _placed_cloud(row, seen)
            seen.add(row["key"])


def _bad_cloud(sentence: str) -> Error:
    return Error(sentence, hint="See EXTRA_CLOUDS in .env.example.", id="config.E008")


def _cloud_faults(row: Any) -> Iterator[str]:
    if not isinstance(row, dict):
        yield "it is not a JSON object"
        return
    for name in ("key", "name", "login_host", "graph_host"):
        if not row.get(name):
            yield f"{name} is missing"
    for name in sorted(row.keys() - EXTRA_FIELDS):
        yield f"{name} is not a field of a cloud"
    for name in sorted(EXTRA_FIELDS - SWITCHES):
        if not isinstance(row.get(name), str | None):
            yield f"{name} is not text"
        elif row.get(name):
            yield from _malformed(name, row[name])
    for name in sorted(SWITCHES):
        if not isinstance(row.get(name, False), bool):
            yield f"{name} is neither true nor false"


def _malformed(name: str, value: str) -> Iterator[str]:
    if name == "key" and not CLOUD_KEY.fullmatch(value):
        yield "key may hold small letters, digits, - and _ only"
    if name.endswith("_host") and not HOST.fullmatch(value):
        yield f"{name} is not a host name (with a port where it needs one)"
    if name == "browser_origin" and not re.fullmatch(rf"https?://{HOST.pattern}", value):
        yield "browser_origin is not an origin such as https://login.example.com"


def _placed_cloud(row: dict[str, Any], seen: set[str]) -> Iterator[Error]:
    """What can be asked of one well-formed entry beside the others and on this machine."""
    cloud = extra_cloud(row)
    if cloud.key in seen | {built_in.key for built_in in BUILT_IN}:
        yield Error(
            f"Two clouds have the key {cloud.key}.", hint="Give the one in EXTRA_CLOUDS another.", id="config.E009"
        )
    if cloud.ca_file and not Path(cloud.ca_file).is_file():
        way_out = (
            "It makes its own when it starts; `make run` does that first." if cloud.sandbox else "Correct the path."
        )
        yield Error(
            f"The ca_file of cloud {cloud.key} does not exist: {cloud.ca_file}.", hint=way_out, id="config.E010"
        )
    hosts: Sequence[str | None] = (cloud.login_host, cloud.graph_host, cloud.outlook_host)
    if (cloud.sandbox or any(host and is_loopback(host) for host in hosts)) and not _allowed_hosts_are_loopback():
        yield Error(
            f"Cloud {cloud.key} is a sandbox or on this machine, while ALLOWED_HOSTS names hosts that others can "
            "reach: anyone could consent as anybody.",
            hint="Remove it from EXTRA_CLOUDS, or allow only localhost and 127.0.0.1.",
            id="config.E011",
        )


def database_problems() -> list[CheckMessage]:
    """Asks the database: is it there, has it our tables, can our keys read what is in it. Django must be set up.

    Not registered with Django: `migrate` runs all checks that ask a database, and must work before there are tables.
    """
    return unreachable_database() or _missing_migrations() or list(_unreadable_keys())


def unreachable_database() -> list[CheckMessage]:
    from django.db import DatabaseError, connection

    try:
        connection.ensure_connection()
    except DatabaseError as problem:
        reason = str(problem).strip().partition("\n")[0]
        return [
            Error(
                f"The database cannot be reached: {reason}.",
                hint="See that it runs, or for SQLite that its folder exists, and that DATABASE_URL is right.",
                id="config.E012",
            )
        ]
    return []


def _missing_migrations() -> list[CheckMessage]:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not missing:
        return []
    return [
        Error(
            f"The database is not up to date; {len(missing)} migrations are missing.",
            hint="Run: python manage.py migrate",
            id="config.E013",
        )
    ]


def _unreadable_keys() -> Iterator[Error]:
    from tenants.models import KeyCanary

    for key_id in KeyCanary.objects.unreadable():
        yield Error(
            f"FIELD_ENCRYPTION_KEYS cannot read what is stored: key {key_id} is not among them.",
            hint="Put that key back; without it the secrets sealed with it are lost.",
            id="config.E014",
        )
