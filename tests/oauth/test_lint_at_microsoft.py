"""What lint predicts, the Microsoft in the box does: each refusal is met, with the number that the rule names."""

from typing import Any

import pytest

from oauth.entra import EntraClient
from oauth.errors import EntraRefused
from tenants.clouds import Cloud, cloud
from tenants.lint import RULES, lint
from tenants.models import RedirectURI
from tenants.scopes import request_scopes
from tests.factories import make_credential, make_registration
from tests.microsoft import Refused, Stopped
from tests.oauth.consenting import World

pytestmark = pytest.mark.django_db

ANY, PERSONAL = "AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"
PERSONAL_DIRECTORY = "9188040d-6c67-4c5b-b112-36a304b66dad"
CALLBACK = "http://localhost:8000/oauth/callback/sandbox/"


def there() -> Cloud:
    return cloud("sandbox")


def predicted(kind: str, *, uris: tuple[str, ...] = (), **fields: Any) -> tuple[int, ...]:
    """The numbers of the rule, which speaks of such a registration."""
    registration = make_registration(cloud="sandbox", **fields)
    RedirectURI.objects.bulk_create(RedirectURI(registration=registration, use="product", uri=uri) for uri in uris)
    assert kind in {hint.rule.kind for hint in lint(registration)}
    return next(rule.codes for rule in RULES if rule.kind == kind)


# What Entra does not take when the application is registered


@pytest.mark.parametrize(
    ("kind", "uri", "audience"),
    [
        ("query-string-with-personal-accounts", "https://mail.example.com/?page=home", ANY),
        ("redirect-uri-character", "https://mail.example.com/a(b)", "AzureADMyOrg"),
        ("redirect-uri-too-long", f"https://mail.example.com/{'x' * 232}", "AzureADMyOrg"),
        ("redirect-uri-http", "http://mail.example.com/", "AzureADMyOrg"),
    ],
)
def test_a_redirect_uri_that_lint_speaks_of_cannot_be_registered(world, kind, uri, audience) -> None:
    predicted(kind, uris=(uri,), audience=audience)
    with pytest.raises(Refused):
        world.microsoft.add_app(world.directory["id"], audience, redirect_uris=[CALLBACK, uri])


def test_and_a_product_that_uses_it_all_the_same_meets_the_number(world) -> None:
    uri = "https://mail.example.com/?page=home"
    codes = predicted("query-string-with-personal-accounts", uris=(uri,), audience=ANY)
    app = world.microsoft.add_app(world.directory["id"], ANY, redirect_uris=[CALLBACK])
    assert stopped(world, world.directory["id"], app["client_id"], redirect_uri=uri) in codes


def test_more_redirect_uris_than_lint_lets_pass_cannot_be_registered(world) -> None:
    uris = tuple(f"https://mail{number}.example.com/" for number in range(100))
    predicted("too-many-redirect-uris", uris=uris, audience=PERSONAL)
    with pytest.raises(Refused):
        world.microsoft.add_app(world.directory["id"], PERSONAL, redirect_uris=[CALLBACK, *uris])


def test_a_name_that_is_too_long_cannot_be_registered(world) -> None:
    predicted("name-too-long", name="x" * 91, audience=ANY)
    with pytest.raises(Refused):
        world.microsoft.add_app(world.directory["id"], ANY, name="x" * 91)


def test_a_third_secret_is_refused_where_personal_accounts_may_sign_in(world) -> None:
    app = world.microsoft.add_app(world.directory["id"], ANY, redirect_uris=[CALLBACK])
    registration = make_registration(cloud="sandbox", audience=ANY, client_id=app["client_id"])
    for _ in range(2):
        make_credential(registration, value=world.microsoft.add_secret(app["client_id"])["value"])
    assert "no-room-for-another-secret" in {hint.rule.kind for hint in lint(registration)}
    with pytest.raises(Refused, match="TooManyAppPasswords"):
        world.microsoft.add_secret(app["client_id"])


# What Entra refuses when somebody signs in


def stopped(world: World, directory: str, client_id: str, **changes: str) -> int:
    """The number on Microsoft's page, where a sign-in ends there."""
    client = EntraClient(there(), directory, client_id, "not-a-real-secret")
    scopes = request_scopes(["Mail.Send"], there())
    flow = client.begin(scopes=scopes, redirect_uri=changes.get("redirect_uri", CALLBACK))
    with pytest.raises(Stopped) as caught:
        world.microsoft.sign_in(flow["auth_uri"], world.person["oid"])
    return caught.value.code


def refused(world: World, directory: str, secret: str) -> tuple[int, ...]:
    """The numbers the application itself is refused with."""
    client = EntraClient(there(), directory, world.app["client_id"], secret)
    with pytest.raises(EntraRefused) as caught:
        client.app_token()
    return caught.value.codes


def test_a_single_tenant_application_is_refused_at_common(world) -> None:
    codes = predicted("authority", directory="")
    assert stopped(world, "common", world.app["client_id"]) in codes


def test_no_application_is_known_in_the_directory_of_personal_accounts(world) -> None:
    predicted("directory-of-personal-accounts", directory=PERSONAL_DIRECTORY)
    assert refused(world, PERSONAL_DIRECTORY, world.secret["value"])


def test_a_secret_that_has_ended_is_refused_by_its_number(world) -> None:
    registration = make_registration(cloud="sandbox")
    make_credential(registration, days_left=-1)
    (codes,) = [hint.rule.codes for hint in lint(registration) if hint.rule.kind == "secret-ended"]
    world.microsoft.expire_secret(world.app["client_id"], world.secret["key_id"])
    assert set(refused(world, world.directory["id"], world.secret["value"])) <= set(codes)


@pytest.mark.parametrize(("scope", "needs_admin"), [("Mail.ReadOnly", True), ("SMTP.Send", False)])
def test_what_users_may_not_grant_under_the_managed_policy_they_may_not(world, scope, needs_admin) -> None:
    registration = make_registration(cloud="sandbox", scopes=(scope,))
    assert ("users-may-not-grant" in {hint.rule.kind for hint in lint(registration)}) is needs_admin
    world.microsoft.managed_policy(world.directory["id"])
    client = EntraClient(there(), world.directory["id"], world.app["client_id"], "not-a-real-secret")
    flow = client.begin(scopes=request_scopes([scope], there()), redirect_uri=CALLBACK)
    press = "cancel" if needs_admin else "accept"
    answer = world.microsoft.sign_in(flow["auth_uri"], world.person["oid"], press).fields
    assert answer.get("error", "") == ("access_denied" if needs_admin else "")
