"""Limits on the public pages, tried with views of their own: any number of processes count in one table."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection as database
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import path
from django.utils import timezone

from monitoring import tasks
from oauth.limits import LIMITS, exceeded, limited
from oauth.models import RequestCount
from tests.factories import make_operator, make_superuser

PROXY, CLIENT, OTHER = "10.0.0.1", "198.51.100.7", "198.51.100.8"


@limited("hand_on")
def hand_on(request: HttpRequest, number: int) -> HttpResponse:
    return HttpResponse(f"number {number}")


@limited("told")
def told(request: HttpRequest) -> HttpResponse:
    return HttpResponse("told")


urlpatterns = [path("hand_on/<int:number>/", hand_on), path("told/", told)]


@pytest.fixture(autouse=True)
def site(settings, time_machine):
    """Twenty seconds into a minute that does not pass by itself."""
    settings.ROOT_URLCONF = __name__
    settings.TRUSTED_PROXIES = [PROXY]
    time_machine.move_to(timezone.now().replace(second=20, microsecond=0), tick=False)


def ask(address: str = CLIENT, forwarded: str = "", path: str = "/hand_on/7/") -> HttpResponse:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    return Client().get(path, headers=headers, REMOTE_ADDR=address)


def use_up(address: str = CLIENT, forwarded: str = "") -> None:
    for _ in range(LIMITS["hand_on"]):
        assert ask(address, forwarded).status_code == 200


@pytest.mark.django_db
def test_an_address_may_ask_as_often_as_its_limit_and_then_waits():
    use_up()
    response = ask()

    assert response.status_code == 429
    assert response.headers["Retry-After"] == "40"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert b"Wait a minute" in response.content
    assert b"Example Mail" in response.content
    assert b"help@example.com" in response.content


@pytest.mark.django_db
def test_what_is_within_the_limit_reaches_the_view_with_what_it_asked():
    assert ask().content == b"number 7"


@pytest.mark.django_db
def test_the_next_minute_begins_anew(time_machine):
    use_up()
    time_machine.shift(39)
    assert ask().headers["Retry-After"] == "1"
    time_machine.shift(1)
    assert ask().status_code == 200


@pytest.mark.django_db
def test_each_kind_of_page_counts_by_itself():
    use_up()

    assert ask(path="/told/").status_code == 200


@pytest.mark.django_db
def test_one_address_over_the_limit_locks_out_no_other():
    use_up()

    assert ask(CLIENT).status_code == 429
    assert ask(OTHER).status_code == 200
    assert ask(PROXY, forwarded=OTHER).status_code == 200


@pytest.mark.django_db
def test_a_made_up_address_gains_nothing():
    for number in range(LIMITS["hand_on"]):
        assert ask(PROXY, forwarded=f"192.0.2.{number}, {CLIENT}").status_code == 200

    assert ask(PROXY, forwarded=f"192.0.2.99, {CLIENT}").status_code == 429
    assert ask(CLIENT, forwarded="192.0.2.99").status_code == 429


@pytest.mark.django_db
@pytest.mark.parametrize(
    "attack", [{"address": CLIENT, "forwarded": OTHER}, {"address": PROXY, "forwarded": f"{OTHER}, {CLIENT}"}]
)
def test_a_made_up_address_locks_its_owner_out_of_nothing(attack):
    use_up(**attack)

    assert ask(**attack).status_code == 429
    assert ask(OTHER).status_code == 200
    assert ask(PROXY, forwarded=OTHER).status_code == 200


@pytest.mark.django_db
def test_one_subscriber_of_ipv6_is_one_address_and_the_next_another():
    for number in range(LIMITS["hand_on"]):
        assert ask(f"2001:db8:0:1:{number}::1").status_code == 200

    assert ask("2001:db8:0:1:ffff::2").status_code == 429
    assert ask("2001:db8:0:2::1").status_code == 200


@pytest.mark.django_db
def test_an_ipv4_address_counts_whole_however_it_is_written():
    use_up("::ffff:198.51.100.7")

    assert ask(CLIENT).status_code == 429
    assert ask(OTHER).status_code == 200


@pytest.mark.django_db
def test_whoever_has_no_address_is_counted_too(settings):
    settings.TRUSTED_PROXIES = []
    use_up("")

    assert ask("").status_code == 429
    assert ask(CLIENT).status_code == 200


@pytest.mark.django_db
def test_the_address_itself_is_not_kept_nor_what_a_list_of_digests_would_betray(settings):
    ask()
    ask("2001:db8::1")
    kept = set(RequestCount.objects.values_list("address_digest", flat=True))
    settings.SECRET_KEY = "another-" + "y" * 50
    RequestCount.objects.all().delete()
    ask()

    assert {len(digest) for digest in kept} == {64}
    assert RequestCount.objects.get().address_digest not in kept


@pytest.mark.django_db
def test_a_flood_writes_no_more_than_its_limit():
    use_up()
    for _ in range(5):
        ask()

    assert RequestCount.objects.get().number == LIMITS["hand_on"]


@pytest.mark.django_db
def test_a_request_costs_one_statement(django_assert_num_queries):
    request = RequestFactory().get("/")
    with django_assert_num_queries(2):
        assert exceeded("told", request) is None
        assert exceeded("told", request) is None


@pytest.mark.django_db(transaction=True)
def test_of_forty_requests_at_once_exactly_thirty_pass():
    barrier, answers, problems = threading.Barrier(40), [], []

    def request() -> None:
        try:
            barrier.wait(timeout=30)
            answers.append(exceeded("start", RequestFactory().get("/", REMOTE_ADDR=CLIENT)))
        except BaseException as problem:
            problems.append(problem)
        finally:
            database.close()

    threads = [threading.Thread(target=request) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert LIMITS["start"] == 30
    assert problems == []
    assert Counter(answers) == {None: 30, 40: 10}
    assert RequestCount.objects.get().number == 30


@pytest.mark.django_db
def test_the_reconciler_forgets_windows_that_are_over(time_machine):
    ask()
    time_machine.shift(timedelta(minutes=11))
    ask()
    tasks.reconcile()

    assert RequestCount.objects.get().window_start == timezone.now().replace(second=0)


@pytest.mark.django_db
def test_counts_are_for_those_who_see_the_platform():
    ask()

    assert not RequestCount.objects.visible_to(make_operator()).exists()
    assert RequestCount.objects.visible_to(make_operator(platform=True)).count() == 1
    assert RequestCount.objects.visible_to(make_superuser()).count() == 1


def test_a_limit_that_does_not_exist_is_refused_before_any_request():
    with pytest.raises(LookupError, match="nonsense"):
        limited("nonsense")
