"""An import's worker killed, doubled, overtaken or robbed of its rights: all is written once, or nothing."""

import os
from collections.abc import Callable
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from monitoring.tasks import reconcile
from tenants.imports import work
from tenants.models import AppRegistration, Credential, Event, Import, ImportRow, Tenant, TenantAccess
from tests.factories import make_credential, make_operator, make_registration, make_secret, make_tenant
from tests.leases import lapse
from tests.tenants.uploads import NEXT_YEAR, as_csv, check, checked, counts, errors, page, press, row, upload, write

pytestmark = pytest.mark.django_db

AtPoint = Callable[[str, Callable[[], Any]], None]


class Killed(BaseException):
    pass


@pytest.fixture
def tenant(client) -> Tenant:
    tenant = make_tenant("Contoso", slug="contoso")
    client.force_login(make_operator(tenants=(tenant,)))
    return tenant


@pytest.fixture
def at_point(monkeypatch) -> AtPoint:
    """Do this once where the product says that a test may end it."""

    def plan(name: str, act: Callable[[], Any]) -> None:
        def once(*args: Any) -> None:
            monkeypatch.setattr("tenants.fault_points._AT", "")
            act()

        monkeypatch.setattr("tenants.fault_points._AT", name)
        monkeypatch.setattr(os, "kill", once)

    return plan


def die() -> None:
    raise Killed


def many(number: int) -> list[dict[str, Any]]:
    return [row(name=f"App {n:03}", client_secret=make_secret(), secret_ends_on=NEXT_YEAR) for n in range(number)]


def turn(taken: Import) -> Import:
    """A worker's turn, once the last one's lease has ended."""
    lapse(Import)
    work.carry_on(taken.pk)
    taken.refresh_from_db()
    return taken


# Killed, lost, doubled


@pytest.mark.parametrize("point", ["import.claimed", "import.checked_some"])
def test_a_check_that_was_killed_goes_on(client, tenant, at_point, monkeypatch, point) -> None:
    monkeypatch.setattr(work, "AT_ONCE", 2)
    taken = upload(client, as_csv(*many(5)))
    at_point(point, die)
    with pytest.raises(Killed):
        work.carry_on(taken.pk)
    taken.refresh_from_db()
    assert (taken.state, taken.seen) == (Import.State.CHECKING, 2 if point == "import.checked_some" else 0)
    assert turn(taken).state == Import.State.CHECKED
    assert counts(taken) == {"new": 5}


@pytest.mark.parametrize("point", ["import.claimed", "import.wrote_some", "import.wrote_all"])
def test_a_write_that_was_killed_wrote_nothing_and_is_done_again(client, tenant, at_point, point) -> None:
    taken = check(client, *many(3))
    press(client, taken)
    at_point(point, die)
    with pytest.raises(Killed):
        work.carry_on(taken.pk)
    assert not AppRegistration.objects.exists()
    assert not Credential.objects.exists()
    assert not Event.objects.exists()
    assert turn(taken).state == Import.State.DONE
    assert AppRegistration.objects.count() == Credential.objects.count() == Event.objects.count() == 3


def test_progress_is_seen_while_it_is_checked(client, tenant, at_point, monkeypatch) -> None:
    monkeypatch.setattr(work, "AT_ONCE", 2)
    taken = upload(client, as_csv(*many(5)))
    seen = []
    at_point("import.checked_some", lambda: seen.append(page(client, taken)))
    work.carry_on(taken.pk)
    assert "2 of 5 rows checked" in seen[0]


def test_a_second_worker_leaves_it_alone(client, tenant, at_point) -> None:
    taken = upload(client, as_csv(*many(3)))
    at_point("import.checked_some", lambda: work.carry_on(taken.pk))
    work.carry_on(taken.pk)
    work.carry_on(taken.pk)
    assert counts(taken) == {"new": 3}
    press(client, taken)
    press(client, taken)
    work.carry_on(taken.pk)
    work.carry_on(taken.pk)
    assert AppRegistration.objects.count() == 3
    assert Credential.objects.count() == 3


@pytest.mark.parametrize("point", ["import.claimed", "import.checked_some"])
def test_a_worker_that_was_too_slow_saves_nothing(client, tenant, at_point, monkeypatch, point) -> None:
    monkeypatch.setattr(work, "AT_ONCE", 2)
    taken = upload(client, as_csv(*many(5)))

    def another_does_it_all() -> None:
        turn(taken)
        write(client, taken)

    at_point(point, another_does_it_all)
    work.carry_on(taken.pk)
    taken.refresh_from_db()
    assert taken.state == Import.State.DONE
    assert AppRegistration.objects.count() == Event.objects.count() == 5


def test_a_writer_that_was_too_slow_writes_nothing(client, tenant, at_point) -> None:
    taken = check(client, *many(3))
    press(client, taken)
    at_point("import.claimed", lambda: turn(taken))
    work.carry_on(taken.pk)
    assert AppRegistration.objects.count() == Event.objects.count() == 3


def test_a_writer_that_was_too_slow_does_not_write_what_was_not_asked_for(client, tenant, at_point) -> None:
    stored = make_registration(tenant, name="Old")
    taken = check(client, row(name="New", client_id=stored.client_id))
    press(client, taken)

    def another_finds_it_overtaken() -> None:
        AppRegistration.objects.update(alert_emails=["meanwhile@example.com"])
        assert turn(taken).state == Import.State.CHECKED

    at_point("import.claimed", another_finds_it_overtaken)
    work.carry_on(taken.pk)
    assert AppRegistration.objects.get().name == "Old"


def test_what_kills_every_worker_is_given_up_and_shredded(client, tenant, at_point) -> None:
    taken = upload(client, as_csv(*many(1)))
    for _ in range(Import.MOST_TRIES):
        lapse(Import)
        at_point("import.claimed", die)
        with pytest.raises(Killed):
            work.carry_on(taken.pk)
    assert turn(taken).state == Import.State.FAILED
    assert "Upload it again" in page(client, taken)
    assert not ImportRow.objects.exists()


def test_beat_rings_for_what_was_lost(client, tenant, rung, django_capture_on_commit_callbacks) -> None:
    def rings() -> list[Any]:
        del rung[:]
        with django_capture_on_commit_callbacks(execute=True):
            reconcile()
        return [args for name, args in rung if name == "tenants.tasks.work_on_import"]

    taken = upload(client, as_csv(*many(1)))
    assert rings() == [(taken.pk,)]
    assert Import.objects.claim(taken.pk) is not None
    assert rings() == []
    lapse(Import)
    assert rings() == [(taken.pk,)]
    turn(taken)
    assert rings() == []
    press(client, taken)
    assert rings() == [(taken.pk,)]
    Import.objects.update(created_at=timezone.now() - Import.KEPT)
    assert rings() == []
    assert not ImportRow.objects.exists()


def test_what_is_held_by_a_worker_is_not_abandoned(client, tenant) -> None:
    taken = check(client, *many(1))
    press(client, taken)
    Import.objects.update(created_at=timezone.now() - Import.KEPT)
    assert Import.objects.claim(taken.pk) is not None
    Import.objects.end_abandoned()
    assert ImportRow.objects.exists()


# Cancelled


def test_a_check_that_is_cancelled_stops(client, tenant, at_point, monkeypatch) -> None:
    monkeypatch.setattr(work, "AT_ONCE", 2)
    taken = upload(client, as_csv(*many(5)))
    at_point("import.checked_some", lambda: press(client, taken, "cancel"))
    work.carry_on(taken.pk)
    taken.refresh_from_db()
    assert (taken.state, taken.seen) == (Import.State.CANCELLED, 2)
    assert not ImportRow.objects.exists()


def test_what_is_being_written_is_not_cancelled_and_what_was_cancelled_not_written(client, tenant) -> None:
    taken = check(client, *many(1))
    press(client, taken)
    assert "too late to cancel" in press(client, taken, "cancel").content.decode()
    other = check(client, *many(1))
    press(client, other, "cancel")
    assert "cannot be imported now" in press(client, other).content.decode()
    assert write(client, other).state == Import.State.CANCELLED
    assert not AppRegistration.objects.exists()


# Overtaken between the preview and the button


def changed_meanwhile(client: Any, taken: Import) -> str:
    """What the page says of an import that was not written after all."""
    before = AppRegistration.objects.count()
    write(client, taken)
    assert taken.state == Import.State.CHECKED
    assert AppRegistration.objects.count() == before
    assert not Event.objects.filter(reason=f"import {taken.pk}").exists()
    assert "Nothing was imported" in taken.note
    assert taken.note in page(client, taken)
    return taken.note


@pytest.mark.parametrize(
    "change",
    [
        lambda stored: AppRegistration.objects.update(name="Meanwhile"),
        lambda stored: AppRegistration.objects.update(alert_emails=["meanwhile@example.com"]),
        lambda stored: stored.scope_selections.all().delete(),
        lambda stored: stored.redirect_uris.create(use="return", uri="https://meanwhile.example/"),
        lambda stored: make_credential(stored),
        lambda stored: Credential.objects.update(ends_at=timezone.now()),
    ],
    ids=["its name", "its alerts", "its scopes", "its addresses", "its secret", "its secret's end"],
)
def test_what_was_changed_meanwhile_is_shown_anew(client, tenant, change) -> None:
    stored = make_registration(tenant, name="Old")
    make_credential(stored)
    taken = check(client, row(name="New", client_id=stored.client_id), row())
    change(stored)
    assert "row 2." in changed_meanwhile(client, taken)
    assert write(client, taken).state == Import.State.DONE
    assert AppRegistration.objects.get(pk=stored.pk).name == "New"


def test_what_was_registered_meanwhile_is_met_then(client, tenant) -> None:
    given = row()
    taken = check(client, given)
    make_registration(tenant, client_id=given["client_id"])
    assert "row 2." in changed_meanwhile(client, taken)
    assert counts(taken) == {"changed": 1}


def test_what_another_tenant_registered_meanwhile_is_in_use(client, tenant) -> None:
    given = row(client_secret=make_secret(), secret_ends_on=NEXT_YEAR)
    taken = check(client, given)
    make_registration(client_id=given["client_id"])
    assert "row 2." in changed_meanwhile(client, taken)
    assert [words for _, _, words in errors(taken)] == ["This application (client) ID is already in use in this cloud."]
    assert not taken.rows.filter(secret__isnull=False).exists()


def test_a_name_that_was_taken_meanwhile_is_told(client, tenant) -> None:
    given = row(name="Taken")
    taken = check(client, row(), given)
    make_registration(tenant, name="Taken")
    assert "clashes" in changed_meanwhile(client, taken)
    assert errors(taken) == [[3, "name", "This tenant already has a registration of this name."]]


def test_a_tenant_that_was_suspended_or_archived_meanwhile_gets_nothing(client, tenant) -> None:
    for change in ({"suspended_at": timezone.now()}, {"archived_at": timezone.now()}):
        taken = check(client, row())
        Tenant.objects.update(**change)
        changed_meanwhile(client, taken)
        assert counts(taken) == {"wrong": 1}
        Tenant.objects.update(suspended_at=None, archived_at=None)


def test_a_tenant_that_is_called_otherwise_meanwhile_is_not_meant(client, tenant) -> None:
    other = make_tenant("Fabrikam", slug="fabrikam")
    client.force_login(make_operator(tenants=(tenant, other)))
    taken = check(client, row(tenant="contoso"))
    Tenant.objects.filter(pk=tenant.pk).update(slug="old", name="Old")
    Tenant.objects.filter(pk=other.pk).update(slug="contoso")
    changed_meanwhile(client, taken)
    assert taken.rows.get().plan["tenant"] == other.pk


def test_an_archived_registration_is_not_changed(client, tenant) -> None:
    stored = make_registration(tenant)
    taken = check(client, {"client_id": stored.client_id, "name": "New"})
    AppRegistration.objects.update(archived_at=timezone.now())
    changed_meanwhile(client, taken)
    assert counts(taken) == {"wrong": 1}


def test_a_day_that_has_come_meanwhile_is_told(client, tenant, time_machine) -> None:
    tomorrow = (timezone.now() + timedelta(days=1)).date().isoformat()
    taken = check(client, row(client_secret=make_secret(), secret_ends_on=tomorrow))
    press(client, taken)
    time_machine.move_to(timezone.now() + timedelta(days=1), tick=False)
    work.carry_on(taken.pk)
    assert counts(taken) == {"wrong": 1}
    assert not AppRegistration.objects.exists()


def test_a_cloud_that_is_gone_meanwhile_is_told(client, tenant, settings) -> None:
    settings.EXTRA_CLOUDS = [{"key": "fr", "name": "France", "login_host": "login.example", "graph_host": "g.example"}]
    taken = check(client, row(cloud="fr"))
    settings.EXTRA_CLOUDS = []
    changed_meanwhile(client, taken)
    assert errors(taken)[0][1] == "cloud"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["tenant", "registration"])
def test_what_is_archived_while_it_is_written_holds_no_secret(client, tenant, at_point, what) -> None:
    stored = make_registration(tenant, name="Old")
    secret = {"client_secret": make_secret(), "secret_ends_on": NEXT_YEAR}
    taken = check(client, row(client_id=stored.client_id, **secret), row(**secret))
    press(client, taken)
    one = tenant if what == "tenant" else stored
    address = reverse(f"admin:tenants_{one._meta.model_name}_act", args=[one.pk, "archive"])
    other = Client()
    other.force_login(taken.created_by)

    def archive() -> None:
        try:
            assert other.post(address, {"confirmed": "yes"}).status_code == 302
        finally:
            connection.close()

    archiving = Thread(target=archive)

    def begin() -> None:
        archiving.start()
        archiving.join(1)  # it may wait until all is written

    at_point("import.wrote_some", begin)
    work.carry_on(taken.pk)
    archiving.join(20)
    one.refresh_from_db()
    assert one.archived_at
    over = (
        AppRegistration.objects.filter(tenant=tenant) if what == "tenant" else AppRegistration.objects.filter(pk=one.pk)
    )
    assert not Credential.objects.filter(registration__in=over, value__isnull=False).exists()
    assert what == "registration" or not over.filter(archived_at=None).exists()


# Robbed of their rights


def test_who_no_longer_sees_the_tenant_imports_nothing(client, tenant) -> None:
    stored = make_registration(tenant, name="Old")
    taken = check(client, row(name="New", client_id=stored.client_id), row())
    TenantAccess.objects.all().delete()
    changed_meanwhile(client, taken)
    assert counts(taken) == {"wrong": 2}
    assert "Unknown tenant" in errors(taken)[0][2]
    assert AppRegistration.objects.get().name == "Old"


def test_who_no_longer_sees_the_platform_changes_nothing_shared(client) -> None:
    operator = make_operator(platform=True)
    client.force_login(operator)
    stored = make_registration(shared=True)
    new = check(client, row(tenant="", audience="multi"))
    change = check(client, row(tenant="", audience="multi", client_id=stored.client_id))
    operator.user_permissions.clear()
    for taken in (new, change):
        changed_meanwhile(client, taken)
        assert counts(taken) == {"wrong": 1}


def test_who_may_no_longer_change_changes_nothing(client, tenant) -> None:
    stored = make_registration(tenant)
    taken = check(client, row(name="New", client_id=stored.client_id))
    add = Permission.objects.get(codename="add_appregistration")
    taken.created_by.groups.get().permissions.set([add])
    changed_meanwhile(client, taken)
    assert counts(taken) == {"wrong": 1}


@pytest.mark.parametrize("state", ["being checked", "being written"])
@pytest.mark.parametrize("loss", ["the permission", "the account"])
def test_who_may_no_longer_import_imports_nothing(client, tenant, state, loss) -> None:
    taken = upload(client, as_csv(*many(1)))
    if state == "being written":
        press(client, checked(taken))
    if loss == "the permission":
        taken.created_by.groups.clear()
    else:
        type(taken.created_by).objects.filter(pk=taken.created_by.pk).update(is_active=False)
    assert turn(taken).state == Import.State.FAILED
    assert not AppRegistration.objects.exists()
    assert not ImportRow.objects.exists()
