"""The typed result of an order's execution (`docs/spec/mission.md` B3)."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from messages.values import ZERO, LegKey
from messages.venue import OrderType


class ErrorCode(StrEnum):
    """Why a close did not succeed.

    ROW_CHANGED: its rows are not those that were decided about. ACCOUNT_UNDECIDED: nothing was
    sent, as it is being found out whether the account is the ledger's.
    """

    POSITION_NOT_FOUND = "POSITION_NOT_FOUND"
    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    RATE_LIMITED = "RATE_LIMITED"
    PRICE_BAND = "PRICE_BAND"
    MIN_SIZE = "MIN_SIZE"
    REDUCE_ONLY_BLOCKED = "REDUCE_ONLY_BLOCKED"
    AUTH = "AUTH"
    NOT_TRADABLE = "NOT_TRADABLE"
    NETWORK = "NETWORK"
    ACCOUNT_SUSPECT = "ACCOUNT_SUSPECT"
    ACCOUNT_UNDECIDED = "ACCOUNT_UNDECIDED"
    ROW_CHANGED = "ROW_CHANGED"
    UNKNOWN = "UNKNOWN"


class ExecutionResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a close. Quantities are base units, `execution_time` is seconds.

    `success` means that all of `requested` is filled. `permanent` means that trying again by
    itself would be wrong: an operator is needed. `fee` is in settle currency.
    """

    key: LegKey
    success: bool
    requested: Decimal
    executed: Decimal = ZERO
    order_id: str = ""
    client_order_ids: tuple[str, ...] = ()
    order_type: OrderType | None = None
    average_price: Decimal | None = None
    fee: Decimal = ZERO
    error_code: ErrorCode | None = None
    error_message: str = ""
    permanent: bool = False
    attempts: int = 0
    execution_time: float = 0.0
