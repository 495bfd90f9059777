"""What becomes of an observation: opened, kept, escalated, resolved, reopened; and who hears of it."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from monitoring.models import Alert, Delivery, Finding
from oauth.models import Connection
from oauth.signals import Observation, Seen, observed
from tests.factories import make_connection, make_credential, make_registration, make_tenant

pytestmark = pytest.mark.django_db


def fault(kind: str = "grant_revoked", **fields: Any) -> Seen:
    return Seen(**{"kind": kind, "actor": "mailbox_owner", "what": "It is broken.", "remedy": "Mend it.", **fields})


def see(subject: Any, *faults: Seen, ruled_out: frozenset[str] | None = None) -> None:
    with transaction.atomic():
        observed.send(
            sender=type(subject),
            observation=Observation(subject=subject, at=timezone.now(), faults=faults, ruled_out=ruled_out),
        )


def steps() -> list[tuple[int, int]]:
    """Every announcement so far, as (epoch, step), in order."""
    return list(Alert.objects.order_by("pk").values_list("epoch", "step"))


def test_a_fault_opens_a_finding_that_says_all():
    subject = make_connection()
    see(subject, fault(evidence={"codes": [50173]}))
    finding = Finding.objects.get()
    assert finding.connection == subject
    assert finding.tenant == subject.tenant
    assert (finding.what, finding.remedy, finding.actor) == ("It is broken.", "Mend it.", "mailbox_owner")
    assert finding.evidence == {"codes": [50173]}
    assert steps() == [(1, 1)]


def test_a_second_night_with_the_same_fault_tells_nobody_and_keeps_the_latest_words():
    subject = make_connection()
    see(subject, fault())
    opened = Finding.objects.get()
    see(subject, fault(what="It is still broken.", evidence={"trace_id": "2"}))
    finding = Finding.objects.get()
    assert steps() == [(1, 1)]
    assert (finding.what, finding.evidence) == ("It is still broken.", {"trace_id": "2"})
    assert finding.opened_at == opened.opened_at
    assert finding.last_seen_at > opened.last_seen_at


def test_what_is_not_seen_any_more_is_resolved_and_told_once():
    subject = make_connection()
    see(subject, fault())
    see(subject)
    see(subject)
    assert Finding.objects.get().resolved_at
    assert steps() == [(1, 1), (1, Alert.RESOLVED)]


def test_only_what_was_ruled_out_is_resolved():
    subject = make_connection()
    see(subject, fault("grant_revoked"), fault("unverified"))
    see(subject, ruled_out=frozenset(["unverified"]))
    assert Finding.objects.open().get().kind == "grant_revoked"


def test_the_same_fault_coming_back_is_the_same_finding_in_its_next_epoch():
    subject = make_connection()
    see(subject, fault(step=2))
    see(subject)
    see(subject, fault(step=1))
    finding = Finding.objects.get()
    assert (finding.epoch, finding.step, finding.resolved_at) == (2, 1, None)
    assert steps() == [(1, 2), (1, 0), (2, 1)]


def test_getting_worse_is_told_and_getting_better_by_a_step_is_not():
    subject = make_credential()
    for step in (1, 2, 1, 2):
        see(subject, fault("secret_ending", step=step))
    assert steps() == [(1, 1), (1, 2)]


def test_a_finding_knows_its_latest_severity_though_its_step_stays():
    subject = make_credential()
    see(subject, fault("secret_ending", step=2, severity="critical"))
    see(subject, fault("secret_ending", step=1, severity="warning"))
    assert (Finding.objects.get().severity, Finding.objects.get().step) == ("warning", 2)


def test_a_shared_registrations_finding_belongs_to_no_tenant():
    see(make_registration(shared=True), fault("secret_invalid"))
    assert Finding.objects.get().tenant is None


def test_a_finding_is_about_the_registration_of_its_subject():
    credential, of_connection = make_credential(), make_connection()
    see(credential, fault("secret_ending"))
    see(of_connection, fault())
    about = [finding.about for finding in Finding.objects.order_by("pk")]
    assert about == [credential.registration, of_connection.registration]


@pytest.mark.parametrize("column", ["suspended_at", "archived_at"])
def test_of_a_suspended_or_archived_tenant_nothing_is_said(column):
    subject = make_connection(make_registration(make_tenant(**{column: timezone.now()})))
    see(subject, fault())
    assert not Finding.objects.exists()


def test_a_suspended_tenants_finding_stays_as_it_was():
    subject = make_connection()
    see(subject, fault())
    subject.tenant.suspended_at = timezone.now()
    subject.tenant.save()
    see(subject)
    assert Finding.objects.open().exists()
    assert steps() == [(1, 1)]


# Inhibition


def test_a_fault_of_the_registration_keeps_its_connections_quiet():
    registration = make_registration()
    subject = make_connection(registration)
    see(registration, fault("secret_invalid", inhibits=True))
    see(subject, fault())
    assert Finding.objects.open().count() == 2
    assert Alert.objects.get().finding.registration == registration


def test_what_was_kept_quiet_is_told_once_it_stands_alone():
    registration = make_registration()
    subject = make_connection(registration)
    credential = make_credential(registration)
    see(credential, fault("secret_ending", inhibits=True))
    see(subject, fault())
    see(credential)
    assert Alert.objects.filter(finding__connection=subject).count() == 1
    see(subject, fault())
    assert Alert.objects.filter(finding__connection=subject).count() == 1


def test_it_stays_quiet_while_anything_else_stands_for_it():
    registration = make_registration()
    subject = make_connection(registration)
    see(registration, fault("secret_invalid", inhibits=True), fault("app_disabled", inhibits=True))
    see(subject, fault())
    see(registration, ruled_out=frozenset(["secret_invalid"]))
    assert not Alert.objects.filter(finding__connection=subject).exists()
    see(registration)
    assert Alert.objects.filter(finding__connection=subject).exists()


def test_what_was_kept_quiet_and_is_over_is_never_told():
    registration = make_registration()
    subject = make_connection(registration)
    see(registration, fault("secret_invalid", inhibits=True))
    see(subject, fault())
    see(subject)
    assert not Alert.objects.filter(finding__connection=subject).exists()


def test_another_registrations_fault_keeps_nobody_quiet():
    see(make_registration(), fault("secret_invalid", inhibits=True))
    subject = make_connection()
    see(subject, fault())
    assert Alert.objects.filter(finding__connection=subject).exists()


# Who hears of it


def test_the_registrations_own_addresses_come_first(settings):
    settings.ALERT_EMAILS = ["all@example.com"]
    registration = make_registration(alert_emails=["one@example.com", "two@example.com", "One@example.com"])
    see(make_connection(registration), fault())
    assert sorted(Delivery.objects.values_list("address", flat=True)) == ["one@example.com", "two@example.com"]


def test_without_them_it_goes_to_alert_emails(settings):
    settings.ALERT_EMAILS = ["all@example.com"]
    see(make_connection(), fault())
    assert Delivery.objects.get().address == "all@example.com"


def test_that_it_is_over_goes_to_those_who_were_told():
    registration = make_registration(alert_emails=["old@example.com"])
    subject = make_connection(registration)
    see(subject, fault())
    registration.alert_emails = ["new@example.com"]
    registration.save()
    see(subject)
    assert Delivery.objects.get(alerts__step=Alert.RESOLVED).address == "old@example.com"


def test_that_it_is_over_does_not_go_to_whom_the_alert_never_reached():
    subject = make_connection(make_registration(alert_emails=["gone@example.com", "ops@example.com"]))
    see(subject, fault())
    Delivery.objects.filter(address="gone@example.com").update(state=Delivery.State.SET_ASIDE)
    see(subject)
    assert Delivery.objects.get(alerts__step=Alert.RESOLVED).address == "ops@example.com"


def test_with_nobody_to_tell_the_finding_stands_all_the_same(settings):
    settings.ALERT_EMAILS = []
    subject = make_connection()
    see(subject, fault())
    see(subject)
    assert Finding.objects.get().resolved_at
    assert steps() == [(1, 1)]
    assert not Delivery.objects.exists()


# Constraints and races


def test_a_finding_has_exactly_one_subject():
    subject = make_connection()
    with pytest.raises(IntegrityError), transaction.atomic():
        Finding.objects.create(kind="x", connection=subject, registration=subject.registration)
    with pytest.raises(IntegrityError), transaction.atomic():
        Finding.objects.create(kind="x")


@pytest.mark.django_db(transaction=True)
def test_many_who_see_the_same_at_once_open_and_announce_it_once():
    pk = make_connection().pk
    barrier, problems = threading.Barrier(6), []

    def look() -> None:
        try:
            subject = Connection.objects.select_related("tenant", "registration").get(pk=pk)
            barrier.wait(timeout=10)
            see(subject, fault())
        except BaseException as problem:
            problems.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=look) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert problems == []
    assert (Finding.objects.count(), Alert.objects.count(), Delivery.objects.count()) == (1, 1, 1)


def test_an_observation_that_is_rolled_back_leaves_nothing():
    subject = make_connection()
    with transaction.atomic():
        see(subject, fault())
        transaction.set_rollback(True)  # the worker dies before it commits
    assert (Finding.objects.count(), Alert.objects.count(), Delivery.objects.count()) == (0, 0, 0)


def test_an_old_finding_says_since_when():
    subject = make_connection()
    see(subject, fault())
    Finding.objects.update(opened_at=timezone.now() - timedelta(days=3))
    see(subject, fault())
    assert timezone.now() - Finding.objects.get().opened_at > timedelta(days=2)
