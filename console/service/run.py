"""The running guard: opens what the tree needs, runs the tree, and stops it all in order.

`serving` is the guard for whoever runs it in their own loop (the demo, tests); `run_service` adds
signals, systemd and exit codes. What is guarded, and how, is the actors' business.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import msgspec
from loguru import logger

from actors.live_settings import LiveSettings
from actors.runtime import ChildSpec, Pauses, StartFailed, System
from actors.runtime.events import SupervisionEvent
from actors.tree import live_tree
from console.cli.exit_codes import CommandError, ExitCode
from console.cli.tables import as_json
from console.control.commands import CONTROL, Operator
from console.control.server import Control
from console.control.socket_file import SocketTakenError, ensure_free
from console.service.channels import ChannelUnusable, open_channels
from console.service.garbage_collection import collecting_gently
from console.service.key_rights import KeyRefusedError, refuse_withdrawal_keys
from console.service.ledger_file import ledger_replaced
from console.service.logs import close_logs, set_up_logs
from console.service.process_exit import run_and_leave
from console.service.reload import RELOAD, Reload, Reloading
from console.service.shared_logins import refuse_shared_logins
from console.service.supervision_alerts import SupervisionAlerts
from console.service.systemd import keep_watchdog_fed, notify
from console.web.server import METRICS, Web
from console.web.tally import Tally
from messages.ledger import LedgerReplaced
from messages.settings import Settings
from messages.values import Secret
from storage import Ledger, LedgerRefused, LedgerUnavailable, open_ledger
from storage.sources import open_source
from venues.gateway import open_venue
from venues.port import Venue

_SLOW = 30.0
"""Seconds. Handlers wait for the exchange's confirming reads, so a second or two is ordinary."""


def utc_now() -> datetime:
    """The clock of the service."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Running:
    """A guard at work. `operator` answers commands without the socket."""

    settings: Settings
    system: System
    operator: Operator
    ledger: Ledger
    venues: dict[str, Venue]


@asynccontextmanager
async def serving(settings: Settings, config: Path | None = None) -> AsyncIterator[Running]:
    """The guard from its first actor to its last, stopped in order at the end.

    `config` is the file that the settings come from, for `reload`.

    Raises SocketTakenError, ChannelUnusable, LedgerUnavailable, LedgerRefused, or the runtime's
    StartFailed where the tree does not come up; whatever was opened before is closed again.
    """
    ensure_free(settings.control.socket)
    channels = open_channels(settings.alerts)
    async with AsyncExitStack() as opened:
        logger.info("Opening the ledger")
        ledger = await open_ledger(settings.storage.url, now=utc_now, data_dir=settings.data_dir)
        opened.push_async_callback(ledger.close)
        source = await open_source(settings.ledger) if settings.ledger is not None else None
        venues = {account.name: open_venue(account, now=utc_now) for account in settings.accounts}
        in_force = LiveSettings(settings, venues, channels)
        opened.push_async_callback(_close_venues, in_force)
        alerts = SupervisionAlerts()
        tally = Tally(in_force.accounts)

        def hears(event: SupervisionEvent) -> None:
            tally.event(event)
            alerts.event(event)

        system = System(
            now=utc_now,
            crash_dir=settings.data_dir / "crashes",
            on_event=hears,
            secrets=_secrets(settings),
            slow_handler=_SLOW,
        )
        alerts.attach(system)

        def learn(changed: Settings) -> None:
            tally.expect(tuple(account.name for account in changed.accounts))
            for secret in _secrets(changed):
                system.scrubber.learn(secret)

        def accounts() -> tuple[str, ...]:
            return in_force.accounts

        extra = (
            ChildSpec(RELOAD, lambda: Reloading(config, in_force, learn=learn)),
            ChildSpec(
                CONTROL,
                lambda: Control(settings.control.socket, mode=settings.mode, accounts=accounts),
            ),
            *_page(in_force, tally),
        )
        tree = live_tree(
            in_force,
            ledger=ledger,
            holder=_holder(),
            source=source,
            judged=tally.judged,
            operator_children=extra,
        )
        await system.start(tree)
        opened.push_async_callback(system.stop)
        operator = Operator(system, mode=settings.mode, accounts=accounts)
        yield Running(
            settings=settings, system=system, operator=operator, ledger=ledger, venues=venues
        )


async def run_service(settings: Settings, config: Path | None = None) -> ExitCode:
    """Run the guard until SIGTERM or SIGINT. SIGHUP reloads `config`, SIGUSR1 writes a dump."""
    stop = asyncio.Event()
    try:
        await refuse_withdrawal_keys(settings, now=utc_now)
        await refuse_shared_logins(settings, now=utc_now)
        async with (
            collecting_gently(),
            serving(settings, config) as running,
            _signals(running, stop),
        ):
            names = ", ".join(running.venues)
            logger.info(
                f"Sexton is ready: {settings.mode} mode; {names}; control {settings.control.socket}"
            )
            notify("READY=1", f"STATUS=guarding {names}")
            ended = await _first(
                stop.wait(), running.system.wait(), ledger_replaced(running.ledger)
            )
            notify("STOPPING=1")
            replaced = ended if isinstance(ended, LedgerReplaced) else None
            if replaced is not None:
                logger.critical(
                    f"Stopping: the ledger is not the one that was opened: {replaced.why}. "
                    "Start the guard again on the one that the bot writes to"
                )
            else:
                logger.info("Stopping in order" if stop.is_set() else f"The tree ended: {ended}")
    except KeyRefusedError as error:
        logger.error(str(error))
        return ExitCode.USAGE
    except SocketTakenError as error:
        logger.error(str(error))
        return ExitCode.REFUSED
    except ChannelUnusable as error:
        logger.error(f"An alert channel can't be used: {error}")
        return ExitCode.USAGE
    except (LedgerUnavailable, LedgerRefused) as error:
        logger.critical(f"The ledger can't be had: {error}")
        return ExitCode.NO_LEDGER
    except StartFailed as error:
        logger.critical(f"The guard can't start: {error}")
        return ExitCode.FAILED
    logger.info("Stopped")
    if replaced is not None:
        return ExitCode.NO_LEDGER
    return ExitCode.OK if stop.is_set() else ExitCode.FAILED


def run_from_cli(settings: Settings, config: Path) -> NoReturn:
    """`run`: the service with its logs. Raises CommandError where they can't be written."""
    try:
        set_up_logs(settings.data_dir, terminal=sys.stderr)
    except OSError as error:
        text = f"{settings.data_dir} can't be written: {error.strerror}"
        raise CommandError(ExitCode.FAILED, text) from None
    run_and_leave(run_service(settings, config.absolute()), closing=close_logs)


@asynccontextmanager
async def _signals(running: Running, stop: asyncio.Event) -> AsyncIterator[None]:
    """Signals and the watchdog, for as long as the guard runs."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _ask_to_stop, stop, number)
    dumps: set[asyncio.Task[Path]] = set()

    def dump() -> None:
        task = asyncio.create_task(write_state_dump(running), name="state dump")
        dumps.add(task)
        task.add_done_callback(dumps.discard)

    loop.add_signal_handler(signal.SIGUSR1, dump)
    # It stays to the end: a terminal that is closed must not cut the ordered stop short.
    loop.add_signal_handler(signal.SIGHUP, running.system.tell, RELOAD, Reload(by="SIGHUP"))
    watchdog = asyncio.create_task(keep_watchdog_fed(), name="watchdog")
    try:
        yield
    finally:
        watchdog.cancel()
        loop.remove_signal_handler(signal.SIGUSR1)


def _page(in_force: LiveSettings, tally: Tally) -> tuple[ChildSpec, ...]:
    """The status page's actor, where one is wanted."""
    address = in_force.settings.control.http
    if address is None:
        return ()
    return (
        ChildSpec(METRICS, lambda: Web(address, lambda: in_force.settings, tally), shutdown=5.0),
    )


async def _close_venues(in_force: LiveSettings) -> None:
    for venue in (*in_force.venues.values(), *in_force.retired):
        await venue.close()


def _holder() -> str:
    """This start of this process, as other guards see it in the accounts' leases."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def _secrets(settings: Settings) -> tuple[Secret, ...]:
    """What no dump may show, even inside another text."""
    keys = [
        secret
        for account in settings.accounts
        for secret in (account.key, account.secret, account.password)
    ]
    urls = (settings.storage.url, *settings.alerts.channels)
    source = settings.ledger
    bots = () if source is None else (source.url, source.api and source.api.password)
    return tuple(secret for secret in (*keys, *urls, *bots) if secret)


def _ask_to_stop(stop: asyncio.Event, number: signal.Signals) -> None:
    # The handlers stay until the end: a second signal must not cut the ordered stop short.
    logger.info(f"{number.name} received{'; already stopping' if stop.is_set() else ''}")
    stop.set()


async def write_state_dump(running: Running) -> Path:
    """The whole tree's state as JSON into the data folder; the file's path is logged.

    Made in parts, and written by a thread: an order does not wait for it.
    """
    folder = running.settings.data_dir / "dumps"
    file = folder / f"state-{utc_now():%Y%m%dT%H%M%S.%f}.json"
    dump = await running.system.dump_in_parts()
    actors: list[msgspec.Raw] = dump["actors"]
    dump["actors"] = []
    pauses = Pauses()
    parts = []
    for actor in actors:
        parts.append(msgspec.json.format(actor, indent=2))
        await pauses.here()
    head, tail = as_json(dump).split('"actors": []')

    def write() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as out:
            out.write(f'{head}"actors": [\n'.encode())
            for number, part in enumerate(parts):
                out.write((b",\n" if number else b"") + part)
            out.write(f"\n]{tail}\n".encode())

    await asyncio.to_thread(write)
    logger.info(f"State dump written to {file}")
    return file


async def _first(*waits: Awaitable[object]) -> object:
    """What the first to end gives; the others are cancelled."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
