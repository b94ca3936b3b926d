"""Operators' commands: whether one still holds for its leg, and what became of it, in words.

A command belongs to the rows that the operator saw (`docs/spec/truth.md`, rule 9): another row of
the same leg is another position. Carrying commands out is left to the actors.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from decimal import Decimal

from messages.ledger import Command, CommandState, ExitSource, LedgerLeg, PositionRow
from messages.verdict import Absent, Present, Unknown

LASTS = timedelta(seconds=60)
"""How long a command waits to be begun, where nothing else is said."""


def refusal(leg: LedgerLeg, seen: Collection[int]) -> str:
    """Why a command about the rows `seen` is not taken; empty where it is. None seen: whatever."""
    if leg.held:
        return f"{leg.key} is held: `release` it first"
    strange = _others(leg, seen) if seen else ()
    return f"{leg.key} has {_rows(strange)} by now: look again" if strange else ""


def withdrawal(command: Command, leg: LedgerLeg) -> str:
    """Why a command no longer holds for a leg; empty where it does."""
    if leg.held:
        return "taken back: the leg is held"
    strange = _others(leg, command.row_ids)
    if strange:
        return f"not for this position: the leg has {_rows(strange)}, which came after the command"
    return ""


def outcome_of(
    command: Command, rows: Sequence[PositionRow], by_guard: Collection[int]
) -> tuple[CommandState, str]:
    """What became of a command whose rows are no longer active.

    `rows` are those of them that are known to be closed, `by_guard` the ids that the guard closed.
    """
    if not rows:
        return (
            CommandState.WITHDRAWN,
            f"{_rows(command.row_ids)} can no longer be closed: not there",
        )
    if not by_guard:
        reason = rows[-1].exit_reason or "no reason given"
        said = f"closed in the ledger by somebody else meanwhile ({reason})"
        return CommandState.WITHDRAWN, f"{_rows(command.row_ids)}: {said}"
    return CommandState.DONE, "; ".join(map(exit_text, rows))


def not_accepted(verdict: Present | Absent | Unknown) -> str:
    """Why an absence that an operator would take for closed is not, and what comes instead."""
    match verdict:
        case Present():
            return (
                f"not accepted: it is open at the exchange, {_plain(verdict.quantity)}, "
                f"seen at {verdict.seen_at:%H:%M:%S} UTC"
            )
        case Absent():
            by = verdict.evidence.accounting.explained_by
            at = (
                "with the next look"
                if verdict.due_at is None
                else f"at {verdict.due_at:%H:%M:%S} UTC, unless its bot does"
            )
            how = "" if by is None else f" ({by.value})"
            return (
                f"not accepted: a record says how it ended{how}; it will be closed by itself {at}"
            )
        case Unknown():
            again = (
                f"; try again after {verdict.look_again_at:%H:%M:%S} UTC"
                if verdict.look_again_at is not None
                else ""
            )
            return f"not accepted: whether it is gone is not known yet: {verdict.why}{again}"


def exit_text(row: PositionRow) -> str:
    """How a closed row ended. A figure that is a stand-in is never shown."""
    what = f"row {row.id} is closed ({row.exit_reason or 'no reason given'})"
    if row.exit_source == ExitSource.UNKNOWN or row.exit_price is None:
        return f"{what}: exit price and PnL are unknown"
    pnl = "unknown" if row.realized_pnl is None else _plain(row.realized_pnl)
    return f"{what}: exit {_plain(row.exit_price)}, PnL {pnl}"


def _others(leg: LedgerLeg, seen: Collection[int]) -> tuple[int, ...]:
    return tuple(row_id for row_id in leg.row_ids if row_id not in seen)


def _rows(ids: Sequence[int]) -> str:
    return f"row {', '.join(map(str, ids))}"


def _plain(value: Decimal) -> str:
    # Adding zero turns a negative zero into a plain one.
    return f"{value.normalize() + 0:f}"
