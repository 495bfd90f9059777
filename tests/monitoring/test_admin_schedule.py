"""When the night begins, on its page in the admin."""

from datetime import UTC, date, datetime, time

import pytest
import time_machine
from django_celery_beat.models import PeriodicTask

from monitoring import schedule
from monitoring.models import Heartbeat, Sweep
from tenants.models import Event
from tests.factories import make_operator, make_superuser
from tests.test_visibility import Walker

pytestmark = pytest.mark.django_db

PAGE = "/admin/monitoring/sweep/schedule/"
LIST = "/admin/monitoring/sweep/"


@pytest.fixture(autouse=True)
def summer_in_berlin(settings):
    settings.TIME_ZONE, settings.SWEEP_AT = "Europe/Berlin", time(2, 30)
    with time_machine.travel(datetime(2026, 6, 10, 12, 0, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def platform(client):
    user = make_operator(platform=True)
    client.force_login(user)
    return user


def body(client, address: str = PAGE) -> str:
    return client.get(address).content.decode()


def test_the_list_of_checks_leads_there(client, platform):
    assert f'href="{PAGE}"' in body(client, LIST)


def test_the_next_check_is_told_in_the_sites_zone_and_in_utc(client, platform):
    Sweep.objects.create(kind="nightly", night=date(2026, 6, 10))
    page = body(client)
    assert 'value="02:30"' in page
    assert "2026-06-11 02:30 CEST" in page
    assert "which is 2026-06-11 00:30 UTC" in page


def test_a_night_that_is_due_and_not_begun_is_told(client, platform):
    assert "begins within a minute" in body(client)


def test_another_time_counts_at_once_and_stands_in_the_history(client, platform):
    response = client.post(PAGE, {"begins": "04:15"}, follow=True)
    assert "The nightly check begins at 04:15 from now on." in response.content.decode()
    assert schedule.begins() == time(4, 15)
    event = Event.objects.get()
    assert (event.actor, event.changes) == (platform, {"begins at": ["02:30", "04:15"]})


@pytest.mark.parametrize("text", ["", "25:00", "soon", "24:00", "02:30\x00"])
def test_what_is_no_time_changes_nothing(client, platform, text):
    page = client.post(PAGE, {"begins": text}).content.decode()
    assert "errorlist" in page
    assert not PeriodicTask.objects.exists()
    assert not Event.objects.exists()


def test_saving_the_same_time_mends_a_clock_that_was_switched_off(client, platform):
    schedule.keep()
    PeriodicTask.objects.update(enabled=False)
    assert "was switched off or changed in the database" in body(client)
    client.post(PAGE, {"begins": "02:30"})
    assert "was switched off or changed in the database" not in body(client)


def test_who_sees_one_tenant_only_gets_neither_page_nor_button(client):
    client.force_login(make_operator())
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"begins": "04:15"}).status_code == 403
    assert PAGE not in body(client, LIST)
    assert not PeriodicTask.objects.exists()


def test_the_clocks_own_pages_are_not_there(client):
    client.force_login(make_superuser())
    assert client.get("/admin/django_celery_beat/periodictask/").status_code == 404


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({}, "not sent yet"),
        ({"sent_at": datetime(2026, 6, 10, 11, 55, tzinfo=UTC)}, "2026-06-10 13:55 CEST"),
        ({"problem": "status 500"}, "does not arrive: status 500"),
    ],
)
def test_the_heartbeat_is_told_without_its_address(client, platform, settings, row, words):
    assert "HEARTBEAT_URL is not set" in body(client)
    settings.HEARTBEAT_URL = "https://watch.example.com/secret-path"
    Heartbeat.objects.create(next_at=datetime(2026, 6, 10, tzinfo=UTC), **row)
    page = body(client)
    assert words in page
    assert "secret-path" not in page


def test_the_page_keeps_to_the_policy():
    walker = Walker(make_superuser(), [])
    walker.get(PAGE)
    walker.post(PAGE, {"begins": "x"})
    walker.post(PAGE, {"begins": "03:00"})
    assert walker.trouble == []
