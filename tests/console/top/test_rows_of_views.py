"""The rows that views ask the ledger for each second."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

from actors.ledger import LedgerActor
from actors.runtime import ChildSpec, Supervisor, System
from messages.ledger import NewPosition, RowStatus
from messages.to_ledger import FindRows
from messages.values import Secret, Side
from storage import open_ledger


def now() -> datetime:
    return datetime.now(UTC)


def test_active_rows_come_newest_first_and_are_not_made_again_while_nothing_changes(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        ledger = await open_ledger(
            Secret(f"sqlite:///{tmp_path}/sexton.db"), now=now, data_dir=tmp_path
        )
        for symbol in ("BTCUSDT", "ETHUSDT"):
            await ledger.add_position(
                NewPosition(
                    account="a", symbol=symbol, side=Side.LONG, quantity=Decimal(1),
                    entry_price=Decimal(2), opened_at=now(),
                )
            )  # fmt: skip
        system = System(now=now)
        child = ChildSpec("ledger", partial(LedgerActor, ledger, {}))
        await system.start(ChildSpec("sexton", partial(Supervisor, (child,))))
        try:
            active = FindRows(status=RowStatus.ACTIVE)
            first, second = await system.ask("ledger", active), await system.ask("ledger", active)
            assert first == await ledger.rows(status=RowStatus.ACTIVE)
            assert [row.symbol for row in first] == ["ETHUSDT", "BTCUSDT"]
            assert all(one is other for one, other in zip(first, second, strict=True))
            assert len(await system.ask("ledger", FindRows(symbol="BTCUSDT"))) == 1
        finally:
            await system.stop()
            await ledger.close()

    asyncio.run(scenario())
