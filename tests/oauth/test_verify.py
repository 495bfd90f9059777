"""Verify, through the real MSAL: what each of the first steps says, where it stops, and that it goes on by itself."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from oauth.models import Verification
from oauth.tasks import verify
from tenants.models import AppRegistration, Credential
from tests.factories import make_credential


def ask(registration, **more) -> Verification:
    return Verification.objects.ask(registration, **more)


def run(verification: Verification) -> Verification:
    """The task, once, as when its bell rings at the time it is due."""
    Verification.objects.filter(pk=verification.pk).update(next_at=None)
    verify(verification.pk)
    verification.refresh_from_db()
    return verification


def states(verification: Verification) -> dict[str, str]:
    return {step["key"]: step["state"] for step in verification.steps}


def step(verification: Verification, key: str):
    return next(step for step in verification.steps if step["key"] == key)


def test_a_registration_that_is_well_signs_in(world):
    report = run(ask(world.registration))
    assert (states(report)["configuration"], states(report)["directory"], states(report)["sign_in"]) == ("ok",) * 3
    assert report.outcome == "ok"
    assert report.has_signed_in


def test_a_proposed_secret_that_signs_in_becomes_the_current_one(world):
    current = Credential.objects.current().get()
    new = world.microsoft.add_secret(world.app["client_id"])
    proposed = Credential.objects.propose(world.registration, new["value"], timezone.now() + timedelta(days=90))
    run(ask(world.registration, credential=proposed))
    assert Credential.objects.current().get() == proposed
    current.refresh_from_db()
    assert current.slot == "previous"


def test_a_proposed_secret_that_is_refused_waits_and_disturbs_nothing(world):
    current = Credential.objects.current().get()
    proposed = Credential.objects.propose(
        world.registration, "not-a-real-secret-at-all", timezone.now() + timedelta(days=90)
    )
    Credential.objects.filter(pk=proposed.pk).update(created_at=timezone.now() - timedelta(minutes=4))
    report = run(ask(world.registration, credential=proposed))
    assert (report.outcome, states(report)["sign_in"]) == ("failed", "failed")
    assert step(report, "sign_in")["codes"] == [7000215]
    assert Credential.objects.current().get() == current
    assert Credential.objects.get(slot="next") == proposed
    assert not world.registration.findings.exists()


def test_a_new_secret_is_tried_again_until_it_has_spread(world):
    world.microsoft.set_fault(7000215, times=2)
    report = ask(world.registration)
    for _ in range(2):
        run(report)
        assert (report.outcome, states(report)["sign_in"]) == ("", "waiting")
        assert report.next_at is not None
    assert run(report).outcome == "ok"


def test_an_unknown_directory_ends_it(world):
    AppRegistration.objects.update(directory="00000000-1111-2222-3333-444444444444")
    report = run(ask(world.registration))
    assert states(report)["directory"] == "failed"
    assert states(report)["sign_in"] == "skipped"
    assert step(report, "directory")["codes"] == [90002]


def test_who_asks_twice_waits_for_one(world):
    assert ask(world.registration) == ask(world.registration)
    assert ask(world.registration) != ask(world.registration, credential=make_credential(world.registration))
