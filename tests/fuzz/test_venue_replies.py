"""Damaged replies of a venue, through the real gateway: typed answers, and no leg read away."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import UnionType
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messages.values import LegKey, Side
from messages.venue import (
    Accepted,
    Canceled,
    ClosedPositions,
    Connected,
    Fills,
    Identity,
    KeyRights,
    Markets,
    NoSuchOrder,
    NotTold,
    OpenOrders,
    OrderLookup,
    OrderRequest,
    OrderType,
    Placement,
    Protection,
    Quote,
    Snapshot,
    VenueError,
)
from simulator.binance import Binance
from simulator.bybit import Bybit
from simulator.desk import Answer as Written
from simulator.desk import Desk, Pending
from simulator.instruments import Exchange
from simulator.server import SimulatedVenue
from simulator.wire import RestProtocol
from tests.fuzz.damage import Damage, damaged, damages
from tests.scenarios.world import XRP, ago, settings_for
from tests.venues.bodies import ALL, VenueBodies
from tests.venues.canned import Answer
from tests.venues.conftest import Opened
from venues.gateway import open_venue
from venues.port import Venue

LIMIT = 15.0
"""Seconds after which a call counts as hanging."""

quick = settings(
    max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


@pytest.mark.parametrize("bodies", ALL, ids=lambda it: it.exchange)
def test_a_damaged_list_of_positions_never_reads_a_leg_away(
    bodies: VenueBodies, opened: Opened
) -> None:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        canned, venue = runner.run(stack.enter_async_context(opened(bodies.exchange)))
        body = bodies.listed([bodies.row(bodies.size)])
        canned.on(bodies.method, bodies.positions, Answer(body=body))
        shown = runner.run(venue.fetch_positions())
        assert shown.complete
        (position,) = shown.positions

        @quick
        @given(damage=damages)
        def check(damage: Damage) -> None:
            changed, path = damaged(body, damage)
            canned.on(bodies.method, bodies.positions, Answer(text=json.dumps(changed)))
            snapshot = runner.run(asyncio.wait_for(venue.fetch_positions(), LIMIT))
            assert isinstance(snapshot, Snapshot)
            for leg in snapshot.positions:
                assert Decimal(0) < leg.quantity < Decimal("Infinity")
            if snapshot.complete and not any(p.key == position.key for p in snapshot.positions):
                assert flat(body, changed, path), (path, damage)

        check()
        runner.run(stack.aclose())


def flat(body: Any, changed: Any, path: tuple[str | int, ...]) -> bool:
    """Whether the damage made a good reply that shows no such leg, and says so rightly."""
    left = changed
    for step in path:
        if isinstance(left, dict) and step not in left:
            return False
        if isinstance(left, list) and not (isinstance(step, int) and step < len(left)):
            return True  # the whole row was taken out of the list
        left = left[step]
    emptied = left == [] and isinstance(at(body, path), list)
    zero = isinstance(left, int | float | str) and str(left).strip() in ("0", "-0.0")
    other_side = left in (-1, "-0.0")
    return emptied or zero or other_side


def at(body: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        body = body[step]
    return body


class Damaging(Desk):
    """A venue's desk whose replies are damaged while `damage` is set."""

    damage: Damage | None = None

    def answer(self, pending: Pending) -> Written:
        answer = super().answer(pending)
        if self.damage is None:
            return answer
        changed, _ = damaged(json.loads(answer.body), self.damage)
        return Written(answer.status, json.dumps(changed).encode())


class DamagedVenue(SimulatedVenue):
    """The simulated venue with a desk that can damage what it says."""

    def __init__(self) -> None:
        super().__init__(seed=5, volatility=0)
        exchangers: dict[Exchange, RestProtocol] = {
            Exchange.BYBIT: Bybit(self.market),
            Exchange.BINANCE: Binance(self.market),
        }
        self.damaging = Damaging(self.market, self.faults, exchangers)
        self.desk = self.damaging


CALLS: dict[str, UnionType | type[Any]] = {
    "connect": Connected | VenueError,
    "fetch_positions": Snapshot,
    "fetch_position": Snapshot,
    "fetch_quote": Quote | VenueError,
    "fetch_protection": Protection,
    "place": Placement,
    "find_order": OrderLookup,
    "open_orders": OpenOrders | VenueError,
    "cancel": Canceled | NoSuchOrder | VenueError,
    "fetch_fills": Fills | VenueError,
    "server_time": datetime | VenueError,
    "key_rights": KeyRights | VenueError,
    "closed_positions": ClosedPositions | NotTold | VenueError,
    "identity": Identity | NotTold | VenueError,
    "reload_markets": Markets | VenueError,
}


@pytest.mark.parametrize("account", ["bybit-main", "binance-main"])
def test_every_call_answers_a_damaged_reply_with_a_value_of_its_type(
    account: str, tmp_path: Path
) -> None:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        simulated = DamagedVenue()
        runner.run(stack.enter_async_context(simulated))
        (of,) = settings_for(tmp_path, simulated, (account,)).accounts
        of = msgspec.structs.replace(of, options={"enableRateLimit": "false"})
        venue = open_venue(of, now=lambda: datetime.now(UTC))
        stack.push_async_callback(venue.close)
        key = LegKey(account, XRP, Side.LONG)
        price = simulated.market.price(simulated.market.accounts[account].exchange, XRP)
        simulated.market.open_position(account, XRP, Side.LONG, Decimal(10**6), price, ago(1))
        assert isinstance(runner.run(venue.connect()), Connected)
        numbers = itertools.count(1)
        first = runner.run(venue.place(order(key, "fuzz-0")))
        assert isinstance(first, Accepted)

        @settings(quick, max_examples=400)
        @given(method=st.sampled_from(sorted(CALLS)), damage=damages)
        def check(method: str, damage: Damage) -> None:
            simulated.damaging.damage = damage
            call = called(venue, method, key, first.order_id, f"fuzz-{next(numbers)}")
            answer = runner.run(asyncio.wait_for(call, LIMIT))
            assert isinstance(answer, CALLS[method]), (method, answer)

        check()
        simulated.damaging.damage = None
        runner.run(stack.aclose())


def order(key: LegKey, client_order_id: str) -> OrderRequest:
    return OrderRequest(
        key=key, client_order_id=client_order_id, type=OrderType.MARKET, quantity=Decimal(10)
    )


def called(
    venue: Venue, method: str, key: LegKey, order_id: str, fresh_id: str
) -> Coroutine[Any, Any, object]:
    """One call of the venue's face, with arguments that fit it."""
    symbol = key.symbol
    calls: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
        "connect": venue.connect,
        "fetch_positions": venue.fetch_positions,
        "fetch_position": lambda: venue.fetch_position(key),
        "fetch_quote": lambda: venue.fetch_quote(symbol),
        "fetch_protection": lambda: venue.fetch_protection((symbol,)),
        "place": lambda: venue.place(order(key, fresh_id)),
        "find_order": lambda: venue.find_order(symbol, "fuzz-0"),
        "open_orders": lambda: venue.open_orders(symbol),
        "cancel": lambda: venue.cancel(symbol, order_id),
        "fetch_fills": lambda: venue.fetch_fills(symbol, ago(1)),
        "server_time": venue.server_time,
        "key_rights": venue.key_rights,
        "closed_positions": lambda: venue.closed_positions(symbol, ago(1)),
        "identity": venue.identity,
        "reload_markets": venue.reload_markets,
    }
    return calls[method]()
