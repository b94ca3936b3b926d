"""What may be called gone: reads, the answer by name and the records together.

The table and the rules 1 to 7 of `docs/spec/truth.md`, as far as one leg's verdict can show them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest

from messages.ledger import BookedFill
from messages.settings import VerdictSettings
from messages.values import LegKey, OrderSide
from messages.venue import PositionHint, Scope, Snapshot
from messages.verdict import (
    Absent,
    EvidenceKind,
    ExplainedBy,
    Present,
    Unexplained,
    Unknown,
    Verdict,
    Want,
)
from rules.leg_records import Account, ClosedRow, with_closed_rows
from rules.verdict import LegFacts, judge
from tests.rules.build import (
    BTC,
    LONG,
    SHORT,
    USDT,
    D,
    after,
    books,
    fill,
    history,
    own,
    position,
    read,
    record,
    seen,
)

RULE = VerdictSettings()
BUY = OrderSide.BUY
NAMES_IT = Scope(USDT.settles, frozenset({BTC}))


def by_name(start: float, flat: LegKey | None = None) -> Snapshot:
    """The venue, asked for the leg by name, shows nothing, or (`flat`) names it with zero."""
    named = read(start, scope=NAMES_IT)
    return named if flat is None else msgspec.structs.replace(named, flat=frozenset({flat}))


def verdict(
    account: Account,
    *reads: Snapshot,
    now: float = 10,
    asks: bool = True,
    changed_at: datetime | None = None,
    **others: object,
) -> Verdict:
    facts = LegFacts(
        account=account,
        now=after(now),
        snapshots=reads,
        changed_at=changed_at or (None if account.opened_at is None else account.opened_at),
        can_query_symbol=asks,
    )
    return judge(msgspec.structs.replace(facts, **others), RULE)


def unknown(verdict: Verdict) -> Unknown:
    assert isinstance(verdict, Unknown), verdict
    return verdict


def absent(verdict: Verdict) -> Absent:
    assert isinstance(verdict, Absent), verdict
    return verdict


def unexplained(verdict: Verdict) -> Unexplained:
    assert isinstance(verdict, Unexplained), verdict
    return verdict


SEEN_WITH_5 = books("5", last=seen(-70, "5", changed_at=-3600))
"""A row of 5, opened an hour ago and seen a minute ago; nobody has traded it since."""
LONG_GONE = (read(-65), read(5), by_name(6))


def told(*fills: object, **others: object) -> Account:
    whole = history(*fills)  # type: ignore[arg-type]
    return msgspec.structs.replace(SEEN_WITH_5, **{"history": whole, **others})


# The table, line by line.


def test_a_wrong_key_is_an_empty_account_and_buries_nothing() -> None:
    """Two flat reads, a flat answer by name and an empty history: all of another wallet."""
    found = unexplained(verdict(told(), *LONG_GONE))
    assert "no closing" in found.why


def test_a_replica_that_lags_in_the_list_and_by_name_buries_nothing() -> None:
    bought = fill(-3500, "5", side=BUY)
    found = unexplained(verdict(told(bought), *LONG_GONE))
    assert (found.accounting.closed, found.named_at) == (D(0), after(6))


@pytest.mark.parametrize("sold", ["2", "4.999"], ids=["another row of the leg", "all but a step"])
def test_a_partial_sale_is_no_closing_fill_whatever_the_list_says(sold: str) -> None:
    one_list = verdict(told(fill(-20, sold)), read(5), by_name(6))
    assert unknown(one_list).look_again_at == after(7)
    assert isinstance(verdict(told(fill(-20, sold)), *LONG_GONE), Unexplained)


def test_after_a_partial_sale_the_venue_is_asked_by_name_before_anything_is_said() -> None:
    assert unknown(verdict(told(fill(-20, "2")), read(3), read(5))).wants is Want.NAME


def test_the_short_row_of_two_netted_rows_is_no_ghost_but_for_a_person() -> None:
    """Long 10 and short 4 in the ledger, net long 6 at the venue."""
    short = books("4", key=SHORT, history=history(fill(-20, "9", side=BUY)))
    net_long = position(LONG, "6")
    found = unknown(verdict(short, read(1, net_long), read(5, net_long), netted=True))
    assert found.netted
    long = unknown(verdict(books("10"), read(1, net_long), read(5, net_long), netted=True))
    assert long.netted


def test_two_rows_of_a_hedged_account_are_two_legs() -> None:
    short, long = books("4", key=SHORT), position(LONG, "6", hedged=True)
    assert isinstance(verdict(books("6"), read(5, long), netted=True), Present)
    assert not isinstance(verdict(short, read(5, long)), Present)


def test_the_old_row_of_a_renamed_contract_is_not_buried() -> None:
    renamed = msgspec.structs.replace(position(), key=LegKey("main", "NEW/USDT:USDT", LONG.side))
    found = verdict(told(), read(-65, renamed), read(5, renamed), by_name(6))
    assert isinstance(found, Unexplained)


def test_an_exit_of_the_bot_s_own_is_known_at_once_and_is_due_after_settle() -> None:
    """The stream tells of the exit seconds before the bot writes it."""
    flat = PositionHint(key=LONG, quantity=D(0), at=after(4))
    found = absent(verdict(told(fill(4, "5")), read(5), by_name(6), hint=flat))
    assert found.due_at == after(4) + RULE.settle
    assert found.evidence.kind is EvidenceKind.READ_AND_FILL


def test_a_fill_of_ours_for_row_1_is_no_exit_of_row_2() -> None:
    ours = fill(-20, "5", order_id="ours")
    never_seen = books("5", history=history(ours))
    assert isinstance(verdict(never_seen, *LONG_GONE), Absent)
    for whose in (
        {"other_orders": frozenset({"ours"})},
        {"booked": (BookedFill(fill_id="f-20", quantity=D(5)),)},
    ):
        others = msgspec.structs.replace(never_seen, **whose)
        assert isinstance(verdict(others, *LONG_GONE), Unexplained)


def test_the_bot_s_own_sale_of_row_1_is_no_exit_of_row_2() -> None:
    never_seen = books("5", history=history(fill(-20, "5")))
    row_1 = ClosedRow(quantity=D(5), opened_at=after(-3000), closed_at=after(-19))
    assert isinstance(verdict(with_closed_rows(never_seen, [row_1]), *LONG_GONE), Unexplained)


# 1. Ask by name.


def test_the_venue_is_asked_by_name_though_a_closing_fill_explains_it() -> None:
    sold = told(fill(-20, "5"))
    assert unknown(verdict(sold, read(5))).wants is Want.NAME
    assert isinstance(verdict(sold, read(5), asks=False), Absent)
    answered = absent(verdict(sold, read(5), by_name(6)))
    assert answered.evidence.named_at == after(6)
    assert answered.evidence.named_flat_at is None


def test_a_venue_that_names_the_leg_with_zero_says_more_than_one_that_leaves_it_out() -> None:
    found = absent(verdict(told(fill(-20, "5")), read(5), by_name(6, LONG)))
    assert found.evidence.named_flat_at == after(6)


def test_a_venue_that_is_asked_by_name_and_shows_the_leg_has_it() -> None:
    shown = read(6, position(quantity="5"), scope=NAMES_IT)
    assert isinstance(verdict(told(fill(-20, "5")), read(3), read(5), shown), Present)


def test_a_question_by_name_that_fails_is_no_answer() -> None:
    failed = read(6, scope=NAMES_IT, broken=True)
    assert unknown(verdict(told(fill(-20, "5")), read(5), failed)).failed
    assert unknown(verdict(told(fill(-20, "5")), failed, read(7))).wants is Want.NAME


def test_an_answer_of_before_the_leg_was_shown_again_is_asked_for_anew() -> None:
    reads = (by_name(1), read(3, position(quantity="5")), read(5))
    assert unknown(verdict(told(fill(4, "5")), *reads)).wants is Want.NAME


def test_our_own_verified_fills_need_no_answer_by_name_no_history_and_no_settling() -> None:
    ours = msgspec.structs.replace(SEEN_WITH_5, own=(own(-5, "5"),))
    found = absent(verdict(ours, read(5), own_fill_at=after(-4)))
    assert found.evidence.accounting.explained_by is ExplainedBy.OWN_ORDERS
    assert found.due_at is None


def test_our_own_fills_of_a_part_need_both() -> None:
    ours = msgspec.structs.replace(SEEN_WITH_5, own=(own(-5, "4"),))
    assert unknown(verdict(ours, read(5), own_fill_at=after(-4))).wants is Want.HISTORY
    rest = (fill(-4.5, "4", order_id="ours"), fill(-3, "1"))
    both = msgspec.structs.replace(ours, history=history(*rest))
    assert unknown(verdict(both, read(5), own_fill_at=after(-4))).wants is Want.NAME


# 2. Explain.


def test_the_history_is_read_before_anything_is_said() -> None:
    assert unknown(verdict(SEEN_WITH_5, read(5))).wants is Want.HISTORY
    assert unknown(verdict(SEEN_WITH_5, *LONG_GONE)).wants is Want.HISTORY


def test_the_venue_s_record_is_read_too_where_it_keeps_one() -> None:
    unread = told(history=history(records=None))
    assert unknown(verdict(unread, *LONG_GONE)).wants is Want.RECORDS
    explained = told(history=history(fill(-20, "5"), records=None))
    assert isinstance(verdict(explained, *LONG_GONE), Absent)
    assert isinstance(verdict(told(), *LONG_GONE), Unexplained)


def test_a_settlement_with_a_record_is_a_ghost_and_without_one_is_for_a_person() -> None:
    settled = msgspec.structs.replace(SEEN_WITH_5, history=history(records=(record(-20, "5"),)))
    found = absent(verdict(settled, *LONG_GONE))
    assert found.evidence.accounting.explained_by is ExplainedBy.VENUE_RECORD
    nothing = msgspec.structs.replace(SEEN_WITH_5, history=history(records=()))
    assert isinstance(verdict(nothing, *LONG_GONE), Unexplained)


def test_rows_that_exceed_what_was_seen_are_accounted_for_whole() -> None:
    """The rows say 10, 5 were seen, and 5 were sold since."""
    ten = told(fill(-20, "5"), rows_quantity=D(10))
    assert isinstance(verdict(ten, *LONG_GONE), Unexplained)
    whole = told(fill(-3500, "5"), fill(-20, "5"), rows_quantity=D(10))
    assert isinstance(verdict(whole, *LONG_GONE), Absent)


def test_a_lagging_sight_is_as_old_as_the_position_s_own_last_change_says() -> None:
    """The list of -70 shows 5 of -3600: bought 5 more at -100, sold 5 at -20."""
    lagged = told(fill(-100, "5", side=BUY), fill(-20, "5"))
    found = unexplained(verdict(lagged, *LONG_GONE))
    assert (found.accounting.opened, found.accounting.closed) == (D(5), D(5))


def test_a_leg_that_nobody_ever_knew_the_size_of_is_not_explained_by_any_fill() -> None:
    bare = books(None, opened_at=None, history=history(fill(-20, "5")))
    assert isinstance(verdict(bare, *LONG_GONE), Unexplained)


# 3. A history that does not explain.


def test_unexplained_is_said_only_after_settle_with_all_that_was_seen_and_asked() -> None:
    early = unknown(verdict(told(), read(3), read(5), by_name(6)))
    assert early.look_again_at == after(3) + RULE.settle
    found = unexplained(verdict(told(), read(3), read(60), by_name(62), now=63))
    assert found.since == after(3)
    assert [one.started_at for one in found.reads] == [after(3), after(62)]
    assert found.named_at == after(62)
    assert found.last_seen == SEEN_WITH_5.last_seen


def test_reads_that_are_no_longer_kept_count_for_how_long_it_is_gone() -> None:
    found = unexplained(verdict(told(), read(3), read(5), by_name(6), absent_since=after(-60)))
    assert found.since == after(-60)
    not_yet = verdict(told(), read(3), read(5), by_name(6), absent_since=after(-49.9))
    assert unknown(not_yet).look_again_at == after(-49.9) + RULE.settle


def test_a_history_that_cannot_be_read_is_unexplained_and_says_why() -> None:
    unreadable = msgspec.structs.replace(SEEN_WITH_5, unread="the venue refuses: -2015")
    assert "-2015" in unexplained(verdict(unreadable, *LONG_GONE)).why
    short = msgspec.structs.replace(SEEN_WITH_5, history=history(fill(-20, "5"), since=-60))
    assert "known only from" in unexplained(verdict(short, *LONG_GONE)).why


def test_unexplained_ends_by_itself_when_it_is_shown_or_a_record_turns_up() -> None:
    assert isinstance(verdict(told(), *LONG_GONE, read(8, position(quantity="5"))), Present)
    assert isinstance(verdict(told(fill(-20, "5")), *LONG_GONE), Absent)


def test_one_look_is_never_called_unexplained_however_long_it_is_gone() -> None:
    once = unknown(verdict(told(), by_name(6), absent_since=after(-3600)))
    assert once.look_again_at == after(8)


# 4. Settle, at the end too.


def test_an_end_by_a_clock_that_is_ahead_is_due_no_later_than_settle_from_now() -> None:
    ahead = told(fill(3000, "5"))
    found = absent(verdict(ahead, read(1), read(5), by_name(6)))
    assert found.due_at == after(10) + RULE.settle


def test_a_list_that_left_the_leg_out_before_its_end_makes_it_due_no_sooner() -> None:
    found = absent(verdict(told(fill(-2, "5")), *LONG_GONE))
    assert found.due_at == after(-2) + RULE.settle


# 6. Opposite rows, and a leg that has flipped.


def test_a_flipped_leg_is_a_mismatch_until_a_record_says_how_it_flipped() -> None:
    """Long 5 in the ledger, short 5 at the venue: sold 10."""
    short = position(SHORT, "5")
    reads = (read(1, short), read(5, short), read(6, short, scope=NAMES_IT))
    assert unknown(verdict(told(), *reads)).other_side
    assert not isinstance(verdict(told(fill(-20, "4")), *reads), Absent)
    flipped = told(fill(-20, "10", closed="5"))
    assert isinstance(verdict(flipped, *reads), Absent)


def test_a_single_row_is_not_netted_and_a_hedged_leg_never_is() -> None:
    assert isinstance(verdict(told(fill(-20, "5")), *LONG_GONE, netted=False), Absent)
    hedged = position(quantity="5", hedged=True)
    assert isinstance(verdict(told(), read(5, hedged), netted=True), Present)


# Nothing of this shortens what held before.


@pytest.mark.parametrize(
    "others",
    [
        {"order_live": True},
        {"changed_at": after(7)},
        {"own_fill_at": after(7)},
        {"not_before": after(7)},
        {"hint": PositionHint(key=LONG, quantity=D(5), at=after(7))},
        {"now": 69},
    ],
    ids=lambda others: next(iter(others)),
)
def test_an_explained_absence_waits_for_all_that_absence_always_waited_for(
    others: dict[str, object],
) -> None:
    sold = told(fill(-20, "5"))
    assert isinstance(verdict(sold, *LONG_GONE), Absent)
    assert isinstance(verdict(sold, *LONG_GONE, **others), Unknown)  # type: ignore[arg-type]


def test_an_explained_row_that_is_younger_than_settle_is_not_judged() -> None:
    young = books("5", last=seen(-20, "5"), opened_at=-30, history=history(fill(-10, "5")))
    found = unknown(verdict(young, read(5), by_name(6), changed_at=after(-29)))
    assert found.look_again_at == after(-30) + RULE.settle
    assert RULE.settle > timedelta(seconds=40)


def test_an_end_by_orders_of_ours_need_not_wait_for_a_bot_to_write_it() -> None:
    """Seen between their intent and their end, they explain it only by their executions."""
    ours = told(fill(3, "5", order_id="ours"))
    ours = msgspec.structs.replace(ours, own=(own(-75, "5", order_id="ours"),))
    found = absent(verdict(ours, read(5), read(9), by_name(9)))
    assert found.evidence.accounting.explained_by is ExplainedBy.FILLS
    assert found.due_at is None
    others = msgspec.structs.replace(ours, own=(own(-75, "5", order_id="another"),))
    assert absent(verdict(others, read(5), read(9), by_name(9))).due_at is not None
