"""9.1 at Hyperliquid: the API wallet's address is configured in place of the account's.

The venue answers any address, and one that never traded with an empty account. Canned answers
stand for it, since the simulated venue does not speak its protocol.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec

from actors.runtime import System
from actors.tree import guard_tree
from messages.ledger import NewPosition
from messages.settings import (
    AccountSettings,
    ControlSettings,
    Mode,
    OrphanSettings,
    ReconciliationSettings,
    Settings,
    StorageSettings,
)
from messages.to_monitors import ScanNow
from messages.values import Secret, Side
from storage import open_ledger
from tests.scenarios.world import NEVER, SETTLED_AT_ONCE, ago, now, scenario, until
from tests.venues.bodies import BY_EXCHANGE
from tests.venues.canned import Answer, CannedVenue, Seen
from venues.gateway import open_venue

ACCOUNT, API_WALLET = "0x" + "aa" * 20, "0x" + "bb" * 20
BTC = "BTC/USDC:USDC"
EMPTY_LISTS = (
    "frontendOpenOrders",
    "openOrders",
    "historicalOrders",
    "userFills",
    "userFillsByTime",
)


def hyperliquid(canned: CannedVenue) -> None:
    """`ACCOUNT` holds 0.015 BTC; every other address has never traded."""
    bodies = BY_EXCHANGE["hyperliquid"]
    bodies.install(canned)

    def state(seen: Seen) -> Answer:
        held = seen.params.get("user", "").lower() == ACCOUNT
        return Answer(body=bodies.listed([bodies.row("0.015")] if held else []))

    canned.on("POST", "/info#clearinghouseState", state)
    for name in EMPTY_LISTS:
        canned.on("POST", f"/info#{name}", Answer(body=[]))


@scenario
async def test_9_1_a_row_is_not_buried_by_an_address_that_never_traded(tmp_path: Path) -> None:
    async with CannedVenue(tmp_path / "ca.pem") as canned:
        hyperliquid(canned)
        account = AccountSettings(
            name="hl",
            exchange="hyperliquid",
            key=Secret(API_WALLET),
            secret=Secret("0x" + "22" * 32),
            connect=canned.connect,
            ca_file=canned.ca_file,
            settles=("USDC",),
            stream=False,
            options={"enableRateLimit": "false"},
        )
        settings = Settings(
            mode=Mode.ENFORCE,
            data_dir=tmp_path,
            storage=StorageSettings(url=Secret(f"sqlite:///{tmp_path}/sexton.db")),
            control=ControlSettings(socket=tmp_path / "sexton.sock"),
            accounts=(account,),
            verdict=msgspec.structs.replace(SETTLED_AT_ONCE, stale_after=timedelta(seconds=60)),
            orphans=OrphanSettings(every=NEVER),
            reconciliation=ReconciliationSettings(every=NEVER),
        )
        ledger = await open_ledger(settings.storage.url, now=now, data_dir=tmp_path)
        row = await ledger.add_position(
            NewPosition(
                account="hl",
                symbol=BTC,
                side=Side.LONG,
                quantity=Decimal("0.015"),
                entry_price=Decimal(50_000),
                opened_at=ago(1),
            )
        )
        venue = open_venue(account, now=now)
        system = System(now=now, seed=1)
        await system.start(guard_tree(settings, ledger=ledger, venues={"hl": venue}, source=None))
        try:
            path = "accounts/hl/reconciliation"
            await until(lambda: any(n.path == path for n in system.tree()), "it is guarded")

            async def told() -> bool:
                await system.ask(path, ScanNow(), timeout=60.0)
                return bool(await ledger.alerts(limit=10))

            await until(told, "people are told")
            (alert,) = await ledger.alerts(limit=10)
            assert (alert.type, alert.level) == ("unexplained_absence", "critical")
            found = await ledger.row(row.id)
            assert found is not None
            assert found.status == "active"
        finally:
            await system.stop()
            await venue.close()
            await ledger.close()
