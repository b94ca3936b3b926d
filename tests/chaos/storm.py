"""A storm over the real thing: guards, exchange and PostgreSQL, each a process of its own.

A bot trades while guard, database and exchange are killed, frozen, cut, restarted and filled up on
a schedule from a seed; two troubles may meet. Left to others: the processes (`storm_world.py`,
`venue_process.py`), what must hold afterwards (`invariants.py`), and for how long it blows.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from console.cli.exit_codes import ExitCode
from console.control.client import CommandRefusedError, NoServiceError, call
from console.control.protocol import Kill, Restart
from messages.ledger import RowStatus
from messages.settings import Mode
from simulator.faults import Fault, FaultKind
from storage import Ledger, open_ledger
from tests.chaos.bot import Bot, patiently
from tests.chaos.hand import Hand
from tests.chaos.invariants import Facts, broken_by, read_log
from tests.chaos.record import read_record
from tests.chaos.small_disk import SmallDisk
from tests.chaos.storm_world import (
    ACCOUNTS,
    BINANCE,
    BYBIT,
    WATCHED,
    Guard,
    storm_settings,
)
from tests.chaos.venue_process import VenueProcess, now
from tests.storage.postgres import Server

CALM = 60.0
"""Seconds after the storm within which everything must have come to rest."""

OTHERS_WORK = 15.0
"""Seconds by which one account's leg may be closed later while the other account hangs."""

BROWN = (
    FaultKind.STATUS,
    FaultKind.DROP_AFTER,
    FaultKind.DROP_BEFORE,
    FaultKind.TRUNCATED,
    FaultKind.EMPTY_BODY,
    FaultKind.HTML,
    FaultKind.MISSING_LIST,
    FaultKind.DELAY_REPLY,
)
ACTORS = (
    "alerts",
    "ledger",
    "keeper",
    *(
        f"accounts/{name}/{actor}"
        for name in (BYBIT, BINANCE)
        for actor in ("exchange", "stream", "orphans", "reconciliation", "aged", "aged/scan")
    ),
)


class Storm:
    """One run. `broken` lists what did not hold, `story` what happened when."""

    def __init__(
        self,
        venue: VenueProcess,
        database: Server | SmallDisk,
        guard: Guard,
        watcher: Guard,
        ledger: Ledger,
        watched: Ledger,
        hand: Hand,
        seed: int,
    ) -> None:
        self.story: list[str] = []
        self.broken: list[str] = []
        self.troubles: Counter[str] = Counter()
        self.figures: Counter[str] = Counter()
        self.bot = Bot(hand, ledger, watched, random.Random(f"bot {seed}"), self._tell)
        self.guard = guard
        self.watcher = watcher
        self._venue = venue
        self._database = database
        self._ledger = ledger
        self._watched = watched
        self._hand = hand
        self._rng = random.Random(seed)
        self._guards_left_alone = asyncio.Lock()

    # --- the run --------------------------------------------------------------------------------

    async def blow(self, seconds: float) -> None:
        """Trade and make trouble for so long."""
        await self.bot.prepare_the_watched_account()
        self.guard.start()
        self.watcher.start()
        end = asyncio.get_running_loop().time() + seconds
        outside = (
            self._leave_port,
            self._freeze_venue,
            self._cut_streams,
            self._brown_out,
            self._hang_one_account,
            *self._database_troubles(),
        )
        inside = (
            self._kill_guard,
            self._freeze_guard,
            self._kill_actor,
            self._restart_actor,
            self._kill_watcher,
        )
        async with asyncio.TaskGroup() as blowing:
            blowing.create_task(self.bot.trade(end))
            blowing.create_task(self._make(outside, end, random.Random(self._rng.random())))
            blowing.create_task(self._make(inside, end, random.Random(self._rng.random())))
        await self._hand.clear()

    async def calm_down(self) -> None:
        """Wait until venue and ledger agree and no order is in doubt; then judge the record."""
        self._tell("the storm is over")
        deadline = asyncio.get_running_loop().time() + CALM
        while (restless := await self.bot.restless()) is not None:
            self._revive()
            if asyncio.get_running_loop().time() > deadline:
                self.broken.append(f"not at rest after {CALM:g} s: {restless}")
                break
            await asyncio.sleep(0.2)
        for guard in (self.guard, self.watcher):
            if not await asyncio.to_thread(guard.stop):
                self.broken.append(f"{guard.name} does not stop on SIGTERM")
        outages = sum(self.troubles[each.__name__.strip("_")] for each in self._database_troubles())
        may_end = {ExitCode.NO_LEDGER} if outages else set()
        for guard, expected in ((self.guard, may_end), (self.watcher, set())):
            for code in guard.ended_with:
                if code not in expected:
                    self.broken.append(f"{guard.name} ended by itself, with exit code {code}")
        facts = await self._facts()
        self.broken += broken_by(facts)
        self._count(facts)

    def report(self) -> str:
        return "\n".join([*self.story, *self.broken])

    async def _make(
        self,
        troubles: Sequence[Callable[[], Awaitable[None]]],
        end: float,
        rng: random.Random,
    ) -> None:
        """Each sort once in a drawn order, then again in another: a short storm has them all."""
        loop = asyncio.get_running_loop()
        while loop.time() < end:
            for trouble in rng.sample(troubles, len(troubles)):
                if loop.time() >= end:
                    break
                name = getattr(trouble, "__name__", "").strip("_")
                self.troubles[name] += 1
                self._tell(name)
                await trouble()
                self._tell(f"{name} is over")
                await asyncio.sleep(rng.uniform(0.2, 1.0))

    # --- trouble outside of the guard -----------------------------------------------------------

    async def _leave_port(self) -> None:
        async with self._hand.port:
            await asyncio.to_thread(self._venue.leave_port)
            await asyncio.sleep(self._rng.uniform(0.1, 1.5))
            await asyncio.to_thread(self._venue.return_to_port)

    async def _freeze_venue(self) -> None:
        self._venue.freeze()
        await asyncio.sleep(self._rng.uniform(0.3, 2))
        self._venue.thaw()

    async def _cut_streams(self) -> None:
        await self._hand.order(Fault(kind=FaultKind.CUT_STREAM))

    async def _brown_out(self) -> None:
        for kind in self._rng.sample(BROWN, 3):
            await self._hand.order(Fault(kind=kind, count=None, probability=0.3, seconds=1.0))
        await asyncio.sleep(self._rng.uniform(1, 2.5))
        await self._hand.clear()

    async def _hang_one_account(self) -> None:
        """Nothing that Binance's account asks is answered; a leg at Bybit must be closed all the
        same. Guards are left alone meanwhile, so that nothing else explains a delay. (The other
        way round Binance's request limit would: a close costs two seconds of it.)
        """
        async with self._guards_left_alone:
            self._revive()
            undisturbed = await self._seconds_to_close(CALM)
            if undisturbed is None:
                return
            hang = Fault(kind=FaultKind.DELAY, account=BINANCE, count=None, seconds=120.0)
            await self._hand.order(hang)
            limit = OTHERS_WORK + 2 * undisturbed
            if await self._seconds_to_close(limit) is None:
                self.broken.append(
                    f"6: a leg of {BYBIT} is not closed within {limit:.0f} s while {BINANCE} hangs,"
                    f" and took {undisturbed:.1f} s before"
                )
            await self._hand.clear()

    async def _seconds_to_close(self, limit: float) -> float | None:
        """How long it takes until a leg at Bybit that is due is closed. None: not within `limit`.

        Where every leg has been traded already it takes no time.
        """
        loop = asyncio.get_running_loop()
        row_id = await self.bot.due_at(BYBIT)
        begun = loop.time()
        while row_id is not None and loop.time() - begun < limit:
            row = await patiently(partial(self._ledger.row, row_id))
            if row is not None and row.status == RowStatus.CLOSED:
                return loop.time() - begun
            self._revive()
            await asyncio.sleep(0.1)
        return 0.0 if row_id is None else None

    def _database_troubles(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        if isinstance(self._database, SmallDisk):
            return (self._fill_disk,)
        return self._halt_database, self._freeze_database

    async def _fill_disk(self) -> None:
        assert isinstance(self._database, SmallDisk)
        await asyncio.to_thread(self._database.fill)
        await asyncio.sleep(self._rng.uniform(1, 3))
        self._database.empty()

    async def _halt_database(self) -> None:
        assert isinstance(self._database, Server)
        await asyncio.to_thread(self._database.halt)
        await asyncio.sleep(self._rng.uniform(0.1, 2))
        await asyncio.to_thread(self._database.start)

    async def _freeze_database(self) -> None:
        assert isinstance(self._database, Server)
        self._database.freeze()
        await asyncio.sleep(self._rng.uniform(0.5, 2))
        self._database.thaw()

    # --- trouble with the guards themselves -----------------------------------------------------

    async def _kill_guard(self) -> None:
        async with self._guards_left_alone:
            await asyncio.to_thread(self.guard.kill)

    async def _kill_watcher(self) -> None:
        await asyncio.to_thread(self.watcher.kill)

    async def _freeze_guard(self) -> None:
        async with self._guards_left_alone:
            self.guard.signal(signal.SIGSTOP)
            await asyncio.sleep(self._rng.uniform(0.5, 3))
            self.guard.signal(signal.SIGCONT)

    async def _kill_actor(self) -> None:
        async with self._guards_left_alone:
            await self._command(Kill(path=self._rng.choice(ACTORS)))

    async def _restart_actor(self) -> None:
        async with self._guards_left_alone:
            await self._command(Restart(path=self._rng.choice(ACTORS)))

    async def _command(self, command: Kill | Restart) -> None:
        """An operator's order to the running guard, if it hears and if the actor is there."""
        socket = self.guard.settings.control.socket
        try:
            await asyncio.to_thread(call, socket, command, timeout=10.0)
        except (NoServiceError, CommandRefusedError) as why:
            self._tell(f"{command} was not carried out: {why}")
        else:
            self.figures[f"actors {type(command).__name__.lower()}ed"] += 1

    def _revive(self) -> None:
        for guard in (self.guard, self.watcher):
            if guard.revive():
                self._tell(f"{guard.name} had ended by itself, and is started again")

    # --- afterwards -----------------------------------------------------------------------------

    async def _facts(self) -> Facts:
        logs = [read_log(each.settings.data_dir) for each in (self.guard, self.watcher)]
        return Facts(
            record=read_record(self._venue.record),
            trades=self.bot.trades,
            watched_rows=self.bot.watched_rows,
            rows=await patiently(lambda: self._ledger.rows(limit=10_000)),
            intents=await patiently(self._ledger.intents),
            events=await patiently(lambda: self._ledger.events(limit=100_000)),
            alerts=await patiently(lambda: self._ledger.alerts(limit=10_000)),
            watched_rows_now=await patiently(self._watched.active_rows),
            watched_alerts=await patiently(lambda: self._watched.alerts(limit=10_000)),
            log=logs[0],
            watched_log=logs[1],
        )

    def _count(self, facts: Facts) -> None:
        self.figures.update(
            {
                "starts of a guard": self.guard.starts + self.watcher.starts,
                "requests": len(facts.record.requests),
                "orders": len({it.order_id for it in facts.record.orders if it.ours}),
                "rows closed": sum(row.status == RowStatus.CLOSED for row in facts.rows),
                "events": len(facts.events),
                "alerts": len(facts.alerts),
                "dead letters": sum("dead letter" in line.message for line in facts.log),
            }
        )

    def _tell(self, text: str) -> None:
        self.story.append(f"{now():%H:%M:%S.%f} {text}")


@asynccontextmanager
async def storm(
    folder: Path, database: Server | SmallDisk, url: str, seed: int
) -> AsyncIterator[Storm]:
    """A storm about to blow; whatever it started is ended afterwards.

    `url` is the ledger of the guard that acts. On a small disk its logs lie beside it.
    """
    venue = VenueProcess(folder, ACCOUNTS, seed)
    venue.start()
    async with AsyncExitStack() as opened:
        opened.callback(venue.stop)
        home = database.folder if isinstance(database, SmallDisk) else folder / "guard"
        home.mkdir(exist_ok=True)
        apart = folder / "watcher"
        apart.mkdir()
        there = (venue.connect, venue.ca_file)
        acting = partial(storm_settings, home, *there, url, Mode.ENFORCE, (BYBIT, BINANCE))
        observed = f"sqlite:///{apart}/sexton.db"
        observing = partial(storm_settings, apart, *there, observed, Mode.OBSERVE, (WATCHED,))
        guard, watcher = Guard("the guard", acting), Guard("the observing guard", observing)
        opened.callback(guard.stop)
        opened.callback(watcher.stop)
        ledger = await opened.enter_async_context(await open_ledger(url, now=now))
        watched = await opened.enter_async_context(await open_ledger(observed, now=now))
        hand = await opened.enter_async_context(Hand(venue))
        yield Storm(venue, database, guard, watcher, ledger, watched, hand, seed)
