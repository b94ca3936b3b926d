"""An exchange's prices through the real gateway: who asks together costs one question."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec

from actors import paths
from actors.prices import Answer as Told
from actors.prices import PriceReader, Prices
from actors.runtime import Actor, ChildSpec, Supervisor, System, handles
from messages.base import Request
from messages.budget import Lane
from messages.venue import Price, PriceKind, VenueError, VenueErrorKind
from tests.scenarios.world import until
from tests.venues.bodies import BY_EXCHANGE
from tests.venues.canned import Answer, CannedVenue
from tests.venues.conftest import settings_of
from venues.gateway import open_venue

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
BOOK = "/fapi/v1/ticker/bookTicker"
ROWS = [
    {"symbol": "BTCUSDT", "bidPrice": "100.1", "askPrice": "100.2"},
    {"symbol": "ETHUSDT", "bidPrice": "30.1", "askPrice": "30.2"},
]
NOW = timedelta(0)
LONG_AGO = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(UTC)


class WantPrice(Request[Told], frozen=True, kw_only=True):
    symbol: str
    max_age: timedelta = LONG_AGO


class Nothing(msgspec.Struct):
    pass


class Account(Actor[Nothing]):
    """Stands for an account's exchange actor: it asks as that one does."""

    def __init__(self, prices: ChildSpec) -> None:
        super().__init__(Nothing())
        self._reader = PriceReader(self, "main", prices)

    @handles
    async def want(self, message: WantPrice) -> Told:
        return await self._reader.read(
            message.symbol,
            frozenset((PriceKind.BOOK,)),
            max_age=message.max_age,
            lane=Lane.ANSWER,
        )


class Asking:
    """Two accounts of one exchange, and the venue that they share."""

    def __init__(self, system: System, canned: CannedVenue) -> None:
        self.system = system
        self.canned = canned

    async def price(self, symbol: str, account: int = 1, max_age: timedelta = LONG_AGO) -> Told:
        want = WantPrice(symbol=symbol, max_age=max_age)
        return await self.system.ask(f"account{account}", want, timeout=60.0)

    @property
    def asked(self) -> int:
        return len(self.canned.asked(BOOK))


@asynccontextmanager
async def asking(tmp_path: Path) -> AsyncIterator[Asking]:
    async with CannedVenue(tmp_path / "ca.pem") as canned:
        BY_EXCHANGE["binanceusdm"].install(canned)
        canned.on("GET", BOOK, ROWS)
        venue = open_venue(settings_of("binanceusdm", canned.connect, canned.ca_file), now=now)
        prices = ChildSpec(name="binance", factory=partial(Prices, lambda: {"main": venue}))
        system = System(now=now, seed=1)
        children = (
            ChildSpec(name=paths.PRICES, factory=Supervisor),
            ChildSpec(name="account1", factory=partial(Account, prices)),
            ChildSpec(name="account2", factory=partial(Account, prices)),
        )
        await system.start(ChildSpec(name="guard", factory=partial(Supervisor, children)))
        try:
            yield Asking(system, canned)
        finally:
            await system.stop()
            await venue.close()


def test_askers_of_any_account_and_contract_share_one_list(tmp_path: Path) -> None:
    async def story() -> None:
        async with asking(tmp_path) as at:
            told = await asyncio.gather(
                *(at.price(symbol, account) for symbol in (BTC, ETH) for account in (1, 2))
            )
            assert all(isinstance(one, Price) for one in told), told
            assert at.asked == 1
            await at.price(BTC)
            assert at.asked == 1, "it is young enough for who bears an hour"

    asyncio.run(story())


def test_a_price_that_is_too_old_for_its_asker_is_none(tmp_path: Path) -> None:
    async def story() -> None:
        async with asking(tmp_path) as at:
            await at.price(BTC)
            at.canned.on("GET", BOOK, Answer(status=500, text="{}"))
            refused = await at.price(BTC, max_age=NOW)
            assert isinstance(refused, VenueError), "the old price was not given instead"
            assert at.asked == 2
            assert isinstance(await at.price(BTC), Price)

    asyncio.run(story())


def test_a_damaged_row_costs_one_contract(tmp_path: Path) -> None:
    async def story() -> None:
        async with asking(tmp_path) as at:
            at.canned.on("GET", BOOK, [ROWS[0], {**ROWS[1], "askPrice": "?"}])
            btc, eth = await asyncio.gather(at.price(BTC), at.price(ETH))
            assert isinstance(btc, Price)
            assert isinstance(eth, VenueError)
            assert eth.kind is VenueErrorKind.MALFORMED

    asyncio.run(story())


def test_the_prices_come_back_after_a_crash_and_after_their_supervisors(tmp_path: Path) -> None:
    async def story() -> None:
        async with asking(tmp_path) as at:
            await at.price(BTC)
            for victim in (paths.prices("binance"), paths.PRICES):
                at.system.kill(victim)

                async def is_told() -> bool:
                    return isinstance(await at.price(BTC), Price)

                await until(is_told, f"prices are told again after {victim} was killed")

    asyncio.run(story())
