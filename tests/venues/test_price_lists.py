"""Prices of all contracts by one list, in the words that each venue documents."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from messages.venue import NotTold, Price, PriceKind, Prices, VenueError, VenueErrorKind
from tests.venues.bodies import BY_EXCHANGE
from tests.venues.canned import Answer
from tests.venues.conftest import Opened, run

BOOK, LAST, MARK = PriceKind.BOOK, PriceKind.LAST, PriceKind.MARK
ALL = frozenset(PriceKind)
Lists = dict[str, Any]


def data(code: object, rows: list[Any]) -> dict[str, Any]:
    return {"code": code, "msg": "success", "success": True, "data": rows}


LISTS: dict[str, Lists] = {
    "binanceusdm": {
        "/fapi/v1/ticker/bookTicker": [
            {"symbol": "BTCUSDT", "bidPrice": "100.1", "askPrice": "100.2", "time": 1}
        ],
        "/fapi/v1/ticker/price": [{"symbol": "BTCUSDT", "price": "100.15", "time": 1}],
        "/fapi/v1/premiumIndex": [{"symbol": "BTCUSDT", "markPrice": "100.3", "time": 1}],
    },
    "bybit": {
        "/v5/market/tickers": {
            "retCode": 0,
            "retMsg": "OK",
            "result": {
                "category": "linear",
                "list": [
                    {
                        "symbol": "BTCUSDT",
                        "lastPrice": "100.15",
                        "bid1Price": "100.1",
                        "ask1Price": "100.2",
                        "markPrice": "100.3",
                    }
                ],
            },
        }
    },
    "okx": {
        "/api/v5/market/tickers": {
            "code": "0",
            "msg": "",
            "data": [
                {"instId": "BTC-USDT-SWAP", "last": "100.15", "bidPx": "100.1", "askPx": "100.2"}
            ],
        },
        "/api/v5/public/mark-price": {
            "code": "0",
            "msg": "",
            "data": [{"instType": "SWAP", "instId": "BTC-USDT-SWAP", "markPx": "100.3"}],
        },
    },
    "bitget": {
        "/api/v2/mix/market/tickers": data(
            "00000",
            [
                {
                    "symbol": "BTCUSDT",
                    "lastPr": "100.15",
                    "bidPr": "100.1",
                    "askPr": "100.2",
                    "markPrice": "100.3",
                }
            ],
        )
    },
    "gate": {
        "/futures/usdt/tickers": [
            {
                "contract": "BTC_USDT",
                "last": "100.15",
                "highest_bid": "100.1",
                "lowest_ask": "100.2",
                "mark_price": "100.3",
            }
        ]
    },
    "mexc": {
        "/contract/ticker": data(
            0,
            [
                {
                    "symbol": "BTC_USDT",
                    "lastPrice": 100.15,
                    "bid1": 100.1,
                    "ask1": 100.2,
                    "fairPrice": 100.3,
                }
            ],
        )
    },
    "kucoinfutures": {
        "/api/v1/allTickers": data(
            "200000",
            [
                {
                    "symbol": "XBTUSDTM",
                    "price": "100.15",
                    "bestBidPrice": "100.1",
                    "bestAskPrice": "100.2",
                }
            ],
        )
    },
    "bingx": {
        "/swap/v2/quote/ticker": data(
            0,
            [
                {
                    "symbol": "BTC-USDT",
                    "lastPrice": "100.15",
                    "bidPrice": "100.1",
                    "askPrice": "100.2",
                }
            ],
        ),
        "/swap/v2/quote/premiumIndex": data(0, [{"symbol": "BTC-USDT", "markPrice": "100.3"}]),
    },
    "krakenfutures": {
        "/derivatives/api/v3/tickers": {
            "result": "success",
            "tickers": [
                {
                    "symbol": "PF_XBTUSD",
                    "last": 100.15,
                    "bid": 100.1,
                    "ask": 100.2,
                    "markPrice": 100.3,
                }
            ],
        }
    },
    "hyperliquid": {
        "/info#metaAndAssetCtxs": [
            {"universe": [{"name": "BTC", "szDecimals": 5, "maxLeverage": 40}]},
            [{"impactPxs": ["100.1", "100.2"], "markPx": "100.3", "midPx": "100.15"}],
        ]
    },
}
KINDS = {"hyperliquid": {BOOK, MARK}, "kucoinfutures": {BOOK, LAST}}
"""Hyperliquid lists no last trades; KuCoin's mark prices are in the list of its contracts."""

PRICES = {"bid": "100.1", "ask": "100.2", "last": "100.15", "mark": "100.3"}


@pytest.mark.parametrize("exchange", sorted(LISTS))
def test_the_lists_of_a_venue_have_the_prices_of_its_contracts(
    opened: Opened, exchange: str
) -> None:
    symbol = BY_EXCHANGE[exchange].symbol
    kinds = frozenset(KINDS.get(exchange, ALL))

    async def scenario() -> None:
        async with opened(exchange) as (canned, venue):
            await venue.connect()
            for path, body in LISTS[exchange].items():
                method = "POST" if path.startswith("/info") else "GET"
                canned.on(method, path, body)
            before = len(canned.seen)
            read = await venue.fetch_prices(kinds)
            assert isinstance(read, Prices), read
            assert read.damaged == {}
            price = read.by_symbol[symbol]
            told = {name: getattr(price, name) for name in PRICES}
            for name, value in PRICES.items():
                if name in ("bid", "ask") or PriceKind(name) in kinds:
                    assert told[name] == Decimal(value), told
            assert len(canned.seen) - before == len(LISTS[exchange])

    run(scenario())


def test_a_venue_without_a_list_of_a_kind_says_so(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("hyperliquid") as (_, venue):
            assert isinstance(await venue.fetch_prices(frozenset((LAST,))), NotTold)

    run(scenario())


def test_a_damaged_row_costs_its_contract_and_a_damaged_list_all(opened: Opened) -> None:
    book = "/fapi/v1/ticker/bookTicker"
    good = {"symbol": "BTCUSDT", "bidPrice": "100.1", "askPrice": "100.2"}
    bad = {"symbol": "ETHUSDT", "bidPrice": "", "askPrice": "3000.1"}

    async def scenario() -> None:
        async with opened("binanceusdm") as (canned, venue):
            canned.on("GET", book, [good, bad, {"symbol": "NEVERUSDT", "bidPrice": "x"}])
            read = await venue.fetch_prices(frozenset((BOOK,)))
            assert isinstance(read, Prices), read
            assert isinstance(read.by_symbol["BTC/USDT:USDT"], Price)
            assert set(read.damaged) == {"ETH/USDT:USDT"}
            for body in ({"symbol": "BTCUSDT"}, [good, "rubbish"]):
                canned.on("GET", book, body)
                answer = await venue.fetch_prices(frozenset((BOOK,)))
                assert isinstance(answer, VenueError), answer
            canned.on("GET", book, Answer(text="<html>", status=200))
            answer = await venue.fetch_prices(frozenset((BOOK,)))
            assert isinstance(answer, VenueError)
            assert answer.kind is VenueErrorKind.MALFORMED

    run(scenario())
