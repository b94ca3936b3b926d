"""What happens to the guard itself: its actors, its process, its database, its clock.

Left to others: what the world outside does (`venue_troubles.py`, `market_troubles.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from actors import paths
from actors.aged_scan import Scan
from actors.runtime import NoSuchActor, Reason
from simulator import Fault, FaultKind
from tests.simulation.scene import SYMBOLS, Trade
from tests.simulation.trouble import Maker, Trouble
from tests.simulation.venue_troubles import LONGEST, VenueTroubles

SHORT_LEASE = timedelta(minutes=1)
"""Leases no longer than this can run out while a guard is paused."""


class GuardTroubles(Trouble):
    """`probe` sends a message that must arrive; `venue` orders the faults of a broken close."""

    probe: Callable[[], None]
    venue: VenueTroubles

    def makers(self) -> list[Maker]:
        mine: list[Maker] = [
            (5, self.a_close_broken_off),
            (4, self.actor_killed),
            (4, self.actor_crashed),
        ]
        if len(self.accounts) > 1:
            # Whatever befalls the whole process troubles every account.
            mine += [
                (3, self.process_killed),
                (1, self.process_restarted),
                (3, self.database_away),
                (2, self.clock_jump),
            ]
            if self.world.settings.storage.lease <= SHORT_LEASE:
                mine.append((6, self.guard_paused))
        return mine

    async def a_close_broken_off(self) -> None:
        """An order is slow or its reply is lost, and its sender dies while it is out."""
        world = self.world
        await world.writable()
        account = self.account()
        kind = self.rng.choice((FaultKind.DELAY, FaultKind.DROP_AFTER))
        self.venue.order(
            Fault(kind=kind, endpoint="order.create", account=account, seconds=LONGEST)
        )
        taken = {(t.key.account, t.key.symbol) for t in self.trades}
        free = [s for s in SYMBOLS if (account, s) not in taken]
        if free:
            symbol = self.rng.choice(free)
            trade = world.open(account, symbol, self.side(), hours=40.0)
            self.trades.append(trade)
            if self.rng.random() < 0.3:
                self._thin(trade)
        if world.process is not None:
            world.system.tell(f"{paths.aged(account)}/scan", Scan())
        for _ in range(30):
            await asyncio.sleep(0.5)
            if world.process is None or world.watch.open_ids(account):
                break
        else:
            return
        await asyncio.sleep(self.rng.uniform(0.0, 3.0))
        chance = self.rng.random()
        if chance < 0.4 and len(self.accounts) > 1:
            await self.process_killed()
        elif world.process is not None:
            await self._end(paths.exchange(account), crash=chance > 0.7)

    def _thin(self, trade: Trade) -> None:
        """The book takes two thirds of a trade at once, in whole steps."""
        market = self.world.market
        exchange = market.accounts[trade.key.account].exchange
        step = market.listing(exchange, trade.key.symbol).instrument.quantity_step
        market.set_book_depth(exchange, trade.key.symbol, trade.quantity * 2 // (3 * step) * step)

    async def actor_killed(self) -> None:
        await self._end_one(crash=False)

    async def actor_crashed(self) -> None:
        """An exception, at whatever await the actor's handler has come to."""
        await self._end_one(crash=True)

    async def _end_one(self, *, crash: bool) -> None:
        if self.world.process is None:
            return
        actors = {node.path: node for node in self.world.system.tree()}
        able = [
            path
            for path in actors
            if path
            and path != "sexton"
            and (len(self.accounts) > 1 or f"/{self.accounts[0]}/" in path)
        ]
        if crash:
            able = [path for path in able if self.world.life_of(path) is not None]
        if able:
            for _ in range(4):
                self.probe()  # so that its mailbox is not empty
            await asyncio.sleep(self.rng.choice((0.0, 0.0, 0.001, 0.02, 0.2)))
            busy = [path for path in able if path in (paths.ALERTS, paths.LEDGER)]
            pool = busy if busy and self.rng.random() < 0.2 else able
            await self._end(self.rng.choice(pool), crash=crash)

    async def _end(self, path: str, *, crash: bool) -> None:
        world = self.world
        life = world.life_of(path)
        if crash and life is not None:
            world.tell(f"an exception goes off in {path}")
            # A cancellation that is taken back reaches the handler as an error of its own.
            life.task.cancel()
            life.task.uncancel()
            world.happened["actor crashed"] += 1
            await asyncio.sleep(0.1)
            crashed = life.end is not None and life.end.reason is Reason.CRASHED
            if crashed and not any(crash.startswith(f"{path} by ") for crash in world.crashes):
                world.watch.break_(f"7: {path} has crashed, and its crash is not on record")
            return
        try:
            world.system.kill(path)
        except NoSuchActor:
            world.tell(f"{path} was to be killed, and was gone by then")
        else:
            world.tell(f"kill {path}")
            world.happened["actor killed"] += 1
            world.ended.append(path)

    async def process_killed(self) -> None:
        await self.world.kill_guard()
        await asyncio.sleep(self.rng.uniform(0.0, 25.0))
        await self.world.start_guard()
        self.world.happened["process killed"] += 1

    async def guard_paused(self) -> None:
        """The process is stopped by SIGSTOP, another guard starts, and later both run for a while.

        In the end one of them is killed.
        """
        world = self.world
        first = world.process
        assert first is not None
        await world.writable()  # a process that holds the file's lock would stop everybody
        first.disk.pause()
        world.tell(f"{first.name} is paused")
        await asyncio.sleep(self.rng.uniform(0.0, 10.0))
        second = await world.start_second()
        world.happened["guard paused"] += 1
        lease = world.settings.storage.lease.total_seconds()
        await asyncio.sleep(self.rng.uniform(0.0, lease * 2.5))
        place = self.free_place()
        if place is not None:
            await world.writable()
            self.trades.append(world.open(*place, self.side(), hours=40.0))
        first.disk.resume()
        world.tell(f"{first.name} goes on")
        for account in self.accounts:
            first.system.tell(f"{paths.aged(account)}/scan", Scan())
        await asyncio.sleep(self.rng.uniform(0.0, 20.0))
        doomed, world.process = self.rng.choice(((first, second), (second, first)))
        await world.kill_one(doomed)

    async def process_restarted(self) -> None:
        await self.world.stop_guard()
        await self.world.start_guard()
        self.world.happened["process restarted"] += 1

    async def database_away(self) -> None:
        process = self.world.process
        assert process is not None
        self.world.tell("the database fails")
        before = process.disk.refused
        process.disk.outage = "disk I/O error"
        await asyncio.sleep(self.rng.uniform(0.5, 20.0))
        process.disk.outage = ""
        self.world.tell("the database is back")
        self.world.happened["database away"] += process.disk.refused > before

    async def clock_jump(self) -> None:
        self.world.clock.off = timedelta(seconds=self.rng.uniform(-20.0, 20.0))
        self.world.tell(f"the machine's clock jumps: {self.world.clock.off} off")
        self.world.happened["clock jump"] += 1
