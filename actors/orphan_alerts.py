"""What people are told of an orphan: the alert's words, and no decision."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from messages.ledger import AlertDraft, AlertLevel, AlertType
from messages.settings import AccountSettings
from messages.values import LegKey
from messages.venue import VenuePosition
from rules.protection import Cover, Coverage


def orphan_key(key: LegKey) -> str:
    """The key under which the alert of an orphan is said once and resolved once."""
    return f"orphan:{key}"


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
