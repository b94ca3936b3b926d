"""Pykka's own interface: references, futures, proxies and the registry, from other threads.

Real threads and a real loop: that is what this interface is for.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import msgspec
import pykka
import pytest

from actors.runtime import Actor, BlockingOnLoop, ChildSpec, Restart, System, handles
from actors.runtime.pykka_adapter import Future
from messages.base import Request
from tests.runtime.kit import root, until

T = TypeVar("T")


class Add(Request[int], frozen=True):
    number: int


class SumState(msgspec.Struct):
    total: int = 0


class Summer(Actor[SumState]):
    """Used by messages and, as pykka's actors are, by its methods and attributes."""

    def __init__(self, start: int = 0) -> None:
        super().__init__(SumState(start))
        self.unit = "BTC"

    @handles
    def add(self, message: Add) -> int:
        self.state.total += message.number
        return self.state.total

    def double(self) -> int:
        self.state.total *= 2
        return self.state.total

    async def double_slowly(self) -> int:
        await asyncio.sleep(0)
        return self.double()

    def fail(self) -> None:
        raise LookupError("no such sum")


class Running:
    """A system on a loop in a thread of its own, for a test that is not on it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.system = System()
        specs = [ChildSpec("a", Summer), ChildSpec("b", Summer, Restart.TEMPORARY)]
        self.on_loop(self.system.start(root(specs)))

    def on_loop(self, job: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(job, self.loop).result(30.0)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        self.on_loop(until(condition, within=30.0))

    def close(self) -> None:
        self.on_loop(self.system.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(30.0)
        self.loop.close()


@pytest.fixture
def running() -> Iterator[Running]:
    there = Running()
    yield there
    there.close()


def test_tell_and_ask_work_from_another_thread(running: Running) -> None:
    ref = running.system.ref("a")
    ref.tell(Add(1))
    assert ref.ask(Add(2), timeout=30.0) == 3
    assert ref.ask(Add(2), block=False).get(timeout=30.0) == 5


def test_a_proxy_calls_methods_and_reads_and_sets_attributes(running: Running) -> None:
    proxy = running.system.ref("a").proxy()
    running.system.ref("a").tell(Add(3))
    assert proxy.double().get(timeout=30.0) == 6
    assert proxy.double_slowly().get(timeout=30.0) == 12
    assert proxy.unit.get(timeout=30.0) == "BTC"
    proxy.unit = "ETH"
    assert proxy.unit.get(timeout=30.0) == "ETH"
    proxy.double.defer()
    assert proxy.state.get(timeout=30.0).total == 24


def test_an_error_reaches_the_asker_as_itself_and_the_actor_is_restarted(running: Running) -> None:
    old = running.system.ref("a")
    with pytest.raises(LookupError, match="no such sum"):
        old.proxy().fail().get(timeout=30.0)
    running.wait_until(lambda: running.system.tree()[1].restarts == 1)
    assert not old.is_alive()
    with pytest.raises(pykka.ActorDeadError):
        old.ask(Add(1), timeout=30.0)
    with pytest.raises(pykka.ActorDeadError):
        old.tell(Add(1))
    assert running.system.ref("a").ask(Add(1), timeout=30.0) == 1


def test_a_stop_through_a_reference_is_a_normal_end(running: Running) -> None:
    permanent, temporary = running.system.ref("a"), running.system.ref("b")
    assert permanent.stop(timeout=30.0) is True
    assert temporary.stop(timeout=30.0) is True
    running.wait_until(lambda: [node.path for node in running.system.tree()] == ["", "a"])
    assert temporary.stop(timeout=30.0) is False
    assert running.system.ref("a").is_alive()


def test_what_nobody_handles_is_an_error_for_the_asker(running: Running) -> None:
    with pytest.raises(Exception, match="no handler for it; it takes Add"):
        running.system.ref("a").ask("what is this", timeout=30.0)


def test_the_registry_knows_every_running_actor_and_no_dead_one(running: Running) -> None:
    registry: Any = pykka.ActorRegistry
    ours = registry.get_by_class(Summer)
    assert [ref.ask(Add(1), timeout=30.0) for ref in ours] == [1, 1]
    assert len(registry.get_by_class_name("Summer")) == 2
    ref = running.system.ref("b")
    assert registry.get_by_urn(ref.actor_urn) is ref
    registry.broadcast(Add(10), Summer)
    assert ref.ask(Add(0), timeout=30.0) == 11
    ref.stop(timeout=30.0)
    running.wait_until(lambda: len(running.system.tree()) == 2)
    assert registry.get_by_urn(ref.actor_urn) is None
    assert len(registry.get_by_class(Summer)) == 1


def test_stock_actors_stay_in_the_registry_beside_ours(running: Running) -> None:
    class Stock(pykka.ThreadingActor):
        pass

    ref = Stock.start()
    try:
        assert ref in pykka.ActorRegistry.get_all()
        assert running.system.ref("a") in pykka.ActorRegistry.get_all()
    finally:
        ref.stop(timeout=30.0)
    assert ref not in pykka.ActorRegistry.get_all()


def test_start_as_in_pykka_runs_an_actor_that_nobody_supervises(running: Running) -> None:
    ref = Summer.start(40)
    assert ref.ask(Add(2), timeout=30.0) == 42
    assert any(node.path == ref.actor_urn for node in running.system.tree())
    ref.stop(timeout=30.0)
    running.wait_until(lambda: len(running.system.tree()) == 3)
    assert not ref.is_alive()


def test_start_without_a_running_system_says_what_is_missing() -> None:
    with pytest.raises(RuntimeError, match="start a System first"):
        Summer.start()


def test_a_blocking_get_on_the_loops_own_thread_raises_at_once_with_the_way_out() -> None:
    async def main() -> None:
        system = System()
        await system.start(root([ChildSpec("a", Summer)]))
        ref = system.ref("a")
        with pytest.raises(BlockingOnLoop, match="await future"):
            ref.ask(Add(1))
        with pytest.raises(BlockingOnLoop):
            ref.proxy().unit = "ETH"
        future = ref.ask(Add(1), block=False)
        with pytest.raises(BlockingOnLoop):
            future.get(timeout=1.0)
        assert await future == 2
        assert future.get() == 2
        assert await ref.stop(block=False) is True
        await system.stop()

    asyncio.run(main())


def test_futures_can_be_mapped_filtered_joined_and_reduced_and_then_awaited() -> None:
    async def main() -> None:
        first: Future[Any] = Future()
        second: Future[Any] = Future()
        mapped = first.map(lambda items: [item * 10 for item in items])
        chosen = first.filter(lambda item: item > 1)
        summed = first.reduce(lambda x, y: x + y, 100)
        joined = first.join(second)
        loop = asyncio.get_running_loop()
        loop.call_later(0.001, first.set, [1, 2, 3])
        loop.call_later(0.002, second.set, "b")
        assert await mapped == [10, 20, 30]
        assert await chosen == [2, 3]
        assert await summed == 106
        assert await joined == [[1, 2, 3], "b"]
        assert mapped.get() == [10, 20, 30]

    asyncio.run(main())


def test_a_future_is_set_once_and_times_out_for_who_waits_in_vain() -> None:
    future: Future[int] = Future()
    with pytest.raises(pykka.Timeout):
        future.get(timeout=0.001)
    future.set(1)
    with pytest.raises(RuntimeError, match="has its value already"):
        future.set(2)
    assert pykka.get_all([future, future]) == [1, 1]
    failed: Future[int] = Future()
    try:
        raise LookupError("kept")
    except LookupError:
        failed.set_exception()
    with pytest.raises(LookupError, match="kept"):
        failed.get()


def test_an_awaited_future_does_not_block_the_loop_while_it_waits() -> None:
    async def main() -> None:
        future: Future[str] = Future()
        threading.Timer(0.02, lambda: future.set("from a thread")).start()
        turns = 0

        async def others() -> None:
            nonlocal turns
            while not future.done():
                turns += 1
                await asyncio.sleep(0)

        running = asyncio.create_task(others())
        assert await future == "from a thread"
        await running
        assert turns > 10

    asyncio.run(main())


def test_many_threads_ask_at_once_and_each_gets_its_own_answer(running: Running) -> None:
    ref = running.system.ref("a")
    totals: list[Any] = []

    def ask_often() -> None:
        for _ in range(50):
            totals.append(ref.ask(Add(1), timeout=30.0))

    threads = [threading.Thread(target=ask_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(totals) == list(range(1, 201))


def test_stop_all_of_the_registry_ends_every_actor_from_another_thread() -> None:
    there = Running()
    assert all(pykka.ActorRegistry.stop_all(timeout=30.0))
    there.wait_until(lambda: there.system._root is not None and there.system._root.life is None)
    assert pykka.ActorRegistry.get_by_class_name("Summer") == []
    there.close()
