"""The operators' side of the simulated venue, under `/admin/…` of localhost: order trouble, trade
by hand, look at everything. Only the server decides who is an operator.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import msgspec

from messages.values import Side
from simulator.desk import Answer, Desk
from simulator.faults import ANY, Fault, FaultBook
from simulator.instruments import Exchange
from simulator.market import Market
from simulator.streams import Streams
from simulator.views import opening_fills, order_views, position_views
from simulator.wire import encode, text


class OpenPosition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    account: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal | None = None
    opened_at: datetime | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    leverage: Decimal | None = None


class CloseByHand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    account: str
    symbol: str
    side: Side
    quantity: Decimal | None = None
    price: Decimal | None = None


class Leg(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    account: str
    symbol: str
    side: Side


class SetPrice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    symbol: str
    price: Decimal


class SetDepth(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    exchange: Exchange
    symbol: str
    quantity: Decimal | None = None


class Cut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    account: str = ANY


class Admin:
    """Answers operators. Wrong input is 400, an unknown path 404, always as JSON."""

    def __init__(self, market: Market, faults: FaultBook, desk: Desk, streams: Streams) -> None:
        self._market = market
        self._faults = faults
        self._desk = desk
        self._streams = streams
        self._paths: dict[tuple[str, str], Callable[[bytes], object]] = {
            ("GET", "/admin/faults"): lambda _: faults.standing(),
            ("POST", "/admin/faults"): self._order_fault,
            ("DELETE", "/admin/faults"): self._clear_faults,
            ("POST", "/admin/positions"): self._open,
            ("GET", "/admin/positions"): lambda _: position_views(market),
            ("POST", "/admin/close"): self._close,
            ("POST", "/admin/liquidate"): self._liquidate,
            ("POST", "/admin/price"): self._price,
            ("POST", "/admin/depth"): self._depth,
            ("POST", "/admin/cut"): self._cut,
            ("GET", "/admin/counts"): lambda _: desk.log.counts,
            ("GET", "/admin/requests"): lambda _: list(desk.log.requests),
            ("GET", "/admin/orders"): lambda _: order_views(market),
            ("GET", "/admin/openings"): lambda _: len(opening_fills(market)),
            ("GET", "/admin/state"): self._state,
        }

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        handler = self._paths.get((method, path))
        if handler is None:
            known = sorted(f"{verb} {name}" for verb, name in self._paths)
            return Answer(404, encode({"error": f"no {method} {path}", "known": known}))
        try:
            return Answer(200, encode(handler(body)))
        except (msgspec.MsgspecError, ValueError, KeyError) as error:
            return Answer(400, encode({"error": f"{type(error).__name__}: {error}"}))

    def _order_fault(self, body: bytes) -> object:
        return {"id": self._faults.order(msgspec.json.decode(body, type=Fault))}

    def _clear_faults(self, body: bytes) -> object:  # noqa: ARG002  # every path takes a body
        self._faults.clear()
        return {"cleared": True}

    def _open(self, body: bytes) -> object:
        asked = msgspec.json.decode(body, type=OpenPosition)
        position = self._market.open_position(
            asked.account,
            asked.symbol,
            asked.side,
            asked.quantity,
            asked.price,
            asked.opened_at,
            stop_loss=asked.stop_loss,
            take_profit=asked.take_profit,
            leverage=asked.leverage,
        )
        return {"size": text(position.size)}

    def _close(self, body: bytes) -> object:
        asked = msgspec.json.decode(body, type=CloseByHand)
        position = self._market.close_by_hand(
            asked.account, asked.symbol, asked.side, asked.quantity, asked.price
        )
        return {"size": text(position.size)}

    def _liquidate(self, body: bytes) -> object:
        leg = msgspec.json.decode(body, type=Leg)
        return {"size": text(self._market.liquidate(leg.account, leg.symbol, leg.side).size)}

    def _price(self, body: bytes) -> object:
        asked = msgspec.json.decode(body, type=SetPrice)
        self._market.set_price(asked.symbol, asked.price)
        return {"price": text(asked.price)}

    def _depth(self, body: bytes) -> object:
        asked = msgspec.json.decode(body, type=SetDepth)
        self._market.set_book_depth(asked.exchange, asked.symbol, asked.quantity)
        return {"depth": text(asked.quantity)}

    def _cut(self, body: bytes) -> object:
        self._streams.cut(msgspec.json.decode(body or b"{}", type=Cut).account)
        return {"cut": True}

    def _state(self, body: bytes) -> object:  # noqa: ARG002  # every path takes a body
        wallets = {
            account.name: {coin: text(amount) for coin, amount in account.wallet.items()}
            for account in self._market.accounts.values()
        }
        return {
            "now": self._market.now(),
            "positions": position_views(self._market),
            "orders": order_views(self._market),
            "wallets": wallets,
            "counts": self._desk.log.counts,
            "faults": self._faults.standing(),
        }
