"""Facts for the rules' tests, with plain defaults: BTC linear, one account, one instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st

from messages.ledger import BookedFill, LastSeen, LedgerLeg, PositionRow
from messages.values import LegKey, OrderSide, Side
from messages.venue import (
    ClosedPosition,
    Fill,
    Instrument,
    Kind,
    OrderRecord,
    OrderStatus,
    Quote,
    Scope,
    Snapshot,
    VenueError,
    VenueErrorKind,
    VenuePosition,
)
from rules.leg_records import Account, History, OwnFill

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
BTC = "BTC/USDT:USDT"
LONG = LegKey("main", BTC, Side.LONG)
SHORT = LegKey("main", BTC, Side.SHORT)
USDT = Scope(frozenset({"USDT"}))
BROKEN = VenueError(kind=VenueErrorKind.MALFORMED, message="cut off")

D = Decimal

Records = tuple[ClosedPosition, ...] | None

prove = settings(deadline=None, max_examples=250)
"""No deadline: two busy cores say nothing about a rule."""

sides = st.sampled_from(Side)


def decimals(low: str, high: str, places: int = 4) -> st.SearchStrategy[Decimal]:
    return st.decimals(D(low), D(high), allow_nan=False, allow_infinity=False, places=places)


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def instrument(
    symbol: str = BTC,
    *,
    venue_id: str | None = None,
    kind: Kind = Kind.LINEAR,
    size: str = "1",
    step: str = "0.001",
    least: str = "0.001",
    price_step: str = "0.1",
    notional: str = "0",
    most: str | None = None,
) -> Instrument:
    pair, _, contract = symbol.partition(":")
    base, _, quote = pair.partition("/")
    return Instrument(
        symbol=symbol,
        venue_id=venue_id if venue_id is not None else base + quote,
        base=base,
        quote=quote,
        settle=contract.partition("-")[0],
        kind=kind,
        contract_size=D(size),
        amount_step=D(step),
        min_amount=D(least),
        price_step=D(price_step),
        min_notional=D(notional),
        max_market_amount=None if most is None else D(most),
    )


def listing(*instruments: Instrument) -> dict[str, Instrument]:
    return {one.symbol: one for one in instruments}


def position(
    key: LegKey = LONG,
    quantity: str | Decimal = "1",
    *,
    entry: str | None = "100",
    mark: str | None = "100",
    liquidation: str | None = None,
    stop: str | None = None,
    hedged: bool = False,
    opened_at: datetime | None = None,
) -> VenuePosition:
    return VenuePosition(
        key=key,
        contracts=D(quantity),
        quantity=D(quantity),
        entry_price=None if entry is None else D(entry),
        mark_price=None if mark is None else D(mark),
        liquidation_price=None if liquidation is None else D(liquidation),
        stop_loss=None if stop is None else D(stop),
        hedged=hedged,
        opened_at=opened_at,
    )


def read(
    start: float,
    *positions: VenuePosition,
    broken: bool = False,
    scope: Scope = USDT,
    account: str = "main",
    took: float = 0.1,
) -> Snapshot:
    return Snapshot(
        account=account,
        scope=scope,
        started_at=after(start),
        finished_at=after(start + took),
        positions=positions,
        problems=(BROKEN,) if broken else (),
    )


def row(
    id_: int = 1,
    *,
    symbol: str = "BTCUSDT",
    side: str = "long",
    quantity: str | None = "1",
    entry: str | None = "100",
    opened_at: datetime | None = T0,
    updated_at: datetime | None = None,
    account: str = "main",
    status: str = "active",
    stop: str | None = None,
    trailing: bool = False,
    held: bool = False,
) -> PositionRow:
    return PositionRow(
        id=id_,
        account=account,
        symbol=symbol,
        side=side,
        quantity=None if quantity is None else D(quantity),
        entry_price=None if entry is None else D(entry),
        opened_at=opened_at,
        updated_at=updated_at,
        status=status,
        stop_price=None if stop is None else D(stop),
        trailing_active=trailing,
        held=held,
    )


def leg(
    key: LegKey = LONG,
    quantity: str | Decimal = "1",
    entry: str | Decimal = "100",
    *,
    opened_at: datetime = T0,
    trailing: bool = False,
    held: bool = False,
) -> LedgerLeg:
    return LedgerLeg(
        key=key,
        rows=(
            row(symbol=key.symbol, side=key.side.value, quantity=str(quantity), entry=str(entry)),
        ),
        quantity=D(quantity),
        entry_price=D(entry),
        opened_at=opened_at,
        updated_at=opened_at,
        trailing_active=trailing,
        held=held,
    )


def quote(
    bid: str | Decimal, ask: str | Decimal | None = None, last: str | Decimal | None = None
) -> Quote:
    bid = D(bid)
    ask = bid if ask is None else D(ask)
    last = bid if last is None else D(last)
    return Quote(symbol=BTC, at=T0, last=last, bid=bid, ask=ask, mark=last)


def order(
    id_: str = "1",
    *,
    client: str = "bot-1",
    side: OrderSide = OrderSide.SELL,
    symbol: str = BTC,
    reduce_only: bool | None = True,
    position_side: Side | None = None,
    trigger: str | None = None,
    status: OrderStatus = OrderStatus.OPEN,
) -> OrderRecord:
    return OrderRecord(
        order_id=id_,
        client_order_id=client,
        symbol=symbol,
        side=side,
        status=status,
        quantity=D(1),
        filled=D(0),
        trigger_price=None if trigger is None else D(trigger),
        reduce_only=reduce_only,
        position_side=position_side,
    )


def fill(
    at: float,
    quantity: str = "1",
    price: str = "100",
    *,
    side: OrderSide = OrderSide.SELL,
    position_side: Side | None = None,
    closed: str | None = None,
    fee: str = "0",
    fee_currency: str | None = None,
    symbol: str = BTC,
    order_id: str = "o1",
) -> Fill:
    return Fill(
        fill_id=f"f{at}",
        order_id=order_id,
        symbol=symbol,
        side=side,
        quantity=D(quantity),
        price=D(price),
        at=after(at),
        position_side=position_side,
        closed_quantity=None if closed is None else D(closed),
        fee=D(fee),
        fee_currency=fee_currency,
    )


def seen(
    at: float, quantity: str = "1", *, key: LegKey = LONG, changed_at: float | None = None
) -> LastSeen:
    """A read of 0.1 s that showed the leg."""
    return LastSeen(
        key=key,
        started_at=after(at - 0.1),
        finished_at=after(at),
        quantity=D(quantity),
        changed_at=None if changed_at is None else after(changed_at),
    )


def history(*fills: Fill, since: float = -100_000, records: Records = ()) -> History:
    return History(since=after(since), fills=fills, records=records)


def record(at: float, quantity: str = "1", *, key: LegKey = LONG) -> ClosedPosition:
    return ClosedPosition(
        record_id=f"r{at}",
        symbol=key.symbol,
        side=key.side,
        quantity=D(quantity),
        ended_at=after(at),
    )


def own(sent: float, quantity: str = "1", *, order_id: str = "ours") -> OwnFill:
    """An order of ours that was known to be filled a second after its intent."""
    return OwnFill(
        order_id=order_id, quantity=D(quantity), sent_at=after(sent), filled_at=after(sent + 1)
    )


def books(
    rows: str | None = "1",
    *,
    key: LegKey = LONG,
    last: LastSeen | None = None,
    opened_at: float | None = -3600,
    closed_rows: str = "0",
    own: tuple[OwnFill, ...] = (),
    booked: tuple[BookedFill, ...] = (),
    other_orders: frozenset[str] = frozenset(),
    history: History | None = None,
    unread: str = "",
    step: str = "0",
) -> Account:
    """What is known of a leg whose rows say `rows`, opened an hour ago."""
    return Account(
        key=key,
        last_seen=last,
        rows_quantity=None if rows is None else D(rows),
        opened_at=None if opened_at is None else after(opened_at),
        closed_rows=D(closed_rows),
        own=own,
        booked=booked,
        other_orders=other_orders,
        history=history,
        unread=unread,
        step=D(step),
    )
