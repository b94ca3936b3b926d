"""Binance USD-M's user data stream: listen keys, the ways to open it, and its events.

Three spellings lead to it, each also under `/private`: `/ws/<key>`, `/ws?listenKey=<key>`, and
`/stream?streams=<key>`, whose frames name their stream. A socket may also subscribe to keys later.
Sources: "User Data Streams" and "Connect" of Binance's USD-M futures documentation. Left to
others: the sockets themselves (`streams.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from simulator.binance_order_rows import algo_row, expiry_reason, order_row
from simulator.binance_rows import POSITION_SIDES, isolated_wallet
from simulator.binance_words import error
from simulator.market import Market
from simulator.state import (
    Account,
    Execution,
    MarketEvent,
    Order,
    Position,
    PositionChanged,
    State,
)
from simulator.wire import Call, Reply, Route, Row, ms, text

LIFE = timedelta(minutes=60)


@dataclass(slots=True)
class _Key:
    text: str
    account: Account
    ends_at: datetime


class ListenKeys:
    """The keys that open accounts' streams: one an account, for an hour unless kept alive."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._of: dict[str, _Key] = {}
        self._made = 0
        self.on_end: list[Callable[[str], None]] = []
        """Called with a key that was closed."""

    def routes(self) -> dict[tuple[str, str], Route]:
        path = "/fapi/v1/listenKey"
        return {
            ("POST", path): Route("listen_key", self._start),
            ("PUT", path): Route("listen_key", self._keep),
            ("DELETE", path): Route("listen_key", self._close),
        }

    def account(self, key: str) -> Account | None:
        """Whose stream a key opens now; None for one that is not valid."""
        found = next((it for it in self._of.values() if it.text == key), None)
        return None if found is None or found.ends_at <= self._now() else found.account

    def expired(self) -> list[str]:
        """The keys whose hour has ended since the last call; they are forgotten."""
        ended = [it for it in self._of.values() if it.ends_at <= self._now()]
        for key in ended:
            del self._of[key.account.name]
        return [it.text for it in ended]

    def _start(self, call: Call) -> Reply:
        """A key that is valid still is given again, and for another hour."""
        key = self._of.get(call.owner.name)
        if key is None or key.ends_at <= self._now():
            self._made += 1
            made = hashlib.sha256(f"listen {call.owner.name} {self._made}".encode()).hexdigest()
            key = self._of[call.owner.name] = _Key(made, call.owner, call.at)
        key.ends_at = self._now() + LIFE
        return Reply({"listenKey": key.text})

    def _keep(self, call: Call) -> Reply:
        key = self._of.get(call.owner.name)
        if key is None or key.ends_at <= self._now():
            return error(
                "-1125",
                "This listenKey does not exist. Please use `POST /fapi/v1/listenKey` to recreate "
                "`listenKey`",
            )
        key.ends_at = self._now() + LIFE
        return Reply({"listenKey": key.text})

    def _close(self, call: Call) -> Reply:
        key = self._of.pop(call.owner.name, None)
        if key is not None:
            for tell in self.on_end:
                tell(key.text)
        return Reply({})


class Command(msgspec.Struct):
    """What a client says on a socket."""

    method: str = ""
    params: list[str] = []
    id: int | str | None = None


def streams_named(path: str, query: dict[str, str]) -> tuple[list[str], bool]:
    """The streams that an address asks for, and whether their frames are to name them."""
    last = path.rstrip("/").rpartition("/")[2]
    if last == "stream":
        return [it for it in query.get("streams", "").split("/") if it], True
    if last == "ws":
        return [query["listenKey"]] if query.get("listenKey") else [], False
    return [last], False


def expired_event(key: str, at: datetime) -> Row:
    return {"e": "listenKeyExpired", "E": ms(at), "listenKey": key}


def events(event: MarketEvent, market: Market) -> Iterable[Row]:
    """What the stream says of something that happened to an account."""
    at = ms(event.at)
    if isinstance(event, PositionChanged):
        yield _account_update(event.account, event.position, market, at)
        return
    order, execution, orders = event.order, event.execution, event.account.orders
    if order.conditional:
        yield _algo_update(order, orders.get(order.triggered_as), at)
        if order.state is State.REJECTED:
            yield _trigger_reject(order, at)
        return
    if execution is not None:
        yield _trade_lite(order, execution, at)
    yield _order_update(order, execution, at)
    cause = orders.get(order.came_of)
    if cause is not None and not order.state.live:
        yield _algo_update(cause, order, at)


def _account_update(account: Account, position: Position, market: Market, at: int) -> Row:
    listing = position.listing
    settle = listing.instrument.settle
    wallet = text(account.wallet.get(settle))
    isolated = listing.id in account.isolated
    balances = [{"a": settle, "wb": wallet, "cw": wallet, "bc": "0"}]
    positions = [
        {
            "s": listing.id,
            "pa": text(position.size),
            "ep": text(position.entry),
            "bep": text(position.entry),
            "cr": text(position.realized),
            "up": text(position.unrealized(market.prices.mark(listing))),
            "mt": "isolated" if isolated else "cross",
            "iw": text(isolated_wallet(position)) if isolated else "0",
            "ps": POSITION_SIDES[position.slot],
            "ma": settle,
        }
    ]
    body: Row = {"m": "ORDER", "B": balances, "P": positions}
    return {"e": "ACCOUNT_UPDATE", "E": at, "T": at, "a": body}


def _algo_update(order: Order, became: Order | None, at: int) -> Row:
    row = algo_row(order, became)
    body: Row = {
        "caid": row["clientAlgoId"],
        "aid": row["algoId"],
        "at": row["algoType"],
        "o": row["orderType"],
        "s": row["symbol"],
        "S": row["side"],
        "ps": row["positionSide"],
        "f": row["timeInForce"],
        "q": row["quantity"],
        # Told first in the moment that it fires, and again once its order has ended.
        "X": row["algoStatus"],
        "ai": row["actualOrderId"],
        "ap": row["actualPrice"],
        "aq": row["actualQty"],
        "act": row["actualType"],
        "tp": row["triggerPrice"],
        "p": row["price"],
        "V": row["selfTradePreventionMode"],
        "wt": row["workingType"],
        "pm": row["priceMatch"],
        "cp": row["closePosition"],
        "pP": row["priceProtect"],
        "R": row["reduceOnly"],
        "tt": row["triggerTime"],
        "gtd": row["goodTillDate"],
        "rm": "ReduceOnly Order is rejected." if order.state is State.REJECTED else "",
        "ia": order.peak is not None,
    }
    return {"e": "ALGO_UPDATE", "E": at, "T": at, "o": body}


def _trigger_reject(order: Order, at: int) -> Row:
    reason = "ReduceOnly Order is rejected."
    told: Row = {"s": order.listing.id, "i": int(order.id), "r": reason}
    return {"e": "CONDITIONAL_ORDER_TRIGGER_REJECT", "E": at, "T": at, "or": told}


def _trade_lite(order: Order, execution: Execution, at: int) -> Row:
    row = order_row(order)
    return {
        "e": "TRADE_LITE",
        "E": at,
        "T": at,
        "s": row["symbol"],
        "q": row["origQty"],
        "p": row["price"],
        "m": execution.maker,
        "c": row["clientOrderId"],
        "S": row["side"],
        "L": text(execution.price),
        "l": text(execution.quantity),
        "t": int(execution.id),
        "i": row["orderId"],
    }


def _order_update(order: Order, execution: Execution | None, at: int) -> Row:
    row = order_row(order)
    body: Row = {
        "s": row["symbol"],
        "c": row["clientOrderId"],
        "S": row["side"],
        "o": row["type"],
        "f": row["timeInForce"],
        "q": row["origQty"],
        "p": row["price"],
        "ap": row["avgPrice"],
        "sp": row["stopPrice"],
        "x": _execution_type(order, execution),
        "X": row["status"],
        "i": row["orderId"],
        "l": text(execution.quantity) if execution else "0",
        "z": row["executedQty"],
        "L": text(execution.price) if execution else "0",
        "n": text(execution.fee) if execution else "0",
        "N": order.listing.instrument.settle,
        "T": row["updateTime"],
        "t": int(execution.id) if execution else 0,
        "b": "0",
        "a": "0",
        "m": bool(execution and execution.maker),
        "R": row["reduceOnly"],
        "wt": row["workingType"],
        "ot": row["origType"],
        "ps": row["positionSide"],
        "cp": row["closePosition"],
        "rp": text(execution.pnl) if execution else "0",
        "pP": row["priceProtect"],
        "si": 0,
        "ss": 0,
        "V": row["selfTradePreventionMode"],
        "pm": row["priceMatch"],
        "gtd": row["goodTillDate"],
        "er": expiry_reason(order),
    }
    return {"e": "ORDER_TRADE_UPDATE", "E": at, "T": at, "o": body}


def _execution_type(order: Order, execution: Execution | None) -> str:
    if execution is not None:
        return "TRADE"
    if order.state is State.OPEN:
        return "AMENDMENT" if order.amended else "NEW"
    return str(order_row(order)["status"])
