import json
import stat

import pytest
from django.core.management import CommandError, call_command

from oauth.entra import EntraClient
from staff.models import User
from tenants.models import AppRegistration, Credential, Event, Tenant

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def var(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    settings.SITE_URL = "http://localhost:8000"
    return tmp_path


def test_the_demo_world_is_there_on_both_sides(microsoft, cloud, var) -> None:
    call_command("load_demo")
    assert [t.name for t in Tenant.objects.all()] == ["Alder Logistics", "Brook Dental"]
    for credential in Credential.objects.select_related("registration"):
        app = credential.registration
        EntraClient(cloud, app.directory, app.client_id, credential.value.reveal("test")).app_token()


def test_the_operator_can_sign_in_with_what_was_kept(microsoft, cloud, var, client) -> None:
    call_command("load_demo")
    kept = var / "demo.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert client.login(**json.loads(kept.read_text()))


def test_one_app_is_left_to_be_entered_by_hand(microsoft, cloud) -> None:
    call_command("load_demo")
    names = {app["name"] for app in microsoft.world()["apps"]}
    assert names - {app.name for app in AppRegistration.objects.all()} == {"Cedar Mail"}


def test_a_second_time_changes_nothing(microsoft, cloud, var) -> None:
    call_command("load_demo")
    before = (microsoft.world(), (var / "demo.json").read_text(), Event.objects.count())
    call_command("load_demo")
    after = (microsoft.world(), (var / "demo.json").read_text(), Event.objects.count())
    before[0].pop("now"), after[0].pop("now")
    assert before == after


def test_what_a_broken_first_time_left_is_taken_up(microsoft, cloud) -> None:
    call_command("load_demo")
    Event.objects.all()._raw_delete("default")
    for model in (Credential, AppRegistration.scope_selections.rel.related_model, AppRegistration, Tenant, User):
        model.objects.all()._raw_delete("default")
    call_command("load_demo")
    assert Tenant.objects.count() == 2
    assert len(microsoft.world()["apps"]) == 3


def test_without_a_sandbox_it_says_what_is_missing(settings) -> None:
    settings.EXTRA_CLOUDS = []
    with pytest.raises(CommandError, match="needs a sandbox"):
        call_command("load_demo")


def test_a_sandbox_that_does_not_answer_is_named(settings) -> None:
    settings.EXTRA_CLOUDS = [
        {
            "key": "sandbox",
            "name": "Sandbox",
            "login_host": "localhost:1",
            "graph_host": "localhost:1",
            "browser_origin": "http://127.0.0.1:1",
            "sandbox": True,
        }
    ]
    with pytest.raises(CommandError, match="does not answer at http://127.0.0.1:1"):
        call_command("load_demo")
    assert not User.objects.exists()


def test_in_one_directory_people_need_their_administrator(microsoft, cloud) -> None:
    call_command("load_demo")
    managed = {each["name"] for each in microsoft.world()["directories"] if each["managed_policy"]}
    assert managed == {"Brook Dental"}
