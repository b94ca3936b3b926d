"""Faults planted in the rule of absence: each part of it switched off, and who notices.

The rules are those of `docs/spec/truth.md`, 1 to 4 and 6; rule 5, who an account is, is not the
verdict's, which is shown here only to call nothing absent that another wallet does not show.
A fault that the worlds find needs no more events than CI takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec
import pytest

import rules.explanation
import rules.leg_records
import rules.verdict
from messages.ledger import LastSeen
from messages.settings import VerdictSettings
from messages.values import ZERO
from messages.venue import ClosedPosition, Fill
from messages.verdict import (
    Absent,
    Accounting,
    Evidence,
    EvidenceKind,
    ExplainedBy,
    Unexplained,
    Unknown,
    Verdict,
    Want,
)
from rules.leg_records import Account, History
from rules.verdict import LegFacts
from tests.rules import test_absence, test_explanation, test_verdict, test_worlds
from tests.rules.worlds.check import layers
from tests.rules.worlds.guard import Judge
from tests.rules.worlds.world import Venue

VENUE = Venue(asks=True, tells_change=True)

Test = Callable[[], None]
Patch = pytest.MonkeyPatch


def as_absent(verdict: Verdict) -> Verdict:
    """What is unexplained, buried: as two flat reads were enough for before."""
    if not isinstance(verdict, Unexplained):
        return verdict
    evidence = Evidence(
        kind=EvidenceKind.TWO_READS,
        reads=verdict.reads,
        accounting=verdict.accounting,
        named_at=verdict.named_at,
    )
    return Absent(evidence=evidence)


def never_asks_by_name(judge: Judge, facts: LegFacts, settings: VerdictSettings) -> Verdict:
    return judge(msgspec.structs.replace(facts, can_query_symbol=False), settings)


def asks_by_name_only_without_a_fill(
    judge: Judge, facts: LegFacts, settings: VerdictSettings
) -> Verdict:
    verdict = judge(facts, settings)
    if isinstance(verdict, Unknown) and verdict.wants is Want.NAME and facts.account.history:
        return never_asks_by_name(judge, facts, settings)
    return verdict


def two_flat_reads_are_enough(judge: Judge, facts: LegFacts, settings: VerdictSettings) -> Verdict:
    return as_absent(judge(facts, settings))


def an_unreadable_history_is_no_obstacle(
    judge: Judge, facts: LegFacts, settings: VerdictSettings
) -> Verdict:
    verdict = judge(facts, settings)
    return verdict if facts.account.history is not None else as_absent(verdict)


def unexplained_is_said_at_once(
    judge: Judge, facts: LegFacts, settings: VerdictSettings
) -> Verdict:
    quick = msgspec.structs.replace(settings, settle=timedelta(0))
    verdict = judge(facts, quick)
    return verdict if isinstance(verdict, Unexplained) else judge(facts, settings)


def nothing_settles_at_the_end(judge: Judge, facts: LegFacts, settings: VerdictSettings) -> Verdict:
    verdict = judge(facts, settings)
    if isinstance(verdict, Absent):
        return msgspec.structs.replace(verdict, due_at=None)
    return verdict


def netted_rows_are_judged_one_by_one(
    judge: Judge, facts: LegFacts, settings: VerdictSettings
) -> Verdict:
    return judge(msgspec.structs.replace(facts, netted=False), settings)


def a_read_of_before_our_own_fill_counts(
    judge: Judge, facts: LegFacts, settings: VerdictSettings
) -> Verdict:
    return judge(msgspec.structs.replace(facts, own_fill_at=None), settings)


def looks_need_no_space(judge: Judge, facts: LegFacts, settings: VerdictSettings) -> Verdict:
    return judge(facts, msgspec.structs.replace(settings, confirm_after=timedelta(0)))


def damaged_reads_are_complete(judge: Judge, facts: LegFacts, settings: VerdictSettings) -> Verdict:
    whole = tuple(msgspec.structs.replace(read, problems=()) for read in facts.snapshots)
    return judge(msgspec.structs.replace(facts, snapshots=whole), settings)


IN_THE_VERDICT: list[tuple[Callable[[Judge, LegFacts, VerdictSettings], Verdict], Test | None]] = [
    (never_asks_by_name, None),
    (asks_by_name_only_without_a_fill, None),
    (two_flat_reads_are_enough, None),
    (nothing_settles_at_the_end, None),
    (
        unexplained_is_said_at_once,
        test_absence.test_unexplained_is_said_only_after_settle_with_all_that_was_seen_and_asked,
    ),
    (
        an_unreadable_history_is_no_obstacle,
        test_absence.test_a_history_that_cannot_be_read_is_unexplained_and_says_why,
    ),
    (
        netted_rows_are_judged_one_by_one,
        test_absence.test_the_short_row_of_two_netted_rows_is_no_ghost_but_for_a_person,
    ),
    (
        a_read_of_before_our_own_fill_counts,
        test_verdict.test_a_read_older_than_our_own_last_fill_says_nothing,
    ),
    (
        looks_need_no_space,
        test_verdict.test_two_complete_reads_too_close_together_confirm_nothing,
    ),
    (
        damaged_reads_are_complete,
        test_verdict.test_a_damaged_read_that_does_not_show_the_leg_is_unknown_and_failed,
    ),
]
"""Each with the test that notices; None: the worlds do."""


@pytest.mark.parametrize(
    ("fault", "noticed_by"), IN_THE_VERDICT, ids=[one.__name__ for one, _ in IN_THE_VERDICT]
)
def test_a_fault_in_the_verdict_is_noticed(
    fault: Callable[[Judge, LegFacts, VerdictSettings], Verdict],
    noticed_by: Test | None,
    monkeypatch: Patch,
) -> None:
    right = rules.verdict.judge

    def wrong(facts: LegFacts, settings: VerdictSettings) -> Verdict:
        return fault(right, facts, settings)

    if noticed_by is None:
        assert any(layer.faults for layer in layers(wrong, VENUE, test_worlds.EVENTS))
        return
    for tests in (test_absence, test_verdict):
        monkeypatch.setattr(tests, "judge", wrong)
    with pytest.raises(AssertionError):
        noticed_by()


def a_sight_is_of_its_reads_end(monkeypatch: Patch) -> None:
    def sight(seen: LastSeen) -> object:
        return seen.finished_at, seen.finished_at

    monkeypatch.setattr(rules.explanation, "_sight", sight)


def a_sight_is_always_as_old_as_it_may_be(monkeypatch: Patch) -> None:
    right = rules.explanation._sight
    monkeypatch.setattr(rules.explanation, "_sight", lambda seen: (right(seen)[0],) * 2)


def openings_are_not_counted(monkeypatch: Patch) -> None:
    monkeypatch.setattr(rules.explanation, "opened_by", lambda *_: ZERO)


def a_booked_fill_counts_again(monkeypatch: Patch) -> None:
    monkeypatch.setattr(rules.leg_records, "_parts", lambda _: {})


def fills_of_our_orders_for_other_rows_count(monkeypatch: Patch) -> None:
    right = rules.explanation._taken

    def taken(account: Account, fills: Sequence[Fill], records: Sequence[ClosedPosition]) -> object:
        return right(msgspec.structs.replace(account, other_orders=frozenset()), fills, records)

    monkeypatch.setattr(rules.explanation, "_taken", taken)


def any_closing_explains(monkeypatch: Patch) -> None:
    monkeypatch.setattr(rules.explanation, "_reaches", lambda *_: True)


def rows_that_exceed_the_sight_do_not_matter(monkeypatch: Patch) -> None:
    monkeypatch.setattr(rules.explanation, "_rows_exceed_sight", lambda _: False)


def a_history_that_begins_too_late_is_taken_for_whole(monkeypatch: Patch) -> None:
    right = rules.explanation.explain

    def explain(account: Account) -> object:
        history = account.history
        if history is None:
            return right(account)
        early = msgspec.structs.replace(history, since=history.since - timedelta(days=900))
        return right(msgspec.structs.replace(account, history=early))

    for module in (rules.verdict, test_explanation):
        monkeypatch.setattr(module, "explain", explain)


def what_executions_add_up_to_is_not_compared_with_the_sight(monkeypatch: Patch) -> None:
    monkeypatch.setattr(rules.explanation, "_bases", lambda *_: [ZERO])


def executions_never_tell_how_old_a_sight_is(monkeypatch: Patch) -> None:
    monkeypatch.setattr(rules.explanation, "_bases", lambda *_: [])


def rows_that_the_bot_closed_took_nothing(monkeypatch: Patch) -> None:
    for module in (test_explanation, test_absence):
        monkeypatch.setattr(module, "with_closed_rows", lambda account, _: account)


def a_blind_order_of_ours_explains(monkeypatch: Patch) -> None:
    right = rules.explanation._by_own_orders

    def by_own(account: Account) -> object:
        found = right(account)
        closed = sum((one.quantity for one in account.own), ZERO)
        rows = account.rows_quantity
        if found is None and account.last_seen is None and rows is not None and closed >= rows > 0:
            found = Accounting(
                since=None, needed=rows, closed=closed, explained_by=ExplainedBy.OWN_ORDERS
            )
        return found

    monkeypatch.setattr(rules.explanation, "_by_own_orders", by_own)


def a_venue_s_record_explains_nothing(monkeypatch: Patch) -> None:
    right = rules.explanation._counted

    def counted(account: Account, history: History, *rest: object, **named: object) -> object:
        bare = msgspec.structs.replace(history, records=None)
        return right(account, bare, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(rules.explanation, "_counted", counted)


E = test_explanation
IN_THE_ACCOUNTING: list[tuple[Callable[[Patch], None], Test]] = [
    (
        a_sight_is_of_its_reads_end,
        E.test_a_lagging_sight_that_shows_less_than_there_is_explains_no_partial_sale,
    ),
    (
        a_sight_is_always_as_old_as_it_may_be,
        E.test_a_change_that_is_told_in_whole_seconds_may_be_that_much_later,
    ),
    (openings_are_not_counted, E.test_what_is_missing_is_told_in_figures),
    (a_booked_fill_counts_again, E.test_a_fill_that_ended_another_row_ends_no_second_one),
    (
        fills_of_our_orders_for_other_rows_count,
        E.test_a_fill_of_an_order_of_ours_for_other_rows_does_not_count,
    ),
    (any_closing_explains, E.test_the_sale_of_another_row_of_the_leg_is_not_its_end),
    (
        rows_that_exceed_the_sight_do_not_matter,
        E.test_rows_that_say_more_than_was_seen_must_be_accounted_for_from_their_opening_on,
    ),
    (
        a_history_that_begins_too_late_is_taken_for_whole,
        E.test_a_history_that_begins_later_explains_nothing_and_says_so,
    ),
    (
        what_executions_add_up_to_is_not_compared_with_the_sight,
        E.test_fills_that_do_not_come_by_what_was_seen_tell_nothing_of_its_age,
    ),
    (
        executions_never_tell_how_old_a_sight_is,
        E.test_a_lagging_sight_that_shows_more_than_there_is_does_not_hide_the_end,
    ),
    (
        rows_that_the_bot_closed_took_nothing,
        E.test_rows_that_others_closed_meanwhile_took_their_part_of_the_closings,
    ),
    (
        a_blind_order_of_ours_explains,
        test_worlds.test_world_an_order_was_sent_blindly_and_more_was_there_than_its_rows,
    ),
    (
        a_venue_s_record_explains_nothing,
        E.test_a_settlement_is_explained_by_the_venue_s_record_where_no_fill_tells_it,
    ),
]


@pytest.mark.parametrize(
    ("plant", "noticed_by"), IN_THE_ACCOUNTING, ids=[one.__name__ for one, _ in IN_THE_ACCOUNTING]
)
def test_a_fault_in_the_accounting_is_noticed(
    plant: Callable[[Patch], None], noticed_by: Test, monkeypatch: Patch
) -> None:
    noticed_by()
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        noticed_by()
