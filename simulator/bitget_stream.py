"""Bitget v2's private WebSocket: what a client says, and how the market's events are told.

Source: the pages of the private channels in Bitget's documentation, and what `typed-bitget`
decodes. A closed position is in no list of `positions` any more; `positions-history` tells of it.
Left to others: sockets, and whom an event goes to (`streams.py`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from messages.values import ZERO
from simulator.bitget_order_rows import (
    Life,
    ended_lives,
    fill_row,
    order_row,
    order_status,
    plan_row,
    plan_type,
)
from simulator.bitget_rows import account_row, coins_of, is_of, position_row
from simulator.bitget_words import PRODUCTS, product
from simulator.instruments import Exchange
from simulator.logins import PASSPHRASE
from simulator.market import Market
from simulator.state import Account, Execution, MarketEvent, Order, OrderChanged, Position, State
from simulator.wire import Row, encode, ms, text

HOST = "ws.bitget.com"
PRIVATE = "/v2/ws/private"
CHANNELS = ("positions", "positions-history", "orders", "orders-algo", "fill", "account")
ALIASES = {"positions": "position", "orders": "order"}
"""What the market's onlookers call a channel."""
FRESH_SECONDS = 30
PLAN_WORDS = {
    "normal_plan": "pl",
    "track_plan": "track",
    "profit_plan": "tp",
    "loss_plan": "sl",
    "pos_profit": "ptp",
    "pos_loss": "psl",
    "moving_plan": "mtpsl",
}
PLAN_STATUSES = {
    State.UNTRIGGERED: "live",
    State.TRIGGERED: "executed",
    State.REJECTED: "fail_execute",
}


class Command(msgspec.Struct):
    """What a client sends, but for its ping, which is the bare word."""

    op: str = ""
    args: list[dict[str, object]] = []


@dataclass(slots=True)
class Said:
    """What came of what a client said: whose the socket is now, what it follows, the answers."""

    account: Account | None
    followed: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    replies: list[bytes] = field(default_factory=list)


def heard(market: Market, account: Account | None, data: bytes, at: datetime) -> Said:
    """Answer one frame of a client."""
    said = Said(account)
    if data == b"ping":
        said.replies.append(b"pong")
        return said
    try:
        command = msgspec.json.decode(data, type=Command)
    except msgspec.MsgspecError:
        said.replies.append(_error(30003, "invalid op"))
        return said
    match command.op:
        case "login":
            owner = owner_of(market, command.args, at)
            if isinstance(owner, Account):
                said.account = owner
                said.replies.append(encode({"event": "login", "code": 0}))
            else:
                said.replies.append(owner)
        case "subscribe" | "unsubscribe" if account is None:
            said.replies.append(_error(30004, "User needs to log in"))
        case "subscribe":
            for arg in command.args:
                _subscribe(said, arg)
        case "unsubscribe":
            for arg in command.args:
                said.left.add(topic_of(arg))
                said.replies.append(encode({"event": "unsubscribe", "arg": arg}))
        case _:
            said.replies.append(_error(30003, "invalid op"))
    return said


def _subscribe(said: Said, arg: dict[str, object]) -> None:
    channel, kind = str(arg.get("channel")), str(arg.get("instType"))
    if channel not in CHANNELS or kind not in PRODUCTS:
        named = ",".join(f"{name}:{it}" for name, it in arg.items())
        said.replies.append(_error(30001, f"{named} doesn't exist"))
        return
    said.followed.add(topic_of(arg))
    if channel in ALIASES:
        said.followed.add(ALIASES[channel])
    said.replies.append(encode({"event": "subscribe", "arg": arg}))


def topic_of(arg: dict[str, object]) -> str:
    return f"{arg.get('channel')} {arg.get('instType')}"


def _error(code: int, message: str) -> bytes:
    return encode({"event": "error", "code": code, "msg": message})


def owner_of(market: Market, args: list[dict[str, object]], at: datetime) -> Account | bytes:
    """The account that a login proves to be its own; the refusal where it proves none.

    Signed is the time in seconds, GET and /user/verify.
    """
    names = ("apiKey", "passphrase", "timestamp", "sign")
    key, phrase, stamp, sign = (str(args[0].get(name)) if args else "" for name in names)
    login = market.logins.find(key)
    if login is None or login.account.exchange is not Exchange.BITGET:
        return _error(30011, "Invalid ACCESS_KEY")
    if not hmac.compare_digest(phrase.encode(), PASSPHRASE.encode()):
        return _error(30012, "Invalid ACCESS_PASSPHRASE")
    if not stamp.isdecimal():
        return _error(30013, "Invalid ACCESS_TIMESTAMP")
    if abs(at.timestamp() - int(stamp)) > FRESH_SECONDS:
        return _error(30014, "Request timestamp expired")
    payload = f"{stamp}GET/user/verify".encode()
    digest = hmac.new(login.secret.reveal().encode(), payload, hashlib.sha256).digest()
    if not hmac.compare_digest(base64.b64encode(digest).decode(), sign):
        return _error(30015, "Invalid sign")
    return login.account


def events(event: MarketEvent, market: Market) -> Iterator[tuple[str, Row]]:
    """The topics that an event is told under, each with its message."""
    account, at = event.account, event.at
    if isinstance(event, OrderChanged):
        order, listing = event.order, event.order.listing
        kind = product(listing)
        if order.conditional:
            yield _told("orders-algo", kind, at, _plan_row(order, account))
            return
        yield _told("orders", kind, at, _order_row(order, event.execution, account))
        if event.execution is not None:
            yield _told("fill", kind, at, _fill_row(order, event.execution, account))
            for coin in coins_of(account, kind):
                if coin == listing.instrument.settle:
                    yield _told("account", kind, at, _account_row(market, account, coin))
        else:
            yield f"positions {kind}", _positions(market, account, kind, at)
        return
    position = event.position
    kind = product(position.listing)
    yield f"positions {kind}", _positions(market, account, kind, at)
    for life in ended_lives(account.executions.get(position.listing.id, [])):
        if life.closed_at == at and life.slot is position.slot:
            yield _told("positions-history", kind, at, _ended_row(life, account))


def _message(channel: str, kind: str, at: datetime, rows: list[Row]) -> Row:
    arg = {"instType": kind, "channel": channel, "instId": "default"}
    return {"action": "snapshot", "arg": arg, "data": rows, "ts": ms(at)}


def _told(channel: str, kind: str, at: datetime, row: Row) -> tuple[str, Row]:
    return f"{channel} {kind}", _message(channel, kind, at, [row])


def _positions(market: Market, account: Account, kind: str, at: datetime) -> Row:
    """All that is held of a product type, whichever of it has changed."""
    held = [it for it in account.positions.values() if it.size and is_of(it.listing, kind)]
    rows = [_position_row(it, market, account) for it in held]
    return _message("positions", kind, at, rows)


def _some(row: Row, names: str) -> Row:
    return {name: row[name] for name in names.split()}


def _position_id(position: Position) -> str:
    return f"{ms(position.opened_at)}{position.slot.value:06d}"


def _position_row(position: Position, market: Market, account: Account) -> Row:
    row = position_row(position, market.prices, account)
    same = (
        "marginCoin marginSize marginMode holdSide posMode total available openPriceAvg "
        "achievedProfits unrealizedPL liquidationPrice keepMarginRate breakEvenPrice totalFee "
        "deductedFee markPrice assetMode autoMargin cTime uTime"
    )
    return {
        "posId": _position_id(position),
        "instId": position.listing.id,
        **_some(row, same),
        "frozen": row["locked"],
        "leverage": int(position.leverage),
        "unrealizedPLR": "0",
        "marginRate": row["marginRatio"],
    }


def _ended_row(life: Life, account: Account) -> Row:
    return {
        "posId": life.id,
        "instId": life.listing.id,
        "marginCoin": life.listing.instrument.settle,
        "marginMode": "fixed" if life.listing.id in account.isolated else "crossed",
        "holdSide": life.side.value,
        "posMode": "hedge_mode" if account.hedged else "one_way_mode",
        "openPriceAvg": text(life.open_cost / life.opened),
        "closePriceAvg": text(life.close_cost / life.closed),
        "openSize": text(life.opened),
        "closeSize": text(life.closed),
        "achievedProfits": text(life.pnl),
        "settleFee": "0",
        "openFee": text(-life.open_fee),
        "closeFee": text(-life.close_fee),
        "cTime": str(ms(life.opened_at)),
        "uTime": str(ms(life.closed_at)),
    }


def _order_row(order: Order, execution: Execution | None, account: Account) -> Row:
    row, listing = order_row(order, account), order.listing
    same = (
        "orderId clientOid size posMode enterPointSource tradeSide orderType force side posSide "
        "marginMode marginCoin leverage totalProfits uTime cTime"
    )
    coin = listing.instrument.settle
    worth = order.quantity * (order.spec.price or order.average or order.last_price or ZERO)
    told: Row = {
        "instId": listing.id,
        **_some(row, same),
        "price": text(order.spec.price, "0"),
        "notionalUsd": text(worth),
        "accBaseVolume": text(order.filled),
        "status": order_status(order),
        "feeDetail": [{"feeCoin": coin, "fee": text(-order.fee) if order.fee else "0"}],
        "reduceOnly": str(row["reduceOnly"]).lower(),
        "stpMode": "none",
    }
    if not order.state.live and order.state is not State.FILLED:
        told["cancelReason"] = "normal_cancel"
    else:
        told["priceAvg"] = text(order.average, "0")
    if execution is not None:
        told |= {
            "fillPrice": text(execution.price),
            "tradeId": execution.id,
            "baseVolume": text(execution.quantity),
            "fillTime": str(ms(execution.at)),
            "fillFee": text(-execution.fee),
            "fillFeeCoin": coin,
            "tradeScope": "M" if execution.maker else "T",
            "fillNotionalUsd": text(order.cost),
            "pnl": text(execution.pnl),
        }
    return told


def _plan_row(order: Order, account: Account) -> Row:
    row = plan_row(order, account)
    same = (
        "orderId clientOid triggerPrice triggerType price executePrice size orderType side "
        "tradeSide posSide marginCoin posMode enterPointSource stopSurplusTriggerPrice "
        "stopSurplusTriggerType stopLossTriggerPrice stopLossTriggerType uTime cTime"
    )
    return {
        "instId": order.listing.id,
        **_some(row, same),
        "triggerTime": row["uTime"],
        "planType": PLAN_WORDS[plan_type(order)],
        "actualSize": row["baseVolume"],
        "status": PLAN_STATUSES.get(order.state, "cancelled"),
        "stopSurplusPrice": row["stopSurplusExecutePrice"],
        "stopLossPrice": row["stopLossExecutePrice"],
        "stpMode": "none",
    }


def _fill_row(order: Order, execution: Execution, account: Account) -> Row:
    row = fill_row(execution, account)
    plain = order_row(order, account)
    coin = order.listing.instrument.settle
    fee = {"feeCoin": coin, "totalFee": text(-execution.fee)}
    return {
        **{name: it for name, it in row.items() if name != "enterPointSource"},
        "feeDetail": [{"deduction": "no", "totalDeductionFee": "0", **fee}],
        "clientOid": plain["clientOid"],
        "orderType": plain["orderType"],
        "uTime": row["cTime"],
    }


def _account_row(market: Market, account: Account, coin: str) -> Row:
    row = account_row(market, account, coin)
    return {
        "marginCoin": coin,
        "frozen": "0",
        "available": row["available"],
        "maxOpenPosAvailable": row["crossedMaxAvailable"],
        "maxTransferOut": row["maxTransferOut"],
        "equity": row["accountEquity"],
        "usdtEquity": row["usdtEquity"],
        "crossedRiskRate": "0",
        "unrealizedPL": row["unrealizedPL"],
        "unionTotalMargin": "0",
        "unionAvailable": "0",
        "unionMm": "0",
        "assetsMode": "single",
    }
