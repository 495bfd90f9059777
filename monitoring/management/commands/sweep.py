import sys
import time
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from monitoring import alerts, sweep
from monitoring.models import Finding, Sweep
from oauth.errors import then_up_to
from oauth.models import Connection
from tenants.models import AppRegistration, Tenant

ALL_WELL, FINDINGS, UNFINISHED = 0, 1, 2
PATIENCE = 300.0  # seconds without any progress
WIDTH = 30


class Command(BaseCommand):
    help = (
        "Check registrations and connections now, and say what is wrong. "
        "Exit status: 0 all is well, 1 something is wrong, 2 the check could not be finished."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        scope = parser.add_mutually_exclusive_group()
        scope.add_argument("--tenant", metavar="SLUG", help="Only what belongs to this tenant.")
        scope.add_argument("--registration", metavar="ID", type=int, help="Only this registration and its connections.")
        parser.add_argument("--dry-run", action="store_true", help="Say what would be checked, and ask nobody.")

    def handle(self, *args: Any, **options: Any) -> None:
        scope = self._scope(options)
        if options["dry_run"]:
            self._say_what_would_be_checked(scope)
            return
        started = Sweep.objects.start_manual(scope)
        self._work(started)
        alerts.deliver_due()
        sys.exit(self._report(started))

    def _scope(self, options: dict[str, Any]) -> str | Tenant | AppRegistration:
        if options["tenant"]:
            tenant = Tenant.objects.live().filter(slug=options["tenant"]).first()
            if tenant is None:
                raise CommandError(f"No active tenant has the short name “{options['tenant']}”.", returncode=UNFINISHED)
            return tenant
        if options["registration"]:
            registration = AppRegistration.objects.live().filter(pk=options["registration"]).first()
            if registration is None:
                raise CommandError(
                    f"No active registration has the ID {options['registration']}.", returncode=UNFINISHED
                )
            return registration
        return Sweep.ALL

    def _say_what_would_be_checked(self, scope: str | Tenant | AppRegistration) -> None:
        planned = Sweep.objects.covering(scope)
        registrations = _by_tenant(planned.registrations())
        connections = _by_tenant(planned.connections().exclude(token_status=Connection.TokenStatus.DEAD))
        for name in sorted(registrations | connections):
            self.stdout.write(f"{name or '(shared)'}: {_counted(registrations[name], connections[name])}")
        self.stdout.write(f"Together: {_counted(registrations.total(), connections.total())}")
        if dead := planned.connections().filter(token_status=Connection.TokenStatus.DEAD).count():
            self.stdout.write(f"Not asked until reconnected: {dead} connection{'s' if dead != 1 else ''}")

    def _work(self, started: Sweep) -> None:
        """Until it is finished, or nothing has moved for a while: others may hold what is left, or Microsoft may."""
        seen, until = -1, time.monotonic() + PATIENCE
        while started.finished_at is None and time.monotonic() < until:
            for _ in sweep.work(started.pk):
                self._progress(started)
            started.refresh_from_db()
            if started.seen > seen:
                seen, until = started.seen, time.monotonic() + PATIENCE
            if started.finished_at is None:
                time.sleep(1)
        self._progress(started, end="\n")

    def _progress(self, started: Sweep, end: str = "") -> None:
        if self.stderr.isatty():
            started.refresh_from_db()
            self.stderr.write(f"\r{_bar(started)}", style_func=str, ending=end)
            self.stderr.flush()

    def _report(self, started: Sweep) -> int:
        findings = list(Finding.objects.open().within(started))
        for finding in findings:
            self.stdout.write(f"{finding.get_severity_display()}: {finding.headline}")
            self.stdout.write(f"  You: {finding.remedy}")
            if others := then_up_to(finding.actor):
                self.stdout.write(f"  It is then up to: {others}")
        self.stdout.write(f"Planned: {started.planned}")
        self.stdout.write(f"Checked: {started.done}")
        self.stdout.write(f"Could not be checked: {started.failed + started.set_aside}")
        self.stdout.write(f"Open findings: {len(findings)}")
        if started.finished_at is None:
            self.stderr.write("Not finished: what is left is tried again by the workers, or by running this again.")
            return UNFINISHED
        return FINDINGS if findings else ALL_WELL


def _by_tenant(rows: QuerySet[Any]) -> Counter[str]:
    return Counter(name or "" for name in rows.values_list("tenant__name", flat=True).iterator())


def _counted(registrations: int, connections: int) -> str:
    return (
        f"{registrations} registration{'s' if registrations != 1 else ''}, "
        f"{connections} connection{'s' if connections != 1 else ''}"
    )


def _bar(started: Sweep) -> str:
    done = WIDTH * min(started.seen, started.planned) // max(started.planned, 1)
    return f"[{'#' * done}{'.' * (WIDTH - done)}] {started.seen} of {started.planned}"
