"""The outgoing heartbeat: a dead-man's switch outside gets a call every five minutes, and alarms when none comes.

It is called only while the night's check finishes in time and what operators are to be told reaches them.
"""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from urllib3 import PoolManager, Timeout
from urllib3.exceptions import HTTPError

from . import watch
from .models import Delivery, Heartbeat

# A little less than five minutes and than one: the reconciler, which asks, comes every minute, not to the second.
EVERY = timedelta(minutes=4, seconds=50)
AGAIN_AFTER = timedelta(seconds=50)
LATE = timedelta(hours=1)
TIMEOUT = Timeout(connect=5, read=10)

logger = logging.getLogger(__name__)


def send(now: datetime) -> None:
    """Call HEARTBEAT_URL if it is time and all is well. Outside any transaction; any number may run at once."""
    if not settings.HEARTBEAT_URL or not is_deserved(now):
        return
    if not Heartbeat.objects.claim(now, now + EVERY):
        return
    problem = _call()
    changes = {"problem": problem, "next_at": now + AGAIN_AFTER} if problem else {"problem": "", "sent_at": now}
    Heartbeat.objects.update(**changes)


def is_deserved(now: datetime) -> bool:
    """Would whoever is on call want to sleep on? Nobody is woken for one customer's own channel or addresses."""
    return watch.state(now).is_well and not overdue(now).exists()


def overdue(now: datetime) -> QuerySet[Delivery]:
    """What has waited for more than an hour to be told to operators: to ALERT_EMAILS or a channel for all tenants."""
    to_alert_emails = [f"email:{address.casefold()}" for address in settings.ALERT_EMAILS]
    to_operators = Q(target__in=to_alert_emails) | Q(channel__isnull=False, channel__tenant=None)
    first_due = Q(created_at__lte=now - LATE) & (Q(digest_at=None) | Q(digest_at__lte=now - LATE))
    return Delivery.objects.filter(to_operators, first_due, state=Delivery.State.WAITING)


def _call() -> str:
    """What went wrong, in a word or two; nothing if it arrived. Never the address, which is a secret."""
    pool = PoolManager(num_pools=1, maxsize=1, retries=False, timeout=TIMEOUT)
    try:
        answer = pool.request("GET", settings.HEARTBEAT_URL, redirect=False, preload_content=False)
        status = answer.status
        answer.close()  # whatever it says, and however long it would take to say it
    except (HTTPError, OSError, ValueError) as failure:
        problem = type(failure).__name__
    else:
        problem = "" if 200 <= status < 300 else f"status {status}"
    finally:
        pool.clear()
    if problem:
        logger.warning("heartbeat not sent", extra={"problem": problem})
    return problem
