"""What becomes of an order whose record is gone, is another order's, or names strange fees."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors import paths
from messages.ledger import Intent, IntentState
from messages.settings import OrderSettings
from messages.to_exchange import SettleLeg
from messages.values import LegKey, OrderSide, Side
from messages.venue import Fills, NoSuchOrder, OrderLookup, OrderType, VenueError
from rules.ids import client_order_id
from simulator.faults import FaultKind
from simulator.state import Order, OrderSpec
from tests.scenarios.world import XRP, World, ago, scenario, world
from venues.port import Venue

BYBIT, BINANCE = "bybit-main", "binance-main"
KEY = LegKey(BYBIT, XRP, Side.LONG)
TEN = Decimal(10)


def market_order(guard: World, account: str, client_id: str, quantity: Decimal = TEN) -> Order:
    """A market order that reduces a long leg, as any client of the account may send it."""
    owner = guard.market.accounts[account]
    listing = guard.market.find_symbol(owner.exchange, XRP)
    assert listing is not None
    spec = OrderSpec(
        symbol_id=listing.id,
        side=OrderSide.SELL,
        quantity=quantity / listing.instrument.contract_size,
        reduce_only=True,
        client_id=client_id,
    )
    placed = guard.market.place(owner, spec)
    assert isinstance(placed, Order), placed
    assert placed.remaining == 0
    return placed


class Around:
    """A gateway with something of it replaced."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._venue, name)


class Forgetful(Around):
    """The venue keeps the fills of ended orders, and no order by its client's id."""

    async def find_order(self, symbol: str, client_order_id: str) -> OrderLookup:
        return NoSuchOrder(client_order_id=client_order_id)


class Oblivious(Forgetful):
    """Nor by its own."""

    async def cancel(self, symbol: str, order_id: str, *, trigger: bool = False) -> NoSuchOrder:
        return NoSuchOrder(client_order_id="")


def an_intent(created_at: datetime, row_ids: tuple[int, ...], **changes: Any) -> Intent:
    made = Intent(
        client_order_id=client_order_id(BYBIT, XRP, Side.LONG, row_ids, "close", 1),
        key=KEY,
        purpose="close",
        row_ids=row_ids,
        attempt=1,
        type=OrderType.MARKET,
        quantity=TEN,
        seen_quantity=TEN,
        created_at=created_at,
        phase="market",
        state=IntentState.SENT,
    )
    return msgspec.structs.replace(made, **changes)


async def sent_and_forgotten(guard: World, *, hours: float) -> None:
    """An order of an earlier life closed the leg, and its intent does not say so yet."""
    row = await guard.both(XRP, Side.LONG, "10")
    made = an_intent(ago(hours), (row.id,))
    order = market_order(guard, BYBIT, made.client_order_id)
    await guard.ledger.commit_intent(msgspec.structs.replace(made, order_id=order.id))


@pytest.mark.parametrize(("wrap", "status"), [(Oblivious, "forgotten"), (Forgetful, "filled")])
@scenario
async def test_an_order_that_the_venue_forgot_is_settled_by_its_own_id_or_its_fills_and_booked(
    tmp_path: Path, wrap: Any, status: str
) -> None:
    before = partial(sent_and_forgotten, hours=7.0)
    async with world(tmp_path, before=before, wrap=wrap) as guard:
        (intent,) = await guard.ledger.intents()
        assert (intent.state, intent.filled) == (IntentState.DONE, TEN)
        assert intent.fee > 0
        (final,) = await guard.events("order_final")
        assert final.details["status"] == status
        await guard.scan("aged/scan")
        (row,) = await guard.ledger.rows(account=BYBIT)
        closed = await guard.closed(row)
        assert (closed.exit_source, closed.exit_reason) == ("fill", "aged_close_market")
        assert closed.exit_price == intent.average
        assert not guard.orders()


@scenario
async def test_an_order_that_the_venue_forgot_without_a_fill_does_not_keep_a_ghost_alive(
    tmp_path: Path,
) -> None:
    async def before(guard: World) -> None:
        row = await guard.gone(XRP, Side.LONG, "10")
        await guard.ledger.commit_intent(an_intent(ago(72), (row.id,), order_id="gone"))

    async with world(tmp_path, before=before) as guard:
        await guard.scan("aged/scan")
        (row,) = await guard.ledger.rows(account=BYBIT)
        assert (await guard.closed(row)).exit_source == "venue_history"
        (intent,) = await guard.ledger.intents()
        assert (intent.state, intent.booked) == (IntentState.DONE, True)
        assert intent.filled == 0


@pytest.mark.parametrize(
    ("hours", "readable"), [(5.0, True), (7.0, False)], ids=["young", "no history"]
)
@scenario
async def test_nothing_is_said_of_a_missing_order_that_is_young_or_whose_fills_cannot_be_read(
    tmp_path: Path, hours: float, readable: bool
) -> None:
    async def before(guard: World) -> None:
        if not readable:
            guard.fault(FaultKind.STATUS, "fills", status=503, count=1000)
        await sent_and_forgotten(guard, hours=hours)

    wrap: Any = Oblivious
    orders = OrderSettings(fill_wait=timedelta(seconds=0.3))
    async with world(tmp_path, before=before, wrap=wrap, orders=orders) as guard:
        settled = await guard.system.ask(paths.exchange(BYBIT), SettleLeg(key=KEY), timeout=60.0)
        assert settled.unresolved == 1
        (intent,) = await guard.ledger.intents()
        assert intent.state is IntentState.SENT


def older_order(guard: World, account: str, row_id: int) -> Order:
    """An order of two hours ago under the id that the guard's first order for a row will have."""
    name = client_order_id(account, XRP, Side.LONG, (row_id,), "close", 1)
    price = guard.price(XRP, account)
    guard.market.open_position(account, XRP, Side.LONG, TEN, price, ago(3))
    order = market_order(guard, account, name)
    order.created_at = order.updated_at = ago(2)
    return order


@pytest.mark.parametrize("account", [BYBIT, BINANCE])
@pytest.mark.parametrize("lost", [False, True], ids=["answered", "request lost"])
@scenario
async def test_an_older_order_under_our_id_is_not_taken_for_ours(
    tmp_path: Path, account: str, lost: bool
) -> None:
    """A ledger that was made anew numbers its rows from one again, and so its orders' ids."""
    async with world(tmp_path, accounts=(account,)) as guard:
        old = older_order(guard, account, 1)
        row = await guard.both(XRP, Side.LONG, "10", account=account)
        assert row.id == 1
        if lost:
            guard.fault(FaultKind.DROP_BEFORE, "order.create")
        await guard.scan("aged/scan", account)
        closed = await guard.closed(row, seconds=60)
        assert closed.exit_source == "fill"
        assert guard.held(XRP, Side.LONG, account) == 0
        intents = await guard.ledger.intents(account=account)
        assert old.id not in [intent.order_id for intent in intents]
        assert sum(intent.filled for intent in intents) == TEN
        unsent = {IntentState.REFUSED, IntentState.NEVER_ARRIVED}
        assert all(intent.booked for intent in intents if intent.state in unsent)


class Paid(Around):
    """A gateway whose fills were paid for in BNB."""

    async def order_fills(self, symbol: str, order_id: str, since: datetime) -> Fills | VenueError:
        answer = await self._venue.order_fills(symbol, order_id, since)
        if not isinstance(answer, Fills):
            return answer
        fee = Decimal("0.4")
        fills = (
            msgspec.structs.replace(fill, fee=fee, fee_currency="BNB") for fill in answer.fills
        )
        return msgspec.structs.replace(answer, fills=tuple(fills))


@scenario
async def test_a_fee_in_another_currency_is_told_and_not_taken_off_the_pnl(tmp_path: Path) -> None:
    wrap: Any = Paid
    async with world(tmp_path, accounts=(BINANCE,), wrap=wrap) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account=BINANCE)
        await guard.scan("aged/scan", BINANCE)
        closed = await guard.closed(row)
        (intent,) = await guard.ledger.intents()
        assert (intent.filled, intent.fee) == (TEN, Decimal(0))
        (final,) = await guard.events("order_final")
        assert str(final.details["fee"]).endswith(" BNB")
        assert closed.exit_price is not None
        assert closed.entry_price is not None
        entry_fee = TEN * closed.entry_price * guard.settings.aged.fee
        assert closed.realized_pnl == TEN * (closed.exit_price - closed.entry_price) - entry_fee
