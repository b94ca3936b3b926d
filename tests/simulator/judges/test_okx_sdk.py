"""OKX's own Python SDK drives the simulated venue: what it sends is taken, what it expects comes.

It decodes replies to plain dictionaries and checks no field of them, so the fields of the
documentation's own examples are asked for here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import certifi
import pytest
from okx.Account import AccountAPI
from okx.MarketData import MarketAPI
from okx.PublicData import PublicAPI
from okx.Trade import TradeAPI
from okx.websocket.WsPrivateAsync import WsPrivateAsync

from messages.values import Side
from simulator import Exchange, SimulatedVenue
from simulator.logins import PASSPHRASE
from simulator.market import Market
from tests.simulator.conftest import BTC, dec, still_venue, until
from tests.simulator.judges.loopback import hosts_lead_to

ACCOUNT = "okx-main"
KEYS = ("demo-okx-key", "demo-okx-secret", PASSPHRASE)
SWAP = "BTC-USDT-SWAP"
CROSS = {"instId": SWAP, "tdMode": "cross"}

FIELDS = {
    "order": (
        "accFillSz algoClOrdId algoId attachAlgoClOrdId attachAlgoOrds avgPx cTime cancelSource "
        "cancelSourceReason category ccy clOrdId fee feeCcy fillPx fillSz fillTime instId instType "
        "isTpLimit lever linkedAlgoOrd ordId ordType pnl posSide px pxType pxUsd pxVol "
        "quickMgnType rebate rebateCcy reduceOnly side slOrdPx slTriggerPx slTriggerPxType source "
        "state stpId stpMode sz tag tdMode tgtCcy tpOrdPx tpTriggerPx tpTriggerPxType tradeId uTime"
    ),
    "algo": (
        "activePx actualPx actualSide actualSz algoClOrdId algoId amendPxOnTriggerType "
        "attachAlgoOrds cTime callbackRatio callbackSpread ccy clOrdId closeFraction failCode "
        "instId instType last lever linkedOrd moveTriggerPx ordId ordIdList ordPx ordType posSide "
        "pxLimit pxSpread pxVar quickMgnType reduceOnly side slOrdPx slTriggerPx slTriggerPxType "
        "state sz szLimit tag tdMode tgtCcy timeInterval tpOrdPx tpTriggerPx tpTriggerPxType "
        "triggerPx triggerPxType triggerTime uTime"
    ),
    "fill": (
        "billId clOrdId execType fee feeCcy feeRate fillFwdPx fillIdxPx fillMarkPx fillMarkVol "
        "fillPnl fillPx fillPxUsd fillPxVol fillSz fillTime instId instType ordId posSide side "
        "subType tag tradeId ts"
    ),
    "position": (
        "adl availPos avgPx baseBorrowed baseInterest bePx bizRefId bizRefType cTime ccy "
        "clSpotInUseAmt closeOrderAlgo deltaBS deltaPA fee fundingFee gammaBS gammaPA idxPx imr "
        "instId instType interest last lever liab liabCcy liqPenalty liqPx margin markPx "
        "maxSpotInUseAmt mgnMode mgnRatio mmr notionalUsd optVal pTime pendingCloseOrdLiabVal pnl "
        "pos posCcy posId posSide quoteBorrowed quoteInterest realizedPnl spotInUseAmt "
        "spotInUseCcy thetaBS thetaPA tradeId uTime upl uplLastPx uplRatio uplRatioLastPx usdPx "
        "vegaBS vegaPA"
    ),
    "closed": (
        "cTime ccy closeAvgPx closeTotalPos direction fee fundingFee instId instType lever "
        "liqPenalty mgnMode openAvgPx openMaxPos pnl pnlRatio posId realizedPnl triggerPx type "
        "uTime uly"
    ),
    "balance": (
        "adjEq availEq borrowFroz details imr isoEq mgnRatio mmr notionalUsd notionalUsdForBorrow "
        "notionalUsdForFutures notionalUsdForOption notionalUsdForSwap ordFroz totalEq uTime upl"
    ),
    "coin": (
        "accAvgPx availBal availEq borrowFroz cashBal ccy clSpotInUseAmt colBorrAutoConversion "
        "collateralEnabled collateralRestrict crossLiab disEq eq eqUsd fixedBal frozenBal imr "
        "interest isoEq isoLiab isoUpl liab maxLoan maxSpotInUse mgnRatio mmr notionalLever "
        "openAvgPx ordFrozen rewardBal smtSyncEq spotBal spotCopyTradingEq spotInUseAmt spotIsoBal "
        "spotUpl spotUplRatio stgyEq totalPnl totalPnlRatio twap uTime upl uplLiab"
    ),
    "config": (
        "acctLv acctStpMode autoLoan ctIsoMode enableSpotBorrow greeksType ip kycLv label level "
        "levelTmp liquidationGear mainUid mgnIsoMode opAuth perm posMode roleType "
        "spotBorrowAutoRepay spotOffsetType spotRoleType spotTraderInsts traderInsts type uid"
    ),
    "instrument": (
        "alias auctionEndTime baseCcy category ctMult ctType ctVal ctValCcy expTime "
        "futureSettlement instFamily instId instType lever listTime lotSz maxIcebergSz maxLmtAmt "
        "maxLmtSz maxMktAmt maxMktSz maxStopSz maxTriggerSz maxTwapSz minSz openType optType "
        "quoteCcy settleCcy state stk tickSz uly"
    ),
    "ticker": (
        "instType instId last lastSz askPx askSz bidPx bidSz open24h high24h low24h volCcy24h "
        "vol24h ts sodUtc0 sodUtc8"
    ),
    "tier": (
        "baseMaxLoan imr instFamily instId maxLever maxSz minSz mmr optMgnFactor quoteMaxLoan tier "
        "uly"
    ),
}


class Judge:
    """The SDK, asked from a thread of its own. BTC stands at 64250, the book one step beside."""

    def __init__(self, venue: SimulatedVenue, keys: tuple[str, str, str] = KEYS) -> None:
        self.venue = venue
        self.market: Market = venue.market
        self.apis = {
            "account": AccountAPI(*keys, flag="0"),
            "trade": TradeAPI(*keys, flag="0"),
            "market": MarketAPI(flag="0"),
            "public": PublicAPI(flag="0"),
        }

    async def told(self, api: str, method: str, **params: Any) -> Any:
        """The whole reply of one of the SDK's methods."""
        return await asyncio.to_thread(getattr(self.apis[api], method), **params)

    async def rows(self, api: str, method: str, fields: str = "", **params: Any) -> list[Any]:
        """The rows of a reply, each with its documented fields."""
        told = await self.told(api, method, **params)
        assert (told["code"], told["msg"]) == ("0", ""), told
        for row in told["data"]:
            assert set(FIELDS.get(fields, "").split()) <= set(row)
        return list(told["data"])

    async def refused(self, api: str, method: str, **params: Any) -> str:
        """The code of a refusal: of the order's own row where there is one."""
        told = await self.told(api, method, **params)
        assert told["code"] != "0"
        return str(told["data"][0]["sCode"] if told["data"] else told["code"])

    async def order(self, side: str, sz: str, kind: str = "market", **params: Any) -> str:
        asked = CROSS | {"side": side, "sz": sz, "ordType": kind} | params
        (row,) = await self.rows("trade", "place_order", **asked)
        assert (row["sCode"], row["clOrdId"]) == ("0", params.get("clOrdId", ""))
        return str(row["ordId"])

    async def found(self, order_id: str) -> Any:
        (row,) = await self.rows("trade", "get_order", "order", instId=SWAP, ordId=order_id)
        return row

    async def position(self) -> Any:
        (row,) = await self.rows("account", "get_positions", "position", instId=SWAP)
        return row

    def held(self, side: Side = Side.LONG) -> Decimal:
        return self.market.quantity(ACCOUNT, BTC, side)


@asynccontextmanager
async def judging(monkeypatch: pytest.MonkeyPatch, *, hedged: bool = False) -> AsyncIterator[Judge]:
    async with still_venue() as venue:
        if ACCOUNT not in venue.market.accounts:
            key, secret, _ = KEYS
            venue.market.add_account(ACCOUNT, Exchange.OKX, key=key, secret=secret)
        venue.market.set_mode(ACCOUNT, hedged=hedged)
        monkeypatch.setenv("SSL_CERT_FILE", str(venue.ca_file))
        with hosts_lead_to(venue, ".okx.com"):
            yield Judge(venue)


async def test_instruments_and_prices_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async with judging(monkeypatch) as judge:
        swaps = await judge.rows("public", "get_instruments", "instrument", instType="SWAP")
        (btc,) = [it for it in swaps if it["instId"] == SWAP]
        assert (btc["ctVal"], btc["ctValCcy"], btc["lotSz"]) == ("0.01", "BTC", "0.01")
        (inverse,) = [it for it in swaps if it["instId"] == "BTC-USD-SWAP"]
        told = (inverse["ctType"], inverse["ctVal"], inverse["ctValCcy"], inverse["settleCcy"])
        assert told == ("inverse", "100", "USD", "BTC")
        futures = await judge.rows("public", "get_instruments", "instrument", instType="FUTURES")
        assert [it["alias"] for it in futures] == ["quarter"]
        assert await judge.rows("market", "get_tickers", "ticker", instType="SWAP")
        (ticker,) = await judge.rows("market", "get_ticker", "ticker", instId=SWAP)
        assert (ticker["last"], ticker["bidPx"], ticker["askPx"]) == ("64250", "64249.9", "64250.1")
        (book,) = await judge.rows("market", "get_orderbook", instId=SWAP, sz="2")
        assert [level[0] for level in book["asks"]] == ["64250.1", "64250.2"]
        bars = await judge.told("market", "get_candlesticks", instId=SWAP, bar="1H", limit="5")
        assert [len(bar) for bar in bars["data"]] == [9] * 5
        (mark,) = await judge.rows("public", "get_mark_price", instType="SWAP", instId=SWAP)
        assert mark["markPx"] == "64250"
        assert await judge.rows("public", "get_funding_rate", instId=SWAP)
        assert await judge.rows("public", "funding_rate_history", instId=SWAP, limit="3")
        assert await judge.rows("public", "get_price_limit", instId=SWAP)
        assert await judge.rows("public", "get_open_interest", instType="SWAP", instId=SWAP)
        of = {"instType": "SWAP", "tdMode": "cross", "instFamily": "BTC-USDT"}
        (tier,) = await judge.rows("public", "get_position_tiers", "tier", **of)
        assert tier["maxLever"] == "100"
        assert await judge.rows("public", "get_system_time")


async def test_the_account_is_read_and_set(monkeypatch: pytest.MonkeyPatch) -> None:
    async with judging(monkeypatch) as judge:
        (config,) = await judge.rows("account", "get_account_config", "config")
        uid = str(judge.market.accounts[ACCOUNT].uid)
        assert (config["uid"], config["mainUid"], config["posMode"]) == (uid, uid, "net_mode")
        assert config["perm"] == "read_only,trade"
        (balance,) = await judge.rows("account", "get_account_balance", "balance", ccy="USDT")
        (coin,) = balance["details"]
        assert set(FIELDS["coin"].split()) <= set(coin)
        await judge.rows("account", "set_leverage", lever="25", mgnMode="cross", instId=SWAP)
        (lever,) = await judge.rows("account", "get_leverage", mgnMode="cross", instId=SWAP)
        assert (lever["lever"], lever["posSide"]) == ("25", "net")
        await judge.rows("account", "set_position_mode", posMode="long_short_mode")
        assert len(await judge.rows("account", "get_leverage", mgnMode="cross", instId=SWAP)) == 2
        (fees,) = await judge.rows("account", "get_fee_rates", instType="SWAP")
        assert (fees["makerU"], fees["takerU"]) == ("-0.0002", "-0.0005")
        (size,) = await judge.rows("account", "get_max_order_size", **CROSS)
        assert Decimal(size["maxBuy"]) > 0


@pytest.mark.parametrize(
    ("kind", "px", "state", "filled"),
    [
        ("market", "", "filled", "100"),
        ("limit", "64000", "live", "0"),
        ("limit", "64300", "filled", "100"),
        ("post_only", "64000", "live", "0"),
        ("post_only", "64300", "canceled", "0"),
        ("ioc", "64000", "canceled", "0"),
        ("fok", "64300", "filled", "100"),
        ("optimal_limit_ioc", "", "filled", "100"),
    ],
)
async def test_each_type_of_order_is_taken_and_told(
    monkeypatch: pytest.MonkeyPatch, kind: str, px: str, state: str, filled: str
) -> None:
    async with judging(monkeypatch) as judge:
        row = await judge.found(await judge.order("buy", "100", kind, px=px))
        assert (row["ordType"], row["state"], row["accFillSz"]) == (kind, state, filled)
        assert (row["tdMode"], row["posSide"], row["reduceOnly"]) == ("cross", "net", "false")


async def test_a_position_is_opened_protected_reduced_and_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with judging(monkeypatch) as judge:
        first = await judge.order("buy", "200", clOrdId="first1")
        row = await judge.position()
        assert (row["pos"], row["posSide"], row["mgnMode"]) == ("200", "net", "cross")
        stop = {"side": "sell", "ordType": "conditional", "closeFraction": "1"}
        stop |= {"slTriggerPx": "60000", "slOrdPx": "-1", "reduceOnly": "true"}
        (placed,) = await judge.rows("trade", "place_algo_order", **CROSS, **stop)
        assert placed["sCode"] == "0"
        (attached,) = (await judge.position())["closeOrderAlgo"]
        assert (attached["slTriggerPx"], attached["closeFraction"]) == ("60000", "1")
        await judge.order("sell", "50", reduceOnly="true", clOrdId="second2")
        assert judge.held() == dec("1.5")
        (fill, opening) = await judge.rows("trade", "get_fills_history", "fill", instType="SWAP")
        assert (opening["ordId"], opening["subType"], fill["subType"]) == (first, "1", "2")
        assert Decimal(fill["billId"]) > Decimal(opening["billId"])
        await judge.rows("trade", "close_positions", instId=SWAP, mgnMode="cross")
        assert judge.held() == 0
        assert (await judge.position())["pos"] == "0"
        assert await judge.rows("account", "get_positions") == []
        (closed,) = await judge.rows(
            "account", "get_positions_history", "closed", instType="SWAP", instId=SWAP
        )
        assert (closed["type"], closed["direction"], closed["closeTotalPos"]) == (
            "2",
            "long",
            "200",
        )
        ended = await judge.rows(
            "trade", "order_algos_history", "algo", ordType="conditional", state="canceled"
        )
        assert [it["algoId"] for it in ended] == [placed["algoId"]]


async def test_a_stop_that_fires_becomes_an_order_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with judging(monkeypatch) as judge:
        await judge.order("buy", "100")
        stop = {"side": "sell", "ordType": "conditional", "sz": "100", "algoClOrdId": "stop1"}
        stop |= {"slTriggerPx": "63000", "slOrdPx": "-1", "reduceOnly": "true"}
        (placed,) = await judge.rows("trade", "place_algo_order", **CROSS, **stop)
        (live,) = await judge.rows("trade", "order_algos_list", "algo", ordType="conditional")
        assert (live["state"], live["algoClOrdId"], live["ordIdList"]) == ("live", "stop1", [])
        judge.market.set_price(BTC, dec("62990"))
        assert await judge.rows("trade", "order_algos_list", ordType="conditional") == []
        (fired,) = await judge.rows("trade", "get_algo_order_details", "algo", algoClOrdId="stop1")
        assert (fired["state"], fired["actualSz"]) == ("effective", "100")
        assert fired["ordIdList"] == [fired["ordId"]]
        row = await judge.found(fired["ordId"])
        assert (row["algoId"], row["algoClOrdId"]) == (placed["algoId"], "stop1")
        assert (row["clOrdId"], row["state"], row["accFillSz"]) == ("", "filled", "100")
        asked = {"orders_data": [{"algoId": placed["algoId"], "instId": SWAP}]}
        assert await judge.refused("trade", "cancel_algo_order", **asked) == "51400"


async def test_orders_are_changed_cancelled_and_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with judging(monkeypatch) as judge:
        order_id = await judge.order("buy", "100", "limit", px="64000", clOrdId="rests1")
        await judge.rows("trade", "amend_order", instId=SWAP, ordId=order_id, newPx="63900")
        (row,) = await judge.rows("trade", "get_order_list", "order", instType="SWAP")
        assert (row["ordId"], row["px"]) == (order_id, "63900")
        await judge.rows("trade", "cancel_order", instId=SWAP, clOrdId="rests1")
        assert (await judge.found(order_id))["state"] == "canceled"
        late = {"instId": SWAP, "ordId": order_id}
        assert await judge.refused("trade", "cancel_order", **late) == "51400"
        past = await judge.rows("trade", "get_orders_history", "order", instType="SWAP")
        assert [it["ordId"] for it in past] == [order_id]
        two = [CROSS | {"side": "buy", "ordType": "market", "sz": sz} for sz in ("1", "0.001")]
        told = await judge.told("trade", "place_multiple_orders", orders_data=two)
        assert told["code"] == "2"
        assert [it["sCode"] for it in told["data"]] == ["0", "51121"]
        trail = {"side": "sell", "ordType": "move_order_stop", "sz": "1", "callbackRatio": "0.01"}
        await judge.rows("trade", "place_algo_order", **CROSS, **trail)
        (moving,) = await judge.rows("trade", "order_algos_list", "algo", ordType="move_order_stop")
        assert (moving["callbackRatio"], moving["state"]) == ("0.01", "live")


async def test_fills_are_paged_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    async with judging(monkeypatch) as judge:
        for _ in range(5):
            await judge.order("buy", "1")
        seen: list[str] = []
        after = ""
        while page := await judge.rows(
            "trade", "get_fills_history", "fill", instType="SWAP", after=after, limit="2"
        ):
            seen += [it["billId"] for it in page]
            after = page[-1]["billId"]
        assert seen == sorted(set(seen), key=int, reverse=True)
        assert len(seen) == 5
        newer = await judge.rows(
            "trade", "get_fills_history", instType="SWAP", before=seen[2], limit="1"
        )
        assert [it["billId"] for it in newer] == [seen[1]]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"side": "sell", "sz": "1", "reduceOnly": "true"}, "51169"),
        ({"side": "buy", "sz": "1.005"}, "51121"),
        ({"side": "buy", "sz": "13000"}, "51202"),
        ({"side": "buy", "sz": "11000"}, "51008"),
        ({"side": "buy", "sz": "1", "posSide": "long"}, "51000"),
        ({"side": "buy", "sz": "1", "clOrdId": "x" * 33}, "51000"),
        ({"side": "buy", "sz": "1", "clOrdId": "a-b"}, "51000"),
        ({"side": "buy", "sz": "1", "instId": "NONE-USDT-SWAP"}, "51001"),
        ({"side": "buy", "sz": "1", "ordType": "limit", "px": "90000"}, "51006"),
    ],
)
async def test_refusals_have_the_venues_codes(
    monkeypatch: pytest.MonkeyPatch, params: dict[str, str], code: str
) -> None:
    async with judging(monkeypatch) as judge:
        judge.market.accounts[ACCOUNT].wallet["USDT"] = dec("100000")
        asked = CROSS | {"ordType": "market"} | params
        assert await judge.refused("trade", "place_order", **asked) == code


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        (("nobody", KEYS[1], KEYS[2]), "50111"),
        ((KEYS[0], "wrong", KEYS[2]), "50113"),
        ((KEYS[0], KEYS[1], "wrong"), "50105"),
    ],
)
async def test_who_is_not_known_is_told_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, keys: tuple[str, str, str], code: str
) -> None:
    async with judging(monkeypatch) as judge:
        stranger = Judge(judge.venue, keys)
        assert await stranger.refused("account", "get_account_config") == code


async def test_the_limits_refuse_where_they_are_enforced(monkeypatch: pytest.MonkeyPatch) -> None:
    async with judging(monkeypatch) as judge:
        judge.venue.limits = True
        codes = [(await judge.told("account", "get_account_config"))["code"] for _ in range(6)]
        assert codes == ["0"] * 5 + ["50011"]


async def test_the_private_stream_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with judging(monkeypatch) as judge:
        monkeypatch.setattr(certifi, "where", lambda: str(judge.venue.ca_file))
        heard: list[Any] = []
        key, secret, passphrase = KEYS
        socket = WsPrivateAsync(key, passphrase, secret, "wss://ws.okx.com:8443/ws/v5/private")

        def hear(message: str) -> None:
            heard.append(json.loads(message))

        consuming = await socket.start()
        socket.callback = hear
        # Its own `subscribe` waits five seconds for the login; this is what it then sends.
        await socket.login()
        await until(lambda: any(it.get("event") == "login" for it in heard), "the login")
        channels = ("orders", "positions", "account")
        args = [
            {"channel": it} | ({} if it == "account" else {"instType": "SWAP"}) for it in channels
        ]
        await socket.send("subscribe", args, hear)
        await until(
            lambda: sum(it.get("event") == "subscribe" for it in heard) == 3, "three topics"
        )
        await judge.order("buy", "100", clOrdId="heard1")

        def data(channel: str) -> list[Any]:
            pushes = [it for it in heard if it.get("arg", {}).get("channel") == channel]
            return [row for it in pushes for row in it.get("data", [])]

        await until(lambda: any(it["pos"] == "100" for it in data("positions")), "the position")
        assert [it["state"] for it in data("orders")] == ["live", "filled"]
        assert data("orders")[-1]["fillSz"] == "100"
        on_rest_only = {"cancelSourceReason"}
        for row in data("orders"):
            assert set(FIELDS["order"].split()) - on_rest_only <= set(row)
        for row in data("positions"):
            assert set(FIELDS["position"].split()) <= set(row)
        assert {it["details"][0]["ccy"] for it in data("account")[1:]} == {"USDT"}
        await socket.stop()
        await asyncio.gather(consuming, return_exceptions=True)
