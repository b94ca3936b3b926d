"""Cases of recorded or documented replies, each installed at a canned venue and asked for.

The cases lie outside the repository. A case names its venue, the instruments that its replies speak
of, the replies by path, a question, and what of the answer is known; the rest is not compared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

from messages.values import LegKey, Side
from messages.venue import OrderRequest, OrderType, Protection, Snapshot
from tests.venues import bodies
from tests.venues.bodies import BY_EXCHANGE, Json
from tests.venues.canned import Answer, CannedVenue, Seen
from venues.exchanges import EXCHANGES
from venues.gateway import CcxtVenue
from venues.numbers import instant_or_none
from venues.stream_hints import is_data, read_hints

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "recorded" / "cases"
Case = dict[str, Any]
Spec = tuple[str, str, str, str, Any, str]
"""Venue id, base, quote, settle, contract size, kind (linear, inverse, future)."""

EMPTY: dict[str, Json] = {
    "bybit": {"retCode": 0, "retMsg": "OK", "result": {"list": [], "nextPageCursor": ""}},
    "okx": {"code": "0", "msg": "", "data": []},
    "bitget": {"code": "00000", "msg": "", "data": {"entrustedList": None, "fillList": None}},
    "kucoinfutures": {
        "code": "200000",
        "data": {"items": [], "currentPage": 1, "pageSize": 50, "totalNum": 0, "totalPage": 0},
    },
    "krakenfutures": {
        "result": "success",
        "openOrders": [],
        "openPositions": [],
        "fills": [],
        "orders": [],
        "elements": [],
        "len": 0,
    },
    "mexc": {"success": True, "code": 0, "data": []},
    "bingx": {"code": 0, "msg": "", "data": {"orders": []}},
}
OLDER = {"okx": ("after", "billId")}
"""How older rows of a history are asked for: those after the row of this id."""


def cases() -> list[Case]:
    """All cases; none where the folder is missing."""
    return [case for path in sorted(CASES.glob("*.json")) for case in json.loads(path.read_text())]


def install(canned: CannedVenue, case: Case) -> None:
    """The case's markets and replies; every other list that may be read is empty."""
    exchange = case["venue"]
    BY_EXCHANGE[exchange].install(canned)
    for method, path, body in markets(exchange, case["instruments"]):
        canned.on(method, path, body if callable(body) else Answer(body=body))
    reads = "POST" if exchange == "hyperliquid" else "GET"
    empty = Answer(body=EMPTY.get(exchange, []))
    for place in _places(exchange):
        canned.routes.setdefault((reads, place), empty)
    if exchange == "krakenfutures":
        canned.on("POST", "/orders/status", empty)
        for history in ("/history/v3/orders", "/history/v3/triggers"):
            canned.on("GET", history, empty)
    if exchange == "bitget":
        canned.on("GET", "/position/all-position", {"code": "00000", "msg": "", "data": []})
    by_path: dict[tuple[str, str], list[Case]] = {}
    for route in case["routes"]:
        by_path.setdefault((route.get("method", reads), route["path"]), []).append(route)
    for key, routes in by_path.items():
        # A case may shorten its paths; the longest that fits would answer in its place.
        for known in [it for it in canned.routes if it[0] == key[0] and it[1].endswith(key[1])]:
            del canned.routes[known]
        canned.routes[key] = _answer(exchange, routes, empty)


def _places(exchange: str) -> list[str]:
    return [place.endpoint for place in EXCHANGES[exchange].facts.places]


def _answer(exchange: str, routes: list[Case], otherwise: Answer) -> Any:
    def answer(seen: Seen) -> Answer:
        for route in routes:
            wanted = route.get("when", {})
            if any(str(seen.params.get(key)) != str(value) for key, value in wanted.items()):
                continue
            if "server" in route:
                return Answer(body=_served(exchange, route["server"], seen.params))
            return Answer(
                body=route.get("body"), text=route.get("text"), status=route.get("status", 200)
            )
        return otherwise

    return answer


def _served(exchange: str, how: Case, asked: Mapping[str, Any]) -> Json:
    """A history as its venue documents it: a window of it, newest first, at most a page."""
    unit, scale = how.get("unit", 1), how.get("start_unit", 1)

    def at(row: Case) -> float:
        return float(row[how["time"]]) * float(unit)

    start = float(asked.get(how["start"]) or 0) * scale
    end = float(asked.get(how.get("end", "")) or 0) * scale
    end = end or (start + how["span"] if how.get("span") else float("inf"))
    rows = [row for row in how["rows"] if start <= at(row) <= end]
    rows.sort(key=at, reverse=how.get("newest_first", True))
    total = len(rows)
    name, key = OLDER.get(exchange, ("", ""))
    if asked.get(name):
        ids = [str(row[key]) for row in rows]
        rows = rows[ids.index(str(asked[name])) + 1 :]
    limit = min(int(asked.get(how.get("limit_param", "limit")) or how["limit"]), how["limit"])
    text = json.dumps(how["wrap"]).replace('"@rows"', json.dumps(rows[:limit]))
    text = text.replace('"@total"', str(total)).replace('"@pages"', str(-(-total // limit)))
    return json.loads(text)


async def ask(venue: CcxtVenue, canned: CannedVenue, case: Case) -> Json:
    """The case's question, and the gateway's answer as plain values."""
    answer = await _asked(venue, case["kind"], case.get("ask", {}), case)
    told = plainly(answer)
    if isinstance(answer, Snapshot):
        told["complete"] = answer.complete
        told["flat"] = sorted(f"{key.symbol} {key.side.value}" for key in answer.flat)
        legs = [{**leg, **leg["key"]} for leg in told["positions"]]
        told["positions"] = sorted(legs, key=lambda leg: (leg["symbol"], leg["side"]))
    if isinstance(answer, Snapshot | Protection):
        told["complete"] = not answer.problems
        told["problems"] = [problem.message for problem in answer.problems]
    if "sent" in case.get("expect", {}):
        orders = [it for it in canned.seen if it.method != "GET" and not it.path.endswith("/info")]
        told["sent"] = [
            {"path": it.path, "params": {key: str(value) for key, value in it.params.items()}}
            for it in orders
        ]
    return told


async def _asked(venue: CcxtVenue, kind: str, at: Case, case: Case) -> Any:
    symbol = at.get("symbol", "")
    match kind:
        case "positions":
            return await venue.fetch_positions()
        case "position":
            return await venue.fetch_position(LegKey("main", symbol, Side(at["side"])))
        case "protection":
            return await venue.fetch_protection(tuple(at.get("symbols", [])))
        case "fills":
            since = instant_or_none(at.get("since", 1_500_000_000_000))
            assert since is not None
            return await venue.fetch_fills(symbol, since)
        case "order":
            return await venue.find_order(symbol, at["client_id"])
        case "open_orders":
            return await venue.open_orders(symbol)
        case "cancel":
            return await venue.cancel(symbol, at["order_id"], trigger=at.get("trigger", False))
        case "hints":
            await venue.connect()
            client, frame = venue._client, case["frame"]
            return list(read_hints(client, frame)) if is_data(client, frame) else []
        case "place":
            if at.get("read_first"):
                await venue.fetch_positions()
            return await venue.place(_order(at))
    raise KeyError(kind)


def _order(at: Case) -> OrderRequest:
    price, trigger = (
        Decimal(at[key]) if at.get(key) else None for key in ("price", "trigger_price")
    )
    return OrderRequest(
        key=LegKey("main", at["symbol"], Side(at["side"])),
        client_order_id=at.get("client_id", "0123456789abcdef0123456789ab"),
        type=OrderType(at["type"]),
        quantity=Decimal(at["quantity"]),
        hedged=at.get("hedged", False),
        price=price,
        trigger_price=trigger,
    )


def plainly(value: Any) -> Any:
    """A gateway value as a case may write it; instants are Unix milliseconds."""
    match value:
        case msgspec.Struct():
            fields = {name: plainly(getattr(value, name)) for name in value.__struct_fields__}
            return {**fields, "_": type(value).__name__}
        case Enum():
            return value.value
        case Decimal():
            return format(value.normalize(), "f")
        case datetime():
            return int(value.timestamp() * 1000)
        case list() | tuple() | frozenset() | set():
            return [plainly(each) for each in value]
        case dict():
            return {str(key): plainly(each) for key, each in value.items()}
    return {**vars(value)} if isinstance(value, LegKey) and hasattr(value, "__dict__") else value


def differences(wanted: Any, got: Any, at: str = "answer") -> list[str]:
    """Where an answer is not what a case knows of it."""
    if isinstance(wanted, dict):
        if not isinstance(got, dict):
            return [f"{at} is {got!r}, not {wanted!r}"]
        return [
            each
            for key, value in wanted.items()
            for each in differences(value, got.get(key), f"{at}.{key}")
        ]
    if isinstance(wanted, list):
        if not isinstance(got, list) or len(got) != len(wanted):
            return [f"{at} has {len(got) if isinstance(got, list) else got}, not {len(wanted)}"]
        pairs = enumerate(zip(wanted, got, strict=True))
        return [each for n, (a, b) in pairs for each in differences(a, b, f"{at}[{n}]")]
    return [] if wanted == got or _same(wanted, got) else [f"{at} is {got!r}, not {wanted!r}"]


def _same(wanted: Any, got: Any) -> bool:
    try:
        return Decimal(str(wanted)) == Decimal(str(got))
    except InvalidOperation:
        return False


def markets(exchange: str, specs: list[Spec]) -> list[tuple[str, str, Any]]:
    """The replies that make ccxt load these instruments."""
    body: Json
    rest = BY_EXCHANGE[exchange].markets[1:]
    rows = [(_MARKETS[exchange](*spec), spec) for spec in specs]
    only = [row for row, _ in rows]
    match exchange:
        case "bybit":

            def bybit(seen: Seen) -> Answer:
                category = seen.query.get("category")
                listed = [
                    row for row, spec in rows if (spec[-1] == "inverse") == (category != "linear")
                ]
                result = {"category": category, "nextPageCursor": "", "list": listed}
                return Answer(body={"retCode": 0, "retMsg": "OK", "result": result})

            return [("GET", "/v5/market/instruments-info", bybit)]
        case "binanceusdm":
            return [("GET", "/fapi/v1/exchangeInfo", {"symbols": only})]
        case "okx":

            def okx(seen: Seen) -> Answer:
                kind = seen.query.get("instType")
                data = [row for row in only if row["instType"] == kind]
                return Answer(body={"code": "0", "msg": "", "data": data})

            return [("GET", "/api/v5/public/instruments", okx)]
        case "bitget":

            def bitget(seen: Seen) -> Answer:
                product = seen.query.get("productType")
                data = [row for row, spec in rows if _bitget_product(spec) == product]
                return Answer(body={"code": "00000", "msg": "", "data": data})

            return [("GET", "/api/v2/mix/market/contracts", bitget), *rest]
        case "gate":
            settled = {
                settle: [row for row, spec in rows if spec[3].lower() == settle]
                for settle in ("usdt", "btc")
            }
            paths = [
                ("GET", f"/futures/{name}/contracts", found) for name, found in settled.items()
            ]
            return [*paths, *BY_EXCHANGE[exchange].markets[2:]]
        case "kucoinfutures":
            return [("GET", "/api/v1/contracts/active", {"code": "200000", "data": only}), *rest]
        case "hyperliquid":
            context = [{"markPx": "100.1", "midPx": "100.1", "oraclePx": "100.1"} for _ in only]
            return [("POST", "/info#metaAndAssetCtxs", [{"universe": only}, context]), *rest]
        case "krakenfutures":
            body = {"result": "success", "instruments": only}
            return [("GET", "/derivatives/api/v3/instruments", body)]
        case "mexc":
            body = {"success": True, "code": 0, "data": only}
            return [("GET", "/api/v1/contract/detail", body), *rest]
        case "bingx":
            body = {"code": 0, "msg": "", "data": only}
            return [("GET", "/openApi/swap/v2/quote/contracts", body), *rest]
    raise KeyError(exchange)


def _bitget_product(spec: Spec) -> str:
    return "COIN-FUTURES" if spec[-1] == "inverse" else f"{spec[3]}-FUTURES"


def _bybit(name: str, base: str, quote: str, settle: str, size: Any, kind: str) -> Json:
    row = {**bodies.bybit_instrument(name, base), "quoteCoin": quote, "settleCoin": settle}
    if kind == "inverse":
        lot = {"minOrderQty": "1", "maxOrderQty": "1000000", "qtyStep": "1"}
        return row | {"contractType": "InversePerpetual", "lotSizeFilter": lot}
    lot = {**row["lotSizeFilter"], "qtyStep": "0.001", "minOrderQty": "0.001"}
    return row | {"lotSizeFilter": lot}


def _binance(name: str, base: str, quote: str, settle: str, size: Any, kind: str) -> Json:
    return {**bodies.binance_instrument(name, base), "quoteAsset": quote, "marginAsset": settle}


def _okx(name: str, base: str, quote: str, settle: str, size: Any, kind: str) -> Json:
    row = {
        **bodies._OKX_MARKET,
        "instId": name,
        "instFamily": f"{base}-{quote}",
        "uly": f"{base}-{quote}",
        "settleCcy": settle,
        "ctVal": str(size),
        "ctValCcy": quote if kind == "inverse" else base,
        "ctType": "inverse" if kind == "inverse" else "linear",
        "lotSz": "0.01",
        "minSz": "0.01",
    }
    dated = {"instType": "FUTURES", "expTime": "4102444800000"}
    return row if name.endswith("-SWAP") else row | dated


def _bitget(name: str, base: str, quote: str, settle: str, size: Any, kind: str) -> Json:
    named = {"symbol": name, "baseCoin": base, "quoteCoin": quote, "supportMarginCoins": [settle]}
    return {**bodies._BITGET_MARKET, **named}


def _gate(name: str, base: str, quote: str, settle: str, size: Any, kind: str) -> Json:
    inverse = kind == "inverse"
    told = {"quanto_multiplier": "0" if inverse else str(size)}
    return {**bodies._GATE_MARKET, "name": name, **told, "type": "inverse" if inverse else "direct"}


def _kucoin(name: str, base: str, quote: str, settle: str, size: Any, kind: str) -> Json:
    inverse = kind == "inverse"
    return {
        **bodies._KUCOIN_MARKET,
        "symbol": name,
        "baseCurrency": base,
        "quoteCurrency": quote,
        "settleCurrency": settle,
        "multiplier": -1.0 if inverse else float(size),
        "isInverse": inverse,
    }


def _hyperliquid(
    name: str, base: str, quote: str, settle: str, size: Any = 2, kind: str = ""
) -> Json:
    return {"name": name, "szDecimals": int(size), "maxLeverage": 40}


def _kraken(name: str, base: str, quote: str, settle: str, size: Any, kind: str) -> Json:
    named = "futures_inverse" if kind == "inverse" else "flexible_futures"
    return {**bodies._KRAKEN_MARKET, "symbol": name, "type": named, "contractSize": 1}


def _mexc(name: str, base: str, quote: str, settle: str, size: Any, kind: str) -> Json:
    coins = {"baseCoin": base, "quoteCoin": quote, "settleCoin": settle}
    return {**bodies._MEXC_MARKET, "symbol": name, **coins, "contractSize": float(size)}


def _bingx(name: str, base: str, quote: str, settle: str, size: Any, kind: str) -> Json:
    return {**bodies._BINGX_MARKET, "symbol": name, "asset": base, "currency": settle}


_MARKETS = {
    "bybit": _bybit,
    "binanceusdm": _binance,
    "okx": _okx,
    "bitget": _bitget,
    "gate": _gate,
    "kucoinfutures": _kucoin,
    "hyperliquid": _hyperliquid,
    "krakenfutures": _kraken,
    "mexc": _mexc,
    "bingx": _bingx,
}
