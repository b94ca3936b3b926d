"""A leg's name in actor paths, dedup keys and locks is its own (`docs/spec/truth.md`, rule 10)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from messages.values import LegKey, Side
from simulator.instruments import default_listings
from tests.rules.build import T0, prove
from tests.venues.bodies import ALL

CLASHING = (
    "BTC/USDT:USDT", "BTC/USDT", "BTC/USDT:USDC", "BTC/USDC:USDC", "BTC/USDT:BTC",
    "BTC/USD:BTC", "BTC/USD:USD", "BTC/USD:USDT", "BTC/USD:USDC", "BTC/USD:ETH",
    "BTC/USDT:USDT-261225", "BTC/USD:BTC-261225", "BTC/USD:USD-261225", "BTC/USD:USD-270326",
    "BTC/USD:BTC-261225-90000-C", "BTC/USD:BTC-261225-90000-P",
    "BTCUSD/T:T", "BTCU/SDT:SDT", "BTCUS/DT:DT", "BTCUSDT",
    "BTC/EUR:EUR", "BTCE/UR:UR", "BTC/BTC:BTC", "BTC/BTC:USD", "BTC_USD/BTC:BTC",
    "1000PEPE/USDT:USDT", "PEPE/USDT:USDT", "XYZ-BTC/USDC:USDC", "XYZ/BTC-USDC:USDC",
)  # fmt: skip
"""Symbols that were one name, or would be under a plainer rule than the one there is."""

NAMES: dict[str, Callable[[LegKey], str]] = {
    "actor": lambda key: key.actor_name,
    "dedup key and lock": str,
}


def shared(symbols: Iterable[str], name: Callable[[LegKey], str]) -> list[set[LegKey]]:
    """The legs that are called the same, by the name that they share."""
    called: dict[str, set[LegKey]] = defaultdict(set)
    for symbol in symbols:
        for side in Side:
            key = LegKey("main", symbol, side)
            called[name(key)].add(key)
    return [keys for keys in called.values() if len(keys) > 1]


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_no_two_legs_of_the_listed_markets_share_a_name(name: Callable[[LegKey], str]) -> None:
    simulated = {one.symbol for one in default_listings(T0)}
    venues = {bodies.symbol for bodies in ALL}
    assert len(ALL) == 10
    assert shared(simulated | venues | set(CLASHING), name) == []


def test_a_name_tells_the_settle_currency_and_the_date() -> None:
    named = {
        "BTC/USDT:USDT": "BTCUSDT.long",
        "BTC/USDT:USDT-261225": "BTCUSDT-261225.long",
        "BTC/USD:USD": "BTCUSD.long",
        "BTC/USD:BTC": "BTCUSD_BTC.long",
        "BTC/USD:BTC-261225": "BTCUSD_BTC-261225.long",
        "ETH/BTC:BTC": "ETH_BTC_BTC.long",
    }
    for symbol, name in named.items():
        assert LegKey("main", symbol, Side.LONG).actor_name == name


letters = st.sampled_from(["", "B", "T", "C", "U", "SD", "USD", "USDT", "USDC", "BTC", "_", "%"])
currency = st.lists(letters, max_size=3).map("".join)
rest = st.sampled_from(["", "-261225", "-270326", "-261225-90000-C", "-261225-9_0-C"])
symbol = st.builds(lambda b, q, s, r: f"{b}/{q}:{s}{r}", currency, currency, currency, rest)


@given(st.sets(symbol, max_size=40))
@example(set(CLASHING))
@prove
def test_no_two_legs_of_any_markets_share_a_name(symbols: set[str]) -> None:
    for name in NAMES.values():
        assert shared(symbols, name) == []


@given(symbol)
@prove
def test_a_name_is_one_step_of_a_path(text: str) -> None:
    name = LegKey("main", text, Side.SHORT).actor_name
    assert not set(name) & set("/# \n")
    assert name.endswith(".short")
