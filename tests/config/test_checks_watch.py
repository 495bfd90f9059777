import secrets

import pytest

from config.checks import settings_problems


@pytest.fixture(autouse=True)
def good_site(settings):
    settings.SITE_URL = "https://testserver"


def problems() -> list[tuple[str | None, str]]:
    return [(problem.id, problem.msg) for problem in settings_problems()]


@pytest.mark.parametrize("hours", [25, 26, 48])
def test_a_watch_of_more_than_a_day_is_good(settings, hours):
    settings.WATCH_HOURS = hours
    assert problems() == []


@pytest.mark.parametrize("hours", [24, 0, -1])
def test_e031_a_watch_that_every_night_would_break(settings, hours):
    settings.WATCH_HOURS = hours
    assert [problem for problem, _ in problems()] == ["config.E031"]


@pytest.mark.parametrize(
    "url",
    [
        "https://hc-ping.example.com/0000",
        "https://watch.example.com:8443/ping/a?b=c",
        "http://127.0.0.1:9000/ping",
        "http://localhost/ping",
        "http://[::1]:9000/",
    ],
)
def test_a_heartbeat_over_https_or_to_this_machine_is_good(settings, url):
    settings.HEARTBEAT_URL = url
    assert problems() == []


@pytest.mark.parametrize(
    "url",
    [
        "http://watch.example.com/{}",
        "ftp://watch.example.com/{}",
        "https:///{}",
        "https://user:{}@watch.example.com/",
        "https://watch.example.com:port/{}",
        "https://watch.example.com/{} ",
        "https://watch.example.com/é{}",
        "{}",
    ],
)
def test_e032_a_heartbeat_elsewhere_is_refused_and_never_quoted(settings, url):
    secret = secrets.token_urlsafe(16)
    settings.HEARTBEAT_URL = url.format(secret)
    ((problem, message),) = problems()
    assert problem == "config.E032"
    assert secret not in message


@pytest.mark.parametrize("token", ["brief", "x" * 19, "x" * 30 + " ", "é" * 30])
def test_e033_a_metrics_token_that_is_none_is_never_quoted(settings, token):
    settings.METRICS_TOKEN = token
    ((problem, message),) = problems()
    assert problem == "config.E033"
    assert token not in message


def test_a_random_metrics_token_is_good(settings):
    settings.METRICS_TOKEN = secrets.token_urlsafe(20)
    assert problems() == []
