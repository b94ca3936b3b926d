"""The ledger as the actors know it: every method is one transaction, typed, repeatable.

Each method may raise LedgerUnavailable (repeat it later) or LedgerRefused; writes that carry a
lease may raise StaleLease. A method that is repeated after LedgerUnavailable has the effect of
one, except `bump`. What the methods are is in the modules that the class is put together from.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType

from messages.values import Secret
from storage.active import ActiveReader
from storage.alerts import Alerts
from storage.audit import Events
from storage.commands import Commands
from storage.counters import Counters
from storage.database import Database
from storage.engine import SQLITE_BUSY_SECONDS, make_engines
from storage.errors import LedgerRefused
from storage.fills import Fills
from storage.identities import Identities
from storage.leases import Leases, LifeProofs
from storage.migrate import back_up, migrate
from storage.mirror import Mirror
from storage.monitor_records import Records
from storage.orders import Intents
from storage.origin import Origin, read_ledger_id
from storage.outbox import Outbox
from storage.positions import Positions
from storage.retention import Retention
from storage.sightings import Sightings

OPENING_PATIENCE = 30.0
"""Seconds that opening may take at least: a long history is migrated in one transaction."""


class Ledger(
    Positions,
    Fills,
    Sightings,
    Mirror,
    Intents,
    Commands,
    Events,
    Alerts,
    Outbox,
    Counters,
    Records,
    Identities,
    Leases,
    Retention,
    Origin,
):
    """An open ledger. Close it, or use it as an async context manager."""

    def __init__(self, database: Database, ledger_id: str) -> None:
        self._db = database
        self._ledger_id = ledger_id
        self._opened = database.engines.opened
        self._newest_intent = 0
        self._channels = ()
        self._active = ActiveReader()
        self._proofs = LifeProofs(database.engines.file)

    def keep_order(self) -> None:
        """From now on a read sees every write that was asked for before it, answered or not."""
        self._db.in_order = True

    async def close(self) -> None:
        """Let running transactions end, then close every connection.

        Leases stay held in the ledger until they are released or expire.
        """
        await self._db.close()
        self._proofs.close()

    async def __aenter__(self) -> Ledger:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


async def open_ledger(
    url: Secret | str,
    *,
    now: Callable[[], datetime],
    data_dir: Path | None = None,
    patience: float = 30.0,
    ledger_id: str | None = None,
) -> Ledger:
    """Open the database at `url` and bring its schema up to date.

    `now` is the clock for what the ledger stamps itself. With `data_dir`, a SQLite file of an
    older schema is copied there before it is upgraded. `patience` is how many seconds a call
    waits before it raises LedgerUnavailable for a database that doesn't answer. A database that
    has no id yet gets `ledger_id`, which is random unless a simulation must be repeatable.

    Raises LedgerUnavailable, or LedgerRefused for a newer schema, a damaged file or an unusable
    URL.
    """
    # SQLite's own complaint about a lock says more than that time is up: it comes first.
    engines = make_engines(url, busy=min(SQLITE_BUSY_SECONDS, patience / 2))
    opening = Database(engines, now=now, patience=max(patience, OPENING_PATIENCE))
    try:
        if data_dir is not None and engines.file is not None:
            back_up(engines.file, data_dir)
        engines.opened.remember()
        await opening.write(lambda connection: migrate(connection, ledger_id), alone=True)
        if why := engines.opened.replaced():
            raise LedgerRefused(f"{why} while it was opened; start again")
        engines.opened.remember()
        found = await opening.read(read_ledger_id)
    except BaseException:
        await opening.close()
        raise
    return Ledger(Database(engines, now=now, patience=patience), found)
