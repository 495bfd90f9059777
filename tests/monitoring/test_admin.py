"""Checks, findings and alerts as the admin shows them."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from monitoring.models import Alert, Delivery, DeliveryAlert, Finding, Sweep
from tenants.models import AppRegistration, Tenant
from tests.factories import (
    make_connection,
    make_credential,
    make_operator,
    make_registration,
    make_superuser,
    make_tenant,
)
from tests.world import make_finding

pytestmark = pytest.mark.django_db

SWEEPS = reverse("admin:monitoring_sweep_changelist")
FINDINGS = reverse("admin:monitoring_finding_changelist")
EVERYTHING = reverse("admin:monitoring_sweep_check_everything")
INDEX = reverse("admin:index")


@pytest.fixture
def registration(client) -> AppRegistration:
    tenant = make_tenant("Contoso")
    client.force_login(make_operator(tenants=(tenant,)))
    return make_registration(tenant, name="Contoso Mail")


def page_of(row: Any) -> str:
    return reverse(f"admin:monitoring_{row._meta.model_name}_change", args=[row.pk])


def finding_of(**fields: Any) -> Any:
    return make_finding(**fields)[0]


# Checks


def test_everything_is_checked_by_who_sees_the_platform(client, registration) -> None:
    client.force_login(make_operator(platform=True))
    assert "Check everything now" in client.get(SWEEPS).content.decode()
    response = client.post(EVERYTHING, follow=True)
    assert Sweep.objects.get().scope == Sweep.ALL
    assert response.redirect_chain[-1][0] == page_of(Sweep.objects.get())


def test_nobody_else_checks_everything(client, registration) -> None:
    assert "Check everything now" not in client.get(SWEEPS).content.decode()
    assert client.post(EVERYTHING).status_code == 403
    assert not Sweep.objects.exists()


def test_a_link_cannot_start_a_check(client) -> None:
    client.force_login(make_superuser())
    assert client.get(EVERYTHING).status_code == 405


def test_asking_twice_joins_the_check_that_runs(client, registration) -> None:
    button = reverse("admin:tenants_appregistration_act", args=[registration.pk, "check_now"])
    client.post(button)
    client.post(button)
    assert Sweep.objects.count() == 1


def test_a_running_check_refreshes_itself_and_shows_how_far_it_is(client, registration) -> None:
    sweep = Sweep.objects.create(kind="manual", tenant=registration.tenant, planned=8, done=3)
    response = client.get(page_of(sweep))
    assert response.headers["Refresh"] == "2"
    assert '<progress value="3" max="8"' in response.content.decode()
    assert "3 of 8, running" in response.content.decode()
    assert client.get(SWEEPS).headers["Refresh"] == "2"
    Sweep.objects.update(finished_at=timezone.now())
    assert "Refresh" not in client.get(page_of(sweep)).headers
    assert "Refresh" not in client.get(SWEEPS).headers


def test_an_empty_check_has_a_bar_too(client, registration) -> None:
    sweep = Sweep.objects.create(kind="manual", tenant=registration.tenant, planned=0)
    assert '<progress value="0" max="1"' in client.get(page_of(sweep)).content.decode()


def test_a_finished_check_tells_what_it_found_and_what_is_mended(client, registration) -> None:
    began = timezone.now() - timedelta(hours=1)
    finding_of(tenant=registration.tenant, registration=registration, what="Before.", last_seen_at=began - timedelta(1))
    finding_of(tenant=registration.tenant, credential=make_credential(registration), what="Seen.")
    mended = finding_of(tenant=registration.tenant, connection=make_connection(registration), what="Mended.")
    Finding.objects.filter(pk=mended.pk).update(resolved_at=timezone.now())
    elsewhere = make_registration(registration.tenant)
    finding_of(tenant=registration.tenant, registration=elsewhere, what="Elsewhere.")
    sweep = Sweep.objects.create(
        kind="manual", scope=f"registration:{registration.pk}", tenant=registration.tenant, started_at=began
    )
    Sweep.objects.update(finished_at=timezone.now() + timedelta(minutes=1))
    page = client.get(page_of(sweep)).content.decode()
    assert "Seen." in page
    assert "Mended." in page
    assert "Before." not in page
    assert "Elsewhere." not in page


def test_a_check_that_found_nothing_says_so(client, registration) -> None:
    sweep = Sweep.objects.create(kind="manual", tenant=registration.tenant, planned=2, finished_at=timezone.now())
    assert "Nothing is wrong." in client.get(page_of(sweep)).content.decode()


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"planned": 2, "done": 1, "failed": 1}, "Nothing else is known: 1 could not be checked."),
        ({"planned": 2, "done": 1, "set_aside": 1}, "Nothing else is known: 1 could not be checked."),
        ({}, "There was nothing to check."),
    ],
)
def test_a_check_that_could_not_look_does_not_call_it_well(client, registration, counts, words) -> None:
    sweep = Sweep.objects.create(kind="manual", tenant=registration.tenant, finished_at=timezone.now(), **counts)
    page = client.get(page_of(sweep)).content.decode()
    assert words in page
    assert "Nothing is wrong." not in page


def test_a_check_still_shows_what_it_found_when_that_is_mended(client, registration) -> None:
    sweep = Sweep.objects.create(kind="manual", tenant=registration.tenant, scope=f"registration:{registration.pk}")
    finding_of(tenant=registration.tenant, registration=registration, what="The secret is wrong.")
    Sweep.objects.update(finished_at=timezone.now(), planned=1, done=1)
    Finding.objects.update(resolved_at=timezone.now() + timedelta(minutes=5))
    page = client.get(page_of(sweep)).content.decode()
    assert "The secret is wrong." in page
    assert "resolved" in page


# Findings


def test_open_findings_come_first_and_the_rest_on_request(client, registration) -> None:
    still = finding_of(tenant=registration.tenant, registration=registration)
    over = finding_of(tenant=registration.tenant, credential=make_credential(registration), resolved_at=timezone.now())
    listed = {
        status: {row.pk for row in client.get(FINDINGS, {"status": status}).context["cl"].result_list}
        for status in ("", "resolved", "all")
    }
    assert listed == {"": {still.pk}, "resolved": {over.pk}, "all": {still.pk, over.pk}}


def test_a_finding_s_page_says_what_who_since_when_and_what_microsoft_said(client, registration) -> None:
    evidence = {"error": "invalid_client", "codes": [7000222], "trace_id": "trace-1", "correlation_id": "corr-1"}
    finding, _, _, delivery = make_finding(
        tenant=registration.tenant,
        credential=make_credential(registration),
        what="The client secret has ended.",
        remedy="Create a new one.",
        evidence=evidence,
    )
    tries = [{"at": "2026-01-01T10:00:00+00:00", "problem": "SMTPServerDisconnected"}]
    Delivery.objects.filter(pk=delivery.pk).update(tries=tries)
    page = client.get(page_of(finding)).content.decode()
    for words in (
        "The client secret has ended.",
        "Create a new one.",
        "Contoso Mail",
        "invalid_client",
        "7000222",
        "trace-1",
        "corr-1",
        "ops@example.com",
        "SMTPServerDisconnected",
        ">Check now<",
    ):
        assert words in page


@pytest.mark.parametrize(
    ("actor", "words"),
    [
        ("operator", "nobody else"),
        ("tenant_admin", "the tenant&#x27;s Microsoft 365 administrator"),
        ("nobody", "nobody else"),
    ],
)
def test_a_finding_s_page_tells_what_one_does_from_who_must_act_then(client, registration, actor, words) -> None:
    finding, *_ = make_finding(tenant=registration.tenant, registration=registration, actor=actor, remedy="Ask them.")
    page = client.get(page_of(finding)).content.decode()
    assert "Ask them." in page
    assert words in page[page.index("It is then up to") :]


@pytest.mark.parametrize("subject", ["registration", "credential", "connection"])
def test_checking_a_finding_checks_its_subject(client, registration, subject) -> None:
    connection = make_connection(registration)
    rows = {"registration": registration, "credential": make_credential(registration), "connection": connection}
    finding = finding_of(tenant=registration.tenant, **{subject: rows[subject]})
    client.post(reverse("admin:monitoring_finding_act", args=[finding.pk, "check_now"]))
    expected = f"connection:{connection.pk}" if subject == "connection" else f"registration:{registration.pk}"
    assert Sweep.objects.get().scope == expected


def test_findings_of_one_registration_are_listed_where_it_links_to(client, registration) -> None:
    mine = [
        finding_of(tenant=registration.tenant, registration=registration),
        finding_of(tenant=registration.tenant, connection=make_connection(registration)),
    ]
    finding_of(tenant=registration.tenant, registration=make_registration(registration.tenant))
    listed = client.get(FINDINGS, {"about": registration.pk}).context["cl"].result_list
    assert {row.pk for row in listed} == {row.pk for row in mine}


# Who was told


def test_a_delivery_shows_its_tries(client, registration) -> None:
    _, alert, _, delivery = make_finding(tenant=registration.tenant, registration=registration)
    Delivery.objects.filter(pk=delivery.pk).update(
        state="set_aside", tries=[{"at": "2026-01-01T10:00:00+00:00", "problem": "SMTPRecipientsRefused 550"}]
    )
    for row in (delivery, alert):
        page = client.get(page_of(row)).content.decode()
        assert "set aside" in page
        assert "2026-01-01 10:00: SMTPRecipientsRefused 550" in page


def test_an_alert_nobody_got_says_so(client, registration) -> None:
    finding = finding_of(tenant=registration.tenant, registration=registration)
    DeliveryAlert.objects.all().delete()
    Delivery.objects.all().delete()
    assert "there is no alert address" in client.get(page_of(Alert.objects.get())).content.decode()
    assert "there is no alert address" in client.get(page_of(finding)).content.decode()


# The front page


def test_the_front_page_says_what_needs_attention_the_worst_first(client, registration) -> None:
    finding_of(tenant=registration.tenant, registration=registration, severity="warning", what="It may break.")
    finding_of(tenant=registration.tenant, connection=make_connection(registration), what="It is broken.")
    finding_of(
        tenant=registration.tenant, credential=make_credential(registration), resolved_at=timezone.now(), what="O"
    )
    page = client.get(INDEX).content.decode()
    assert page.index("It is broken.") < page.index("It may break.")
    assert "Needs attention" in page
    assert ">2</span>" in page


def test_at_most_ten_stand_there_with_a_way_to_all(client, registration) -> None:
    for _ in range(12):
        finding_of(tenant=registration.tenant, connection=make_connection(registration))
    page = client.get(INDEX).content.decode()
    assert len(re.findall(r"/admin/monitoring/finding/\d+/change/", page)) == 10
    assert "Show all 12" in page


def test_findings_of_a_suspended_tenant_are_muted(client, registration) -> None:
    finding_of(tenant=registration.tenant, registration=registration, what="It is broken.")
    Tenant.objects.update(suspended_at=timezone.now())
    assert "It is broken." not in client.get(INDEX).content.decode()


def test_calm_is_said_with_its_time(client, registration) -> None:
    assert "Nothing has been checked yet." in client.get(INDEX).content.decode()
    Sweep.objects.create(kind="nightly", night="2026-01-01", finished_at=timezone.now() - timedelta(hours=3))
    said = client.get(INDEX).content.decode().replace("\xa0", " ")
    assert "Nothing needs attention. The last check of everything finished 3 hours ago." in said


def test_that_nobody_is_told_stands_on_every_page(client, registration, settings) -> None:
    settings.ALERT_EMAILS = []
    for address in (INDEX, SWEEPS, reverse("admin:password_change")):
        assert "Nobody is told when something breaks." in client.get(address).content.decode()
    client.logout()
    assert "Nobody is told" not in client.get(reverse("admin:login")).content.decode()
    client.force_login(make_superuser())
    settings.ALERT_EMAILS = ["ops@example.com"]
    assert "Nobody is told" not in client.get(INDEX).content.decode()


def test_a_new_house_says_what_to_do_first(client) -> None:
    client.force_login(make_superuser())
    page = client.get(INDEX).content.decode()
    assert page.index("Add a tenant") < page.index("Add its app registration") < page.index("Send a consent link")
    registration = make_registration()
    assert page.count("(done)") == 0
    assert client.get(INDEX).content.decode().count("(done)") == 2
    make_connection(registration)
    assert "First steps" not in client.get(INDEX).content.decode()


def test_who_has_no_tenant_yet_is_told_so(client) -> None:
    Sweep.objects.create(kind="nightly", night="2026-01-01", finished_at=timezone.now())
    client.force_login(make_operator())
    page = client.get(INDEX).content.decode()
    assert "No tenant has been given to you yet" in page
    assert "Nothing needs attention" not in page
