"""Secret drop: an administrator outside enters client ID, secret and its end themselves; nobody here sees the secret.

What they enter waits in the registration's next slot. It becomes the current secret once Microsoft has taken it, so a
mistake disturbs nothing, and can be mended by the same link.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.views.decorators.debug import sensitive_variables

from tenants.holding import hold
from tenants.models import AppRegistration, Credential, Event
from tenants.models.credential import check_secret_value, start_of
from tenants.models.registration import DOMAIN, as_guid
from tenants.sealed_forms import SealedInput

from .models import Link, Verification
from .report import SIGN_IN, WAITING
from .tasks import ring_verify

MOST_TRIES = 10  # by one link, of secrets and of client IDs that are registered here; a person needs a few
CLIENT_ID = "client_id"
TAKEN = _lazy("This application is registered here already. Is it the ID of the new one?")
NOT_KEPT = _lazy("The Value was not kept, as no page shows it again. Paste it once more.")
ID_FIELDS = {CLIENT_ID: "client ID", "directory": "directory"}


class State(StrEnum):
    """How far a drop has come."""

    OPEN = "open"  # nothing was entered yet, or it was withdrawn before it was tried
    CHECKING = "checking"
    SPREADING = "spreading"  # refused so far, as a new one is for some minutes, and as a wrong one is for good
    WORKS = "works"
    KEPT = "kept"  # it is in use, and only a consent can show whether it works
    REFUSED = "refused"  # to be entered again
    UNANSWERED = "unanswered"  # it is kept, and Microsoft gave no verdict on it
    OVER = "over"  # refused too often


@dataclass(frozen=True)
class Drop:
    """One link's drop as it stands, with the verification of what was entered last."""

    state: State
    verification: Verification | None = None

    @property
    def is_under_way(self) -> bool:
        """Is Microsoft still asked? A secret that works may be followed by what else is seen in Entra."""
        return self.verification is not None and self.verification.finished_at is None

    @property
    def takes_more(self) -> bool:
        return self.state in (State.OPEN, *MENDABLE, State.REFUSED)


# What was entered may be right, so the form stands behind a press.
MENDABLE = (State.SPREADING, State.UNANSWERED)


class AlreadyOver(Exception):
    """Nothing can be entered by this link any more, or not now."""


class Taken(Exception):
    """Somebody was quicker to register this application here."""


def drop_of(link: Link) -> Drop:
    """What became of what was entered by this link."""
    tries = Verification.objects.filter(link=link)
    last = tries.select_related("credential").first()
    if last is not None and last.has_signed_in:
        return Drop(State.WORKS, last)
    if last is not None and link.uses >= link.max_uses:  # also where its report had to begin again since
        return Drop(State.WORKS if link.registration.signs_in_itself else State.KEPT, last)
    is_last_try = tries.order_by().values("credential").distinct().count() + link.told_taken >= MOST_TRIES
    if last is not None and last.is_refused:
        return Drop(State.OVER if is_last_try else State.REFUSED, last)
    if last is None or _is_withdrawn(last.credential):
        return Drop(State.OVER if is_last_try or link.uses >= link.max_uses else State.OPEN, last)
    if last.finished_at is None:
        is_spreading = any(_is_refused_so_far(step) for step in last.steps) and not is_last_try
        return Drop(State.SPREADING if is_spreading else State.CHECKING, last)
    return Drop(State.OVER if is_last_try else State.UNANSWERED, last)


def _is_withdrawn(credential: Credential | None) -> bool:
    """Is it tried no more, because a link was revoked, or because another one took its place?"""
    return credential is not None and not credential.slot


def _is_refused_so_far(step: dict[str, Any]) -> bool:
    """Microsoft gave a number, and not just no answer."""
    return bool(step["key"] == SIGN_IN and step["state"] == WAITING and step.get("codes"))


def ids_asked_for(link: Link, registration: AppRegistration) -> list[str]:
    """Which of client ID and directory may be entered: what is empty, and what this link entered, to mend it.

    What an operator typed, and what a secret or a consent has proven, nobody changes by a link.
    """
    if _is_proven(registration):
        return []
    entered = _entered_by(link)
    values = {name: getattr(registration, name) for name in ID_FIELDS}
    return [name for name, value in values.items() if not value or entered.get(name) == ["", value]]


def _is_proven(registration: AppRegistration) -> bool:
    if not registration.client_id:
        return False
    is_proven = registration.credentials.filter(worked_at__isnull=False).exists()
    return is_proven or registration.credentials.current().exists() or registration.connections.exists()


def _entered_by(link: Link) -> dict[str, list[str]]:
    """Column -> [what stood there before this link, what was entered by it last]."""
    whole: dict[str, list[str]] = {}
    tries = Verification.objects.filter(link=link).exclude(entered={}).order_by("pk")
    for entered in tries.values_list("entered", flat=True):
        for name, (before, new) in entered.items():
            whole[name] = [whole[name][0] if name in whole else before, new]
    return whole


def take_back(links: Iterable[Link], *, by: Any, address: str) -> None:
    """Of links that are revoked: the IDs they entered, so that these keep nobody out.

    Those stay that something has proven, or that somebody has corrected since.
    """
    for link in links:
        (registration,) = hold(AppRegistration.objects.filter(pk=link.registration_id))
        entered = {} if _is_proven(registration) else _entered_by(link)
        changes = {
            name: [new, before]
            for name, (before, new) in entered.items()
            if new == getattr(registration, name) != before
        }
        if not changes:
            continue
        for name, (_entered, before) in changes.items():
            setattr(registration, name, before)
        registration.save(update_fields=list(changes))
        Event.objects.record(
            verb="taken back what was entered",
            subject=registration,
            tenant=link.tenant,
            actor=by,
            changes={ID_FIELDS[name]: change for name, change in changes.items()},
            reason=str(link),
            address=address,
        )


class DropForm(forms.Form):
    """What Entra showed them. The IDs are asked for only where they are not known yet."""

    client_id = forms.CharField(label="", max_length=100)
    directory = forms.CharField(label="", max_length=253)
    secret = forms.CharField(label="", max_length=400, widget=SealedInput)
    ends_on = forms.DateField(label="", widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))

    def __init__(self, link: Link, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.taken = ""  # the client ID that was entered, where it is registered here already
        self._registration = registration = link.registration
        words: dict[str, tuple[str, str]] = {
            "client_id": (_("Application (client) ID"), _("From the overview of the registration.")),
            "directory": (_("Directory (tenant) ID"), _("Beside it. A domain of the directory is taken, too.")),
            "secret": (_("Client secret: the Value"), _("Not the Secret ID. It is stored sealed and never shown.")),
            "ends_on": (_("The secret ends on"), _("The day in the column “Expires”.")),
        }
        for name, (label, help_text) in words.items():
            field: Any = self.fields[name]
            field.label, field.help_text = label, help_text
            field.error_messages["required"] = _("Please fill this in.")
        self.fields["ends_on"].error_messages["invalid"] = _("This is not a day. Enter it as year-month-day.")
        self.fields["directory"].required = not registration.only_personal  # there it signs in nobody
        asked = ids_asked_for(link, registration)
        for name in ID_FIELDS:
            if name in asked:
                self.initial[name] = getattr(registration, name)
            else:
                del self.fields[name]

    def clean_client_id(self) -> str:
        guid = as_guid(self.cleaned_data["client_id"])
        if guid is None:
            raise ValidationError(_("This is not an Application (client) ID, which is a GUID of 36 characters."))
        return guid

    def _is_taken(self, client_id: str) -> bool:
        others = AppRegistration.objects.filter(cloud=self._registration.cloud, client_id=client_id, archived_at=None)
        return others.exclude(pk=self._registration.pk).exists()

    def lost_the_race(self) -> bool:
        """Is the client ID registered by now, which was free a moment ago? Then the form says so."""
        client_id = self.cleaned_data.get(CLIENT_ID, "")
        if not self._is_taken(client_id):
            return False
        self.taken = client_id
        self.add_error(CLIENT_ID, TAKEN)
        self.add_error("secret", NOT_KEPT)
        self._forget_what_is_wrong()
        return True

    def clean_directory(self) -> str:
        text: str = self.cleaned_data["directory"].strip().lower()
        found = as_guid(text) or text
        if found and as_guid(found) is None and not DOMAIN.fullmatch(found):
            raise ValidationError(_("This is neither a Directory (tenant) ID nor a domain."))
        return found

    @sensitive_variables()
    def clean_secret(self) -> str:
        value: str = self.cleaned_data["secret"]
        check_secret_value(value)
        return value

    def clean_ends_on(self) -> date:
        day: date = self.cleaned_data["ends_on"]
        if start_of(day) <= timezone.now():
            raise ValidationError(_("A secret that ends on this day has ended already. Make a new one in Entra."))
        return day

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        # Only of a form that would be stored otherwise: to learn that an ID is free costs as much as that it is not.
        if not self.errors and self._is_taken(cleaned.get(CLIENT_ID, "")):
            self.taken = cleaned[CLIENT_ID]
            self.add_error(CLIENT_ID, TAKEN)
        if self.errors and "secret" not in self.errors and self.data.get("secret"):
            self.add_error("secret", NOT_KEPT)
        self._forget_what_is_wrong()
        return cleaned

    def _forget_what_is_wrong(self) -> None:
        """Whatever stands in a wrong box may be the secret, so no page shows it again."""
        posted: Any = self.data.copy()  # type: ignore[attr-defined]
        for name in self.errors:
            posted[name] = ""
        self.data = posted


def note_taken(link: Link, form: DropForm, address: str) -> None:
    """Call it before a form that was not valid is shown. Raises AlreadyOver where that would tell too much.

    It may say that somebody here has registered an application: whoever tries many IDs learns of a few and leaves a
    trace of each.
    """
    if not form.taken:
        return
    with transaction.atomic():
        if not Link.objects.filter(pk=link.pk, told_taken__lt=MOST_TRIES).update(told_taken=F("told_taken") + 1):
            raise AlreadyOver
        Event.objects.record(
            verb="client ID refused",
            subject=link.registration,
            tenant=link.tenant,
            reason=f"{link}: {form.taken} is registered here already",
            address=address,
        )


@sensitive_variables()
def enter(link: Link, form: DropForm, address: str) -> Verification:
    """Keep what a valid form holds, and have it tried. Raises AlreadyOver and Taken."""
    entered = form.cleaned_data
    try:
        with transaction.atomic():
            (link,) = hold(Link.objects.filter(pk=link.pk))
            (registration,) = hold(AppRegistration.objects.filter(pk=link.registration_id).select_related("tenant"))
            if not Link.objects.readable().filter(pk=link.pk).exists() or not drop_of(link).takes_more:
                raise AlreadyOver
            changes = _take_ids(link, registration, entered)
            credential = Credential.objects.propose(registration, entered["secret"], start_of(entered["ends_on"]))
            Event.objects.record(
                verb="client secret entered",
                subject=registration,
                tenant=link.tenant,
                changes={
                    **{ID_FIELDS[name]: change for name, change in changes.items()},
                    "client secret": "changed",
                    "client secret ends on": [None, entered["ends_on"].isoformat()],
                },
                reason=str(link),
                address=address,
            )
            verification = Verification.objects.ask(registration, credential=credential, link=link, entered=changes)
            ring_verify(verification)
    except IntegrityError:
        if form.lost_the_race():
            note_taken(link, form, address)
            raise Taken from None
        raise
    return verification


def _take_ids(link: Link, registration: AppRegistration, entered: dict[str, Any]) -> dict[str, list[str]]:
    """Write the IDs that were entered; column -> [before, entered], also of those that stay."""
    asked = [name for name in ids_asked_for(link, registration) if name in entered]
    changes = {name: [getattr(registration, name), entered[name]] for name in asked}
    for name, (_before, new) in changes.items():
        setattr(registration, name, new)
    if changes:
        registration.save(update_fields=asked)
    return changes
