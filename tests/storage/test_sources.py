"""Other people's ledgers, made by the test from their documented schema, are read rightly."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import psycopg
import pytest

from messages.ledger import PositionRow
from messages.settings import QuantityUnit, SourceKind, SourceSettings
from messages.values import Secret
from storage import LedgerRefused, LedgerUnavailable
from storage.sources import Source, open_source
from storage.sources.sqlite_files import FileChanged, readable
from tests.storage.build import close

FREQTRADE_SCHEMA = """
CREATE TABLE trades (
    id INTEGER NOT NULL PRIMARY KEY, exchange VARCHAR(25) NOT NULL, pair VARCHAR(25) NOT NULL,
    is_open BOOLEAN NOT NULL, amount FLOAT, open_rate FLOAT, open_date DATETIME NOT NULL,
    leverage FLOAT, is_short BOOLEAN NOT NULL, stop_loss FLOAT, trading_mode VARCHAR(7),
    contract_size FLOAT, exit_reason VARCHAR(255), is_stop_loss_trailing BOOLEAN);
CREATE TABLE orders (
    id INTEGER NOT NULL PRIMARY KEY, ft_trade_id INTEGER NOT NULL REFERENCES trades (id),
    ft_order_side VARCHAR(25) NOT NULL, ft_is_open BOOLEAN NOT NULL, order_id VARCHAR(255),
    status VARCHAR(255), filled FLOAT, order_date DATETIME, order_filled_date DATETIME);
"""


class Freqtrade:
    """A freqtrade database file, filled as the bot would."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._orders = 0
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript(FREQTRADE_SCHEMA)

    def say(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self.file)) as connection, connection:
            connection.execute(statement, values)

    def trade(self, number: int, **columns: object) -> None:
        values: dict[str, object] = {
            "id": number,
            "exchange": "bybit",
            "pair": "BTC/USDT:USDT",
            "is_open": 1,
            "amount": 0.3,
            "open_rate": 65000.5,
            "open_date": "2026-02-01 10:00:00.000000",
            "is_short": 0,
            "stop_loss": 60000.0,
            "trading_mode": "FUTURES",
            "contract_size": 0.01,
            "leverage": 5.0,
            **columns,
        }
        marks = ", ".join("?" for _ in values)
        self.say(f"INSERT INTO trades ({', '.join(values)}) VALUES ({marks})", *values.values())

    def order(
        self,
        trade: int,
        side: str,
        filled: float | None,
        *,
        is_open: bool = False,
        order_id: str = "8f3a",
        date: str = "2026-02-01 10:00:01",
    ) -> None:
        self._orders += 1
        self.say(
            "INSERT INTO orders VALUES (?, ?, ?, ?, ?, 'open', ?, ?, NULL)",
            self._orders,
            trade,
            side,
            int(is_open),
            order_id,
            filled,
            date,
        )

    async def source(self) -> Source:
        return await open_source(
            SourceSettings(
                kind=SourceKind.FREQTRADE,
                url=Secret(f"sqlite:///{self.file}"),
                exchanges={"bybit": "bybit-main"},
            )
        )


@pytest.fixture
def freqtrade(tmp_path: Path) -> Freqtrade:
    return Freqtrade(tmp_path / "tradesv3.sqlite")


async def test_freqtrades_trade_is_read_in_base_units_and_utc(freqtrade: Freqtrade) -> None:
    freqtrade.trade(7, is_stop_loss_trailing=1)
    freqtrade.order(7, "buy", 0.3, date="2026-02-01 10:00:05")
    freqtrade.order(7, "stoploss", None, date="2026-02-01 10:02:00")
    source = await freqtrade.source()
    assert await source.active_rows("bybit-main") == (
        PositionRow(
            id=7,
            account="bybit-main",
            symbol="BTC/USDT:USDT",
            side="long",
            quantity=Decimal("0.3"),
            entry_price=Decimal("65000.5"),
            opened_at=datetime(2026, 2, 1, 10, tzinfo=UTC),
            stop_price=Decimal("60000.0"),
            trailing_active=True,
            updated_at=datetime(2026, 2, 1, 10, 2, tzinfo=UTC),
        ),
    )
    assert await source.active_rows("binance") == ()


async def test_a_trade_whose_entry_has_not_filled_is_no_position(freqtrade: Freqtrade) -> None:
    freqtrade.trade(1)
    freqtrade.order(1, "buy", 0.0, is_open=True)
    freqtrade.trade(2)
    freqtrade.order(2, "buy", None, is_open=True)
    freqtrade.trade(3)
    assert await (await freqtrade.source()).active_rows() == ()


async def test_while_an_order_is_open_only_what_has_filled_counts(freqtrade: Freqtrade) -> None:
    freqtrade.trade(1)
    freqtrade.order(1, "buy", 0.1, is_open=True)
    freqtrade.trade(2, is_short=1)
    freqtrade.order(2, "sell", 0.3)
    freqtrade.order(2, "buy", 0.2, is_open=True)
    freqtrade.trade(3, is_short=1)
    freqtrade.order(3, "sell", 0.3)
    freqtrade.order(3, "buy", 0.3, is_open=True)
    rows = await (await freqtrade.source()).active_rows()
    assert [(row.id, row.side, row.quantity) for row in rows] == [
        (1, "long", Decimal("0.1")),
        (2, "short", Decimal("0.1")),
    ]


async def test_closed_trades_spot_trades_and_other_exchanges_are_left_out(
    freqtrade: Freqtrade,
) -> None:
    kinds: tuple[dict[str, object], ...] = (
        {"is_open": 0},
        {"trading_mode": "SPOT"},
        {"trading_mode": None},
        {"exchange": "okx"},
        {},
    )
    for number, changes in enumerate(kinds):
        freqtrade.trade(number, **changes)
        freqtrade.order(number, "buy", 0.3)
    rows = await (await freqtrade.source()).active_rows()
    assert [row.id for row in rows] == [4]


async def test_a_dry_run_is_refused_by_its_name_and_by_its_orders(
    freqtrade: Freqtrade, tmp_path: Path
) -> None:
    with pytest.raises(LedgerRefused, match="dry run"):
        await Freqtrade(tmp_path / "tradesv3.dryrun.sqlite").source()
    freqtrade.trade(1)
    freqtrade.order(1, "buy", 0.3, order_id="dry_run_buy_BTC/USDT:USDT_1767.1")
    source = await freqtrade.source()
    with pytest.raises(LedgerRefused, match="dry run"):
        await source.active_rows()


async def test_freqtrades_database_is_never_written_to(freqtrade: Freqtrade) -> None:
    freqtrade.trade(1)
    freqtrade.order(1, "buy", 0.3)
    source = await freqtrade.source()
    with pytest.raises(LedgerRefused, match="read-only"):
        await source.write_back([close(1)])
    with pytest.raises(LedgerRefused, match="never written"):
        await open_source(
            SourceSettings(
                kind=SourceKind.FREQTRADE, url=Secret("sqlite://"), account="a", write_back=True
            )
        )
    with pytest.raises(LedgerUnavailable, match="read-only"):
        await source._database.fetch("UPDATE trades SET is_open = 0 RETURNING id")
    assert len(await source.active_rows()) == 1


async def test_a_database_that_is_not_freqtrades_or_not_there_is_named(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "empty.db").execute("CREATE TABLE other (id)").connection.close()
    for name, error, why in (
        ("empty.db", LedgerRefused, "not freqtrade's"),
        ("missing.db", LedgerUnavailable, "can't be opened"),
    ):
        with pytest.raises(error, match=why):
            await open_source(
                SourceSettings(
                    kind=SourceKind.FREQTRADE,
                    url=Secret(f"sqlite:///{tmp_path}/{name}"),
                    account="a",
                )
            )
    assert not (tmp_path / "missing.db").exists()


MONITORING_SCHEMA = """
CREATE SCHEMA monitoring;
CREATE TABLE monitoring.positions (
    id SERIAL PRIMARY KEY, symbol VARCHAR(50), exchange VARCHAR(50), side VARCHAR(10),
    quantity NUMERIC(20,8), entry_price NUMERIC(20,8), stop_loss_price NUMERIC(20,8),
    status VARCHAR(20) DEFAULT 'active', opened_at TIMESTAMPTZ, has_stop_loss BOOLEAN,
    trailing_activated BOOLEAN DEFAULT false);
INSERT INTO monitoring.positions
    (symbol, exchange, side, quantity, entry_price, stop_loss_price, status, opened_at,
     has_stop_loss, trailing_activated)
VALUES
    ('BTCUSDT', 'bybit', 'buy', 0.12345678, 65000.5, NULL, 'active', '2026-02-01 12:00+02',
     false, true),
    ('ETHUSDT', 'binance', 'short', 2, 3000, 3100, 'active', '2026-02-01 12:00+00', true, false),
    ('XRPUSDT', 'bybit', 'long', 2, 1, NULL, 'closed', '2026-02-01 12:00+00', false, false);
"""


@pytest.fixture
def monitoring(postgres_url: str) -> str:
    with psycopg.connect(postgres_url) as connection:
        connection.execute(MONITORING_SCHEMA)
    return postgres_url


def monitoring_settings(url: str, *, write_back: bool = False) -> SourceSettings:
    return SourceSettings(
        kind=SourceKind.MONITORING,
        url=Secret(url),
        exchanges={"bybit": "bybit-main", "binance": "binance-main"},
        write_back=write_back,
    )


async def test_monitoring_positions_are_read_with_their_accounts(monitoring: str) -> None:
    source = await open_source(monitoring_settings(monitoring))
    bybit, binance = await source.active_rows()
    opened_at = datetime(2026, 2, 1, 10, tzinfo=UTC)
    assert bybit == PositionRow(
        id=1,
        account="bybit-main",
        symbol="BTCUSDT",
        side="buy",
        quantity=Decimal("0.12345678"),
        entry_price=Decimal("65000.50000000"),
        opened_at=opened_at,
        trailing_active=True,
        updated_at=opened_at,
    )
    assert (binance.account, binance.stop_price) == ("binance-main", Decimal(3100))
    assert await source.active_rows("binance-main") == (binance,)


async def test_monitoring_rows_are_closed_only_where_write_back_is_on(monitoring: str) -> None:
    read_only = await open_source(monitoring_settings(monitoring))
    with pytest.raises(LedgerRefused, match="not switched on"):
        await read_only.write_back([close(1)])
    with pytest.raises(LedgerUnavailable, match="read-only"):
        await read_only._database.fetch("DELETE FROM monitoring.positions RETURNING id")
    assert len(await read_only.active_rows()) == 2
    writable = await open_source(monitoring_settings(monitoring, write_back=True))
    assert (await writable.write_back([close(1), close(3), close(9)])).changed == (1,)
    assert [row.id for row in await read_only.active_rows()] == [2]


@pytest.fixture
def own_file(tmp_path: Path) -> Path:
    file = tmp_path / "own.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(
            "CREATE TABLE book (nr, coin, dir, lots, price, since, note);"
            "INSERT INTO book VALUES (1, 'BTC-USDT-SWAP', 'long', 3, 65000, '2026-02-01', 'x'),"
            " (2, 'ODD', 'short', 'many', NULL, 'soon', 'x')"
        )
    return file


COLUMNS = {
    "id": "nr",
    "symbol": "coin",
    "side": "dir",
    "quantity": "lots",
    "entry_price": "price",
    "opened_at": "since",
}


def own_settings(file: Path, **changes: object) -> SourceSettings:
    return msgspec.structs.replace(
        SourceSettings(
            kind=SourceKind.QUERY,
            url=Secret(f"sqlite:///{file}"),
            account="okx",
            query="SELECT * FROM book",
            columns=COLUMNS,
        ),
        **changes,
    )


async def test_contracts_become_base_units_by_the_instruments_size(own_file: Path) -> None:
    source = await open_source(own_settings(own_file, unit=QuantityUnit.CONTRACTS))
    sizes = {("okx", "BTC-USDT-SWAP"): Decimal("0.01")}
    known, odd = await source.active_rows(contract_size=lambda *leg: sizes.get(leg))
    assert (known.quantity, known.opened_at) == (
        Decimal("0.03"),
        datetime(2026, 2, 1, tzinfo=UTC),
    )
    assert (odd.quantity, odd.entry_price, odd.opened_at) == (None, None, None)
    unsized, _ = await source.active_rows()
    assert unsized.quantity is None


async def test_a_query_in_base_units_is_read_as_it_is(own_file: Path) -> None:
    known, _ = await (await open_source(own_settings(own_file))).active_rows("okx")
    assert (known.id, known.quantity, known.entry_price) == (1, Decimal(3), Decimal(65000))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"query": " "}, "needs a query"),
        ({"columns": {"size": "lots"}}, "what can be mapped is"),
        ({"columns": {**COLUMNS, "side": "direction"}}, r"no \['direction'\]; it has \['coin'"),
        ({"columns": {**COLUMNS, "id": "note"}}, "no whole number"),
        ({"query": "SELECT * FROM nowhere"}, "no such table"),
    ],
)
async def test_a_wrong_mapping_is_refused_and_says_what_there_is(
    own_file: Path, changes: dict[str, object], why: str
) -> None:
    with pytest.raises(LedgerRefused, match=why):
        await (await open_source(own_settings(own_file, **changes))).active_rows()


async def test_a_source_without_driver_or_owner_is_refused_without_its_url(tmp_path: Path) -> None:
    for settings, why in (
        (
            SourceSettings(
                kind=SourceKind.QUERY, url=Secret("oracle://u:hunter2@h/d"), account="a", query="q"
            ),
            "no driver",
        ),
        (SourceSettings(kind=SourceKind.QUERY, url=Secret("hunter2"), account="a"), "no database"),
        (SourceSettings(kind=SourceKind.QUERY, url=Secret("sqlite://")), "needs `account`"),
    ):
        with pytest.raises(LedgerRefused, match=why) as refused:
            await open_source(settings)
        assert "hunter2" not in str(refused.value)


def beside(file: Path) -> dict[str, bytes]:
    """Every file of a folder with its content: what a reader must leave as it was."""
    return {found.name: found.read_bytes() for found in sorted(file.parent.iterdir())}


async def test_reading_a_stopped_bots_database_makes_no_file_beside_it(
    freqtrade: Freqtrade,
) -> None:
    freqtrade.say("PRAGMA journal_mode=WAL")
    freqtrade.trade(1)
    freqtrade.order(1, "buy", 0.3)
    before = beside(freqtrade.file)
    assert list(before) == ["tradesv3.sqlite"]
    source = await freqtrade.source()
    assert [row.id for row in await source.active_rows()] == [1]
    assert beside(freqtrade.file) == before


async def test_a_running_bots_newest_rows_are_read_out_of_its_wal(freqtrade: Freqtrade) -> None:
    freqtrade.say("PRAGMA journal_mode=WAL")
    with closing(sqlite3.connect(freqtrade.file)) as running:
        running.execute("SELECT count(*) FROM trades").fetchall()
        freqtrade.trade(1)
        freqtrade.order(1, "buy", 0.3)
        assert (await (await freqtrade.source()).active_rows())[0].id == 1
        assert sorted(beside(freqtrade.file)) == [
            f"tradesv3.sqlite{end}" for end in ("", "-shm", "-wal")
        ]


async def test_a_crashed_bots_wal_is_read_and_left_as_it_is(
    freqtrade: Freqtrade, tmp_path: Path
) -> None:
    freqtrade.say("PRAGMA journal_mode=WAL")
    crashed = tmp_path / "crashed" / "tradesv3.sqlite"
    with closing(sqlite3.connect(freqtrade.file)) as running:
        running.execute("SELECT count(*) FROM trades").fetchall()
        freqtrade.trade(1)
        freqtrade.order(1, "buy", 0.3)
        crashed.parent.mkdir()
        for end in ("", "-wal"):
            shutil.copyfile(f"{freqtrade.file}{end}", f"{crashed}{end}")
    freqtrade.file = crashed
    before = beside(crashed)
    assert [row.id for row in await (await freqtrade.source()).active_rows()] == [1]
    assert beside(crashed) == before


@pytest.mark.parametrize("begins", ["-wal", ""])
def test_what_was_read_while_a_bot_began_to_write_does_not_count(
    freqtrade: Freqtrade, begins: str
) -> None:
    freqtrade.say("PRAGMA journal_mode=WAL")

    def read() -> None:
        with readable(freqtrade.file) as way:
            assert way.query["immutable"] == "1"
            with Path(f"{freqtrade.file}{begins}").open("ab") as out:
                out.write(b"x")

    with pytest.raises(FileChanged, match="was written to"):
        read()


async def test_trades_without_one_order_are_an_upgrade_and_not_the_end_of_all_positions(
    freqtrade: Freqtrade,
) -> None:
    freqtrade.trade(1)
    freqtrade.order(1, "buy", 0.3)
    source = await freqtrade.source()
    assert len(await source.active_rows()) == 1
    freqtrade.say("DELETE FROM orders")
    with pytest.raises(LedgerUnavailable, match="upgrades its database"):
        await source.active_rows()
    freqtrade.say("ALTER TABLE orders RENAME TO orders_bak")
    with pytest.raises(LedgerRefused, match="no such table: orders"):
        await source.active_rows()


async def test_a_moment_without_any_trade_is_looked_at_again(freqtrade: Freqtrade) -> None:
    for number in (1, 2):
        freqtrade.trade(number)
        freqtrade.order(number, "buy", 0.3)
    source = await freqtrade.source()
    assert len(await source.active_rows()) == 2
    looks = []
    read = source._read_once

    async def looked() -> Sequence[tuple[str, PositionRow]]:
        found = await read()
        looks.append(len(found))
        if looks == [0]:
            freqtrade.say("UPDATE trades SET is_open = 1")
        return found

    source._read_once = looked  # type: ignore[method-assign]  # when the bot is through is drawn
    freqtrade.say("UPDATE trades SET is_open = 0")
    assert [row.id for row in await source.active_rows()] == [1, 2]
    assert looks == [0, 2]
    freqtrade.say("UPDATE trades SET is_open = 0 WHERE id = 1")
    assert [row.id for row in await source.active_rows()] == [2]
    assert looks == [0, 2, 1]
    freqtrade.say("UPDATE trades SET is_open = 0")
    assert await source.active_rows() == ()
    assert looks == [0, 2, 1, 0, 0]


async def test_ids_that_are_text_are_known_again_and_never_mixed_up(own_file: Path) -> None:
    uuids = ("6f1c5a9e-7b1d-4f0e-9c59-0f2f6a1d0a01", "6f1c5a9e-7b1d-4f0e-9c59-0f2f6a1d0a02")
    with closing(sqlite3.connect(own_file)) as connection, connection:
        for number, uuid in enumerate(uuids, start=1):
            connection.execute("UPDATE book SET nr = ? WHERE nr = ?", (uuid, number))
    reads = [await (await open_source(own_settings(own_file))).active_rows() for _ in range(2)]
    first, second = ([row.id for row in rows] for rows in reads)
    assert first == second
    assert len(set(first)) == 2
    assert all(0 <= found < 2**63 for found in first)


ESCAPES = (
    "SELECT * FROM book; SET TRANSACTION READ WRITE; DELETE FROM book",
    "SET TRANSACTION READ WRITE; DELETE FROM book; SELECT * FROM book",
    "COMMIT; BEGIN READ WRITE; DELETE FROM book; COMMIT; SELECT * FROM book",
    "SELECT 1) AS q; SET TRANSACTION READ WRITE; DELETE FROM book; SELECT * FROM (SELECT 1",
    "SELECT 1) AS q WHERE 1 = 1; COMMIT; BEGIN READ WRITE; DELETE FROM book; COMMIT; --",
    "DELETE FROM book RETURNING *",
    "WITH gone AS (DELETE FROM book RETURNING *) SELECT * FROM gone",
    "DO $$ BEGIN SET TRANSACTION READ WRITE; DELETE FROM book; END $$",
    "SELECT set_config('transaction_read_only', 'off', true), emptied() AS nr",
    "SELECT emptied() AS nr",
)


@pytest.mark.parametrize("query", ESCAPES)
async def test_a_query_that_would_write_cannot(postgres_url: str, query: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute(
            "CREATE TABLE book (nr int, coin text, dir text, lots int, price int, since text);"
            "INSERT INTO book VALUES (1, 'BTC', 'long', 3, 65000, '2026-02-01');"
            "CREATE FUNCTION emptied() RETURNS int LANGUAGE sql AS"
            " 'DELETE FROM book RETURNING nr'"
        )
    settings = own_settings(Path(), url=Secret(postgres_url))
    with pytest.raises((LedgerRefused, LedgerUnavailable)):
        await (await open_source(msgspec.structs.replace(settings, query=query))).active_rows()
    source = await open_source(settings)
    with pytest.raises((LedgerRefused, LedgerUnavailable)):
        await source._database.fetch(f"SET TRANSACTION READ WRITE; {query}")
    assert [row.id for row in await source.active_rows()] == [1]


@pytest.mark.parametrize("end", ["", ";", " ; ", "-- newest first", ";\n"])
async def test_a_plain_query_is_read_however_it_ends(own_file: Path, end: str) -> None:
    query = f"WITH all_of AS (SELECT * FROM book) SELECT * FROM all_of ORDER BY nr DESC{end}"
    rows = await (await open_source(own_settings(own_file, query=query))).active_rows()
    assert [row.id for row in rows] == [2, 1]


async def test_a_number_beyond_all_reason_is_none(own_file: Path) -> None:
    with closing(sqlite3.connect(own_file)) as connection, connection:
        connection.execute("UPDATE book SET lots = '1e999999', price = 9e999")
    for row in await (await open_source(own_settings(own_file))).active_rows():
        assert (row.quantity, row.entry_price) == (None, None)
