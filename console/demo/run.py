"""The demo: a simulated venue, a careless bot and the real guard, in one process.

The guard is the one that `run` runs, with a configuration file of its own and short intervals; it
talks to the venue through the real gateway, over TLS. At a terminal the live view, `top`, is shown
meanwhile. `console.demo.bot` makes the trouble, `console.demo.found` counts, and what the demo
says of itself is in `console.demo.summary`.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from console.cli.exit_codes import CommandError, ExitCode
from console.cli.program import typed
from console.cli.tables import print_json
from console.config.reader import load_config
from console.control.socket_file import SocketTakenError, ensure_free
from console.demo.bot import DemoBot
from console.demo.found import Outcome, count, events_of, outcome
from console.demo.summary import band, print_summary
from console.service.logs import close_logs, set_up_logs
from console.service.run import Running, serving, utc_now
from simulator import SimulatedVenue

if TYPE_CHECKING:
    from rich.text import Text

    from console.top.app import Top

DEFAULT_FOLDER = Path("var/demo")
_LIVELY = 0.5
"""A day's deviation of the demo's prices: what a market moves in weeks, within a minute or so."""

_LOOK_EVERY = 0.5
_QUIET_AT_END = 12.0
"""Seconds before the end in which the bot makes no new trouble, so that none is left unseen."""

_CONFIG = """\
# Made by `demo`: the guard's own configuration, with short intervals.
mode = "enforce"
data_dir = "."

[accounts.bybit-main]
exchange = "bybit"
key = "demo-bybit-key"
secret = "demo-bybit-secret"
connect = "{connect}"
ca_file = "venue-ca.pem"
orphans = "protect"
orphan_actions_per_hour = 20

[accounts.binance-main]
exchange = "binanceusdm"
key = "demo-binance-key"
secret = "demo-binance-secret"
connect = "{connect}"
ca_file = "venue-ca.pem"
orphans = "close"
orphan_actions_per_hour = 20

[aged]
scan_every = "3s"
validate_every = "7s"
check_every = "1s"

[verdict]
confirm_after = "1s"
settle = "3s"

[orphans]
every = "4s"
remind_every = "30s"

[reconciliation]
every = "5s"
"""


@dataclass(frozen=True)
class _World:
    """What runs while the demo runs."""

    running: Running
    venue: SimulatedVenue
    bot: DemoBot
    config: Path


def demo_from_cli(*, seconds: float, as_json: bool, seed: int, folder: Path | None) -> ExitCode:
    """`demo`: run it, show it, sum it up."""
    place = _fresh_folder(folder)
    from console.top.app import has_screen

    live = not as_json and has_screen()
    set_up_logs(place, terminal=None if live else sys.stderr if as_json else sys.stdout)
    sys.stderr.write("Starting the simulated venue and the guard ...\n")
    try:
        result = asyncio.run(_demo(place, seconds=seconds, seed=seed, live=live))
    finally:
        close_logs()
    if as_json:
        print_json(result)
    else:
        print_summary(result, place)
    return ExitCode.OK


async def _demo(place: Path, *, seconds: float, seed: int, live: bool) -> Outcome:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with _world(place, seed) as world:
        started = time.monotonic()

        # Every habit is seen well before the end, however long the demo is.
        pace = min(8.0, max(1.5, (seconds - _QUIET_AT_END) / 8))

        def elapsed() -> float:
            return time.monotonic() - started

        def bot_done() -> bool:
            return stop.is_set() or elapsed() > seconds - _QUIET_AT_END

        async with asyncio.TaskGroup() as tasks:
            trading = tasks.create_task(world.bot.trade(until=bot_done, pace=pace), name="bot")
            screen = _screen(world, lambda: max(0.0, seconds - elapsed())) if live else None
            if screen is not None:
                tasks.create_task(_show(screen, stop), name="view")
            try:
                async with asyncio.timeout(seconds):
                    await stop.wait()
            except TimeoutError:
                logger.info("The demo's time is over")
            interrupted = stop.is_set()
            trading.cancel()
            if screen is not None:
                screen.exit()
        return await outcome(
            world.running,
            world.venue.market,
            bot={habit.value: times for habit, times in world.bot.did.items()},
            seed=seed,
            seconds=elapsed(),
            interrupted=interrupted,
        )


def _screen(world: _World, left: Callable[[], float]) -> Top:
    """The live view of the demo's guard, with the demo's own lines above it."""
    from console.top.app import Top

    async def words() -> Text:
        return band(count(await events_of(world.running)), world.bot.last, left())

    return Top(world.running.settings.control.socket, every=_LOOK_EVERY, band=words)


async def _show(screen: Top, stop: asyncio.Event) -> None:
    """Until the person leaves, which ends the demo, or the screen is told to."""
    loop = asyncio.get_running_loop()
    factory = loop.get_task_factory()
    shown = asyncio.create_task(screen.run_async(), name="screen")
    await asyncio.sleep(0)
    # From Python 3.12 on textual makes every task of the loop an eager one; the guard's are not.
    loop.set_task_factory(factory)
    await shown
    stop.set()


@asynccontextmanager
async def _world(place: Path, seed: int) -> AsyncIterator[_World]:
    venue = SimulatedVenue(seed=seed, ca_file=place / "venue-ca.pem", volatility=_LIVELY)
    async with venue:
        config = place / "sexton.toml"
        config.write_text(_CONFIG.format(connect=venue.connect), encoding="utf-8")
        settings = load_config(config)
        async with serving(settings, config) as running:
            logger.info(f"Look in from another terminal: {typed(f'tree -c {config}')}")
            bot = DemoBot(venue.market, place / "sexton.db", now=utc_now, seed=seed)
            yield _World(running=running, venue=venue, bot=bot, config=config)


def _fresh_folder(folder: Path | None) -> Path:
    """An empty folder for this demo; a temporary one where the usual one is in use."""
    place = folder or DEFAULT_FOLDER
    try:
        ensure_free(place / "sexton.sock")
        if (place / "sexton.toml").exists():
            shutil.rmtree(place)
        place.mkdir(parents=True, exist_ok=True)
        if any(place.iterdir()):
            raise CommandError(ExitCode.USAGE, f"--dir {place}: allowed: an empty or a new folder")
    except (SocketTakenError, OSError) as error:
        if folder is not None:
            raise CommandError(ExitCode.USAGE, f"--dir {folder}: {error}") from None
        place = Path(tempfile.mkdtemp(prefix="sexton-demo-"))
    return place
