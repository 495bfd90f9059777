"""The box for what Microsoft's own page said: explained from the table, kept as a number beside an attempt."""

import secrets

import pytest
from django.test import Client
from django.utils import timezone

from oauth.explanations import explanation_of
from oauth.models import ConsentAttempt, Link
from tests.factories import make_link
from tests.oauth.consenting import World, come_back, go, press, text_of
from tests.world import make_attempt

BLOCKED = "Sorry, but we’re having trouble signing you in. AADSTS50105: Your administrator has configured the app."


@pytest.fixture
def opened(client, world) -> World:
    client.get(f"/c/{world.token}/")
    return world


def tell(client: Client, world: World, text: str):
    return client.post(f"/connect/{world.link.public_id}/told/", {"text": text})


def told_codes() -> list[int | None]:
    return list(ConsentAttempt.objects.order_by("created_at").values_list("told_code", flat=True))


# What it says


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BLOCKED, explanation_of("user_not_assigned").title),
        ("50105", explanation_of("user_not_assigned").title),
        ("Need admin approval", explanation_of("admin_consent_required").title),
        ("AADSTS999999999", "We do not know this number"),
        ("it does not work", "no number"),
        ("", "no number"),
        ("\x00\u202e", "no number"),
    ],
)
def test_it_explains(client, opened, text, words):
    response = tell(client, opened, text)

    assert response.status_code == 200
    assert words in text_of(response)


def test_it_repeats_nothing_of_the_text(client, opened):
    canary = secrets.token_hex(12)

    page = text_of(tell(client, opened, f"{canary} <b>{canary}</b> AADSTS50105"))

    assert canary not in page


def test_a_very_long_text_is_read_as_far_as_it_can_be_real(client, opened):
    assert tell(client, opened, "x" * 200_000 + " AADSTS50105").status_code == 200


def test_whoever_helps_finds_the_app_the_number_and_the_ids(client, opened):
    ids = ["0f1a2b3c-4d5e-4f70-8a9b-c0d1e2f3a4b5", "1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9"]

    page = text_of(tell(client, opened, f"{BLOCKED} Trace ID: {ids[0]} Correlation ID: {ids[1]}"))

    help_with = page.partition("For whoever helps you")[2].partition("</section>")[0]
    for words in (opened.registration.name, opened.registration.client_id, "AADSTS50105", *ids, f"{timezone.now():%Y}"):
        assert words in help_with


def test_an_id_that_is_none_is_not_repeated(client, opened):
    canary = secrets.token_hex(12)

    page = text_of(tell(client, opened, f"Correlation ID: {canary} Request Id: <i>{canary}</i>"))

    assert canary not in page
    assert "Correlation ID" not in page


# What it keeps


def test_the_person_is_told_that_the_number_was_kept_where_it_was(client, opened):
    told_before = text_of(tell(client, opened, BLOCKED))
    go(client, opened)

    assert "The number was noted" not in told_before
    assert "The number was noted" in text_of(tell(client, opened, BLOCKED))
    assert "The number was noted" not in text_of(tell(client, opened, "Need admin approval"))


def test_the_number_is_kept_with_the_attempt_that_had_no_answer(client, world):
    go(client, world)

    tell(client, world, BLOCKED)

    attempt = ConsentAttempt.objects.get()
    assert attempt.told_code == 50105
    assert (attempt.outcome, attempt.claimed_at, attempt.fault_kind, attempt.codes) == ("", None, "", [])


def test_of_several_attempts_it_is_the_newest(client, world):
    Link.objects.update(max_uses=5)
    go(client, world)
    go(client, world)

    tell(client, world, BLOCKED)

    assert told_codes() == [None, 50105]


def test_an_attempt_that_was_answered_is_left_alone(client, world):
    come_back(client, world.sign_in(go(client, world), "decline"))

    tell(client, world, BLOCKED)

    assert told_codes() == [None]


def test_another_browsers_attempt_is_left_alone(client, world):
    go(Client(), world)
    client.get(f"/c/{world.token}/")

    tell(client, world, BLOCKED)

    assert told_codes() == [None]


def test_the_name_of_an_attempt_is_not_enough(client, opened):
    theirs = make_attempt(opened.link)
    client.cookies[f"attempt-{theirs.pk.hex}"] = "000000000001.guessed"

    tell(client, opened, BLOCKED)

    assert told_codes() == [None]


def test_an_attempt_of_another_link_is_left_alone(client, world):
    go(client, world)
    link, token = make_link(world.registration)
    client.get(f"/c/{token}/")
    world.link = link

    tell(client, world, BLOCKED)

    assert told_codes() == [None]


def test_a_text_without_a_number_changes_nothing(client, world):
    go(client, world)
    tell(client, world, BLOCKED)

    tell(client, world, "Need admin approval")

    assert told_codes() == [50105]


def test_it_decides_nothing_the_answer_still_may_come(client, world):
    fields = world.sign_in(go(client, world))
    tell(client, world, BLOCKED)

    come_back(client, fields)

    assert ConsentAttempt.objects.get().outcome == "connected"
    assert told_codes() == [50105]


def test_without_an_attempt_it_explains_all_the_same(client, opened):
    assert explanation_of("user_not_assigned").title in text_of(tell(client, opened, BLOCKED))
    assert not ConsentAttempt.objects.exists()


# Who may ask


def test_looking_at_the_address_leads_back_to_the_page(client, opened):
    response = client.get(f"/connect/{opened.link.public_id}/told/")

    assert (response.status_code, response.headers["Location"]) == (303, f"/connect/{opened.link.public_id}/")


def test_only_for_whoever_opened_the_link(opened):
    assert tell(Client(), opened, BLOCKED).status_code == 404


def test_not_for_a_link_that_ended(client, opened):
    Link.objects.update(revoked_at=timezone.now())

    assert tell(client, opened, BLOCKED).status_code == 404


def test_ways_on_are_offered_beside_the_answer(client, opened):
    page = text_of(tell(client, opened, "Need admin approval"))

    assert f"/connect/{opened.link.public_id}/hand-on/" in page
    assert press(client, opened.link).status_code == 303
