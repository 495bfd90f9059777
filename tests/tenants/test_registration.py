import uuid

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from tenants.models import AppRegistration
from tests.factories import make_registration, make_tenant

pytestmark = pytest.mark.django_db
Audience = AppRegistration.Audience


def errors_of(**fields: object) -> dict[str, list[str]]:
    defaults = {
        "tenant": make_tenant(),
        "name": "App",
        "client_id": str(uuid.uuid4()),
        "directory": "contoso.example",
        "audience": Audience.MY_ORG,
    }
    try:
        AppRegistration(**{**defaults, **fields}).full_clean()
    except ValidationError as exc:
        return exc.message_dict
    return {}


def test_a_good_registration_has_no_errors() -> None:
    assert errors_of() == {}


def test_a_client_id_that_is_no_guid_is_named() -> None:
    assert "not a GUID" in errors_of(client_id="my app")["client_id"][0]


def test_before_it_is_registered_it_needs_neither_client_id_nor_directory() -> None:
    assert errors_of(client_id="", directory="") == {}


def test_two_may_wait_to_be_registered() -> None:
    make_registration(client_id="")
    assert errors_of(client_id="", directory="") == {}


def test_a_client_id_in_use_names_nobody() -> None:
    other = make_registration(name="Other customer's app")
    errors = errors_of(client_id=other.client_id.upper())
    assert errors["__all__"] == ["This application (client) ID is already in use in this cloud."]


def test_the_same_client_id_in_another_cloud_is_another_app() -> None:
    assert errors_of(client_id=make_registration().client_id, cloud="usgov_l4") == {}


def test_an_archived_registration_frees_its_client_id() -> None:
    other = make_registration()
    AppRegistration.objects.update(archived_at="2026-01-01T00:00Z")
    assert errors_of(client_id=other.client_id) == {}


def test_a_single_tenant_registration_needs_its_directory() -> None:
    assert "single-tenant" in errors_of(directory="")["directory"][0]


@pytest.mark.parametrize("audience", [Audience.MULTIPLE_ORGS, Audience.ANY])
def test_a_multitenant_one_does_not(audience: str) -> None:
    assert errors_of(directory="", audience=audience) == {}


@pytest.mark.parametrize(
    "directory", ["contoso", "https://contoso.example", "a..example", "contoso.example/x", "common@x"]
)
def test_a_directory_is_a_guid_or_a_domain(directory: str) -> None:
    assert "neither a GUID nor a domain" in errors_of(directory=directory)["directory"][0]


def test_national_clouds_have_no_personal_accounts() -> None:
    assert "no personal Microsoft accounts" in errors_of(cloud="china", audience=Audience.ANY)["audience"][0]


def test_an_unconfigured_cloud_is_refused() -> None:
    assert errors_of(cloud="moon")["cloud"] == ["This cloud is not configured here."]


@pytest.mark.parametrize(
    ("audience", "authority"),
    [
        (Audience.MY_ORG, "contoso.example"),
        (Audience.MULTIPLE_ORGS, "organizations"),
        (Audience.ANY, "common"),
        (Audience.PERSONAL, "consumers"),
    ],
)
def test_people_are_sent_where_the_audience_says(audience: str, authority: str) -> None:
    assert make_registration(audience=audience, directory="contoso.example").consent_directory == authority


def test_the_redirect_uri_comes_from_the_site_and_the_cloud(settings) -> None:
    settings.SITE_URL = "https://tenantry.example"
    assert make_registration(cloud="china").redirect_uri == "https://tenantry.example/oauth/callback/china/"


def test_the_database_holds_the_client_id_once() -> None:
    other = make_registration()
    with pytest.raises(IntegrityError):
        make_registration(client_id=other.client_id)


def test_live_leaves_out_what_is_archived_or_suspended() -> None:
    make_registration(archived_at="2026-01-01T00:00Z")
    make_registration(make_tenant(suspended_at="2026-01-01T00:00Z"))
    make_registration(make_tenant(archived_at="2026-01-01T00:00Z"))
    live = {make_registration(), make_registration(shared=True)}
    assert set(AppRegistration.objects.live()) == live


def test_alert_addresses_must_be_addresses() -> None:
    assert errors_of(alert_emails=["ops@example.com", "nobody"])["alert_emails"] == [
        "“nobody” is not an email address."
    ]


def test_an_alert_address_is_no_longer_than_mail_can_carry() -> None:
    assert "alert_emails" in errors_of(alert_emails=[f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 20}.example"])


def test_a_directory_may_be_of_an_international_domain() -> None:
    assert errors_of(directory="contoso.xn--p1ai") == {}
