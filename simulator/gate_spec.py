"""What a request of Gate's names and asks for, or the label by which it is refused.

Sources: "Place futures order" and "Create price-triggered order" of Gate's API v4 documentation.
Left to others: what the market refuses (`checks.py`), the endpoints (`gate_orders.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from messages.values import ZERO, OrderSide
from simulator.gate_rows import sized
from simulator.gate_words import error, invalid, missing
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.state import Account, OrderSpec, Slot, TimeInForce
from simulator.wire import Body, Call, Reply

IN_FORCE = {
    "gtc": TimeInForce.GTC,
    "ioc": TimeInForce.IOC,
    "fok": TimeInForce.FOK,
    "poc": TimeInForce.POST_ONLY,
}
OWN_TEXT = re.compile(r"t-[0-9A-Za-z_.-]{1,28}")
SOURCES = ("", "api", "web", "app")
PLANS = ("close-long-position", "close-short-position")
KINDS = ("", *PLANS, *(f"plan-{kind}" for kind in PLANS))
LONGEST_LIST = 1000


def dated(call: Call) -> bool:
    """Whether the call is of the delivery API, whose contracts expire."""
    return call.path.startswith("/api/v4/delivery/")


def listings(market: Market, call: Call) -> list[Listing]:
    """What is listed under the settle currency of a call."""
    return [it for it in market.listings(Exchange.GATE) if belongs(it, call)]


def belongs(listing: Listing, call: Call) -> bool:
    it = listing.instrument
    return it.settle == settle_of(call) and (it.expires_at is not None) is dated(call)


def settle_of(call: Call) -> str:
    return call.params.get("settle", "").upper()


def named_listing(market: Market, call: Call, name: str = "contract") -> Listing | Reply:
    """The contract that a call must name, or the refusal where it does not."""
    told = call.params.get(name, "")
    if not told:
        return missing(name)
    found = market.find_listing(Exchange.GATE, told)
    if found is None or not belongs(found, call):
        return error("CONTRACT_NOT_FOUND", f"contract {told} not found")
    return found


def answered(call: Call, body: Body, status: int = 200) -> Reply:
    """A reply with its sizes as the client asked for them."""
    as_text = call.headers.get("X-Gate-Size-Decimal") == "1" and not dated(call)
    body = sized(body, as_text=as_text)
    return Reply(body, status=status, rows=() if isinstance(body, list) else None)


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for."""

    limit: int
    offset: int

    def of(self, rows: list[dict[str, object]]) -> list[dict[str, object]]:
        return rows[self.offset : self.offset + self.limit]


def page_of(call: Call, most: int = LONGEST_LIST) -> Page | Reply:
    limit, offset = call.integer("limit", 100), call.integer("offset", 0)
    if not 1 <= limit <= most:
        return invalid("limit")
    return invalid("offset") if offset < 0 else Page(limit, offset)


def read_order(call: Call, listing: Listing) -> OrderSpec | Reply:
    """The order that a call asks for. Raises ValueError for a number that is none."""
    params = call.params
    size, price = call.number("size"), call.number("price")
    in_force = params.get("tif") or "gtc"
    if size is None:
        return missing("size")
    if price is None or price < 0:
        return invalid("price")
    if in_force not in IN_FORCE:
        return invalid("tif")
    if not price and in_force not in ("ioc", "fok"):
        return invalid("tif: a market order is ioc or fok")
    if size != size.to_integral_value():
        return invalid("size")
    if call.params.get("stp_act", "-") not in ("", "-"):
        return invalid("stp_act: the user is in no group")
    if not fits_text(params.get("text", "")):
        return invalid("text")
    wanted = _sided(call, listing, size)
    if isinstance(wanted, Reply):
        return wanted
    side, slot, quantity, whole = wanted
    return OrderSpec(
        symbol_id=listing.id,
        side=side,
        quantity=quantity,
        price=price or None,
        time_in_force=IN_FORCE[in_force],
        reduce_only=call.flag("reduce_only") or whole,
        close_position=whole,
        slot=slot,
        client_id=own_text(params.get("text", "")),
    )


def fits_text(told: str) -> bool:
    return told in SOURCES or OWN_TEXT.fullmatch(told) is not None


def own_text(told: str) -> str:
    """A client's own id; the words for sources are none."""
    return "" if told in SOURCES else told


def _sided(
    call: Call, listing: Listing, size: Decimal
) -> tuple[OrderSide, Slot, Decimal, bool] | Reply:
    """Side, slot and contracts of an order, and whether it closes all of a position.

    In dual mode the leg is told by the sign and `reduce_only`: what reduces and sells closes the
    long leg, what buys without it opens one.
    """
    owner, close, auto = call.owner, call.flag("close"), call.params.get("auto_size", "")
    if size:
        if close or auto:
            return invalid("size: a closing order has none")
        side = OrderSide.BUY if size > 0 else OrderSide.SELL
        return side, slot_of(owner, side, reduces=call.flag("reduce_only")), abs(size), False
    if owner.hedged:
        if auto not in ("close_long", "close_short"):
            return invalid("auto_size")
        slot = Slot.LONG if auto == "close_long" else Slot.SHORT
        side = OrderSide.SELL if slot is Slot.LONG else OrderSide.BUY
    elif close:
        slot = Slot.BOTH
        net = owner.position(listing.id, slot)
        side = OrderSide.BUY if net is not None and net.size < 0 else OrderSide.SELL
    else:
        return error("SIZE_TOO_SMALL", "size 0 is below the minimum")
    held = owner.position(listing.id, slot)
    if held is None or not held.size:
        return error("POSITION_EMPTY", "position is empty")
    return side, slot, abs(held.size), True


def slot_of(owner: Account, side: OrderSide, *, reduces: bool) -> Slot:
    if not owner.hedged:
        return Slot.BOTH
    return Slot.LONG if (side is OrderSide.BUY) is not reduces else Slot.SHORT


def read_trigger(call: Call, listing: Listing, last: Decimal) -> OrderSpec | Reply:
    """A price-triggered order. `size` 0 closes all of a position, whatever it is by then."""
    params = call.params
    size = call.number("initial.amount") or call.number("initial.size") or ZERO
    price, trigger = call.number("initial.price"), call.number("trigger.price")
    rule = params.get("trigger.rule", "")
    in_force, kind = params.get("initial.tif") or "gtc", params.get("order_type", "")
    if price is None or trigger is None:
        return missing("initial.price" if price is None else "trigger.price")
    if trigger <= 0 or rule not in ("1", "2"):
        return invalid("trigger.price" if trigger <= 0 else "Trigger.rule")
    if in_force not in ("gtc", "ioc") or (not price and in_force != "ioc"):
        return invalid("initial.tif")
    if params.get("trigger.strategy_type", "0") != "0" or kind not in KINDS:
        return invalid("order_type" if kind not in KINDS else "trigger.strategy_type")
    if size != size.to_integral_value() or not fits_text(params.get("initial.text", "")):
        return invalid("initial.text" if size == size.to_integral_value() else "initial.size")
    rising = rule == "1"
    # "Trigger.Price must > last_price", and the other way round.
    if rising and trigger <= last:
        return error("AUTO_TRIGGER_PRICE_LESS_LAST", "Trigger.Price must > last_price")
    if not rising and trigger >= last:
        return error("AUTO_TRIGGER_PRICE_GREATE_LAST", "Trigger.Price must < last_price")
    closing = _closing(call, listing, size, kind)
    if isinstance(closing, Reply):
        return closing
    side, slot, quantity = closing
    expiration = call.integer("trigger.expiration", 0)
    return OrderSpec(
        symbol_id=listing.id,
        side=side,
        quantity=quantity,
        price=price or None,
        time_in_force=IN_FORCE[in_force],
        reduce_only=call.flag("initial.reduce_only") or not size,
        close_position=not size,
        slot=slot,
        client_id=own_text(params.get("initial.text", "")),
        trigger_price=trigger,
        trigger_rising=rising,
        take_profit=(side is OrderSide.SELL) is rising,
        by_mark=params.get("trigger.price_type", "0") == "1",
        good_till=call.at + timedelta(seconds=expiration) if expiration else None,
        words={"order_type": kind, "expiration": str(expiration)},
    )


def _closing(
    call: Call, listing: Listing, size: Decimal, kind: str
) -> tuple[OrderSide, Slot, Decimal] | Reply:
    owner = call.owner
    if size:
        side = OrderSide.BUY if size > 0 else OrderSide.SELL
        reduces = call.flag("initial.reduce_only")
        return side, slot_of(owner, side, reduces=reduces), abs(size)
    auto = call.params.get("initial.auto_size", "") or (
        f"close_{kind.split('-')[-2]}" if kind else ""
    )
    if not owner.hedged:
        if not call.flag("initial.close"):
            return invalid("initial.close: size 0 needs it")
        held = owner.position(listing.id, Slot.BOTH)
        if held is None or not held.size:
            return error("POSITION_EMPTY", "position is empty")
        side = OrderSide.SELL if held.size > 0 else OrderSide.BUY
        return side, Slot.BOTH, abs(held.size)
    if auto not in ("close_long", "close_short"):
        return invalid("initial.auto_size")
    long = auto == "close_long"
    slot = Slot.LONG if long else Slot.SHORT
    held = owner.position(listing.id, slot)
    side = OrderSide.SELL if long else OrderSide.BUY
    return side, slot, ZERO if held is None else abs(held.size)
