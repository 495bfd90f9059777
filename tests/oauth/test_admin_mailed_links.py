"""Links as their mails make them: renewed and mailed again, made by whom, and what came of a notice's."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as outside
from django.urls import reverse
from django.utils import timezone

from oauth import mails
from oauth.further_links import approval_link
from oauth.models import Link, Mail
from oauth.models.link import digest
from tenants.models import AppRegistration
from tests.factories import make_connection, make_link, make_operator, make_registration, make_tenant
from tests.world import make_attempt, make_mail

pytestmark = pytest.mark.django_db


@pytest.fixture
def registration(client) -> AppRegistration:
    tenant = make_tenant("Contoso")
    client.force_login(make_operator(tenants=(tenant,)))
    return make_registration(tenant)


@pytest.fixture
def mailed(registration) -> Link:
    """A link that was mailed and has expired since."""
    link, _ = make_link(registration, sent_to="ana@contoso.example", expires_at=timezone.now() + timedelta(days=1))
    mails.invite(link, subject="Until {ends}", text="For {tenant}, until {ends}:\n\n{link}")
    mails.send_due()
    outside.outbox.clear()
    return link


def page_of(row: Link | Mail) -> str:
    return reverse(f"admin:oauth_{row._meta.model_name}_change", args=[row.pk])


def shown(client: Any, row: Link | Mail) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", client.get(page_of(row)).content.decode()).split())


def renew(client: Any, link: Link, **fields: Any) -> Any:
    return client.post(reverse("admin:oauth_link_renew", args=[link.pk]), {"days": 30, **fields})


# Mailed again


def test_a_link_whose_mail_got_lost_is_renewed_and_mailed_again(
    client, mailed, rung, django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = renew(client, mailed, mail="yes")
    mails.send_due()

    assert response.status_code == 302
    assert ("oauth.tasks.send_mails", ()) in rung
    (message,) = outside.outbox
    assert message.to == ["ana@contoso.example"]
    (token,) = re.findall(r"/c/([\w-]{43})/", str(message.body))
    mailed.refresh_from_db()
    assert mailed.token_digest == digest(token)


def test_the_second_mail_tells_the_new_end(client, mailed) -> None:
    renew(client, mailed, mail="yes")
    mails.send_due()

    mailed.refresh_from_db()
    (message,) = outside.outbox
    ends = f"{mailed.expires_at.day} {mailed.expires_at:%B %Y, %H:%M} UTC"
    assert message.subject == f"Until {ends}"
    assert f"For Contoso, until {ends}:" in message.body


def test_it_is_offered_for_links_that_were_mailed_only(client, mailed, registration) -> None:
    button = 'value="Renew and mail it to ana@contoso.example again"'
    assert button in client.get(reverse("admin:oauth_link_renew", args=[mailed.pk])).content.decode()
    copied, _ = make_link(registration)
    assert 'name="mail"' not in client.get(reverse("admin:oauth_link_renew", args=[copied.pk])).content.decode()

    renew(client, copied, mail="yes")

    assert not copied.mails.exists()


def test_without_that_button_it_is_shown_and_not_mailed(client, mailed) -> None:
    assert "/c/" in renew(client, mailed).content.decode()
    mails.send_due()
    assert outside.outbox == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"state": "sent"}, "It was sent. The address in it is kept nowhere: renew its link, and have that mailed."),
        ({"state": "sent", "kind": "notice"}, "It was sent. Such a mail is sent once only."),
        ({"state": "waiting"}, "It is tried by itself"),
        ({"state": "set_aside"}, "“Send again” has it tried once more."),
    ],
)
def test_a_mail_s_page_says_whether_it_can_be_sent_again(client, registration, fields, words) -> None:
    link, _ = make_link(registration)

    assert words in shown(client, make_mail(link, **fields))


def test_a_mail_that_is_not_sent_because_its_link_ended_says_so(client, registration) -> None:
    link, _ = make_link(registration, revoked_at=timezone.now())

    assert "Its link has ended. The address" in shown(client, make_mail(link, state="set_aside"))


# Whose it is, and what came of it


def test_a_link_that_a_visitor_made_is_not_called_an_operator_s(client, registration) -> None:
    link, _ = make_link(registration)
    Link.objects.update(created_by=make_operator())
    grown, _ = approval_link(Link.objects.get())

    listed = client.get(reverse("admin:oauth_link_changelist")).content.decode()

    assert f"by whoever had link {link.pk}" in listed
    assert f"whoever had link {link.pk}" in shown(client, grown)
    assert f"by {grown.created_by}" in listed


@pytest.mark.parametrize(
    ("uses", "is_ended", "words"),
    [
        (0, False, "Not used: the account is connected."),
        (1, True, "Disconnected by it ("),
        (0, True, "Disconnected in another way ("),
        (1, False, "Used, and the account was connected again."),
    ],
)
def test_the_outcome_of_a_link_to_disconnect_is_its_connection_s(client, registration, uses, is_ended, words) -> None:
    connection = make_connection(registration, disconnected_at=timezone.now() if is_ended else None)
    link, _ = make_link(registration, purpose="disconnect", connection=connection, uses=uses)

    assert words in shown(client, link)


def test_a_link_s_page_shows_the_notices_of_what_was_connected_by_it(client, registration) -> None:
    link, _ = make_link(registration)
    connection = make_connection(registration, address="ada@contoso.example")
    mails.tell_mailbox(connection, make_attempt(link, connection))

    assert "ada@contoso.example notice of a connection" in shown(client, link)
    assert "Tenantry sent no mail about it." in shown(client, make_link(registration)[0])
