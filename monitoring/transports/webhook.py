"""Alerts as webhooks, signed as Standard Webhooks describe."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from functools import partial
from typing import Any

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from urllib3.exceptions import HTTPError

from tenants.outbox import NotTaken, Send

from .. import wording
from ..models import Delivery
from . import guard

PREFIX = "whsec_"
GONE = 410
TYPES = {
    "opened": "finding.opened",
    "worse": "finding.worse",
    "reminder": "finding.reminder",
    "resolved": "finding.resolved",
}


def new_secret() -> str:
    """A signing secret of 32 bytes, as receivers paste it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


@sensitive_variables()
def prepare(delivery: Delivery) -> Send:
    """The signed message of this delivery, to its channel's address."""
    channel = delivery.channel
    if channel is None or channel.url is None or channel.signing_secret is None:
        raise NotTaken("the channel has no address")
    keys = [channel.signing_secret.reveal("to sign a webhook")]
    if channel.previous_signing_secret and (channel.previous_signs_until or timezone.now()) > timezone.now():
        keys.append(channel.previous_signing_secret.reveal("to sign a webhook while its receiver changes secrets"))
    try:
        address = guard.parse(channel.url.reveal("to send a webhook"))
    except guard.Refused as refusal:
        raise NotTaken(f"its address is refused: {refusal}") from None
    body = json.dumps(payload_of(delivery), ensure_ascii=False).encode()
    return partial(_post, guard.guard_of_site(), address, str(delivery.pk), body, keys)


@sensitive_variables()
def _post(sender: guard.Guard, address: guard.Address, message_id: str, body: bytes, keys: list[str]) -> None:
    timestamp = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Tenantry",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(key, message_id, timestamp, body) for key in keys),
    }
    try:
        answer = sender.post(address, body, headers)
    except guard.Refused as refusal:
        raise NotTaken(f"its address is refused: {refusal}") from None
    except guard.Unreachable as problem:
        raise NotTaken(f"not reached: {problem}") from None
    except (HTTPError, OSError) as problem:
        raise NotTaken(f"no answer: {type(problem).__name__}") from None
    if not 200 <= answer.status_code < 300:  # a redirection is a no, too
        raise NotTaken(
            f"answered {answer.status_code}", retry_after=answer.retry_after, is_gone=answer.status_code == GONE
        )


@sensitive_variables()
def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = b".".join([message_id.encode(), str(timestamp).encode(), body])
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def payload_of(delivery: Delivery) -> dict[str, Any]:
    """What is sent: what it is, when it was written, and the findings it tells of. No secret."""
    items = wording.items_of(delivery)
    if delivery.is_test:
        name = "test"
    elif len(items) == 1 and delivery.digest_at is None:
        name = TYPES[items[0].news]
    else:
        name = "digest"
    findings = [_finding(item) for item in items]
    return {"type": name, "timestamp": delivery.created_at.isoformat(), "data": {"findings": findings}}


def _finding(item: wording.Item) -> dict[str, Any]:
    finding = item.finding
    return {
        "id": finding.pk,
        "state": item.news,
        "kind": finding.kind,
        "severity": finding.severity,
        "tenant": finding.tenant.name if finding.tenant else None,
        "subject": str(finding.subject),
        "what": finding.what,
        "remedy": finding.remedy,
        "since": finding.opened_at.isoformat(),
        "url": item.link,
    }
