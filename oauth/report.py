"""What a verification tells: its steps, each with what was seen, what to do and who must act. Kept as JSON."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Self

from .errors import EntraRefused
from .health import NoAnswer
from .signals import Seen

OK, FAILED, SKIPPED = "ok", "failed", "skipped"
WAITING = "waiting"  # while Microsoft does not know a new secret yet, or gives no answer; it goes on by itself
UNANSWERED = "unanswered"  # Microsoft gave no usable answer, however often it was asked; that is no verdict
NOT_YET = "not_yet"  # nothing is wrong, but somebody has something left to do

CONFIGURATION, DIRECTORY, SIGN_IN, APPLICATION, CONSENT = (
    "configuration", "directory", "sign_in", "application", "consent",
)  # fmt: skip
MAIN = {
    CONFIGURATION: "Configuration",
    DIRECTORY: "Directory",
    SIGN_IN: "Sign-in",
    APPLICATION: "Application in Entra",
    CONSENT: "Administrator's consent",
}
# What can be told of the application once it can be read.
PARTS = {
    "enabled": "Switched on",
    "audience": "Supported account types",
    "redirect_uris": "Redirect URIs",
    "permissions": "Permissions",
    "secret": "Client secret",
}
LABELS = {**MAIN, **PARTS}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a report. `actor` is a word of errors.ACTORS; `codes` are AADSTS numbers, `graph` Graph's own word.

    None of it is ever a secret.
    """

    key: str
    state: str
    seen: str
    todo: str = ""
    actor: str = ""
    codes: tuple[int, ...] = ()
    graph: str = ""
    trace_id: str = ""
    notes: tuple[str, ...] = field(default=())  # what else was seen

    @property
    def label(self) -> str:
        return LABELS.get(self.key, self.key)

    @property
    def is_part(self) -> bool:
        return self.key in PARTS

    def but(self, **changes: Any) -> Self:
        return replace(self, **changes)

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """As it was kept, by whichever version of this program."""
        lists = {name: tuple(stored.get(name, ())) for name in ("codes", "notes")}
        return cls(**{"key": "", "state": SKIPPED, "seen": "", **fields_known_to(cls, stored), **lists})

    def kept(self) -> dict[str, Any]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def fields_known_to(kind: type[Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """What stands there under names that this dataclass has today."""
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in stored.items() if name in names}


def failed(key: str, seen: Seen, **more: Any) -> Step:
    """A fault that the night watch knows too, in the same words."""
    codes = tuple(seen.evidence.get("codes", ()))
    trace_id = str(seen.evidence.get("trace_id", ""))
    words = {"seen": seen.what, "todo": seen.remedy, "actor": seen.actor, "codes": codes, "trace_id": trace_id}
    return Step(key=key, state=FAILED, **{**words, **more})


def refused(key: str, refusal: EntraRefused, **more: Any) -> Step:
    fault = refusal.fault
    words = {"seen": fault.what, "todo": fault.remedy, "actor": fault.actor}
    said = {"codes": refusal.codes, "trace_id": refusal.trace_id}
    return Step(key=key, state=FAILED, **{**words, **said, **more})


def unanswered(key: str, silence: NoAnswer, *, is_tried_again: bool) -> Step:
    if is_tried_again:
        return Step(key=key, state=WAITING, seen=f"{silence.why} It is tried again.", actor="nobody")
    todo = "See whether this server reaches Microsoft, and press “Verify” again later."
    seen = f"{silence.why} That says nothing of the registration."
    return Step(key=key, state=UNANSWERED, seen=seen, todo=todo, actor="operator")


def skipped(keys: Iterable[str], why: str) -> list[Step]:
    return [Step(key=key, state=SKIPPED, seen=why) for key in keys]


def outcome_of(steps: Iterable[Step]) -> str:
    """The whole report in one word: of Verification.Outcome."""
    states = {step.state for step in steps}
    return FAILED if FAILED in states else UNANSWERED if UNANSWERED in states else OK
