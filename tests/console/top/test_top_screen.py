"""How the live view looks: the same facts on a small and on a large terminal, cell for cell.

The stored screens are pictures in `__snapshots__`; a failure writes both to `var/` to compare.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.binding import Binding
from textual.pilot import Pilot

from actors.runtime import NodeInfo
from console.control import protocol as p
from console.control.client import NoServiceError
from console.top.app import PanelTable, Top
from console.top.dialogs import Page
from console.top.look import Look, distance
from console.top.look import look as make_look
from messages.ledger import Alert, AlertLevel, AlertType, Event, PositionRow
from tests.console.screens import text_of

AT = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


def node(path: str, *, status: str = "running", restarts: int = 0, mailbox: int = 0) -> NodeInfo:
    return NodeInfo(
        path=path, class_name="X", kind="actor", status=status, restarts=restarts,
        mailbox=mailbox, handled=9, last_message="", uptime=60.0,
    )  # fmt: skip


def row(number: int, symbol: str, side: str, hours: float, *, held: bool = False) -> PositionRow:
    return PositionRow(
        id=number, account="bybit-main", symbol=symbol, side=side, quantity=Decimal("0.5"),
        entry_price=Decimal(60000), opened_at=AT - timedelta(hours=hours), held=held,
    )  # fmt: skip


def alert(number: int, level: AlertLevel, kind: AlertType, symbol: str, *, acked: bool) -> Alert:
    return Alert(
        id=number, type=kind, level=level, dedup_key=str(number), account="bybit-main",
        title=f"{kind} on bybit-main", symbol=symbol, side="short", last_seen_at=AT,
        raised_at=AT - timedelta(minutes=number), acked_at=AT if acked else None,
    )  # fmt: skip


LEG = p.LegView(
    path="accounts/bybit-main/aged/BTCUSDT.long", row_ids=(1,), status="waiting for the price",
    phase="progressive", target=Decimal("58800.4321"), price=Decimal("58212.43"),
)  # fmt: skip
SEEN = p.Overview(
    service=p.Service(
        version="1",
        pid=1,
        mode="observe",
        accounts=("bybit-main",),
        started_at=AT,
        uptime=7500.0,
        dead_letters=0,
    ),
    nodes=(
        node(""),
        node("ledger", mailbox=12),
        node("accounts"),
        node("accounts/bybit-main", restarts=2),
        node("accounts/bybit-main/exchange", status="restarting", restarts=3),
        node("accounts/bybit-main/reconciliation"),
    ),
    node_count=6,
    rows=(
        row(3, "ETH/USDT:USDT", "short", 0.5),
        row(2, "SOLUSDT", "short", 30, held=True),
        row(1, "BTCUSDT", "long", 13.2),
    ),
    row_count=3,
    legs=(LEG,),
    aged=1,
    troubles={3: AlertType.NAKED_POSITION, 2: AlertType.RECONCILIATION_MISMATCH},
    alerts=(
        alert(7, AlertLevel.CRITICAL, AlertType.NAKED_POSITION, "ETH/USDT:USDT", acked=False),
        alert(5, AlertLevel.WARNING, AlertType.RECONCILIATION_MISMATCH, "SOLUSDT", acked=False),
        alert(6, AlertLevel.CRITICAL, AlertType.ORPHANED_POSITION, "XRPUSDT", acked=True),
    ),
    alert_count=3,
    waiting=2,
    events=tuple(
        Event(
            seq=n,
            event_id=str(n),
            at=AT + timedelta(seconds=n),
            kind="close_decided",
            symbol="BTCUSDT",
            side="long",
            details={"phase": "grace", "number": n},
        )
        for n in range(20)
    ),
)
LOOK = make_look(SEEN, AT)


async def always(socket: Path, at: datetime) -> Look:
    """The same facts at each look: what is tested here is how they are drawn."""
    return LOOK


def drawn(
    job: Callable[[Top, Pilot[None]], Awaitable[None]],
    *,
    size: tuple[int, int],
    look: Callable[[Path, datetime], Awaitable[Look]] = always,
) -> None:
    async def scenario() -> None:
        app = Top(Path("control.sock"), every=0.05, now=lambda: AT, look=look)
        async with app.run_test(size=size, notifications=True) as pilot:
            async with asyncio.timeout(10):
                while " Sexton " not in text_of(app) and "no service" not in text_of(app):
                    await pilot.pause()
            await pilot.pause()
            await job(app, pilot)

    asyncio.run(scenario())


async def shown(pilot: Pilot[None]) -> None:
    """The first look is on the screen."""
    async with asyncio.timeout(10):
        while " Sexton " not in text_of(pilot.app):
            await pilot.pause()


@pytest.fixture
def is_stored(
    snap_compare: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., bool]:
    """Whether the view of always the same facts looks as stored; `--snapshot-update` stores it."""
    # The person who runs the tests may want no colours; the view's own are part of the picture.
    monkeypatch.delenv("NO_COLOR", raising=False)
    app = Top(Path("control.sock"), every=3600, now=lambda: AT, look=always)
    return partial(snap_compare, app, run_before=shown)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
def test_the_screen_is_the_stored_one(
    size: tuple[int, int], is_stored: Callable[..., bool]
) -> None:
    assert is_stored(terminal_size=size)


def test_the_page_of_help_is_the_stored_one(is_stored: Callable[..., bool]) -> None:
    assert is_stored(press=["question_mark"], terminal_size=(80, 40))


def test_the_question_before_a_close_is_the_stored_one(is_stored: Callable[..., bool]) -> None:
    assert is_stored(press=["c"], terminal_size=(80, 24))


def test_a_terminal_that_grows_shows_more() -> None:
    async def grow(app: Top, pilot: Pilot[None]) -> None:
        assert "quantity" not in text_of(app)
        await pilot.resize_terminal(120, 40)
        async with asyncio.timeout(10):
            while "quantity" not in text_of(app):
                await pilot.pause()

    drawn(grow, size=(80, 24))


def test_the_page_of_help_names_every_key() -> None:
    async def help_page(app: Top, pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, Page)
        shown = text_of(app)
        keys = [binding.key for binding in Top.BINDINGS if isinstance(binding, Binding)]
        assert len(keys) == len(Top.BINDINGS)
        for key in keys:
            name = {"question_mark": "?", "ctrl+c": "^C"}.get(key, key)
            assert re.search(rf"^.*  (q, )?{re.escape(name)}[ ,]", shown, re.MULTILINE), key
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, Page)

    drawn(help_page, size=(80, 40))


def test_the_marked_position_stays_marked_while_lines_come_and_go() -> None:
    looks = [LOOK]

    async def latest(socket: Path, at: datetime) -> Look:
        return looks[-1]

    async def mark(app: Top, pilot: Pilot[None]) -> None:
        table = app.query_one("#positions", PanelTable)
        assert [key.value for key in table.rows] == ["3", "2", "1"]
        await pilot.press("down", "down")
        assert table.marked == "1"
        looks.append(make_look(replace(SEEN, rows=SEEN.rows[2:]), AT))
        async with asyncio.timeout(10):
            while table.row_count != 1:
                await pilot.pause()
        assert table.marked == "1"

    drawn(mark, size=(80, 24), look=latest)


def test_a_service_that_is_gone_is_said_and_what_was_seen_stays() -> None:
    gone = False

    async def once(socket: Path, at: datetime) -> Look:
        if gone:
            raise NoServiceError("no service listens at control.sock")
        return LOOK

    async def lose(app: Top, pilot: Pilot[None]) -> None:
        nonlocal gone
        gone = True
        async with asyncio.timeout(10):
            while "no service listens" not in text_of(app):
                await pilot.pause()
        assert "(shown: 12:00:00 UTC)" in text_of(app)
        assert "BTCUSDT L" in text_of(app)
        gone = False
        async with asyncio.timeout(10):
            while "no service listens" in text_of(app):
                await pilot.pause()

    drawn(lose, size=(80, 24), look=once)


def test_a_key_that_nobody_answers_is_said_and_the_view_goes_on() -> None:
    async def hold(app: Top, pilot: Pilot[None]) -> None:
        await pilot.press("h")
        async with asyncio.timeout(10):
            while "no service listens" not in text_of(app):
                await pilot.pause()
        assert app.is_running

    drawn(hold, size=(120, 40))


@pytest.mark.parametrize(
    ("side", "price", "expected"),
    [("long", "99", "-1"), ("long", "102", "2"), ("short", "99", "1"), ("short", "102", "-2")],
)
def test_distance_is_negative_until_the_price_is_good_enough(
    side: str, price: str, expected: str
) -> None:
    leg = p.LegView(path="x", target=Decimal(100), price=Decimal(price))
    assert distance(row(1, "BTCUSDT", side, 1), leg) == Decimal(expected)


def test_distance_is_unknown_without_a_price() -> None:
    assert distance(row(1, "BTCUSDT", "long", 1), p.LegView(path="x", target=Decimal(1))) is None
    assert distance(row(1, "BTCUSDT", "long", 1), None) is None
