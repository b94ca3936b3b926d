"""The positions are another program's: they are guarded, and its database is only read."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from messages.settings import Mode, QuantityUnit, SourceKind, SourceSettings, VerdictSettings
from messages.to_ledger import FindRows
from messages.values import Secret, Side
from storage.mirror import LEFT
from tests.scenarios.world import BTC, XRP, World, ago, now, scenario, until, world
from tests.storage.test_sources import Freqtrade

QUICK = VerdictSettings(
    confirm_after=timedelta(seconds=0.3),
    settle=timedelta(seconds=0),
    fresh=timedelta(seconds=0.1),
)


def following(file: Path, kind: SourceKind = SourceKind.FREQTRADE, **more: Any) -> dict[str, Any]:
    source = SourceSettings(
        kind=kind, url=Secret(f"sqlite:///{file}"), exchanges={"bybit": "bybit-main"}, **more
    )
    return {"ledger": source, "verdict": QUICK}


def buy(bot: Freqtrade, number: int, quantity: str, *, hours: float = 1.0, pair: str = XRP) -> None:
    """What freqtrade writes when its entry order has been filled."""
    opened = ago(hours).strftime("%Y-%m-%d %H:%M:%S.%f")
    bot.trade(number, pair=pair, amount=float(quantity), open_rate=2.5, open_date=opened)
    bot.order(number, "buy", float(quantity), date=opened)


def sold_by_hand(guard: World, symbol: str, quantity: str) -> None:
    """Bought by the bot an hour ago, and sold by a person before the guard ever looked."""
    guard.market.open_position(
        "bybit-main", symbol, Side.LONG, Decimal(quantity), Decimal("2.5"), ago(1)
    )
    guard.by_hand("bybit-main", symbol, Side.LONG)


def open_trades(bot: Freqtrade) -> list[int]:
    with closing(sqlite3.connect(bot.file)) as connection:
        rows = connection.execute("SELECT id FROM trades WHERE is_open ORDER BY id")
        return [row[0] for row in rows]


async def rows(guard: World, status: str | None = None) -> list[tuple[str, Decimal | None, str]]:
    found = await guard.system.ask("ledger", FindRows(status=status))
    return sorted((row.symbol, row.quantity, row.exit_reason or "") for row in found)


@scenario
async def test_a_ghost_of_freqtrade_is_reported_once_and_its_file_stays_as_it_is(
    tmp_path: Path,
) -> None:
    bot = Freqtrade(tmp_path / "tradesv3.sqlite")
    buy(bot, 1, "100")
    buy(bot, 2, "0.3", pair=BTC)
    before = bot.file.read_bytes()

    async def prepare(guard: World) -> None:
        guard.market.open_position("bybit-main", XRP, Side.LONG, Decimal(100), Decimal("2.5"))
        sold_by_hand(guard, BTC, "0.3")

    async with world(tmp_path, before=prepare, **following(bot.file)) as guard:
        await guard.scan("reconciliation")
        (alert,) = await guard.alerted("reconciliation_mismatch")
        assert (alert.symbol, alert.side) == (BTC, "long")
        assert "the guard's copy of the bot's row is closed" in alert.done
        for _ in range(3):
            assert (await guard.scan("reconciliation")).found == 0
        assert len(await guard.alerts("reconciliation_mismatch")) == 1
        assert len(await guard.events("reconciliation_ghost_closed")) == 1
        assert await guard.alerts("orphaned_position") == ()
        assert await rows(guard, "active") == [(XRP, Decimal(100), "")]
        assert bot.file.read_bytes() == before
        assert guard.orders() == []


@scenario
async def test_what_the_bot_opens_and_closes_is_followed_without_a_word(tmp_path: Path) -> None:
    bot = Freqtrade(tmp_path / "tradesv3.sqlite")
    async with world(tmp_path, **following(bot.file)) as guard:
        guard.market.open_position("bybit-main", XRP, Side.LONG, Decimal(40), Decimal("2.5"))
        buy(bot, 1, "40")
        assert (await guard.scan("reconciliation")).checked == 1
        await guard.scan("orphans")
        bot.say("UPDATE trades SET amount = 60, stop_loss = 2.25")
        guard.market.open_position("bybit-main", XRP, Side.LONG, Decimal(20), Decimal("2.5"))
        await guard.scan("reconciliation")
        assert await rows(guard, "active") == [(XRP, Decimal(60), "")]
        bot.say("UPDATE trades SET is_open = 0")
        guard.by_hand("bybit-main", XRP, Side.LONG)
        assert (await guard.scan("reconciliation")).checked == 0
        assert await rows(guard) == [(XRP, Decimal(60), LEFT)]
        assert await guard.alerts("reconciliation_mismatch") == ()
        assert await guard.alerts("orphaned_position") == ()


@scenario
async def test_an_aged_position_of_freqtrade_is_closed_exactly_once(tmp_path: Path) -> None:
    bot = Freqtrade(tmp_path / "tradesv3.sqlite")
    buy(bot, 1, "40", hours=40)

    async def prepare(guard: World) -> None:
        guard.market.open_position(
            "bybit-main", XRP, Side.LONG, Decimal(40), Decimal("2.5"), ago(40)
        )

    async with world(tmp_path, before=prepare, **following(bot.file)) as guard:

        async def closed() -> bool:
            return await rows(guard) == [(XRP, Decimal(40), "aged_close_market")]

        await until(closed, "the copy is closed by our own order")
        for _ in range(2):
            await guard.scan("aged/scan")
            await guard.scan("reconciliation")
        assert len(guard.orders()) == 1
        assert guard.held(XRP, Side.LONG) == 0
        assert open_trades(bot) == [1]
        assert await guard.alerts("ghost_position") == ()


@scenario
async def test_in_observe_mode_a_ghost_is_told_and_not_even_the_copy_is_closed(
    tmp_path: Path,
) -> None:
    bot = Freqtrade(tmp_path / "tradesv3.sqlite")
    buy(bot, 1, "40")

    async def prepare(guard: World) -> None:
        sold_by_hand(guard, XRP, "40")

    async with world(tmp_path, mode=Mode.OBSERVE, before=prepare, **following(bot.file)) as guard:
        await guard.scan("reconciliation")
        (alert,) = await guard.alerted("reconciliation_mismatch")
        assert alert.done.startswith("mode is observe")
        assert await rows(guard) == [(XRP, Decimal(40), "")]


@scenario
async def test_a_bots_database_that_is_away_makes_no_ghost_and_holds_up_no_other_write(
    tmp_path: Path,
) -> None:
    bot = Freqtrade(tmp_path / "tradesv3.sqlite")
    buy(bot, 1, "40")

    async def prepare(guard: World) -> None:
        guard.market.open_position("bybit-main", XRP, Side.LONG, Decimal(40), Decimal("2.5"))

    async with world(tmp_path, before=prepare, **following(bot.file)) as guard:
        away = bot.file.rename(tmp_path / "away.sqlite")
        guard.by_hand("bybit-main", XRP, Side.LONG)
        scan = asyncio.create_task(guard.scan("reconciliation"))
        await until(lambda: guard.alive("ledger/source"), "the source is being read")
        assert len(await guard.system.ask("ledger", FindRows(), timeout=5.0)) == 1
        assert not scan.done()
        assert await guard.alerts("reconciliation_mismatch") == ()
        with closing(sqlite3.connect(away)) as connection, connection:
            connection.execute("UPDATE trades SET is_open = 0")
        away.rename(bot.file)
        assert (await scan).found == 0
        assert await rows(guard) == [(XRP, Decimal(40), LEFT)]


MONITORING = """
CREATE TABLE positions (id INTEGER PRIMARY KEY, exchange TEXT, symbol TEXT, side TEXT,
    quantity NUMERIC, entry_price NUMERIC, status TEXT, opened_at TEXT, stop_loss_price NUMERIC,
    trailing_activated BOOLEAN, updated_at TEXT);
"""


def monitoring(file: Path) -> None:
    opened = ago(1).isoformat()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(MONITORING)
        for number, symbol in ((7, "XRPUSDT"), (8, "BTCUSDT")):
            connection.execute(
                "INSERT INTO positions VALUES (?, 'bybit', ?, 'long', 40, 2.5, 'active', ?, NULL,"
                " 0, ?)",
                (number, symbol, opened, opened),
            )


def statuses(file: Path) -> list[tuple[int, str]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT id, status FROM positions ORDER BY id").fetchall()


@scenario
async def test_write_back_closes_the_ghosts_row_in_the_source_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "bot.db"
    monitoring(file)

    async def prepare(guard: World) -> None:
        guard.market.open_position("bybit-main", BTC, Side.LONG, Decimal(40), Decimal("2.5"))
        sold_by_hand(guard, XRP, "40")

    settings = following(file, SourceKind.MONITORING, write_back=True)
    async with world(tmp_path, before=prepare, **settings) as guard:
        await guard.scan("reconciliation")
        await guard.scan("reconciliation")
        assert statuses(file) == [(7, "closed"), (8, "active")]
        assert len(await guard.events("reconciliation_ghost_closed")) == 1


@scenario
async def test_a_source_that_counts_contracts_is_compared_in_base_units(tmp_path: Path) -> None:
    file = tmp_path / "bot.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "CREATE TABLE t (id INTEGER, symbol TEXT, side TEXT, size TEXT, entry_price TEXT,"
            " opened_at TEXT, exchange TEXT)"
        )
        connection.execute(
            "INSERT INTO t VALUES (1, 'XRPUSDT', 'long', '40', '2.5', ?, 'bybit')",
            (now().isoformat(),),
        )

    async def prepare(guard: World) -> None:
        guard.market.open_position("bybit-main", XRP, Side.LONG, Decimal(40), Decimal("2.5"))

    settings = following(
        file,
        SourceKind.QUERY,
        query="SELECT * FROM t",
        columns={"quantity": "size"},
        unit=QuantityUnit.CONTRACTS,
    )
    async with world(tmp_path, before=prepare, **settings) as guard:
        assert (await guard.scan("reconciliation")).found == 0
        assert await rows(guard, "active") == [("XRPUSDT", Decimal(40), "")]
