"""Verify: what Entra has of the application, where it may read itself, and how the two sides compare."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from monitoring.models import Finding
from oauth import application
from oauth.in_entra import InEntra
from oauth.listed_secrets import Matches, take_over
from oauth.models import Verification
from tenants.models import AppRegistration, Credential, Event, RedirectURI, ScopeSelection
from tests.oauth.verifying import report, set_up, states, step, sync


@pytest.fixture
def read(world):
    """A world that may read itself."""
    set_up(world)
    return world


PARTS = ("application", "enabled", "audience", "redirect_uris", "permissions", "secret")


def test_where_all_is_the_same_every_part_is_ok(read):
    made = report(read.registration)
    assert [states(made)[key] for key in PARTS] == ["ok"] * len(PARTS)
    assert made.outcome == "ok"
    assert not Finding.objects.exists()


def test_who_may_not_read_itself_is_told_how_and_nothing_is_wrong(world):
    made = report(world.registration)
    assert (states(made)["application"], made.outcome, made.in_entra) == ("skipped", "ok", {})
    assert "Application.Read.All" in step(made, "application")["todo"]
    assert step(made, "application")["graph"] == "Authorization_RequestDenied"


def test_read_all_is_as_good_as_owning_itself(world):
    world.microsoft.may_read_applications(world.app["client_id"], world.directory["id"])
    assert states(report(world.registration))["application"] == "ok"


def test_a_name_that_differs_is_told_and_no_drift(read):
    read.microsoft.set_app(read.app["client_id"], name="Another Name")
    made = report(read.registration)
    assert "“Another Name”" in step(made, "application")["seen"]
    assert made.outcome == "ok"
    assert not Finding.objects.exists()


def test_other_account_types_fail(read):
    AppRegistration.objects.update(audience="AzureADMultipleOrgs")
    made = report(read.registration)
    assert states(made)["audience"] == "failed"
    assert made.outcome == "failed"


def test_a_redirect_uri_that_is_not_registered_fails_and_others_are_told(read):
    RedirectURI.objects.create(registration=read.registration, use="product", uri="https://mail.example.com/back")
    extra = "https://other.example.com/back"
    read.microsoft.set_redirect_uris(read.app["client_id"], [read.registration.redirect_uri, extra])
    told = step(report(read.registration), "redirect_uris")
    assert told["state"] == "failed"
    assert "https://mail.example.com/back" in told["seen"]
    assert read.registration.redirect_uri not in told["seen"]
    assert extra in told["notes"][0]


@pytest.mark.parametrize(
    ("platform", "words"), [("spa", "Single-page application"), ("publicClient", "Mobile and desktop applications")]
)
def test_a_redirect_uri_on_another_platform_is_to_be_moved_and_not_added(read, platform, words):
    ours = read.registration.redirect_uri
    moved = {"web": {"redirectUris": []}, platform: {"redirectUris": [ours]}}
    read.microsoft.set_manifest(read.app["client_id"], moved)
    told = step(report(read.registration), "redirect_uris")
    assert told["state"] == "failed"
    assert f"Registered as {words}, which takes no client secret: {ours}." in told["seen"]
    assert f"Move what is registered as {words} to Web" in told["todo"]
    assert "Not registered" not in told["seen"] + told["todo"]
    assert f"{ours} (registered as {words}, not Web)" in Finding.objects.get().remedy


def test_others_besides_are_no_difference(read):
    read.microsoft.set_redirect_uris(
        read.app["client_id"], [read.registration.redirect_uri, "https://other.example.com/back"]
    )
    set_up(read, "Mail.Read", "Mail.Send")
    made = report(read.registration)
    assert made.outcome == "ok"
    assert "Mail.Send" in step(made, "permissions")["notes"][0]
    assert not Finding.objects.exists()


def test_a_ticked_permission_that_is_not_listed_fails_and_says_what_works_all_the_same(read):
    ScopeSelection.objects.create(registration=read.registration, scope="Mail.Send")
    told = step(report(read.registration), "permissions")
    assert told["state"] == "failed"
    assert "Mail.Send (e383f46e-2787-4529-855e-0e479a3ffac0)" in told["seen"]
    assert "work all the same" in told["seen"]


@pytest.mark.parametrize(
    ("ticked", "smaller", "larger", "to_tick"),
    [
        ("Mail.ReadOnly", "Mail.Read", "Mail.ReadWrite", "Mail.ReadWrite"),
        ("Calendar.ReadOnly", "Calendars.Read", "Calendars.ReadWrite", "Calendar.ReadWrite"),
    ],
)
def test_a_larger_permission_is_not_what_links_ask_for(read, ticked, smaller, larger, to_tick):
    ScopeSelection.objects.update(scope=ticked)
    set_up(read, larger)
    told = step(report(read.registration), "permissions")
    assert told["state"] == "failed"
    assert told["notes"][0] == f"It lists {larger}, but links ask for {smaller}: add it, or tick {to_tick}."
    set_up(read, larger, smaller)
    assert states(report(read.registration))["permissions"] == "ok"


def test_the_permission_that_lets_it_be_read_is_named_and_no_difference(read):
    manifest = read.microsoft.manifest(read.app["client_id"])
    graph = manifest["requiredResourceAccess"][0]["resourceAccess"]
    graph.append({"id": "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30", "type": "Role"})
    read.microsoft.set_manifest(read.app["client_id"], manifest)
    told = step(report(read.registration), "permissions")
    assert told["state"] == "ok"
    assert "Application.Read.All" in told["notes"][0]


# The secret


def current() -> Credential:
    return Credential.objects.current().get()


def test_the_true_end_and_the_id_are_taken_over(read):
    Credential.objects.update(ends_at=timezone.now() + timedelta(days=30))
    report(read.registration)
    secret = current()
    assert (str(secret.key_id), secret.ends_at_typed) == (read.secret["key_id"], False)
    assert secret.ends_at > timezone.now() + timedelta(days=700)
    assert secret.starts_at is not None
    assert Event.objects.filter(verb="end date taken from Entra").count() == 1


def test_a_secret_that_was_said_to_end_soon_is_so_no_more_once_entra_says_otherwise(read):
    from oauth import health
    from oauth.signals import Observation, observed

    Credential.objects.update(ends_at=timezone.now() + timedelta(days=10))
    soon = health.look_at_credential(current(), timezone.now())
    assert soon is not None
    observed.send(sender=Credential, observation=Observation(current(), timezone.now(), (soon,)))
    report(read.registration)
    assert Finding.objects.get(kind="secret_ending").resolved_at is not None


def alike(read: Any, *days: float) -> list[str]:
    """Other secrets in Entra with the beginning of the stored one, ending in so many days; their key IDs."""
    ends = [timezone.now() + timedelta(days=left) for left in days]
    return [read.microsoft.add_secret(read.app["client_id"], end, hint=read.secret["hint"])["key_id"] for end in ends]


def test_of_two_that_begin_alike_it_is_the_one_that_ends_about_then(read):
    alike(read, 40)
    Credential.objects.update(ends_at=timezone.now() + timedelta(days=729))
    report(read.registration)
    assert str(current().key_id) == read.secret["key_id"]


def test_two_that_begin_and_end_alike_are_not_told_apart_and_nothing_is_taken_over(read):
    alike(read, 730.3)
    before = current().ends_at
    made = report(read.registration)
    assert (states(made)["secret"], made.outcome) == ("skipped", "ok")
    assert "Nothing was taken over" in step(made, "secret")["seen"]
    assert (current().key_id, current().ends_at, current().ends_at_typed) == (None, before, True)
    assert not Credential.objects.filter(value__isnull=True).exists()


# Secrets nobody told us about


def test_a_secret_that_was_never_entered_here_is_listed_without_a_value(read):
    other = read.microsoft.add_secret(read.app["client_id"], timezone.now() + timedelta(days=3))
    made = sync(read.registration)
    row = Credential.objects.get(value__isnull=True)
    assert (str(row.key_id), row.slot, row.hint, row.ends_at_typed) == (other["key_id"], "", other["hint"], False)
    assert "One more client secret is listed" in step(made, "secret")["notes"][-1]
    assert not Finding.objects.exists()


def test_a_listed_secret_that_is_gone_is_marked_and_comes_back_if_it_does(read):
    other = read.microsoft.add_secret(read.app["client_id"])
    sync(read.registration)
    read.microsoft.remove_secret(read.app["client_id"], other["key_id"])
    sync(read.registration)
    row = Credential.objects.get(value__isnull=True)
    assert row.removed_at is not None
    sync(read.registration)
    assert Credential.objects.filter(value__isnull=True).count() == 1


def test_a_listed_secret_whose_value_is_entered_then_is_one_row(read):
    other = read.microsoft.add_secret(read.app["client_id"])
    sync(read.registration)
    entered = Credential.objects.replace(read.registration, other["value"], timezone.now() + timedelta(days=1))
    sync(read.registration)
    assert not Credential.objects.filter(value__isnull=True).exists()
    entered.refresh_from_db()
    assert str(entered.key_id) == other["key_id"]


def test_the_same_secret_entered_again_is_the_listed_one(read):
    sync(read.registration)
    Credential.objects.replace(read.registration, read.secret["value"], timezone.now() + timedelta(days=9))
    for _ in range(2):
        made = sync(read.registration)
        assert step(made, "secret")["state"] == "ok"
        assert (str(current().key_id), current().ends_at_typed) == (read.secret["key_id"], False)
    before = Credential.objects.get(slot="previous")
    assert (before.key_id, before.removed_at) == (None, None)


def test_a_replaced_secret_that_was_removed_in_entra_is_marked(read):
    sync(read.registration)
    other = read.microsoft.add_secret(read.app["client_id"])
    Credential.objects.replace(read.registration, other["value"], timezone.now() + timedelta(days=400))
    read.microsoft.remove_secret(read.app["client_id"], read.secret["key_id"])
    sync(read.registration)
    assert Credential.objects.get(slot="previous").removed_at is not None
    assert current().removed_at is None


# Drift


def test_drift_opens_tells_what_differs_and_closes_when_it_is_over(read):
    read.microsoft.set_redirect_uris(read.app["client_id"], ["https://other.example.com/back"])
    sync(read.registration)
    finding = Finding.objects.get()
    assert (finding.kind, finding.severity, finding.actor) == ("drift", "warning", "operator")
    assert finding.is_coming
    assert "redirect URIs" in finding.what
    assert read.registration.redirect_uri in finding.remedy
    read.microsoft.set_redirect_uris(read.app["client_id"], [read.registration.redirect_uri])
    sync(read.registration)
    assert Finding.objects.get().resolved_at is not None


def test_a_sync_asks_for_no_consent(read):
    assert "consent" not in states(sync(read.registration))


def test_what_gave_no_answer_closes_no_drift(read):
    read.microsoft.set_redirect_uris(read.app["client_id"], [])
    sync(read.registration)
    read.microsoft.set_fault("down", grant_type="graph")
    sync(read.registration)
    assert Finding.objects.get().resolved_at is None


# Every night


def test_what_could_be_read_is_compared_again_on_the_next_night_and_once(read):
    report(read.registration)
    with time_machine.travel(timezone.now() + timedelta(hours=24)):
        for _ in range(2):
            Verification.objects.sync_again([read.registration])
    assert Verification.objects.filter(kind="sync").count() == 1


def test_what_could_not_be_read_is_not(world):
    report(world.registration)
    with time_machine.travel(timezone.now() + timedelta(hours=24)):
        Verification.objects.sync_again([world.registration])
    assert Verification.objects.count() == 1


def test_the_longest_address_entra_takes_is_read_to_its_end(read):
    uri = f"https://mail.example.com/{'a' * (256 - len('https://mail.example.com/'))}"
    RedirectURI.objects.create(registration=read.registration, use="product", uri=uri)
    read.microsoft.set_redirect_uris(read.app["client_id"], read.registration.uris_to_register)
    assert states(report(AppRegistration.objects.get()))["redirect_uris"] == "ok"


def test_what_graph_would_never_say_is_read_as_nothing():
    junk = {
        "web": [],
        "requiredResourceAccess": [{"resourceAccess": 7}, 5],
        "passwordCredentials": "x",
        "isDisabled": 1,
    }
    there = InEntra.read({**junk, "displayName": None, "keyCredentials": {"a": 1}})
    assert (there.name, there.redirect_uris, there.permissions, there.passwords) == ("", (), (), ())
    assert not there.is_disabled
    assert InEntra.of(there.kept()) == there


def test_moments_of_graph_have_up_to_seven_digits():
    secret = {
        "keyId": "1B2C3D4E-0000-0000-0000-000000000000",
        "hint": "abcd",
        "endDateTime": "2027-01-31T10:00:00.1234567Z",
    }
    password = InEntra.read({"passwordCredentials": [secret, {"keyId": "no ID"}]}).passwords[0]
    assert password.ends_at == datetime(2027, 1, 31, 10, 0, 0, 123456, UTC)
    assert (password.key_id, password.hint) == ("1b2c3d4e-0000-0000-0000-000000000000", "abc")


def test_half_a_character_is_dropped_and_the_rest_is_kept(read):
    manifest = read.microsoft.manifest(read.app["client_id"])
    manifest["passwordCredentials"][0]["displayName"] = "a\ud800b\x00c"
    there = InEntra.read(manifest | {"displayName": "\udc00d"})
    made = Verification.objects.create(registration=read.registration, in_entra=there.kept())
    made.refresh_from_db()
    kept = InEntra.of(made.in_entra)
    assert (kept.name, kept.passwords[0].name) == ("d", "abc")


def test_one_that_is_switched_off_in_entra_fails(read):
    there = InEntra.read(read.microsoft.manifest(read.app["client_id"]) | {"isDisabled": True})
    parts = {
        part.key: part for part in application.parts(read.registration, current(), there, Matches({}, frozenset()))
    }
    assert parts["enabled"].state == "failed"


def test_one_that_microsoft_blocked_fails_and_says_who_can_lift_it(read):
    read.microsoft.microsoft_status(read.app["client_id"], "DisabledDueToViolationOfServicesAgreement")
    told = step(report(read.registration), "enabled")
    assert (told["state"], told["actor"]) == ("failed", "operator")
    assert "Contact Microsoft support" in told["todo"]
    assert "blocked by Microsoft" in Finding.objects.get().remedy


def test_one_that_microsoft_says_is_not_disabled_is_on(read):
    read.microsoft.microsoft_status(read.app["client_id"], "NotDisabled")
    made = report(read.registration)
    assert (states(made)["enabled"], made.outcome) == ("ok", "ok")


def test_one_entra_does_not_know_any_more_fails_and_one_of_another_directory_is_passed_over(world):
    world.microsoft.owns_itself(world.app["client_id"])
    world.microsoft.set_fault("Request_ResourceNotFound", grant_type="graph")
    assert states(report(world.registration))["application"] == "failed"
    AppRegistration.objects.update(audience="AzureADMultipleOrgs")
    told = step(report(world.registration), "application")
    assert (told["state"], told["graph"]) == ("skipped", "Request_ResourceNotFound")


def test_a_list_that_lags_behind_marks_none_that_has_just_signed_in_and_what_comes_back_is_back(read):
    there = InEntra.of(sync(read.registration).in_entra)
    lagging = replace(there, passwords=())
    take_over(read.registration, lagging, current(), None)
    assert current().removed_at is None
    take_over(read.registration, lagging, None, None)
    assert current().removed_at is not None
    take_over(read.registration, there, None, None)
    assert current().removed_at is None
