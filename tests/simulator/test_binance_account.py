"""A Binance USD-M account: what can be set, and what is told of it. And the public data.

Source: the pages "Trade", "Account" and "Market Data" of Binance's USD-M futures documentation.
"""

from __future__ import annotations

from typing import Any

import ccxt.async_support as ccxt
import pytest

from messages.values import Side
from messages.venue import FillKind
from tests.simulator.binance import ACCOUNT, Asker, asking
from tests.simulator.conftest import BTC, ETH, Clock, client, dec, still_venue

LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}


async def position(ask: Asker, version: int = 2) -> dict[str, Any]:
    told = (await ask("GET", f"/fapi/v{version}/positionRisk", symbol="BTCUSDT")).body
    assert len(told) == 1, told
    return dict(told[0])


async def test_leverage_is_set_by_symbol_and_holds_for_what_is_opened_next() -> None:
    async with asking() as ask:
        ask.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"))
        told = await ask("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=25)
        assert (told.body["leverage"], told.body["symbol"]) == (25, "BTCUSDT")
        assert (await position(ask))["leverage"] == "25"
        ask.market.open_position(ACCOUNT, ETH, Side.LONG, dec("1"))
        configs = (await ask("GET", "/fapi/v1/symbolConfig")).body
        chosen = {it["symbol"]: it["leverage"] for it in configs}
        assert (chosen["BTCUSDT"], chosen["ETHUSDT"]) == (25, 10)
        assert (
            await ask("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=500)
        ).code == -4028


async def test_the_margin_type_changes_only_where_nothing_is_open() -> None:
    async with asking() as ask:
        path, symbol = "/fapi/v1/marginType", {"symbol": "BTCUSDT"}
        assert (await ask("POST", path, **symbol, marginType="CROSSED")).code == -4046
        assert (await ask("POST", path, **symbol, marginType="ISOLATED")).body["code"] == 200
        await ask("POST", "/fapi/v1/order", **LIMIT, price=64000, quantity=1)
        assert (await ask("POST", path, **symbol, marginType="CROSSED")).code == -4047
        await ask("DELETE", "/fapi/v1/allOpenOrders", **symbol)
        ask.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"), dec("64250"))
        assert (await ask("POST", path, **symbol, marginType="CROSSED")).code == -4048
        told = await position(ask)
        assert (told["marginType"], told["isolatedWallet"], told["isolatedMargin"]) == (
            "isolated",
            "6425",
            "6425",
        )
        lower = await ask("POST", "/fapi/v1/leverage", **symbol, leverage=5)
        assert lower.code == -4161


async def test_margin_is_put_into_an_isolated_position_and_taken_out_again() -> None:
    async with asking() as ask:
        path, symbol = "/fapi/v1/positionMargin", {"symbol": "BTCUSDT"}
        ask.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"), dec("64250"))
        assert (await ask("POST", path, **symbol, amount=100, type=1)).code == -4049
        ask.owner.isolated.add("BTCUSDT")
        assert (await ask("POST", path, **symbol, amount=100, type=1)).body["code"] == 200
        assert (await position(ask))["isolatedWallet"] == "6525"
        assert (await ask("POST", path, **symbol, amount=200, type=2)).code == -4051
        assert (await ask("POST", path, **symbol, amount=100, type=2)).body["code"] == 200
        changes = (await ask("GET", f"{path}/history", **symbol)).body
        assert [(it["type"], it["amount"]) for it in changes] == [(1, "100"), (2, "100")]


async def test_the_position_mode_changes_only_where_nothing_is_open() -> None:
    async with asking() as ask:
        path = "/fapi/v1/positionSide/dual"
        assert (await ask("POST", path, dualSidePosition="false")).code == -4059
        await ask("POST", "/fapi/v1/order", **LIMIT, price=64000, quantity=1)
        assert (await ask("POST", path, dualSidePosition="true")).code == -4067
        await ask("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
        ask.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"))
        assert (await ask("POST", path, dualSidePosition="true")).code == -4068
        ask.market.close_by_hand(ACCOUNT, BTC, Side.LONG)
        assert (await ask("POST", path, dualSidePosition="true")).body["code"] == 200
        assert (await ask("GET", path)).body == {"dualSidePosition": True}
        sides = (await ask("GET", "/fapi/v2/positionRisk", symbol="BTCUSDT")).body
        assert [it["positionSide"] for it in sides] == ["BOTH", "LONG", "SHORT"]


async def test_version_three_shows_a_flat_symbol_only_beside_an_order_that_rests() -> None:
    async with asking() as ask:
        assert (await ask("GET", "/fapi/v3/positionRisk")).body == []
        await ask("POST", "/fapi/v1/order", **LIMIT, price=64000, quantity=1)
        told = await position(ask, version=3)
        assert (told["positionAmt"], told["entryPrice"]) == ("0", "0.0")
        assert {"adl", "bidNotional", "marginAsset"} <= told.keys()
        assert not {"leverage", "marginType"} & told.keys()


async def test_income_tells_what_trades_earned_and_cost() -> None:
    async with asking() as ask:
        ask.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"), dec("64000"))
        ask.market.close_by_hand(ACCOUNT, BTC, Side.LONG, price=dec("65000"))
        rows = (await ask("GET", "/fapi/v1/income", symbol="BTCUSDT")).body
        assert [(it["incomeType"], it["income"]) for it in rows] == [
            ("COMMISSION", "-32"),
            ("COMMISSION", "-32.5"),
            ("REALIZED_PNL", "1000"),
        ]
        assert len({it["tranId"] for it in rows if it["incomeType"] == "COMMISSION"}) == 2
        earned = (await ask("GET", "/fapi/v1/income", incomeType="REALIZED_PNL")).body
        assert len(earned) == 1


async def test_a_liquidation_is_among_the_forced_orders() -> None:
    async with asking() as ask:
        ask.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"))
        resting = await ask(
            "POST", "/fapi/v1/order", **LIMIT | {"side": "SELL"}, price=66000, quantity=1
        )
        ask.market.liquidate(ACCOUNT, BTC, Side.LONG)
        (forced,) = (await ask("GET", "/fapi/v1/forceOrders")).body
        assert (forced["type"], forced["side"]) == ("LIQUIDATION", "SELL")
        assert forced["clientOrderId"].startswith("autoclose-")
        assert (await ask.found(resting))["status"] == "EXPIRED"
        none = await ask("GET", "/fapi/v1/forceOrders", autoCloseType="ADL")
        assert none.body == []
        assert ask.market.accounts[ACCOUNT].executions["BTCUSDT"][-1].kind is FillKind.LIQUIDATION


async def test_candles_show_where_the_price_has_been(clock: Clock) -> None:
    async with asking(clock) as ask:
        for minutes, price in ((0, "64300"), (0, "64100"), (1, "64400"), (2, "64350")):
            clock.advance(minutes=minutes)
            ask.market.set_price(BTC, dec(price))
        rows = (await ask("GET", "/fapi/v1/klines", symbol="BTCUSDT", interval="1m", limit=5)).body
        assert [row[1:5] for row in rows] == [
            ["64250", "64250", "64250", "64250"],
            ["64250", "64300", "64100", "64100"],
            ["64100", "64400", "64100", "64400"],
            ["64400", "64400", "64400", "64400"],
            ["64400", "64400", "64350", "64350"],
        ]
        assert {len(row) for row in rows} == {12}
        (day,) = (
            await ask("GET", "/fapi/v1/klines", symbol="BTCUSDT", interval="1d", limit=1)
        ).body
        assert day[1:5] == ["64250", "64400", "64100", "64350"]
        assert (await ask("GET", "/fapi/v1/klines", symbol="BTCUSDT", interval="7m")).code == -1120
        since = rows[1][0]
        told = {"symbol": "BTCUSDT", "interval": "1m", "startTime": since, "limit": 2}
        first, second = (await ask("GET", "/fapi/v1/klines", **told)).body
        assert (first[0], second[0]) == (since, since + 60_000)


@pytest.mark.parametrize(
    "path",
    ["ticker/24hr", "ticker/price", "ticker/bookTicker", "premiumIndex"],
)
async def test_prices_are_told_of_one_symbol_or_of_all(path: str) -> None:
    async with asking() as ask:
        one = (await ask.raw("GET", f"/fapi/v1/{path}?symbol=BTCUSDT")).body
        every = (await ask.raw("GET", f"/fapi/v1/{path}")).body
        assert one["symbol"] == "BTCUSDT"
        assert len(every) == len(list(ask.market.listings(ask.owner.exchange)))


async def test_the_book_has_steps_and_refuses_odd_depths() -> None:
    async with asking() as ask:
        book = (await ask.raw("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=5")).body
        assert [it[0] for it in book["bids"][:2]] == ["64249.9", "64249.8"]
        assert len(book["asks"]) == 5
        assert (await ask.raw("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=7")).code == -4021


async def test_funding_comes_every_eight_hours_and_costs_nothing_here(clock: Clock) -> None:
    async with asking(clock) as ask:
        rows = (await ask.raw("GET", "/fapi/v1/fundingRate?symbol=BTCUSDT&limit=3")).body
        assert {row["fundingRate"] for row in rows} == {"0.00000000"}
        assert rows[1]["fundingTime"] - rows[0]["fundingTime"] == 8 * 3600 * 1000
        mark = (await ask.raw("GET", "/fapi/v1/premiumIndex?symbol=BTCUSDT")).body
        assert mark["nextFundingTime"] == rows[-1]["fundingTime"] + 8 * 3600 * 1000


async def test_ccxt_s_class_for_all_of_binance_starts_with_its_own_options() -> None:
    async with still_venue() as venue, client(venue, ACCOUNT) as ours:
        config = {"apiKey": ours.apiKey, "secret": ours.secret, "session": ours.session}
        exchange = ccxt.binance(config | {"options": {"defaultType": "swap"}})
        exchange.timeout_on_exit = 0
        try:
            await exchange.load_markets()
            assert exchange.market(BTC)["linear"] is True
            assert await exchange.fetch_leverage_tiers([BTC])
            assert (await exchange.fetch_balance())["USDT"]["total"] == 1_000_000
        finally:
            await exchange.close()


async def test_a_signature_may_stand_in_the_body_and_the_query_counts_first() -> None:
    async with asking() as ask:
        stamp = int(ask.market.now().timestamp() * 1000)
        missing = await ask.raw("GET", f"/fapi/v3/balance?timestamp={stamp}&signature=00")
        assert (missing.status, missing.code) == (401, -2014)
        headers = {"X-MBX-APIKEY": "nobody"}
        unknown = await ask.raw(
            "GET", f"/fapi/v3/balance?timestamp={stamp}&signature=00", headers=headers
        )
        assert (unknown.status, unknown.code) == (401, -2015)
        headers = {"X-MBX-APIKEY": ask.owner.key}
        wrong = await ask.raw(
            "GET", f"/fapi/v3/balance?timestamp={stamp}&signature=00", headers=headers
        )
        assert (wrong.status, wrong.code) == (400, -1022)
        query, body = "symbol=BTCUSDT&leverage=7", f"leverage=9&timestamp={stamp}"
        signature = ask.sign(query + body)
        sent = await ask.raw(
            "POST",
            f"/fapi/v1/leverage?{query}",
            headers=headers | {"Content-Type": "application/x-www-form-urlencoded"},
            data=f"{body}&signature={signature.upper()}",
        )
        assert sent.body.get("leverage") == 7, sent
