"""What exchanges do to contracts and to positions in them: over HTTP, with the real ccxt class."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import ccxt.async_support as ccxt
import pytest

from messages.values import LegKey, Side
from messages.venue import (
    ClosedPositions,
    Connected,
    FillKind,
    Fills,
    NotTold,
    Refused,
    Snapshot,
    VenueErrorKind,
)
from simulator import (
    Exchange,
    Fault,
    FaultBook,
    FaultKind,
    Market,
    MemoryVenue,
    contracts,
)
from simulator.state import RejectReason, State
from tests.simulator.conftest import ACCOUNTS, BTC, ETH, Clock, connected, dec
from tests.simulator.operators import admin, done
from tests.simulator.orders import close, placed, refused, sell

SOL = "SOL/USDT:USDT"
NEW = {"exchange": "bybit", "base": "NEW", "price": "2", "price_step": "0.001", "amount_step": "1"}
BYBIT_SOL = {"exchange": "bybit", "symbol": SOL}


async def kinds(exchange: Any, venue_id: str = "SOLUSDT") -> list[str]:
    """The kinds of a contract's executions, newest first, as the raw history tells them."""
    body = await exchange.privateGetV5ExecutionList({"category": "linear", "symbol": venue_id})
    return [row["execType"] for row in body["result"]["list"]]


async def ends(exchange: Any, venue_id: str = "SOLUSDT") -> list[Any]:
    """The records of closed PnL, newest first."""
    body = await exchange.privateGetV5PositionClosedPnl({"category": "linear", "symbol": venue_id})
    return list(body["result"]["list"])


async def test_a_contract_listed_at_run_time_is_known_after_a_reload() -> None:
    async with connected("bybit-main") as (venue, exchange):
        await done(venue, "POST", "listings", **NEW)
        assert "NEW/USDT:USDT" not in exchange.markets
        await exchange.load_markets(reload=True)
        venue.market.open_position("bybit-main", "NEW/USDT:USDT", Side.LONG, dec("10"))
        (position,) = await exchange.fetch_positions()
        assert (position["symbol"], position["contracts"]) == ("NEW/USDT:USDT", 10)
        assert (await admin(venue, "POST", "listings", **NEW))[0] == 400


async def test_a_halt_refuses_orders_until_trading_is_resumed() -> None:
    async with connected("bybit-main") as (venue, exchange):
        venue.market.open_position("bybit-main", SOL, Side.LONG, dec("10"))
        await done(venue, "POST", "halt", **BYBIT_SOL)
        with pytest.raises(ccxt.BaseError, match="110074"):
            await exchange.create_order(SOL, "market", "sell", 10, None, {"reduceOnly": True})
        await exchange.load_markets(reload=True)
        assert exchange.market(SOL)["active"] is False
        assert len(await exchange.fetch_positions()) == 1
        await done(venue, "POST", "halt", **BYBIT_SOL, halted=False)
        await exchange.create_order(SOL, "market", "sell", 10, None, {"reduceOnly": True})
        assert venue.market.quantity("bybit-main", SOL, Side.LONG) == 0


async def test_a_step_made_coarser_refuses_what_the_old_one_took() -> None:
    async with connected("bybit-main") as (venue, exchange):
        venue.market.open_position("bybit-main", SOL, Side.LONG, dec("10"))
        await done(venue, "POST", "rules", **BYBIT_SOL, amount_step="1", min_amount="2")
        order = {"category": "linear", "symbol": "SOLUSDT", "side": "Sell", "orderType": "Market"}
        for wrong in ("1.5", "1"):
            with pytest.raises(ccxt.BaseError, match="10001"):
                await exchange.privatePostV5OrderCreate(order | {"qty": wrong})
        await exchange.load_markets(reload=True)
        assert exchange.market(SOL)["precision"]["amount"] == 1
        await exchange.create_order(SOL, "market", "sell", 2, None, {"reduceOnly": True})
        assert venue.market.quantity("bybit-main", SOL, Side.LONG) == 8


async def test_a_changed_tick_holds_for_what_is_open_too() -> None:
    async with connected("bybit-main") as (venue, exchange):
        venue.market.open_position("bybit-main", SOL, Side.LONG, dec("10"))
        await done(venue, "POST", "rules", **BYBIT_SOL, price_step="0.5")
        await done(venue, "POST", "price", symbol=SOL, price="150.3")
        (position,) = await exchange.fetch_positions()
        assert position["markPrice"] == 150.5


async def test_a_delisted_contract_leaves_the_list_and_its_position_stays() -> None:
    async with connected("bybit-main") as (venue, exchange):
        venue.market.open_position("bybit-main", SOL, Side.LONG, dec("10"))
        await done(venue, "DELETE", "listings", **BYBIT_SOL)
        body = await exchange.privateGetV5PositionList({"category": "linear", "settleCoin": "USDT"})
        assert [row["symbol"] for row in body["result"]["list"]] == ["SOLUSDT"]
        await exchange.load_markets(reload=True)
        assert SOL not in exchange.markets
        with pytest.raises(ccxt.BaseError, match="10001"):
            await exchange.privateGetV5PositionList({"category": "linear", "symbol": "SOLUSDT"})


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(("kind", "told"), [("settlement", "Settle"), ("delivery", "Delivery")])
async def test_a_settlement_is_told_by_its_kind_and_recorded_as_an_end(
    side: Side, kind: str, told: str
) -> None:
    async with connected("bybit-main") as (venue, exchange):
        venue.market.open_position(
            "bybit-main", SOL, side, dec("10"), dec("140"), leverage=dec("5")
        )
        answer = await done(venue, "POST", "settle", **BYBIT_SOL, kind=kind, price="150")
        assert answer == {"closed": 1}
        assert await exchange.fetch_positions() == []
        assert await kinds(exchange) == [told, "Trade"]
        (end,) = await ends(exchange)
        assert (end["execType"], end["avgExitPrice"], end["closedSize"]) == (told, "150", "10")


async def test_a_settlement_without_a_record_is_paid_out_and_nowhere_told() -> None:
    async with connected("bybit-main") as (venue, exchange):
        venue.market.open_position(
            "bybit-main", SOL, Side.LONG, dec("10"), dec("140"), stop_loss=dec("120")
        )
        before = venue.market.accounts["bybit-main"].wallet["USDT"]
        await done(venue, "POST", "settle", **BYBIT_SOL, price="150", recorded=False)
        assert await exchange.fetch_positions() == []
        (by_name,) = await exchange.fetch_positions([SOL])
        assert by_name["contracts"] == 0
        assert await kinds(exchange) == ["Trade"]
        assert await ends(exchange) == []
        assert venue.market.accounts["bybit-main"].wallet["USDT"] - before == 100
        assert venue.market.accounts["bybit-main"].live_orders("SOLUSDT") == []


async def test_a_settlement_can_be_one_account_s_alone() -> None:
    async with connected("bybit-main") as (venue, _):
        venue.market.add_account("other", Exchange.BYBIT, key="k", secret="s")
        for account in ("bybit-main", "other"):
            venue.market.open_position(account, SOL, Side.LONG, dec("10"))
        await done(venue, "POST", "settle", **BYBIT_SOL, account="other")
        assert venue.market.quantity("bybit-main", SOL, Side.LONG) == 10
        assert venue.market.quantity("other", SOL, Side.LONG) == 0


async def test_a_rename_moves_the_position_without_a_fill_and_takes_the_old_name_off() -> None:
    async with connected("bybit-main") as (venue, exchange):
        opened = venue.market.now() - timedelta(hours=5)
        venue.market.open_position(
            "bybit-main", SOL, Side.LONG, dec("10"), dec("140"), opened, stop_loss=dec("120")
        )
        to = {"to": "SUN/USDT:USDT", "venue_id": "SUNUSDT"}
        await done(venue, "POST", "rename", **BYBIT_SOL, **to)
        await exchange.load_markets(reload=True)
        assert SOL not in exchange.markets
        (position,) = await exchange.fetch_positions()
        assert (position["symbol"], position["contracts"]) == ("SUN/USDT:USDT", 10)
        assert (position["entryPrice"], position["stopLossPrice"]) == (140, 120)
        assert position["timestamp"] == int(opened.timestamp() * 1000)
        assert await kinds(exchange, "SUNUSDT") == []
        assert await ends(exchange, "SUNUSDT") == []
        venue.market.set_price("SUN/USDT:USDT", dec("119"))
        assert await exchange.fetch_positions() == []


async def test_a_rename_can_change_the_number_of_contracts() -> None:
    async with connected("bybit-main") as (venue, exchange):
        venue.market.open_position("bybit-main", SOL, Side.SHORT, dec("10"), dec("140"))
        to = {"to": "SUN/USDT:USDT", "venue_id": "SUNUSDT", "ratio": "100"}
        await done(venue, "POST", "rename", **BYBIT_SOL, **to)
        await exchange.load_markets(reload=True)
        (position,) = await exchange.fetch_positions()
        assert (position["contracts"], position["entryPrice"]) == (1000, 1.4)
        assert position["unrealizedPnl"] == pytest.approx(-80)


@pytest.mark.parametrize("recorded", [True, False])
async def test_a_position_can_be_moved_to_another_account(recorded: bool) -> None:
    async with connected("bybit-main") as (venue, exchange):
        venue.market.add_account("other", Exchange.BYBIT, key="k", secret="s")
        venue.market.open_position("bybit-main", SOL, Side.LONG, dec("10"), stop_loss=dec("120"))
        leg = {"account": "bybit-main", "symbol": SOL, "side": "long"}
        await done(venue, "POST", "move", **leg, to="other", price="150", recorded=recorded)
        assert await exchange.fetch_positions() == []
        moved = venue.market.position("other", SOL, Side.LONG)
        assert moved is not None
        assert (moved.size, moved.entry) == (dec("10"), dec("150"))
        assert await kinds(exchange) == (["MovePosition", "Trade"] if recorded else ["Trade"])
        assert venue.market.accounts["bybit-main"].live_orders("SOLUSDT") == []
        assert (await admin(venue, "POST", "move", **leg, to="other"))[0] == 400


async def test_some_of_a_position_can_be_moved_out_of_sight() -> None:
    async with connected("bybit-main") as (venue, exchange):
        venue.market.open_position("bybit-main", SOL, Side.SHORT, dec("10"))
        leg = {"account": "bybit-main", "symbol": SOL, "side": "short"}
        await done(venue, "POST", "move", **leg, quantity="4", recorded=False)
        (position,) = await exchange.fetch_positions()
        assert position["contracts"] == 6
        assert await kinds(exchange) == ["Trade"]


@pytest.mark.parametrize(
    ("kind", "told"), [("adl", "AdlTrade"), ("liquidation", "BustTrade"), ("trade", "Trade")]
)
async def test_an_operator_s_close_is_of_the_kind_that_is_asked_for(kind: str, told: str) -> None:
    async with connected("bybit-main") as (venue, exchange):
        venue.market.open_position("bybit-main", SOL, Side.LONG, dec("10"))
        leg = {"account": "bybit-main", "symbol": SOL, "side": "long"}
        await done(venue, "POST", "close", **leg, quantity="4", kind=kind)
        assert await kinds(exchange) == [told, "Trade"]


async def test_closed_pnl_tells_each_closing_order_with_its_prices_and_both_fees() -> None:
    async with connected("bybit-main") as (venue, exchange):
        venue.market.open_position("bybit-main", ETH, Side.LONG, dec("2"), dec("3000"))
        venue.market.matching.fill_parts = 3
        order = await exchange.create_order(ETH, "market", "sell", 1.5, None, {"reduceOnly": True})
        (end,) = await ends(exchange, "ETHUSDT")
        exit_price = dec("3119.99")
        fees = dec("0.00055") * (dec("1.5") * 3000 + dec("1.5") * exit_price)
        assert (end["orderId"], end["side"], end["fillCount"]) == (order["id"], "Sell", "3")
        assert (end["avgEntryPrice"], dec(end["avgExitPrice"])) == ("3000", exit_price)
        assert dec(end["closedPnl"]) == dec("1.5") * (exit_price - 3000) - fees
        assert dec(end["openFee"]) + dec(end["closeFee"]) == fees
        history = await exchange.fetch_positions_history([ETH])
        assert [it["info"]["orderId"] for it in history] == [order["id"]]


async def test_one_way_accounts_net_what_two_strategies_trade() -> None:
    async with connected("bybit-main") as (venue, exchange):
        leg = {"account": "bybit-main", "symbol": SOL}
        await done(venue, "POST", "positions", **leg, side="long", quantity="10")
        await done(venue, "POST", "positions", **leg, side="short", quantity="4")
        (position,) = await exchange.fetch_positions()
        assert (position["side"], position["contracts"]) == ("long", 6)


async def test_operators_switch_an_empty_account_s_mode() -> None:
    async with connected("bybit-main") as (venue, exchange):
        leg = {"account": "bybit-main", "symbol": SOL}
        await done(venue, "POST", "mode", account="bybit-main", hedged=True)
        for side in ("long", "short"):
            await done(venue, "POST", "positions", **leg, side=side, quantity="4")
        assert len(await exchange.fetch_positions()) == 2
        assert (await admin(venue, "POST", "mode", account="bybit-main", hedged=False))[0] == 400


def test_a_dated_contract_is_delivered_at_its_expiry(market: Market, clock: Clock) -> None:
    (future,) = [it for it in market.listings(Exchange.BYBIT) if it.instrument.expires_at]
    market.open_position("bybit-main", future.symbol, Side.LONG, dec("1"))
    clock.advance(days=200)
    market.tick()
    owner = market.accounts["bybit-main"]
    assert owner.executions[future.id][-1].kind is FillKind.DELIVERY
    assert market.quantity("bybit-main", future.symbol, Side.LONG) == 0
    late = sell("1", symbol_id=future.id)
    assert refused(market, "bybit-main", late) is RejectReason.NOT_TRADABLE


@pytest.mark.parametrize("account", ACCOUNTS)
def test_orders_in_a_renamed_contract_end(market: Market, account: str) -> None:
    exchange = market.accounts[account].exchange
    market.open_position(account, BTC, Side.LONG, dec("1"))
    resting = placed(market, account, sell("1", price=dec("66000")))
    contracts.rename(market, exchange, BTC, "XBT/USDT:USDT", venue_id="XBTUSDT")
    assert resting.state is State.CANCELED
    assert market.quantity(account, "XBT/USDT:USDT", Side.LONG) == 1


def test_what_a_position_was_before_a_rename_can_still_be_read(
    market: Market, clock: Clock
) -> None:
    market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
    clock.advance(minutes=10)
    contracts.rename(market, Exchange.BYBIT, BTC, "XBT/USDT:USDT", venue_id="XBTUSDT")
    owner = market.accounts["bybit-main"]
    then = owner.positions_at(clock() - timedelta(minutes=5))
    assert [(it.listing.id, it.size) for it in then] == [("BTCUSDT", dec("1"))]


async def test_in_process_a_settlement_is_in_the_history_and_a_silent_one_is_not(
    market: Market,
) -> None:
    venue = MemoryVenue(market, "bybit-main")
    since = market.now() - timedelta(days=1)
    for recorded, expected in ((True, [FillKind.TRADE, FillKind.SETTLEMENT]), (False, None)):
        market.open_position("bybit-main", SOL, Side.LONG, dec("10"))
        contracts.settle(market, Exchange.BYBIT, SOL, dec("150"), recorded=recorded)
        fills = await venue.fetch_fills(SOL, since)
        assert isinstance(fills, Fills)
        last_two = [it.kind for it in fills.fills][-2:]
        assert last_two == (expected or [FillKind.SETTLEMENT, FillKind.TRADE])
        key = LegKey("bybit-main", SOL, Side.LONG)
        snapshot = await venue.fetch_position(key)
        assert isinstance(snapshot, Snapshot)
        assert key in snapshot.flat


async def test_in_process_the_record_of_ends_is_bybit_s_and_can_be_late(
    market: Market, faults: FaultBook, clock: Clock
) -> None:
    since = clock()
    market.open_position("bybit-main", SOL, Side.LONG, dec("10"), dec("140"))
    clock.advance(minutes=5)
    contracts.settle(market, Exchange.BYBIT, SOL, dec("150"))
    venue = MemoryVenue(market, "bybit-main", faults=faults)
    faults.order(Fault(kind=FaultKind.STALE, endpoint="closed", seconds=60))
    late = await venue.closed_positions(SOL, since)
    assert isinstance(late, ClosedPositions)
    assert late.records == ()
    told = await venue.closed_positions(SOL, since)
    assert isinstance(told, ClosedPositions)
    (end,) = told.records
    assert (end.side, end.quantity, end.exit_price) == (Side.LONG, dec("10"), dec("150"))
    assert (end.kind, end.whole) == (FillKind.SETTLEMENT, False)
    binance = await MemoryVenue(market, "binance-main").closed_positions(SOL, since)
    assert isinstance(binance, NotTold)


async def test_in_process_a_renamed_contract_is_another_leg_and_the_old_name_unknown(
    market: Market,
) -> None:
    venue = MemoryVenue(market, "bybit-main")
    market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
    contracts.rename(market, Exchange.BYBIT, BTC, "XBT/USDT:USDT", venue_id="XBTUSDT")
    snapshot = await venue.fetch_positions()
    assert [it.key.symbol for it in snapshot.positions] == ["XBT/USDT:USDT"]
    connection = await venue.connect()
    assert isinstance(connection, Connected)
    assert BTC not in connection.instruments
    placement = await venue.place(close())
    assert isinstance(placement, Refused)
    assert placement.error.kind is VenueErrorKind.NOT_TRADABLE
