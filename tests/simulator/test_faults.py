"""Faults on order, as a real client meets them."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import ccxt.async_support as ccxt
import pytest

from messages.values import Side
from simulator import Fault, FaultBook, FaultKind
from tests.simulator.conftest import ACCOUNTS, BTC, client, connected, dec, still_venue, until

CLOSE = {"reduceOnly": True, "clientOrderId": "5e70bb"}
LISTS_THAT_LIE = [
    FaultKind.EMPTY_BODY,
    FaultKind.HTML,
    FaultKind.TRUNCATED,
    FaultKind.MISSING_LIST,
    FaultKind.EMPTY_LIST,
]


@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize("kind", LISTS_THAT_LIE)
async def test_ccxt_takes_a_damaged_reply_for_no_positions(account: str, kind: FaultKind) -> None:
    """Why reads must be strict: each of these is an empty list to `fetch_positions`."""
    async with connected(account) as (venue, exchange):
        venue.market.open_position(account, BTC, Side.LONG, dec("1"))
        assert len(await exchange.fetch_positions()) == 1
        venue.faults.order(Fault(kind=kind, endpoint="positions"))
        assert await exchange.fetch_positions() == []
        assert len(await exchange.fetch_positions()) == 1


@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize("status", [403, 429, 500, 503])
async def test_an_http_status_is_an_error(account: str, status: int) -> None:
    async with connected(account) as (venue, exchange):
        await exchange.fetch_positions()
        venue.faults.order(Fault(kind=FaultKind.STATUS, endpoint="positions", status=status))
        with pytest.raises(ccxt.BaseError):
            await exchange.fetch_positions()


@pytest.mark.parametrize(
    ("account", "code", "meaning"),
    [
        ("bybit-main", "170131", ccxt.InsufficientFunds),
        ("bybit-main", "10016", ccxt.ExchangeError),
        ("bybit-main", "110017", ccxt.InvalidOrder),
        ("binance-main", "-2022", ccxt.InvalidOrder),
        ("binance-main", "-2019", ccxt.InsufficientFunds),
        ("binance-main", "-1021", ccxt.InvalidNonce),
    ],
)
async def test_any_code_of_the_venue_s_can_be_ordered_and_nothing_is_done(
    account: str, code: str, meaning: type[Exception]
) -> None:
    async with connected(account) as (venue, exchange):
        venue.market.open_position(account, BTC, Side.LONG, dec("1"))
        venue.faults.order(Fault(kind=FaultKind.ERROR_CODE, endpoint="order.create", code=code))
        with pytest.raises(meaning, match=code):
            await exchange.create_order(BTC, "market", "sell", 1, None, CLOSE)
        assert venue.market.quantity(account, BTC, Side.LONG) == 1


@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize(
    ("kind", "done"), [(FaultKind.DROP_BEFORE, False), (FaultKind.DROP_AFTER, True)]
)
async def test_a_dropped_reply_says_nothing_of_what_the_order_did(
    account: str, kind: FaultKind, done: bool
) -> None:
    async with connected(account) as (venue, exchange):
        venue.market.open_position(account, BTC, Side.LONG, dec("1"))
        venue.faults.order(Fault(kind=kind, endpoint="order.create"))
        with pytest.raises(ccxt.BaseError):
            await exchange.create_order(BTC, "market", "sell", 1, None, CLOSE)
        assert (venue.market.quantity(account, BTC, Side.LONG) == 0) is done
        assert len(venue.requests.orders(account)) == 1


@pytest.mark.parametrize("kind", [FaultKind.DELAY, FaultKind.DELAY_REPLY])
async def test_an_order_that_timed_out_at_the_client_is_filled_all_the_same(
    kind: FaultKind,
) -> None:
    async with (
        still_venue() as venue,
        client(venue, "binance-main", timeout=300) as exchange,
    ):
        await exchange.load_markets()
        venue.market.open_position("binance-main", BTC, Side.LONG, dec("1"))
        venue.faults.order(Fault(kind=kind, endpoint="order.create", seconds=0.6))
        with pytest.raises(ccxt.RequestTimeout):
            await exchange.create_order(BTC, "market", "sell", 1, None, CLOSE)
        await until(lambda: venue.market.quantity("binance-main", BTC, Side.LONG) == 0, "the close")


async def test_an_error_after_acceptance_hides_an_order_that_is_filled() -> None:
    async with connected("binance-main") as (venue, exchange):
        venue.market.open_position("binance-main", BTC, Side.LONG, dec("1"))
        fault = Fault(kind=FaultKind.ERROR_AFTER, endpoint="order.create", code="-1007")
        venue.faults.order(fault)
        with pytest.raises(ccxt.BaseError, match="-1007"):
            await exchange.create_order(BTC, "market", "sell", 1, None, CLOSE)
        assert venue.market.quantity("binance-main", BTC, Side.LONG) == 0


async def pages(exchange: Any) -> list[int]:
    sizes, cursor = [], ""
    while True:
        request = {"category": "linear", "settleCoin": "USDT", "limit": 2}
        body = await exchange.privateGetV5PositionList(
            request | ({"cursor": cursor} if cursor else {})
        )
        sizes.append(len(body["result"]["list"]))
        cursor = body["result"]["nextPageCursor"]
        if not cursor:
            return sizes


async def test_a_fault_can_strike_one_page_of_a_list() -> None:
    async with connected("bybit-main") as (venue, exchange):
        for base in ("BTC", "ETH", "SOL", "XRP", "ADA"):
            venue.market.open_position("bybit-main", f"{base}/USDT:USDT", Side.LONG, dec("10"))
        assert await pages(exchange) == [2, 2, 1]
        venue.faults.order(Fault(kind=FaultKind.EMPTY_LIST, endpoint="positions", page=2))
        assert await pages(exchange) == [2, 0]
        venue.faults.order(Fault(kind=FaultKind.STATUS, endpoint="positions", page=3))
        with pytest.raises(ccxt.ExchangeNotAvailable):
            await pages(exchange)
        assert await pages(exchange) == [2, 2, 1]


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_a_stale_read_shows_positions_as_they_were(account: str) -> None:
    async with connected(account) as (venue, exchange):
        an_hour_ago = venue.market.now() - timedelta(hours=1)
        venue.market.open_position(account, BTC, Side.LONG, dec("1"), opened_at=an_hour_ago)
        venue.market.close_by_hand(account, BTC, Side.LONG)
        assert await exchange.fetch_positions() == []
        for age, shown in ((60, 1), (7200, 0)):
            fault = Fault(kind=FaultKind.STALE, endpoint="positions", seconds=age)
            venue.faults.order(fault)
            assert len(await exchange.fetch_positions()) == shown


async def test_a_short_list_leaves_rows_out_without_a_word() -> None:
    async with connected("binance-main") as (venue, exchange):
        for base in ("BTC", "ETH", "SOL", "XRP"):
            venue.market.open_position("binance-main", f"{base}/USDT:USDT", Side.LONG, dec("10"))
        venue.faults.order(Fault(kind=FaultKind.SHORT_LIST, endpoint="positions"))
        assert len(await exchange.fetch_positions()) == 2


async def test_a_fault_of_one_account_leaves_the_other_alone() -> None:
    async with connected("bybit-main") as (venue, bybit), client(venue, "binance-main") as binance:
        fault = Fault(kind=FaultKind.STATUS, account="bybit-main", count=None)
        venue.faults.order(fault)
        with pytest.raises(ccxt.ExchangeNotAvailable):
            await bybit.fetch_positions()
        assert await binance.fetch_positions() == []


def struck(book: FaultBook, calls: int) -> list[bool]:
    return [bool(book.strike("positions", "a")) for _ in range(calls)]


def test_faults_strike_as_often_as_ordered_after_what_they_skip(rng: random.Random) -> None:
    book = FaultBook(rng)
    book.order(Fault(kind=FaultKind.HTML, endpoint="positions", count=2, skip=1))
    assert struck(book, 5) == [False, True, True, False, False]


def test_a_fault_without_a_count_strikes_until_it_is_cleared(rng: random.Random) -> None:
    book = FaultBook(rng)
    ordered = book.order(Fault(kind=FaultKind.HTML, count=None))
    assert struck(book, 3) == [True] * 3
    assert book.struck(ordered) == 3
    book.clear(ordered)
    assert struck(book, 1) == [False]


def test_chances_are_drawn_from_the_seed() -> None:
    def draw(seed: int) -> list[bool]:
        book = FaultBook(random.Random(seed))
        book.order(Fault(kind=FaultKind.HTML, count=None, probability=0.5))
        return struck(book, 200)

    assert draw(1) == draw(1)
    assert 60 < sum(draw(1)) < 140


def test_faults_ask_for_endpoint_account_path_and_page(rng: random.Random) -> None:
    book = FaultBook(rng)
    book.order(Fault(kind=FaultKind.HTML, endpoint="/v5/position/list", account="a", page=2))
    assert not book.strike("positions", "a", path="/v5/position/list")
    assert not book.strike("positions", "b", path="/v5/position/list", page=2)
    assert not book.strike("fills", "a", path="/v5/execution/list", page=2)
    assert book.strike("positions", "a", path="/v5/position/list", page=2)
