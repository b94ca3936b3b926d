"""The market behind the actors' own face of a venue, in-process: no socket, no wall clock.

For deterministic simulation: latency and faults are drawn from what is given, every effect is
one synchronous step, and a reply may be lost after it. Left to others: the market's rules, the
words (`memory_words.py`), and the real protocols (`server.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import msgspec

from messages.budget import BudgetUse
from messages.values import ZERO, LegKey, Side
from messages.venue import (
    Accepted,
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
    OutcomeUnknown,
    Placement,
    PositionHint,
    Price,
    PriceKind,
    Prices,
    Protection,
    Quote,
    Refused,
    Resting,
    Scope,
    Snapshot,
    VenueError,
    VenueErrorKind,
    VenuePosition,
)
from simulator.desk import RequestLog
from simulator.faults import ANY, FaultBook, FaultKind
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.memory_wire import Failed, Strikes, Wire, plain
from simulator.memory_words import (
    closed_position,
    fill,
    leg,
    order_hint,
    order_spec,
    protective,
    record,
    refusal,
)
from simulator.state import (
    Account,
    MarketEvent,
    Order,
    Position,
    PositionChanged,
    Rejection,
    Slot,
)


class MemoryVenue:
    """One account of a market as `venues.port.Venue`.

    `account_name` is what the guard calls it; `key` is the API key that it uses, by default the
    first key of the market's account of that name. Whatever account that key opens at the moment
    is the one that is read and traded. `latency` is awaited on the way there and on the way back.
    A delay beyond `timeout` seconds is a time-out here, and the request takes effect all the same.
    Raises KeyError for a key or an account that the market does not have.
    """

    def __init__(
        self,
        market: Market,
        account_name: str,
        *,
        key: str | None = None,
        now: Callable[[], datetime] | None = None,
        latency: Callable[[], Awaitable[None]] | None = None,
        faults: FaultBook | None = None,
        log: RequestLog | None = None,
        timeout: float = 10.0,
    ) -> None:
        self._market = market
        self._name = account_name
        key = market.accounts[account_name].key if key is None else key
        self._now = now or market.now
        self.log = log if log is not None else RequestLog()
        self._wire = Wire(
            market, key, latency=latency, faults=faults, log=self.log, timeout=timeout
        )
        self._watching: list[asyncio.Queue[Hint | None]] = []
        self._faults = faults
        if faults is not None:
            faults.on_cut.append(self._on_cut)
            faults.now = market.now
        market.listen(self._on_event)

    @property
    def account(self) -> str:
        return self._name

    @property
    def _owner(self) -> Account:
        """The account that the key opens now, or opened last."""
        return self._wire.owner

    async def keep_warm(self, connections: int) -> VenueError | None:  # noqa: ARG002
        return None

    def budget(self) -> BudgetUse:
        return BudgetUse(account=self.account, exchange=self._owner.exchange.value, share=1.0)

    def calls(self) -> dict[str, int]:
        return dict(self._wire.calls)

    async def close(self) -> None:
        for queue in self._watching:
            queue.put_nowait(None)

    async def connect(self) -> Connected | VenueError:
        def effect(_: Strikes) -> Connected:
            listings = self._market.listings(self._owner.exchange)
            instruments = {it.symbol: it.instrument for it in listings}
            return Connected(instruments=instruments, hedged=self._owner.hedged)

        return plain(await self._wire.call("connect", effect))

    async def fetch_positions(self) -> Snapshot:
        return await self._positions("fetch_positions", None)

    async def fetch_position(self, key: LegKey) -> Snapshot:
        """Both sides of the symbol are named, flat or not; an answer without `key` is none."""
        snapshot = await self._positions("fetch_position", key.symbol)
        if not snapshot.complete or key in snapshot.flat or snapshot.find(key) is not None:
            return snapshot
        message = f"the answer does not name {key}"
        problem = VenueError(kind=VenueErrorKind.MALFORMED, message=message)
        return msgspec.structs.replace(snapshot, problems=(problem,))

    @property
    def can_query_symbol(self) -> bool:
        return True

    async def _positions(self, method: str, symbol: str | None) -> Snapshot:
        def effect(strikes: Strikes) -> list[VenuePosition | LegKey]:
            held = list(self._owner.positions.values())
            if strikes.first(FaultKind.STALE):
                age = timedelta(seconds=strikes.seconds(FaultKind.STALE))
                held = self._owner.positions_at(self._market.now() - age)
            prices = self._market.prices
            legs = [
                leg(self._owner, self._name, it, prices.mark(it.listing))
                for it in sorted(held, key=lambda it: (it.listing.id, it.slot))
                if it.size and symbol in (None, it.listing.symbol)
            ]
            sides = () if symbol is None else [LegKey(self.account, symbol, it) for it in Side]
            shown = {position.key for position in legs}
            return strikes.thin([*legs, *(key for key in sides if key not in shown)])

        started = self._now()
        read = await self._wire.call(method, effect, symbol=symbol or "")
        problems: tuple[VenueError, ...] = ()
        if isinstance(read, Failed):
            problems = (read.error,)
            rows = (read.partly or [])[: len(read.partly or []) // 2]
        else:
            rows = read
        settles = {it.instrument.settle for it in self._market.listings(self._owner.exchange)}
        return Snapshot(
            account=self.account,
            scope=Scope(frozenset(settles), None if symbol is None else frozenset((symbol,))),
            started_at=started,
            finished_at=self._now(),
            positions=tuple(row for row in rows if isinstance(row, VenuePosition)),
            flat=frozenset(row for row in rows if isinstance(row, LegKey)),
            problems=problems,
        )

    async def fetch_quote(self, symbol: str) -> Quote | VenueError:
        def effect(_: Strikes) -> Quote | VenueError:
            listing = self._listing(symbol)
            if listing is None:
                return self._unlisted(symbol)
            prices = self._market.prices
            return Quote(
                symbol=symbol,
                at=self._market.now(),
                last=prices.last(listing),
                bid=prices.bid(listing),
                ask=prices.ask(listing),
                mark=prices.mark(listing),
            )

        return plain(await self._wire.call("fetch_quote", effect, symbol=symbol))

    async def fetch_prices(self, kinds: frozenset[PriceKind]) -> Prices | NotTold | VenueError:
        def effect(_: Strikes) -> Prices:
            prices = self._market.prices
            of: dict[str, Price] = {
                it.symbol: Price(
                    symbol=it.symbol,
                    at=self._market.now(),
                    bid=prices.bid(it),
                    ask=prices.ask(it),
                    last=prices.last(it) if PriceKind.LAST in kinds else None,
                    mark=prices.mark(it) if PriceKind.MARK in kinds else None,
                )
                for it in self._market.listings(self._owner.exchange)
            }
            return Prices(at=self._market.now(), kinds=kinds, by_symbol=of)

        return plain(await self._wire.call("fetch_prices", effect))

    async def fetch_protection(self, symbols: tuple[str, ...]) -> Protection:
        def effect(strikes: Strikes) -> list[Order]:
            live = [it for book in self._owner.live.values() for it in book.values()]
            fitting = [it for it in live if not symbols or it.listing.symbol in symbols]
            return strikes.thin(sorted(fitting, key=lambda it: it.sequence))

        started = self._now()
        read = await self._wire.call("fetch_protection", effect)
        if isinstance(read, Failed):
            return Protection(started_at=started, problems=(read.error,))
        shown = (protective(self._owner, order) for order in read)
        return Protection(started_at=started, orders=tuple(it for it in shown if it is not None))

    async def place(self, order: OrderRequest) -> Placement:
        listing = self._listing(order.key.symbol)
        if listing is None:
            return Refused(error=self._unlisted(order.key.symbol))
        spec = order_spec(self._owner, listing, order)
        if spec.quantity % listing.instrument.amount_step:
            message = f"{order.quantity} is no whole number of steps of {order.key.symbol}"
            return Refused(error=VenueError(kind=VenueErrorKind.SIZE, message=message))
        if order.not_after is not None and self._now() > order.not_after:
            message = "nothing was sent: it waited too long"
            return Refused(error=VenueError(kind=VenueErrorKind.RATE_LIMIT, message=message))

        def effect(_: Strikes) -> Order | Rejection:
            return self._market.place(self._owner, spec)

        placed = await self._wire.call(
            "place",
            effect,
            symbol=order.key.symbol,
            side=str(spec.side),
            quantity=str(order.quantity),
            client_order_id=order.client_order_id,
            type=str(order.type),
        )
        if isinstance(placed, Failed):
            unknown = OutcomeUnknown(error=placed.error)
            return Refused(error=placed.error) if placed.refused else unknown
        if isinstance(placed, Rejection):
            return Refused(error=refusal(self._owner.exchange, placed))
        return Accepted(order_id=placed.id, client_order_id=order.client_order_id)

    async def find_order(self, symbol: str, client_order_id: str) -> OrderLookup:
        def effect(strikes: Strikes) -> list[Order]:
            named = self._owner.by_client_id.get(client_order_id, [])
            return strikes.thin([it for it in named if it.listing.symbol == symbol])

        found = await self._wire.call("find_order", effect, symbol=symbol)
        if isinstance(found, Failed):
            return found.error
        if not found:
            return NoSuchOrder(client_order_id=client_order_id)
        return record(self._owner, found[-1])

    async def open_orders(self, symbol: str) -> OpenOrders | VenueError:
        def effect(strikes: Strikes) -> OpenOrders | VenueError:
            listing = self._listing(symbol)
            if listing is None:
                return self._unlisted(symbol)
            live = strikes.thin(self._owner.live_orders(listing.id))
            return OpenOrders(symbol=symbol, orders=tuple(record(self._owner, it) for it in live))

        return plain(await self._wire.call("open_orders", effect, symbol=symbol))

    async def resting(self, symbols: tuple[str, ...]) -> Resting | VenueError:
        def effect(strikes: Strikes) -> Resting:
            found: dict[str, OpenOrders | VenueError] = {}
            for symbol in symbols:
                listing = self._listing(symbol)
                if listing is None:
                    found[symbol] = self._unlisted(symbol)
                    continue
                live = strikes.thin(self._owner.live_orders(listing.id))
                told = tuple(record(self._owner, it) for it in live)
                found[symbol] = OpenOrders(symbol=symbol, orders=told)
            return Resting(by_symbol=found)

        return plain(await self._wire.call("resting", effect))

    async def cancel(
        self,
        symbol: str,
        order_id: str,
        *,
        trigger: bool = False,
    ) -> Canceled | NoSuchOrder | VenueError:
        def effect(_: Strikes) -> Canceled | NoSuchOrder | VenueError:
            order = self._owner.orders.get(order_id)
            if order is None or order.listing.symbol != symbol or order.conditional < trigger:
                return NoSuchOrder(client_order_id=order_id)
            if order.state.live:
                self._market.cancel(self._owner, order)
            return Canceled(record=record(self._owner, order))

        return plain(await self._wire.call("cancel", effect, symbol=symbol, order_id=order_id))

    async def fetch_fills(self, symbol: str, since: datetime) -> Fills | VenueError:
        def effect(strikes: Strikes) -> Fills | VenueError:
            listing = self._listing(symbol)
            if listing is None:
                return self._unlisted(symbol)
            history = self._owner.executions.get(listing.id, [])
            first, last = strikes.window(self._market.now())
            fitting = strikes.thin([it for it in history if max(since, first) <= it.at <= last])
            return Fills(symbol=symbol, since=since, fills=tuple(fill(it) for it in fitting))

        return plain(await self._wire.call("fetch_fills", effect, symbol=symbol))

    async def order_fills(self, symbol: str, order_id: str, since: datetime) -> Fills | VenueError:
        answer = await self.fetch_fills(symbol, since)
        if isinstance(answer, VenueError):
            return answer
        own = tuple(fill for fill in answer.fills if fill.order_id == order_id)
        return msgspec.structs.replace(answer, fills=own)

    async def closed_positions(
        self, symbol: str, since: datetime
    ) -> ClosedPositions | NotTold | VenueError:
        """Bybit keeps a record of each closing order; Binance keeps none."""
        if self._owner.exchange is not Exchange.BYBIT:
            return NotTold(why=f"{self._owner.exchange} keeps no record of closed positions")

        def effect(strikes: Strikes) -> ClosedPositions | VenueError:
            listing = self._listing(symbol)
            if listing is None:
                return self._unlisted(symbol)
            first, last = strikes.window(self._market.now())
            ended = [
                it
                for it in self._owner.closed
                if it.listing.id == listing.id and max(since, first) <= it.updated_at <= last
            ]
            shown = tuple(closed_position(it) for it in strikes.thin(ended))
            return ClosedPositions(symbol=symbol, since=since, records=shown)

        return plain(await self._wire.call("closed_positions", effect, symbol=symbol))

    async def identity(self) -> Identity | NotTold | VenueError:
        def effect(_: Strikes) -> Identity:
            owner = self._owner
            return Identity(
                id=str(owner.uid),
                sub_account=bool(owner.master),
                main_id=str(owner.master) if owner.master else "",
                label=owner.name,
            )

        return plain(await self._wire.call("identity", effect))

    async def reload_markets(self) -> Markets | VenueError:
        connected = await self.connect()
        if isinstance(connected, VenueError):
            return connected
        return Markets(instruments=connected.instruments, loaded_at=self._now())

    async def server_time(self) -> datetime | VenueError:
        return plain(await self._wire.call("server_time", lambda _: self._market.now()))

    async def key_rights(self) -> KeyRights | VenueError:
        owner = self._owner
        rights = KeyRights(read=True, trade=owner.can_trade, withdraw=owner.can_withdraw)
        return plain(await self._wire.call("key_rights", lambda _: rights))

    async def watch(
        self, on_hint: Callable[[Hint], None], on_connected: Callable[[], None]
    ) -> VenueError:
        queue: asyncio.Queue[Hint | None] = asyncio.Queue()
        self._watching.append(queue)
        try:
            on_connected()
            while (hint := await queue.get()) is not None:
                on_hint(hint)
        finally:
            self._watching.remove(queue)
        return VenueError(kind=VenueErrorKind.NETWORK, message="the stream ended")

    def _listing(self, symbol: str) -> Listing | None:
        return self._market.find_symbol(self._owner.exchange, symbol)

    def _unlisted(self, symbol: str) -> VenueError:
        message = f"{symbol} is not listed"
        return VenueError(kind=VenueErrorKind.NOT_TRADABLE, message=message)

    def _on_cut(self, account: str) -> None:
        if account in (ANY, self.account):
            for queue in self._watching:
                queue.put_nowait(None)

    def _on_event(self, event: MarketEvent) -> None:
        if event.account is not self._owner or not self._watching:
            return
        if self._faults is not None and self._faults.silences(event.account.name):
            return
        hints: list[Hint]
        if isinstance(event, PositionChanged):
            hints = [*self._hints(event.position, event.at)]
        else:
            hints = [order_hint(self._owner, event.order, event.at)]
        for hint in hints:
            for queue in self._watching:
                queue.put_nowait(hint)

    def _hints(self, position: Position, at: datetime) -> list[PositionHint]:
        """What the stream says of a slot: in one-way mode the other side is flat then."""
        sides = {Slot.LONG: (Side.LONG,), Slot.SHORT: (Side.SHORT,)}.get(position.slot, tuple(Side))
        size = abs(position.size) * position.listing.instrument.contract_size
        return [
            PositionHint(
                key=LegKey(self.account, position.listing.symbol, side),
                quantity=size if position.side is side else ZERO,
                at=at,
            )
            for side in sides
        ]
