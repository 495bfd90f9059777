"""What lint says of a registration: a word in the list, a table on its page, messages when it was saved."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.utils.html import format_html

from oauth.in_entra import listed_in
from tenants.lint import LATER, NOTE, REFUSED, Hint, lint

from .display import BAD, GOOD, QUIET, WARNING, badge, stacked
from .pages import Page, Panel

WORDS = {REFUSED: (BAD, "refused"), LATER: (WARNING, "will hurt"), NOTE: (QUIET, "to plan for")}
CLEAN = "Nothing that Microsoft would refuse."


def hints_of(registration: Any) -> list[Hint]:
    """What lint says of it, with what was seen in Entra where it comes from with_health()."""
    return lint(registration, listed=listed_in(getattr(registration, "in_entra", None), registration.client_id))


def lint_badge(hints: list[Hint]) -> Any:
    """The worst of it, and how much there is; notes alone leave a registration clean."""
    for level in (REFUSED, LATER):
        if number := sum(hint.rule.level == level for hint in hints):
            kind, words = WORDS[level]
            return badge(kind, f"{number} {words}")
    return badge(GOOD, "clean")


def put_lint(page: Page, hints: list[Hint]) -> None:
    """What is refused or will hurt stands above the form; notes alone, and that there is nothing, below it."""
    is_wrong = any(hint.rule.level != NOTE for hint in hints)
    (page.above if is_wrong else page.panels).append(_panel(hints))


def _panel(hints: list[Hint]) -> Panel:
    """Every hint, with the numbers it prevents, how to mend it and the fact it rests on."""
    return Panel(
        title="What Microsoft would say",
        columns=["How bad", "What is wrong", "What to do", "Prevents"],
        rows=[
            [
                badge(*WORDS[hint.rule.level]),
                format_html('<span title="{}">{}</span>', hint.rule.source, stacked(hint.seen, hint.rule.what)),
                hint.rule.fix,
                hint.codes or "-",
            ]
            for hint in hints
        ],
        empty=CLEAN,
    )


def tell_refused(request: HttpRequest, hints: list[Hint]) -> None:
    """One message for each thing Microsoft would refuse of what was just typed; of secrets the page itself tells."""
    for hint in hints:
        if hint.rule.level == REFUSED and hint.rule.field != "secret":
            prevents = f" ({hint.codes})" if hint.codes else ""
            messages.warning(request, f"Microsoft would refuse this{prevents}: {hint.seen} {hint.rule.fix}")
