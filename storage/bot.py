"""The bot's side: how a trading bot writes what it holds, so that it can be guarded.

A plain six-column INSERT does as well; this spares the bot the SQL, and gives back exact types::

    async with await open_book("sqlite:///var/sexton.db", account="bybit-main") as book:
        held = await book.open("BTCUSDT", Side.LONG, Decimal("0.5"), Decimal("65000"))
        await book.update(held.id, stop_price=Decimal("63000"), trailing_active=True)
        await book.close(held.id, exit_price=Decimal("66000"), realized_pnl=Decimal("480"))
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from types import TracebackType

from messages.ledger import EventDraft, ExitSource, NewPosition, PositionRow, RowClose
from messages.values import Secret, Side
from storage.ledger import Ledger, open_ledger
from storage.positions import UNCHANGED, Unchanged


class Book:
    """One account's positions as its bot sees them. Every method may raise LedgerUnavailable."""

    def __init__(self, ledger: Ledger, account: str, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._account = account
        self._now = now

    async def open(
        self,
        symbol: str,
        side: Side,
        quantity: Decimal,
        entry_price: Decimal,
        *,
        opened_at: datetime | None = None,
        stop_price: Decimal | None = None,
        request_id: str | None = None,
    ) -> PositionRow:
        """Write a position that was opened: base units, quote price, aware time (default: now).

        With a `request_id` of the bot's own (its order's id, say) the call may be repeated.
        """
        return await self._ledger.add_position(
            NewPosition(
                account=self._account,
                symbol=symbol,
                side=side,
                quantity=quantity,
                entry_price=entry_price,
                opened_at=opened_at or self._now(),
                stop_price=stop_price,
                request_id=None if request_id is None else f"{self._account}:{request_id}",
            )
        )

    async def update(
        self,
        row_id: int,
        *,
        quantity: Decimal | None = None,
        entry_price: Decimal | None = None,
        stop_price: Decimal | Unchanged | None = UNCHANGED,
        trailing_active: bool | None = None,
    ) -> PositionRow | None:
        """Change what is given of an active position; `stop_price=None` takes the stop away.

        Returns the row as it is now; None where it is not active, or not this account's.
        """
        return await self._ledger.amend_position(
            self._account,
            row_id,
            quantity=quantity,
            entry_price=entry_price,
            stop_price=stop_price,
            trailing_active=trailing_active,
        )

    async def close(
        self,
        row_id: int,
        *,
        exit_price: Decimal,
        realized_pnl: Decimal,
        reason: str = "closed by the bot",
    ) -> bool:
        """Close a position; the PnL is in settle currency, after fees. May be repeated.

        False where it was not active (the guard may have closed it) or is not this account's.
        """
        row = await self._ledger.row(row_id)
        if row is None or row.account != self._account:
            return False
        now = self._now()
        closed = await self._ledger.close_rows(
            [
                RowClose(
                    row_id=row_id,
                    reason=reason,
                    exit_price=exit_price,
                    exit_source=ExitSource.FILL,
                    realized_pnl=realized_pnl,
                    closed_at=now,
                )
            ],
            event=EventDraft(
                event_id=f"bot-close-{row_id}",
                at=now,
                kind="position_closed_by_bot",
                account=self._account,
                symbol=row.symbol,
                side=row.side,
                details={"position_id": row_id, "exit_price": exit_price, "reason": reason},
            ),
        )
        return bool(closed.changed)

    async def positions(self) -> tuple[PositionRow, ...]:
        """The account's active positions."""
        return await self._ledger.active_rows(self._account)

    async def __aenter__(self) -> Book:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._ledger.close()


def _utc_now() -> datetime:
    return datetime.now(UTC)


async def open_book(
    url: Secret | str, account: str, *, now: Callable[[], datetime] = _utc_now
) -> Book:
    """Open the ledger for one account's bot. Raises LedgerUnavailable or LedgerRefused."""
    return Book(await open_ledger(url, now=now), account, now)
