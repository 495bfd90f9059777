"""Attempts as rows: kept when somebody leaves for Microsoft, found again by state and browser, and ended."""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.debug import sensitive_variables

from tenants.models import Event
from tenants.scopes import permissions_for

from . import pins
from .errors import AnswerRejected, EntraRefused
from .models import ConsentAttempt, Link
from .models.link import digest

TRIES_AN_HOUR = 20

Outcome = ConsentAttempt.Outcome
_OUTCOMES = {"user_declined": Outcome.DECLINED, "cancelled": Outcome.CANCELLED}


class CannotStart(Exception):
    """Nobody can be sent to Microsoft now, and no attempt was stored. `kind` says why, in a word."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class TooManyTries(CannotStart):
    """This link was tried too often within an hour."""

    def __init__(self) -> None:
        super().__init__("too_many_tries")


@dataclass(frozen=True)
class Started:
    """An attempt, what its browser must keep, and where it goes now."""

    attempt: ConsentAttempt
    browser: str = field(repr=False)
    auth_uri: str = field(repr=False)


def refuse_a_loop(link: Link) -> None:
    """Raise TooManyTries where this link's attempts come to nothing again and again."""
    # Tries that used nothing up, from any browser: whoever holds a link can make approvals up without end. A link for
    # many people has room for all of them.
    since = timezone.now() - timedelta(hours=1)
    tries = link.attempts.filter(connection=None, created_at__gt=since).count()
    if tries >= TRIES_AN_HOUR + link.max_uses - link.uses:
        raise TooManyTries


@sensitive_variables()
def keep(
    link: Link, way: ConsentAttempt.Way, *, state: str, auth_uri: str, flow: Mapping[str, Any] | None = None
) -> Started:
    """Store an attempt with a snapshot of what is asked, and with the flow, sealed, that its answer will need."""
    registration, browser = link.registration, secrets.token_urlsafe(32)
    attempt = ConsentAttempt(
        link=link,
        way=way,
        cloud=registration.cloud,
        directory=pins.directory_of(link),
        client_id=registration.client_id,
        redirect_uri=registration.redirect_uri,
        scopes=list(permissions_for(registration.scope_names)),
        state_digest=digest(state),
        browser_digest=digest(browser),
    )
    if flow is not None:
        attempt.flow = json.dumps(flow)
    attempt.save(force_insert=True)
    return Started(attempt, browser, auth_uri)


def find(cloud_key: str, state: str, secret_of: Callable[[UUID], str], way: str) -> ConsentAttempt | None:
    """The attempt with this state, if it went this way to this cloud, from this browser. Nothing of it is changed."""
    sought = ConsentAttempt.objects.filter(state_digest=digest(state), cloud=cloud_key, way=way)
    attempt = sought.select_related("link__tenant").first()
    if attempt is None:
        return None
    if not constant_time_compare(digest(secret_of(attempt.pk)), attempt.browser_digest):
        _note_another_browser(attempt)
        return None
    return attempt


def _note_another_browser(attempt: ConsentAttempt) -> None:
    """Once for each attempt: somebody lost their cookies on the way, or was handed another person's sign-in."""
    reason = f"another browser brought the answer to attempt {attempt.pk}"
    link = attempt.link
    if not Event.objects.filter(subject_type=link._meta.label_lower, subject_id=str(link.pk), reason=reason).exists():
        Event.objects.record(verb="answer refused", subject=link, tenant=link.tenant, reason=reason)


def demand_unchanged(attempt: ConsentAttempt) -> None:
    """Raise AnswerRejected if the registration or the link is not any more what the person was sent away with."""
    registration = attempt.link.registration
    asked = (attempt.cloud, attempt.directory, attempt.client_id)
    if asked != (registration.cloud, pins.directory_of(attempt.link), registration.client_id):
        raise AnswerRejected("registration_changed", "The registration was changed while the person was at Microsoft.")


def use_link(attempt: ConsentAttempt) -> Link:
    """Use the attempt's link once, if it still may be; inside a transaction. Raises AnswerRejected."""
    link = usable_link(attempt)
    Link.objects.filter(pk=link.pk).update(uses=F("uses") + 1)
    return link


def usable_link(attempt: ConsentAttempt) -> Link:
    """The attempt's link, locked, if it still may be used; inside a transaction. Raises AnswerRejected."""
    link = Link.objects.usable().select_for_update(of=("self",)).filter(pk=attempt.link_id).first()
    if link is None:
        raise AnswerRejected("link_unusable", "The link ended or was used up while the person was at Microsoft.")
    return link


def end_refused(attempt: ConsentAttempt, refusal: EntraRefused, kind: str = "") -> None:
    """End the attempt with what Microsoft said, in codes and IDs; `kind` where it is not what the table says."""
    attempt.error = refusal.error[:60]
    attempt.codes = list(refusal.codes)
    attempt.trace_id = refusal.trace_id[:60]
    attempt.correlation_id = refusal.correlation_id[:60]
    kind = kind or refusal.fault.kind
    end(attempt, _OUTCOMES.get(kind, Outcome.REFUSED), fault_kind=kind)


def end(attempt: ConsentAttempt, outcome: str, *, fault_kind: str = "") -> None:
    """End the attempt; nothing that was kept for its answer stays."""
    attempt.outcome = outcome
    attempt.fault_kind = fault_kind[:40]
    attempt.flow = None
    attempt.next_at = None
    attempt.finished_at = timezone.now()
    said = ["error", "codes", "trace_id", "correlation_id"]
    attempt.save(
        update_fields=["outcome", "fault_kind", "flow", "next_at", "finished_at", "connection", "grant", *said]
    )
