"""The 15 rules of `docs/spec/truth.md`, one by one: the switch, and the test that then fails.

A rule that nobody misses is not kept. The tests are those of the suite, on real parts: what is
patched here is only the rule itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rules.explanation
import rules.verdict
from actors.exchange import Exchange
from actors.execution.close import Close
from actors.execution.close_size import _ended_by, recall_earlier_orders
from actors.execution.identity import IdentityCheck
from actors.monitoring.account_view import AccountReader, Differences
from actors.orphans import Orphans
from actors.reconciliation import Reconciliation, _standing
from messages.settings import VerdictSettings
from messages.to_exchange import CleanUp
from messages.values import ZERO, LegKey
from messages.verdict import Unknown, Verdict
from rules.ids import client_order_id
from rules.sizing import size_close
from rules.verdict import LegFacts
from storage.origin import Origin
from tests.rules import (
    test_absence,
    test_commands,
    test_explanation,
    test_ids,
    test_leg_names,
    test_planted_faults,
)
from tests.scenarios import test_changes_meanwhile, world
from tests.scenarios.explained import (
    test_one_blind_order,
    test_standing_alerts,
    test_undecided_accounts,
)
from tests.scenarios.facts import (
    test_bans,
    test_markets,
    test_own_stops,
    test_who_an_account_is,
)
from tests.storage import test_origin
from tests.storage.conftest import Clock
from venues.limits.limiter import Limiter

Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]
Notices = Callable[[Path], None]

BYBIT = "bybit-main"
PATIENCE = 6.0
"""Seconds that a scenario waits for what a fault keeps from coming."""


def in_the_verdict(fault: Callable[..., Verdict]) -> Plant:
    """Let the rules' tests judge with the fault."""
    right = rules.verdict.judge

    def judge(facts: LegFacts, settings: VerdictSettings) -> Verdict:
        return fault(right, facts, settings)

    return lambda patch: patch.setattr(test_absence, "judge", judge)


def any_closing_explains(patch: Patch) -> None:
    patch.setattr(rules.explanation, "_reaches", lambda *_: True)


def nobody_doubts_the_account(patch: Patch) -> None:
    patch.setattr(Exchange, "_doubt", lambda self: None)


def whoever_the_venue_names_will_do(patch: Patch) -> None:
    async def compare(self: IdentityCheck, *_: object, **__: object) -> str:
        await asyncio.sleep(0)
        return ""

    patch.setattr(IdentityCheck, "_compare", compare)


def one_look_ends_an_alert(patch: Patch) -> None:
    right = AccountReader.differences

    async def differences(self: AccountReader, *given: Any, **named: Any) -> Any:
        return await right(self, *given, **named | {"twice": False})

    def is_over(key: LegKey, found: Differences) -> bool:
        return key not in _standing(found.view.comparison)

    patch.setattr(AccountReader, "differences", differences)
    patch.setattr(Reconciliation, "_is_over", staticmethod(is_over))


def what_has_filled_is_forgotten(patch: Patch) -> None:
    async def recall(context: Any, progress: Any) -> None:
        await recall_earlier_orders(context, progress)
        progress.before, progress.blind = ZERO, False

    def ended(verdict: Verdict, on_unknown: Any, progress: Any) -> Any:
        return None if isinstance(verdict, Unknown) else _ended_by(verdict, on_unknown, progress)

    def sized(*given: Any, **named: Any) -> Any:
        return size_close(*given, **named | {"already_filled": ZERO})

    patch.setattr("actors.execution.close.recall_earlier_orders", recall)
    patch.setattr("actors.execution.close_size._ended_by", ended)
    patch.setattr("actors.execution.close_size.size_close", sized)


def a_command_is_the_legs(patch: Patch) -> None:
    patch.setattr(test_commands, "withdrawal", lambda command, leg: "")


def names_drop_the_settle_currency(patch: Patch) -> None:
    def name(key: LegKey) -> str:
        return f"{key.symbol.partition(':')[0].replace('/', '')}.{key.side}"

    patch.setattr(LegKey, "actor_name", property(name))


def a_resting_order_rests_on(patch: Patch) -> None:
    async def wanted(self: Close) -> bool:
        await asyncio.sleep(0)
        return True

    patch.setattr(Close, "_still_wanted", wanted)


def our_stop_outlives_an_orphan(patch: Patch) -> None:
    right = Orphans.attempt

    async def attempt(self: Orphans, path: str, message: Any, **named: Any) -> Any:
        if isinstance(message, CleanUp):
            return None
        return await right(self, path, message, **named)

    patch.setattr(Orphans, "attempt", attempt)


def order_ids_know_no_ledger(patch: Patch) -> None:
    def made(*facts: Any, **_: Any) -> str:
        return client_order_id(*facts)

    patch.setattr(test_ids, "client_order_id", made)


def any_file_will_do(patch: Patch) -> None:
    async def same(self: Origin) -> None:
        await asyncio.sleep(0)

    patch.setattr(Origin, "still_the_same_file", same)


def market_rules_are_for_good(patch: Patch) -> None:
    patch.setattr(Exchange, "_doubt_rules", lambda self: None)
    patch.setattr(Exchange, "_lists", lambda self, symbol: True)


def bans_are_not_obeyed(patch: Patch) -> None:
    patch.setattr(Limiter, "bar", lambda self, until: None)


def plain(test: Callable[[], None]) -> Notices:
    return lambda _: test()


def on_bybit(test: Callable[..., None], **named: object) -> Notices:
    return lambda folder: test(folder, account=BYBIT, **named)


def a_file_is_replaced(folder: Path) -> None:
    asyncio.run(
        test_origin.test_a_file_that_is_not_the_one_that_was_opened_is_seen(
            folder, Clock(), test_origin.restored, "another file stands in the place"
        )
    )


def a_name_is_shared(folder: Path) -> None:
    test_leg_names.test_no_two_legs_of_the_listed_markets_share_a_name(
        test_leg_names.NAMES["actor"]
    )


F, A, S = test_planted_faults, test_absence, test_undecided_accounts
RULES: list[tuple[int, Plant, Notices, str]] = [
    (
        1,
        in_the_verdict(F.never_asks_by_name),
        plain(A.test_the_venue_is_asked_by_name_though_a_closing_fill_explains_it),
        "Absent",
    ),
    (
        2,
        any_closing_explains,
        plain(test_explanation.test_the_sale_of_another_row_of_the_leg_is_not_its_end),
        "explained",
    ),
    (
        3,
        in_the_verdict(F.two_flat_reads_are_enough),
        plain(A.test_a_wrong_key_is_an_empty_account_and_buries_nothing),
        "Absent",
    ),
    (
        4,
        in_the_verdict(F.nothing_settles_at_the_end),
        plain(A.test_an_exit_of_the_bot_s_own_is_known_at_once_and_is_due_after_settle),
        "due_at",
    ),
    (
        5,
        nobody_doubts_the_account,
        on_bybit(S.test_a_suspicion_bars_orders_from_the_first_instant_after_a_restart),
        "the leg is barred",
    ),
    (
        5,
        whoever_the_venue_names_will_do,
        test_who_an_account_is.test_a_key_that_leads_to_another_account_than_before_only_reads,
        "alerts of type account_suspect",
    ),
    (
        6,
        in_the_verdict(F.netted_rows_are_judged_one_by_one),
        plain(A.test_the_short_row_of_two_netted_rows_is_no_ghost_but_for_a_person),
        "netted",
    ),
    (
        7,
        one_look_ends_an_alert,
        on_bybit(
            test_standing_alerts.test_9_17_one_lying_list_resolves_nothing_that_stands,
            liar="reconciliation",
        ),
        "resolved_at",
    ),
    (
        8,
        what_has_filled_is_forgotten,
        on_bybit(
            test_one_blind_order.test_9_8_one_order_leaves_and_no_second_until_the_leg_is_shown
        ),
        "len(guard.orders(account)) == 1",
    ),
    (
        9,
        a_command_is_the_legs,
        plain(test_commands.test_a_command_holds_for_the_rows_that_were_seen_and_for_no_other),
        "withdrawal",
    ),
    (10, names_drop_the_settle_currency, a_name_is_shared, "shared"),
    (
        11,
        a_resting_order_rests_on,
        test_changes_meanwhile.test_a_hold_takes_back_our_order_that_rests,
        "it is taken back",
    ),
    (
        12,
        our_stop_outlives_an_orphan,
        on_bybit(
            test_own_stops.test_a_protected_orphan_that_is_closed_by_hand_takes_our_stop_with_it
        ),
        "our stop is cancelled",
    ),
    (
        13,
        order_ids_know_no_ledger,
        plain(test_ids.test_an_id_holds_its_ledger_in_plain_and_in_its_hash),
        "made ==",
    ),
    (13, any_file_will_do, a_file_is_replaced, "replaced is not None"),
    (
        14,
        market_rules_are_for_good,
        on_bybit(test_markets.test_a_contract_that_is_listed_while_the_guard_runs_is_guarded),
        "the listing is read anew",
    ),
    (
        15,
        bans_are_not_obeyed,
        on_bybit(test_bans.test_9_12_a_ban_of_a_minute_is_obeyed_told_once_and_its_end_told_once),
        "struck",
    ),
]
"""Rule, switch, who notices, and what is said then. Two halves of a rule are switched off apart."""

NEVER_COMES = (
    "the leg is barred",
    "alerts of type account_suspect",
    "it is taken back",
    "our stop is cancelled",
    "the listing is read anew",
)
"""What a scenario waits for in vain: it need not do so for a minute."""


def test_every_rule_has_its_switch() -> None:
    assert {rule for rule, *_ in RULES} == set(range(1, 16))


@pytest.mark.parametrize(
    ("plant", "notices", "said"),
    [one[1:] for one in RULES],
    ids=[f"rule {rule}, {said}" for rule, _, _, said in RULES],
)
def test_a_rule_that_is_switched_off_is_missed(
    plant: Plant, notices: Notices, said: str, tmp_path: Path, monkeypatch: Patch
) -> None:
    if said in NEVER_COMES:
        monkeypatch.setattr(world.until, "__defaults__", (PATIENCE,))
    plant(monkeypatch)
    with pytest.raises(AssertionError) as noticed:
        notices(tmp_path)
    # Not by just any failure: the guard must have come as far as the rule.
    assert said in f"{noticed.value} {noticed.traceback[-1].statement}"
