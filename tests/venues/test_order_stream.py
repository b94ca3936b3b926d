"""The orders of the private stream, and its damaged frames, over real sockets and ccxt.pro."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from messages.values import LegKey, OrderSide
from messages.venue import (
    Accepted,
    Canceled,
    Fills,
    Hint,
    OrderHint,
    OrderStatus,
    OrderType,
    PositionHint,
    Quote,
    VenueError,
    VenueErrorKind,
)
from simulator import Exchange, Fault, FaultKind
from simulator.instruments import WHOLE
from tests.venues.conftest import Opened as OpenedCanned
from tests.venues.conftest import run
from tests.venues.simulated import BTC, FIRST_ID, LONG, Opened, simulated
from tests.venues.stream_messages import DAMAGED, DOCUMENTED
from venues.exchanges.values import TradePush
from venues.stream_hints import HeardFees

both = pytest.mark.parametrize("exchange", WHOLE, ids=lambda exchange: exchange.value)
WITHIN = 20.0


@dataclass(frozen=True, slots=True)
class Followed:
    """A watch that stands, and what it tells."""

    hints: asyncio.Queue[Hint]
    watching: asyncio.Task[VenueError]

    async def until(self, enough: Callable[[OrderHint], bool]) -> list[OrderHint]:
        """The order hints up to the first that is enough."""
        told: list[OrderHint] = []
        while not told or not enough(told[-1]):
            hint = await asyncio.wait_for(self.hints.get(), WITHIN)
            if isinstance(hint, OrderHint):
                told.append(hint)
        return told


@asynccontextmanager
async def followed(at: Opened) -> AsyncIterator[Followed]:
    hints: asyncio.Queue[Hint] = asyncio.Queue()
    stands = asyncio.Event()
    watching = asyncio.create_task(at.venue.watch(hints.put_nowait, stands.set))
    try:
        await asyncio.wait_for(stands.wait(), WITHIN)
        yield Followed(hints, watching)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def final(hint: OrderHint) -> bool:
    return hint.status.final


def states(told: list[OrderHint]) -> list[tuple[str, str]]:
    return [(hint.status.value, str(hint.filled)) for hint in told]


@both
def test_our_orders_fill_is_told_with_its_client_order_id(exchange: Exchange) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at, followed(at) as stream:
            at.hold("0.5")
            placed = await at.venue.place(at.order("0.2"))
            assert isinstance(placed, Accepted)
            told = [
                hint
                for hint in await stream.until(
                    lambda it: it.client_order_id == FIRST_ID and final(it)
                )
                if hint.order_id == placed.order_id
            ]
            assert {(hint.symbol, hint.client_order_id) for hint in told} == {(BTC, FIRST_ID)}
            assert states(told) == [("open", "0"), ("filled", "0.2")]

    run(scenario())


@both
def test_the_end_of_an_order_is_told_whole_with_what_it_cost(exchange: Exchange) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at, followed(at) as stream:
            at.hold("0.5")
            began = datetime.now(UTC) - timedelta(minutes=1)
            placed = await at.venue.place(at.order("0.2"))
            assert isinstance(placed, Accepted)
            told = await stream.until(lambda it: it.client_order_id == FIRST_ID and final(it))
            end = told[-1].end
            fills = await at.venue.order_fills(BTC, placed.order_id, began)
            assert isinstance(fills, Fills)
            assert end is not None
            assert (end.order_id, end.client_order_id) == (placed.order_id, FIRST_ID)
            assert (end.side, end.quantity, end.filled) == (
                OrderSide.SELL,
                Decimal("0.2"),
                Decimal("0.2"),
            )
            assert end.average == fills.fills[0].price
            assert end.fee == sum(fill.fee for fill in fills.fills)
            assert end.fee_currency == "USDT"
            # Binance's acceptance of a market order tells its end, and not what it cost.
            if exchange is Exchange.BINANCE:
                assert placed.end is not None
                assert (placed.end.filled, placed.end.fee) == (Decimal("0.2"), None)
            else:
                assert placed.end is None

    run(scenario())


@pytest.mark.parametrize(
    ("trades", "fee"),
    [
        ((("1", "2", "0.1", "USDT"), ("2", "3", "0.2", "USDT")), ("0.3", "USDT")),
        ((("1", "5", "0.1", "BNB"),), ("0.1", "BNB")),
        # Told twice, it happened once.
        ((("1", "5", "0.1", "USDT"), ("1", "5", "0.1", "USDT")), ("0.1", "USDT")),
        # What was not heard, what is in two currencies, what is damaged.
        ((("2", "3", "0.2", "USDT"),), None),
        ((("1", "2", "0.1", "USDT"), ("2", "3", "0.2", "BNB")), None),
        ((("1", "5", None, "USDT"),), None),
        ((("1", "5", "0.1", None),), None),
        ((), None),
    ],
)
def test_fees_are_known_where_all_executions_of_an_order_were_heard(
    trades: tuple[tuple[str, str, str | None, str | None], ...], fee: tuple[str, str] | None
) -> None:
    heard = HeardFees()
    for trade in trades:
        heard.hear("7", TradePush(*trade))
        heard.hear("8", TradePush("9", "5", "1", "USDT"))
    expected = None if fee is None else (Decimal(fee[0]), fee[1])
    assert heard.of("7", Decimal(5)) == expected


@both
def test_an_order_that_was_filled_in_part_is_told_so_and_never_as_filled(
    exchange: Exchange,
) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            at.hold("0.5")
            at.market.set_book_depth(exchange, BTC, Decimal("0.1"))
            async with followed(at) as stream:
                quote = await at.venue.fetch_quote(BTC)
                assert isinstance(quote, Quote)
                order = at.order("0.3", OrderType.LIMIT_AGGRESSIVE, price=quote.bid)
                assert isinstance(await at.venue.place(order), Accepted)
                ended = "expired" if exchange is Exchange.BINANCE else "canceled"
                assert states(await stream.until(final)) == [
                    ("open", "0"),
                    ("open", "0.1"),
                    (ended, "0.1"),
                ]

    run(scenario())


@both
def test_a_cancelled_order_is_told_as_cancelled(exchange: Exchange) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            at.hold("0.5")
            async with followed(at) as stream:
                quote = await at.venue.fetch_quote(BTC)
                assert isinstance(quote, Quote)
                order = at.order("0.3", OrderType.LIMIT_MAKER, price=quote.ask + 100)
                placed = await at.venue.place(order)
                assert isinstance(placed, Accepted)
                assert isinstance(await at.venue.cancel(BTC, placed.order_id), Canceled)
                assert states(await stream.until(final)) == [("open", "0"), ("canceled", "0")]

    run(scenario())


@both
def test_a_stop_is_told_from_its_placing_to_the_fill_of_the_order_it_becomes(
    exchange: Exchange,
) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            at.hold("0.5")
            async with followed(at) as stream:
                quote = await at.venue.fetch_quote(BTC)
                assert isinstance(quote, Quote)
                stop = at.order("0.5", OrderType.STOP_MARKET, trigger_price=quote.last - 1000)
                placed = await at.venue.place(stop)
                assert isinstance(placed, Accepted)
                at.market.set_price(BTC, quote.last - 2000)
                told = await stream.until(final)
                assert (told[0].order_id, told[0].client_order_id) == (placed.order_id, FIRST_ID)
                assert told[0].status is OrderStatus.OPEN
                assert (told[-1].status, told[-1].filled) == (OrderStatus.FILLED, Decimal("0.5"))
                # Nothing on the way looks like an end: the stop's own order lives on.
                assert {hint.status for hint in told[:-1]} == {OrderStatus.OPEN}

    run(scenario())


@both
def test_documented_order_messages_are_told_by_their_status_and_fill(exchange: Exchange) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at, followed(at) as stream:
            for message, expected in DOCUMENTED[exchange]:
                at.sim.streams.say("main", json.dumps(message).encode())
                (hint,) = await stream.until(lambda _: True)
                assert states([hint]) == [expected], message
                assert hint.client_order_id == FIRST_ID
                assert hint.order_id

    run(scenario())


@both
def test_damaged_messages_tell_nothing_and_the_stream_goes_on(exchange: Exchange) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at, followed(at) as stream:
            for frame in DAMAGED[exchange]:
                text = frame if isinstance(frame, str) else json.dumps(frame)
                at.sim.streams.say("main", text.encode())
            at.hold("0.5")
            told: list[Hint] = []
            while not any(isinstance(hint, PositionHint) and hint.quantity for hint in told):
                told.append(await asyncio.wait_for(stream.hints.get(), WITHIN))
            legs = {hint.key for hint in told if isinstance(hint, PositionHint) and hint.quantity}
            assert legs == {LegKey("main", BTC, LONG)}
            orders = [hint for hint in told if isinstance(hint, OrderHint)]
            assert states(orders) == [("filled", "0.5")]
            assert not stream.watching.done()

    run(scenario())


@both
def test_positions_and_orders_are_followed_on_one_socket_that_stands_for_both(
    exchange: Exchange,
) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            streams = at.sim.streams
            followers: asyncio.Queue[list[int]] = asyncio.Queue()

            def stands() -> None:
                topics = ("position", "order")
                followers.put_nowait([streams.followers("main", topic) for topic in topics])

            watching = asyncio.create_task(at.venue.watch(lambda hint: None, stands))
            assert await asyncio.wait_for(followers.get(), WITHIN) == [1, 1]
            at.sim.faults.order(Fault(kind=FaultKind.CUT_STREAM))
            ended = await asyncio.wait_for(watching, WITHIN)
            assert ended.kind is VenueErrorKind.NETWORK
            assert followers.empty()

    run(scenario())


def test_an_expired_listen_key_ends_the_watch_although_the_socket_stays_open() -> None:
    async def scenario() -> None:
        async with simulated(Exchange.BINANCE) as at, followed(at) as stream:
            expired = {"e": "listenKeyExpired", "E": "1736996475556", "listenKey": "WsCMN0a4"}
            at.sim.streams.say("main", json.dumps(expired).encode())
            ended = await asyncio.wait_for(stream.watching, WITHIN)
            assert "listen key" in ended.message
            assert ended.kind is VenueErrorKind.NETWORK

    run(scenario())


@pytest.mark.parametrize("refused", ["position", "order"])
def test_a_subscription_that_bybit_refuses_ends_the_watch_before_it_stands(
    refused: str, opened: OpenedCanned
) -> None:
    def talk(frame: Any) -> list[Any]:
        good = refused not in frame.get("args", [])
        why = "" if good else "error:handler not found"
        return [{"success": good, "ret_msg": why, "op": frame["op"], "req_id": frame.get("req_id")}]

    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            canned.on_frame = talk
            stood: list[bool] = []
            ended = await asyncio.wait_for(
                venue.watch(lambda hint: None, lambda: stood.append(True)), WITHIN
            )
            assert "handler not found" in ended.message
            assert stood == []

    run(scenario())


def test_a_subscription_that_is_never_confirmed_ends_the_watch_in_time(
    opened: OpenedCanned,
) -> None:
    def talk(frame: Any) -> list[Any]:
        if "order" in frame.get("args", []):
            return []
        return [{"success": True, "ret_msg": "", "op": frame["op"]}]

    async def scenario() -> None:
        async with opened("bybit", request_timeout=timedelta(seconds=3)) as (canned, venue):
            canned.on_frame = talk
            stood: list[bool] = []
            ended = await asyncio.wait_for(
                venue.watch(lambda hint: None, lambda: stood.append(True)), WITHIN
            )
            assert ended.kind is VenueErrorKind.NETWORK
            assert "confirm" in ended.message
            assert stood == []

    run(scenario())
