"""Verify and Sync from Entra in the admin: the buttons, the report, and what stands on a registration's page."""

from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from kombu import pools

from config.celery import app as celery
from monitoring.models import Sweep
from oauth.models import Verification
from tenants.models import AppRegistration, Credential, Event
from tests.factories import make_credential, make_operator, make_registration, make_secret, make_superuser, make_tenant
from tests.oauth.consenting import text_of
from tests.oauth.verifying import ask, report, set_up, sync, turn

REGISTRATIONS = "/admin/tenants/appregistration/"
VERIFICATIONS = "/admin/oauth/verification/"


@pytest.fixture
def admin(client, db) -> Client:
    client.force_login(make_superuser())
    return client


def press(client: Client, registration: AppRegistration, action: str = "verify", **more: Any) -> Any:
    return client.post(f"{REGISTRATIONS}{registration.pk}/do/{action}/", **more)


def page_of(client: Client, registration: AppRegistration) -> str:
    return unescape(text_of(client.get(f"{REGISTRATIONS}{registration.pk}/change/")))


def report_of(client: Client, verification: Verification) -> Any:
    return client.get(f"{VERIFICATIONS}{verification.pk}/change/")


# The buttons


def test_the_button_makes_a_row_rings_and_leads_to_the_report(admin, world, rung, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        response = press(admin, world.registration)
    made = Verification.objects.get()
    assert response.headers["Location"] == f"{VERIFICATIONS}{made.pk}/change/"
    assert ("oauth.tasks.verify", (made.pk,)) in rung
    assert (made.kind, made.asked_by.is_superuser) == ("whole", True)
    assert Event.objects.filter(verb="verification asked for").count() == 1


@pytest.mark.parametrize(("outcome", "is_tried"), [("", True), ("unanswered", True), ("failed", False)])
def test_the_button_tries_a_dropped_secret_that_microsoft_gave_no_verdict_on(admin, world, outcome, is_tried):
    dropped = Credential.objects.propose(world.registration, make_secret(), timezone.now() + timedelta(days=9))
    if outcome:
        steps = [{"key": "sign_in", "state": outcome, "seen": ""}]
        before = {"credential": dropped, "outcome": outcome, "finished_at": timezone.now(), "steps": steps}
        Verification.objects.create(registration=world.registration, **before)
    press(admin, world.registration)
    asked = Verification.objects.unfinished().get()
    assert asked.credential == (dropped if is_tried else None)


def test_sync_is_a_button_of_its_own(admin, world):
    press(admin, world.registration, "sync_from_entra")
    assert Verification.objects.get().kind == "sync"


def test_many_are_verified_from_the_list(admin, db):
    chosen = [make_registration().pk for _ in range(3)]
    response = admin.post(REGISTRATIONS, {"action": "verify", "_selected_action": chosen})
    assert response.headers["Location"] == VERIFICATIONS
    assert sorted(Verification.objects.values_list("registration", flat=True)) == chosen


def test_too_many_at_once_are_none(admin, db):
    tenant = make_tenant()
    chosen = [make_registration(tenant).pk for _ in range(101)]
    response = admin.post(REGISTRATIONS, {"action": "verify", "_selected_action": chosen}, follow=True)
    assert "at most 100" in text_of(response)
    assert not Verification.objects.exists()


@pytest.mark.parametrize("state", ["suspended_at", "archived_at"])
def test_what_is_not_looked_after_is_not_verified(admin, db, state):
    registration = make_registration()
    type(registration.tenant).objects.update(**{state: timezone.now()})
    assert "Verify" not in text_of(admin.get(f"{REGISTRATIONS}{registration.pk}/change/")).split("Never verified")[0]
    chosen = {"action": "verify", "_selected_action": [registration.pk], "standing": "all"}
    admin.post(f"{REGISTRATIONS}?status=all", chosen)
    assert not Verification.objects.exists()


@pytest.fixture
def no_broker(tmp_path: Path) -> Iterator[None]:
    """Where bells are put, nothing can be put, whichever broker it is otherwise."""

    def move_to(url: str, options: Any) -> None:
        celery.conf.update(broker_url=url, broker_write_url=url, broker_transport_options=options)
        celery.amqp._producer_pool = None
        pools.reset()

    before = (celery.conf.broker_write_url, celery.conf.broker_transport_options)
    (tmp_path / "file").touch()
    folders = dict.fromkeys(("data_folder_in", "data_folder_out", "control_folder"), str(tmp_path / "file" / "queue"))
    move_to("files://localhost//", folders)
    with pytest.raises(OSError, match="queue"):
        celery.send_task("nothing")
    yield
    move_to(*before)


def test_with_the_broker_down_the_row_stands_and_the_page_does_not_fail(client, threaded_world, no_broker):
    client.force_login(make_superuser())
    for action in ("verify", "check_now"):
        assert press(client, threaded_world.registration, action).status_code == 302
    assert Verification.objects.due().count() == 1
    assert Sweep.objects.running().count() == 1


def test_with_the_broker_down_what_waits_is_put_off_all_the_same(threaded_world, no_broker):
    threaded_world.microsoft.set_fault(7000215)
    assert report(threaded_world.registration).next_at is not None


def form_of(registration: AppRegistration, secret: str = "", **more: Any) -> dict[str, Any]:
    """The registration's form as it stands, with a new client secret if one is given."""
    ends_on = f"{timezone.now() + timedelta(days=90):%Y-%m-%d}" if secret else ""
    names = ("name", "cloud", "audience", "directory", "client_id")
    stands = {name: getattr(registration, name) for name in names}
    return {**stands, "scopes": ["Mail.ReadOnly"], "secret": secret, "secret_ends_on": ends_on, **more}


def test_a_new_secret_is_verified_at_once(admin, world):
    registration, secret = world.registration, world.microsoft.add_secret(world.app["client_id"])["value"]
    page = f"{REGISTRATIONS}{registration.pk}/change/"
    response = admin.post(page, form_of(registration, secret), follow=True)
    made = Verification.objects.get(registration=registration, credential=None)
    assert "is being verified" in text_of(response)
    turn(made)
    admin.post(page, form_of(registration, name="Another name"))
    assert Verification.objects.count() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "00000000-1111-2222-3333-444444444444"},
        {"directory": "other.example"},
        {"cloud": "global"},
        {"audience": "AzureADMultipleOrgs"},
    ],
)
def test_what_is_corrected_is_verified_with_the_stored_secret(admin, world, rung, change):
    page = f"{REGISTRATIONS}{world.registration.pk}/change/"
    response = admin.post(page, form_of(world.registration, **change), follow=True)
    made = Verification.objects.get()
    assert "The stored client secret, with what was corrected, is being verified" in text_of(response)
    assert f"{VERIFICATIONS}{made.pk}/change/" in response.content.decode()
    assert (made.credential, made.registration) == (None, world.registration)


def test_without_a_stored_secret_or_a_change_of_what_is_asked_nothing_is_verified(admin, world):
    page = f"{REGISTRATIONS}{world.registration.pk}/change/"
    admin.post(page, form_of(world.registration, client_id=world.registration.client_id.upper()))
    admin.post(page, form_of(world.registration, name="Another name"))
    Credential.objects.update(slot="")
    admin.post(page, form_of(world.registration, directory="other.example"))
    assert AppRegistration.objects.get().directory == "other.example"
    assert not Verification.objects.exists()


def test_a_new_secret_of_a_suspended_tenant_is_kept_and_not_tried(admin, world):
    type(world.registration.tenant).objects.update(suspended_at=timezone.now())
    secret = world.microsoft.add_secret(world.app["client_id"])["value"]
    admin.post(f"{REGISTRATIONS}{world.registration.pk}/change/", form_of(world.registration, secret))
    assert Credential.objects.current().get().hint == secret[:3]
    assert not Verification.objects.exists()


# The report


def test_the_page_refreshes_itself_until_it_is_finished(admin, world):
    made = ask(world.registration)
    waiting = report_of(admin, made)
    assert waiting.headers["Refresh"] == "2"
    assert "not begun yet" in text_of(waiting)
    turn(made)
    assert "Refresh" not in report_of(admin, made).headers


def test_the_report_says_what_was_seen_what_to_do_and_whose_it_is(admin, world):
    Credential.objects.all().update(slot="")
    make_credential(world.registration, value="not-a-real-secret-0000")
    Credential.objects.update(created_at=timezone.now() - timedelta(hours=1))
    text = unescape(text_of(report_of(admin, report(world.registration))))
    assert "AADSTS7000215" in text
    assert "Up to: you, the operator" in text
    assert "Not asked: “Sign-in” comes first." in text


def test_a_spreading_secret_is_said_to_be_tried_again(admin, world):
    world.microsoft.set_fault(7000215)
    response = report_of(admin, report(world.registration))
    assert "Microsoft does not know it yet; trying again." in text_of(response)
    assert response.headers["Refresh"] == "2"


def test_a_consent_that_is_missing_leads_to_the_consent_link(admin, world):
    world.microsoft.may_read_grants(world.app["client_id"], world.directory["id"])
    text = text_of(report_of(admin, report(world.registration)))
    assert f"/admin/oauth/link/add/?registration={world.registration.pk}" in text


def test_verify_again_stands_on_a_finished_report(admin, world):
    made = report(world.registration)
    response = admin.post(f"{VERIFICATIONS}{made.pk}/do/verify_again/")
    assert response.headers["Location"] == f"{VERIFICATIONS}{Verification.objects.first().pk}/change/"
    assert Verification.objects.count() == 2


def test_the_list_says_what_is_wrong_in_short(admin, world):
    AppRegistration.objects.update(directory="nobody.example")
    report(world.registration)
    assert "Asked for: nobody.example." in text_of(admin.get(VERIFICATIONS))


def test_the_list_asks_the_database_a_fixed_number_of_times(admin, db, django_assert_max_num_queries):
    for _ in range(10):
        Verification.objects.ask(make_registration())
    with django_assert_max_num_queries(14):
        admin.get(VERIFICATIONS)


# On a registration's page


def test_the_last_verification_and_the_two_sides_stand_on_the_page(admin, world):
    assert "Never verified" in page_of(admin, world.registration)
    set_up(world)
    world.microsoft.set_app(world.app["client_id"], name="Another Name")
    world.microsoft.add_secret(world.app["client_id"], name="somebody's")
    sync(world.registration)
    page = page_of(admin, world.registration)
    assert "Another Name" in page
    assert "1 not the same" in page
    assert "in Entra only: never entered here" in page
    assert "as Entra says" in page


def test_a_redirect_uri_on_another_platform_stands_there_with_its_platform(admin, world):
    set_up(world)
    ours = world.registration.redirect_uri
    spa = {"web": {"redirectUris": []}, "spa": {"redirectUris": [ours]}}
    world.microsoft.set_manifest(world.app["client_id"], spa)
    sync(world.registration)
    page = page_of(admin, world.registration)
    assert f"{ours} (Single-page application)" in page
    assert f"missing there: {ours} (registered as Single-page application, not Web)" in page


def test_here_is_what_stands_here_now(admin, world):
    set_up(world)
    sync(world.registration)
    AppRegistration.objects.update(name="Renamed since")
    assert "1 not the same" in page_of(admin, world.registration)


def test_what_was_read_of_another_client_id_is_not_shown(admin, world):
    set_up(world)
    sync(world.registration)
    AppRegistration.objects.update(client_id="00000000-1111-2222-3333-444444444444")
    assert "Not read yet" in page_of(admin, world.registration)


def test_who_may_not_read_itself_is_told_on_the_page(admin, world):
    report(world.registration)
    assert "may not read itself" in page_of(admin, world.registration)


def test_what_another_version_kept_is_shown_as_far_as_it_is_known(admin, world):
    steps = [{"key": "configuration", "state": "failed", "seen": "It was so.", "colour": "red"}, {"key": "gone"}]
    in_entra = {"client_id": world.registration.client_id, "name": "As it was", "passwords": [{"shape": "round"}]}
    made = ask(world.registration)
    changes = {"steps": steps, "in_entra": in_entra, "outcome": "failed", "finished_at": timezone.now()}
    Verification.objects.filter(pk=made.pk).update(**changes)
    assert "It was so." in text_of(report_of(admin, made))
    assert "As it was" in page_of(admin, world.registration)


# Who may


def test_who_may_not_change_a_registration_may_not_verify_it(client, world):
    operator = make_operator(tenants=(world.registration.tenant,))
    operator.groups.get().permissions.filter(codename="change_appregistration")
    group = operator.groups.get()
    group.permissions.remove(*group.permissions.filter(codename="change_appregistration"))
    client.force_login(operator)
    assert press(client, world.registration).status_code == 403
    assert client.post(f"{VERIFICATIONS}{report(world.registration).pk}/do/verify_again/").status_code == 403


def test_a_report_of_another_tenants_registration_opens_nothing(client, world):
    made = report(world.registration)
    client.force_login(make_operator(tenants=(make_tenant(),)))
    response = client.get(f"{VERIFICATIONS}{made.pk}/change/", follow=True)
    assert world.registration.name not in text_of(response)
    assert world.registration.name not in text_of(client.get(VERIFICATIONS))


def test_own_reports_are_shown(client, world):
    made = report(world.registration)
    client.force_login(make_operator(tenants=(world.registration.tenant,)))
    assert report_of(client, made).status_code == 200
