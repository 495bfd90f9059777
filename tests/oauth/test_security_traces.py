"""What a consent leaves behind: no token, code or state in a table, a log, a task, a mail or a page."""

import json
import logging
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from celery.signals import before_task_publish
from django.db import DatabaseError, transaction
from django.db import connection as database
from django.test import Client, RequestFactory
from django.views.debug import ExceptionReporter

from config.logs import LOGGING, Lines, NoSecrets
from oauth import mails
from oauth.limits import LIMITS
from oauth.models import Connection, ConsentAttempt, Link, Mail
from tests.canary import find
from tests.oauth.consenting import FORM, World, another_address, approve, come_back, go, report, state_in


@pytest.fixture
def log() -> Iterator[StringIO]:
    """All that is logged, at the lowest level, as the site writes it."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(NoSecrets())
    handler.setFormatter(Lines())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def tasks() -> Iterator[list[str]]:
    """Every message that is handed to the broker, headers and all."""
    messages: list[str] = []

    def note(sender: str, body: Any, headers: Any, **kwargs: Any) -> None:
        messages.append(f"{sender} {body!r} {headers!r}")

    before_task_publish.connect(note, weak=False)
    yield messages
    before_task_publish.disconnect(note)


def tables() -> Iterator[tuple[str, bytes]]:
    for table in database.introspection.table_names():
        with database.cursor() as cursor:
            cursor.execute(f'SELECT * FROM "{table}"')
            yield f"table {table}", repr(cursor.fetchall()).encode()


def attempt_cookies(client: Client) -> dict[str, str]:
    return {
        f"cookie {number}": morsel.value.partition(".")[2]
        for number, (name, morsel) in enumerate(client.cookies.items())
        if "attempt-" in name
    }


def kept_for(attempt: ConsentAttempt) -> dict[str, str]:
    """Nonce and verifier, which only the sealed flow holds."""
    assert attempt.flow is not None
    flow = json.loads(attempt.flow.reveal("test"))
    return {name: flow[name] for name in ("nonce", "code_verifier", "state")}


def planted(world: World, client: Client, fields: dict[str, str], attempt: ConsentAttempt) -> dict[str, str]:
    secrets = {
        "link token": world.token,
        "client secret": world.secret["value"],
        "code": fields["code"],
        **kept_for(attempt),
        **attempt_cookies(client),
    }
    assert min(map(len, secrets.values())) >= 20
    return secrets


def pages_of(*responses: Any) -> Iterator[tuple[str, bytes]]:
    for response in responses:
        shown = {name: value for name, value in response.headers.items() if name != "Location"}
        yield f"answer {response.status_code}", repr(shown).encode() + response.content


def test_a_whole_consent_leaves_no_secret_anywhere(
    world: World, log: StringIO, tasks: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    client, stranger = Client(), Client()
    seen = [client.get(f"/c/{world.token}/", follow=True)]
    start = client.post(f"/connect/{world.link.public_id}/start/")
    fields = world.sign_in(start.headers["Location"])
    attempt = ConsentAttempt.objects.get()
    secrets = planted(world, client, fields, attempt)
    assert find(secrets, tables()) == []
    seen += [come_back(stranger, fields), client.get(f"/connect/attempt/{attempt.pk}/")]

    with django_capture_on_commit_callbacks(execute=True):
        seen.append(come_back(client, fields))
    seen += [come_back(client, fields), client.get(f"/connect/attempt/{attempt.pk}/"), client.get(f"/c/{world.token}/")]
    stored = Connection.objects.get().refresh_token
    assert stored is not None
    secrets["refresh token"] = stored.reveal("test")

    assert tasks
    assert '"message": "Not Found: /c/' in log.getvalue()
    sinks = [*tables(), *pages_of(*seen), ("log", log.getvalue().encode()), ("tasks", repr(tasks).encode())]
    assert find(secrets, sinks) == []


def test_an_approval_leaves_no_state_anywhere(
    world: World, log: StringIO, tasks: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    client = Client()
    secrets = {"state": state_in(approve(client, world)), "link token": world.token, **attempt_cookies(client)}
    fields = {"state": secrets["state"], "admin_consent": "True", "tenant": world.directory["id"]}
    with django_capture_on_commit_callbacks(execute=True):
        seen = [report(client, fields), report(client, fields), report(Client(), fields)]
    assert "Bad Request: /oauth/callback/sandbox/" in log.getvalue()

    sinks = [*tables(), *pages_of(*seen), ("log", log.getvalue().encode()), ("tasks", repr(tasks).encode())]
    assert find(secrets, sinks) == []


def test_what_waits_for_a_consent_to_spread_is_sealed(
    world: World, log: StringIO, tasks: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    client = Client()
    fields = world.sign_in(go(client, world))
    secrets = planted(world, client, fields, ConsentAttempt.objects.get())
    world.microsoft.set_fault(65001, grant_type="authorization_code")
    with django_capture_on_commit_callbacks(execute=True):
        come_back(client, fields)
    attempt = ConsentAttempt.objects.get()
    assert attempt.next_at is not None
    ConsentAttempt.objects.update(next_at=attempt.claimed_at)
    with django_capture_on_commit_callbacks(execute=True):
        client.get(f"/connect/attempt/{attempt.pk}/")

    assert any("try_again" in task for task in tasks)
    sinks = [*tables(), ("log", log.getvalue().encode()), ("tasks", repr(tasks).encode())]
    assert find(secrets, sinks) == []


def test_the_link_in_a_mail_is_kept_nowhere_else(world: World, log: StringIO, mailoutbox: list[Any]) -> None:
    mails.invite(world.link, subject="Please connect", text="Here:\n\n{link}\n")
    Mail.objects.update(address="ada@contoso.example")
    mails.send_due()
    [message] = mailoutbox
    token = message.body.partition("/c/")[2].split("/")[0]
    assert Link.objects.for_token(token) == world.link

    assert find({"link token": token}, [*tables(), ("log", log.getvalue().encode())]) == []


# When something breaks


class Broken:
    """A database that fails on these statements, with what they were given in its error, as databases do."""

    def __init__(self, statement: str) -> None:
        self.statement = statement

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if self.statement in sql:
            raise DatabaseError(f"cannot run {sql.partition(' ')[0]}")
        return execute(sql, params, many, context)


def test_an_error_while_an_answer_is_worked_on_tells_nothing(world: World, log: StringIO, mailoutbox: Any) -> None:
    client = Client(raise_request_exception=False)
    fields = world.sign_in(go(client, world))
    attempt = ConsentAttempt.objects.get()
    secrets = planted(world, client, fields, attempt)
    with database.execute_wrapper(Broken('INSERT INTO "oauth_connection"')):
        response = come_back(client, fields)

    assert response.status_code == 500
    assert (response.headers["Cache-Control"], response.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert "DatabaseError" in log.getvalue()
    assert mailoutbox == []
    sinks = [*pages_of(response), ("log", log.getvalue().encode())]
    assert find(secrets, sinks) == []


def test_an_error_while_a_link_is_opened_tells_nothing(world: World, log: StringIO, mailoutbox: Any) -> None:
    client = Client(raise_request_exception=False)
    with database.execute_wrapper(Broken('UPDATE "oauth_link"')):
        response = client.get(f"/c/{world.token}/")

    assert response.status_code == 500
    assert (response.headers["Cache-Control"], response.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert "Internal Server Error: /c/" in log.getvalue()
    assert mailoutbox == []
    sinks = [*pages_of(response), ("log", log.getvalue().encode())]
    assert find({"link token": world.token}, sinks) == []


# Logs


@pytest.mark.parametrize(
    "way",
    [
        "/c/{token}/",
        "/c/{token}",
        "/c/{token}.",
        "/c/{token}/?utm_source=mail",
        "//c//{token}/",
        "/c/{encoded}/",
        "/C/{token}/",
        "https://tenantry.example.com/c/{token}/",
        "/redirect?url=https%3A%2F%2Ftenantry.example.com%2Fc%2F{token}%2F",
        "/redirect?url=https%3a%2f%2ftenantry.example.com%2fc%2f{token}",
    ],
)
def test_no_spelling_of_a_links_address_brings_its_token_into_a_log(log: StringIO, way: str) -> None:
    token = "aB3_" + "-xY9_" * 8
    written = way.format(token=token, encoded=token.replace("_", "%5F").replace("-", "%2D"))

    # as gunicorn's access log and Django's do
    logging.getLogger("gunicorn.access").info('%(h)s "%(r)s" %(s)s "%(f)s"', {
        "h": "127.0.0.1", "r": f"GET {written} HTTP/1.1", "s": 404, "f": written,
    })  # fmt: skip
    logging.getLogger("django.request").warning("Not Found: %s", written, extra={"request": f"<GET '{written}'>"})

    assert log.getvalue().count("[redacted]") >= 2
    for part in (token, "xY9_", "xY9%5F"):
        assert part not in log.getvalue()


def test_every_handler_of_the_site_cleans_what_it_writes() -> None:
    assert LOGGING["handlers"]
    assert all(handler["filters"] == ["no_secrets"] for handler in LOGGING["handlers"].values())
    assert all(not logger.get("handlers") for logger in LOGGING["loggers"].values())


# Addresses


def test_an_answer_ends_at_an_address_without_code_or_state(world: World) -> None:
    client = Client()
    fields = world.sign_in(go(client, world))
    response = come_back(client, fields)
    after = client.get(response.headers["Location"])

    assert response.status_code == 303  # a 307 would carry the form along
    assert response.headers["Location"] == f"/connect/attempt/{ConsentAttempt.objects.get().pk}/"
    assert find({"code": fields["code"], "state": fields["state"]}, pages_of(response, after)) == []


def test_no_verifier_is_in_an_address_or_a_cookie(world: World) -> None:
    client = Client()
    address = go(client, world)
    verifier = kept_for(ConsentAttempt.objects.get())["code_verifier"]

    assert "code_verifier" not in parse_qs(urlsplit(address).query)
    assert (
        find({"verifier": verifier}, [("address", address.encode()), ("cookies", str(client.cookies).encode())]) == []
    )


def responses_with_a_token_in_their_address(world: World) -> dict[str, Any]:
    client = Client(raise_request_exception=False)
    token, public_id = world.token, world.link.public_id
    seen = {
        "opened": client.get(f"/c/{token}/"),
        "looked at": client.head(f"/c/{token}/"),
        "without slash": client.get(f"/c/{token}"),
        "mistyped": client.get(f"/c/{token}x/"),
        "no such page": client.get(f"/c/{token}/x/y"),
        "foreign host": client.get(f"/c/{token}/", headers={"host": "evil.example"}),
        "wrong method": client.post(f"/c/{token}/"),
        "by the callback, posted": come_back(client, urlencode({"state": token, "code": token})),
        "by the callback, in the address": report(client, {"state": token, "tenant": token}),
        "of another form": client.generic("POST", "/oauth/callback/sandbox/", b"x", content_type="text/plain"),
        "too many fields": client.get("/oauth/callback/sandbox/?" + "&".join(f"f{number}=x" for number in range(1100))),
        "too large": client.generic("POST", "/oauth/callback/sandbox/", b"a" * 3_000_000, content_type=FORM),
    }
    with transaction.atomic(), database.execute_wrapper(Broken('UPDATE "oauth_link"')):
        seen["broken"] = client.get(f"/c/{token}/")
    for number in range(2 * LIMITS["open"] + 2):  # of two minutes, if one passes meanwhile
        seen["too often"] = client.get(f"/c/{number}/")
        if seen["too often"].status_code == 429:
            break
    assert seen["too often"].status_code == 429
    seen["handed on"] = client.post(f"/connect/{public_id}/hand-on/")
    return seen


def test_no_page_with_a_token_in_its_address_is_kept_or_told_of(world: World) -> None:
    for name, response in responses_with_a_token_in_their_address(world).items():
        assert "no-store" in response.headers["Cache-Control"], name
        assert response.headers["Referrer-Policy"] == "no-referrer", name


def test_no_page_for_people_outside_can_be_framed_or_loads_from_elsewhere(world: World) -> None:
    client = Client(**another_address(1))
    seen = responses_with_a_token_in_their_address(world)
    seen["landing"] = client.get(f"/c/{world.token}/", follow=True)
    seen["start"] = client.post(f"/connect/{world.link.public_id}/start/")
    attempt = ConsentAttempt.objects.get()
    seen["waiting"] = client.get(f"/connect/attempt/{attempt.pk}/")
    come_back(client, world.sign_in(seen["start"].headers["Location"]))
    seen["outcome"] = client.get(f"/connect/attempt/{attempt.pk}/")
    for name, response in seen.items():
        policy = response.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy, name
        assert "default-src 'none'" in policy, name
        assert "unsafe" not in policy, name
        for place in ('src="http', 'src="//', "<script>", " style="):
            assert place not in response.content.decode(), name


def shown_of_our_views(failure: pytest.ExceptionInfo[BaseException]) -> list[str]:
    """What an error report shows of the variables in our views."""
    frames = ExceptionReporter(RequestFactory().get("/"), *failure._excinfo).get_traceback_frames()
    return [repr(frame["vars"]) for frame in frames if "/oauth/views/" in frame["filename"]]


def test_an_error_report_hides_the_token_of_the_link_that_was_opened(client: Client, world: World) -> None:
    def gone(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith('UPDATE "oauth_link"'):
            raise DatabaseError
        return execute(sql, *rest)

    with database.execute_wrapper(gone), pytest.raises(DatabaseError) as caught:
        client.get(f"/c/{world.token}/")

    shown = shown_of_our_views(caught)
    assert len(shown) >= 2
    assert [each for each in shown if world.token in each] == []


def test_an_error_report_hides_the_token_of_the_link_that_is_handed_on(client: Client, world: World, settings) -> None:
    client.get(f"/c/{world.token}/")
    del settings.SUPPORT_EMAIL

    with pytest.raises(AttributeError) as caught:
        client.post(f"/connect/{world.link.public_id}/hand-on/")

    shown = shown_of_our_views(caught)
    assert len(shown) >= 2
    assert [each for each in shown if re.search(r"/c/[\w-]{20}", each)] == []
