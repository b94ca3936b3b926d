"""Tests of symbols: many spellings, one leg, and never a wrong one (scenario 5.6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.venue import Kind
from rules.symbols import SymbolIndex, may_be_one, may_mean, normalise
from tests.rules.build import instrument, listing, prove

INVERSE, DATED = "BTC/USD:BTC", "BTC/USDT:USDT-261225"
LISTED = listing(
    instrument("BTC/USDT:USDT"),
    instrument(INVERSE, venue_id="BTCUSD", kind=Kind.INVERSE),
    instrument(DATED, venue_id="BTCUSDT-25DEC26"),
    instrument("BTC/USDC:USDC", venue_id="BTCPERP"),
    instrument("PEPE/USDT:USDT", venue_id="PEPE-USDT-SWAP"),
    instrument("1000PEPE/USDT:USDT"),
    instrument("PERP/USDT:USDT"),
    instrument("SOL/USD:SOL", venue_id="SOLUSD", kind=Kind.INVERSE),
    instrument("SOL/USD:USDC", venue_id="SOL-USD-SWAP"),
    instrument("ETH/USDC:USDC", venue_id="159"),
)


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        *(
            (text, "BTC/USDT:USDT")
            for text in (
                "BTCUSDT", "BTC/USDT:USDT", "BTC-USDT-SWAP", "btc_usdt", "BTCUSDT.P", " btcusdt ",
                "BTC/USDT", "btc/usdt:usdt", "BTCUSDT-PERP", "BTCUSDTPERP", "BTC-USDT",
                "BYBIT:BTCUSDT.P", "XBTUSDT", "BTC/USDT.P", "btc/usdt-perp",
                "BTCUSDT_UMCBL", "BTCUSDT_PERP",
            )
        ),
        *(
            (text, INVERSE)
            for text in ("BTCUSD", "BTC-USD-SWAP", "XBTUSD", "BTC/USD:BTC", "BTC/USD")
        ),
        *(
            (text, DATED)
            for text in (
                "BTCUSDT-25DEC26", "BTCUSDT_261225", "BTC-USDT-261225", "BTC/USDT:USDT-261225",
                "BTC-USDT-20261225", "btc/usdt:usdt-25dec26",
            )
        ),
        ("BTCPERP", "BTC/USDC:USDC"),
        ("BTCUSDC", "BTC/USDC:USDC"),
        ("PEPEUSDT", "PEPE/USDT:USDT"),
        ("1000PEPEUSDT", "1000PEPE/USDT:USDT"),
        ("1000PEPE-USDT-SWAP", "1000PEPE/USDT:USDT"),
        ("PERPUSDT", "PERP/USDT:USDT"),
        ("SOLUSD", "SOL/USD:SOL"),
        ("SOL/USD:USDC", "SOL/USD:USDC"),
        ("159", "ETH/USDC:USDC"),
        ("ETHUSDC", "ETH/USDC:USDC"),
    ],
)  # fmt: skip
def test_a_spelling_finds_its_instrument(text: str, symbol: str) -> None:
    assert normalise(text, LISTED) == symbol


@pytest.mark.parametrize(
    "text",
    [
        "", "BTC", "USDT", "DOGEUSDT", "10000PEPEUSDT", "BTCUSDT-27MAR26", "BTC-USDT-260327",
        "BTC-25DEC26-100000-C", "BTC/USDT:USDC", "SOL/USD", "SOL-USD", "BTC/USDT:USDT-26XXX25",
        "BTC//USDT", "/", ":", "-", "BTC/USDT:USDT-", "PEPE1000USDT", "BTC/EUR", "BTC/USDT:",
    ],
)  # fmt: skip
def test_what_is_unknown_or_ambiguous_finds_nothing(text: str) -> None:
    assert normalise(text, LISTED) is None


def test_a_dated_future_alone_is_not_found_by_the_name_of_the_perpetual() -> None:
    only_dated = listing(instrument(DATED, venue_id="BTCUSDT-25DEC26"))
    assert normalise("BTCUSDT", only_dated) is None
    assert normalise("BTC-USDT-SWAP", only_dated) is None


def test_an_id_that_two_instruments_share_means_neither_but_unified_symbols_stay() -> None:
    shared = listing(
        instrument("A/USDT:USDT", venue_id="X"), instrument("B/USDT:USDT", venue_id="X")
    )
    assert normalise("X", shared) is None
    assert normalise("A/USDT:USDT", shared) == "A/USDT:USDT"


def test_joined_names_that_divide_in_two_ways_are_ambiguous_and_divided_ones_are_not() -> None:
    twins = listing(
        instrument("AB/CUSD:CUSD", venue_id="1"), instrument("ABC/USD:USD", venue_id="2")
    )
    assert normalise("ABCUSD", twins) is None
    assert normalise("AB-CUSD", twins) == "AB/CUSD:CUSD"


def test_xbt_is_bitcoin_only_where_nothing_else_is_called_xbt() -> None:
    both = listing(instrument("BTC/USDT:USDT"), instrument("XBT/USDT:USDT"))
    assert normalise("XBTUSDT", both) == "XBT/USDT:USDT"


def test_every_venues_own_id_and_unified_symbol_find_their_instrument() -> None:
    index = SymbolIndex(LISTED)
    for symbol, one in LISTED.items():
        assert index.find(symbol) == symbol
        assert index.find(one.venue_id) == symbol


@given(
    st.sampled_from(["BTC", "1000PEPE", "PEPE", "SOL"]),
    st.sampled_from(["USDT", "USD", "USDC"]),
    st.sampled_from(["", "-", "_", "/"]),
    st.sampled_from(["", ".P", "-SWAP", "-PERP"]),
    st.booleans(),
)
@prove
def test_a_derived_spelling_never_changes_base_or_quote(
    base: str, quote: str, divider: str, suffix: str, lower: bool
) -> None:
    text = f"{base}{divider}{quote}{suffix}"
    found = normalise(text.lower() if lower else text, LISTED)
    assert found is None or found.startswith(f"{base}/{quote}:")


@given(st.text(alphabet="BTCUSD1/:-_.P2605DEC ", max_size=24))
@prove
def test_any_text_finds_a_listed_symbol_or_nothing_and_the_same_twice(text: str) -> None:
    index = SymbolIndex(LISTED)
    found = index.find(text)
    assert found is None or found in LISTED
    assert index.find(text) == found


@pytest.mark.parametrize(
    ("text", "symbol", "means"),
    [
        ("BTCUSDT", "BTC/USDT:USDT", True),
        ("btc-usdt-swap", "BTC/USDT:USDT", True),
        ("BTC/USDT:USDT", "BTC/USDT:USDT", True),
        ("BTC/USDT:USDC", "BTC/USDT:USDT", False),
        ("BTCUSDT", DATED, False),
        ("PEPEUSDT", "1000PEPE/USDT:USDT", False),
        ("BTCUSD", "BTC/USDT:USDT", False),
        ("a-b-c-d", "A-B-C-D", True),
        ("a-b-c-d", "BTC/USDT:USDT", False),
    ],
)
def test_a_list_entry_means_the_contracts_of_its_pair_and_date(
    text: str, symbol: str, means: bool
) -> None:
    assert may_mean(text, symbol) is means


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("BTCUSDT", "BTC/USDT:USDT", True),
        ("btc-usdt-swap", "BTC/USDT:USDT", True),
        ("BTCUSDT", "BTC-USDT-SWAP", True),
        ("BTC/USDT:USDT", "BTC/USDC:USDC", False),
        ("PEPEUSDT", "1000PEPE/USDT:USDT", False),
        ("BTCUSDT", "BTC/USDT:USDT-261225", False),
    ],
)
def test_two_spellings_may_be_of_one_contract_whichever_comes_first(
    one: str, other: str, same: bool
) -> None:
    assert may_be_one(one, other) is may_be_one(other, one) is same
