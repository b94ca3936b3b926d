"""Each documented reply that the gateway reads is in a test; of the others it says why not."""

from __future__ import annotations

import json

from tests.venues.payloads import FILES, FIXTURES, here
from tests.venues.test_fixture_fills import FILL_CASES
from tests.venues.test_fixture_orders import ORDER_CASES
from tests.venues.test_fixture_positions import POSITIONS
from tests.venues.test_fixture_resting import OPEN_CASES

pytestmark = here

ELSEWHERE = {
    # Tests of their own, beside the tables.
    "binance": {"GetPositionInformation", "GetConditionalOrder"},
    "bingx": {"GetUserTrades"},
    "mexc": {"GetOpenOrders", "GetTriggerOrders", "GetTpSlOrders", "GetOpenTpSlOrders"},
}
ANOTHER_QUESTION = {
    # Endpoints that the gateway never asks: the same rows come from those that it does ask.
    "binance": {"GetOpenOrder", "GetConditionalOrders"},
    "bitget": {"GetPosition", "GetClosedOrders", "GetClosedTriggerOrders", "GetTriggerSubOrders"},
    "bingx": {"GetClosedOrders", "GetOrders"},
    "gate": {"GetOrdersByTime", "GetTriggerOrder"},
    "hyperliquid": {"GetOpenOrders"},
    "krakenfutures": {"GetExecutionEvents"},
    "kucoinfutures": {"GetPosition", "GetClosedOrders", "GetRecentUserTrades"},
    "mexc": {"GetOrdersById"},
    "okx": {"GetAlgoOrderHistory", "GetOrderArchive", "GetOrderHistory"},
}
NO_LEG_ORDER_OR_FILL = {
    "binance": {
        "GetOrderRateLimit",
        "GetTopLongShortPositionRatio",
        "GetAlgoSubOrders",
        "GetClosedAlgoOrders",
        "GetOpenAlgoOrders",
        "GetOrderEditHistory",
        "GetOrders",
    },
    "bingx": {"GetPositionAndMarginInfo", "GetPositionHistory"},
    "bitget": {"GetPositionTiers", "GetPositionHistory"},
    "bybit": {"GetOrderPriceLimit", "GetLeverageTokenOrderHistory"},
    "gate": {"GetPositionCloseHistory"},
    "kucoinfutures": {"GetOpenOrderValue", "GetPositionHistory", "GetMaxOpenPositionSize"},
    "mexc": {
        "GetOpenOrderCounts",
        "GetPositionHistory",
        # A form that is no JSON; its rows are those of GetOrderTrades.
        "GetUserTrades",
    },
    "okx": {"GetAccountPositionHistory", "GetPositionTiers"},
}


def test_no_documented_reply_of_positions_orders_or_fills_is_left_unread() -> None:
    tables = (*POSITIONS, *ORDER_CASES, *OPEN_CASES, *FILL_CASES)
    read = {(FILES.get(case.exchange, case.exchange), case.name) for case in tables}
    excused = {
        (venue, name)
        for reasons in (ELSEWHERE, ANOTHER_QUESTION, NO_LEG_ORDER_OR_FILL)
        for venue, names in reasons.items()
        for name in names
    }
    documented = {
        (file.stem, entry["name"])
        for file in FIXTURES.glob("*.json")
        for entry in json.loads(file.read_text())
        if entry["verb"] == "GET" or entry["path"] == "/info"
    }
    assert documented - read - excused == set()
    assert excused - documented == set()
    assert read & excused == set()


def test_each_venue_s_positions_orders_and_fills_are_read_from_what_is_documented() -> None:
    venues = {file.stem for file in FIXTURES.glob("*.json")}
    # Hyperliquid's positions are not among the payloads; bingx documents fills without a side.
    for cases, missing in (
        (POSITIONS, {"hyperliquid"}),
        ((*ORDER_CASES, *OPEN_CASES), set()),
        (FILL_CASES, {"bingx"}),
    ):
        read = {FILES.get(case.exchange, case.exchange) for case in cases}
        assert venues - read == missing
