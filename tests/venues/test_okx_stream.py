"""OKX's private stream through the real ccxt.pro: positions, orders, its pings and its ends."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest

from messages.values import LegKey
from messages.venue import (
    Accepted,
    Hint,
    OrderHint,
    OrderStatus,
    OrderType,
    PositionHint,
    VenueError,
)
from simulator import Exchange, Fault, FaultKind, okx_stream
from tests.venues.conftest import run
from tests.venues.simulated import BTC, FIRST_ID, LONG, SHORT, simulated
from tests.venues.test_order_stream import WITHIN, Followed, followed
from venues.exchanges.okx import Okx


async def legs(stream: Followed, until: Decimal, leg: LegKey) -> list[Decimal]:
    """What is told of a leg, up to this quantity."""
    told: list[Decimal] = []
    while until not in told:
        hint: Hint = await asyncio.wait_for(stream.hints.get(), WITHIN)
        if isinstance(hint, PositionHint) and hint.key == leg:
            told.append(hint.quantity)
    return told


@pytest.mark.parametrize("hedged", [False, True], ids=["one-way", "hedge"])
def test_a_leg_is_told_when_the_stream_stands_and_at_each_change(hedged: bool) -> None:
    async def scenario() -> None:
        async with simulated(Exchange.OKX, hedged=hedged) as at:
            at.hold("0.5")
            async with followed(at) as stream:
                leg = LegKey("main", BTC, LONG)
                at.market.close_by_hand("main", BTC, LONG, Decimal("0.2"))
                at.market.close_by_hand("main", BTC, LONG)
                told = await legs(stream, Decimal(0), leg)
                assert told[-2:] == [Decimal("0.3"), Decimal(0)]

    run(scenario())


def test_a_leg_that_turns_says_that_the_old_side_is_flat() -> None:
    async def scenario() -> None:
        async with simulated(Exchange.OKX) as at:
            at.hold("0.5")
            async with followed(at) as stream:
                at.hold("0.7", SHORT)
                told: dict[LegKey, Decimal] = {}
                while told.get(LegKey("main", BTC, SHORT)) != Decimal("0.2"):
                    hint = await asyncio.wait_for(stream.hints.get(), WITHIN)
                    if isinstance(hint, PositionHint):
                        told[hint.key] = hint.quantity
                assert told[LegKey("main", BTC, LONG)] == 0

    run(scenario())


def test_the_end_of_an_order_is_told_whole_with_what_it_cost() -> None:
    async def scenario() -> None:
        async with simulated(Exchange.OKX) as at:
            at.hold("0.5")
            async with followed(at) as stream:
                assert isinstance(await at.venue.place(at.order("0.2")), Accepted)
                told = await stream.until(
                    lambda it: it.client_order_id == FIRST_ID and it.status.final
                )
                end = told[-1].end
                assert end is not None
                assert (end.status, end.filled) == (OrderStatus.FILLED, Decimal("0.2"))
                assert (end.fee_currency, end.average) == ("USDT", Decimal("64249.9"))
                assert end.fee == Decimal("0.2") * Decimal("64249.9") * Decimal("0.0005")

    run(scenario())


def test_the_order_that_a_stop_becomes_is_told_by_the_stops_id() -> None:
    async def scenario() -> None:
        async with simulated(Exchange.OKX) as at:
            at.hold("0.5")
            async with followed(at) as stream:
                stop = at.order("0.5", OrderType.STOP_MARKET, trigger_price=Decimal("61000"))
                placed = await at.venue.place(stop)
                assert isinstance(placed, Accepted), placed
                at.market.set_price(BTC, Decimal("60990"))
                told = await stream.until(lambda it: it.status.final)
                assert told[-1].client_order_id == FIRST_ID
                assert told[-1].order_id != placed.order_id
                assert told[-1].filled == Decimal("0.5")

    run(scenario())


def test_a_socket_whose_pongs_are_plain_text_is_not_taken_for_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pings: list[bytes] = []
    says = okx_stream.Session.says

    def heard(self: okx_stream.Session, data: bytes, at: Any) -> list[bytes]:
        if data == okx_stream.PING:
            pings.append(data)
        return says(self, data, at)

    def often(self: Okx, exchange: Any) -> None:
        exchange.streaming["keepAlive"] = 20

    monkeypatch.setattr(okx_stream.Session, "says", heard)
    monkeypatch.setattr(Okx, "prepare_stream", often)

    async def scenario() -> None:
        async with simulated(Exchange.OKX) as at, followed(at) as stream:
            while len(pings) < 12:
                assert not stream.watching.done(), stream.watching.result()
                await asyncio.sleep(0.01)
            at.hold("0.5")
            assert await legs(stream, Decimal("0.5"), LegKey("main", BTC, LONG))

    run(scenario())


@pytest.mark.parametrize("how", ["cut", "too many sockets"])
def test_the_end_of_a_stream_ends_the_watch_with_a_reason(how: str) -> None:
    async def scenario() -> None:
        async with simulated(Exchange.OKX) as at, followed(at) as stream:
            if how == "cut":
                at.sim.faults.order(Fault(kind=FaultKind.CUT_STREAM))
            else:
                over = {"event": "channel-conn-count-error", "channel": "orders", "connCount": "30"}
                at.sim.streams.say("main", json.dumps(over).encode())
            ended = await asyncio.wait_for(stream.watching, WITHIN)
            assert isinstance(ended, VenueError)
            assert ended.message

    run(scenario())


def test_damaged_messages_tell_nothing_and_the_stream_goes_on() -> None:
    async def scenario() -> None:
        async with simulated(Exchange.OKX) as at, followed(at) as stream:
            arg = {"channel": "positions", "instType": "ANY"}
            damaged: list[Any] = [
                {"arg": arg, "data": None},
                {"arg": arg, "data": [None, 7, {}]},
                {"arg": arg, "data": [{"instId": "BTC-USDT-SWAP", "posSide": "net", "pos": ""}]},
                {"arg": arg, "data": [{"instId": "BTC-USDT-SWAP", "posSide": "up", "pos": "1"}]},
                {"arg": {"channel": "orders"}, "data": [{"instId": "BTC-USDT-SWAP"}]},
                {"arg": None, "data": []},
                {"event": "notice", "code": "64008", "msg": "The connection will soon be closed"},
            ]
            for frame in damaged:
                at.sim.streams.say("main", json.dumps(frame).encode())
            at.sim.streams.say("main", b"not json")
            at.hold("0.5")
            first = await asyncio.wait_for(stream.hints.get(), WITHIN)
            while isinstance(first, OrderHint):
                first = await asyncio.wait_for(stream.hints.get(), WITHIN)
            assert isinstance(first, PositionHint)
            assert first.quantity == Decimal("0.5")

    run(scenario())
