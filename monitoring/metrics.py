"""What Prometheus is told: gauges made from rows when it asks, in a fixed number of queries. Holds nothing secret."""

import platform
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import django
from django.db.models import Case, CharField, Count, F, Min, Q, Value, When
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric

from oauth.models import Connection
from tenants.clouds import clouds

from . import watch
from .expiries import live_credentials
from .models import Delivery, Finding, Outage, Sweep

CONNECTION_STATES = ("active", "invalid", "dead", "blocked", "disconnected")


class Collector:
    """All of Tenantry's metrics as they are now."""

    def collect(self) -> Iterator[Metric]:
        now = timezone.now()
        yield InfoMetricFamily(
            "tenantry_build", "What runs here.", {"python": platform.python_version(), "django": django.get_version()}
        )
        yield _credentials()
        yield _connections()
        yield _findings()
        yield from _checks(now)
        yield from _deliveries(now)
        yield _outages()


def exposition() -> bytes:
    """The metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector())
    return generate_latest(registry)


def _gauge(name: str, help_text: str, labels: tuple[str, ...] = (), value: float | None = None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tenantry_{name}", help_text, labels=labels or None, value=value)


def _credentials() -> Metric:
    ends = _gauge(
        "credential_end_timestamp_seconds",
        "When a live client secret ends. Its hint is what Entra shows of it; no tenant: a shared registration.",
        ("tenant", "registration", "client_id", "cloud", "slot", "hint"),
    )
    of = "registration__"
    labels = (f"{of}tenant__slug", f"{of}name", f"{of}client_id", f"{of}cloud", "slot", "hint")
    for *values, ends_at in live_credentials().order_by("pk").values_list(*labels, "ends_at"):
        ends.add_metric([value or "" for value in values], ends_at.timestamp())
    return ends


def _connections() -> Metric:
    connections = _gauge("connections", "Connections by the state of their sign-in.", ("tenant", "status"))
    status = Case(
        When(disconnected_at__isnull=False, then=Value("disconnected")),
        When(~Q(blocked=""), then=Value("blocked")),
        default=F("token_status"),
        output_field=CharField(),
    )
    rows = Connection.objects.filter(tenant__archived_at=None).order_by()
    counted: dict[str, dict[str, int]] = {}
    for tenant, state, number in rows.values_list("tenant__slug", status).annotate(number=Count("pk")):
        counted.setdefault(tenant, {})[state] = number
    for tenant in sorted(counted):
        for state in CONNECTION_STATES:
            connections.add_metric([tenant, state], counted[tenant].get(state, 0))
    return connections


def _findings() -> Metric:
    findings = _gauge("open_findings", "Open findings, without those of suspended tenants.", ("severity", "kind"))
    grouped = Finding.objects.pressing().order_by("severity", "kind").values_list("severity", "kind")
    for severity, kind, number in grouped.annotate(number=Count("pk")):
        findings.add_metric([severity, kind], number)
    return findings


def _checks(now: datetime) -> Iterator[Metric]:
    last = Sweep.objects.filter(kind=Sweep.Kind.NIGHTLY, finished_at__isnull=False).order_by("-finished_at").first()
    if last is not None and last.finished_at is not None:
        finished, took = last.finished_at, (last.finished_at - last.started_at).total_seconds()
        yield _gauge(
            "nightly_check_finished_timestamp_seconds",
            "When the last finished nightly check finished.",
            value=finished.timestamp(),
        )
        yield _gauge(
            "nightly_check_age_seconds", "How long ago that was.", value=max((now - finished).total_seconds(), 0)
        )
        yield _gauge("nightly_check_duration_seconds", "How long it took.", value=took)
        subjects = _gauge("nightly_check_subjects", "What became of all that it was to check.", ("result",))
        for result in ("planned", "done", "failed", "set_aside"):
            subjects.add_metric([result], getattr(last, result))
        yield subjects
    yield _gauge("checks_running", "Checks under way, nightly or asked for.", value=Sweep.objects.running().count())
    yield _gauge(
        "watch_overdue",
        "1 if no nightly check has finished in time, else 0.",
        value=int(watch.state(now).is_overdue),
    )


def _deliveries(now: datetime) -> Iterator[Metric]:
    deliveries = _gauge("deliveries", "Messages with alerts, by what became of them.", ("state",))
    grouped = Delivery.objects.order_by().values_list("state")
    counted: dict[str, Any] = dict(grouped.annotate(number=Count("pk")))
    for state in Delivery.State.values:
        deliveries.add_metric([state], counted.get(state, 0))
    yield deliveries
    due = Delivery.objects.filter(state=Delivery.State.WAITING).exclude(digest_at__gt=now)
    oldest = due.aggregate(oldest=Min("created_at"))["oldest"]
    yield _gauge(
        "delivery_oldest_waiting_seconds",
        "How long the oldest message waits that should have gone out; 0 if none does.",
        value=max((now - oldest).total_seconds(), 0) if oldest else 0,
    )


def _outages() -> Metric:
    outages = _gauge("cloud_outage", "1 while a cloud gives nobody a usable answer, else 0.", ("cloud",))
    down = set(Outage.objects.values_list("cloud", flat=True))
    for cloud in sorted(down | clouds().keys()):
        outages.add_metric([cloud], int(cloud in down))
    return outages
