"""Market rules are facts with an age, and a halt ends by itself (scenarios 9.10, 9.11)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from actors import paths
from messages.values import LegKey, Side
from messages.venue import InstrumentStatus
from simulator.instruments import Exchange
from simulator.market import Market
from tests.scenarios.world import XRP, World, scenario, until, world

ACCOUNTS = ["bybit-main", "binance-main"]


def change_rules(market: Market, exchange: Exchange, symbol: str, **rules: object) -> None:
    """The exchange changes what it asks of an order."""
    listing = market.listing(exchange, symbol)
    market.list(replace(listing, instrument=msgspec.structs.replace(listing.instrument, **rules)))


def exchange_of(guard: World, account: str) -> Exchange:
    return guard.market.accounts[account].exchange


def test_contracts_of_one_coin_have_names_of_their_own() -> None:
    symbols = ["BTC/USD:BTC", "BTC/USD:USD", "BTC/USD:BTC-261225", "BTC/USD:BTC-270326"]
    keys = [LegKey("main", symbol, Side.LONG) for symbol in symbols]
    assert len({key.actor_name for key in keys}) == len(keys)
    assert len({str(key) for key in keys}) == len(keys)
    assert len({paths.aged_leg(key) for key in keys}) == len(keys)


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_a_contract_that_is_listed_while_the_guard_runs_is_guarded(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,)) as guard:
        exchange = exchange_of(guard, account)
        like = guard.market.listing(exchange, XRP)
        fresh = "NEW/USDT:USDT"
        coin = msgspec.structs.replace(
            like.instrument, symbol=fresh, venue_id="NEWUSDT", base="NEW"
        )
        guard.market.list(replace(like, instrument=coin))
        row = await guard.both(fresh, Side.LONG, "10", account=account)
        leg = f"accounts/{account}/aged/{LegKey(account, fresh, Side.LONG).actor_name}"

        async def guarded() -> bool:
            await guard.scan("aged/scan", account)
            return guard.alive(leg)

        await until(guarded, "the listing is read anew and the leg is guarded")
        closed = await guard.closed(row)
        assert closed.exit_source == "fill"
        assert guard.held(fresh, Side.LONG, account) == 0


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_a_step_that_was_made_coarser_is_kept_to_after_the_first_refusal(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,)) as guard:
        row = await guard.both(XRP, Side.LONG, "20", account=account)
        exchange = exchange_of(guard, account)
        change_rules(guard.market, exchange, XRP, amount_step=Decimal(5), min_amount=Decimal(5))
        await guard.scan("aged/scan", account)
        await guard.closed(row)
        assert guard.held(XRP, Side.LONG, account) == 0


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_a_halt_is_waited_out(tmp_path: Path, account: str) -> None:
    async with world(tmp_path, accounts=(account,)) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account=account)
        exchange = exchange_of(guard, account)
        halted = InstrumentStatus.HALTED
        change_rules(guard.market, exchange, XRP, status=halted, active=False)
        await guard.scan("aged/scan", account)
        leg = f"accounts/{account}/aged/XRPUSDT.long"
        await until(
            lambda: "trading" in guard.state(leg).get("status", ""), "the leg waits for trading"
        )
        assert not guard.state(leg)["operator_needed"]
        assert guard.held(XRP, Side.LONG, account) == 10
        change_rules(guard.market, exchange, XRP, status=InstrumentStatus.TRADING, active=True)
        closed = await guard.closed(row)
        assert closed.exit_source == "fill"
        assert guard.held(XRP, Side.LONG, account) == 0
