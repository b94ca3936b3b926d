"""Bitget's private stream, followed by the gateway through ccxt.pro, and said at the socket."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messages.values import LegKey
from messages.venue import Accepted, Hint, OrderHint, OrderType, PositionHint, VenueError
from simulator import Exchange, Fault, FaultKind, bitget_stream
from tests.fuzz.damage import Damage, damaged, damages
from tests.simulator.conftest import until
from tests.venues.conftest import run
from tests.venues.simulated import BTC, FIRST_ID, LONG, SHORT, Opened, simulated
from venues.exchanges import EXCHANGES
from venues.gateway import CcxtVenue
from venues.stream_hints import is_data, read_hints
from venues.transport import loopback_session

WITHIN = 10.0
INVERSE = "BTC/USD:BTC"
modes = pytest.mark.parametrize("hedged", [False, True], ids=["one-way", "hedge"])


@dataclass(slots=True)
class Ear:
    """A watch that stands, and what it told."""

    task: asyncio.Task[VenueError]
    hints: list[Hint] = field(default_factory=list)

    def legs(self, symbol: str = BTC) -> list[tuple[LegKey, Decimal]]:
        positions = (it for it in self.hints if isinstance(it, PositionHint))
        return [(it.key, it.quantity) for it in positions if it.key.symbol == symbol]

    def orders(self) -> list[OrderHint]:
        return [it for it in self.hints if isinstance(it, OrderHint)]


@asynccontextmanager
async def watched(at: Opened) -> AsyncIterator[Ear]:
    stands = asyncio.Event()
    hints: list[Hint] = []
    ear = Ear(asyncio.create_task(at.venue.watch(hints.append, stands.set)), hints)
    try:
        await asyncio.wait_for(stands.wait(), WITHIN)
        yield ear
    finally:
        ear.task.cancel()
        await asyncio.gather(ear.task, return_exceptions=True)


@modes
def test_a_leg_that_closes_is_told_although_the_list_of_legs_leaves_it_out(hedged: bool) -> None:
    async def scenario() -> None:
        async with simulated(Exchange.BITGET, hedged=hedged) as at:
            at.hold("0.5")
            async with watched(at) as ear:
                closed = time.monotonic()
                at.market.close_by_hand("main", BTC, LONG, Decimal("0.2"))
                at.market.close_by_hand("main", BTC, LONG)
                leg = LegKey("main", BTC, LONG)
                await until(lambda: (leg, Decimal(0)) in ear.legs(), "the end is told", WITHIN)
                assert time.monotonic() - closed < 1
                assert [it for it in ear.legs() if it[0] == leg] == [
                    (leg, Decimal("0.3")),
                    (leg, Decimal(0)),
                ]

    run(scenario())


def test_a_net_position_that_turns_is_never_told_as_flat() -> None:
    async def scenario() -> None:
        async with simulated(Exchange.BITGET) as at:
            at.hold("0.5")
            async with watched(at) as ear:
                at.hold("0.7", SHORT)
                short = LegKey("main", BTC, SHORT)
                await until(lambda: (short, Decimal("0.2")) in ear.legs(), "it turned", WITHIN)
                at.hold("0.1", SHORT)
                await until(lambda: (short, Decimal("0.3")) in ear.legs(), "it grew", WITHIN)
                assert (short, Decimal(0)) not in ear.legs()

    run(scenario())


def test_all_product_types_are_followed() -> None:
    symbols = {BTC: "0.2", "BTC/USDC:USDC": "0.03", INVERSE: "0.015"}

    async def scenario() -> None:
        settles = ("USDT", "USDC", "BTC")
        async with simulated(Exchange.BITGET, settles=settles) as at, watched(at) as ear:
            for symbol, quantity in symbols.items():
                at.hold(quantity, symbol=symbol)
            wanted = {
                (LegKey("main", symbol, LONG), Decimal(quantity))
                for symbol, quantity in symbols.items()
            }
            await until(
                lambda: wanted <= {it for symbol in symbols for it in ear.legs(symbol)},
                "all three are told",
                WITHIN,
            )

    run(scenario())


@modes
def test_the_end_of_an_order_is_told_with_its_record(hedged: bool) -> None:
    async def scenario() -> None:
        async with simulated(Exchange.BITGET, hedged=hedged) as at:
            at.hold("0.5")
            at.market.matching.fill_parts = 2
            async with watched(at) as ear:
                placed = await at.venue.place(at.order("0.2"))
                assert isinstance(placed, Accepted), placed
                await until(lambda: any(it.end for it in ear.orders()), "the end", WITHIN)
                last = ear.orders()[-1]
                assert (last.order_id, last.client_order_id) == (placed.order_id, FIRST_ID)
                assert last.end is not None
                assert last.end.filled == Decimal("0.2")
                assert last.end.side.value == "sell"
                assert last.end.position_side is (LONG if hedged else None)
                record = await at.venue.find_order(BTC, FIRST_ID)
                # The fee is whole: both executions were heard.
                assert last.end.fee == record.fee  # type: ignore[union-attr]

    run(scenario())


def test_a_resting_order_and_its_cancel_are_told() -> None:
    async def scenario() -> None:
        async with simulated(Exchange.BITGET) as at:
            at.hold("0.5")
            price = (at.market.price(Exchange.BITGET, BTC) * Decimal("1.01")).quantize(
                Decimal("0.1")
            )
            async with watched(at) as ear:
                order = at.order("0.5", OrderType.LIMIT_MAKER, price=price)
                placed = await at.venue.place(order)
                assert isinstance(placed, Accepted), placed
                await at.venue.cancel(BTC, placed.order_id)
                await until(lambda: len(ear.orders()) == 2, "rested and cancelled", WITHIN)
                assert [it.status.value for it in ear.orders()] == ["open", "canceled"]

    run(scenario())


def test_a_stop_is_told_when_it_is_placed_and_when_it_is_cancelled() -> None:
    async def scenario() -> None:
        async with simulated(Exchange.BITGET) as at:
            at.hold("0.5")
            async with watched(at) as ear:
                order = at.order("0.5", OrderType.STOP_MARKET, trigger_price=Decimal(60000))
                placed = await at.venue.place(order)
                assert isinstance(placed, Accepted), placed
                await at.venue.cancel(BTC, placed.order_id, trigger=True)
                await until(lambda: len(ear.orders()) == 2, "placed and cancelled", WITHIN)
                assert {it.order_id for it in ear.orders()} == {placed.order_id}
                assert [it.status.value for it in ear.orders()] == ["open", "canceled"]

    run(scenario())


def test_what_a_stop_that_fires_becomes_is_told_with_its_fill() -> None:
    async def scenario() -> None:
        async with simulated(Exchange.BITGET) as at:
            at.hold("0.5", stop_loss=Decimal(60000))
            async with watched(at) as ear:
                at.market.set_price(BTC, Decimal(59900))
                flat = (LegKey("main", BTC, LONG), Decimal(0))
                await until(lambda: flat in ear.legs(), "the leg is gone", WITHIN)
                # The stop's own message names no fill, and none is told of it.
                (became,) = [it for it in ear.orders() if it.end is not None]
                assert became.filled == Decimal("0.5")

    run(scenario())


POSITION = {
    "posId": "926036334386778112",
    "instId": "BTCUSDT",
    "marginCoin": "USDT",
    "marginMode": "crossed",
    "holdSide": "long",
    "posMode": "one_way_mode",
    "total": "0.5",
    "available": "0.5",
    "openPriceAvg": "43849",
    "leverage": 20,
}
ORDER = {
    "instId": "BTCUSDT",
    "orderId": "1171636690028761089",
    "clientOid": FIRST_ID,
    "price": "0",
    "size": "0.2",
    "posMode": "one_way_mode",
    "tradeSide": "sell_single",
    "orderType": "market",
    "side": "sell",
    "posSide": "net",
    "accBaseVolume": "0.2",
    "priceAvg": "60000",
    "status": "filled",
    "reduceOnly": "yes",
}
PLAN = {**ORDER, "planType": "psl", "triggerPrice": "60000", "status": "live"}


def message(channel: str, *rows: Any) -> dict[str, Any]:
    arg = {"instType": "USDT-FUTURES", "channel": channel, "instId": "default"}
    return {"action": "snapshot", "arg": arg, "data": [*rows], "ts": 1701913043767}


MESSAGES = [
    message("positions", POSITION),
    message("positions-history", {**POSITION, "closeSize": "0.5"}),
    message("orders", ORDER),
    message("orders-algo", PLAN),
]


def test_no_damage_of_a_message_raises_or_tells_an_impossible_quantity() -> None:
    async def scenario() -> None:
        async with simulated(Exchange.BITGET) as at:
            assert isinstance(at.venue, CcxtVenue)
            client = at.venue._client
            for each in MESSAGES:
                assert list(read_hints(client, each)), each

            @settings(max_examples=300, deadline=None, database=None)
            @given(sent=st.sampled_from(MESSAGES), damage=damages)
            def check(sent: Any, damage: Damage) -> None:
                changed, _ = damaged(sent, damage)
                if not isinstance(changed, dict) or not is_data(client, changed):
                    return
                for hint in read_hints(client, changed):
                    if isinstance(hint, PositionHint):
                        assert hint.key.symbol == BTC
                        assert hint.quantity >= 0
                    else:
                        assert hint.symbol == BTC
                        assert hint.filled >= 0

            check()

    run(scenario())


def test_a_unified_accounts_topics_tell_of_legs_and_orders_of_futures_only() -> None:
    """Bodies as the documentation of the v3 channels has them, by way of ccxt."""
    leg = {
        "symbol": "BTCUSDT",
        "size": "0",
        "posSide": "long",
        "holdMode": "hedge_mode",
        "positionStatus": "ended",
    }
    order = {
        "category": "usdt-futures",
        "symbol": "BTCUSDT",
        "orderId": "1",
        "clientOid": FIRST_ID,
        "qty": "0.2",
        "cumExecQty": "0.2",
        "avgPrice": "60000",
        "orderStatus": "filled",
        "side": "sell",
        "posSide": "long",
        "holdMode": "hedge_mode",
    }
    spot = {**order, "category": "spot"}

    def pushed(topic: str, *rows: Any) -> dict[str, Any]:
        arg = {"instType": "UTA", "topic": topic}
        return {"action": "snapshot", "arg": arg, "data": [*rows], "ts": 1730711666652}

    async def scenario() -> None:
        async with simulated(Exchange.BITGET) as at:
            assert isinstance(at.venue, CcxtVenue)
            client = at.venue._client
            (flat,) = read_hints(client, pushed("position", leg))
            assert isinstance(flat, PositionHint)
            assert (flat.key, flat.quantity) == (LegKey("main", BTC, LONG), Decimal(0))
            (told,) = read_hints(client, pushed("order", order, spot))
            assert isinstance(told, OrderHint)
            assert (told.client_order_id, told.filled) == (FIRST_ID, Decimal("0.2"))
            subscribed = {"event": "subscribe", "arg": {"instType": "UTA", "topic": "order"}}
            assert client.hooks.confirms_subscription(subscribed)

    run(scenario())


@pytest.mark.parametrize(
    "junk",
    [
        "{",
        "[]",
        "7",
        "ping",
        json.dumps(message("orders", "junk", None, 5, [])),
        json.dumps(message("orders", {**ORDER, "instId": "NEVERUSDT"})),
        json.dumps(message("orders", {**ORDER, "status": "dreaming"})),
        json.dumps(message("orders", {**ORDER, "accBaseVolume": "1e999999"})),
        json.dumps(message("positions", {**POSITION, "total": "much"})),
        json.dumps({"action": "snapshot", "arg": "junk", "data": 5}),
    ],
)
def test_damaged_frames_tell_nothing_and_the_stream_goes_on(junk: str) -> None:
    async def scenario() -> None:
        async with simulated(Exchange.BITGET) as at:
            at.hold("0.5")
            async with watched(at) as ear:
                at.sim.streams.say("main", junk.encode())
                at.market.close_by_hand("main", BTC, LONG)
                flat = (LegKey("main", BTC, LONG), Decimal(0))
                await until(lambda: flat in ear.legs(), "the end is told", WITHIN)
                assert len(ear.orders()) == 1

    run(scenario())


def test_the_venues_plain_pong_keeps_the_stream_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    hooks, pings = EXCHANGES["bitget"], 0
    prepare, heard = hooks.prepare_stream, bitget_stream.heard

    def impatient(exchange: Any) -> None:
        exchange.streaming = {**exchange.streaming, "keepAlive": 50}
        prepare(exchange)

    def counting(*asked: Any) -> bitget_stream.Said:
        nonlocal pings
        pings += asked[2] == b"ping"
        return heard(*asked)

    monkeypatch.setattr(hooks, "prepare_stream", impatient)
    monkeypatch.setattr(bitget_stream, "heard", counting)

    async def scenario() -> None:
        async with simulated(Exchange.BITGET) as at, watched(at) as ear:
            # ccxt gives a socket up that misses three answers.
            await until(lambda: pings >= 12 or ear.task.done(), "pings", WITHIN)
            assert not ear.task.done(), ear.task.result()

    run(scenario())


def test_a_socket_that_the_venue_ends_ends_the_watch_with_a_reason() -> None:
    async def scenario() -> None:
        async with simulated(Exchange.BITGET) as at, watched(at) as ear:
            at.sim.faults.order(Fault(kind=FaultKind.CUT_STREAM))
            ended = await asyncio.wait_for(asyncio.shield(ear.task), WITHIN)
            assert ended.message

    run(scenario())


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"op": "subscribe", "args": [{"instType": "USDT-FUTURES", "channel": "orders"}]}, 30004),
        ({"op": "login", "args": [{"apiKey": "none"}]}, 30011),
        ({"op": "login", "args": [{"apiKey": "test-key-of-main", "passphrase": "no"}]}, 30012),
        ({"op": "dance"}, 30003),
    ],
)
def test_what_may_not_be_said_is_refused_in_the_venues_words(
    said: dict[str, Any], code: int
) -> None:
    async def scenario() -> None:
        async with simulated(Exchange.BITGET) as at:
            session = loopback_session(at.sim.connect, at.sim.ca_file)
            async with session, session.ws_connect("wss://ws.bitget.com/v2/ws/private") as socket:
                await socket.send_str(json.dumps(said))
                answer = json.loads((await socket.receive(WITHIN)).data)
                assert (answer["event"], answer["code"]) == ("error", code)

    run(scenario())
