from collections.abc import Callable
from datetime import date
from typing import Any, Self

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from oauth.models import Connection
from oauth.models.connection import ConnectionQuerySet
from tenants.models import AppRegistration, Tenant
from tenants.models.registration import AppRegistrationQuerySet
from tenants.models.visibility import TenantScopedQuerySet

from .outage import Outage


class SweepQuerySet(TenantScopedQuerySet["Sweep"]):
    def running(self) -> Self:
        return self.filter(finished_at=None)

    def start_nightly(self, night: date) -> "Sweep":
        """The sweep of that night: made now, or the one it already has, whoever asks and however often."""
        everything = Sweep(scope=Sweep.ALL)
        planned: Callable[[], int] = everything.count_what_is_live
        return self.get_or_create(kind=Sweep.Kind.NIGHTLY, night=night, defaults={"planned": planned})[0]

    def start_manual(self, scope: str | Tenant | AppRegistration | Connection = "all", *, by: Any = None) -> "Sweep":
        """A sweep of everything (Sweep.ALL), a tenant, a registration or a connection.

        Joins one of the same scope that still runs. Whoever asks wants an answer now, and may have mended something:
        what that one found wrong is looked at again, and pauses after failed tries end, those of a cloud that is down
        too. What Microsoft asked us to wait for after a 429 stays.
        """
        new = self.covering(scope)
        name = new.scope
        sweep = self._running_of(name)
        if sweep is None:
            new.started_by = by
            new.planned = new.count_what_is_live()
            try:
                with transaction.atomic():
                    new.save(force_insert=True)
                sweep = new
            except IntegrityError:  # somebody else started the same at the same moment
                sweep = self._running_of(name) or self.filter(scope=name).latest("pk")
        else:
            sweep.look_again_at_what_is_wrong()
        for rows in (sweep.registrations(), sweep.connections()):
            paused: models.QuerySet[Any] = rows.filter(lease_by=None, tries__gt=0)
            paused.update(tries=0, next_at=None)
        Outage.objects.probe_now()
        return sweep

    def covering(self, scope: str | Tenant | AppRegistration | Connection) -> "Sweep":
        """A manual one of that scope that nobody has started, to see what it would look at."""
        name, tenant = _named(scope)
        return Sweep(kind=Sweep.Kind.MANUAL, scope=name, tenant=tenant)

    def _running_of(self, scope: str) -> "Sweep | None":
        return self.running().filter(kind=Sweep.Kind.MANUAL, scope=scope).first()


def _named(scope: str | Tenant | AppRegistration | Connection) -> tuple[str, Tenant | None]:
    match scope:
        case Tenant():
            return f"tenant:{scope.pk}", scope
        case AppRegistration():
            return f"registration:{scope.pk}", scope.tenant
        case Connection():
            return f"connection:{scope.pk}", scope.tenant
        case Sweep.ALL:
            return Sweep.ALL, None
    raise ValueError("A sweep covers Sweep.ALL, a tenant, a registration or a connection.")


class Sweep(models.Model):
    """One round of checks: every night's, or one that somebody asked for.

    `scope` says what it covers: `all`, `tenant:<id>`, `registration:<id>` or `connection:<uuid>`; `tenant` is set where
    that belongs to one. It is over when nothing of its scope is left with a lower `last_sweep` than its own number;
    what a later sweep looked at meanwhile is done for this one too, and not counted here.
    """

    class Kind(models.TextChoices):
        NIGHTLY = "nightly", "nightly"
        MANUAL = "manual", "asked for"

    ALL = "all"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    night = models.DateField(null=True, blank=True, help_text="The local date of a nightly one.")
    scope = models.CharField(max_length=60, default=ALL)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, null=True, related_name="+")
    planned = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField("checked", default=0)
    failed = models.PositiveIntegerField("could not be checked", default=0)
    set_aside = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    objects = SweepQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name = "check"
        constraints = [
            models.UniqueConstraint("night", condition=models.Q(kind="nightly"), name="sweep_one_a_night"),
            models.UniqueConstraint(
                "scope", condition=models.Q(kind="manual", finished_at=None), name="sweep_one_of_a_scope"
            ),
        ]

    def __str__(self) -> str:
        return f"Night of {self.night}" if self.night else f"Check {self.pk}"

    @property
    def seen(self) -> int:
        return self.done + self.failed + self.set_aside

    def connections(self) -> ConnectionQuerySet:
        """Connections this covers, if they are looked after."""
        live = Connection.objects.live().filter(
            registration__tenant__suspended_at=None, registration__tenant__archived_at=None
        )
        kind, _, key = self.scope.partition(":")
        match kind:
            case "tenant":
                return live.filter(tenant=int(key))
            case "registration":
                return live.filter(registration=int(key))
            case "connection":
                return live.filter(pk=key)
        return live

    def registrations(self) -> AppRegistrationQuerySet:
        """Registrations this covers, and those its connections sign in with, shared ones too: these are looked at
        first, for a connection of a broken registration would be asked in vain."""
        live = AppRegistration.objects.live()
        kind, _, key = self.scope.partition(":")
        match kind:
            case "tenant":
                needed = self.connections().values("registration")
                return live.filter(models.Q(tenant=int(key)) | models.Q(pk__in=needed))
            case "registration":
                return live.filter(pk=key)
            case "connection":
                return live.filter(pk__in=self.connections().values("registration"))
        return live

    def count_what_is_live(self) -> int:
        return self.registrations().count() + self.connections().count()

    def look_again_at_what_is_wrong(self) -> None:
        """Take back what this sweep is done with and has an open finding, or a registration with one."""
        is_open = {"findings__isnull": False, "findings__resolved_at": None}
        of_secret = {f"credentials__{name}": value for name, value in is_open.items()}
        wrong = AppRegistration.objects.filter(
            models.Q(**is_open) | models.Q(**of_secret) | ~models.Q(unanswered_why="")
        )
        registrations = self.registrations().filter(pk__in=wrong.values("pk"))
        trouble = models.Q(pk__in=Connection.objects.filter(**is_open).values("pk"))
        connections = self.connections().filter(trouble | models.Q(registration__in=wrong.values("pk")))
        taken_back = 0
        for rows in (registrations, connections):
            done: models.QuerySet[Any] = rows.filter(lease_by=None, last_sweep__gte=self.pk)
            taken_back += done.update(last_sweep=self.pk - 1)
        self.save_counts(planned=taken_back)

    def save_counts(self, **counts: int) -> None:
        """Add to counters without reading them first: several workers do."""
        changes: dict[str, Any] = {name: models.F(name) + number for name, number in counts.items() if number}
        if changes:
            type(self).objects.filter(pk=self.pk).update(**changes)
