"""CSV with the columns of an import, to be edited in a spreadsheet and imported again."""

import csv
import re
from collections.abc import Mapping, Sequence
from datetime import UTC
from io import StringIO

from import_export.widgets import Widget

from tenants.imports.cells import AddressesCell, ScopesCell, URIsCell
from tenants.imports.columns import ENDS_ON, NAMES, SECRET
from tenants.imports.formulas import can_be_marked, marked

from .export import Dialect, Export, File
from .values import Values

# What moves a terminal's cursor, or is a line's end to some reader.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_READ_BY: dict[str, Widget] = {
    "scopes": ScopesCell(),
    "product_uris": URIsCell(),
    "return_urls": URIsCell(),
    "alert_emails": AddressesCell(),
}


def write(values: Values) -> Export:
    text = HEADER + _line([_cell(values, name, text) for name, text in _texts(values).items()])
    return Export(values.title, (File(f"{values.stem}.csv", text),), tuple(values.about_secret()))


def together(exports: Sequence[Export]) -> Export:
    """One table of all of them."""
    rows = [file.text.removeprefix(HEADER) for export in exports for file in export.files]
    warnings = tuple(f"{export.title}: {warning}" for export in exports for warning in export.warnings)
    return Export(f"{len(rows)} registrations", (File("registrations.csv", HEADER + "".join(rows)),), warnings)


def _texts(values: Values) -> Mapping[str, str]:
    """What stands in each column, in their order."""
    registration, tenant = values.registration, values.registration.tenant
    ends_at = values.credential.ends_at if values.credential else None
    texts = {
        "tenant": tenant.slug if tenant else "",
        "name": registration.name,
        "cloud": registration.cloud,
        "audience": registration.audience,
        "directory": registration.directory,
        "client_id": registration.client_id,
        "scopes": _listed(values, "scopes", registration.scope_names),
        "product_uris": _listed(values, "product_uris", registration.product_uris),
        "return_urls": _listed(values, "return_urls", registration.return_urls),
        "alert_emails": _listed(values, "alert_emails", registration.alert_emails),
        SECRET: values.secret_or_placeholder,
        ENDS_ON: f"{ends_at.astimezone(UTC):%Y-%m-%d}" if ends_at else "",
    }
    return {name: texts[name] for name in NAMES}


def _listed(values: Values, name: str, items: Sequence[str]) -> str:
    """In one cell, with a space between them, if an import finds the same in it."""
    cell = " ".join(items)
    try:
        is_same = sorted(_READ_BY[name].clean(cell)) == sorted(items)
    except ValueError:
        is_same = False
    if not is_same:
        raise values.cannot(f"A cell cannot hold its {name} so that an import would read the same.", _WAY_OUT)
    return cell


def _cell(values: Values, name: str, text: str) -> str:
    if _CONTROL.search(text.lstrip("\t\r")):  # in front they are marked
        raise values.cannot(f"Its {name} holds a line break or another control character.", _WAY_OUT)
    if not can_be_marked(text):
        raise values.cannot(f"Its {name} holds what a spreadsheet may take for a cell's end and a formula.", _WAY_OUT)
    return marked(text)


def _line(cells: Sequence[str]) -> str:
    stream = StringIO()
    csv.writer(stream).writerow(cells)
    return stream.getvalue()


HEADER = "\ufeff" + _line(NAMES)  # by its first character spreadsheets know UTF-8
_WAY_OUT = "Choose the JSON export, which can be imported as well."

CSV = Dialect(
    key="csv",
    label="CSV",
    purpose="the columns of an import, to edit in a spreadsheet and import again: one table of one or many",
    write=write,
    together=together,
)
