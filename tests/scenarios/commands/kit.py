"""How these scenarios order something, and wait for what became of it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from actors import paths
from actors.ledger_client import event
from messages.ledger import Command, PositionRow
from messages.to_exchange import NotReady
from messages.to_ledger import SetHeld
from messages.to_monitors import AcceptAbsence, CloseByOrder, Ordered
from messages.values import LegKey, Side
from storage.bot import Book
from tests.scenarios.world import XRP, World, now, until

LEG = "accounts/bybit-main/aged/XRPUSDT.long"
BYBIT = "bybit-main"
ACCOUNTS = [BYBIT, "binance-main"]


def leg(account: str = BYBIT) -> LegKey:
    return LegKey(account, XRP, Side.LONG)


async def order_close(
    guard: World, *rows: PositionRow, account: str = BYBIT, expires_at: datetime | None = None
) -> Command:
    """An operator saw these rows, and wants them closed."""
    request = CloseByOrder(
        key=leg(account),
        row_ids=tuple(row.id for row in rows),
        by="ann",
        why="before the news",
        expires_at=expires_at,
    )
    answer = await guard.system.ask(paths.aged_scan(account), request, timeout=60.0)
    assert isinstance(answer, Ordered), answer
    return answer.command


async def accept(guard: World, account: str = BYBIT) -> Command | NotReady:
    request = AcceptAbsence(key=leg(account), by="ann", why="closed at the desk")
    answer = await guard.system.ask(paths.reconciliation(account), request, timeout=60.0)
    return answer.command if isinstance(answer, Ordered) else answer


async def outcome(guard: World, command: Command, seconds: float = 60.0) -> Command:
    """The command as it ended."""
    found = command

    async def ended() -> bool:
        nonlocal found
        (found,) = await guard.ledger.commands(command_id=command.id)
        return found.state.final

    await until(ended, f"{command.kind.value} {command.id} has an outcome", seconds)
    return found


async def set_held(guard: World, row: PositionRow, held: bool) -> None:
    by_hand = event("position_held", now(), actor="an operator", account=row.account)
    await guard.system.ask(
        paths.LEDGER, SetHeld(row_ids=(row.id,), held=held, event=by_hand), timeout=60.0
    )


async def bot_closes(guard: World, row: PositionRow) -> None:
    """The bot closes its position and its row, as bots do."""
    guard.by_hand(row.account, XRP, Side.LONG)
    book = Book(guard.ledger, row.account, now)
    price = guard.price(XRP, row.account)
    assert await book.close(row.id, exit_price=price, realized_pnl=Decimal(0))
