"""What people are told when an aged leg cannot be closed: the alerts' words, and no decision."""

from __future__ import annotations

from messages.execution import ExecutionResult
from messages.ledger import AlertDraft, AlertLevel, AlertType
from messages.values import LegKey


def insufficient_balance(
    key: LegKey, row_ids: tuple[int, ...], result: ExecutionResult
) -> AlertDraft:
    return _draft(
        AlertType.INSUFFICIENT_BALANCE,
        f"insufficient:{key}",
        f"real insufficient balance: {key} cannot be closed",
        "check margin, open orders and the position mode of the account",
        key,
        row_ids,
        result,
    )


def operator_needed(key: LegKey, row_ids: tuple[int, ...], result: ExecutionResult) -> AlertDraft:
    return _draft(
        AlertType.OPERATOR_NEEDED,
        f"operator:{key}",
        f"{key} needs an operator",
        "close it by hand, or mend the cause and release it",
        key,
        row_ids,
        result,
    )


def close_failed(key: LegKey, row_ids: tuple[int, ...], result: ExecutionResult) -> AlertDraft:
    return _draft(
        AlertType.CLOSE_FAILED,
        f"close_failed:{key}",
        f"Closing {key} failed, trying again",
        "nothing yet: the guard goes on trying",
        key,
        row_ids,
        result,
        level=AlertLevel.WARNING,
    )


def _draft(
    type_: AlertType,
    dedup_key: str,
    title: str,
    next_step: str,
    key: LegKey,
    row_ids: tuple[int, ...],
    result: ExecutionResult,
    *,
    level: AlertLevel = AlertLevel.CRITICAL,
) -> AlertDraft:
    return AlertDraft(
        type=type_,
        level=level,
        dedup_key=dedup_key,
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
    """A close's result as an event and an alert tell it."""
    return {
        "success": result.success,
        "requested": str(result.requested),
        "executed": str(result.executed),
        "average_price": str(result.average_price) if result.average_price is not None else None,
        "order_id": result.order_id,
        "error_code": result.error_code.value if result.error_code else None,
        "error_message": result.error_message,
        "attempts": result.attempts,
        "execution_time": result.execution_time,
    }
