"""Orphans and naked positions: what is open at the venue and known to nobody, or to no stop.

Each is alerted once when found and resolved when it ends; what else may be done about an orphan
is the account's policy, which the rules apply. What was done is durable, so a restart neither
repeats an alert nor an action.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from actors import paths
from actors.bookkeeping import ask_ledger, note
from actors.naked import NakedWatch
from actors.orphan_policy import carry_out
from actors.pace import first_wait
from actors.runtime import Actor, AskFailed, handles
from actors.views import Blind, Differences, View, differences
from messages.ledger import AlertDraft, AlertLevel, AlertType, OrphanRecord
from messages.requests import (
    CountOrphanActions,
    DropOrphan,
    FindOpening,
    LookAt,
    RaiseAlert,
    ReadOrphans,
    ReadProtection,
    ResolveAlert,
    SaveOrphan,
    ScanNow,
    ScanReport,
)
from messages.settings import AccountSettings, OrphanPolicy, Settings
from messages.values import LegKey
from messages.venue import Protection, VenueError, VenueErrorKind, VenuePosition
from rules.orphans import orphan_action
from rules.protection import Cover, Coverage, coverage

NOT_READY_RETRY = timedelta(seconds=1)


class Scan(msgspec.Struct, frozen=True):
    """Sent to itself: look for orphans and naked positions."""


class OrphansState(msgspec.Struct):
    account: str
    scans: int = 0
    orphans: list[str] = []
    naked: list[str] = []
    actions: int = 0
    last_problem: str = ""


class Orphans(Actor[OrphansState]):
    """One account's orphan monitor."""

    def __init__(self, account: AccountSettings, settings: Settings) -> None:
        super().__init__(OrphansState(account=account.name))
        self._account = account
        self._settings = settings
        self._known: dict[LegKey, OrphanRecord] | None = None
        self._undatable: set[LegKey] = set()
        self._went_round = False
        self._naked = NakedWatch(self, account.name, settings.verdict.settle)

    def on_start(self) -> None:
        self.tell_self(Scan())

    @handles
    async def scan(self, message: Scan) -> None:
        report = await self._scan()
        every = self._settings.orphans.every
        if report.problem and self.state.scans == 0:
            self.after(min(NOT_READY_RETRY, every), Scan())
            return
        self.after(every if self._went_round else first_wait(self._account.name, every), Scan())
        self._went_round = True

    @handles
    async def scan_now(self, message: ScanNow) -> ScanReport:
        return await self._scan(self.now())

    @handles
    async def look_at(self, message: LookAt) -> None:
        """The stream says that a leg was opened or ended: scan now, by a read after that."""
        await self._scan(self.now())

    async def _scan(self, not_before: datetime | None = None) -> ScanReport:
        known = await self._recall()
        found = await differences(
            self,
            self._account.name,
            self._settings.verdict.confirm_after,
            not_before=not_before,
        )
        if isinstance(found, Blind):
            self.state.last_problem = found.why
            return ScanReport(problem=found.why, errors=1)
        protection = await self._protection(found.view)
        acted = 0
        for position in found.orphans:
            acted += await self._orphan(position, protection, found.view)
        await self._ended(found, known)
        self.state.naked = list(await self._naked.look(found.view, protection))
        self.state.scans += 1
        self.state.orphans = sorted(str(p.key) for p in found.orphans)
        self.state.last_problem = "; ".join(str(p) for p in found.view.snapshot.problems)
        self.log.info(
            "Orphan scan complete: positions={} orphans={} naked={}",
            len(found.view.snapshot.positions),
            len(found.orphans),
            len(self.state.naked),
        )
        return ScanReport(
            checked=len(found.view.snapshot.positions),
            found=len(found.orphans),
            acted=acted,
            problem=self.state.last_problem,
        )

    async def _recall(self) -> dict[LegKey, OrphanRecord]:
        if self._known is None:
            records = await ask_ledger(self, ReadOrphans(account=self._account.name))
            self._known = {record.key: record for record in records}
        return self._known

    async def _protection(self, view: View) -> Protection:
        symbols = tuple(sorted({p.key.symbol for p in view.snapshot.positions}))
        if not symbols:
            return Protection(started_at=self.now())
        answer = await self.attempt(
            paths.exchange(self._account.name), ReadProtection(symbols=symbols), timeout=60.0
        )
        if isinstance(answer, AskFailed):
            # Cannot check is not missing.
            problem = VenueError(kind=VenueErrorKind.NETWORK, message=answer.why)
            return Protection(started_at=self.now(), problems=(problem,))
        return answer

    # --- orphans --------------------------------------------------------------------------------

    async def _orphan(self, position: VenuePosition, protection: Protection, view: View) -> int:
        """Report a new orphan and apply the policy. Returns how many actions were taken."""
        known = await self._recall()
        key = position.key
        record = known.get(key)
        instrument = view.markets.instruments[key.symbol]
        cover = coverage(position, protection, step=instrument.quantity_step)
        if record is None:
            record = OrphanRecord(key=key, first_seen_at=self.now())
            await self._announce(position, cover)
        elif record.action:
            return 0
        actions = await ask_ledger(
            self, CountOrphanActions(account=key.account, since=self.now() - timedelta(hours=1))
        )
        position = await self._dated(position, view)
        decided = orphan_action(
            position,
            cover,
            self._account,
            actions,
            self._settings.mode,
            ledger_doubt=view.ledger.nameless,
        )
        done = await carry_out(self, decided, position, view, self._account.protect_distance)
        if done:
            record = msgspec.structs.replace(record, action=done, acted_at=self.now())
            self.state.actions += 1
        known[key] = record
        await ask_ledger(self, SaveOrphan(record=record))
        return 1 if done else 0

    async def _dated(self, position: VenuePosition, view: View) -> VenuePosition:
        """For adoption, with the instant of its opening where the venue's fills tell it."""
        key = position.key
        if (
            self._account.orphans is not OrphanPolicy.ADOPT
            or position.opened_at is not None
            or key in self._undatable
        ):
            return position
        answer = await self.attempt(
            paths.exchange(key.account),
            FindOpening(position=position, seen_at=view.snapshot.started_at),
            timeout=120.0,
        )
        if isinstance(answer, AskFailed):
            return position
        if answer.at is None:
            self.log.warning("When {} was opened is not known: {}", key, answer.why)
            if not answer.failed:
                # What 90 days do not show, the next scan will not find either.
                self._undatable.add(key)
        return msgspec.structs.replace(position, opened_at=answer.at)

    async def _announce(self, position: VenuePosition, cover: Coverage) -> None:
        key = position.key
        stop = _stop_text(cover)
        details: dict[str, object] = {
            "exchange": self._account.exchange,
            "symbol": key.symbol,
            "side": key.side.value,
            "contracts": str(position.contracts),
            "quantity": str(position.quantity),
            "entry_price": _text(position.entry_price),
            "mark_price": _text(position.mark_price),
            "unrealized_pnl": _text(position.unrealized_pnl),
            "leverage": _text(position.leverage),
            "liquidation_price": _text(position.liquidation_price),
            "stop_loss": stop,
            "detected_at": self.now().isoformat(),
        }
        self.log.critical(
            "ORPHANED POSITION DETECTED: {} {} at {}, {}",
            key,
            position.quantity,
            position.entry_price,
            stop,
        )
        await self._note("orphan_detected", key, **details)
        self.tell(
            paths.ALERTS,
            RaiseAlert(
                draft=AlertDraft(
                    type=AlertType.ORPHANED_POSITION,
                    level=AlertLevel.CRITICAL,
                    dedup_key=_orphan_key(key),
                    title=f"ORPHANED POSITION DETECTED: {key}",
                    account=key.account,
                    symbol=key.symbol,
                    side=key.side.value,
                    seen=f"{position.quantity} open at {position.entry_price}, {stop}; "
                    "no ledger row knows it",
                    done=f"the account's policy for orphans is {self._account.orphans}",
                    next_step="add it to the ledger, or close it",
                    details=details,
                )
            ),
        )

    async def _ended(self, found: Differences, known: dict[LegKey, OrphanRecord]) -> None:
        """Orphans that are orphans no more: gone from the venue, or known to the ledger."""
        now = {p.key for p in found.view.comparison.orphans}
        doubtful = {p.key for p in found.view.comparison.doubtful}
        for key in [k for k in known if k not in now and k not in doubtful]:
            if key in found.view.ledger.legs:
                resolution = "the ledger knows it now"
            elif found.view.snapshot.complete and found.view.snapshot.find(key) is None:
                resolution = "it is no longer on the exchange"
            else:
                continue
            self.log.info("Orphan {} resolved: {}", key, resolution)
            await self._note("orphan_resolved", key, resolution=resolution)
            await ask_ledger(self, DropOrphan(key=key))
            del known[key]
            self._undatable.discard(key)
            for dedup_key in (_orphan_key(key), f"orphan_action:{key}"):
                self.tell(paths.ALERTS, ResolveAlert(dedup_key=dedup_key, resolution=resolution))

    async def _note(self, kind: str, key: LegKey, **details: object) -> None:
        details.pop("symbol", None)
        details.pop("side", None)
        await note(self, kind, key, details)


def _stop_text(cover: Coverage) -> str:
    match cover.level:
        case Cover.COVERED:
            return f"stop loss {cover.stop_price}"
        case Cover.PARTLY:
            return f"stop loss {cover.stop_price} for {cover.quantity} only"
        case Cover.NAKED:
            return "NO STOP LOSS"
        case Cover.CANNOT_TELL:
            return "stops cannot be read"


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)


def _orphan_key(key: LegKey) -> str:
    return f"orphan:{key}"
