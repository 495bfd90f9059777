"""Alerts as mail: one message to one address; those of one finding make a thread."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from oauth.errors import then_up_to

from .. import contacts, wording
from ..models import Alert, Delivery
from ..models.delivery import TO_CONTACT


def message_of(delivery: Delivery) -> EmailMultiAlternatives:
    """The mail for this delivery, with the same Message-ID on every try."""
    items = wording.items_of(delivery)
    if delivery.target.startswith(TO_CONTACT):
        return _message(delivery, contacts.subject_of(items), "emails/alert_contact", contacts.context_of(items))
    subject = f"[Tenantry] {wording.title_of(delivery, items)}"
    if delivery.is_test:
        return _message(delivery, subject, "emails/alert_test", {"channel": delivery.channel})
    if len(items) == 1 and delivery.digest_at is None:
        alert = items[0].alert
        return _message(delivery, subject, "emails/alert", _context(alert), thread=f"finding-{alert.finding_id}")
    context = {
        "tenants": wording.by_tenant(items),
        "number": len(items),
        "is_digest": delivery.digest_at is not None,
        "link": wording.link_to_all(),
    }
    return _message(delivery, subject, "emails/alert_many", context)


def _message(
    delivery: Delivery, subject: str, template: str, context: dict[str, Any], *, thread: str = ""
) -> EmailMultiAlternatives:
    host = urlsplit(settings.SITE_URL).hostname
    headers = {"Message-ID": f"<{delivery.pk}@{host}>", "Auto-Submitted": "auto-generated"}
    if thread:
        headers |= dict.fromkeys(("In-Reply-To", "References"), f"<{thread}@{host}>")
    context = {**context, "subject": subject}
    message = EmailMultiAlternatives(
        subject=subject, body=render_to_string(f"{template}.txt", context), to=[delivery.address], headers=headers
    )
    message.attach_alternative(render_to_string(f"{template}.html", context), "text/html")
    return message


def _context(alert: Alert) -> dict[str, Any]:
    finding = alert.finding
    is_over = alert.step == Alert.RESOLVED
    # The finding may have moved on since: this is about the epoch the alert was written in.
    is_past = finding.epoch > alert.epoch
    opened_at = finding.alerts.filter(epoch=alert.epoch).earliest("pk").created_at if is_past else finding.opened_at
    over_at = alert.created_at if is_over else finding.resolved_at
    return {
        "finding": finding,
        "headline": finding.headline,
        "whose": wording.whose(finding),
        "is_over": is_over,
        "is_reminder": bool(alert.reminder),
        "needs_somebody": not is_over and finding.resolved_at is None,
        "is_back": is_over and is_past,
        "then_up_to": then_up_to(finding.actor),
        "since": wording.moment(opened_at),
        "over_since": wording.moment(over_at) if over_at else "",
        "said": wording.said(finding.evidence),
        "link": wording.link_to(finding),
    }
