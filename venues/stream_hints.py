"""What a stream's messages say of legs and orders, as hints; the truth is what REST tells.

The exchange names the parts of its messages (`Exchange.read_push`). Damage of any kind tells no
hint, and raises nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from messages.values import ZERO, LegKey, Side
from messages.venue import Hint, OrderHint, OrderStatus, PositionHint
from venues.client import Client
from venues.exchanges.values import LegPush, OrderPush, Row
from venues.numbers import decimal_or_none
from venues.order_records import STATUSES, judged

Message = Mapping[str, Any]


def is_data(client: Client, message: Message) -> bool:
    """Whether a message tells of the account, and is not about the socket itself."""
    return client.hooks.read_push(message) is not None


def read_hints(client: Client, message: Message) -> Iterator[Hint]:
    """Hints of one message, in its own order. A row that no loaded market fits tells none.

    Quantities are base units (quote units for inverse); `at` is the account's clock.
    """
    for push in client.hooks.read_push(message) or ():
        if isinstance(push, LegPush):
            yield from _legs(client, push.row)
        else:
            yield from _order(client, push)


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


def _order(client: Client, push: OrderPush) -> Iterator[OrderHint]:
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
    yield OrderHint(
        symbol=instrument.symbol,
        order_id=str(push.order_id),
        client_order_id=client.hooks.from_venue_id(named),
        status=judged(status, amount, filled),
        filled=filled * instrument.contract_size,
        at=client.now(),
    )


def _status(client: Client, push: OrderPush) -> OrderStatus | None:
    if not isinstance(push.status, str):
        return None
    if push.resting:
        return OrderStatus.OPEN
    return STATUSES.get(str(client.exchange.parse_order_status(push.status)))
