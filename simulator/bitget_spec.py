"""What an order of Bitget v2 asks for, plain or waiting for its price.

In hedge mode `side` names the leg and `tradeSide` says whether it is opened or closed; in one-way
mode `tradeSide` is not looked at. Left to others: where orders come from (`bitget_orders.py`,
`bitget_plans.py`) and what the market refuses (`checks.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from messages.values import ZERO, OrderSide, Side
from simulator.bitget_rows import margin_mode
from simulator.bitget_words import SHORT_STOP, refused
from simulator.instruments import Listing
from simulator.prices import Prices
from simulator.state import (
    Account,
    Attachment,
    OrderSpec,
    RejectReason,
    Slot,
    TimeInForce,
)
from simulator.trailing import Trail
from simulator.wire import Call, Refusal

FORCES = {
    "": TimeInForce.GTC,
    "gtc": TimeInForce.GTC,
    "ioc": TimeInForce.IOC,
    "fok": TimeInForce.FOK,
    "post_only": TimeInForce.POST_ONLY,
}
_CLIENT_ID = re.compile(r"[\x21-\x7e]{1,50}")
LONG_PROFIT = ("40915", "Long position take profit price please > mark price")
SHORT_PROFIT = ("40914", "Short position take profit price please < mark price")


def required(call: Call, name: str) -> str:
    """A parameter that must be there. Raises Refusal."""
    value = call.params.get(name, "")
    if not value:
        raise Refusal("40019", f"Parameter {name} cannot be empty")
    return value


def number(call: Call, name: str) -> Decimal:
    """A number that must be there. Raises Refusal."""
    required(call, name)
    value = call.number(name)
    return ZERO if value is None else value


def client_oid(call: Call, name: str = "clientOid") -> str:
    """The client's own id: at most 50 characters, none of them blank. Raises Refusal."""
    named = call.params.get(name, "")
    if named and not _CLIENT_ID.fullmatch(named):
        message = "Client_oid length is not greater than 50, and cannot be Martian characters"
        raise Refusal("40305", message)
    return named


def order_spec(call: Call, listing: Listing) -> OrderSpec:
    """A plain order."""
    side, slot, reduces = _direction(call)
    _check_margin(call, listing)
    limit = _kind(call) == "limit"
    force = call.params.get("force", "").lower()
    if force not in FORCES:
        raise Refusal("40020", "Parameter force error")
    stop, profit = call.number("presetStopLossPrice"), call.number("presetStopSurplusPrice")
    return OrderSpec(
        symbol_id=listing.id,
        side=side,
        quantity=number(call, "size"),
        price=number(call, "price") if limit else None,
        time_in_force=FORCES[force] if limit else TimeInForce.IOC,
        reduce_only=reduces,
        slot=slot,
        client_id=client_oid(call),
        stop_loss=_preset(call, "presetStopLossExecutePrice", stop),
        take_profit_at=_preset(call, "presetStopSurplusExecutePrice", profit),
    )


def _preset(call: Call, limit: str, trigger: Decimal | None) -> Attachment | None:
    """What an order brings along for its position, fill by fill."""
    if not trigger:
        return None
    return Attachment(trigger=trigger, quantity=ZERO, price=call.number(limit) or None)


def plan_spec(call: Call, listing: Listing, prices: Prices) -> OrderSpec:
    """An order that waits for its price, whichever side of the market that is on."""
    kind = required(call, "planType")
    side, slot, reduces = _direction(call)
    _check_margin(call, listing)
    trigger, by_mark = number(call, "triggerPrice"), _by_mark(call)
    limit = call.number("price") or call.number("executePrice")
    trail = None
    if kind == "track_plan":
        rate = number(call, "callbackRatio")
        if not 0 < rate <= 10:
            raise Refusal("40020", "Parameter callbackRatio error")
        trail = Trail(rate=rate / 100, activation=trigger)
    elif kind != "normal_plan":
        raise Refusal("40020", "Parameter planType error")
    now = prices.mark(listing) if by_mark else prices.last(listing)
    return OrderSpec(
        symbol_id=listing.id,
        side=side,
        quantity=number(call, "size"),
        price=limit if _kind(call) == "limit" else None,
        reduce_only=reduces,
        slot=slot,
        client_id=client_oid(call),
        trigger_price=None if trail else trigger,
        trigger_rising=None if trail else trigger > now,
        trail=trail,
        by_mark=by_mark,
        words={"planType": kind},
    )


def held_leg(call: Call, account: Account) -> Side:
    """The leg that a stop of a position names: long and short, or in one-way mode buy and sell."""
    named = required(call, "holdSide").lower()
    words = {"long": Side.LONG, "short": Side.SHORT}
    if not account.hedged:
        words |= {"buy": Side.LONG, "sell": Side.SHORT}
    if named not in words:
        raise Refusal("40020", "Parameter holdSide error")
    return words[named]


def attachment(
    call: Call, listing: Listing, prices: Prices, leg: Side, kind: str, names: Mapping[str, str]
) -> Attachment:
    """A stop or take-profit of a position; `names` are the request's own words for its parts.

    Raises Refusal for a price that the market has passed: it would fire at once.
    """
    trigger = number(call, names["trigger"])
    if trigger <= 0 or trigger % listing.instrument.price_step:
        raise refused(RejectReason.PRICE_TICK)
    by_mark = _by_mark(call, names["type"])
    now = prices.mark(listing) if by_mark else prices.last(listing)
    profit = "profit" in kind
    rising = profit is (leg is Side.LONG)
    if trigger <= now if rising else trigger >= now:
        raise _passed(profit=profit, leg=leg)
    size = None if kind.startswith("pos_") else number(call, names["size"])
    if size is not None and (size <= 0 or size % listing.instrument.amount_step):
        raise refused(RejectReason.STEP)
    return Attachment(
        trigger=trigger,
        quantity=size,
        price=call.number(names["price"]) or None,
        by_mark=by_mark,
        client_id=client_oid(call, names["client_id"]),
        words={"planType": kind},
    )


def _passed(*, profit: bool, leg: Side) -> Refusal:
    if profit:
        return Refusal(*(LONG_PROFIT if leg is Side.LONG else SHORT_PROFIT))
    if leg is Side.LONG:
        return refused(RejectReason.WOULD_TRIGGER)
    return Refusal(*SHORT_STOP)


def _by_mark(call: Call, name: str = "triggerType") -> bool:
    named = call.params.get(name, "") or "fill_price"
    if named not in ("fill_price", "mark_price"):
        raise Refusal("40020", f"Parameter {name} error")
    return named == "mark_price"


def _kind(call: Call) -> str:
    kind = required(call, "orderType").lower()
    if kind not in ("limit", "market"):
        raise Refusal("40020", "Parameter orderType error")
    return kind


def _check_margin(call: Call, listing: Listing) -> None:
    """Margin coin and mode must be those of the contract."""
    if required(call, "marginCoin").upper() != listing.instrument.settle:
        raise Refusal("40020", "Parameter marginCoin error")
    mode = required(call, "marginMode")
    if mode not in ("isolated", "crossed"):
        raise Refusal("40020", "Parameter marginMode error")
    if mode != margin_mode(call.owner, listing):
        kept = "FIXED" if mode == "crossed" else "CROSSED"
        raise Refusal("40808", f"Parameter verification exception margin mode == {kept}")


def _direction(call: Call) -> tuple[OrderSide, Slot, bool]:
    """Which way an order trades, in which slot, and whether it may only reduce."""
    named = required(call, "side").lower()
    if named not in ("buy", "sell"):
        raise Refusal("40020", "Parameter side error")
    side = OrderSide(named)
    if not call.owner.hedged:
        return side, Slot.BOTH, call.params.get("reduceOnly", "").upper() == "YES"
    does = call.params.get("tradeSide", "").lower()
    if does not in ("open", "close"):
        raise refused(RejectReason.POSITION_SIDE)
    leg = Side.LONG if side is OrderSide.BUY else Side.SHORT
    slot = Slot.LONG if leg is Side.LONG else Slot.SHORT
    closes = does == "close"
    return (leg.closing if closes else leg.closing.opposite), slot, closes
