"""The face that every venue shows to the actors: the ccxt gateway, and the market in memory.

Nothing here raises for what the outside world may rightly do: refusals, time-outs, damaged
replies and outages are values. An exception that leaves one of these calls is a bug.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from messages.budget import BudgetUse
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


class Venue(Protocol):
    """One account at one exchange. `now` given at construction is the only clock it uses."""

    @property
    def account(self) -> str: ...

    @property
    def can_query_symbol(self) -> bool:
        """Whether `fetch_position` asks the venue for one symbol, which names its flat legs."""

    async def connect(self) -> Connected | VenueError:
        """Load the markets (again). Idempotent; the first call may take seconds."""

    async def fetch_positions(self) -> Snapshot:
        """Read every open leg in the account's scope, all pages. Damage goes into `problems`."""

    async def fetch_position(self, key: LegKey) -> Snapshot:
        """Read one symbol's legs affirmatively, where the venue can; else all legs."""

    async def fetch_quote(self, symbol: str) -> Quote | VenueError:
        """All prices of one symbol."""

    async def fetch_prices(self, kinds: frozenset[PriceKind]) -> Prices | NotTold | VenueError:
        """The prices of all contracts, by one list for each kind where the venue has them."""

    async def fetch_protection(self, symbols: tuple[str, ...]) -> Protection:
        """Read the working stops and take-profits that rest as orders of their own."""

    async def place(self, order: OrderRequest) -> Placement:
        """Send a reduce-only order once. Never retried here."""

    async def find_order(self, symbol: str, client_order_id: str) -> OrderLookup:
        """Look an order up by client order id, in open orders and in the history."""

    async def open_orders(self, symbol: str) -> OpenOrders | VenueError:
        """Resting orders of one symbol, trigger orders among them."""

    async def resting(self, symbols: tuple[str, ...]) -> Resting | VenueError:
        """Resting orders of several symbols, by as few questions as the venue lets it cost."""

    async def cancel(
        self, symbol: str, order_id: str, *, trigger: bool = False
    ) -> Canceled | NoSuchOrder | VenueError:
        """Cancel one order and read its record afterwards."""

    async def fetch_fills(self, symbol: str, since: datetime) -> Fills | VenueError:
        """The account's executions of a symbol since an instant, all pages, oldest first."""

    async def order_fills(self, symbol: str, order_id: str, since: datetime) -> Fills | VenueError:
        """The executions of one order that was sent at `since` or later; it is asked for by the
        venue's id, and whose it is need not be asked."""

    async def closed_positions(
        self, symbol: str, since: datetime
    ) -> ClosedPositions | NotTold | VenueError:
        """The venue's own record of positions that ended since an instant, oldest first."""

    async def identity(self) -> Identity | NotTold | VenueError:
        """Whose login this is, where the venue tells it."""

    async def reload_markets(self) -> Markets | VenueError:
        """Load the market rules anew."""

    async def server_time(self) -> datetime | VenueError: ...

    async def key_rights(self) -> KeyRights | VenueError: ...

    async def watch(
        self, on_hint: Callable[[Hint], None], on_connected: Callable[[], None]
    ) -> VenueError:
        """Follow the stream of positions and orders until it ends, and say why it ended.

        `on_connected` is called each time the subscriptions stand; whoever listens takes a fresh
        REST read then, since whatever happened before it is not in the stream.
        """

    async def keep_warm(self, connections: int) -> VenueError | None:
        """Keep so many sockets open to where the orders go, by the venue's cheapest question.

        One question a socket, all at once, in the lane of rounds; what the budget for rounds has
        no room for within a second is left out. To be called each minute or so: idle sockets are
        dropped after 75 seconds.
        """

    def budget(self) -> BudgetUse:
        """The venue's rate limits as they stand, and what this account has spent of them.

        To be called inside the loop.
        """

    def calls(self) -> dict[str, int]:
        """How many requests were sent, by endpoint (method name of this face)."""

    async def close(self) -> None: ...
