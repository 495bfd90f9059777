from django.db import models
from django.utils import timezone

from tenants.fields import SealedField
from tenants.models import Tenant
from tenants.models.outgoing import Outgoing, OutgoingQuerySet

from .link import Link

ADDRESS = "{link}"  # where the link's address stands in a text


class MailQuerySet(OutgoingQuerySet["Mail"]):
    tenant_path = "link__tenant"

    def withdraw(self, reason: str) -> None:
        """Those that wait with the address of a link are not sent any more, also while somebody is at it."""
        for mail in self.filter(state=Mail.State.WAITING, text__contains=ADDRESS):
            mail.tries.append({"at": timezone.now().isoformat(timespec="seconds"), "problem": reason})
            self.filter(pk=mail.pk, state=Mail.State.WAITING).update(
                state=Mail.State.SET_ASIDE, tries=mail.tries, token=None, lease_by=None, lease_until=None
            )

    def send_again(self) -> list["Mail"]:
        """Those that were set aside are due once more; which those are."""
        rows = list(self.filter(state=Mail.State.SET_ASIDE).select_related("link__tenant"))
        self.filter(pk__in=[row.pk for row in rows]).update(state=Mail.State.WAITING, next_at=timezone.now())
        return rows


class Mail(Outgoing):
    """A mail about a link, to one address outside or to an operator.

    Where its text says {link}, the address of the link stands once it is sent: its token is made then. It is kept,
    sealed, only as long as the mail waits to be tried again, so that every try brings the same address.
    """

    secret_while_waiting = ("token",)

    class Kind(models.TextChoices):
        INVITATION = "invitation", "the link"
        NOTICE = "notice", "notice of a connection"
        APPROVED = "approved", "notice of an approval"
        MISMATCH = "mismatch", "notice of another account"
        DISCONNECTED = "disconnected", "confirmation of an end"
        SECRET = "secret", "notice of a secret drop"  # noqa: S105

    link = models.ForeignKey(Link, on_delete=models.PROTECT, related_name="mails")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    subject = models.CharField(max_length=200)
    text = models.TextField()
    token = SealedField(place="oauth.mail.token", null=True)

    objects = MailQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["state", "next_at"], name="mail_due")]

    def __str__(self) -> str:
        return f"{self.get_kind_display().capitalize()} to {self.address}"

    @property
    def tenant(self) -> Tenant:
        """Whose mail it is."""
        return self.link.tenant
