"""What people are told of positions, orders and rows: the words and the dedup key of each alert.

One function for each alert: it takes facts and returns the draft, and decides nothing. Does not
live here: what is said of the guard itself (`rules.guard_alerts`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from messages.execution import ExecutionResult
from messages.ledger import (
    Alert,
    AlertDraft,
    AlertLevel,
    AlertType,
    ExitSource,
    LedgerLeg,
    PositionRow,
)
from messages.settings import AccountSettings
from messages.values import LegKey
from messages.venue import VenuePosition
from rules.diff import NetMismatch, QuantityMismatch, SideMismatch
from rules.legs import UnusableRow
from rules.pnl import Exit, ExitKind
from rules.protection import Cover, Coverage

AGED_PREFIXES: Mapping[AlertType, str] = {
    AlertType.OPERATOR_NEEDED: "operator",
    AlertType.CLOSE_FAILED: "close_failed",
    AlertType.INSUFFICIENT_BALANCE: "insufficient",
}
"""The alerts of an aged leg, and how their dedup keys begin."""

_MISMATCH = "mismatch"


# Aged legs


def aged_key(type_: AlertType, key: LegKey) -> str:
    """The dedup key of one of an aged leg's alerts. Raises KeyError for another type."""
    return f"{AGED_PREFIXES[type_]}:{key}"


def aged_keys(key: LegKey) -> tuple[str, ...]:
    """The dedup keys of all that may have been said of an aged leg."""
    return tuple(aged_key(type_, key) for type_ in AGED_PREFIXES)


def is_of_aged_leg(alert: Alert) -> bool:
    """Whether an aged leg's actor raised it; an orphan's failed close has the same type."""
    prefix = AGED_PREFIXES.get(alert.type)
    return prefix is not None and alert.dedup_key.startswith(f"{prefix}:")


def insufficient_balance(
    key: LegKey, row_ids: tuple[int, ...], result: ExecutionResult
) -> AlertDraft:
    """The venue refuses for want of balance, and the position is there."""
    return _aged(
        AlertType.INSUFFICIENT_BALANCE,
        AlertLevel.CRITICAL,
        f"real insufficient balance: {key} cannot be closed",
        "check margin, open orders and the position mode of the account",
        key,
        row_ids,
        result,
    )


def operator_needed(key: LegKey, row_ids: tuple[int, ...], result: ExecutionResult) -> AlertDraft:
    """The guard has done what it may; a person must go on."""
    return _aged(
        AlertType.OPERATOR_NEEDED,
        AlertLevel.CRITICAL,
        f"{key} needs an operator",
        "close it by hand, or mend the cause and release it",
        key,
        row_ids,
        result,
    )


def close_failed(key: LegKey, row_ids: tuple[int, ...], result: ExecutionResult) -> AlertDraft:
    """One round of the order ladder failed, and the next will come."""
    return _aged(
        AlertType.CLOSE_FAILED,
        AlertLevel.WARNING,
        f"Closing {key} failed, trying again",
        "nothing yet: the guard goes on trying",
        key,
        row_ids,
        result,
    )


def _aged(
    type_: AlertType,
    level: AlertLevel,
    title: str,
    next_step: str,
    key: LegKey,
    row_ids: tuple[int, ...],
    result: ExecutionResult,
) -> AlertDraft:
    return AlertDraft(
        type=type_,
        level=level,
        dedup_key=aged_key(type_, key),
        title=title,
        account=key.account,
        symbol=key.symbol,
        side=key.side.value,
        seen=f"{result.error_code}: {result.error_message}",
        done=f"{result.attempts} attempts, {result.executed} executed",
        next_step=next_step,
        details={"position_ids": list(row_ids), **result_details(result)},
    )


def result_details(result: ExecutionResult) -> dict[str, object]:
    """A close's result as its event and its alert give it, in plain JSON values."""
    return {
        "success": result.success,
        "requested": str(result.requested),
        "executed": str(result.executed),
        "average_price": _text(result.average_price),
        "order_id": result.order_id,
        "error_code": result.error_code.value if result.error_code else None,
        "error_message": result.error_message,
        "attempts": result.attempts,
        "execution_time": result.execution_time,
    }


# Ghosts


GHOST = "ghost:"
"""With this the dedup key of a ghost's alert begins."""


def ghost(
    leg: LedgerLeg,
    exit_: Exit,
    reason: str,
    *,
    copied: bool,
    reconciled: bool,
    in_the_bot: str = "",
) -> AlertDraft:
    """The rows of a leg that the venue does not hold are closed.

    `in_the_bot` is what lets the bot, whose row was copied, see that its position is gone.

    `reason` is what the rows say of it; `copied`, whether they are copies of another program's;
    `reconciled`, whether the reconciliation found it, which says so by the alert's type.
    """
    how = {
        ExitKind.LIQUIDATION: "it was liquidated",
        ExitKind.ADL: "it was reduced by auto-deleveraging",
    }.get(exit_.kind, "it was closed by somebody else")
    known = exit_.source is not ExitSource.UNKNOWN
    row = "the guard's copy of the bot's row" if copied else "the row"
    return AlertDraft(
        type=AlertType.RECONCILIATION_MISMATCH if reconciled else AlertType.GHOST_POSITION,
        level=AlertLevel.WARNING,
        # One ghost is one alert, whichever of the monitors sees it first.
        dedup_key=f"{GHOST}{leg.key}:{','.join(map(str, leg.row_ids))}",
        title=f"Ghost: {leg.key} is in the ledger and not on the exchange",
        account=leg.key.account,
        symbol=leg.key.symbol,
        side=leg.key.side.value,
        seen=f"the ledger had {leg.quantity} at {leg.entry_price}; the venue holds none",
        done=(
            f"{row} is closed ({reason}); exit {exit_.price}, PnL {exit_.pnl}, from its fills"
            if known
            else f"{row} is closed ({reason}); exit price and PnL are unknown"
        ),
        next_step=(
            in_the_bot
            or (
                f"nothing: {how}"
                if known
                else "look in the venue's trade history for how it was closed"
            )
        ),
        details={
            "position_ids": list(leg.row_ids),
            "quantity": str(leg.quantity),
            "entry_price": str(leg.entry_price),
            "exit_price": str(exit_.price),
            "exit_source": exit_.source.value,
            "realized_pnl": str(exit_.pnl),
            "reason": reason,
        },
        lasting=False,
    )


def is_of_ghost(alert: Alert) -> bool:
    """Whether it speaks of a ghost, whichever of the monitors saw it first."""
    return alert.dedup_key.startswith(GHOST)


def ghost_only_observed(draft: AlertDraft, reason: str) -> AlertDraft:
    """The same ghost in observe mode: nothing was closed, so the alert lasts."""
    done = f"mode is observe: the row would be closed ({reason})"
    return msgspec.structs.replace(draft, done=done, lasting=True)


# Orphans and naked positions


def orphan_key(key: LegKey) -> str:
    return f"orphan:{key}"


def orphan_keys(key: LegKey) -> tuple[str, ...]:
    """The dedup keys of all that may have been said of an orphan."""
    return orphan_key(key), _orphan_action_key(key)


def _orphan_action_key(key: LegKey) -> str:
    return f"orphan_action:{key}"


def orphan_found(
    position: VenuePosition, cover: Coverage, account: AccountSettings, now: datetime
) -> AlertDraft:
    """All that is known of an orphan (`mission.md` C1), its quantity in base units."""
    key = position.key
    stop = _stop_text(cover)
    return AlertDraft(
        type=AlertType.ORPHANED_POSITION,
        level=AlertLevel.CRITICAL,
        dedup_key=orphan_key(key),
        title=f"ORPHANED POSITION DETECTED: {key}",
        account=key.account,
        symbol=key.symbol,
        side=key.side.value,
        seen=f"{position.quantity} open at {position.entry_price}, {stop}; no ledger row knows it",
        done=f"the account's policy for orphans is {account.orphans}",
        next_step="add it to the ledger, or close it",
        details={
            "exchange": account.exchange,
            "symbol": key.symbol,
            "side": key.side.value,
            "contracts": str(position.contracts),
            "quantity": str(position.quantity),
            "entry_price": _text(position.entry_price),
            "mark_price": _text(position.mark_price),
            "unrealized_pnl": _text(position.unrealized_pnl),
            "leverage": _text(position.leverage),
            "liquidation_price": _text(position.liquidation_price),
            "stop_loss": stop,
            "detected_at": now.isoformat(),
        },
    )


def perhaps_renamed(draft: AlertDraft, row: PositionRow) -> AlertDraft:
    """The same orphan, where a row of this side and size speaks of a contract that is not listed.

    What is told is still an orphan: that the contract was renamed is for a person to say.
    """
    text = f"row {row.id} has {row.quantity} {row.symbol}, which is not listed: was it renamed?"
    details = {**draft.details, "renamed_from": row.symbol}
    return msgspec.structs.replace(draft, seen=f"{draft.seen}; {text}", details=details)


def orphan_policy_failed(key: LegKey, why: str) -> AlertDraft:
    """What the account's policy wants done about an orphan could not be done."""
    return AlertDraft(
        type=AlertType.CLOSE_FAILED,
        level=AlertLevel.CRITICAL,
        dedup_key=_orphan_action_key(key),
        title=f"Orphan {key}: the policy could not be carried out",
        account=key.account,
        symbol=key.symbol,
        side=key.side.value,
        seen=why,
        done="the orphan stays as it is; the next scan tries again",
        next_step="deal with the orphan by hand, or mend the cause",
    )


def naked_key(key: LegKey) -> str:
    return f"naked:{key}"


def naked_text(position: VenuePosition, cover: Coverage) -> str:
    """How much of a naked or partly covered position its stops cover."""
    if cover.level is Cover.PARTLY:
        return f"its stops cover {cover.quantity} of {position.quantity}"
    return "NO STOP LOSS"


def naked(position: VenuePosition, cover: Coverage) -> AlertDraft:
    """No working stop covers the position, or none covers all of it. Quantities in base units."""
    key, text = position.key, naked_text(position, cover)
    return AlertDraft(
        type=AlertType.NAKED_POSITION,
        level=AlertLevel.CRITICAL,
        dedup_key=naked_key(key),
        title=f"NAKED POSITION: {key}, {text}",
        account=key.account,
        symbol=key.symbol,
        side=key.side.value,
        seen=f"{position.quantity} open at {position.entry_price}: {text}",
        done="nothing was changed",
        next_step="place a stop, or close the position",
        details={
            "quantity": str(position.quantity),
            "covered": str(cover.quantity),
            "mark_price": str(position.mark_price),
        },
    )


# Rows and positions that differ


def mismatch_key(key: LegKey) -> str:
    return f"{_MISMATCH}:{key}"


def is_of_mismatch(alert: Alert) -> bool:
    """Whether it speaks of a difference; a ghost that the reconciliation found has its type."""
    return alert.type is AlertType.RECONCILIATION_MISMATCH and alert.dedup_key.startswith(
        f"{_MISMATCH}:"
    )


def mismatch_text(found: QuantityMismatch | SideMismatch) -> str:
    """Both sides of a difference in one line: what was seen, and by which it is known again."""
    leg, position = found.leg, found.position
    return f"ledger {leg.key.side} {leg.quantity}, venue {position.key.side} {position.quantity}"


def mismatch(found: QuantityMismatch | SideMismatch) -> AlertDraft:
    """Ledger and venue both have a leg, with another quantity or side. Quantities in base units."""
    leg, position = found.leg, found.position
    return AlertDraft(
        type=AlertType.RECONCILIATION_MISMATCH,
        level=AlertLevel.WARNING,
        dedup_key=mismatch_key(leg.key),
        title=f"Ledger and venue differ on {leg.key}",
        account=leg.key.account,
        symbol=leg.key.symbol,
        side=leg.key.side.value,
        seen=mismatch_text(found),
        done="nothing was changed: this needs a person's judgement",
        next_step="correct the row, or the position",
        details={
            "position_ids": list(leg.row_ids),
            "ledger_quantity": str(leg.quantity),
            "venue_quantity": str(position.quantity),
            "venue_side": position.key.side.value,
        },
    )


def net_key(found: NetMismatch) -> LegKey:
    """The leg under which a difference of a net position is known: the long one."""
    return found.long.key


def net_text(found: NetMismatch) -> str:
    """Both sides of it in one line, in base units, positive for long."""
    return (
        f"ledger long {found.long.quantity} and short {found.short.quantity}, "
        f"net {found.expected}; venue net {found.held}"
    )


def net_mismatch(found: NetMismatch) -> AlertDraft:
    """Rows of both sides on an account that holds one net position, and it is another one."""
    key = net_key(found)
    return AlertDraft(
        type=AlertType.RECONCILIATION_MISMATCH,
        level=AlertLevel.WARNING,
        dedup_key=mismatch_key(key),
        title=f"Ledger and venue differ on the net position of {key.account} {key.symbol}",
        account=key.account,
        symbol=key.symbol,
        side=key.side.value,
        seen=net_text(found),
        done="nothing was changed: which of the rows is wrong, no read of the venue can tell",
        next_step="correct the rows, or the position",
        details={
            "position_ids": [*found.long.row_ids, *found.short.row_ids],
            "ledger_net": str(found.expected),
            "venue_net": str(found.held),
        },
    )


def unusable_row(account: str, bad: UnusableRow) -> AlertDraft:
    """A ledger row says too little to be compared with anything."""
    row = bad.row
    return AlertDraft(
        type=AlertType.UNUSABLE_ROW,
        level=AlertLevel.WARNING,
        dedup_key=f"unusable:{account}:{row.id}",
        title=f"Ledger row {row.id} cannot be used",
        account=account,
        symbol=row.symbol,
        side=row.side,
        seen=bad.why,
        done="the row is left as it is; nothing else is held up by it",
        next_step=f"correct or close row {row.id} in the ledger",
        details={"position_id": row.id},
    )


def _stop_text(cover: Coverage) -> str:
    match cover.level:
        case Cover.COVERED:
            return f"stop loss {cover.stop_price}"
        case Cover.PARTLY:
            return f"stop loss {cover.stop_price} for {cover.quantity} only"
        case Cover.NAKED:
            return "NO STOP LOSS"
        case Cover.CANNOT_TELL:
            return "stops cannot be read"


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)
