"""What the database and the answering side say after a round, as numbers that must be nought."""

from typing import Any

from django.db.models import Count, F

from faults.ledger import read_token
from faults.world import World
from monitoring.models import Alert, Delivery, Finding, Sweep
from oauth.models import Connection

Facts = dict[str, int]


def of_alerts(world: World) -> Facts:
    """Faults without their one alert or without a message; alert rows and findings too many."""
    told = list(
        Alert.objects.filter(finding__resolved_at=None, step=F("finding__step"), epoch=F("finding__epoch"))
        .annotate(messages=Count("carried"))
        .values_list("finding__registration", "finding__credential__registration", "finding__connection", "messages")
    )
    heard = {registration or of_secret or connection for registration, of_secret, connection, sent in told if sent}
    expected = world.refused | world.gone
    open_ones = Finding.objects.filter(resolved_at=None)
    rows = Alert.objects.exclude(step=Alert.RESOLVED).values("finding", "epoch", "step", "reminder")
    about = open_ones.values("kind", "registration", "credential", "connection", "cloud", "watch", "channel")
    twice = sum(each["n"] - 1 for each in rows.annotate(n=Count("pk")) if each["n"] > 1)
    twice += sum(each["n"] - 1 for each in about.annotate(n=Count("pk")) if each["n"] > 1)
    return {
        "lost alerts": len(expected - heard),
        "doubled alert rows": twice,
        "findings of nothing": open_ones.count() - len(expected),
        "resolved for no reason": Alert.objects.filter(step=Alert.RESOLVED).count(),
    }


def of_tokens(world: World, report: dict[str, Any], *, strict: bool = False) -> Facts:
    """Tokens the answering side would not take, verdicts that are wrong, and refreshes at the same time."""
    lineages = report["lineages"]
    lost = unflagged = dead = missed = 0
    flagged = set(Finding.objects.filter(resolved_at=None).values_list("connection", flat=True))
    for row in Connection.objects.only("pk", "refresh_token", "token_status").iterator():
        if row.pk in world.gone or row.pk in world.inhibited:
            missed += row.pk in world.gone and row.token_status != Connection.TokenStatus.DEAD
            dead += row.pk in world.inhibited and row.token_status == Connection.TokenStatus.DEAD
            continue
        dead += row.token_status == Connection.TokenStatus.DEAD
        if not _is_taken(row, lineages, strict):
            lost += 1
            unflagged += row.pk not in flagged
    return {
        "lost refresh tokens": unflagged if strict else lost,
        "wrongly called dead": dead,
        "dead and not seen": missed,
        "refreshes at the same time": sum(each["overlapping"] for each in lineages.values()),
        **({"lost where old ones die, and flagged": lost - unflagged} if strict else {}),
    }


def _is_taken(row: Connection, lineages: dict[str, Any], strict: bool) -> bool:
    read = read_token(row.refresh_token.reveal("faults")) if row.refresh_token else None
    if read is None or read[0] != f"live-{row.pk.hex}":
        return False
    newest = lineages.get(read[0], {"newest": 0})["newest"]
    return bool(read[1] == newest if strict else read[1] <= newest)


def of_sweep(sweep: Sweep, world: World, report: dict[str, Any]) -> Facts:
    """Was everything looked at, and was it all this sweep's own doing?"""
    sweep.refresh_from_db()
    never = Connection.objects.filter(last_sweep__lt=sweep.pk).count()
    unasked = sum(
        1
        for pk in Connection.objects.exclude(pk__in=world.inhibited | world.gone).values_list("pk", flat=True)
        if f"live-{pk.hex}" not in report["lineages"]
    )
    return {
        "not finished": int(sweep.finished_at is None),
        "not looked at": never,
        "never asked for": unasked,
        "leases left": Connection.objects.exclude(lease_by=None).count(),
    }


def of_mail(received: dict[str, int]) -> Facts:
    """Messages that did not arrive, and those that came under a number that is not theirs."""
    numbers = {f"<{pk}@localhost>" for pk in Delivery.objects.values_list("pk", flat=True)}
    return {
        "not sent": Delivery.objects.exclude(state=Delivery.State.SENT).count(),
        "never arrived": len(numbers - received.keys()),
        "with another ID": len(received.keys() - numbers),
    }


def repeated(received: dict[str, int]) -> int:
    return sum(received.values()) - len(received)


