"""Histories of fills as their venues page them: whole, or an error, and of every kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messages.venue import FillKind, Fills, VenueError
from tests.venues.bodies import BY_EXCHANGE
from tests.venues.canned import Answer, Seen
from tests.venues.conftest import Opened, now, run
from venues.exchanges import EXCHANGES

COUNT = 250
BEGUN = (now() - timedelta(hours=6)).replace(microsecond=0)
STEP = timedelta(seconds=4)
Row = dict[str, Any]


def at(number: int) -> int:
    """Two fills share each instant: which page a time belongs to is never clear."""
    return int((BEGUN + STEP * (number // 2 * 2)).timestamp() * 1000)


def side(number: int) -> str:
    return "sell" if number % 2 else "buy"


@dataclass(frozen=True, slots=True)
class History:
    """One venue's fills: its row of a number, and its answer out of all rows, oldest first."""

    exchange: str
    path: str
    row: Callable[[int], Row]
    answer: Callable[[list[Row], Seen], Any]
    kind: str
    """The field that tells of a kind, for the table below."""
    count: int = COUNT
    method: str = "GET"


def within(rows: list[Row], seen: Seen, start: str, end: str, key: str) -> list[Row]:
    first, last = int(seen.params.get(start) or 0), int(seen.params.get(end) or 10**15)
    return [row for row in rows if first <= int(row[key]) <= last]


def bybit(rows: list[Row], seen: Seen) -> Any:
    found = within(rows, seen, "startTime", "endTime", "execTime")[::-1]
    skip = int(seen.query.get("cursor") or 0)
    more = str(skip + 100) if skip + 100 < len(found) else ""
    result = {"list": found[skip : skip + 100], "nextPageCursor": more}
    return {"retCode": 0, "retMsg": "", "result": result}


def binance(rows: list[Row], seen: Seen) -> Any:
    return within(rows, seen, "startTime", "endTime", "time")[:1000]


def okx(rows: list[Row], seen: Seen) -> Any:
    found = within(rows, seen, "begin", "end", "ts")[::-1]
    ids = [row["billId"] for row in found]
    skip = ids.index(seen.query["after"]) + 1 if seen.query.get("after") else 0
    return {"code": "0", "msg": "", "data": found[skip : skip + 100]}


def bitget(rows: list[Row], seen: Seen) -> Any:
    found = within(rows, seen, "startTime", "endTime", "cTime")[::-1]
    ids = [row["tradeId"] for row in found]
    skip = ids.index(seen.query["idLessThan"]) + 1 if seen.query.get("idLessThan") else 0
    page = found[skip : skip + 100]
    data = {"fillList": page, "endId": page[-1]["tradeId"] if page else ""}
    return {"code": "00000", "msg": "", "data": data}


def gate(rows: list[Row], seen: Seen) -> Any:
    skip, limit = int(seen.query.get("offset", 0)), int(seen.query.get("limit", 100))
    return rows[::-1][skip : skip + limit]


def kucoin(rows: list[Row], seen: Seen) -> Any:
    start, end = seen.query["startAt"], seen.query["endAt"]
    assert int(end) - int(start) <= timedelta(days=7).total_seconds() * 1000
    found = within(rows, seen, "startAt", "endAt", "createdAt")[::-1]
    size, page = int(seen.query.get("pageSize", 50)), int(seen.query.get("currentPage", 1))
    data = {
        "items": found[(page - 1) * size : page * size],
        "currentPage": page,
        "pageSize": size,
        "totalNum": len(found),
        "totalPage": -(-len(found) // size),
    }
    return {"code": "200000", "data": data}


def hyperliquid(rows: list[Row], seen: Seen) -> Any:
    return within(rows, seen, "startTime", "endTime", "time")[:2000]


def kraken(rows: list[Row], seen: Seen) -> Any:
    before = seen.query.get("lastFillTime")
    found = [row for row in rows[::-1] if before is None or row["fillTime"] < before]
    return {"result": "success", "fills": found[:100], "serverTime": "2026-11-20T12:00:00.000Z"}


def mexc(rows: list[Row], seen: Seen) -> Any:
    found = within(rows, seen, "start_time", "end_time", "timestamp")[::-1]
    page, size = int(seen.query["page_num"]), int(seen.query["page_size"])
    return {"success": True, "code": 0, "data": found[(page - 1) * size : page * size]}


def bingx(rows: list[Row], seen: Seen) -> Any:
    first, last = int(seen.query["startTs"]), int(seen.query["endTs"])
    found = [row for row in rows if first <= row["at"] <= last]
    return {"code": 0, "msg": "", "data": {"fill_orders": found}}


def iso(number: int) -> str:
    moment = datetime.fromtimestamp(at(number) / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


HISTORIES = (
    History(
        "bybit",
        "/v5/execution/list",
        lambda n: {
            "symbol": "BTCUSDT",
            "execId": f"e-{n}",
            "orderId": f"o-{n}",
            "side": side(n).title(),
            "execQty": "0.1",
            "execPrice": "50000",
            "execFee": "0.1",
            "execType": "Trade",
            "execTime": str(at(n)),
        },
        bybit,
        "execType",
    ),
    History(
        "binanceusdm",
        "/fapi/v1/userTrades",
        lambda n: {
            "symbol": "BTCUSDT",
            "id": n + 1,
            "orderId": n + 1,
            "side": side(n).upper(),
            "qty": "0.1",
            "price": "50000",
            "realizedPnl": "0",
            "commission": "0.1",
            "commissionAsset": "USDT",
            "positionSide": "BOTH",
            "time": at(n),
        },
        binance,
        "",
        count=1500,
    ),
    History(
        "okx",
        "/trade/fills-history",
        lambda n: {
            "instId": "BTC-USDT-SWAP",
            "instType": "SWAP",
            "tradeId": str(n + 1),
            "billId": str(10_000 + n),
            "ordId": str(n + 1),
            "clOrdId": "",
            "side": side(n),
            "posSide": "net",
            "fillSz": "1",
            "fillPx": "50000",
            "fillPnl": "0",
            "fee": "-0.1",
            "feeCcy": "USDT",
            "subType": "1",
            "ts": str(at(n)),
        },
        okx,
        "subType",
    ),
    History(
        "bitget",
        "/api/v2/mix/order/fills",
        lambda n: {
            "symbol": "BTCUSDT",
            "tradeId": str(10_000 + n),
            "orderId": str(n),
            "price": "50000",
            "baseVolume": "0.1",
            "side": side(n),
            "profit": "0",
            "tradeSide": f"{side(n)}_single",
            "posMode": "one_way_mode",
            "feeDetail": [{"feeCoin": "USDT", "totalFee": "-0.1"}],
            "cTime": str(at(n)),
        },
        bitget,
        "tradeSide",
    ),
    History(
        "gate",
        "/futures/usdt/my_trades_timerange",
        lambda n: {
            "id": n + 1,
            "contract": "BTC_USDT",
            "order_id": str(n),
            "size": -1 if n % 2 else 1,
            "close_size": 0,
            "price": "50000",
            "fee": "0.1",
            "text": "web",
            "create_time": at(n) / 1000,
        },
        gate,
        "text",
    ),
    History(
        "kucoinfutures",
        "/api/v1/fills",
        lambda n: {
            "symbol": "XBTUSDTM",
            "tradeId": f"t-{n}",
            "orderId": f"o-{n}",
            "side": side(n),
            "price": "50000",
            "size": 1,
            "fee": "0.1",
            "feeCurrency": "USDT",
            "tradeType": "trade",
            "createdAt": at(n),
            "tradeTime": at(n) * 1_000_000,
        },
        kucoin,
        "tradeType",
    ),
    History(
        "hyperliquid",
        "/info#userFillsByTime",
        lambda n: {
            # Half of the account's fills are another coin's.
            "coin": "BTC" if n % 4 < 2 else "ETH",
            "tid": n + 1,
            "oid": n + 1,
            "dir": "Open Long",
            "side": "A" if n % 2 else "B",
            "startPosition": "0",
            "sz": "0.1",
            "px": "50000",
            "closedPnl": "0",
            "fee": "0.1",
            "feeToken": "USDC",
            "time": at(n),
        },
        hyperliquid,
        "dir",
        count=5000,
        method="POST",
    ),
    History(
        "krakenfutures",
        "/fills",
        lambda n: {
            "fill_id": f"f-{n:04}",
            "symbol": "PF_XBTUSD" if n % 4 < 2 else "PF_ETHUSD",
            "side": side(n),
            "order_id": f"o-{n}",
            "size": 0.1,
            "price": 50000,
            "fillType": "taker",
            "fillTime": iso(n),
        },
        kraken,
        "fillType",
    ),
    History(
        "mexc",
        "/order/list/order_deals",
        lambda n: {
            "id": n + 1,
            "symbol": "BTC_USDT",
            "side": 3 if n % 2 else 1,
            "vol": 1,
            "price": 50000,
            "feeCurrency": "USDT",
            "fee": "0.1",
            "timestamp": at(n),
            "profit": 0,
            "category": 1,
            "orderId": n + 1,
        },
        mexc,
        "category",
    ),
    History(
        "bingx",
        "/swap/v2/trade/allFillOrders",
        lambda n: {
            "at": at(n),
            "symbol": "BTC-USDT",
            "tradeId": str(n + 1),
            "orderId": str(n + 1),
            "side": side(n).upper(),
            "positionSide": "BOTH",
            "volume": "0.1",
            "price": "50000",
            "commission": "-0.1",
            "currency": "USDT",
            "liquidatedPrice": "",
            "filledTime": iso(n).replace("Z", "+0000"),
            "filledTm": iso(n)[:19] + "Z",
        },
        bingx,
        "liquidatedPrice",
    ),
)


def exchange_of(history: History) -> str:
    return history.exchange


def ours(history: History, rows: list[Row]) -> list[Row]:
    """The rows of the instrument that is asked for, where the venue lists the whole account's."""
    return [row for row in rows if "ETH" not in str(row.get("coin", row.get("symbol", "")))]


def test_every_exchange_is_tried_here() -> None:
    assert {history.exchange for history in HISTORIES} == set(EXCHANGES)


@pytest.mark.parametrize("history", HISTORIES, ids=exchange_of)
def test_a_history_of_several_pages_is_read_whole(history: History, opened: Opened) -> None:
    rows = [history.row(number) for number in range(history.count)]

    async def scenario() -> None:
        async with opened(history.exchange) as (canned, venue):
            canned.on(
                history.method, history.path, lambda seen: Answer(body=history.answer(rows, seen))
            )
            canned.on("GET", "/fapi/v1/allOrders", [])
            symbol = BY_EXCHANGE[history.exchange].symbol
            told = await venue.fetch_fills(symbol, BEGUN)
            assert isinstance(told, Fills), told
            assert len(told.fills) == len(ours(history, rows))
            assert {fill.at for fill in told.fills} == {
                datetime.fromtimestamp(at(number) / 1000, tz=UTC)
                for number, row in enumerate(rows)
                if row in ours(history, [row])
            }
            moments = [fill.at for fill in told.fills]
            assert moments == sorted(moments)
            # Of one instant the buy came first, whichever way the pages go.
            assert [fill.side.value for fill in told.fills[:4]] == ["buy", "sell", "buy", "sell"]

    run(scenario())


@pytest.mark.parametrize("history", HISTORIES, ids=exchange_of)
def test_a_bad_later_page_is_an_error(history: History, opened: Opened) -> None:
    rows = [history.row(number) for number in range(history.count)]
    asked: list[Seen] = []

    def answer(seen: Seen) -> Answer:
        asked.append(seen)
        if len(asked) > 1 or history.exchange == "bingx":
            return Answer(text="")
        return Answer(body=history.answer(rows, seen))

    async def scenario() -> None:
        async with opened(history.exchange) as (canned, venue):
            canned.on(history.method, history.path, answer)
            symbol = BY_EXCHANGE[history.exchange].symbol
            assert isinstance(await venue.fetch_fills(symbol, BEGUN), VenueError)

    run(scenario())


@pytest.mark.parametrize("history", HISTORIES, ids=exchange_of)
def test_the_same_full_page_for_ever_is_an_error(history: History, opened: Opened) -> None:
    """What cannot be paged any further may have been cut."""
    rows = [history.row(number) for number in range(history.count)]

    def answer(seen: Seen) -> Answer:
        first = Seen(seen.method, seen.path, _first_page(seen.query), seen.body)
        return Answer(body=history.answer(rows, first))

    async def scenario() -> None:
        async with opened(history.exchange) as (canned, venue):
            canned.on(history.method, history.path, answer)
            canned.on("GET", "/fapi/v1/allOrders", [])
            symbol = BY_EXCHANGE[history.exchange].symbol
            if history.exchange in ("hyperliquid", "binanceusdm"):
                page = history.answer(rows, Seen("", "", {"startTime": "0"}, ""))
                canned.on(history.method, history.path, Answer(body=page))
            told = await venue.fetch_fills(symbol, BEGUN)
            if history.exchange == "bingx":
                many = [history.row(number) for number in range(1000)]
                body = {"code": 0, "msg": "", "data": {"fill_orders": many}}
                canned.on("GET", history.path, Answer(body=body))
                told = await venue.fetch_fills(symbol, BEGUN)
            assert isinstance(told, VenueError), len(told.fills)

    run(scenario())


def _first_page(query: dict[str, str]) -> dict[str, str]:
    further = ("cursor", "after", "idLessThan", "offset", "lastFillTime")
    first = {key: value for key, value in query.items() if key not in further}
    return first | {key: "1" for key in ("currentPage", "page_num") if key in query}


KINDS = (
    ("bybit", "BustTrade", FillKind.LIQUIDATION),
    ("bybit", "AdlTrade", FillKind.ADL),
    ("bybit", "Settle", FillKind.SETTLEMENT),
    ("bybit", "Delivery", FillKind.DELIVERY),
    ("bybit", "MovePosition", FillKind.TRANSFER),
    ("bybit", "BlockTrade", FillKind.TRADE),
    ("bybit", "SomethingNew", FillKind.OTHER),
    ("okx", "100", FillKind.LIQUIDATION),
    ("okx", "112", FillKind.DELIVERY),
    ("okx", "125", FillKind.ADL),
    ("okx", "204", FillKind.TRADE),
    ("okx", "324", FillKind.TRANSFER),
    ("okx", "999", FillKind.OTHER),
    ("bitget", "burst_close_long", FillKind.LIQUIDATION),
    ("bitget", "dte_sys_adl_close_long", FillKind.ADL),
    ("bitget", "delivery_close_long", FillKind.DELIVERY),
    ("gate", "liquidation", FillKind.LIQUIDATION),
    ("gate", "liq-12345", FillKind.LIQUIDATION),
    ("gate", "auto_deleveraging", FillKind.ADL),
    ("gate", "t-liquidity", FillKind.TRADE),
    ("kucoinfutures", "liquid", FillKind.LIQUIDATION),
    ("kucoinfutures", "adl", FillKind.ADL),
    ("kucoinfutures", "settlement", FillKind.SETTLEMENT),
    ("hyperliquid", "Liquidated Cross Long", FillKind.LIQUIDATION),
    ("hyperliquid", "Auto-Deleveraging", FillKind.ADL),
    ("hyperliquid", "Settlement", FillKind.SETTLEMENT),
    ("krakenfutures", "liquidation", FillKind.LIQUIDATION),
    ("krakenfutures", "partialLiquidation", FillKind.LIQUIDATION),
    ("krakenfutures", "assignee", FillKind.TRANSFER),
    ("krakenfutures", "unwindBankrupt", FillKind.ADL),
    ("mexc", "2", FillKind.LIQUIDATION),
    ("mexc", "4", FillKind.ADL),
    ("mexc", "5", FillKind.DELIVERY),
    ("bingx", "49000", FillKind.LIQUIDATION),
)


@pytest.mark.parametrize(("exchange", "word", "kind"), KINDS)
def test_a_fill_has_the_kind_that_its_venue_gives_it(
    exchange: str, word: str, kind: FillKind, opened: Opened
) -> None:
    (history,) = [each for each in HISTORIES if each.exchange == exchange]
    row = {**history.row(1), history.kind: word}

    async def scenario() -> None:
        async with opened(exchange) as (canned, venue):
            canned.on(
                history.method, history.path, lambda seen: Answer(body=history.answer([row], seen))
            )
            told = await venue.fetch_fills(BY_EXCHANGE[exchange].symbol, BEGUN)
            assert isinstance(told, Fills), told
            assert [fill.kind for fill in told.fills] == [kind]

    run(scenario())


def test_binance_marks_its_own_orders_by_their_ids(opened: Opened) -> None:
    (history,) = [each for each in HISTORIES if each.exchange == "binanceusdm"]
    marks = ("autoclose-1", "adl_autoclose", "settlement_autoclose-1", "web_1")
    rows = [history.row(number) for number in range(len(marks))]
    orders = [
        {
            "orderId": number + 1,
            "clientOrderId": mark,
            "symbol": "BTCUSDT",
            "side": "SELL",
            "type": "MARKET",
            "status": "FILLED",
            "origQty": "0.1",
            "executedQty": "0.1",
            "price": "0",
            "avgPrice": "50000",
            "time": at(number),
            "updateTime": at(number),
        }
        for number, mark in enumerate(marks)
    ]

    async def scenario() -> None:
        async with opened("binanceusdm") as (canned, venue):
            canned.on("GET", history.path, rows)
            canned.on("GET", "/fapi/v1/allOrders", orders)
            told = await venue.fetch_fills("BTC/USDT:USDT", BEGUN)
            assert isinstance(told, Fills), told
            assert [fill.kind for fill in told.fills] == [
                FillKind.LIQUIDATION,
                FillKind.ADL,
                FillKind.SETTLEMENT,
                FillKind.TRADE,
            ]

    run(scenario())


def test_a_fill_against_a_liquidated_account_is_no_liquidation_of_ours(opened: Opened) -> None:
    (history,) = [each for each in HISTORIES if each.exchange == "hyperliquid"]
    whose = {"0x" + "11" * 20: FillKind.LIQUIDATION, "0x" + "99" * 20: FillKind.TRADE}
    rows = [
        {**history.row(number), "liquidation": {"liquidatedUser": user, "method": "market"}}
        for number, user in enumerate(whose)
    ]

    async def scenario() -> None:
        async with opened("hyperliquid") as (canned, venue):
            canned.on("POST", history.path, Answer(body=rows))
            told = await venue.fetch_fills("BTC/USDC:USDC", BEGUN)
            assert isinstance(told, Fills), told
            assert [fill.kind for fill in told.fills] == list(whose.values())

    run(scenario())


def test_a_history_that_the_venue_keeps_for_less_long_says_from_when_it_is_whole(
    opened: Opened,
) -> None:
    (history,) = [each for each in HISTORIES if each.exchange == "okx"]

    async def scenario() -> None:
        async with opened("okx") as (canned, venue):
            canned.on("GET", history.path, Answer(body={"code": "0", "msg": "", "data": []}))
            asked = now() - timedelta(days=400)
            told = await venue.fetch_fills("BTC/USDT:USDT", asked)
            assert isinstance(told, Fills)
            assert abs(told.since - (now() - timedelta(days=90))) < timedelta(minutes=1)
            recent = await venue.fetch_fills("BTC/USDT:USDT", BEGUN)
            assert isinstance(recent, Fills)
            assert recent.since == BEGUN

    run(scenario())


def test_a_trade_with_oneself_is_two_fills(opened: Opened) -> None:
    (history,) = [each for each in HISTORIES if each.exchange == "okx"]
    rows = [{**history.row(number), "tradeId": "7"} for number in range(2)]

    async def scenario() -> None:
        async with opened("okx") as (canned, venue):
            body = {"code": "0", "msg": "", "data": rows}
            canned.on("GET", history.path, Answer(body=body))
            told = await venue.fetch_fills("BTC/USDT:USDT", BEGUN)
            assert isinstance(told, Fills)
            assert len(told.fills) == 2

    run(scenario())
