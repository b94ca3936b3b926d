"""The tree, dumps, slow handlers. Scenarios 39 and 40 of `docs/spec/supervision.md`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from loguru import logger

from actors.runtime import (
    Actor,
    Backoff,
    ChildSpec,
    GetState,
    GetStatistics,
    NoSuchActor,
    StopChild,
    System,
    handles,
)
from actors.runtime.events import SlowHandler
from tests.runtime.kit import (
    Crash,
    Note,
    Probe,
    Seen,
    Take,
    World,
    elapsed,
    nested,
    passing,
    root,
    simulated,
    until,
)


@simulated
async def test_suspended_get_state_answers_user_messages_wait_and_stop_works() -> None:
    world = World()
    await world.up(world.probes("a"))
    world.system.suspend("a")
    world.system.tell("a", Note("waits"))
    await passing(10.0)
    assert world.status("a") == "suspended"
    assert (await world.system.ask("a", GetState()))["state"]["notes"] == []
    world.system.resume("a")
    assert await world.system.ask("a", Seen()) == ["waits"]
    world.system.suspend("a")
    assert await elapsed(world.system.ask("", StopChild("a"))) < 0.1
    await world.down()


@simulated
async def test_state_and_statistics_are_served_while_a_handler_awaits() -> None:
    world = World()
    await world.up(world.probes("a"))
    busy = asyncio.create_task(world.system.ask("a", Take(500.0), timeout=1000.0))
    await until(lambda: world.node("a").last_message == "Take")  # type: ignore[union-attr]  # it is there
    statistics = await world.system.ask("a", GetStatistics(), timeout=0.1)
    assert (statistics.path, statistics.status, statistics.handled) == ("a", "running", 0)
    assert (await world.system.ask("a", GetState(), timeout=0.1))["in_hand"]["type"] == "Take"
    await busy
    await world.down()


@simulated
async def test_counts_stay_right_during_restarts() -> None:
    world = World()
    children = [*world.probes("a", "b"), nested("s", world.probes("c"))]
    await world.up(children, backoff=Backoff(first=5.0, jitter=0.0), intensity=None)
    for _ in range(3):
        world.system.tell("a", Crash())
        await until(lambda: world.status("a") == "waiting")
        nodes = world.system.tree()
        assert [node.path for node in nodes] == ["", "a", "b", "s", "s/c"]
        assert [node.status for node in nodes].count("running") == 4
        await until(lambda: world.status("a") == "running")
    assert [node.restarts for node in world.system.tree()] == [0, 3, 0, 0, 0]
    await world.down()


@simulated
async def test_the_tree_shows_parents_before_children_with_kind_and_uptime() -> None:
    world = World()
    await world.up([nested("s", world.probes("x", "y")), world.probe("a")])
    await passing(30.0)
    nodes = world.system.tree()
    assert [(node.path, node.kind) for node in nodes] == [
        ("", "supervisor"),
        ("s", "supervisor"),
        ("s/x", "actor"),
        ("s/y", "actor"),
        ("a", "actor"),
    ]
    assert all(30.0 <= node.uptime < 31.0 for node in nodes)
    await world.down()


@simulated
async def test_an_awaiting_handler_that_takes_too_long_is_named_once_with_its_stack() -> None:
    world = World(slow_handler=2.0)
    await world.up(world.probes("a", "b", "c"))

    async def another_look() -> None:
        await passing(1.0)
        await world.system.ask("c", Take(20.0))

    await asyncio.gather(
        another_look(),
        world.system.ask("a", Take(30.0), timeout=100.0),
        world.system.ask("b", Take(1.0)),
    )
    await passing(60.0)
    await world.down()
    event, other = world.heard(SlowHandler)
    assert (event.path, event.message, other.path) == ("a", "Take", "c")
    assert 2.0 <= event.seconds < 2.1
    assert "await asyncio.sleep(message.seconds)" in event.stack


class Spin(msgspec.Struct, frozen=True):
    seconds: float


class Spinner(Actor[None]):
    def __init__(self) -> None:
        super().__init__(None)

    @handles
    def spin(self, message: Spin) -> None:
        end = time.monotonic() + message.seconds
        while time.monotonic() < end:
            pass


def test_a_handler_that_blocks_the_loop_is_named_afterwards_and_by_the_guard_meanwhile() -> None:
    events: list[object] = []

    async def main() -> None:
        system = System(slow_handler=0.05, on_event=events.append, guard_loop=True)
        await system.start(root([ChildSpec("a", Spinner)]))
        system.tell("a", Spin(0.3))
        await until(lambda: len(slow()) == 2, within=30.0)
        await system.stop()

    def slow() -> list[SlowHandler]:
        return [event for event in events if isinstance(event, SlowHandler)]

    asyncio.run(main())
    assert {event.path for event in slow()} == {"a"}
    assert any("while time.monotonic() < end" in event.stack for event in slow())
    assert any("Spinner.spin" in event.stack for event in slow())


def test_a_signal_writes_a_dump_of_the_whole_tree(tmp_path: Path) -> None:
    async def main() -> None:
        world = World()
        await world.up(world.probes("a"))
        world.system.dump_on_signal(tmp_path, signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR1)
        await until(lambda: any(tmp_path.iterdir()), within=30.0)
        await world.down()

    asyncio.run(main())
    (path,) = tmp_path.iterdir()
    assert [actor["path"] for actor in json.loads(path.read_text())["actors"]] == ["", "a"]


@simulated
async def test_orders_for_nobody_are_refused_by_name() -> None:
    world = await World().up()
    for order in (
        world.system.suspend,
        world.system.resume,
        world.system.kill,
        world.system.trace,
        world.system.dump,
        world.system.ref,
        world.system.restart,
    ):
        with pytest.raises(NoSuchActor, match="'ghost'"):
            order("ghost")
    assert world.system.dump("root")["kind"] == "supervisor"
    await world.down()


@simulated
async def test_a_listener_that_fails_does_not_stop_the_tree() -> None:
    world = World()

    def fails(event: object) -> None:
        raise RuntimeError("a listener's bug")

    world.system.journal._on_event = fails
    await world.up(world.probes("a"))
    before = await world.who("a")
    world.system.tell("a", Crash())
    assert await world.who("a") != before
    await world.down()


@simulated
async def test_an_actors_log_carries_its_path_and_its_account() -> None:
    lines: list[dict[str, Any]] = []
    sink = logger.add(lambda line: lines.append(line.record["extra"]), filter=_hello)
    try:
        world = World()
        bybit = nested("bybit", world.probes("exchange"))
        await world.up([nested("accounts", [bybit]), *world.probes("ledger")])
        for path in ("ledger", "accounts/bybit/exchange"):
            life = world.system.cells[path].life
            assert life is not None
            assert isinstance(life.actor, Probe)
            life.actor.log.info("hello")
        await world.down()
    finally:
        logger.remove(sink)
    assert lines == [
        {"actor": "ledger"},
        {"actor": "accounts/bybit/exchange", "account": "bybit"},
    ]


def _hello(record: Any) -> bool:
    return bool(record["message"] == "hello")


class Told(msgspec.Struct, frozen=True):
    """A message that holds a whole read."""

    positions: tuple[Note, ...]
    by_name: dict[str, int]


class Listener(Actor[None]):
    def __init__(self) -> None:
        super().__init__(None)

    @handles
    def told(self, message: Told) -> None:
        """Only what dumps show of it matters."""


@simulated
async def test_a_message_that_holds_a_whole_read_is_dumped_as_its_summary() -> None:
    world = await World().up([ChildSpec("a", Listener)])
    notes = tuple(Note(f"position {number}") for number in range(2000))
    by_name = {f"C{number}": number for number in range(300)}
    world.system.tell("a", Told(positions=notes, by_name=by_name))
    await until(lambda: world.system.dump("a")["handled"] == 1)
    (recent,) = world.system.dump("a")["recent"]
    shown = recent["message"]["positions"]
    assert shown[0] == {"text": "position 0"}
    assert shown[-1] == "… (2000 items)"
    assert len(shown) < 10
    assert recent["message"]["by_name"]["…"] == "300 items"
    assert len(json.dumps(recent)) < 1000
    await world.down()


@simulated
async def test_a_whole_dump_is_made_in_parts_between_which_others_run() -> None:
    world = World()
    await world.up(world.probes(*(f"a{number}" for number in range(1500))))
    turns, over = 0, False

    async def others() -> None:
        nonlocal turns
        while not over:
            await asyncio.sleep(0)
            turns += 1

    watching = asyncio.create_task(others())
    dump = await world.system.dump_in_parts()
    tree = await world.system.tree_in_parts()
    over = True
    await watching
    assert turns > 2
    paths = [node.path for node in world.system.tree()]
    assert [node.path for node in tree] == paths
    plain = json.loads(msgspec.json.encode(dump))
    assert [actor["path"] for actor in plain["actors"]] == paths
    assert plain.keys() == world.system.dump().keys()
    await world.down()
