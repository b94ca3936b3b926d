"""Asking: answers, time-outs, failures as values, cycles."""

from __future__ import annotations

import asyncio

import pytest

from actors.runtime import (
    Actor,
    ActorCrashed,
    AskCycleError,
    AskedItself,
    AskFailed,
    AskFailure,
    AskTimeout,
    ChildSpec,
    DeferredReply,
    NoSuchActor,
    NotUnderstood,
    StartChild,
    handles,
)
from actors.runtime.events import AskCycle, DeadLetter
from messages.base import Request
from tests.runtime.kit import (
    CrashAnswering,
    Note,
    Promise,
    Seen,
    Take,
    Unknown,
    WhoAreYou,
    World,
    elapsed,
    passing,
    root,
    simulated,
    until,
)


class Pass(Request[str], frozen=True):
    """Ask along this route and answer with what came back."""

    route: tuple[str, ...]
    by_worker: bool = False


class Relay(Actor[None]):
    """Passes a request along, from its handler or from a worker."""

    def __init__(self) -> None:
        super().__init__(None)

    @handles
    async def pass_on(self, message: Pass) -> str | DeferredReply[str]:
        if not message.route:
            return "end of the route"
        later: DeferredReply[str] = self.later()
        if message.by_worker:
            self.work(self._ask(message, later), name="asker")
            return later
        return await self.ask(message.route[0], Pass(message.route[1:]), timeout=1000.0)

    async def _ask(self, message: Pass, later: DeferredReply[str]) -> None:
        later.set(await self.ask(message.route[0], Pass(message.route[1:]), timeout=1000.0))


class Impatient(Actor[None]):
    """Looks at failures as values."""

    def __init__(self) -> None:
        super().__init__(None)

    @handles
    async def pass_on(self, message: Pass) -> str:
        answer = await self.attempt(message.route[0], Take(50.0), timeout=2.0)
        return str(answer.why) if isinstance(answer, AskFailed) else answer


def relays(*names: str) -> list[ChildSpec]:
    return [ChildSpec(name, Relay) for name in names]


@simulated
async def test_an_ask_that_is_not_answered_in_time_raises_and_names_actor_and_message() -> None:
    world = World()
    await world.up(world.probes("a"))
    with pytest.raises(AskTimeout, match=r"a did not answer Take within 2 s"):
        await world.system.ask("a", Take(50.0), timeout=2.0)
    await world.down()


@simulated
async def test_an_ask_of_nobody_fails_at_once_and_is_a_dead_letter() -> None:
    world = await World().up()
    with pytest.raises(NoSuchActor, match="nobody"):
        await world.system.ask("nobody/here", WhoAreYou())
    world.system.tell("nobody", Note("lost"))
    await world.down()
    assert [(event.path, event.message) for event in world.heard(DeadLetter)] == [
        ("nobody/here", "WhoAreYou"),
        ("nobody", "Note"),
    ]


@simulated
async def test_every_failure_of_an_ask_is_a_value_for_who_attempts_it() -> None:
    world = World()
    await world.up([*world.probes("a"), ChildSpec("i", Impatient)])
    for request, why in (
        (Take(50.0), AskFailure.TIMED_OUT),
        (CrashAnswering(), AskFailure.CRASHED),
        (Unknown(), AskFailure.NOT_UNDERSTOOD),
    ):
        answer = await world.system.attempt("a", request, timeout=2.0)
        assert isinstance(answer, AskFailed)
        assert (answer.path, answer.why) == ("a", why)
        await passing(60.0)
    gone = await world.system.attempt("nobody", Unknown())
    assert isinstance(gone, AskFailed)
    assert gone.why is AskFailure.NO_SUCH_ACTOR
    assert await world.system.ask("i", Pass(("a",))) == "timed out"
    await world.down()


@simulated
async def test_a_request_without_a_handler_is_answered_with_what_the_actor_does_take() -> None:
    world = World()
    await world.up(world.probes("a"))
    before = await world.who("a")
    with pytest.raises(NotUnderstood, match=r"Probe has no handler for it; it takes .*Note"):
        await world.system.ask("a", Unknown())
    assert await world.who("a") == before
    assert world.system.dead_letters.count == 1
    await world.down()


@simulated
async def test_queued_asks_survive_a_restart_and_the_one_in_hand_does_not() -> None:
    world = World()
    await world.up(world.probes("a"))
    world.system.suspend("a")
    in_hand = asyncio.create_task(world.system.attempt("a", CrashAnswering()))
    await until(lambda: world.node("a").mailbox == 1)  # type: ignore[union-attr]  # it is there
    queued = [asyncio.create_task(world.system.ask("a", Seen())) for _ in range(3)]
    await until(lambda: world.node("a").mailbox == 4)  # type: ignore[union-attr]  # it is there
    world.system.resume("a")
    answer = await in_hand
    assert isinstance(answer, AskFailed)
    assert answer.why is AskFailure.CRASHED
    assert [await task for task in queued] == [[], [], []]
    await world.down()


@simulated
async def test_a_killed_handler_answers_its_asker_with_actor_crashed() -> None:
    world = World()
    await world.up(world.probes("a"))
    asking = asyncio.create_task(world.system.ask("a", Take(100.0)))
    await until(lambda: world.node("a").last_message == "Take")  # type: ignore[union-attr]  # it is there
    world.system.kill("a")
    with pytest.raises(ActorCrashed, match="killed"):
        await asking
    await world.down()


@simulated
async def test_an_asker_that_is_cancelled_leaves_nothing_behind() -> None:
    world = World()
    await world.up(world.probes("a"))
    asking = asyncio.create_task(world.system.ask("a", Take(5.0)))
    await until(lambda: world.node("a").last_message == "Take")  # type: ignore[union-attr]  # it is there
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await world.system.ask("a", Seen()) == []
    await world.down()


@simulated
async def test_an_actor_that_asks_itself_is_told_at_once_with_its_name() -> None:
    world = World()
    await world.up(relays("a"))
    with pytest.raises(ActorCrashed) as caught:
        assert await elapsed(world.system.ask("a", Pass(("a",)))) < 0.1
    assert isinstance(caught.value.__cause__, AskedItself)
    assert "a asks itself for Pass" in str(caught.value.__cause__)
    await world.down()


@simulated
async def test_a_worker_may_ask_its_owner() -> None:
    world = World()
    await world.up(relays("a"))
    assert await world.system.ask("a", Pass(("a",), by_worker=True)) == "end of the route"
    await world.down()


@simulated
async def test_a_cycle_of_asks_is_reported_at_once_with_the_names_in_it() -> None:
    world = World()
    await world.up(relays("a", "b", "c"))
    with pytest.raises(ActorCrashed):
        await world.system.ask("a", Pass(("b", "c", "a")))
    await passing(1.0)
    (event,) = world.heard(AskCycle)
    assert event.names == ("c", "a", "b", "c")
    await world.down()


@simulated
async def test_asks_that_meet_in_one_actor_without_a_cycle_are_left_alone() -> None:
    world = World()
    await world.up(relays("a", "b", "c"))
    routes = [Pass(("c",)), Pass(("b", "c")), Pass(("c",), by_worker=True)]
    answers = await asyncio.gather(*(world.system.ask("a", route) for route in routes))
    assert answers == ["end of the route"] * 3
    await world.down()
    assert world.heard(AskCycle) == []


@simulated
async def test_an_ask_that_has_been_answered_is_no_part_of_a_cycle() -> None:
    world = World()
    await world.up(relays("a", "b"))
    assert await world.system.ask("a", Pass(("b",))) == "end of the route"
    assert await world.system.ask("b", Pass(("a",))) == "end of the route"
    await world.down()


@simulated
async def test_a_wait_that_a_worker_will_end_is_no_cycle() -> None:
    world = World()
    await world.up([*relays("a"), ChildSpec("s", Server)])
    # a waits for s, which owes it a later reply; s then asks a third party from a handler.
    asking = asyncio.create_task(world.system.ask("a", Pass(("s", "slow"))))
    await until(lambda: world.node("a").last_message == "Pass")  # type: ignore[union-attr]  # it is there
    assert await asking == "served"
    assert world.heard(AskCycle) == []
    await world.down()


class Server(Actor[None]):
    """Owes an answer, and meanwhile asks somebody from its handler."""

    def __init__(self) -> None:
        super().__init__(None)

    @handles
    def serve(self, message: Pass) -> DeferredReply[str]:
        later: DeferredReply[str] = self.later()

        async def finish() -> None:
            await asyncio.sleep(5.0)
            later.set("served")

        self.work(finish())
        self.tell_self(Note("ask the one who waits"))
        return later

    @handles
    async def ask_back(self, message: Note) -> None:
        await self.attempt("a", Pass(()), timeout=20.0)


class StartsAskingItsParent(Actor[None]):
    def __init__(self) -> None:
        super().__init__(None)

    async def on_start(self) -> None:
        await self.ask("", StartChild(ChildSpec("x", Relay)), timeout=1000.0)


@simulated
async def test_a_child_that_asks_its_supervisor_while_being_started_is_a_cycle() -> None:
    world = World()
    with pytest.raises(Exception, match="a cycle of asks: greedy → root → greedy"):
        await world.system.start(root([ChildSpec("greedy", StartsAskingItsParent)]))
    assert world.system.cells == {}


def test_the_cycle_error_is_an_ask_error_with_its_own_reason() -> None:
    assert AskCycleError("a", "x").as_value() == AskFailed("a", AskFailure.CYCLE, "x")
    assert str(AskFailed("a", AskFailure.CYCLE, "x")) == "x"


@simulated
async def test_a_promise_that_is_never_kept_ends_in_a_time_out() -> None:
    world = World()
    await world.up(world.probes("a"))
    with pytest.raises(AskTimeout):
        await world.system.ask("a", Promise(), timeout=5.0)
    await world.down()


class Below(Request[str], frozen=True):
    """Answered by what goes on below the actor."""


class Above(Actor[None]):
    def __init__(self, owed: list[DeferredReply[str]]) -> None:
        super().__init__(None)
        self._owed = owed

    @handles
    def below(self, message: Below) -> DeferredReply[str]:
        answer: DeferredReply[str] = self.later(outlives=True)
        self._owed.append(answer)
        return answer


@simulated
async def test_an_answer_that_comes_from_below_the_actor_outlives_its_end() -> None:
    owed: list[DeferredReply[str]] = []
    world = await World().up([ChildSpec("a", lambda: Above(owed))])
    asked: list[asyncio.Future[str]] = []
    for count in (1, 2, 3):
        asked.append(asyncio.ensure_future(world.system.ask("a", Below())))
        await until(lambda: len(owed) == count)  # noqa: B023  awaited at once
    owed[0].set("before")
    world.system.kill("a")
    await until(lambda: world.system.cells["a"].restarts == 1)
    owed[1].set("after")
    owed[2].crash(ValueError("below"))
    assert await asked[0] == "before"
    assert await asked[1] == "after"
    with pytest.raises(ActorCrashed, match="below"):
        await asked[2]
    with pytest.raises(RuntimeError, match="twice"):
        owed[1].set("again")
    await world.down()
