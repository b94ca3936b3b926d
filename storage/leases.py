"""Leases: one guard at a time writes for an account.

A lease is a row with a token that only grows. Each write of an account's actors carries its
lease, and a token that is no longer the row's writes nothing (`database.check_lease`): that,
not the clock, is what keeps a paused guard that wakes up from doing harm in the ledger.

When a lease may be taken over: it was released, or it has expired by the database's clock
(PostgreSQL) or this machine's (SQLite), or the asker is its holder, or, with SQLite, the
holder's process is proven dead: it keeps a file lock for as long as it lives.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from messages.ledger import HeldBy, Lease
from storage.database import Database, insert
from storage.tables import leases

NOBODY = ""


class LifeProofs:
    """File locks beside a SQLite file that say whose process lives, one for each token.

    A lock belongs to one token, so that it says nothing about a later holder.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._held: dict[str, tuple[int, Path]] = {}

    def hold(self, account: str, token: int) -> None:
        """Lock this token's file for as long as this process lives, instead of an older one's."""
        if self._file is None:
            return
        self.drop(account)
        path = self._path(account, token)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._held[account] = (descriptor, path)
        self._path(account, token - 1).unlink(missing_ok=True)

    def dead(self, account: str, token: int) -> bool:
        """Whether the holder of this token is proven not to live. No proof is False."""
        if self._file is None:
            return False
        try:
            descriptor = os.open(self._path(account, token), os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True

    def drop(self, account: str) -> None:
        """Give the account's lock up."""
        descriptor, path = self._held.pop(account, (None, None))
        if descriptor is not None and path is not None:
            path.unlink(missing_ok=True)
            os.close(descriptor)

    def close(self) -> None:
        """Give every lock up but leave its file: whoever comes next sees that nobody lives."""
        for descriptor, _ in self._held.values():
            os.close(descriptor)
        self._held.clear()

    def _path(self, account: str, token: int) -> Path:
        assert self._file is not None
        name = hashlib.sha256(account.encode()).hexdigest()[:12]
        return self._file.with_name(f"{self._file.name}.{name}.{token}.lease")


class Leases:
    """The ledger's methods about leases."""

    _db: Database
    _proofs: LifeProofs

    async def acquire_lease(self, account: str, holder: str, duration: timedelta) -> Lease | HeldBy:
        """Take the account's lease, or learn who holds it.

        `holder` must name one start of one process (host, pid, time): the same holder that asks
        again gets the lease again, with a new token. `expires_at` is by the caller's clock, read
        before the ledger was asked, so it is never late.
        """
        asked_at = self._db.now()

        def job(connection: Connection) -> Lease | HeldBy:
            clock = _clock(connection, account, asked_at)
            query = sa.select(leases).where(leases.c.account == account).with_for_update()
            row = connection.execute(query).one_or_none()
            held = row is not None and row.holder not in (NOBODY, holder)
            if (
                row is not None
                and held
                and row.expires_at > clock
                and not self._proofs.dead(account, row.token)
            ):
                until = asked_at + (row.expires_at - clock)
                return HeldBy(account=account, holder=row.holder, expires_at=until)
            token = 1 if row is None else row.token + 1
            values = {"holder": holder, "token": token, "expires_at": clock + duration}
            connection.execute(
                insert(connection, leases)
                .values(account=account, **values)
                .on_conflict_do_update(index_elements=[leases.c.account], set_=values)
            )
            self._proofs.hold(account, token)
            return Lease(
                account=account, holder=holder, token=token, expires_at=asked_at + duration
            )

        # The file lock that proves us alive is taken in it, and no other's failure may cost it.
        return await self._db.write(job, alone=True)

    async def renew_lease(self, lease: Lease, duration: timedelta) -> Lease | None:
        """Prolong a lease from now on. None: it is another's, stop writing for the account.

        One that expired and that nobody has taken is still its holder's, and is prolonged.
        """
        asked_at = self._db.now()

        def job(connection: Connection) -> Lease | None:
            clock = _clock(connection, lease.account, asked_at)
            statement = sa.update(leases).where(_owned(lease)).values(expires_at=clock + duration)
            if connection.execute(statement).rowcount == 0:
                return None
            return Lease(
                account=lease.account,
                holder=lease.holder,
                token=lease.token,
                expires_at=asked_at + duration,
            )

        return await self._db.write(job)

    async def release_lease(self, lease: Lease) -> None:
        """Give a lease up, so that another guard may take it at once. Idempotent."""
        statement = sa.update(leases).where(_owned(lease)).values(holder=NOBODY)

        def job(connection: Connection) -> bool:
            return connection.execute(statement).rowcount > 0

        if await self._db.write(job):
            self._proofs.drop(lease.account)


def _owned(lease: Lease) -> sa.ColumnElement[bool]:
    return sa.and_(
        leases.c.account == lease.account,
        leases.c.token == lease.token,
        leases.c.holder == lease.holder,
    )


def _clock(connection: Connection, account: str, local: datetime) -> datetime:
    """The clock that decides: two machines' clocks may differ, so PostgreSQL's own is asked.

    Also serialises those who ask for the same account: without a row yet, there is nothing else
    to lock.
    """
    if connection.dialect.name != "postgresql":
        return local
    key = int.from_bytes(hashlib.sha256(account.encode()).digest()[:8], "big", signed=True)
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
    clock: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    return clock
