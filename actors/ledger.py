"""The ledger actor: sole writer of the database, in the order in which it is asked.

It knows no rule and makes no decision: each request is one method of `storage`. An outage of the
database is waited out in `actors.ledger_access` and nowhere else: whoever asks simply gets the
answer later, so no order can leave before its intent is committed.
"""

from __future__ import annotations

from actors import paths
from actors.ledger_access import LedgerAccess, UnderWay
from actors.runtime import DeferredReply, WorkerDone, handles
from actors.source_reader import SourceReader
from messages.base import Done
from messages.ledger import (
    AccountIdentity,
    AgedRecord,
    Alert,
    AlertRaised,
    BookedFill,
    ClosedRows,
    Command,
    Delivery,
    Event,
    HeldBy,
    IdentityDiffers,
    IdentityStored,
    IdentityTaken,
    Intent,
    LastSeen,
    Lease,
    LedgerReplaced,
    OrphanRecord,
    PositionRow,
    RowStatus,
)
from messages.settings import Mode, Settings
from messages.to_bot import StillOpen
from messages.to_exchange import GetMarkets, Markets
from messages.to_ledger import (
    AcquireLease,
    ActiveRows,
    AddPosition,
    AppendEvent,
    CheckLedgerFile,
    CloseRows,
    CommitIntent,
    Count,
    CountOrphanActions,
    DropAged,
    DropOrphan,
    FindAlerts,
    FindBookedFills,
    FindClosedSince,
    FindCommands,
    FindEvents,
    FindEventSymbols,
    FindIdentities,
    FindIntents,
    FindLastSeen,
    FindRows,
    ForgetIdentity,
    GetLedgerId,
    NoteDelivered,
    NoteDeliveryFailed,
    PendingDeliveries,
    Pruned,
    PruneEvents,
    ReadAged,
    ReadCounters,
    ReadOrphans,
    ReadSource,
    Reconfigure,
    ReleaseLease,
    RenewLease,
    SaveAged,
    SaveLastSeen,
    SaveOrphan,
    SetHeld,
    SetStop,
    StoreAck,
    StoreAlert,
    StoreCommand,
    StoreIdentity,
    StoreReminder,
    StoreResolution,
    UpdateCommand,
    UpdateIntent,
)
from storage import Ledger, LedgerUnavailable
from storage.sources import Source


class LedgerActor(LedgerAccess):
    """Carries every read and write of the guard to the database, in order.

    A write of an account's actors carries its lease: once another guard has the
    account such a write is refused, and its asker, who is about to be stopped, gets no answer.
    `channels` are the names of those that notices of alerts are queued for. With a `source` the
    positions are another program's: they are read before each answer about what is open.
    """

    def __init__(
        self,
        ledger: Ledger,
        leases: dict[str, Lease],
        channels: tuple[str, ...] = (),
        source: Source | None = None,
        settings: Settings | None = None,
        under_way: UnderWay | None = None,
    ) -> None:
        super().__init__(ledger, leases, under_way)
        # Before anything is written: notices are queued with what they tell of.
        ledger.use_channels(channels)
        self._accounts = tuple(account.name for account in settings.accounts) if settings else ()
        self._source_reader: SourceReader | None = None
        self._bot_listens = False
        if source is not None:
            acts = settings is not None and settings.mode is Mode.ENFORCE
            self._bot_listens = acts and source.settings.api is not None
            self._source_reader = SourceReader(
                source,
                ledger,
                write_back=acts,
                markets=self._markets,
                tell_bot=self._tell_bot if self._bot_listens else None,
            )

    @handles
    async def active_rows(self, message: ActiveRows) -> DeferredReply[tuple[PositionRow, ...]]:
        if self._source_reader is None:
            return await self._through(lambda: self._ledger.active_rows(message.account))
        answer: DeferredReply[tuple[PositionRow, ...]] = self.later()
        self._source_reader.asked(message.account, answer)
        self._follow(self._source_reader)
        return answer

    @handles
    def read_source(self, message: ReadSource) -> None:
        if self._source_reader is not None:
            self._source_reader.wanted()
            self._follow(self._source_reader)

    def _tell_bot(self, trades: tuple[int, ...]) -> None:
        self.tell(paths.BOT, StillOpen(trades))

    def _follow(self, reader: SourceReader) -> None:
        if reader.begin():
            self.work(reader.read(), reader, name="source")

    @handles
    def worked(self, message: WorkerDone) -> None:
        """A worker has finished: answer whoever waited for it."""
        if isinstance(message.tag, SourceReader):
            message.tag.done()
            self._follow(message.tag)
        elif isinstance(message.tag, DeferredReply):
            message.tag.set(message.result)

    @handles
    def prune_events(self, message: PruneEvents) -> DeferredReply[Pruned]:
        answer: DeferredReply[Pruned] = self.later()
        self.work(self._pruned(message), answer, name="retention")
        return answer

    async def _pruned(self, message: PruneEvents) -> Pruned:
        # A full or read-only disk is to be expected: the events stay, and an alert says so.
        try:
            removed = await self._ledger.prune(message.older_than, message.export)
        except (LedgerUnavailable, OSError) as error:
            return Pruned(problem=str(error))
        return Pruned(removed=removed)

    async def _markets(self) -> dict[str, Markets]:
        answers = {
            name: await self.attempt(paths.exchange(name), GetMarkets()) for name in self._accounts
        }
        return {name: found for name, found in answers.items() if isinstance(found, Markets)}

    @handles
    async def find_rows(self, message: FindRows) -> DeferredReply[tuple[PositionRow, ...]]:
        return await self._through(lambda: self._found(message))

    async def _found(self, message: FindRows) -> tuple[PositionRow, ...]:
        if message == FindRows(account=message.account, status=RowStatus.ACTIVE):
            # Views ask for these each second: of what is as it was, nothing is decoded again.
            return (await self._ledger.active_rows(message.account))[::-1]
        return await self._ledger.rows(
            account=message.account,
            symbol=message.symbol,
            status=message.status,
            limit=message.limit,
        )

    @handles
    async def add_position(self, message: AddPosition) -> DeferredReply[PositionRow]:
        return await self._fenced(
            message.new.account,
            lambda lease: self._ledger.add_position(message.new, event=message.event, lease=lease),
        )

    @handles
    async def close_rows(self, message: CloseRows) -> DeferredReply[ClosedRows]:
        async def close(lease: Lease | None) -> ClosedRows:
            closed = await self._ledger.close_rows(
                message.closes,
                event=message.event,
                alert=message.alert,
                settles=message.settles,
                counters=message.counters,
                lease=lease,
            )
            if self._bot_listens and message.settles:
                # What our own orders have ended is told to the bot at once, not at a later read.
                self.tell_self(ReadSource())
            return closed

        return await self._fenced(message.account, close)

    @handles
    async def set_held(self, message: SetHeld) -> DeferredReply[Done]:
        return await self._done(
            lambda: self._ledger.set_held(message.row_ids, message.held, event=message.event)
        )

    @handles
    async def set_stop(self, message: SetStop) -> DeferredReply[Done]:
        return await self._done(lambda: self._ledger.set_stop(message.row_ids, message.price))

    @handles
    async def commit_intent(self, message: CommitIntent) -> DeferredReply[Intent]:
        return await self._fenced(
            message.intent.key.account,
            lambda lease: self._ledger.commit_intent(
                message.intent, event=message.event, lease=lease
            ),
        )

    @handles
    async def update_intent(self, message: UpdateIntent) -> DeferredReply[Done]:
        return await self._done(
            lambda: self._ledger.update_intent(message.intent, event=message.event)
        )

    @handles
    async def find_intents(self, message: FindIntents) -> DeferredReply[tuple[Intent, ...]]:
        return await self._through(
            lambda: self._ledger.intents(
                account=message.account,
                key=message.key,
                open_only=message.open_only,
                unbooked_only=message.unbooked_only,
            )
        )

    @handles
    async def find_last_seen(self, message: FindLastSeen) -> DeferredReply[tuple[LastSeen, ...]]:
        return await self._through(lambda: self._ledger.last_seen(message.account))

    @handles
    async def save_last_seen(self, message: SaveLastSeen) -> DeferredReply[Done]:
        return await self._written(
            message.account,
            lambda lease: self._ledger.save_last_seen(message.account, message.seen, lease=lease),
        )

    @handles
    async def find_booked_fills(
        self, message: FindBookedFills
    ) -> DeferredReply[tuple[BookedFill, ...]]:
        return await self._through(lambda: self._ledger.booked_fills(message.key, message.since))

    @handles
    async def find_closed_since(
        self, message: FindClosedSince
    ) -> DeferredReply[tuple[PositionRow, ...]]:
        return await self._through(
            lambda: self._ledger.closed_since(message.account, message.since)
        )

    @handles
    async def store_identity(
        self, message: StoreIdentity
    ) -> DeferredReply[IdentityStored | IdentityDiffers | IdentityTaken]:
        return await self._through(
            lambda: self._ledger.store_identity(
                message.account,
                message.exchange,
                message.identity,
                replace=message.replace,
                event=message.event,
            )
        )

    @handles
    async def forget_identity(self, message: ForgetIdentity) -> DeferredReply[bool]:
        return await self._through(
            lambda: self._ledger.forget_identity(message.account, event=message.event)
        )

    @handles
    async def find_identities(
        self, message: FindIdentities
    ) -> DeferredReply[tuple[AccountIdentity, ...]]:
        return await self._through(self._ledger.identities)

    @handles
    async def store_command(self, message: StoreCommand) -> DeferredReply[Command]:
        return await self._through(
            lambda: self._ledger.store_command(message.command, event=message.event)
        )

    @handles
    async def find_commands(self, message: FindCommands) -> DeferredReply[tuple[Command, ...]]:
        return await self._through(
            lambda: self._ledger.commands(
                account=message.account,
                key=message.key,
                command_id=message.command_id,
                open_only=message.open_only,
            )
        )

    @handles
    async def update_command(self, message: UpdateCommand) -> DeferredReply[Command]:
        return await self._through(
            lambda: self._ledger.update_command(
                message.command_id, message.state, message.outcome, event=message.event
            )
        )

    @handles
    def get_ledger_id(self, message: GetLedgerId) -> str:
        return self._ledger.ledger_id

    @handles
    async def check_ledger_file(
        self, message: CheckLedgerFile
    ) -> DeferredReply[LedgerReplaced | None]:
        return await self._through(self._ledger.still_the_same_file)

    @handles
    async def append_event(self, message: AppendEvent) -> DeferredReply[Done]:
        return await self._written(
            message.draft.account,
            lambda lease: self._ledger.append_event(message.draft, lease=lease),
        )

    @handles
    async def find_events(self, message: FindEvents) -> DeferredReply[tuple[Event, ...]]:
        return await self._through(
            lambda: self._ledger.events(
                account=message.account,
                symbol=message.symbol,
                kind=message.kind,
                after_seq=message.after_seq,
                since=message.since,
                limit=message.limit,
                newest_first=message.newest_first,
            )
        )

    @handles
    async def find_event_symbols(self, message: FindEventSymbols) -> DeferredReply[tuple[str, ...]]:
        return await self._through(self._ledger.event_symbols)

    @handles
    async def count(self, message: Count) -> DeferredReply[None]:
        return await self._through(lambda: self._ledger.bump(message.account, message.counters))

    @handles
    async def read_counters(
        self, message: ReadCounters
    ) -> DeferredReply[dict[str, dict[str, int]]]:
        return await self._through(self._ledger.counters)

    @handles
    async def read_aged(self, message: ReadAged) -> DeferredReply[AgedRecord | None]:
        return await self._through(lambda: self._ledger.aged_record(message.key))

    @handles
    async def save_aged(self, message: SaveAged) -> DeferredReply[Done]:
        return await self._written(
            message.record.key.account,
            lambda lease: self._ledger.save_aged(message.record, lease=lease),
        )

    @handles
    async def drop_aged(self, message: DropAged) -> DeferredReply[Done]:
        return await self._written(
            message.key.account,
            lambda lease: self._ledger.drop_aged(message.key, lease=lease),
        )

    @handles
    async def read_orphans(self, message: ReadOrphans) -> DeferredReply[tuple[OrphanRecord, ...]]:
        return await self._through(lambda: self._ledger.orphan_records(message.account))

    @handles
    async def save_orphan(self, message: SaveOrphan) -> DeferredReply[Done]:
        return await self._written(
            message.record.key.account,
            lambda lease: self._ledger.save_orphan(message.record, lease=lease),
        )

    @handles
    async def drop_orphan(self, message: DropOrphan) -> DeferredReply[Done]:
        return await self._written(
            message.key.account,
            lambda lease: self._ledger.drop_orphan(message.key, lease=lease),
        )

    @handles
    async def count_orphan_actions(self, message: CountOrphanActions) -> DeferredReply[int]:
        return await self._through(
            lambda: self._ledger.orphan_actions_since(message.account, message.since)
        )

    @handles
    async def store_alert(self, message: StoreAlert) -> DeferredReply[AlertRaised]:
        return await self._through(lambda: self._ledger.raise_alert(message.draft))

    @handles
    async def find_alerts(self, message: FindAlerts) -> DeferredReply[tuple[Alert, ...]]:
        if message.open_only:
            return await self._through(lambda: self._ledger.open_alerts(account=message.account))
        return await self._through(lambda: self._ledger.alerts(limit=message.limit))

    @handles
    async def store_resolution(self, message: StoreResolution) -> DeferredReply[Alert | None]:
        return await self._through(
            lambda: self._ledger.resolve_alert(message.dedup_key, message.resolution)
        )

    @handles
    async def store_ack(self, message: StoreAck) -> DeferredReply[Alert | None]:
        return await self._through(lambda: self._ledger.ack_alert(message.alert_id, message.by))

    @handles
    async def store_reminder(self, message: StoreReminder) -> DeferredReply[Done]:
        return await self._done(lambda: self._ledger.reminded_alert(message.alert_id))

    @handles
    async def pending_deliveries(
        self, message: PendingDeliveries
    ) -> DeferredReply[tuple[Delivery, ...]]:
        return await self._through(
            lambda: self._ledger.pending_deliveries(message.limit, channel=message.channel)
        )

    @handles
    async def note_delivered(self, message: NoteDelivered) -> DeferredReply[Done]:
        return await self._done(
            lambda: self._ledger.delivered(message.delivery_id, message.channel)
        )

    @handles
    async def note_delivery_failed(self, message: NoteDeliveryFailed) -> DeferredReply[Done]:
        return await self._done(
            lambda: self._ledger.delivery_failed(message.delivery_id, message.channel, message.why)
        )

    @handles
    def reconfigure(self, message: Reconfigure) -> Done:
        self._ledger.use_channels(message.channels)
        self._accounts = message.accounts
        return Done()

    @handles
    async def acquire_lease(self, message: AcquireLease) -> DeferredReply[Lease | HeldBy]:
        async def acquired() -> Lease | HeldBy:
            answer = await self._ledger.acquire_lease(
                message.account, message.holder, message.duration
            )
            if isinstance(answer, Lease):
                self._leases[message.account] = answer
            return answer

        return await self._through(acquired)

    @handles
    async def renew_lease(self, message: RenewLease) -> DeferredReply[Lease | None] | None:
        lease = self._leases.get(message.account)
        if lease is None:
            return None

        async def renewed() -> Lease | None:
            longer = await self._ledger.renew_lease(lease, message.duration)
            # One that was released or taken anew meanwhile stays as it is.
            if longer is not None and self._leases.get(message.account) == lease:
                self._leases[message.account] = longer
            # A lost lease is kept: while the account's actors stop, it refuses their writes.
            return longer

        return await self._through(renewed)

    @handles
    async def release_lease(self, message: ReleaseLease) -> Done | DeferredReply[Done]:
        lease = self._leases.pop(message.account, None)
        if lease is None:
            return Done()
        return await self._done(lambda: self._ledger.release_lease(lease))
