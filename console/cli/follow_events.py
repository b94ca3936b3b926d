"""`events --follow`: the audit trail as it grows, like `journalctl -f`.

Asks the service again and again over one connection. What is not an event goes to standard error,
so that standard output stays one JSON object a line with --json. A service that goes away is
waited for; events that were written meanwhile follow in their order.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from pathlib import Path

import msgspec

from console.cli import tables
from console.cli.exit_codes import CommandError, ExitCode
from console.cli.ledger_commands import since_when
from console.cli.service_client import settings_from
from console.control import protocol as p
from console.control.client import CommandRefusedError, ControlClient, NoServiceError
from messages.ledger import Event
from rules.symbols import may_be_one

EVERY = 0.3
"""Seconds between two looks, and between two tries while the service is away."""
BATCH = 1000


def follow_events(
    config: Path,
    *,
    account: str | None,
    symbol: str | None,
    kind: str | None,
    since: str | None,
    limit: int,
    as_json: bool,
) -> ExitCode:
    """Print the newest `limit` events that fit, then each new one until Ctrl-C, which is OK.

    Raises CommandError where no service answers at the beginning.
    """
    first = p.GetEvents(
        account=account, symbol=symbol, kind=kind, since=since_when(since), limit=limit
    )
    follower = _Follower(settings_from(config, keys=False).control.socket, first, as_json=as_json)
    try:
        asyncio.run(follower.run())
    except KeyboardInterrupt:
        # The one way in which following ends.
        return ExitCode.OK
    except NoServiceError as error:
        raise CommandError(ExitCode.NO_SERVICE, str(error)) from None
    except CommandRefusedError as error:
        raise CommandError(ExitCode.REFUSED, str(error)) from None
    return ExitCode.OK


class _Follower:
    """`first` asks for what has been; its filters hold for all that comes."""

    def __init__(self, socket: Path, first: p.GetEvents, *, as_json: bool) -> None:
        self._socket = socket
        self._first = first
        self._as_json = as_json
        self._last: int | None = None
        self._started_at: datetime | None = None
        self._waiting = False

    async def run(self) -> None:
        while True:
            try:
                async with ControlClient(self._socket) as service:
                    await self._greet(service)
                    await self._follow(service)
            except NoServiceError:
                if self._started_at is None:
                    raise
                self._wait_for(f"the service went away; waiting for it at {self._socket}")
            except CommandRefusedError as error:
                # An outage of the ledger passes; anything else is an answer.
                if self._started_at is None or error.code != "failed":
                    raise
                self._wait_for(str(error))
            await asyncio.sleep(EVERY)

    def _wait_for(self, what: str) -> None:
        if not self._waiting:
            _say(f"{what} (Ctrl-C ends this)")
        self._waiting = True

    async def _greet(self, service: ControlClient) -> None:
        found = await service.call(p.GetService())
        if self._waiting and self._started_at == found.started_at:
            _say("the service answers again")
        elif self._waiting:
            _say(f"the service was started again (pid {found.pid}, {found.mode} mode)")
        self._started_at, self._waiting = found.started_at, False

    async def _follow(self, service: ControlClient) -> None:
        if self._last is None:
            newest = (await service.call(p.GetEvents(limit=1))).events
            self._last = newest[0].seq if newest else 0
            events = (await service.call(self._first)).events
            self._last = max((self._last, *(event.seq for event in events)))
            self._print(events)
        while True:
            # The symbol is looked for here: which spellings there are is dear to find out.
            command = msgspec.structs.replace(
                self._first, after_seq=self._last, since=None, limit=BATCH, symbol=None
            )
            events = (await service.call(command)).events
            self._print(tuple(event for event in events if self._fits(event)))
            self._last = max((self._last, *(event.seq for event in events)))
            if len(events) < BATCH:
                await asyncio.sleep(EVERY)

    def _print(self, events: tuple[Event, ...]) -> None:
        if not events:
            return
        if self._as_json:
            lines = b"".join(msgspec.json.encode(event) + b"\n" for event in events)
            sys.stdout.write(lines.decode())
        else:
            tables.print_events(events)
        sys.stdout.flush()

    def _fits(self, event: Event) -> bool:
        symbol = self._first.symbol
        return symbol is None or may_be_one(symbol, event.symbol)


def _say(what: str) -> None:
    sys.stderr.write(f"-- {what} --\n")
    sys.stderr.flush()
