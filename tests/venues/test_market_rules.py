"""Whether an instrument trades, as its venue says, and market rules that are loaded anew."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from messages.venue import InstrumentStatus, Markets, VenueError
from tests.venues.bodies import BY_EXCHANGE
from tests.venues.canned import Answer, CannedVenue
from tests.venues.conftest import Opened, now, run

TRADING, HALTED, DELISTING = InstrumentStatus
SOON = "1900000000000"

TOLD: tuple[tuple[str, dict[str, Any], InstrumentStatus], ...] = (
    ("bybit", {"status": "Trading"}, TRADING),
    ("bybit", {"status": "PreLaunch"}, HALTED),
    ("bybit", {"status": "Delivering"}, DELISTING),
    ("bybit", {"status": "Trading", "deliveryTime": SOON}, DELISTING),
    ("binanceusdm", {"status": "TRADING", "deliveryDate": 4133404800000}, TRADING),
    ("binanceusdm", {"status": "PENDING_TRADING"}, HALTED),
    ("binanceusdm", {"status": "SETTLING"}, DELISTING),
    ("binanceusdm", {"status": "TRADING", "deliveryDate": int(SOON)}, DELISTING),
    ("okx", {"state": "live", "expTime": ""}, TRADING),
    ("okx", {"state": "suspend"}, HALTED),
    ("okx", {"state": "expired"}, DELISTING),
    ("okx", {"state": "live", "expTime": SOON}, DELISTING),
    ("bitget", {"symbolStatus": "normal", "offTime": "-1"}, TRADING),
    ("bitget", {"symbolStatus": "maintain"}, HALTED),
    ("bitget", {"symbolStatus": "limit_open"}, TRADING),
    ("bitget", {"symbolStatus": "off"}, DELISTING),
    ("bitget", {"symbolStatus": "normal", "offTime": SOON}, DELISTING),
    ("gate", {"in_delisting": False, "status": "trading"}, TRADING),
    ("gate", {"status": "circuit_breaker"}, HALTED),
    ("gate", {"in_delisting": True}, DELISTING),
    ("kucoinfutures", {"status": "Open"}, TRADING),
    ("kucoinfutures", {"status": "Paused"}, HALTED),
    ("kucoinfutures", {"status": "BeingSettled"}, DELISTING),
    ("krakenfutures", {"tradeable": True}, TRADING),
    ("krakenfutures", {"tradeable": False}, HALTED),
    ("mexc", {"state": 0}, TRADING),
    ("mexc", {"state": 4}, HALTED),
    ("mexc", {"state": 3}, DELISTING),
    ("bingx", {"status": 1}, TRADING),
    ("bingx", {"status": 5}, HALTED),
    ("bingx", {"status": 0}, DELISTING),
)


def relisted(canned: CannedVenue, exchange: str, changes: dict[str, Any]) -> None:
    """The venue's first market with some of its words changed."""
    method, path, body = copy.deepcopy(BY_EXCHANGE[exchange].markets[0])
    _rows(body)[0].update(changes)
    canned.on(method, path, Answer(body=body))


def _rows(body: Any) -> list[dict[str, Any]]:
    if isinstance(body, list):
        return body
    for key in ("data", "instruments", "symbols", "result", "list"):
        if key in body:
            return _rows(body[key])
    raise KeyError(body)


@pytest.mark.parametrize(("exchange", "changes", "status"), TOLD)
def test_an_instrument_trades_as_its_venue_says(
    exchange: str, changes: dict[str, Any], status: InstrumentStatus, opened: Opened
) -> None:
    async def scenario() -> None:
        async with opened(exchange) as (canned, venue):
            relisted(canned, exchange, changes)
            markets = await venue.reload_markets()
            assert isinstance(markets, Markets), markets
            assert markets.instruments[BY_EXCHANGE[exchange].symbol].status is status

    run(scenario())


def test_a_delisted_coin_of_hyperliquid_is_told(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("hyperliquid") as (canned, venue):
            method, path, body = copy.deepcopy(BY_EXCHANGE["hyperliquid"].markets[0])
            body[0]["universe"][0]["isDelisted"] = True
            canned.on(method, path, Answer(body=body))
            markets = await venue.reload_markets()
            assert isinstance(markets, Markets), markets
            symbol = BY_EXCHANGE["hyperliquid"].symbol
            found = markets.instruments.get(symbol)
            assert found is None or found.status is DELISTING

    run(scenario())


def test_a_changed_step_holds_from_the_next_load_on(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            before = await venue.reload_markets()
            assert isinstance(before, Markets)
            method, path, body = copy.deepcopy(BY_EXCHANGE["bybit"].markets[0])
            _rows(body)[0]["lotSizeFilter"]["qtyStep"] = "0.5"
            canned.on(method, path, Answer(body=body))
            after = await venue.reload_markets()
            assert isinstance(after, Markets)
            steps = [told.instruments["BTC/USDT:USDT"].amount_step for told in (before, after)]
            assert steps[0] != steps[1]
            assert str(steps[1]) == "0.5"
            assert before.loaded_at <= after.loaded_at <= now()

    run(scenario())


def test_markets_that_cannot_be_loaded_leave_the_old_ones_in_force(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            bodies = BY_EXCHANGE["bybit"]
            canned.on("GET", bodies.positions, Answer(body=bodies.listed([bodies.row("1")])))
            assert (await venue.fetch_positions()).complete
            canned.on("GET", "/v5/market/instruments-info", Answer(text="", status=503))
            assert isinstance(await venue.reload_markets(), VenueError)
            assert (await venue.fetch_positions()).complete

    run(scenario())
