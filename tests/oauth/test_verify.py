"""Verify, through the real MSAL: what is missing here, the sign-in, where it stops, and that it goes on by itself."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from monitoring.models import Finding
from oauth.models import Verification
from oauth.verify import MOST_TRIES, run
from tenants.models import AppRegistration, Credential, Event, ScopeSelection, Tenant
from tests.factories import make_credential, make_registration
from tests.oauth.consenting import make_world
from tests.oauth.verifying import ask, report, set_up, states, step, turn

UNREADABLE = "00000000:gAAAAunreadable"
REST = ("directory", "sign_in", "application", "consent")


def make_old() -> None:
    """What is stored was stored long ago, so Microsoft knows it everywhere."""
    Credential.objects.update(created_at=timezone.now() - timedelta(hours=1))


def refuse_secret(world: Any) -> None:
    world.microsoft.remove_secret(world.app["client_id"], world.secret["key_id"])
    make_old()


def test_a_registration_that_is_well_signs_in(world):
    made = report(world.registration)
    assert [states(made)[key] for key in ("configuration", "directory", "sign_in")] == ["ok"] * 3
    assert (made.outcome, made.has_signed_in, made.next_at, made.lease_by) == ("ok", True, None, None)
    assert len(world.microsoft.token_requests()) == 1


# Configuration


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"client_id": ""}, "no client ID"),
        ({"directory": "", "audience": "AzureADMultipleOrgs"}, "directory is not known"),
        ({"cloud": "gone"}, "cloud is not known"),
        ({"archived_at": timezone.now()}, "archived"),
    ],
)
def test_without_what_is_needed_nobody_is_asked(world, change, words):
    AppRegistration.objects.update(**change)
    made = report(world.registration)
    assert words in step(made, "configuration")["seen"]
    assert (states(made)["configuration"], made.outcome) == ("failed", "failed")
    assert [states(made)[key] for key in REST] == ["skipped"] * 4
    assert "“Configuration” comes first" in step(made, "sign_in")["seen"]
    assert not world.microsoft.token_requests()


def test_nothing_is_tried_for_a_suspended_tenant(world):
    Tenant.objects.update(suspended_at=timezone.now())
    assert states(report(world.registration))["directory"] == "skipped"
    assert not world.microsoft.token_requests()


def test_without_a_secret_and_with_one_that_cannot_be_read_it_stops(world):
    Credential.objects.update(slot="")
    assert "no current client secret" in step(report(world.registration), "configuration")["seen"]
    secret = make_credential(world.registration)
    secret.value._text = UNREADABLE
    secret.save()
    told = step(report(world.registration), "configuration")
    assert "cannot be read" in told["seen"]
    assert "FIELD_ENCRYPTION_KEYS" in told["todo"]


def test_a_date_that_is_over_fails_and_microsoft_is_asked_all_the_same(world):
    Credential.objects.update(ends_at=timezone.now() - timedelta(days=1))
    made = report(world.registration)
    assert (states(made)["configuration"], states(made)["sign_in"], made.outcome) == ("failed", "ok", "failed")


def test_without_scopes_it_fails_and_microsoft_is_asked_all_the_same(world):
    ScopeSelection.objects.all().delete()
    made = report(world.registration)
    assert (states(made)["configuration"], states(made)["sign_in"]) == ("failed", "ok")


# Directory


def test_an_unknown_directory_ends_it_and_is_a_finding(world):
    AppRegistration.objects.update(directory="00000000-1111-2222-3333-444444444444")
    made = report(world.registration)
    assert (states(made)["directory"], states(made)["sign_in"]) == ("failed", "skipped")
    assert step(made, "directory")["codes"] == [90002]
    assert Finding.objects.get().kind == "tenant_not_found"


# Sign-in


@pytest.mark.parametrize("code", [700016, 7000112, 7000222, 53003, 999999])
def test_a_refusal_is_told_with_its_number_and_who_must_act(world, code):
    make_old()
    world.microsoft.set_fault(code, grant_type="client_credentials")
    made = report(world.registration)
    told = step(made, "sign_in")
    assert (told["state"], told["codes"], made.outcome) == ("failed", [code], "failed")
    assert told["todo"]
    assert told["actor"] in ("operator", "tenant_admin")
    assert states(made)["application"] == "skipped"


def test_what_is_seen_counts_as_a_check_and_opens_and_closes_findings(world):
    refuse_secret(world)
    report(world.registration)
    assert (Finding.objects.get().kind, Finding.objects.get().inhibits) == ("secret_invalid", True)
    make_credential(world.registration, value=world.microsoft.add_secret(world.app["client_id"])["value"])
    report(world.registration)
    assert Finding.objects.get().resolved_at is not None
    registration = AppRegistration.objects.get()
    assert registration.checked_at is not None
    assert Credential.objects.current().get().worked_at is not None


# Personal accounts only


@pytest.fixture
def personal(db, site_url, microsoft, cloud) -> Any:
    return make_world(microsoft, cloud, audience="PersonalMicrosoftAccount")


def test_for_personal_accounts_only_all_but_the_sign_in_is_checked(personal):
    made = report(personal.registration)
    assert [states(made)[key] for key in ("configuration", *REST)] == ["ok", "ok", "skipped", "skipped", "skipped"]
    assert made.outcome == "ok"
    assert "The first consent proves the client secret" in step(made, "sign_in")["seen"]
    assert "those have no administrator" in step(made, "consent")["seen"]
    assert not personal.microsoft.token_requests()
    assert not Finding.objects.exists()
    assert AppRegistration.objects.get().checked_at is not None


def test_it_needs_no_directory_and_one_that_is_wrong_is_told_and_no_finding(personal):
    AppRegistration.objects.update(directory="")
    made = report(AppRegistration.objects.get())
    assert (states(made)["directory"], made.outcome) == ("skipped", "ok")
    assert "directory" not in step(made, "configuration")["seen"]
    AppRegistration.objects.update(directory="00000000-1111-2222-3333-444444444444")
    assert states(report(AppRegistration.objects.get()))["directory"] == "failed"
    assert not Finding.objects.exists()


def test_a_secret_that_is_proposed_for_it_is_in_use_untried(personal):
    proposed = propose(personal)
    report(personal.registration, credential=proposed)
    assert Credential.objects.current().get() == proposed
    assert proposed.worked_at is None


def test_what_its_sign_in_was_once_refused_with_is_over(world):
    world.microsoft.set_app(world.app["client_id"], audience="PersonalMicrosoftAccount")
    report(world.registration)
    assert Finding.objects.get().kind == "only_personal_accounts"
    Finding.objects.create(
        registration=world.registration, tenant=world.registration.tenant, kind="drift", severity="warning"
    )
    AppRegistration.objects.update(audience="PersonalMicrosoftAccount")
    report(AppRegistration.objects.get())
    assert not Finding.objects.open().exists()


def test_account_types_that_change_meanwhile_have_it_begin_again(personal):
    work = ask(personal.registration)
    claimed = Verification.objects.claim(work.pk)
    AppRegistration.objects.filter(pk=personal.registration.pk).update(audience="AzureADMyOrg")
    run(claimed)
    work.refresh_from_db()
    assert (work.outcome, work.steps) == ("", [])


def test_any_account_from_nothing_to_verified(db, site_url, microsoft, cloud):
    world = make_world(microsoft, cloud, audience="AzureADandPersonalMicrosoftAccount")
    set_up(world)
    made = report(world.registration)
    assert [states(made)[key] for key in ("configuration", "directory", "sign_in", "application")] == ["ok"] * 4
    assert (made.outcome, Credential.objects.exclude(worked_at=None).count()) == ("ok", 1)


# A secret that spreads


def test_a_new_secret_is_tried_again_until_microsoft_knows_it(world):
    world.microsoft.set_fault(7000215, times=2)
    made = report(world.registration)
    for _ in range(2):
        assert (made.outcome, states(made)["sign_in"]) == ("", "waiting")
        assert timedelta(seconds=5) < made.next_at - timezone.now() <= timedelta(seconds=10)
        assert not Finding.objects.exists()
        made = turn(made)
    assert made.outcome == "ok"


@pytest.mark.parametrize("code", [7000215, 7000222])
def test_three_minutes_later_it_is_refused(world, code):
    world.microsoft.set_fault(code)
    made = report(world.registration)
    for _ in range(MOST_TRIES + 2):  # however often it was asked meanwhile
        made = turn(made)
        assert made.outcome == ""
    Credential.objects.update(created_at=timezone.now() - timedelta(minutes=3, seconds=1))
    assert (turn(made).outcome, Finding.objects.count()) == ("failed", 1)


def test_another_refusal_is_not_waited_for(world):
    world.microsoft.set_fault(700016)
    assert report(world.registration).outcome == "failed"


# A proposed secret


def propose(world: Any, value: str = "") -> Credential:
    value = value or world.microsoft.add_secret(world.app["client_id"])["value"]
    made = Credential.objects.propose(world.registration, value, timezone.now() + timedelta(days=90))
    make_old()
    return made


def test_a_proposed_secret_that_signs_in_becomes_the_current_one(world):
    refuse_secret(world)
    report(world.registration)
    before, proposed = Credential.objects.current().get(), propose(world)
    made = report(world.registration, credential=proposed)
    assert (made.outcome, Credential.objects.current().get()) == ("ok", proposed)
    assert Credential.objects.get(slot="previous") == before
    assert Finding.objects.get().resolved_at is not None
    assert Event.objects.get(verb="new secret in use").changes == {"client secret": "changed"}


def test_it_is_current_though_the_rest_of_the_report_waits_for_an_answer(world):
    world.microsoft.set_fault("down", grant_type="graph")
    proposed = propose(world)
    made = report(world.registration, credential=proposed)
    assert (made.outcome, made.has_signed_in) == ("", True)
    assert Credential.objects.current().get() == proposed


def test_a_proposed_secret_that_is_refused_waits_and_disturbs_nothing(world):
    current, proposed = Credential.objects.current().get(), propose(world, "not-a-real-secret-at-all")
    made = report(world.registration, credential=proposed)
    assert (made.outcome, step(made, "sign_in")["codes"]) == ("failed", [7000215])
    assert (Credential.objects.current().get(), Credential.objects.get(slot="next")) == (current, proposed)
    assert not Finding.objects.exists()
    assert AppRegistration.objects.get().checked_at is None


def test_a_proposed_secret_that_was_replaced_by_another_is_not_tried(world):
    first = propose(world)
    made = ask(world.registration, credential=first)
    propose(world)
    assert "replaced by another" in step(turn(made), "configuration")["seen"]
    assert not world.microsoft.token_requests()


# No answer


@pytest.mark.parametrize("place", ["discovery", "client_credentials", "graph"])
@pytest.mark.parametrize("what", ["down", "throttled", "html", "drop"])
def test_no_answer_is_waited_for_a_few_times_and_says_nothing(world, place, what):
    world.microsoft.set_fault(what, grant_type=place)
    made = report(world.registration)
    asked_to_wait = {"graph": 10, "client_credentials": 60}.get(place, 5) if what == "throttled" else 5
    assert made.next_at - timezone.now() > timedelta(seconds=asked_to_wait - 2)
    for _ in range(MOST_TRIES - 1):
        assert (made.outcome, made.steps[-1]["state"]) == ("", "waiting")
        made = turn(made)
    assert made.outcome == "unanswered"
    assert made.has_signed_in is (place == "graph")
    assert not Finding.objects.exists()


def test_an_answer_that_comes_late_is_as_good(world):
    set_up(world)
    world.microsoft.set_fault("slow", grant_type="graph", seconds=1)
    assert report(world.registration).outcome == "ok"


def test_what_gave_no_answer_goes_on_where_it_does(world):
    world.microsoft.set_fault("down", grant_type="client_credentials", times=1)
    made = report(world.registration)
    assert made.outcome == ""
    assert turn(made).outcome == "ok"


# Asking


def test_who_asks_for_what_has_not_begun_waits_for_the_same_one(world):
    assert ask(world.registration) == ask(world.registration)
    assert ask(world.registration) != ask(world.registration, credential=make_credential(world.registration))
    assert ask(world.registration) != ask(make_registration())
    assert ask(world.registration) != ask(world.registration, kind=Verification.Kind.SYNC)


def test_who_asks_for_what_a_night_put_off_has_it_begin_now(world):
    made = ask(world.registration, kind=Verification.Kind.SYNC)
    Verification.objects.update(next_at=timezone.now() + timedelta(hours=1))
    assert not Verification.objects.due().exists()
    ask(world.registration, kind=Verification.Kind.SYNC)
    assert Verification.objects.due().get() == made


def test_one_that_has_begun_is_not_joined(world):
    world.microsoft.set_fault(7000215)
    assert report(world.registration) != ask(world.registration)
