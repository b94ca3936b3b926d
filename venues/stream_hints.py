"""What a stream's messages say of legs and orders, as hints; the truth is what REST tells.

The exchange names the parts of its messages (`Exchange.read_push`). Damage of any kind tells no
hint, and raises nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from messages.values import ZERO, LegKey, Side
from messages.venue import Hint, Instrument, OrderHint, OrderRecord, OrderStatus, PositionHint
from venues.client import Client
from venues.exchanges.values import LegPush, OrderPush, Row, TradePush
from venues.numbers import decimal_or_none, positive_or_none
from venues.order_records import STATUSES, judged

Message = Mapping[str, Any]

MOST_ORDERS = 1000
"""Orders whose executions are remembered; an order of ours ends within seconds of its first."""


class HeardFees:
    """The fees of orders whose executions a stream tells one by one.

    They are whole only where the executions that were heard add up to what the order has filled,
    since what came before the stream stood, or in a damaged frame, is not in it.
    """

    def __init__(self) -> None:
        self._trades: dict[str, dict[str, TradePush]] = {}

    def hear(self, order_id: str, trade: TradePush) -> None:
        """Take in an execution. One that is told twice counts once."""
        while len(self._trades) >= MOST_ORDERS and order_id not in self._trades:
            del self._trades[next(iter(self._trades))]
        self._trades.setdefault(order_id, {})[str(trade.id)] = trade

    def of(self, order_id: str, filled: Decimal) -> tuple[Decimal, str] | None:
        """What the order has cost and in which currency; `filled` is in contracts, as told.

        None where something is missing, or where there are several currencies.
        """
        trades = self._trades.get(order_id, {}).values()
        amounts = [decimal_or_none(trade.amount) for trade in trades]
        fees = [decimal_or_none(trade.fee) for trade in trades]
        currencies = {trade.fee_currency for trade in trades}
        known = [fee for fee in fees if fee is not None]
        heard = sum((amount for amount in amounts if amount is not None), ZERO)
        currency = next(iter(currencies), None)
        if heard != filled or len(known) < len(fees) or len(currencies) != 1:
            return None
        return (sum(known, ZERO), currency) if isinstance(currency, str) and currency else None


def is_data(client: Client, message: Message) -> bool:
    """Whether a message tells of the account, and is not about the socket itself."""
    return client.hooks.read_push(message) is not None


def read_hints(client: Client, message: Message, fees: HeardFees | None = None) -> Iterator[Hint]:
    """Hints of one message, in its own order. A row that no loaded market fits tells none.

    Quantities are base units (quote units for inverse); `at` is the account's clock. `fees` has
    what the messages before this one have told of.
    """
    heard = HeardFees() if fees is None else fees
    for push in client.hooks.read_push(message) or ():
        if isinstance(push, LegPush):
            yield from _legs(client, push.row)
        else:
            yield from _order(client, push, heard)


def _legs(client: Client, row: Row) -> Iterator[PositionHint]:
    reading = client.hooks.read_row(row)
    instrument = client.by_venue_id(str(row.get("symbol")))
    if reading is None or instrument is None:
        return
    quantity = reading.size * instrument.contract_size
    if reading.hedged and reading.side is None:
        # A flat hedge leg: only the row's own words say which one.
        named = str(row.get("positionSide") or "").lower()
        sides = {Side(named): ZERO} if named in ("long", "short") else {}
    elif reading.hedged and reading.side is not None:
        sides = {reading.side: quantity}
    else:
        # One-way: the symbol holds this side and surely nothing of the other.
        sides = {side: quantity if side is reading.side else ZERO for side in Side}
    at = client.now()
    for side, held in sides.items():
        key = LegKey(client.settings.name, instrument.symbol, side)
        yield PositionHint(key=key, quantity=held, at=at)


def _order(client: Client, push: OrderPush, fees: HeardFees) -> Iterator[OrderHint]:
    instrument = client.by_venue_id(str(push.symbol))
    amount = decimal_or_none(push.amount)
    filled = decimal_or_none(push.filled)
    status = _status(client, push)
    if filled is None and push.conditional and status is OrderStatus.OPEN:
        # Told only once the condition is met.
        filled = ZERO
    if instrument is None or not push.order_id or amount is None or filled is None:
        return
    if status is None or filled < ZERO:
        return
    named = push.client_id if isinstance(push.client_id, str) else ""
    if push.trade is not None:
        fees.hear(str(push.order_id), push.trade)
    status = judged(status, amount, filled)
    yield OrderHint(
        symbol=instrument.symbol,
        order_id=str(push.order_id),
        client_order_id=client.hooks.from_venue_id(named),
        status=status,
        filled=filled * instrument.contract_size,
        at=client.now(),
        end=_end(client, instrument, push, status, fees) if status.final else None,
    )


def _end(
    client: Client, instrument: Instrument, push: OrderPush, status: OrderStatus, fees: HeardFees
) -> OrderRecord | None:
    """The order's record, where the message tells all that one has."""
    if push.row is None:
        return None
    hooks, size = client.hooks, instrument.contract_size
    amount, filled = positive_or_none(push.amount), decimal_or_none(push.filled)
    average = positive_or_none(push.average)
    side = hooks.order_side(push.row.get("side"), push.row)
    if amount is None or filled is None or side is None or filled > amount:
        return None
    if filled > ZERO and average is None:
        return None
    order_id = str(push.order_id)
    fee, currency = (
        fees.of(order_id, filled) or hooks.order_fee(push.row, instrument.settle) or (None, None)
    )
    return OrderRecord(
        order_id=order_id,
        client_order_id=hooks.from_venue_id(str(push.client_id or "")),
        symbol=instrument.symbol,
        side=side,
        status=status,
        quantity=amount * size,
        filled=filled * size,
        average=average,
        position_side=hooks.position_side(push.row),
        fee=fee,
        fee_currency=currency,
        updated_at=client.now(),
    )


def _status(client: Client, push: OrderPush) -> OrderStatus | None:
    if not isinstance(push.status, str):
        return None
    if push.resting:
        return OrderStatus.OPEN
    return STATUSES.get(str(client.exchange.parse_order_status(push.status)))
