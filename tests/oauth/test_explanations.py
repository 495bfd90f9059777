"""What people are told: every kind has words that are true for it, plain, whole sentences, in the reader's language."""

import re
import struct
from pathlib import Path

import pytest
from django.utils import translation

from oauth import kinds
from oauth.errors import ACTORS, CODES, ERRORS, SUBERRORS
from oauth.explanations import KINDS, Explanation, explanation_of
from oauth.id_token import WRONG

TABLE = {row.kind: row.actor for rows in (CODES, SUBERRORS, ERRORS) for row in rows.values()}
# Kinds that are not of the table and end a consent.
OWN = {
    *WRONG,
    kinds.NO_SECRET,
    kinds.UNREADABLE,
    kinds.UNVERIFIED,
    kinds.SECRET_ENDING,
    "state",
    "code",
    "malformed",
    "endpoint",
    "wrong_account",
    "wrong_directory",
    "guest",
    "personal_account",
    "work_account",
    "no_mailbox",
    "other_tenant",
    "link_unusable",
    "refresh_token",
    "registration_changed",
    "unreadable_flow",
    "no_flow",
    "no_scopes",
    "unreachable",
    "not_spread",
}
GENERAL = explanation_of("never_heard_of")
JARGON = re.compile(
    r"\b(oauth|openid|tokens?|tenants?|aadsts|redirect|uri|url|client|secrets?|credentials?|scopes?|consent|grants?"
    r"|authority|audience|pkce|mfa|multi-factor|endpoint|registration|callback|parameter)\b",
    re.IGNORECASE,
)


def sentences(said: Explanation) -> list[str]:
    return [said.what, *said.todo]


@pytest.mark.parametrize("kind", sorted({*TABLE, *OWN}))
def test_every_kind_has_words_of_its_own(kind):
    assert kind in KINDS


def test_no_words_are_kept_for_kinds_that_do_not_exist():
    assert set(KINDS) == {*TABLE, *OWN}


@pytest.mark.parametrize("kind", sorted(TABLE))
def test_the_person_and_the_operator_are_told_the_same_actor(kind):
    assert explanation_of(kind).actor == TABLE[kind]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_words_are_whole_sentences_under_a_heading(kind):
    said = explanation_of(kind)
    assert said.actor in ACTORS
    assert said.title[0].isupper()
    assert not said.title.endswith(".")
    for sentence in sentences(said):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert not set("{}<>%\n!'\"") & set(sentence)
    assert said.what.count(". ") <= 1, "one or two sentences"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_words_are_for_people_who_know_nothing_of_how_it_works(kind):
    said = explanation_of(kind)
    for sentence in (said.title, *sentences(said)):
        assert JARGON.search(sentence) is None
        assert not re.search(r"[0-9]", sentence)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_everybody_is_told_what_became_of_their_mailbox_and_what_to_do(kind):
    said = explanation_of(kind)
    assert re.search(r"\bnot (used|connected)\b|Nothing (was|of)|nothing of it", said.what)
    assert said.todo


@pytest.mark.parametrize("kind", sorted(kind for kind in KINDS if explanation_of(kind).actor == "tenant_admin"))
def test_whoever_cannot_act_learns_who_can(kind):
    assert "administrator" in " ".join(explanation_of(kind).todo)


@pytest.mark.parametrize("kind", ["secret_expired", "secret_invalid", "no_secret", "redirect_uri_mismatch"])
def test_nobody_is_blamed_for_our_faults(kind):
    assert explanation_of(kind).what.startswith("It is not your fault:")


@pytest.mark.parametrize("kind", ["", "never_heard_of", "__class__", "0"])
def test_an_unknown_kind_gets_general_words(kind):
    assert explanation_of(kind) == GENERAL
    assert GENERAL.title == "Microsoft did not let this through"


def test_answers_that_cannot_be_trusted_are_told_alike():
    kinds = {*WRONG, "state", "code", "malformed", "endpoint"}
    assert {explanation_of(kind).title for kind in kinds} == {"The answer could not be trusted"}


def write_catalogue(folder: Path, language: str, words: dict[str, str]) -> None:
    """A compiled message catalogue, as gettext reads it."""
    entries = sorted({"": "Content-Type: text/plain; charset=UTF-8\n", **words}.items())
    texts = [text.encode() for text in (*(source for source, _ in entries), *(target for _, target in entries))]
    table, at = b"", 28 + 8 * len(texts)
    for text in texts:
        table += struct.pack("<II", len(text), at)
        at += len(text) + 1
    head = struct.pack("<7I", 0x950412DE, 0, len(entries), 28, 28 + 8 * len(entries), 0, 0)
    path = folder / language / "LC_MESSAGES" / "django.mo"
    path.parent.mkdir(parents=True)
    path.write_bytes(head + table + b"\0".join(texts) + b"\0")


def test_words_are_in_the_language_of_the_moment(settings, tmp_path):
    title = "Your password has expired"
    todo = "Change your password as you usually do, then open the link you were sent again."
    write_catalogue(tmp_path, "de", {title: "Ihr Kennwort ist abgelaufen", todo: "Ändern Sie Ihr Kennwort."})
    settings.LANGUAGES = [("en", "English"), ("de", "German")]
    settings.LOCALE_PATHS = [tmp_path]
    before = explanation_of("password_expired")
    with translation.override("de"):
        said = explanation_of("password_expired")
    assert before.title == title
    assert (said.title, said.todo) == ("Ihr Kennwort ist abgelaufen", ("Ändern Sie Ihr Kennwort.",))
    assert explanation_of("password_expired") == before
