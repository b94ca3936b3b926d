"""Bybit's own limits: told in headers always, and enforced by a switch."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import ccxt.async_support as ccxt
import pytest

from simulator import SimulatedVenue
from simulator.bybit_quotas import BAN, BY_ADDRESS, BybitQuotas
from simulator.instruments import Exchange
from simulator.market import Market
from simulator.wire import Call
from tests.simulator.bybit import ACCOUNT, LINEAR
from tests.simulator.conftest import Clock, client, connected
from tests.simulator.operators import done

QUERY = {"category": "linear", "settleCoin": "USDT"}


def call(market: Market, clock: Clock, path: str = "/v5/order/create", **params: str) -> Call:
    return Call(
        at=clock(),
        exchange=Exchange.BYBIT,
        endpoint="order.create",
        method="POST",
        path=path,
        params=params,
        address="127.0.0.1",
        account=market.accounts[ACCOUNT],
    )


def enforcing() -> BybitQuotas:
    quotas = BybitQuotas()
    quotas.enforced = True
    return quotas


async def test_every_private_reply_tells_what_is_left() -> None:
    async with connected(ACCOUNT) as (_, exchange):
        await exchange.privateGetV5PositionList(QUERY)
        await exchange.privateGetV5PositionList(QUERY)
        headers = {it.lower(): value for it, value in exchange.last_response_headers.items()}
        assert headers["x-bapi-limit"] == "50"
        assert int(headers["x-bapi-limit-status"]) in (48, 49)
        assert int(headers["x-bapi-limit-reset-timestamp"]) > 0


async def test_the_eleventh_order_of_a_second_is_refused_while_limits_are_on() -> None:
    async with connected(ACCOUNT) as (venue, exchange):
        wrong = LINEAR | {"side": "Buy", "orderType": "Market", "qty": "0.0001"}

        async def codes() -> list[int]:
            answers = await asyncio.gather(
                *(exchange.privatePostV5OrderCreate(wrong) for _ in range(30)),
                return_exceptions=True,
            )
            return [int(str(it).split('"retCode":')[1].split(",")[0]) for it in answers]

        assert set(await codes()) == {10001}
        await done(venue, "POST", "limits", enforced=True)
        told = await codes()
        assert 10006 in told
        await done(venue, "POST", "limits", enforced=False)
        assert set(await codes()) == {10001}


def test_a_second_later_the_next_order_passes_and_refused_ones_did_not_count(
    market: Market, clock: Clock
) -> None:
    quotas = enforcing()
    for _ in range(10):
        assert quotas.charge(call(market, clock)) is None
    for _ in range(5):
        refused = quotas.charge(call(market, clock))
        assert refused is not None
        assert isinstance(refused.body, dict)
        assert refused.body["retCode"] == 10006
    headers = quotas.headers(call(market, clock))
    resets = int((clock() + timedelta(seconds=1)).timestamp() * 1000)
    assert headers["X-Bapi-Limit-Status"] == "0"
    assert headers["X-Bapi-Limit-Reset-Timestamp"] == str(resets)
    clock.advance(seconds=1)
    assert quotas.charge(call(market, clock)) is None


def test_each_endpoint_and_each_account_has_its_own_count(market: Market, clock: Clock) -> None:
    quotas = enforcing()
    market.add_account("other", Exchange.BYBIT, key="k", secret="s")
    for _ in range(10):
        assert quotas.charge(call(market, clock)) is None
    assert quotas.charge(call(market, clock)) is not None
    assert quotas.charge(call(market, clock, "/v5/order/cancel")) is None
    others = call(market, clock)
    others.account = market.accounts["other"]
    assert quotas.charge(others) is None


def test_a_batch_counts_each_of_its_orders(market: Market, clock: Clock) -> None:
    quotas = enforcing()
    six = call(market, clock, "/v5/order/create-batch", request="[{},{},{},{},{},{}]")
    assert quotas.charge(six) is None
    assert quotas.headers(six)["X-Bapi-Limit-Status"] == "4"
    assert quotas.charge(six) is not None


def test_an_address_that_asks_too_much_is_shut_out_for_ten_minutes(
    market: Market, clock: Clock
) -> None:
    quotas = enforcing()
    public = call(market, clock, "/v5/market/time")
    public.account = None
    for _ in range(BY_ADDRESS):
        assert quotas.charge(public) is None
    refused = quotas.charge(public)
    assert refused is not None
    assert refused.status == 403
    clock.at += BAN - timedelta(seconds=1)
    public.at = clock()
    assert quotas.charge(public) is not None
    clock.advance(seconds=1)
    public.at = clock()
    assert quotas.charge(public) is None


async def test_a_client_that_waits_as_the_header_says_gets_through() -> None:
    venue = SimulatedVenue(seed=7, volatility=0.0, limits=True)
    async with venue, client(venue, ACCOUNT) as exchange:
        await exchange.load_markets()
        with pytest.raises(ccxt.RateLimitExceeded):
            await asyncio.gather(
                *(exchange.privateGetV5UserQueryApi() for _ in range(30)),
            )
        headers = {it.lower(): value for it, value in exchange.last_response_headers.items()}
        resets = int(headers["x-bapi-limit-reset-timestamp"])
        wait = resets - int(venue.market.now().timestamp() * 1000)
        await asyncio.sleep(max(0, wait) / 1000 + 0.01)
        await exchange.privateGetV5UserQueryApi()
