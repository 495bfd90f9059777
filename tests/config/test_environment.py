import json
from datetime import time

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.environment import Environment, time_zone

SECRET = "hush-hush"


@pytest.fixture
def read(monkeypatch):
    """An environment in which the one setting NAME has this value."""

    def read(value: str) -> Environment:
        monkeypatch.setenv("NAME", value)
        return Environment()

    return read


def test_what_is_not_set_is_refused_by_name():
    with pytest.raises(ImproperlyConfigured, match=r"^NAME is not set\.$"):
        Environment()("NAME")


def test_an_empty_value_counts_as_not_set(read):
    assert read("").int("NAME", default=30) == 30
    assert read("").db("NAME", default="sqlite:///x.sqlite3")["NAME"] == "x.sqlite3"
    with pytest.raises(ImproperlyConfigured, match=r"^NAME is not set\.$"):
        read("")("NAME")


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (lambda env: env.int("NAME"), "a whole number"),
        (lambda env: env.json("NAME"), "JSON"),
        (lambda env: env("NAME", cast=time.fromisoformat), "a time of day such as 02:30"),
        (lambda env: env("NAME", cast=time_zone), "the name of a time zone such as Europe/Berlin"),
        (lambda env: env.db("NAME"), "a URL such as postgres://user:password@host:5432/name"),
        (lambda env: env.email_url("NAME"), r"a URL such as smtp\+tls://user:password@host:587"),
    ],
)
@pytest.mark.parametrize("value", [SECRET, f"nonsense://somebody:{SECRET}@host/name", f"smtp://a:{SECRET}@host:port"])
def test_what_cannot_be_read_is_refused_by_name_and_never_quoted(read, recwarn, ask, expected, value):
    with pytest.raises(ImproperlyConfigured, match=rf"^NAME is not {expected}\.$"):
        ask(read(value))
    assert recwarn.list == []


@pytest.mark.parametrize("name", ["Mars/Olympus", "Europe", "../etc/passwd", "/etc/passwd"])
def test_a_time_zone_that_is_none(name):
    with pytest.raises(ValueError, match=name):
        time_zone(name)


def test_what_can_be_read_is_read(read):
    assert read("7").int("NAME") == 7
    assert read("a,b").list("NAME") == ["a", "b"]
    assert read(json.dumps([{"a": 1}])).json("NAME") == [{"a": 1}]
    assert read("23:15")("NAME", cast=time.fromisoformat) == time(23, 15)
    assert read("Europe/Berlin")("NAME", cast=time_zone) == "Europe/Berlin"
    assert read("postgres://a:b@host:5432/name").db("NAME")["PORT"] == 5432


def test_a_list_is_read_without_the_spaces_around_its_commas(read):
    assert read(" a , b,, c ").list("NAME") == ["a", "b", "c"]
