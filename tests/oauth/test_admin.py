"""Consent links are shown once, connections only ever looked at."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from monitoring.models import Sweep
from oauth.models import Link
from tenants.models import AppRegistration, Event, Tenant
from tests.canary import find
from tests.factories import (
    make_connection,
    make_credential,
    make_link,
    make_operator,
    make_registration,
    make_superuser,
    make_tenant,
)
from tests.world import make_attempt, make_finding

pytestmark = pytest.mark.django_db

ADD = reverse("admin:oauth_link_add")
LIST = reverse("admin:oauth_link_changelist")


@pytest.fixture
def registration(client) -> AppRegistration:
    tenant = make_tenant("Contoso")
    client.force_login(make_operator(tenants=(tenant,)))
    registration = make_registration(tenant, name="Contoso Mail")
    make_credential(registration)
    return registration


def filled(registration: AppRegistration, /, **fields: Any) -> dict[str, Any]:
    return {"registration": registration.pk, "max_uses": 1, "days": 14, **fields}


def errors(client: Any, data: dict[str, Any]) -> dict[str, list[str]]:
    response = client.post(ADD, data)
    assert not Link.objects.exists()
    return response.context["adminform"].form.errors  # type: ignore[no-any-return]


def page_of(row: Any) -> str:
    return reverse(f"admin:oauth_{row._meta.model_name}_change", args=[row.pk])


def test_a_link_is_shown_once_and_kept_nowhere(client, registration) -> None:
    response = client.post(ADD, filled(registration, max_uses=5, days=7))
    link = Link.objects.get()
    (token,) = re.findall(r"http://testserver/c/([^/<]+)/", response.content.decode())
    assert Link.objects.for_token(token) == link
    assert (link.max_uses, link.tenant, link.created_by) == (5, registration.tenant, response.context["user"])
    assert timedelta(days=6, hours=23) < link.expires_at - timezone.now() < timedelta(days=7)
    later = [(address, client.get(address).content) for address in (LIST, page_of(link), reverse("admin:index"))]
    later += [("history", str(list(Event.objects.values())).encode()), ("cookies", str(client.cookies).encode())]
    later += [("session", str(dict(client.session)).encode())]
    assert find({"token": token}, later) == []


def test_the_page_with_the_link_is_kept_by_no_browser_and_says_what_to_do(client, registration) -> None:
    response = client.post(ADD, filled(registration))
    assert "no-store" in response.headers["Cache-Control"]
    assert response.headers["Referrer-Policy"] == "no-referrer"
    page = response.content.decode()
    for words in ("It is shown only now", "Send it to the person at Contoso", "good for 1 consent, until"):
        assert words in page


def test_making_a_link_is_history(client, registration) -> None:
    client.post(ADD, filled(registration))
    event = Event.objects.get()
    assert (event.verb, event.tenant, event.subject_type) == ("added", registration.tenant, "oauth.link")


def test_the_button_on_the_registration_proposes_it(client, registration) -> None:
    page = client.get(reverse("admin:tenants_appregistration_change", args=[registration.pk])).content.decode()
    address = f"{ADD}?registration={registration.pk}"
    assert address in page
    assert "Contoso Mail" in client.get(address).content.decode()


def test_a_registration_without_a_secret_gets_no_link(client, registration) -> None:
    registration.credentials.all().delete()
    assert "has no client secret yet" in errors(client, filled(registration))["registration"][0]


def test_a_registration_whose_secret_has_ended_gets_no_link(client, registration) -> None:
    make_credential(registration, days_left=-1)
    assert "has ended" in errors(client, filled(registration))["registration"][0]


def test_a_registration_without_scopes_gets_no_link(client, registration) -> None:
    registration.scope_selections.all().delete()
    assert "asks for nothing yet" in errors(client, filled(registration))["registration"][0]


def test_a_suspended_tenant_gets_no_link(client, registration) -> None:
    Tenant.objects.update(suspended_at=timezone.now())
    assert "Contoso is suspended" in errors(client, filled(registration))["registration"][0]


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"registration": ""}, "registration", "Choose the registration"),
        ({"max_uses": 0}, "max_uses", "for one consent at least"),
        ({"max_uses": 10**9}, "max_uses", "less than or equal to 100000"),
        ({"max_uses": "many"}, "max_uses", "Enter a whole number"),
        ({"days": 1000}, "days", "Select a valid choice"),
    ],
)
def test_each_field_says_what_is_wrong_with_it(client, registration, fields, field, words) -> None:
    assert words in errors(client, filled(registration, **fields))[field][0]


def test_a_link_of_a_shared_registration_names_its_tenant(client) -> None:
    shared, tenant = make_registration(shared=True, name="For all"), make_tenant("Contoso")
    make_credential(shared)
    client.force_login(make_superuser())
    assert "“For all” is shared by many: choose the tenant" in errors(client, filled(shared))["tenant"][0]
    client.post(ADD, filled(shared, tenant=tenant.pk))
    assert Link.objects.get().tenant == tenant


def test_a_link_goes_to_no_other_tenant_than_its_registration_s(client, registration) -> None:
    make_registration(shared=True)
    client.force_login(make_superuser())
    found = errors(client, filled(registration, tenant=make_tenant().pk))
    assert "“Contoso Mail” belongs to Contoso" in found["tenant"][0]


def test_who_sees_no_shared_registration_is_not_asked_for_a_tenant(client, registration) -> None:
    make_registration(shared=True)
    assert 'name="tenant"' not in client.get(ADD).content.decode()


def test_a_link_is_revoked_after_a_question(client, registration) -> None:
    link, token = make_link(registration)
    button = reverse("admin:oauth_link_act", args=[link.pk, "revoke"])
    question = client.post(button).content.decode()
    assert "does not work" in question
    assert re.search(f'<a href="{page_of(link)}"[^>]*>Cancel</a>', question)
    assert Link.objects.for_token(token) == link
    client.post(button, {"confirmed": "yes"})
    assert Link.objects.for_token(token) is None
    assert Event.objects.get(verb="revoked").subject_id == str(link.pk)
    assert ">Revoke<" not in client.get(page_of(link)).content.decode()


def test_a_link_s_page_tells_what_came_of_each_attempt(client, registration) -> None:
    link, _ = make_link(registration, opens=2)
    connection = make_connection(registration, address="anna@contoso.example")
    make_attempt(link, connection, outcome="connected")
    make_attempt(link, outcome="declined", fault_kind="user_declined", codes=[65004], trace_id="trace-1")
    make_attempt(link, outcome="rejected", fault_kind="other_tenant")
    make_attempt(link, created_at=timezone.now() - timedelta(minutes=31))
    page = client.get(page_of(link)).content.decode()
    for words in (
        "anna@contoso.example",
        "AADSTS65004",
        "trace-1",
        "already connected for another tenant",
        "no answer",
    ):
        assert words in page


def test_a_link_nobody_opened_says_so(client, registration) -> None:
    link, _ = make_link(registration)
    assert "Nobody has opened this link yet." in client.get(page_of(link)).content.decode()


@pytest.mark.parametrize(("chosen", "listed"), [("", 3), ("open", 1), ("over", 2), ("nonsense", 3)])
def test_links_are_filtered_by_standing(client, registration, chosen, listed) -> None:
    make_link(registration)
    make_link(registration, revoked_at=timezone.now())
    make_link(registration, uses=1)
    assert len(client.get(LIST, {"status": chosen}).context["cl"].result_list) == listed


def test_a_connection_shows_its_grant_and_never_its_token(client, registration) -> None:
    token = "not-a-real-token-" + "k" * 40
    connection = make_connection(
        registration,
        refresh_token=token,
        scopes_asked=["Mail.Read", "Mail.Send"],
        token_status="dead",
        blocked="conditional_access",
    )
    page = client.get(page_of(connection))
    assert find({"token": token}, [("page", page.content)]) == []
    for words in ("dead, blocked", "conditional access", "Mail.Send", str(connection.oid), str(connection.pk)):
        assert words in page.content.decode()
    assert "sealed" not in page.content.decode()


def test_a_connection_cannot_be_changed(client, registration) -> None:
    connection = make_connection(registration)
    assert client.post(page_of(connection), {"address": "x@example.com"}).status_code == 403
    assert client.get(reverse("admin:oauth_connection_add")).status_code == 403


@pytest.mark.parametrize(
    ("chosen", "addresses"),
    [
        ("", {"active", "dead", "blocked"}),
        ("active", {"active"}),
        ("dead", {"dead"}),
        ("blocked", {"blocked"}),
        ("disconnected", {"gone"}),
        ("all", {"active", "dead", "blocked", "gone"}),
    ],
)
def test_connections_are_filtered_by_standing(client, registration, chosen, addresses) -> None:
    make_connection(registration, address="active")
    make_connection(registration, address="dead", token_status="dead")
    make_connection(registration, address="blocked", blocked="disabled")
    make_connection(registration, address="gone", disconnected_at=timezone.now())
    response = client.get(reverse("admin:oauth_connection_changelist"), {"status": chosen})
    assert {row.address for row in response.context["cl"].result_list} == addresses


def test_many_connections_are_checked_from_the_list(client, registration) -> None:
    connections = [make_connection(registration) for _ in range(2)]
    gone = make_connection(registration, disconnected_at=timezone.now())
    chosen = {"action": "check_now", "_selected_action": [row.pk for row in [*connections, gone]]}
    response = client.post(reverse("admin:oauth_connection_changelist") + "?status=all", chosen, follow=True)
    assert {sweep.scope for sweep in Sweep.objects.all()} == {f"connection:{row.pk}" for row in connections}
    assert f"“{gone}” is not checked" in response.content.decode()
    assert Event.objects.filter(verb="check asked for").count() == 2


def test_disconnecting_shreds_the_token_and_closes_the_findings(client, registration) -> None:
    connection = make_connection(registration)
    finding, *_ = make_finding(tenant=connection.tenant, connection=connection)
    address = f"{page_of(connection).removesuffix('change/')}do/disconnect/"
    assert "Disconnect" in client.get(page_of(connection)).content.decode()
    client.post(address)
    connection.refresh_from_db()
    assert connection.disconnected_at is None, "it is asked first"
    client.post(address, {"confirmed": "yes"})
    connection.refresh_from_db()
    finding.refresh_from_db()
    assert connection.disconnected_at
    assert connection.refresh_token is None
    assert finding.resolved_at
    assert Event.objects.filter(verb="disconnected", subject_id=str(connection.pk)).exists()


def test_a_connection_leads_to_a_link_to_reconnect_it(client, registration) -> None:
    connection = make_connection(registration)
    address = f"/admin/oauth/connection/{connection.pk}/reconnect/"
    assert f'href="{address}"' in client.get(page_of(connection)).content.decode()


@pytest.mark.parametrize("kind", ["link", "consentattempt", "admingrant", "mail", "connection"])
def test_an_empty_list_says_what_will_be_there(client, kind: str) -> None:
    client.force_login(make_operator())
    page = client.get(reverse(f"admin:oauth_{kind}_changelist")).content.decode()
    assert re.search(r'class="when-empty">(No|Nobody) ', page)


def test_a_list_whose_filters_hide_everything_does_not_say_that_there_is_nothing(client) -> None:
    client.force_login(make_superuser())
    make_connection(make_registration(), disconnected_at=timezone.now())
    page = client.get(reverse("admin:oauth_connection_changelist")).content.decode()
    assert 'class="when-empty">Nothing matches' in page
