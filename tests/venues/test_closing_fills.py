"""Which leg a fill closed, on venues that hold both legs of a symbol.

A fill of the long leg that is taken for one of the short leg's would be evidence that the short
leg is gone while it is there: a false ghost.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from messages.values import LegKey, Side
from messages.venue import Fills
from rules.explanation import explain
from rules.leg_records import Account, History
from tests.venues.bodies import BY_EXCHANGE
from tests.venues.conftest import Opened, run

Json = Any
AT = datetime.now(UTC) - timedelta(hours=1)
MS = int(AT.timestamp() * 1000)
LONG, SHORT = Side.LONG, Side.SHORT


def bitget(side: str, trade_side: str, mode: str = "hedge_mode") -> tuple[str, Json]:
    row = {
        "tradeId": "1",
        "symbol": "BTCUSDT",
        "orderId": "2",
        "price": "50000",
        "baseVolume": "0.03",
        "feeDetail": [{"feeCoin": "USDT", "totalFee": "-0.1"}],
        "side": side,
        "tradeSide": trade_side,
        "posMode": mode,
        "cTime": str(MS),
    }
    return "/api/v2/mix/order/fills", {"code": "00000", "data": {"fillList": [row]}}


def mexc(side: int) -> tuple[str, Json]:
    row = {
        "id": "1",
        "symbol": "BTC_USDT",
        "side": side,
        "vol": 300,
        "price": 50000,
        "fee": 0.1,
        "feeCurrency": "USDT",
        "timestamp": MS,
        "orderId": "2",
    }
    return "/order/list/order_deals", {"success": True, "code": 0, "data": [row]}


def gate(size: int, close_size: int) -> tuple[str, Json]:
    row = {
        "id": 1,
        "create_time": MS / 1000,
        "contract": "BTC_USDT",
        "order_id": "2",
        "size": size,
        "close_size": close_size,
        "price": "50000",
        "fee": "0.1",
        "text": "api",
        "role": "taker",
    }
    return "/futures/usdt/my_trades_timerange", [row]


@pytest.mark.parametrize(
    ("exchange", "answer", "closed"),
    [
        ("bitget", bitget("buy", "open"), None),
        ("bitget", bitget("buy", "close"), LONG),
        ("bitget", bitget("sell", "open"), None),
        ("bitget", bitget("sell", "close"), SHORT),
        ("bitget", bitget("buy", "burst_close_long"), LONG),
        ("bitget", bitget("sell", "reduce_close_short"), SHORT),
        ("mexc", mexc(1), None),
        ("mexc", mexc(2), SHORT),
        ("mexc", mexc(3), None),
        ("mexc", mexc(4), LONG),
        ("gate", gate(300, 0), None),
        ("gate", gate(300, 300), SHORT),
        ("gate", gate(-300, 0), None),
        ("gate", gate(-300, -300), LONG),
        # It closed a third of the short leg, and opened a long one with the rest.
        ("gate", gate(300, 100), None),
    ],
)
def test_a_fill_is_evidence_against_the_leg_that_it_closed_and_no_other(
    exchange: str, answer: tuple[str, Json], closed: Side | None, opened: Opened
) -> None:
    symbol = BY_EXCHANGE[exchange].symbol

    async def scenario() -> None:
        async with opened(exchange) as (canned, venue):
            path, body = answer
            canned.on("GET", path, body)
            told = await venue.fetch_fills(symbol, AT - timedelta(hours=1))
            assert isinstance(told, Fills), told
            assert len(told.fills) == 1
            gone = {
                side
                for side in Side
                if explain(
                    Account(
                        key=LegKey("main", symbol, side),
                        opened_at=AT - timedelta(minutes=30),
                        rows_quantity=Decimal("0.03"),
                        history=History(since=told.since, fills=told.fills),
                    )
                ).explained_by
            }
            assert gone == ({closed} if closed is not None else set())

    run(scenario())
