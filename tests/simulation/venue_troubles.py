"""What goes wrong between guard and venue: calls, replies and streams.

Left to others: what people and prices do (`market_troubles.py`), and the guard's own troubles.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import detangle

from messages.values import ZERO, LegKey, Side
from messages.venue import Hint, OrderHint, OrderStatus, PositionHint
from simulator import Exchange, Fault, FaultKind
from tests.simulation.scene import SYMBOLS, true_now
from tests.simulation.trouble import Maker, Trouble

ENDPOINTS = (
    "positions",
    "fetch_position",
    "order.create",
    "order.create",
    "order.create",
    "order.find",
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
    FaultKind.TRUNCATED,
    FaultKind.MISSING_LIST,
    FaultKind.DROP_BEFORE,
    FaultKind.DROP_BEFORE,
    FaultKind.DROP_AFTER,
)
LYING = (FaultKind.EMPTY_LIST, FaultKind.SHORT_LIST, FaultKind.STALE)
TIMED = (FaultKind.DELAY, FaultKind.DELAY_REPLY, FaultKind.STALE)
CODES = {
    Exchange.BYBIT: ("10006", "110017", "170131", "10016", "110007"),
    Exchange.BINANCE: ("-2022", "-4118", "-1003", "-1001", "-2019"),
}

LONGEST = 14.0
"""Seconds that a request may be under way: below the guard's bound for arrivals."""

LIE_GAP = 60.0
"""Seconds between two lies about positions. Where the venue answers for one symbol truly, two
lies in a row do no harm; where it lies there as well, no guard can tell that from the truth."""


class VenueTroubles(Trouble):
    """Faults of the venue, and of the way there."""

    _lied_at = -LIE_GAP

    def makers(self) -> list[Maker]:
        return [
            (6, self.failing_calls),
            (4, self.late_calls),
            (5, self.refusals),
            (4, self.a_doubled_request),
            (2, self.a_lie),
            (2, self.a_lie_of_lists),
            (2, self.a_lie_elsewhere),
            (3, self.a_ghost_that_is_hard_to_judge),
            (2, self.a_gateway_bug),
            (6, self.hints_astray),
            (3, self.a_lying_hint),
            (3, self.streams_cut),
        ]

    def order(self, fault: Fault) -> None:
        """Put a fault on order, and in the story."""
        late = (FaultKind.DELAY, "order.create")
        if (fault.kind, fault.endpoint) == late and any(
            (other.kind, other.endpoint) == late for other in self.world.faults.standing()
        ):
            return  # two delays add up, and a venue refuses what is older than its window
        code = f" {fault.code}" if fault.code else ""
        wait = f" of {fault.seconds:.0f} s" if fault.kind in TIMED else ""
        target = f"{fault.endpoint} of {fault.account} x{fault.count}"
        self.world.tell(f"fault: {fault.kind}{code}{wait} for {target}")
        self.world.faults.order(fault)

    async def failing_calls(self) -> None:
        self.order(
            Fault(
                kind=self.rng.choice(FAILING),
                endpoint=self.rng.choice(ENDPOINTS),
                account=self.account(),
                count=self.rng.randint(1, 4),
                status=self.rng.choice((429, 500, 503)),
            )
        )

    async def late_calls(self) -> None:
        self.order(
            Fault(
                kind=self.rng.choice((FaultKind.DELAY, FaultKind.DELAY_REPLY)),
                endpoint=self.rng.choice(ENDPOINTS),
                account=self.account(),
                count=self.rng.randint(1, 3),
                seconds=self.rng.choice((1.0, 2.0, LONGEST / 2, LONGEST)),
            )
        )

    async def refusals(self) -> None:
        account = self.account()
        codes = CODES[self.world.market.accounts[account].exchange]
        self.order(
            Fault(
                kind=FaultKind.ERROR_CODE,
                endpoint="order.create",
                account=account,
                code=self.rng.choice(codes),
                count=1,
            )
        )

    async def a_doubled_request(self) -> None:
        """The next order request arrives twice. Only Bybit refuses an id that it has filled."""
        for account in self.accounts:
            if self.world.market.accounts[account].exchange is Exchange.BYBIT:
                self.world.to_double[account] = 1
                self.world.tell(f"the next order request of {account} will arrive twice")

    # --- lies -----------------------------------------------------------------------------------

    async def a_lie(self) -> None:
        """One read of positions, of all or of one symbol, is empty, short or old."""
        self._lie(count=1, endpoint="positions")

    async def a_lie_of_lists(self) -> None:
        """Several lists in a row leave legs out, and the read by symbol alone is true."""
        self._lie(count=self.rng.randint(2, 4), endpoint="fetch_positions")

    def _lie(self, *, count: int, endpoint: str) -> None:
        if detangle.now() - self._lied_at < LIE_GAP:
            return
        self._lied_at = detangle.now()
        self.world.watch.lies += count
        self.order(
            Fault(
                kind=self.rng.choice(LYING),
                endpoint=endpoint,
                account=self.account(),
                # A stale read shows no time before the world began.
                seconds=min(self.rng.uniform(1.0, 15.0), detangle.now()),
                count=count,
            )
        )

    async def a_lie_elsewhere(self) -> None:
        """The trade history, an order's record or the resting orders are not there, once."""
        self.order(
            Fault(
                kind=self.rng.choice((FaultKind.EMPTY_LIST, FaultKind.SHORT_LIST)),
                endpoint=self.rng.choice(("fills", "order.find", "order.open", "protection")),
                account=self.account(),
            )
        )

    async def a_ghost_that_is_hard_to_judge(self) -> None:
        """A position is closed by hand; its fills don't show, and the read by symbol fails."""
        trade = self.open_trade()
        if trade is None:
            return
        account = trade.key.account
        self.order(Fault(kind=FaultKind.EMPTY_LIST, endpoint="fills", account=account, count=3))
        self.order(
            Fault(
                kind=self.rng.choice((*FAILING, FaultKind.DELAY, FaultKind.DELAY_REPLY)),
                endpoint="fetch_position",
                account=account,
                seconds=self.rng.choice((1.0, LONGEST)),
                count=self.rng.randint(1, 2),
            )
        )
        self.world.hand_closes(trade)

    async def a_gateway_bug(self) -> None:
        account = self.account()
        self.world.tell(f"one of the next calls of {account} meets a bug in the gateway")
        self.world.bugs[account] += self.rng.randint(1, 2)

    # --- streams --------------------------------------------------------------------------------

    async def hints_astray(self) -> None:
        """Hints are late, lost, doubled or overtaken."""
        account = self.account()
        line = self.world.lines[account]
        for kind in self.rng.sample(("late", "overtaken", "lost", "doubled", "overtaken"), 2):
            count = self.rng.randint(1, 3)
            self.world.tell(f"{count} of the next hints of {account} will be {kind}")
            match kind:
                case "late":
                    line.late.extend(self.rng.uniform(0.5, 8.0) for _ in range(count))
                case "lost":
                    line.lost += count
                case "doubled":
                    line.doubled += count
                case _:
                    line.held.extend(self.rng.uniform(0.5, 8.0) for _ in range(count))
                    self._say_again(account, count + 1)

    def _say_again(self, account: str, times: int) -> None:
        """The venue tells what it has told before, and the last of it arrives first."""
        held = [t.key for t in self.trades if t.key.account == account and self.world.held(t.key)]
        for _ in range(times if held else 0):
            key = self.rng.choice(held)
            hint = PositionHint(key=key, quantity=self.world.held(key), at=true_now())
            self.world.lines[account].say(hint)

    async def a_lying_hint(self) -> None:
        account = self.account()
        hint = self._lying(account)
        if self.world.lines[account].say(hint):
            self.world.happened["lying hint"] += 1
            what = hint.key if isinstance(hint, PositionHint) else hint.client_order_id
            said = hint.quantity if isinstance(hint, PositionHint) else hint.status
            self.world.tell(f"the stream of {account} lies: {what} {said}")

    def _lying(self, account: str) -> Hint:
        """A flat hint of a living leg, one of a leg that is not there, or of an order."""
        at = true_now() - timedelta(seconds=self.rng.choice((0.0, 0.0, 5.0)))
        held = [t for t in self.trades if t.key.account == account and self.world.held(t.key)]
        if held and self.rng.random() < 0.7:
            return PositionHint(key=self.rng.choice(held).key, quantity=ZERO, at=at)
        open_ids = self.world.watch.open_ids(account)
        if open_ids and self.rng.random() < 0.5:
            name, symbol = self.rng.choice(open_ids)
            status = self.rng.choice((OrderStatus.FILLED, OrderStatus.CANCELED))
            return OrderHint(
                symbol=symbol, order_id="x", client_order_id=name, status=status, filled=ZERO, at=at
            )
        key = LegKey(account, self.rng.choice(SYMBOLS), self.rng.choice(list(Side)))
        return PositionHint(key=key, quantity=Decimal(self.rng.randint(1, 9)), at=at)

    async def streams_cut(self) -> None:
        account = self.account()
        self.world.tell(f"the stream of {account} is cut")
        self.world.lines[account].cut()
