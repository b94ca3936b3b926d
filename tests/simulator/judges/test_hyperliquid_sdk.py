"""Hyperliquid's own Python SDK drives the simulated venue, and signs with its own code.

The SDK checks no field of a reply, so the fields that its types and docstrings name, and those of
the documentation's examples, are asked for here.
"""

from __future__ import annotations

import asyncio
import queue
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, get_type_hints

import eth_account
import pytest
from hyperliquid.exchange import Exchange as Trader
from hyperliquid.info import Info
from hyperliquid.utils import signing
from hyperliquid.utils.error import ClientError
from hyperliquid.utils.signing import action_hash, sign_l1_action
from hyperliquid.utils.types import Cloid, Fill, PerpAssetCtx, SpotTokenInfo
from websocket import WebSocketApp

from messages.values import Side
from simulator import Exchange, Market, SimulatedVenue
from simulator.hyperliquid_keys import address_of, keccak, signer_of
from tests.simulator.conftest import dec, until
from tests.simulator.judges.loopback import hosts_lead_to

BTC = "BTC/USDC:USDC"
ADDRESS = "0x" + "a1" * 20
SUB = "0x" + "c3" * 20
KEY = "0x" + "22" * 32
STRANGERS = "0x" + "66" * 32
LIMIT = {"limit": {"tif": "Gtc"}}
ORDER = {
    "coin",
    "side",
    "limitPx",
    "sz",
    "oid",
    "timestamp",
    "triggerCondition",
    "isTrigger",
    "triggerPx",
    "children",
    "isPositionTpsl",
    "reduceOnly",
    "orderType",
    "origSz",
    "tif",
    "cloid",
}
POSITION = {
    "coin",
    "entryPx",
    "leverage",
    "liquidationPx",
    "marginUsed",
    "positionValue",
    "returnOnEquity",
    "szi",
    "unrealizedPnl",
    "maxLeverage",
    "cumFunding",
}
STATE = {
    "assetPositions",
    "crossMarginSummary",
    "marginSummary",
    "withdrawable",
    "time",
    "crossMaintenanceMarginUsed",
}
SUMMARY = {"accountValue", "totalMarginUsed", "totalNtlPos", "totalRawUsd"}


class Judge:
    """The SDK, asked from a thread of its own. BTC stands at 64250, the book one beside."""

    def __init__(self, venue: SimulatedVenue, trader: Trader) -> None:
        self.venue = venue
        self.market = venue.market
        self.trader = trader
        self.info = trader.info

    async def asks(self, method: str, *args: Any) -> Any:
        return await asyncio.to_thread(getattr(self.info, method), *args)

    async def does(self, method: str, *args: Any, **named: Any) -> Any:
        """The first status of an action's answer."""
        told = await asyncio.to_thread(getattr(self.trader, method), *args, **named)
        assert told["status"] == "ok", told
        data = told["response"].get("data")
        return None if data is None else data["statuses"][0]

    async def refused(self, method: str, *args: Any, **named: Any) -> str:
        """The words of a refused action."""
        told = await asyncio.to_thread(getattr(self.trader, method), *args, **named)
        if told["status"] == "err":
            return str(told["response"])
        return str(told["response"]["data"]["statuses"][0]["error"])

    async def position(self, address: str = ADDRESS) -> Any:
        state = await self.asks("user_state", address)
        assert set(state) >= STATE
        assert SUMMARY == set(state["marginSummary"]) == set(state["crossMarginSummary"])
        for row in state["assetPositions"]:
            assert row["type"] == "oneWay"
            assert set(row["position"]) >= POSITION
        return next((row["position"] for row in state["assetPositions"]), None)

    async def orders(self) -> list[Any]:
        rows = list(await self.asks("frontend_open_orders", ADDRESS))
        for row in rows:
            assert set(row) == ORDER
        return rows


def a_market() -> Market:
    market = Market(
        now=lambda: datetime.now(UTC),
        rng=random.Random(3),  # a market's noise
        volatility=0.0,
    )
    market.add_account("main", Exchange.HYPERLIQUID, key=ADDRESS, secret=KEY)
    market.add_account("sub", Exchange.HYPERLIQUID, key=SUB, secret=KEY, master="main")
    return market


@asynccontextmanager
async def judging(key: str = KEY, vault: str | None = None) -> AsyncIterator[Judge]:
    async with SimulatedVenue(a_market()) as venue:
        with hosts_lead_to(venue, ".hyperliquid.xyz"), pytest.MonkeyPatch.context() as patch:
            patch.setenv("REQUESTS_CA_BUNDLE", str(venue.ca_file))
            wallet = eth_account.Account.from_key(key)
            trader = await asyncio.to_thread(
                Trader, wallet, account_address=ADDRESS, vault_address=vault
            )
            yield Judge(venue, trader)


def test_hashes_and_addresses_are_those_of_the_sdk() -> None:
    # What the SDK hashes with.
    theirs = signing.keccak
    for length in (0, 1, 135, 136, 137, 271, 272, 1000):
        assert keccak(b"x" * length) == theirs(b"x" * length)
    wallet = eth_account.Account.from_key(KEY)
    assert address_of(KEY) == wallet.address.lower()
    action = {"type": "order", "orders": [{"a": 0, "b": True, "p": "1.5"}], "grouping": "na"}
    for vault, expires in ((None, None), (SUB, None), (None, 17), (SUB, 1_700_000_000_000)):
        signed = sign_l1_action(wallet, action, vault, 1_700_000_000_000, expires, True)
        found = signer_of(
            action, 1_700_000_000_000, signed, vault=vault or "", expires_after=expires
        )
        assert found == wallet.address.lower()
        other = {**action, "grouping": "positionTpsl"}
        forged = signer_of(
            other, 1_700_000_000_000, signed, vault=vault or "", expires_after=expires
        )
        assert forged != wallet.address.lower()
    assert len(action_hash(action, None, 1, None)) == 32


async def test_contracts_and_prices_are_read() -> None:
    async with judging() as judge:
        meta = await judge.asks("meta")
        (btc, *_) = meta["universe"]
        assert (btc["name"], btc["szDecimals"], btc["maxLeverage"]) == ("BTC", 5, 40)
        universe, contexts = await judge.asks("meta_and_asset_ctxs")
        assert len(universe["universe"]) == len(contexts) == 8
        for context in contexts:
            assert set(get_type_hints(PerpAssetCtx)) == set(context)
        assert (await judge.asks("all_mids"))["BTC"] == "64250.0"
        book = await judge.asks("l2_snapshot", "BTC")
        assert (book["levels"][0][0]["px"], book["levels"][1][0]["px"]) == ("64249.0", "64251.0")
        spot = await judge.asks("spot_meta")
        for token in spot["tokens"]:
            assert set(get_type_hints(SpotTokenInfo)) <= set(token)
        now = int(datetime.now(UTC).timestamp() * 1000)
        bars = await judge.asks("candles_snapshot", "BTC", "1h", now - 5 * 3_600_000, now)
        assert set(bars[0]) == {"T", "c", "h", "i", "l", "n", "o", "s", "t", "v"}
        paid = await judge.asks("funding_history", "BTC", now - 5 * 3_600_000)
        assert set(paid[0]) == {"coin", "fundingRate", "premium", "time"}
        assert await judge.asks("perp_dexs") == [None]


async def test_a_position_is_opened_read_reduced_and_closed() -> None:
    async with judging() as judge:
        opened = await judge.does("market_open", "BTC", True, 0.5)
        assert set(opened["filled"]) == {"totalSz", "avgPx", "oid"}
        position = await judge.position()
        assert (position["szi"], position["leverage"]) == ("0.5", {"type": "cross", "value": 10})
        assert (await judge.does("market_close", "BTC", 0.2))["filled"]["totalSz"] == "0.2"
        assert (await judge.position())["szi"] == "0.3"
        assert (await judge.does("market_close", "BTC"))["filled"]["totalSz"] == "0.3"
        assert await judge.position() is None
        fills = await judge.asks("user_fills", ADDRESS)
        assert [fill["dir"] for fill in fills] == ["Close Long", "Close Long", "Open Long"]
        for fill in fills:
            assert set(get_type_hints(Fill)) <= set(fill)
        assert [fill["startPosition"] for fill in fills] == ["0.3", "0.5", "0.0"]
        start = int((datetime.now(UTC) - timedelta(hours=1)).timestamp() * 1000)
        by_time = await judge.asks("user_fills_by_time", ADDRESS, start)
        assert [fill["tid"] for fill in by_time] == [fill["tid"] for fill in reversed(fills)]


async def test_an_order_rests_is_found_changed_and_cancelled() -> None:
    async with judging() as judge:
        cloid = Cloid.from_int(7)
        placed = await judge.does("order", "BTC", True, 0.1, 60000, LIMIT, cloid=cloid)
        oid = placed["resting"]["oid"]
        (row,) = await judge.orders()
        assert (row["oid"], row["cloid"], row["tif"]) == (oid, cloid.to_raw(), "Gtc")
        (short,) = await judge.asks("open_orders", ADDRESS)
        assert {"coin", "limitPx", "oid", "side", "sz", "timestamp"} <= set(short)
        found = await judge.asks("query_order_by_cloid", ADDRESS, cloid)
        assert (found["status"], found["order"]["status"]) == ("order", "open")
        assert set(found["order"]["order"]) == ORDER
        changed = await judge.does("modify_order", oid, "BTC", True, 0.2, 60100, LIMIT)
        assert changed["resting"]["oid"] != oid
        (row,) = await judge.orders()
        assert (row["origSz"], row["limitPx"]) == ("0.2", "60100.0")
        assert await judge.does("cancel", "BTC", row["oid"]) == "success"
        told = await judge.asks("query_order_by_oid", ADDRESS, row["oid"])
        assert told["order"]["status"] == "canceled"
        late = await judge.refused("cancel", "BTC", row["oid"])
        assert late == "Order was never placed, already canceled, or filled. asset=0"
        assert await judge.asks("query_order_by_oid", ADDRESS, 5) == {"status": "unknownOid"}
        history = await judge.asks("historical_orders", ADDRESS)
        assert [it["status"] for it in history] == ["canceled", "open", "canceled", "open"]
        by_id = await judge.does("order", "BTC", True, 0.1, 60000, LIMIT, cloid=Cloid.from_int(8))
        assert by_id["resting"]
        assert await judge.does("cancel_by_cloid", "BTC", Cloid.from_int(8)) == "success"


async def test_stops_protect_fire_and_end() -> None:
    async with judging() as judge:
        await judge.does("market_open", "BTC", True, 0.5)
        stop = {"trigger": {"triggerPx": 60000, "isMarket": True, "tpsl": "sl"}}
        placed = await judge.does("order", "BTC", False, 0.5, 58000, stop, reduce_only=True)
        (row,) = await judge.orders()
        assert row["oid"] == placed["resting"]["oid"]
        assert (row["orderType"], row["triggerCondition"]) == ("Stop Market", "Price below 60000")
        assert (row["isTrigger"], row["tif"], row["reduceOnly"]) == (True, None, True)
        # The last price alone does not trigger it: the mark price does.
        judge.market.set_price(BTC, dec("59900"), mark=dec("60500"))
        assert await judge.position() is not None
        judge.market.set_price(BTC, dec("59900"))
        assert await judge.position() is None
        told = await judge.asks("query_order_by_oid", ADDRESS, row["oid"])
        assert told["order"]["status"] == "filled"
        profit = {"trigger": {"triggerPx": 70000, "isMarket": True, "tpsl": "tp"}}
        nothing = await judge.refused("order", "BTC", False, 0.5, 69000, profit, reduce_only=True)
        assert nothing.startswith("Reduce only order would increase position.")


async def test_children_wait_for_their_parent_and_end_each_other() -> None:
    async with judging() as judge:
        wire = {"coin": "BTC", "sz": 0.5, "cloid": None}
        entry = wire | {"is_buy": True, "limit_px": 63000, "order_type": LIMIT}
        out = wire | {"is_buy": False, "reduce_only": True}
        stop = {"trigger": {"triggerPx": 60000, "isMarket": True, "tpsl": "sl"}}
        profit = {"trigger": {"triggerPx": 66000, "isMarket": True, "tpsl": "tp"}}
        told = await asyncio.to_thread(
            judge.trader.bulk_orders,
            [
                entry | {"reduce_only": False},
                out | {"limit_px": 58000, "order_type": stop},
                out | {"limit_px": 65000, "order_type": profit},
            ],
            None,
            "normalTpsl",
        )
        first, *others = told["response"]["data"]["statuses"]
        assert "resting" in first
        assert others == ["waitingForFill", "waitingForFill"]
        rows = {row["orderType"]: row for row in await judge.orders()}
        children = {row["oid"] for row in rows["Limit"]["children"]}
        assert children == {rows["Stop Market"]["oid"], rows["Take Profit Market"]["oid"]}
        judge.market.set_price(BTC, dec("59000"))
        judge.market.set_price(BTC, dec("62000"))
        assert (await judge.position())["szi"] == "0.5", "no stop fires before its parent fills"
        assert len(await judge.orders()) == 2
        judge.market.set_price(BTC, dec("59900"))
        assert await judge.position() is None
        assert await judge.orders() == []
        ended = {
            it["order"]["oid"]: it["status"]
            for it in await judge.asks("historical_orders", ADDRESS)
            if it["status"] != "open"
        }
        assert sorted(ended.values()) == ["filled", "filled", "siblingFilledCanceled"]


async def test_a_stop_of_the_position_follows_it() -> None:
    async with judging() as judge:
        await judge.does("market_open", "BTC", True, 0.5)
        stop = {"trigger": {"triggerPx": 60000, "isMarket": True, "tpsl": "sl"}}
        wire = {"coin": "BTC", "is_buy": False, "sz": 0, "limit_px": 58000, "reduce_only": True}
        told = await asyncio.to_thread(
            judge.trader.bulk_orders, [wire | {"order_type": stop}], None, "positionTpsl"
        )
        assert told["status"] == "ok"
        (row,) = await judge.orders()
        assert (row["isPositionTpsl"], row["sz"]) == (True, "0.0")
        await judge.does("market_open", "BTC", True, 0.5)
        judge.market.set_price(BTC, dec("59900"))
        assert await judge.position() is None


async def test_orders_are_refused_in_the_venues_words() -> None:
    async with judging() as judge:
        alo, ioc = {"limit": {"tif": "Alo"}}, {"limit": {"tif": "Ioc"}}
        for args, words in (
            (("BTC", True, 0.1, 64250.5, LIMIT), "Price must be divisible by tick size."),
            (("BTC", True, 0.00001, 60000, LIMIT), "Order must have minimum value of $10."),
            (("BTC", True, 0, 60000, LIMIT), "Order has zero size."),
            (("BTC", True, 1000, 64000, LIMIT), "Insufficient margin to place order."),
            (("BTC", True, 0.1, 60000, ioc), "Order could not immediately match"),
            (
                ("BTC", True, 0.1, 65000, alo),
                "Post only order would have immediately matched, bbo was 64249.0@64251.0.",
            ),
            (("BTC", False, 0.1, 60000, LIMIT, True), "Reduce only order would increase position."),
            (("BTC", True, 0.1, 200000, LIMIT), "Order price cannot be more than 80% away"),
        ):
            assert (await judge.refused("order", *args)).startswith(words), args
        assert judge.market.accounts["main"].live.get("BTC", {}) == {}


async def test_leverage_margin_and_a_scheduled_cancel() -> None:
    async with judging() as judge:
        await judge.does("update_leverage", 21, "ETH", False)
        await judge.does("market_open", "ETH", True, 1.0)
        before = await judge.position()
        assert before["leverage"]["type"] == "isolated"
        assert (before["leverage"]["value"], "rawUsd" in before["leverage"]) == (21, True)
        await judge.does("update_isolated_margin", 10, "ETH")
        after = await judge.position()
        assert dec(after["marginUsed"]) == dec(before["marginUsed"]) + 10
        assert await judge.refused("update_leverage", 500, "ETH") == "Invalid leverage value"
        await judge.does("order", "BTC", True, 0.1, 60000, LIMIT)
        now = int(datetime.now(UTC).timestamp() * 1000)
        early = await judge.refused("schedule_cancel", now + 1000)
        assert early.startswith("Scheduled cancel time too early")
        await judge.does("schedule_cancel", now + 6000)
        (row,) = await judge.orders()
        judge.venue.hyperliquid.pass_time(datetime.now(UTC) + timedelta(seconds=7))
        told = await judge.asks("query_order_by_oid", ADDRESS, row["oid"])
        assert told["order"]["status"] == "scheduledCancel"


async def test_who_an_address_is_and_who_may_act_for_it() -> None:
    async with judging() as judge:
        wallet = judge.trader.wallet.address
        assert await judge.asks("user_role", ADDRESS) == {"role": "user"}
        assert await judge.asks("user_role", wallet) == {"role": "agent", "data": {"user": ADDRESS}}
        role = await judge.asks("user_role", SUB)
        assert role == {"role": "subAccount", "data": {"master": ADDRESS}}
        assert await judge.asks("user_role", "0x" + "77" * 20) == {"role": "missing"}
        (agent,) = await judge.asks("extra_agents", ADDRESS)
        assert agent["address"] == wallet.lower()
        (sub,) = await judge.asks("query_sub_accounts", ADDRESS)
        assert sub["subAccountUser"] == SUB
        assert (await judge.asks("user_state", wallet))["assetPositions"] == []
        with pytest.raises(ClientError) as unreadable:
            await judge.asks("user_state", "main")
        assert unreadable.value.status_code == 422
    async with judging(key=STRANGERS) as judge:
        told = await judge.refused("market_open", "BTC", True, 0.5)
        assert told == f"User or API Wallet {address_of(STRANGERS)} does not exist."
    async with judging(vault=SUB) as judge:
        await judge.does("market_open", "BTC", True, 0.5)
        assert (await judge.position(SUB))["szi"] == "0.5"
        assert await judge.position() is None
    async with judging(vault="0x" + "77" * 20) as judge:
        assert (await judge.refused("market_open", "BTC", True, 0.5)).startswith("Vault not")


async def test_an_action_is_done_once() -> None:
    async with judging() as judge:
        sent: list[Any] = []
        post = judge.trader.post

        def noted(path: str, payload: Any = None) -> Any:
            sent.append(payload)
            return post(path, payload)

        judge.trader.post = noted
        await judge.does("market_open", "BTC", True, 0.5)
        again = await asyncio.to_thread(post, "/exchange", sent[-1])
        assert again["response"] == f"Invalid nonce: duplicate nonce {sent[-1]['nonce']}"
        tampered = {**sent[-1], "nonce": sent[-1]["nonce"] + 1}
        stranger = await asyncio.to_thread(post, "/exchange", tampered)
        assert "does not exist" in stranger["response"]
        assert (await judge.position())["szi"] == "0.5"


async def test_the_stream_is_followed() -> None:
    async with judging() as judge:
        heard: queue.Queue[Any] = queue.Queue()
        run_forever = WebSocketApp.run_forever
        with pytest.MonkeyPatch.context() as patch:
            ca = {"ca_certs": str(judge.venue.ca_file)}
            patch.setattr(WebSocketApp, "run_forever", lambda it: run_forever(it, sslopt=ca))
            listener = await asyncio.to_thread(Info)
            try:
                for kind in ("userFills", "orderUpdates", "userEvents"):
                    listener.subscribe({"type": kind, "user": ADDRESS}, heard.put)
                followers = judge.venue.streams.followers
                await until(lambda: followers("main", "userEvents") == 1, "the subscriptions")
                await judge.does("market_open", "BTC", True, 0.5)
                told: list[Any] = []

                def all_told() -> bool:
                    while not heard.empty():
                        told.append(heard.get())
                    return {"user", "orderUpdates"} <= {it["channel"] for it in told}

                await until(all_told, "the channels")
            finally:
                await asyncio.to_thread(listener.disconnect_websocket)
        fills = [it["data"] for it in told if it["channel"] == "userFills"]
        assert fills[0]["isSnapshot"] is True
        (fill,) = fills[-1]["fills"]
        assert set(get_type_hints(Fill)) <= set(fill)
        statuses = [it["data"][0]["status"] for it in told if it["channel"] == "orderUpdates"]
        assert statuses == ["open", "filled"]


async def test_an_opened_leg_is_short_in_the_venues_signs() -> None:
    async with judging() as judge:
        judge.market.open_position("main", BTC, Side.SHORT, dec("0.5"))
        assert (await judge.position())["szi"] == "-0.5"
