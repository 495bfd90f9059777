"""What the database and the answering side say after a round, as numbers that must be nought."""

import uuid
from collections.abc import Iterable
from typing import Any

from django.db.models import Count, F

from faults.ledger import read_token
from faults.table import Facts
from faults.world import World
from monitoring.models import Alert, Delivery, Finding, Sweep
from oauth.models import Connection


def of_alerts(world: World, *, besides: Iterable[str] = ()) -> Facts:
    """Faults without their one alert or without a message; alert rows and findings too many.

    `besides`: findings of these subjects are none of this world's.
    """
    others = {f"{subject}__isnull": True for subject in besides}
    told = list(
        Alert.objects.filter(finding__resolved_at=None, step=F("finding__step"), epoch=F("finding__epoch"))
        .annotate(messages=Count("carried"))
        .values_list("finding__registration", "finding__credential__registration", "finding__connection", "messages")
    )
    heard = {registration or of_secret or connection for registration, of_secret, connection, sent in told if sent}
    expected = world.refused | world.gone
    open_ones = Finding.objects.filter(resolved_at=None, **others)
    resolved = Finding.objects.exclude(resolved_at=None).filter(**others)
    rows = Alert.objects.exclude(step=Alert.RESOLVED).values("finding", "epoch", "step", "reminder")
    about = open_ones.values("kind", "registration", "credential", "connection", "cloud", "watch", "channel")
    twice = sum(each["n"] - 1 for each in rows.annotate(n=Count("pk")) if each["n"] > 1)
    twice += sum(each["n"] - 1 for each in about.annotate(n=Count("pk")) if each["n"] > 1)
    numbers = {
        "lost alerts": len(expected - heard),
        "doubled alert rows": twice,
        "findings of nothing": max(open_ones.count() - len(expected), 0),
        "resolved for no reason": resolved.count(),
    }
    return Facts(f"{len(expected)} faults told, each once" if expected else "no finding", numbers)


def of_tokens(world: World, report: dict[str, Any]) -> Facts:
    """Tokens the answering side would not take, verdicts that are wrong, and refreshes at the same time."""
    untaken = _untaken(world, report, only_newest=False)
    dead = set(Connection.objects.filter(token_status=Connection.TokenStatus.DEAD).values_list("pk", flat=True))
    numbers = {
        "lost refresh tokens": len(untaken),
        "wrongly called dead": len(dead - world.gone),
        "dead and not seen": len(world.gone - dead),
        "refreshes at the same time": _overlapping(report),
    }
    return Facts("tokens and verdicts right, no two refreshes of one at once", numbers)


def of_strict_tokens(world: World, report: dict[str, Any]) -> tuple[Facts, int]:
    """The same where a used token is refused: what was lost on the way from the answer to us is found and flagged."""
    lost = _untaken(world, report, only_newest=True)
    flagged = set(Finding.objects.filter(resolved_at=None).values_list("connection", flat=True))
    called_dead = Connection.objects.filter(token_status=Connection.TokenStatus.DEAD).exclude(pk__in=lost | world.gone)
    numbers = {
        "lost refresh tokens unflagged": len(lost - flagged),
        "wrongly called dead": called_dead.count(),
        "refreshes at the same time": _overlapping(report),
    }
    return Facts("a token lost at a kill is flagged, no two refreshes of one at once", numbers), len(lost)


def _overlapping(report: dict[str, Any]) -> int:
    return sum(each["overlapping"] for each in report["lineages"].values())


def _untaken(world: World, report: dict[str, Any], *, only_newest: bool) -> set[uuid.UUID]:
    """Connections whose stored token the answering side does not take, besides those it was told to refuse."""
    untaken = set()
    for row in Connection.objects.exclude(pk__in=world.gone | world.inhibited).only("pk", "refresh_token").iterator():
        read = read_token(row.refresh_token.reveal("faults")) if row.refresh_token else None
        name = f"live-{row.pk.hex}"
        newest = report["lineages"].get(name, {"newest": 0})["newest"]
        is_taken = (
            read is not None and read[0] == name and (read[1] == newest or (read[1] < newest and not only_newest))
        )
        if not is_taken:
            untaken.add(row.pk)
    return untaken


def of_sweep(sweep: Sweep, world: World, report: dict[str, Any]) -> Facts:
    """Was everything looked at, and was it all this sweep's own doing?"""
    sweep.refresh_from_db()
    never = Connection.objects.filter(last_sweep__lt=sweep.pk).count()
    unasked = sum(
        1
        for pk in Connection.objects.exclude(pk__in=world.inhibited | world.gone).values_list("pk", flat=True)
        if f"live-{pk.hex}" not in report["lineages"]
    )
    numbers = {
        "not finished": int(sweep.finished_at is None),
        "not looked at": never,
        "never asked for": unasked,
        "leases left": Connection.objects.exclude(lease_by=None).count(),
    }
    return Facts("all looked at", numbers)


def of_mail(accepted: dict[str, int], received: Iterable[str] = ()) -> Facts:
    """Messages that did not arrive, and those that came under an ID that is not theirs, if only half of them came."""
    by_mail = Delivery.objects.filter(channel=None)
    numbers = {f"<{pk}@localhost>" for pk in by_mail.values_list("pk", flat=True)}
    missing = {
        "not sent": by_mail.exclude(state=Delivery.State.SENT).count(),
        "never arrived": len(numbers - accepted.keys()),
        "with another ID": len({*accepted, *received} - numbers),
    }
    return Facts(f"{len(numbers)} messages arrived, under their own IDs", missing)


def repeated(received: dict[str, int]) -> int:
    return sum(received.values()) - len(received)
