"""Mails to people outside: the address of a link is made when the mail goes out, and kept no longer than it waits."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.core.mail import EmailMultiAlternatives
from django.db import models
from django.utils import timezone

from oauth import mails
from oauth.models import Link, Mail
from oauth.models.link import digest
from tenants.outbox import Mailer, NotWanted, Try, by_mail
from tests.canary import find
from tests.factories import make_link, make_operator, make_registration, make_tenant
from tests.leases import lapse
from tests.tenants.smtp_server import SmtpServer
from tests.world import make_mail, models_of_ours

from .consenting import World, consent, text_of

pytestmark = pytest.mark.django_db

TOKEN = re.compile(r"/c/([A-Za-z0-9_-]{43})/")


def send(*, subject: str = "Please connect", text: str = "Hello\n\n{link}", **fields) -> Mail:
    """An invitation that was sent, or tried."""
    registration = make_registration(make_tenant("Contoso"))
    link, _ = make_link(registration, sent_to="ana@contoso.example", **fields)
    mail = mails.invite(link, subject=subject, text=text)
    mails.send_due()
    mail.refresh_from_db()
    return mail


def token_in(message: EmailMultiAlternatives) -> str:
    (token,) = TOKEN.findall(str(message.body))
    return str(token)


def html_of(message: EmailMultiAlternatives) -> str:
    ((content, _kind),) = message.alternatives
    return str(content)


def database() -> list[tuple[str, bytes]]:
    """Every row of ours, as text."""
    return [
        (f"{model._meta.label} {row}", str(row).encode())
        for model in models_of_ours()
        for row in models.QuerySet(model).values_list(*[column.attname for column in model._meta.concrete_fields])
    ]


# The address


def test_the_mail_holds_an_address_that_opens_the_link(client, mailoutbox) -> None:
    mail = send()
    token = token_in(mailoutbox[0])
    assert Link.objects.get().token_digest == digest(token)
    response = client.get(f"/c/{token}/")
    assert response.headers["Location"] == f"/connect/{mail.link.public_id}/"
    assert client.get(response.headers["Location"]).status_code in (200, 503)
    assert mail.state == "sent"


def test_a_token_stands_nowhere_in_the_database(mailoutbox) -> None:
    send()
    rows = database()
    assert len(rows) > 3
    assert find({"token": token_in(mailoutbox[0])}, rows) == []


def test_both_parts_of_the_mail_lead_there(mailoutbox) -> None:
    send(text="Hello & welcome\n\n{link}\n\nBye <b>")
    (message,) = mailoutbox
    address = f"http://testserver/c/{token_in(message)}/"
    assert message.body == f"Hello & welcome\n\n{address}\n\nBye <b>\n\nQuestions? Write to help@example.com.\n"
    assert f'<a href="{address}">' in html_of(message)
    assert ">Hello &amp; welcome</p>" in html_of(message)
    assert "Bye &lt;b&gt;" in html_of(message)
    assert (message.to, message.subject) == (["ana@contoso.example"], "Please connect")


@pytest.fixture
def mail_server(settings):
    with SmtpServer() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 5
        yield server


def test_a_second_try_brings_the_same_address_which_is_kept_sealed_until_then(mail_server) -> None:
    with time_machine.travel(timezone.now(), tick=True) as clock:
        mail_server.drops = 1  # it took the mail, and nobody heard it say so
        mail = send()
        assert mail.state == "waiting"
        first = Link.objects.get().token_digest
        assert digest(mail.token.reveal("test")) == first
        clock.shift(timedelta(minutes=2))
        mails.send_due()
    mail.refresh_from_db()
    assert (mail.state, len(mail.tries)) == ("sent", 2)
    (token,) = TOKEN.findall(mail_server.mails[-1].get_body(("plain",)).get_content())
    assert Link.objects.get().token_digest == digest(token) == first
    assert mail.token is None
    assert find({"token": token}, database()) == []


def test_a_second_try_brings_a_new_address_where_the_first_has_stopped(mail_server) -> None:
    with time_machine.travel(timezone.now(), tick=True) as clock:
        mail_server.drops = 1
        mail = send()
        shown = mail.link.give_token()
        clock.shift(timedelta(minutes=2))
        mails.send_due()
    (token,) = TOKEN.findall(mail_server.mails[-1].get_body(("plain",)).get_content())
    assert Link.objects.get().token_digest == digest(token) != digest(shown)


@pytest.mark.parametrize(
    "ends",
    [
        lambda: Link.objects.update(revoked_at=timezone.now()),
        lambda: Mail.objects.all().withdraw("The link was renewed."),
        lambda: Mail.objects.update(tries=[{"at": (timezone.now() - timedelta(days=4)).isoformat()}]),
    ],
    ids=["link ended", "withdrawn", "given up"],
)
def test_of_a_mail_that_is_set_aside_no_token_is_kept(mail_server, ends) -> None:
    mail_server.drops = 2
    with time_machine.travel(timezone.now(), tick=True) as clock:
        mail = send()
        assert mail.token is not None
        ends()
        clock.shift(timedelta(minutes=2))
        mails.send_due()
    mail.refresh_from_db()
    assert (mail.state, mail.token) == ("set_aside", None)


def test_a_mail_that_is_withdrawn_while_it_is_being_sent_makes_no_other_address(mailoutbox) -> None:
    link, _ = make_link()
    claimed = Mail.objects.claim(make_mail(link).pk)
    shown = link.renew(timezone.now() + timedelta(days=1))
    Mail.objects.filter(link=link).withdraw("The link was renewed.")

    with Mailer() as mailer:
        attempt = Try(claimed)
        attempt.prepare(by_mail(mails.message_of), mailer)
        attempt.send()
        attempt.save()

    assert mailoutbox == []
    assert Link.objects.get().token_digest == digest(shown)
    mail = Mail.objects.get()
    assert (mail.state, mail.tries[-1]["problem"]) == ("set_aside", "The link was renewed.")


def test_a_mail_that_another_worker_has_taken_over_makes_no_other_address() -> None:
    link, token = make_link()
    claimed = Mail.objects.claim(make_mail(link).pk)
    lapse(Mail)
    Mail.objects.claim(claimed.pk)

    with pytest.raises(NotWanted):
        mails.message_of(claimed)
    assert Link.objects.get().token_digest == digest(token)


@pytest.mark.parametrize(
    "ended",
    [{"revoked_at": timezone.now()}, {"expires_at": timezone.now()}, {"uses": 1}],
    ids=lambda each: next(iter(each)),
)
def test_where_the_link_has_ended_meanwhile_nothing_is_sent(mailoutbox, ended) -> None:
    mail = send(**ended)
    assert mailoutbox == []
    assert (mail.state, mail.tries[-1]["problem"]) == ("set_aside", "The link has ended.")


def test_a_mail_sent_again_after_its_link_ended_says_so_again(mailoutbox) -> None:
    mail = send(revoked_at=timezone.now())
    Mail.objects.filter(pk=mail.pk).send_again()
    mails.send_due()
    mail.refresh_from_db()
    assert [entry["problem"] for entry in mail.tries] == ["The link has ended."] * 2
    assert mailoutbox == []


def test_a_withdrawn_mail_is_not_sent(mailoutbox) -> None:
    link, _ = make_link()
    mail, without = make_mail(link), make_mail(link, text="No address")
    Mail.objects.filter(link=link).withdraw("The link was renewed.")
    mails.send_due()
    mail.refresh_from_db()
    without.refresh_from_db()
    assert (mail.state, without.state) == ("set_aside", "sent")


# The words


@pytest.mark.parametrize("purpose", ["consent", "reconnect"])
def test_the_words_we_propose_can_be_sent_as_they_are(mailoutbox, purpose) -> None:
    subject, text = mails.invitation(purpose)
    assert mails.has_one_link(text)
    assert mails.unknown_placeholders(subject + text) == []
    mail = send(subject=subject, text=text)
    message = mailoutbox[0]
    assert "Example Mail" in message.subject
    assert "Contoso" in message.body
    assert f"{mail.link.expires_at:%H:%M} UTC" in message.body
    assert "{" not in message.body + message.subject


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("Open\n{link}\nnow", "Open\n\n{link}\n\nnow"),
        ("Open\r\n\r\n  {link}  \r\n\r\nnow", "Open\n\n{link}\n\nnow"),
        ("{link}", "{link}"),
        ("For {tenant}:\n{link}", "For Contoso:\n\n{link}"),
    ],
)
def test_the_address_gets_a_paragraph_of_its_own(mailoutbox, text, stored) -> None:
    assert send(text=text).text == stored
    assert f'<a href="http://testserver/c/{token_in(mailoutbox[0])}/">' in html_of(mailoutbox[0])


def test_a_subject_is_one_line_that_fits(mailoutbox) -> None:
    Link.objects.all().delete()
    mail = send(subject="A\r\nBcc: eve@evil.example {tenant} " + "x" * 300)
    assert mail.subject.startswith("A Bcc: eve@evil.example Contoso xxx")
    assert len(mail.subject) == 200
    assert mailoutbox[0].recipients() == ["ana@contoso.example"]


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("{tenant} {ends} {link}", []),
        ("{name}", ["{name}"]),
        ("{ link }", ["{ link }"]),
        ("{}", ["{}"]),
        ("{a\nb}", []),
    ],
)
def test_unknown_placeholders_are_found(text, unknown) -> None:
    assert mails.unknown_placeholders(text) == unknown


# Notices


def test_the_mailbox_is_told_of_each_consent_once(client, world: World, mailoutbox) -> None:
    consent(client, world)
    mails.send_due()
    mails.send_due()
    notices = [message for message in mailoutbox if message.to == ["ada@contoso.example"]]
    assert len(notices) == 1
    assert "was connected to Example Mail" in notices[0].body
    assert find({"token": token_in(notices[0])}, database()) == []


def test_the_notice_leads_to_the_page_to_disconnect(client, world: World, mailoutbox) -> None:
    consent(client, world)
    mails.send_due()
    page = client.get(f"/c/{token_in(mailoutbox[0])}/", follow=True)
    assert page.status_code == 200
    assert "isconnect" in text_of(page)


def test_a_second_consent_brings_a_second_notice(client, world: World, mailoutbox) -> None:
    Link.objects.update(max_uses=2)
    consent(client, world)
    mails.send_due()
    consent(client, world)
    mails.send_due()
    assert len(mailoutbox) == 2


def test_a_declined_consent_brings_none(client, world: World, mailoutbox) -> None:
    consent(client, world, "decline")
    mails.send_due()
    assert mailoutbox == []


def test_who_made_a_link_is_told_of_another_account_once(client, world: World, mailoutbox) -> None:
    maker = make_operator(tenants=(world.link.tenant,))
    Link.objects.update(expected_address="someone.else@contoso.example", created_by=maker)
    consent(client, world)
    consent(client, world)
    mails.send_due()
    (message,) = mailoutbox
    assert message.to == [maker.email]
    assert "another account" in message.subject
