"""What a venue's records and fills say of an order of ours.

Leaves when to look, and what follows, to the actor that sent it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

import msgspec

from messages.ledger import Intent
from messages.values import ZERO
from messages.venue import Fill, OrderRecord
from rules.pnl import fees_apart, kind_of, mean_price

CLOCK_SKEW = timedelta(hours=1)
"""How much earlier than its intent an order may have been created by the venue's clock.

Generous: some venues take orders whatever this machine's clock says, and an order of ours that
were taken for another's would be sent again.
"""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What an order filled, in base units. `fee` is in settle currency, None where nobody told it.

    `average` is None where nothing filled or nobody told it. `other_fees` are those in other
    currencies, which are in no PnL.
    """

    filled: Decimal
    average: Decimal | None = None
    fee: Decimal | None = None
    other_fees: tuple[tuple[str, Decimal], ...] = ()

    @property
    def told_fee(self) -> str:
        """All fees as a text for the audit trail: `0.02`, `1.2 BNB`, `unknown`."""
        own = [str(self.fee)] if self.fee or (self.fee is not None and not self.other_fees) else []
        return ", ".join(own + [f"{fee} {name}" for name, fee in self.other_fees]) or "unknown"


def is_record_of(intent: Intent, record: OrderRecord) -> bool:
    """Whether a record that bears an intent's client order id is of the intent's own order.

    The ids repeat where a ledger was made anew (`rules.ids`), and venues remember old orders. A
    record is another order's where it is of another leg, or was there before the intent was; one
    of the order id that the venue gave us is ours.
    """
    if intent.order_id and record.order_id == intent.order_id:
        return True
    key = intent.key
    if record.symbol != key.symbol or record.side is not key.side.closing:
        return False
    if record.position_side not in (None, key.side):
        return False
    return record.created_at is None or record.created_at >= intent.created_at - CLOCK_SKEW


def outcome_of_record(intent: Intent, record: OrderRecord) -> Outcome:
    """What the order's own record tells."""
    fees = () if record.fee is None else ((record.fee_currency, record.fee),)
    fee, others = fees_apart(intent.key, fees)
    return Outcome(
        filled=record.filled,
        average=record.average,
        fee=fee if record.fee is not None else None,
        other_fees=others,
    )


def outcome_of_fills(intent: Intent, fills: Iterable[Fill], order_id: str) -> Outcome:
    """What an order's own fills, out of all of the symbol's, add up to."""
    own = [
        fill
        for fill in fills
        if (order_id and fill.order_id == order_id)
        or fill.client_order_id == intent.client_order_id
    ]
    if not own:
        return Outcome(filled=ZERO, fee=ZERO)
    fee, others = fees_apart(intent.key, ((fill.fee_currency, fill.fee) for fill in own))
    return Outcome(
        filled=sum((fill.quantity for fill in own), ZERO),
        average=mean_price(
            ((fill.quantity, fill.price) for fill in own), kind_of(intent.key.symbol)
        ),
        fee=fee,
        other_fees=others,
    )
