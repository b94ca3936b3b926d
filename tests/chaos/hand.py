"""What people and the bot do at the exchange, over its operators' paths."""

from __future__ import annotations

import asyncio
import ssl
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from messages.values import LegKey
from simulator.faults import Fault
from tests.chaos.venue_process import VenueProcess


class Hand:
    """Trades by hand and orders trouble. A frozen exchange is waited for.

    `port` is held for each call, so that the exchange leaves its port only between two: a call
    that was cut off could not be repeated without doubling a trade.
    """

    def __init__(self, venue: VenueProcess) -> None:
        self.port = asyncio.Lock()
        self._base = f"https://localhost:{venue.connect.rpartition(':')[2]}/admin/"
        self._tls = ssl.create_default_context(cafile=str(venue.ca_file))
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))

    async def open(self, key: LegKey, quantity: Decimal) -> None:
        leg = {"account": key.account, "symbol": key.symbol, "side": key.side.value}
        await self._say("POST", "positions", {**leg, "quantity": str(quantity)})

    async def close(self, key: LegKey) -> None:
        leg = {"account": key.account, "symbol": key.symbol, "side": key.side.value}
        await self._say("POST", "close", leg)

    async def order(self, fault: Fault) -> None:
        await self._say("POST", "faults", msgspec.to_builtins(fault))

    async def clear(self) -> None:
        """No fault strikes any more."""
        await self._say("DELETE", "faults", {})

    async def _say(self, method: str, path: str, body: dict[str, Any]) -> None:
        async with (
            self.port,
            self._session.request(method, self._base + path, json=body, ssl=self._tls) as answer,
        ):
            if answer.status != 200:
                raise RuntimeError(f"{method} {path}: {answer.status} {await answer.text()}")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._session.close()
