"""A worker's turn with an import: check its rows a few at a time, or write them all at once."""

from django.db import transaction
from django.db.models import Count, Q

from tenants.fault_points import maybe_crash
from tenants.models import Import, ImportRow

from .resource import RegistrationResource
from .situation import Situation, load
from .writing import Overtaken, write

AT_ONCE = 200
JUDGED = ("outcome", "registration", "errors", "hints", "changes", "plan", "state_seen")
NOT_ALLOWED = "Who uploaded it may not add registrations any more."
GIVEN_UP = "It was begun several times and never came to its end. Upload it again, and look into the worker's log."
Outcome, State = ImportRow.Outcome, Import.State


def carry_on(pk: int) -> None:
    """Do what the import waits for, if nobody else does. Safe to lose, double or kill at any line."""
    upload = Import.objects.claim(pk)
    if upload is None:
        return
    if upload.tries > Import.MOST_TRIES:
        upload.end(State.FAILED, note=GIVEN_UP)
        return
    maybe_crash("import.claimed")
    if upload.state == State.WRITING:
        try:
            write(upload)
            return
        except Overtaken as changed:
            if not _begin_again(upload, str(changed)):
                return
    _check(upload)


def _begin_again(upload: Import, note: str) -> bool:
    """Have all rows checked anew, as if they had just been uploaded."""
    with transaction.atomic():
        if not upload.keep(state=State.CHECKING, note=note, seen=0, tries=0):
            return False
        upload.rows.update(outcome="", registration=None, errors=[], hints=[], changes={}, plan={}, state_seen="")
    return True


def _check(upload: Import) -> None:
    situation = Situation(upload)
    if not situation.may_add:
        upload.end(State.FAILED, note=NOT_ALLOWED)
        return
    while rows := list(upload.rows.filter(outcome="").order_by("number")[:AT_ONCE]):
        met = {stored.pk for row in rows if (stored := situation.stored_for(row.cells))}
        resource = RegistrationResource(situation, load(met))
        for row in rows:
            resource.judge(row)
        if not _keep(upload, rows):
            return
        maybe_crash("import.checked_some")
    _close(upload)


def _keep(upload: Import, rows: list[ImportRow]) -> bool:
    """Store what was found of these rows, and how far the check is. Short, so that others may write in between."""
    with transaction.atomic():
        seen = upload.rows.exclude(outcome="").count() + len(rows)
        if not upload.keep(seen=seen, tries=0):  # what gets on is not given up, however often it is interrupted
            return False
        for row in rows:
            row.save(update_fields=JUDGED)
    return True


def _close(upload: Import) -> None:
    """The check is over. Where something is wrong nothing can be imported, so no secret is kept."""
    with transaction.atomic():
        counts = upload.rows.aggregate(**{name: Count("pk", filter=Q(outcome=name)) for name in Outcome.values})
        if not upload.keep(state=State.CHECKED, lease_by=None, lease_until=None, tries=0, **counts):
            return
        if counts[Outcome.WRONG]:
            upload.rows.update(secret=None)
