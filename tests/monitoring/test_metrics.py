"""/metrics for Prometheus: read by its own parser, behind a token, in a fixed number of queries, without a secret."""

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from prometheus_client.parser import text_string_to_metric_families

from monitoring import metrics
from monitoring.models import Delivery, Outage, Sweep
from tests.canary import find
from tests.factories import make_connection, make_credential, make_registration, make_secret, make_tenant
from tests.world import fill, make_finding

pytestmark = pytest.mark.django_db

TOKEN = "not-a-real-metrics-token"
NOW = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def noon(settings):
    settings.METRICS_TOKEN = TOKEN
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def scraped(client):
    """Name and labels -> value, as Prometheus understands the answer."""

    def scrape() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        response = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert response["Content-Type"].startswith("text/plain; version=")
        families = list(text_string_to_metric_families(response.content.decode()))
        assert all(family.documentation and family.name.startswith("tenantry_") for family in families)
        samples = [sample for family in families for sample in family.samples]
        values = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}
        assert len(values) == len(samples)  # no series twice
        return values

    return scrape


def named(values, name: str, *labels: str) -> dict:
    """The series of one name, by these labels alone."""
    found = {}
    for (own, pairs), value in values.items():
        if own == f"tenantry_{name}":
            given = dict(pairs)
            found[tuple(given[label] for label in labels)] = value
    return found


# Who may ask


def test_without_a_token_in_the_settings_there_is_no_such_page(client, settings):
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Bearer wrong", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é"]
)
def test_a_wrong_token_is_told_how_to_come(client, authorization):
    response = client.get("/metrics", headers={"Authorization": authorization})
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert b"tenantry_" not in response.content


def test_it_is_never_kept_and_takes_no_post(client):
    authorized = {"Authorization": f"Bearer {TOKEN}"}
    assert "no-store" in client.get("/metrics", headers=authorized)["Cache-Control"]
    assert client.post("/metrics", headers=authorized).status_code == 405


# What it says


def test_the_end_of_each_live_client_secret_is_a_unix_time(scraped):
    registration = make_registration(make_tenant(slug="contoso"), name="Contoso Mail")
    make_credential(registration, value="abc" + make_secret(), days_left=10)
    make_credential(registration, value="xyz" + make_secret(), days_left=90)
    labels = ("tenant", "registration", "client_id", "cloud", "slot", "hint")
    assert named(scraped(), "credential_end_timestamp_seconds", *labels) == {
        ("contoso", "Contoso Mail", registration.client_id, "global", "previous", "abc"): (
            NOW + timedelta(days=10)
        ).timestamp(),
        ("contoso", "Contoso Mail", registration.client_id, "global", "current", "xyz"): (
            NOW + timedelta(days=90)
        ).timestamp(),
    }


def test_a_shared_registration_has_no_tenant(scraped):
    make_credential(make_registration(shared=True))
    assert set(named(scraped(), "credential_end_timestamp_seconds", "tenant")) == {("",)}


def test_what_nobody_looks_after_is_left_out(scraped):
    make_credential(make_registration(archived_at=NOW))
    make_credential(make_registration(make_tenant(suspended_at=NOW)))
    for change in ({"slot": ""}, {"removed_at": NOW}, {"ends_at": None}):
        credential = make_credential()
        type(credential).objects.filter(pk=credential.pk).update(**change)
    assert named(scraped(), "credential_end_timestamp_seconds") == {}


def test_names_with_quotes_line_breaks_and_backslashes_survive(scraped):
    name = 'Quote " line\nbreak \\ end'
    make_credential(make_registration(name=name))
    assert list(named(scraped(), "credential_end_timestamp_seconds", "registration")) == [(name,)]


def test_connections_are_counted_by_tenant_and_status(scraped):
    registration = make_registration(make_tenant(slug="contoso"))
    make_connection(registration)
    make_connection(registration)
    make_connection(registration, token_status="dead")
    make_connection(registration, blocked="mfa_required")
    make_connection(registration, disconnected_at=NOW, blocked="mfa_required")
    assert named(scraped(), "connections", "tenant", "status") == {
        ("contoso", "active"): 2,
        ("contoso", "invalid"): 0,
        ("contoso", "dead"): 1,
        ("contoso", "blocked"): 1,
        ("contoso", "disconnected"): 1,
    }


def test_findings_are_counted_by_severity_and_kind(scraped):
    muted = make_tenant(suspended_at=NOW)
    make_finding(registration=make_registration())
    make_finding(registration=make_registration())
    make_finding(registration=make_registration(), kind="unverified", severity="warning")
    make_finding(registration=make_registration(), resolved_at=NOW)
    make_finding(registration=make_registration(muted), tenant=muted)
    assert named(scraped(), "open_findings", "severity", "kind") == {
        ("critical", "secret_invalid"): 2,
        ("warning", "unverified"): 1,
    }


def test_the_last_finished_night_is_told_and_what_runs(scraped):
    hour = timedelta(hours=1)
    make_registration(created_at=NOW - 900 * hour)
    counts = {"planned": 10, "done": 7, "failed": 2, "set_aside": 1}
    finished = NOW - 30 * hour
    Sweep.objects.create(
        kind="nightly", night=date(2026, 6, 9), started_at=finished - hour, finished_at=finished, **counts
    )
    Sweep.objects.create(kind="nightly", night=date(2026, 6, 10))
    Sweep.objects.create(kind="manual", finished_at=NOW)
    values = scraped()
    assert named(values, "nightly_check_finished_timestamp_seconds") == {(): finished.timestamp()}
    assert named(values, "nightly_check_age_seconds") == {(): 30 * 3600}
    assert named(values, "nightly_check_duration_seconds") == {(): 3600}
    subjects = named(values, "nightly_check_subjects", "result")
    assert subjects == {(name,): number for name, number in counts.items()}
    assert named(values, "checks_running") == {(): 1}
    assert named(values, "watch_overdue") == {(): 1}


def test_before_the_first_night_there_is_no_age_and_nothing_overdue(scraped):
    values = scraped()
    assert named(values, "nightly_check_age_seconds") == {}
    assert named(values, "watch_overdue") == {(): 0}


def test_deliveries_are_counted_and_the_oldest_that_waits_is_told(scraped):
    def make(hours: float, **fields) -> None:
        created = NOW - timedelta(hours=hours)
        Delivery.objects.create(target="email:a@example.com", address="a@example.com", created_at=created, **fields)

    make(3)
    make(1)
    make(20, digest_at=NOW + timedelta(hours=4))
    make(90, state="set_aside")
    make(50, state="sent")
    values = scraped()
    assert named(values, "deliveries", "state") == {("waiting",): 3, ("sent",): 1, ("set_aside",): 1}
    assert named(values, "delivery_oldest_waiting_seconds") == {(): 3 * 3600}


def test_a_cloud_that_is_down_is_one_and_the_others_are_nought(scraped):
    Outage.objects.create(cloud="china", since=NOW, probe_at=NOW, why="no answer")
    outages = named(scraped(), "cloud_outage", "cloud")
    assert outages == {("global",): 0, ("usgov_l4",): 0, ("usgov_l5",): 0, ("china",): 1}


def test_what_runs_here_is_told(scraped):
    assert list(named(scraped(), "build_info").values()) == [1]


# What it costs, and what it must not say


def test_many_rows_cost_as_many_queries_as_few(django_assert_num_queries):
    for _ in range(3):
        fill(make_tenant())
    with django_assert_num_queries(11):
        metrics.exposition()


def test_no_secret_and_nobodys_address_stands_there():
    secret, token = make_secret(), f"not-a-real-token-{make_secret()}"
    registration = make_registration(alert_emails=["it@contoso.example"])
    make_credential(registration, value=secret)
    connection = make_connection(registration, refresh_token=token)
    names = {"secret": secret, "token": token, "metrics": TOKEN, "mailbox": connection.address, "alerts": "it@contoso"}
    assert find(names, [("metrics", metrics.exposition())]) == []
