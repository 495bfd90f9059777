"""What is true of every page that people outside see."""

from typing import Any

from django.test import Client

from oauth.models import ConsentAttempt
from tests.factories import make_link
from tests.oauth.consenting import World, come_back, press


def pages(client: Client, world: World) -> dict[str, Any]:
    """One response of every kind these views give."""
    seen: dict[str, Any] = {
        "unknown link": client.get("/c/unknown/"),
        "link": client.get(f"/c/{world.token}/"),
        "landing": client.get(f"/connect/{world.link.pk}/"),
        "elsewhere": Client().get(f"/connect/{world.link.pk}/"),
        "start": press(client, world.link),
        "reloaded start": client.get(f"/connect/{world.link.pk}/start/"),
        "waiting": client.get(f"/connect/attempt/{ConsentAttempt.objects.get().pk}/"),
        "callback by GET": client.get("/oauth/callback/sandbox/"),
        "unmatched": come_back(client, {"state": "x", "code": "x"}),
        "csrf": Client(enforce_csrf_checks=True).post(f"/connect/{world.link.pk}/start/"),
        "not found": client.get("/c/a/b/c"),
    }
    fields = world.sign_in(seen["start"].headers["Location"])
    seen["callback"] = come_back(client, fields)
    seen["outcome"] = client.get(seen["callback"].headers["Location"])
    return seen


def test_no_page_is_kept_or_told_of_or_framed(client, world):
    for name, response in pages(client, world).items():
        policy = response.headers["Content-Security-Policy"]
        referrer = "same-origin" if name == "landing" else "no-referrer"
        assert response.headers["Cache-Control"] == "no-store", name
        assert response.headers["Referrer-Policy"] == referrer, name
        assert "frame-ancestors 'none'" in policy, name
        assert "script-src 'self'" in policy, name
        assert "unsafe" not in policy, name
        assert response.headers["X-Frame-Options"] == "DENY", name


def test_only_the_landing_page_may_lead_elsewhere(client, world, cloud):
    for name, response in pages(client, world).items():
        actions = response.headers["Content-Security-Policy"].partition("form-action ")[2].partition(";")[0]
        assert actions == (f"'self' https: {cloud.sign_in_origin}" if name == "landing" else "'self'"), name


def test_a_landing_page_of_a_real_cloud_allows_no_plain_http(db, client):
    _, token = make_link()
    policy = client.get(f"/c/{token}/", follow=True).headers["Content-Security-Policy"]

    assert "form-action 'self' https:;" in policy + ";"


def test_no_page_holds_a_token_or_loads_from_elsewhere(client, world):
    for name, response in pages(client, world).items():
        page = response.content.decode()
        assert world.token not in page, name
        assert "http://" not in page, name
        assert "https://" not in page, name
        assert "<script" not in page, name
        assert " style=" not in page, name


def test_every_page_has_a_title_a_heading_and_a_language(client, world):
    for name, response in pages(client, world).items():
        page = response.content.decode()
        if response.status_code != 303:
            assert page.count("<h1>") == 1, name
            assert '<html lang="en">' in page, name
            assert "<title></title>" not in page, name


def test_pages_ask_the_database_little(client, world, django_assert_max_num_queries):
    with django_assert_max_num_queries(2):
        client.get(f"/c/{world.token}/")
    with django_assert_max_num_queries(3):
        client.get(f"/connect/{world.link.pk}/")
    with django_assert_max_num_queries(6):
        location = press(client, world.link).headers["Location"]
    fields = world.sign_in(location)
    with django_assert_max_num_queries(0):
        come_back(client, {"code": "x"})
    with django_assert_max_num_queries(1):
        come_back(client, {"state": "x", "code": "x"})
    with django_assert_max_num_queries(30):
        response = come_back(client, fields)
    with django_assert_max_num_queries(2):
        client.get(response.headers["Location"])


def test_no_page_opens_a_session(client, world):
    for name, response in pages(client, world).items():
        assert "sessionid" not in response.cookies, name
