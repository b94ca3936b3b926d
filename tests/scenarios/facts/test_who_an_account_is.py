"""The account is asked who it is; one login is guarded under one name (scenarios 9.1, 9.16)."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from messages.settings import OrphanPolicy
from messages.to_exchange import AdoptIdentity
from messages.values import Side
from tests.scenarios.world import XRP, World, ago, scenario, until, world

EXCHANGE = "accounts/bybit-main/exchange"


@scenario
async def test_a_key_that_leads_to_another_account_than_before_only_reads(tmp_path: Path) -> None:
    async def another(guard: World) -> None:
        await guard.ledger.store_identity("bybit-main", "bybit", "4711")

    async with world(tmp_path, before=another, account={"orphans": OrphanPolicy.CLOSE}) as guard:
        row = await guard.both(XRP, Side.LONG, "10")
        (alert,) = await guard.alerted("account_suspect")
        assert alert.level == "critical"
        assert "4711" in alert.seen
        await guard.scan("aged/scan")
        for _ in range(2):
            await guard.scan("reconciliation")
        assert guard.orders() == []
        assert await guard.same(row)
        answer = await guard.system.ask(EXCHANGE, AdoptIdentity(by="somebody"))
        assert answer is not None
        await guard.closed(row)
        (alert,) = await guard.alerts("account_suspect")
        assert alert.resolved_at is not None


@scenario
async def test_one_login_under_two_names_is_guarded_once(tmp_path: Path) -> None:
    async def taken(guard: World) -> None:
        uid = str(guard.market.accounts["bybit-main"].uid)
        await guard.ledger.store_identity("bybit-other", "bybit", uid)

    async with world(tmp_path, before=taken, account={"orphans": OrphanPolicy.CLOSE}) as guard:
        (alert,) = await guard.alerted("account_suspect")
        assert "bybit-other" in alert.title
        price = guard.price(XRP)
        guard.market.open_position("bybit-main", XRP, Side.LONG, Decimal(10), price, ago(1))
        await until(lambda: bool(guard.state(EXCHANGE)["wrong_identity"]), "the account is barred")
        for _ in range(2):
            await guard.scan("orphans")
        assert guard.orders() == []
        assert guard.held(XRP, Side.LONG) == 10
