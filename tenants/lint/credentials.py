"""Rules of client secrets."""

from collections.abc import Iterator
from datetime import timedelta

from tenants import ladder
from tenants.models.credential import LONGEST_IN_ENTRA

from .rule import BY_AUDIENCE, ERRORS, LATER, REFUSED, Facts, Rule

SLACK = timedelta(days=1)  # a day typed by hand
MOST_WITH_PERSONAL = 2  # BY_AUDIENCE
_ON_SECRETS = "Microsoft Entra, “Add and manage app credentials”"


def _no_credential(facts: Facts) -> Iterator[str]:
    if facts.registration.client_id and facts.current is None:
        yield "No client secret is stored."


def _ended(facts: Facts) -> Iterator[str]:
    current = facts.current
    if current and current.ends_at and current.ends_at <= facts.now:
        yield f"The client secret {current.hint}… ended on {ladder.day_of(current.ends_at)}."


def _ends_soon(facts: Facts) -> Iterator[str]:
    current = facts.current
    if current is None or current.ends_at is None or current.ends_at <= facts.now:
        return
    left = current.ends_at - facts.now
    if ladder.reached(left, ladder.days_for(facts.registration.tenant)):
        yield f"The client secret {current.hint}… ends on {ladder.day_of(current.ends_at)}, {ladder.in_days(left)}."


def _end_unknown(facts: Facts) -> Iterator[str]:
    if facts.current and facts.current.ends_at is None:
        yield f"Nobody told when the client secret {facts.current.hint}… ends, so nobody can be warned of it."


def _lasts_too_long(facts: Facts) -> Iterator[str]:
    current = facts.current
    if current and current.ends_at and current.ends_at_typed:
        since = current.starts_at or current.created_at
        if current.ends_at - since > LONGEST_IN_ENTRA + SLACK:
            yield f"The end typed for the client secret {current.hint}… is {ladder.day_of(current.ends_at)}."


def _no_room_for_another(facts: Facts) -> Iterator[str]:
    live = [row for row in facts.credentials if row.ends_at is None or row.ends_at > facts.now]
    if facts.takes_personal and len(live) >= MOST_WITH_PERSONAL:
        yield f"{len(live)} client secrets live, and with personal accounts Entra takes {MOST_WITH_PERSONAL}."


RULES = (
    Rule(
        kind="no-credential",
        level=REFUSED,
        field="secret",
        what="Without a client secret a registration cannot redeem what its people consent to.",
        fix="Make a client secret in Entra and paste its Value here.",
        source=ERRORS,
        codes=(7000216, 7000218),
        look=_no_credential,
    ),
    Rule(
        kind="secret-ended",
        level=REFUSED,
        field="secret",
        what="A client secret that has ended is refused.",
        fix="Make a new one in Entra and paste its Value here; nobody has to reconnect.",
        source=ERRORS,
        codes=(7000222,),
        look=_ended,
    ),
    Rule(
        kind="secret-ends-soon",
        level=LATER,
        field="secret",
        what="A client secret ends soon.",
        fix="Make the next one in Entra now and paste its Value here; nobody has to reconnect.",
        source=ERRORS,
        codes=(7000222,),
        look=_ends_soon,
    ),
    Rule(
        kind="secret-end-unknown",
        level=LATER,
        field="secret_ends_on",
        what="It is not known when the client secret ends.",
        fix="Enter the day from the Expires column in Entra.",
        source=_ON_SECRETS,
        codes=(7000222,),
        look=_end_unknown,
    ),
    Rule(
        kind="secret-lasts-too-long",
        level=LATER,
        field="secret_ends_on",
        what="A client secret lasts at most 24 months; “never” is gone since 2021.",
        fix="Look at the Expires column in Entra once more and correct the day.",
        source=_ON_SECRETS,
        codes=(7000222,),
        look=_lasts_too_long,
    ),
    Rule(
        kind="no-room-for-another-secret",
        level=LATER,
        field="secret",
        what=f"With personal accounts Entra keeps at most {MOST_WITH_PERSONAL} client secrets (TooManyAppPasswords).",
        fix="Before the next one, remove in Entra the one that no product uses any more.",
        source=BY_AUDIENCE,
        look=_no_room_for_another,
    ),
)
