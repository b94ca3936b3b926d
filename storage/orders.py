"""Intents: the durable record of each order, written before the order leaves."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping
from sqlalchemy.sql.dml import ReturningInsert

from messages.ledger import EventDraft, Intent, IntentState, Lease
from messages.values import ZERO, LegKey, Side
from messages.venue import OrderType
from storage import audit
from storage.columns import clean
from storage.database import Database, Insert, insert
from storage.tables import intents

_OPEN = tuple(state for state in IntentState if not state.final)
_BY_ID = sa.select(intents).where(intents.c.client_order_id == sa.bindparam("wanted"))
_ZERO = sa.bindparam("nothing", ZERO, intents.c.filled.type)
_LEG = sa.tuple_(intents.c.account, intents.c.symbol, intents.c.side)
_Wanted = tuple[str | None, LegKey | None]


def intent_of(row: RowMapping) -> Intent:
    fields = {name: value for name, value in row.items() if name != "seq"}
    key = LegKey(fields.pop("account"), fields.pop("symbol"), Side(fields.pop("side")))
    fields["row_ids"] = tuple(fields["row_ids"])
    fields["type"] = OrderType(fields["type"])
    fields["state"] = IntentState(fields["state"])
    return Intent(key=key, **fields)


def _values(intent: Intent) -> dict[str, object]:
    return {
        "client_order_id": intent.client_order_id,
        "account": intent.key.account,
        "symbol": intent.key.symbol,
        "side": intent.key.side,
        "purpose": intent.purpose,
        "row_ids": intent.row_ids,
        "attempt": intent.attempt,
        "type": intent.type,
        "quantity": intent.quantity,
        "seen_quantity": intent.seen_quantity,
        "created_at": intent.created_at,
        "price": intent.price,
        "trigger_price": intent.trigger_price,
        "hedged": intent.hedged,
        "phase": intent.phase,
        "state": intent.state,
        "order_id": intent.order_id,
        "filled": intent.filled,
        "average": intent.average,
        "fee": intent.fee,
        "error": intent.error,
        "settled_at": intent.settled_at,
        "booked": intent.booked,
    }


def put_intent(connection: Connection, intent: Intent) -> None:
    """Write an intent as it is now, whether or not its id is there already."""
    connection.execute(_upsert(insert(connection, intents)), _values(intent))


@functools.cache
def _upsert(plain: Insert) -> Insert:
    changes = {
        column.name: column
        for column in plain.excluded
        if column.name not in ("seq", "client_order_id")
    }
    return plain.on_conflict_do_update(index_elements=[intents.c.client_order_id], set_=changes)


@functools.cache
def _commit(plain: Insert) -> ReturningInsert[tuple[int]]:
    twin = [intents.c.client_order_id]
    return plain.on_conflict_do_nothing(index_elements=twin).returning(intents.c.seq)


class Intents:
    """The ledger's methods about intents."""

    _db: Database

    async def commit_intent(
        self, intent: Intent, *, event: EventDraft | None = None, lease: Lease | None = None
    ) -> Intent:
        """Store an intent so that it survives a power cut. The stored one is returned.

        Where its client order id is there already, nothing changes and the older twin is
        returned: whoever asks learns what has become of it.
        """

        def job(connection: Connection) -> Intent:
            statement = _commit(insert(connection, intents))
            if connection.execute(statement, _values(intent)).scalar_one_or_none() is not None:
                if event is not None:
                    audit.append(connection, (event,))
                return intent
            stored = connection.execute(_BY_ID, {"wanted": intent.client_order_id})
            return intent_of(stored.mappings().one())

        return await self._db.write(job, lease=lease, urgent=True)

    async def update_intent(
        self, intent: Intent, *, event: EventDraft | None = None, lease: Lease | None = None
    ) -> None:
        """Write what has become of a committed intent. One in its final state stays as it is.

        Of two who followed the same order, the slower one would undo what the other has found
        out, or what has been booked since. The event is written in any case.

        Raises LookupError for one that was never committed: that is a bug of the caller's.
        """

        def job(connection: Connection) -> None:
            found = connection.execute(_BY_ID, {"wanted": intent.client_order_id}).mappings()
            stored = found.one_or_none()
            if stored is None:
                raise LookupError(f"intent {intent.client_order_id} was never committed")
            if not intent_of(stored).state.final:
                put_intent(connection, intent)
            if event is not None:
                audit.append(connection, (event,))

        await self._db.write(job, lease=lease, urgent=True)

    async def intent(self, client_order_id: str) -> Intent | None:
        """One intent by its client order id."""

        def job(connection: Connection) -> Intent | None:
            row = connection.execute(_BY_ID, {"wanted": client_order_id}).mappings().one_or_none()
            return None if row is None else intent_of(row)

        return await self._db.read(job)

    async def intents(
        self,
        *,
        account: str | None = None,
        key: LegKey | None = None,
        open_only: bool = False,
        unbooked_only: bool = False,
    ) -> tuple[Intent, ...]:
        """Intents that match, oldest first.

        `open_only`: not final. `unbooked_only`: not booked, and either not final or filled at
        least in part; so a final one that filled nothing is not shown.
        """
        kind = ("intents", open_only, unbooked_only)
        return await self._db.read_shared(
            kind,
            (account, key),
            functools.partial(_matching, open_only=open_only, unbooked_only=unbooked_only),
        )


def _matching(
    connection: Connection, wanted: Sequence[_Wanted], *, open_only: bool, unbooked_only: bool
) -> dict[_Wanted, tuple[Intent, ...]]:
    """What each asker wants: of all legs by one query, of accounts and of all by one each."""
    query = sa.select(intents).order_by(intents.c.seq)
    if open_only:
        query = query.where(intents.c.state.in_(_OPEN))
    if unbooked_only:
        query = query.where(
            intents.c.booked == sa.false(),
            sa.or_(intents.c.state.in_(_OPEN), intents.c.filled != _ZERO),
        )
    legs = {_leg(key) for _, key in wanted if key is not None}
    by_leg: dict[tuple[str, str, str], list[Intent]] = {leg: [] for leg in legs}
    if legs:
        for intent in _found(connection, query.where(_LEG.in_(sorted(legs)))):
            by_leg[_leg(intent.key)].append(intent)
    answers: dict[_Wanted, tuple[Intent, ...]] = {}
    for account, key in wanted:
        if key is not None:
            of_leg = by_leg[_leg(key)]
            mine = tuple(it for it in of_leg if account is None or it.key.account == clean(account))
            answers[account, key] = mine
        elif account is not None:
            answers[account, key] = _found(connection, query.where(intents.c.account == account))
        else:
            answers[account, key] = _found(connection, query)
    return answers


def _leg(key: LegKey) -> tuple[str, str, str]:
    """A leg as its columns hold it."""
    return clean(key.account), clean(key.symbol), key.side.value


def _found(connection: Connection, query: sa.Select[tuple[object, ...]]) -> tuple[Intent, ...]:
    return tuple(map(intent_of, connection.execute(query).mappings()))
