"""Replies that were recorded, or that venues document, through the real gateway and ccxt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actors.execution.leg_opening import find_opening
from messages.to_exchange import FindOpening
from messages.venue import Protection
from rules.protection import Coverage, coverage
from tests.venues import recorded
from tests.venues.bodies import BY_EXCHANGE
from tests.venues.canned import CannedVenue
from tests.venues.conftest import settings_of
from tests.venues.recorded import CASES, Case
from venues.gateway import CcxtVenue

CASE_LIST = recorded.cases()
here = pytest.mark.skipif(not CASES.is_dir(), reason="the recorded cases are not here")


def clock(case: Case) -> Callable[[], datetime]:
    """The clock of the recording, which goes on; the machine's where the case names none."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    at = case.get("now")
    if at is None:
        return lambda: datetime.now(UTC)
    recorded_at = datetime.fromtimestamp(at / 1000, tz=UTC)
    return lambda: recorded_at + timedelta(seconds=loop.time() - begun)


def asked(case: Case, tmp_path: Path, ask: Callable[[CcxtVenue, CannedVenue], Any]) -> Any:
    async def main() -> Any:
        exchange = case["venue"]
        async with CannedVenue(tmp_path / "ca.pem") as canned:
            recorded.install(canned, case)
            settles = tuple(case.get("settles") or BY_EXCHANGE[exchange].settles)
            settings = settings_of(exchange, canned.connect, canned.ca_file, settles=settles)
            venue = CcxtVenue(settings, clock(case))
            try:
                return await ask(venue, canned)
            finally:
                await venue.close()

    return asyncio.run(main())


@here
@pytest.mark.parametrize("case", CASE_LIST, ids=lambda case: case["id"])
def test_a_recorded_reply_is_read_as_what_it_says(case: Case, tmp_path: Path) -> None:
    async def ask(venue: CcxtVenue, canned: CannedVenue) -> Any:
        return await recorded.ask(venue, canned, case)

    assert not recorded.differences(case["expect"], asked(case, tmp_path, ask))


@here
def test_the_children_of_an_unfilled_order_cover_no_leg(tmp_path: Path) -> None:
    (case,) = [case for case in CASE_LIST if case["id"] == "hlsdk-children-of-unfilled-parent"]
    position = {
        "coin": "INJ",
        "entryPx": "10.1",
        "leverage": {"type": "cross", "value": 5},
        "liquidationPx": "3.0",
        "marginUsed": "25",
        "positionValue": "126.25",
        "returnOnEquity": "0",
        "szi": "12.5",
        "unrealizedPnl": "0",
        "maxLeverage": 20,
    }
    held = {
        "path": "/info#clearinghouseState",
        "body": {
            "assetPositions": [{"position": position, "type": "oneWay"}],
            "marginSummary": {
                "accountValue": "1000",
                "totalNtlPos": "126",
                "totalRawUsd": "1",
                "totalMarginUsed": "25",
            },
        },
    }

    async def ask(venue: CcxtVenue, canned: CannedVenue) -> Coverage:
        snapshot = await venue.fetch_positions()
        protection = await venue.fetch_protection((snapshot.positions[0].key.symbol,))
        assert isinstance(protection, Protection)
        return coverage(snapshot.positions[0], protection)

    covered = asked({**case, "routes": [*case["routes"], held]}, tmp_path, ask)
    assert covered.quantity == 0


@pytest.mark.parametrize("pairs", [20, 75])
def test_an_opening_is_told_from_however_many_fills_there_are(pairs: int, tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    begun, opened_at = now - timedelta(days=5), now - timedelta(minutes=10)
    # Opened and closed again in the week; the leg that is held is the last one.
    moments = [(begun - timedelta(minutes=30), "SELL")]
    for hour in range(pairs):
        moments.append((begun + timedelta(hours=hour), "BUY"))
        moments.append((begun + timedelta(hours=hour, minutes=30), "SELL"))
    rows = [_bingx_fill(n, at, side) for n, (at, side) in enumerate([*moments, (opened_at, "BUY")])]
    position = {
        "positionId": "1",
        "symbol": "WLD-USDT",
        "currency": "USDT",
        "positionAmt": "4.1",
        "availableAmt": "4.1",
        "positionSide": "LONG",
        "isolated": False,
        "avgPrice": "3.1",
        "markPrice": "3.1",
        "initialMargin": "1",
        "leverage": 10,
        "unrealizedProfit": "0",
        "liquidationPrice": 0,
        "onlyOnePosition": False,
        "updateTime": int(now.timestamp() * 1000),
    }
    case: Case = {
        "venue": "bingx",
        "instruments": [["WLD-USDT", "WLD", "USDT", "USDT", "1", "linear"]],
        "routes": [
            {
                "path": "/swap/v2/trade/allFillOrders",
                "body": {"code": 0, "msg": "", "data": {"fill_orders": rows}},
            },
            {"path": "/swap/v2/user/positions", "body": {"code": 0, "msg": "", "data": [position]}},
        ],
    }

    async def ask(venue: CcxtVenue, canned: CannedVenue) -> Any:
        snapshot = await venue.fetch_positions()
        request = FindOpening(position=snapshot.positions[0], seen_at=datetime.now(UTC))
        return await find_opening(venue, request, lambda: datetime.now(UTC))

    assert asked(case, tmp_path, ask).at == opened_at


def _bingx_fill(number: int, at: datetime, side: str) -> dict[str, Any]:
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S")
    return {
        "filledTm": f"{stamp}Z",
        "filledTime": f"{stamp}.000+0000",
        "volume": "4.1",
        "price": "3.1",
        "amount": "12.7",
        "commission": "-0.0025",
        "currency": "USDT",
        "orderId": str(1736007768311120000 + number),
        "liquidatedPrice": "",
        "liquidatedMarginRatio": "",
        "clientOrderID": "",
        "symbol": "WLD-USDT",
        "side": side,
        "positionSide": "LONG",
        "tradeId": str(5000 + number),
    }
