"""Whatever a bot writes into its rows, reading them gives usable legs or named unusable rows."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.legs import ledger_legs
from rules.symbols import SymbolIndex
from simulator import Exchange
from simulator.instruments import default_listings
from storage import Ledger, open_ledger

AT = datetime(2026, 1, 1, tzinfo=UTC)
INSTRUMENTS = {
    listing.symbol: listing.instrument
    for listing in default_listings(AT)
    if listing.exchange is Exchange.BYBIT
}
COLUMNS = (
    "symbol",
    "side",
    "quantity",
    "entry_price",
    "opened_at",
    "stop_price",
    "trailing_active",
    "held",
)
GOOD = ("BTCUSDT", "long", 1.5, 100, "2026-01-01 00:00:00", 90, 0, 0)

values = st.one_of(
    st.none(),
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
    st.floats(),
    st.text(max_size=30),
    st.binary(max_size=20),
    st.sampled_from(
        ("BTC/USDT:USDT", "BTC-USDT-SWAP", "BUY", "short", "NaN", "1e400", "-1", "9999-12-31")
    ),
)


def test_no_row_that_a_bot_can_write_breaks_the_ledgers_readers(tmp_path: Path) -> None:
    file = tmp_path / "sexton.db"

    with asyncio.Runner() as runner:
        ledger = runner.run(_opened(file))

        @settings(
            max_examples=250, deadline=2000, suppress_health_check=list(HealthCheck), database=None
        )
        @given(changes=st.dictionaries(st.integers(0, len(COLUMNS) - 1), values, min_size=1))
        def check(changes: dict[int, object]) -> None:
            row = [changes.get(index, good) for index, good in enumerate(GOOD)]
            if not _written(file, row):
                return
            (read,) = runner.run(ledger.active_rows("fuzz"))
            view = ledger_legs((read,), "fuzz", SymbolIndex(INSTRUMENTS))
            assert len(view.legs) + len(view.unusable) == 1
            for leg in view.legs.values():
                assert Decimal(0) < leg.quantity < Decimal("Infinity")
                assert Decimal(0) < leg.entry_price < Decimal("Infinity")
                assert leg.opened_at.tzinfo is not None
            assert all(entry.why for entry in view.unusable)

        check()
        runner.run(ledger.close())


async def _opened(file: Path) -> Ledger:
    return await open_ledger(f"sqlite:///{file}", now=lambda: AT)


def _written(file: Path, row: list[object]) -> bool:
    """Write the one row as a bot does; False where the database's own constraints refuse it."""
    marks = ", ".join("?" for _ in COLUMNS)
    with closing(sqlite3.connect(file, timeout=10)) as connection, connection:
        connection.execute("DELETE FROM positions")
        try:
            connection.execute(
                f"INSERT INTO positions (account, {', '.join(COLUMNS)}) VALUES ('fuzz', {marks})",
                row,
            )
        except (sqlite3.IntegrityError, UnicodeEncodeError):
            return False
    return True
