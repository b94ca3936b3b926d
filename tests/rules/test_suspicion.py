"""An account is suspect when many legs end at once and no record says how (truth.md 5)."""

from __future__ import annotations

import pytest

from rules.suspicion import LegsJudged, may_be_another_account, may_be_suspect, suspicion


@pytest.mark.parametrize(
    ("legs", "suspect"),
    [
        (LegsJudged(unexplained=5), True),
        (LegsJudged(unexplained=2), True),
        (LegsJudged(unexplained=1), False),
        (LegsJudged(explained=10), False),
        (LegsJudged(explained=1, unexplained=4), True),
        (LegsJudged(explained=2, unexplained=2), False),
        (LegsJudged(shown=1, unexplained=2), True),
        (LegsJudged(shown=2, unexplained=2), False),
        (LegsJudged(shown=1, unexplained=1), False),
        (LegsJudged(unexplained=2, undecided=3), True),
        (LegsJudged(undecided=5), False),
    ],
)
def test_an_account_is_suspect_when_most_of_its_legs_end_without_a_record(
    legs: LegsJudged, suspect: bool
) -> None:
    assert bool(suspicion(legs)) is suspect


def test_the_words_say_how_many_legs_and_ask_whose_key_it_is() -> None:
    words = suspicion(LegsJudged(unexplained=5))
    assert "none of the ledger's 5 legs" in words
    assert "whose key is this?" in words


@pytest.mark.parametrize(
    ("missing", "shown", "doubt"),
    [(0, 0, False), (1, 0, True), (1, 1, False), (2, 1, True), (5, 0, True), (0, 3, False)],
)
def test_nothing_is_done_to_what_a_read_shows_that_leaves_most_legs_out(
    missing: int, shown: int, doubt: bool
) -> None:
    assert may_be_another_account(missing=missing, shown=shown) is doubt


def test_a_suspicion_may_stand_while_legs_are_undecided() -> None:
    """All of them are, where a read fails."""
    assert may_be_suspect(LegsJudged(undecided=5))
    assert may_be_suspect(LegsJudged(unexplained=1, undecided=1))
    assert not may_be_suspect(LegsJudged(shown=3, undecided=2))
    assert not may_be_suspect(LegsJudged(unexplained=1))
