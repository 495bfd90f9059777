"""Findings in lists and panels: which are shown, in which order, and what is done to many at once."""

import re
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from monitoring.models import Finding
from tenants.models import AppRegistration, Event
from tests.factories import (
    make_connection,
    make_credential,
    make_operator,
    make_registration,
    make_superuser,
    make_tenant,
)
from tests.world import make_channel, make_finding

pytestmark = pytest.mark.django_db

FINDINGS = reverse("admin:monitoring_finding_changelist")
INDEX = reverse("admin:index")
WHY = "The customer is on holiday."


@pytest.fixture
def registration(client) -> AppRegistration:
    tenant = make_tenant("Contoso")
    client.force_login(make_operator(tenants=(tenant,)))
    return make_registration(tenant, name="Contoso Mail")


@pytest.fixture
def finding(registration) -> Finding:
    return finding_of(registration, what="The secret is wrong.")


def finding_of(ours: AppRegistration, /, **fields: Any) -> Any:
    """A finding of a connection of its own, or of the subject that is named."""
    subjects = {"registration", "credential", "connection", "channel"}
    if not subjects & fields.keys():
        fields["connection"] = make_connection(ours)
    return make_finding(**{"tenant": ours.tenant, **fields})[0]


def one_of_each(registration: AppRegistration) -> dict[str, Any]:
    now = timezone.now()
    taken, later = {"acknowledged_at": now}, {"snoozed_until": now + timedelta(days=3)}
    return {
        "resolved": finding_of(registration, resolved_at=now),
        "snoozed": finding_of(registration, **later),
        "snoozed and acknowledged": finding_of(registration, **taken, **later),
        "acknowledged": finding_of(registration, **taken, snoozed_until=now - timedelta(days=1)),
        "open": finding_of(registration),
    }


def listed(client: Any, **query: Any) -> list[Any]:
    return list(client.get(FINDINGS, query).context["cl"].result_list)


def press(client: Any, action: str, *findings: Finding, query: str = "", **data: Any) -> Any:
    """Choose these in the list and run the action; with data, its page is answered too."""
    chosen = {"action": action, "_selected_action": [finding.pk for finding in findings]}
    seen = [f"{finding.pk}:{finding.epoch}:{finding.step}" for finding in findings]
    answer = {"confirmed": "yes", "seen": seen, **data} if data else {}
    return client.post(f"{FINDINGS}{query}", {**chosen, **answer}, follow=True)


def state_of(finding: Finding) -> str:
    finding.refresh_from_db()
    return str(finding.state)


# Which are shown, and in which order


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("", {"open", "acknowledged", "snoozed", "snoozed and acknowledged"}),
        ("unacknowledged", {"open"}),
        ("acknowledged", {"acknowledged"}),
        ("snoozed", {"snoozed", "snoozed and acknowledged"}),
        ("resolved", {"resolved"}),
        ("all", {"open", "acknowledged", "snoozed", "snoozed and acknowledged", "resolved"}),
    ],
)
def test_a_list_for_every_state(client, registration, status, expected) -> None:
    rows = one_of_each(registration)
    assert {name for name, row in rows.items() if row in listed(client, status=status)} == expected


def test_what_nobody_has_taken_on_comes_first_the_worst_and_oldest_of_it(client, registration) -> None:
    rows = one_of_each(registration)
    mild = finding_of(registration, severity="warning")
    oldest = finding_of(registration, opened_at=timezone.now() - timedelta(days=9))
    order = listed(client, status="all")
    assert order[:4] == [oldest, rows["open"], mild, rows["acknowledged"]]
    assert order[-1] == rows["resolved"]


def test_no_column_claims_that_order(client, registration) -> None:
    finding_of(registration)
    assert "sorted" not in client.get(FINDINGS).content.decode()


def test_a_list_can_be_ordered_otherwise(client, registration) -> None:
    one_of_each(registration)
    newest = finding_of(registration, opened_at=timezone.now() + timedelta(minutes=1), acknowledged_at=timezone.now())
    since = client.get(FINDINGS).context["cl"].list_display.index("since")
    assert listed(client, o=f"-{since}")[0] == newest


def test_the_kind_is_offered_in_words_and_narrows_the_list(client, registration) -> None:
    mine = finding_of(registration, kind="grant_revoked")
    finding_of(registration, kind="password_expired")
    finding_of(make_registration(), kind="app_disabled")
    page = client.get(FINDINGS).content.decode()
    assert "Grant revoked" in page
    assert "App disabled" not in page
    assert listed(client, kind="grant_revoked") == [mine]


def test_each_row_says_its_state(client, registration) -> None:
    rows = one_of_each(registration)
    page = client.get(FINDINGS, {"status": "all"}).content.decode()
    until = f"{rows['snoozed'].snoozed_until:%Y-%m-%d}"
    for words in (">resolved<", f">snoozed until {until}<", ">acknowledged<", ">open<"):
        assert words in page


def test_only_what_nobody_has_taken_on_is_in_colour(client, registration) -> None:
    one_of_each(registration)
    page = client.get(FINDINGS, {"status": "all"}).content.decode()
    assert page.count("badge-bad") == 1


def test_it_is_found_by_the_name_of_what_it_is_about(client, registration) -> None:
    mine = [
        finding_of(registration, registration=registration),
        finding_of(registration, credential=make_credential(registration)),
    ]
    channel = finding_of(registration, channel=make_channel(registration.tenant, name="Night desk"))
    assert set(listed(client, q="Contoso Mail")) == set(mine)
    assert listed(client, q="Night desk") == [channel]


def test_of_ours_each_is_named_and_none_is_shared(client) -> None:
    client.force_login(make_superuser())
    make_finding(cloud="global", what="No answer.")
    make_finding(watch=Finding.NIGHT, what="It did not finish.")
    make_finding(channel=make_channel(name="Night desk"), what="It fails.")
    for address in (FINDINGS, INDEX):
        page = client.get(address).content.decode()
        for words in ("the cloud “Microsoft 365 worldwide”", "the nightly check", "the channel “Night desk”"):
            assert words in page
        assert "shared" not in page


# Taken on, put off


def test_why_is_asked_before_anything_happens(client, finding) -> None:
    page = press(client, "acknowledge", finding).content.decode()
    assert "The secret is wrong." in page
    assert 'name="why"' in page
    assert state_of(finding) == Finding.State.OPEN


def test_findings_are_acknowledged_with_a_reason(client, registration) -> None:
    rows = [finding_of(registration) for _ in range(3)]
    page = press(client, "acknowledge", *rows, why=WHY).content.decode()
    assert "3 findings: acknowledged." in page
    assert {state_of(row) for row in rows} == {Finding.State.ACKNOWLEDGED}
    event = Event.objects.filter(verb="acknowledged").latest("pk")
    assert (event.reason, event.address) == (WHY, "127.0.0.1")


def test_without_a_reason_nothing_happens(client, finding) -> None:
    page = press(client, "acknowledge", finding, why="  ").content.decode()
    assert "Say why, in a few words." in page
    assert state_of(finding) == Finding.State.OPEN


@time_machine.travel("2026-03-02 12:00Z", tick=False)
def test_findings_are_snoozed_until_the_morning_of_a_day(client, finding, settings) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    press(client, "snooze", finding, why=WHY, until="2026-04-01")
    assert state_of(finding) == Finding.State.SNOOZED
    assert finding.snoozed_until is not None
    assert f"{finding.snoozed_until:%Y-%m-%d %H:%M %Z}" == "2026-04-01 06:00 UTC"  # 08:00 there, in summer


@pytest.mark.parametrize(
    ("until", "is_taken"),
    [
        ("2026-03-01", False),
        ("2026-03-02", False),
        ("2026-03-03", True),
        ("2026-05-31", True),
        ("2026-06-01", False),
        ("soon", False),
        ("", False),
    ],
)
@time_machine.travel("2026-03-02 12:00Z", tick=False)
def test_a_snooze_lasts_from_a_day_to_ninety(client, finding, until, is_taken) -> None:
    page = press(client, "snooze", finding, why=WHY, until=until).content.decode()
    assert (state_of(finding) == Finding.State.SNOOZED) is is_taken
    assert ("errorlist" in page) is not is_taken


@time_machine.travel("2026-03-02 06:00Z", tick=False)
def test_before_the_morning_the_last_day_is_one_earlier(client, finding) -> None:
    page = press(client, "snooze", finding).content.decode()
    last = re.search(r'max="([^"]*)"', page)
    assert last is not None
    assert date.fromisoformat(last[1]) == date(2026, 5, 30)
    press(client, "snooze", finding, why=WHY, until=last[1])
    assert state_of(finding) == Finding.State.SNOOZED


@pytest.mark.parametrize("action", ["acknowledge", "snooze"])
def test_what_got_worse_while_the_page_was_open_is_not_silenced(client, finding, action) -> None:
    answer = {"why": WHY, "until": f"{timezone.now() + timedelta(days=5):%Y-%m-%d}"}
    Finding.objects.filter(pk=finding.pk).update(step=2)
    page = press(client, action, finding, **answer).content.decode()
    assert "One finding has changed meanwhile. Look again, then decide." in page
    assert state_of(finding) == Finding.State.OPEN


@pytest.mark.parametrize(("action", "was"), [("withdraw", "acknowledged"), ("wake", "snoozed")])
def test_either_is_taken_back_at_once(client, registration, action, was) -> None:
    rows = one_of_each(registration)
    page = press(client, action, *rows.values()).content.decode()
    assert f"no longer {was}." in page
    assert state_of(rows[was]) == Finding.State.OPEN
    assert state_of(rows["resolved"]) == Finding.State.RESOLVED


@pytest.mark.parametrize("action", ["acknowledge", "snooze"])
def test_what_is_over_takes_neither(client, registration, action) -> None:
    over = finding_of(registration, resolved_at=timezone.now())
    page = press(client, action, over, query="?status=all").content.decode()
    assert "There is nothing to do" in page


@pytest.mark.parametrize("action", ["withdraw", "wake"])
def test_taking_back_nothing_says_so(client, finding, action) -> None:
    assert "Nothing was there to be no longer" in press(client, action, finding).content.decode()


@pytest.mark.parametrize("action", ["acknowledge", "snooze", "withdraw", "wake"])
def test_at_most_a_hundred_at_a_time(client, registration, action) -> None:
    connections = [make_connection(registration) for _ in range(101)]
    columns = {"what": "W", "remedy": "R", "severity": "warning", "actor": "operator", "tenant": registration.tenant}
    if action in ("withdraw", "wake"):
        name = {"withdraw": "acknowledged_at", "wake": "snoozed_until"}[action]
        columns[name] = timezone.now() + timedelta(days=1)
    Finding.objects.bulk_create(Finding(kind="x", connection=row, **columns) for row in connections)
    page = press(client, action, *Finding.objects.all()).content.decode()
    assert "Choose at most 100 at a time." in page
    assert not Event.objects.filter(verb="acknowledged").exists()


def test_the_filters_stay_in_the_address_after_an_action(client, finding) -> None:
    query = "?status=unacknowledged&severity__exact=critical"
    response = press(client, "acknowledge", finding, query=query, why=WHY)
    assert response.redirect_chain == [(f"{FINDINGS}{query}", 302)]


def test_cancelling_leads_back_to_the_list_as_it_was(client, finding) -> None:
    page = press(client, "acknowledge", finding, query="?severity__exact=critical").content.decode()
    assert f'<a href="{FINDINGS}?severity__exact=critical" class="closelink">' in page


def test_checking_what_is_ours_says_that_there_is_nothing_to_check(client) -> None:
    client.force_login(make_superuser())
    (finding, *_) = make_finding(watch=Finding.NIGHT)
    assert "There is nothing of Microsoft" in press(client, "check_now", finding).content.decode()


# Elsewhere


def test_the_front_page_is_quiet_about_what_is_snoozed_but_counts_it(client, registration) -> None:
    finding_of(registration, what="Put off.", snoozed_until=timezone.now() + timedelta(days=3))
    page = client.get(INDEX).content.decode()
    assert "Put off." not in page
    assert f'<a href="{FINDINGS}?status=snoozed">1 finding is snoozed.</a>' in page


@pytest.mark.parametrize(
    ("fields", "tone"),
    [({}, "panel-bad"), ({"acknowledged_at": timezone.now()}, "panel-warning")],
    ids=["nobody's", "somebody's"],
)
def test_the_front_page_is_red_while_nobody_has_taken_it_on(client, registration, fields, tone) -> None:
    finding_of(registration, **fields)
    assert tone in client.get(INDEX).content.decode()


def test_the_front_page_shows_what_is_acknowledged_last(client, registration) -> None:
    finding_of(registration, what="Taken on.", acknowledged_at=timezone.now(), opened_at=timezone.now() - timedelta(1))
    finding_of(registration, what="Nobody's yet.", severity="warning")
    page = client.get(INDEX).content.decode()
    assert page.index("Nobody&#x27;s yet.") < page.index("Taken on.")
    assert ">acknowledged<" in page


def test_the_pages_of_what_it_is_about_show_its_state(client, registration) -> None:
    finding = finding_of(registration, acknowledged_at=timezone.now())
    pages = {"tenants_tenant": registration.tenant, "tenants_appregistration": registration}
    for name, row in {**pages, "oauth_connection": finding.connection}.items():
        assert ">acknowledged<" in client.get(reverse(f"admin:{name}_change", args=[row.pk])).content.decode()


def test_lists_count_what_is_awake_and_else_what_is_snoozed(client, registration) -> None:
    connections = reverse("admin:oauth_connection_changelist")
    finding = finding_of(registration, snoozed_until=timezone.now() + timedelta(days=3))
    assert ">1 snoozed<" in client.get(connections).content.decode()
    finding_of(registration, connection=finding.connection, kind="another")
    page = client.get(connections).content.decode()
    assert ">1 open<" in page
    assert "snoozed<" not in page
