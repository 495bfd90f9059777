import secrets

import pytest
from cryptography.fernet import Fernet
from django.core import checks
from django.db import connection

from config.checks import database_problems, is_loopback, settings_problems
from tenants.models import KeyCanary

CLOUD = {"key": "fr", "name": "France", "login_host": "login.example.fr", "graph_host": "graph.example.fr"}
SANDBOX = {**CLOUD, "sandbox": True}
PUBLIC = ["tenantry.example.com"]
LOOPBACK = ["localhost", "127.0.0.1", "[::1]", ".localhost"]


@pytest.fixture(autouse=True)
def good_site(settings):
    """Settings that nothing is wrong with, for each test to spoil."""
    settings.SECRET_KEY = secrets.token_urlsafe(50)
    settings.FIELD_ENCRYPTION_KEY = [Fernet.generate_key().decode()]
    settings.DEBUG = False
    settings.SITE_URL = "https://tenantry.example.com"
    settings.ALLOWED_HOSTS = PUBLIC
    settings.EXTRA_CLOUDS = [CLOUD]


def ids() -> list[str]:
    return [problem.id for problem in settings_problems()]


def test_nothing_is_wrong_with_a_good_site():
    assert settings_problems() == []


def test_they_are_django_system_checks(settings):
    settings.SITE_URL = "tenantry.example.com"
    assert "config.E004" in [problem.id for problem in checks.run_checks()]


@pytest.mark.parametrize(
    "key", ["x" * 60, "short", "django-insecure-" + "abcdefghij" * 5, "please-change-me-" + "abcdefghij" * 5]
)
def test_e001_a_secret_key_that_is_none(settings, key):
    settings.SECRET_KEY = key
    assert ids() == ["config.E001"]


def test_e002_no_encryption_key(settings):
    settings.FIELD_ENCRYPTION_KEY = []
    assert ids() == ["config.E002"]


@pytest.mark.parametrize("key", ["short", "x" * 44, "é" * 44, ""])
def test_e003_a_malformed_encryption_key_is_told_by_its_number_alone(settings, key):
    settings.FIELD_ENCRYPTION_KEY = [Fernet.generate_key().decode(), key]
    (problem,) = settings_problems()
    assert problem.id == "config.E003"
    assert problem.msg == "Key 2 of FIELD_ENCRYPTION_KEYS is not a Fernet key."


@pytest.mark.parametrize(
    "url",
    [
        "",
        "tenantry.example.com",
        "//tenantry.example.com",
        "https://",
        "https://tenantry.example.com/tenantry",
        "https://tenantry.example.com?a=b",
        "https://tenantry.example.com#a",
        "https://somebody@tenantry.example.com",
        "https://tenantry.example.com:port",
        "https://[tenantry.example.com",
        "ftp://tenantry.example.com",
    ],
)
def test_e004_an_address_that_is_no_sites(settings, url):
    settings.SITE_URL = url
    assert ids() == ["config.E004"]


@pytest.mark.parametrize("url", ["https://tenantry.example.com:8443", "https://TENANTRY.example.com"])
def test_e004_an_address_may_have_a_port_and_capitals(settings, url):
    settings.SITE_URL = url
    assert ids() == []


def test_e005_a_site_whose_own_host_is_refused(settings):
    settings.SITE_URL = "https://other.example.com"
    (problem,) = settings_problems()
    assert problem.id == "config.E005"
    assert problem.hint == "Add other.example.com to ALLOWED_HOSTS."


def test_e006_plain_http_where_others_can_listen(settings):
    settings.SITE_URL = "http://tenantry.example.com"
    assert ids() == ["config.E006"]


def test_e006_plain_http_on_this_machine_is_fine(settings):
    settings.SITE_URL = "http://localhost:8000"
    settings.ALLOWED_HOSTS = LOOPBACK
    assert ids() == []


def test_e023_receivers_on_this_machine_where_others_can_see(settings):
    settings.WEBHOOK_ALLOW_LOOPBACK = True
    settings.ALLOWED_HOSTS = ["tenantry.example.com", "localhost"]
    assert "config.E023" in ids()
    settings.ALLOWED_HOSTS = LOOPBACK
    assert "config.E023" not in ids()


def test_e024_a_file_of_authorities_that_is_not_there(settings, tmp_path):
    settings.WEBHOOK_CA_FILE = str(tmp_path / "nothing.pem")
    assert ids() == ["config.E024"]


def test_e007_debug_where_others_can_see(settings):
    settings.DEBUG = True
    assert ids() == ["config.E007"]


def test_e007_debug_on_this_machine_is_fine(settings):
    settings.DEBUG = True
    settings.SITE_URL = "http://localhost:8000"
    settings.ALLOWED_HOSTS = LOOPBACK
    assert ids() == []


@pytest.mark.parametrize(
    ("clouds", "fault"),
    [
        ({"key": "fr"}, "is not a JSON list"),
        (["fr"], "Entry 1 of EXTRA_CLOUDS: it is not a JSON object."),
        ([{**CLOUD, "login_host": None}], "login_host is missing"),
        ([CLOUD, {**CLOUD, "key": ""}], "Entry 2 of EXTRA_CLOUDS: key is missing."),
        ([{**CLOUD, "colour": "blue"}], "colour is not a field"),
        ([{**CLOUD, "name": 7}], "name is not text"),
        ([{**CLOUD, "key": "a/b"}], "key may hold"),
        ([{**CLOUD, "login_host": "https://login.example.fr"}], "login_host is not a host name"),
        ([{**CLOUD, "graph_host": "graph.example.fr/v1"}], "graph_host is not a host name"),
        ([{**CLOUD, "browser_origin": "login.example.fr"}], "browser_origin is not an origin"),
        ([{**CLOUD, "browser_origin": "https://login.example.fr/"}], "browser_origin is not an origin"),
        ([{**CLOUD, "sandbox": "yes"}], "sandbox is neither true nor false"),
    ],
)
def test_e008_a_malformed_cloud(settings, clouds, fault):
    settings.EXTRA_CLOUDS = clouds
    (problem,) = settings_problems()
    assert problem.id == "config.E008"
    assert fault in problem.msg


@pytest.mark.parametrize("clouds", [[CLOUD, CLOUD], [{**CLOUD, "key": "global"}]])
def test_e009_two_clouds_of_one_key(settings, clouds):
    settings.EXTRA_CLOUDS = clouds
    assert ids() == ["config.E009"]


def test_e010_a_ca_file_that_is_not_there(settings, tmp_path):
    ca_file = tmp_path / "ca.pem"
    settings.EXTRA_CLOUDS = [{**CLOUD, "ca_file": str(ca_file)}]
    assert ids() == ["config.E010"]
    ca_file.touch()
    assert ids() == []


@pytest.mark.parametrize(
    "cloud",
    [
        SANDBOX,
        {**CLOUD, "login_host": "localhost:8443"},
        {**CLOUD, "graph_host": "127.0.0.1:8443"},
        {**CLOUD, "outlook_host": "[::1]:8443"},
    ],
)
def test_e011_a_sandbox_on_a_site_that_others_can_reach(settings, cloud):
    settings.EXTRA_CLOUDS = [cloud]
    assert ids() == ["config.E011"]
    settings.SITE_URL = "http://localhost:8000"
    settings.ALLOWED_HOSTS = [*LOOPBACK, *PUBLIC]
    assert ids() == ["config.E011"]
    settings.ALLOWED_HOSTS = LOOPBACK
    assert ids() == []


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1:8000", "127.8.8.8", "[::1]:1", "LOCALHOST."])
def test_a_loopback_host_is_known(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["*", "", "10.0.0.1", "notlocalhost", "localhost.example.com", "0.0.0.0", ".com"])
def test_any_other_host_is_not_loopback(host):
    assert not is_loopback(host)


@pytest.mark.django_db
def test_nothing_is_wrong_with_a_database_just_migrated():
    assert database_problems() == []


@pytest.mark.django_db
def test_e013_a_database_that_lacks_a_migration():
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'tenants'")
    (problem,) = database_problems()
    assert problem.id == "config.E013"


@pytest.mark.django_db
def test_e014_keys_that_cannot_read_what_is_stored():
    KeyCanary.objects.record_current()
    assert database_problems() == []
    with connection.cursor() as cursor:  # what another key would have left
        cursor.execute("UPDATE tenants_keycanary SET key_id = '0badc0de', value = '0badc0de:' || substr(value, 10)")
    (problem,) = database_problems()
    assert problem.id == "config.E014"
    assert "key 0badc0de is not among them" in problem.msg


@pytest.mark.parametrize("addresses", [["ops"], ["ops@example.com", "x y"], ["Ops <ops@example.com>"]])
def test_e015_an_alert_address_that_is_none(settings, addresses):
    settings.ALERT_EMAILS = addresses
    assert ids() == ["config.E015"]


@pytest.mark.parametrize("sender", ["nobody", "", "Tenantry <nobody>"])
def test_e016_a_sender_that_is_no_address(settings, sender):
    settings.DEFAULT_FROM_EMAIL = sender
    assert ids() == ["config.E016"]


def test_a_sender_may_have_a_name(settings):
    settings.DEFAULT_FROM_EMAIL = "Tenantry <tenantry@example.com>"
    assert ids() == []


@pytest.mark.parametrize("days", [[], [0], [30, -5], [366, 30]])
def test_e017_days_of_warning_that_are_none(settings, days):
    settings.SECRET_WARN_DAYS = days
    assert ids() == ["config.E017"]


@pytest.mark.parametrize("days", [[1], [365, 30, 0]])
def test_days_of_warning_may_be_few_or_many(settings, days):
    settings.SECRET_WARN_DAYS = days
    assert ids() == []


@pytest.mark.parametrize("name", ["SWEEP_WORKERS", "CHECKS_IN_FLIGHT", "UNANSWERED_NIGHTS"])
def test_e025_a_check_with_nobody_to_make_it(settings, name):
    setattr(settings, name, 0)
    (problem,) = settings_problems()
    assert (problem.id, problem.msg) == ("config.E025", f"{name} is less than 1.")


@pytest.mark.parametrize("rate", [0, -1.5])
def test_e026_a_rate_at_which_nothing_happens(settings, rate):
    settings.CHECKS_PER_SECOND = rate
    assert ids() == ["config.E026"]


@pytest.mark.parametrize("entry", ["proxy", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.1:80", "[::1]", "*"])
def test_e018_a_trusted_proxy_that_is_no_address(settings, entry):
    settings.TRUSTED_PROXIES = ["127.0.0.1", entry]
    (problem,) = settings_problems()
    assert problem.id == "config.E018"
    assert problem.msg.startswith("Entry 2 of TRUSTED_PROXIES ")


@pytest.mark.parametrize("entry", ["0.0.0.0/0", "::/0", "::ffff:0:0/96"])
def test_e019_everybody_is_no_proxy(settings, entry):
    settings.TRUSTED_PROXIES = [entry]
    assert ids() == ["config.E019"]


def test_trusted_proxies_are_addresses_and_networks_old_and_new(settings):
    settings.TRUSTED_PROXIES = ["127.0.0.1", "10.1.0.0/16", "::1", "fd00::/8"]
    assert ids() == []
