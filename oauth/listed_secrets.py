"""The client secrets that Entra lists, and which of those stored here they are. Entra names them by three characters.

A value is never compared: what tells two of the same beginning apart is when they end.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from tenants.models import AppRegistration, Credential, Event

from .in_entra import InEntra, Password

TELLS_APART = timedelta(days=1)  # a date that was typed by hand says no more than the day
_ORDER = (Credential.Slot.CURRENT, Credential.Slot.NEXT, Credential.Slot.PREVIOUS, "")


@dataclass(frozen=True)
class Matches:
    """Which listed secret each stored one is, by its key; and those of which that cannot be said."""

    found: dict[Any, Password]
    ambiguous: frozenset[Any]

    @property
    def taken(self) -> set[str]:
        return {password.key_id for password in self.found.values()}


def match(stored: Sequence[Credential], passwords: Iterable[Password], first: Credential | None) -> Matches:
    """`first` has just signed in, so it is the one most surely listed. No listed secret is given to two."""
    left = {password.key_id: password for password in passwords}
    found: dict[Any, Password] = {}
    if first is not None and first.key_id is None:
        # The only one that begins so is it, also where an older row of the same value was known to be that one.
        alike = [password for password in left.values() if password.hint == first.hint]
        if len(alike) == 1:
            found[first.pk] = left.pop(alike[0].key_id)
    for credential in sorted(stored, key=_turn(first)):
        if credential.key_id and (known := left.pop(str(credential.key_id), None)):
            found[credential.pk] = known
    ambiguous = set()
    unknown = [row for row in stored if row.key_id is None and row.hint and row.pk not in found]
    for credential in sorted(unknown, key=_turn(first)):
        alike = [password for password in left.values() if password.hint == credential.hint]
        chosen = _nearest(credential, alike)
        if chosen is not None:
            found[credential.pk] = left.pop(chosen.key_id)
        elif alike:
            ambiguous.add(credential.pk)
    return Matches(found, frozenset(ambiguous))


def _turn(first: Credential | None) -> Any:
    def turn(row: Credential) -> tuple[bool, int, float]:
        return row != first, _ORDER.index(row.slot), -row.created_at.timestamp()

    return turn


def _nearest(credential: Credential, alike: list[Password]) -> Password | None:
    """The one it is: the only one, or the one whose end is nearer than any other's by a day."""
    if len(alike) < 2:
        return alike[0] if alike else None
    ends_at = credential.ends_at
    if ends_at is None or any(password.ends_at is None for password in alike):
        return None
    away = {password: abs(password.ends_at - ends_at) for password in alike if password.ends_at}
    nearest, second, *_ = sorted(away, key=away.__getitem__)
    return nearest if away[second] - away[nearest] >= TELLS_APART else None


def take_over(registration: AppRegistration, there: InEntra, signed_in: Credential | None, by: Any) -> Matches:
    """Bring the stored secrets into line with what Entra lists. Inside the transaction that saves what was read.

    Ends and IDs of stored ones are taken over; what nobody told us about is listed without a value and without a use;
    what is gone is marked so. One that has just signed in is there, whatever a list says that is not up to date.
    """
    now = timezone.now()
    rows = list(Credential.objects.select_for_update().filter(registration=registration).order_by("pk"))
    stored, listings = [row for row in rows if row.value is not None], [row for row in rows if row.value is None]
    matches = match(stored, there.passwords, signed_in)
    for row in stored:
        if (password := matches.found.get(row.pk)) is not None:
            _confirm(registration, row, password, by)
        elif str(row.key_id) in matches.taken:
            _set(row, key_id=None)  # the same one was entered again, and that row tells all
        elif row.key_id and row != signed_in and row.removed_at is None:
            _set(row, removed_at=now)
    # Of what cannot be told apart from a stored one, nobody knows whether it is another.
    doubtful = {row.hint for row in stored if row.pk in matches.ambiguous}
    unknown = [each for each in there.passwords if each.key_id not in matches.taken and each.hint not in doubtful]
    _list(registration, listings, unknown, now)
    return matches


def _confirm(registration: AppRegistration, row: Credential, password: Password, by: Any) -> None:
    was = row.ends_at
    values: dict[str, Any] = {"key_id": password.key_id, "starts_at": password.starts_at, "removed_at": None}
    if password.ends_at is not None:
        values |= {"ends_at": password.ends_at, "ends_at_typed": False}
    if _set(row, **values) and password.ends_at not in (None, was):
        Event.objects.record(
            verb="end date taken from Entra",
            subject=registration,
            tenant=registration.tenant,
            actor=by,
            changes={"client secret ends on": [_day(was), _day(password.ends_at)]},
        )


def _list(registration: AppRegistration, listings: list[Credential], unknown: list[Password], now: datetime) -> None:
    """Secrets that stand in Entra and were never entered here: one row each, to be looked at."""
    known = {str(row.key_id): row for row in listings if row.key_id}
    new = []
    for password in unknown:
        row = known.pop(password.key_id, None)
        dates = {"starts_at": password.starts_at, "ends_at": password.ends_at}
        if row is None:
            own = {"hint": password.hint, "key_id": password.key_id, "created_at": password.starts_at or now}
            new.append(Credential(registration=registration, slot="", ends_at_typed=False, **own, **dates))
        else:
            _set(row, **dates, removed_at=None)
    Credential.objects.bulk_create(new)
    entered = Credential.objects.filter(registration=registration, value__isnull=False, key_id__in=list(known))
    for key_id in {str(key_id) for key_id in entered.values_list("key_id", flat=True)}:
        known.pop(key_id).delete()  # its value was entered since: that row tells all
    for row in known.values():
        if row.removed_at is None:
            _set(row, removed_at=now)


def _set(row: Credential, **values: Any) -> bool:
    """Whether that changed anything."""
    changed = {name: value for name, value in values.items() if _comparable(getattr(row, name)) != _comparable(value)}
    if changed:
        Credential.objects.filter(pk=row.pk).update(**changed)
    return bool(changed)


def _comparable(value: Any) -> Any:
    return value if isinstance(value, datetime | bool) or value is None else str(value)


def _day(moment: datetime | None) -> str | None:
    return moment.date().isoformat() if moment else None
