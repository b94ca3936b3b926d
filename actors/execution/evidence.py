"""Gathering what a verdict needs: shared reads, the records, the venue's answer by name.

The rule itself is `rules.verdict.judge`, and what it still wants is in its verdict. This file
knows in which order to look: a shared read first; where the leg is not shown, what our own orders
and the executions say of its end; a second read, spaced as the settings say; and the question for
the leg by name before it is called absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import msgspec

from actors.context import Context
from actors.execution.shared_reads import SharedReads
from actors.execution.sightings import Sightings
from actors.ledger_client import ask_ledger
from messages.ledger import ExitSource, Intent
from messages.settings import VerdictSettings
from messages.to_exchange import JudgeLeg, Judgement, Markets
from messages.to_ledger import FindBookedFills, FindClosedSince, FindIntents
from messages.values import ZERO, LegKey
from messages.venue import ClosedPositions, Fills, Instrument, PositionHint, Snapshot
from messages.verdict import Absent, Present, Unexplained, Unknown, Verdict, Want
from rules.explanation import REPLAY_LIMIT, history_from
from rules.leg_records import (
    Account,
    ClosedRow,
    History,
    OwnFill,
    free_fills,
    free_records,
    with_closed_rows,
)
from rules.legs import side_of
from rules.symbols import SymbolIndex
from rules.verdict import LegFacts, judge
from venues.port import Venue

LOOKS = 4
"""Reads after which a verdict that still wants another is left unknown: the venue flickers."""

AFTER_FILL_FOR = timedelta(seconds=10)
"""How long after a fill of ours its leg is read more often: so long its end is waited for."""

WANTS = 4
"""Questions beside the reads that one look may lead to: executions, records, by name."""


class LegJudge:
    """Judges legs for one account. Owned by the exchange actor, run in its workers."""

    def __init__(
        self,
        context: Context,
        venue: Venue,
        reads: SharedReads,
        settings: VerdictSettings,
        now: Callable[[], datetime],
    ) -> None:
        self._context = context
        self._venue = venue
        self._reads = reads
        self._settings = settings
        self._now = now
        self.sightings = Sightings()
        self.markets: Markets | None = None
        self.hints: dict[LegKey, PositionHint] = {}
        self.own_fill_at: dict[LegKey, datetime] = {}
        self.order_live: set[LegKey] = set()
        self._index: tuple[Mapping[str, Instrument], SymbolIndex] | None = None

    def filled(self, key: LegKey, at: datetime) -> None:
        """An order of ours has filled: no read that began before says anything of the leg."""
        known = self.own_fill_at.get(key)
        self.own_fill_at[key] = at if known is None else max(known, at)

    def was_ordered(self, key: LegKey, *, during: Snapshot) -> bool:
        """Whether an order of ours for a leg was on its way while this read was."""
        filled_at = self.own_fill_at.get(key)
        return key in self.order_live or (filled_at is not None and filled_at >= during.started_at)

    async def judge(
        self, request: JudgeLeg, *, own: tuple[OwnFill, ...] = (), ignore_live: bool = False
    ) -> Judgement:
        """A verdict on one leg, after as many reads as it takes and no more.

        `own` are fills of ours that are not in the ledger yet; `ignore_live` is for the execution
        itself, whose own order is the live one.
        """
        begun = self._now()
        wanted = request.not_before or begun - self._settings.fresh
        bounds = (wanted, request.changed_at, self.own_fill_at.get(request.key))
        # After the wall clock jumped back they may all lie ahead: then a read from now on.
        not_before = max((at for at in bounds if at is not None and at <= begun), default=begun)
        filled_at = self.own_fill_at.get(request.key)
        after_fill = filled_at is not None and begun - filled_at <= AFTER_FILL_FOR
        facts = self._facts(request, own, ignore_live=ignore_live)
        verdict: Verdict = Unknown(why="nothing was read")
        for _ in range(LOOKS):
            snapshot = await self._reads.snapshot(not_before, after_fill=after_fill)
            facts = self._again(facts)
            verdict = judge(facts, self._settings)
            if not snapshot.complete or snapshot.find(request.key) is not None:
                break
            if isinstance(verdict, Unknown):
                self.sightings.missing(request.key, snapshot)
                facts = await self._with_own_orders(self._again(facts), request, own)
                verdict = judge(facts, self._settings)
            facts, verdict = await self._answer_wants(facts, verdict, request)
            if not isinstance(verdict, Unknown) or verdict.look_again_at is None:
                break
            if verdict.look_again_at - self._now() > self._settings.confirm_after * 2:
                break
            not_before = verdict.look_again_at
        if isinstance(verdict, Absent) and not all(one.priced for one in facts.account.own):
            # Explained by orders of ours whose price nobody told: the executions tell it.
            facts = await self._with_history(facts, request)
        return self._answer(verdict, facts.account, begun)

    def _answer(self, verdict: Verdict, account: Account, begun: datetime) -> Judgement:
        history = account.history
        return Judgement(
            verdict=verdict,
            fills=free_fills(account),
            records=free_records(account),
            fills_read=history is not None,
            seconds=max((self._now() - begun).total_seconds(), 0.0),
        )

    def _facts(self, request: JudgeLeg, own: tuple[OwnFill, ...], *, ignore_live: bool) -> LegFacts:
        instruments = {} if self.markets is None else self.markets.instruments
        instrument = instruments.get(request.key.symbol)
        hedged = self.markets is not None and self.markets.hedged is True
        return LegFacts(
            account=Account(
                key=request.key,
                rows_quantity=request.quantity,
                opened_at=request.since,
                own=own,
                step=ZERO if instrument is None else instrument.quantity_step,
            ),
            now=self._now(),
            changed_at=request.changed_at,
            order_live=not ignore_live and request.key in self.order_live,
            netted=request.opposite_rows and not hedged,
            can_query_symbol=self._venue.can_query_symbol,
            not_before=request.not_before,
        )

    def _again(self, facts: LegFacts, *named: Snapshot) -> LegFacts:
        """The same facts as they stand now; `named` are answers to questions by name."""
        key = facts.key
        asked = tuple(read for read in facts.snapshots if read.scope.symbols is not None)
        return msgspec.structs.replace(
            facts,
            account=msgspec.structs.replace(facts.account, last_seen=self.sightings.last_seen(key)),
            now=self._now(),
            snapshots=(*self._reads.recent, *asked, *named),
            hint=self.hints.get(key),
            own_fill_at=self.own_fill_at.get(key),
            absent_since=self.sightings.absent_since(key),
        )

    async def _answer_wants(
        self, facts: LegFacts, verdict: Verdict, request: JudgeLeg
    ) -> tuple[LegFacts, Verdict]:
        """Get what the verdict still wants, beside a further read, until it wants no more."""
        for _ in range(WANTS):
            if not isinstance(verdict, Unknown) or verdict.wants is None:
                break
            match verdict.wants:
                case Want.HISTORY:
                    facts = await self._with_history(facts, request)
                case Want.RECORDS:
                    facts = await self._with_records(facts)
                case Want.NAME:
                    facts = self._again(facts, await self._venue.fetch_position(request.key))
            facts = self._again(facts)
            verdict = judge(facts, self._settings)
        return facts, verdict

    # --- what our ledger and the venue's records say --------------------------------------------

    async def _with_own_orders(
        self, facts: LegFacts, request: JudgeLeg, own: tuple[OwnFill, ...]
    ) -> LegFacts:
        """What orders of ours have filled for these rows, and which were for others."""
        if not request.row_ids:
            return facts
        intents = await ask_ledger(
            self._context, FindIntents(account=request.key.account, key=request.key)
        )
        rows = set(request.row_ids)
        mine = [i for i in intents if rows.intersection(i.row_ids)]
        filled = {i.order_id: own_fill(i) for i in mine if _counts(i, request.changed_at)}
        filled.update({one.order_id: one for one in own})
        others = frozenset(i.order_id for i in intents if i.order_id and i not in mine)
        account = msgspec.structs.replace(
            facts.account, own=tuple(filled.values()), other_orders=others
        )
        return msgspec.structs.replace(facts, account=account)

    async def _with_history(self, facts: LegFacts, request: JudgeLeg) -> LegFacts:
        """The executions from when the leg was last seen, or opened, and what is booked of them."""
        booked = await ask_ledger(
            self._context,
            FindBookedFills(key=request.key, since=(request.since or self._now()) - REPLAY_LIMIT),
        )
        closed = await self._closed_rows(request, {part.row_id for part in booked})
        facts = msgspec.structs.replace(facts, account=with_closed_rows(facts.account, closed))
        since = history_from(facts.account)
        if since is None:
            unread = msgspec.structs.replace(facts.account, unread="its beginning is not known")
            return msgspec.structs.replace(facts, account=unread)
        answer = await self._venue.fetch_fills(request.key.symbol, since)
        if not isinstance(answer, Fills):
            unread = msgspec.structs.replace(
                facts.account, unread=f"the executions cannot be read: {answer}"
            )
            return msgspec.structs.replace(facts, account=unread)
        account = msgspec.structs.replace(
            facts.account,
            history=History(since=answer.since, fills=answer.fills),
            booked=tuple(part for part in booked if part.row_id not in request.row_ids),
        )
        return msgspec.structs.replace(facts, account=account)

    async def _closed_rows(self, request: JudgeLeg, booked_rows: set[int]) -> tuple[ClosedRow, ...]:
        """Rows of this leg that others closed, as far back as they could matter."""
        if request.since is None or self.markets is None:
            return ()
        closed = await ask_ledger(
            self._context,
            FindClosedSince(account=request.key.account, since=request.since - REPLAY_LIMIT),
        )
        index = self._symbols(self.markets)
        counted = set(request.row_ids) | booked_rows
        return tuple(
            ClosedRow(quantity=row.quantity, opened_at=row.opened_at, closed_at=row.closed_at)
            for row in closed
            # What orders of ours closed is told apart by their ids.
            if row.exit_source != ExitSource.FILL
            and row.id not in counted
            and row.quantity is not None
            and row.opened_at is not None
            and row.closed_at is not None
            and index.find(row.symbol) == request.key.symbol
            and side_of(row) is request.key.side
        )

    def _symbols(self, markets: Markets) -> SymbolIndex:
        """Made once for as long as the listing stays the same."""
        if self._index is None or self._index[0] is not markets.instruments:
            self._index = markets.instruments, SymbolIndex(markets.instruments)
        return self._index[1]

    async def _with_records(self, facts: LegFacts) -> LegFacts:
        """The venue's own list of closed positions; none where it cannot be read."""
        history = facts.account.history
        if history is None:
            return facts
        answer = await self._venue.closed_positions(facts.key.symbol, history.since)
        records = answer.records if isinstance(answer, ClosedPositions) else ()
        account = msgspec.structs.replace(
            facts.account, history=msgspec.structs.replace(history, records=records)
        )
        return msgspec.structs.replace(facts, account=account)


def _counts(intent: Intent, changed_at: datetime | None) -> bool:
    """Whether what an order of ours filled may have ended the rows as they are asked about.

    Rows may have been closed by it since they were read by who asks; a row that has changed since
    its booking is another life.
    """
    if intent.filled <= ZERO:
        return False
    if not intent.booked:
        return True
    settled = intent.settled_at
    return changed_at is not None and settled is not None and settled > changed_at


def own_fill(intent: Intent) -> OwnFill:
    """What an order of ours that has ended says of its leg."""
    return OwnFill(
        order_id=intent.order_id,
        quantity=intent.filled,
        sent_at=intent.created_at,
        filled_at=intent.settled_at or intent.created_at,
        priced=intent.average is not None,
    )


def verdict_text(verdict: Verdict) -> str:
    """A verdict in one line, for logs and events."""
    match verdict:
        case Present():
            return f"present, {verdict.quantity}"
        case Absent():
            how = verdict.evidence.accounting.explained_by
            by = "nothing" if how is None else how.value
            return f"absent, confirmed by {verdict.evidence.kind.value}, explained by {by}"
        case Unexplained():
            return f"absent and not explained: {verdict.why}"
        case Unknown():
            return f"unknown: {verdict.why}"
