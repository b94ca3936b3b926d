"""The world of a storm: which guards run where, with what settings, and how they are started.

Two guards look at one exchange. One acts, for an account at Bybit and one at Binance; the other
only observes an account of its own, and must leave no trace there. Left to others: trouble and
trades (`storm.py`), and what must hold (`invariants.py`).
"""

from __future__ import annotations

import os
import signal
import threading
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

from messages.settings import (
    AccountSettings,
    AgedSettings,
    ControlSettings,
    Mode,
    OrderSettings,
    OrphanSettings,
    ReconciliationSettings,
    Settings,
    StorageSettings,
    VerdictSettings,
)
from messages.values import Secret
from simulator.instruments import Exchange
from tests.chaos.processes import Making, start_service

BYBIT, BINANCE, WATCHED = "bybit-main", "binance-main", "watched"
ACCOUNTS = {
    BYBIT: Exchange.BYBIT,
    BINANCE: Exchange.BINANCE,
    WATCHED: Exchange.BYBIT,
}
BASES = ("SOL", "XRP", "DOGE", "LINK", "ADA", "AVL")
SYMBOLS = tuple(f"{base}/USDT:USDT" for base in BASES)
CONFIRM = timedelta(seconds=0.5)
OFTEN = timedelta(seconds=2)
"""The monitors' intervals, so that a short storm meets all of them. The stops of all symbols, which
the orphans' monitor reads, cost two seconds of Binance's request limit each time.
"""

STOP_WITHIN = 40.0


def storm_settings(
    folder: Path, connect: str, ca_file: Path, url: str, mode: Mode, names: tuple[str, ...]
) -> Settings:
    """Short intervals, short patience, and a lease that a killed guard's successor soon has."""
    return Settings(
        mode=mode,
        data_dir=folder,
        storage=StorageSettings(url=Secret(url), lease=timedelta(seconds=3)),
        control=ControlSettings(socket=folder / "sexton.sock"),
        accounts=tuple(
            AccountSettings(
                name=name,
                exchange=ACCOUNTS[name].value,
                key=Secret(name),
                secret=Secret(name),
                connect=connect,
                ca_file=ca_file,
                request_timeout=timedelta(seconds=3),
                # Else each start would first ask a venue that may be away what the key may do.
                allow_withdraw=True,
            )
            for name in names
        ),
        aged=AgedSettings(scan_every=OFTEN, validate_every=OFTEN, check_every=OFTEN),
        verdict=VerdictSettings(
            confirm_after=CONFIRM,
            settle=timedelta(seconds=3),
            fresh=timedelta(seconds=0.2),
        ),
        orders=OrderSettings(
            backoff_first=timedelta(seconds=0.05),
            backoff_last=timedelta(seconds=0.2),
            rate_limit_wait=timedelta(seconds=0.5),
            maker_wait=timedelta(seconds=1),
            fill_wait=timedelta(seconds=2),
            arrival_limit=timedelta(seconds=6),
        ),
        orphans=OrphanSettings(every=OFTEN * 3, remind_every=timedelta(days=1)),
        reconciliation=ReconciliationSettings(every=OFTEN * 2),
    )


class Guard:
    """A service that is started again whenever it has ended, as systemd does."""

    def __init__(self, name: str, settings: Making) -> None:
        self.name = name
        self.settings = settings()
        self._making = settings
        self.starts = 0
        self.ended_with: list[int | None] = []
        """The exit codes with which it ended by itself."""
        self._process: BaseProcess | None = None
        # Killing waits in a thread, and nobody is to bring the killed one back meanwhile.
        self._one_hand = threading.RLock()

    def start(self) -> None:
        self.starts += 1
        self._process = start_service(self._making)

    def revive(self) -> bool:
        """Start it again if it has ended; returns whether it had."""
        with self._one_hand:
            if self._process is None or self._process.is_alive():
                return False
            self.ended_with.append(self._process.exitcode)
            self.start()
            return True

    def kill(self) -> None:
        """`kill -9`, and at once the next start."""
        with self._one_hand:
            self.signal(signal.SIGKILL)
            assert self._process is not None
            self._process.join()
            self.start()

    def signal(self, number: signal.Signals) -> None:
        self.revive()
        assert self._process is not None
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def stop(self) -> bool:
        """SIGTERM. False where it did not stop by it, and was killed."""
        if self._process is None or not self._process.is_alive():
            return True
        self._process.terminate()
        self._process.join(STOP_WITHIN)
        if not self._process.is_alive():
            return True
        self._process.kill()
        self._process.join()
        return False
