"""Tests of the verdict: no evidence, no absence (`mission.md` A5, scenarios 1.1 to 1.9).

What the records add up to is tested in test_explanation.py, the two together in test_absence.py.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest

from messages.settings import VerdictSettings
from messages.values import LegKey
from messages.venue import PositionHint, Scope, Snapshot
from messages.verdict import Absent, EvidenceKind, Present, Unknown, Want
from rules.leg_records import Account, History
from rules.verdict import LegFacts, judge
from tests.rules.build import (
    LONG,
    SHORT,
    D,
    after,
    books,
    fill,
    history,
    position,
    read,
    seen,
)

RULE = VerdictSettings()
OLD = after(-3600)
ENDED = history(fill(9.9))
"""How the leg ended, by a venue's clock that is ahead: no read began after that end."""
LATER = history(fill(99))


def facts(
    *reads: Snapshot,
    now: float = 10,
    key: LegKey = LONG,
    changed_at: datetime | None = OLD,
    history: History | None = ENDED,
    opened_at: float | None = None,
) -> LegFacts:
    """A leg of 1 that was seen, and whose end is in the records unless a test says otherwise."""
    account = books(
        None if changed_at is None else "1",
        key=key,
        last=seen(-50, key=key),
        history=history,
        opened_at=opened_at,
    )
    return LegFacts(account=account, now=after(now), snapshots=reads, changed_at=changed_at)


def replaced(facts: LegFacts, **changes: object) -> LegFacts:
    return msgspec.structs.replace(facts, **changes)


def accounted(facts: LegFacts, **changes: object) -> LegFacts:
    account: Account = msgspec.structs.replace(facts.account, **changes)
    return msgspec.structs.replace(facts, account=account)


def unknown(verdict: object) -> Unknown:
    assert isinstance(verdict, Unknown)
    return verdict


def test_a_leg_that_the_newest_read_shows_is_present_with_the_venues_quantity() -> None:
    verdict = judge(facts(read(1), read(5, position(quantity="50"))), RULE)
    assert isinstance(verdict, Present)
    assert verdict.quantity == 50
    assert verdict.seen_at == after(5)


def test_a_damaged_read_that_shows_the_leg_proves_it_present() -> None:
    assert isinstance(judge(facts(read(5, position(), broken=True)), RULE), Present)


def test_a_damaged_read_that_does_not_show_the_leg_is_unknown_and_failed() -> None:
    verdict = unknown(judge(facts(read(1), read(4), read(8, broken=True)), RULE))
    assert verdict.failed
    assert "cut off" in verdict.why


def test_a_read_that_failed_before_it_knew_its_scope_is_failed_for_every_leg() -> None:
    nothing = read(8, broken=True, scope=Scope(frozenset()))
    assert unknown(judge(facts(read(1, position()), nothing), RULE)).failed


def test_one_complete_read_without_the_leg_asks_for_a_second() -> None:
    verdict = unknown(judge(facts(read(5)), RULE))
    assert verdict.look_again_at == after(7)
    assert not verdict.failed
    unexplained = unknown(judge(facts(read(5), history=history()), RULE))
    assert unexplained.look_again_at == after(7)


def test_two_complete_reads_far_enough_apart_confirm_absence_and_are_its_evidence() -> None:
    verdict = judge(facts(read(5), read(7)), RULE)
    assert isinstance(verdict, Absent)
    assert verdict.evidence.kind is EvidenceKind.TWO_READS
    assert [one.started_at for one in verdict.evidence.reads] == [after(5), after(7)]


def test_two_complete_reads_too_close_together_confirm_nothing() -> None:
    verdict = unknown(judge(facts(read(5), read(6.999)), RULE))
    assert verdict.look_again_at == after(7)


def test_one_read_never_confirms_itself_even_without_a_wait() -> None:
    eager = VerdictSettings(confirm_after=timedelta(0))
    assert isinstance(judge(facts(read(5)), eager), Unknown)
    assert isinstance(judge(facts(read(5), read(5.5)), eager), Absent)


def test_a_flicker_is_no_ghost() -> None:
    assert isinstance(judge(facts(read(2), read(5, position())), RULE), Present)
    between = judge(facts(read(2), read(5, position()), read(8)), RULE)
    assert unknown(between).look_again_at == after(10)


def test_a_damaged_read_between_two_complete_ones_neither_helps_nor_hinders() -> None:
    assert isinstance(judge(facts(read(2), read(4, broken=True), read(6)), RULE), Absent)


def test_a_young_row_is_not_judged_before_it_has_settled() -> None:
    verdict = unknown(judge(facts(read(1), read(4), changed_at=after(-1)), RULE))
    assert verdict.look_again_at == after(59)


def test_reads_taken_while_the_row_was_young_do_not_count_once_it_is_old() -> None:
    young = facts(read(1), read(4), now=61, changed_at=after(0), history=LATER)
    patient = msgspec.structs.replace(RULE, stale_after=timedelta(hours=1))
    assert isinstance(judge(young, patient), Unknown)
    settled = facts(read(1), read(60), read(62), now=63, changed_at=after(0), history=LATER)
    assert isinstance(judge(settled, patient), Absent)


def test_settle_counts_from_the_opening_where_that_is_known() -> None:
    touched = facts(read(3), read(6), changed_at=after(2))
    assert isinstance(judge(touched, RULE), Unknown)
    assert isinstance(judge(accounted(touched, opened_at=OLD), RULE), Absent)


def test_a_read_older_than_the_rows_last_change_says_nothing_either_way() -> None:
    older = facts(read(1, position()), changed_at=after(2))
    assert isinstance(judge(older, RULE), Unknown)
    touched = accounted(facts(read(1), read(4), changed_at=after(2)), opened_at=OLD)
    assert isinstance(judge(touched, RULE), Unknown)


def test_a_read_older_than_our_own_last_fill_says_nothing() -> None:
    filled = msgspec.structs.replace(facts(read(1, position())), own_fill_at=after(2))
    assert isinstance(judge(filled, RULE), Unknown)


def test_a_read_older_than_the_question_says_nothing_but_the_row_is_no_younger_for_it() -> None:
    asked = msgspec.structs.replace(facts(read(1, position())), not_before=after(2))
    assert isinstance(judge(asked, RULE), Unknown)
    answered = msgspec.structs.replace(facts(read(3), read(6)), not_before=after(2))
    assert isinstance(judge(answered, RULE), Absent)


def test_a_stale_read_is_unknown_whatever_it_shows() -> None:
    assert isinstance(judge(facts(read(1, position()), now=62), RULE), Unknown)
    assert isinstance(judge(facts(read(1), read(4), now=65), RULE), Unknown)


def test_a_row_that_claims_to_change_in_the_future_is_unknown_and_says_so() -> None:
    verdict = unknown(judge(facts(read(1), read(4), changed_at=after(500)), RULE))
    assert "clock" in verdict.why
    assert verdict.look_again_at == after(500)


def test_nothing_read_is_unknown_and_no_failure() -> None:
    assert not unknown(judge(facts(), RULE)).failed


def test_a_read_of_another_scope_account_or_symbol_says_nothing() -> None:
    usdc = Scope(frozenset({"USDC"}))
    other = Scope(frozenset({"USDT"}), frozenset({"ETH/USDT:USDT"}))
    for strange in (
        (read(1, scope=usdc), read(5, scope=usdc)),
        (read(1, scope=other), read(5, scope=other)),
        (read(1, account="second"), read(5, account="second")),
    ):
        assert isinstance(judge(facts(*strange), RULE), Unknown)


def test_a_read_of_the_symbol_alone_counts() -> None:
    only = Scope(frozenset({"USDT"}), frozenset({LONG.symbol}))
    assert isinstance(judge(facts(read(1, scope=only), read(5)), RULE), Absent)


def test_a_leg_shown_outside_the_declared_scope_is_there_all_the_same() -> None:
    usdc = Scope(frozenset({"USDC"}))
    assert isinstance(judge(facts(read(1, position(), scope=usdc)), RULE), Present)


def test_in_hedge_mode_the_long_leg_is_gone_and_the_short_one_is_there() -> None:
    short = position(SHORT, hedged=True)
    reads = (read(1, short), read(5, short))
    assert isinstance(judge(facts(*reads), RULE), Absent)
    assert isinstance(judge(facts(*reads, key=SHORT), RULE), Present)


def test_in_one_way_mode_the_other_side_in_its_place_is_no_ghost_but_for_a_person() -> None:
    reads = (read(1, position(SHORT)), read(5, position(SHORT)))
    verdict = unknown(judge(facts(*reads, history=history()), RULE))
    assert verdict.other_side
    assert not verdict.failed


def test_the_other_side_in_its_place_is_a_ghost_where_a_record_says_how_that_came() -> None:
    reads = (read(1, position(SHORT)), read(5, position(SHORT)))
    sold_two = history(fill(-10, "2"))
    assert isinstance(judge(facts(*reads, history=sold_two), RULE), Absent)
    assert unknown(judge(facts(*reads), RULE)).other_side, (
        "one was sold: the short was there before"
    )
    not_read = unknown(judge(facts(*reads, history=None), RULE))
    assert not_read.wants is Want.HISTORY
    assert not not_read.other_side
    unreadable = accounted(facts(*reads, history=None), unread="timed out")
    assert unknown(judge(unreadable, RULE)).other_side


def test_a_live_order_of_ours_forbids_absence_but_not_presence() -> None:
    gone = msgspec.structs.replace(facts(read(1), read(5)), order_live=True)
    assert isinstance(judge(gone, RULE), Unknown)
    there = msgspec.structs.replace(facts(read(5, position())), order_live=True)
    assert isinstance(judge(there, RULE), Present)


@pytest.mark.parametrize(
    ("hinted_at", "expected"),
    [(0.5, Absent), (1, Unknown), (3, Unknown), (5, Unknown), (9, Unknown)],
)
def test_a_stream_that_shows_the_leg_voids_every_read_that_began_before(
    hinted_at: float, expected: type
) -> None:
    hint = PositionHint(key=LONG, quantity=D(1), at=after(hinted_at))
    assert isinstance(
        judge(msgspec.structs.replace(facts(read(1), read(5)), hint=hint), RULE), expected
    )


def test_the_evidence_says_whether_the_venue_named_the_leg_or_only_left_it_out() -> None:
    left_out = judge(facts(read(1), read(5)), RULE)
    assert isinstance(left_out, Absent)
    assert left_out.evidence.named_flat_at is None
    one_symbol = Scope(frozenset({"USDT"}), frozenset({LONG.symbol}))
    named = msgspec.structs.replace(read(6), scope=one_symbol, flat=frozenset({LONG}))
    verdict = judge(facts(read(1), read(5), named), RULE)
    assert isinstance(verdict, Absent)
    assert verdict.evidence.named_flat_at == after(6)


def test_a_leg_that_lists_left_out_and_the_venue_names_is_present() -> None:
    named = msgspec.structs.replace(
        read(6, position()), scope=Scope(frozenset({"USDT"}), frozenset({LONG.symbol}))
    )
    assert isinstance(judge(facts(read(1), read(5), named), RULE), Present)


def test_a_stream_that_says_flat_voids_no_read() -> None:
    hint = PositionHint(key=LONG, quantity=D(0), at=after(9))
    gone = msgspec.structs.replace(facts(read(1), read(5)), hint=hint)
    assert isinstance(judge(gone, RULE), Absent)


def test_bounds_belong_to_the_side_that_the_words_say() -> None:
    """At the change: not older. At settle: not younger. At stale_after: not yet stale."""
    at_change = facts(read(2, position()), changed_at=after(2))
    assert isinstance(judge(at_change, RULE), Present)
    at_settle = facts(read(60), read(62), now=62.1, changed_at=after(0), history=LATER)
    assert isinstance(judge(at_settle, RULE), Absent)
    just_settled = facts(read(60), now=60, changed_at=after(0), history=LATER)
    assert unknown(judge(just_settled, RULE)).look_again_at == after(62)
    not_stale = facts(read(1, position()), now=61.1)
    assert isinstance(judge(not_stale, RULE), Present)


def test_a_stream_that_says_flat_is_no_evidence() -> None:
    hint = PositionHint(key=LONG, quantity=D(0), at=after(6))
    assert isinstance(judge(msgspec.structs.replace(facts(read(5)), hint=hint), RULE), Unknown)


def test_one_complete_read_after_a_closing_fill_of_the_whole_leg_confirms_absence() -> None:
    closed = fill(3)
    verdict = judge(facts(read(5), history=history(closed)), RULE)
    assert isinstance(verdict, Absent)
    assert verdict.evidence.kind is EvidenceKind.READ_AND_FILL
    assert verdict.evidence.fills == (closed,)
    assert [one.started_at for one in verdict.evidence.reads] == [after(5)]


def test_a_fill_at_the_very_start_of_the_read_counts_and_one_after_it_asks_for_a_second() -> None:
    assert isinstance(judge(facts(read(5), history=history(fill(5))), RULE), Absent)
    ahead = unknown(judge(facts(read(5), history=history(fill(5.05))), RULE))
    assert ahead.look_again_at == after(7)


def test_a_complete_read_that_names_no_scope_says_nothing() -> None:
    nowhere = Scope(frozenset())
    verdict = unknown(judge(facts(read(1, scope=nowhere), read(5, scope=nowhere)), RULE))
    assert "covers" in verdict.why
    old_failure = facts(read(-9000, broken=True, scope=nowhere))
    assert "before" in unknown(judge(old_failure, RULE)).why


def test_an_orphans_end_needs_the_same_two_reads() -> None:
    assert isinstance(judge(facts(read(5), changed_at=None), RULE), Unknown)
    assert isinstance(judge(facts(read(5), read(7), changed_at=None), RULE), Absent)


def test_each_unknown_says_why_and_whether_a_complete_read_did_not_show_the_leg() -> None:
    hint = PositionHint(key=LONG, quantity=D(1), at=after(9))
    short = position(SHORT)
    not_shown = [
        (facts(read(5)), "a second complete read"),
        (replaced(facts(read(5)), order_live=True), "an order of ours"),
        (facts(read(1), changed_at=after(-1)), "younger than settle"),
        (replaced(facts(read(5)), hint=hint), "the stream has shown it since"),
        (facts(read(55), now=61, changed_at=after(0)), "before settle was over"),
        (facts(read(1), read(5), history=None), "how it ended is not read"),
        (facts(read(1, short), history=None), "the other side is"),
        (facts(read(1, short), history=history()), "no record says why"),
        (replaced(facts(read(1), read(5)), can_query_symbol=True), "by name"),
        (facts(read(1), read(5), history=history()), "not explained yet"),
    ]
    for one, why in not_shown:
        verdict = unknown(judge(one, RULE))
        assert why in verdict.why
        assert verdict.not_shown, why
    others = [
        (facts(), "covers"),
        (facts(read(1), changed_at=after(3)), "before the leg's last change"),
        (facts(read(1), now=65), "stale"),
        (facts(read(1, broken=True)), "failed or is incomplete"),
        (replaced(facts(read(1)), netted=True), "both sides"),
    ]
    for one, why in others:
        verdict = unknown(judge(one, RULE))
        assert why in verdict.why
        assert not verdict.not_shown, why


def test_a_leg_that_waits_for_a_newer_read_is_looked_at_again_at_once() -> None:
    hint = PositionHint(key=LONG, quantity=D(1), at=after(9))
    assert unknown(judge(replaced(facts(read(5)), hint=hint), RULE)).look_again_at == after(10)
