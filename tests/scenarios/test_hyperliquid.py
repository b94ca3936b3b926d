"""The whole tree on the simulated Hyperliquid: signed orders over HTTPS, reads by address."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from messages.settings import OrphanPolicy, VerdictSettings
from messages.values import OrderSide, Side
from simulator.faults import FaultKind
from simulator.instruments import Exchange
from simulator.state import Order, OrderSpec
from tests.scenarios.test_orphans import SOON, acted
from tests.scenarios.world import World, ago, now, scenario, until, world

NAME = "hyperliquid-main"
NAMES = (NAME,)
BTC, ETH, XRP, AVL = (f"{base}/USDC:USDC" for base in ("BTC", "ETH", "XRP", "AVL"))


def asked(guard: World) -> list[dict[str, object]]:
    """Every order that was signed and sent."""
    actions = [msgspec.json.decode(it.params["action"]) for it in guard.orders(NAME)]
    return [order for action in actions for order in action["orders"]]


@pytest.mark.parametrize("side", [Side.LONG, Side.SHORT])
@scenario
async def test_a_position_closed_by_hand_is_explained_and_no_order_is_sent(
    tmp_path: Path, side: Side
) -> None:
    async with world(tmp_path, accounts=NAMES) as guard:
        row = await guard.both(XRP, side, "100", account=NAME)
        guard.by_hand(NAME, XRP, side, price=Decimal("0.5"))
        await guard.scan("aged/scan", NAME)
        closed = await guard.closed(row)
        # Whichever of the monitors comes first, and the start has a round of its own.
        assert closed.exit_reason in (
            "ghost_detected_aged_close",
            "reconciliation: position not found on exchange",
        )
        assert closed.exit_price == Decimal("0.5")
        assert guard.orders(NAME) == []


@pytest.mark.parametrize("side", [Side.LONG, Side.SHORT])
@scenario
async def test_an_aged_position_is_closed_exactly_once(tmp_path: Path, side: Side) -> None:
    async with world(tmp_path, accounts=NAMES) as guard:
        row = await guard.both(XRP, side, "100", account=NAME)
        await guard.scan("aged/scan", NAME)
        closed = await guard.closed(row)
        assert closed.exit_source == "fill"
        assert closed.exit_price is not None
        (order,) = asked(guard)
        assert (order["r"], order["b"], order["s"]) == (True, side is Side.SHORT, "100")
        assert guard.held(XRP, side, NAME) == 0
        await guard.scan("aged/scan", NAME)
        assert len(guard.orders(NAME)) == 1


@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.ERROR_AFTER])
@scenario
async def test_an_order_whose_reply_is_lost_is_found_by_its_id_and_not_sent_again(
    tmp_path: Path, kind: FaultKind
) -> None:
    async with world(tmp_path, accounts=NAMES) as guard:
        row = await guard.both(XRP, Side.LONG, "100", account=NAME)
        guard.fault(kind, "order.create")
        await guard.scan("aged/scan", NAME)
        closed = await guard.closed(row)
        assert closed.exit_source == "fill"
        assert len(guard.orders(NAME)) == 1
        (intent,) = await guard.ledger.intents(account=NAME)
        assert (intent.state, intent.filled) == ("done", Decimal(100))


@scenario
async def test_an_order_that_never_reached_the_venue_is_tried_again_under_another_id(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, accounts=NAMES) as guard:
        row = await guard.both(XRP, Side.LONG, "100", account=NAME)
        guard.fault(FaultKind.DROP_BEFORE, "order.create")
        await guard.scan("aged/scan", NAME)
        await guard.closed(row, seconds=60)
        first, second = await guard.ledger.intents(account=NAME)
        assert (first.state, second.state) == ("never_arrived", "done")
        assert first.client_order_id != second.client_order_id


@scenario
async def test_after_partial_fills_the_rest_is_closed_and_the_total_is_the_position(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, accounts=NAMES) as guard:
        row = await guard.both(XRP, Side.LONG, "100", account=NAME)
        guard.market.set_book_depth(Exchange.HYPERLIQUID, XRP, Decimal(40))
        await guard.scan("aged/scan", NAME)
        closed = await guard.closed(row, seconds=40)
        assert closed.exit_source == "fill"
        filled = [it.filled for it in await guard.ledger.intents(account=NAME)]
        assert sum(filled) == 100
        assert guard.held(XRP, Side.LONG, NAME) == 0


@scenario
async def test_a_position_half_closed_by_hand_is_closed_for_what_is_there(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=NAMES) as guard:
        row = await guard.both(XRP, Side.LONG, "100", account=NAME)
        guard.by_hand(NAME, XRP, Side.LONG, Decimal(50))
        await guard.scan("aged/scan", NAME)
        await guard.closed(row)
        (order,) = asked(guard)
        assert order["s"] == "50"
        (mismatch,) = await guard.events("quantity_mismatch")
        assert Decimal(str(mismatch.details["exchange"])) == 50


@pytest.mark.parametrize(
    ("how", "said"),
    [("none", "NO STOP LOSS"), ("stop", "stop loss"), ("child", "NO STOP LOSS")],
)
@scenario
async def test_an_orphans_stop_is_seen_unless_it_waits_for_an_order_that_has_not_filled(
    tmp_path: Path, how: str, said: str
) -> None:
    async with world(tmp_path, accounts=NAMES, verdict=SOON) as guard:
        stop = Decimal(60000) if how == "stop" else None
        guard.market.open_position(
            NAME, BTC, Side.LONG, Decimal("0.01"), opened_at=ago(1), stop_loss=stop
        )
        if how == "child":
            account = guard.market.accounts[NAME]
            entry = guard.market.place(
                account,
                OrderSpec(
                    symbol_id="BTC",
                    side=OrderSide.BUY,
                    quantity=Decimal("0.01"),
                    price=Decimal(50000),
                ),
            )
            assert isinstance(entry, Order)
            waiting = OrderSpec(
                symbol_id="BTC",
                side=OrderSide.SELL,
                quantity=Decimal("0.01"),
                reduce_only=True,
                trigger_price=Decimal(48000),
                trigger_rising=False,
                by_mark=True,
            )
            guard.venue.hyperliquid.children.add(account, entry, waiting, now())
        await guard.scan("orphans", NAME)
        (alert,) = await guard.alerted("orphaned_position")
        assert said in str(alert.details["stop_loss"])


@scenario
async def test_a_known_position_without_a_stop_is_naked_and_one_with_a_stop_is_not(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, accounts=NAMES) as guard:
        await guard.both(BTC, Side.LONG, "0.01", hours=1, account=NAME)
        guard.market.open_position(NAME, ETH, Side.LONG, Decimal("0.1"))
        await guard.row(ETH, Side.LONG, "0.1", hours=1, account=NAME)
        await guard.scan("orphans", NAME)
        (alert,) = await guard.alerted("naked_position")
        assert alert.symbol == ETH


@scenario
async def test_a_protected_orphan_gets_one_reduce_only_stop(tmp_path: Path) -> None:
    policy = {"orphans": OrphanPolicy.PROTECT}
    async with world(tmp_path, accounts=NAMES, account=policy, verdict=SOON) as guard:
        guard.market.open_position(NAME, XRP, Side.LONG, Decimal(50))
        await guard.scan("orphans", NAME)
        await acted(guard, NAME)
        await guard.scan("orphans", NAME)
        (order,) = asked(guard)
        assert order["r"] is True
        assert "trigger" in str(order["t"])
        assert guard.held(XRP, Side.LONG, NAME) == 50


@scenario
async def test_a_failed_read_buries_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=NAMES) as guard:
        row = await guard.both(XRP, Side.LONG, "100", account=NAME)
        guard.fault(FaultKind.MISSING_LIST, "positions", count=3)
        await guard.scan("aged/scan", NAME)
        await guard.closed(row)
        assert (await guard.counters(NAME)).get("ghost_positions_detected", 0) == 0
        assert guard.held(XRP, Side.LONG, NAME) == 0


@scenario
async def test_lists_that_leave_a_leg_out_do_not_bury_it(tmp_path: Path) -> None:
    quick = VerdictSettings(confirm_after=SOON.confirm_after, settle=SOON.settle, fresh=SOON.fresh)
    async with world(tmp_path, accounts=NAMES, verdict=quick) as guard:
        row = await guard.both(XRP, Side.LONG, "100", account=NAME)
        guard.fault(FaultKind.EMPTY_LIST, "positions", count=None)
        await guard.scan("aged/scan", NAME)

        async def told() -> bool:
            return bool(await guard.alerts())

        await until(told, "somebody is told")
        assert await guard.same(row)
        assert guard.held(XRP, Side.LONG, NAME) == 100
