"""What a tenant's own contacts are told: in plain words, without codes, and only what they can do something about."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from oauth.explanations import KINDS, explanation_of

from .models import Finding
from .wording import Item, on_one_line

FOR_ADMINISTRATORS = "For the administrator: "


@dataclass(frozen=True)
class Matter:
    """One thing that is up to the tenant: what it is about, why, and what can be done. Over: nothing is left to do."""

    name: str
    why: str
    todo: tuple[str, ...]
    is_over: bool


def subject_of(items: list[Item]) -> str:
    matters = [_matter(item) for item in items]
    if len(matters) > 1:
        return on_one_line(f"{settings.ORGANIZATION_NAME}: news of {len(matters)} connections")
    words = "works again" if matters[0].is_over else "needs your help"
    return on_one_line(f"{settings.ORGANIZATION_NAME}: {matters[0].name} {words}")


def context_of(items: list[Item]) -> dict[str, Any]:
    matters = [_matter(item) for item in items]
    return {
        "organization": settings.ORGANIZATION_NAME,
        "support_email": settings.SUPPORT_EMAIL,
        "tenant": items[0].finding.tenant,
        "broken": [matter for matter in matters if not matter.is_over],
        "over": [matter for matter in matters if matter.is_over],
    }


def _matter(item: Item) -> Matter:
    finding = item.finding
    name = finding.connection.address if finding.connection else f"the app “{finding.about.name}”"  # type: ignore[union-attr]
    why = explanation_of(finding.kind).title if finding.kind in KINDS else ""
    return Matter(name, why, _todo(finding), item.is_over or finding.resolved_at is not None)


def _todo(finding: Finding) -> tuple[str, ...]:
    organization = settings.ORGANIZATION_NAME
    if finding.actor == Finding.Actor.MAILBOX_OWNER:
        return (
            "The owner of the mailbox has to sign in once more; nobody else can do that for them.",
            f"{organization} sends a link for it. If none has come, ask {organization} for one.",
        )
    known = explanation_of(finding.kind).todo if finding.kind in KINDS else ()
    told = [line.removeprefix(FOR_ADMINISTRATORS) for line in known if line.startswith(FOR_ADMINISTRATORS)]
    todo = tuple(f"{line[0].upper()}{line[1:]}" for line in told)
    return todo or ("Your Microsoft 365 administrator has to look at the account in the Microsoft 365 admin center.",)
