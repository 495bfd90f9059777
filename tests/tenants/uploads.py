"""Files as an operator uploads them, and a worker's turns with them."""

import csv
import json
import uuid
from datetime import date, timedelta
from io import StringIO
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from tenants.imports import work
from tenants.models import Import, ImportRow

UPLOAD = reverse("admin:tenants_import_upload")
NEXT_YEAR = (date.today() + timedelta(days=300)).isoformat()


def row(**cells: Any) -> dict[str, Any]:
    """A row that is right, for the tenant called Contoso."""
    defaults = {"tenant": "Contoso", "name": f"App {uuid.uuid4().hex[:8]}", "directory": "contoso.example"}
    return {**defaults, "client_id": str(uuid.uuid4()), "scopes": "Mail.ReadOnly", **cells}


def as_csv(*rows: dict[str, Any], separator: str = ",") -> str:
    stream = StringIO()
    writer = csv.DictWriter(stream, list(dict.fromkeys(name for row in rows for name in row)), delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def as_json(*rows: dict[str, Any]) -> str:
    return json.dumps(rows)


def post(client: Any, text: str | bytes, name: str = "apps.csv", **fields: Any) -> Any:
    content = text.encode() if isinstance(text, str) else text
    return client.post(UPLOAD, {"file": SimpleUploadedFile(name, content), "cloud": "global", **fields})


def refusal(client: Any, text: str | bytes, name: str = "apps.csv", **fields: Any) -> str:
    """What the page says of a file that cannot be read; nothing of it is kept then."""
    response = post(client, text, name, **fields)
    assert response.status_code == 200, "it was taken"
    assert not Import.objects.exists()
    assert not ImportRow.objects.exists()
    return " ".join(words for errors in response.context["errors"].values() for words in errors)


def upload(client: Any, text: str | bytes, name: str = "apps.csv", **fields: Any) -> Import:
    """Taken, and not checked yet."""
    response = post(client, text, name, **fields)
    assert response.status_code == 302, response.context["errors"]
    return Import.objects.latest("pk")


def check(client: Any, *rows: dict[str, Any], **fields: Any) -> Import:
    """Uploaded as CSV and checked."""
    return checked(upload(client, as_csv(*rows), **fields))


def checked(taken: Import) -> Import:
    work.carry_on(taken.pk)
    taken.refresh_from_db()
    assert taken.state == Import.State.CHECKED
    return taken


def press(client: Any, taken: Import, button: str = "start") -> Any:
    return client.post(reverse(f"admin:tenants_import_{button}", args=[taken.pk]), follow=True)


def write(client: Any, taken: Import) -> Import:
    """The button pressed, and a worker's turn."""
    press(client, taken)
    work.carry_on(taken.pk)
    taken.refresh_from_db()
    return taken


def page(client: Any, taken: Import, **query: Any) -> str:
    address = reverse("admin:tenants_import_change", args=[taken.pk], query=query or None)
    content: bytes = client.get(address).content
    return content.decode()


def errors(taken: Import) -> list[list[Any]]:
    """[row, column, sentence] of all that is wrong."""
    found = taken.rows.filter(outcome="wrong").order_by("number")
    return [[row.number, column, words] for row in found for column, words in row.errors]


def counts(taken: Import) -> dict[str, int]:
    taken.refresh_from_db()
    return {name: n for name in ("new", "changed", "unchanged", "wrong") if (n := getattr(taken, name))}
