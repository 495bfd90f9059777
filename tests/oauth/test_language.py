"""Whatever people outside read can be translated: each word of it goes through gettext, or is a fact."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.conf import settings as site
from django.utils import translation
from django.utils.translation import trans_real

from oauth import mails
from oauth.models import Link, Mail
from tests.factories import make_link
from tests.oauth.consenting import consent
from tests.oauth.gallery import gallery, grant_of

LANGUAGE = "en-gb"  # one that Django knows, and that nothing of ours is translated to
READ_ALOUD = ("alt", "aria-label", "placeholder", "title")

# What no translator touches: Microsoft's names, numbers and addresses, and what this world is made of.
FACTS = [
    *("Mail.Read", "Mail.Send", "MailboxSettings.Read", "User.Read", "openid", "profile", "email", "offline_access"),
    *("Example Mail", "Example Sync", "Ada Lovelace", "ada@contoso.example", "help@example.com"),
    *(r"AADSTS\d+", "access_denied", "UTC"),
    r"Tenant \d+",
    r"App \d+",
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    r"http://localhost:8000/c/[\w-]+/",
]


class Marked(trans_real.DjangoTranslation):
    """A language in which every message is itself, in marks."""

    def gettext(self, message: str) -> str:
        return f"«{message}»"


class Words(HTMLParser):
    """What of a page is read, by eye or aloud, and is not marked as what no translator touches."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.heard: list[str] = []
        self.untouched = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if ("translate", "no") in attrs:
            self.untouched = tag
        self.heard += [f" {value} " for name, value in attrs if name in READ_ALOUD and value]
        if tag in ("p", "li", "dd", "dt", "td", "th", "div", "span", "br", "option"):
            self.heard.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == self.untouched:
            self.untouched = ""

    def handle_data(self, data: str) -> None:
        if not self.untouched:
            self.heard.append(data)


def bare_words(text: str) -> str:
    """What stands outside any mark and is no fact."""
    while (less := re.sub("«[^«»]*»", " ", text)) != text:
        text = less
    return " ".join(re.findall(r"[^\W\d_].*?\b", re.sub("|".join(FACTS), " ", text)))


@pytest.fixture
def marked(settings, monkeypatch) -> None:
    settings.LANGUAGES = [*site.LANGUAGES, (LANGUAGE, "Marked")]
    monkeypatch.setitem(trans_real._translations, LANGUAGE, Marked(LANGUAGE))


def test_every_word_of_every_page_can_be_translated(client, world, marked):
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = LANGUAGE
    seen = {}
    for name, response in gallery(client, world).items():
        page = response.content.decode()
        if response.status_code != 303:
            assert f'<html lang="{LANGUAGE}">' in page, name
            assert "«" in page, name
            seen[name] = bare_words("".join(Words(page).heard))

    assert {name: words for name, words in seen.items() if words} == {}


def test_a_day_is_told_in_the_language_of_the_page(client, world, marked):
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = LANGUAGE

    page = client.get(f"/c/{world.token}/", follow=True).content.decode()

    assert f"{world.link.expires_at.day} «{world.link.expires_at:%B}» {world.link.expires_at.year}" in page


@pytest.mark.parametrize("purpose", [Link.Purpose.CONSENT, Link.Purpose.RECONNECT])
def test_every_word_of_an_invitation_can_be_translated(db, marked, purpose):
    with translation.override(LANGUAGE):
        written = mails.invitation(purpose)

    for text in written:
        assert bare_words(text) == ""


def test_every_word_of_a_mail_to_somebody_outside_can_be_translated(client, world, marked):
    attempt = consent(client, world)
    Mail.objects.all().delete()
    asked, _ = make_link(world.registration, sent_to="ada@contoso.example")
    approval, _ = make_link(world.registration, purpose=Link.Purpose.APPROVAL, parent=asked)

    with translation.override(LANGUAGE):
        mails.tell_mailbox(attempt.connection, attempt)
        mails.tell_of_approval(approval, grant_of(world, "reported"))
        outgoing: list[Any] = [mails.message_of(mail) for mail in Mail.objects.filter(address="ada@contoso.example")]

    assert len(outgoing) == 2
    for message in outgoing:
        html = message.alternatives[0].content
        assert f'<html lang="{LANGUAGE}">' in html
        for text in (message.subject, message.body, "".join(Words(html).heard)):
            assert bare_words(text) == ""


def test_a_word_that_cannot_be_translated_is_found():
    assert bare_words("«Connect» now «with <b>«May»</b>» ada@contoso.example") == "now"
