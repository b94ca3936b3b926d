"""freqtrade's `trades` and `orders` as positions.

Facts (freqtrade's documented schema): amounts are base units, times are naive UTC, pairs are
ccxt's unified symbols. A trade is open from the moment its entry order is sent, with the amount
that was asked for: so what is really there is read from the orders while one of them is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from messages.ledger import PositionRow
from messages.values import ZERO, Side
from storage.columns import as_decimal, as_flag, as_instant
from storage.errors import LedgerRefused, LedgerUnavailable
from storage.sources.reading import ForeignDatabase, Record

DRY_RUN = (
    "the freqtrade database is a dry run's: its positions exist at no exchange; give the live"
    " database (tradesv3.sqlite)"
)


async def check(database: ForeignDatabase, name: str) -> None:
    """Refuse a dry-run file, and a database that is not freqtrade's."""
    if "dryrun" in name.lower():
        raise LedgerRefused(DRY_RUN)
    missing = {"trades", "orders"} - await database.tables()
    if missing:
        raise LedgerRefused(f"the database is not freqtrade's: it has no {sorted(missing)}")


async def read(database: ForeignDatabase) -> Sequence[tuple[str, PositionRow]]:
    """Open positions as (exchange, row); the row's account is still empty.

    Raises LedgerRefused where the orders are a dry run's, whatever the file is called, and
    LedgerUnavailable for a moment at which freqtrade upgrades its tables: for some tenths of a
    second it has no trades, then trades and not one order.
    """
    trades, orders, (counted,) = await database.fetch_together(
        "SELECT * FROM trades WHERE is_open ORDER BY id",
        "SELECT * FROM orders WHERE ft_trade_id IN (SELECT id FROM trades WHERE is_open)",
        "SELECT count(*) AS orders FROM orders",
    )
    if trades and not counted["orders"]:
        raise LedgerUnavailable("freqtrade's trades have not one order: it upgrades its database")
    if any(str(order["order_id"]).startswith("dry_run_") for order in orders):
        raise LedgerRefused(DRY_RUN)
    by_trade: dict[object, list[Record]] = {}
    for order in orders:
        by_trade.setdefault(order["ft_trade_id"], []).append(order)
    rows = (_row(trade, by_trade.get(trade["id"], [])) for trade in trades)
    return [(str(trade["exchange"]), row) for trade, row in zip(trades, rows, strict=True) if row]


def _row(trade: Record, orders: Sequence[Record]) -> PositionRow | None:
    if str(trade["trading_mode"] or "spot").lower() != "futures":
        return None
    short = as_flag(trade["is_short"])
    quantity = _quantity(trade, orders, "sell" if short else "buy")
    if quantity is not None and quantity <= ZERO:
        return None
    opened_at = as_instant(trade["open_date"])
    return PositionRow(
        id=int(trade["id"]),
        account="",
        symbol=str(trade["pair"]),
        side=Side.SHORT if short else Side.LONG,
        quantity=quantity,
        entry_price=as_decimal(trade["open_rate"]),
        opened_at=opened_at,
        stop_price=as_decimal(trade["stop_loss"]),
        trailing_active=as_flag(trade.get("is_stop_loss_trailing")),
        updated_at=_latest([opened_at, *_changes(orders)]),
    )


def _quantity(trade: Record, orders: Sequence[Record], entry_side: str) -> Decimal | None:
    entries = [order for order in orders if order["ft_order_side"] == entry_side]
    entered = _filled(entries)
    if entered <= ZERO:
        return ZERO
    if any(as_flag(order["ft_is_open"]) for order in orders):
        exits = [order for order in orders if order["ft_order_side"] != entry_side]
        return entered - _filled(exits)
    return as_decimal(trade["amount"])


def _filled(orders: Iterable[Record]) -> Decimal:
    return sum((as_decimal(order["filled"]) or ZERO for order in orders), ZERO)


def _changes(orders: Iterable[Record]) -> Iterable[datetime | None]:
    """When orders were sent and filled, and not when the bot last looked at them.

    A reload of a trade that the guard has closed notes all its orders anew, one by one, before it
    ends the trade: taken for a change, that would open the guard's copy again.
    """
    for order in orders:
        for name in ("order_date", "order_filled_date"):
            yield as_instant(order.get(name))


def _latest(moments: Iterable[datetime | None]) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)
