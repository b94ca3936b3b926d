"""The limiter in virtual time, against a venue that counts strictly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import detangle
import pytest
from detangle.strategies import RandomWalk
from hypothesis import given, settings
from hypothesis import strategies as st

from messages.budget import Lane, LimitScope
from venues.exchanges.values import Limit
from venues.limits.limiter import Charges, Limiter, Ticket
from venues.limits.priority import Priority
from venues.limits.windows import Window
from venues.strict import BannedError, TooLateError

CONFIG = detangle.SimConfig(max_steps=500_000, check_leaks=True)
ROUNDING = 1e-6
"""Seconds that sums of floats may differ by."""


def virtual(test: Callable[[], Awaitable[None]], seed: int = 0) -> None:
    result = detangle.execute(test, config=CONFIG, strategy=RandomWalk(seed))
    if result.failure is not None:
        raise result.failure.exception or AssertionError(result.failure.message)


def limit(most: float = 10, seconds: float = 1.0, name: str = "a", *, login: bool = True) -> Limit:
    scope = LimitScope.LOGIN if login else LimitScope.ADDRESS
    return Limit(name, scope, "requests", seconds, most)


def lane(which: Lane = Lane.ANSWER) -> Priority:
    return Priority(which)


async def sent(
    limiter: Limiter, charges: Charges, which: Lane, trip: float = 0.0, share: float = 1.0
) -> float:
    """Ask, and be answered after `trip` seconds; when it left."""
    ticket = await limiter.take(charges, lane(which), share=share)
    left = detangle.now()
    ticket.leaves()
    await asyncio.sleep(trip)
    ticket.ended()
    return left


@dataclass(slots=True)
class Venue:
    """Counts what arrives: in a rolling window, or in fixed ones that start at `offset`."""

    most: float
    seconds: float
    offset: float | None
    arrived: list[tuple[float, float]] = field(default_factory=list)

    def arrives(self, amount: float) -> None:
        self.arrived.append((detangle.now(), amount))

    def worst(self) -> float:
        """The fullest window that there was."""
        if self.offset is None:
            return max(self._within(at - self.seconds, at) for at, _ in self.arrived)
        counted: dict[int, float] = {}
        for at, amount in self.arrived:
            window = int((at + self.offset + ROUNDING) // self.seconds)
            counted[window] = counted.get(window, 0.0) + amount
        return max(counted.values())

    def _within(self, after: float, until: float) -> float:
        return sum(n for at, n in self.arrived if after + ROUNDING < at <= until)


@dataclass(frozen=True, slots=True)
class Job:
    at: float
    lane: Lane
    amount: float
    way: float
    """Seconds to the venue; never more than a window allows for."""
    back: float
    answered: bool
    patience: float | None
    """Seconds after which the asker is cancelled."""


SECONDS = st.floats(0.0, 5.0)
JOBS = st.lists(
    st.builds(
        Job,
        at=SECONDS,
        lane=st.sampled_from(list(Lane)),
        amount=st.sampled_from([0.0, 1.0, 1.0, 1.0, 2.0, 5.0]),
        way=st.floats(0.0, 1.0),
        back=st.floats(0.0, 3.0),
        answered=st.booleans(),
        patience=st.none() | SECONDS,
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(
    jobs=JOBS,
    most=st.integers(1, 12),
    seconds=st.sampled_from([1.0, 2.0, 10.0]),
    offset=st.none() | SECONDS,
    share=st.sampled_from([0.1, 0.5, 1.0]),
    seed=st.integers(0, 1000),
)
def test_the_venue_never_sees_more_than_its_limit_and_nobody_hangs(
    jobs: list[Job], most: int, seconds: float, offset: float | None, share: float, seed: int
) -> None:
    venue = Venue(float(most), seconds, offset)
    done: list[Job] = []

    async def ask(limiter: Limiter, window: Window, job: Job) -> None:
        await asyncio.sleep(job.at)
        try:
            async with asyncio.timeout(job.patience):
                ticket = await limiter.take(((window, job.amount),), lane(job.lane), share=share)
        except TimeoutError:
            done.append(job)
            return
        ticket.leaves()
        await asyncio.sleep(job.way)
        venue.arrives(job.amount)
        if job.answered:
            await asyncio.sleep(job.back)
            ticket.ended()
        done.append(job)

    async def main() -> None:
        limiter = Limiter()
        window = limiter.window("", limit(most, seconds))
        async with asyncio.timeout(3600):
            await asyncio.gather(*(ask(limiter, window, job) for job in jobs))

    virtual(main, seed)
    assert len(done) == len(jobs)
    alone = max(job.amount for job in jobs)
    assert not venue.arrived or venue.worst() <= max(most, alone)


@settings(max_examples=100, deadline=None)
@given(
    jobs=JOBS,
    address=st.integers(2, 12),
    login=st.integers(1, 6),
    seed=st.integers(0, 1000),
)
def test_limits_of_address_and_logins_hold_together(
    jobs: list[Job], address: int, login: int, seed: int
) -> None:
    shared = Venue(float(address), 5.0, None)
    owners = {name: Venue(float(login), 1.0, None) for name in ("mine", "theirs")}
    done: list[float] = []

    async def ask(limiter: Limiter, name: str, job: Job) -> None:
        await asyncio.sleep(job.at)
        charges = (
            (limiter.window("", limit(address, 5.0, "address", login=False)), 1.0),
            (limiter.window(name, limit(login)), 1.0),
        )
        ticket = await limiter.take(charges, lane(job.lane), login=name, share=0.5)
        ticket.leaves()
        await asyncio.sleep(job.way)
        shared.arrives(1.0)
        owners[name].arrives(1.0)
        ticket.ended()
        done.append(ticket.waited)

    async def main() -> None:
        limiter = Limiter()
        async with asyncio.timeout(3600):
            await asyncio.gather(*(ask(limiter, name, job) for name in owners for job in jobs))
        assert limiter.waits("mine") == limiter.waits("theirs") == []

    virtual(main, seed)
    assert len(done) == 2 * len(jobs)
    assert all(venue.worst() <= venue.most for venue in (shared, *owners.values()))


def test_a_limit_is_used_to_the_full_at_once() -> None:
    async def main() -> None:
        limiter = Limiter()
        charges = ((limiter.window("", limit()), 1.0),)
        left = await asyncio.gather(
            *(sent(limiter, charges, Lane.ORDER, trip=0.1) for _ in range(50))
        )
        # Ten at once, and the next ten when the answers are a second old.
        assert [round(at, 2) for at in sorted(left)] == [
            at for at in (0.0, 1.1, 2.2, 3.3, 4.4) for _ in range(10)
        ]

    virtual(main)


def test_an_order_waits_behind_no_read_and_a_round_behind_all() -> None:
    async def main() -> None:
        limiter = Limiter()
        window = limiter.window("", limit(most=6))
        heavy = ((window, 5.0),)
        turns: list[Lane] = []

        async def ask(which: Lane) -> None:
            await sent(limiter, heavy, which)
            turns.append(which)

        await sent(limiter, heavy, Lane.ORDER)
        lanes = [Lane.ROUND, Lane.ANSWER, Lane.ROUND, Lane.CLOSE, Lane.ORDER, Lane.ORDER]
        await asyncio.gather(*(ask(which) for which in lanes))
        assert turns == sorted(lanes)

    virtual(main)


def test_rounds_leave_the_rest_of_the_limit_to_the_others() -> None:
    async def main() -> None:
        limiter = Limiter()
        window = limiter.window("", limit(most=100, seconds=60))
        one = ((window, 1.0),)
        rounds = [
            asyncio.ensure_future(sent(limiter, one, Lane.ROUND, share=0.5)) for _ in range(80)
        ]
        await asyncio.sleep(1)
        assert sum(task.done() for task in rounds) == 50
        assert await sent(limiter, one, Lane.ANSWER) == 1.0
        orders = await asyncio.gather(*(sent(limiter, one, Lane.ORDER) for _ in range(49)))
        assert set(orders) == {1.0}
        await asyncio.gather(*rounds)

    virtual(main)


@pytest.mark.parametrize("which", [Lane.CLOSE, Lane.ANSWER])
def test_reads_leave_a_reserve_for_orders(which: Lane) -> None:
    async def main() -> None:
        limiter = Limiter()
        one = ((limiter.window("", limit(most=100, seconds=10)), 1.0),)
        reads = [asyncio.ensure_future(sent(limiter, one, which)) for _ in range(200)]
        await asyncio.sleep(1)
        assert sum(task.done() for task in reads) in (80, 90)
        assert await sent(limiter, one, Lane.ORDER) == 1.0
        await asyncio.gather(*reads)

    virtual(main)


def test_a_read_that_a_better_lane_joins_goes_with_it() -> None:
    async def main() -> None:
        limiter = Limiter()
        one = ((limiter.window("", limit(most=1)), 1.0),)
        turns: list[str] = []

        async def ask(name: str, priority: Priority) -> None:
            await limiter.take(one, priority)
            turns.append(name)

        shared = lane(Lane.ROUND)
        asks = [
            asyncio.ensure_future(ask(name, priority))
            for name, priority in (
                ("first", lane()),
                ("verdict", lane(Lane.ANSWER)),
                ("shared", shared),
            )
        ]
        await asyncio.sleep(0.1)
        shared.raise_to(Lane.CLOSE)
        await asyncio.gather(*asks)
        assert turns == ["first", "shared", "verdict"]

    virtual(main)


def test_who_is_cancelled_is_not_paid_for() -> None:
    async def main() -> None:
        limiter = Limiter()
        window = limiter.window("", limit(most=10, seconds=10))
        await sent(limiter, ((window, 10.0),), Lane.ORDER)
        reads = [
            asyncio.ensure_future(sent(limiter, ((window, 5.0),), Lane.CLOSE)) for _ in range(8)
        ]
        last = asyncio.ensure_future(sent(limiter, ((window, 1.0),), Lane.ROUND))
        await asyncio.sleep(1)
        for task in reads:
            task.cancel()
        await asyncio.gather(*reads, return_exceptions=True)
        # As soon as the first window has passed, and none of theirs.
        assert await last == 10.0
        assert window.use(detangle.now()).used == 1.0

    virtual(main)


def test_who_is_cancelled_after_being_let_through_gives_it_back() -> None:
    async def main() -> None:
        limiter = Limiter()
        window = limiter.window("", limit(most=1, seconds=10))
        first = await limiter.take(((window, 1.0),), lane())
        task = asyncio.ensure_future(limiter.take(((window, 1.0),), lane()))
        await asyncio.sleep(1)
        first.unsent()
        # Its turn has come, and it has not run yet.
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert window.use(detangle.now()).used == 0.0

    virtual(main)


def test_a_request_heavier_than_its_window_goes_alone() -> None:
    async def main() -> None:
        limiter = Limiter()
        window = limiter.window("", limit(most=20))
        assert await sent(limiter, ((window, 25.0),), Lane.ANSWER) == 0.0
        assert await sent(limiter, ((window, 25.0),), Lane.ANSWER) >= 1.0
        assert await sent(limiter, ((window, 1.0),), Lane.ORDER) >= 2.0

    virtual(main)


def test_the_bots_use_is_left_to_it() -> None:
    async def main() -> None:
        limiter = Limiter()
        window = limiter.window("", limit(most=100, seconds=60))
        await sent(limiter, ((window, 1.0),), Lane.ANSWER)
        window.tell(70.0, None, detangle.now())
        use = window.use(detangle.now())
        assert (use.used, use.used_by_guard) == (70.0, 1.0)
        assert await sent(limiter, ((window, 10.0),), Lane.ANSWER) == 0.0
        assert await sent(limiter, ((window, 20.0),), Lane.ORDER) == 0.0
        late = await sent(limiter, ((window, 1.0),), Lane.ROUND)
        assert 60.0 <= late <= 63.0

    virtual(main)


def test_others_use_ends_with_the_venues_own_window() -> None:
    async def main() -> None:
        limiter = Limiter()
        window = limiter.window("", limit(most=100, seconds=60))
        window.tell(100.0, None, detangle.now(), resets=7.0)
        assert await sent(limiter, ((window, 5.0),), Lane.CLOSE) == 7.0

    virtual(main)


def test_a_told_use_of_our_own_making_is_not_counted_twice() -> None:
    async def main() -> None:
        limiter = Limiter()
        window = limiter.window("", limit(most=10))
        for used in range(1, 11):
            ticket = await limiter.take(((window, 1.0),), lane(Lane.ORDER))
            ticket.ended()
            window.tell(float(used), 10.0, detangle.now())
        assert window.use(detangle.now()).used == 10.0
        # The venue's minute is over before ours: what is ours still counts here.
        window.tell(0.0, 10.0, detangle.now())
        assert window.use(detangle.now()).used == 10.0

    virtual(main)


def test_one_logins_full_limit_holds_up_nobody_else() -> None:
    async def main() -> None:
        limiter = Limiter()
        shared = limiter.window("", limit(most=100, name="address", login=False))
        mine, theirs = (limiter.window(login, limit(most=1)) for login in ("mine", "theirs"))
        await sent(limiter, ((shared, 1.0), (mine, 1.0)), Lane.ORDER)
        waiting = asyncio.ensure_future(sent(limiter, ((shared, 1.0), (mine, 1.0)), Lane.ORDER))
        await asyncio.sleep(0)
        assert await sent(limiter, ((shared, 1.0), (theirs, 1.0)), Lane.ROUND) == 0.0
        assert await waiting >= 1.0

    virtual(main)


def test_a_refusal_holds_what_it_counts_in_and_no_more() -> None:
    async def main() -> None:
        limiter = Limiter()
        orders, reads = (limiter.window("", limit(name=name)) for name in ("orders", "reads"))
        ticket = await limiter.take(((orders, 1.0),), lane(Lane.ORDER))
        assert ticket.hold(3.0, longest=10.0) == 3.0
        assert await sent(limiter, ((reads, 1.0),), Lane.ROUND) == 0.0
        assert await sent(limiter, ((orders, 1.0),), Lane.ORDER) == 3.0

    virtual(main)


def test_a_ban_ends_every_wait_at_once_and_costs_nothing() -> None:
    async def main() -> None:
        limiter = Limiter()
        window = limiter.window("", limit(most=1))
        await sent(limiter, ((window, 1.0),), Lane.ORDER)
        waiting = asyncio.ensure_future(limiter.take(((window, 1.0),), lane()))
        await asyncio.sleep(0.5)
        limiter.bar(60.0)
        with pytest.raises(BannedError):
            await waiting
        with pytest.raises(BannedError):
            await limiter.take(((window, 1.0),), lane(Lane.ORDER))
        await asyncio.sleep(60)
        assert limiter.barred == 0.0
        assert await sent(limiter, ((window, 1.0),), Lane.ORDER) == 60.5

    virtual(main)


def test_an_order_gives_up_when_it_need_not_leave_any_more() -> None:
    async def main() -> None:
        limiter = Limiter()
        window = limiter.window("", limit(most=1, seconds=30))
        await sent(limiter, ((window, 1.0),), Lane.ORDER)
        with pytest.raises(TooLateError):
            await limiter.take(((window, 1.0),), lane(Lane.ORDER), until=5.0)
        assert detangle.now() == 5.0
        assert window.use(detangle.now()).used == 1.0

    virtual(main)


def test_an_order_that_was_refused_keeps_its_turn() -> None:
    async def main() -> None:
        limiter = Limiter()
        one = ((limiter.window("", limit(most=1)), 1.0),)
        turns: list[str] = []

        async def ask(name: str, since: float | None) -> Ticket:
            ticket = await limiter.take(one, lane(Lane.ORDER), since=since)
            turns.append(name)
            return ticket

        await asyncio.sleep(10)
        await ask("first", None)
        await asyncio.gather(ask("second", None), ask("refused", 3.0))
        assert turns == ["first", "refused", "second"]

    virtual(main)
