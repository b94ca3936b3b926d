"""What each exchange's file says of its limits: the documented figures, and its own headers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from messages.budget import LimitScope
from simulator.binance_quotas import ORDERS, weight_of
from simulator.bybit_quotas import A_SECOND
from tests.venues.bodies import ALL, VenueBodies
from tests.venues.conftest import Opened, run
from venues.exchanges import EXCHANGES
from venues.exchanges.values import Asked, Limit, Told
from venues.strict import Reply

ADDRESS, LOGIN = LimitScope.ADDRESS, LimitScope.LOGIN
SYMBOL = {"symbol": "BTCUSDT"}


@dataclass(frozen=True, slots=True)
class Documented:
    """A request and what it costs: (scope, seconds, limit, amount) of each limit it counts in."""

    exchange: str
    asked: Asked
    costs: tuple[tuple[LimitScope, float, float, float], ...]


def asks(api: str, method: str, path: str, params: Any = None) -> Asked:
    return Asked(tuple(api.split()), method, path, {} if params is None else params)


TABLE = (
    Documented(
        "binanceusdm",
        asks("fapiPrivateV3", "GET", "positionRisk"),
        ((ADDRESS, 60, 2400, 5),),
    ),
    Documented(
        "binanceusdm",
        asks("fapiPrivate", "POST", "order", SYMBOL),
        ((ADDRESS, 60, 2400, 0), (LOGIN, 10, 300, 1), (LOGIN, 60, 1200, 1)),
    ),
    Documented(
        "bybit",
        asks("private", "POST", "v5/order/create", SYMBOL),
        ((ADDRESS, 5, 600, 1), (LOGIN, 1, 10, 1)),
    ),
    Documented(
        "bybit",
        asks("private", "GET", "v5/position/list"),
        ((ADDRESS, 5, 600, 1), (LOGIN, 1, 50, 1)),
    ),
    Documented("bybit", asks("public", "GET", "v5/market/tickers"), ((ADDRESS, 5, 600, 1),)),
    Documented(
        "okx",
        asks("private", "POST", "trade/batch-orders", [{"instId": "A"}, {"instId": "A"}]),
        ((LOGIN, 2, 1000, 2), (LOGIN, 2, 300, 2)),
    ),
    Documented("okx", asks("private", "GET", "account/positions"), ((LOGIN, 2, 10, 1),)),
    Documented("okx", asks("public", "GET", "public/instruments"), ((ADDRESS, 2, 20, 1),)),
    Documented(
        "bitget",
        asks("private mix", "GET", "v2/mix/position/all-position"),
        ((ADDRESS, 60, 6000, 1), (LOGIN, 1, 5, 1)),
    ),
    Documented(
        "bitget",
        asks("private mix", "POST", "v2/mix/order/place-order"),
        ((ADDRESS, 60, 6000, 1), (LOGIN, 1, 10, 1)),
    ),
    Documented(
        "gate", asks("private futures", "GET", "{settle}/positions"), ((LOGIN, 10, 200, 1),)
    ),
    Documented("gate", asks("private futures", "POST", "{settle}/orders"), ((LOGIN, 1, 100, 1),)),
    Documented("gate", asks("public futures", "GET", "{settle}/tickers"), ((ADDRESS, 10, 200, 1),)),
    Documented("kucoinfutures", asks("futuresPrivate", "POST", "orders"), ((LOGIN, 30, 2000, 2),)),
    Documented("kucoinfutures", asks("futuresPrivate", "GET", "fills"), ((LOGIN, 30, 2000, 5),)),
    Documented(
        "kucoinfutures", asks("futuresPublic", "GET", "timestamp"), ((ADDRESS, 30, 2000, 2),)
    ),
    Documented("hyperliquid", asks("private", "POST", "exchange"), ((ADDRESS, 60, 1200, 1),)),
    Documented(
        "hyperliquid",
        asks("public", "POST", "info", {"type": "clearinghouseState"}),
        ((ADDRESS, 60, 1200, 2),),
    ),
    Documented(
        "hyperliquid",
        asks("public", "POST", "info", {"type": "frontendOpenOrders"}),
        ((ADDRESS, 60, 1200, 20),),
    ),
    Documented("krakenfutures", asks("private", "POST", "sendorder"), ((LOGIN, 10, 500, 10),)),
    Documented("krakenfutures", asks("private", "GET", "openpositions"), ((LOGIN, 10, 500, 2),)),
    Documented("krakenfutures", asks("history", "GET", "orders"), ((LOGIN, 600, 100, 1),)),
    Documented(
        "krakenfutures",
        asks("history", "GET", "account-log", {"count": 1000}),
        ((LOGIN, 600, 100, 3),),
    ),
    Documented("krakenfutures", asks("public", "GET", "tickers"), ()),
    Documented("mexc", asks("contract private", "POST", "order/create"), ((ADDRESS, 2, 4, 1),)),
    Documented(
        "mexc", asks("contract private", "GET", "position/open_positions"), ((ADDRESS, 2, 20, 1),)
    ),
    Documented(
        "bingx",
        asks("swap v2 private", "POST", "trade/order"),
        ((ADDRESS, 10, 2000, 1), (LOGIN, 1, 10, 1)),
    ),
    Documented("bingx", asks("swap v2 public", "GET", "quote/price"), ((ADDRESS, 10, 500, 1),)),
)


@pytest.mark.parametrize(
    "row", TABLE, ids=lambda row: f"{row.exchange} {row.asked.method} {row.asked.path}"
)
def test_a_request_costs_what_the_venue_documents(row: Documented) -> None:
    charges = EXCHANGES[row.exchange].charges(row.asked)
    found = tuple(
        (each.limit.scope, each.limit.seconds, each.limit.most, each.amount) for each in charges
    )
    assert found == row.costs


def test_every_exchange_is_in_the_table() -> None:
    assert {row.exchange for row in TABLE} == set(EXCHANGES)


@pytest.mark.parametrize("params", [{}, SYMBOL], ids=["all symbols", "one symbol"])
@pytest.mark.parametrize(
    "path",
    [
        "/fapi/v3/positionRisk",
        "/fapi/v2/positionRisk",
        "/fapi/v3/balance",
        "/fapi/v1/userTrades",
        "/fapi/v1/allOrders",
        "/fapi/v1/openOrders",
        "/fapi/v1/openAlgoOrders",
        "/fapi/v1/order",
        "/fapi/v1/algoOrder",
        "/fapi/v1/premiumIndex",
        "/fapi/v1/ticker/24hr",
        "/fapi/v1/ticker/price",
        "/fapi/v1/ticker/bookTicker",
        "/fapi/v1/positionSide/dual",
        "/fapi/v1/exchangeInfo",
        "/fapi/v1/time",
        "/fapi/v1/ping",
    ],
)
def test_binance_weights_are_those_that_its_simulated_venue_counts(
    path: str, params: dict[str, str]
) -> None:
    words = path.split("/", 3)[3]
    (charge,) = EXCHANGES["binanceusdm"].charges(asks("fapiPrivate", "GET", words, params))
    assert charge.amount == weight_of("GET", path, params)


def test_binance_orders_weigh_and_count_as_on_its_simulated_venue() -> None:
    for method, path in (("POST", "/fapi/v1/order"), ("POST", "/fapi/v1/algoOrder")):
        words = path.split("/", 3)[3]
        weight, *counts = EXCHANGES["binanceusdm"].charges(asks("fapiPrivate", method, words))
        assert weight.amount == weight_of(method, path, {})
        assert tuple(each.amount for each in counts) == ORDERS[method, path]


@pytest.mark.parametrize("path", A_SECOND)
def test_bybit_is_never_asked_for_more_than_its_simulated_venue_allows(path: str) -> None:
    _, own = EXCHANGES["bybit"].charges(asks("private", "GET", path.removeprefix("/")))
    assert own.limit.most <= A_SECOND[path]


HEADERS: tuple[tuple[str, Asked, dict[str, str], list[tuple[str, float, float | None]]], ...] = (
    (
        "binanceusdm",
        asks("fapiPrivate", "POST", "order"),
        {
            "x-mbx-used-weight-1m": "120",
            "x-mbx-order-count-10s": "7",
            "x-mbx-order-count-1m": "9",
        },
        [("orders 10s", 7, None), ("orders 1m", 9, None), ("weight", 120, None)],
    ),
    (
        # Its header is known to be wrong there.
        "binanceusdm",
        asks("fapiPublic", "GET", "ticker/bookTicker"),
        {"x-mbx-used-weight-1m": "120"},
        [],
    ),
    (
        "bybit",
        asks("private", "GET", "v5/position/list"),
        {"x-bapi-limit": "50", "x-bapi-limit-status": "48"},
        [("position/list", 2, 50)],
    ),
    (
        "bybit",
        asks("private", "POST", "v5/order/create"),
        {"x-bapi-limit": "20", "x-bapi-limit-status": "19"},
        [("order/create", 1, 20)],
    ),
    (
        "bitget",
        asks("private mix", "GET", "v2/mix/position/all-position"),
        {"x-mbx-used-remain-limit": "3"},
        [("v2/mix/position/all-position", 2, None)],
    ),
    (
        "gate",
        asks("private futures", "GET", "{settle}/positions"),
        {"x-gate-ratelimit-requests-remain": "150", "x-gate-ratelimit-limit": "200"},
        [("GET {settle}/positions", 50, 200)],
    ),
    (
        "kucoinfutures",
        asks("futuresPrivate", "GET", "positions"),
        {"gw-ratelimit-remaining": "1900", "gw-ratelimit-limit": "2000"},
        [("futures", 100, 2000)],
    ),
    (
        "bingx",
        asks("swap v2 private", "GET", "user/positions"),
        {"x-ratelimit-requests-remain": "4"},
        [("GET user/positions", 1, None)],
    ),
    ("okx", asks("private", "GET", "account/positions"), {"x-anything": "1"}, []),
)


@pytest.mark.parametrize(
    ("exchange", "asked", "headers", "expected"), HEADERS, ids=lambda value: str(value)[:40]
)
def test_a_venues_headers_tell_what_is_used(
    exchange: str,
    asked: Asked,
    headers: dict[str, str],
    expected: list[tuple[str, float, float | None]],
) -> None:
    told = EXCHANGES[exchange].told_use(asked, headers)
    assert [(each.limit.name, each.used, each.most) for each in told] == expected


@pytest.mark.parametrize("damaged", ["", "many", "-3", "NaN", "1e400"])
@pytest.mark.parametrize("row", HEADERS, ids=lambda row: row[0])
def test_a_damaged_header_tells_nothing_or_a_number(
    row: tuple[str, Asked, dict[str, str], Any], damaged: str
) -> None:
    exchange, asked, headers, _ = row
    told = EXCHANGES[exchange].told_use(asked, dict.fromkeys(headers, damaged))
    assert all(isinstance(each, Told) and each.used == each.used for each in told)


def test_binances_minute_ends_by_its_own_clock() -> None:
    headers = {"x-mbx-used-weight-1m": "120", "date": "Sat, 28 Nov 2026 06:07:41 GMT"}
    (told,) = EXCHANGES["binanceusdm"].told_use(asks("fapiPublic", "GET", "time"), headers)
    assert told.resets == 19.0


def test_kucoins_pool_is_full_again_when_it_says() -> None:
    headers = {
        "gw-ratelimit-remaining": "0",
        "gw-ratelimit-limit": "2000",
        "gw-ratelimit-reset": "4500",
    }
    (told,) = EXCHANGES["kucoinfutures"].told_use(asks("futuresPrivate", "GET", "fills"), headers)
    assert (told.used, told.resets) == (2000.0, 4.5)


def test_a_long_answer_weighs_more_on_hyperliquid() -> None:
    hooks = EXCHANGES["hyperliquid"]
    asked = asks("public", "POST", "info", {"type": "userFillsByTime"})
    reply = Reply(200, "/info#userFillsByTime", [{}] * 45, "")
    (extra,) = hooks.charges_after(asked, reply)
    assert (extra.limit.name, extra.amount) == ("weight", 2.0)


@pytest.mark.parametrize("bodies", ALL, ids=lambda bodies: bodies.exchange)
def test_every_exchanges_reads_are_counted_in_limits_that_it_shows(
    bodies: VenueBodies, opened: Opened
) -> None:
    async def scenario() -> None:
        async with opened(bodies.exchange, options={}) as (canned, venue):
            canned.on(bodies.method, bodies.positions, bodies.listed([bodies.row(bodies.size)]))
            await venue.connect()
            await venue.fetch_positions()
            use = venue.budget()
            spent = {each.purpose: each for each in use.spent}
            assert spent["fetch_positions"].requests >= 1
            assert spent["fetch_positions"].weight >= 1
            assert any(limit.used_by_guard > 0 for limit in use.limits)
            shown = {(limit.scope, limit.name) for limit in use.limits}
            named: tuple[Limit, ...] = EXCHANGES[bodies.exchange].limits
            assert named
            assert {(limit.scope, limit.name) for limit in named} <= shown

    run(scenario())
