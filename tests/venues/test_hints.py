"""Hints out of any message at all: they never raise, and never make a quantity up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messages.venue import OrderHint, PositionHint
from simulator import Exchange
from simulator.instruments import WHOLE
from tests.fuzz.damage import Damage, damaged, damages
from tests.venues.simulated import BTC, simulated
from tests.venues.stream_messages import DOCUMENTED
from venues.client import Client
from venues.gateway import CcxtVenue
from venues.stream_hints import is_data, read_hints

both = pytest.mark.parametrize("exchange", WHOLE, ids=lambda exchange: exchange.value)
POSITIONS: dict[Exchange, dict[str, Any]] = {
    Exchange.BYBIT: {
        "topic": "position",
        "data": [{"symbol": "BTCUSDT", "size": "0.5", "side": "Buy", "positionIdx": 0}],
    },
    Exchange.BINANCE: {
        "e": "ACCOUNT_UPDATE",
        "a": {"m": "ORDER", "B": [], "P": [{"s": "BTCUSDT", "pa": "0.5", "ps": "BOTH"}]},
    },
}


@contextmanager
def connected(exchange: Exchange) -> Iterator[Client]:
    """A client whose markets are loaded; hints need nothing more of it."""
    with asyncio.Runner() as runner:
        stack = simulated(exchange)
        opened = runner.run(stack.__aenter__())
        assert isinstance(opened.venue, CcxtVenue)
        try:
            yield opened.venue._client
        finally:
            runner.run(stack.__aexit__(None, None, None))


@both
def test_no_damage_of_a_message_raises_or_tells_an_impossible_quantity(exchange: Exchange) -> None:
    messages = [POSITIONS[exchange], *(message for message, _ in DOCUMENTED[exchange])]
    with connected(exchange) as client:
        for message in messages:
            assert list(read_hints(client, message)), message

        @settings(max_examples=300, deadline=None, database=None)
        @given(message=st.sampled_from(messages), damage=damages)
        def check(message: Any, damage: Damage) -> None:
            changed, _ = damaged(message, damage)
            if not isinstance(changed, dict):
                return
            told = list(read_hints(client, changed)) if is_data(client, changed) else []
            for hint in told:
                if isinstance(hint, PositionHint):
                    assert hint.key.symbol == BTC
                    assert hint.quantity >= 0
                else:
                    assert isinstance(hint, OrderHint)
                    assert hint.symbol == BTC
                    assert hint.order_id
                    assert hint.filled >= 0

        check()
