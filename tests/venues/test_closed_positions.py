"""The venue's own record of positions that ended, read whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from messages.values import Side
from messages.venue import ClosedPosition, ClosedPositions, FillKind, NotTold, VenueError
from tests.venues.bodies import BY_EXCHANGE
from tests.venues.canned import Answer, Seen
from tests.venues.conftest import Opened, run
from venues.exchanges import EXCHANGES

ENDED = datetime(2026, 11, 20, 12, tzinfo=UTC)
MS = int(ENDED.timestamp() * 1000)
OPENED_MS = MS - 3_600_000


@dataclass(frozen=True, slots=True)
class Kept:
    """A venue's row of a closed long, the place of its list, and what the row says.

    `size` is in the venue's own unit and `entry`, `exit`, `pnl` are as the row has them.
    """

    exchange: str
    path: str
    row: dict[str, Any]
    listed: Callable[[list[Any]], Any]
    size: str
    method: str = "GET"
    entry: str | None = "50000"
    pnl: str | None = "12.5"
    opened: bool = True
    whole: bool = True
    flipped: dict[str, Any] = field(default_factory=dict)
    """What makes the row that of a short."""


def _data(code: Any) -> Callable[[list[Any]], Any]:
    return lambda rows: {"code": code, "msg": "", "data": rows}


KEPT = (
    Kept(
        "bybit",
        "/v5/position/closed-pnl",
        {
            "symbol": "BTCUSDT",
            "orderId": "o-1",
            "side": "Sell",
            "closedSize": "0.5",
            "avgEntryPrice": "50000",
            "avgExitPrice": "50100",
            "closedPnl": "12.5",
            "execType": "Trade",
            "createdTime": str(MS),
            "updatedTime": str(MS),
        },
        lambda rows: {"retCode": 0, "retMsg": "", "result": {"list": rows, "nextPageCursor": ""}},
        "0.5",
        opened=False,
        whole=False,
        flipped={"side": "Buy"},
    ),
    Kept(
        "okx",
        "/api/v5/account/positions-history",
        {
            "instId": "BTC-USDT-SWAP",
            "posId": "1",
            "direction": "long",
            "closeTotalPos": "5",
            "openAvgPx": "50000",
            "closeAvgPx": "50100",
            "realizedPnl": "12.5",
            "type": "2",
            "cTime": str(OPENED_MS),
            "uTime": str(MS),
        },
        _data("0"),
        "5",
        flipped={"direction": "short"},
    ),
    Kept(
        "bitget",
        "/api/v2/mix/position/history-position",
        {
            "symbol": "BTCUSDT",
            "positionId": "1",
            "holdSide": "long",
            "closeTotalPos": "0.5",
            "openAvgPrice": "50000",
            "closeAvgPrice": "50100",
            "netProfit": "12.5",
            "ctime": str(OPENED_MS),
            "utime": str(MS),
        },
        lambda rows: {"code": "00000", "msg": "", "data": {"list": rows, "endId": ""}},
        "0.5",
        flipped={"holdSide": "short"},
    ),
    Kept(
        "gate",
        "/futures/usdt/position_close",
        {
            "contract": "BTC_USDT",
            "time": MS // 1000,
            "first_open_time": OPENED_MS // 1000,
            "side": "long",
            "accum_size": "5",
            "max_size": "9",
            "long_price": "50000",
            "short_price": "50100",
            "pnl": "12.5",
            "text": "web",
        },
        lambda rows: rows,
        "5",
        flipped={"side": "short", "long_price": "50100", "short_price": "50000"},
    ),
    Kept(
        "kucoinfutures",
        "/api/v1/history-positions",
        {
            "symbol": "XBTUSDTM",
            "closeId": "1",
            "type": "CLOSE_LONG",
            "closeSize": "5",
            "openPrice": "50000",
            "closePrice": "50100",
            "pnl": "12.5",
            "openTime": OPENED_MS,
            "closeTime": MS,
        },
        lambda rows: {
            "code": "200000",
            "data": {"items": rows, "currentPage": 1, "totalPage": 1, "totalNum": len(rows)},
        },
        "5",
        flipped={"type": "CLOSE_SHORT"},
    ),
    Kept(
        "hyperliquid",
        "/info#userFillsByTime",
        {
            "coin": "BTC",
            "tid": 1,
            "oid": 2,
            "dir": "Close Long",
            "side": "A",
            "startPosition": "0.5",
            "sz": "0.5",
            "px": "50100",
            "closedPnl": "12.5",
            "fee": "0.1",
            "feeToken": "USDC",
            "time": MS,
        },
        lambda rows: rows,
        "0.5",
        method="POST",
        entry=None,
        opened=False,
        flipped={"side": "B", "startPosition": "-0.5", "dir": "Close Short"},
    ),
    Kept(
        "krakenfutures",
        "/api/history/v3/positions",
        {
            "uid": "u-1",
            "event": {
                "PositionUpdate": {
                    "tradeable": "PF_XBTUSD",
                    "positionChange": "close",
                    "oldPosition": "0.5",
                    "newPosition": "0",
                    "executionSize": "0.5",
                    "oldAverageEntryPrice": "50000",
                    "executionPrice": "50100",
                    "realizedPnL": "12.5",
                    "tradeType": "userExecution",
                    "updateReason": "trade",
                    "fillTime": OPENED_MS,
                    "timestamp": MS,
                }
            },
        },
        lambda rows: {"accountUid": "a", "len": len(rows), "elements": rows},
        "0.5",
        opened=False,
        flipped={"oldPosition": "-0.5"},
    ),
    Kept(
        "mexc",
        "/position/list/history_positions",
        {
            "symbol": "BTC_USDT",
            "positionId": 1,
            "positionType": 1,
            "state": 3,
            "closeVol": 5,
            "openAvgPrice": 50000,
            "closeAvgPrice": 50100,
            "realised": "12.5",
            "createTime": OPENED_MS,
            "updateTime": MS,
        },
        lambda rows: {"success": True, "code": 0, "data": rows},
        "5",
        flipped={"positionType": 2},
    ),
    Kept(
        "bingx",
        "/swap/v1/trade/positionHistory",
        {
            "symbol": "BTC-USDT",
            "positionId": "1",
            "positionSide": "LONG",
            "closePositionAmt": "0.5",
            "avgPrice": "50000",
            "avgClosePrice": "50100",
            "netProfit": "12.5",
            "openTime": OPENED_MS,
            "updateTime": MS,
            "closeAllPositions": True,
        },
        lambda rows: {"code": 0, "msg": "", "data": {"positionHistory": rows}},
        "0.5",
        flipped={"positionSide": "SHORT"},
    ),
)


def exchange_of(kept: Kept) -> str:
    return kept.exchange


SINCE = ENDED - timedelta(days=1)


def changed(row: Any, **changes: Any) -> Any:
    if not isinstance(row, dict):
        return row
    return {key: changes.get(key, changed(value, **changes)) for key, value in row.items()}


def test_every_venue_that_keeps_a_record_is_tried_here() -> None:
    keeping = {known.facts.exchange for known in EXCHANGES.values() if known.facts.keeps_closed}
    assert keeping == {kept.exchange for kept in KEPT}


@pytest.mark.parametrize("kept", KEPT, ids=exchange_of)
def test_the_end_of_a_position_is_what_its_venue_keeps_of_it(kept: Kept, opened: Opened) -> None:
    async def read(row: Any) -> ClosedPosition:
        async with opened(kept.exchange) as (canned, venue):
            canned.on(kept.method, kept.path, Answer(body=kept.listed([row])))
            told = await venue.closed_positions(BY_EXCHANGE[kept.exchange].symbol, SINCE)
            assert isinstance(told, ClosedPositions), told
            (record,) = told.records
            return record

    async def scenario() -> None:
        contract = Decimal(BY_EXCHANGE[kept.exchange].contract_size)
        record = await read(kept.row)
        assert record.side is Side.LONG
        assert record.quantity == Decimal(kept.size) * contract
        assert record.ended_at == ENDED
        assert record.exit_price == Decimal(50100)
        assert record.entry_price == (None if kept.entry is None else Decimal(kept.entry))
        assert record.realized_pnl == (None if kept.pnl is None else Decimal(kept.pnl))
        assert (record.opened_at is not None) is kept.opened
        assert record.whole is kept.whole
        assert record.kind is FillKind.TRADE
        short = await read(changed(kept.row, **kept.flipped))
        assert short.side is Side.SHORT
        assert (short.entry_price, short.exit_price) == (record.entry_price, record.exit_price)

    run(scenario())


@pytest.mark.parametrize("kept", KEPT, ids=exchange_of)
def test_a_record_that_cannot_be_read_whole_is_an_error(kept: Kept, opened: Opened) -> None:
    words = ("side", "direction", "holdSide", "type", "positionSide", "oldPosition")
    nameless: dict[str, Any] = {**dict.fromkeys(words, ""), "positionType": 0}

    async def scenario() -> None:
        async with opened(kept.exchange) as (canned, venue):
            symbol = BY_EXCHANGE[kept.exchange].symbol
            for answer in (
                Answer(text=""),
                Answer(body={"unexpected": True}),
                Answer(status=503, text="busy"),
            ):
                canned.on(kept.method, kept.path, answer)
                assert isinstance(await venue.closed_positions(symbol, SINCE), VenueError)
            if kept.exchange != "hyperliquid":
                row = changed(kept.row, **nameless)
                canned.on(kept.method, kept.path, Answer(body=kept.listed([row])))
                assert isinstance(await venue.closed_positions(symbol, SINCE), VenueError)

    run(scenario())


def test_okx_is_read_page_by_page_until_before_the_window(opened: Opened) -> None:
    """A page of a hundred, the last changed first; `after` leaves the named time itself out."""
    (kept,) = [kept for kept in KEPT if kept.exchange == "okx"]
    rows = [{**kept.row, "posId": str(n), "uTime": str(MS - n // 2 * 1000)} for n in range(250)]

    def answer(request: Seen) -> Answer:
        after = int(request.query.get("after", MS + 1))
        page = [row for row in rows if int(row["uTime"]) < after]
        return Answer(body=kept.listed(page[:100]))

    async def scenario() -> None:
        async with opened("okx") as (canned, venue):
            canned.on("GET", kept.path, answer)
            told = await venue.closed_positions("BTC/USDT:USDT", SINCE)
            assert isinstance(told, ClosedPositions), told
            assert len(told.records) == 250
            ends = [record.ended_at for record in told.records]
            assert ends == sorted(ends)
            later = await venue.closed_positions("BTC/USDT:USDT", ENDED - timedelta(seconds=9))
            assert isinstance(later, ClosedPositions)
            assert len(later.records) == 20

    run(scenario())


def test_a_record_without_a_size_is_no_record(opened: Opened) -> None:
    """KuCoin documents ends with neither size nor price."""
    (kept,) = [kept for kept in KEPT if kept.exchange == "kucoinfutures"]

    async def scenario() -> None:
        async with opened("kucoinfutures") as (canned, venue):
            row = {**kept.row, "closeSize": None, "type": "LIQUID_LONG"}
            canned.on("GET", kept.path, Answer(body=kept.listed([row])))
            symbol = BY_EXCHANGE["kucoinfutures"].symbol
            told = await venue.closed_positions(symbol, SINCE)
            assert isinstance(told, VenueError)
            assert "no size" in told.message

    run(scenario())


def test_a_venue_that_keeps_no_record_says_so(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("binanceusdm") as (_, venue):
            assert isinstance(await venue.closed_positions("BTC/USDT:USDT", SINCE), NotTold)

    run(scenario())
