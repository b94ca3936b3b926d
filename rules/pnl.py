"""The exit of a leg: price, PnL and fees, from the venue's fills or from our own order.

Entry fees are not among the closing fills, so they are estimated: `entry_fee` (a fraction) of
the entry's worth, by default the guard's configured fee. Fees in a currency other than the
settle currency (BNB, say) are listed apart and not converted: no rate is known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Context, Decimal
from enum import StrEnum

import msgspec

from messages.ledger import BookedFill, ExitSource, LedgerLeg, RowClose
from messages.settings import AgedSettings
from messages.values import ZERO, LegKey, Side
from messages.venue import ClosedPosition, Fill, FillKind, Kind
from rules.leg_records import closed_by
from rules.rounding import to_places

PLACES = 12
"""Decimal places of every PnL and fee: few enough that shares add up exactly."""

_FEE = AgedSettings().fee
_WIDE = Context(prec=60)


class ExitKind(StrEnum):
    """What ended a leg. A liquidation among the fills makes the whole exit one."""

    TRADE = "trade"
    LIQUIDATION = "liquidation"
    ADL = "adl"
    SETTLEMENT = "settlement"
    TRANSFER = "transfer"


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """How a leg ended. `price` is the mean, `pnl` is after `fees`, both in settle currency.

    `source` UNKNOWN: the entry price and a PnL of zero are stand-ins, and `at` is None. `fills`
    are the venue's fills that it was made from.
    """

    price: Decimal
    quantity: Decimal
    pnl: Decimal
    fees: Decimal
    source: ExitSource
    kind: ExitKind = ExitKind.TRADE
    at: datetime | None = None
    other_fees: tuple[tuple[str, Decimal], ...] = ()
    fills: tuple[BookedFill, ...] = ()


def exit_of(
    leg: LedgerLeg,
    fills: Sequence[Fill],
    since: datetime,
    *,
    entry_fee: Decimal = _FEE,
    kind: Kind = Kind.LINEAR,
    step: Decimal = ZERO,
) -> Exit:
    """The exit of a leg that somebody else closed, from fills at `since` or later.

    Counted from the newest closing fill back, since the newest ones made it flat, until they
    account for the leg's quantity, to less than a `step` where one is given (base units: a
    ledger may be finer than its venue); where they never do, the exit is unknown.
    """
    used = _accounting(leg, (fill for fill in fills if fill.at >= since), step)
    if not used:
        return _unknown_exit(leg)
    fees, others = fees_apart(
        leg.key,
        ((fill.fee_currency, fill.fee * taken / fill.quantity) for fill, taken in used),
    )
    kinds = {fill.kind for fill, _ in used}
    return _exit(
        leg,
        quantity=sum((taken for _, taken in used), ZERO),
        price=mean_price(((taken, fill.price) for fill, taken in used), kind),
        fee=fees,
        at=max(fill.at for fill, _ in used),
        source=ExitSource.VENUE_HISTORY,
        ended=_kind(kinds),
        entry_fee=entry_fee,
        kind=kind,
        others=others,
        fills=tuple(
            BookedFill(fill_id=fill.fill_id, order_id=fill.order_id, quantity=taken)
            for fill, taken in used
        ),
    )


def exit_of_records(
    leg: LedgerLeg,
    records: Sequence[ClosedPosition],
    since: datetime,
    *,
    entry_fee: Decimal = _FEE,
    kind: Kind = Kind.LINEAR,
    step: Decimal = ZERO,
) -> Exit:
    """The exit of a leg by the venue's own records of closed positions, from `since` on.

    Counted from the newest back until they account for the leg; unknown where they never do, or
    where one of them tells no price. They are booked by their own ids, as fills are.
    """
    owed, used = leg.quantity, list[tuple[ClosedPosition, Decimal]]()
    for record in sorted(records, key=lambda record: record.ended_at)[::-1]:
        taken = min(record.quantity, owed)
        of_leg = (record.symbol, record.side) == (leg.key.symbol, leg.key.side)
        if of_leg and record.ended_at >= since and taken > ZERO:
            used.append((record, taken))
            owed -= taken
    priced = [(taken, r.exit_price) for r, taken in used if r.exit_price is not None]
    if (owed > ZERO and owed >= step) or not used or len(priced) < len(used):
        return _unknown_exit(leg)
    return _exit(
        leg,
        quantity=sum((taken for _, taken in used), ZERO),
        price=mean_price(priced, kind),
        fee=ZERO,
        at=max(record.ended_at for record, _ in used),
        source=ExitSource.VENUE_HISTORY,
        ended=_kind({record.kind for record, _ in used}),
        entry_fee=entry_fee,
        kind=kind,
        fills=tuple(BookedFill(fill_id=record.record_id, quantity=taken) for record, taken in used),
    )


def own_exit(
    leg: LedgerLeg,
    *,
    quantity: Decimal,
    average: Decimal,
    fee: Decimal,
    at: datetime,
    entry_fee: Decimal = _FEE,
    kind: Kind = Kind.LINEAR,
) -> Exit:
    """The exit that our own order made: `quantity` filled at `average`, for `fee` in all."""
    return _exit(
        leg,
        quantity=quantity,
        price=average,
        fee=fee,
        at=at,
        source=ExitSource.FILL,
        ended=ExitKind.TRADE,
        entry_fee=entry_fee,
        kind=kind,
    )


def split_exit(
    leg: LedgerLeg,
    exit_: Exit,
    *,
    reason: str,
    closed_at: datetime,
    kind: Kind = Kind.LINEAR,
) -> tuple[RowClose, ...]:
    """One closing for each row of the leg; their PnLs add up to the exit's exactly.

    Each row gets its own price difference and its share of the fees by quantity; the last one
    takes what rounding left. Of an unknown exit each row gets its own entry price and zero.
    """
    closes: list[RowClose] = []
    left = exit_.pnl
    for row in leg.rows:
        entry = leg.entry_price if row.entry_price is None else row.entry_price
        share = (row.quantity or ZERO) / leg.quantity
        known = exit_.source is not ExitSource.UNKNOWN
        if row is leg.rows[-1]:
            pnl = left
        elif known:
            gross = _gross(leg.key.side, entry, exit_.price, exit_.quantity * share, kind)
            pnl = to_places(gross - exit_.fees * share, PLACES)
        else:
            pnl = ZERO
        left = _WIDE.subtract(left, pnl)
        closes.append(
            RowClose(
                row_id=row.id,
                reason=reason,
                exit_price=exit_.price if known else entry,
                exit_source=exit_.source,
                realized_pnl=pnl,
                closed_at=closed_at,
                fills=tuple(
                    msgspec.structs.replace(
                        fill, quantity=to_places(fill.quantity * share, PLACES), row_id=row.id
                    )
                    for fill in exit_.fills
                ),
            )
        )
    return tuple(closes)


def settle_currency(key: LegKey) -> str:
    """The currency that a leg's PnL is paid in: USDT of `BTC/USDT:USDT-261225`."""
    return key.symbol.partition(":")[2].partition("-")[0]


def kind_of(symbol: str) -> Kind:
    """How a unified symbol is margined: one that is settled in its own base is inverse."""
    pair, _, contract = symbol.partition(":")
    inverse = contract.partition("-")[0] == pair.partition("/")[0]
    return Kind.INVERSE if inverse else Kind.LINEAR


def mean_price(pairs: Iterable[tuple[Decimal, Decimal]], kind: Kind) -> Decimal:
    """The one price that stands for several fills of (quantity, price) in any PnL formula.

    An inverse contract's quantity is in quote, so what its fills add up to is base: the mean is
    the harmonic one. Raises ArithmeticError where there are none.
    """
    filled = list(pairs)
    quantity = sum((quantity for quantity, _ in filled), ZERO)
    if len({price for _, price in filled}) == 1:
        return filled[0][1]
    if kind is Kind.INVERSE:
        return quantity / sum((quantity / price for quantity, price in filled), ZERO)
    return sum((quantity * price for quantity, price in filled), ZERO) / quantity


def fees_apart(
    key: LegKey, fees: Iterable[tuple[str | None, Decimal]]
) -> tuple[Decimal, tuple[tuple[str, Decimal], ...]]:
    """Fees in the leg's settle currency, and by name those in any other, which are not converted.

    A fee without a currency is taken to be in the settle currency.
    """
    own, others = ZERO, dict[str, Decimal]()
    for currency, fee in fees:
        if currency in (None, settle_currency(key)):
            own += fee
        elif currency is not None:
            others[currency] = others.get(currency, ZERO) + fee
    return own, tuple(sorted(others.items()))


def _accounting(leg: LedgerLeg, fills: Iterable[Fill], step: Decimal) -> list[tuple[Fill, Decimal]]:
    """The closing fills that account for the leg, and how much of each, or nothing.

    A fill whose PnL the venue calls zero either left at the entry price or opened the other side,
    as after a flip in one-way mode. So such fills count only where the others leave something
    over, and then from the oldest: the leg was closed before the other side was opened.
    """
    of_leg = sorted(
        (fill for fill in fills if fill.symbol == leg.key.symbol), key=lambda fill: fill.at
    )
    sure = [fill for fill in of_leg if not _may_have_opened(fill)]
    owed, used = leg.quantity, list[tuple[Fill, Decimal]]()
    for fill in sure[::-1] + [fill for fill in of_leg if _may_have_opened(fill)]:
        closed = min(closed_by(fill, leg.key.side), owed)
        if closed > ZERO:
            used.append((fill, closed))
            owed -= closed
    if owed > ZERO and owed >= step:
        return []
    return sorted(used, key=lambda pair: pair[0].at)


def _may_have_opened(fill: Fill) -> bool:
    """Whether nothing but its side says that a fill closed: no leg, no size, no PnL."""
    return fill.position_side is None and fill.closed_quantity is None and fill.realized_pnl == ZERO


def _unknown_exit(leg: LedgerLeg) -> Exit:
    return Exit(
        price=leg.entry_price,
        quantity=leg.quantity,
        pnl=ZERO,
        fees=ZERO,
        source=ExitSource.UNKNOWN,
    )


def _exit(
    leg: LedgerLeg,
    *,
    quantity: Decimal,
    price: Decimal,
    fee: Decimal,
    at: datetime,
    source: ExitSource,
    ended: ExitKind,
    entry_fee: Decimal,
    kind: Kind,
    others: tuple[tuple[str, Decimal], ...] = (),
    fills: tuple[BookedFill, ...] = (),
) -> Exit:
    worth = quantity * leg.entry_price if kind is Kind.LINEAR else quantity / leg.entry_price
    fees = to_places(fee + entry_fee * worth, PLACES)
    gross = _gross(leg.key.side, leg.entry_price, price, quantity, kind)
    return Exit(
        price=price,
        quantity=quantity,
        pnl=to_places(gross - fees, PLACES),
        fees=fees,
        source=source,
        kind=ended,
        at=at,
        other_fees=others,
        fills=fills,
    )


def _gross(side: Side, entry: Decimal, price: Decimal, quantity: Decimal, kind: Kind) -> Decimal:
    """Before fees. An inverse contract's quantity is in quote and its PnL in base."""
    if kind is Kind.INVERSE:
        return side.sign * quantity * (1 / entry - 1 / price)
    return side.sign * quantity * (price - entry)


def _kind(kinds: set[FillKind]) -> ExitKind:
    if FillKind.LIQUIDATION in kinds:
        return ExitKind.LIQUIDATION
    if FillKind.ADL in kinds:
        return ExitKind.ADL
    if kinds & {FillKind.SETTLEMENT, FillKind.DELIVERY}:
        return ExitKind.SETTLEMENT
    return ExitKind.TRANSFER if FillKind.TRANSFER in kinds else ExitKind.TRADE
