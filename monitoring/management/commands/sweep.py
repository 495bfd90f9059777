import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from monitoring import alerts, sweep
from monitoring.models import Finding, Sweep
from oauth.errors import then_up_to
from tenants.models import AppRegistration, Tenant

ALL_WELL, FINDINGS, UNFINISHED = 0, 1, 2
PATIENCE = 300.0  # seconds without any progress


class Command(BaseCommand):
    help = (
        "Check registrations and connections now, and say what is wrong. "
        "Exit status: 0 all is well, 1 something is wrong, 2 the check could not be finished."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        scope = parser.add_mutually_exclusive_group()
        scope.add_argument("--tenant", metavar="SLUG", help="Only what belongs to this tenant.")
        scope.add_argument("--registration", metavar="ID", type=int, help="Only this registration and its connections.")

    def handle(self, *args: Any, **options: Any) -> None:
        started = Sweep.objects.start_manual(self._scope(options))
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
            self.stderr.write(f"\r{started.seen} of {started.planned}", style_func=str, ending=end)
            self.stderr.flush()

    def _report(self, started: Sweep) -> int:
        findings = list(Finding.objects.open().within(started))
        for finding in findings:
            self.stdout.write(f"{finding.get_severity_display()}: {finding.subject}: {finding.what}")
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
