"""When a monitor comes round again."""

from __future__ import annotations

from datetime import timedelta

from actors.monitoring.rounds import NOT_READY_RETRY, Rounds, initial_delay

EVERY = timedelta(minutes=5)


def test_soon_until_a_round_went_through_then_a_share_then_the_interval() -> None:
    rounds = Rounds("main", EVERY)
    waits = [rounds.next_in(ready=ready) for ready in (False, False, True, True, True)]
    assert waits == [
        NOT_READY_RETRY,
        NOT_READY_RETRY,
        initial_delay("main", EVERY),
        EVERY,
        EVERY,
    ]


def test_it_is_never_later_than_the_interval() -> None:
    assert Rounds("main", timedelta(seconds=0.1)).next_in(ready=False) == timedelta(seconds=0.1)
