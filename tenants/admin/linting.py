"""What lint says of a registration: a word in the list, a table on its page, messages when it was saved."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest

from oauth.in_entra import listed_in
from tenants.lint import LATER, NOTE, REFUSED, Hint, lint

from .display import BAD, GOOD, QUIET, WARNING, badge, stacked
from .pages import Page, Panel

WORDS = {REFUSED: (BAD, "refused"), LATER: (WARNING, "will hurt"), NOTE: (QUIET, "to plan for")}
CLEAN = "clean"


class LintFilter(admin.SimpleListFilter):
    """By the worst of what lint says today; its rules go by the day, so it is asked of each row."""

    title = "lint"
    parameter_name = "lint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(REFUSED, "Microsoft would refuse"), (LATER, "Will hurt"), (CLEAN, "Clean")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() is None:
            return queryset
        return queryset.filter(pk__in=[row.pk for row in queryset if worst_of(hints_of(row)) == self.value()])


def worst_of(hints: list[Hint]) -> str:
    """The worst level there is; notes alone leave a registration clean."""
    return next((level for level in (REFUSED, LATER) if any(hint.rule.level == level for hint in hints)), CLEAN)


def hints_of(registration: Any) -> list[Hint]:
    """What lint says of it, with what was seen in Entra where the row comes from the admin's list."""
    return lint(registration, listed=listed_in(getattr(registration, "in_entra", None), registration.client_id))


def lint_badge(hints: list[Hint]) -> Any:
    """The worst of it, and how much of that there is."""
    worst = worst_of(hints)
    if worst == CLEAN:
        return badge(GOOD, "clean")
    kind, words = WORDS[worst]
    return badge(kind, f"{sum(hint.rule.level == worst for hint in hints)} {words}")


def put_lint(page: Page, hints: list[Hint]) -> None:
    """What is refused or will hurt stands above the form; notes alone, and that there is nothing, below it."""
    is_wrong = any(hint.rule.level != NOTE for hint in hints)
    (page.above if is_wrong else page.panels).append(_panel(hints))


def _panel(hints: list[Hint]) -> Panel:
    """Every hint, with the numbers it prevents, how to mend it and the fact it rests on."""
    return Panel(
        title="What Microsoft would say",
        columns=["How bad", "What is wrong", "What to do", "Prevents", "Rests on"],
        rows=[
            [
                badge(*WORDS[hint.rule.level]),
                stacked(hint.seen, hint.rule.what),
                hint.rule.fix,
                hint.codes or "-",
                hint.rule.source,
            ]
            for hint in hints
        ],
        empty="Nothing that Microsoft would refuse.",
    )


def tell_refused(request: HttpRequest, hints: list[Hint]) -> None:
    """One message for each thing Microsoft would refuse of what was just typed; of secrets the page itself tells."""
    for hint in hints:
        if hint.rule.level == REFUSED and hint.rule.field != "secret":
            prevents = f" ({hint.codes})" if hint.codes else ""
            messages.warning(request, f"Microsoft would refuse this{prevents}: {hint.seen} {hint.rule.fix}")
