from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from oauth.models import ConsentAttempt, Link
from tests.factories import make_link
from tests.oauth.consenting import come_back, go, press


def held(client: Client, kind: str) -> dict[str, object]:
    """Cookies that a browser would still send."""
    return {name: each for name, each in client.cookies.items() if kind in name and each["max-age"] != 0}


def test_the_cookie_of_a_link_is_not_its_token_and_ends_with_it(db, client):
    link, token = make_link()
    client.get(f"/c/{token}/")

    cookie = client.cookies[f"link-{link.public_id.hex}"]
    assert token not in cookie.value
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"], cookie["path"]) == (True, "Lax", "", "/")
    assert timedelta(days=13, hours=23) < timedelta(seconds=cookie["max-age"]) <= timedelta(days=14)


def test_the_cookie_of_an_attempt_comes_back_from_another_site(client, world):
    go(client, world)

    attempt = ConsentAttempt.objects.get()
    cookie = client.cookies[f"attempt-{attempt.pk.hex}"]
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"], cookie["path"]) == (True, "None", True, "/")
    assert (cookie["max-age"], cookie["domain"]) == (3600, "")


def test_on_https_no_other_host_can_plant_a_cookie(client, world, settings):
    settings.SITE_IS_HTTPS = True
    client.get(f"/c/{world.token}/", secure=True)
    press(client, world.link)

    attempt = ConsentAttempt.objects.get()
    for name in (f"__Host-link-{world.link.public_id.hex}", f"__Host-attempt-{attempt.pk.hex}"):
        cookie = client.cookies[name]
        assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")


def test_on_https_a_cookie_without_the_prefix_counts_for_nothing(client, world, settings):
    fields = world.sign_in(go(client, world))
    settings.SITE_IS_HTTPS = True

    assert client.get(f"/connect/{world.link.public_id}/").status_code == 404
    assert come_back(client, fields).status_code == 400


def test_a_browser_keeps_the_newest_five_attempts(client, world, time_machine):
    time_machine.move_to(timezone.now(), tick=False)
    for _ in range(7):
        time_machine.shift(timedelta(seconds=2))
        go(client, world)

    newest = {f"attempt-{pk.hex}" for pk in ConsentAttempt.objects.values_list("pk", flat=True)[:5]}
    assert set(held(client, "attempt-")) == newest


def test_a_browser_keeps_the_newest_ten_links(db, client, time_machine):
    time_machine.move_to(timezone.now(), tick=False)
    links = [make_link() for _ in range(12)]
    for _, token in links:
        time_machine.shift(timedelta(seconds=2))
        client.get(f"/c/{token}/")

    assert set(held(client, "link-")) == {f"link-{link.public_id.hex}" for link, _ in links[2:]}


def test_every_attempt_has_a_secret_of_its_own_kept_as_a_digest(client, world):
    Link.objects.update(max_uses=5)
    go(client, world)
    go(client, world)

    secrets = {each.value.partition(".")[2] for each in held(client, "attempt-").values()}
    assert len(secrets) == 2
    assert min(map(len, secrets)) >= 43
    assert not secrets & set(ConsentAttempt.objects.values_list("browser_digest", flat=True))


def test_a_planted_cookie_is_replaced_and_useless(client, world):
    client.cookies["attempt-" + "0" * 32] = "000000000001.planted"
    fields = world.sign_in(go(client, world))
    attempt = ConsentAttempt.objects.get()
    thief = Client()
    thief.cookies[f"attempt-{attempt.pk.hex}"] = "000000000001.planted"

    assert come_back(thief, fields).status_code == 400
    assert come_back(client, fields).status_code == 303


@pytest.mark.parametrize("change", ["value", "other link"])
def test_the_cookie_of_a_link_cannot_be_made_up(db, client, change):
    link, token = make_link()
    other, other_token = make_link()
    client.get(f"/c/{token}/")
    client.get(f"/c/{other_token}/")
    signed = client.cookies[f"link-{link.public_id.hex}"].value
    forged = signed[:-1] + ("A" if signed[-1] != "A" else "B") if change == "value" else signed
    client.cookies[f"link-{other.public_id.hex}"] = forged

    assert client.get(f"/connect/{other.public_id}/").status_code == 404
