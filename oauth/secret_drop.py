"""Secret drop: an administrator outside enters client ID, secret and its end themselves; nobody here sees the secret.

What they enter waits in the registration's next slot. It becomes the current secret once Microsoft has taken it, so a
mistake disturbs nothing, and can be mended by the same link.
"""

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
from django.views.decorators.debug import sensitive_variables

from tenants.models import AppRegistration, Credential, Event
from tenants.models.credential import check_secret_value, start_of
from tenants.models.registration import DOMAIN, as_guid
from tenants.sealed_forms import SealedInput

from .models import Link, Verification
from .report import SIGN_IN, WAITING
from .tasks import ring_verify

MOST_TRIES = 10  # by one link; a person needs a few


class State(StrEnum):
    """How far a drop has come."""

    OPEN = "open"  # nothing was entered yet
    CHECKING = "checking"
    SPREADING = "spreading"  # refused so far, as a new one is for some minutes, and as a wrong one is for good
    WORKS = "works"
    REFUSED = "refused"  # to be entered again
    UNANSWERED = "unanswered"  # it is kept, and was not tried yet
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
        return self.state in (State.OPEN, State.SPREADING, State.REFUSED)


class AlreadyOver(Exception):
    """Nothing can be entered by this link any more, or not now."""


def drop_of(link: Link) -> Drop:
    """What became of what was entered by this link."""
    tries = Verification.objects.filter(link=link)
    last = tries.select_related("credential").first()
    if last is None:
        return Drop(State.OPEN if link.uses < link.max_uses else State.OVER)
    if last.has_signed_in:
        return Drop(State.WORKS, last)
    if last.finished_at is None:
        is_spreading = any(step["key"] == SIGN_IN and step["state"] == WAITING for step in last.steps)
        can_be_mended = is_spreading and tries.count() < MOST_TRIES
        return Drop(State.SPREADING if can_be_mended else State.CHECKING, last)
    if last.outcome == Verification.Outcome.UNANSWERED:
        return Drop(State.UNANSWERED, last)
    return Drop(State.REFUSED if tries.count() < MOST_TRIES else State.OVER, last)


def asks_for_ids(registration: AppRegistration) -> bool:
    """Whether client ID and directory may be entered: as long as nothing has proven those that are known."""
    if not registration.client_id:
        return True
    is_proven = registration.credentials.filter(worked_at__isnull=False).exists()
    return not (is_proven or registration.credentials.current().exists() or registration.connections.exists())


class DropForm(forms.Form):
    """What Entra showed them. The IDs are asked for only where they are not known yet."""

    client_id = forms.CharField(label="", max_length=100)
    directory = forms.CharField(label="", max_length=253)
    secret = forms.CharField(label="", max_length=400, widget=SealedInput)
    ends_on = forms.DateField(label="", widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))

    def __init__(self, registration: AppRegistration, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._registration = registration
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
        if not asks_for_ids(registration):
            del self.fields["client_id"], self.fields["directory"]
        else:
            self.initial["directory"] = registration.directory
            self.initial["client_id"] = registration.client_id

    def clean_client_id(self) -> str:
        guid = as_guid(self.cleaned_data["client_id"])
        if guid is None:
            raise ValidationError(_("This is not an Application (client) ID, which is a GUID of 36 characters."))
        others = AppRegistration.objects.filter(cloud=self._registration.cloud, client_id=guid, archived_at=None)
        if others.exclude(pk=self._registration.pk).exists():
            raise ValidationError(_("This application is registered here already. Is it the ID of the new one?"))
        return guid

    def clean_directory(self) -> str:
        text: str = self.cleaned_data["directory"].strip().lower()
        found = as_guid(text) or text
        if as_guid(found) is None and not DOMAIN.fullmatch(found):
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
        if self.errors and "secret" not in self.errors and self.data.get("secret"):
            self.add_error("secret", _("The Value was not kept, as no page shows it again. Paste it once more."))
        if cleaned.get("secret") and cleaned["secret"] == cleaned.get("client_id"):
            self.add_error("secret", _("This is the client ID. The secret is the Value under Client secrets."))
        return cleaned


@sensitive_variables()
def enter(link: Link, form: DropForm, address: str) -> Verification:
    """Keep what a valid form holds, have it tried, and use the link up. Raises AlreadyOver."""
    entered = form.cleaned_data
    try:
        with transaction.atomic():
            # The link first, as whoever else enters by it does; then the registration, whose IDs may be written.
            link = Link.objects.select_for_update().get(pk=link.pk)
            rows = AppRegistration.objects.select_for_update(of=("self",)).select_related("tenant")
            registration = rows.get(pk=link.registration_id)
            if not Link.objects.readable().filter(pk=link.pk).exists() or not drop_of(link).takes_more:
                raise AlreadyOver
            changes = _take_ids(registration, entered)
            credential = Credential.objects.propose(registration, entered["secret"], start_of(entered["ends_on"]))
            Link.objects.filter(pk=link.pk, uses__lt=F("max_uses")).update(uses=F("uses") + 1)
            Event.objects.record(
                verb="client secret entered",
                subject=registration,
                tenant=link.tenant,
                changes={
                    **changes,
                    "client secret": "changed",
                    "client secret ends on": [None, entered["ends_on"].isoformat()],
                },
                reason=str(link),
                address=address,
            )
            verification = Verification.objects.ask(registration, credential=credential, link=link)
            ring_verify(verification)
    except IntegrityError:  # somebody was quicker with the same client ID
        raise AlreadyOver from None
    return verification


def _take_ids(registration: AppRegistration, entered: dict[str, Any]) -> dict[str, list[str]]:
    """Write the IDs that were entered; old and new of those that change."""
    changes = {}
    if asks_for_ids(registration) and "client_id" in entered:
        for name, label in (("client_id", "client ID"), ("directory", "directory")):
            before = getattr(registration, name)
            if before != entered[name]:
                changes[label] = [before, entered[name]]
                setattr(registration, name, entered[name])
        registration.save(update_fields=["client_id", "directory"])
    return changes
