"""The page that asks why, and until when, before findings are acknowledged or snoozed."""

from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.utils import quote
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone

from monitoring import lifecycle
from monitoring.models import Finding
from tenants.admin.base import MOST_AT_ONCE
from tenants.client_address import client_address

MORNING = time(8)  # when a snooze ends: nobody is woken for what could wait for days


class Decision(forms.Form):
    """Why somebody decides it; `apply` then does it to the findings the person saw."""

    title: ClassVar[str]
    done: ClassVar[str]
    consequences: ClassVar[list[str]]

    why = forms.CharField(
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"}),
        help_text="Who looks at the finding later reads it there.",
        error_messages={"required": "Say why, in a few words."},
    )

    def apply(self, findings: list[Finding], *, by: Any, address: str) -> list[Finding]:
        raise NotImplementedError


class Acknowledge(Decision):
    title = "Acknowledge"
    done = "acknowledged"
    consequences: ClassVar = [
        "Everybody sees that you have taken it on, and why. It stays open, below what nobody has taken on.",
        "When it gets worse, or comes back, this ends and it is announced again.",
    ]

    def apply(self, findings: list[Finding], *, by: Any, address: str) -> list[Finding]:
        return lifecycle.acknowledge(findings, by=by, why=self.cleaned_data["why"], address=address)


class Snooze(Decision):
    title = "Snooze"
    done = "snoozed"
    consequences: ClassVar = [
        "It leaves “Needs attention” until that day, and stays in the list of open findings.",
        f"If it is still open at {MORNING:%H:%M} of that day, one reminder is sent.",
        "When it gets worse, or comes back, this ends at once and it is announced again.",
    ]

    until = forms.DateField(error_messages={"required": "Choose the day on which it shall be spoken of again."})

    field_order = ("until", "why")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.first, self.last = _first_day(), _last_day()
        between = {"type": "date", "min": self.first.isoformat(), "max": self.last.isoformat()}
        field = self.fields["until"]
        field.widget = forms.DateInput(format="%Y-%m-%d", attrs=between)
        field.initial = self.first + timedelta(days=6)
        field.help_text = f"At most {lifecycle.LONGEST_SNOOZE.days} days from now."

    def clean_until(self) -> datetime:
        day: date = self.cleaned_data["until"]
        if not self.first <= day <= self.last:
            raise forms.ValidationError(
                f"Choose a day from {self.first} to {self.last}: "
                f"a finding is snoozed for {lifecycle.LONGEST_SNOOZE.days} days at most."
            )
        return _morning_of(day)

    def apply(self, findings: list[Finding], *, by: Any, address: str) -> list[Finding]:
        until, why = self.cleaned_data["until"], self.cleaned_data["why"]
        return lifecycle.snooze(findings, until, by=by, why=why, address=address)


def _morning_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, MORNING))


def _first_day() -> date:
    return timezone.localdate() + timedelta(days=1)


def _last_day() -> date:
    latest = timezone.now() + lifecycle.LONGEST_SNOOZE
    day = timezone.localdate(latest)
    return day if _morning_of(day) <= latest else day - timedelta(days=1)


def decide(model_admin: Any, request: HttpRequest, rows: Any, decision: type[Decision]) -> HttpResponse | None:
    """The page that asks, which posts back to where it came from; None once it is answered and done."""
    findings = list(rows.select_related("tenant", *Finding.SUBJECT)[: MOST_AT_ONCE + 1])
    if refused := refuse_too_many(model_admin, request, findings):
        return refused
    is_answered = bool(findings and request.POST.get("confirmed"))
    form: Any = decision(request.POST if is_answered else None)
    if is_answered and form.is_valid():
        seen = request.POST.getlist("seen")
        as_shown = [finding for finding in findings if as_seen(finding) in seen]
        done = form.apply(as_shown, by=request.user, address=client_address(request))
        tell(model_admin, request, done, decision.done, changed=len(findings) - len(done))
        return None
    context = {
        **model_admin.admin_site.each_context(request),
        "title": decision.title,
        "consequences": decision.consequences,
        "findings": [(finding, as_seen(finding)) for finding in findings],
        "adminform": AdminForm(form, [(None, {"fields": list(form.fields)})], {}),
        "errors": form.errors,
        "action": request.POST.get("action", ""),
        "back": _back(model_admin, request, findings),
        "opts": model_admin.opts,
        "media": model_admin.media,
    }
    return TemplateResponse(request, "admin/monitoring/finding/decide.html", context)


def refuse_too_many(model_admin: Any, request: HttpRequest, findings: list[Finding]) -> HttpResponse | None:
    if len(findings) <= MOST_AT_ONCE:
        return None
    model_admin.message_user(request, f"Choose at most {MOST_AT_ONCE} at a time.", messages.WARNING)
    return HttpResponseRedirect(request.get_full_path())


def as_seen(finding: Finding) -> str:
    """What the page shows of this finding, so that what gets worse meanwhile is not silenced unseen."""
    return f"{finding.pk}:{finding.epoch}:{finding.step}"


def tell(model_admin: Any, request: HttpRequest, done: list[Finding], word: str, *, changed: int = 0) -> None:
    """Say what was done, and what was not because it is not what the person saw any more."""
    if done:
        which = done[0].headline.rstrip(".") if len(done) == 1 else f"{len(done)} findings"
        model_admin.message_user(request, f"{which}: {word}.", messages.SUCCESS)
    if changed:
        words = "One finding has" if changed == 1 else f"{changed} findings have"
        model_admin.message_user(request, f"{words} changed meanwhile. Look again, then decide.", messages.WARNING)
    if not done and not changed:
        model_admin.message_user(request, f"Nothing was there to be {word}.", messages.WARNING)


def _back(model_admin: Any, request: HttpRequest, findings: list[Finding]) -> str:
    if "action" in request.POST:  # from the list, whose filters stand in the address
        return request.get_full_path()
    page = model_admin.own_url("change", quote(findings[0].pk)) if findings else model_admin.own_url("changelist")
    return str(model_admin.and_back(request, page))
