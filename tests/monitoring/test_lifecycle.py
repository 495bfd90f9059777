"""What people decide about findings, and what ends it."""

import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from monitoring import lifecycle
from monitoring.models import Alert, DeliveryAlert, Finding
from monitoring.tasks import reconcile
from tenants.models import Event, Tenant
from tests.factories import make_connection, make_credential, make_operator, make_registration, make_tenant

from .test_findings import fault, see

pytestmark = pytest.mark.django_db

WEEK = timedelta(days=7)


@pytest.fixture
def subject() -> Any:
    """A connection with one open finding, a warning, that was announced."""
    subject = make_connection()
    see(subject, fault(severity="warning"))
    return subject


@pytest.fixture
def by() -> Any:
    return make_operator()


def the_finding() -> Finding:
    return Finding.objects.get()


def announced() -> list[tuple[int, int, int]]:
    """Of the one finding a test is about; a week without a night is told of, too."""
    alerts = Alert.objects.exclude(finding__kind="sweep_overdue")
    return list(alerts.order_by("pk").values_list("epoch", "step", "reminder"))


def verbs() -> list[str]:
    return list(Event.objects.order_by("pk").values_list("verb", flat=True))


def snoozed(by: Any, until: timedelta = WEEK) -> Finding:
    (finding,) = lifecycle.snooze([the_finding()], timezone.now() + until, by=by, why="They are on holiday.")
    return finding


def acknowledged(by: Any) -> Finding:
    (finding,) = lifecycle.acknowledge([the_finding()], by=by, why="I have called them.")
    return finding


# By people


def test_acknowledging_says_who_why_and_when(subject, by):
    acknowledged(by)
    finding = the_finding()
    assert finding.state == Finding.State.ACKNOWLEDGED
    assert (finding.acknowledged_by, finding.acknowledged_why) == (by, "I have called them.")
    event = Event.objects.get()
    assert (event.verb, event.actor, event.reason) == ("acknowledged", by, "I have called them.")
    assert (event.subject_id, event.tenant) == (str(finding.pk), subject.tenant)


def test_what_one_has_acknowledged_another_does_not_take_over(subject, by):
    acknowledged(by)
    assert lifecycle.acknowledge([the_finding()], by=make_operator(), why="Me too.") == []
    assert the_finding().acknowledged_by == by
    assert verbs() == ["acknowledged"]


def test_an_acknowledgement_can_be_withdrawn(subject, by):
    acknowledged(by)
    lifecycle.withdraw([the_finding()], by=by)
    assert the_finding().state == Finding.State.OPEN
    assert the_finding().acknowledged_why == ""
    assert lifecycle.withdraw([the_finding()], by=by) == []
    assert verbs() == ["acknowledged", "acknowledgement withdrawn"]


def test_a_snoozed_finding_stays_open_and_does_not_press(subject, by):
    snoozed(by)
    assert the_finding().state == Finding.State.SNOOZED
    assert Finding.objects.open().exists()
    assert Finding.objects.snoozed().exists()
    assert not Finding.objects.pressing().exists()


def test_a_snooze_says_who_why_and_until_when(subject, by):
    finding = snoozed(by)
    event = Event.objects.get()
    assert (event.verb, event.actor, event.reason) == ("snoozed", by, "They are on holiday.")
    assert event.changes == {"until": [None, f"{the_finding().snoozed_until:%Y-%m-%d %H:%M UTC}"]}
    assert finding.pk == the_finding().pk


def test_a_snooze_can_be_given_another_end(subject, by):
    snoozed(by)
    snoozed(by, timedelta(days=30))
    assert the_finding().snoozed_until > timezone.now() + timedelta(days=29)
    assert Event.objects.latest("pk").changes["until"][0]


@pytest.mark.parametrize("until", [timedelta(0), -WEEK, timedelta(days=90, minutes=1)])
def test_a_snooze_ends_within_ninety_days(subject, by, until):
    with pytest.raises(ValueError, match="90 days"):
        snoozed(by, until)
    assert the_finding().state == Finding.State.OPEN


def test_waking_ends_it_without_a_reminder(subject, by):
    snoozed(by)
    lifecycle.wake([the_finding()], by=by)
    assert the_finding().state == Finding.State.OPEN
    assert the_finding().snoozed_why == ""
    assert lifecycle.wake([the_finding()], by=by) == []
    assert verbs() == ["snoozed", "woken"]
    assert len(announced()) == 1


def decided(finding: Finding, by: Any) -> list[Finding]:
    """The finding, once for each decision that it took."""
    taken = lifecycle.acknowledge([finding], by=by, why="It can wait.")
    return taken + lifecycle.snooze([finding], timezone.now() + WEEK, by=by, why="It can wait.")


def test_what_is_over_takes_no_decision(subject, by):
    see(subject)
    assert decided(the_finding(), by) == []
    assert verbs() == []


def test_what_got_worse_since_the_person_looked_is_left_alone(subject, by):
    as_seen = the_finding()
    see(subject, fault(severity="warning", step=2))
    assert decided(as_seen, by) == []
    assert the_finding().state == Finding.State.OPEN
    assert len(decided(the_finding(), by)) == 2


# What ends it: worse


@pytest.mark.parametrize("worse", [{"step": 2, "severity": "warning"}, {"severity": "critical"}])
def test_what_gets_worse_is_not_silenced_any_more_and_is_told(subject, by, worse):
    acknowledged(by)
    snoozed(by)
    see(subject, fault(**worse))
    assert the_finding().state == Finding.State.OPEN
    assert (the_finding().acknowledged_at, the_finding().snoozed_until) == (None, None)
    assert announced() == [(1, 1, 0), (1, 2, 0)]
    assert verbs()[2:] == ["snooze ended: it got worse", "acknowledgement ended: it got worse"]


def test_what_stays_as_it_is_stays_silenced(subject, by):
    acknowledged(by)
    snoozed(by)
    see(subject, fault(severity="warning", what="It is still broken."))
    assert the_finding().state == Finding.State.SNOOZED
    assert the_finding().acknowledged_at
    assert announced() == [(1, 1, 0)]


def test_what_gets_better_stays_silenced(subject, by):
    see(subject, fault(severity="critical", step=5))
    snoozed(by)
    see(subject, fault(severity="warning", step=2))
    assert the_finding().state == Finding.State.SNOOZED


def test_what_becomes_critical_once_more_is_told_once_more(subject, by):
    see(subject, fault(severity="critical", step=5))
    see(subject, fault(severity="warning", step=2))
    snoozed(by)
    see(subject, fault(severity="critical", step=5))
    see(subject, fault(severity="critical", step=5))
    assert the_finding().state == Finding.State.OPEN
    assert announced() == [(1, 1, 0), (1, 5, 0), (1, 6, 0)]


def test_getting_worse_without_a_decision_leaves_no_line_of_history(subject):
    see(subject, fault(severity="critical", step=2))
    assert verbs() == []
    assert announced() == [(1, 1, 0), (1, 2, 0)]


def test_what_comes_back_is_as_loud_as_on_its_first_day(subject, by):
    acknowledged(by)
    snoozed(by)
    see(subject)
    see(subject, fault(severity="critical"))
    finding = the_finding()
    assert (finding.state, finding.epoch, finding.step) == (Finding.State.OPEN, 2, 1)
    assert (finding.acknowledged_at, finding.snoozed_until) == (None, None)
    assert announced()[-1] == (2, 1, 0)


# What ends it: time


def test_the_end_of_a_snooze_is_told_exactly_once(subject, by):
    snoozed(by)
    with time_machine.travel(timezone.now() + WEEK + timedelta(minutes=1)):
        assert the_finding().state == Finding.State.OPEN
        reconcile()
        reconcile()
    assert announced() == [(1, 1, 0), (1, 1, 1)]
    assert verbs() == ["snoozed", "snooze ended"]
    assert Event.objects.latest("pk").actor is None
    assert DeliveryAlert.objects.filter(alert__reminder=1).count() == 1


def test_before_its_end_nothing_is_told(subject, by):
    snoozed(by)
    lifecycle.end_snoozes(timezone.now())
    assert the_finding().state == Finding.State.SNOOZED
    assert announced() == [(1, 1, 0)]


def test_each_snooze_has_a_reminder_of_its_own(subject, by):
    start = timezone.now()
    for weeks in (1, 2):
        with time_machine.travel(start + weeks * 2 * WEEK, tick=False):
            snoozed(by)
        lifecycle.end_snoozes(start + weeks * 2 * WEEK + WEEK)
    assert announced() == [(1, 1, 0), (1, 1, 1), (1, 1, 2)]


def test_what_was_mended_meanwhile_is_not_reminded_of(subject, by):
    snoozed(by)
    see(subject)
    lifecycle.end_snoozes(timezone.now() + 2 * WEEK)
    assert announced() == [(1, 1, 0), (1, Alert.RESOLVED, 0)]


def test_an_acknowledgement_outlives_the_end_of_a_snooze(subject, by):
    acknowledged(by)
    snoozed(by)
    lifecycle.end_snoozes(timezone.now() + 2 * WEEK)
    assert the_finding().state == Finding.State.ACKNOWLEDGED


def test_of_a_suspended_tenant_the_reminder_waits(subject, by):
    snoozed(by)
    Tenant.objects.update(suspended_at=timezone.now())
    lifecycle.end_snoozes(timezone.now() + 2 * WEEK)
    assert announced() == [(1, 1, 0)]
    Tenant.objects.update(suspended_at=None)
    lifecycle.end_snoozes(timezone.now() + 2 * WEEK)
    assert announced() == [(1, 1, 0), (1, 1, 1)]


def test_while_the_registration_is_at_fault_its_connections_reminders_wait(subject, by):
    snoozed(by)
    see(subject.registration, fault("secret_invalid", inhibits=True))
    lifecycle.end_snoozes(timezone.now() + 2 * WEEK)
    assert not Alert.objects.filter(reminder=1).exists()
    see(subject.registration)
    lifecycle.end_snoozes(timezone.now() + 2 * WEEK)
    assert Alert.objects.filter(reminder=1).count() == 1


def test_a_fault_that_inhibits_no_registration_delays_no_reminder(subject, by):
    snoozed(by)
    Finding.objects.create(
        kind="cloud_unreachable", cloud="global", inhibits=True, what="Silence.", severity="critical"
    )
    lifecycle.end_snoozes(timezone.now() + 2 * WEEK)
    assert Alert.objects.filter(reminder=1).count() == 1


def test_what_belongs_to_nobody_is_snoozed_and_reminded_of_too(by):
    see(make_registration(shared=True), fault("app_disabled"))
    snoozed(by)
    lifecycle.end_snoozes(timezone.now() + 2 * WEEK)
    assert announced() == [(1, 1, 0), (1, 1, 1)]


# Races


def at_once(number: int, act: Any) -> list[BaseException]:
    """Do it in so many threads at the same moment; what they raised."""
    barrier, problems = threading.Barrier(number), []

    def run() -> None:
        try:
            barrier.wait(timeout=10)
            act()
        except BaseException as problem:
            problems.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return problems


@pytest.mark.django_db(transaction=True)
def test_many_reconcilers_at_once_send_one_reminder_for_each():
    tenant, by = make_tenant(), make_operator()
    registration = make_registration(tenant)
    for _ in range(5):
        see(make_connection(registration), fault())
    lifecycle.snooze(Finding.objects.all(), timezone.now() + WEEK, by=by, why="Later.")
    later = timezone.now() + 2 * WEEK
    assert at_once(4, lambda: lifecycle.end_snoozes(later)) == []
    assert Alert.objects.filter(reminder=1).count() == 5
    assert Alert.objects.filter(reminder__gt=1).count() == 0
    assert verbs().count("snooze ended") == 5


@pytest.mark.django_db(transaction=True)
def test_of_many_who_acknowledge_at_once_one_does():
    see(make_credential(), fault())
    people = [make_operator() for _ in range(4)]
    queue = list(people)
    assert at_once(4, lambda: lifecycle.acknowledge([the_finding()], by=queue.pop(), why="Mine.")) == []
    assert verbs() == ["acknowledged"]
    assert the_finding().acknowledged_by == Event.objects.get().actor
