"""Who each account is by its venue's word. One login is one account of an exchange, for good."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from messages.ledger import (
    AccountIdentity,
    EventDraft,
    IdentityDiffers,
    IdentityStored,
    IdentityTaken,
)
from storage import audit
from storage.database import Database, insert
from storage.tables import identities

# Two guards on one PostgreSQL may be told the same identity at once: one after the other.
IDENTITY_LOCK = 0x736578746F69


class Identities:
    """The ledger's methods about identities."""

    _db: Database

    async def store_identity(
        self,
        account: str,
        exchange: str,
        identity: str,
        *,
        replace: bool = False,
        event: EventDraft | None = None,
    ) -> IdentityStored | IdentityDiffers | IdentityTaken:
        """Note who the venue says an account is, unless that contradicts what is known.

        `replace`: a person says that the account is somebody else from now on. An identity that
        another account of the exchange has is never given to a second one. The event is written
        only where something was.
        """
        told = AccountIdentity(
            account=account, exchange=exchange, identity=identity, stored_at=self._db.now()
        )

        def job(connection: Connection) -> IdentityStored | IdentityDiffers | IdentityTaken:
            if connection.dialect.name == "postgresql":
                lock = sa.text("SELECT pg_advisory_xact_lock(:key)")
                connection.execute(lock, {"key": IDENTITY_LOCK})
            whose = sa.select(identities).where(
                identities.c.exchange == exchange, identities.c.identity == identity
            )
            owner = connection.execute(whose).one_or_none()
            if owner is not None and owner.account != account:
                return IdentityTaken(other=_identity(owner), told=identity)
            if owner is not None:
                return IdentityStored(identity=_identity(owner))
            known = sa.select(identities).where(identities.c.account == account)
            stored = connection.execute(known).one_or_none()
            if stored is not None and not replace:
                return IdentityDiffers(stored=_identity(stored), told=identity)
            _put(connection, told)
            if event is not None:
                audit.append(connection, (event,))
            return IdentityStored(identity=told)

        return await self._db.write(job)

    async def forget_identity(self, account: str, *, event: EventDraft | None = None) -> bool:
        """Free an account's identity for another name, when an account was renamed.

        Returns whether there was one; only then the event is written.
        """
        statement = sa.delete(identities).where(identities.c.account == account)

        def job(connection: Connection) -> bool:
            gone = connection.execute(statement).rowcount > 0
            if gone and event is not None:
                audit.append(connection, (event,))
            return gone

        return await self._db.write(job)

    async def identities(self) -> tuple[AccountIdentity, ...]:
        """Who each account is, as far as its venue has told, by account."""
        query = sa.select(identities).order_by(identities.c.account)
        return await self._db.read(
            lambda connection: tuple(map(_identity, connection.execute(query)))
        )


def _put(connection: Connection, told: AccountIdentity) -> None:
    values = {
        "exchange": told.exchange,
        "identity": told.identity,
        "stored_at": told.stored_at,
    }
    connection.execute(
        insert(connection, identities)
        .values(account=told.account, **values)
        .on_conflict_do_update(index_elements=[identities.c.account], set_=values)
    )


def _identity(row: Row[tuple[object, ...]]) -> AccountIdentity:
    return AccountIdentity(**row._mapping)
