"""Two thousand random trees hold the invariants, and faults that are planted are found."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from loguru import logger

from actors.runtime import Supervisor, children, incarnation
from actors.runtime.cell import Cell
from actors.runtime.incarnation import Incarnation
from actors.runtime.restart_limits import RestartLimits
from tests.runtime.stress.trial import Broken, Hang, run_trial

TREES = 2_000
SHARES = 20


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    logger.disable("actors.runtime")
    yield
    logger.enable("actors.runtime")


@pytest.mark.parametrize("share", range(SHARES))
def test_random_trees_hold_the_invariants(share: int) -> None:
    _run_all(range(share * TREES // SHARES, (share + 1) * TREES // SHARES))


def test_a_seed_gives_the_same_history_again() -> None:
    first, again, other = run_trial(7), run_trial(7), run_trial(8)
    assert first.history() == again.history()
    assert first.history() != other.history()


def _a_successor_starts_while_the_old_one_runs(right: Any) -> Any:
    async def all_ended(lives: Any) -> None:
        pass

    return all_ended


def _children_are_left_behind(right: Any) -> Any:
    async def terminate_children(self: Any, end: Any) -> None:
        self._roster.forget_all("ended with its supervisor")

    return terminate_children


def _workers_are_left_behind(right: Any) -> Any:
    async def end_below(self: Any, end: Any) -> None:
        await self.actor.terminate_children(end)

    return end_below


def _askers_of_the_dead_wait(right: Any) -> Any:
    return lambda reply, error: None


def _the_mailbox_dies_with_its_actor(right: Any) -> Any:
    def start(self: Any) -> Any:
        self.cell.mailbox.clear()
        return right(self)

    return start


def _the_message_in_hand_comes_again(right: Any) -> Any:
    def settle(self: Any, end: Any) -> None:
        if self.in_hand is not None:
            self.cell.mailbox.appendleft(self.in_hand)
        right(self, end)

    return settle


def _what_a_kill_cuts_off_is_forgotten(right: Any) -> Any:
    def settle(self: Any, end: Any) -> None:
        self.in_hand = None
        right(self, end)

    return settle


def _the_overdue_are_waited_for(right: Any) -> Any:
    return lambda self, seconds: None


def _who_ignores_a_kill_is_waited_for(right: Any) -> Any:
    return lambda self: None


def _followers_are_forgotten(right: Any) -> Any:
    return lambda self, child: []


def _one_restart_too_few_is_borne(right: Any) -> Any:
    def exceeded(self: Any, now: float) -> bool:
        right(self, now)
        return self.intensity is not None and len(self._restarts) >= self.intensity

    return exceeded


def _what_is_left_in_a_mailbox_is_dropped(right: Any) -> Any:
    def shut(self: Any, why: str) -> None:
        self.limit = 0
        self.mailbox.clear()

    return shut


# Where it is, what is wrong with it, and the tree from which on it is looked for.
FAULTS: tuple[tuple[Any, str, Callable[[Any], Any], int], ...] = (
    (children, "all_ended", _a_successor_starts_while_the_old_one_runs, 0),
    (Supervisor, "terminate_children", _children_are_left_behind, 0),
    (Incarnation, "_end_below", _workers_are_left_behind, 0),
    (incarnation, "fail", _askers_of_the_dead_wait, 0),
    (Incarnation, "start", _the_mailbox_dies_with_its_actor, 0),
    (Incarnation, "_settle", _the_message_in_hand_comes_again, 0),
    (Incarnation, "_settle", _what_a_kill_cuts_off_is_forgotten, 0),
    (Incarnation, "_overdue", _the_overdue_are_waited_for, 0),
    (Incarnation, "_abandon", _who_ignores_a_kill_is_waited_for, 0),
    (Supervisor, "_followers_of", _followers_are_forgotten, 400),
    (RestartLimits, "_exceeded", _one_restart_too_few_is_borne, 0),
    (Cell, "shut", _what_is_left_in_a_mailbox_is_dropped, 0),
)


@pytest.mark.parametrize(
    ("owner", "name", "fault", "first"),
    FAULTS,
    ids=[fault.__name__.strip("_") for _, _, fault, _ in FAULTS],
)
def test_a_planted_fault_is_found_and_its_seed_shows_it_again(
    owner: Any, name: str, fault: Any, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, fault(getattr(owner, name)))
    with pytest.raises((Broken, Hang)) as found:
        _run_all(range(first, first + 200))
    (note,) = found.value.__notes__
    seed = int(note.split("--first ")[1].split()[0])
    with pytest.raises((Broken, Hang), match=re.escape(str(found.value))):
        run_trial(seed)


def _run_all(seeds: range) -> None:
    for seed in seeds:
        run_trial(seed)
