"""Tests of client order ids: the same facts, the same id; any other fact, another."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.values import Side
from rules.ids import client_order_id, is_ours
from tests.rules.build import BTC, prove

FACTS = ("main", BTC, Side.LONG, (1, 2), "close", 1)


def test_the_id_is_the_same_on_every_machine_and_in_every_version() -> None:
    """A fixed value: a guard that was upgraded in the middle of a close must find its order."""
    assert client_order_id(*FACTS) == "5e7096bcfe7662becdfbfa3f7434"


def test_the_order_of_the_rows_does_not_matter() -> None:
    assert client_order_id("main", BTC, Side.LONG, (2, 1), "close", 1) == client_order_id(*FACTS)


@pytest.mark.parametrize(
    ("field", "other"),
    [(0, "main2"), (1, "ETH/USDT:USDT"), (2, Side.SHORT), (3, (1,)), (4, "protect"), (5, 2)],
)
def test_each_field_makes_another_id(field: int, other: object) -> None:
    changed = [other if number == field else fact for number, fact in enumerate(FACTS)]
    assert client_order_id(*changed) != client_order_id(*FACTS)  # type: ignore[arg-type]  # by index


LEDGER, OTHER_LEDGER = "0a1b2c" + "3d" * 13, "f00000" + "3d" * 13


def test_an_id_holds_its_ledger_in_plain_and_in_its_hash() -> None:
    """A fixed value: a guard that was upgraded in the middle of a close must find its order."""
    made = client_order_id(*FACTS, ledger_id=LEDGER)
    assert made == "5e700a1b2cf15b3b47085358f56f"
    alike = client_order_id(*FACTS, ledger_id=LEDGER[:-1] + "0")
    assert alike[:10] == made[:10]
    assert alike != made
    assert client_order_id(*FACTS, ledger_id=OTHER_LEDGER)[10:] != made[10:]


def test_a_ledger_knows_its_own_orders_and_no_other_guards() -> None:
    made = client_order_id(*FACTS, ledger_id=LEDGER)
    for shown in (made, "t-" + made):
        assert is_ours(shown, LEDGER)
        assert not is_ours(shown, OTHER_LEDGER)
    assert not is_ours("x" + made, LEDGER)


def test_an_id_of_the_release_is_ours_where_the_ledger_has_its_intent() -> None:
    released = client_order_id(*FACTS)
    assert not is_ours(released, LEDGER)
    assert not is_ours(released, LEDGER, {"5e70" + "0" * 24})
    assert is_ours(released, LEDGER, {released})
    assert is_ours("t-" + released, LEDGER, {released})
    assert not is_ours("web-1", LEDGER, {"web-1"})


@pytest.mark.parametrize("bad", ["0a1b2", "0A1B2C3D", "0a1b2g", " 0a1b2c", "0a1b2c\n"])
def test_what_is_no_ledger_id_makes_no_order_id(bad: str) -> None:
    with pytest.raises(ValueError, match="no ledger id"):
        client_order_id(*FACTS, ledger_id=bad)


words = st.text(max_size=4)
fields = st.tuples(
    words, words, st.sampled_from(Side), st.sets(st.integers(0, 12), max_size=3).map(tuple),
    words, st.integers(0, 30),
)  # fmt: skip


@given(fields, fields)
@prove
def test_two_ids_are_equal_only_where_all_facts_are(
    one: tuple[str, str, Side, tuple[int, ...], str, int],
    other: tuple[str, str, Side, tuple[int, ...], str, int],
) -> None:
    alike = (one[:3], sorted(one[3]), one[4:]) == (other[:3], sorted(other[3]), other[4:])
    assert (client_order_id(*one) == client_order_id(*other)) == alike


@given(fields)
@prove
def test_an_id_fits_every_venue_and_is_known_as_ours(
    facts: tuple[str, str, Side, tuple[int, ...], str, int],
) -> None:
    made = client_order_id(*facts)
    assert re.fullmatch(r"5e70[0-9a-f]{24}", made)
    assert is_ours(made)
    assert is_ours("t-" + made)


@pytest.mark.parametrize(
    "text",
    ["", "5e70", "x-5e70" + "0" * 24, "5e70" + "0" * 23, "5e70" + "0" * 25, "5E70" + "0" * 24,
     "5e71" + "0" * 24, "5e70" + "g" * 24, "5e70" + "0" * 24 + "\n"],
)  # fmt: skip
def test_what_has_another_shape_is_not_ours(text: str) -> None:
    assert not is_ours(text)


@given(fields, st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
@prove
def test_every_ledgers_ids_fit_every_venue_and_no_two_ledgers_share_one(
    facts: tuple[str, str, Side, tuple[int, ...], str, int], one: bytes, other: bytes
) -> None:
    made = client_order_id(*facts, ledger_id=one.hex())
    assert re.fullmatch(r"5e70[0-9a-f]{24}", made)
    assert is_ours(made, one.hex())
    assert is_ours(made)
    assert (made == client_order_id(*facts, ledger_id=other.hex())) == (one == other)
