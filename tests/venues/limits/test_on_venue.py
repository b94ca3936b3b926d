"""The gateway on simulated venues that enforce their limits, over real HTTP and the real ccxt."""

from __future__ import annotations

import asyncio
import importlib
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from messages.budget import BudgetUse, Lane, LimitUse
from messages.values import Secret
from messages.venue import Accepted, OrderRequest, Placement, Refused, Snapshot, VenueErrorKind
from simulator import Exchange, Fault, FaultKind
from simulator.desk import LoggedRequest
from tests.simulator.conftest import until
from tests.venues.conftest import now, run
from tests.venues.simulated import BTC, LONG, Opened, simulated
from venues.gateway import open_venue
from venues.limits.priority import asking
from venues.port import Venue
from venues.transport import loopback_session

LATENCY = 0.05
ORDERS_ON_BYBIT = 10
"""A second."""

both = pytest.mark.parametrize("exchange", list(Exchange), ids=lambda exchange: exchange.value)


def closes(at: Opened, count: int, within: float = 30.0) -> list[OrderRequest]:
    last = now() + timedelta(seconds=within)
    return [
        msgspec.structs.replace(
            at.order("0.01", client_order_id=f"5e70{number:024x}"), not_after=last
        )
        for number in range(1, count + 1)
    ]


def creations(at: Opened) -> list[LoggedRequest]:
    return at.sim.requests.orders("main")


async def queued(venue: Venue, most: int) -> None:
    """Wait until so many requests wait."""
    await until(lambda: venue.budget().waiting >= most, f"{most} requests that wait")


def limit_of(use: BudgetUse, name: str) -> LimitUse:
    return next(limit for limit in use.limits if limit.name == name)


@asynccontextmanager
async def bot(at: Opened) -> AsyncIterator[Any]:
    """A client of the same login that knows nothing of the guard, and spaces nothing."""
    ccxt = importlib.import_module("ccxt.async_support")
    session = loopback_session(at.sim.connect, at.sim.ca_file)
    exchange = getattr(ccxt, at.exchange.value)(
        {
            "session": session,
            "apiKey": at.settings.key.reveal(),
            "secret": at.settings.secret.reveal(),
            "enableRateLimit": False,
            "options": {"defaultType": "swap"},
        }
    )
    exchange.timeout_on_exit = 0
    try:
        yield exchange
    finally:
        await exchange.close()
        await session.close()


def test_fifty_orders_at_once_are_all_taken_in_little_more_than_the_limits_time() -> None:
    async def scenario() -> None:
        async with simulated(Exchange.BYBIT, limits=True, latency=LATENCY) as at:
            at.hold("1")
            placed = await asyncio.gather(*(at.venue.place(order) for order in closes(at, 50)))
            assert [type(answer) for answer in placed] == [Accepted] * 50
            sent = creations(at)
            # None was refused, or it would have been sent again.
            assert len(sent) == 50
            assert at.market.quantity("main", BTC, LONG) == Decimal("0.5")
            took = (sent[-1].at - sent[0].at).total_seconds()
            assert took <= 1.2 * 50 / ORDERS_ON_BYBIT, took

    run(scenario())


@both
def test_an_order_waits_behind_no_round(exchange: Exchange) -> None:
    async def scenario() -> None:
        async with simulated(exchange, limits=True, latency=LATENCY) as at:
            at.hold("1")
            with asking(Lane.ROUND):
                rounds = [asyncio.ensure_future(at.venue.fetch_positions()) for _ in range(300)]
            await asyncio.sleep(0)
            await queued(at.venue, 10)
            (order,) = closes(at, 1)
            assert isinstance(await at.venue.place(order), Accepted)
            use = at.venue.budget()
            assert use.waiting > 0
            assert use.longest_wait[Lane.ORDER] == 0.0
            assert use.longest_wait[Lane.ROUND] > 0.0
            for task in rounds:
                task.cancel()
            await asyncio.gather(*rounds, return_exceptions=True)

    run(scenario())


def test_two_clients_of_a_login_share_its_limits() -> None:
    async def scenario() -> None:
        async with simulated(Exchange.BYBIT, limits=True, latency=LATENCY) as at:
            at.hold("1")
            async with second(at) as other:
                orders = closes(at, 20)
                asked = [
                    venue.place(order)
                    for venue, order in zip([at.venue, other] * 10, orders, strict=True)
                ]
                placed = await asyncio.gather(*asked)
            assert [type(answer) for answer in placed] == [Accepted] * 20
            assert len(creations(at)) == 20

    run(scenario())


@asynccontextmanager
async def second(at: Opened, **changes: Any) -> AsyncIterator[Venue]:
    settings = msgspec.structs.replace(at.settings, name="second", **changes)
    venue = open_venue(settings, now=now)
    try:
        yield venue
    finally:
        await venue.close()


def test_two_logins_share_their_addresss_weight_and_not_their_orders() -> None:
    async def scenario() -> None:
        async with simulated(Exchange.BINANCE, limits=True) as at:
            at.market.add_account("other", Exchange.BINANCE, key="its-key", secret="its-secret")
            async with second(at, key=Secret("its-key"), secret=Secret("its-secret")) as other:
                at.hold("1")
                (order,) = closes(at, 1)
                assert isinstance(await at.venue.place(order), Accepted)
                await other.fetch_positions()
                mine, theirs = at.venue.budget(), other.budget()
                assert limit_of(mine, "weight") == limit_of(theirs, "weight")
                assert limit_of(mine, "orders 10s").used == 1
                assert limit_of(theirs, "orders 10s").used == 0
                assert "its-key" not in repr(theirs)

    run(scenario())


@pytest.mark.parametrize(
    ("exchange", "name"),
    [(Exchange.BYBIT, "position/list"), (Exchange.BINANCE, "weight")],
    ids=lambda value: str(value),
)
def test_what_the_bot_uses_is_left_to_it(exchange: Exchange, name: str) -> None:
    async def scenario() -> None:
        async with simulated(exchange, limits=True) as at, bot(at) as other:
            await at.venue.fetch_positions()
            before = limit_of(at.venue.budget(), name)
            assert before.used == before.used_by_guard
            if exchange is Exchange.BYBIT:
                asked = {"category": "linear", "settleCoin": "USDT"}
                await asyncio.gather(
                    *(other.privateGetV5PositionList(dict(asked)) for _ in range(20))
                )
                least = 1.0
            else:
                await asyncio.gather(*(other.fapiPrivateV3GetPositionRisk() for _ in range(40)))
                least = 200.0
            await at.venue.fetch_positions()
            after = limit_of(at.venue.budget(), name)
            assert after.used - after.used_by_guard >= least

    run(scenario())


def test_an_order_refused_for_the_bots_rate_goes_again_under_its_id() -> None:
    async def scenario() -> None:
        async with simulated(Exchange.BYBIT, limits=True, latency=LATENCY) as at, bot(at) as other:
            at.hold("1")
            mine = closes(at, 11)
            await other.load_markets()
            theirs = [
                other.create_order(BTC, "market", "sell", 0.01, None, {"reduceOnly": True})
                for _ in range(ORDERS_ON_BYBIT)
            ]
            await asyncio.gather(*theirs)
            placed = await asyncio.gather(*(at.venue.place(each) for each in mine))
            assert [type(answer) for answer in placed] == [Accepted] * len(mine)
            ids = [str(each.params.get("orderLinkId")) for each in creations(at)]
            ours = [each for each in ids if each.startswith("5e70")]
            assert len(ours) > len(set(ours)) == len(mine)

    run(scenario())


@pytest.mark.parametrize(
    ("exchange", "code"),
    [(Exchange.BYBIT, "10006"), (Exchange.BINANCE, "-1015")],
    ids=lambda value: str(value),
)
def test_a_rate_refusal_costs_an_order_time_and_nothing_else(exchange: Exchange, code: str) -> None:
    async def scenario() -> None:
        async with simulated(exchange, limits=True) as at:
            at.hold("1")
            strike(at, code, count=1)
            (order,) = closes(at, 1)
            assert isinstance(await at.venue.place(order), Accepted)
            assert len(creations(at)) == 2
            assert at.market.quantity("main", BTC, LONG) == Decimal("0.99")

    run(scenario())


@both
def test_an_order_that_cannot_go_again_in_time_is_refused(exchange: Exchange) -> None:
    code = "10006" if exchange is Exchange.BYBIT else "-1015"

    async def scenario() -> None:
        async with simulated(exchange, limits=True) as at:
            at.hold("1")
            strike(at, code, count=None)
            (order,) = closes(at, 1)
            unbounded = msgspec.structs.replace(order, not_after=None)
            assert isinstance(await at.venue.place(unbounded), Refused)
            soon = msgspec.structs.replace(order, not_after=now() + timedelta(seconds=0.5))
            answer = await at.venue.place(soon)
            assert isinstance(answer, Refused)
            assert answer.error.kind is VenueErrorKind.RATE_LIMIT
            assert at.market.quantity("main", BTC, LONG) == Decimal(1)

    run(scenario())


def strike(at: Opened, code: str, count: int | None) -> None:
    fault = Fault(
        kind=FaultKind.ERROR_CODE, endpoint="order.create", code=code, message="slow", count=count
    )
    at.sim.faults.order(fault)


def test_an_unclear_answer_to_an_order_is_never_sent_again() -> None:
    async def scenario() -> None:
        async with simulated(Exchange.BYBIT, limits=True) as at:
            at.hold("1")
            at.sim.faults.order(
                Fault(kind=FaultKind.ERROR_AFTER, endpoint="order.create", code="10016")
            )
            (order,) = closes(at, 1)
            await at.venue.place(order)
            assert len(creations(at)) == 1

    run(scenario())


def test_a_wall_clock_set_back_delays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    hour = timedelta(hours=1)
    back = [timedelta(0)]

    def clock() -> datetime:
        return now() - back[0]

    async def scenario() -> None:
        async with simulated(Exchange.BYBIT, limits=True) as at:
            at.hold("1")
            venue = open_venue(msgspec.structs.replace(at.settings, name="other"), now=clock)
            await venue.connect()
            # ccxt's own limiter goes by the wall clock.
            throttler = sys.modules["ccxt.async_support.base.throttler"]
            wall = throttler.time
            monkeypatch.setattr(throttler, "time", lambda: wall() - back[0].total_seconds())
            asked = [asyncio.ensure_future(venue.place(each)) for each in closes(at, 20)]
            await queued(venue, 10)
            back[0] = hour
            async with asyncio.timeout(10):
                placed: list[Placement] = await asyncio.gather(*asked)
            assert [type(answer) for answer in placed] == [Accepted] * 20
            await venue.close()

    run(scenario())


def test_cancelled_askers_are_not_paid() -> None:
    async def scenario() -> None:
        async with simulated(Exchange.BINANCE, limits=True) as at:
            with asking(Lane.ROUND):
                rounds = [asyncio.ensure_future(at.venue.fetch_positions()) for _ in range(300)]
            await queued(at.venue, 50)
            for task in rounds:
                task.cancel()
            await asyncio.gather(*rounds, return_exceptions=True)
            use = at.venue.budget()
            assert use.waiting == 0
            assert limit_of(use, "weight").used_by_guard <= 0.5 * 2400
            assert (await at.venue.fetch_positions()).complete

    run(scenario())


@both
def test_a_ban_is_obeyed_by_all_of_the_address_until_its_end(exchange: Exchange) -> None:
    status = 418 if exchange is Exchange.BINANCE else 403

    async def scenario() -> None:
        async with simulated(exchange, limits=True) as at, second(at) as other:
            at.hold("1")
            assert (await other.fetch_positions()).complete
            at.sim.faults.order(
                Fault(kind=FaultKind.BAN, endpoint="positions", status=status, seconds=600)
            )
            snapshot = await at.venue.fetch_positions()
            assert not snapshot.complete
            before = len(at.sim.requests.requests)
            refused: list[Snapshot] = [await other.fetch_positions() for _ in range(5)]
            assert {each.problems[0].kind for each in refused} == {VenueErrorKind.RATE_LIMIT}
            (order,) = closes(at, 1)
            assert isinstance(await other.place(order), Refused)
            assert len(at.sim.requests.requests) == before
            ends = other.budget().banned_until
            assert ends is not None
            assert abs(ends - now() - timedelta(seconds=600)) < timedelta(seconds=20)

    run(scenario())


@asynccontextmanager
async def counted_sockets(at: Opened) -> AsyncIterator[tuple[str, list[int]]]:
    """A port that carries to the venue, and the sockets that were opened through it."""
    opened: list[int] = []
    host, _, port = at.sim.connect.rpartition(":")

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(len(opened))
        back, there = await asyncio.open_connection(host, int(port))
        try:
            await asyncio.gather(_copy(reader, there), _copy(back, writer))
        finally:
            there.close()
            writer.close()

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", opened


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        # The other side has gone first.
        writer.close()


@both
def test_a_wave_a_minute_after_the_sockets_were_warmed_shakes_no_hands(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with (
            simulated(exchange, limits=True, latency=LATENCY) as at,
            counted_sockets(at) as (connect, opened),
            second(at, connect=connect) as venue,
        ):
            at.hold("1")
            assert await venue.keep_warm(8) is None
            assert len(opened) >= 8
            before = len(opened)
            monkeypatch.setattr("aiohttp.connector.monotonic", lambda: time.monotonic() + 60)
            placed = await asyncio.gather(*(venue.place(each) for each in closes(at, 8)))
            assert [type(answer) for answer in placed] == [Accepted] * 8
            assert len(opened) == before

    run(scenario())


@both
def test_what_is_spent_is_told_by_purpose(exchange: Exchange) -> None:
    async def scenario() -> None:
        async with simulated(exchange, limits=True) as at:
            at.hold("1")
            await at.venue.fetch_positions()
            with asking(Lane.CLOSE):
                await at.venue.fetch_positions()
            (order,) = closes(at, 1)
            await at.venue.place(order)
            spent = {(each.purpose, each.lane): each for each in at.venue.budget().spent}
            weight = 5 if exchange is Exchange.BINANCE else 1
            for lane in (Lane.ANSWER, Lane.CLOSE):
                assert spent["fetch_positions", lane].requests == 1
                assert spent["fetch_positions", lane].weight == weight
            assert spent["place", Lane.ORDER].weight == (0 if weight == 5 else 1)

    run(scenario())


@both
def test_the_first_order_after_calm_is_one_request_on_a_warm_socket(exchange: Exchange) -> None:
    async def scenario() -> None:
        async with simulated(exchange, limits=True, latency=LATENCY) as at:
            at.hold("1")
            before = len(at.sim.requests.requests)
            assert await at.venue.keep_warm(4) is None
            warm = list(at.sim.requests.requests)[before:]
            assert len(warm) == 4
            assert {request.account for request in warm} == {""}
            (spent,) = [each for each in at.venue.budget().spent if each.purpose == "keep_warm"]
            assert (spent.lane, spent.requests, spent.weight) == (Lane.ROUND, 4, 4)
            (order,) = closes(at, 1)
            await at.venue.place(order)
            (only,) = list(at.sim.requests.requests)[before + 4 :]
            assert only.endpoint == "order.create"

    run(scenario())
