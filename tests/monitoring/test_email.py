"""What an alert's mail says, and what it must never hold."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone

from monitoring.models import Delivery, Finding
from monitoring.transports.email import message_of
from monitoring.wording import moment
from tests.factories import make_connection, make_credential, make_registration, make_tenant

from .test_findings import fault, see

pytestmark = pytest.mark.django_db

HOSTILE = "Contoso\r\nBcc: everybody@example.com\r\n\r\n<script>\x85\u2028\x1b\u202e Ltd"


def mails() -> list[EmailMultiAlternatives]:
    return [message_of(delivery) for delivery in Delivery.objects.order_by("created_at")]


def make_mail(subject: Any = None, **fields: Any) -> EmailMultiAlternatives:
    see(subject or make_connection(), fault(**fields))
    return mails()[-1]


def html_of(mail: EmailMultiAlternatives) -> str:
    return str(mail.alternatives[0][0])


def test_the_subject_names_tenant_mailbox_and_fault():
    registration = make_registration(make_tenant("Contoso"))
    mail = make_mail(make_connection(registration, address="anna@contoso.example"))
    assert mail.subject == "[Tenantry] Critical: Contoso: anna@contoso.example: It is broken"


def test_the_subject_does_not_name_the_registration_twice():
    registration = make_registration(make_tenant("Contoso"), name="Contoso Mail")
    mail = make_mail(make_credential(registration), what="The client secret abc… of “Contoso Mail” has ended.")
    assert mail.subject == "[Tenantry] Critical: Contoso: The client secret abc… of “Contoso Mail” has ended"


def test_the_body_says_what_since_when_who_and_what_to_do():
    registration = make_registration(make_tenant("Contoso"), name="Contoso Mail")
    mail = make_mail(make_connection(registration, address="anna@contoso.example"), evidence={"codes": [50173]})
    finding = Finding.objects.get()
    for part in (str(mail.body), html_of(mail)):
        for words in (
            "It is broken.",
            "Contoso Mail",
            "anna@contoso.example",
            moment(finding.opened_at),
            "Mend it.",
            "It is then up to",
            "mailbox owner",
            "AADSTS50173",
            f"http://testserver/admin/monitoring/finding/{finding.pk}/change/",
        ):
            assert words in part


def test_what_is_up_to_the_operator_names_nobody_else():
    mail = make_mail(actor="operator")
    for part in (str(mail.body), html_of(mail)):
        assert "Mend it." in part
        assert "up to" not in part


def test_a_mail_that_it_is_over_asks_nothing_of_anybody():
    subject = make_connection(make_registration(make_tenant("Contoso")), address="anna@contoso.example")
    see(subject, fault())
    see(subject)
    opened, over = mails()
    assert over.subject == "[Tenantry] Resolved: Contoso: anna@contoso.example: It is broken"
    assert "Mend it." not in over.body
    assert "Nobody needs to do anything." in over.body
    assert "Nobody needs to do anything." in html_of(over)
    assert opened.extra_headers["References"] == over.extra_headers["References"]


def test_mails_of_one_finding_make_one_thread_and_have_ids_of_their_own():
    subject = make_credential()
    for step in (1, 2):
        see(subject, fault("secret_ending", step=step))
    first, second = (mail.message() for mail in mails())
    assert first["In-Reply-To"] == second["In-Reply-To"]
    assert first["Message-ID"] != second["Message-ID"]
    assert first["Auto-Submitted"] == "auto-generated"


def test_the_id_is_the_deliverys_on_every_try():
    make_mail()
    delivery = Delivery.objects.get()
    assert message_of(delivery).message()["Message-ID"] == f"<{delivery.pk}@testserver>"
    assert message_of(Delivery.objects.get()).message()["Message-ID"] == f"<{delivery.pk}@testserver>"


def test_a_tenants_name_cannot_add_headers_and_its_alert_arrives(mailoutbox):
    from monitoring import alerts

    make_mail(make_connection(make_registration(make_tenant(HOSTILE, slug="hostile"))))
    alerts.deliver_due()
    sent = mailoutbox[0].message()
    assert sent["Bcc"] is None
    assert "Contoso Bcc: everybody@example.com <script> Ltd" in mailoutbox[0].subject
    assert mailoutbox[0].recipients() == ["ops@example.com"]


def test_names_are_escaped_in_html():
    mail = make_mail(make_connection(make_registration(make_tenant(HOSTILE, slug="hostile"))))
    assert "<script>" not in html_of(mail)
    assert "<script>" in mail.body


def test_a_long_subject_is_cut():
    mail = make_mail(what="broken " * 100)
    assert len(mail.subject) <= 150
    assert mail.subject.endswith("…")


def test_a_shared_registrations_mail_says_so():
    mail = make_mail(make_registration(shared=True, name="Shared Mail"))
    assert mail.subject == "[Tenantry] Critical: Shared registration: “Shared Mail”: It is broken"
    assert "the registration is shared" in mail.body


def test_times_are_given_in_our_zone_and_in_utc(settings):
    at = datetime(2026, 3, 3, 13, 5, tzinfo=UTC)
    assert moment(at) == "3 March 2026, 13:05 UTC"
    settings.TIME_ZONE = "Europe/Berlin"
    timezone.activate("Europe/Berlin")
    assert moment(at) == "3 March 2026, 14:05 CET (13:05 UTC)"
    timezone.deactivate()


def test_text_comes_first_and_html_after_it():
    kinds = [part.get_content_type() for part in make_mail().message().walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]
