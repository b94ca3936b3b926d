"""What a stream's messages say of legs and orders, as hints.

For it: Bybit's topics `position` and `order`; Binance's ACCOUNT_UPDATE, ORDER_TRADE_UPDATE and
ALGO_UPDATE (the venues' own documentation of these). Left to others: the socket (`stream.py`),
and the truth, which REST tells. Damage of any kind tells no hint, and raises nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from messages.values import ZERO, LegKey, Side
from messages.venue import Hint, OrderHint, OrderStatus, PositionHint
from venues.client import Client
from venues.ids import from_venue
from venues.numbers import decimal_or_none
from venues.order_records import STATUSES, judged
from venues.rows import Row

Message = Mapping[str, Any]


def is_data(message: Message) -> bool:
    """Whether a message tells of the account, and is not about the socket itself."""
    return str(message.get("topic", "")).startswith(("position", "order")) or message.get("e") in (
        "ACCOUNT_UPDATE",
        "ORDER_TRADE_UPDATE",
        "ALGO_UPDATE",
    )


def read_hints(client: Client, message: Message) -> Iterator[Hint]:
    """Hints of one message, in its own order. A row that no loaded market fits tells none.

    Quantities are base units (quote units for inverse); `at` is the account's clock.
    """
    topic, event = str(message.get("topic", "")), message.get("e")
    if topic.startswith("position"):
        for row in _rows(message.get("data")):
            yield from _legs(client, row)
    elif topic.startswith("order"):
        for row in _rows(message.get("data")):
            # On a unified account the topic tells of spot and options as well, some of which
            # bear the name of a perpetual.
            if row.get("category") in ("linear", "inverse"):
                yield from _order(client, row, _BYBIT)
    elif event == "ACCOUNT_UPDATE" and isinstance(message.get("a"), Mapping):
        for row in _rows(message["a"].get("P")):
            yield from _legs(client, _long_names(row))
    elif event in ("ORDER_TRADE_UPDATE", "ALGO_UPDATE") and isinstance(message.get("o"), Mapping):
        yield from _order(client, message["o"], _ALGO if event == "ALGO_UPDATE" else _BINANCE)


def _rows(data: Any) -> Iterator[Row]:
    yield from (row for row in data if isinstance(row, Mapping)) if isinstance(data, list) else ()


def _long_names(row: Row) -> Row:
    """Binance's stream row in the names of its REST row."""
    return {
        "symbol": row.get("s"),
        "positionAmt": row.get("pa"),
        "positionSide": row.get("ps"),
    }


def _legs(client: Client, row: Row) -> Iterator[PositionHint]:
    reading = client.facts.read_row(row)
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


@dataclass(frozen=True, slots=True)
class _Names:
    """What a venue's stream calls the parts of an order."""

    symbol: str
    order_id: str
    client_id: str
    status: str
    amount: str
    filled: str


_BYBIT = _Names("symbol", "orderId", "orderLinkId", "orderStatus", "qty", "cumExecQty")
_BINANCE = _Names("s", "i", "c", "X", "q", "z")
_ALGO = _Names("s", "aid", "caid", "X", "q", "aq")


def _order(client: Client, row: Row, names: _Names) -> Iterator[OrderHint]:
    instrument = client.by_venue_id(str(row.get(names.symbol)))
    order_id = row.get(names.order_id)
    amount = decimal_or_none(row.get(names.amount))
    filled = decimal_or_none(row.get(names.filled))
    status = _status(client, row, names)
    if filled is None and names is _ALGO and status is OrderStatus.OPEN:
        # Told only once the condition is met.
        filled = ZERO
    if instrument is None or not order_id or amount is None or filled is None or status is None:
        return
    if filled < ZERO:
        return
    yield OrderHint(
        symbol=instrument.symbol,
        order_id=str(order_id),
        client_order_id=from_venue(client.facts.exchange, _text(row.get(names.client_id))),
        status=judged(status, amount, filled),
        filled=filled * instrument.contract_size,
        at=client.now(),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _status(client: Client, row: Row, names: _Names) -> OrderStatus | None:
    written = row.get(names.status)
    if not isinstance(written, str):
        return None
    if names is _ALGO and written == "TRIGGERED":
        # Its order has just begun; ccxt calls the condition closed.
        return OrderStatus.OPEN
    return STATUSES.get(str(client.exchange.parse_order_status(written)))
