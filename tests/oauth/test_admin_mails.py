"""Mails are looked at, with every try, and those that were set aside are sent again."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from oauth import mails
from oauth.models import Link, Mail
from tenants.models import Event
from tests.factories import make_link, make_operator, make_registration
from tests.world import make_mail

pytestmark = pytest.mark.django_db

LIST = reverse("admin:oauth_mail_changelist")
TRIES = [{"at": "2026-01-02T03:04:05+00:00", "problem": "SMTPServerDisconnected"}]


@pytest.fixture
def link(client) -> Link:
    registration = make_registration()
    assert registration.tenant
    client.force_login(make_operator(tenants=(registration.tenant,)))
    return make_link(registration)[0]


def page_of(mail: Mail) -> str:
    return reverse("admin:oauth_mail_change", args=[mail.pk])


def again(client, mail: Mail):
    return client.post(f"{page_of(mail).removesuffix('change/')}do/send_again/", {"confirmed": "yes"}, follow=True)


def test_a_mail_server_that_fails_is_seen(client, link) -> None:
    mail = make_mail(link, tries=TRIES, state="set_aside")
    page = client.get(LIST).content.decode()
    for words in ("ana@example.com", "Please connect", "the link", "set aside"):
        assert words in page
    assert "2026-01-02 03:04: SMTPServerDisconnected" in client.get(page_of(mail)).content.decode()


def test_the_text_keeps_the_place_of_its_link(client, link) -> None:
    mail = make_mail(link, text="Hello <b>Ana</b>\n\n{link}")
    page = client.get(page_of(mail)).content.decode()
    assert "<p>Hello &lt;b&gt;Ana&lt;/b&gt;</p>" in page
    assert "{link}" in page


def test_mails_are_filtered(client, link) -> None:
    make_mail(link)
    sent = make_mail(link, state="sent", kind="notice")
    for chosen in ({"state__exact": "sent"}, {"kind__exact": "notice"}):
        assert list(client.get(LIST, chosen).context["cl"].result_list) == [sent]


def test_a_mail_is_not_written_here(client, link) -> None:
    mail = make_mail(link)
    assert client.post(page_of(mail), {"subject": "x"}).status_code == 403
    assert client.get(reverse("admin:oauth_mail_add")).status_code == 403


def test_what_was_set_aside_is_sent_again(client, link, mailoutbox, django_capture_on_commit_callbacks) -> None:
    mail = make_mail(link, state="set_aside", tries=TRIES)
    assert "Send again" in client.get(page_of(mail)).content.decode()
    with django_capture_on_commit_callbacks() as bells:
        again(client, mail)
    assert len(bells) == 1
    mails.send_due()
    mail.refresh_from_db()
    assert (mail.state, [entry["problem"] for entry in mail.tries]) == ("sent", ["SMTPServerDisconnected", ""])
    assert len(mailoutbox) == 1
    event = Event.objects.get(verb="sent again")
    assert (event.subject_id, event.tenant) == (str(mail.pk), link.tenant)


def test_it_is_asked_first(client, link) -> None:
    mail = make_mail(link, state="set_aside")
    page = client.post(f"{page_of(mail).removesuffix('change/')}do/send_again/").content.decode()
    assert "one that went out before, or was shown since, opens nothing" in page
    mail.refresh_from_db()
    assert mail.state == "set_aside"


@pytest.mark.parametrize("state", ["waiting", "sent"])
def test_what_waits_or_was_sent_is_not_sent_again(client, link, state) -> None:
    mail = make_mail(link, state=state)
    assert "Send again" not in client.get(page_of(mail)).content.decode()
    again(client, mail)
    mail.refresh_from_db()
    assert mail.state == state


def test_it_is_not_offered_where_the_link_has_ended(client, link) -> None:
    mail = make_mail(link, state="set_aside")
    Link.objects.update(expires_at=timezone.now() - timedelta(days=1))
    assert "Send again" not in client.get(page_of(mail)).content.decode()
    Mail.objects.update(text="An administrator has approved.")
    assert "Send again" in client.get(page_of(mail)).content.decode()


def test_who_may_only_look_sends_nothing_again(client, link) -> None:
    mail = make_mail(link, state="set_aside")
    operator = make_operator(tenants=(link.tenant,))
    operator.groups.get().permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(operator)
    assert again(client, mail).status_code == 403


def test_another_tenant_s_mails_are_not_there(client, link) -> None:
    foreign = make_mail(make_link()[0], address="foreign@example.com", state="set_aside")
    assert "foreign@example.com" not in client.get(LIST).content.decode()
    assert client.get(page_of(foreign)).status_code == 302
    again(client, foreign)
    foreign.refresh_from_db()
    assert foreign.state == "set_aside"
