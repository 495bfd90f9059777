"""Cypht's .env: every file is read back by Symfony's rules, as Cypht would read it."""

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tenants import dotenv
from tenants.exports import LEFT_OUT, CannotExport
from tenants.exports.cypht import CYPHT
from tenants.exports.values import Values, values_of
from tenants.models import AppRegistration, RedirectURI
from tests.factories import make_registration, make_secret, make_tenant
from tests.tenants.exporting import URI, end, exported, fresh, make_exportable, text_of, with_secret
from tests.tenants.symfony_dotenv import load

pytestmark = pytest.mark.django_db

NAMES = ["CLIENT_ID", "CLIENT_SECRET", "CLIENT_URI", "AUTH_URI", "TOKEN_URI", "REFRESH_URI"]
Audience = AppRegistration.Audience
LIVE = "https://login.live.com/oauth20"


def comments_of(text: str) -> str:
    """All comments as one line of words."""
    return " ".join(" ".join(re.findall(r"^#\s*(.*)$", text, re.M)).split())


def prefixed(prefix: str, *values: str) -> dict[str, str]:
    return {f"{prefix}{name}": value for name, value in zip(NAMES, values, strict=True)}


def outlook(app: AppRegistration, secret: str, uri: str = URI) -> dict[str, str]:
    return prefixed(
        "OUTLOOK_", app.client_id, secret, uri, f"{LIVE}_authorize.srf", f"{LIVE}_token.srf", f"{LIVE}_token.srf"
    )


def office365(app: AppRegistration, secret: str, directory: str, uri: str = URI, host: str = "") -> dict[str, str]:
    base = f"https://{host or 'login.microsoftonline.com'}/{directory}/oauth2/v2.0"
    return prefixed("OFFICE365_", app.client_id, secret, uri, f"{base}/authorize", f"{base}/token", f"{base}/token")


# Which service, and whose sign-in


def test_a_single_directory_is_office365_through_that_directory() -> None:
    secret = make_secret()
    app = make_exportable(secret=secret)
    assert load(text_of(with_secret(app, "cypht"))) == office365(app, secret, app.directory)


def test_many_directories_are_office365_through_organizations() -> None:
    secret = make_secret()
    app = make_exportable(secret=secret, audience=Audience.MULTIPLE_ORGS)
    assert load(text_of(with_secret(app, "cypht"))) == office365(app, secret, "organizations")


def test_personal_accounts_are_outlook_through_live_com() -> None:
    secret = make_secret()
    app = make_exportable(secret=secret, audience=Audience.PERSONAL)
    assert load(text_of(with_secret(app, "cypht"))) == outlook(app, secret)


def test_both_kinds_of_accounts_fill_both_services() -> None:
    secret = make_secret()
    app = make_exportable(secret=secret, audience=Audience.ANY)
    text = text_of(with_secret(app, "cypht"))
    assert load(text) == outlook(app, secret) | office365(app, secret, "common")
    assert "Personal accounts belong to OUTLOOK_ above, though “common” takes them." in comments_of(text)


@pytest.mark.parametrize(
    ("cloud", "host", "mailboxes"),
    [
        ("usgov_l4", "login.microsoftonline.us", "outlook.office365.us"),
        ("china", "login.partner.microsoftonline.cn", "partner.outlook.cn"),
    ],
)
def test_another_cloud_has_its_own_sign_in_and_mailboxes_where_cypht_does_not_look(
    cloud: str, host: str, mailboxes: str
) -> None:
    app = make_exportable(cloud=cloud)
    text = text_of(exported(app, "cypht"))
    assert load(text) == office365(app, LEFT_OUT, app.directory, host=host)
    assert f"those of this cloud are at {mailboxes}" in comments_of(text)


def test_a_cloud_of_ones_own_has_no_live_com(settings: Any) -> None:
    row = {"key": "own", "name": "Own", "login_host": "login.own.example", "graph_host": "graph.own.example"}
    settings.EXTRA_CLOUDS = [{**row, "browser_origin": "https://signin.own.example"}]
    read = load(text_of(exported(make_exportable(cloud="own", audience=Audience.PERSONAL), "cypht")))
    assert read["OUTLOOK_AUTH_URI"] == "https://signin.own.example/consumers/oauth2/v2.0/authorize"
    assert read["OUTLOOK_TOKEN_URI"] == "https://login.own.example/consumers/oauth2/v2.0/token"


def test_an_address_for_signing_in_with_a_question_mark_is_refused(settings: Any) -> None:
    row = {"key": "own", "name": "Own", "login_host": "login.own.example/?x=", "graph_host": "graph.own.example"}
    settings.EXTRA_CLOUDS = [row]
    with pytest.raises(CannotExport, match=r"OFFICE365_AUTH_URI would hold a \?"):
        exported(make_exportable(cloud="own"), "cypht")


@pytest.mark.parametrize(
    ("audience", "other", "accounts"),
    [
        (Audience.MY_ORG, "OUTLOOK_", "personal Microsoft accounts"),
        (Audience.PERSONAL, "OFFICE365_", "work and school accounts"),
    ],
)
def test_the_other_service_is_told_of(audience: str, other: str, accounts: str) -> None:
    told = comments_of(text_of(exported(make_exportable(audience=audience), "cypht")))
    assert f"{other}CLIENT_ID, {other}CLIENT_SECRET, {other}CLIENT_URI and the rest are not set" in told
    assert f"takes no {accounts}" in told
    assert "Missing required parameter: client_id" in told


def test_the_later_of_two_lines_counts_and_the_file_says_which_to_replace() -> None:
    text = text_of(exported(make_exportable(), "cypht"))
    assert "in the place of those with the same names in Cypht's .env: of two the later counts" in comments_of(text)
    assert "OFFICE365_CLIENT_ID" not in load(f"{text}\n# as in .env.example\nOFFICE365_CLIENT_ID=\n")


# The redirect URI


@pytest.mark.parametrize("uri", ["https://mail.example.com/?page=home", "http://localhost:8800/", f"{URI}a$b(c)!;=/"])
def test_a_redirect_uri_is_kept_to_the_letter(uri: str) -> None:
    assert load(text_of(exported(make_exportable(uris=(uri,)), "cypht")))["OFFICE365_CLIENT_URI"] == uri


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        (f"{URI}?page=home&x=1", "CLIENT_URI must hold no &"),
        (f"{URI}#home", "CLIENT_URI must hold no #"),
        (f"{URI}it's", "OFFICE365_CLIENT_URI: the value holds a single quote"),
    ],
)
def test_a_redirect_uri_that_cypht_would_break_is_refused(uri: str, reason: str) -> None:
    with pytest.raises(CannotExport) as caught:
        exported(make_exportable(uris=(uri,)), "cypht")
    assert reason in caught.value.reason
    assert "Choose another redirect URI" in caught.value.way_out


def test_without_a_redirect_uri_it_says_where_to_enter_one() -> None:
    with pytest.raises(CannotExport, match="no redirect URI of a product.*Redirect URIs of your products"):
        exported(make_exportable(uris=()), "cypht")


def test_a_return_url_is_no_redirect_uri() -> None:
    app = make_exportable(uris=())
    RedirectURI.objects.create(registration=app, use=RedirectURI.Use.RETURN, uri=URI)
    with pytest.raises(CannotExport, match="no redirect URI of a product"):
        exported(fresh(app), "cypht")


def test_of_several_redirect_uris_one_must_be_chosen() -> None:
    app = make_exportable(uris=(URI, "https://other.example.com/"))
    with pytest.raises(CannotExport, match=r"2 redirect URIs.*https://mail.example.com/, https://other.example.com/"):
        exported(app, "cypht")
    chosen = text_of(exported(app, "cypht", redirect_uri="https://other.example.com/"))
    assert load(chosen)["OFFICE365_CLIENT_URI"] == "https://other.example.com/"


def test_a_redirect_uri_of_nobody_is_refused() -> None:
    with pytest.raises(CannotExport, match="“https://evil.example/” is not among the redirect URIs"):
        exported(make_exportable(), "cypht", redirect_uri="https://evil.example/")


def test_a_query_string_is_warned_of_where_personal_accounts_sign_in() -> None:
    query = f"{URI}?page=home"
    words = "Entra takes no redirect URI with a query string where personal accounts may sign in"
    assert words in comments_of(text_of(exported(make_exportable(uris=(query,), audience=Audience.ANY), "cypht")))
    assert words not in comments_of(text_of(exported(make_exportable(uris=(query,)), "cypht")))


# What an operator must know


def test_the_comments_say_what_cypht_cannot_do() -> None:
    export = exported(make_exportable(), "cypht")
    told = comments_of(text_of(export))
    for words in (
        "always asks for the scope wl.imap",
        "needs a patch for work and school accounts",
        "does not renew sign-ins of Microsoft accounts",
        "the same state and no PKCE",
        "EWS signs in with user name and password",
        f"Register {URI} in Entra, under Authentication, platform Web",
        "set in the environment of the process already",
        "empty or 0 counts as not set",
        "must lead to Cypht's page “home”",
    ):
        assert words in told
    assert [warning for warning in export.warnings if warning not in told] == []


def test_personal_accounts_alone_need_no_patch() -> None:
    assert "patch" not in comments_of(text_of(exported(make_exportable(audience=Audience.PERSONAL), "cypht")))


@pytest.mark.parametrize(
    ("days", "words"), [(40, "The client secret ends on 20"), (-1, "The client secret ended on 20")]
)
def test_the_end_of_the_secret_is_told(days: float, words: str) -> None:
    app = end(make_exportable(), days)
    assert f"{words}" in comments_of(text_of(exported(app, "cypht")))
    assert f"{app.credentials.current().get().ends_at:%Y-%m-%d}" in text_of(exported(app, "cypht"))


def test_quotes_are_told_of_only_where_there_are_any() -> None:
    words = "docker run --env-file takes the quotes"
    assert words in text_of(with_secret(make_exportable(secret="not$a$real$secret"), "cypht"))
    assert words not in text_of(with_secret(make_exportable(), "cypht"))


def test_no_name_breaks_out_of_a_comment() -> None:
    tenant = make_tenant("Contoso\r\nOUTLOOK_CLIENT_ID=evil")
    app = make_exportable(tenant, name="x\nOFFICE365_CLIENT_URI=https://evil.example/\x85\u2028\x1b[2J#")
    text = text_of(exported(app, "cypht"))
    assert load(text) == office365(app, LEFT_OUT, app.directory)
    assert {line[0] for line in text.splitlines() if line} == {"#", "O"}
    assert text.startswith("# Cypht 2.x. x OFFICE365_CLIENT_URI=https://evil.example/ [2J# (Contoso OUTLOOK_CLIENT_ID=")


def test_the_process_wins_over_the_file() -> None:
    app = make_exportable()
    assert load(text_of(exported(app, "cypht")), OFFICE365_CLIENT_ID="other")["OFFICE365_CLIENT_ID"] == "other"


# Secrets of every kind


@pytest.mark.parametrize("secret", ["$HOME-and-more", "#begins-so", 'quo"ted-text', "back\\slash\\n", "a${b}c$(d)"])
def test_a_secret_comes_out_as_it_went_in(secret: str) -> None:
    app = make_exportable(secret=secret)
    assert load(text_of(with_secret(app, "cypht")))["OFFICE365_CLIENT_SECRET"] == secret


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("it's-no-secret", "holds a single quote"),
        ("ends-in-one-\\", "ends in a backslash"),
        ("two\nlines-of-it", "holds a line break"),
        ("two\rlines-of-it", "holds a line break"),
    ],
)
def test_a_secret_that_cannot_be_written_is_refused_by_name(secret: str, reason: str) -> None:
    with pytest.raises(CannotExport) as caught:
        with_secret(make_exportable(secret=secret), "cypht")
    assert f"OFFICE365_CLIENT_SECRET: the value {reason}" in caught.value.reason
    assert "Make a new client secret in Entra" in caught.value.way_out
    assert secret not in str(caught.value)


SECRETS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60)
URIS = st.text("abcz019-._~:/?[]@!$'()+,;=%", max_size=40).map(URI.__add__)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(secret=SECRETS, uri=URIS, audience=st.sampled_from(Audience.values))
@example(secret='a$b\\c#d "e', uri=f"{URI}?page=home", audience=Audience.ANY)
def test_whatever_is_offered_cypht_reads_as_it_was_meant(
    secret: str, uri: str, audience: str, imagined: AppRegistration
) -> None:
    imagined.audience = audience
    imagined.redirect_uris.all()[0].uri = uri
    made = values_of(imagined)
    try:
        export = CYPHT.write(Values(**{**vars(made), "client_secret": secret}))
    except CannotExport:
        assert {"'", "\r", "\n"} & set(secret + uri) or secret.endswith("\\")
        return
    read = load(text_of(export))
    for prefix, is_set in (
        ("OUTLOOK_", audience in (Audience.PERSONAL, Audience.ANY)),
        ("OFFICE365_", audience != Audience.PERSONAL),
    ):
        assert read.get(f"{prefix}CLIENT_SECRET") == (secret if is_set and secret != "0" else None)
        assert read.get(f"{prefix}CLIENT_URI") == (uri if is_set else None)
    assert dotenv.read(text_of(export)).keys() >= read.keys()


@pytest.fixture
def imagined() -> AppRegistration:
    return make_exportable()


def test_what_waits_to_be_registered_is_refused() -> None:
    app = fresh(make_registration(client_id=""))
    with pytest.raises(CannotExport, match=r"has no application \(client\) ID yet.*Register it in Entra"):
        exported(app, "cypht")
