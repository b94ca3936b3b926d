"""Each venue's error bodies, through the real ccxt class, mean what `docs/spec/venues.md` says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from messages.values import LegKey, Side
from messages.venue import (
    OrderRequest,
    OrderType,
    OutcomeUnknown,
    Refused,
    Snapshot,
    VenueError,
)
from messages.venue import VenueErrorKind as K
from tests.venues.bodies import BY_EXCHANGE
from tests.venues.canned import Answer, CannedVenue
from tests.venues.conftest import KEY, PASSWORD, SECRET, Opened, run
from venues.port import Venue

ID = "5e70" + "ab" * 12


def _bybit(code: str, text: str) -> Answer:
    return Answer(body={"retCode": int(code), "retMsg": text, "result": {}})


def _binance(code: str, text: str) -> Answer:
    return Answer(body={"code": int(code), "msg": text}, status=400)


def _okx(code: str, text: str) -> Answer:
    row = {"clOrdId": ID, "ordId": "", "sCode": code, "sMsg": text, "tag": ""}
    return Answer(body={"code": "1", "data": [row], "msg": "All operations failed"})


def _okx_whole(code: str, text: str) -> Answer:
    return Answer(body={"code": code, "msg": text, "data": []}, status=401)


def _bitget(code: str, text: str) -> Answer:
    return Answer(body={"code": code, "msg": text, "requestTime": 1, "data": None}, status=400)


def _gate(label: str, text: str) -> Answer:
    return Answer(body={"label": label, "message": text}, status=400)


def _kucoin(code: str, text: str) -> Answer:
    return Answer(body={"code": code, "msg": text})


def _hyperliquid(_: str, text: str) -> Answer:
    statuses = {"type": "order", "data": {"statuses": [{"error": text}]}}
    return Answer(body={"status": "ok", "response": statuses})


def _hyperliquid_whole(_: str, text: str) -> Answer:
    return Answer(body={"status": "err", "response": text})


def _kraken(status: str, text: str) -> Answer:
    return Answer(body={"result": "success", "sendStatus": {"status": status}})


def _kraken_whole(error: str, text: str) -> Answer:
    return Answer(body={"result": "error", "error": error})


def _mexc(code: str, text: str) -> Answer:
    return Answer(body={"success": False, "code": int(code), "message": text})


def _bingx(code: str, text: str) -> Answer:
    return Answer(body={"code": int(code), "msg": text, "data": {}})


@dataclass(frozen=True, slots=True)
class Case:
    exchange: str
    write: Callable[[str, str], Answer]
    code: str
    text: str
    kind: K

    def __str__(self) -> str:
        return f"{self.exchange}-{self.code or self.text[:20]}"


def _cases(exchange: str, write: Callable[[str, str], Answer], *rows: tuple[str, str, K]) -> Any:
    return [Case(exchange, write, code, text, kind) for code, text, kind in rows]


CASES: list[Case] = [
    *_cases(
        "bybit",
        _bybit,
        ("110017", "current position is zero, reduce-only", K.NOTHING_TO_REDUCE),
        ("110007", "ab not enough for new order", K.MARGIN),
        ("110012", "Insufficient available balance", K.MARGIN),
        ("170131", "Insufficient balance.", K.WRONG_ROUTING),
        ("170121", "Invalid symbol.", K.WRONG_ROUTING),
        ("10006", "Too many visits!", K.RATE_LIMIT),
        ("10018", "Exceeded the IP Rate Limit", K.RATE_LIMIT),
        ("110001", "order not exists or too late to cancel", K.NO_SUCH_ORDER),
        ("110072", "OrderLinkedID is duplicate", K.DUPLICATE_ID),
        ("10003", "API key is invalid.", K.KEY),
        ("10004", "error sign! please check your signature generation algorithm.", K.KEY),
        ("33004", "Your api key has expired.", K.KEY),
        ("10005", "Permission denied, please check your API key permissions.", K.RIGHTS),
        ("10010", "Unmatched IP, please check your API key's bound IP addresses.", K.RIGHTS),
        ("10002", "invalid request, please check your server timestamp", K.CLOCK),
        ("10016", "Server error.", K.MAINTENANCE),
        ("10000", "Server Timeout", K.NETWORK),
        ("10001", "The number of contracts exceeds minimum limit allowed", K.SIZE),
        ("10001", "position idx not match position mode", K.OTHER),
        ("110094", "Order does not meet minimum order value 5USDT", K.SIZE),
        ("110003", "Order price exceeds the allowable range.", K.PRICE_BAND),
        ("110074", "This contract is not live", K.NOT_TRADABLE),
        ("110009", "The number of stop orders exceeds maximum limit allowed", K.OTHER),
    ),
    *_cases(
        "binanceusdm",
        _binance,
        ("-2022", "ReduceOnly Order is rejected.", K.NOTHING_TO_REDUCE),
        ("-4118", "ReduceOnly Order Failed.", K.REDUCE_ONLY_RESERVED),
        ("-2019", "Margin is insufficient.", K.MARGIN),
        ("-2018", "Balance is insufficient.", K.MARGIN),
        ("-1015", "Too many new orders.", K.RATE_LIMIT),
        ("-2013", "Order does not exist.", K.NO_SUCH_ORDER),
        ("-2011", "Unknown order sent.", K.NO_SUCH_ORDER),
        ("-4116", "ClientOrderId is duplicated.", K.DUPLICATE_ID),
        ("-2014", "API-key format invalid.", K.KEY),
        ("-2015", "Invalid API-key, IP, or permissions for action.", K.KEY),
        ("-1022", "Signature for this request is not valid.", K.KEY),
        ("-1021", "Timestamp for this request is outside of the recvWindow.", K.CLOCK),
        ("-1008", "Server is currently overloaded with other requests.", K.MAINTENANCE),
        ("-1001", "Internal error; unable to process your request.", K.MAINTENANCE),
        ("-1007", "Timeout waiting for response from backend server.", K.NETWORK),
        ("-4164", "Order's notional must be no smaller than 100", K.SIZE),
        ("-1111", "Precision is over the maximum defined for this asset.", K.SIZE),
        ("-4131", "The counterparty's best price is off the filter", K.PRICE_BAND),
        ("-1121", "Invalid symbol.", K.NOT_TRADABLE),
    ),
    *_cases(
        "okx",
        _okx,
        ("51169", "No positions to reduce", K.NOTHING_TO_REDUCE),
        ("51023", "Position does not exist", K.NOTHING_TO_REDUCE),
        ("51112", "Close order size exceeds available size", K.NOTHING_TO_REDUCE),
        ("51008", "Order failed. Insufficient USDT margin in account", K.MARGIN),
        ("51603", "Order does not exist", K.NO_SUCH_ORDER),
        ("51016", "Duplicated client order ID", K.DUPLICATE_ID),
        ("51020", "Order amount should be greater than the min available amount.", K.SIZE),
        ("51121", "Order count should be the integer multiples of the lot size.", K.SIZE),
        ("51006", "Order price is not within the price limit", K.PRICE_BAND),
        ("51134", "Closing failed. Check your holdings and pending orders", K.REDUCE_ONLY_RESERVED),
        ("51149", "Order timed out. Please try again.", K.NETWORK),
    ),
    *_cases(
        "okx",
        _okx_whole,
        ("50011", "Too Many Requests", K.RATE_LIMIT),
        ("50111", "Invalid OK-ACCESS-KEY", K.KEY),
        ("50113", "Invalid Sign", K.KEY),
        ("50110", "Your IP is not in the key's trusted IP addresses", K.RIGHTS),
        ("50120", "This API key doesn't have permission", K.RIGHTS),
        ("50102", "Timestamp request expired", K.CLOCK),
        ("50001", "Service temporarily unavailable", K.MAINTENANCE),
    ),
    *_cases(
        "bitget",
        _bitget,
        ("22002", "No position to close", K.NOTHING_TO_REDUCE),
        ("25227", "no position", K.NOTHING_TO_REDUCE),
        ("40762", "The order amount exceeds the balance", K.MARGIN),
        ("43012", "Insufficient balance", K.MARGIN),
        ("40768", "Order does not exist", K.NO_SUCH_ORDER),
        ("40786", "Duplicate clientOid", K.DUPLICATE_ID),
        ("40006", "Invalid ACCESS_KEY", K.KEY),
        ("40009", "sign signature error", K.KEY),
        ("40014", "Incorrect permissions", K.RIGHTS),
        ("40008", "Request timestamp expired", K.CLOCK),
        ("40200", "Server upgrade, please try again later", K.MAINTENANCE),
        ("40725", "service return an error", K.MAINTENANCE),
        ("45110", "less than the minimum amount 5 USDT", K.SIZE),
    ),
    *_cases(
        "gate",
        _gate,
        ("INCREASE_POSITION", "reduce-only order would increase the position", K.NOTHING_TO_REDUCE),
        ("POSITION_EMPTY", "empty position", K.NOTHING_TO_REDUCE),
        ("POSITION_NOT_FOUND", "position not found", K.NOTHING_TO_REDUCE),
        ("BALANCE_NOT_ENOUGH", "balance not enough", K.MARGIN),
        ("INSUFFICIENT_AVAILABLE", "insufficient available", K.MARGIN),
        ("TOO_MANY_REQUESTS", "slow down", K.RATE_LIMIT),
        ("ORDER_NOT_FOUND", "order not found", K.NO_SUCH_ORDER),
        ("REPEATED_CREATION", "repeated", K.DUPLICATE_ID),
        ("INVALID_KEY", "Invalid key provided", K.KEY),
        ("FORBIDDEN", "no right", K.RIGHTS),
        ("REQUEST_EXPIRED", "gap between request Timestamp and server time", K.CLOCK),
        ("SERVER_ERROR", "server error", K.MAINTENANCE),
        ("INVALID_PARAM_VALUE", "invalid size", K.SIZE),
    ),
    *_cases(
        "kucoinfutures",
        _kucoin,
        ("300009", "No open positions to close.", K.NOTHING_TO_REDUCE),
        ("100001", "Position does not exist", K.NO_SUCH_ORDER),
        ("", "Position does not exist", K.NOTHING_TO_REDUCE),
        ("300003", "Balance insufficient.", K.MARGIN),
        ("200005", "balance", K.MARGIN),
        ("429000", "Too many requests", K.RATE_LIMIT),
        ("300018", "clientOid repeated", K.DUPLICATE_ID),
        ("400003", "KC-API-KEY not exists", K.KEY),
        ("400005", "Invalid KC-API-SIGN", K.KEY),
        ("400002", "KC-API-TIMESTAMP Invalid", K.CLOCK),
        ("500000", "Internal Server Error", K.MAINTENANCE),
        ("300000", "Invalid size", K.SIZE),
    ),
    *_cases(
        "hyperliquid",
        _hyperliquid,
        ("", "Reduce only order would increase position. asset=0", K.NOTHING_TO_REDUCE),
        ("", "Insufficient margin to place order. asset=0", K.MARGIN),
        ("", "Order was never placed, already canceled, or filled. asset=0", K.NO_SUCH_ORDER),
        ("", "Order must have minimum value of $10. asset=0", K.SIZE),
        ("", "Price must be divisible by tick size. asset=0", K.PRICE_BAND),
        ("", "Order could not immediately match against any resting orders.", K.PRICE_BAND),
    ),
    *_cases(
        "hyperliquid",
        _hyperliquid_whole,
        ("", "User or API Wallet 0x11 does not exist.", K.KEY),
    ),
    *_cases(
        "krakenfutures",
        _kraken,
        ("wouldNotReducePosition", "", K.NOTHING_TO_REDUCE),
        ("insufficientAvailableFunds", "", K.MARGIN),
        ("clientOrderIdAlreadyExist", "", K.DUPLICATE_ID),
        ("invalidSize", "", K.SIZE),
        ("selfFill", "", K.OTHER),
        ("iocWouldNotExecute", "", K.PRICE_BAND),
    ),
    *_cases(
        "krakenfutures",
        _kraken_whole,
        ("apiLimitExceeded", "", K.RATE_LIMIT),
        ("authenticationError", "", K.KEY),
        ("nonceBelowThreshold", "", K.CLOCK),
    ),
    *_cases(
        "mexc",
        _mexc,
        ("2009", "Position is not exists or closed", K.NOTHING_TO_REDUCE),
        ("2005", "Balance insufficient", K.MARGIN),
        ("510", "Excessive frequency of requests", K.RATE_LIMIT),
        ("602", "Signature verification failed", K.KEY),
    ),
    *_cases(
        "bingx",
        _bingx,
        ("101205", "No position to close", K.NOTHING_TO_REDUCE),
        ("101204", "Insufficient margin", K.MARGIN),
        ("100001", "Signature verification failed", K.KEY),
        ("100421", "timestamp mismatch", K.CLOCK),
        ("100202", "Insufficient balance", K.MARGIN),
        ("80012", '{"Code":101253,"Msg":"margin is not enough"}', K.MARGIN),
        ("101400", "The minimum order amount is 0.0001 BTC.", K.SIZE),
        ("100410", "The current system is busy, please try again later", K.MAINTENANCE),
    ),
]  # fmt: skip

ORDERS = {
    "bybit": "/v5/order/create",
    "binanceusdm": "/fapi/v1/order",
    "okx": "/api/v5/trade/batch-orders",
    "bitget": "/api/v2/mix/order/place-order",
    "gate": "/futures/usdt/orders",
    "kucoinfutures": "/api/v1/orders",
    "hyperliquid": "/exchange",
    "krakenfutures": "/sendorder",
    "mexc": "/order/create",
    "bingx": "/swap/v2/trade/order",
}
UNSURE = (K.NETWORK, K.MAINTENANCE)


def close_order(exchange: str, **other: Any) -> OrderRequest:
    bodies = BY_EXCHANGE[exchange]
    return OrderRequest(
        key=LegKey("main", bodies.symbol, Side.LONG),
        client_order_id=ID,
        quantity=Decimal(bodies.quantity),
        type=other.pop("type", OrderType.LIMIT_AGGRESSIVE),
        price=other.pop("price", Decimal(51000)),
        **other,
    )


async def refused_with(canned: CannedVenue, venue: Venue, exchange: str, answer: Answer) -> Any:
    canned.on("POST", ORDERS[exchange], answer)
    return await venue.place(close_order(exchange))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_refused_order_means_what_the_venues_code_says(case: Case, opened: Opened) -> None:
    async def scenario() -> None:
        async with opened(case.exchange) as (canned, venue):
            answer = case.write(case.code, case.text)
            placed = await refused_with(canned, venue, case.exchange, answer)
            assert canned.asked(ORDERS[case.exchange]), canned.seen
            assert isinstance(placed, Refused | OutcomeUnknown), placed
            assert placed.error.kind is case.kind, placed
            if case.code:
                assert placed.error.code == case.code
            # Only the venue's own no is a no: a busy server may have done it all the same.
            assert isinstance(placed, OutcomeUnknown) == (case.kind in UNSURE)

    run(scenario())


@pytest.mark.parametrize(
    "text",
    [
        '{"RETCODE": 170131, "retMsg": "INSUFFICIENT BALANCE."}',
        '{"retCode": 1, "retMsg": "code 170131: saldo insuficiente"}',
        '{"retCode": 1, "retMsg": "余额不足", "retExtInfo": {"list": [{"code": 170131}]}}',
        '{"retCode": 170131, "retMsg": "余额不足"}',
    ],
)
def test_a_code_is_found_in_any_case_language_and_envelope(text: str, opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            placed = await refused_with(canned, venue, "bybit", Answer(text=text))
            assert isinstance(placed, Refused | OutcomeUnknown), placed
            assert placed.error.kind is K.WRONG_ROUTING, placed
            assert placed.error.code == "170131"

    run(scenario())


@pytest.mark.parametrize("exchange", list(ORDERS))
def test_whatever_is_no_refusal_leaves_the_outcome_unknown(exchange: str, opened: Opened) -> None:
    damaged = {
        "empty": Answer(text=""),
        "HTML": Answer(text="<html>"),
        "cut": Answer(text='{"re', cut=True),
        "half": Answer(text='{"retCode": 0, "result": {"ord'),
        "no ids": Answer(body={}),
        "bad gateway": Answer(text="<html>", status=502),
        "unavailable": Answer(text="", status=503),
        "time-out at the edge": Answer(text="", status=504),
    }

    async def scenario() -> None:
        async with opened(exchange) as (canned, venue):
            for name, answer in damaged.items():
                placed = await refused_with(canned, venue, exchange, answer)
                assert isinstance(placed, OutcomeUnknown), (name, placed)
                assert placed.error.kind in (*UNSURE, K.MALFORMED), (name, placed)
            assert len(canned.asked(ORDERS[exchange])) == len(damaged)

    run(scenario())


@pytest.mark.parametrize("exchange", list(ORDERS))
def test_a_request_turned_away_for_its_rate_was_never_an_order(
    exchange: str, opened: Opened
) -> None:
    async def scenario() -> None:
        async with opened(exchange) as (canned, venue):
            answer = Answer(text="slow down", status=429)
            placed = await refused_with(canned, venue, exchange, answer)
            assert isinstance(placed, Refused), placed
            assert placed.error.kind is K.RATE_LIMIT

    run(scenario())


def test_no_secret_and_no_signature_is_in_an_error(opened: Opened) -> None:
    async def scenario() -> None:
        for exchange in ("bybit", "binanceusdm", "okx", "mexc"):
            bodies = BY_EXCHANGE[exchange]
            async with opened(exchange) as (canned, venue):
                said: list[VenueError] = []
                for answer in (
                    Answer(text="", status=502),
                    Answer(text="", cut=True),
                    Answer(body={"code": -1, "msg": f"key {KEY} and secret {SECRET}"}, status=400),
                    Answer(body={"code": -1, "msg": f'"signature":"{"f" * 64}"'}, status=400),
                ):
                    canned.on(bodies.method, bodies.positions, answer)
                    snapshot: Snapshot = await venue.fetch_positions()
                    said += snapshot.problems
                assert len(said) == 4
                signatures = {s.query.get("signature", "nothing") for s in canned.seen}
                for error in said:
                    for secret in (KEY, SECRET, PASSWORD, "f" * 64, *signatures):
                        assert secret not in error.message

    run(scenario())
