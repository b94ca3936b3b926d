"""Ends that are hard: killed twice, cut off, swallowed, and by what is no `Exception`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pykka
import pytest
from loguru import logger

from actors.runtime import (
    Actor,
    ActorCrashed,
    AskFailed,
    AskFailure,
    Backoff,
    BadOption,
    ChildSpec,
    Restart,
    StartChild,
    Started,
    StartFailed,
    StartRefused,
    StopChild,
    Strategy,
    System,
    handles,
)
from actors.runtime.events import (
    ChildCrashed,
    ChildRestarted,
    ChildStopped,
    ChildUnstoppable,
    DeadLetter,
)
from messages.base import Request
from tests.runtime.kit import (
    Crash,
    CrashAnswering,
    Note,
    Probe,
    Seen,
    Take,
    World,
    nested,
    passing,
    restarts,
    root,
    simulated,
    until,
)


class Panic(BaseException):
    """What a Rust extension's panic looks like: no `Exception`."""


BASE_EXCEPTIONS = (
    Panic("told to"),
    GeneratorExit("told to"),
    BaseExceptionGroup("told to", [Panic("inside"), ValueError("inside")]),
    asyncio.CancelledError("told to"),
)


class SlowToDie(Probe):
    """Takes a second to clean up after it has been killed."""

    @handles
    async def take(self, message: Take) -> str:
        try:
            await asyncio.sleep(message.seconds)
        finally:
            self.diary.append(f"cleans up {self.name}")
            await asyncio.sleep(0.9)
            self.diary.append(f"over {self.name}")
        return "taken"


@simulated
async def test_a_second_kill_while_children_end_lets_no_successor_start_beside_them() -> None:
    world = World()
    behaviour = world.behave("x")
    inner = nested("inner", [ChildSpec("x", lambda: SlowToDie(world.diary, behaviour))])
    await world.up([inner], intensity=None)
    world.system.tell("inner/x", Take(100.0))
    await passing(0.1)
    world.take_diary()
    life = world.system.cells["inner"].life
    assert life is not None
    world.system.kill("inner")
    for _ in range(5):
        await passing(0.1)
        world.system.kill("inner")
        life.task.cancel()
    await restarts(world, 1)
    assert world.take_diary() == ["cleans up x", "over x", "+x"]
    await world.down()


@pytest.mark.parametrize("error", BASE_EXCEPTIONS, ids=lambda error: type(error).__name__)
def test_a_base_exception_in_a_synchronous_start_or_a_factory_is_a_failed_start(
    error: BaseException,
) -> None:
    class Raises(Probe):
        def on_start(self) -> Any:
            raise error

    def refuses() -> Probe:
        raise error

    @simulated
    async def test() -> None:
        behaviour = World().behave("b")
        for make in (lambda: Raises([], behaviour), refuses):
            world = World()
            with pytest.raises(StartFailed, match="b did not start"):
                await world.up([*world.probes("a"), ChildSpec("b", make)])
            assert world.diary == ["+a", "-a"]
            assert world.system.cells == {}
        world = await World().up()
        assert isinstance(
            await world.system.ask("", StartChild(ChildSpec("b", refuses))), StartRefused
        )
        assert world.status("") == "running"
        await world.down()

    test()


class Fails(Request[str], frozen=True):
    """Fail while a worker runs and somebody waits."""


@pytest.mark.parametrize("error", BASE_EXCEPTIONS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("slowly", [False, True])
def test_a_base_exception_in_a_handler_is_a_crash_like_any_other(
    error: BaseException, slowly: bool
) -> None:
    class FailsOddly(Probe):
        @handles
        async def fails(self, message: Fails) -> str:
            self.work(self._endless())
            await asyncio.sleep(0.1 if slowly else 0.0)
            raise error

        async def _endless(self) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                self.diary.append("the worker ended")

    @simulated
    async def test() -> None:
        world = World()
        behaviour = world.behave("a")
        await world.up([ChildSpec("a", lambda: FailsOddly(world.diary, behaviour))])
        world.take_diary()
        with pytest.raises(ActorCrashed) as caught:
            await world.system.ask("a", Fails())
        assert caught.value.__cause__ is error
        await restarts(world, 1)
        assert world.take_diary() == ["the worker ended", "+a"]
        await world.down()
        assert [event.path for event in world.heard(ChildCrashed)] == ["a"]

    test()


class LeavesState(msgspec.Struct):
    pass


class Leaves(Actor[LeavesState]):
    """Raises what leaves the loop, from wherever it is told to."""

    def __init__(self, diary: list[str], error: BaseException) -> None:
        super().__init__(LeavesState())
        self.diary = diary
        self.error = error

    @handles
    async def note(self, message: Note) -> None:
        if message.text == "from a worker":
            self.work(self._leave())
        else:
            raise self.error

    async def _leave(self) -> None:
        raise self.error

    def on_stop(self) -> None:
        self.diary.append("-leaves")


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=["exit", "interrupt"])
@pytest.mark.parametrize("where", ["from a handler", "from a worker"])
def test_only_exit_and_interrupt_leave_the_loop_and_the_tree_stops_in_order_before(
    error: BaseException, where: str
) -> None:
    diary: list[str] = []
    behaviour = World().behave("a")

    async def main() -> None:
        system = System()
        await system.start(
            root(
                [
                    ChildSpec("a", lambda: Probe(diary, behaviour)),
                    ChildSpec("leaves", lambda: Leaves(diary, error)),
                    ChildSpec("b", lambda: Probe(diary, behaviour)),
                ]
            )
        )
        system.tell("leaves", Note(where))
        await system.wait()
        await asyncio.sleep(10.0)
        diary.append("never")

    with pytest.raises(type(error)):
        asyncio.run(main())
    assert [line for line in diary if line != "-leaves"] == ["+a", "+b", "-b", "-a"]


class Swallows(Probe):
    """Ignores so many cancellations in its handler."""

    times = 1

    @handles
    async def take(self, message: Take) -> str:
        for _ in range(self.times):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(message.seconds)
                return "taken"
            self.diary.append("swallowed")
        return "swallowed"


class SwallowsThrice(Swallows):
    times = 3


@simulated
async def test_a_kill_that_is_swallowed_still_ends_the_actor() -> None:
    world = World()
    behaviour = world.behave("a")
    await world.up([ChildSpec("a", lambda: Swallows(world.diary, behaviour))])
    asked = asyncio.create_task(world.system.attempt("a", Take(100.0)))
    await passing(0.1)
    world.system.kill("a")
    assert await asked == "swallowed"
    await restarts(world, 1)
    await world.down()
    assert next(event.reason for event in world.heard(ChildStopped)) == "killed"


@simulated
async def test_a_kill_is_repeated_and_the_last_of_three_is_not_needed() -> None:
    world = World()
    behaviour = world.behave("a")
    await world.up([ChildSpec("a", lambda: SwallowsThrice(world.diary, behaviour))])
    world.system.tell("a", Take(100.0))
    await passing(0.1)
    world.system.kill("a")
    await restarts(world, 1)
    await world.down()
    assert world.diary.count("swallowed") == 3
    assert world.heard(ChildUnstoppable) == []


class Deaf(Probe):
    """Ignores every cancellation until it is let go."""

    @handles
    async def take(self, message: Take) -> str:
        while self.behaviour.deaf:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3600.0)
        return "at last"


@simulated
async def test_who_ignores_every_kill_is_abandoned_and_not_said_to_be_killed() -> None:
    world = World()
    behaviour = world.behave("a", deaf=True)
    await world.up([ChildSpec("a", lambda: Deaf(world.diary, behaviour))])
    life = world.system.cells["a"].life
    assert life is not None
    asked = asyncio.create_task(world.system.attempt("a", Take(1.0), timeout=1e6))
    await passing(0.1)
    world.system.kill("a")
    await restarts(world, 1)
    answer = await asked
    assert isinstance(answer, AskFailed)
    assert answer.why is AskFailure.CRASHED
    assert "abandoned" in answer.reason
    assert [event.path for event in world.heard(ChildUnstoppable)] == ["a"]
    assert [event.reason for event in world.heard(ChildStopped)] == ["abandoned"]
    assert [event.message for event in world.heard(DeadLetter)] == ["Take"]
    behaviour.deaf = False
    await life.task
    assert await world.system.ask("a", Seen()) == []
    await world.down()


@simulated
async def test_a_worker_that_ignores_every_kill_is_abandoned_and_its_owner_ends() -> None:
    released = asyncio.Event()

    class Employs(Probe):
        @handles
        def note(self, message: Note) -> None:
            self.work(self._deaf(), name="job")

        async def _deaf(self) -> None:
            while not released.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await released.wait()

    world = World()
    behaviour = world.behave("a")
    await world.up([ChildSpec("a", lambda: Employs(world.diary, behaviour))])
    world.system.tell("a", Note("begin"))
    await passing(0.1)
    world.system.tell("a", Crash())
    await restarts(world, 1)
    assert [event.path for event in world.heard(ChildUnstoppable)] == ["a/job"]
    released.set()
    await world.down()


@simulated
async def test_a_message_that_a_kill_cuts_off_is_a_dead_letter() -> None:
    world = World()
    await world.up(world.probes("a"))
    world.system.tell("a", Take(100.0))
    await passing(0.1)
    world.system.kill("a")
    await restarts(world, 1)
    await world.down()
    (letter,) = world.heard(DeadLetter)
    assert (letter.path, letter.message) == ("a", "Take")
    assert "cut off" in letter.why


@simulated
async def test_an_ordered_restart_of_a_running_temporary_child_leaves_it_listed() -> None:
    world = World()
    await world.up([world.probe("a", Restart.TEMPORARY)])
    assert await world.system.restart("a") == Started("a")
    assert world.status("a") == "running"
    await world.down()
    assert world.diary == ["+a", "-a", "+a", "-a"]


@simulated
async def test_stopping_the_dynamic_leader_of_a_waiting_group_lets_the_group_return() -> None:
    world = World()
    options = {"strategy": Strategy.ONE_FOR_ALL, "backoff": Backoff(first=50.0, cap=100.0)}
    await world.up(world.probes("a", "b"), intensity=None, **options)
    await world.system.ask("", StartChild(world.probe("leader")))
    world.system.tell("leader", Crash())
    await until(lambda: world.status("leader") == "waiting")
    world.behave("b", fail_starts=[True])
    await world.system.ask("", StopChild("leader"))
    await until(lambda: world.status("a") == world.status("b") == "running", within=1000.0)
    assert world.status("leader") == "gone"
    await world.down()


@simulated
async def test_two_stops_at_once_are_one_stop() -> None:
    world = World()
    await world.up(world.probes("a"))
    world.take_diary()

    def phase(name: str) -> Callable[[], Coroutine[Any, Any, None]]:
        async def job() -> None:
            await asyncio.sleep(1.0)
            world.diary.append(name)

        return job

    for name in ("one", "two"):
        world.system.at_stop(name, phase(name))
    world.system.at_stop("after", phase("after"), after_tree=True)
    first = asyncio.create_task(world.down())
    await passing(0.5)
    second = asyncio.create_task(world.down())
    await passing(0.1)
    first.cancel()
    await second
    assert world.take_diary() == ["one", "two", "-a", "after"]


class FailsInPykkasHook(Probe):
    def on_failure(self, kind: Any, error: Any, traceback: Any) -> None:
        raise RuntimeError("and this fails as well")


@simulated
async def test_an_on_failure_that_raises_harms_nobody() -> None:
    world = World()
    behaviour = world.behave("a")
    await world.up([ChildSpec("a", lambda: FailsInPykkasHook(world.diary, behaviour))])
    before = world.system.cells[""].life
    world.system.tell("a", Crash())
    await restarts(world, 1)
    assert world.system.cells[""].life is before
    await world.down()


class Unspeakable:
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __hash__(self) -> int:
        return 1


class OddState(msgspec.Struct):
    table: dict[Any, Any]
    total: int = 7

    @property
    def broken(self) -> int:
        raise ValueError("no value")


class Odd(Actor[OddState]):
    def __init__(self) -> None:
        super().__init__(OddState({Unspeakable(): 1, "known": 2}))

    @handles
    def fails(self, message: CrashAnswering) -> str:
        raise ValueError("the cause")


@simulated
async def test_a_state_that_cannot_be_shown_in_part_is_shown_for_the_rest() -> None:
    world = World()
    await world.up([ChildSpec("a", Odd)])
    await world.system.attempt("a", CrashAnswering())
    await restarts(world, 1)
    assert world.system.dump("a")["state"]["total"] == 7
    await world.down()
    (crash,) = world.heard(ChildCrashed)
    assert crash.report.error == "ValueError: the cause"
    assert crash.report.state["total"] == 7
    assert crash.report.state["table"]["known"] == 2
    assert any("Unspeakable" in key for key in crash.report.state["table"])


@simulated
async def test_a_stop_does_not_wait_for_a_start_longer_than_for_a_stop() -> None:
    world = World()
    world.behave("slow", start_takes=1000.0)
    await world.up(world.probes("a"))
    starting = asyncio.create_task(
        world.system.attempt("", StartChild(world.probe("slow", shutdown=3.0)), timeout=1e6)
    )
    await passing(1.0)
    loop = asyncio.get_running_loop()
    before = loop.time()
    await world.down()
    assert loop.time() - before <= 3.1
    answer = await starting
    assert isinstance(answer, StartRefused)


def test_pykkas_tell_to_an_incarnation_that_has_ended_raises_or_is_a_dead_letter() -> None:
    async def main() -> None:
        world = World()
        await world.up(world.probes("a"))
        old = world.system.ref("a")
        inbox = old.actor_inbox
        world.system.tell("a", Crash())
        await restarts(world, 1)
        with pytest.raises(pykka.ActorDeadError):
            old.tell(Note("too late"))
        before = world.system.dead_letters.count
        # What another thread sent just before: it arrives after the end.
        from pykka._envelope import Envelope

        inbox.put(Envelope(Note("overtaken")))
        assert world.system.dead_letters.count == before + 1
        await world.down()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"yield_every": 0}, "yield_every"),
        ({"yield_every": 1.5}, "yield_every"),
        ({"slow_handler": 0.0}, "slow_handler"),
        ({"slow_handler": float("nan")}, "slow_handler"),
    ],
)
def test_options_of_a_system_are_refused_with_the_fields_name(
    options: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadOption, match=field):
        System(**options)


@pytest.mark.parametrize(
    ("name", "value"),
    [("mailbox_bound", 0), ("mailbox_bound", 1.5), ("overflow", "refuse"), ("stop_within", -1.0)],
)
def test_options_of_an_actor_class_are_refused_where_the_class_is_made(
    name: str, value: object
) -> None:
    with pytest.raises(BadOption, match=name):
        type("Wrong", (Probe,), {name: value})


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"first": float("nan")}, "first"),
        ({"first": "1"}, "first"),
        ({"cap": float("inf")}, "cap"),
        ({"factor": float("nan")}, "factor"),
        ({"jitter": True}, "jitter"),
        ({"reset_after": 0.0}, "reset_after"),
        ({"loud_after": 1.5}, "loud_after"),
    ],
)
def test_a_back_off_is_checked_field_by_field(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(BadOption, match=field):
        Backoff(**wrong)


@simulated
async def test_times_that_are_no_times_are_refused_to_who_gives_them() -> None:
    world = World()
    await world.up(world.probes("a"))
    for timeout in (float("nan"), -1.0):
        with pytest.raises(ValueError, match="timeout"):
            await world.system.ask("a", Seen(), timeout=timeout)
    life = world.system.cells["a"].life
    assert life is not None
    assert isinstance(life.actor, Probe)
    for delay in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="delay"):
            life.actor.after(delay, Note("never"))
    await world.down()


def test_an_overdue_child_is_not_said_to_be_killed_before_it_is() -> None:
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(line.record["message"]), level="WARNING")

    @simulated
    async def test() -> None:
        world = World()
        behaviour = world.behave("a", deaf=True)
        spec = ChildSpec("a", lambda: Deaf(world.diary, behaviour), shutdown=1.0)
        await world.up([spec])
        life = world.system.cells["a"].life
        assert life is not None
        world.system.tell("a", Take(1.0))
        await passing(0.1)
        await world.down()
        assert world.heard(ChildRestarted) == []
        behaviour.deaf = False
        await life.task

    try:
        test()
    finally:
        logger.remove(sink)
    assert not any("killed" in line for line in lines)
    assert any("abandoned" in line for line in lines)
