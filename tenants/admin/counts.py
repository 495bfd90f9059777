"""Numbers beside a row, each of what the user may see only, as subqueries of one list query."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from monitoring.models import Finding
from oauth.models import Connection
from tenants.models import AppRegistration, Credential

from .display import BAD, QUIET, WARNING, badge, ends


def counted(rows: QuerySet[Any], path: str) -> Coalesce:
    """How many of these rows lead by `path` to the outer row."""
    per_row = rows.order_by().filter(**{path: OuterRef("pk")}).values(path).annotate(number=Count("pk"))
    return Coalesce(Subquery(per_row.values("number"), output_field=IntegerField()), 0)


def connections_of(user: Any, path: str) -> Coalesce:
    return counted(Connection.objects.visible_to(user).filter(disconnected_at=None), path)


def with_findings(rows: Any, user: Any, *paths: str) -> Any:
    """With the findings that lead to each row by any of these paths: those awake, the critical ones, those snoozed.

    One finding leads by one of the paths only.
    """
    findings = Finding.objects.visible_to(user)
    critical = findings.awake().filter(severity=Finding.Severity.CRITICAL)
    return rows.annotate(
        finding_count=_by_all(findings.awake(), paths),
        critical_count=_by_all(critical, paths),
        snoozed_count=_by_all(findings.snoozed(), paths),
    )


def _by_all(findings: QuerySet[Finding], paths: Sequence[str]) -> Any:
    first: Any
    first, *others = (counted(findings, path) for path in paths)
    for other in others:
        first = first + other
    return first


def open_findings(row: Any, none: str = "none") -> Any:
    """How many findings are open, red if one of them is critical; or how many sleep. Takes a row of with_findings()."""
    if row.finding_count:
        return badge(BAD if row.critical_count else WARNING, f"{row.finding_count} open")
    return badge(QUIET, f"{row.snoozed_count} snoozed") if row.snoozed_count else none


def with_health(registrations: QuerySet[AppRegistration], user: Any) -> QuerySet[Any]:
    """With what their list and their tenant's page tell: secret, connections and findings."""
    current = Credential.objects.current().filter(registration=OuterRef("pk"))
    registrations = with_findings(
        registrations, user, "registration", "credential__registration", "connection__registration"
    )
    return registrations.annotate(
        secret_id=Subquery(current.values("pk")),
        secret_ends_at=Subquery(current.values("ends_at")),
        connection_count=connections_of(user, "registration"),
    )


def secret_status(registration: Any) -> tuple[str, str]:
    """How serious, and in words, the state of a registration's client secret is. Takes a row of with_health()."""
    if not registration.secret_id:
        return BAD, "none"
    return ends(registration.secret_ends_at, registration.tenant)
