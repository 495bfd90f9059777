"""What is typed into Aurinko's portal, as a text to read and to copy from."""

from collections.abc import Iterator
from textwrap import wrap

from tenants import scopes
from tenants.scopes import CATALOGUE, GRAPH

from .export import WIDTH, Dialect, Export, File
from .values import Values

PORTAL = "https://app.aurinko.io"
IMPLICIT = ("offline_access", "openid", "email", "profile", *scopes.ALWAYS[GRAPH])
NOT_ITS_OWN = (
    "Aurinko works with Microsoft Graph and has no names for scopes of IMAP, POP and SMTP: tick scopes of Microsoft "
    "Graph on the registration's page."
)


def write(values: Values) -> Export:
    warnings = list(_warnings(values))
    told = [
        line for warning in warnings for line in wrap(warning, WIDTH, initial_indent="  - ", subsequent_indent="    ")
    ]
    text = "\n".join([*_where(values), *_scopes(values), "To know", "", *told, ""])
    return Export(values.title, (File(f"{values.stem}.aurinko.txt", text),), tuple(warnings))


def _where(values: Values) -> Iterator[str]:
    yield f"Aurinko. {values.headline}"
    yield ""
    yield "Where to enter it"
    yield ""
    yield f"  1. Sign in at {PORTAL}"
    yield "  2. Select your app at the top, then Settings, then the tab OFFICE 365."
    yield "  3. Paste these two and press Save."
    yield ""
    yield f"     Client ID      {values.registration.client_id}"
    yield f"     Client secret  {values.secret_or_placeholder}"
    yield ""


def _scopes(values: Values) -> Iterator[str]:
    names = [name for name in values.registration.scope_names if CATALOGUE[name].family == GRAPH]
    rows = [("Aurinko's scope", "Microsoft Graph permission", "Aurinko's other name for it")]
    rows += [(name, CATALOGUE[name].permission, ", ".join(CATALOGUE[name].aliases)) for name in names]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    yield "Scopes"
    yield ""
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    if not names:
        yield "  None of Microsoft Graph is ticked."
    yield ""
    yield "  Aurinko asks for these by itself; in Entra the registration lists them, too, as delegated permissions:"
    yield f"  {', '.join(IMPLICIT)}"
    yield ""


def _warnings(values: Values) -> Iterator[str]:
    yield from values.about_secret()
    names = values.registration.scope_names
    if names and scopes.family_of(names) != GRAPH:
        yield NOT_ITS_OWN
    if "Mail.Draft" in names:
        yield "Mail.Draft comes to Mail.ReadWrite at Microsoft, and Aurinko's text counts sending to it."


AURINKO = Dialect(
    key="aurinko",
    label="Aurinko",
    purpose="client ID, secret and scopes for the portal of Aurinko, to read and paste",
    write=write,
)
