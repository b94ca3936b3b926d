"""Waits before a restart, quarantine, outages. Scenarios 25 to 28 of `docs/spec/supervision.md`."""

from __future__ import annotations

import random

import msgspec
from loguru import logger

from actors.runtime import (
    Actor,
    Backoff,
    ChildSpec,
    Outage,
    Quarantine,
    Started,
    StopChild,
    Stopped,
    Strategy,
    handles,
)
from actors.runtime.events import (
    ChildRestarted,
    ChildWaiting,
    Quarantined,
    Recovered,
    SupervisorGaveUp,
)
from tests.runtime.kit import (
    Crash,
    Note,
    Seen,
    World,
    nested,
    passing,
    restarts,
    simulated,
    until,
)

STEADY = Backoff(first=1.0, cap=8.0, jitter=0.0, reset_after=60.0, loud_after=3)


def waits(world: World) -> list[float]:
    return [event.retry_in for event in world.heard(ChildWaiting)]


async def crash_and_return(world: World, times: int) -> None:
    for _ in range(times):
        before = len(world.heard(ChildRestarted))
        world.system.tell("a", Crash())
        await restarts(world, before + 1)


@simulated
async def test_delays_double_up_to_the_cap() -> None:
    world = World()
    await world.up(world.probes("a"), backoff=STEADY, intensity=None)
    await crash_and_return(world, 6)
    assert waits(world) == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    await world.down()


def test_jitter_is_bounded_and_the_same_for_the_same_seed() -> None:
    policy = Backoff(first=1.0, cap=100.0, jitter=0.25)
    drawn = [policy.delay(n, random.Random(seed)) for seed in range(200) for n in (1, 2, 3)]
    again = [policy.delay(n, random.Random(seed)) for seed in range(200) for n in (1, 2, 3)]
    assert drawn == again
    for base, values in ((1.0, drawn[0::3]), (2.0, drawn[1::3]), (4.0, drawn[2::3])):
        assert all(base * 0.75 <= value <= base * 1.25 for value in values)
        assert max(values) - min(values) > base * 0.3
    assert policy.delay(10_000, random.Random(1)) <= 100.0


@simulated
async def test_a_long_healthy_run_begins_a_new_row() -> None:
    world = World()
    await world.up(world.probes("a"), backoff=STEADY, intensity=None)
    await crash_and_return(world, 3)
    await passing(61.0)
    await crash_and_return(world, 2)
    assert waits(world) == [1.0, 2.0, 4.0, 1.0, 2.0]
    await world.down()


@simulated
async def test_a_stale_reset_does_not_count_for_the_next_incarnation() -> None:
    world = World()
    await world.up(world.probes("a"), backoff=STEADY, intensity=None)
    # Each run is shorter than `reset_after`, though together they are longer.
    for _ in range(4):
        await crash_and_return(world, 1)
        await passing(40.0)
    assert waits(world) == [1.0, 2.0, 4.0, 8.0]
    await world.down()


@simulated
async def test_terminating_a_waiting_child_cancels_its_return() -> None:
    world = World()
    await world.up(world.probes("a", "b"), backoff=STEADY, intensity=None)
    world.system.tell("a", Crash())
    await until(lambda: world.status("a") == "waiting")
    assert await world.system.ask("", StopChild("a")) == Stopped(known=True)
    await passing(30.0)
    assert world.status("a") == "stopped"
    assert world.behaviours["a"].starts == 1
    await world.down()


@simulated
async def test_the_supervisor_answers_while_a_child_waits() -> None:
    world = World()
    await world.up(world.probes("a", "b"), backoff=Backoff(first=500.0, cap=500.0, jitter=0))
    world.system.tell("a", Crash())
    await until(lambda: world.status("a") == "waiting")
    world.system.tell("b", Note("still here"))
    assert await world.system.ask("b", Seen(), timeout=1.0) == ["still here"]
    stopped = await world.system.ask("", StopChild("b"), timeout=1.0)
    assert stopped == Stopped(known=True)
    await world.down()


@simulated
async def test_messages_to_a_waiting_child_are_kept_up_to_a_bound_and_no_further() -> None:
    world = World()
    spec = world.probe("a")

    def narrow() -> Actor[object]:
        actor = spec.factory()
        assert isinstance(actor, Actor)
        actor.mailbox_bound = 5  # type: ignore[misc]  # narrower than its class, for this test
        return actor

    await world.up([ChildSpec("a", narrow)], backoff=STEADY)
    world.system.tell("a", Crash())
    await until(lambda: world.status("a") == "waiting")
    for number in range(8):
        world.system.tell("a", Note(str(number)))
    assert world.system.dead_letters.count == 3
    await until(lambda: world.status("a") == "running")
    assert await world.system.ask("a", Seen()) == ["0", "1", "2", "3", "4"]
    await world.down()


@simulated
async def test_after_so_many_failures_the_level_of_the_log_rises() -> None:
    levels: list[str] = []
    sink = logger.add(lambda line: levels.append(line.record["level"].name), filter=_about_waits)
    try:
        world = World()
        await world.up(world.probes("a"), backoff=STEADY, intensity=None)
        await crash_and_return(world, 4)
        await world.down()
    finally:
        logger.remove(sink)
    assert levels == ["WARNING", "WARNING", "ERROR", "ERROR"]


def _about_waits(record: object) -> bool:
    return "failure(s) in a row" in record["message"]  # type: ignore[index]  # loguru's Record


@simulated
async def test_a_group_waits_together_and_comes_back_in_order() -> None:
    world = World()
    await world.up(
        world.probes("a", "b", "c"),
        strategy=Strategy.REST_FOR_ONE,
        backoff=STEADY,
        intensity=None,
    )
    world.take_diary()
    world.system.tell("b", Crash())
    await until(lambda: world.status("b") == "waiting")
    assert world.status("a") == "running"
    assert world.status("c") == "waiting"
    # An earlier child fails meanwhile: it leads the group now, and each is started once.
    world.system.tell("a", Crash())
    await until(lambda: world.status("c") == "running")
    await passing(30.0)
    assert world.take_diary() == ["-c", "+a", "+b", "+c"]
    await world.down()


@simulated
async def test_stopping_the_waiting_leader_of_a_group_brings_the_others_back() -> None:
    world = World()
    await world.up(
        world.probes("a", "b"), strategy=Strategy.ONE_FOR_ALL, backoff=STEADY, intensity=None
    )
    world.system.tell("a", Crash())
    await until(lambda: world.status("b") == "waiting")
    await world.system.ask("", StopChild("a"))
    assert world.status("b") == "running"
    await passing(30.0)
    assert world.status("a") == "stopped"
    await world.down()


@simulated
async def test_an_operator_brings_a_waiting_child_back_at_once() -> None:
    world = World()
    slow = Backoff(first=1000.0, cap=1000.0, jitter=0)
    await world.up(world.probes("a", "b"), strategy=Strategy.ONE_FOR_ALL, backoff=slow)
    world.system.tell("a", Crash())
    await until(lambda: world.status("a") == "waiting")
    assert await world.system.restart("a") == Started("a")
    assert world.status("a") == world.status("b") == "running"
    await passing(2000.0)
    assert [node.restarts for node in world.system.tree()[1:]] == [1, 1]
    await world.down()


class Line(msgspec.Struct, frozen=True):
    cut: bool


class Connected(Actor[None]):
    """Stands on something that can be away."""

    def __init__(self) -> None:
        super().__init__(None)

    @handles
    def line(self, message: Line) -> None:
        if message.cut:
            raise Outage("the exchange is down for maintenance")


@simulated
async def test_an_outage_waits_and_does_not_count_against_the_intensity() -> None:
    world = World()
    await world.up([ChildSpec("a", Connected)], intensity=0)
    for number in range(1, 6):
        world.system.tell("a", Line(cut=True))
        await restarts(world, number)
    assert world.heard(SupervisorGaveUp) == []
    assert len(world.heard(ChildWaiting)) == 5
    assert waits(world) == sorted(waits(world))
    await world.down()


@simulated
async def test_a_quarantined_child_comes_back_ever_slower_and_its_siblings_do_not_notice() -> None:
    world = World()
    policy = Quarantine(
        after=2, backoff=Backoff(first=10.0, cap=1000.0, jitter=0.0, reset_after=300.0)
    )
    await world.up(world.probes("a", "b"), quarantine=policy, intensity=None)
    before = await world.who("b")
    await crash_and_return(world, 12)
    delays = [event.retry_in for event in world.heard(Quarantined)]
    assert delays == [10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1000.0, 1000.0, 1000.0]
    assert await world.who("b") == before
    assert world.heard(Recovered) == []
    await passing(301.0)
    assert [event.path for event in world.heard(Recovered)] == ["a"]
    # Recovered: the next failure is the first of a new row.
    await crash_and_return(world, 1)
    assert len(world.heard(Quarantined)) == 10
    await world.down()


@simulated
async def test_a_quarantined_child_that_fails_again_before_it_is_calm_has_not_recovered() -> None:
    world = World()
    policy = Quarantine(after=0, backoff=Backoff(first=1.0, jitter=0.0, reset_after=100.0))
    await world.up(world.probes("a"), quarantine=policy, intensity=None)
    for _ in range(3):
        await crash_and_return(world, 1)
        await passing(60.0)
    assert world.heard(Recovered) == []
    assert len(world.heard(Quarantined)) == 3
    await world.down()


@simulated
async def test_where_there_is_quarantine_too_many_restarts_quarantine_instead_of_giving_up() -> (
    None
):
    world = World()
    account = nested("bad", world.probes("a"), intensity=0)
    other = nested("good", world.probes("b"), intensity=0)
    policy = Quarantine(after=50, backoff=Backoff(first=30.0, jitter=0.0, reset_after=300.0))
    await world.up([account, other], quarantine=policy, intensity=2, period=60.0)
    before = await world.who("good/b")
    bad = world.behaviours["a"]
    bad.fail_starts = [True] * 6
    world.system.tell("bad/a", Crash())
    await until(lambda: world.status("bad/a") == "running" and not bad.fail_starts)
    assert [event.path for event in world.heard(SupervisorGaveUp)] == ["bad"]
    assert {event.path for event in world.heard(Quarantined)} == {"bad"}
    assert await world.who("good/b") == before
    await passing(301.0)
    assert [event.path for event in world.heard(Recovered)] == ["bad"]
    await world.down()
