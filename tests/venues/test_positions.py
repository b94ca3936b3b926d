"""Pages, scopes, sides and rows that lie: what a position read makes of them."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from messages.values import LegKey, Side
from messages.venue import Connected, Scope, VenueError, VenueErrorKind
from tests.venues.bodies import (
    BY_EXCHANGE,
    binance_instrument,
    binance_row,
    bybit_row,
)
from tests.venues.canned import Answer, Seen
from tests.venues.conftest import Opened, now, run, settings_of
from venues.gateway import open_venue

BTC = "BTC/USDT:USDT"
BYBIT = "/v5/position/list"
BINANCE = "/fapi/v3/positionRisk"


def page(rows: list[dict[str, object]], cursor: object = "") -> Answer:
    result = {"list": rows, "nextPageCursor": cursor}
    return Answer(body={"retCode": 0, "retMsg": "OK", "result": result})


def leg(row: dict[str, object], index: int) -> dict[str, object]:
    return {**row, "positionIdx": index}


def test_every_page_of_bybit_is_read(opened: Opened) -> None:
    def answer(request: Seen) -> Answer:
        number = int(request.query.get("cursor") or 0)
        rows = [leg(bybit_row("0.5"), 1), leg(bybit_row("0.2"), 2)]
        eth = [{**bybit_row("3"), "symbol": "ETHUSDT"}]
        return [page(rows, "1"), page([], "2"), page(eth, "")][number]

    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            canned.on("GET", BYBIT, answer)
            snapshot = await venue.fetch_positions()
            assert snapshot.complete
            held = {p.key: p.quantity for p in snapshot.positions}
            assert held == {
                LegKey("main", BTC, Side.LONG): Decimal("0.5"),
                LegKey("main", BTC, Side.SHORT): Decimal("0.2"),
                LegKey("main", "ETH/USDT:USDT", Side.LONG): Decimal(3),
            }
            assert len(canned.asked(BYBIT)) == 3

    run(scenario())


@pytest.mark.parametrize(
    "second",
    [
        Answer(text=""),
        Answer(text="<html>"),
        Answer(status=502, text=""),
        Answer(body={"retCode": 0, "result": {}}),
        Answer(body={"retCode": 10006, "retMsg": "Too many visits!", "result": {}}),
        page([], "again"),
    ],
    ids=["empty", "HTML", "502", "no list", "rate limit", "same cursor"],
)
def test_a_bad_second_page_keeps_what_the_first_showed_and_says_nothing_of_the_rest(
    second: Answer, opened: Opened
) -> None:
    def answer(request: Seen) -> Answer:
        return second if request.query.get("cursor") else page([bybit_row("0.5")], "again")

    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            canned.on("GET", BYBIT, answer)
            snapshot = await venue.fetch_positions()
            assert [p.quantity for p in snapshot.positions] == [Decimal("0.5")]
            assert not snapshot.complete

    run(scenario())


def test_a_full_page_that_does_not_say_whether_more_follow_is_not_complete(
    opened: Opened,
) -> None:
    rows = [leg(bybit_row("0"), 0) for _ in range(200)]

    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            canned.on("GET", BYBIT, page(rows, None))
            assert not (await venue.fetch_positions()).complete

    run(scenario())


def test_each_settle_currency_is_asked_for_and_the_scope_names_no_other(
    opened: Opened,
) -> None:
    async def scenario() -> None:
        async with opened("bybit", settles=("USDT", "USDC", "BTC")) as (canned, venue):
            canned.on("GET", BYBIT, page([]))
            snapshot = await venue.fetch_positions()
            asked = [(s.query["category"], s.query["settleCoin"]) for s in canned.asked(BYBIT)]
            assert asked == [("linear", "USDT"), ("linear", "USDC"), ("inverse", "BTC")]
            assert snapshot.scope == Scope(frozenset({"USDT", "USDC", "BTC"}))
            assert not snapshot.scope.covers("ETH/USD:ETH")

    run(scenario())


@pytest.mark.parametrize(
    ("exchange", "outside"),
    [
        # A builder's dex settles in USDC as well, and is not in the main dex's read.
        ("hyperliquid", "FLX-TSLA/USDC:USDC"),
        ("bingx", "BTC/USD:BTC"),
        ("binanceusdm", "BTC/USD:BTC"),
        ("bitget", "BTC/USDC:USDC"),
        ("gate", "BTC/USD:BTC"),
    ],
)
def test_a_read_says_nothing_of_what_it_did_not_ask_for(
    exchange: str, outside: str, opened: Opened
) -> None:
    bodies = BY_EXCHANGE[exchange]

    async def scenario() -> None:
        settles = (*bodies.settles, "BTC") if exchange == "bingx" else bodies.settles
        async with opened(exchange, settles=settles) as (canned, venue):
            canned.on(bodies.method, bodies.positions, Answer(body=bodies.listed([])))
            snapshot = await venue.fetch_positions()
            assert snapshot.complete
            assert snapshot.scope.covers(bodies.symbol)
            assert not snapshot.scope.covers(outside)

    run(scenario())


def test_gates_dated_futures_are_read_where_they_are_kept(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("gate") as (canned, venue):
            canned.on("GET", "/futures/usdt/positions", Answer(body=[]))
            canned.on("GET", "/delivery/usdt/positions", Answer(text="<html>"))
            assert not (await venue.fetch_positions()).complete

    run(scenario())


def test_gate_is_read_page_by_page(opened: Opened) -> None:
    flat = BY_EXCHANGE["gate"].row("0")

    def answer(request: Seen) -> Answer:
        assert request.query["limit"] == "100"
        assert request.query["holding"] == "true"
        second = request.query.get("offset") == "99"
        return Answer(body=[flat, BY_EXCHANGE["gate"].row("15")] if second else [flat] * 100)

    async def scenario() -> None:
        async with opened("gate") as (canned, venue):
            canned.on("GET", "/futures/usdt/positions", answer)
            snapshot = await venue.fetch_positions()
            assert snapshot.complete
            assert [p.quantity for p in snapshot.positions] == [Decimal("0.0015")]

    run(scenario())


@pytest.mark.parametrize("closed", [0, 50, 99, None])
def test_a_leg_that_closes_between_two_pages_of_gate_hides_no_other(
    closed: int | None, opened: Opened
) -> None:
    rows = [
        {**BY_EXCHANGE["gate"].row("1"), "contract": f"C{number}_USDT"} for number in range(150)
    ]

    def answer(request: Seen) -> Answer:
        start = int(request.query.get("offset", "0"))
        shown = rows[start : start + 100]
        if closed is not None and start == 0:
            del rows[closed]
        return Answer(body=shown)

    async def scenario() -> None:
        async with opened("gate") as (canned, venue):
            market = BY_EXCHANGE["gate"].markets[0]
            listed = [{**market[2][0], "name": row["contract"]} for row in rows]
            canned.on(market[0], market[1], listed)
            canned.on("GET", "/futures/usdt/positions", answer)
            snapshot = await venue.fetch_positions()
            assert snapshot.complete is (closed is None), snapshot.problems
            assert len({p.key for p in snapshot.positions}) == len(snapshot.positions)
            if closed is None:
                assert len(snapshot.positions) == 150

    run(scenario())


def test_a_binance_row_without_an_entry_price_does_not_vanish(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("binanceusdm") as (canned, venue):
            rows = [binance_row("-0.5", entryPrice="0.0", notional="-25000")]
            canned.on("GET", BINANCE, rows)
            (position,) = (await venue.fetch_positions()).positions
            assert position.key.side is Side.SHORT
            assert position.quantity == Decimal("0.5")
            assert position.entry_price is None

    run(scenario())


def test_the_side_on_binance_is_that_of_the_size_and_not_of_the_notional(
    opened: Opened,
) -> None:
    async def scenario() -> None:
        async with opened("binanceusdm") as (canned, venue):
            canned.on("GET", BINANCE, [binance_row("-0.5", notional="0")])
            (position,) = (await venue.fetch_positions()).positions
            assert position.key.side is Side.SHORT

    run(scenario())


def test_flat_rows_are_no_positions_whatever_side_they_name(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            flat = [
                leg(bybit_row("0"), 2),
                {**bybit_row("0"), "side": ""},
                leg(bybit_row("0.0"), 1),
            ]
            canned.on("GET", BYBIT, page(flat))
            snapshot = await venue.fetch_positions()
            assert snapshot.complete
            assert snapshot.positions == ()
        async with opened("binanceusdm") as (canned, venue):
            canned.on("GET", BINANCE, [binance_row("0.000", positionSide="SHORT")])
            snapshot = await venue.fetch_positions()
            assert snapshot.complete
            assert snapshot.positions == ()

    run(scenario())


@pytest.mark.parametrize("size", [None, "", "many", "NaN"])
def test_a_row_without_a_readable_size_makes_the_read_incomplete(
    size: str | None, opened: Opened
) -> None:
    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            canned.on("GET", BYBIT, page([{**bybit_row("1"), "size": size}]))
            snapshot = await venue.fetch_positions()
            assert not snapshot.complete
        async with opened("binanceusdm") as (canned, venue):
            canned.on("GET", BINANCE, [{**binance_row("0"), "positionAmt": size}])
            assert not (await venue.fetch_positions()).complete

    run(scenario())


def test_a_listing_newer_than_the_markets_is_found_by_loading_them_again(
    opened: Opened,
) -> None:
    instruments = [binance_instrument()]

    async def scenario() -> None:
        async with opened("binanceusdm") as (canned, venue):
            canned.on(
                "GET", "/fapi/v1/exchangeInfo", lambda _: Answer(body={"symbols": instruments})
            )
            canned.on("GET", BINANCE, [binance_row("7", symbol="NEWUSDT")])
            assert isinstance(await venue.connect(), Connected)
            instruments.append(binance_instrument("NEWUSDT", "NEW"))
            snapshot = await venue.fetch_positions()
            assert snapshot.complete
            assert [p.key.symbol for p in snapshot.positions] == ["NEW/USDT:USDT"]

    run(scenario())


def test_one_symbol_is_asked_for_by_name_and_its_answer_speaks_of_no_other(
    opened: Opened,
) -> None:
    key = LegKey("main", BTC, Side.LONG)

    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            canned.on("GET", BYBIT, page([leg(bybit_row("0"), 1), leg(bybit_row("0.3"), 2)]))
            snapshot = await venue.fetch_position(key)
            assert snapshot.complete
            assert [p.key.side for p in snapshot.positions] == [Side.SHORT]
            assert snapshot.flat == {key}
            assert snapshot.scope.covers(BTC)
            assert not snapshot.scope.covers("ETH/USDT:USDT")
            assert canned.asked(BYBIT)[-1].query["symbol"] == "BTCUSDT"
            canned.on("GET", BYBIT, page([{**bybit_row("1"), "symbol": "ETHUSDT"}]))
            assert not (await venue.fetch_position(key)).complete
            canned.on("GET", BYBIT, Answer(text=""))
            assert not (await venue.fetch_position(key)).complete

    run(scenario())


def test_a_one_way_row_names_each_side_that_it_does_not_hold_as_flat(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            for size, flat in (("0", set(Side)), ("0.3", {Side.SHORT})):
                canned.on("GET", BYBIT, page([bybit_row(size)]))
                snapshot = await venue.fetch_position(LegKey("main", BTC, Side.LONG))
                assert {key.side for key in snapshot.flat} == flat

    run(scenario())


def test_an_answer_that_names_only_the_other_hedge_leg_is_no_evidence(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            canned.on("GET", BYBIT, page([leg(bybit_row("0.3"), 2)]))
            snapshot = await venue.fetch_position(LegKey("main", BTC, Side.LONG))
            assert not snapshot.complete

    run(scenario())


def test_an_empty_answer_to_one_symbol_is_no_evidence(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            canned.on("GET", BYBIT, page([]))
            snapshot = await venue.fetch_position(LegKey("main", BTC, Side.LONG))
            assert not snapshot.complete

    run(scenario())


def test_a_legs_opening_is_the_venues_word_for_it_and_nothing_like_it(opened: Opened) -> None:
    """Bybit's createdTime is when the symbol was first traded, Binance's updateTime a change."""
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    told = {"createdTime": "1676538056258", "openTime": int(at.timestamp() * 1000)}

    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            for row, expected in (({**told}, at), ({**told, "openTime": 0}, None)):
                canned.on("GET", BYBIT, page([{**bybit_row("1"), **row}]))
                (position,) = (await venue.fetch_positions()).positions
                assert position.opened_at == expected
        async with opened("binanceusdm") as (canned, venue):
            canned.on("GET", BINANCE, Answer(body=[{**binance_row("1"), "updateTime": 1}]))
            (position,) = (await venue.fetch_positions()).positions
            assert position.opened_at is None

    run(scenario())


def test_sizes_keep_every_digit_that_the_venue_wrote(opened: Opened) -> None:
    size = "123456789012345.678"

    async def scenario() -> None:
        async with opened("binanceusdm") as (canned, venue):
            text = Answer(body=[binance_row("1")]).written.replace(
                '"positionAmt": "1"', f'"positionAmt": {size}'
            )
            canned.on("GET", BINANCE, Answer(text=text))
            (position,) = (await venue.fetch_positions()).positions
            assert position.quantity == Decimal(size)

    run(scenario())


def test_two_accounts_of_one_venue_load_its_markets_once_and_read_apart(
    opened: Opened,
) -> None:
    async def scenario() -> None:
        async with opened("bybit") as (canned, first):
            settings = settings_of("bybit", canned.connect, canned.ca_file, name="other")
            second = open_venue(settings, now=now)
            try:
                canned.on("GET", BYBIT, page([bybit_row("0.5")]))
                await first.fetch_positions()
                loaded = len(canned.asked("/v5/market/instruments-info"))
                (position,) = (await second.fetch_positions()).positions
                assert position.key.account == "other"
                assert len(canned.asked("/v5/market/instruments-info")) == loaded
                assert first.calls()["fetch_positions"] == 1
            finally:
                await second.close()

    run(scenario())


def test_a_refused_key_is_an_error_of_the_connection(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("binanceusdm") as (canned, venue):
            body = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}
            canned.on("GET", "/fapi/v1/positionSide/dual", Answer(body=body, status=401))
            refused = await venue.connect()
            assert isinstance(refused, VenueError)
            assert refused.kind is VenueErrorKind.KEY
            canned.on("GET", "/fapi/v1/positionSide/dual", {"dualSidePosition": True})
            connected = await venue.connect()
            assert isinstance(connected, Connected)
            assert connected.hedged is True

    run(scenario())


def test_instruments_are_exact_and_derivatives_only(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("okx") as (_, venue):
            connected = await venue.connect()
            assert isinstance(connected, Connected)
            (instrument,) = connected.instruments.values()
            assert instrument.contract_size == Decimal("0.01")
            assert instrument.quantity_step == Decimal("0.01")
            assert instrument.price_step == Decimal("0.1")
            assert instrument.venue_id == "BTC-USDT-SWAP"
        async with opened("bybit") as (_, venue):
            connected = await venue.connect()
            assert isinstance(connected, Connected)
            assert set(connected.instruments) == {BTC, "ETH/USDT:USDT"}
            assert connected.instruments[BTC].max_market_amount == Decimal(500)
            assert connected.instruments[BTC].min_notional == Decimal(5)

    run(scenario())


def test_markets_that_cannot_be_loaded_are_an_error_and_no_empty_venue(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            canned.on("GET", "/v5/market/instruments-info", Answer(text="<html>"))
            assert isinstance(await venue.connect(), VenueError)
            assert not (await venue.fetch_positions()).complete
            canned.on("GET", "/v5/market/instruments-info", page([]))
            assert isinstance(await venue.connect(), VenueError)
            BY_EXCHANGE["bybit"].install(canned)
            assert isinstance(await venue.connect(), Connected)

    run(scenario())


def test_an_unknown_exchange_is_refused_at_once_with_those_that_are_known(
    opened: Opened,
) -> None:
    async def scenario() -> None:
        async with opened("bybit") as (canned, _):
            known = settings_of("bybit", canned.connect, canned.ca_file)
            settings = msgspec.structs.replace(known, exchange="ftx")
            with pytest.raises(ValueError, match=r"'ftx' is not supported.*bybit"):
                open_venue(settings, now=now)

    run(scenario())


def test_an_address_that_is_not_this_machine_is_refused_when_the_venue_is_opened(
    tmp_path: Path,
) -> None:
    for connect, ca_file in (("10.0.0.1:443", tmp_path / "ca.pem"), ("127.0.0.1:443", None)):
        known = settings_of("bybit", connect, tmp_path / "ca.pem")
        with pytest.raises(ValueError, match=r"loopback|ca_file"):
            open_venue(msgspec.structs.replace(known, ca_file=ca_file), now=now)


def test_a_ca_file_that_is_not_there_yet_is_a_typed_error(tmp_path: Path) -> None:
    async def scenario() -> None:
        venue = open_venue(settings_of("bybit", "127.0.0.1:9", tmp_path / "none.pem"), now=now)
        refused = await venue.connect()
        assert isinstance(refused, VenueError)
        assert refused.kind is VenueErrorKind.NETWORK
        assert "none.pem" in refused.message
        await venue.close()

    run(scenario())


def test_a_venue_that_does_not_listen_is_a_typed_error(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("bybit", connect="127.0.0.1:9") as (_, venue):
            refused = await venue.connect()
            assert isinstance(refused, VenueError)
            assert refused.kind is VenueErrorKind.NETWORK
            ended = await venue.watch(lambda hint: None, lambda: None)
            assert ended.kind is VenueErrorKind.NETWORK

    run(scenario())


def test_opening_a_venue_does_not_import_ccxt() -> None:
    code = "import sys, venues.gateway; sys.exit('ccxt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
