"""Tests of the accounting behind an absence (`docs/spec/truth.md`, rules 1 to 3)."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from messages.ledger import BookedFill
from messages.values import OrderSide, Side
from messages.venue import ClosedPosition, Fill, FillKind
from messages.verdict import ExplainedBy
from rules.explanation import BEFORE_OPENING, REPLAY_LIMIT, REPLICA_LAG, explain, history_from
from rules.leg_records import (
    Account,
    ClosedRow,
    History,
    OwnFill,
    free_fills,
    free_records,
    with_closed_rows,
)
from tests.rules.build import (
    LONG,
    SHORT,
    D,
    after,
    books,
    fill,
    history,
    own,
    record,
    seen,
)

BUY = OrderSide.BUY
DAY = 86_400


def explained(account: Account) -> bool:
    return explain(account).explained_by is not None


def told(
    *fills: Fill, last: str | None = "1", rows: str | None = "1", changed: float | None = None
) -> Account:
    """Seen at -4 and not since, with its rows an hour old, and these fills."""
    return books(
        rows,
        last=None if last is None else seen(-4, last, changed_at=changed),
        history=history(*fills),
    )


# Closings since the last sight, net of openings.


def test_a_sale_of_all_that_was_seen_explains_and_says_when_it_ended() -> None:
    found = explain(told(fill(3, "0.4"), fill(5, "0.6")))
    assert found.explained_by is ExplainedBy.FILLS
    assert (found.closed, found.opened, found.needed) == (D(1), D(0), D(1))
    assert found.ended_at == after(5)
    assert [one.at for one in found.fills] == [after(3), after(5)]
    assert found.why == ""


@pytest.mark.parametrize(
    ("fills", "why"),
    [
        ((), "nothing"),
        ((fill(3, "0.5"),), "a partial sale"),
        ((fill(-4000),), "before the last sight"),
        ((fill(3, side=BUY),), "the opening side"),
        ((fill(3, position_side=Side.SHORT),), "the other hedge leg's"),
        ((fill(3, symbol="ETH/USDT:USDT"),), "another symbol's"),
        ((fill(3, closed="0"),), "closed nothing"),
        ((fill(3, closed="0.5"),), "closed half, and opened the other side with the rest"),
        ((fill(2), fill(3, side=BUY)), "opened again since"),
        ((fill(2, side=BUY), fill(3)), "more was bought before it was sold"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_fills_that_do_not_reach_what_was_seen_explain_nothing(
    fills: tuple[Fill, ...], why: str
) -> None:
    found = explain(told(*fills))
    assert found.explained_by is None, why
    assert found.why


def test_what_is_missing_is_told_in_figures() -> None:
    assert "no closing" in explain(told()).why
    assert "closed 0.5, which leaves part of 1" in explain(told(fill(3, "0.5"))).why
    again = explain(told(fill(2), fill(3, side=BUY))).why
    assert "closed 1 and opened 1, which leaves part of 2" in again


def test_all_that_was_opened_again_must_be_closed_again() -> None:
    fills = (fill(2), fill(3, side=BUY), fill(4))
    found = explain(told(*fills))
    assert found.explained_by is ExplainedBy.FILLS
    assert (found.closed, found.opened, found.needed) == (D(2), D(1), D(2))
    assert [one.at for one in found.fills] == [after(2), after(4)]


def test_a_buy_that_closed_a_short_is_not_taken_for_a_reopened_long() -> None:
    assert explained(told(fill(2), fill(3, side=BUY, closed="1")))


@pytest.mark.parametrize("kind", FillKind)
def test_executions_of_every_kind_count(kind: FillKind) -> None:
    ended = msgspec.structs.replace(fill(3), kind=kind)
    assert explained(told(ended))


def test_a_flip_closed_the_leg_whether_or_not_the_venue_says_how_much_it_closed() -> None:
    assert explained(told(fill(3, "4")))
    assert explained(told(fill(3, "4", closed="1")))


def test_a_shortfall_of_less_than_a_step_is_none() -> None:
    short = books(last=seen(-4), history=history(fill(3, "0.9996")), step="0.001")
    assert explained(short)
    assert not explained(msgspec.structs.replace(short, history=history(fill(3, "0.999"))))


# What was known of it: seen, or in its rows.


def test_the_sale_of_another_row_of_the_leg_is_not_its_end() -> None:
    """Two rows, 3 and 5: the bot sells the 3, and the list leaves the leg out."""
    assert not explained(told(fill(3, "3"), last="8", rows="8"))
    assert not explained(told(fill(3, "3"), last="8", rows="5"))
    assert explained(told(fill(3, "3"), fill(4, "5"), last="8", rows="5"))


def test_rows_that_say_more_than_was_seen_must_be_accounted_for_from_their_opening_on() -> None:
    assert not explained(told(fill(3, "5"), last="5", rows="10"))
    assert explained(told(fill(-300, "5"), fill(3, "5"), last="5", rows="10", changed=-300))
    assert not explained(told(fill(-4000, "5"), fill(3, "5"), last="5", rows="10"))


def test_a_leg_that_was_never_seen_must_be_accounted_for_by_its_rows() -> None:
    assert not explained(told(fill(3, "0.5"), last=None))
    assert explained(told(fill(3), last=None))
    minute_early = told(fill(-3650, side=BUY), fill(3), last=None)
    assert explain(minute_early).opened == 1


def test_rows_that_others_closed_meanwhile_took_their_part_of_the_closings() -> None:
    """Never seen: a row of 2 that its bot has sold and closed, and one of 2 that lives."""
    both = told(fill(3, "2"), last=None, rows="2")
    assert explained(both)
    bot_closed = ClosedRow(quantity=D(2), opened_at=after(-3500), closed_at=after(4))
    assert not explained(with_closed_rows(both, [bot_closed]))


def test_closed_rows_are_counted_back_to_where_none_was_closed_any_more() -> None:
    """A bot writes late: a row that was closed since may have been sold long before."""

    def closed(opened: float, closed: float) -> ClosedRow:
        return ClosedRow(quantity=D(1), opened_at=after(opened), closed_at=after(closed))

    rows = [closed(-4000, -3600), closed(-5000, -3900), closed(-9000, -5001), closed(-10, -5)]
    counted = with_closed_rows(told(last=None), rows)
    assert (counted.closed_rows, counted.closed_from) == (D(3), after(-5000))
    assert history_from(counted) == after(-5000) - BEFORE_OPENING
    assert with_closed_rows(told(), []).closed_from is None


def test_rows_of_which_nobody_knows_since_when_they_are_explain_no_more_than_was_seen() -> None:
    account = books("2", last=seen(-4), opened_at=None, history=history(fill(3)))
    assert "nobody knows when they were opened" in explain(account).why
    assert explained(msgspec.structs.replace(account, rows_quantity=D(1)))


def test_a_sight_of_nothing_is_none() -> None:
    assert explained(books(last=seen(-4, "0"), history=history(fill(-3000))))
    assert not explained(books(last=seen(-4, "0"), history=history(fill(3, "0.5"))))


def test_a_history_from_just_when_it_was_asked_for_is_whole() -> None:
    for account in (books(last=seen(-4)), books(), books("2", last=seen(-4))):
        start = history_from(account)
        assert start is not None
        whole = History(since=start, fills=(fill(-3000, side=BUY), fill(3, "3")))
        found = explain(msgspec.structs.replace(account, history=whole))
        assert found.explained_by is ExplainedBy.FILLS


def test_a_leg_of_which_nothing_was_ever_known_is_not_explained() -> None:
    nothing = books(None, opened_at=None, history=history(fill(3)))
    assert history_from(nothing) is None
    assert explain(nothing).why == "its quantity was never known"
    unreadable_rows = books("0", history=history(fill(3)))
    assert not explained(unreadable_rows)


# How old what was seen may be.


def test_a_sale_that_the_sight_shows_already_does_not_count_again() -> None:
    """Seen with 1 left, 8 s after a partial sale by a venue's clock that is 12 s ahead."""
    assert not explained(told(fill(8.5), changed=8.5))
    assert explained(told(fill(8.5), changed=8.25))


def test_a_change_that_is_told_in_whole_seconds_may_be_that_much_later() -> None:
    assert not explained(told(fill(8.9), changed=8))
    assert not explained(told(fill(9), changed=8))
    assert explained(told(fill(9.1), changed=8))


def test_without_the_venue_s_word_a_sale_shortly_before_the_sight_may_be_in_it() -> None:
    inside = told(fill(-30), fill(3, "0.5"), rows="0.5")
    assert not explained(inside)
    assert not explained(told(fill(-30)))


def test_without_the_venue_s_word_a_clock_that_is_ahead_dates_a_sale_after_the_sight() -> None:
    """1 was left at -4; the sale that left it is dated 0.5, by a clock that is 4.6 s ahead."""
    fills = (fill(-3600, "2", side=BUY), fill(0.5))
    assert not explained(told(*fills))
    assert explained(told(*fills, fill(9)))


def test_a_lagging_sight_that_shows_less_than_there_is_explains_no_partial_sale() -> None:
    """Bought 1 at -3600 and 1 at -60; the list of -4 is two minutes old and shows the first."""
    fills = (fill(-3600, side=BUY), fill(-60, side=BUY), fill(3))
    assert not explained(told(*fills))
    assert explained(told(*fills, fill(4)))


def test_a_lagging_sight_that_shows_more_than_there_is_does_not_hide_the_end() -> None:
    """Of 1 half was sold at -60; the list of -4 shows all of it still."""
    fills = (fill(-3600, side=BUY), fill(-60, "0.5"), fill(3, "0.5"))
    assert explained(told(*fills))


def test_what_was_seen_is_not_older_than_a_list_may_be() -> None:
    """1 was there until -700. Of the 3 that then were all are sold, and 1 is seen all the same."""
    bought = [fill(at, side=BUY) for at in (-3600, -700, -30)]
    assert not explained(told(*bought, fill(-20, "3")))


def test_what_was_seen_is_compared_to_less_than_a_step() -> None:
    fills = (fill(-3600, "1.0004", side=BUY), fill(-60, "0.5"), fill(3, "0.5004"))
    fine = msgspec.structs.replace(told(*fills), step=D("0.001"))
    assert explained(fine)
    assert not explained(msgspec.structs.replace(fine, step=D("0.0004")))


def test_fills_that_do_not_come_by_what_was_seen_tell_nothing_of_its_age() -> None:
    """Something was there before: bought 1, sold 1, and yet 2 were seen afterwards."""
    fills = (fill(-3600, side=BUY), fill(-60), fill(3))
    assert not explained(told(*fills, last="2"))


def test_a_leg_that_was_empty_in_between_is_known_from_there_on() -> None:
    fills = (fill(-500), fill(-400, side=BUY), fill(3))
    assert explained(told(*fills))
    assert not explained(told(*fills[:2]))


# Rows that say more than was ever there.


def test_rows_that_say_more_than_was_ever_bought_are_no_part_of_it() -> None:
    bought = fill(-3600, side=BUY)
    assert explained(told(bought, fill(3), rows="2"))
    assert not explained(told(bought, rows="2"))
    assert not explained(told(bought, fill(3, "0.5"), rows="2"))


def test_where_the_executions_do_not_show_how_it_was_opened_the_rows_are_believed() -> None:
    assert not explained(told(fill(3), rows="2"))
    assert explained(told(fill(-5), fill(3), rows="2"))


# A net position that is on the other side now.


def turned(account: Account, other_side: str) -> Account:
    return msgspec.structs.replace(account, turned=D(other_side))


def test_a_sale_that_opened_what_is_held_on_the_other_side_closed_nothing() -> None:
    assert not explained(turned(told(fill(3)), "1"))
    assert explained(turned(told(fill(3, "2")), "1"))
    assert explained(turned(told(fill(3, "2"), fill(4, "0.5", side=BUY)), "0.5"))


def test_where_the_venue_says_how_much_of_a_sale_closed_that_is_taken() -> None:
    assert explained(turned(told(fill(3, "2", closed="1")), "1"))
    assert not explained(turned(told(fill(3, "1", closed="0")), "1"))


# From when on the executions must be read.


def test_the_history_begins_where_what_was_seen_may_have_been_so() -> None:
    orphan = books(None, last=seen(-4), opened_at=None)
    assert history_from(orphan) == after(-4.1) - REPLICA_LAG
    changed = books(None, last=seen(-4, changed_at=-50), opened_at=None)
    assert history_from(changed) == after(-50)


def test_it_begins_at_the_opening_where_that_is_near_or_is_needed() -> None:
    near = books(last=seen(-4, changed_at=-50))
    assert history_from(near) == after(-3600) - BEFORE_OPENING
    limit = REPLAY_LIMIT.total_seconds()
    far = books(last=seen(-4, changed_at=-50), opened_at=-50 - limit)
    assert history_from(far) == after(-50)
    last_day = books(last=seen(-4, changed_at=-50), opened_at=10 - limit)
    assert history_from(last_day) == after(10 - limit) - BEFORE_OPENING
    exceeded = books("2", last=seen(-4, changed_at=-50), opened_at=-90 * DAY)
    assert history_from(exceeded) == after(-90 * DAY) - BEFORE_OPENING
    reopened = books(last=seen(-4, changed_at=-50), opened_at=20)
    assert history_from(reopened) == after(-50)
    assert history_from(books()) == after(-3600) - BEFORE_OPENING


def test_a_history_that_begins_later_explains_nothing_and_says_so() -> None:
    sight, opening = after(-4.1) - REPLICA_LAG, after(-3600) - BEFORE_OPENING
    for account, since, needed in (
        (books(last=seen(-4)), sight, D(1)),
        (books(), opening, D(1)),
        (books("2", last=seen(-4)), sight, D(1)),
        (books("2", last=seen(-4, "0")), opening, D(2)),
    ):
        late = msgspec.structs.replace(account, history=history(fill(3, "2"), since=1))
        found = explain(late)
        assert found.explained_by is None
        assert "known only from 2026-03-01 12:00 UTC on" in found.why
        assert (found.since, found.needed, found.closed) == (since, needed, D(0))


def test_a_history_that_reaches_the_last_sight_but_not_the_opening_may_do() -> None:
    account = books(last=seen(-4, changed_at=-50), opened_at=-3600)
    assert explained(msgspec.structs.replace(account, history=history(fill(3), since=-50)))


def test_a_history_that_was_not_or_cannot_be_read_explains_nothing_and_says_so() -> None:
    assert explain(books(last=seen(-4))).why == "the executions were not read"
    unread = books(last=seen(-4), unread="the venue keeps three days")
    assert explain(unread).why == "the venue keeps three days"


# Our own orders.


def test_a_close_that_was_seen_between_its_orders_is_explained_by_them() -> None:
    parts = (own(1, "0.4"), own(3, "0.4"), own(7, "0.2"))
    found = explain(books(last=seen(5, "0.2"), own=parts))
    assert found.explained_by is ExplainedBy.OWN_ORDERS
    assert found.closed == 1


@pytest.mark.parametrize(
    ("parts", "opened_at", "why"),
    [
        ((own(1, "0.4"), own(7, "0.2")), None, "of what is missing, a part was nobody's"),
        ((own(1, "0.4"), own(3, "0.4")), None, "nothing of ours came after it was seen"),
        ((own(1, "0.4"), own(3, "0.4"), own(7, "0.1")), None, "part of what was seen stays"),
        ((own(1, "0.8"), own(7, "0.2")), 3, "the first order ended an earlier life"),
    ],
)
def test_what_our_orders_before_a_sight_leave_open_is_not_explained_by_them(
    parts: tuple[OwnFill, ...], opened_at: float | None, why: str
) -> None:
    account = books(last=seen(5, "0.2"), own=parts, opened_at=opened_at)
    assert explain(account).explained_by is not ExplainedBy.OWN_ORDERS, why


def test_our_own_verified_fills_of_what_was_seen_explain_by_themselves() -> None:
    found = explain(books(last=seen(-4), own=(own(5, "0.4"), own(7, "0.6"))))
    assert found.explained_by is ExplainedBy.OWN_ORDERS
    assert (found.closed, found.ended_at, found.since) == (D(1), after(8), after(-4))


@pytest.mark.parametrize(
    ("account", "why"),
    [
        (books(last=seen(-4), own=(own(5, "0.9"),)), "less than was seen"),
        (books(last=seen(10), own=(own(5),)), "seen again since"),
        (books("2", last=seen(-4), own=(own(5),)), "the rows say more"),
        (books(own=(own(5),)), "sent blindly: never seen"),
        (books(last=seen(-4), own=(own(5),), opened_at=3), "seen before its row was opened"),
        (books(last=seen(-4, "0"), own=(own(5),)), "seen with nothing"),
        (books(last=seen(-4), own=()), "none"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_own_fills_that_are_not_all_that_was_there_do_not_explain_alone(
    account: Account, why: str
) -> None:
    assert explain(account).explained_by is None, why


def test_what_others_closed_beside_our_own_fills_is_found_in_the_history() -> None:
    ours = fill(5.5, "0.4", order_id="ours")
    account = books(last=seen(-4), own=(own(5, "0.4"),), history=history(ours, fill(7, "0.6")))
    assert explain(account).explained_by is ExplainedBy.FILLS


# Whose fills they are.


def test_a_fill_that_ended_another_row_ends_no_second_one() -> None:
    account = told(fill(3), last=None)
    assert explained(account)
    booked = (BookedFill(fill_id="f3", quantity=D(1)),)
    found = explain(msgspec.structs.replace(account, booked=booked))
    assert found.explained_by is None
    assert "closed 1, 1 of it for other rows" in found.why


def test_of_a_fill_that_ended_another_row_in_part_the_rest_counts() -> None:
    booked = (BookedFill(fill_id="f3", quantity=D(1)), BookedFill(fill_id="f3", quantity=D(2)))
    account = books("1", history=history(fill(3, "4")), booked=booked)
    assert explained(account)
    assert not explained(msgspec.structs.replace(account, rows_quantity=D("1.1")))


def test_a_fill_of_an_order_of_ours_for_other_rows_does_not_count() -> None:
    ours = fill(3, order_id="ours")
    account = books(history=history(ours), other_orders=frozenset({"ours"}))
    assert not explained(account)
    assert explained(msgspec.structs.replace(account, history=history(ours, fill(4))))


def test_of_what_left_a_leg_that_was_seen_its_own_rows_must_have_their_part() -> None:
    """Seen with 3: our order took 2 for another row, a hand 1; the row of 2 is not ended."""
    fills = (fill(3, "2", order_id="ours"), fill(4))
    account = books("2", last=seen(-4, "3"), history=history(*fills))
    account = msgspec.structs.replace(account, other_orders=frozenset({"ours"}))
    found = explain(account)
    assert found.explained_by is None
    assert "closed 3, 2 of it for other rows" in found.why


def test_what_ended_other_rows_still_left_the_leg() -> None:
    """Seen with 3: our order took the 2 of another row, and a hand the 1 of this one."""
    fills = (fill(3, "2", order_id="ours"), fill(4))
    account = books("1", last=seen(-4, "3"), history=history(*fills))
    account = msgspec.structs.replace(account, other_orders=frozenset({"ours"}))
    assert explained(account)
    assert not explained(msgspec.structs.replace(account, history=history(fills[0])))


def test_nothing_is_booked_for_an_orphan_so_it_does_not_matter_whose_fill_ended_it() -> None:
    account = books(
        None,
        last=seen(-4, changed_at=-50),
        opened_at=None,
        history=history(fill(3)),
        booked=(BookedFill(fill_id="f3", quantity=D(1)),),
    )
    assert explained(account)


# The venue's own record of closed positions.


def test_a_settlement_is_explained_by_the_venue_s_record_where_no_fill_tells_it() -> None:
    settled = books(last=seen(-4), history=history(records=(record(3),)))
    found = explain(settled)
    assert found.explained_by is ExplainedBy.VENUE_RECORD
    assert (found.ended_at, found.records, found.fills) == (after(3), (record(3),), ())
    assert not explained(msgspec.structs.replace(settled, history=history(records=())))


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ((record(-1000),), "before the last sight"),
        ((record(3, key=SHORT),), "another leg's"),
        ((record(3, "0.5"),), "half of it"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_records_that_do_not_reach_what_was_seen_explain_nothing(
    records: tuple[object, ...], why: str
) -> None:
    told = History(since=after(-DAY), fills=(), records=records)  # type: ignore[arg-type]
    assert not explained(books(last=seen(-4), history=told)), why


def test_a_record_that_ended_another_row_ends_no_second_one() -> None:
    settled = books(history=history(records=(record(3), record(4, "0.5"))))
    booked = BookedFill(fill_id="r3", quantity=D(1), row_id=7)
    assert explained(settled)
    assert not explained(msgspec.structs.replace(settled, booked=(booked,)))
    half = msgspec.structs.replace(settled, booked=(booked,), rows_quantity=D("0.5"))
    assert explained(half)


def test_a_record_of_our_order_for_other_rows_does_not_count() -> None:
    ours = msgspec.structs.replace(record(3), order_id="ours")
    settled = books(history=history(records=(ours,)), other_orders=frozenset({"ours"}))
    assert not explained(settled)
    assert explained(msgspec.structs.replace(settled, other_orders=frozenset({"theirs"})))


def test_after_the_end_of_a_whole_life_only_what_was_opened_again_is_owed() -> None:
    """Of 7 in all 3 were sold before the sight of 2, 2 bought after it, 4 sold; then 3 bought."""
    fills = (fill(-3600, "5", side=BUY), fill(-50, "3"), fill(3, "2", side=BUY), fill(5, "4"))
    again = fill(9, "3", side=BUY)
    life = record(5, "7")

    def account(*fills: Fill) -> Account:
        told = History(since=after(-DAY), fills=fills, records=(life,))
        return books("2", last=seen(-4, "2", changed_at=-50), history=told)

    assert explained(account(*fills))
    assert not explained(account(*fills, again))
    assert explained(account(*fills, again, fill(12, "3")))
    only_record = books("2", last=seen(-4, "2"), history=history(again, records=(life,)))
    assert not explained(only_record)
    assert explained(msgspec.structs.replace(only_record, history=history(records=(life,))))


def test_records_of_parts_count_as_fills_do() -> None:
    """Bybit keeps one for each closing order, and the position may go on."""

    def part(at: float, quantity: str) -> ClosedPosition:
        return msgspec.structs.replace(record(at, quantity), whole=False)

    account = books(last=seen(-4), history=history(records=(part(3, "0.5"),)))
    assert not explained(account)
    both = history(records=(part(3, "0.5"), part(4, "0.5")))
    assert explained(msgspec.structs.replace(account, history=both))
    again = history(fill(5, "1", side=BUY), records=both.records)
    assert not explained(msgspec.structs.replace(account, history=again))


def test_what_is_free_is_what_ended_no_other_row() -> None:
    fills = (fill(9, "4", fee="0.4"), fill(3), fill(5, order_id="ours"), fill(6, side=BUY))
    records = (record(9, "4"), record(3), record(4, key=SHORT))
    booked = tuple(BookedFill(fill_id=f"{kind}9", quantity=D(3)) for kind in "fr")
    account = books(
        history=history(*fills, records=records), booked=booked, other_orders=frozenset({"ours"})
    )
    free = free_fills(account)
    assert [(one.at, one.quantity, one.fee) for one in free] == [
        (after(3), D(1), D(0)),
        (after(9), D(1), D("0.1")),
    ]
    assert [(one.ended_at, one.quantity) for one in free_records(account)] == [
        (after(3), D(1)),
        (after(9), D(1)),
    ]
    assert free_fills(books()) == ()
    assert free_records(books(history=history(*fills))) == ()


def test_the_part_of_a_fill_has_its_share_of_the_profit() -> None:
    won = msgspec.structs.replace(fill(9, "4"), realized_pnl=D(8))
    booked = (BookedFill(fill_id="f9", quantity=D(3)),)
    (rest,) = free_fills(books(history=history(won), booked=booked))
    assert (rest.realized_pnl, rest.closed_quantity) == (D(2), D(1))
    (whole,) = free_fills(books(history=history(won)))
    assert whole == won


def test_records_and_fills_are_two_tellings_of_the_same_closings_and_are_not_added() -> None:
    both = history(fill(3, "0.5"), records=(record(3, "0.5"),))
    assert not explained(books(last=seen(-4), history=both))
    whole = history(fill(3), records=(record(3.5),))
    found = explain(books(last=seen(-4), history=whole))
    assert found.explained_by is ExplainedBy.FILLS
    assert found.ended_at == after(3.5)


def test_a_short_leg_is_accounted_for_by_purchases() -> None:
    account = books(key=SHORT, last=seen(-4, key=SHORT), history=history(fill(3, side=BUY)))
    assert explained(account)
    assert not explained(msgspec.structs.replace(account, history=history(fill(3))))


def test_the_order_in_which_fills_are_told_does_not_matter() -> None:
    fills = (fill(-3600, side=BUY), fill(-60, "0.5"), fill(3, "0.5"))
    assert explain(told(*fills)) == explain(told(*fills[::-1]))


def test_the_lag_that_is_allowed_for_is_longer_than_any_that_was_seen() -> None:
    assert timedelta(seconds=300) < REPLICA_LAG
    assert LONG.side.closing is OrderSide.SELL
