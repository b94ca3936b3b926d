"""The life of an aged leg: its phase, its target price, and whether to close now (A2).

Pure arithmetic on age and price. Leaves validation at the venue to verdict.py, the quantity to
sizing.py and the order to ladder.py.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import overload

import msgspec

from messages.ledger import LedgerLeg
from messages.settings import AgedSettings
from messages.values import ZERO, Side
from messages.venue import Price, Quote

_ONE = Decimal(1)
_STEP = timedelta(hours=1)


class Phase(StrEnum):
    """How gentle a close must be. Phases only ever follow one another in this order."""

    GRACE = "grace"
    PROGRESSIVE = "progressive"
    MARKET = "market"


class AgedFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An open ledger leg, the time, and the price if it could be had."""

    leg: LedgerLeg
    now: datetime
    quote: Price | None = None


class NotYet(msgspec.Struct, frozen=True, kw_only=True):
    """Not aged before `until`."""

    until: datetime


class LeaveAlone(msgspec.Struct, frozen=True, kw_only=True):
    """Aged, but an operator holds it or a trailing stop is active."""

    why: str


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Aged, and the price does not allow a close yet.

    `price` is what a close would get now, None without a quote. `next_change_at` is the next
    instant at which phase or target differ.
    """

    phase: Phase
    target: Decimal
    price: Decimal | None
    next_change_at: datetime


class CloseNow(msgspec.Struct, frozen=True, kw_only=True):
    """Close. `worst_price` is the price beyond which this phase does not allow it; None in the
    market phase, which takes any. `target` is then the last phase's.
    """

    phase: Phase
    target: Decimal
    price: Decimal | None
    why: str
    worst_price: Decimal | None


AgedDecision = NotYet | LeaveAlone | Hold | CloseNow


def decide(facts: AgedFacts, settings: AgedSettings) -> AgedDecision:
    """What to do with a leg at `facts.now`. Depends on nothing but its arguments, so a service
    that was down over a boundary is in the right phase when it is back.
    """
    leg = facts.leg
    aged_at = leg.opened_at + settings.max_age
    if facts.now < aged_at:
        return NotYet(until=aged_at)
    if leg.held:
        return LeaveAlone(why="held by an operator")
    if leg.trailing_active:
        return LeaveAlone(why="its trailing stop is active")
    over = facts.now - aged_at
    side, entry = leg.key.side, leg.entry_price
    phase = phase_at(over, settings)
    target = target_price(side, entry, over, settings)
    price = None if facts.quote is None else closing_price(side, facts.quote)
    if phase is Phase.MARKET:
        return CloseNow(
            phase=phase,
            target=target,
            price=price,
            why="older than the market phase allows: closed at whatever price",
            worst_price=None,
        )
    worst = _looser(side, target, break_even(side, entry, settings.fee))
    why = ""
    if price is not None and net_profit(side, entry, price, leg.quantity, settings.fee) > ZERO:
        why = f"a net profit after fees at {price}"
    elif price is not None and reaches(side, price, target):
        why = f"{price} reaches the target of the {phase} phase, {target}"
    if why:
        return CloseNow(phase=phase, target=target, price=price, why=why, worst_price=worst)
    return Hold(
        phase=phase,
        target=target,
        price=price,
        next_change_at=aged_at + next_change(over, settings),
    )


def phase_at(over: timedelta, settings: AgedSettings) -> Phase:
    """The phase at `over` = age less `max_age`. Both bounds belong to the gentler phase."""
    if over <= settings.grace:
        return Phase.GRACE
    if over <= settings.grace + settings.market_after:
        return Phase.PROGRESSIVE
    return Phase.MARKET


def loss_at(over: timedelta, settings: AgedSettings) -> Decimal:
    """The tolerated loss at `over`, as a fraction: `loss_step` for each whole hour after grace,
    at most `max_loss`. Zero in the grace phase and in the first hour after it.
    """
    if over <= settings.grace:
        return ZERO
    return min(settings.max_loss, settings.loss_step * ((over - settings.grace) // _STEP))


def target_price(side: Side, entry: Decimal, over: timedelta, settings: AgedSettings) -> Decimal:
    """The price at which a leg may leave at `over`, in quote currency.

    Grace: break-even with both fees, `entry·(1 ± 2·fee)`. Later: `entry·(1 ∓ loss)`, the last
    one being that of the market phase too, where nothing depends on it.
    """
    if phase_at(over, settings) is Phase.GRACE:
        return entry * (_ONE + side.sign * 2 * settings.fee)
    return entry * (_ONE - side.sign * loss_at(over, settings))


def next_change(over: timedelta, settings: AgedSettings) -> timedelta:
    """The first `over` after this one at which phase or target differ; not for the market phase.

    Phases end just after their bound, so an instant is added: who wakes then finds the change.
    """
    if over <= settings.grace:
        return settings.grace + timedelta.resolution
    end = settings.grace + settings.market_after + timedelta.resolution
    if settings.loss_step <= ZERO or loss_at(over, settings) >= settings.max_loss:
        return end
    steps = (over - settings.grace) // _STEP
    return min(end, settings.grace + (steps + 1) * _STEP)


@overload
def closing_price(side: Side, quote: Quote) -> Decimal: ...
@overload
def closing_price(side: Side, quote: Price) -> Decimal | None: ...
def closing_price(side: Side, quote: Price) -> Decimal | None:
    """What a close would get now: the bid for a long, the ask for a short."""
    return quote.bid if side is Side.LONG else quote.ask


def reaches(side: Side, price: Decimal, bound: Decimal) -> bool:
    """Whether closing a leg at `price` is at least as good as at `bound`."""
    return price >= bound if side is Side.LONG else price <= bound


def net_profit(
    side: Side, entry: Decimal, price: Decimal, quantity: Decimal, fee: Decimal
) -> Decimal:
    """Profit of a linear leg in quote currency, less `fee` (a fraction) on entry and exit.

    For an inverse contract the figure is another, its sign the same.
    """
    return (side.sign * (price - entry) - fee * (entry + price)) * quantity


def break_even(side: Side, entry: Decimal, fee: Decimal) -> Decimal:
    """The price at which `net_profit` is exactly zero."""
    if side is Side.LONG:
        return entry * (_ONE + fee) / (_ONE - fee)
    return entry * (_ONE - fee) / (_ONE + fee)


def _looser(side: Side, one: Decimal, other: Decimal) -> Decimal:
    return min(one, other) if side is Side.LONG else max(one, other)
