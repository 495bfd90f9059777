"""What Microsoft would refuse about a registration, or what would hurt later, before it does. No network.

Each rule names the fact it rests on. `RULES` is the whole list; docs/lint.md shows it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from tenants.clouds import clouds
from tenants.models import AppRegistration, Credential

from . import accounts, credentials, permissions, uris
from .rule import LATER, LEVELS, NOTE, REFUSED, Facts, Rule

__all__ = ["LATER", "LEVELS", "NOTE", "REFUSED", "RULES", "Hint", "lint"]

RULES: tuple[Rule, ...] = (*accounts.RULES, *uris.RULES, *permissions.RULES, *credentials.RULES)


@dataclass(frozen=True)
class Hint:
    """A rule that a registration breaks, with what was seen of it."""

    rule: Rule
    seen: str

    @property
    def codes(self) -> str:
        """The numbers it prevents, as Microsoft writes them."""
        return ", ".join(f"AADSTS{code}" for code in self.rule.codes)


def lint(registration: AppRegistration, *, listed: Collection[str] = ()) -> list[Hint]:
    """Everything there is to say, what Microsoft refuses first.

    Reads the related scopes, URIs and credentials, prefetched or not.
    """
    now = timezone.now()
    facts = Facts(
        registration=registration,
        cloud=clouds().get(registration.cloud),
        names=registration.scope_names,
        credentials=[row for row in registration.credentials.all() if _is_live(row, now)],
        now=now,
        listed=[entry.lower() for entry in listed],
    )
    hints = [Hint(rule, seen) for rule in RULES for seen in rule.look(facts)]
    return sorted(hints, key=lambda hint: LEVELS.index(hint.rule.level))


def _is_live(credential: Credential, now: datetime) -> bool:
    """In use here, ended or not; or known from Entra and not over there. What was replaced here may be gone there."""
    if credential.removed_at is not None:
        return False
    return bool(credential.slot or (credential.key_id and (credential.ends_at is None or credential.ends_at > now)))
