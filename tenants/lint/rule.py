"""What a rule of lint is, and all that it looks at."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from tenants.clouds import Cloud
from tenants.models import AppRegistration, Credential

REFUSED = "refused"  # Microsoft says no
LATER = "later"  # it works, and will hurt
NOTE = "note"  # nothing is wrong; it is to be planned for
LEVELS = (REFUSED, LATER, NOTE)

Audience = AppRegistration.Audience

# Pages of Microsoft's that several rules rest on.
BY_AUDIENCE = "Microsoft Entra, “Validation differences by supported account types”"
ERRORS = "Microsoft Entra, “Authentication and authorization error codes”"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that the rules look at, read once. `listed`: IDs of permissions and resources listed in Entra, if known."""

    registration: AppRegistration
    cloud: Cloud | None
    names: Collection[str]
    credentials: Collection[Credential]  # that still live, as far as is known
    now: datetime
    listed: Collection[str] = ()

    @property
    def current(self) -> Credential | None:
        return next((row for row in self.credentials if row.slot == Credential.Slot.CURRENT), None)

    @property
    def takes_personal(self) -> bool:
        return self.registration.takes_personal

    @property
    def uris(self) -> list[str]:
        return self.registration.uris_to_register


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One thing that can be wrong. `look` yields a sentence for each place where it is; `field` is the form's."""

    kind: str
    level: str
    field: str
    what: str
    fix: str
    source: str
    codes: tuple[int, ...] = ()
    look: Callable[[Facts], Iterable[str]]
