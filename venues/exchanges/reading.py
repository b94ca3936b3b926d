"""Readings of rows and replies that several exchanges share. Pure: nothing is asked of a venue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from messages.values import ZERO, Side
from messages.venue import ClosedPosition, FillKind, Instrument, VenueErrorKind
from venues.exchanges.values import Limit, Order, Row, RowReading, Session, Told
from venues.numbers import decimal_or_none, instant_or_none, positive_or_none
from venues.strict import CannotTellError, MalformedReplyError

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,99}")
_LONGEST_LABEL = 100
_LONGEST_BAN = 30 * 86400
"""Seconds; what is longer is no wait but nonsense."""


def ending(
    instrument: Instrument,
    *,
    record_id: Any,
    side: Side | None,
    size: Any,
    ended: Any,
    entry: Any = None,
    price: Any = None,
    pnl: Any = None,
    opened: Any = None,
    order_id: Any = "",
    kind: FillKind = FillKind.TRADE,
    whole: bool = True,
) -> ClosedPosition:
    """A record of a closed position out of a venue's own words; sizes in contracts.

    Raises `MalformedReplyError` where its id, its side or its end lacks, `CannotTellError` where
    only its size does.
    """
    ended_at, contracts = instant_or_none(ended), positive_or_none(size)
    if not record_id or side is None or ended_at is None:
        symbol = instrument.symbol
        raise MalformedReplyError(f"the end of a position of {symbol} lacks its side or time")
    if contracts is None:
        raise CannotTellError(f"the end of a position of {instrument.symbol} tells no size")
    return ClosedPosition(
        record_id=str(record_id),
        symbol=instrument.symbol,
        side=side,
        quantity=contracts * instrument.contract_size,
        ended_at=ended_at,
        entry_price=positive_or_none(entry),
        exit_price=positive_or_none(price),
        realized_pnl=decimal_or_none(pnl),
        opened_at=instant_or_none(opened),
        order_id=str(order_id or ""),
        kind=kind,
        whole=whole,
    )


def named_side(word: Any) -> Side | None:
    """The side that is called long or short, in any case."""
    text = str(word or "").lower()
    return Side(text) if text in ("long", "short") else None


def together(orders: list[Order]) -> Order:
    """Several orders that came of one condition as one: sizes added, the average weighted."""
    if len(orders) == 1:
        return orders[0]
    amount = filled = paid = ZERO
    for order in orders:
        size, done = decimal_or_none(order.get("amount")), decimal_or_none(order.get("filled"))
        if size is None or done is None:
            raise MalformedReplyError(f"order {order.get('id')!r} lacks its size or its fill")
        price = decimal_or_none(order.get("average"))
        if done and price is None:
            raise MalformedReplyError(f"order {order.get('id')!r} has a fill without a price")
        amount, filled, paid = amount + size, filled + done, paid + done * (price or ZERO)
    resting = next((order for order in orders if order.get("status") == "open"), orders[-1])
    average = str(paid / filled) if filled else None
    return {**resting, "amount": str(amount), "filled": str(filled), "average": average}


def retry_after(written: str, now: datetime) -> datetime | None:
    """The instant of a Retry-After header (RFC 9110, section 10.2.3): seconds, or a date."""
    seconds = decimal_or_none(written)
    if seconds is not None:
        return now + timedelta(seconds=float(seconds)) if 0 <= seconds < _LONGEST_BAN else None
    try:
        at = parsedate_to_datetime(written)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def window_left(headers: Mapping[str, str], seconds: float) -> float | None:
    """Seconds until the venue's next window of this length begins, by its own clock (Date)."""
    try:
        at = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return None
    # The header is cut to whole seconds, so that it is at most as much as this.
    return seconds - at.timestamp() % seconds


def left_of(
    limit: Limit,
    headers: Mapping[str, str],
    left: str,
    most: str = "",
    *,
    resets: float | None = None,
) -> tuple[Told, ...]:
    """What is used of a limit, by headers that tell what is left, and perhaps the limit itself."""
    rest, whole = decimal_or_none(headers.get(left)), decimal_or_none(headers.get(most))
    if rest is None or rest < 0:
        return ()
    told = None if whole is None or whole <= 0 else float(whole)
    return (Told(limit, max(0.0, (told or limit.most) - float(rest)), told, resets),)


def codes_by_kind(**kinds: str) -> dict[str, VenueErrorKind]:
    """A table of codes, written by kind: `margin="110007 110012"`."""
    return {code: VenueErrorKind(kind) for kind, codes in kinds.items() for code in codes.split()}


def signed_row(row: Row, size_key: str, side_key: str, net: tuple[str, ...]) -> RowReading | None:
    """A row whose size is signed, or whose side is named; `net` are the names of no leg at all."""
    size = decimal_or_none(row.get(size_key))
    if size is None:
        return None
    named = str(row.get(side_key) or "").lower()
    hedged = bool(named) and named not in net
    if size == ZERO:
        # A flat leg of its own is known by its name only.
        side = Side(named) if hedged and named in ("long", "short") else None
        return RowReading(ZERO, side, hedged)
    if hedged:
        if named not in ("long", "short"):
            return None
        return RowReading(abs(size), Side(named), True)
    return RowReading(abs(size), Side.LONG if size > 0 else Side.SHORT, False)


def names_one_of(fields: tuple[str, ...], raw: Row) -> bool:
    """Whether a row has one of these fields with something in it; true where none is asked for."""
    return not fields or any(raw.get(name) not in (None, "") for name in fields)


def is_true(value: Any) -> bool:
    """Whether a venue's word for yes."""
    return str(value).lower() in ("true", "yes", "1")


def parsed(
    session: Session, instrument: Instrument, rows: list[Row]
) -> tuple[list[Row], list[Mapping[str, Any]]]:
    """Position rows of one symbol with ccxt's reading of each."""
    market = session.exchange.market(instrument.symbol)
    return rows, [session.exchange.parse_position(row, market) for row in rows]


def venue_symbol(row: Row) -> str:
    """What a row calls its instrument."""
    inner = row.get("position")
    at = inner if isinstance(inner, Mapping) else row
    for key in ("symbol", "instId", "contract", "coin", "tradeable"):
        if at.get(key):
            return str(at[key])
    return "?"


def raw_of(order: Order) -> Row:
    """The venue's own row of an order, with what it wraps in one more object brought up."""
    raw = order.get("info")
    if not isinstance(raw, Mapping):
        return {}
    inner = raw.get("order")
    return {**raw, **inner} if isinstance(inner, Mapping) else raw


def told_id(source: Mapping[str, Any], name: str) -> str:
    """An account's id, which must be there. Raises `MalformedReplyError`."""
    written = other_id(source.get(name))
    if not written:
        raise MalformedReplyError(f"whose login this is, {name}, is not told")
    return written


def other_id(written: Any) -> str:
    """An account's id where one is written; "" for none, and for what cannot be one."""
    if isinstance(written, bool) or not isinstance(written, str | int):
        return ""
    text = str(written)
    return text if _ID.fullmatch(text) and text != "0" else ""


def label_of(written: Any) -> str:
    """A person's own words for an account or a key, as far as they can be shown."""
    text = written if isinstance(written, str) else ""
    return "".join(char for char in text if char.isprintable())[:_LONGEST_LABEL]


def rows_of(data: Any) -> list[Row]:
    """The objects of a list, if it is one."""
    return [row for row in data if isinstance(row, Mapping)] if isinstance(data, list) else []


def object_at(body: Any, key: str) -> Mapping[str, Any]:
    """An object that must be there. Raises `MalformedReplyError`."""
    found = body.get(key) if isinstance(body, Mapping) else None
    if not isinstance(found, Mapping):
        raise MalformedReplyError(f"{key} is not told")
    return found


def list_at(body: Mapping[str, Any], key: str) -> list[Any]:
    """A list, empty where there is none."""
    found = body.get(key)
    return found if isinstance(found, list) else []
