"""Mailboxes and handlers: bounds, order, who takes which message, and what is refused."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from actors.runtime import (
    Actor,
    BadHandler,
    ChildSpec,
    MailboxFull,
    NotUnderstood,
    Overflow,
    Supervisor,
    handles,
)
from actors.runtime.events import ChildRestarted
from tests.runtime.kit import (
    Crash,
    Note,
    Probe,
    Seen,
    WhoAreYou,
    World,
    simulated,
    until,
)


class Narrow(Probe):
    mailbox_bound = 3


class Sliding(Narrow):
    overflow = Overflow.DROP_OLDEST


async def _full(world: World, cls: type[Probe]) -> None:
    behaviour = world.behave("a")
    await world.up([ChildSpec("a", lambda: cls(world.diary, behaviour))])
    world.system.suspend("a")
    for number in range(5):
        world.system.tell("a", Note(str(number)))


@simulated
async def test_a_full_mailbox_refuses_the_new_message_and_an_ask_gets_mailbox_full() -> None:
    world = World()
    await _full(world, Narrow)
    with pytest.raises(MailboxFull, match="3 messages"):
        await world.system.ask("a", Seen())
    world.system.resume("a")
    await until(lambda: world.node("a").mailbox == 0)  # type: ignore[union-attr]  # it is there
    assert await world.system.ask("a", Seen()) == ["0", "1", "2"]
    assert world.system.dead_letters.count == 3
    await world.down()


@simulated
async def test_a_mailbox_that_drops_the_oldest_keeps_the_newest() -> None:
    world = World()
    await _full(world, Sliding)
    world.system.resume("a")
    await until(lambda: world.node("a").mailbox == 0)  # type: ignore[union-attr]  # it is there
    assert await world.system.ask("a", Seen()) == ["2", "3", "4"]
    assert world.system.dead_letters.count == 2
    await world.down()


@simulated
async def test_recent_dead_letters_are_kept_and_bounded() -> None:
    world = await World().up()
    for _ in range(250):
        world.system.tell("nobody", Note("lost"))
    assert world.system.dead_letters.count == 250
    assert len(world.system.dead_letters.recent) == 100
    await world.down()


class Base(msgspec.Struct, frozen=True):
    pass


class Special(Base, frozen=True):
    pass


class Other(msgspec.Struct, frozen=True):
    pass


class TakesManyState(msgspec.Struct):
    taken: list[str] = []


class TakesMany(Actor[TakesManyState]):
    def __init__(self) -> None:
        super().__init__(TakesManyState())

    @handles
    def any_base(self, message: Base) -> None:
        self.state.taken.append("base")

    @handles
    async def union(self, message: Other | Note) -> None:
        await asyncio.sleep(1.0)
        self.state.taken.append(type(message).__name__)

    @handles
    def seen(self, message: Seen) -> list[str]:
        return self.state.taken


@simulated
async def test_a_handler_may_take_a_union_or_a_base_class_and_may_await() -> None:
    world = World()
    await world.up([ChildSpec("a", TakesMany)])
    for message in (Special(), Other(), Base(), Note("x"), Special()):
        world.system.tell("a", message)
    assert await world.system.ask("a", Seen()) == ["base", "Other", "base", "Note", "base"]
    await world.down()


def test_a_handler_without_an_annotation_is_refused_when_its_class_is_made() -> None:
    with pytest.raises(BadHandler, match=r"Careless\.take .*annotate `message`"):

        class Careless(Actor[None]):
            @handles
            def take(self, message) -> None:  # type: ignore[no-untyped-def]  # the mistake to find
                pass


def test_a_handler_that_takes_no_message_is_refused() -> None:
    with pytest.raises(BadHandler, match="must take self and one message"):

        class Careless(Actor[None]):
            @handles
            def take(self) -> None:
                pass


def test_two_handlers_for_one_type_are_refused_with_both_names() -> None:
    with pytest.raises(BadHandler, match="two handlers for Note: first and second"):

        class Torn(Actor[None]):
            @handles
            def first(self, message: Note) -> None:
                pass

            @handles
            def second(self, message: Note | Other) -> None:
                pass


def test_a_handler_of_something_that_is_no_class_is_refused() -> None:
    with pytest.raises(BadHandler, match="not a message type"):

        class Odd(Actor[None]):
            @handles
            def take(self, message: typing_any) -> None:  # type: ignore[valid-type]  # the mistake to find
                pass


typing_any = msgspec.UNSET


def test_an_override_of_a_handler_must_be_a_handler() -> None:
    with pytest.raises(BadHandler, match=r"Quiet\.note overrides a handler"):

        class Quiet(Probe):
            def note(self, message: Note) -> None:
                pass


class Refined(Probe):
    @handles
    def note(self, message: Note) -> None:
        self.state.notes.append(message.text.upper())


@simulated
async def test_a_handler_may_be_overridden_by_another_one() -> None:
    world = World()
    behaviour = world.behave("a")
    await world.up([ChildSpec("a", lambda: Refined(world.diary, behaviour))])
    world.system.tell("a", Note("loud"))
    assert await world.system.ask("a", Seen()) == ["LOUD"]
    await world.down()


@simulated
async def test_an_actor_is_not_usable_before_it_is_started_and_says_why() -> None:
    world = World()
    probe = world.probe("a").factory()
    assert isinstance(probe, Probe)
    with pytest.raises(RuntimeError, match="Probe has not been started"):
        _ = probe.path
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = probe.nonsense  # type: ignore[attr-defined]  # the mistake to find
    assert str(probe) == "Probe (not started)"


@simulated
async def test_an_actor_lets_others_run_after_a_number_of_messages() -> None:
    world = World(yield_every=10)
    await world.up(world.probes("a", "b"))
    world.system.suspend("a")
    for number in range(1000):
        world.system.tell("a", Note(str(number)))
    world.system.tell("b", Note("my turn"))
    world.system.resume("a")
    seen_by_b = asyncio.create_task(world.system.ask("b", Seen()))
    await seen_by_b
    assert world.node("a").mailbox > 0  # type: ignore[union-attr]  # it is there
    await until(lambda: world.node("a").mailbox == 0)  # type: ignore[union-attr]  # it is there
    await world.down()


@simulated
async def test_a_supervisor_understands_nothing_but_its_orders() -> None:
    world = await World().up([ChildSpec("s", Supervisor)])
    with pytest.raises(NotUnderstood, match="StartChild"):
        await world.system.ask("s", WhoAreYou())
    await world.down()


@simulated
async def test_no_message_is_lost_but_those_that_crashed_their_actor() -> None:
    world = World()
    await world.up(world.probes("a"), intensity=None)
    world.system.suspend("a")
    for number in range(60):
        world.system.tell("a", Crash() if number % 6 == 5 else Note(str(number)))
    handled_before = world.system.cells["a"].handled
    world.system.resume("a")
    await until(lambda: world.node("a").mailbox == 0 and len(world.heard(ChildRestarted)) == 10)  # type: ignore[union-attr]  # it is there
    assert world.system.cells["a"].handled - handled_before == 50
    assert world.system.dead_letters.count == 0
    await world.down()
