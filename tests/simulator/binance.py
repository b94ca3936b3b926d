"""Binance USD-M spoken to without a client's help: requests signed as its documentation says."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from simulator import SimulatedVenue
from simulator.state import Account
from tests.simulator.conftest import Clock, still_venue
from venues.transport import loopback_session

ACCOUNT = "binance-main"


@dataclass(frozen=True)
class Answered:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> int:
        """The error's code, 0 where there is none."""
        return int(self.body.get("code", 0)) if isinstance(self.body, dict) else 0


class Asker:
    """Asks as one account, at the venue's own time. `base` is what each order of a test has."""

    def __init__(self, venue: SimulatedVenue, session: aiohttp.ClientSession) -> None:
        self.venue = venue
        self.market = venue.market
        self.owner: Account = venue.market.accounts[ACCOUNT]
        self.session = session

    async def __call__(self, method: str, path: str, **params: Any) -> Answered:
        stamp = int(self.market.now().timestamp() * 1000)
        sent = urlencode({**params, "timestamp": stamp})
        headers = {"X-MBX-APIKEY": self.owner.key}
        query = f"{sent}&signature={self.sign(sent)}"
        return await self.raw(method, f"{path}?{query}", headers=headers)

    def sign(self, sent: str) -> str:
        secret = self.owner.secret.reveal().encode()
        return hmac.new(secret, sent.encode(), hashlib.sha256).hexdigest()

    async def raw(self, method: str, path: str, **options: Any) -> Answered:
        # As it was signed: quoting it anew would break the signature.
        url = URL(f"https://fapi.binance.com{path}", encoded=True)
        async with self.session.request(method, url, **options) as response:
            return Answered(response.status, await response.json(), dict(response.headers))

    async def order(self, side: str, kind: str, **params: Any) -> Answered:
        told = {"symbol": "BTCUSDT", "side": side, "type": kind, "newOrderRespType": "RESULT"}
        return await self("POST", "/fapi/v1/order", **(told | params))

    async def algo(self, side: str, kind: str, **params: Any) -> Answered:
        told = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": side, "type": kind}
        return await self("POST", "/fapi/v1/algoOrder", **(told | params))

    async def found(self, order: Answered) -> dict[str, Any]:
        """An order as it stands now, plain or conditional."""
        if "algoId" in order.body:
            answer = await self("GET", "/fapi/v1/algoOrder", algoId=order.body["algoId"])
        else:
            told = {"symbol": order.body["symbol"], "orderId": order.body["orderId"]}
            answer = await self("GET", "/fapi/v1/order", **told)
        assert answer.status == 200, answer
        return dict(answer.body)


@asynccontextmanager
async def asking(clock: Clock | None = None) -> AsyncIterator[Asker]:
    """A still venue, under a test's clock where it has one, and who asks it."""
    options = {} if clock is None else {"now": clock}
    async with (
        still_venue(**options) as venue,
        loopback_session(venue.connect, venue.ca_file) as session,
    ):
        yield Asker(venue, session)
