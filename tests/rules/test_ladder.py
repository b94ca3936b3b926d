"""Tests of the order ladder (`docs/spec/mission.md` B4)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.execution import ErrorCode
from messages.settings import OrderSettings
from messages.values import Side
from messages.venue import OrderType, Quote, VenueError, VenueErrorKind
from rules.ladder import Attempt, LadderFacts, Send, Stop, next_order
from rules.phases import closing_price, reaches
from tests.rules.build import D, decimals, instrument, prove, quote, sides

MARKET, AGGRESSIVE, MAKER = OrderType.MARKET, OrderType.LIMIT_AGGRESSIVE, OrderType.LIMIT_MAKER
RULE = OrderSettings()


def facts(
    *history: Attempt,
    remaining: str = "1",
    book: Quote | None = None,
    side: Side = Side.LONG,
    worst: str | None = None,
    ladder: tuple[OrderType, ...] = RULE.ladder,
    most: str | None = None,
) -> LadderFacts:
    return LadderFacts(
        history=history,
        remaining=D(remaining),
        quote=quote("99.95", "100.05", "100") if book is None else book,
        instrument=instrument(most=most),
        side=side,
        settings=OrderSettings(ladder=ladder),
        worst_price=None if worst is None else D(worst),
    )


def tried(
    type_: OrderType = MARKET, kind: VenueErrorKind | None = VenueErrorKind.OTHER, filled: str = "0"
) -> Attempt:
    error = None if kind is None else VenueError(kind=kind, message="a test")
    return Attempt(type=type_, error=error, filled=D(filled))


def sent(step: Send | Stop) -> Send:
    assert isinstance(step, Send)
    return step


def stopped(step: Send | Stop) -> Stop:
    assert isinstance(step, Stop)
    return step


def test_a_close_begins_at_market_at_once() -> None:
    assert next_order(facts()) == Send(type=MARKET, price=None, quantity=D(1))


def test_each_rung_has_three_tries_in_configured_order_and_then_there_is_an_end() -> None:
    history: list[Attempt] = []
    for type_ in [MARKET] * 3 + [AGGRESSIVE] * 3 + [MAKER] * 3:
        assert sent(next_order(facts(*history))).type is type_
        history.append(tried(type_))
    end = stopped(next_order(facts(*history)))
    assert end.code is ErrorCode.UNKNOWN
    assert not end.permanent


def test_another_order_of_rungs_is_kept() -> None:
    step = sent(next_order(facts(ladder=(MAKER, MARKET))))
    assert step.type is MAKER
    last = sent(next_order(facts(*[tried(MAKER)] * 3, ladder=(MAKER, MARKET))))
    assert last.type is MARKET


def test_the_back_off_doubles_from_half_a_second_to_five() -> None:
    waits = [sent(next_order(facts(*[tried()] * n, ladder=(MARKET,) * 1)))
             for n in range(3)]  # fmt: skip
    assert [one.wait_first.total_seconds() for one in waits] == [0, 0.5, 1]
    history = [tried()] * 3 + [tried(AGGRESSIVE)] * 3
    assert sent(next_order(facts(*history[:4]))).wait_first == timedelta(seconds=4)
    assert sent(next_order(facts(*history[:5]))).wait_first == timedelta(seconds=5)
    assert sent(next_order(facts(*history))).wait_first == timedelta(seconds=5)


def test_a_rate_limit_is_waited_out_for_fifteen_seconds() -> None:
    limited = sent(next_order(facts(tried(kind=VenueErrorKind.RATE_LIMIT))))
    assert limited.wait_first == timedelta(seconds=15)


def test_an_order_that_filled_anything_ends_the_back_off() -> None:
    assert sent(next_order(facts(tried(), tried(filled="0.5")))).wait_first == timedelta(0)


def test_an_excused_refusal_counts_for_nothing_and_is_not_waited_for() -> None:
    excused = msgspec.structs.replace(tried(kind=VenueErrorKind.REDUCE_ONLY_RESERVED), excused=True)
    step = sent(next_order(facts(*[excused] * 5)))
    assert (step.type, step.wait_first) == (MARKET, timedelta(0))


def test_a_position_above_the_largest_market_order_is_closed_in_parts_without_running_out() -> None:
    full = Attempt(type=MARKET, filled=D(2), complete=True)
    for done in range(5):
        step = sent(next_order(facts(*[full] * done, remaining=str(10 - 2 * done), most="2")))
        assert (step.type, step.quantity, step.wait_first) == (MARKET, D(2), timedelta(0))
    limit = sent(next_order(facts(remaining="10", most="2", ladder=(AGGRESSIVE,))))
    assert limit.quantity == 10


@pytest.mark.parametrize(
    ("side", "type_", "price"),
    [
        (Side.LONG, AGGRESSIVE, "99.9"),
        (Side.SHORT, AGGRESSIVE, "100.1"),
        (Side.LONG, MAKER, "100.1"),
        (Side.SHORT, MAKER, "99.9"),
    ],
)
def test_a_limit_has_its_price_rounded_to_a_step(side: Side, type_: OrderType, price: str) -> None:
    assert sent(next_order(facts(side=side, ladder=(type_,)))).price == D(price)


@pytest.mark.parametrize(("side", "price"), [(Side.LONG, "100.2"), (Side.SHORT, "100.0")])
def test_a_limit_price_between_two_steps_is_rounded_away_from_the_loss(
    side: Side, price: str
) -> None:
    book = (
        quote("100.2", "100.2", "100.25") if side is Side.LONG else quote("99.9", "99.9", "99.95")
    )
    assert sent(next_order(facts(side=side, book=book, ladder=(AGGRESSIVE,)))).price == D(price)


@pytest.mark.parametrize(("side", "worst"), [(Side.LONG, "99.97"), (Side.SHORT, "100.03")])
def test_beyond_the_worst_price_only_a_maker_order_is_left(side: Side, worst: str) -> None:
    step = sent(next_order(facts(side=side, worst=worst)))
    assert step.type is MAKER
    assert step.price is not None
    assert reaches(side, step.price, D(worst))
    none = stopped(next_order(facts(side=side, worst=worst, ladder=(MARKET, AGGRESSIVE))))
    assert none.code is ErrorCode.PRICE_BAND
    assert not none.permanent


def test_an_aggressive_limit_is_never_worse_than_the_worst_price() -> None:
    step = sent(next_order(facts(worst="99.95", ladder=(AGGRESSIVE,))))
    assert step.price == D("100.0")


def test_a_rung_whose_price_the_venue_called_out_of_band_is_passed_over() -> None:
    step = sent(next_order(facts(tried(kind=VenueErrorKind.PRICE_BAND))))
    assert step.type is AGGRESSIVE


@pytest.mark.parametrize(
    "kind", [VenueErrorKind.KEY, VenueErrorKind.SIZE, VenueErrorKind.NOT_TRADABLE]
)
def test_a_permanent_refusal_ends_the_ladder(kind: VenueErrorKind) -> None:
    assert stopped(next_order(facts(tried(kind=kind)))).permanent


def test_a_ladder_that_is_used_up_says_what_the_last_refusal_was() -> None:
    history = [tried(kind=VenueErrorKind.MAINTENANCE)] * 3
    step = stopped(next_order(facts(*history, ladder=(MARKET,))))
    assert step.code is ErrorCode.NETWORK
    assert "maintenance" in step.why


def test_a_rest_below_the_smallest_order_ends_it_for_an_operator() -> None:
    step = stopped(next_order(facts(remaining="0.0009")))
    assert (step.code, step.permanent) == (ErrorCode.MIN_SIZE, True)


def test_exactly_the_smallest_order_is_still_sent() -> None:
    assert sent(next_order(facts(remaining="0.001"))).quantity == D("0.001")


def test_a_ladder_without_rungs_and_one_whose_last_order_did_not_fill_say_so() -> None:
    assert "none is configured" in stopped(next_order(facts(ladder=()))).why
    unfilled = stopped(next_order(facts(*[tried(kind=None)] * 3, ladder=(MARKET,))))
    assert unfilled.code is ErrorCode.UNKNOWN
    assert "did not fill" in unfilled.why


def test_a_limit_that_rounds_down_to_no_price_is_passed_over() -> None:
    cheap = facts(side=Side.SHORT, book=quote("0.05"), ladder=(AGGRESSIVE, MAKER))
    assert stopped(next_order(cheap)).code is ErrorCode.PRICE_BAND
    assert sent(next_order(msgspec.structs.replace(cheap, side=Side.LONG))).price == D("0.1")


def test_the_largest_market_order_counts_in_contracts_and_is_rounded_down() -> None:
    okx = instrument(size="0.01", step="1", least="1", most="2.5")
    step = sent(next_order(msgspec.structs.replace(facts(), instrument=okx)))
    assert step.quantity == D("0.02")


def test_without_a_quote_only_an_unbounded_market_order_is_sent() -> None:
    blind = msgspec.structs.replace(facts(), quote=None)
    assert sent(next_order(blind)).type is MARKET
    bounded = msgspec.structs.replace(blind, worst_price=D(90))
    assert stopped(next_order(bounded)).code is ErrorCode.NETWORK


def test_a_stop_is_no_rung() -> None:
    with pytest.raises(ValueError, match="rung"):
        next_order(facts(ladder=(OrderType.STOP_MARKET,)))


attempts = st.builds(
    tried,
    st.sampled_from([MARKET, AGGRESSIVE, MAKER]),
    st.sampled_from([None, *VenueErrorKind]),
    st.sampled_from(["0", "0", "0.1"]),
)


@given(
    sides, st.lists(attempts, max_size=9), decimals("0.01", "9", 5), decimals("90", "110", 3),
    decimals("0", "1", 3), decimals("-1", "1", 3), st.none() | decimals("85", "115", 3),
    st.permutations([MARKET, AGGRESSIVE, MAKER]),
)  # fmt: skip
@prove
def test_no_order_is_ever_worse_than_allowed_larger_than_what_remains_or_between_steps(
    side: Side, history: list[Attempt], remaining: Decimal, bid: Decimal, spread: Decimal,
    drift: Decimal, worst: Decimal | None, ladder: list[OrderType],
) -> None:  # fmt: skip
    book = quote(bid, bid + spread, bid + drift)
    given_ = LadderFacts(
        history=tuple(history), remaining=remaining, quote=book, instrument=instrument(), side=side,
        settings=OrderSettings(ladder=tuple(ladder)), worst_price=worst,
    )  # fmt: skip
    step = next_order(given_)
    assert next_order(given_) == step
    if isinstance(step, Stop):
        return
    assert 0 < step.quantity <= remaining
    assert step.quantity % given_.instrument.quantity_step == 0
    assert timedelta(0) <= step.wait_first <= RULE.rate_limit_wait
    assert sum(one.type is step.type and one.counts for one in history) < RULE.attempts
    if step.price is None:
        assert step.type is MARKET
        assert worst is None or reaches(side, closing_price(side, book), worst)
        return
    assert step.price % given_.instrument.price_step == 0
    assert worst is None or reaches(side, step.price, worst)
    if step.type is AGGRESSIVE:
        bound = book.last * (1 - side.sign * RULE.aggressive_offset)
        assert reaches(side, step.price, bound)
    else:
        assert reaches(side, step.price, book.ask if side is Side.LONG else book.bid)


@given(sides, decimals("90", "110", 3), st.sampled_from([AGGRESSIVE, MAKER]))
@prove
def test_long_and_short_limits_are_mirrored(side: Side, last: Decimal, rung: OrderType) -> None:
    middle = D(100)

    def price(of: Side, at: Decimal) -> Decimal:
        fine = msgspec.structs.replace(instrument(), price_step=D(0))
        lopsided = LadderFacts(
            history=(), remaining=D(1), quote=quote(at, at, at), instrument=fine, side=of,
            settings=OrderSettings(ladder=(rung,), aggressive_offset=D(0)),
        )  # fmt: skip
        found = sent(next_order(lopsided)).price
        assert found is not None
        return found

    assert price(side, last) - middle == middle - price(side.opposite, 2 * middle - last)
