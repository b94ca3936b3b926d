"""Hyperliquid's POST /exchange: what signed actions do. Source: the page "Exchange endpoint".

Orders of a batch are answered one by one, each with what became of it or with a refusal's words.
A market order is a limit that takes at once or ends. Triggers look at the mark price. Left to
others: who signed (`hyperliquid.py`), the children of orders (`hyperliquid_children.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from messages.values import ZERO, OrderSide
from simulator.hyperliquid_children import Children
from simulator.hyperliquid_rows import MAX_LEVERAGE, Assets, number, oid, price_fits
from simulator.hyperliquid_words import NO_MATCH, WORDS, Refusal, done
from simulator.instruments import Listing
from simulator.market import Market
from simulator.state import (
    Account,
    Attachment,
    Order,
    OrderSpec,
    Rejection,
    RejectReason,
    Slot,
    State,
    TimeInForce,
)
from simulator.wire import Call, Reply, Row, from_ms

Action = Mapping[str, object]

CLOID = re.compile(r"0x[0-9a-fA-F]{32}")
GROUPINGS = ("na", "normalTpsl", "positionTpsl")
TIFS = {
    "Gtc": TimeInForce.GTC,
    "Ioc": TimeInForce.IOC,
    "Alo": TimeInForce.POST_ONLY,
    "FrontendMarket": TimeInForce.IOC,
}
LEAST_AHEAD = timedelta(seconds=5)
"""How far ahead a scheduled cancel must be."""


class Actions:
    """Carries decoded actions out."""

    def __init__(self, market: Market, assets: Assets, children: Children) -> None:
        self._market = market
        self._assets = assets
        self._children = children
        self._scheduled: dict[str, datetime] = {}
        self.of: dict[str, Callable[[Account, Action], Reply]] = {
            "order": self._order,
            "cancel": self._cancel,
            "cancelByCloid": self._cancel_by_cloid,
            "modify": self._modify,
            "batchModify": self._batch_modify,
            "updateLeverage": self._leverage,
            "updateIsolatedMargin": self._margin,
            "scheduleCancel": self._schedule,
            "setReferrer": lambda _, __: done("default"),
            "noop": lambda _, __: done("default"),
        }

    def act(self, call: Call, action: Action) -> Reply:
        return self.of[str(action.get("type"))](call.owner, action)

    def pass_time(self, at: datetime) -> None:
        """Let scheduled cancels come that are due."""
        for name, due in list(self._scheduled.items()):
            if due <= at:
                del self._scheduled[name]
                account = self._market.accounts[name]
                for live in list(account.live.values()):
                    for order in list(live.values()):
                        if not order.attached:
                            self._market.clearing.end(
                                account, order, State.CANCELED, at, "scheduledCancel"
                            )

    def _order(self, account: Account, action: Action) -> Reply:
        grouping = str(action.get("grouping", "na"))
        wires = _rows(action.get("orders"))
        if grouping not in GROUPINGS:
            raise ValueError("grouping")
        if grouping == "na":
            told: list[Row | str] = [self._one(account, wire) for wire in wires]
        elif grouping == "positionTpsl":
            told = [*(self._of_position(account, wire) for wire in wires)]
        else:
            told = self._with_children(account, wires)
        return done("order", {"statuses": told})

    def _one(self, account: Account, wire: Row) -> Row:
        spec = self._spec(wire)
        if isinstance(spec, str):
            return _error(spec, wire)
        return self._place(account, spec, wire)

    def _place(self, account: Account, spec: OrderSpec, wire: Row) -> Row:
        if spec.conditional and spec.reduce_only and self._nothing_to_reduce(account, spec):
            return _error(WORDS[RejectReason.NO_POSITION], wire)
        placed = self._market.place(account, spec)
        if isinstance(placed, Rejection):
            return _error(self._words(placed, spec), wire)
        return self._became(placed, wire)

    def _became(self, order: Order, wire: Row) -> Row:
        told: Row = {"oid": oid(order)}
        if order.spec.client_id:
            told["cloid"] = order.spec.client_id
        if order.state is State.CANCELED and order.spec.time_in_force is TimeInForce.POST_ONLY:
            refusal = Rejection(RejectReason.WOULD_TAKE)
            return _error(self._words(refusal, order.spec), wire)
        if order.state is State.EXPIRED and not order.filled:
            return _error(NO_MATCH, wire)
        if order.filled and not order.state.live:
            return {
                "filled": {
                    "totalSz": number(order.filled),
                    "avgPx": number(order.average),
                    **told,
                }
            }
        return {"resting": told}

    def _with_children(self, account: Account, wires: list[Row]) -> list[Row | str]:
        """The first order is the parent; the others are placed when it has filled."""
        parent = self._spec(wires[0]) if wires else ""
        if isinstance(parent, str):
            return [_error(parent, wire) for wire in wires]
        specs = [self._spec(wire) for wire in wires[1:]]
        first = self._place(account, parent, wires[0])
        told: list[Row | str] = [first]
        if "error" in first:
            return [first, *(_error("Parent order was refused", wire) for wire in wires[1:])]
        order = next(reversed(account.orders.values()))
        for spec, wire in zip(specs, wires[1:], strict=True):
            if isinstance(spec, str):
                told.append(_error(spec, wire))
                continue
            self._children.add(account, order, spec, self._market.now())
            told.append("waitingForTrigger" if order.state is State.FILLED else "waitingForFill")
        return told

    def _of_position(self, account: Account, wire: Row) -> Row:
        """A stop or take-profit of the whole position, whatever its size becomes."""
        spec = self._spec(wire)
        if isinstance(spec, str):
            return _error(spec, wire)
        held = account.position(spec.symbol_id, Slot.BOTH)
        if held is None or self._nothing_to_reduce(account, spec):
            return _error(WORDS[RejectReason.NO_POSITION], wire)
        if spec.trigger_price is None:
            return _error(WORDS[RejectReason.WOULD_TRIGGER], wire)
        wanted = Attachment(trigger=spec.trigger_price, price=spec.price, by_mark=True)
        if spec.take_profit:
            self._market.attach(account, held, take_profit=wanted)
        else:
            self._market.attach(account, held, stop_loss=wanted)
        attached = held.take_profit if spec.take_profit else held.stop_loss
        return {"resting": {"oid": oid(attached)}} if attached is not None else _error("", wire)

    @staticmethod
    def _nothing_to_reduce(account: Account, spec: OrderSpec) -> bool:
        held = account.position(spec.symbol_id, Slot.BOTH)
        size = ZERO if held is None else held.size
        return (size if spec.side is OrderSide.SELL else -size) <= 0

    def _spec(self, wire: Row) -> OrderSpec | str:
        """The order that a wire asks for, or the words of its refusal. Raises ValueError."""
        listing = self._assets.at(_integer(wire.get("a")))
        if listing is None or not self._assets.listed(listing):
            return WORDS[RejectReason.UNKNOWN_SYMBOL]
        kind = wire.get("t")
        if not isinstance(kind, Mapping) or not isinstance(wire.get("b"), bool):
            raise ValueError("t or b")
        price, size = _decimal(wire.get("p")), _decimal(wire.get("s"))
        cloid = str(wire.get("c") or "")
        if cloid and not CLOID.fullmatch(cloid):
            raise ValueError("c")
        if not price_fits(listing, price):
            return WORDS[RejectReason.PRICE_TICK]
        side = OrderSide.BUY if wire["b"] else OrderSide.SELL
        spec = OrderSpec(
            symbol_id=listing.id,
            side=side,
            quantity=size,
            price=price,
            reduce_only=wire.get("r") is True,
            client_id=cloid.lower(),
        )
        trigger, limit = kind.get("trigger"), kind.get("limit")
        if isinstance(trigger, Mapping):
            return self._trigger_spec(listing, spec, trigger)
        tif = str(limit.get("tif")) if isinstance(limit, Mapping) else ""
        if tif not in TIFS:
            raise ValueError("t")
        return replace(spec, time_in_force=TIFS[tif], words={"tif": tif})

    def _trigger_spec(
        self, listing: Listing, spec: OrderSpec, trigger: Mapping[str, object]
    ) -> OrderSpec | str:
        at, meant = _decimal(trigger.get("triggerPx")), trigger.get("tpsl")
        if meant not in ("tp", "sl"):
            raise ValueError("tpsl")
        if not price_fits(listing, at):
            return WORDS[RejectReason.PRICE_TICK]
        profit, buying = meant == "tp", spec.side is OrderSide.BUY
        market = trigger.get("isMarket") is True
        return replace(
            spec,
            price=None if market else spec.price,
            trigger_price=at,
            trigger_rising=profit is not buying,
            take_profit=profit,
            by_mark=True,
            words={"p": str(spec.price)} if market else {},
        )

    def _words(self, refusal: Rejection, spec: OrderSpec) -> str:
        listing = self._assets.all()
        found = next((it for it in listing if it.id == spec.symbol_id), None)
        bbo = ""
        if found is not None:
            prices = self._market.prices
            bbo = f"{number(prices.bid(found))}@{number(prices.ask(found))}"
        return WORDS[refusal.reason].format(bbo=bbo)

    def _cancel(self, account: Account, action: Action) -> Reply:
        wanted = [
            (_integer(it.get("a")), by_oid(account, _integer(it.get("o"))))
            for it in _rows(action.get("cancels"))
        ]
        return self._cancelled(account, wanted)

    def _cancel_by_cloid(self, account: Account, action: Action) -> Reply:
        wanted = [
            (_integer(it.get("asset")), by_cloid(account, str(it.get("cloid")).lower()))
            for it in _rows(action.get("cancels"))
        ]
        return self._cancelled(account, wanted)

    def _cancelled(self, account: Account, wanted: list[tuple[int, Order | None]]) -> Reply:
        told: list[Row | str] = []
        for asset, order in wanted:
            listing = self._assets.at(asset)
            known = order is not None and listing is not None and order.listing.id == listing.id
            ended = self._market.cancel(account, order if known else None)
            if isinstance(ended, Rejection):
                told.append(_error(WORDS[ended.reason], {"a": asset}))
            else:
                told.append("success")
        return done("cancel", {"statuses": told})

    def _modify(self, account: Account, action: Action) -> Reply:
        told = self._modified(account, dict(action))
        if "error" in told:
            raise Refusal(str(told["error"]))
        return done("default")

    def _batch_modify(self, account: Account, action: Action) -> Reply:
        told = [self._modified(account, it) for it in _rows(action.get("modifies"))]
        return done("order", {"statuses": told})

    def _modified(self, account: Account, wanted: Row) -> Row:
        """The old order ends, and the new one has an id of its own."""
        named, wire = wanted.get("oid"), wanted.get("order")
        if not isinstance(wire, dict):
            raise ValueError("order")
        by_id = not isinstance(named, str)
        old = by_oid(account, _integer(named)) if by_id else by_cloid(account, str(named).lower())
        if old is None or not old.state.live:
            return {"error": "Cannot modify canceled or filled order"}
        self._market.cancel(account, old)
        # The id goes on with the new order.
        account.by_client_id.pop(old.spec.client_id, None)
        return self._one(account, wire)

    def _leverage(self, account: Account, action: Action) -> Reply:
        listing, leverage = self._asset(action), _integer(action.get("leverage"))
        if not 1 <= leverage <= MAX_LEVERAGE:
            raise Refusal("Invalid leverage value")
        if action.get("isCross") is True:
            account.isolated.discard(listing.id)
        else:
            account.isolated.add(listing.id)
        self._market.set_leverage(account, listing, Decimal(leverage))
        return done("default")

    def _margin(self, account: Account, action: Action) -> Reply:
        """`ntli` is in millionths of a dollar."""
        listing = self._asset(action)
        held = account.position(listing.id, Slot.BOTH)
        if held is None or not held.size or listing.id not in account.isolated:
            raise Refusal("Cannot update isolated margin of a position that is not isolated")
        held.added_margin += Decimal(_integer(action.get("ntli"))) / 1_000_000
        self._market.clearing.changed(account, held, self._market.now())
        return done("default")

    def _schedule(self, account: Account, action: Action) -> Reply:
        due = action.get("time")
        if due is None:
            self._scheduled.pop(account.name, None)
            return done("default")
        when = from_ms(_integer(due))
        if when < self._market.now() + LEAST_AHEAD:
            raise Refusal("Scheduled cancel time too early, must be at least 5 seconds from now.")
        self._scheduled[account.name] = when
        return done("default")

    def _asset(self, action: Action) -> Listing:
        listing = self._assets.at(_integer(action.get("asset")))
        if listing is None:
            raise Refusal("Invalid asset")
        return listing


def by_oid(account: Account, wanted: int) -> Order | None:
    return next((it for it in reversed(account.orders.values()) if oid(it) == wanted), None)


def by_cloid(account: Account, cloid: str) -> Order | None:
    """The newest order of an id: a modified one leaves its id to the next."""
    orders = reversed(account.orders.values())
    return next((it for it in orders if it.spec.client_id == cloid), None)


def _error(words: str, wire: Mapping[str, object]) -> Row:
    return {"error": f"{words} asset={wire.get('a')}"}


def _rows(value: object) -> list[Row]:
    if not isinstance(value, list) or not all(isinstance(it, dict) for it in value):
        raise ValueError("a list of objects is wanted")
    return value


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("an integer is wanted")
    return value


def _decimal(value: object) -> Decimal:
    """A number in a string, without needless zeros, as the venue wants to have it signed."""
    try:
        found = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        found = None
    if found is None or not found.is_finite() or found < 0:
        raise ValueError("a number in a string is wanted")
    return found
