"""The gateway: one account at one exchange behind the face that all venues show (`port.py`).

What can be asked is listed here; each answer is in the file of its meaning. Nothing raises for what
the outside world may do; verdicts, and what to do about a refusal, are decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from messages.budget import BudgetUse
from messages.settings import AccountSettings
from messages.values import LegKey
from messages.venue import (
    Canceled,
    ClosedPositions,
    Connected,
    Fills,
    Hint,
    Identity,
    KeyRights,
    Markets,
    NoSuchOrder,
    NotTold,
    OpenOrders,
    OrderLookup,
    OrderRequest,
    Placement,
    PriceKind,
    Prices,
    Protection,
    Quote,
    Resting,
    Snapshot,
    VenueError,
)
from venues import account, closed, fills, orders, positions, protection, quotes, stream
from venues.client import Client, VenueCallError
from venues.exchanges import EXCHANGES
from venues.port import Venue
from venues.transport import loopback_address


def open_venue(settings: AccountSettings, *, now: Callable[[], datetime]) -> Venue:
    """The venue behind an account. Cheap: ccxt is imported, in a thread, by the first connect.

    Raises ValueError for an exchange that no fact is known of, and for a `connect` that is not
    a loopback address or has no CA file to go with it.
    """
    if settings.exchange not in EXCHANGES:
        known = ", ".join(sorted(EXCHANGES))
        raise ValueError(f"exchange {settings.exchange!r} is not supported; these are: {known}")
    if settings.connect is not None:
        loopback_address(settings.connect)
        if settings.ca_file is None:
            raise ValueError(f"account {settings.name}: connect needs a ca_file to trust")
    return CcxtVenue(settings, now)


class CcxtVenue:
    """`Venue` on ccxt. Units and errors are those of `port.py`."""

    def __init__(self, settings: AccountSettings, now: Callable[[], datetime]) -> None:
        self._client = Client(settings, now)

    @property
    def account(self) -> str:
        return self._client.settings.name

    @property
    def can_query_symbol(self) -> bool:
        return self._client.facts.by_symbol

    async def connect(self) -> Connected | VenueError:
        """Load the markets anew and read the position mode where the venue tells it."""
        try:
            await self._client.load(reload=self._client.connected)
        except VenueCallError as failed:
            return failed.error
        return await account.connected(self._client)

    async def fetch_positions(self) -> Snapshot:
        return await positions.read_all(self._client)

    async def fetch_position(self, key: LegKey) -> Snapshot:
        return await positions.read_symbol(self._client, key)

    async def fetch_quote(self, symbol: str) -> Quote | VenueError:
        return await quotes.fetch_quote(self._client, symbol)

    async def fetch_prices(self, kinds: frozenset[PriceKind]) -> Prices | NotTold | VenueError:
        return await quotes.fetch_prices(self._client, kinds)

    async def fetch_protection(self, symbols: tuple[str, ...]) -> Protection:
        return await protection.fetch_protection(self._client, symbols)

    async def place(self, order: OrderRequest) -> Placement:
        return await orders.place(self._client, order)

    async def find_order(self, symbol: str, client_order_id: str) -> OrderLookup:
        return await orders.find_order(self._client, symbol, client_order_id)

    async def open_orders(self, symbol: str) -> OpenOrders | VenueError:
        return await orders.open_orders(self._client, symbol)

    async def resting(self, symbols: tuple[str, ...]) -> Resting | VenueError:
        return await orders.resting(self._client, symbols)

    async def cancel(
        self, symbol: str, order_id: str, *, trigger: bool = False
    ) -> Canceled | NoSuchOrder | VenueError:
        return await orders.cancel(self._client, symbol, order_id, trigger=trigger)

    async def fetch_fills(self, symbol: str, since: datetime) -> Fills | VenueError:
        return await fills.fetch_fills(self._client, symbol, since)

    async def order_fills(self, symbol: str, order_id: str, since: datetime) -> Fills | VenueError:
        return await fills.order_fills(self._client, symbol, order_id, since)

    async def closed_positions(
        self, symbol: str, since: datetime
    ) -> ClosedPositions | NotTold | VenueError:
        return await closed.closed_positions(self._client, symbol, since)

    async def identity(self) -> Identity | NotTold | VenueError:
        return await account.identity(self._client)

    async def reload_markets(self) -> Markets | VenueError:
        return await account.reload_markets(self._client)

    async def server_time(self) -> datetime | VenueError:
        return await account.server_time(self._client)

    async def key_rights(self) -> KeyRights | VenueError:
        return await account.key_rights(self._client)

    async def watch(
        self, on_hint: Callable[[Hint], None], on_connected: Callable[[], None]
    ) -> VenueError:
        return await stream.watch(self._client, on_hint, on_connected)

    async def keep_warm(self, connections: int) -> VenueError | None:
        return await account.keep_warm(self._client, connections)

    def budget(self) -> BudgetUse:
        return self._client.access.use()

    def calls(self) -> dict[str, int]:
        return dict(self._client.counts)

    async def close(self) -> None:
        await self._client.close()
