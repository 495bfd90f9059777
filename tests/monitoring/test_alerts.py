"""Alerts: whether anybody is told, once, and in which order."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from monitoring import alerts
from monitoring.models import Alert, Delivery, Finding
from tests.factories import make_connection, make_registration, make_tenant
from tests.tenants.smtp_server import no_mail_server

from .test_findings import fault, see

pytestmark = pytest.mark.django_db


def test_nobody_hears_that_it_is_over_before_they_hear_that_it_was(settings, mailoutbox):
    backend = settings.EMAIL_BACKEND
    subject = make_connection(make_registration(alert_emails=["ops@example.com"]))
    with time_machine.travel(timezone.now(), tick=True) as clock:
        no_mail_server(settings)
        see(subject, fault())
        alerts.deliver_due()
        see(subject)
        settings.EMAIL_BACKEND = backend
        alerts.deliver_due()
        assert mailoutbox == []  # the first still has its pause to wait
        clock.shift(timedelta(minutes=1))
        alerts.deliver_due()
    assert ["Resolved" in mail.subject for mail in mailoutbox] == [False, True]
    assert "It has been resolved since" in mailoutbox[0].body
    assert "You:" not in mailoutbox[0].body


def test_nobody_is_told_where_a_live_registration_has_no_address(settings):
    settings.ALERT_EMAILS = []
    make_registration(alert_emails=["ops@example.com"])
    assert not alerts.nobody_is_told()
    registration = make_registration()
    assert alerts.nobody_is_told()
    settings.ALERT_EMAILS = ["all@example.com"]
    assert not alerts.nobody_is_told()
    settings.ALERT_EMAILS = []
    registration.archived_at = timezone.now()
    registration.save()
    assert not alerts.nobody_is_told()


def test_nobody_needs_to_be_told_of_a_suspended_tenant(settings):
    settings.ALERT_EMAILS = []
    make_registration(make_tenant(suspended_at=timezone.now()))
    assert not alerts.nobody_is_told()


def test_an_alert_of_a_step_is_written_once():
    see(make_connection(), fault())
    alerts.announce(Finding.objects.get(), 1)
    assert (Alert.objects.count(), Delivery.objects.count()) == (1, 1)
