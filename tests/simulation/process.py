"""The guard as a process in a simulated world: its disk, its venues, its start, its end.

Left to others: the world that it runs in (`world.py`), and how hints travel (`stream.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING

import detangle

from actors.runtime import System
from actors.tree import guard_tree
from messages.venue import (
    Hint,
    OrderRequest,
    OutcomeUnknown,
    Placement,
    Refused,
    VenueError,
    VenueErrorKind,
)
from simulator import MemoryVenue
from storage import Ledger, open_ledger
from tests.simulation.sqlite_on_loop import Disk, disk_of_process
from tests.simulation.stream import carried

if TYPE_CHECKING:
    from tests.simulation.world import World

REPLY_TIMEOUT = 4.0
"""Seconds after which the guard's client gives a request up."""


ARRIVAL = 14.0
"""Seconds after which a venue takes an order no more: its receive window, and the margin for it."""

_placing: ContextVar[bool] = ContextVar("placing", default=False)


class TooOld(Exception):
    """The order was held up for so long that the venue will not take it."""


class GatewayBug(Exception):
    """What no venue may raise: a programming error in the gateway."""


class SimVenue(MemoryVenue):
    """One account of the market. An order on its way arrives even if its sender dies."""

    def __init__(self, world: World, name: str, process: Process) -> None:
        super().__init__(
            world.market,
            name,
            now=world.clock,
            latency=partial(process.latency, name),
            faults=world.faults,
            log=world.requests,
            timeout=REPLY_TIMEOUT,
        )
        self._world = world
        self._process = process

    async def place(self, order: OrderRequest) -> Placement:
        flying = asyncio.ensure_future(self._arrive(order))
        # Where its sender has died nobody looks at how it ended.
        flying.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(flying)

    async def _arrive(self, order: OrderRequest) -> Placement:
        _placing.set(True)
        try:
            return await self._placed(order)
        except TooOld as why:
            return OutcomeUnknown(error=VenueError(kind=VenueErrorKind.NETWORK, message=str(why)))

    async def _placed(self, order: OrderRequest) -> Placement:
        world = self._world
        world.watch.on_send(order.key, order.client_order_id, self._process.name)
        if world.to_double[self.account]:
            # Something on the way sends the request a second time, and returns that answer.
            world.to_double[self.account] -= 1
            world.watch.doubled.add(order.client_order_id)
            world.happened["request twice"] += 1
            first, second = await super().place(order), await super().place(order)
            refused = isinstance(second, Refused) and not _duplicate(second)
            # A refusal of the second copy says nothing of the first, which may have been taken.
            return first if refused and not isinstance(first, Refused) else second
        return await super().place(order)

    async def watch(
        self, on_hint: Callable[[Hint], None], on_connected: Callable[[], None]
    ) -> VenueError:
        await self._process.latency(self.account)
        market_stream = super().watch
        return await carried(
            self._world.lines[self.account],
            lambda hear, up: asyncio.ensure_future(market_stream(hear, up)),
            on_hint,
            on_connected,
        )


def _duplicate(refused: Refused) -> bool:
    return refused.error.kind is VenueErrorKind.DUPLICATE_ID


class Process:
    """One life of the guard, from its start to its end or its `kill -9`."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.disk = Disk()
        self._world = world
        self.system = System(
            now=world.clock, seed=world.seed, on_event=world.on_event, slow_handler=3600.0
        )
        self.ledger: Ledger | None = None

    async def run(self) -> None:
        """Open the ledger and start the tree."""
        disk_of_process.set(self.disk)
        world = self._world
        ledger = await open_ledger(world.settings.storage.url, now=world.clock)
        self.ledger = ledger
        await self.system.start(
            guard_tree(
                world.settings,
                ledger=ledger,
                venues={name: SimVenue(world, name, self) for name in world.market.accounts},
                holder=self.name,
                deliver=world.deliver,
            )
        )

    async def latency(self, account: str) -> None:
        """The way to a venue or back. Raises GatewayBug where one is on order."""
        if self.disk.dead:
            await asyncio.get_running_loop().create_future()
        if self.disk.paused:
            await self._resumed()
        await asyncio.sleep(detangle.uniform(0.01, 0.2, steps=8))
        world = self._world
        if world.bugs[account]:
            world.bugs[account] -= 1
            world.happened["gateway bug"] += 1
            raise GatewayBug(f"ordered by the simulation, for {account}")

    async def _resumed(self) -> None:
        """Wait until the process runs again. Raises TooOld for an order that it held up."""
        begun = detangle.now()
        going_on: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def go_on() -> None:
            if not going_on.done():
                going_on.set_result(None)

        self.disk.hold(go_on)
        await going_on
        if _placing.get() and detangle.now() - begun > ARRIVAL:
            raise TooOld("the request was signed too long ago")

    async def stop(self) -> None:
        """The orderly end."""
        await self.system.stop()
        if self.ledger is not None:
            await self.ledger.close()

    async def kill(self) -> None:
        """The end by `kill -9`: nothing of it has any effect from now on."""
        self.disk.die()
        if self.ledger is not None:
            # The system closes a dead process's files, and with them its proof of life.
            self.ledger._proofs.close()
        detangle.network().crash(self.name)
        await self.system.stop()
