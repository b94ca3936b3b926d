"""The ledger actor: sole writer of the database, one message after the other.

It knows no rule and makes no decision: each request is one transaction of `storage`. An outage
of the database is waited out here and nowhere else: whoever asks simply gets the answer later,
so no order can leave before its intent is committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from actors.runtime import Actor, handles
from messages.ledger import (
    AgedRecord,
    Alert,
    AlertRaised,
    ClosedRows,
    Event,
    Intent,
    OrphanRecord,
    PositionRow,
)
from messages.requests import (
    ActiveRows,
    AddPosition,
    AppendEvent,
    CloseRows,
    CommitIntent,
    Count,
    CountOrphanActions,
    Done,
    DropAged,
    DropOrphan,
    FindAlerts,
    FindEvents,
    FindIntents,
    FindRows,
    ReadAged,
    ReadCounters,
    ReadOrphans,
    SaveAged,
    SaveOrphan,
    SetHeld,
    SetStop,
    StoreAck,
    StoreAlert,
    StoreReminder,
    StoreResolution,
    UpdateIntent,
)
from storage import Ledger, LedgerUnavailable

T = TypeVar("T")

RETRY_FIRST = 0.2
RETRY_LAST = 5.0


class LedgerState(msgspec.Struct):
    """`outages` counts how often the database was lost; `why` is the last reason."""

    available: bool = True
    outages: int = 0
    why: str = ""
    writes: int = 0


class LedgerActor(Actor[LedgerState]):
    """Carries every read and write of the guard to the database, in order."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(LedgerState())
        self._ledger = ledger

    async def _through(self, work: Callable[[], Awaitable[T]]) -> T:
        delay = RETRY_FIRST
        while True:
            # An outage of the database is the outside world's doing, and waiting for it here
            # keeps every other actor free of it; each transaction may be repeated safely.
            try:
                result = await work()
            except LedgerUnavailable as outage:
                if self.state.available:
                    self.state.outages += 1
                    self.log.error("Ledger unavailable, holding all writes: {}", outage)
                self.state.available = False
                self.state.why = str(outage)
                await asyncio.sleep(delay)
                delay = min(delay * 2, RETRY_LAST)
                continue
            if not self.state.available:
                self.log.info("Ledger available again")
            self.state.available = True
            self.state.writes += 1
            return result

    @handles
    async def active_rows(self, message: ActiveRows) -> tuple[PositionRow, ...]:
        return await self._through(lambda: self._ledger.active_rows(message.account))

    @handles
    async def find_rows(self, message: FindRows) -> tuple[PositionRow, ...]:
        return await self._through(
            lambda: self._ledger.rows(
                account=message.account,
                symbol=message.symbol,
                status=message.status,
                limit=message.limit,
            )
        )

    @handles
    async def add_position(self, message: AddPosition) -> PositionRow:
        row = await self._through(lambda: self._ledger.add_position(message.new))
        event = message.event
        if event is not None:
            await self._through(lambda: self._ledger.append_event(event))
        return row

    @handles
    async def close_rows(self, message: CloseRows) -> ClosedRows:
        return await self._through(
            lambda: self._ledger.close_rows(
                message.closes,
                event=message.event,
                alert=message.alert,
                settles=message.settles,
                counters=message.counters,
            )
        )

    @handles
    async def set_held(self, message: SetHeld) -> Done:
        await self._through(
            lambda: self._ledger.set_held(message.row_ids, message.held, event=message.event)
        )
        return Done()

    @handles
    async def set_stop(self, message: SetStop) -> Done:
        await self._through(lambda: self._ledger.set_stop(message.row_ids, message.price))
        return Done()

    @handles
    async def commit_intent(self, message: CommitIntent) -> Intent:
        return await self._through(
            lambda: self._ledger.commit_intent(message.intent, event=message.event)
        )

    @handles
    async def update_intent(self, message: UpdateIntent) -> Done:
        await self._through(lambda: self._ledger.update_intent(message.intent, event=message.event))
        return Done()

    @handles
    async def find_intents(self, message: FindIntents) -> tuple[Intent, ...]:
        return await self._through(
            lambda: self._ledger.intents(
                account=message.account,
                key=message.key,
                open_only=message.open_only,
                unbooked_only=message.unbooked_only,
            )
        )

    @handles
    async def append_event(self, message: AppendEvent) -> Done:
        await self._through(lambda: self._ledger.append_event(message.draft))
        return Done()

    @handles
    async def find_events(self, message: FindEvents) -> tuple[Event, ...]:
        return await self._through(
            lambda: self._ledger.events(
                account=message.account,
                symbol=message.symbol,
                kind=message.kind,
                after_seq=message.after_seq,
                limit=message.limit,
                newest_first=message.newest_first,
            )
        )

    @handles
    async def count(self, message: Count) -> None:
        await self._through(lambda: self._ledger.bump(message.account, message.counters))

    @handles
    async def read_counters(self, message: ReadCounters) -> dict[str, dict[str, int]]:
        return await self._through(self._ledger.counters)

    @handles
    async def read_aged(self, message: ReadAged) -> AgedRecord | None:
        return await self._through(lambda: self._ledger.aged_record(message.key))

    @handles
    async def save_aged(self, message: SaveAged) -> Done:
        await self._through(lambda: self._ledger.save_aged(message.record))
        return Done()

    @handles
    async def drop_aged(self, message: DropAged) -> Done:
        await self._through(lambda: self._ledger.drop_aged(message.key))
        return Done()

    @handles
    async def read_orphans(self, message: ReadOrphans) -> tuple[OrphanRecord, ...]:
        return await self._through(lambda: self._ledger.orphan_records(message.account))

    @handles
    async def save_orphan(self, message: SaveOrphan) -> Done:
        await self._through(lambda: self._ledger.save_orphan(message.record))
        return Done()

    @handles
    async def drop_orphan(self, message: DropOrphan) -> Done:
        await self._through(lambda: self._ledger.drop_orphan(message.key))
        return Done()

    @handles
    async def count_orphan_actions(self, message: CountOrphanActions) -> int:
        return await self._through(
            lambda: self._ledger.orphan_actions_since(message.account, message.since)
        )

    @handles
    async def store_alert(self, message: StoreAlert) -> AlertRaised:
        return await self._through(lambda: self._ledger.raise_alert(message.draft))

    @handles
    async def find_alerts(self, message: FindAlerts) -> tuple[Alert, ...]:
        if message.open_only:
            return await self._through(lambda: self._ledger.open_alerts(account=message.account))
        return await self._through(lambda: self._ledger.alerts(limit=message.limit))

    @handles
    async def store_resolution(self, message: StoreResolution) -> Alert | None:
        return await self._through(
            lambda: self._ledger.resolve_alert(message.dedup_key, message.resolution)
        )

    @handles
    async def store_ack(self, message: StoreAck) -> Alert | None:
        return await self._through(lambda: self._ledger.ack_alert(message.alert_id, message.by))

    @handles
    async def store_reminder(self, message: StoreReminder) -> Done:
        await self._through(lambda: self._ledger.reminded_alert(message.alert_id))
        return Done()
