"""Orphans and naked positions: what is open at the venue and known to nobody, or to no stop.

A position is an orphan once it is old enough that a bot would have written its row. Each is
alerted once when found and resolved when it ends; what else may be done about it is the account's
policy, which the rules apply. What was done is durable, so a restart neither repeats an alert nor
an action.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from actors import paths
from actors.ledger_client import ask_ledger, note
from actors.monitoring.account_view import (
    AccountReader,
    AccountView,
    Differences,
    LedgerLegs,
    ViewUnavailable,
)
from actors.monitoring.first_seen import FirstSeen, Sighting
from actors.monitoring.naked import NakedWatch
from actors.monitoring.orphan_policy import carry_out
from actors.monitoring.rounds import Rounds
from actors.runtime import Actor, AskFailed, Timer, handles
from messages.budget import Lane
from messages.ledger import OrphanRecord
from messages.settings import AccountSettings, OrphanPolicy, Settings
from messages.to_alerts import RaiseAlert, ResolveAlert
from messages.to_exchange import CleanUp, FindOpening, ReadProtection
from messages.to_ledger import ActiveRows, CountOrphanActions, DropOrphan, ReadOrphans, SaveOrphan
from messages.to_monitors import LookAt, ScanNow, ScanReport
from messages.values import LegKey
from messages.venue import Protection, VenueError, VenueErrorKind, VenuePosition
from rules.alerts import orphan_found, orphan_keys, perhaps_renamed
from rules.diff import same_quantity
from rules.orphans import action_at, news_at, orphan_action
from rules.protection import Coverage, coverage
from rules.suspicion import may_be_another_account
from rules.symbols import SymbolIndex

LOOK_AGAIN = timedelta(seconds=5)
"""How soon a look that was due and could not be had is tried again, the interval permitting."""

HINTS_APART = timedelta(seconds=2)
"""How far apart scans are that the stream's hints wake, the first of them aside."""


class Scan(msgspec.Struct, frozen=True):
    """Sent to itself: look for orphans and naked positions."""


class LookHinted(msgspec.Struct, frozen=True):
    """Sent to itself: all hints that wait are served by one look."""


class LookAgain(msgspec.Struct, frozen=True):
    """Sent to itself: a position that was too young is old enough now."""


class OrphansState(msgspec.Struct):
    """`fresh` are positions that no row knows yet: too young to be called orphans."""

    account: str
    scans: int = 0
    orphans: list[str] = []
    fresh: list[str] = []
    naked: list[str] = []
    actions: int = 0
    last_problem: str = ""


class Orphans(Actor[OrphansState]):
    """One account's orphan monitor."""

    def __init__(self, account: AccountSettings, settings: Settings, legs: LedgerLegs) -> None:
        super().__init__(OrphansState(account=account.name))
        self._account = account
        self._accounts = frozenset(a.name for a in settings.accounts)
        self._settings = settings
        self._known: dict[LegKey, OrphanRecord] | None = None
        self._undatable: set[LegKey] = set()
        self._reader = AccountReader(self, account.name, legs)
        self._rounds = Rounds(account.name, settings.orphans.every)
        self._first_seen = FirstSeen()
        self._due: list[datetime] = []
        self._hinted = False
        self._hints: set[LegKey] = set()
        self._hint_at: datetime | None = None
        self._again: Timer | None = None
        self._naked = NakedWatch(
            self, account.name, settings.verdict.settle, settings.verdict.confirm_after
        )

    def on_start(self) -> None:
        self.tell_self(Scan())

    @handles
    async def scan(self, message: Scan) -> None:
        report = await self._scan()
        ready = self.state.scans > 0 or not report.problem
        self.after(self._rounds.next_in(ready=ready), Scan())

    @handles
    async def scan_now(self, message: ScanNow) -> ScanReport:
        return await self._scan(self.now(), Lane.ANSWER)

    @handles
    def look_at(self, message: LookAt) -> None:
        """The stream says that a leg was opened or ended: scan, by a read after that.

        One scan serves all hints that came before it began, and the next waits for more of them: a
        bot that opens fifty positions within a second is looked at twice, not fifty times.
        """
        self._hints.add(message.key)
        if not self._hinted:
            self._hinted = True
            since = timedelta.max if self._hint_at is None else self.now() - self._hint_at
            if timedelta(0) <= since < HINTS_APART:
                self.after(HINTS_APART - since, LookHinted())
            else:
                self.tell_self(LookHinted())

    @handles
    async def look_hinted(self, message: LookHinted) -> None:
        self._hinted = False
        self._hint_at = self.now()
        hinted, self._hints = frozenset(self._hints), set()
        await self._scan(self.now(), hinted=hinted)

    @handles
    async def look_again(self, message: LookAgain) -> None:
        await self._scan(self.now())

    async def _scan(
        self,
        not_before: datetime | None = None,
        lane: Lane = Lane.ROUND,
        hinted: frozenset[LegKey] | None = None,
    ) -> ScanReport:
        """Look at the account; the stops only of the legs that are `hinted`, or of all."""
        report = await self._one_scan(not_before, lane, hinted)
        self._plan(failed=bool(report.errors))
        return report

    def _plan(self, *, failed: bool) -> None:
        """Look again by itself when the first of the young positions is old enough."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._due:
            wait = max(min(self._due) - self.now(), timedelta(milliseconds=1))
            if failed:
                wait = max(wait, min(LOOK_AGAIN, self._settings.orphans.every))
            self._again = self.after(wait, LookAgain())

    async def _one_scan(
        self, not_before: datetime | None, lane: Lane, hinted: frozenset[LegKey] | None
    ) -> ScanReport:
        known = await self._recall()
        # What stands is over only when two looks say so, as it began.
        standing = bool(known) or bool(self.state.naked) or self.state.scans == 0
        found = await self._reader.differences(
            self._settings.verdict.confirm_after, not_before=not_before, twice=standing, lane=lane
        )
        if isinstance(found, ViewUnavailable):
            self.state.last_problem = found.why
            return ScanReport(problem=found.why, errors=1)
        self._due = []
        judged = [it for p in found.orphans if (it := self._judged(p, known.get(p.key)))]
        ours = self._naked.judged(found.view, only=hinted)
        protection = await self._protection(ours.union(it.position.key for it in judged))
        acted = 0
        for sighting in judged:
            acted += await self._orphan(sighting, protection, found.view)
        await self._ended(found, known)
        self._keep_waiting(found, known)
        self.state.naked = list(await self._naked.look(found, ours, protection))
        self.state.scans += 1
        orphans = [p.key for p in found.orphans if p.key in known]
        self.state.orphans = sorted(map(str, orphans))
        self.state.fresh = sorted(str(p.key) for p in found.orphans if p.key not in known)
        self.state.last_problem = "; ".join(str(p) for p in found.view.snapshot.problems)
        self.log.info(
            "Orphan scan complete: positions={} orphans={} fresh={} naked={}",
            len(found.view.snapshot.positions),
            len(orphans),
            len(self.state.fresh),
            len(self.state.naked),
        )
        return ScanReport(
            checked=len(found.view.snapshot.positions),
            found=len(orphans),
            acted=acted,
            problem=self.state.last_problem,
        )

    async def _recall(self) -> dict[LegKey, OrphanRecord]:
        if self._known is None:
            records = await ask_ledger(self, ReadOrphans(account=self._account.name))
            self._known = {record.key: record for record in records}
        return self._known

    async def _protection(self, keys: Iterable[LegKey]) -> Protection:
        """The working stops of the legs that this look judges: what is younger needs none yet."""
        symbols = tuple(sorted({key.symbol for key in keys}))
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

    def _judged(self, position: VenuePosition, record: OrphanRecord | None) -> Sighting | None:
        """How this position was seen, where it is known for an orphan, or old enough for one."""
        sighting = self._first_seen.see(position, record, self.now())
        news = news_at(position, sighting.first_seen_at, self._settings.verdict.settle)
        if record is not None or not self._too_soon(news):
            return sighting
        self.log.info(
            "{} {} is in no row: an orphan at {:%H:%M:%S} UTC, unless one comes",
            position.key,
            position.quantity,
            news,
        )
        return None

    async def _orphan(self, sighting: Sighting, protection: Protection, view: AccountView) -> int:
        """Report a new orphan and apply the policy. Returns how many actions were taken."""
        known = await self._recall()
        position = sighting.position
        key = position.key
        record = known.get(key)
        instrument = view.markets.instruments[key.symbol]
        cover = coverage(position, protection, step=instrument.quantity_step)
        if record is None:
            await self._announce(position, cover, view)
            # Before anything is done about it, so that what is done twice is done for one record.
            record = OrphanRecord(key=key, first_seen_at=sighting.first_seen_at)
            known[key] = record
            await ask_ledger(self, SaveOrphan(record=record))
        if record.action or self._account.orphans is OrphanPolicy.ALERT:
            return 0
        done = await self._act(sighting, cover, view)
        if done:
            record = msgspec.structs.replace(record, action=done, acted_at=self.now())
            self.state.actions += 1
            known[key] = record
            await ask_ledger(self, SaveOrphan(record=record))
        return 1 if done else 0

    def _too_soon(self, due: datetime) -> bool:
        """Whether an instant is still to come. Then there will be another look at that time."""
        if due <= self.now():
            return False
        self._due.append(due)
        return True

    def _keep_waiting(self, found: Differences, known: Mapping[LegKey, OrphanRecord]) -> None:
        """A young position that this look could not show is looked for again before long."""
        self._first_seen.forget(
            [p.key for p in found.view.comparison.unclear if p.key not in known]
        )
        shown = {p.key for p in found.orphans}
        if any(key not in shown and key not in known for key in self._first_seen.keys):
            self._due.append(self.now() + max(LOOK_AGAIN, self._settings.verdict.settle))

    async def _act(self, sighting: Sighting, cover: Coverage, view: AccountView) -> str:
        """Carry the policy out if it is time. Returns what was done, or an empty string."""
        key = sighting.position.key
        rule = self._settings.verdict
        if self._too_soon(action_at(sighting.first_seen_at, sighting.same_since, rule.settle)):
            return ""
        if self.now() - view.snapshot.finished_at > rule.stale_after:
            # What was done about other orphans took its time: this one is looked at anew.
            self._due.append(self.now() + LOOK_AGAIN)
            return ""
        actions = await ask_ledger(
            self, CountOrphanActions(account=key.account, since=self.now() - timedelta(hours=1))
        )
        position = await self._dated(sighting.position, view)
        ledger = await self._reader.ledger(view.markets)
        if key in ledger.legs or key in ledger.unclear_legs:
            self.log.info("{} is in the ledger since this look began: nothing is done", key)
            return ""
        decided = orphan_action(
            position,
            cover,
            self._account,
            actions,
            self._settings.mode,
            ledger_doubt=ledger.has_unidentified_row,
            account_doubt=await self._doubt(position, view),
        )
        return await carry_out(
            self,
            decided,
            position,
            view,
            self._account.protect_distance,
            first_seen_at=sighting.first_seen_at,
        )

    async def _doubt(self, position: VenuePosition, view: AccountView) -> str:
        """Why this may be no orphan, or not of this account; empty where nothing says so."""
        missing = view.comparison.missing
        shown = len({p.key for p in view.snapshot.positions}.intersection(view.ledger.legs))
        if may_be_another_account(missing=len(missing), shown=shown):
            return "most legs of the ledger are not shown: this may be another account"
        instrument = view.markets.instruments.get(position.key.symbol)
        for leg in missing:
            if leg.key.side is position.key.side and same_quantity(
                leg.quantity, position.quantity, instrument
            ):
                return f"{leg.key.symbol} of the same size is gone: was the contract renamed?"
        rows = await ask_ledger(self, ActiveRows())
        index = SymbolIndex(view.markets.instruments)
        for row in rows:
            known = row.account in self._accounts
            if not known and index.find(row.symbol) == position.key.symbol:
                return f"row {row.id} of the unknown account {row.account!r} may be it"
        return ""

    async def _dated(self, position: VenuePosition, view: AccountView) -> VenuePosition:
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

    async def _announce(self, position: VenuePosition, cover: Coverage, view: AccountView) -> None:
        draft = orphan_found(position, cover, self._account, self.now())
        row = view.ledger.unlisted_row(position.key.side, position.quantity)
        if row is not None:
            draft = perhaps_renamed(draft, row)
        self.log.critical("{}, {}", draft.title, draft.seen)
        await self._note("orphan_detected", position.key, **draft.details)
        self.tell(paths.ALERTS, RaiseAlert(draft=draft))

    async def _ended(self, found: Differences, known: dict[LegKey, OrphanRecord]) -> None:
        """Orphans that are orphans no more: gone from the venue, or known to the ledger."""
        for key in dict.fromkeys((*known, *self._first_seen.keys)):
            resolution = _over(key, found)
            if not resolution:
                continue
            gone = key not in found.view.ledger.legs
            self._first_seen.forget((key,))
            self._undatable.discard(key)
            if known.pop(key, None) is None:
                continue
            self.log.info("Orphan {} resolved: {}", key, resolution)
            await self._note("orphan_resolved", key, resolution=resolution)
            await ask_ledger(self, DropOrphan(key=key))
            for dedup_key in orphan_keys(key):
                self.tell(paths.ALERTS, ResolveAlert(dedup_key=dedup_key, resolution=resolution))
            if gone:
                # A stop of ours that outlived its leg would close whatever comes next.
                await self.attempt(
                    paths.exchange(self._account.name), CleanUp(key=key), timeout=120.0
                )

    async def _note(self, kind: str, key: LegKey, **details: object) -> None:
        details.pop("symbol", None)
        details.pop("side", None)
        await note(self, kind, key, details)


def _over(key: LegKey, found: Differences) -> str:
    """Why a leg is no orphan (any more); empty where it is one, or may be.

    That it is gone takes two looks, as that it is there did.
    """
    view = found.view
    if any(p.key == key for p in (*view.comparison.orphans, *view.comparison.unclear)):
        return ""
    if key in view.ledger.legs:
        return "the ledger knows it now"
    return "it is no longer on the exchange" if found.gone_from_both(key) else ""
