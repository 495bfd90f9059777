"""What a link opens, for whom, and that nothing is left of what is over."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection as database
from django.test import Client
from django.urls import resolve, reverse
from django.utils import timezone

from oauth import mails
from oauth.limits import LIMITS
from oauth.models import Connection, ConsentAttempt, Link, Mail
from oauth.urls import urlpatterns
from tenants.admin.archiving import archive_registrations, archive_tenants
from tenants.models import AppRegistration, Credential, Event, RedirectURI, Tenant
from tests.factories import make_connection, make_link, make_tenant
from tests.oauth.consenting import World, another_address, come_back, consent, go, press


def sealed(table: str, column: str) -> list[str]:
    """What the database holds, byte for byte."""
    with database.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL")
        return [str(row[0]) for row in cursor.fetchall()]


def everything() -> dict[str, list[Any]]:
    models = (Connection, ConsentAttempt, Link, Mail, Event)
    return {model.__name__: list(model._default_manager.order_by("pk").values_list()) for model in models}


# Scanners


def test_fifty_looks_of_scanners_start_and_use_nothing(world: World) -> None:
    for number in range(50):
        scanner = Client(**another_address(number))
        look = scanner.head if number % 2 else scanner.get
        opened = look(f"/c/{world.token}/")
        assert opened.status_code == 303
        for path in ("", "start/", "approve/", "hand-on/", "told/", "disconnect/"):
            look(f"/connect/{world.link.public_id}/{path}")
    link = Link.objects.get()
    assert (link.uses, link.opens, ConsentAttempt.objects.count()) == (0, 25, 0)
    assert world.microsoft.token_requests() == []

    assert consent(Client(), world).outcome == "connected"


def test_scanners_of_a_notice_disconnect_nobody(world: World) -> None:
    connection = consent(Client(), world).connection
    token = Link.objects.get(purpose=Link.Purpose.DISCONNECT).give_token()
    for number in range(50):
        scanner = Client(**another_address(number))
        look = scanner.head if number % 2 else scanner.get
        look(f"/c/{token}/", follow=True)
        link = Link.objects.get(purpose=Link.Purpose.DISCONNECT)
        look(f"/connect/{link.public_id}/disconnect/")

    connection.refresh_from_db()
    assert (connection.disconnected_at, connection.refresh_token is None) == (None, False)


# Other people's


def test_no_address_of_another_link_or_attempt_opens_anything(world: World) -> None:
    owner, stranger = Client(), Client()
    go(owner, world)
    foreign = ConsentAttempt.objects.get()
    their_connection = make_connection(world.registration, tenant=world.link.tenant)
    theirs = [
        world.link,
        make_link(world.registration, purpose=Link.Purpose.APPROVAL, parent=world.link)[0],
        make_link(world.registration, purpose=Link.Purpose.RECONNECT, connection=their_connection)[0],
        make_link(world.registration, purpose=Link.Purpose.DISCONNECT, connection=their_connection)[0],
    ]
    own, token = make_link()
    stranger.get(f"/c/{token}/")
    before = everything()
    for link in theirs:
        for path in ("", "start/", "approve/", "hand-on/", "told/", "disconnect/"):
            for method in (stranger.get, stranger.post):
                response = method(f"/connect/{link.public_id}/{path}", {"text": "AADSTS65001"})
                assert response.status_code == (404 if path or method == stranger.get else 405), path
                assert world.link.tenant.name not in response.content.decode()
    for path in ("", "rest/"):
        for method in (stranger.get, stranger.post):
            assert method(f"/connect/attempt/{foreign.pk}/{path}").status_code in (404, 405)
    assert own.public_id not in [link.public_id for link in theirs]
    assert everything() == before


def test_a_link_does_nothing_but_what_it_is_for(world: World) -> None:
    connection = make_connection(world.registration, tenant=world.link.tenant)
    does = {
        Link.Purpose.CONSENT: {"start", "approve", "hand-on", "told"},
        Link.Purpose.RECONNECT: {"start", "approve", "hand-on", "told"},
        Link.Purpose.APPROVAL: {"approve", "hand-on", "told"},
        Link.Purpose.DISCONNECT: {"disconnect"},
    }
    for purpose, allowed in does.items():
        needs_one = purpose in (Link.Purpose.RECONNECT, Link.Purpose.DISCONNECT)
        link, token = make_link(world.registration, purpose=purpose, connection=connection if needs_one else None)
        browser = Client()
        browser.get(f"/c/{token}/")
        for path in ("start", "approve", "hand-on", "told", "disconnect"):
            status = browser.post(f"/connect/{link.public_id}/{path}/").status_code
            assert (status != 404) is (path in allowed), (purpose, path, status)


def test_a_connection_is_never_named_by_the_browser(world: World) -> None:
    foreign = make_connection(tenant=make_tenant())
    before = sealed("oauth_connection", "refresh_token")
    client = Client()
    client.get(f"/c/{world.token}/")
    named = {"connection": str(foreign.pk), "connection_id": str(foreign.pk), "tenant": str(foreign.tenant_id)}
    start = client.post(f"/connect/{world.link.public_id}/start/", named)
    come_back(client, world.sign_in(start.headers["Location"]) | named)

    assert ConsentAttempt.objects.get().connection_id != foreign.pk
    assert before[0] in sealed("oauth_connection", "refresh_token")


# Over is over


def test_disconnecting_leaves_no_token_and_no_second_use(world: World) -> None:
    consent(Client(), world)
    link = Link.objects.get(purpose=Link.Purpose.DISCONNECT)
    [token] = sealed("oauth_connection", "refresh_token")
    owner = Client()
    owner.get(f"/c/{link.give_token()}/")
    for _ in range(2):
        assert owner.post(f"/connect/{link.public_id}/disconnect/").status_code == 200

    assert sealed("oauth_connection", "refresh_token") == []
    assert Connection.objects.get().disconnected_at
    assert Event.objects.filter(verb="disconnected").count() == 1
    assert token not in str(everything())


def test_disconnecting_needs_the_forms_token(world: World) -> None:
    consent(Client(), world)
    link = Link.objects.get(purpose=Link.Purpose.DISCONNECT)
    owner = Client(enforce_csrf_checks=True)
    owner.get(f"/c/{link.give_token()}/")

    assert owner.post(f"/connect/{link.public_id}/disconnect/").status_code == 403
    assert Connection.objects.get().refresh_token is not None


def test_a_disconnected_mailbox_can_be_connected_again_by_its_owner_only_at_microsoft(world: World) -> None:
    Link.objects.update(max_uses=2)
    first = consent(Client(), world).connection
    Connection.objects.all().disconnect()

    again = consent(Client(), world).connection

    assert (again.pk, again.disconnected_at) == (first.pk, None)
    assert Mail.objects.filter(kind=Mail.Kind.NOTICE).count() == 2


@pytest.mark.parametrize("what", ["tenant", "registration"])
def test_archiving_leaves_no_secret_and_no_link(world: World, what: str) -> None:
    Link.objects.update(max_uses=3)
    browser = Client()
    attempt = consent(browser, world)
    waiting = world.sign_in(go(browser, world))
    held = [*sealed("oauth_connection", "refresh_token"), *sealed("tenants_credential", "value")]
    assert len(held) == 2
    tokens = {link: link.give_token() for link in Link.objects.all()}

    if what == "tenant":
        archive_tenants(Tenant.objects.all())
    else:
        archive_registrations(AppRegistration.objects.all())

    assert sealed("oauth_connection", "refresh_token") == []
    assert sealed("tenants_credential", "value") == []
    assert not Link.objects.usable().exists()
    for link, token in tokens.items():
        assert Client().get(f"/c/{token}/").status_code == 404, link
    come_back(browser, waiting)
    assert ConsentAttempt.objects.latest("created_at").outcome == "rejected"
    assert sealed("oauth_connection", "refresh_token") == []
    assert (attempt.outcome, Event.objects.filter(verb="connected").count()) == ("connected", 1)
    assert Credential.objects.count() == 1


def test_a_new_token_ends_the_one_before(world: World) -> None:
    browser = Client()
    browser.get(f"/c/{world.token}/")
    Link.objects.get().give_token()

    assert Client().get(f"/c/{world.token}/").status_code == 404
    assert press(browser, world.link).status_code == 404


def test_a_revoked_link_takes_those_it_was_handed_on_by_along(world: World) -> None:
    _, token = make_link(world.registration, purpose=Link.Purpose.APPROVAL, parent=world.link)
    Link.objects.filter(pk=world.link.pk).update(revoked_at=timezone.now())

    assert Client().get(f"/c/{token}/").status_code == 404


def test_a_token_is_too_long_to_guess_and_kept_as_a_digest(world: World) -> None:
    tokens = {make_link(world.registration)[1] for _ in range(100)}

    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 43  # 256 bits
    assert not tokens & set(Link.objects.values_list("token_digest", flat=True))


# The mailbox hears of it


def test_the_mailbox_hears_of_every_consent_with_a_way_to_end_it(world: World) -> None:
    consent(Client(), world)

    mail = Mail.objects.get(kind=Mail.Kind.NOTICE)
    text = str(mails.message_of(mail).body)
    assert mail.address == "ada@contoso.example"
    assert "Example Mail" in text
    assert world.link.tenant.name in text
    assert "Changing your password does not end the access" in text
    address = text.partition("disconnect it here:")[2].split()[0]
    assert Client().get(address.removeprefix("http://localhost:8000")).status_code == 303


def test_nobody_hears_of_a_consent_that_came_to_nothing(world: World) -> None:
    consent(Client(), world, "decline")

    assert not Mail.objects.filter(kind=Mail.Kind.NOTICE).exists()


# The way back to a product


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "https://app.example",
        "https://app.example/done/",
        "https://app.example/DONE",
        "https://app.example/done?x=1",
        "https://app.example/done#x",
        "https://app.example:443/done",
        "http://app.example/done",
        "https://app.example.evil.example/done",
        "https://app.example@evil.example/done",
        "https://app.example/done/../evil",
        "https://app.example/%64one",
        "https://app.example\\done",
        "//evil.example",
        "/a\t//evil",
        "/%5cevil.com",
        "\\\\evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://app.example/done ",
        " https://app.example/done",
        "https://app.example/done\r\nX: y",
        "https:/app.example/done",
        "https:app.example/done",
        "app.example/done",
    ],
)
def test_nobody_is_sent_to_an_address_that_is_not_authorized_to_the_letter(world: World, address: str) -> None:
    RedirectURI.objects.create(registration=world.registration, uri="https://app.example/done")
    Link.objects.update(return_url=address)
    client = Client()
    attempt = consent(client, world)

    response = client.get(f"/connect/attempt/{attempt.pk}/", {"next": address, "return_url": address, "to": address})

    assert (attempt.outcome, response.status_code) == ("connected", 200)
    assert "Refresh" not in response.headers
    assert "evil" not in response.content.decode()


def test_an_authorized_address_gets_the_outcome_and_nothing_secret(world: World) -> None:
    RedirectURI.objects.create(registration=world.registration, uri="https://app.example/done?a=1")
    Link.objects.update(return_url="https://app.example/done?a=1")
    client = Client()
    attempt = consent(client, world)

    response = client.get(f"/connect/attempt/{attempt.pk}/")

    told = f"https://app.example/done?a=1&status=connected&connection={attempt.connection_id}"
    assert response.headers["Refresh"] == f"10; url={told}"


def test_an_address_that_was_taken_away_meanwhile_is_not_gone_to(world: World) -> None:
    uri = RedirectURI.objects.create(registration=world.registration, uri="https://app.example/done")
    Link.objects.update(return_url=uri.uri)
    client = Client()
    attempt = consent(client, world)
    uri.delete()

    assert "Refresh" not in client.get(f"/connect/attempt/{attempt.pk}/").headers


# Too much of it


def test_two_hundred_opens_a_minute_from_one_address_are_too_many(world: World, time_machine: Any) -> None:
    time_machine.move_to(timezone.now().replace(second=1, microsecond=0), tick=False)
    statuses = [Client().get(f"/c/{world.token}/").status_code for _ in range(200)]

    assert statuses == [303] * LIMITS["open"] + [429] * (200 - LIMITS["open"])
    assert Client(**another_address(1)).get(f"/c/{world.token}/").status_code == 303


DOORS = [
    ("open", "get", "/c/unknown/"),
    ("start", "post", "/connect/{id}/start/"),
    ("start", "post", "/connect/{id}/approve/"),
    ("start", "post", "/connect/attempt/{id}/rest/"),
    ("callback", "post", "/oauth/callback/sandbox/"),
    ("callback", "get", "/oauth/callback/sandbox/"),
    ("told", "post", "/connect/{id}/told/"),
    ("hand_on", "post", "/connect/{id}/hand-on/"),
    ("hand_on", "post", "/connect/{id}/administrator/"),
    ("disconnect", "post", "/connect/{id}/disconnect/"),
    ("secret", "post", "/connect/{id}/secret/"),
]


def test_every_public_door_that_takes_something_is_among_those_that_are_tried(db: None) -> None:
    filled_in = {"token": "unknown", "public_id": uuid4(), "attempt_id": uuid4(), "cloud_key": "sandbox"}

    def takes(pattern: Any) -> bool:
        fields = {name: filled_in[name] for name in pattern.pattern.converters}
        return bool(Client().post(reverse(f"oauth:{pattern.name}", kwargs=fields)).status_code != 405)

    doors = {pattern.name for pattern in urlpatterns if pattern.name and takes(pattern)}
    assert doors == {resolve(path.format(id=uuid4())).url_name for _, method, path in DOORS if method == "post"}


@pytest.mark.parametrize(("bucket", "method", "path"), DOORS)
def test_every_public_door_has_its_limit(db: None, time_machine: Any, bucket: str, method: str, path: str) -> None:
    time_machine.move_to(timezone.now().replace(second=1, microsecond=0), tick=False)
    address = path.format(id=uuid4())

    def ask(**environ: str) -> int:
        return int(getattr(Client(**environ), method)(address).status_code)

    assert 429 not in {ask() for _ in range(LIMITS[bucket])}
    assert ask() == 429
    assert ask(HTTP_X_FORWARDED_FOR="192.0.2.77") == 429, "a made-up address gains nothing"
    assert ask(REMOTE_ADDR="192.0.2.77") != 429, "and locks its owner out of nothing"
