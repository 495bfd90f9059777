"""Who answers: another cloud's or directory's word counts for nothing, and the code goes to nobody else."""

from uuid import uuid4

import pytest
from django.test import Client

from oauth.attempts import CannotStart
from oauth.consent import start
from oauth.models import AdminGrant, Connection, ConsentAttempt
from tenants import clouds
from tenants.clouds import Cloud
from tests.factories import make_credential, make_link, make_registration
from tests.oauth.consenting import World, another_address, come_back, consent, go
from tests.oauth.tls_server import tls_server

ELSEWHERE = str(uuid4())

HOSTILE = [
    "evil.example:443",
    "evil.example/contoso.example",
    "//evil.example",
    "https://evil.example",
    "http://evil.example",
    "contoso.example@evil.example",
    "@evil.example",
    "user:word@evil.example",
    "contoso.example#evil",
    "contoso.example?evil=1",
    "contoso.example;evil",
    "contoso.example\\@evil.example",
    "..",
    "../evil.example",
    "contoso.example/../evil",
    "%2e%2e",
    "contoso.example%2Fevil",
    "%40evil.example",
    "contoso%00.example",
    "contoso.example\r\nHost: evil.example",
    "contoso.example\n",
    " contoso.example",
    "contoso .example",
    "127.0.0.1",
    "2130706433",
    "[::1]",
    "::1",
    "localhost",
    "contoso\u3002example",
    "contoso\uff0eexample",
    "contoso.ex\u0430mple",
    "contoso..example",
    ".contoso.example",
    "contoso.example.",
    "-contoso.example",
    "a" * 64 + ".example",
    "a" * 253,
    "adfs",
    "b2c_1_signin",
    "tfp",
    "{tenantid}",
    ELSEWHERE + "/x",
    ELSEWHERE[:-1],
    "javascript:alert(1)",
    "contoso.example'--",
    "<script>",
]


def ended() -> tuple[str, str]:
    attempt = ConsentAttempt.objects.get()
    return attempt.outcome, attempt.fault_kind


# In the answer (RFC 9207)


@pytest.mark.parametrize(
    "issuer",
    [
        "https://evil.example/{tid}/v2.0",
        "https://login.microsoftonline.com/{tid}/v2.0",
        "{own}/",
        "{own}x",
        "http{own_without_scheme}",
        "{of_another_directory}",
    ],
)
def test_a_foreign_issuer_in_the_answer_gets_no_code(world: World, cloud: Cloud, issuer: str) -> None:
    client, own = Client(), cloud.issuer(world.directory["id"])
    words = {
        "tid": world.directory["id"],
        "own": own,
        "own_without_scheme": own.removeprefix("https"),
        "of_another_directory": cloud.issuer(ELSEWHERE),
    }
    fields = world.sign_in(go(client, world))

    come_back(client, fields | {"iss": issuer.format(**words)})

    assert ended() == ("rejected", "iss")
    assert (world.redemptions(), Connection.objects.count()) == ([], 0)


@pytest.mark.parametrize(
    "issuer", ["https://evil.example/{tid}/v2.0", "{host}/{tid}/v2.0/", "{host}/x/v2.0", "{host}/{tid}/{tid}/v2.0"]
)
def test_a_foreign_issuer_gets_no_code_where_many_directories_may_answer(
    open_world: World, cloud: Cloud, issuer: str
) -> None:
    client, tid = Client(), open_world.directory["id"]
    fields = open_world.sign_in(go(client, open_world))

    come_back(client, fields | {"iss": issuer.format(tid=tid, host=f"https://{cloud.login_host}")})

    assert ended() == ("rejected", "iss")
    assert (open_world.redemptions(), Connection.objects.count()) == ([], 0)


def test_the_own_issuer_in_the_answer_is_welcome(world: World, cloud: Cloud) -> None:
    client = Client()
    fields = world.sign_in(go(client, world))

    come_back(client, fields | {"iss": cloud.issuer(world.directory["id"])})

    assert ended() == ("connected", "")


# In the id_token


@pytest.mark.parametrize(
    "issuer",
    [
        "https://login.microsoftonline.com/{tid}/v2.0",
        "https://login.partner.microsoftonline.cn/{tid}/v2.0",
        "https://evil.example/{tid}/v2.0",
        "{of_another_directory}",
        "",
    ],
)
def test_an_account_vouched_for_by_somebody_else_is_refused(world: World, cloud: Cloud, issuer: str) -> None:
    named = issuer.format(tid=world.directory["id"], of_another_directory=cloud.issuer(ELSEWHERE))
    world.microsoft.set_fault("id_token", change={"iss": named})

    consent(Client(), world)

    assert ended() == ("rejected", "iss")
    assert Connection.objects.count() == 0


def test_a_directory_cannot_name_itself_another(open_world: World) -> None:
    open_world.microsoft.set_fault("id_token", change={"tid": ELSEWHERE})

    consent(Client(), open_world)

    assert ended() == ("rejected", "iss")
    assert Connection.objects.count() == 0


# Where a secret would be sent


@pytest.fixture
def watched(tmp_path, settings, site_url, db):
    """A cloud on loopback that notes every request."""
    with tls_server(tmp_path) as server:
        row = {
            "key": "watched",
            "name": "Watched",
            "login_host": server.host,
            "graph_host": server.host,
            "outlook_host": None,
            "portal_host": None,
            "ca_file": server.ca_file,
            "browser_origin": None,
            "sandbox": True,
        }
        settings.EXTRA_CLOUDS = [row]
        assert clouds.cloud("watched").login_host == server.host
        yield server


def press_everything(link, number) -> list[int]:
    browser = Client(**another_address(number))
    token = link.give_token()
    browser.get(f"/c/{token}/")
    return [browser.post(f"/connect/{link.public_id}/{button}/").status_code for button in ("start", "approve")]


@pytest.mark.parametrize("where", ["registration", "link"])
def test_no_hostile_directory_is_asked_for_anything(watched, where) -> None:
    assert len(HOSTILE) >= 30
    for number, directory in enumerate(HOSTILE):
        registration = make_registration(
            cloud="watched",
            audience="AzureADMultipleOrgs",
            directory=directory if where == "registration" else "",
        )
        make_credential(registration)
        link, _ = make_link(registration, expected_directory=directory if where == "link" else "")
        if where == "registration":
            type(registration).objects.filter(pk=registration.pk).update(audience="AzureADMyOrg")
            link.registration.refresh_from_db()

        with pytest.raises(CannotStart) as caught:
            start(link)
        assert caught.value.kind == "tenant_not_found", directory
        assert press_everything(link, number) == [503, 503], directory
    assert watched.requests == []
    assert not ConsentAttempt.objects.exists()
    assert not AdminGrant.objects.exists()


def test_what_is_no_hostile_directory_is_asked(watched) -> None:
    registration = make_registration(cloud="watched", directory="contoso.example")
    make_credential(registration)
    link, _ = make_link(registration)
    with pytest.raises(CannotStart):
        start(link)

    assert {request.path.split("/")[1] for request in watched.requests} == {"contoso.example"}
