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
from actors.records import event
from actors.runtime import Actor, AskFailed, handles
from actors.views import READ_TIMEOUT, Blind, Differences, View, differences
from messages.ledger import AlertDraft, AlertLevel, AlertType, NewPosition, OrphanRecord
from messages.requests import (
    AddPosition,
    AppendEvent,
    CloseLeg,
    CountOrphanActions,
    DropOrphan,
    LookAt,
    PlaceStop,
    RaiseAlert,
    ReadOrphans,
    ReadPositions,
    ReadProtection,
    ResolveAlert,
    SaveOrphan,
    ScanNow,
    ScanReport,
)
from messages.settings import AccountSettings, OrphanPolicy, Settings
from messages.values import LegKey
from messages.venue import Protection, VenueError, VenueErrorKind, VenuePosition
from rules.orphans import OrphanAction, orphan_action, protect_price
from rules.protection import Cover, Coverage, coverage

PURPOSE = "orphan_close"
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
        self._naked: dict[LegKey, Cover] = {}

    def on_start(self) -> None:
        self.tell_self(Scan())

    @handles
    async def scan(self, message: Scan) -> None:
        report = await self._scan()
        every = self._settings.orphans.every
        early = bool(report.problem) and self.state.scans == 0
        self.after(min(NOT_READY_RETRY, every) if early else every, Scan())

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
        await self._look_for_naked(found.view, protection)
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
            records = await self.ask(
                paths.LEDGER, ReadOrphans(account=self._account.name), timeout=300.0
            )
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
        actions = await self.ask(
            paths.LEDGER,
            CountOrphanActions(account=key.account, since=self.now() - timedelta(hours=1)),
            timeout=300.0,
        )
        decided = orphan_action(
            position,
            cover,
            self._account,
            actions,
            self._settings.mode,
            ledger_doubt=view.ledger.nameless,
        )
        done = await self._act(decided, position, view)
        if done:
            record = msgspec.structs.replace(record, action=done, acted_at=self.now())
            self.state.actions += 1
        known[key] = record
        await self.ask(paths.LEDGER, SaveOrphan(record=record), timeout=300.0)
        return 1 if done else 0

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

    async def _act(self, decided: OrphanAction, position: VenuePosition, view: View) -> str:
        """Carry a policy out. Returns what was done, or an empty string."""
        match decided.policy:
            case OrphanPolicy.ALERT:
                if decided.wanted is not OrphanPolicy.ALERT:
                    self.log.warning("Orphan {}: {}", position.key, decided.why)
                return ""
            case OrphanPolicy.ADOPT:
                return await self._adopt(position)
            case OrphanPolicy.PROTECT:
                return await self._protect(position, view)
            case OrphanPolicy.CLOSE:
                return await self._close(position)

    async def _adopt(self, position: VenuePosition) -> str:
        key = position.key
        if position.opened_at is None or position.entry_price is None:
            return ""
        row = await self.ask(
            paths.LEDGER,
            AddPosition(
                new=NewPosition(
                    account=key.account,
                    symbol=key.symbol,
                    side=key.side,
                    quantity=position.quantity,
                    entry_price=position.entry_price,
                    opened_at=position.opened_at,
                    stop_price=position.stop_loss,
                ),
                event=event(
                    "orphan_adopted",
                    self.now(),
                    actor=self.path,
                    key=key,
                    quantity=position.quantity,
                    opened_at=position.opened_at,
                ),
            ),
            timeout=300.0,
        )
        self.log.warning("Orphan {} adopted as ledger row {}", key, row.id)
        return f"adopted as row {row.id}"

    async def _protect(self, position: VenuePosition, view: View) -> str:
        key = position.key
        price = protect_price(
            position, self._account.protect_distance, view.markets.instruments[key.symbol]
        )
        if price is None:
            self.log.error("No stop can be placed for {}: no usable price", key)
            return ""
        placed = await self.attempt(
            paths.exchange(key.account), PlaceStop(key=key, trigger_price=price), timeout=120.0
        )
        failure = placed.why if isinstance(placed, AskFailed) else placed.error
        if isinstance(placed, AskFailed) or not placed.success:
            self._failed(key, f"no stop could be placed: {failure}")
            return ""
        await self._note("orphan_protected", key, trigger_price=price, order_id=placed.order_id)
        self.log.warning("Orphan {} protected by a stop at {}", key, price)
        return f"protected by a stop at {price}"

    async def _close(self, position: VenuePosition) -> str:
        key = position.key
        result = await self.attempt(
            paths.exchange(key.account),
            CloseLeg(
                key=key,
                row_ids=(),
                quantity=position.quantity,
                changed_at=None,
                since=position.opened_at,
                purpose=PURPOSE,
            ),
            timeout=900.0,
        )
        if isinstance(result, AskFailed) or not result.success:
            why = result.why if isinstance(result, AskFailed) else result.error_message
            self._failed(key, f"it could not be closed: {why}")
            return ""
        await self._note(
            "orphan_closed", key, executed=result.executed, average_price=result.average_price
        )
        return f"closed {result.executed} at {result.average_price}"

    def _failed(self, key: LegKey, why: str) -> None:
        self.log.error("Orphan {}: {}", key, why)
        self.tell(
            paths.ALERTS,
            RaiseAlert(
                draft=AlertDraft(
                    type=AlertType.CLOSE_FAILED,
                    level=AlertLevel.CRITICAL,
                    dedup_key=f"orphan_action:{key}",
                    title=f"Orphan {key}: the policy could not be carried out",
                    account=key.account,
                    symbol=key.symbol,
                    side=key.side.value,
                    seen=why,
                    done="the orphan stays as it is; the next scan tries again",
                    next_step="deal with the orphan by hand, or mend the cause",
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
            await self.ask(paths.LEDGER, DropOrphan(key=key), timeout=300.0)
            del known[key]
            for dedup_key in (_orphan_key(key), f"orphan_action:{key}"):
                self.tell(paths.ALERTS, ResolveAlert(dedup_key=dedup_key, resolution=resolution))

    # --- naked ----------------------------------------------------------------------------------

    async def _look_for_naked(self, view: View, protection: Protection) -> None:
        """C5: positions that the ledger knows, and that no working stop covers."""
        bare: dict[LegKey, Cover] = {}
        fresh: list[tuple[VenuePosition, Coverage]] = []
        for position in view.snapshot.positions:
            leg = view.ledger.legs.get(position.key)
            if leg is None or self.now() - leg.opened_at < self._settings.verdict.settle:
                continue
            step = view.markets.instruments[position.key.symbol].quantity_step
            cover = coverage(position, protection, step=step)
            if cover.level in (Cover.NAKED, Cover.PARTLY):
                bare[position.key] = cover.level
                if self._naked.get(position.key) is not cover.level:
                    fresh.append((position, cover))
            elif cover.level is Cover.CANNOT_TELL and position.key in self._naked:
                bare[position.key] = self._naked[position.key]
        confirmed = await self._still_there(fresh, protection)
        for position, cover in fresh:
            if (position, cover) in confirmed:
                await self._report_naked(position, cover)
            else:
                # Not said, so not remembered: the next scan looks at it anew.
                del bare[position.key]
        shown = {p.key for p in view.snapshot.positions}
        for key in [k for k in self._naked if k not in bare]:
            if not view.snapshot.complete and key not in shown:
                bare[key] = self._naked[key]
                continue
            self.tell(
                paths.ALERTS,
                ResolveAlert(dedup_key=_naked_key(key), resolution="a stop covers it, or it ended"),
            )
        self._naked = bare
        self.state.naked = sorted(str(key) for key in bare)

    async def _still_there(
        self, found: list[tuple[VenuePosition, Coverage]], protection: Protection
    ) -> list[tuple[VenuePosition, Coverage]]:
        """Those that were as they are when the stops were read: a closing leg loses its stop."""
        if not found:
            return []
        later = await self.attempt(
            paths.exchange(self._account.name),
            ReadPositions(not_before=protection.started_at),
            timeout=READ_TIMEOUT,
        )
        if isinstance(later, AskFailed):
            return []
        now = {p.key: p.quantity for p in later.positions}
        return [(p, cover) for p, cover in found if now.get(p.key) == p.quantity]

    async def _report_naked(self, position: VenuePosition, cover: Coverage) -> None:
        key = position.key
        said = (
            f"its stops cover {cover.quantity} of {position.quantity}"
            if cover.level is Cover.PARTLY
            else "NO STOP LOSS"
        )
        self.log.critical("NAKED POSITION DETECTED: {} {}, {}", key, position.quantity, said)
        await self._note("naked_detected", key, quantity=position.quantity, covered=cover.quantity)
        self.tell(
            paths.ALERTS,
            RaiseAlert(
                draft=AlertDraft(
                    type=AlertType.NAKED_POSITION,
                    level=AlertLevel.CRITICAL,
                    dedup_key=_naked_key(key),
                    title=f"NAKED POSITION: {key}, {said}",
                    account=key.account,
                    symbol=key.symbol,
                    side=key.side.value,
                    seen=f"{position.quantity} open at {position.entry_price}: {said}",
                    done="nothing was changed",
                    next_step="place a stop, or close the position",
                    details={
                        "quantity": str(position.quantity),
                        "covered": str(cover.quantity),
                        "mark_price": _text(position.mark_price),
                    },
                )
            ),
        )

    async def _note(self, kind: str, key: LegKey, **details: object) -> None:
        details.pop("symbol", None)
        details.pop("side", None)
        await self.ask(
            paths.LEDGER,
            AppendEvent(draft=event(kind, self.now(), actor=self.path, key=key, details=details)),
            timeout=300.0,
        )


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


def _naked_key(key: LegKey) -> str:
    return f"naked:{key}"
