from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from monitoring.models import Finding
from oauth.models import Connection, ConsentAttempt, Link
from tenants.models import AppRegistration, Credential, ScopeSelection, Tenant
from tests.factories import make_link, make_registration, make_tenant
from tests.oauth.consenting import come_back, consent, go, press, text_of


@pytest.fixture
def opened(db, client):
    """A link that this client has opened."""
    link, token = make_link(make_registration(make_tenant("Contoso Ltd"), name="Example Sync"))
    client.get(f"/c/{token}/")
    return link


# The link


def test_a_link_leads_to_a_clean_address(db, client):
    link, token = make_link()

    response = client.get(f"/c/{token}/")

    assert (response.status_code, response.headers["Location"]) == (303, f"/connect/{link.public_id}/")
    assert token not in str(response.headers) + str(response.cookies)


def test_a_link_works_without_its_last_slash(db, client):
    link, token = make_link()

    assert client.get(f"/c/{token}").headers["Location"] == f"/connect/{link.public_id}/"


def test_opening_counts(db, client):
    link, token = make_link()

    client.get(f"/c/{token}/")
    client.get(f"/c/{token}/")

    link.refresh_from_db()
    assert link.opens == 2
    assert timezone.now() - link.last_opened_at < timedelta(minutes=1)


@pytest.mark.parametrize(
    "look",
    [
        lambda client, path: client.head(path),
        lambda client, path: client.get(path, headers={"sec-purpose": "prefetch;prerender"}),
        lambda client, path: client.get(path, headers={"purpose": "prefetch"}),
        lambda client, path: client.get(path, headers={"x-moz": "prefetch"}),
    ],
)
def test_looking_ahead_does_not_count(db, client, look):
    link, token = make_link()

    assert look(client, f"/c/{token}/").status_code == 303

    link.refresh_from_db()
    assert (link.opens, link.last_opened_at) == (0, None)


def test_fifty_scanners_leave_a_link_to_its_person(world):
    for number in range(50):
        scanner = Client()
        scanner.head(f"/c/{world.token}/") if number % 2 else scanner.get(f"/c/{world.token}/", follow=True)
    assert not ConsentAttempt.objects.exists()
    assert world.microsoft.token_requests() == []

    assert consent(Client(), world).outcome == "connected"


ENDED = {
    "expired": lambda link: Link.objects.update(expires_at=timezone.now()),
    "revoked": lambda link: Link.objects.update(revoked_at=timezone.now()),
    "used": lambda link: Link.objects.update(uses=1),
    "suspended": lambda link: Tenant.objects.update(suspended_at=timezone.now()),
    "archived tenant": lambda link: Tenant.objects.update(archived_at=timezone.now()),
    "archived registration": lambda link: AppRegistration.objects.update(archived_at=timezone.now()),
}


def without_dates(response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name != "Date"}


@pytest.mark.parametrize("ended", ENDED)
def test_no_link_that_ended_tells_why(db, client, ended):
    unknown = client.get("/c/unknown/")
    link, token = make_link()
    ENDED[ended](link)

    response = client.get(f"/c/{token}/")

    assert (response.status_code, response.content) == (404, unknown.content)
    assert without_dates(response) == without_dates(unknown)
    assert not response.cookies
    link.refresh_from_db()
    assert link.opens == 0


def test_a_page_about_an_ended_link_says_what_to_do(db, client):
    page = text_of(client.get("/c/unknown/"))

    assert "ask whoever sent it to you for a new link" in page
    assert "help@example.com" in page


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("ended", ENDED)
def test_a_link_that_ended_stays_shut_for_those_who_opened_it(opened, client, ended, method):
    ENDED[ended](opened)
    path = f"/connect/{opened.public_id}/" if method == "get" else f"/connect/{opened.public_id}/start/"

    response = getattr(client, method)(path)

    assert (response.status_code, response.content) == (404, client.get("/c/unknown/").content)


# The landing page


def test_the_landing_page_says_who_asks_for_what(opened, client):
    page = text_of(client.get(f"/connect/{opened.public_id}/"))

    for words in ["Example Mail", "Contoso Ltd", "Example Sync", "Read your mail", "Continue with Microsoft"]:
        assert words in page
    assert f"{opened.expires_at:%B %Y}" in page


def test_the_landing_page_says_what_is_not_asked_for(opened, client):
    page = text_of(client.get(f"/connect/{opened.public_id}/"))
    withheld = page.partition("What they will not be able to do")[2].partition("What happens next")[0]

    for words in ["your password", "Change or delete your mail", "Send mail as you", "your calendars"]:
        assert words in withheld


@pytest.mark.parametrize(("scope", "is_told"), [("Mail.Send", True), ("SMTP.Send", False)])
def test_the_landing_page_says_when_an_administrator_may_be_needed(db, client, scope, is_told):
    link, token = make_link(make_registration(scopes=(scope,)))

    page = text_of(client.get(f"/c/{token}/", follow=True))

    assert ("let only an administrator allow" in page) is is_told


@pytest.mark.parametrize(
    ("audience", "work", "personal"),
    [
        ("AzureADMyOrg", True, False),
        ("AzureADandPersonalMicrosoftAccount", True, True),
        ("PersonalMicrosoftAccount", False, True),
    ],
)
def test_the_landing_page_says_how_to_withdraw(db, client, audience, work, personal):
    link, token = make_link(make_registration(audience=audience))

    page = text_of(client.get(f"/c/{token}/", follow=True))

    assert ("myapps.microsoft.com" in page, "account.microsoft.com" in page) == (work, personal)


@pytest.mark.parametrize(
    ("method", "path"), [("get", "/connect/{}/"), ("get", "/connect/{}/start/"), ("post", "/connect/{}/start/")]
)
def test_without_the_cookie_nothing_is_told(opened, method, path):
    response = getattr(Client(), method)(path.format(opened.public_id))

    assert response.status_code == 404
    assert "works only in the browser that opened the link" in text_of(response)
    assert "Contoso" not in text_of(response)
    assert "Example Sync" not in text_of(response)


def test_a_foreign_link_that_ended_looks_like_none_at_all(opened):
    stranger = Client()
    Link.objects.update(revoked_at=timezone.now())

    page = stranger.get(f"/connect/{opened.public_id}/")
    assert page.content == stranger.get(f"/connect/{uuid4()}/").content


def test_the_cookie_of_one_link_opens_no_other(opened, client):
    other, _ = make_link()
    name = f"link-{opened.public_id.hex}"
    client.cookies[f"link-{other.public_id.hex}"] = client.cookies[name].value

    assert client.get(f"/connect/{other.public_id}/").status_code == 404


def test_a_new_token_shuts_out_those_who_came_by_the_old_one(opened, client):
    Link.objects.filter(pk=opened.pk).update(token_digest="0" * 64)

    assert client.get(f"/connect/{opened.public_id}/").status_code == 404


@pytest.mark.parametrize("name", ["0", "1", "x", "0" * 32, "9" * 5000])
def test_no_name_of_a_link_breaks_the_page(db, client, name):
    assert client.get(f"/connect/{name}/").status_code == 404


# The button


def test_the_button_needs_the_forms_token(opened, client):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies.copy()

    response = strict.post(f"/connect/{opened.public_id}/start/")

    assert response.status_code == 403
    assert "could not be accepted" in text_of(response)


def test_reloading_the_buttons_address_leads_back_to_the_page(opened, client):
    response = client.get(f"/connect/{opened.public_id}/start/")

    assert (response.status_code, response.headers["Location"]) == (303, f"/connect/{opened.public_id}/")
    assert not ConsentAttempt.objects.exists()


def test_the_button_leads_to_microsoft(client, world, cloud):
    auth_uri = go(client, world)

    assert auth_uri.startswith(f"{cloud.sign_in_origin}/{world.directory['id']}/oauth2/v2.0/authorize?")
    assert "prompt=select_account" in auth_uri
    assert "prompt=consent" not in auth_uri


@pytest.mark.parametrize(
    "headers", [{"host": "localhost"}, {"x-forwarded-host": "evil.example"}, {"x-forwarded-proto": "https"}]
)
def test_no_header_moves_the_redirect_uri(client, world, headers):
    client.get(f"/c/{world.token}/")

    response = client.post(f"/connect/{world.link.public_id}/start/", headers=headers)

    assert "redirect_uri=http%3A%2F%2Flocalhost%3A8000%2Foauth%2Fcallback%2Fsandbox%2F&" in response.headers["Location"]


@pytest.mark.parametrize("path", ["/c/token/", "/connect/1/", "/oauth/callback/sandbox/"])
def test_a_foreign_host_is_refused_with_a_page(db, client, path):
    response = client.get(path, headers={"host": "evil.example"})

    assert response.status_code == 400
    assert "evil" not in text_of(response)


def test_every_scope_there_is_fits_into_the_address(client, world):
    for name in ["Mail.ReadWrite", "Mail.Send", "Calendar.ReadWrite", "Contacts.ReadWrite", "Tasks.ReadWrite"]:
        ScopeSelection.objects.create(registration=world.registration, scope=name)

    assert "Tasks.ReadWrite" in go(client, world)


def test_a_missing_secret_is_not_the_persons_fault_and_somebody_knows(client, world):
    Credential.objects.update(slot="")
    client.get(f"/c/{world.token}/")

    response = press(client, world.link)

    assert response.status_code == 503
    assert "not your fault" in text_of(response)
    assert "have been told" in text_of(response)
    assert 'class="button"' not in text_of(response)
    assert Finding.objects.open().get().kind == "no_secret"


def test_nobody_is_said_to_know_what_nobody_was_told(client, world):
    ScopeSelection.objects.all().delete()
    client.get(f"/c/{world.token}/")

    for response in (client.get(f"/connect/{world.link.public_id}/"), press(client, world.link)):
        assert response.status_code == 503
        assert "have been told" not in text_of(response)
        assert "Tell whoever sent you the link" in text_of(response)
    assert not Finding.objects.exists()


def test_a_silent_microsoft_asks_for_patience(client, world):
    world.microsoft.set_fault("down", grant_type="discovery")
    client.get(f"/c/{world.token}/")

    response = press(client, world.link)

    assert response.status_code == 503
    assert "does not answer" in text_of(response)
    assert not ConsentAttempt.objects.exists()


def test_too_many_tries_are_told(client, world):
    client.get(f"/c/{world.token}/")
    statuses = [press(client, world.link).status_code for _ in range(22)]

    assert statuses == [303] * 21 + [429]


# The answer


@pytest.mark.parametrize("method", ["head", "put", "delete", "options"])
def test_no_other_method_is_an_answer(client, world, method):
    fields = world.sign_in(go(client, world))

    response = getattr(client, method)("/oauth/callback/sandbox/", fields)

    assert (response.status_code, response.headers["Allow"]) == (405, "GET, POST")
    assert ConsentAttempt.objects.get().claimed_at is None
    assert come_back(client, fields).status_code == 303


def test_a_code_in_an_address_is_no_answer(client, world):
    fields = world.sign_in(go(client, world))

    assert client.get("/oauth/callback/sandbox/", fields).status_code == 400
    assert client.get("/oauth/callback/sandbox/", {"state": fields["state"], "error": "x"}).status_code == 400
    assert ConsentAttempt.objects.get().claimed_at is None
    assert come_back(client, fields).status_code == 303


def test_the_whole_way_passes_the_checks_against_forged_forms(world):
    strict = Client(enforce_csrf_checks=True)
    page = text_of(strict.get(f"/c/{world.token}/", follow=True))
    token = page.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    headers = {"origin": "http://testserver"}

    start = strict.post(f"/connect/{world.link.public_id}/start/", {"csrfmiddlewaretoken": token}, headers=headers)

    assert start.status_code == 303
    assert come_back(strict, world.sign_in(start.headers["Location"])).status_code == 303


def test_an_answer_of_nobody_says_how_to_start_again(db, client):
    response = come_back(client, {"state": "unknown", "code": "made-up"})

    assert response.status_code == 400
    assert "Open the link you were sent, in this browser" in text_of(response)


def test_who_answers_twice_is_shown_the_way_to_the_outcome(client, world):
    fields = world.sign_in(go(client, world))
    come_back(client, fields)

    response = come_back(client, fields)

    assert response.status_code == 400
    assert f"/connect/attempt/{ConsentAttempt.objects.get().pk}/" in text_of(response)


def test_the_address_after_the_answer_is_clean(client, world):
    fields = world.sign_in(go(client, world))

    response = come_back(client, fields)

    assert (response.status_code, response.headers["Location"]) == (
        303,
        f"/connect/attempt/{ConsentAttempt.objects.get().pk}/",
    )


def test_a_form_of_another_kind_is_no_answer(client, world):
    fields = world.sign_in(go(client, world))

    assert client.post("/oauth/callback/sandbox/", fields).status_code == 400  # multipart
    assert client.post("/oauth/callback/sandbox/", fields, content_type="application/json").status_code == 400
    assert ConsentAttempt.objects.get().claimed_at is None
    assert not Connection.objects.exists()
