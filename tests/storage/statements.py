"""What a ledger says to its database, counted."""

from __future__ import annotations

import sqlalchemy as sa

from storage import Ledger


class Statements:
    """The statements from now on, and how often a write was committed."""

    def __init__(self, ledger: Ledger) -> None:
        self.said: list[str] = []
        self.commits = 0
        engines = ledger._db.engines
        sa.event.listen(engines.write.sync_engine, "commit", self._committed)
        for engine in {engines.write.sync_engine, engines.read.sync_engine}:
            sa.event.listen(
                engine, "before_cursor_execute", lambda *call: self.said.append(call[2])
            )

    def _committed(self, _connection: sa.Connection) -> None:
        self.commits += 1

    def naming(self, words: str) -> list[str]:
        return [line for line in self.said if words in line]
