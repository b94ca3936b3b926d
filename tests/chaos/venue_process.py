"""The simulated exchange in a process of its own, which writes down all that happens in it.

The record is what a storm is judged by: every request that arrived, every change of an order and
of a position, in their order. Trades by hand and faults go through the venue's own operators'
paths. Left to others: reading the record (`record.py`), and deciding what happens (`storm.py`).
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TextIO

import msgspec
from loguru import logger

from messages.values import Side
from simulator.desk import LoggedRequest, RequestLog
from simulator.instruments import Exchange
from simulator.market import Market
from simulator.server import SimulatedVenue
from simulator.state import MarketEvent, OrderChanged, PositionChanged, Slot
from tests.chaos.processes import SERVED
from tests.chaos.record import OrderSeen, PositionSeen, RequestSeen, Seen

CLIENT_IDS = ("orderLinkId", "newClientOrderId")
"""What Bybit and Binance call a client order id in a request that makes an order."""

FILL_DELAY = timedelta(seconds=0.3)
"""Orders rest for a moment, so that there is a time at which one is live."""


def now() -> datetime:
    return datetime.now(UTC)


class VenueProcess:
    """The exchange from outside: it can be frozen, and its port can be left for a while."""

    def __init__(self, folder: Path, accounts: dict[str, Exchange], seed: int) -> None:
        self.ca_file = folder / "ca.pem"
        self.record = folder / "record.jsonl"
        self._line, theirs = SERVED.Pipe()
        self._process: BaseProcess = SERVED.Process(
            target=_run, args=(theirs, self.ca_file, self.record, accounts, seed), daemon=True
        )

    def start(self) -> None:
        """Returns when the exchange listens. Raises RuntimeError where it does not."""
        self._process.start()
        if not self._line.poll(30):
            raise RuntimeError("the simulated venue did not start")
        self.connect: str = self._line.recv()

    def leave_port(self) -> None:
        """Cut every connection and listen no more."""
        self._say("leave")

    def return_to_port(self) -> None:
        self._say("return")

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process.is_alive():
            self.thaw()
            self._process.terminate()
            self._process.join()

    def _say(self, what: str) -> None:
        self._line.send(what)
        if not self._line.poll(30):
            raise RuntimeError(f"the simulated venue did not {what}")
        self._line.recv()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)


def _run(
    line: Connection, ca_file: Path, record: Path, accounts: dict[str, Exchange], seed: int
) -> None:
    logger.remove()
    with record.open("w", encoding="utf-8", buffering=1) as out:
        asyncio.run(_serve(line, ca_file, out, accounts, seed))


async def _serve(
    line: Connection, ca_file: Path, out: TextIO, accounts: dict[str, Exchange], seed: int
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    market = Market(now=now, rng=random.Random(seed), volatility=0)
    for name, exchange in accounts.items():
        market.add_account(name, exchange, key=name, secret=name, hedged=True)
    market.set_fill_delay(FILL_DELAY)
    venue = SimulatedVenue(market, seed=seed, ca_file=ca_file)
    writer = _Writer(out)
    market.listen(writer.on_event)
    venue.desk.log = _Told(writer.on_request)
    await venue.start()
    orders: asyncio.Queue[str] = asyncio.Queue()

    def hear() -> None:
        try:
            orders.put_nowait(line.recv())
        except EOFError:
            # Whoever started the storm is gone, and with it the reason for an exchange.
            loop.remove_reader(line.fileno())
            stopped.set()

    loop.add_reader(line.fileno(), hear)
    obeying = asyncio.create_task(_obey(line, orders, venue))
    line.send(venue.connect)
    await stopped.wait()
    obeying.cancel()
    await venue.stop()


async def _obey(line: Connection, orders: asyncio.Queue[str], venue: SimulatedVenue) -> None:
    while True:
        if await orders.get() == "leave":
            await venue.stop()
        else:
            await venue.start()
        line.send("done")


class _Told(RequestLog):
    """The venue's log of requests, which tells of each one as it arrives."""

    def __init__(self, seen: Callable[[LoggedRequest], None]) -> None:
        super().__init__()
        self._seen = seen

    def add(self, request: LoggedRequest) -> None:
        super().add(request)
        self._seen(request)


class _Writer:
    """Writes one line of JSON for each thing that happens."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def on_request(self, request: LoggedRequest) -> None:
        self._write(
            RequestSeen(
                at=request.at,
                account=request.account,
                endpoint=request.endpoint,
                client_order_id=next(
                    (request.params[name] for name in CLIENT_IDS if name in request.params), ""
                ),
            )
        )

    def on_event(self, event: MarketEvent) -> None:
        match event:
            case PositionChanged(account=account, position=position, at=at):
                contracts = position.listing.instrument.contract_size
                self._write(
                    PositionSeen(
                        at=at,
                        account=account.name,
                        symbol=position.listing.symbol,
                        side=Side.SHORT if position.slot is Slot.SHORT else Side.LONG,
                        size=abs(position.size) * contracts,
                    )
                )
            case OrderChanged(account=account, order=order, execution=done, at=at):
                contracts = order.listing.instrument.contract_size
                self._write(
                    OrderSeen(
                        at=at,
                        account=account.name,
                        symbol=order.listing.symbol,
                        side=Side.SHORT if order.spec.slot is Slot.SHORT else Side.LONG,
                        order_id=order.id,
                        client_order_id=order.spec.client_id,
                        live=order.state.live,
                        reduces=order.reduces,
                        filled=order.filled * contracts,
                        average=order.average,
                        executed=done.quantity * contracts if done else None,
                        closed=done.closed * contracts if done else None,
                    )
                )

    def _write(self, seen: Seen) -> None:
        self._out.write(msgspec.json.encode(seen).decode() + "\n")
