"""The live view's keys, pressed on a real guard that observes the simulated venue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from console.control import protocol as p
from console.control.client import call
from console.top.app import PanelTable, Top
from console.top.dialogs import Confirm, Page
from messages.ledger import AlertDraft, AlertLevel, AlertType
from tests.console.cli.test_commands import Guard
from tests.console.processes import command
from tests.console.screens import text_of


@pytest.fixture(scope="module")
def watched(venue: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    running = Guard(tmp_path_factory.mktemp("watched"), *venue)
    running.ready()
    running.process.wait_for("Connected to bybit")
    added = command(
        "position", "add", "bybit-main", "SOLUSDT", "long", "2", "150", config=running.config
    )
    assert added.returncode == 0, added.stderr
    yield running
    running.process.end()


def pressed(guard: Guard, job: Callable[[Top, Pilot[None]], Awaitable[None]]) -> None:
    """Run the job on a view that has looked at the guard once."""

    async def scenario() -> None:
        app = Top(guard.socket, every=0.1)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await shown(app, pilot, "SOLUSDT L")
            await job(app, pilot)

    asyncio.run(scenario())


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():
            await pilot.pause()


async def shown(app: Top, pilot: Pilot[None], text: str) -> None:
    await until(pilot, lambda: text in text_of(app))


def test_hold_and_release_show_on_the_marked_position(watched: Guard) -> None:
    async def job(app: Top, pilot: Pilot[None]) -> None:
        await pilot.press("h")
        await shown(app, pilot, " held ")
        assert call(watched.socket, p.GetPositions()).rows[0].held
        await pilot.press("r")
        await until(pilot, lambda: not call(watched.socket, p.GetPositions()).rows[0].held)

    pressed(watched, job)


def test_a_close_asks_first_and_is_sent_only_after_yes(watched: Guard) -> None:
    def commands() -> object:
        state = call(watched.socket, p.GetDump(path="control")).dump["state"]
        assert isinstance(state, dict)
        return state["last_command"]

    async def job(app: Top, pilot: Pilot[None]) -> None:
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "Close bybit-main SOLUSDT long at market now?" in text_of(app)
        await pilot.press("h")
        assert isinstance(app.screen, Confirm)
        await pilot.press("n")
        await until(pilot, lambda: not isinstance(app.screen, Confirm))
        told = {event.kind for event in call(watched.socket, p.GetEvents()).events}
        assert "operator_close" not in told
        await pilot.press("c", "y")
        await shown(app, pilot, "in observe mode")

    pressed(watched, job)


def test_an_alert_is_acknowledged_by_its_key(watched: Guard) -> None:
    draft = AlertDraft(
        type=AlertType.OPERATOR_NEEDED, level=AlertLevel.CRITICAL, dedup_key="k", title="Look here"
    )
    fields: dict[str, object] = {"draft": draft}
    call(watched.socket, p.Tell(path="alerts", message="RaiseAlert", fields=fields))

    async def job(app: Top, pilot: Pilot[None]) -> None:
        await shown(app, pilot, "Look here")
        marked = app.query_one("#alerts", PanelTable).marked
        assert marked is not None
        await pilot.press("a")
        await until(
            pilot,
            lambda: any(
                str(alert.id) == marked and alert.acked_at is not None
                for alert in call(watched.socket, p.GetAlerts()).alerts
            ),
        )

    pressed(watched, job)


def test_dump_and_why_open_pages_over_the_view(watched: Guard) -> None:
    async def job(app: Top, pilot: Pilot[None]) -> None:
        app.query_one("#actors", PanelTable).focus()
        await pilot.press("down", "d")
        await until(pilot, lambda: isinstance(app.screen, Page))
        await shown(app, pilot, '"class_name": "LedgerActor"')
        await pilot.press("escape", "w")
        await until(pilot, lambda: isinstance(app.screen, Page))
        await shown(app, pilot, "why SOLUSDT")

    pressed(watched, job)


def test_a_scan_from_the_view_says_what_it_found(watched: Guard) -> None:
    async def job(app: Top, pilot: Pilot[None]) -> None:
        await pilot.press("s")
        await shown(app, pilot, "scanned: ")

    pressed(watched, job)
