"""What a Bybit order asks for, from its parameters: the order, and what it attaches.

Rules and their words follow the pages "Place Order", "Amend Order" and "Set Trading Stop" of
Bybit's v5 documentation. Left to others: the market's own rules (`checks.py`).
"""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

from messages.values import ZERO, OrderSide
from simulator.instruments import Listing
from simulator.prices import Prices
from simulator.state import Account, Attachment, OrderSpec, Slot, TimeInForce
from simulator.wire import Call, Params, Refusal, text

CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{0,36}")
TRIGGERS = ("LastPrice", "MarkPrice", "IndexPrice")
IN_FORCE = {"": TimeInForce.GTC} | {str(it): it for it in TimeInForce if it is not TimeInForce.GTD}
SCALE = 10_000
"""Bybit words the prices of its refusals as whole numbers."""


def order_spec(call: Call, listing: Listing, prices: Prices) -> OrderSpec:
    """The order that a call asks for. Raises Refusal, or ValueError for what cannot be read."""
    params, account = call.params, call.owner
    quantity = call.number("qty")
    market = params.get("orderType") == "Market"
    price = None if market else call.number("price")
    if params.get("side") not in ("Buy", "Sell") or quantity is None:
        raise ValueError("side or qty invalid")
    if params.get("orderType") not in ("Market", "Limit"):
        raise ValueError("orderType invalid")
    if not market and price is None:
        raise ValueError("price invalid")
    if params.get("timeInForce", "") not in IN_FORCE:
        raise ValueError("timeInForce invalid")
    client_id = params.get("orderLinkId", "")
    if not CLIENT_ID.fullmatch(client_id):
        raise Refusal("10001", "order link id is longer than 36 or has characters not allowed")
    direction, trigger = params.get("triggerDirection"), call.number("triggerPrice")
    if trigger is not None and direction not in ("1", "2"):
        raise ValueError("triggerDirection invalid")
    buying = params["side"] == "Buy"
    slot = _slot(call)
    closes = call.flag("closeOnTrigger")
    whole = not quantity and closes and call.flag("reduceOnly")
    spec = OrderSpec(
        symbol_id=listing.id,
        side=OrderSide.BUY if buying else OrderSide.SELL,
        quantity=_most_to_close(account, listing, slot) if whole else quantity,
        price=price,
        time_in_force=IN_FORCE[params.get("timeInForce", "")],
        reduce_only=call.flag("reduceOnly") or closes,
        close_position=whole,
        slot=slot,
        client_id=client_id,
        trigger_price=trigger,
        trigger_rising=None if trigger is None else direction == "1",
        take_profit=trigger is not None and (direction == "1") is not buying,
        by_mark=_by_mark(params, "triggerBy"),
        stop_loss=_attachment(call, "stopLoss", "sl"),
        take_profit_at=_attachment(call, "takeProfit", "tp"),
        words=_words(params),
    )
    check_attached(spec, listing, prices)
    return spec


def check_attached(spec: OrderSpec, listing: Listing, prices: Prices) -> None:
    """Raises Refusal where an order's stop or take-profit lies on the wrong side of its price."""
    base = spec.price or spec.trigger_price or prices.last(listing)
    wanted = [it for it in (spec.stop_loss, spec.take_profit_at) if it is not None and it.trigger]
    if wanted and spec.reduce_only:
        raise Refusal("10001", "params error: TP/SL cannot be set when reduce_only is true")
    check_sides(
        base, spec.stop_loss, spec.take_profit_at, long=spec.side is OrderSide.BUY, by="LastPrice"
    )


def check_sides(
    base: Decimal,
    stop: Attachment | None,
    profit: Attachment | None,
    *,
    long: bool,
    by: str,
) -> None:
    """Raises Refusal for a stop or take-profit that the base price has passed already."""
    for name, wanted, below in (("StopLoss", stop, long), ("TakeProfit", profit, not long)):
        if wanted is None or not wanted.trigger:
            continue
        if wanted.trigger >= base if below else wanted.trigger <= base:
            side, word = "Buy" if long else "Sell", "lower" if below else "be higher"
            raise Refusal(
                "10001",
                f"{name}:{int(wanted.trigger * SCALE)} set for {side} position should {word} than "
                f"base_price:{int(base * SCALE)}??{by}",
            )


def amended_spec(call: Call, spec: OrderSpec, quantity: Decimal) -> OrderSpec:
    """A live order's specification as a call changes it. Raises Refusal where nothing changes."""
    words = dict(spec.words) | _words(call.params)
    asked = replace(
        spec,
        quantity=call.number("qty") or quantity,
        price=spec.price if spec.price is None else call.number("price") or spec.price,
        trigger_price=call.number("triggerPrice") or spec.trigger_price,
        by_mark=_by_mark(call.params, "triggerBy")
        if call.params.get("triggerBy")
        else spec.by_mark,
        stop_loss=_attachment(call, "stopLoss", "sl") or spec.stop_loss,
        take_profit_at=_attachment(call, "takeProfit", "tp") or spec.take_profit_at,
        words=words,
    )
    if asked == replace(spec, quantity=quantity):
        message = "The order remains unchanged as the parameters entered match the existing ones."
        raise Refusal("10001", message)
    return asked


def trading_stop(call: Call) -> tuple[Attachment | None, Attachment | None]:
    """The stop and the take-profit that a trading-stop call sets; zero takes one off."""
    mode = call.params.get("tpslMode", "Full") or "Full"
    stop, profit = call.number("slSize"), call.number("tpSize")
    if mode == "Partial" and None not in (stop, profit) and stop != profit:
        raise Refusal("10001", "params error: tpSize and slSize must be equal")
    return _attachment(call, "stopLoss", "sl"), _attachment(call, "takeProfit", "tp")


def _attachment(call: Call, name: str, short: str) -> Attachment | None:
    params = call.params
    trigger = call.number(name)
    if trigger is None:
        return None
    if trigger < 0:
        raise Refusal("10001", f"params error: {name} invalid")
    mode = params.get("tpslMode") or "Full"
    limit = params.get(f"{short}OrderType") == "Limit"
    if mode not in ("Full", "Partial"):
        raise ValueError("tpslMode invalid")
    if limit and mode == "Full":
        raise Refusal("10001", f"params error: {short}OrderType must be Market when tpslMode=Full")
    price = call.number(f"{short}LimitPrice") if limit else None
    if limit and price is None:
        raise Refusal("10001", f"params error: {short}LimitPrice invalid")
    by = f"{short}TriggerBy"
    return Attachment(
        trigger=trigger,
        quantity=None if mode == "Full" else call.number(f"{short}Size") or ZERO,
        price=price,
        by_mark=_by_mark(params, by),
        words={"triggerBy": params.get(by) or "LastPrice"},
    )


def _by_mark(params: Params, name: str) -> bool:
    by = params.get(name) or "LastPrice"
    if by not in TRIGGERS:
        raise ValueError(f"{name} invalid")
    return by == "MarkPrice"


def _words(params: Params) -> dict[str, str]:
    """What is only said back: the names of trigger prices, and how an order was meant."""
    names = ("triggerBy", "tpTriggerBy", "slTriggerBy", "tpslMode", "closeOnTrigger", "smpType")
    return {name: params[name] for name in names if params.get(name)}


def _slot(call: Call) -> Slot:
    index = call.integer("positionIdx", 0)
    if index not in set(Slot):
        raise ValueError("positionIdx invalid")
    return Slot(index)


def _most_to_close(account: Account, listing: Listing, slot: Slot) -> Decimal:
    """A whole position, up to what one order may be."""
    held = account.position(listing.id, slot)
    size = ZERO if held is None else abs(held.size)
    most = listing.instrument.max_market_amount
    return size if most is None else min(size, most)


def described(attachment: Attachment | None) -> tuple[str, str, str]:
    """An attachment in an order's row: its price, what triggers it, its limit."""
    if attachment is None or not attachment.trigger:
        return "", "", ""
    by = attachment.words.get("triggerBy", "LastPrice")
    return text(attachment.trigger), by, text(attachment.price)
