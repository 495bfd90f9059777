"""The buttons “Verify” and “Sync from Entra”: a row first, then the bell; the page they lead to refreshes itself."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from oauth import report
from oauth.errors import ACTORS
from oauth.in_entra import InEntra, Property, compare
from oauth.models import Verification
from oauth.report import CONSENT, FAILED, NOT_YET, UNANSWERED, WAITING, Step
from oauth.tasks import ring_verify
from tenants.models import AppRegistration

from . import history
from .base import at_once
from .display import BAD, GOOD, QUIET, WARNING, ago, badge, link_to, list_of, page_of, stacked
from .pages import Panel

Kind = Verification.Kind
OUTCOMES = {"ok": (GOOD, "ok"), "failed": (BAD, "failed"), "unanswered": (WARNING, "no answer")}
STATES = {
    report.OK: (GOOD, "ok"),
    FAILED: (BAD, "failed"),
    report.SKIPPED: (QUIET, "skipped"),
    WAITING: (WARNING, "trying again"),
    UNANSWERED: (WARNING, "no answer"),
    NOT_YET: (WARNING, "not yet"),
}
SAMENESS = {"same": (GOOD, "the same"), "more": (QUIET, "more in Entra"), "different": (WARNING, "not the same")}


class LastVerification(admin.SimpleListFilter):
    """By how the last one ended."""

    title = "last verification"
    parameter_name = "verified"
    NEVER = "never"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        ended = [(value, label.capitalize()) for value, label in Verification.Outcome.choices]
        return [*ended, (self.NEVER, "Never verified")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() is None:
            return queryset
        finished = Verification.objects.filter(registration=OuterRef("pk"), finished_at__isnull=False)
        last = queryset.annotate(last_outcome=Subquery(finished.values("outcome")[:1]))
        if self.value() == self.NEVER:
            return last.filter(last_outcome=None)
        return last.filter(last_outcome=self.value())


def start_verification(request: HttpRequest, registration: AppRegistration, kind: str = Kind.WHOLE) -> Verification:
    """One of this registration with the secret it has now, or with one that a drop left untried: a new verification,
    or the one that is about to begin.
    """
    with transaction.atomic():
        credential = Verification.objects.secret_to_try(registration) if kind == Kind.WHOLE else None
        dropped = Verification.objects.filter(credential=credential).first() if credential else None
        link = dropped.link if dropped else None  # so that whoever dropped it is told what comes of it
        made = Verification.objects.ask(registration, credential=credential, link=link, by=request.user, kind=kind)
        ring_verify(made)
        history.record(request, registration, f"{made.get_kind_display()} asked for")
    return made


def may_see(request: HttpRequest, verification: Verification) -> bool:
    """Is its report a page for this user?"""
    may_look = request.user.has_perm("oauth.view_verification") or request.user.has_perm("oauth.change_verification")
    return may_look and Verification.objects.visible_to(request.user).filter(pk=verification.pk).exists()


def verify_what_was_entered(request: HttpRequest, registration: AppRegistration, what: str) -> None:
    """Start a verification of what was just entered, and say so; nothing, where nothing is tried."""
    if not AppRegistration.objects.live().filter(pk=registration.pk).exists():
        return
    made = start_verification(request, registration)
    words: Any = f"{what} is being verified; open findings close when it works."
    if registration.only_personal:
        words = f"{what} is stored. It cannot be tried: the first consent shows whether it works."
    if may_see(request, made):
        words = format_html('{} <a href="{}">See how far it is</a>.', words, page_of(made))
    messages.info(request, words)


class Verifies:
    """Mixed into an admin whose rows are registrations, or are about one."""

    def to_verify(self, obj: Any) -> AppRegistration:
        registration: AppRegistration = obj if isinstance(obj, AppRegistration) else obj.registration
        return registration

    @admin.action(description="Verify", permissions=["operate"])
    def verify(self, request: HttpRequest, queryset: Any) -> Any:
        return self._start(request, queryset, Kind.WHOLE, "Verifying")

    @admin.action(description="Sync from Entra", permissions=["operate"])
    def sync_from_entra(self, request: HttpRequest, queryset: Any) -> Any:
        return self._start(request, queryset, Kind.SYNC, "Reading from Entra what is to be known of")

    def _start(self, request: HttpRequest, queryset: Any, kind: str, doing: str) -> Any:
        rows = at_once(request, queryset) or []
        chosen = {registration.pk: registration for registration in map(self.to_verify, rows)}
        live = set(AppRegistration.objects.live().filter(pk__in=chosen).values_list("pk", flat=True))
        for registration in chosen.values():
            if registration.pk not in live:
                messages.warning(request, f"“{registration}” is not asked about: it is suspended or archived.")
        made = [start_verification(request, chosen[pk], kind) for pk in sorted(live)]
        if not made:
            return None
        names = f"“{made[0].registration}”" if len(made) == 1 else f"{len(made)} selected"
        messages.success(request, f"{doing} {names} now. What is seen appears on the report.")
        seen = [one for one in made if may_see(request, one)]
        if not seen:
            return None
        return HttpResponseRedirect(page_of(seen[0]) if len(made) == 1 else list_of(Verification))


# A report


def outcome_of(verification: Verification) -> SafeString:
    if verification.outcome:
        return badge(*OUTCOMES[verification.outcome])
    if verification.started_at is None:
        return badge(QUIET, "about to begin")
    return badge(WARNING, "trying again") if verification.next_at else badge(QUIET, "under way")


def steps_of(verification: Verification) -> list[Step]:
    return [Step.of(stored) for stored in verification.steps]


def in_short(verification: Verification) -> str:
    """The first thing that is wrong or left to do; while it is under way, what was seen last."""
    steps = steps_of(verification)
    for states in ((FAILED,), (UNANSWERED, WAITING), (NOT_YET,)):
        for step in steps:
            if step.state in states:
                return f"{step.label}: {step.seen}"
    if not verification.finished_at:
        return steps[-1].seen if steps else "Nothing yet."
    passed_over = [step.label for step in steps if step.state == report.SKIPPED]
    return f"All that was asked is well. Skipped: {', '.join(passed_over)}." if passed_over else "All is well."


def report_panel(request: HttpRequest, verification: Verification) -> Panel:
    """Step by step: what was seen, what to do, who must act."""
    return Panel(
        title="Steps",
        columns=["Step", "Result", "What was seen", "What to do"],
        rows=[
            [_label(step), badge(*STATES[step.state]), _seen(step), _todo(request, verification, step)]
            for step in steps_of(verification)
        ],
        empty="It has not begun yet. This page refreshes itself.",
        summary="" if verification.finished_at else "under way; this page refreshes itself",
    )


def _label(step: Step) -> Any:
    return format_html('<span class="step-part">{}</span>' if step.is_part else "<strong>{}</strong>", step.label)


def _seen(step: Step) -> Any:
    said = [f"AADSTS{code}" for code in step.codes]
    said += [f"Graph: {step.graph}"] if step.graph else []
    said += [f"trace ID {step.trace_id}"] if step.trace_id else []
    whole = format_html('<div class="change">{}</div>', " ".join((step.seen, *step.notes)))
    return stacked(whole, ", ".join(said)) if said else whole


def _todo(request: HttpRequest, verification: Verification, step: Step) -> Any:
    todo: Any = step.todo
    if step.key == CONSENT and step.state == NOT_YET and request.user.has_perm("oauth.add_link"):
        add = reverse("admin:oauth_link_add", query={"registration": verification.registration_id})
        todo = format_html('{} <a href="{}">Create consent link</a>', todo, add)
    if not todo:
        return "-"
    return stacked(todo, f"Up to: {ACTORS[step.actor]}") if step.actor else todo


# On a registration's page


def verification_panel(registration: AppRegistration) -> Panel:
    """The last one, and where the others are."""
    last = Verification.objects.filter(registration=registration).select_related("asked_by")[:1]
    return Panel(
        title="Last verification",
        columns=["Report", "Result", "In short", "When"],
        rows=[
            [link_to(one, f"{one.get_kind_display()} {one.pk}"), outcome_of(one), in_short(one), _when(one)]
            for one in last
        ],
        empty="Never verified. Press “Verify” for a report, step by step.",
        more=list_of(Verification, registration__id__exact=registration.pk) if last else "",
        more_words="Show all verifications",
    )


def whom(verification: Verification) -> str:
    """Who asked for it."""
    if verification.link_id:
        return "a secret drop"
    return str(verification.asked_by) if verification.asked_by else "the night"


def _when(verification: Verification) -> Any:
    return stacked(ago(verification.moment), f"asked for by {whom(verification)}")


def in_entra_panel(registration: AppRegistration) -> Panel:
    """What stands here, side by side with what Entra said when it was last read."""
    last = Verification.objects.last_read(registration)
    if last is None:
        return Panel("In Entra", [], [], empty=_not_read(registration))
    current = registration.credentials.current().first()
    properties = compare(registration, current, InEntra.of(last.in_entra))
    different = sum(each.sameness == "different" for each in properties)
    return Panel(
        title="In Entra",
        columns=["Property", "Here", "In Entra", "The same?"],
        rows=[[each.label, _lines(each.here), _lines(each.there), _same(each)] for each in properties],
        empty="",
        summary=f"as read {ago(last.finished_at)}" + (f", {different} not the same" if different else ""),
    )


def _not_read(registration: AppRegistration) -> str:
    last = Verification.objects.filter(registration=registration, finished_at__isnull=False).first()
    steps = {step.key: step for step in steps_of(last)} if last else {}
    told = steps.get(report.APPLICATION)
    if told is None or told.state == report.OK:
        return "Not read yet. Press “Sync from Entra” to compare it with what stands here."
    return f"{told.seen} {told.todo}".strip()


def _lines(text: str) -> Any:
    return format_html_join("", '<div class="change">{}</div>', ((line,) for line in text.splitlines())) or "-"


def _same(each: Property) -> Any:
    shown = badge(*SAMENESS[each.sameness])
    words, names = ("missing there", each.missing) if each.missing else ("besides", each.extra)
    if not names:
        return shown
    return stacked(shown, format_html('<div class="change">{}: {}</div>', words, ", ".join(names)))
