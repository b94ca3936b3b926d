"""Whether an operator's command still holds for its leg, and what it came to."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.ledger import (
    Command,
    CommandKind,
    CommandState,
    ExitSource,
    LedgerLeg,
    PositionRow,
    RowStatus,
)
from messages.values import LegKey, Side
from rules.commands import exit_text, outcome_of, refusal, withdrawal
from tests.rules.build import T0 as NOW

KEY = LegKey("a", "BTC/USDT:USDT", Side.LONG)
IDS = st.sets(st.integers(1, 6), min_size=1, max_size=4)


def row(row_id: int) -> PositionRow:
    return PositionRow(
        id=row_id,
        account="a",
        symbol="BTCUSDT",
        side="long",
        quantity=Decimal(1),
        entry_price=Decimal(100),
        opened_at=NOW,
        updated_at=NOW,
    )


def leg(ids: set[int], *, held: bool = False) -> LedgerLeg:
    return LedgerLeg(
        key=KEY,
        rows=tuple(map(row, sorted(ids))),
        quantity=Decimal(len(ids)),
        entry_price=Decimal(100),
        opened_at=NOW,
        updated_at=NOW,
        held=held,
    )


def ordered(ids: set[int]) -> Command:
    return Command(
        id=1,
        kind=CommandKind.CLOSE,
        key=KEY,
        row_ids=tuple(sorted(ids)),
        expires_at=NOW + timedelta(minutes=1),
        given_at=NOW,
    )


@given(seen=IDS, now=IDS)
def test_a_command_holds_for_the_rows_that_were_seen_and_for_no_other(
    seen: set[int], now: set[int]
) -> None:
    fits = now <= seen
    assert (withdrawal(ordered(seen), leg(now)) == "") is fits
    assert (refusal(leg(now), seen) == "") is fits


@given(seen=IDS)
def test_nothing_is_ordered_of_a_held_leg_and_a_hold_takes_back(seen: set[int]) -> None:
    assert "held" in withdrawal(ordered(seen), leg(seen, held=True))
    assert "`release` it first" in refusal(leg(seen, held=True), seen)


@pytest.mark.parametrize("by_guard", [True, False])
def test_rows_that_are_closed_say_whether_the_guard_did_it(by_guard: bool) -> None:
    closed = msgspec.structs.replace(
        row(1),
        status=RowStatus.CLOSED,
        exit_reason="stop",
        exit_source=ExitSource.FILL,
        exit_price=Decimal("101.50"),
        realized_pnl=Decimal("-0.00"),
    )
    state, said = outcome_of(ordered({1}), [closed], [1] if by_guard else [])
    if by_guard:
        assert state is CommandState.DONE
        assert said == "row 1 is closed (stop): exit 101.5, PnL 0"
    else:
        assert state is CommandState.WITHDRAWN
        assert said == "row 1: closed in the ledger by somebody else meanwhile (stop)"


def test_rows_that_nobody_finds_leave_nothing_to_close() -> None:
    state, said = outcome_of(ordered({1, 2}), [], [])
    assert state is CommandState.WITHDRAWN
    assert said == "rows 1, 2: no longer in the ledger's legs"


def test_an_unknown_exit_shows_no_figure() -> None:
    gone = msgspec.structs.replace(
        row(1),
        exit_source=ExitSource.UNKNOWN,
        exit_price=Decimal(100),
        realized_pnl=Decimal(0),
        exit_reason="accepted: gone",
    )
    assert exit_text(gone) == "row 1 is closed (accepted: gone): exit price and PnL are unknown"
