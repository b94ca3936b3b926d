"""What the parts of one close share: its means (`CloseContext`) and how far it is (`Progress`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from actors.context import Context
from actors.execution.evidence import LegJudge, own_fill
from actors.execution.orders import Orders
from actors.prices import PriceReader
from messages.budget import Lane
from messages.execution import ErrorCode, ExecutionResult
from messages.ledger import Intent
from messages.settings import OnUnknown, OrderSettings
from messages.to_exchange import CloseLeg, JudgeLeg, Judgement, Markets
from messages.values import ZERO
from messages.venue import Price, PriceKind, VenueError
from rules.ladder import Attempt
from rules.leg_records import OwnFill
from rules.pnl import mean_price
from venues.port import Venue

PRICE_AGE = timedelta(seconds=1)
"""How old a price may be by which an order is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseContext:
    """With what a close works. `actor` is the exchange actor's side of it.

    `doubt` says why the account may not be the ledger's, and with which code a close ends then.
    """

    actor: Context
    venue: Venue
    prices: PriceReader
    leg_judge: LegJudge
    orders: Orders
    markets: Markets
    settings: OrderSettings
    on_unknown: OnUnknown
    doubt: Callable[[], tuple[ErrorCode, str] | None]

    async def price(self, symbol: str, kinds: frozenset[PriceKind]) -> Price | None:
        """The prices of now; None where they cannot be read."""
        found = await self.prices.read(symbol, kinds, max_age=PRICE_AGE, lane=Lane.CLOSE)
        return None if isinstance(found, VenueError) else found


class Progress:
    """One close so far. Quantities are base units.

    `budget` is what the leg held when it was first seen: the most that may be closed. `seen` is
    what it held at the last look, `before` what earlier orders filled for the same rows and is not
    booked yet. `blind` is whether an order has left for them while the leg could not be read.
    `freed` counts how often reserved size was freed.
    """

    def __init__(self, context: CloseContext, order: CloseLeg) -> None:
        self.order = order
        self.history: list[Attempt] = []
        self.filled: list[Intent] = []
        self.budget: Decimal | None = None
        self.seen = ZERO
        self.before = ZERO
        self.blind = False
        self.freed = 0
        self.next_attempt = 1
        self.hedged = bool(context.markets.hedged)
        self._context = context
        self._began = context.actor.now()

    @property
    def executed(self) -> Decimal:
        """What the orders of this close have filled."""
        return sum((i.filled for i in self.filled), ZERO)

    @property
    def average(self) -> Decimal | None:
        """The mean price of those fills; None where that of any is not known."""
        executed = self.executed
        prices = [(i.filled, i.average) for i in self.filled if i.average is not None]
        if executed == ZERO or len(prices) < len(self.filled):
            return None
        return mean_price(prices, self._context.markets.instruments[self.order.key.symbol].kind)

    async def judge_leg(self, *, not_before: datetime | None = None) -> Judgement:
        """A verdict on the leg, with the fills of this close counted."""
        # Once an order of ours has filled, that is the leg's last change, whatever its row says.
        untouched = not self.filled
        question = JudgeLeg(
            key=self.order.key,
            row_ids=self.order.row_ids,
            changed_at=self.order.changed_at if untouched else None,
            since=self.order.since if untouched else None,
            quantity=self.budget if self.budget is not None else self.order.quantity,
            opposite_rows=self.order.opposite_rows,
            not_before=not_before,
        )
        return await self._context.leg_judge.judge(
            question, own=self._own_fills(), ignore_live=True
        )

    def _own_fills(self) -> tuple[OwnFill, ...]:
        return tuple(own_fill(intent) for intent in self.filled)

    def succeeded(self, verified_by: str = "snapshot") -> ExecutionResult:
        self._context.actor.log.info(
            "Closed {}: {} at {}, verified by {}",
            self.order.key,
            self.executed,
            self.average,
            verified_by,
        )
        return self._result(success=True)

    def failed(self, code: ErrorCode, message: str, *, permanent: bool = False) -> ExecutionResult:
        """`permanent`: trying again cannot help, an operator must look."""
        return self._result(
            success=False, error_code=code, error_message=message, permanent=permanent
        )

    def _result(
        self,
        *,
        success: bool,
        error_code: ErrorCode | None = None,
        error_message: str = "",
        permanent: bool = False,
    ) -> ExecutionResult:
        last = self.filled[-1] if self.filled else None
        seconds = (self._context.actor.now() - self._began).total_seconds()
        return ExecutionResult(
            key=self.order.key,
            success=success,
            requested=self.budget if self.budget is not None else self.order.quantity,
            executed=self.executed,
            order_id=last.order_id if last else "",
            client_order_ids=tuple(i.client_order_id for i in self.filled),
            order_type=last.type if last else None,
            average_price=self.average,
            fee=sum((i.fee for i in self.filled), ZERO),
            error_code=error_code,
            error_message=error_message,
            permanent=permanent,
            attempts=len(self.history),
            execution_time=max(seconds, 0.0),
        )
