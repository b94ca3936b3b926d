"""Binance USD-M's limits: told always, enforced on demand, with bans that grow and name their end.

Source: "LIMITS" on the page "General Info" of Binance's USD-M futures documentation.
"""

from __future__ import annotations

import re

import ccxt.async_support as ccxt
import pytest

from simulator.binance_quotas import LONGEST_BAN, REFUSALS_BEFORE_BAN, weight_of
from tests.simulator.binance import ACCOUNT, Answered, Asker, asking
from tests.simulator.conftest import Clock, client, still_venue

WEIGHT = "X-MBX-USED-WEIGHT-1M"
HEAVY = "/fapi/v1/ticker/24hr"


async def use_up(ask: Asker) -> Answered:
    """Ask for the heaviest list until it is refused."""
    for _ in range(61):
        answer = await ask.raw("GET", HEAVY)
        if answer.status != 200:
            return answer
    raise AssertionError("sixty-one times a weight of 40 passed")


async def test_each_answer_tells_the_weight_used_in_this_minute(clock: Clock) -> None:
    async with asking(clock) as ask:
        used = [int((await ask.raw("GET", HEAVY)).headers[WEIGHT]) for _ in range(2)]
        assert used == [40, 80]
        assert (await ask.raw("GET", f"{HEAVY}?symbol=BTCUSDT")).headers[WEIGHT] == "81"
        assert (await ask("GET", "/fapi/v3/positionRisk")).headers[WEIGHT] == "86"
        clock.advance(minutes=1)
        assert (await ask.raw("GET", "/fapi/v1/time")).headers[WEIGHT] == "1"


async def test_orders_weigh_nothing_and_are_counted_by_account(clock: Clock) -> None:
    async with asking(clock) as ask:
        first = await ask.order("BUY", "MARKET", quantity=1)
        assert first.headers[WEIGHT] == "0"
        clock.advance(seconds=11)
        second = await ask.order("BUY", "MARKET", quantity=1)
        counts = [second.headers[f"X-MBX-ORDER-COUNT-{it}"] for it in ("10S", "1M")]
        assert counts == ["1", "2"]
        assert "X-MBX-ORDER-COUNT-10S" not in (await ask("GET", "/fapi/v3/account")).headers


@pytest.mark.parametrize(
    ("path", "params", "weight"),
    [
        ("/fapi/v1/depth", {"limit": "50"}, 2),
        ("/fapi/v1/depth", {}, 10),
        ("/fapi/v1/depth", {"limit": "1000"}, 20),
        ("/fapi/v1/klines", {"limit": "99"}, 1),
        ("/fapi/v1/klines", {"limit": "499"}, 2),
        ("/fapi/v1/klines", {"limit": "1500"}, 10),
        ("/fapi/v1/openOrders", {}, 40),
        ("/fapi/v1/openOrders", {"symbol": "BTCUSDT"}, 1),
        ("/fapi/v1/positionSide/dual", {}, 30),
    ],
)
def test_weights_are_the_documented_ones(path: str, params: dict[str, str], weight: int) -> None:
    assert weight_of("GET", path, params) == weight


async def test_nothing_is_refused_while_limits_are_off(clock: Clock) -> None:
    async with asking(clock) as ask:
        answers = [(await ask.raw("GET", HEAVY)).status for _ in range(70)]
        assert set(answers) == {200}


async def test_too_much_weight_is_429_until_the_minute_ends(clock: Clock) -> None:
    async with asking(clock) as ask:
        ask.venue.limits = True
        clock.advance(seconds=15)
        refused = await use_up(ask)
        assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, -1003, "45")
        clock.advance(seconds=45)
        assert (await ask.raw("GET", HEAVY)).status == 200


async def test_whoever_asks_on_is_banned_longer_each_time_with_the_end_named(clock: Clock) -> None:
    async with asking(clock) as ask:
        ask.venue.limits = True
        lengths = []
        for _ in range(13):
            await use_up(ask)
            for _ in range(REFUSALS_BEFORE_BAN):
                banned = await ask.raw("GET", "/fapi/v1/time")
            assert (banned.status, banned.code) == (418, -1003)
            named = re.search(r"banned until (\d+)\.", banned.body["msg"])
            assert named is not None
            left = int(named[1]) / 1000 - clock.at.timestamp()
            assert int(banned.headers["Retry-After"]) == round(left)
            lengths.append(round(left / 60))
            # Whoever waits is let in again when the ban has ended, and not before.
            clock.advance(seconds=left - 1)
            assert (await ask.raw("GET", "/fapi/v1/time")).status == 418
            clock.advance(seconds=61)
            assert (await ask.raw("GET", "/fapi/v1/time")).status == 200
        assert lengths[:4] == [2, 4, 8, 16]
        assert max(lengths) == LONGEST_BAN.total_seconds() / 60


async def test_asking_on_during_a_ban_lengthens_it(clock: Clock) -> None:
    async with asking(clock) as ask:
        ask.venue.limits = True
        await use_up(ask)
        ends = []
        for _ in range(2 * REFUSALS_BEFORE_BAN + 2):
            told = (await ask.raw("GET", "/fapi/v1/time")).body["msg"]
            if (named := re.search(r"banned until (\d+)\.", told)) is not None:
                ends.append(int(named[1]))
        assert ends[-1] > ends[0]


async def test_more_orders_than_an_account_may_place_are_1015(clock: Clock) -> None:
    async with asking(clock) as ask:
        ask.venue.limits = True
        told = {"price": 64000, "quantity": "0.001", "timeInForce": "GTC"}
        codes = [(await ask.order("BUY", "LIMIT", **told)).code for _ in range(301)]
        assert codes == [0] * 300 + [-1015]
        clock.advance(seconds=10)
        assert (await ask.order("BUY", "LIMIT", **told)).status == 200


async def test_ccxt_knows_both_refusals_for_what_they_are() -> None:
    async with still_venue(limits=True) as venue, client(venue, ACCOUNT) as exchange:
        told = []
        for _ in range(70 + REFUSALS_BEFORE_BAN):
            try:
                await exchange.fapiPublicGetTicker24hr()
            except (ccxt.RateLimitExceeded, ccxt.DDoSProtection) as refused:
                told.append(str(refused))
        assert "Too many requests; current limit" in told[0]
        assert "banned until" in told[-1]


async def test_each_request_takes_as_long_as_the_venue_is_told_to_take() -> None:
    async with still_venue(latency=0.1) as venue, client(venue, ACCOUNT) as exchange:
        started = exchange.milliseconds()
        await exchange.fapiPublicGetTime()
        assert exchange.milliseconds() - started >= 100
