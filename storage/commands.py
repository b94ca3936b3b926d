"""Operators' commands: durable before they are acted on, and ended once.

Whether one has expired is judged by whoever would begin it; here it is only written down.
"""

from __future__ import annotations

import functools

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping
from sqlalchemy.sql.dml import ReturningInsert

from messages.ledger import Command, CommandKind, CommandState, EventDraft, NewCommand
from messages.values import LegKey, Side
from storage import audit
from storage.database import Database, Insert, insert
from storage.tables import commands

_OPEN = tuple(state for state in CommandState if not state.final)


class Commands:
    """The ledger's methods about commands."""

    _db: Database

    async def store_command(self, new: NewCommand, *, event: EventDraft | None = None) -> Command:
        """Store a command and its event. A `request_id` that is there already is that command."""
        values = {
            "kind": new.kind,
            "account": new.key.account,
            "symbol": new.key.symbol,
            "side": new.key.side,
            "row_ids": new.row_ids,
            "expires_at": new.expires_at,
            "given_by": new.by,
            "why": new.why,
            "request_id": new.request_id,
            "given_at": self._db.now(),
            "state": CommandState.WAITING,
            "outcome": "",
        }

        def job(connection: Connection) -> Command:
            statement = _storing(insert(connection, commands))
            written = connection.execute(statement, values).mappings().one_or_none()
            if written is None:
                stored = sa.select(commands).where(commands.c.request_id == new.request_id)
                written = connection.execute(stored).mappings().one()
            elif event is not None:
                audit.append(connection, (event,))
            return _command(written)

        return await self._db.write(job)

    async def update_command(
        self,
        command_id: int,
        state: CommandState,
        outcome: str = "",
        *,
        event: EventDraft | None = None,
    ) -> Command:
        """Move a command on, with its event. Returns it as it is now.

        One that is final stays as it is, and one that has begun waits no more: then nothing is
        written, the event neither. Raises LookupError for a command that was never stored.
        """
        now = self._db.now()
        by_id = sa.select(commands).where(commands.c.id == command_id).with_for_update()

        def job(connection: Connection) -> Command:
            found = connection.execute(by_id).mappings().one_or_none()
            if found is None:
                raise LookupError(f"there is no command {command_id}")
            stored = _command(found)
            if stored.state.final or state in (stored.state, CommandState.WAITING):
                return stored
            changes: dict[str, object] = {"state": state, "outcome": outcome}
            changes["ended_at" if state.final else "begun_at"] = now
            statement = sa.update(commands).where(commands.c.id == command_id).values(**changes)
            written = connection.execute(statement.returning(commands)).mappings().one()
            if event is not None:
                audit.append(connection, (event,))
            return _command(written)

        return await self._db.write(job)

    async def commands(
        self,
        *,
        account: str | None = None,
        key: LegKey | None = None,
        command_id: int | None = None,
        open_only: bool = False,
    ) -> tuple[Command, ...]:
        """Commands that match, oldest first. `open_only`: not final, expired or not."""
        query = sa.select(commands).order_by(commands.c.id)
        if account is not None:
            query = query.where(commands.c.account == account)
        if key is not None:
            query = query.where(
                commands.c.account == key.account,
                commands.c.symbol == key.symbol,
                commands.c.side == key.side,
            )
        if command_id is not None:
            query = query.where(commands.c.id == command_id)
        if open_only:
            query = query.where(commands.c.state.in_(_OPEN))
        return await self._db.read(
            lambda connection: tuple(map(_command, connection.execute(query).mappings()))
        )


@functools.cache
def _storing(plain: Insert) -> ReturningInsert[tuple[object, ...]]:
    return plain.on_conflict_do_nothing(index_elements=[commands.c.request_id]).returning(commands)


def _command(row: RowMapping) -> Command:
    fields = dict(row)
    key = LegKey(fields.pop("account"), fields.pop("symbol"), Side(fields.pop("side")))
    fields["by"] = fields.pop("given_by")
    fields["kind"] = CommandKind(fields["kind"])
    fields["row_ids"] = tuple(fields["row_ids"])
    fields["state"] = CommandState(fields["state"])
    return Command(key=key, **fields)
