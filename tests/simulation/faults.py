"""What goes wrong in a simulated world, when, and for how long: all drawn from the seed.

Each trouble is a small function that acts on the world once. Left to others: the world itself
(`world.py`), and whether the guard stood it (`invariants.py`).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import detangle

from actors.aged_scan import Scan
from actors.runtime import NoSuchActor
from messages.ledger import AlertDraft, AlertLevel, AlertType
from messages.requests import RaiseAlert
from messages.values import Side
from tests.simulation.world import SYMBOLS, Trade, World
from venues.simulator import Exchange, Fault, FaultKind

ENDPOINTS = (
    "positions",
    "order.create",
    "order.find",
    "order.cancel",
    "order.open",
    "fills",
    "ticker",
    "protection",
)
FAILING = (
    FaultKind.STATUS,
    FaultKind.EMPTY_BODY,
    FaultKind.HTML,
    FaultKind.TRUNCATED,
    FaultKind.MISSING_LIST,
    FaultKind.DROP_BEFORE,
    FaultKind.DROP_AFTER,
)
LYING = (FaultKind.EMPTY_LIST, FaultKind.SHORT_LIST, FaultKind.STALE)
CODES = {
    Exchange.BYBIT: ("10006", "110017", "170131", "10016", "110007"),
    Exchange.BINANCE: ("-2022", "-4118", "-1003", "-1001", "-2019"),
}

LONGEST = 14.0
"""Seconds that a request may be under way: below the guard's bound for arrivals."""

LIE_GAP = 60.0
"""Seconds between two lies about positions. Two in a row are evidence, by the design's own rule:
no guard can tell a venue that lies steadily from the truth."""


class Troubles:
    """Makes trouble in one world. `only` limits what concerns an account to that account."""

    def __init__(self, world: World, trades: list[Trade], *, only: str | None = None) -> None:
        self.world = world
        self.trades = trades
        self.rng = random.Random(world.seed * 7919 + 1)
        self.accounts = [only] if only else sorted(world.market.accounts)
        self.made: Counter[str] = Counter()
        self.probes: list[tuple[str, int]] = []
        self._lied_at = -LIE_GAP
        makers: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (6, self.failing_calls),
            (4, self.late_calls),
            (2, self.refusals),
            (2, self.a_lie),
            (3, self.by_hand),
            (2, self.an_orphan),
            (2, self.a_slow_open),
            (5, self.a_close_broken_off),
            (1, self.liquidation),
            (2, self.price_jump),
            (2, self.thin_book),
            (5, self.actor_killed),
        ]
        if only is None:
            makers += [
                (3, self.process_killed),
                (1, self.process_restarted),
                (2, self.database_away),
                (2, self.clock_jump),
            ]
        self._makers = [maker for weight, maker in makers for _ in range(weight)]

    async def make(self, seconds: float) -> None:
        """Trouble for so long, then none."""
        end = detangle.now() + seconds
        while detangle.now() < end:
            await asyncio.sleep(self.rng.uniform(0.0, 12.0))
            maker = self.rng.choice(self._makers)
            self.made[maker.__name__] += 1
            await maker()
            self._probe()
        await self.calm()

    async def calm(self) -> None:
        """End every trouble that lasts."""
        world = self.world
        world.faults.clear()
        world.market.set_fill_delay(timedelta(0))
        for name, symbol in [(a, s) for a in self.accounts for s in SYMBOLS]:
            world.market.set_book_depth(world.market.accounts[name].exchange, symbol, None)
        world.clock.off = timedelta(0)
        if world.process is None:
            await world.start_guard()
        assert world.process is not None
        world.process.disk.outage = ""
        world.tell("from here on nothing goes wrong")

    # --- the venue ------------------------------------------------------------------------------

    def _order(self, fault: Fault) -> None:
        late = (FaultKind.DELAY, "order.create")
        if (fault.kind, fault.endpoint) == late and any(
            (other.kind, other.endpoint) == late for other in self.world.faults.standing()
        ):
            return  # two delays add up, and a venue refuses what is older than its window
        self.world.tell(f"fault: {fault.kind} {fault.endpoint} of {fault.account} x{fault.count}")
        self.world.faults.order(fault)

    def _endpoint(self) -> str:
        return self.rng.choice((*ENDPOINTS, "order.create", "order.create", "order.find"))

    async def failing_calls(self) -> None:
        self._order(
            Fault(
                kind=self.rng.choice(FAILING),
                endpoint=self._endpoint(),
                account=self.rng.choice(self.accounts),
                count=self.rng.randint(1, 4),
                status=self.rng.choice((429, 500, 503)),
            )
        )

    async def late_calls(self) -> None:
        self._order(
            Fault(
                kind=self.rng.choice((FaultKind.DELAY, FaultKind.DELAY_REPLY)),
                endpoint=self._endpoint(),
                account=self.rng.choice(self.accounts),
                count=self.rng.randint(1, 3),
                seconds=self.rng.choice((1.0, LONGEST / 2, LONGEST)),
            )
        )

    async def a_close_broken_off(self) -> None:
        """An order is slow or its reply is lost, and its sender dies while it is out."""
        world = self.world
        await world.writable()
        account = self.rng.choice(self.accounts)
        kind = self.rng.choice((FaultKind.DELAY, FaultKind.DROP_AFTER))
        self._order(Fault(kind=kind, endpoint="order.create", account=account, seconds=LONGEST))
        taken = {(t.key.account, t.key.symbol) for t in self.trades}
        free = [s for s in SYMBOLS if (account, s) not in taken]
        if free:
            side, symbol = self.rng.choice(list(Side)), self.rng.choice(free)
            self.trades.append(world.open(account, symbol, side, hours=40.0))
        if world.process is not None:
            world.system.tell(f"accounts/{account}/aged/scan", Scan())
        for _ in range(30):
            await asyncio.sleep(0.5)
            if world.process is None or world.watch.open_intents(account):
                break
        else:
            return
        await asyncio.sleep(self.rng.uniform(0.0, 3.0))
        if self.rng.random() < 0.5 and len(self.accounts) > 1:
            await self.process_killed()
        elif world.process is not None:
            world.tell(f"kill the exchange actor of {account}")
            world.killed.append(f"accounts/{account}/exchange")
            self._kill(f"accounts/{account}/exchange")

    async def refusals(self) -> None:
        account = self.rng.choice(self.accounts)
        codes = CODES[self.world.market.accounts[account].exchange]
        self._order(
            Fault(
                kind=FaultKind.ERROR_CODE,
                endpoint="order.create",
                account=account,
                code=self.rng.choice(codes),
                count=1,
            )
        )

    async def a_lie(self) -> None:
        if detangle.now() - self._lied_at < LIE_GAP:
            return
        self._lied_at = detangle.now()
        self.world.watch.lies += 1
        self._order(
            Fault(
                kind=self.rng.choice(LYING),
                endpoint="positions",
                account=self.rng.choice(self.accounts),
                seconds=self.rng.uniform(1.0, 15.0),
            )
        )

    # --- the market -----------------------------------------------------------------------------

    def _open_trade(self) -> Trade | None:
        trades = [
            t for t in self.trades if t.key.account in self.accounts and self.world.held(t.key)
        ]
        return self.rng.choice(trades) if trades else None

    async def by_hand(self) -> None:
        trade = self._open_trade()
        if trade is not None:
            self.world.hand_closes(trade, self.rng.choice((Decimal(1), Decimal("0.5"))))

    async def liquidation(self) -> None:
        trade = self._open_trade()
        if trade is not None:
            self.world.liquidates(trade)

    async def an_orphan(self) -> None:
        account, symbol = self.rng.choice(self.accounts), self.rng.choice(SYMBOLS)
        taken = {(t.key.account, t.key.symbol) for t in self.trades}
        if (account, symbol) not in taken:
            side = self.rng.choice(list(Side))
            self.trades.append(self.world.open(account, symbol, side, row=False))

    async def a_slow_open(self) -> None:
        """The bot writes its row a few seconds before the venue has the position."""
        account, symbol = self.rng.choice(self.accounts), self.rng.choice(SYMBOLS)
        taken = {(t.key.account, t.key.symbol) for t in self.trades}
        if (account, symbol) not in taken:
            side, delay = self.rng.choice(list(Side)), self.rng.uniform(1.0, 12.0)
            self.trades.append(await self.world.open_slowly(account, symbol, side, delay))

    async def price_jump(self) -> None:
        symbol = self.rng.choice(SYMBOLS)
        listing = self.world.market.listing(Exchange.BYBIT, symbol)
        price = self.world.market.price(Exchange.BYBIT, symbol)
        jump = Decimal(self.rng.randint(-40, 40)) / 1000
        self.world.market.set_price(symbol, listing.to_tick(price * (1 + jump)))

    async def thin_book(self) -> None:
        account, symbol = self.rng.choice(self.accounts), self.rng.choice(SYMBOLS)
        exchange = self.world.market.accounts[account].exchange
        step = self.world.market.listing(exchange, symbol).instrument.quantity_step
        self.world.market.set_book_depth(exchange, symbol, step * self.rng.randint(1, 4))
        self.world.market.set_fill_delay(timedelta(seconds=self.rng.choice((0, 1, 6))))

    # --- the guard ------------------------------------------------------------------------------

    async def actor_killed(self) -> None:
        if self.world.process is None:
            return
        paths = [n.path for n in self.world.system.tree() if n.path and n.path != "sexton"]
        paths = [p for p in paths if len(self.accounts) > 1 or f"/{self.accounts[0]}/" in p]
        if paths:
            path = self.rng.choice(paths)
            self.world.tell(f"kill {path}")
            self.world.killed.append(path)
            for _ in range(4):
                self._probe()  # so that its mailbox is not empty
            await asyncio.sleep(self.rng.choice((0.0, 0.0, 0.001)))
            self._kill(path)

    def _kill(self, path: str) -> None:
        try:
            self.world.system.kill(path)
        except NoSuchActor:
            self.world.tell(f"{path} was gone by then")

    async def process_killed(self) -> None:
        await self.world.kill_guard()
        await asyncio.sleep(self.rng.uniform(0.0, 25.0))
        await self.world.start_guard()

    async def process_restarted(self) -> None:
        await self.world.stop_guard()
        await self.world.start_guard()

    async def database_away(self) -> None:
        process = self.world.process
        assert process is not None
        self.world.tell("the database fails")
        process.disk.outage = "disk I/O error"
        await asyncio.sleep(self.rng.uniform(0.5, 20.0))
        process.disk.outage = ""
        self.world.tell("the database is back")

    async def clock_jump(self) -> None:
        self.world.clock.off = timedelta(seconds=self.rng.uniform(-20.0, 20.0))
        self.world.tell(f"the guard's clock jumps: {self.world.clock.off} off")

    def _probe(self) -> None:
        """7: a message whose arrival can be seen: it must be stored, whatever happens."""
        if self.world.process is None:
            return
        number = len(self.probes) + 1
        self.probes.append((f"probe:{number}", self.world.lives))
        self.world.system.tell(
            "alerts",
            RaiseAlert(
                draft=AlertDraft(
                    type=AlertType.GUARD_DEGRADED,
                    level=AlertLevel.INFO,
                    dedup_key=f"probe:{number}",
                    title="a probe",
                    lasting=False,
                )
            ),
        )

    def lost_probes(self) -> list[str]:
        """Probes of the last life that are not stored; a kill may cost the one in hand each."""
        stored = {key for _, key, _ in self.world.alerts()}
        lost = [name for name, life in self.probes if life == self.world.lives]
        lost = [name for name in lost if name not in stored]
        # A kill of the tree's upper part takes the alerts actor, or what it asks, with it.
        excused = sum("/" not in path for path in self.world.killed) + len(self.world.crashes)
        return lost if len(lost) > excused else []
