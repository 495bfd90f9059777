from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest
from django.template.defaultfilters import linebreaks_filter
from django.utils.html import format_html

from oauth.models import Link, Mail
from oauth.models.mail import ADDRESS
from oauth.tasks import send_mails
from tenants.admin import history
from tenants.admin.display import link_to, stacked
from tenants.admin.outgoing import OutgoingAdmin


def ring() -> None:
    """Have what is due sent once this transaction stands."""
    # robust: with the broker down the rows still stand, the beat rings again, and the page need not fail.
    transaction.on_commit(send_mails.delay, robust=True)


@admin.register(Mail)
class MailAdmin(OutgoingAdmin):
    when_empty = "No mail yet. Links that are sent, and notices to mailboxes that were connected, are here."
    list_display = ["address", "subject_and_kind", "link_and_tenant", "state_shown", "number_of_tries", "created_at"]
    list_filter = ["state", "kind", "link__tenant"]
    list_select_related = ["link__tenant"]
    search_fields = ["address", "subject", "link__tenant__name"]
    actions = ["send_again"]
    page_actions = ("send_again",)
    fieldsets = [
        (None, {"fields": ["address", "kind", "for_link"]}),
        ("Text", {"fields": ["subject", "text_shown"]}),
        ("On its way", {"fields": ["state_shown", "tries_shown", "next_try", "created_at", "sent_at", "once_more"]}),
    ]

    @admin.display(description="subject, kind", ordering="subject")
    def subject_and_kind(self, mail: Mail) -> Any:
        return stacked(mail.subject, mail.get_kind_display())

    @admin.display(description="link, tenant", ordering="link")
    def link_and_tenant(self, mail: Mail) -> Any:
        return stacked(link_to(mail.link, f"Link {mail.link_id}"), mail.link.tenant)

    @admin.display(description="link")
    def for_link(self, mail: Mail) -> Any:
        return link_to(mail.link)

    @admin.display(description="text")
    def text_shown(self, mail: Mail) -> Any:
        """With {link} where the address stands: that is made when it is sent, and not for operators to read."""
        return format_html('<div class="mail-text">{}</div>', linebreaks_filter(mail.text))

    @admin.display(description="once more")
    def once_more(self, mail: Mail) -> str:
        """Whether it can be sent again, and what to do where it cannot."""
        if mail.state == Mail.State.WAITING:
            return "It is tried by itself until it is sent, for three days."
        if self.offers("send_again", mail):
            return "“Send again” has it tried once more."
        why = "It was sent." if mail.state == Mail.State.SENT else "Its link has ended."
        if mail.kind != Mail.Kind.INVITATION:
            return f"{why} Such a mail is sent once only."
        return f"{why} The address in it is kept nowhere: renew its link, and have that mailed."

    @admin.action(description="Send again", permissions=["operate"])
    def send_again(self, request: HttpRequest, queryset: Any) -> Any:
        queryset = queryset.filter(state=Mail.State.SET_ASIDE)
        asked = self.confirm(
            request,
            queryset,
            title="Send again",
            consequences=[
                "It is sent once more, to the same address.",
                "The address of its link is made anew: one that went out before, or was shown since, opens nothing "
                "more.",
                "Where the link has ended meanwhile, nothing is sent: renew the link, or make another.",
            ],
        )
        if asked:
            return asked
        mails = Mail.objects.filter(pk__in=[row.pk for row in queryset]).send_again()
        for mail in mails:
            history.record(request, mail, "sent again")
        ring()
        self.message_user(request, f"{', '.join(map(str, mails)) or 'Nothing'}: sent again.", messages.SUCCESS)
        return None

    def offers(self, action: str, obj: Mail) -> bool:
        needs_link = ADDRESS in obj.text
        is_open = not needs_link or Link.objects.usable().filter(pk=obj.link_id).exists()
        return is_open and obj.state == Mail.State.SET_ASIDE
