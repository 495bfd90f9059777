"""The answering side's own book, by which every round of `make faults` is judged."""

import pytest

from faults.ledger import ON_THE_WAY, Ledger, read_token, token_of

PLACE = "client/directory"


def test_a_token_says_whose_it_is_and_which() -> None:
    assert read_token(token_of("live-1", 7)) == ("live-1", 7)


@pytest.mark.parametrize("token", ["", "other.live-1.7.x", token_of("live-1", 7)[:-1]])
def test_what_is_no_whole_token_is_none(token: str) -> None:
    assert read_token(token) is None


def test_two_requests_of_one_lineage_at_once_are_counted() -> None:
    ledger = Ledger()
    ledger.arrives(PLACE, token_of("live-1", 0), 1.0)
    ledger.arrives(PLACE, token_of("live-1", 0), 2.0)
    assert ledger.lineages["live-1"].overlapping == 1


def test_one_after_the_other_is_not_at_once() -> None:
    ledger = Ledger()
    ledger.leaves(ledger.arrives(PLACE, token_of("live-1", 0), 1.0))
    ledger.arrives(PLACE, token_of("live-1", 1), 2.0)
    assert ledger.lineages["live-1"].overlapping == 0


def test_two_lineages_may_be_asked_for_at_once() -> None:
    ledger = Ledger()
    for number in range(2):
        ledger.arrives(PLACE, token_of(f"live-{number}", 0), 1.0)
    assert [each.overlapping for each in ledger.lineages.values()] == [0, 0]


@pytest.mark.parametrize(("strict", "again"), [(False, token_of("live-1", 2)), (True, None)])
def test_a_used_token_works_again_unless_strict(strict: bool, again: str | None) -> None:
    ledger = Ledger(strict=strict)
    assert ledger.redeem(token_of("live-1", 0)) == token_of("live-1", 1)
    assert ledger.redeem(token_of("live-1", 0)) == again


def test_a_token_that_was_never_given_out_is_refused() -> None:
    assert Ledger().redeem(token_of("live-1", 5)) is None


def test_a_grant_that_is_gone_is_refused() -> None:
    assert Ledger().redeem(token_of("dead-1", 0)) is None


@pytest.mark.parametrize(
    ("at", "early"),
    [(100 + ON_THE_WAY / 2, 0), (101, 1), (104.9, 1), (105, 0)],
    ids=["still on the way", "early", "just early", "in time"],
)
def test_calls_before_retry_after_are_counted(at: float, early: int) -> None:
    ledger = Ledger()
    ledger.close(PLACE, 100, 5)
    ledger.arrives(PLACE, None, at)
    assert ledger.early == early


def test_who_came_in_time_and_is_told_to_wait_again_is_not_early() -> None:
    ledger = Ledger()
    ledger.close(PLACE, 100, 5)
    ledger.close(PLACE, 105.1, 5)
    ledger.arrives(PLACE, None, 105.2)
    assert ledger.early == 0


def test_another_registration_may_be_asked_meanwhile() -> None:
    ledger = Ledger()
    ledger.close(PLACE, 100, 5)
    ledger.arrives("other/directory", None, 102)
    assert ledger.early == 0
