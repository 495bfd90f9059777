"""Attempts are listed with why they failed and what to do, and failures are seen without opening every link."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from oauth.models import ConsentAttempt
from tenants.models import AppRegistration
from tests.factories import make_connection, make_credential, make_link, make_operator, make_registration, make_tenant
from tests.world import make_attempt

pytestmark = pytest.mark.django_db

LIST = reverse("admin:oauth_consentattempt_changelist")
LINKS = reverse("admin:oauth_link_changelist")
LONG_AGO = timedelta(minutes=31)


@pytest.fixture
def registration(client) -> AppRegistration:
    tenant = make_tenant("Contoso")
    client.force_login(make_operator(tenants=(tenant,)))
    registration = make_registration(tenant, name="Contoso Mail")
    make_credential(registration)
    return registration


def failed(registration: AppRegistration, **fields: Any) -> ConsentAttempt:
    link, _ = make_link(registration)
    return make_attempt(link, **{"outcome": "refused", "fault_kind": "user_not_assigned", "codes": [50105], **fields})


def page_of(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def shown(client: Any, address: str) -> str:
    """The page's words, without its markup."""
    page = re.sub(r"<script.*?</script>|<[^>]+>", " ", client.get(address).content.decode(), flags=re.DOTALL)
    return " ".join(unescape(page).split())


def listed(client: Any, **query: Any) -> set[ConsentAttempt]:
    return set(client.get(LIST, query).context["cl"].result_list)


def panels(client: Any, row: Any, title: str) -> list[Any]:
    page = client.get(page_of(row)).context["page"]
    return [panel for panel in [*page.above, *page.panels] if panel.title == title]


# The list


def test_the_list_tells_what_came_of_each_attempt_and_why(client, registration) -> None:
    attempt = failed(registration, way="approval")
    words = shown(client, LIST)
    for part in (
        "approval for the organization", "refused by Microsoft", "this account is not one of them",
        f"Link {attempt.link.pk}", "Contoso", "Contoso Mail",
    ):  # fmt: skip
        assert part in words


@pytest.mark.parametrize(
    ("chosen", "outcomes"),
    [
        ("", {"refused", "rejected", "unreachable", "declined", "cancelled", "connected", "approved", ""}),
        ("failed", {"refused", "rejected", "unreachable"}),
        ("declined", {"declined"}),
        ("cancelled", {"cancelled"}),
        ("connected", {"connected"}),
        ("approved", {"approved"}),
        ("no_answer", {""}),
    ],
)
def test_attempts_are_filtered_by_outcome(client, registration, chosen, outcomes) -> None:
    for outcome in ("refused", "rejected", "unreachable", "declined", "cancelled", "connected", "approved"):
        failed(registration, outcome=outcome)
    silent = failed(registration, outcome="", fault_kind="", created_at=timezone.now() - LONG_AGO)
    found = listed(client, outcome=chosen)
    assert {attempt.outcome for attempt in found} == outcomes
    assert (silent in found) == (chosen in ("", "no_answer"))


def test_attempts_of_one_tenant_or_registration_are_listed(client, registration) -> None:
    one, other = failed(registration), failed(make_registration(registration.tenant))
    assert listed(client, link__registration__id__exact=registration.pk) == {one}
    assert listed(client, link__tenant__id__exact=registration.tenant_id) == {one, other}


@pytest.mark.parametrize("sought", ["trace-1", "correlation-1", "ana@contoso.example", "bob@contoso.example"])
def test_an_attempt_is_found_by_what_support_and_people_name(client, registration, sought) -> None:
    link, _ = make_link(registration, sent_to="ana@contoso.example")
    connection = make_connection(registration, address="bob@contoso.example")
    attempt = make_attempt(link, connection, trace_id="trace-1", correlation_id="correlation-1")
    failed(registration)
    assert listed(client, q=sought) == {attempt}


def test_another_tenant_s_attempts_are_not_listed_and_not_opened(client, registration) -> None:
    own, foreign = failed(registration), failed(make_registration(make_tenant()))
    assert listed(client) == {own}
    assert client.get(page_of(foreign)).status_code == 302


def test_an_attempt_cannot_be_changed(client, registration) -> None:
    assert client.post(page_of(failed(registration)), {"outcome": "connected"}).status_code == 403
    assert client.get(reverse("admin:oauth_consentattempt_add")).status_code == 403


# The page


def test_the_page_says_what_happened_why_and_what_to_do_with_every_id(client, registration) -> None:
    attempt = failed(registration, error="access_denied", trace_id="trace-1", correlation_id="correlation-1")
    words = shown(client, page_of(attempt))
    for part in (
        "refused by Microsoft", "this account is not one of them", "You: Ask the tenant's administrator",
        "It is then up to: the tenant's Microsoft 365 administrator.", "access_denied", "AADSTS50105", "trace-1",
        "correlation-1", str(attempt.link),
    ):  # fmt: skip
        assert part in words


def test_a_grant_of_less_names_what_is_missing_and_how_to_get_it(client, registration) -> None:
    scopes = {"scopes_asked": ["Mail.Read", "Mail.Send"], "scopes_granted": ["Mail.Read"]}
    connection = make_connection(registration, **scopes)
    link, _ = make_link(registration)
    attempt = make_attempt(link, connection, outcome="connected_with_less")
    for address in (page_of(attempt), page_of(link)):
        assert "Microsoft did not grant: Mail.Send. You: Create a reconnect link" in shown(client, address)


# What the person says they saw


def test_what_the_person_says_is_shown_while_microsoft_is_waited_for(client, registration) -> None:
    link, _ = make_link(registration, opens=1)
    attempt = make_attempt(link, told_code=50011)
    for address in (page_of(link), page_of(attempt)):
        words = shown(client, address)
        assert "waiting for Microsoft" in words
        assert "The person says Microsoft showed AADSTS50011. The redirect URI is not registered" in words
        assert "You: Add the redirect URI" in words
    assert "saw AADSTS50011" in shown(client, LIST)
    assert "The person says Microsoft showed AADSTS50011." in shown(client, LIST)
    assert "saw AADSTS50011" in shown(client, LINKS)


def test_the_page_keeps_what_the_person_said_beside_what_came_after(client, registration) -> None:
    attempt = failed(registration, told_code=50011)
    words = shown(client, page_of(attempt))
    assert "this account is not one of them" in words
    assert "Microsoft showed AADSTS50011." in words


def test_a_registration_s_page_warns_of_what_people_say_is_wrong_with_it(client, registration) -> None:
    for _ in range(2):
        failed(registration, outcome="", told_code=50011)
    failed(registration, outcome="", told_code=50105)  # not the registration's
    failed(registration, outcome="", told_code=700016, created_at=timezone.now() - timedelta(days=15))
    (panel,) = panels(client, registration, "People report")
    assert panel.tone == "warning"
    assert [(row[0], row[2]) for row in panel.rows] == [("AADSTS50011", 2)]
    assert "Add the redirect URI" in panel.rows[0][1]


def test_a_registration_nobody_complains_of_has_no_such_warning(client, registration) -> None:
    failed(registration, outcome="", told_code=999999)
    assert panels(client, registration, "People report") == []


def test_a_shared_registration_warns_of_what_one_may_see(client) -> None:
    shared, own = make_registration(shared=True), make_tenant()
    for tenant in (own, make_tenant()):
        make_attempt(make_link(shared, tenant=tenant)[0], told_code=50011)
    client.force_login(make_operator(tenants=(own,), platform=True))
    (panel,) = panels(client, shared, "People report")
    assert panel.rows[0][2] == 1


# Elsewhere


def test_a_tenant_s_page_lists_its_newest_failures(client, registration) -> None:
    old = timezone.now() - timedelta(days=15)
    failed(registration, created_at=old)
    failed(registration, outcome="declined")
    attempts = [failed(registration, created_at=timezone.now() - timedelta(hours=hour)) for hour in range(7)]
    (panel,) = panels(client, registration.tenant, "Recent failed attempts")
    assert [page_of(attempt) in str(row[0]) for attempt, row in zip(attempts, panel.rows, strict=False)] == [True] * 5
    assert len(panel.rows) == 5
    assert {attempt.outcome for attempt in client.get(panel.more).context["cl"].result_list} == {"refused"}


def test_the_front_page_counts_the_failures_of_the_week(client, registration) -> None:
    recent = [failed(registration), failed(registration, outcome="unreachable")]
    failed(registration, created_at=timezone.now() - timedelta(days=9))
    failed(make_registration(make_tenant()))
    page = client.get(reverse("admin:index")).content.decode()
    found = re.search(r'<a href="([^"]+)">2 attempts to connect failed this week', page)
    assert found
    response = client.get(unescape(found[1]))
    assert set(response.context["cl"].result_list) == set(recent)
    assert re.search(r'class="selected">\s*<a[^>]*>Past 7 days', response.content.decode())


def test_a_week_without_failures_is_not_spoken_of(client, registration) -> None:
    failed(registration, outcome="connected")
    assert "failed this week" not in client.get(reverse("admin:index")).content.decode()


def test_the_list_of_links_shows_the_last_attempt_of_each(client, registration) -> None:
    link, _ = make_link(registration)
    make_attempt(link, outcome="refused", created_at=timezone.now() - LONG_AGO)
    make_attempt(link, outcome="declined")
    make_link(registration)
    words = shown(client, LINKS)
    assert "declined" in words
    assert "refused" not in words


def test_a_link_s_page_says_how_its_connection_is_today(client, registration) -> None:
    link, _ = make_link(registration)
    make_attempt(link, make_connection(registration, token_status="dead"), outcome="connected")
    assert "Connected (just now) Its connection today: dead" in shown(client, page_of(link))


def test_connections_with_fewer_scopes_than_asked_stand_out(client, registration) -> None:
    scopes = {"scopes_asked": ["Mail.Read", "Mail.Send"], "scopes_granted": ["Mail.Read"]}
    less, whole = make_connection(registration, **scopes), make_connection(registration)
    page = client.get(reverse("admin:oauth_connection_changelist")).content.decode()
    assert page.count("fewer scopes") == 1
    assert "fewer scopes" in shown(client, page_of(registration.tenant))
    assert "Mail.Send You: Create a reconnect link" in shown(client, page_of(less))
    assert "fewer scopes" not in shown(client, page_of(whole))


def test_a_connection_that_is_not_blocked_names_no_reason(client, registration) -> None:
    assert re.search("Blocked because: +-", shown(client, page_of(make_connection(registration))))


def test_each_cell_of_a_list_names_its_column_for_a_narrow_screen(client, registration) -> None:
    failed(registration)
    page = client.get(LINKS).content.decode()
    named = re.findall(r'<t[dh] class="[^"]*" data-column="([^"]*)"><div>', page)
    assert named == [
        "", "Link, made by", "Purpose, for", "Tenant, registration", "Status, expires", "Last attempt", "Consents",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "words"), [("UTC", "2026-07-01 10:00 UTC"), ("Europe/Vienna", "2026-07-01 12:00 CEST")]
)
def test_moments_name_their_time_zone_in_lists_and_on_pages(client, registration, zone, words) -> None:
    attempt = failed(registration, created_at=datetime(2026, 7, 1, 10, tzinfo=UTC))
    with timezone.override(zone):
        assert words in shown(client, LIST)
        assert words in shown(client, page_of(attempt))
