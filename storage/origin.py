"""Which database this is: its random id, and whether it is still the one that was opened.

A guard that goes on with a database that is not the operator's any more acts on rows that nobody
sees. The check is a `stat` and one small query, so it can be made every few seconds.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from messages.ledger import LedgerReplaced
from storage.database import Database
from storage.engine import OpenedFile
from storage.errors import LedgerRefused, TableMissing
from storage.tables import intents, origin

_HERE = sa.select(
    sa.select(origin.c.ledger_id).scalar_subquery(),
    sa.select(sa.func.max(intents.c.seq)).scalar_subquery(),
)


def read_ledger_id(connection: Connection) -> str:
    """The id that the migrations made. Raises LedgerRefused where somebody has removed it."""
    found: str | None = connection.execute(sa.select(origin.c.ledger_id)).scalar_one_or_none()
    if not found:
        raise LedgerRefused("the ledger has lost its id (table `origin`); restore a backup")
    return found


class Origin:
    """The ledger's methods about its own identity."""

    _db: Database
    _opened: OpenedFile
    _ledger_id: str
    _newest_intent: int

    @property
    def ledger_id(self) -> str:
        """The random id that was made with the database: 32 lower-case hex characters."""
        return self._ledger_id

    async def still_the_same_file(self) -> LedgerReplaced | None:
        """None while the database is the one that was opened; otherwise what is there instead.

        Sees a SQLite file that was replaced, deleted or moved (by device and inode), another
        ledger under the same name (by its id), and an older state of the same one (its newest
        intent is gone). A file that was overwritten in place has the same inode: of it only the
        last two are seen. Raises LedgerUnavailable where the database can't be asked.
        """
        why = self._opened.replaced()
        if why:
            return LedgerReplaced(why=why)
        try:
            found, newest = await self._db.read(lambda connection: connection.execute(_HERE).one())
        except TableMissing as missing:
            return LedgerReplaced(why=str(missing))
        if found != self._ledger_id:
            return LedgerReplaced(
                why=f"the database is another ledger now: {found or 'without an id'}, and it was"
                f" {self._ledger_id}"
            )
        if (newest or 0) < self._newest_intent:
            return LedgerReplaced(
                why=f"the database is an older state of this ledger: intent {self._newest_intent}"
                f" is gone, the newest is {newest or 'none'}"
            )
        self._newest_intent = newest or 0
        return None
