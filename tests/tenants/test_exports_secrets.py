"""The one door through which client secrets leave: who may, why, and what stands in the history before they are out."""

import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection
from django.db.models.signals import pre_save

from staff.models import User
from tenants.exports import DIALECTS, CannotExport, Exported
from tenants.exports.handing_out import NoReason, export_with_secrets
from tenants.models import AppRegistration, Event
from tests.canary import find
from tests.factories import make_operator, make_registration, make_secret, make_superuser
from tests.tenants.exporting import REASON, error_page, exported, fresh, make_exportable, with_secret

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[2]
WITH_SECRET = [key for key, dialect in DIALECTS.items() if dialect.takes_secret]
VIEW = "view_appregistration"


def make_person(app: AppRegistration, *codenames: str) -> User:
    """A staff user who sees this registration and has these permissions alone."""
    assert app.tenant
    person = make_operator(tenants=(app.tenant,))
    person.groups.clear()
    person.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return User.objects.get(pk=person.pk)


def take(by: User, *apps: AppRegistration, key: str = "cypht", reason: str = REASON, address: str = "") -> Exported:
    return export_with_secrets(apps, DIALECTS[key], by=by, reason=reason, address=address)


def secrets_in(found: Exported, *secrets: str) -> list[bool]:
    text = "".join(file.text for file in found.files)
    return [secret in text for secret in secrets]


def test_the_permission_alone_takes_them() -> None:
    secret = make_secret()
    app = make_exportable(secret=secret)
    assert secrets_in(take(make_person(app, VIEW, "export_secrets"), app), secret) == [True]


@pytest.mark.parametrize("codenames", [(VIEW,), (VIEW, "change_appregistration", "change_credential")])
def test_without_the_permission_nothing_leaves(codenames: tuple[str, ...]) -> None:
    app = make_exportable()
    with pytest.raises(PermissionDenied):
        take(make_person(app, *codenames), app)
    assert not Event.objects.exists()


def test_the_permission_reaches_only_what_one_sees() -> None:
    own, foreign = make_exportable(), make_exportable()
    person = make_person(own, VIEW, "export_secrets")
    for apps in ((foreign,), (own, foreign), (make_exportable(shared=True),)):
        with pytest.raises(PermissionDenied):
            take(person, *apps)
    assert not Event.objects.exists()


def test_who_has_left_takes_nothing() -> None:
    app = make_exportable()
    person = make_superuser()
    person.is_active = False
    person.save()
    with pytest.raises(PermissionDenied):
        take(person, app)


@pytest.mark.parametrize("reason", ["", "   ", "\n\t"])
def test_without_a_reason_nothing_leaves(reason: str) -> None:
    app = make_exportable()
    with pytest.raises(NoReason):
        take(make_superuser(), app, reason=reason)
    assert not Event.objects.exists()


@pytest.mark.parametrize("key", WITH_SECRET)
def test_each_registration_has_it_in_its_history(key: str) -> None:
    apps = [make_exportable(), make_exportable(shared=True)]
    person = make_superuser()
    take(person, *apps, key=key, reason=f"  {REASON} ", address="192.0.2.7")
    events = Event.objects.order_by("pk")
    assert [(event.subject_type, event.subject_id, event.tenant) for event in events] == [
        ("tenants.appregistration", str(app.pk), app.tenant) for app in apps
    ]
    for event in events:
        assert (event.verb, event.actor, event.reason, event.address) == (
            "secret exported", person, REASON, "192.0.2.7",
        )  # fmt: skip
        assert event.changes == {"exported as": [None, DIALECTS[key].label]}


def test_an_export_without_secrets_is_no_history() -> None:
    exported(make_exportable(), "cypht")
    assert not Event.objects.exists()


def test_only_what_left_is_recorded() -> None:
    bare, quoted, good = fresh(make_registration()), make_exportable(secret="it's-not-a-secret"), make_exportable()
    found = take(make_superuser(), bare, quoted, good)
    assert [refused.registration for refused in found.refused] == [bare, quoted]
    assert [event.subject_id for event in Event.objects.all()] == [str(good.pk)]


def test_nothing_leaves_that_cannot_be_recorded() -> None:
    first, second = make_exportable(), make_exportable()

    def fail(instance: Event, **kwargs: Any) -> None:
        if instance.subject_id == str(second.pk):
            raise DatabaseError("The disk is full.")

    found: Any = None
    pre_save.connect(fail, sender=Event)
    try:
        with pytest.raises(DatabaseError):
            found = take(make_superuser(), first, second)
    finally:
        pre_save.disconnect(fail, sender=Event)
    assert found is None
    assert not Event.objects.exists()


def test_a_registration_without_a_secret_is_refused() -> None:
    with pytest.raises(CannotExport, match="No client secret is stored.*Paste one on the registration's page"):
        with_secret(make_exportable_without(), "json")


def make_exportable_without() -> AppRegistration:
    app = make_exportable()
    app.credentials.update(slot="next")  # one that waits signs in for nobody yet
    return fresh(app)


def test_an_unreadable_secret_is_a_clear_error_and_stays_as_it_is(restart_with: Any) -> None:
    app = make_exportable()
    stored = "SELECT value FROM tenants_credential"
    with connection.cursor() as cursor:
        before = cursor.execute(stored).fetchall() if connection.vendor == "sqlite" else None
    restart_with(Fernet.generate_key().decode())
    with pytest.raises(CannotExport) as caught:
        with_secret(fresh(app), "cypht")
    assert caught.value.reason == "The stored client secret cannot be read."
    assert "not among FIELD_ENCRYPTION_KEYS. Put that key back" in caught.value.way_out
    assert not Event.objects.exists()
    with connection.cursor() as cursor:
        assert before is None or cursor.execute(stored).fetchall() == before
    assert exported(fresh(app), "cypht").files


@pytest.mark.parametrize("key", WITH_SECRET)
def test_no_table_keeps_what_left(key: str) -> None:
    secret = make_secret()
    assert secrets_in(take(make_superuser(), make_exportable(secret=secret), key=key), secret) == [True]
    sinks = []
    for table in connection.introspection.table_names():
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT * FROM "{table}"')
            sinks.append((table, repr(cursor.fetchall()).encode()))
    assert find({"secret": secret}, sinks) == []


@pytest.mark.parametrize("key", WITH_SECRET)
def test_an_error_on_the_way_tells_nothing(key: str) -> None:
    """The page that Django makes of an error, with every variable of every function on the way."""
    secret = make_secret()
    app = make_exportable(secret=secret)
    shown = error_page(lambda: take(Unsaved(), app, key=key))  # type: ignore[arg-type]
    assert "export_with_secrets" in shown
    assert find({"secret": secret}, [("error page", shown.encode())]) == []


class Unsaved:
    """Somebody who may do everything, and of whom no history can be written."""

    is_active = is_superuser = True
    pk = 999_999

    def has_perm(self, name: str) -> bool:
        return True


@pytest.mark.parametrize("key", ["cypht", "dotenv"])
def test_what_cannot_be_written_is_not_shown_either(key: str) -> None:
    secret = "it's-" + make_secret()
    app = make_exportable(secret=secret)
    shown = error_page(lambda: with_secret(app, key))
    assert "_assignment" in shown
    assert find({"secret": secret}, [("error page", shown.encode())]) == []


def test_there_is_no_other_door() -> None:
    rooms = [ROOT / "tenants" / room for room in ("exports", "admin", "management")]
    found = {
        (str(path.relative_to(ROOT / "tenants")), what)
        for room in rooms
        for path in sorted(room.rglob("*.py"))
        for what in re.findall(r"\breveal\([^)]*\)|\bsecret=True|\bwith_secret=\w+", path.read_text())
    }
    assert found == {
        ("exports/values.py", 'reveal("export")'),
        ("exports/__init__.py", "with_secret=secret"),
        ("exports/handing_out.py", "secret=True"),
    }
