"""A registration's page that was loaded before somebody outside filled in its IDs by a secret drop."""

import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from oauth import secret_drop
from oauth.models import Link
from tenants.models import AppRegistration, Event, Tenant
from tests.factories import make_link, make_operator, make_registration, make_secret, make_tenant
from tests.tenants.test_admin_registration import NEXT_YEAR, as_stored, errors, page_of
from tests.waiting import until_waiting

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant(client) -> Tenant:
    tenant = make_tenant("Contoso")
    client.force_login(make_operator(tenants=(tenant,)))
    return tenant


def as_loaded(client: Any, registration: AppRegistration) -> dict[str, Any]:
    """What the page sends back if nothing is typed into it."""
    hidden = re.findall(r'<input type="hidden" name="(initial-[^"]+)"(?: value="([^"]*)")?', page(client, registration))
    return as_stored(registration, **dict(hidden))


def page(client: Any, registration: AppRegistration) -> str:
    return str(client.get(page_of(registration)).content.decode())


def dropped(registration: AppRegistration) -> dict[str, str]:
    """The IDs, as somebody outside entered them by a link."""
    link, _ = make_link(registration, purpose=Link.Purpose.SECRET)
    ids = {"client_id": str(uuid.uuid4()), "directory": "contoso.example"}
    form = secret_drop.DropForm(link, {**ids, "secret": make_secret(), "ends_on": NEXT_YEAR})
    assert form.is_valid()
    secret_drop.enter(link, form, "127.0.0.1")
    return ids


def test_a_box_that_was_left_alone_undoes_no_secret_drop(client, tenant) -> None:
    draft = make_registration(tenant, client_id="", directory="")
    loaded = as_loaded(client, draft)
    ids = dropped(draft)
    assert client.post(page_of(draft), {**loaded, "alert_emails": "ops@contoso.example"}).status_code == 302
    draft.refresh_from_db()
    assert {name: getattr(draft, name) for name in ids} == ids
    assert draft.alert_emails == ["ops@contoso.example"]
    assert set(Event.objects.get(verb="changed").changes) == {"alert addresses"}


@pytest.mark.parametrize("name", ["client_id", "directory"])
def test_what_was_entered_meanwhile_is_not_overwritten_unseen(client, tenant, name) -> None:
    draft = make_registration(tenant, client_id="", directory="")
    loaded = as_loaded(client, draft)
    ids = dropped(draft)
    typed = {"client_id": str(uuid.uuid4()), "directory": "typed.example"}[name]
    assert "Load the page again" in errors(client, page_of(draft), {**loaded, name: typed})[name][0]
    draft.refresh_from_db()
    assert {name: getattr(draft, name) for name in ids} == ids
    again = as_loaded(client, draft)
    assert client.post(page_of(draft), {**again, name: typed}).status_code == 302
    draft.refresh_from_db()
    assert getattr(draft, name) == typed


def test_an_id_can_be_emptied_by_whoever_sees_it(client, tenant) -> None:
    registration = make_registration(tenant)
    loaded = as_loaded(client, registration)
    assert client.post(page_of(registration), {**loaded, "client_id": ""}).status_code == 302
    registration.refresh_from_db()
    assert registration.client_id == ""


@pytest.mark.row_locks
@pytest.mark.django_db(transaction=True)
def test_a_secret_drop_that_is_just_being_entered_is_waited_for(client, tenant) -> None:
    draft = make_registration(tenant, client_id="", directory="")
    loaded = as_loaded(client, draft)

    def save() -> int:
        try:
            return int(client.post(page_of(draft), loaded).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        ids = dropped(draft)
        saving = pool.submit(save)
        until_waiting(1)
    assert saving.result() == 302
    draft.refresh_from_db()
    assert {name: getattr(draft, name) for name in ids} == ids
