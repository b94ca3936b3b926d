"""The next rung of the order ladder (`docs/spec/mission.md` B4): order, price and wait.

Decides from the history of one close. Leaves the quantity to sizing.py, the meaning of a refusal
to refusals.py, and looking up an order of unknown outcome to the caller, who must know it before
asking for the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import msgspec

from messages.execution import ErrorCode
from messages.settings import OrderSettings
from messages.values import ZERO, Side
from messages.venue import Instrument, OrderType, Price, PriceKind, VenueError, VenueErrorKind
from rules.phases import closing_price, reaches
from rules.refusals import answer_refusal, code_of, retry_wait
from rules.rounding import ceil_to, floor_to
from rules.sizing import smallest_order

_ONE = Decimal(1)
_NOW = timedelta(0)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A try that is over. `error` is the venue's refusal, None where it took the order.

    `complete`: all of that order filled, so it was no failure. `excused`: something was done
    about the refusal, so it does not count and need not be waited for.
    """

    type: OrderType
    sent_price: Decimal | None = None
    filled: Decimal = ZERO
    error: VenueError | None = None
    complete: bool = False
    excused: bool = False

    @property
    def counts(self) -> bool:
        return not (self.complete or self.excused)


class LadderFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Where a close stands. `remaining` is base units; `history` is oldest first.

    `worst_price` bounds the loss (None: any price). Without a quote only an unbounded market
    order can be sent.
    """

    history: tuple[Attempt, ...]
    remaining: Decimal
    quote: Price | None
    instrument: Instrument
    side: Side
    settings: OrderSettings
    worst_price: Decimal | None = None


class Send(msgspec.Struct, frozen=True, kw_only=True):
    """Send this order after `wait_first`. Ask again after a wait: prices move."""

    type: OrderType
    price: Decimal | None
    quantity: Decimal
    wait_first: timedelta = _NOW


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """Send nothing more in this close. Only where `permanent` an operator is needed."""

    code: ErrorCode
    why: str
    permanent: bool = False


def next_order(facts: LadderFacts) -> Send | Stop:
    """The next order of a close, or why there is none.

    Each rung gets `attempts` tries that count. A rung whose price the venue called out of band,
    or that `worst_price` does not allow now, is passed over. No limit price is ever worse than
    `worst_price`; a market order is sent only while the best price is no worse, since it cannot
    carry one.
    """
    last = facts.history[-1] if facts.history else None
    if last is not None and last.error is not None and not last.excused:
        answer = answer_refusal(last.error, None, facts.settings)
        if answer.permanent:
            return Stop(code=answer.code, why=answer.text, permanent=True)
    least = smallest_order(facts.instrument)
    whole = floor_to(facts.remaining, facts.instrument.quantity_step)
    if whole < least or whole <= ZERO:
        return Stop(
            code=ErrorCode.MIN_SIZE,
            why=f"{facts.remaining} is below the smallest order of {least}",
            permanent=True,
        )
    tried_all = True
    for rung in facts.settings.ladder:
        if _is_spent(rung, facts.history, facts.settings):
            continue
        tried_all = False
        if _allowed(rung, facts):
            return Send(
                type=rung,
                price=_price(rung, facts),
                quantity=_most(rung, whole, facts.instrument),
                wait_first=_wait(facts.history, facts.settings),
            )
    if not tried_all and facts.quote is None:
        return Stop(code=ErrorCode.NETWORK, why="no quote to bound the price by")
    if not tried_all:
        bound = "" if facts.worst_price is None else f" of {facts.worst_price} or better"
        return Stop(
            code=ErrorCode.PRICE_BAND, why=f"no rung that is left has a usable price{bound} now"
        )
    code = ErrorCode.UNKNOWN
    if last is not None and last.error is not None:
        code = code_of(last.error.kind)
    return Stop(code=code, why=f"all rungs are tried, the last one: {_told(last)}")


def prices_used(
    history: Sequence[Attempt], settings: OrderSettings, worst_price: Decimal | None
) -> frozenset[PriceKind]:
    """Which prices `next_order` needs after this history; none where a market order goes anyway.

    A rung that a bound bars now is passed over for one that needs no other price.
    """
    for rung in settings.ladder:
        if _is_spent(rung, history, settings):
            continue
        if rung is OrderType.MARKET and worst_price is None:
            return frozenset()
        if rung is OrderType.LIMIT_AGGRESSIVE:
            return frozenset((PriceKind.BOOK, PriceKind.LAST))
        return frozenset((PriceKind.BOOK,))
    return frozenset()


def _is_spent(rung: OrderType, history: Sequence[Attempt], settings: OrderSettings) -> bool:
    tries = [attempt for attempt in history if attempt.type is rung and attempt.counts]
    if len(tries) >= settings.attempts:
        return True
    return any(
        attempt.error is not None and attempt.error.kind is VenueErrorKind.PRICE_BAND
        for attempt in tries
    )


def _allowed(rung: OrderType, facts: LadderFacts) -> bool:
    if rung is OrderType.STOP_MARKET:
        raise ValueError("a stop is no rung of the closing ladder")
    if rung is OrderType.MARKET and facts.worst_price is None:
        return True
    if facts.quote is None:
        return False
    if rung is not OrderType.MARKET:
        price = _price(rung, facts)
        if price is None or price <= ZERO:
            return False
    if rung is OrderType.LIMIT_MAKER or facts.worst_price is None:
        return True
    price = closing_price(facts.side, facts.quote)
    return price is not None and reaches(facts.side, price, facts.worst_price)


def _price(rung: OrderType, facts: LadderFacts) -> Decimal | None:
    """The limit price in quote currency, rounded to the price step away from a wider loss."""
    if rung is OrderType.MARKET or facts.quote is None:
        return None
    long = facts.side is Side.LONG
    if rung is OrderType.LIMIT_AGGRESSIVE:
        last = facts.quote.last
        offset = _ONE - facts.side.sign * facts.settings.aggressive_offset
        price = None if last is None else last * offset
    else:
        price = facts.quote.ask if long else facts.quote.bid
    if price is None:
        return None
    if facts.worst_price is not None:
        price = max(price, facts.worst_price) if long else min(price, facts.worst_price)
    step = facts.instrument.price_step
    return ceil_to(price, step) if long else floor_to(price, step)


def _most(rung: OrderType, whole: Decimal, instrument: Instrument) -> Decimal:
    if rung is not OrderType.MARKET or instrument.max_market_amount is None:
        return whole
    most = floor_to(
        instrument.max_market_amount * instrument.contract_size, instrument.quantity_step
    )
    return min(whole, most) if most > ZERO else whole


def _wait(history: Sequence[Attempt], settings: OrderSettings) -> timedelta:
    """Back-off doubles with each failure in a row; an order that filled anything ends the row."""
    failures = 0
    for attempt in reversed(history):
        if attempt.filled > ZERO or not attempt.counts:
            break
        failures += 1
    if not failures:
        return _NOW
    doubled: int = 1 << min(failures - 1, 32)
    wait = min(settings.backoff_first * doubled, settings.backoff_last)
    error = history[-1].error
    return wait if error is None else max(wait, retry_wait(error.kind, settings))


def _told(last: Attempt | None) -> str:
    if last is None:
        return "none is configured"
    return f"{last.type} {'did not fill' if last.error is None else last.error}"
