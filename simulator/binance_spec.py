"""What an order request of Binance USD-M asks for, or the code by which it is refused.

Sources: the pages "New Order", "New Algo Order" and "Error Codes" of Binance's USD-M futures
documentation. Left to others: what the market refuses (`checks.py`), the endpoints
(`binance_orders.py`, `binance_algo.py`).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal

from messages.values import ZERO, OrderSide
from simulator.binance_order_rows import default_words
from simulator.binance_words import error, missing, needless
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.prices import Prices
from simulator.state import Account, OrderSpec, Slot, TimeInForce
from simulator.trailing import Trail
from simulator.wire import Call, Reply

SLOTS = {"": Slot.BOTH, "BOTH": Slot.BOTH, "LONG": Slot.LONG, "SHORT": Slot.SHORT}
IN_FORCE = {
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "GTX": TimeInForce.POST_ONLY,
    "GTD": TimeInForce.GTD,
}
PLAIN = ("LIMIT", "MARKET")
CONDITIONAL = ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
PRICED = ("LIMIT", "STOP", "TAKE_PROFIT")
CLOSE_ALL = ("STOP_MARKET", "TAKE_PROFIT_MARKET")
CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]*")
LONGEST_CLIENT_ID = 36
PRICE_MATCH = re.compile(r"(OPPONENT|QUEUE)(?:_(5|10|20))?")
LEAST_LIFE = timedelta(seconds=600)
LAST_GOOD_TILL = 253_402_300_799_000
CALLBACK_RATES = (Decimal("0.1"), Decimal(10))
"""The least and the most that a trailing stop may stay behind, in percent."""


def named_listing(market: Market, call: Call, name: str = "symbol") -> Listing | Reply:
    """The instrument that a call must name, or the refusal where it does not."""
    told = call.params.get(name, "")
    if not told:
        return missing(name)
    found = market.find_listing(Exchange.BINANCE, told)
    return error("-1121", "Invalid symbol.") if found is None else found


def read_order(call: Call, listing: Listing, prices: Prices) -> OrderSpec | Reply:
    """The order that a call asks for. Raises ValueError for a number that is none."""
    params = call.params
    kind, side = params.get("type", ""), params.get("side", "")
    conditional = kind in CONDITIONAL
    slot = SLOTS.get(params.get("positionSide", ""))
    if side not in ("BUY", "SELL"):
        return error("-1117", "Invalid side.") if side else missing("side")
    if slot is None:
        return error("-4060", "Invalid position side.")
    client_id = params.get("clientAlgoId" if conditional else "newClientOrderId", "")
    refusal = (
        _check_client_id(client_id, "clientAlgoId" if conditional else "newClientOrderId")
        or _check_time_in_force(call, kind)
        or _check_closing(call, kind, slot)
        or _check_quantity(call)
    )
    if refusal is not None:
        return refusal
    price = _price(call, kind, listing, prices)
    if isinstance(price, Reply):
        return price
    trail = _trail(call) if kind == "TRAILING_STOP_MARKET" else None
    if isinstance(trail, Reply):
        return trail
    trigger = call.number("triggerPrice") if conditional and trail is None else None
    if conditional and trail is None and trigger is None:
        return missing("triggerPrice")
    whole, profit = call.flag("closePosition"), kind.startswith("TAKE_PROFIT")
    quantity = call.number("quantity")
    return OrderSpec(
        symbol_id=listing.id,
        side=OrderSide.BUY if side == "BUY" else OrderSide.SELL,
        quantity=_held(call.owner, listing, slot) if quantity is None else quantity,
        price=price,
        time_in_force=IN_FORCE[params.get("timeInForce") or "GTC"],
        reduce_only=call.flag("reduceOnly"),
        close_position=whole,
        slot=slot,
        client_id=client_id,
        trigger_price=trigger,
        trigger_rising=None if trigger is None else (side == "BUY") is not profit,
        take_profit=profit,
        trail=trail,
        by_mark=params.get("workingType") == "MARK_PRICE",
        # Only the second counts, says the documentation.
        good_till=_good_till(call),
        words={name: params[name] for name in default_words() if params.get(name)},
    )


def _check_client_id(client_id: str, name: str) -> Reply | None:
    if len(client_id) > LONGEST_CLIENT_ID:
        return error("-4015", "Client order id length should be less than 36 chars")
    if not CLIENT_ID.fullmatch(client_id):
        legal = "^[\\.A-Z\\:/a-z0-9_-]{1,36}$"
        return error(
            "-1100", f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."
        )
    return None


def _check_time_in_force(call: Call, kind: str) -> Reply | None:
    """LIMIT must name one, MARKET must not; conditional orders are GTC where they name none."""
    name, good_till = call.params.get("timeInForce", ""), call.params.get("goodTillDate")
    if kind == "MARKET" and name:
        return needless("timeInForce")
    if kind == "LIMIT" and not name:
        return missing("timeInForce")
    if name and name not in IN_FORCE:
        return error("-1115", "Invalid timeInForce.")
    if name != "GTD":
        return None
    if not good_till:
        return missing("goodTillDate")
    until = _good_till(call)
    latest = int(good_till) < LAST_GOOD_TILL if good_till.isdecimal() else False
    if until is None or not latest or until <= call.at + LEAST_LIFE:
        return error(
            "-5040",
            "The goodTillDate timestamp must be greater than the current time plus 600 seconds "
            "and smaller than 253402300799000 (UTC 9999-12-31 23:59:59)",
        )
    return None


def _check_closing(call: Call, kind: str, slot: Slot) -> Reply | None:
    """closePosition is for stop and take-profit market orders, without quantity or reduceOnly."""
    if call.params.get("reduceOnly") and (call.owner.hedged or call.flag("closePosition")):
        return needless("reduceOnly")
    if not call.flag("closePosition"):
        return None
    if kind not in CLOSE_ALL:
        return error("-4136", f"Target strategy invalid for orderType {kind},closePosition true")
    if call.params.get("quantity"):
        return error("-4137", "Quantity must be zero with closePosition equals true")
    opening = (Slot.LONG, "BUY"), (Slot.SHORT, "SELL")
    if (slot, call.params.get("side")) in opening:
        return error("-2022", "ReduceOnly Order is rejected.")
    return None


def _check_quantity(call: Call) -> Reply | None:
    if call.number("quantity") is None and not call.flag("closePosition"):
        return missing("quantity")
    return None


def _price(call: Call, kind: str, listing: Listing, prices: Prices) -> Decimal | Reply | None:
    """The limit price, also where it is asked for by its place in the book."""
    match = call.params.get("priceMatch", "") or "NONE"
    price = call.number("price")
    if match == "NONE":
        if kind in PRICED and price is None:
            return missing("price")
        return price if kind in PRICED else None
    asked = PRICE_MATCH.fullmatch(match)
    if asked is None:
        return error("-5037", "Invalid price match")
    if kind not in PRICED:
        return error("-5038", "Price match only supports order type: LIMIT, STOP AND TAKE_PROFIT")
    if price is not None:
        return needless("price")
    buys_from = call.params.get("side") == "BUY", asked[1] == "OPPONENT"
    at_ask = buys_from in ((True, True), (False, False))
    deeper = (int(asked[2] or 1) - 1) * listing.instrument.price_step
    return prices.ask(listing) + deeper if at_ask else prices.bid(listing) - deeper


def _trail(call: Call) -> Trail | Reply:
    percent = call.number("callbackRate")
    if percent is None:
        return missing("callbackRate")
    least, most = CALLBACK_RATES
    if not least <= percent <= most:
        return error("-2007", "Invalid callBack rate.")
    return Trail(rate=percent / 100, activation=call.number("activatePrice"))


def _good_till(call: Call) -> datetime | None:
    told = call.instant("goodTillDate") if call.params.get("timeInForce") == "GTD" else None
    return None if told is None else told.replace(microsecond=0)


def _held(owner: Account, listing: Listing, slot: Slot) -> Decimal:
    position = owner.position(listing.id, slot)
    return ZERO if position is None else abs(position.size)
