"""What the hooks of an exchange are told and answer: its facts, readings of rows, pages, pushes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from messages.budget import LimitScope
from messages.settings import AccountSettings
from messages.values import ZERO, Side
from messages.venue import Instrument, OrderType
from venues.numbers import milliseconds
from venues.strict import Place, rows_at

Row = Mapping[str, Any]
"""A position, order or fill as the exchange itself wrote it."""
Order = Mapping[str, Any]
"""An order as ccxt reads it; `info` is the exchange's own row."""
Trade = Mapping[str, Any]
"""An execution as ccxt reads it; `info` is the exchange's own row."""

STABLE = ("USDT", "USDC")
LIMITS = (OrderType.LIMIT_AGGRESSIVE, OrderType.LIMIT_MAKER)


class Session(Protocol):
    """What an exchange's hooks may see of the client of an account."""

    settings: AccountSettings

    @property
    def exchange(self) -> Any:
        """The ccxt instance."""

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """The listed derivatives by unified symbol."""

    @property
    def sent_at(self) -> Mapping[str, datetime]:
        """When each of our own client order ids left."""

    def now(self) -> datetime:
        """The account's clock, aware UTC."""


@dataclass(frozen=True, slots=True)
class RowReading:
    """A position row as the venue wrote it. `size` is unsigned and in the venue's own unit.

    `side` None goes with a size of zero only; `hedged` tells a leg of its own from a net one.
    """

    size: Decimal
    side: Side | None
    hedged: bool

    def flat_sides(self) -> tuple[Side, ...]:
        """The sides that this row says are flat: in one-way mode each but the one it holds."""
        if not self.hedged:
            return tuple(side for side in Side if self.size == ZERO or side is not self.side)
        return (self.side,) if self.size == ZERO and self.side is not None else ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What can be said of an exchange without code.

    `success` is the envelope's key and the values that mean a good answer. `one_call_scope` says
    that one call covers all that the venue's markets settle in, `settles` that no others are
    covered at all, `listed_only` that a read says nothing of symbols outside the loaded markets.
    `page` names how pages of positions go on: by `cursor`, by `offset`, or not at all.
    `size_in_base` venues write base units, not contracts. Of `filled_fields` and `amount_fields` an
    order record must have one each, since ccxt works out what lacks; `conditional_fields` are what
    only rows of conditional orders have. `triggers` are the parameter sets under which resting
    trigger orders are listed, `trigger_page` how many of them at most (0: all), `order_page` the
    size of a page of open orders that go on by cursor (0: one call has all). `falling` says for one
    field of a trigger order which words mean a falling price. `amount_as_float` is the type in
    which ccxt takes an amount without rounding it; `stops` whether its stop parameter makes a stop.
    `opened` names the field of a position row that says when the leg was opened; empty where none
    does. `fill_window` is the longest span of history that one question may ask for, `fill_page`
    how many fills a page has, `fill_history` how long the venue keeps them (None: nobody says),
    `account_fills` that it lists those of all instruments together, `newest_first` that its pages
    go backwards (which decides between fills of one instant), and `nameless_fills` that a fill does
    not carry the client order id. `stream_topics` is how many subscriptions the venue confirms
    before a stream stands; 0: it stands with its socket. `cancels_by_kind` venues cancel trigger
    orders by a call of their own. `keeps_closed` says that the venue keeps a record of closed
    positions, `closed_window` how long a span of it one question may ask for. `late_cancel` are
    codes of a refused cancel that come when the order has ended meanwhile: its record tells what
    became of it. `by_symbol` venues can be asked for the position of one symbol, and `names_flat`
    ones then answer with a row even where it is flat.
    """

    exchange: str
    positions: tuple[str, ...]
    places: tuple[Place, ...]
    success: tuple[str, frozenset[str]] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    one_call_scope: bool = True
    settles: frozenset[str] | None = None
    listed_only: bool = False
    page: str = ""
    page_size: int = 0
    size_in_base: bool = False
    filled_fields: tuple[str, ...] = ()
    amount_fields: tuple[str, ...] = ()
    conditional_fields: tuple[str, ...] = ()
    market_params: Mapping[str, Any] = field(default_factory=dict)
    triggers: tuple[Mapping[str, Any], ...] = ({"trigger": True},)
    trigger_page: int = 0
    order_page: int = 0
    falling: tuple[str, Mapping[str, bool]] = ("", {})
    amount_as_float: bool = False
    stops: bool = True
    wallet: bool = False
    streams: bool = False
    stream_topics: int = 0
    by_symbol: bool = False
    names_flat: bool = False
    opened: str = ""
    fill_window: timedelta | None = None
    fill_page: int = 100
    fill_history: timedelta | None = None
    account_fills: bool = False
    newest_first: bool = False
    nameless_fills: bool = False
    keeps_closed: bool = False
    closed_window: timedelta | None = None
    late_cancel: frozenset[str] = frozenset()
    cancels_by_kind: bool = True


@dataclass(frozen=True, slots=True)
class PriceList:
    """A question whose answer lists a price of all contracts: ccxt's method, and where it is.

    `id` names the contract in a row; `fields` are the row's names of `bid`, `ask`, `last`, `mark`.
    """

    method: str
    place: Place
    id: str
    fields: Mapping[str, str]
    params: Mapping[str, Any] = field(default_factory=dict)

    async def read(self, exchange: Any) -> list[tuple[str, dict[str, Any]]]:
        """Each row's contract and prices, as written. Raises `MalformedReplyError`."""
        body = await getattr(exchange, self.method)(dict(self.params))
        return [
            (str(row.get(self.id)), {ours: row.get(name) for ours, name in self.fields.items()})
            for row in rows_at(body, self.place)
        ]


class Step:
    """One place to look for an order. `trigger` tells which kind it holds; None: both."""

    def __init__(
        self, read: Callable[[], Awaitable[list[Order]]], *, trigger: bool | None = None
    ) -> None:
        self.read = read
        self.trigger = trigger


@dataclass(frozen=True, slots=True)
class Ask:
    """Which page of a history is wanted: a window, and what the page before it said of the next.

    `at` is empty for the window's first page.
    """

    start: datetime
    end: datetime
    at: str = ""

    @property
    def start_ms(self) -> int:
        return milliseconds(self.start)

    @property
    def end_ms(self) -> int:
        return milliseconds(self.end)


@dataclass(frozen=True, slots=True)
class LegPush:
    """A stream's word of a position, in the names of the venue's REST row."""

    row: Row


@dataclass(frozen=True, slots=True)
class TradePush:
    """One execution that a stream's word of an order tells of; `fee` is positive for a cost."""

    id: Any
    amount: Any
    fee: Any
    fee_currency: Any


@dataclass(frozen=True, slots=True)
class OrderPush:
    """A stream's word of an order; sizes in contracts, each as the venue wrote it.

    A `conditional` order that rests has no fill to tell. `resting` says that the order rests,
    whatever ccxt makes of `status`. `row` has the side and the leg in the names of the venue's REST
    record; None where the message does not tell all that a record does. `trade` is the execution
    that led to this message, where it tells of one.
    """

    symbol: Any
    order_id: Any
    client_id: Any
    status: Any
    amount: Any
    filled: Any
    conditional: bool = False
    resting: bool = False
    row: Row | None = None
    average: Any = None
    trade: TradePush | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate limit as the venue states it: at most `most` of `unit` in `seconds`.

    `name` is its own among the limits of an exchange; a limit of one endpoint or one instrument
    bears that in its name.
    """

    name: str
    scope: LimitScope
    unit: str
    seconds: float
    most: float


@dataclass(frozen=True, slots=True)
class Charge:
    """What a request costs of one limit. An `amount` of 0 waits where the venue says to wait."""

    limit: Limit
    amount: float = 1.0


@dataclass(frozen=True, slots=True)
class Told:
    """The venue's own word of a limit, in a reply's headers: used by all who share it.

    `most` is the limit itself, where the venue tells that too: some accounts have more. `resets`
    is in how many seconds the venue counts from zero again, where its windows are fixed ones.
    """

    limit: Limit
    used: float
    most: float | None = None
    resets: float | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request about to be made, as ccxt words it before it is signed.

    `api` names the part of the venue's API, outermost first. `params` is a mapping, or a list for
    endpoints that take one.
    """

    api: tuple[str, ...]
    method: str
    path: str
    params: Any

    @property
    def private(self) -> bool:
        """Whether a login signs it."""
        return any("private" in part.lower() for part in self.api)

    def param(self, name: str) -> Any:
        """A parameter; None where it is not there. Of a list, its first entry's."""
        first = self.params[0] if isinstance(self.params, list) and self.params else self.params
        return first.get(name) if isinstance(first, Mapping) else None
