"""Lint: each rule on a registration that breaks it and on one that keeps it."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from oauth.errors import CODES
from tenants.lint import LATER, LEVELS, NOTE, REFUSED, RULES, lint
from tenants.models import AppRegistration, Credential, RedirectURI, ScopeSelection
from tests.factories import make_credential, make_registration, make_secret

pytestmark = pytest.mark.django_db

ANY, MANY, PERSONAL = "AzureADandPersonalMicrosoftAccount", "AzureADMultipleOrgs", "PersonalMicrosoftAccount"
PERSONAL_DIRECTORY = "9188040d-6c67-4c5b-b112-36a304b66dad"
RETIRED_CLOUD = {"key": "old", "name": "Old cloud", "login_host": "login.microsoftonline.de", "graph_host": "g.example"}


def made(
    *, uris: tuple[str, ...] = (), days: float | None = 200, scopes: tuple[str, ...] = ("Mail.Send",), **fields: Any
) -> AppRegistration:
    """A registration with these product URIs and a secret that ends so; without days, no secret."""
    registration = make_registration(scopes=scopes, **fields)
    RedirectURI.objects.bulk_create(RedirectURI(registration=registration, use="product", uri=uri) for uri in uris)
    if days is not None:
        make_credential(registration, days_left=days)
    return registration


def kinds_of(registration: AppRegistration, **more: Any) -> set[str]:
    return {hint.rule.kind for hint in lint(AppRegistration.objects.get(pk=registration.pk), **more)}


@pytest.fixture(autouse=True)
def served_at(settings) -> None:
    settings.SITE_URL = "https://tenantry.example.com"


# kind: what breaks it, what comes nearest to it and keeps it
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "authority": ({"directory": ""}, {"directory": "contoso.example"}),
    "shared-single-tenant": ({"shared": True, "audience": "AzureADMyOrg"}, {"shared": True, "audience": MANY}),
    "directory-of-personal-accounts": ({"directory": PERSONAL_DIRECTORY}, {}),
    "personal-accounts-in-a-national-cloud": ({"cloud": "china", "audience": ANY}, {"cloud": "china"}),
    "name-too-long": ({"name": "x" * 91, "audience": PERSONAL}, {"name": "x" * 91}),
    "query-string-with-personal-accounts": (
        {"uris": ("https://mail.example.com/?page=home",), "audience": ANY},
        {"uris": ("https://mail.example.com/?page=home",)},
    ),
    "redirect-uri-character": (
        {"uris": ("https://mail.example.com/a(b)",)},
        {"uris": ("https://mail.example.com/a~b",)},
    ),
    "redirect-uri-too-long": (
        {"uris": (f"https://mail.example.com/{'x' * 232}",)},
        {"uris": (f"https://mail.example.com/{'x' * 231}",)},
    ),
    "redirect-uri-http": ({"uris": ("http://mail.example.com/",)}, {"uris": ("http://localhost:3000/",)}),
    "redirect-uri-ipv6-loopback": ({"uris": ("https://[::1]/",)}, {"uris": ("https://[::2]/",)}),
    "too-many-redirect-uris": (
        {"uris": tuple(f"https://mail{n}.example.com/" for n in range(100)), "audience": PERSONAL},
        {"uris": tuple(f"https://mail{n}.example.com/" for n in range(99)), "audience": PERSONAL},
    ),
    "mixed-resources": ({"scopes": ("Mail.Send", "SMTP.Send")}, {"scopes": ("SMTP.Send",)}),
    "no-host-for-imap": ({"scopes": ("SMTP.Send",), "cloud": "bare"}, {"cloud": "bare"}),
    "no-credential": ({"days": None}, {"days": None, "client_id": ""}),
    "secret-ended": ({"days": -1}, {"days": 1}),
    "retired-host": ({"cloud": "old"}, {"cloud": "bare"}),
    "directory-unknown": ({"directory": "", "audience": MANY}, {"directory": "", "audience": PERSONAL}),
    "secret-ends-soon": ({"days": 20}, {"days": 90}),
    "secret-lasts-too-long": ({"days": 1000}, {"days": 731}),
    "old-host": ({"cloud": "alias"}, {"cloud": "bare"}),
    "redirect-uri-without-path": ({"uris": ("https://mail.example.com",)}, {"uris": ("https://mail.example.com/",)}),
    "localhost-ports": (
        {"uris": ("http://localhost:1/a", "http://localhost:2/a")},
        {"uris": ("http://localhost:1/a", "http://localhost:2/b")},
    ),
    "nothing-ticked": ({"scopes": ()}, {}),
    "redundant-scope": ({"scopes": ("Mail.ReadOnly", "Mail.ReadWrite")}, {"scopes": ("Mail.ReadOnly", "Mail.Send")}),
    "users-may-not-grant": ({"scopes": ("Mail.ReadOnly",)}, {"scopes": ("SMTP.Send",)}),
    "unverified-publisher": ({"audience": MANY}, {"audience": MANY, "cloud": "china"}),
    "retired-protocol": ({"scopes": ("SMTP.Send",)}, {"scopes": ("IMAP.AccessAsUser.All",)}),
    "loopback-by-number": ({"uris": ("http://127.0.0.1/",)}, {"uris": ("http://localhost/",)}),
}
ELSEWHERE = {"secret-end-unknown", "no-room-for-another-secret", "retired-permission", "only-on-this-machine"}


@pytest.mark.parametrize("kind", sorted(CASES))
def test_a_rule_speaks_of_what_breaks_it_and_of_nothing_else(settings, kind) -> None:
    hosts = {"old": "login.microsoftonline.de", "alias": "login.chinacloudapi.cn", "bare": "login.example"}
    settings.EXTRA_CLOUDS = [{**RETIRED_CLOUD, "key": key, "login_host": host} for key, host in hosts.items()]
    broken, kept = (made(**fields) for fields in CASES[kind])
    assert kind in kinds_of(broken)
    assert kind not in kinds_of(kept)


def test_every_rule_has_a_case() -> None:
    assert {rule.kind for rule in RULES} == CASES.keys() | ELSEWHERE


def test_a_registration_as_it_should_be_has_nothing_but_notes() -> None:
    assert {hint.rule.level for hint in lint(made())} <= {NOTE}


def test_a_draft_is_not_blamed_for_what_is_yet_to_come() -> None:
    draft = made(client_id="", directory="", days=None)
    assert {hint.rule.level for hint in lint(draft)} <= {NOTE}


def test_an_end_nobody_told_is_said() -> None:
    registration = made()
    Credential.objects.filter(registration=registration).update(ends_at=None)
    assert "secret-end-unknown" in kinds_of(registration)


def test_with_personal_accounts_two_secrets_leave_no_room_for_a_third() -> None:
    registration = made(audience=ANY)
    assert "no-room-for-another-secret" not in kinds_of(registration)
    make_credential(registration)
    assert "no-room-for-another-secret" in kinds_of(registration)
    AppRegistration.objects.filter(pk=registration.pk).update(audience=MANY)
    assert "no-room-for-another-secret" not in kinds_of(registration)


@pytest.mark.parametrize(
    ("fields", "counts"),
    [({}, False), ({"key_id": "11111111-0000-4000-8000-000000000001"}, True)],
    ids=["replaced here", "known from Entra"],
)
def test_a_secret_without_a_use_counts_if_entra_still_has_it(fields, counts) -> None:
    registration = made(audience=ANY)
    end = timezone.now() + timedelta(days=9)
    Credential.objects.create(registration=registration, slot="", ends_at=end, **fields)
    assert ("no-room-for-another-secret" in kinds_of(registration)) is counts


def test_a_secret_that_is_gone_at_entra_leaves_room() -> None:
    registration = made(audience=ANY)
    make_credential(registration)
    Credential.objects.filter(registration=registration, slot="previous").update(removed_at=timezone.now())
    assert "no-room-for-another-secret" not in kinds_of(registration)


def test_a_permission_of_what_is_switched_off_is_named_with_its_date() -> None:
    ews = "9769c687-087d-48ac-9cb3-c37dde652038"
    (hint,) = [hint for hint in lint(made(), listed=[ews.upper()]) if hint.rule.kind == "retired-permission"]
    assert "Exchange Web Services (EWS)" in hint.seen
    assert "1 October 2026" in hint.seen


def test_a_site_on_localhost_is_told_that_its_links_stay_there(settings) -> None:
    settings.SITE_URL = "http://localhost:8000"
    assert "only-on-this-machine" in kinds_of(made())


def test_what_microsoft_refuses_comes_first() -> None:
    levels = [LEVELS.index(hint.rule.level) for hint in lint(made(days=-1, scopes=("Mail.ReadOnly",)))]
    assert levels == sorted(levels)
    assert levels[0] == LEVELS.index(REFUSED)


def test_every_number_it_prevents_is_one_we_can_explain() -> None:
    assert {code for rule in RULES for code in rule.codes} <= set(CODES)


def test_every_rule_names_its_fact_and_a_way_out() -> None:
    for rule in RULES:
        assert rule.source
        assert rule.fix.endswith(".")
        assert rule.level in (REFUSED, LATER, NOTE)


def test_no_hint_holds_more_of_a_secret_than_its_hint() -> None:
    registration, value = made(days=None), make_secret()
    make_credential(registration, value=value, days_left=-1)
    assert all(value[:4] not in hint.seen for hint in lint(registration))


def test_a_list_of_registrations_is_read_in_a_bounded_number_of_queries(django_assert_max_num_queries) -> None:
    for _ in range(5):
        made()
    rows = AppRegistration.objects.select_related("tenant")
    with django_assert_max_num_queries(4):
        for row in rows.prefetch_related("scope_selections", "redirect_uris", "credentials"):
            lint(row)


def test_scopes_are_read_as_ticked() -> None:
    registration = made(scopes=("Mail.ReadOnly",))
    ScopeSelection.objects.create(registration=registration, scope="Mail.ReadWrite")
    (hint,) = [hint for hint in lint(registration) if hint.rule.kind == "redundant-scope"]
    assert hint.seen == "Mail.ReadOnly is contained in Mail.ReadWrite."
