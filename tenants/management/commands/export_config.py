import os
from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q, QuerySet
from django.views.decorators.debug import sensitive_variables

from staff.models import User
from tenants import exports
from tenants.exports.handing_out import LONGEST_REASON, PERMISSION, export_with_secrets
from tenants.models import AppRegistration, Tenant
from tenants.models.registration import as_guid


class Command(BaseCommand):
    help = (
        "Write app registrations down for what uses them: for Cypht, for Aurinko, as .env, JSON, CSV or Compose. "
        "Client secrets are left out unless --with-secrets, which is recorded in each registration's history."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        of = parser.add_mutually_exclusive_group(required=True)
        of.add_argument(
            "--registration",
            metavar="ID",
            action="append",
            help="A registration by its client ID, or by its number in the admin's address. May be repeated.",
        )
        of.add_argument("--tenant", metavar="SLUG", help="All registrations of this tenant.")
        of.add_argument("--all", action="store_true", help="All registrations.")
        parser.add_argument("--dialect", required=True, choices=list(exports.DIALECTS), help="For what they are.")
        parser.add_argument(
            "--redirect-uri",
            metavar="URI",
            action="append",
            default=[],
            help="For Cypht, where the products of a registration have several: the one to take. May be repeated.",
        )
        parser.add_argument("--output", metavar="PATH", help="A new file, or a folder for one file each.")
        parser.add_argument("--with-secrets", action="store_true", help="Put the client secrets in.")
        parser.add_argument("--reason", metavar="TEXT", help="What the client secrets are needed for.")
        parser.add_argument("--as", metavar="USERNAME", dest="username", help="Who takes the client secrets.")

    @sensitive_variables()
    def handle(self, *args: Any, **options: Any) -> None:
        dialect = exports.DIALECTS[options["dialect"]]
        by = _who_takes_secrets(options) if options["with_secrets"] else None
        if by is None and (options["reason"] is not None or options["username"] is not None):
            raise CommandError("--reason and --as go with --with-secrets: without it there is nothing to record.")
        if by and not dialect.takes_secret:
            raise CommandError(f"{dialect.label} holds no client secret. Leave out --with-secrets.")
        rows = list(exports.exportable(_chosen(options, by)))
        uris = _chosen_uris(rows, options["redirect_uri"])
        if by and not options["output"]:
            raise CommandError(
                "Client secrets are not printed, where a terminal or a log would keep them. "
                "Say with --output into which new file or folder they go."
            )
        # Without secrets first: nothing is recorded as taken that could not be put where it was asked for.
        planned = exports.export_many(rows, dialect, redirect_uris=uris)
        target = _target(options["output"], planned.files)
        found = planned
        if by:
            found = export_with_secrets(rows, dialect, by=by, reason=options["reason"], redirect_uris=uris)
        for file in found.files:
            if target is None:
                self.stdout.write(file.text, ending="")
            else:
                self.stdout.write(f"Wrote {target.write(file)}")
        if found.refused:
            number, total = len(found.refused), len(rows)
            reasons = "\n".join(str(refused) for refused in found.refused)
            raise CommandError(f"Not exported, {number} of {total}:\n{reasons}")


@dataclass(frozen=True)
class _Target:
    """A new file, or a folder for new files; each for its owner alone."""

    path: Path
    is_folder: bool

    def place_of(self, file: exports.File) -> Path:
        return self.path / file.name if self.is_folder else self.path

    @sensitive_variables()
    def write(self, file: exports.File) -> Path:
        place = self.place_of(file)
        try:
            if self.is_folder:
                self.path.mkdir(mode=0o700, exist_ok=True)
            # Never through a link, or over a file that came meanwhile.
            descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as problem:
            raise CommandError(f"{place} cannot be written: {problem.strerror}.") from problem
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as written:
            written.write(file.text)
        return place


def _target(output: str | None, files: list[exports.File]) -> _Target | None:
    """Where these go; None is standard output. Nothing that is there is overwritten."""
    if not output:
        if len(files) > 1:
            raise CommandError(f"These are {len(files)} files. Say with --output into which folder they go.")
        return None
    path = Path(output)
    target = _Target(path, is_folder=path.is_dir() or output.endswith(os.sep) or len(files) > 1)
    if target.is_folder and os.path.lexists(path) and not path.is_dir():
        raise CommandError(f"{path} is no folder, and these are {len(files)} files. Name another --output.")
    if not path.parent.is_dir():
        raise CommandError(f"{path.parent} is no folder. Make it first, or name another --output.")
    for place in map(target.place_of, files):
        if os.path.lexists(place):
            raise CommandError(f"{place} is already there and is not overwritten. Name another --output.")
    return target


def _who_takes_secrets(options: dict[str, Any]) -> User:
    """The user who is recorded, and must be permitted; CommandError names what is missing."""
    reason = (options["reason"] or "").strip()
    if not reason or not options["username"]:
        raise CommandError("--with-secrets needs --reason TEXT and --as USERNAME: both are recorded.")
    if len(reason) > LONGEST_REASON:
        raise CommandError(f"The reason is longer than {LONGEST_REASON} characters. Say it shorter.")
    user: User | None = User.objects.filter(username=options["username"]).first()
    if user is None or not user.is_active:
        raise CommandError(f"No active user is called “{options['username']}”.")
    if not user.has_perm(PERMISSION):
        raise CommandError(
            f"{user} may not export client secrets. A superuser can give them or a group of theirs the permission "
            "“Can export client secrets”."
        )
    return user


def _chosen(options: dict[str, Any], by: User | None) -> QuerySet[AppRegistration]:
    """The registrations that were named, each of which must be there, and be one that `by` may see."""
    known = AppRegistration.objects.filter(archived_at=None)
    known = known.visible_to(by) if by else known
    if options["registration"]:
        return known.filter(pk__in=[_named(known, text, by).pk for text in options["registration"]])
    if options["tenant"]:
        tenants = Tenant.objects.visible_to(by) if by else Tenant.objects.all()
        tenant = tenants.filter(slug=options["tenant"], archived_at=None).first()
        if tenant is None:
            raise CommandError(f"No tenant{_seen_by(by)} has the short name “{options['tenant']}”.")
        known = known.filter(tenant=tenant)
    if not known.exists():
        raise CommandError(f"There is no registration{_seen_by(by)} to export.")
    return known


def _named(known: QuerySet[AppRegistration], text: str, by: User | None) -> AppRegistration:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None
    found = list(known.filter(Q(pk=number) if number is not None else Q(client_id=as_guid(text) or "-")))
    if not found:
        raise CommandError(f"No registration{_seen_by(by)} that is not archived has the client ID or number “{text}”.")
    if len(found) > 1:
        numbers = " or ".join(f"{row.pk} ({row.cloud})" for row in found)
        raise CommandError(
            f"Registrations of several clouds have the client ID “{text}”. Name one by its number: {numbers}."
        )
    return found[0]


def _seen_by(by: User | None) -> str:
    return f" that {by} may see" if by else ""


def _chosen_uris(rows: list[AppRegistration], uris: list[str]) -> dict[int, str]:
    """By registration, the one of these addresses that its products have; each address must be somebody's."""
    chosen: dict[int, str] = {}
    for row in rows:
        of_row = [uri for uri in row.product_uris if uri in uris]
        if len(of_row) > 1:
            raise CommandError(f"{row} has several of these redirect URIs: {', '.join(of_row)}. Name one.")
        if of_row:
            chosen[row.pk] = of_row[0]
    for uri in uris:
        if uri not in chosen.values():
            raise CommandError(f"No registration among these has the redirect URI {uri} for its products.")
    return chosen
