"""Coming expiries as an iCalendar feed, at a secret address that each operator makes and revokes."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Count, QuerySet
from django.urls import reverse
from django.utils import timezone
from icalendar import Alarm, Calendar, Event

from oauth.models import Connection
from oauth.models.link import digest, new_token
from staff.models import User
from tenants.models import AppRegistration, Credential
from tenants.models.credential import CredentialQuerySet

REMIND_BEFORE = timedelta(days=14)
KEPT_FOR = timedelta(days=30)  # what has ended does not vanish from a calendar on the same day
ASK_AGAIN = timedelta(hours=6)
MOST = 1000  # a second's work; whatever ends later comes in when its time is nearer


def may_have(user: Any) -> bool:
    """Is this somebody who may look at registrations here, and so at their ends?"""
    may_look = user.has_perm("tenants.view_appregistration") or user.has_perm("tenants.change_appregistration")
    return bool(user.is_active and user.is_staff and may_look)


def make_address(user: User) -> str:
    """A new address for this user's feed, to be shown once: only its digest is kept. The one before opens nothing."""
    token = new_token()
    user.calendar_digest, user.calendar_made_at = digest(token), timezone.now()
    user.save(update_fields=["calendar_digest", "calendar_made_at"])
    return f"{settings.SITE_URL}{reverse('monitoring:expiries', args=[token])}"


def revoke(users: QuerySet[User]) -> list[User]:
    """End the addresses of these users. Those that had one."""
    had = list(users.filter(calendar_digest__isnull=False))
    users.filter(pk__in=[user.pk for user in had]).update(calendar_digest=None, calendar_made_at=None)
    return had


def owner_of(token: str) -> User | None:
    """Whose feed this is; None for a token that is unknown, revoked, or of somebody who may not look any more."""
    user = User.objects.filter(calendar_digest=digest(token)).first()
    return user if user is not None and may_have(user) else None


def live_credentials() -> CredentialQuerySet:
    """Client secrets with an end that are still known at Microsoft, of registrations that are looked after."""
    known = Credential.objects.exclude(slot="").filter(removed_at=None, ends_at__isnull=False)
    looked_after = {"archived_at": None, "tenant__suspended_at": None, "tenant__archived_at": None}
    return known.filter(**{f"registration__{name}": value for name, value in looked_after.items()})


def calendar_of(user: User, now: datetime) -> bytes:
    """The user's feed: the end of each live client secret that they may see, as a day with a reminder.

    Of very many, those that end first.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//Tenantry//Expiries//EN")
    calendar.add("version", "2.0")
    calendar.add("name", f"{settings.ORGANIZATION_NAME}: expiries")
    calendar.add("x-wr-calname", f"{settings.ORGANIZATION_NAME}: expiries")
    calendar.add("refresh-interval", ASK_AGAIN, parameters={"value": "DURATION"})
    calendar.add("x-published-ttl", ASK_AGAIN)
    coming = live_credentials().visible_to(user).filter(ends_at__gte=now - KEPT_FOR)
    credentials = list(coming.select_related("registration__tenant").order_by("ends_at", "pk")[:MOST])
    connected = _connected(user, credentials)
    for credential in credentials:
        calendar.add_component(_event(credential, connected.get(credential.registration_id, 0), now))
    content: bytes = calendar.to_ical()
    return content


def _connected(user: User, credentials: Iterable[Credential]) -> dict[int, int]:
    """How many live connections that the user may see each of these registrations has."""
    of_these = AppRegistration.objects.filter(credentials__in=[credential.pk for credential in credentials])
    seen = Connection.objects.live().visible_to(user).filter(registration__in=of_these)
    return dict(seen.order_by().values_list("registration").annotate(number=Count("pk")))


def _event(credential: Credential, connected: int, now: datetime) -> Event:
    registration = credential.registration
    day = credential.ends_at.astimezone(UTC).date() if credential.ends_at else None
    event = Event()
    event.add("uid", f"credential-{credential.pk}@{urlsplit(settings.SITE_URL).hostname}")
    event.add("dtstamp", now)
    event.add("dtstart", day)
    event.add("summary", f"{credential} of “{registration.name}” ends")
    event.add("description", "\n".join(_words(credential, connected)))
    address = reverse("admin:tenants_appregistration_change", args=[registration.pk])
    event.add("url", settings.SITE_URL + address)
    event.add("transp", "TRANSPARENT")  # nobody is busy on that day
    reminder = Alarm()
    reminder.add("action", "DISPLAY")
    reminder.add("trigger", -REMIND_BEFORE)
    reminder.add("description", f"{credential} of “{registration.name}” ends in {REMIND_BEFORE.days} days")
    event.add_component(reminder)
    return event


def _words(credential: Credential, connected: int) -> Iterable[str]:
    registration = credential.registration
    yield f"Tenant: {registration.tenant or 'none, it is shared by many'}"
    if credential.slot == Credential.Slot.CURRENT:
        mailboxes = "1 connected mailbox stops" if connected == 1 else f"{connected} connected mailboxes stop"
        yield f"Until it is replaced, it signs in here: {mailboxes} working when it ends."
        yield "What to do: create a new client secret in Entra and enter it on the registration's page."
    else:
        yield f"It is the registration's {credential.get_slot_display()} secret, with which Tenantry does not sign in."
        yield "What to do: see that none of your products uses it any more."
    if credential.ends_at_typed:
        yield "The date was typed by hand and is meant in UTC; Microsoft has not confirmed it."
