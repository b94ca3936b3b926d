"""What an OKX order asks for, from its parameters: plain and algo orders, and what they attach.

Rules and their words follow the pages "Place order" and "Place algo order" of OKX's v5
documentation. Left to others: the market's own rules (`checks.py`).
"""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

from messages.values import ZERO, OrderSide
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.okx_words import needed
from simulator.prices import Prices
from simulator.state import Account, Attachment, OrderSpec, Slot, TimeInForce
from simulator.trailing import Trail
from simulator.wire import Call, Refusal, text

CLIENT_ID = re.compile(r"[A-Za-z0-9]{1,32}")
PLAIN = {
    "market": TimeInForce.GTC,
    "limit": TimeInForce.GTC,
    "post_only": TimeInForce.POST_ONLY,
    "fok": TimeInForce.FOK,
    "ioc": TimeInForce.IOC,
    "optimal_limit_ioc": TimeInForce.IOC,
}
ALGO = ("conditional", "trigger", "move_order_stop")
NOT_SIMULATED = ("oco", "iceberg", "twap", "chase", "mmp", "mmp_and_post_only", "op_fok")
PORTFOLIO = "PORTFOLIO_MARGIN"
"""How the whole account is margined, which OKX calls account mode 4."""
AT_MARKET = Decimal(-1)
"""As a price: at the market."""


def listed(market: Market, call: Call) -> Listing:
    """The contract that a call must name. Raises Refusal where it is not listed."""
    listing = market.find_listing(Exchange.OKX, needed(call, "instId"))
    if listing is None:
        raise Refusal("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
    return listing


def plain_spec(call: Call, listing: Listing) -> OrderSpec:
    """A plain order. Raises Refusal, or ValueError for what cannot be read."""
    kind = needed(call, "ordType")
    if kind not in PLAIN:
        raise Refusal("51000", "Parameter ordType error")
    at_market = kind in ("market", "optimal_limit_ioc")
    price = None if at_market else call.number("px")
    if price is None and not at_market:
        raise Refusal("51000", "Parameter px error")
    quantity = call.number("sz")
    if quantity is None:
        raise Refusal("50014", "Parameter sz can not be empty.")
    stop, profit = _attached(call)
    slot = _slot(call)
    reduce_only = _reduce_only(call)
    if (stop or profit) and reduce_only:
        why = "Take profit/Stop loss conditions cannot be added to reduce-only orders."
        raise Refusal("51100", f"Unable to place order. {why}")
    words = _words(call, listing, slot)
    if kind == "optimal_limit_ioc":
        words["ordType"] = kind
    return OrderSpec(
        symbol_id=listing.id,
        side=_side(call),
        quantity=quantity,
        price=price,
        time_in_force=PLAIN[kind],
        reduce_only=reduce_only,
        slot=slot,
        client_id=_client_id(call, "clOrdId"),
        stop_loss=stop,
        take_profit_at=profit,
        words=words,
    )


def algo_spec(call: Call, listing: Listing, prices: Prices) -> OrderSpec:
    """An algo order. Raises Refusal, or ValueError for what cannot be read."""
    kind = needed(call, "ordType")
    if kind in NOT_SIMULATED:
        raise Refusal("51000", f"Parameter ordType error: {kind} is not simulated")
    if kind not in ALGO:
        raise Refusal("51000", "Parameter ordType error")
    side, slot = _side(call), _slot(call)
    fraction, quantity = call.number("closeFraction"), call.number("sz")
    whole = fraction is not None
    if whole and fraction != 1:
        raise Refusal("51000", "Parameter closeFraction error")
    if whole and quantity is not None:
        raise Refusal("50024", "Parameter sz and closeFraction can not exist at the same time.")
    if not whole and quantity is None:
        raise Refusal("50015", "Either parameter sz or closeFraction is required")
    reduce_only = _reduce_only(call)
    if whole and not reduce_only and not call.owner.hedged:
        raise Refusal("51000", "Parameter reduceOnly error")
    trigger: Decimal | None = None
    price: Decimal | None = None
    trail: Trail | None = None
    rising: bool | None = None
    profit, by = False, "last"
    if kind == "move_order_stop":
        trail = _trail(call)
    elif kind == "trigger":
        trigger, by = call.number("triggerPx"), call.params.get("triggerPxType") or "last"
        price = call.number("orderPx")
        if trigger is None or price is None:
            missing = "triggerPx" if trigger is None else "orderPx"
            raise Refusal("50014", f"Parameter {missing} can not be empty.")
        rising = trigger > prices.last(listing)
        profit = rising is (side is OrderSide.SELL)
    else:
        names = [it for it in ("sl", "tp") if call.number(f"{it}TriggerPx") is not None]
        if len(names) != 1:
            raise Refusal("51175", "Parameters tpTriggerPx or slTriggerPx, and only one of them")
        (which,) = names
        profit = which == "tp"
        trigger, price = call.number(f"{which}TriggerPx"), call.number(f"{which}OrdPx")
        by = call.params.get(f"{which}TriggerPxType") or "last"
        if price is None:
            raise Refusal("50014", f"Parameter {which}OrdPx can not be empty.")
        rising = profit is (side is OrderSide.SELL)
    if by not in ("last", "mark", "index"):
        raise Refusal("51000", "Parameter triggerPxType error")
    words = _words(call, listing, slot)
    words["ordType"] = kind
    return OrderSpec(
        symbol_id=listing.id,
        side=side,
        quantity=ZERO if quantity is None else quantity,
        price=None if price == AT_MARKET else price,
        reduce_only=reduce_only,
        close_position=whole,
        slot=slot,
        client_id=_client_id(call, "algoClOrdId"),
        trigger_price=trigger,
        trigger_rising=rising,
        take_profit=profit,
        trail=trail,
        by_mark=by == "mark",
        words=words,
    )


def _reduce_only(call: Call) -> bool:
    """Whether the flag holds: in net mode only, and not with portfolio margin."""
    owner = call.owner
    return call.flag("reduceOnly") and not owner.hedged and owner.margin_mode != PORTFOLIO


def _trail(call: Call) -> Trail:
    rate, distance = call.number("callbackRatio"), call.number("callbackSpread")
    if (rate is None) == (distance is None):
        raise Refusal("50015", "Either parameter callbackRatio or callbackSpread is required")
    if rate is not None and not Decimal("0.001") <= rate <= 1:
        raise Refusal("51257", "Trailing stop order callback rate error.")
    return Trail(rate=rate, distance=distance, activation=call.number("activePx"))


def _side(call: Call) -> OrderSide:
    side = needed(call, "side")
    if side not in ("buy", "sell"):
        raise Refusal("51000", "Parameter side error")
    return OrderSide(side)


def _slot(call: Call) -> Slot:
    """`posSide` is `net` or nothing in net mode, and must be long or short in the other one."""
    named = call.params.get("posSide", "")
    if call.owner.hedged:
        slots = {"long": Slot.LONG, "short": Slot.SHORT}
    else:
        slots = {"": Slot.BOTH, "net": Slot.BOTH}
    if named not in slots:
        raise Refusal("51000", "Parameter posSide error")
    return slots[named]


def _client_id(call: Call, name: str) -> str:
    given = call.params.get(name, "")
    if given and not CLIENT_ID.fullmatch(given):
        raise Refusal("51000", f"Parameter {name} error")
    return given


def _words(call: Call, listing: Listing, slot: Slot) -> dict[str, str]:
    """What is said back of an order. `tdMode` is how the leg is margined that it opens."""
    mode = needed(call, "tdMode")
    if mode not in ("cross", "isolated"):
        raise Refusal("51000", "Parameter tdMode error")
    held = call.owner.position(listing.id, slot)
    current = "isolated" if listing.id in call.owner.isolated else "cross"
    if held is not None and held.size and mode != current:
        if call.flag("reduceOnly") or call.params.get("closeFraction"):
            raise Refusal(
                "51169",
                "Order failed because you don't have any positions in this direction for this "
                "contract to reduce or close.",
            )
        # The venue would keep a second position beside it; the market core has one a slot.
        raise Refusal("51010", "not simulated: a cross and an isolated position side by side")
    return {"tdMode": mode, "tag": call.params.get("tag", "")}


def take_margin_mode(account: Account, spec: OrderSpec) -> None:
    """Let the contract be margined as an order that was taken said."""
    if spec.words.get("tdMode") == "isolated":
        account.isolated.add(spec.symbol_id)
    else:
        account.isolated.discard(spec.symbol_id)


def _attached(call: Call) -> tuple[Attachment | None, Attachment | None]:
    """`attachAlgoOrds`: a stop, a take-profit, or both, of what the order will have filled."""
    written = call.params.get("attachAlgoOrds", "")
    if not written:
        return None, None
    try:
        rows = msgspec.json.decode(written, type=list[dict[str, str | int | float | bool]])
    except msgspec.MsgspecError as error:
        raise Refusal("50002", "JSON syntax error") from error
    if len(rows) != 1:
        raise Refusal("51000", "Parameter attachAlgoOrds error: more than one is not simulated")
    found: list[Attachment | None] = []
    for name in ("sl", "tp"):
        trigger, price = _number(rows[0], f"{name}TriggerPx"), _number(rows[0], f"{name}OrdPx")
        if (trigger is None) != (price is None):
            words = f"{name}TriggerPx and {name}OrdPx can only be empty together"
            raise Refusal("51178", words)
        by_mark = rows[0].get(f"{name}TriggerPxType") == "mark"
        limit = None if price == AT_MARKET else price
        found.append(
            None
            if trigger is None
            else Attachment(trigger=trigger, quantity=ZERO, price=limit, by_mark=by_mark)
        )
    return found[0], found[1]


def _number(row: dict[str, str | int | float | bool], name: str) -> Decimal | None:
    value = row.get(name)
    if value in (None, ""):
        return None
    try:
        return Decimal(str(value))
    except ArithmeticError as error:
        raise Refusal("51000", f"Parameter {name} error") from error


def resized(call: Call, spec: OrderSpec) -> tuple[Decimal | None, Decimal | None]:
    """`newSz` and `newPx` of an amendment. Raises Refusal where it changes nothing."""
    size, price = call.number("newSz"), call.number("newPx")
    if size is None and price is None:
        raise Refusal("50015", "Either parameter newSz or newPx is required")
    if price is not None and spec.price is None:
        raise Refusal("51000", f"Parameter newPx error: {text(price)}")
    return size, price
