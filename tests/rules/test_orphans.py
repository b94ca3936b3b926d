"""Tests of what may be done about an orphan (`docs/spec/mission.md` C3, scenarios 4.6 and 4.7)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.settings import AccountSettings, Mode, OrphanPolicy
from messages.values import LegKey, Secret, Side
from messages.venue import VenuePosition
from rules.orphans import (
    OrphanAction,
    action_at,
    news_at,
    orphan_action,
    protect_price,
    same_position,
)
from rules.protection import Cover, Coverage, plausible
from tests.rules.build import BTC, SHORT, T0, D, decimals, instrument, position, prove, sides

NAKED = Coverage(level=Cover.NAKED)
DESTRUCTIVE = [OrphanPolicy.ADOPT, OrphanPolicy.PROTECT, OrphanPolicy.CLOSE]


def account(
    policy: OrphanPolicy, *, allow: tuple[str, ...] = (), deny: tuple[str, ...] = (), cap: int = 3
) -> AccountSettings:
    return AccountSettings(
        name="main",
        exchange="bybit",
        key=Secret("k"),
        secret=Secret("s"),
        orphans=policy,
        orphan_allow=allow,
        orphan_deny=deny,
        orphan_actions_per_hour=cap,
    )


def act(
    of: AccountSettings,
    *,
    there: VenuePosition | None = None,
    cover: Coverage = NAKED,
    done: int = 0,
    mode: Mode = Mode.ENFORCE,
    doubt: bool = False,
) -> OrphanAction:
    there = position(opened_at=T0) if there is None else there
    return orphan_action(there, cover, of, done, mode, ledger_doubt=doubt)


def refused(action: OrphanAction) -> bool:
    return action.policy is OrphanPolicy.ALERT and "but" in action.why


@pytest.mark.parametrize("policy", OrphanPolicy)
def test_a_policy_that_is_switched_on_by_name_applies(policy: OrphanPolicy) -> None:
    assert act(account(policy)).policy is policy
    there = position(opened_at=T0)
    assert orphan_action(there, NAKED, account(policy), 0, Mode.ENFORCE).policy is policy


def test_the_default_is_to_alert() -> None:
    plain = AccountSettings(name="main", exchange="bybit", key=Secret("k"), secret=Secret("s"))
    action = act(plain)
    assert action.policy is action.wanted is OrphanPolicy.ALERT


@pytest.mark.parametrize("policy", DESTRUCTIVE)
def test_observe_mode_only_alerts_and_says_what_it_would_have_done(policy: OrphanPolicy) -> None:
    action = act(account(policy), mode=Mode.OBSERVE)
    assert refused(action)
    assert action.wanted is policy
    assert f"would {policy}" in action.why


@pytest.mark.parametrize("policy", DESTRUCTIVE)
@pytest.mark.parametrize("text", ["BTCUSDT", "btc-usdt-swap", BTC])
def test_deny_and_allow_lists_are_kept_in_any_spelling(policy: OrphanPolicy, text: str) -> None:
    assert refused(act(account(policy, deny=(text,))))
    assert refused(act(account(policy, deny=(text,), allow=(text,))))
    assert act(account(policy, allow=("ETHUSDT", text))).policy is policy
    assert refused(act(account(policy, allow=("ETHUSDT",))))
    assert act(account(policy, deny=("ETHUSDT",))).policy is policy


def test_a_base_currency_alone_denies_and_does_not_allow() -> None:
    assert refused(act(account(OrphanPolicy.CLOSE, deny=("btc",))))
    assert refused(act(account(OrphanPolicy.CLOSE, allow=("BTC",))))
    assert act(account(OrphanPolicy.CLOSE, deny=("BT", "TC"))).policy is OrphanPolicy.CLOSE


def test_a_star_means_every_symbol() -> None:
    assert refused(act(account(OrphanPolicy.CLOSE, deny=("*",))))
    assert act(account(OrphanPolicy.CLOSE, allow=("*",))).policy is OrphanPolicy.CLOSE


def test_under_a_cap_of_one_the_second_orphan_is_only_alerted() -> None:
    assert act(account(OrphanPolicy.CLOSE, cap=1), done=0).policy is OrphanPolicy.CLOSE
    assert refused(act(account(OrphanPolicy.CLOSE, cap=1), done=1))
    assert refused(act(account(OrphanPolicy.PROTECT, cap=1), done=1))
    assert refused(act(account(OrphanPolicy.CLOSE, cap=0)))


@pytest.mark.parametrize("policy", DESTRUCTIVE)
def test_while_a_ledger_row_cannot_be_named_nothing_is_done(policy: OrphanPolicy) -> None:
    assert refused(act(account(policy), doubt=True))


def test_an_adoption_needs_the_venues_own_open_time_and_price() -> None:
    adopt = account(OrphanPolicy.ADOPT)
    assert refused(act(adopt, there=position()))
    assert refused(act(adopt, there=position(opened_at=T0, entry=None)))
    assert act(adopt, there=position(opened_at=T0)).policy is OrphanPolicy.ADOPT


@pytest.mark.parametrize(
    ("level", "protects"),
    [(Cover.COVERED, False), (Cover.CANNOT_TELL, False), (Cover.PARTLY, True), (Cover.NAKED, True)],
)
def test_a_stop_is_placed_only_where_one_is_seen_to_be_missing(
    level: Cover, protects: bool
) -> None:
    cover = Coverage(level=level, stop_price=D(95))
    assert refused(act(account(OrphanPolicy.PROTECT), cover=cover)) is not protects
    assert act(account(OrphanPolicy.CLOSE), cover=cover).policy is OrphanPolicy.CLOSE


@pytest.mark.parametrize(
    ("there", "price"),
    [
        (position(mark="200"), "190"),
        (position(SHORT, mark="200"), "210"),
        (position(mark=None), "95"),
        (position(mark="100.07"), "95.1"),
        (position(SHORT, mark="100.07"), "105.0"),
        (position(liquidation="98"), "99"),
        (position(SHORT, liquidation="102"), "101"),
        (position(liquidation="50"), "95"),
    ],
)
def test_a_stop_lies_at_the_distance_from_the_market_and_before_liquidation(
    there: VenuePosition, price: str
) -> None:
    assert protect_price(there, D("0.05"), instrument()) == D(price)


def test_no_stop_is_invented_without_a_price_or_without_room() -> None:
    assert protect_price(position(entry=None, mark=None), D("0.05"), instrument()) is None
    assert protect_price(position(entry="0", mark="0"), D("0.05"), instrument()) is None
    coarse = msgspec.structs.replace(instrument(), price_step=D(10))
    assert protect_price(position(), D("0.001"), coarse) is None
    assert protect_price(position(SHORT), D("0.001"), coarse) is None


@given(
    sides, decimals("1", "1000", 2), decimals("0.001", "0.49", 3),
    st.none() | decimals("0.01", "0.9", 3), st.sampled_from(["0.01", "0.1", "1"]),
)  # fmt: skip
@prove
def test_a_stop_that_is_placed_is_one_that_counts(
    side: Side, mark: Decimal, distance: Decimal, liquidation: Decimal | None, step: str
) -> None:
    level = None if liquidation is None else mark * (1 - side.sign * liquidation)
    there = position(
        LegKey("main", BTC, side),
        mark=str(mark),
        liquidation=None if level is None else str(level),
    )
    price = protect_price(there, distance, instrument(price_step=step))
    if price is not None:
        assert plausible(price, there)
        assert price % D(step) == 0


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("opened", "updated", "due"),
    [(None, None, 1), (-5, None, -4), (None, -5, -4), (-5, 0, -4), (0, -5, 1), (9, None, 1)],
    ids=["no age", "opened", "unchanged", "opened, added to", "opened anew", "clock ahead"],
)
def test_a_position_is_news_once_it_is_old_enough_by_the_venues_word_or_by_the_first_look(
    opened: int | None, updated: int | None, due: int
) -> None:
    there = msgspec.structs.replace(
        position(),
        opened_at=None if opened is None else T0 + opened * MINUTE,
        updated_at=None if updated is None else T0 + updated * MINUTE,
    )
    assert news_at(there, T0, MINUTE) == T0 + due * MINUTE


def test_nothing_is_done_about_an_orphan_before_it_was_seen_unchanged_for_settle() -> None:
    assert action_at(T0, T0, MINUTE) == T0 + MINUTE
    assert action_at(T0, T0 + 5 * MINUTE, MINUTE) == T0 + 6 * MINUTE


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"mark_price": D(1), "stop_loss": D(1), "updated_at": T0}, True),
        ({"opened_at": None}, True),
        ({"quantity": D("0.001")}, False),
        ({"entry_price": D(99)}, False),
        ({"opened_at": T0 + MINUTE}, False),
        ({"key": SHORT}, False),
    ],
)
def test_a_position_is_the_same_until_somebody_trades_it(
    changes: dict[str, object], same: bool
) -> None:
    one = position(opened_at=T0)
    other = msgspec.structs.replace(one, **changes)
    assert same_position(one, other) is same
    assert same_position(other, one) is same
