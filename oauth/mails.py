"""Mails to people outside, and to the operator who sent them a link. Rows first; `send_due` builds and sends them."""

import re
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from tenants import ladder, outbox
from tenants.addresses import is_address
from tenants.models import AppRegistration, Tenant

from . import asks
from .id_token import PERSONAL
from .models import AdminGrant, Connection, ConsentAttempt, Link, Mail
from .models.link import digest
from .models.mail import ADDRESS

ENDS = "{ends}"
PLACEHOLDERS = frozenset([ADDRESS, "{tenant}", ENDS])
_BRACED = re.compile(r"\{[^{}\n]*\}")
_ADDRESS_LINE = re.compile(r"\s*^[ \t]*\{link\}[ \t]*$\s*", re.MULTILINE)
WITH_ADDRESS = (Mail.Kind.INVITATION, Mail.Kind.NOTICE)  # in others somebody's name may be spelt like that
DISCONNECT_GOOD_FOR = timedelta(days=365)
TOLD_AGAIN_AFTER = timedelta(days=1)


def address_of(token: str) -> str:
    """Where a link of this token is opened."""
    return f"{settings.SITE_URL}{reverse('oauth:open', args=[token])}"


# What is written


def invitation(purpose: str) -> tuple[str, str]:
    """Subject and text that an operator may change before a link is sent, with placeholders."""
    facts = {"organization": settings.ORGANIZATION_NAME, "tenant": "{tenant}", "ends": "{ends}", "link": ADDRESS}
    subject, text = _invitation(purpose)
    return subject % facts, text % facts


def _invitation(purpose: str) -> tuple[str, str]:
    if purpose == Link.Purpose.RECONNECT:
        return _("%(organization)s: please reconnect your mailbox"), _(
            "Hello,\n\n"
            "your Microsoft 365 mailbox is connected to %(organization)s for %(tenant)s, and Microsoft no longer lets "
            "us use it. Please connect it again:\n\n%(link)s\n\n"
            "The page says what is asked for before anything happens. It works until %(ends)s.\n"
        )
    if purpose == Link.Purpose.SETUP:
        return _("%(organization)s: please register an app in your Microsoft directory"), _(
            "Hello,\n\n"
            "for %(tenant)s, %(organization)s needs an app that is registered in your Microsoft directory. An "
            "administrator of the directory can do that. This page has the steps, with the values to enter:\n\n"
            "%(link)s\n\n"
            "If somebody else administers the directory, please hand this mail on to them. The page can be read until "
            "%(ends)s.\n"
        )
    if purpose == Link.Purpose.SECRET:
        return _("%(organization)s: please enter the client secret of an app"), _(
            "Hello,\n\n"
            "for %(tenant)s, %(organization)s needs the client secret of an app in your Microsoft directory. Please "
            "enter it here yourself; the page has the steps for registering the app, too:\n\n%(link)s\n\n"
            "It is stored sealed and tried at once, and nobody at %(organization)s gets to see it. Please send it in "
            "no mail. Whoever has this address can enter a secret, so keep it to yourself. It works until %(ends)s.\n"
        )
    return _("%(organization)s: please connect your mailbox"), _(
        "Hello,\n\n"
        "%(organization)s would like to connect your Microsoft 365 mailbox, for %(tenant)s. Please open this page:\n\n"
        "%(link)s\n\n"
        "It says who asks for what before anything happens, and you decide on Microsoft’s own pages. If your IT "
        "department has to approve it first, the page helps you to ask them. It works until %(ends)s.\n"
    )


def unknown_placeholders(text: str) -> list[str]:
    """What stands in braces and would be sent as it is."""
    return [word for word in _BRACED.findall(text) if word not in PLACEHOLDERS]


def has_one_link(text: str) -> bool:
    """Whether {link} stands in the text once, on a line of its own."""
    return text.count(ADDRESS) == 1 and ADDRESS in (line.strip() for line in text.splitlines())


def invite(link: Link, *, subject: str, text: str) -> Mail:
    """Have this link sent to whom it is for. {tenant} is filled in now, {link} and {ends} once it is sent."""

    def filled(template: str) -> str:
        return template.replace("{tenant}", link.tenant.name)

    return Mail.objects.create(
        link=link,
        kind=Mail.Kind.INVITATION,
        address=link.sent_to,
        subject=" ".join(filled(subject).split())[:200],
        text=filled(_ADDRESS_LINE.sub(f"\n\n{ADDRESS}\n\n", text.replace("\r\n", "\n"))).strip(),
    )


def last_invitation(link: Link) -> Mail | None:
    """The newest mail that this link was, or will be, sent by."""
    return link.mails.filter(kind=Mail.Kind.INVITATION).first() if link.sent_to else None


def invite_again(last: Mail) -> Mail:
    """Have the link sent in the same words once more."""
    same = {name: getattr(last, name) for name in ("link", "kind", "address", "subject", "text")}
    return Mail.objects.create(**same)


def tell_mailbox(connection: Connection, attempt: ConsentAttempt) -> None:
    """Tell the mailbox that it was connected, with a link to disconnect it. Once for each consent.

    The links of earlier notices end: they were for a consent that this one has replaced.
    """
    Link.objects.filter(connection=connection, purpose=Link.Purpose.DISCONNECT).revoke()
    if not is_address(connection.address):
        return
    link, _token = Link.objects.mint(
        tenant=connection.tenant,
        registration=connection.registration,
        created_by=None,
        purpose=Link.Purpose.DISCONNECT,
        connection=connection,
        sent_to=connection.address,
        expires_at=timezone.now() + DISCONNECT_GOOD_FOR,
    )
    missing = connection.scopes_missing
    granted = asks.sentences_for([name for name in connection.scopes_asked if name not in missing])
    text = _(
        "Hello,\n\n"
        "the mailbox %(account)s was connected to %(organization)s, for %(tenant)s, on %(when)s. Microsoft lists this "
        "access under the name “%(app)s”. It allows to:\n\n"
        "%(granted)s\n\n"
        "If that was you, there is nothing to do.\n\n"
        "If it was not you, or you have changed your mind, disconnect it here:\n\n%(link)s\n\n"
        "That destroys the sign-in that is kept there for your mailbox, and it is looked after no more. What else uses "
        "your mailbox under the name “%(app)s” may keep its access until you withdraw your consent at "
        "Microsoft:\n\n%(withdraw)s\n\n"
        "Changing your password does not end the access.\n"
    )
    facts = {
        **_facts_of(connection, attempt.finished_at or timezone.now()),
        "granted": "\n".join(f"- {sentence}" for sentence in granted),
        "link": ADDRESS,
    }
    Mail.objects.create(
        link=link,
        kind=Mail.Kind.NOTICE,
        address=connection.address,
        subject=_("Your mailbox was connected to %(organization)s") % facts,
        text=text % facts,
    )


def confirm_disconnected(link: Link, connection: Connection) -> None:
    """Tell the mailbox that it was disconnected by this link, and what is left at Microsoft."""
    text = _(
        "Hello,\n\n"
        "the mailbox %(account)s was disconnected from %(organization)s, for %(tenant)s, on %(when)s. The sign-in that "
        "was kept there for it is destroyed.\n\n"
        "Your consent to “%(app)s” still stands at Microsoft. What else uses your mailbox under this name may keep its "
        "access until you withdraw the consent there:\n\n%(withdraw)s\n"
    )
    facts = _facts_of(connection, timezone.now())
    Mail.objects.create(
        link=link,
        kind=Mail.Kind.DISCONNECTED,
        address=link.sent_to,
        subject=_("Your mailbox was disconnected from %(organization)s") % facts,
        text=text % facts,
    )


def _facts_of(connection: Connection, moment: datetime) -> dict[str, str]:
    return {
        "organization": settings.ORGANIZATION_NAME,
        "tenant": connection.tenant.name,
        "account": connection.address,
        "app": connection.registration.name,
        "when": _moment(moment),
        "withdraw": _how_to_withdraw(connection),
    }


def _how_to_withdraw(connection: Connection) -> str:
    if str(connection.tid) == PERSONAL:
        return _("With a personal account, at account.microsoft.com, under Privacy.")
    if connection.registration.cloud == "global":
        return _(
            "With a work or school account, at myapps.microsoft.com, or by asking your IT administrator. What an "
            "administrator has approved, only an administrator can withdraw."
        )
    return _(
        "With a work or school account, on Microsoft’s My Apps page, or by asking your IT administrator. What an "
        "administrator has approved, only an administrator can withdraw."
    )


def tell_of_approval(link: Link, grant: AdminGrant) -> None:
    """Tell who sent the link, and the person who asked their IT, that an administrator has approved.

    Not more than once a day for a link: the answer may be made up, again and again. The link's row must be locked.
    """
    if link.mails.filter(kind=Mail.Kind.APPROVED, created_at__gt=timezone.now() - TOLD_AGAIN_AFTER).exists():
        return
    tenant = link.tenant.name
    text = (
        f"{tenant}: Microsoft reports that an administrator has approved the access for the whole organization (link "
        f"{link.pk}).\n\n"
        f"{_page_of(link)}\n\n"
        "So far Microsoft's answer says so. It is confirmed once somebody of that directory signs in, or once it was "
        f"read from the directory. The directory is {grant.tid}.\n"
    )
    _tell_operators(link, Mail.Kind.APPROVED, f"{tenant}: an administrator has approved", text)
    asked = link.parent
    person = (asked.sent_to or asked.account) if asked else ""
    if asked and is_address(person):
        facts = {"organization": settings.ORGANIZATION_NAME, "tenant": tenant}
        for_person = _(
            "Hello,\n\n"
            "Microsoft reports that an administrator of your organization has approved that %(organization)s may be "
            "given access to mailboxes, for %(tenant)s.\n\n"
            "Please open the link that you were sent again, and press “Continue with Microsoft”.\n"
        )
        Mail.objects.create(
            link=link,
            kind=Mail.Kind.APPROVED,
            address=person,
            subject=_("%(organization)s: your organization’s approval is reported") % facts,
            text=for_person % facts,
        )


def tell_of_secret(link: Link, registration: AppRegistration, ends_at: datetime | None) -> None:
    """Tell who made the link that a secret was entered by it and is in use from now on, and of what."""
    tenant, name = link.tenant.name, registration.name
    ends = f"It ends on {ladder.day_of(ends_at)}." if ends_at else "When it ends is not known."
    tried, is_new = "Microsoft takes it", "a new client secret works"
    if not registration.signs_in_itself:  # then nobody could try it
        tried, is_new = "The first consent will show whether Microsoft takes it", "a client secret was entered"
    where = f" in the directory {registration.directory}" if registration.directory else ""
    text = (
        f"{tenant}: a client secret for “{name}” was entered by link {link.pk}. {tried}, and it is the "
        f"current one from now on. {ends} It belongs to the application {registration.client_id}{where}.\n\n"
        "Products that sign in with this registration need it too: export it for them.\n\n"
        f"{_page_of(link)}\n"
    )
    _tell_operators(link, Mail.Kind.SECRET, f"{tenant}: {is_new}", text)


def tell_of_mismatch(attempt: ConsentAttempt) -> None:
    """Tell who sent the link that somebody else came back than it is for. Once for each link."""
    link = Link.objects.select_for_update().get(pk=attempt.link_id)
    if link.mails.filter(kind=Mail.Kind.MISMATCH).exists():
        return
    meant = link.account or link.expected_directory or link.registration.directory
    text = (
        f"Somebody followed link {link.pk} for {link.tenant.name} and came back from Microsoft with another account "
        f"than it is for ({meant}). Nothing was stored.\n\n"
        "Often people have two accounts and choose the wrong one. If the link may have come into other hands, revoke "
        "it and make a new one.\n\n"
        f"{_page_of(link)}\n"
    )
    _tell_operators(link, Mail.Kind.MISMATCH, f"{link.tenant.name}: another account came back", text)


def _tell_operators(link: Link, kind: str, subject: str, text: str) -> None:
    maker = link.created_by
    if maker and maker.email and Tenant.objects.visible_to(maker).filter(pk=link.tenant_id).exists():
        addresses = [maker.email]
    else:
        addresses = link.registration.alert_emails or settings.ALERT_EMAILS
    Mail.objects.bulk_create(
        Mail(link=link, kind=kind, address=address, subject=subject[:200], text=text) for address in addresses
    )


def _page_of(link: Link) -> str:
    return f"{settings.SITE_URL}{reverse('admin:oauth_link_change', args=[link.pk])}"


def _moment(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "j F Y, H:i T")


# How it is sent


def send_due() -> None:
    """Send what is due. Call it outside any transaction; safe to run twice at once, or to kill."""
    outbox.deliver_due(Mail.objects.select_related("link"), outbox.by_mail(message_of))


def message_of(mail: Mail) -> EmailMultiAlternatives:
    """The mail as it goes out. Raises NotWanted where it was withdrawn, or its link has ended, meanwhile."""
    host = urlsplit(settings.SITE_URL).hostname
    address = ADDRESS
    if mail.kind in WITH_ADDRESS and ADDRESS in mail.text:
        address = address_of(_token_for(mail))
    subject, text = " ".join(mail.subject.split()), mail.text
    if mail.kind == Mail.Kind.INVITATION:
        ends = _moment(mail.link.expires_at)
        subject, text = subject.replace(ENDS, ends), text.replace(ENDS, ends)
    paragraphs = [part for part in text.split("\n\n") if part.strip()]
    context = {
        "organization": settings.ORGANIZATION_NAME,
        "support_email": settings.SUPPORT_EMAIL,
        "subject": subject,
        "paragraphs": [(part.strip() == ADDRESS, part.replace(ADDRESS, address).strip()) for part in paragraphs],
        "address": address,
    }
    body = text.replace(ADDRESS, address)
    if settings.SUPPORT_EMAIL:
        body = f"{body.rstrip()}\n\n{_('Questions? Write to %s.') % settings.SUPPORT_EMAIL}\n"
    message = EmailMultiAlternatives(
        subject=subject,
        body=body,
        to=[mail.address],
        headers={"Message-ID": f"<{mail.pk}@{host}>", "Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(render_to_string("emails/outside.html", context), "text/html")
    return message


@sensitive_variables()
def _token_for(mail: Mail) -> str:
    """The token that opens the mail's link: that of the try before where it still does, else a new one."""
    with transaction.atomic():
        # Whoever renews a link holds its row and withdraws its mails: after that this one is not ours any more.
        link = Link.objects.select_for_update().get(pk=mail.link_id)
        mine = Mail.objects.filter(pk=mail.pk, state=Mail.State.WAITING, lease_by=mail.lease_by).first()
        if mine is None:
            raise outbox.NotWanted("It was withdrawn, or taken over by another worker.")
        if not Link.objects.usable().filter(pk=link.pk).exists():
            raise outbox.NotWanted("The link has ended.")
        token = mine.token.reveal("to send the same address once more") if mine.token else ""
        if digest(token) != link.token_digest:
            mine.token = token = link.give_token()
            mine.save(update_fields=["token"])
    return token
