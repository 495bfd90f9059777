"""The way to the right page of Microsoft's admin center."""

import pytest

from monitoring.models import Finding
from monitoring.portal import entra_page
from tests.factories import make_connection, make_credential, make_registration
from tests.world import make_channel

pytestmark = pytest.mark.django_db

CLIENT_ID = "11111111-2222-4333-8444-555555555555"
BLADES = "#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~"


@pytest.mark.parametrize(
    ("kind", "blade"),
    [
        ("app_not_found", "Overview"),
        ("secret_invalid", "Credentials"),
        ("no_secret", "Credentials"),
        ("certificate_invalid", "Credentials"),
        ("consent_missing", "CallAnAPI"),
    ],
)
def test_the_kind_decides_which_page_it_is(kind, blade):
    page = entra_page(Finding(kind=kind, registration=make_registration(client_id=CLIENT_ID)))
    assert page is not None
    assert page.url == f"https://entra.microsoft.com/{BLADES}/{blade}/appId/{CLIENT_ID}"


def test_of_a_credential_it_is_where_secrets_are_made():
    page = entra_page(Finding(kind="unheard_of", credential=make_credential()))
    assert page is not None
    assert "/~/Credentials/appId/" in page.url


def test_of_a_connection_it_is_its_registration():
    connection = make_connection(make_registration(client_id=CLIENT_ID))
    page = entra_page(Finding(kind="grant_revoked", connection=connection))
    assert page is not None
    assert page.url.endswith(f"/Overview/appId/{CLIENT_ID}")


@pytest.mark.parametrize(
    ("cloud", "host"),
    [
        ("usgov_l4", "entra.microsoft.us"),
        ("usgov_l5", "entra.microsoft.us"),
        ("china", "entra.microsoftonline.cn"),
    ],
)
def test_each_cloud_has_an_admin_center_of_its_own(cloud, host):
    page = entra_page(Finding(kind="app_disabled", registration=make_registration(cloud=cloud)))
    assert page is not None
    assert page.url.startswith(f"https://{host}/#")


def test_a_cloud_without_one_has_no_link(settings):
    hosts = {"login_host": "login.example.com", "graph_host": "graph.example.com"}
    settings.EXTRA_CLOUDS = [{"key": "bare", "name": "Bare", **hosts}]
    for cloud in ("bare", "gone"):
        assert entra_page(Finding(kind="app_disabled", registration=make_registration(cloud=cloud))) is None


def test_what_is_no_registrations_has_none():
    assert entra_page(Finding(kind="cloud_unreachable", cloud="global")) is None
    assert entra_page(Finding(kind="sweep_overdue", watch=Finding.NIGHT)) is None
    assert entra_page(Finding(kind="channel_failing", channel=make_channel())) is None
