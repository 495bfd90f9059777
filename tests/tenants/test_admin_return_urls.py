"""A registration's return URLs: one a line, to the letter, each refusal with its line and its reason."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission

from tenants.models import AppRegistration, Event, RedirectURI
from tests.factories import make_operator, make_registration, make_tenant

from .test_admin_registration import ADD, as_stored, errors, filled, page_of

pytestmark = pytest.mark.django_db

APP = "https://app.example.com/oauth/done"


@pytest.fixture
def registration(client) -> AppRegistration:
    tenant = make_tenant("Contoso")
    client.force_login(make_operator(tenants=(tenant,)))
    return make_registration(tenant, name="Contoso Mail")


def stored(registration: AppRegistration) -> list[str]:
    return list(RedirectURI.objects.filter(registration=registration, use="return").values_list("uri", flat=True))


def enter(client: Any, registration: AppRegistration, text: str) -> Any:
    return client.post(page_of(registration), as_stored(registration, return_urls=text))


@pytest.mark.parametrize(
    "uri",
    [
        APP,
        f"{APP}?from=Mail%20App&x=1",
        "https://APP.example.com:8443/Done/",
        "http://localhost:3000/done",
        "http://127.0.0.1/done",
        f"https://app.example.com/{'x' * 275}",
    ],
)
def test_a_return_url_is_kept_to_the_letter(client, registration, uri) -> None:
    assert enter(client, registration, f"  {uri}\r\n\r\n").status_code == 302
    assert stored(registration) == [uri]
    assert uri.replace("&", "&amp;") in client.get(page_of(registration)).content.decode()


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("http://app.example.com/done", "https://; http is for localhost"),
        ("http://localhost.example.com/done", "https://; http is for localhost"),
        ("app.example.com/done", "must begin with https:// and a host"),
        ("https:///done", "must begin with https:// and a host"),
        ("javascript:alert(1)", "must begin with https:// and a host"),
        ("https://app.example.com/#done", "no fragment"),
        ("https://ana:word@app.example.com/done", "no user name or password"),
        ("https://app.example.com@evil.example/done", "no user name or password"),
        ("https://*.example.com/done", "no wildcard"),
        ("https://app.example.com/a b", "no spaces"),
        ("https://app.example.com\\@evil.example/", "a character that a URL must write as %XX"),
        ("https://app.example.com/ü", "a character that a URL must write as %XX"),
        ("https://app.example.com:port/", "it is not a URL"),
        ("https://[::1/done", "it is not a URL"),
        (f"https://app.example.com/{'x' * 300}", "longer than 300 characters"),
    ],
)
def test_a_line_is_refused_by_its_number_and_with_the_reason(client, registration, uri, reason) -> None:
    found = errors(client, page_of(registration), as_stored(registration, return_urls=f"{APP}\n{uri}"))
    (words,) = found["return_urls"]
    assert words.startswith("Line 2, “")
    assert reason in words
    assert stored(registration) == []


def test_every_wrong_line_is_named(client, registration) -> None:
    text = f"ftp://one.example/\n{APP}\nhttps://two.example/#x"
    found = errors(client, page_of(registration), as_stored(registration, return_urls=text))["return_urls"]
    assert [words[:7] for words in found] == ["Line 1,", "Line 3,"]


def test_lines_come_and_go_and_history_has_both(client, registration) -> None:
    enter(client, registration, f"{APP}\n{APP}\nhttps://old.example/")
    assert stored(registration) == [APP, "https://old.example/"]
    enter(client, registration, f"{APP}\nhttps://new.example/")
    assert stored(registration) == [APP, "https://new.example/"]
    event = Event.objects.filter(verb="changed").first()
    assert event is not None
    assert event.changes == {"return urls": [[APP, "https://old.example/"], [APP, "https://new.example/"]]}


def test_what_stays_as_it_is_is_no_history(client, registration) -> None:
    enter(client, registration, APP)
    enter(client, registration, f"{APP}\n")
    assert Event.objects.filter(verb="changed").count() == 1


def test_a_new_registration_may_have_them_at_once(client, registration) -> None:
    client.post(ADD, filled(registration.tenant, name="Another", return_urls=APP))
    assert stored(AppRegistration.objects.get(name="Another")) == [APP]


def test_who_may_only_look_reads_them(client, registration) -> None:
    RedirectURI.objects.create(registration=registration, uri=APP)
    assert registration.tenant
    operator = make_operator(tenants=(registration.tenant,))
    operator.groups.get().permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(operator)
    page = client.get(page_of(registration)).content.decode()
    assert APP in page
    assert "<textarea" not in page
