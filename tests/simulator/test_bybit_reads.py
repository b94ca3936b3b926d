"""Bybit's public reads, and that replies have every field that its documentation names."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from messages.values import Side
from simulator import Exchange, contracts, demo_market
from tests.simulator.bybit import ACCOUNT, LINEAR, Bybit, bybit
from tests.simulator.conftest import BTC, Clock, dec
from tests.simulator.test_bybit_orders import refused

FIELDS = {
    "OrderRealtime": """orderId orderLinkId blockTradeId symbol price qty side isLeverage
        positionIdx orderStatus createType cancelType rejectReason avgPrice leavesQty leavesValue
        cumExecQty cumExecValue cumExecFee timeInForce orderType stopOrderType orderIv triggerPrice
        takeProfit stopLoss tpslMode tpLimitPrice slLimitPrice tpTriggerBy slTriggerBy
        triggerDirection triggerBy lastPriceOnCreated reduceOnly closeOnTrigger placeType smpType
        smpGroup smpOrderId createdTime updatedTime cumFeeDetail""",
    "OrderHistory": """orderId orderLinkId blockTradeId symbol price qty side positionIdx
        orderStatus cancelType rejectReason avgPrice cumExecQty cumExecValue cumExecFee timeInForce
        orderType stopOrderType triggerPrice tpslMode slippageToleranceType slippageTolerance
        extraFees rpiTakerAccess rpiMatchedQty createdTime updatedTime cumFeeDetail""",
    "PositionList": """positionIdx riskId riskLimitValue symbol side size avgPrice positionValue
        tradeMode positionStatus autoAddMargin adlRankIndicator leverage breakEvenPrice
        positionBalance markPrice liqPrice bustPrice positionMM positionMMByMp positionIM
        positionIMByMp tpslMode takeProfit stopLoss trailingStop unrealisedPnl curRealisedPnl
        cumRealisedPnl seq isReduceOnly leverageSysUpdatedTime sessionAvgPrice createdTime
        updatedTime""",
    "ExecutionList": """symbol orderType underlyingPrice orderLinkId side indexPrice orderId
        stopOrderType leavesQty execTime feeCurrency isMaker execFee feeRate execId tradeIv
        blockTradeId markPrice execPrice markIv orderQty orderPrice execValue execType execQty
        closedSize extraFees seq""",
    "PositionClosedPnl": """symbol orderType leverage updatedTime side orderId closedPnl
        avgEntryPrice qty cumEntryValue createdTime orderPrice closedSize avgExitPrice execType
        fillCount cumExitValue openFee closeFee""",
    "AccountTransactionLog": """transSubType id symbol side funding orderLinkId orderId fee change
        cashFlow transactionTime type feeRate bonusChange size qty cashBalance currency category
        tradePrice tradeId extraFees""",
    "AccountWalletBalance": """totalEquity accountIMRate accountIMRateByMp totalMarginBalance
        totalInitialMargin totalInitialMarginByMp accountType totalAvailableBalance accountMMRate
        accountMMRateByMp totalPerpUPL totalWalletBalance accountLTV totalMaintenanceMargin
        totalMaintenanceMarginByMp coin""",
}
"""The fields of the response examples in Bybit's v5 documentation, of July 2026, by path."""

PUBLIC = {
    "MarketInstrumentsInfo": """symbol symbolId contractType status baseCoin quoteCoin launchTime
        deliveryTime deliveryFeeRate priceScale leverageFilter priceFilter lotSizeFilter
        unifiedMarginTrade fundingInterval settleCoin copyTrading upperFundingRate lowerFundingRate
        isPreListing preListingInfo riskParameters symbolType""",
    "MarketTickers": """symbol lastPrice indexPrice markPrice prevPrice24h price24hPcnt highPrice24h
        lowPrice24h prevPrice1h openInterest openInterestValue turnover24h volume24h fundingRate
        nextFundingTime predictedDeliveryPrice basisRate deliveryFeeRate deliveryTime ask1Size
        bid1Price ask1Price bid1Size basis preOpenPrice preQty curPreListingPhase
        fundingIntervalHour basisRateYear fundingCap""",
    "MarketRiskLimit": """id symbol riskLimitValue maintenanceMargin initialMargin isLowestRisk
        maxLeverage mmDeduction""",
    "MarketFundingHistory": "symbol fundingRate fundingRateTimestamp",
    "MarketRecentTrade": "execId symbol price size side time isBlockTrade isRPITrade seq",
}


async def public(one: Bybit, method: str, **params: object) -> Any:
    told = await getattr(one.exchange, f"publicGetV5{method}")(params)
    return told["result"]


@pytest.mark.parametrize("method", list(FIELDS))
async def test_rows_of_the_account_have_every_documented_field(method: str) -> None:
    async with bybit() as one:
        one.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"), stop_loss=dec("60000"))
        await one.order("Sell", "0.5", reduceOnly=True)
        scope = {"accountType": "UNIFIED"} if method.startswith("Account") else LINEAR
        rows = await one.get(method, **scope)
        assert rows
        for row in rows:
            assert set(FIELDS[method].split()) <= set(row)


async def test_a_flat_position_has_the_fields_of_an_open_one() -> None:
    async with bybit() as one:
        flat = await one.position("ETHUSDT")
        await one.order("Buy", "1")
        assert set(flat) == set(await one.position())
        await one.order("Sell", "1", reduceOnly=True)
        assert set(flat) == set(await one.position())


@pytest.mark.parametrize("method", list(PUBLIC))
async def test_public_rows_have_every_documented_field(method: str) -> None:
    async with bybit() as one:
        rows = (await public(one, method, **LINEAR))["list"]
        assert rows
        for row in rows:
            assert set(PUBLIC[method].split()) <= set(row)


async def test_candles_tell_what_the_price_has_been_newest_first() -> None:
    async with bybit() as one:
        one.price("65000")
        one.price("64000")
        one.price("64500")
        candles = await public(one, "MarketKline", **LINEAR, interval="1", limit=3)
        newest = candles["list"][0]
        assert [len(it) for it in candles["list"]] == [7, 7, 7]
        assert (newest[2], newest[3], newest[4]) == ("65000", "64000", "64500")
        starts = [int(it[0]) for it in candles["list"]]
        assert starts == sorted(starts, reverse=True)
        bars = await one.exchange.fetch_ohlcv(BTC, "1h", limit=2)
        assert bars[-1][2:5] == [65000, 64000, 64500]
        marks = await public(one, "MarketMarkPriceKline", **LINEAR, interval="D", limit=1)
        assert len(marks["list"][0]) == 5


@pytest.mark.parametrize("interval", ["", "2", "1h"])
async def test_an_unknown_interval_is_refused(interval: str) -> None:
    async with bybit() as one:
        assert await refused(public(one, "MarketKline", **LINEAR, interval=interval)) == 10001


async def test_a_symbol_or_category_that_is_none_is_refused_everywhere() -> None:
    async with bybit() as one:
        wrong = {"category": "linear", "symbol": "NOSUCH"}
        for method in ("MarketTickers", "MarketOrderbook", "MarketRiskLimit", "MarketPriceLimit"):
            assert await refused(public(one, method, **wrong)) == 10001
        assert await refused(public(one, "MarketTickers", category="futures")) == 10001
        assert (await public(one, "MarketTickers", category="spot"))["list"] == []


async def test_the_book_steps_away_from_the_touch_and_limits_lie_around_the_mark() -> None:
    async with bybit() as one:
        book = await public(one, "MarketOrderbook", **LINEAR, limit=3)
        assert [it[0] for it in book["b"]] == ["64249.9", "64249.8", "64249.7"]
        assert [it[0] for it in book["a"]] == ["64250.1", "64250.2", "64250.3"]
        limits = await public(one, "MarketPriceLimit", **LINEAR)
        assert (limits["buyLmt"], limits["sellLmt"]) == ("67462.5", "61037.5")


async def test_funding_and_open_interest_are_told_in_their_intervals() -> None:
    async with bybit() as one:
        rates = await one.exchange.fetch_funding_rate_history(BTC, limit=3)
        assert [it["fundingRate"] for it in rates] == [0.0001] * 3
        spacing = {b["timestamp"] - a["timestamp"] for a, b in pairwise(rates)}
        assert spacing == {8 * 3_600_000}
        told = await public(one, "MarketOpenInterest", **LINEAR, intervalTime="1h", limit=2)
        assert len(told["list"]) == 2


async def test_risk_limits_can_be_read_as_leverage_tiers() -> None:
    async with bybit() as one:
        (tier,) = await one.exchange.fetch_market_leverage_tiers(BTC)
        assert (tier["maxLeverage"], tier["maintenanceMarginRate"]) == (100, 0.005)


async def test_a_halted_contract_is_listed_as_closed_and_can_be_filtered() -> None:
    async with bybit() as one:
        contracts.halt(one.market, Exchange.BYBIT, BTC)
        (row,) = (await public(one, "MarketInstrumentsInfo", **LINEAR))["list"]
        assert row["status"] == "Closed"
        trading = LINEAR | {"status": "Trading"}
        assert (await public(one, "MarketInstrumentsInfo", **trading))["list"] == []


def test_bars_begin_where_the_market_began(clock: Clock) -> None:
    market = demo_market(clock, seed=1, volatility=0.0)
    listing = market.listing(Exchange.BYBIT, BTC)
    (bar,) = market.prices.bars(listing, int(clock().timestamp() * 1000) - 86_400_000, 60_000, 1)
    assert (bar.open, bar.close) == (dec("64250"), dec("64250"))
