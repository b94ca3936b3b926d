"""What an aged leg's actor shows of itself, and what of that outlives it.

Each look reads the ledger again; only failures, and that an operator is needed, cannot be read
anywhere else, so they are kept there for the rows that they were about.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from actors import paths
from actors.context import Context
from actors.ledger_client import ask_ledger
from messages.ledger import AgedRecord, LedgerLeg
from messages.to_alerts import ResolveAlert
from messages.to_ledger import DropAged, ReadAged, SaveAged
from messages.values import LegKey
from rules.alerts import aged_keys


class AgedState(msgspec.Struct):
    """`status` is a word for people; `target` and `price` are in quote currency."""

    key: LegKey
    row_ids: tuple[int, ...] = ()
    status: str = "starting"
    phase: str = ""
    quantity: Decimal | None = None
    entry_price: Decimal | None = None
    opened_at: datetime | None = None
    target: Decimal | None = None
    price: Decimal | None = None
    verdict: str = ""
    failures: int = 0
    last_error: str = ""
    operator_needed: str = ""


class LegMemory:
    """The ledger's record of one aged leg."""

    def __init__(self, context: Context, key: LegKey) -> None:
        self._context = context
        self._key = key
        self._recalled = False

    async def recall(self, state: AgedState, leg: LedgerLeg) -> AgedState:
        """A new incarnation reads back what an earlier one knew of these rows.

        Other rows of the leg are another position, which nobody knows anything of yet.
        """
        if state.row_ids and not set(state.row_ids) & set(leg.row_ids):
            await self.forget("its rows are others now")
            state = AgedState(key=self._key)
        if self._recalled:
            return state
        record = await ask_ledger(self._context, ReadAged(key=self._key))
        if record is not None and set(record.row_ids) & set(leg.row_ids):
            state.failures = record.attempts
            state.operator_needed = record.operator_needed
        elif record is not None:
            await self.forget("its rows are others now")
        self._recalled = True
        return state

    async def remember(self, state: AgedState) -> None:
        """Keep what the next incarnation must know."""
        record = AgedRecord(
            key=self._key,
            row_ids=state.row_ids,
            phase=state.phase,
            attempts=state.failures,
            operator_needed=state.operator_needed,
            updated_at=self._context.now(),
        )
        await ask_ledger(self._context, SaveAged(record=record))

    async def forget(self, why: str) -> None:
        """Drop the leg's record and resolve its alerts."""
        await ask_ledger(self._context, DropAged(key=self._key))
        for dedup_key in aged_keys(self._key):
            self._context.tell(paths.ALERTS, ResolveAlert(dedup_key=dedup_key, resolution=why))
