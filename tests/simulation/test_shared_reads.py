"""Reads are compared with rows by the wall clock, so one that jumps must not make them lie."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from actors.execution.shared_reads import AFTER_FILL, SharedReads
from messages.budget import Lane
from messages.venue import Scope, Snapshot
from venues.limits.priority import asking

WINDOW = timedelta(seconds=1)


class Reads:
    """Shared reads of an account, whose reads begin and end when the test says so."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 5, tzinfo=UTC)
        self.asked = 0
        self.planned: list[float] = []
        self.shared = SharedReads("a", fresh=WINDOW, now=lambda: self.now, start_after=self._asked)

    def _asked(self, seconds: float) -> Callable[[], object]:
        self.asked += 1
        self.planned.append(seconds)
        return self.planned.pop

    def read(self, began: datetime) -> Snapshot:
        return Snapshot(
            account="a",
            scope=Scope(settles=frozenset({"USDT"})),
            started_at=began,
            finished_at=self.now,
        )


def test_reads_from_before_the_clock_went_back_are_forgotten() -> None:
    async def story() -> None:
        reads = Reads()
        asking = asyncio.ensure_future(reads.shared.snapshot())
        await asyncio.sleep(0)
        reads.shared.arrived(reads.read(reads.now))
        await asking
        assert len(reads.shared.recent) == 1
        reads.now -= timedelta(seconds=19)
        assert not reads.shared.recent

    asyncio.run(story())


def test_a_read_during_which_the_clock_jumped_answers_nobody() -> None:
    async def story() -> None:
        reads = Reads()
        asking = asyncio.ensure_future(reads.shared.snapshot())
        await asyncio.sleep(0)
        began = reads.now
        reads.now += timedelta(seconds=19)
        reads.shared.arrived(reads.read(began))
        assert not reads.shared.recent
        assert not asking.done()
        assert reads.asked == 2, "another read was asked for in its place"
        reads.shared.arrived(reads.read(reads.now))
        assert (await asking).started_at == reads.now

    asyncio.run(story())


def test_a_clock_that_runs_as_the_loop_does_keeps_its_reads() -> None:
    async def story() -> None:
        reads = Reads()
        asking = asyncio.ensure_future(reads.shared.snapshot())
        await asyncio.sleep(0)
        reads.shared.arrived(reads.read(reads.now))
        await asking
        reads.now += timedelta(seconds=0.4)
        assert len(reads.shared.recent) == 1

    asyncio.run(story())


def test_a_read_that_is_planned_for_later_is_moved_forward_for_whoever_wants_one_now() -> None:
    async def story() -> None:
        reads = Reads()
        patient = asyncio.ensure_future(reads.shared.snapshot(reads.now + timedelta(seconds=4)))
        await asyncio.sleep(0)
        assert reads.planned == [4.0]
        hurried = asyncio.ensure_future(reads.shared.snapshot(reads.now))
        await asyncio.sleep(0)
        assert reads.planned == [0.0], "the later read was taken back, and one begins at once"
        assert reads.shared.began()
        assert not reads.shared.began(), "what was planned once begins once"
        reads.shared.arrived(reads.read(reads.now))
        assert (await hurried).started_at == reads.now
        assert not patient.done()
        assert reads.planned[-1] == 4.0
        patient.cancel()

    asyncio.run(story())


def test_after_a_fill_reads_may_be_closer_together_and_elsewhere_they_are_not() -> None:
    async def story() -> None:
        reads = Reads()
        begun = reads.now
        first = asyncio.ensure_future(reads.shared.snapshot())
        await asyncio.sleep(0)
        reads.shared.began()
        reads.shared.arrived(reads.read(begun))
        await first
        later = begun + timedelta(microseconds=1)
        calm = asyncio.ensure_future(reads.shared.snapshot(later))
        await asyncio.sleep(0)
        assert reads.planned[-1] == WINDOW.total_seconds()
        eager = asyncio.ensure_future(reads.shared.snapshot(later, after_fill=True))
        await asyncio.sleep(0)
        assert reads.planned[-1] == AFTER_FILL.total_seconds()
        for waiting in (calm, eager):
            waiting.cancel()

    asyncio.run(story())


def test_a_read_goes_in_the_best_lane_of_those_who_wait_for_it() -> None:
    async def story() -> None:
        reads = Reads()
        with asking(Lane.ROUND):
            rounds = asyncio.ensure_future(reads.shared.snapshot())
        await asyncio.sleep(0)
        assert reads.shared.began()
        priority = reads.shared.priority
        lanes = [priority.lane]
        with asking(Lane.CLOSE):
            close = asyncio.ensure_future(reads.shared.snapshot())
        await asyncio.sleep(0)
        lanes.append(priority.lane)
        assert lanes == [Lane.ROUND, Lane.CLOSE], "the read under way is raised"
        reads.shared.arrived(reads.read(reads.now))
        assert await rounds is await close

    asyncio.run(story())


def test_nobody_reads_for_those_who_have_given_up() -> None:
    async def story() -> None:
        reads = Reads()
        asked = asyncio.ensure_future(reads.shared.snapshot())
        behind = asyncio.ensure_future(reads.shared.snapshot(reads.now + WINDOW / 2))
        await asyncio.sleep(0)
        reads.shared.began()
        behind.cancel()
        await asyncio.sleep(0)
        number = reads.asked
        reads.shared.arrived(reads.read(reads.now))
        await asked
        assert reads.asked == number

    asyncio.run(story())
