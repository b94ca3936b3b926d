"""A served Bybit and the real ccxt class, spoken to in Bybit's own parameters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import ccxt.async_support as ccxt

from messages.values import Side
from simulator import SimulatedVenue
from simulator.market import Market
from tests.simulator.conftest import BTC, connected, dec

ACCOUNT = "bybit-main"
LINEAR = {"category": "linear", "symbol": "BTCUSDT"}


class Bybit:
    """One account of a still venue, where BTC is at 64250.0 with the book one step beside it."""

    def __init__(self, venue: SimulatedVenue, exchange: Any) -> None:
        self.venue = venue
        self.exchange = exchange
        self.market: Market = venue.market

    async def order(self, side: str = "Buy", qty: str = "1", **params: object) -> str:
        """Create a market order, unless told otherwise, and answer its id."""
        asked = LINEAR | {"side": side, "qty": qty, "orderType": "Market"} | params
        told = await self.exchange.privatePostV5OrderCreate(asked)
        return str(told["result"]["orderId"])

    async def limit(self, side: str, qty: str, price: str, **params: object) -> str:
        return await self.order(side, qty, orderType="Limit", price=price, **params)

    async def post(self, method: str, **params: object) -> Any:
        """The result of one of ccxt's raw POST methods."""
        told = await getattr(self.exchange, f"privatePostV5{method}")(params)
        return told["result"]

    async def get(self, method: str, **params: object) -> Any:
        """The list of one of ccxt's raw GET methods."""
        told = await getattr(self.exchange, f"privateGetV5{method}")(params)
        return told["result"]["list"]

    async def stop(self, **params: object) -> None:
        """Set what hangs on the BTC position."""
        await self.post("PositionTradingStop", **({"tpslMode": "Full"} | LINEAR | params))

    async def position(self, symbol: str = "BTCUSDT", index: int = 0) -> Any:
        rows = await self.get("PositionList", category="linear", symbol=symbol)
        (row,) = [it for it in rows if it["positionIdx"] == index]
        return row

    async def open_orders(self, **params: object) -> list[Any]:
        return list(await self.get("OrderRealtime", **(LINEAR | params)))

    async def found(self, order_id: str) -> Any:
        """An order as it is told by id, open or not."""
        (row,) = await self.get("OrderRealtime", **LINEAR, orderId=order_id)
        return row

    def price(self, price: str) -> None:
        self.market.set_price(BTC, dec(price))

    def held(self, side: Side = Side.LONG) -> Decimal:
        return self.market.quantity(ACCOUNT, BTC, side)


@asynccontextmanager
async def bybit(*, hedged: bool = False) -> AsyncIterator[Bybit]:
    async with connected(ACCOUNT) as (venue, exchange):
        venue.market.set_mode(ACCOUNT, hedged=hedged)
        yield Bybit(venue, exchange)


def code(error: BaseException) -> int:
    """Bybit's own code in an error of ccxt's."""
    text = str(error)
    return int(text.split('"retCode":')[1].split(",")[0])


Refused = ccxt.BaseError
