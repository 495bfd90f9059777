"""All rows of an import into the database, in one transaction, as they were shown: or none of them."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.views.decorators.debug import sensitive_variables

from tenants import clouds
from tenants.fault_points import maybe_crash
from tenants.holding import hold
from tenants.models import AppRegistration, Credential, Event, Import, ImportRow, RedirectURI, ScopeSelection, Tenant
from tenants.models.credential import start_of
from tenants.signals import secrets_imported

from .cells import is_to_come
from .columns import ENDS_ON, LABELS, SECRET
from .situation import Situation, in_batches, load, state_of

Outcome = ImportRow.Outcome
COLUMNS = ("name", "audience", "directory", "alert_emails")
URIS = {"product_uris": RedirectURI.Use.PRODUCT, "return_urls": RedirectURI.Use.RETURN}
AT_MOST_NAMED = 10


class Overtaken(Exception):
    """What was shown is not what would be written any more; nothing was. Says so to the person."""


def write(upload: Import) -> None:
    """Write it, end it and shred its rows. Does nothing if it is not the caller's any more. Raises Overtaken."""
    try:
        with transaction.atomic():
            if not upload.hold():
                return
            _write(upload)
    except IntegrityError:  # somebody stored the same name or client ID in this very moment; its words name values
        raise Overtaken(
            "Nothing was imported: something was stored meanwhile that clashes with it. This is what it would do now."
        ) from None


def _write(upload: Import) -> None:
    whole = list(upload.rows.order_by("number"))
    _hold(whole)
    situation = Situation(upload)
    overtaken: list[int] = []
    with_secret: list[int] = []
    for rows in in_batches(whole):
        stored = load(row.registration_id for row in rows if row.registration_id)
        overtaken += [row.number for row in rows if not _is_as_shown(situation, row, stored)]
        if not overtaken:
            with_secret += _store(upload, [row for row in rows if row.outcome != Outcome.UNCHANGED], stored)
        maybe_crash("import.wrote_some")
    if overtaken or not situation.may_add:
        raise Overtaken(_words(overtaken))
    if with_secret:
        secrets_imported.send(sender=Import, registrations=with_secret, by=upload.created_by)
    upload.end(Import.State.DONE)
    maybe_crash("import.wrote_all")


def _words(overtaken: list[int]) -> str:
    if not overtaken:
        return "Nothing was imported: your rights have changed."
    named = ", ".join(map(str, overtaken[:AT_MOST_NAMED]))
    more = f" and {len(overtaken) - AT_MOST_NAMED} more" if len(overtaken) > AT_MOST_NAMED else ""
    return (
        f"Nothing was imported: since it was checked, something changed about row{'s' if len(overtaken) > 1 else ''} "
        f"{named}{more}. This is what it would do now."
    )


# Is it still as it was shown?


def _hold(rows: Iterable[ImportRow]) -> None:
    """Nobody else changes what these rows are about, or archives its tenant, before the transaction ends."""
    for model, keys in (
        (Tenant, {row.plan["tenant"] for row in rows} - {None}),
        (AppRegistration, {row.registration_id for row in rows} - {None}),
    ):
        for some in in_batches(sorted(keys)):
            hold(model._default_manager.filter(pk__in=some).only("pk"))


def _is_as_shown(situation: Situation, row: ImportRow, stored: dict[int, AppRegistration]) -> bool:
    met = situation.stored_for(row.cells)
    if (met.pk if met else None) != row.registration_id or situation.is_taken(row.cells):
        return False
    tenant = row.plan["tenant"]
    if row.cells.get("tenant"):
        named = situation.tenant_named(row.cells["tenant"])
        if named is None or named.pk != tenant:
            return False
    if tenant is None and not situation.sees_platform:
        return False
    if tenant is not None and (tenant not in situation.tenants or situation.tenants[tenant].suspended_at):
        return False
    if row.plan["cloud"] not in clouds.clouds():
        return False
    if row.plan[ENDS_ON] and ENDS_ON in row.changes and not is_to_come(date.fromisoformat(row.plan[ENDS_ON])):
        return False
    if row.registration_id is None:
        return True
    same = state_of(stored[row.registration_id]) == row.state_seen
    return same and (situation.may_change or row.outcome == Outcome.UNCHANGED)


# Into the database: a few statements for many rows, as nobody else can write to SQLite meanwhile


@sensitive_variables()
def _store(upload: Import, rows: Sequence[ImportRow], stored: dict[int, AppRegistration]) -> list[int]:
    """Write these rows and their history. Returns the registrations that have a new secret."""
    new = [row for row in rows if row.outcome == Outcome.NEW]
    names = ("name", "cloud", "audience", "directory", "client_id", "alert_emails")
    made = AppRegistration.objects.bulk_create(
        [AppRegistration(tenant_id=row.plan["tenant"], **{name: row.plan[name] for name in names}) for row in new]
    )
    about = {row.pk: registration for row, registration in zip(new, made, strict=True)}
    about |= {row.pk: stored[row.registration_id] for row in rows if row.registration_id}
    changed = [row for row in rows if row.outcome == Outcome.CHANGED]
    _change([(about[row.pk], row) for row in changed])
    _add_scopes_and_addresses((about[row.pk], row) for row in rows)
    with_secret = [row for row in rows if row.plan[SECRET]]
    Credential.objects.replace_many(
        (about[row.pk], row.secret.reveal("importing it"), _start_of(row.plan[ENDS_ON]))
        for row in with_secret
        if row.secret is not None
    )
    Event.objects.bulk_create(_event(upload, about[row.pk], row) for row in rows)
    return [about[row.pk].pk for row in with_secret]


def _change(written: Sequence[tuple[AppRegistration, ImportRow]]) -> None:
    """Columns and the secret's end; and what is not named any more goes."""
    _update_columns(written)
    for registration, row in written:
        registration.name = row.plan["name"]  # by which history calls it
        if ENDS_ON in row.changes and not row.plan[SECRET]:
            current = Credential.objects.current().filter(registration=registration)
            current.update(ends_at=_start_of(row.plan[ENDS_ON]), ends_at_typed=True)
    plans = {registration.pk: row for registration, row in written}
    gone = [
        pk
        for pk, of, scope in _beside(ScopeSelection, plans, "scope")
        if "scopes" in plans[of].changes and scope not in plans[of].plan["scopes"]
    ]
    for some in in_batches(gone):
        ScopeSelection.objects.filter(pk__in=some).delete()
    gone = [
        pk
        for name, use in URIS.items()
        for pk, of, uri in _beside(RedirectURI, plans, "uri", use=use)
        if name in plans[of].changes and uri not in plans[of].plan[name]
    ]
    for some in in_batches(gone):
        RedirectURI.objects.filter(pk__in=some).delete()


def _beside(model: Any, plans: dict[int, ImportRow], column: str, **filters: Any) -> list[tuple[Any, int, str]]:
    return list(model.objects.filter(registration__in=plans, **filters).values_list("pk", "registration_id", column))


def _update_columns(written: Sequence[tuple[AppRegistration, ImportRow]]) -> None:
    # Neither save() nor bulk_update() is quick enough; the rows are held, and what does not change is written as it is.
    columns: list[Any] = [AppRegistration._meta.get_field(name) for name in COLUMNS]
    sets = ", ".join(f"{connection.ops.quote_name(column.column)} = %s" for column in columns)
    table = connection.ops.quote_name(AppRegistration._meta.db_table)
    values = [
        (*(column.get_db_prep_save(row.plan[column.name], connection) for column in columns), registration.pk)
        for registration, row in written
        if set(COLUMNS) & set(row.changes)
    ]
    if values:
        with connection.cursor() as cursor:
            cursor.executemany(f"UPDATE {table} SET {sets} WHERE id = %s", values)  # noqa: S608  our own names


def _add_scopes_and_addresses(written: Iterable[tuple[AppRegistration, ImportRow]]) -> None:
    selections: list[ScopeSelection] = []
    uris: list[RedirectURI] = []
    for registration, row in written:
        for scope in _added(row, "scopes"):
            selections.append(ScopeSelection(registration=registration, scope=scope))
        for name, use in URIS.items():
            uris += [RedirectURI(registration=registration, use=use, uri=uri) for uri in _added(row, name)]
    ScopeSelection.objects.bulk_create(selections)
    RedirectURI.objects.bulk_create(uris)


def _added(row: ImportRow, name: str) -> list[str]:
    if name not in row.changes:
        return []
    return [item for item in row.plan[name] if item not in (row.changes[name][0] or ())]


def _event(upload: Import, registration: AppRegistration, row: ImportRow) -> Event:
    changes: dict[str, Any] = {LABELS[name]: change for name, change in row.changes.items() if name != SECRET}
    if SECRET in row.changes:
        changes[LABELS[SECRET]] = "changed"
    return Event.objects.line(
        verb="added" if row.outcome == Outcome.NEW else "changed",
        subject=registration,
        tenant_id=registration.tenant_id,
        actor=upload.created_by,
        changes=changes,
        reason=f"import {upload.pk}",
        address=upload.address or "",
    )


def _start_of(day: str) -> datetime | None:
    return start_of(date.fromisoformat(day)) if day else None
