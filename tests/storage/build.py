"""Makes drafts and rows for the ledger's tests. Only what a test names differs from the default."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from messages.ledger import (
    AlertDraft,
    AlertLevel,
    AlertType,
    EventDraft,
    ExitSource,
    Intent,
    NewPosition,
    RowClose,
)
from messages.values import LegKey, Side
from messages.venue import OrderType
from tests.storage.conftest import START

KEY = LegKey("bybit-main", "BTC/USDT:USDT", Side.LONG)


def position(**changes: object) -> NewPosition:
    return msgspec.structs.replace(
        NewPosition(
            account="bybit-main",
            symbol="BTCUSDT",
            side=Side.LONG,
            quantity=Decimal("0.123456789012345678"),
            entry_price=Decimal("65000.10"),
            opened_at=START,
        ),
        **changes,
    )


def intent(client_order_id: str = "sx-1", **changes: object) -> Intent:
    return msgspec.structs.replace(
        Intent(
            client_order_id=client_order_id,
            key=KEY,
            purpose="close",
            row_ids=(1, 2),
            attempt=1,
            type=OrderType.MARKET,
            quantity=Decimal("0.5"),
            seen_quantity=Decimal("0.7"),
            created_at=START,
        ),
        **changes,
    )


def event(event_id: str = "e1", **changes: object) -> EventDraft:
    return msgspec.structs.replace(
        EventDraft(event_id=event_id, at=START, kind="position_closed", account="bybit-main"),
        **changes,
    )


def alert(dedup_key: str = "ghost 1", **changes: object) -> AlertDraft:
    return msgspec.structs.replace(
        AlertDraft(
            type=AlertType.GHOST_POSITION,
            level=AlertLevel.WARNING,
            dedup_key=dedup_key,
            title="a ghost",
            account="bybit-main",
        ),
        **changes,
    )


def close(row_id: int, **changes: object) -> RowClose:
    return msgspec.structs.replace(
        RowClose(
            row_id=row_id,
            reason="ghost_detected_aged_close",
            exit_price=Decimal("65000.10"),
            exit_source=ExitSource.UNKNOWN,
            realized_pnl=Decimal(0),
            closed_at=START,
        ),
        **changes,
    )
