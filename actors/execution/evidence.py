"""Gathering what a verdict needs: shared reads, the trade history, the stream's hint.

The rule itself is `rules.verdict.judge`. This file only knows in which order to look: a shared
read first; where the leg is not shown, its closing fill, which makes one read enough; and only
then a second read, spaced as the settings say. Where all that speaks for absence is that two
lists left the leg out, the venue is asked for it by name before it is buried.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from actors.execution.shared_reads import SharedReads
from messages.settings import VerdictSettings
from messages.to_exchange import JudgeLeg, Judgement
from messages.values import LegKey
from messages.venue import Fill, Fills, PositionHint, Snapshot
from messages.verdict import Absent, Present, Unknown, Verdict
from rules.verdict import LegFacts, absent_by_omission, judge
from venues.port import Venue

LOOKS = 4
"""Reads after which a verdict that still wants another is left unknown: the venue flickers."""

UNTOLD_HISTORY = timedelta(days=7)
"""How far back a leg's closing fills are looked for when nobody says when it was opened."""


class Inquiry:
    """Judges legs for one account. Owned by the exchange actor, run in its workers."""

    def __init__(
        self,
        venue: Venue,
        reads: SharedReads,
        settings: VerdictSettings,
        now: Callable[[], datetime],
    ) -> None:
        self._venue = venue
        self._reads = reads
        self._settings = settings
        self._now = now
        self.hints: dict[LegKey, PositionHint] = {}
        self.own_fill_at: dict[LegKey, datetime] = {}
        self.order_live: set[LegKey] = set()

    async def judge(
        self, request: JudgeLeg, *, own: tuple[Fill, ...] = (), ignore_live: bool = False
    ) -> Judgement:
        """A verdict on one leg, after as many reads as it takes and no more.

        `own` are fills of ours that already count as closing fills; `ignore_live` is for the
        execution itself, whose own order is the live one.
        """
        begun = self._now()
        wanted = request.not_before or begun - self._settings.fresh
        bounds = (wanted, request.changed_at, self.own_fill_at.get(request.key))
        # After the wall clock jumped back they may all lie ahead: then a read from now on.
        not_before = max((at for at in bounds if at is not None and at <= begun), default=begun)
        fills = own
        fills_read = False
        verdict: Verdict = Unknown(why="nothing was read")
        for _ in range(LOOKS):
            snapshot = await self._reads.snapshot(not_before)
            verdict = self._decide(request, fills, ignore_live=ignore_live)
            if not snapshot.complete or snapshot.find(request.key) is not None:
                break
            if isinstance(verdict, Unknown) and not fills_read:
                found = await self._history(request)
                fills_read = found is not None
                fills = own + tuple(
                    f for f in found or () if f.order_id not in {o.order_id for o in own}
                )
                verdict = self._decide(request, fills, ignore_live=ignore_live)
            if not isinstance(verdict, Unknown) or verdict.look_again_at is None:
                break
            if verdict.look_again_at - self._now() > self._settings.confirm_after * 2:
                break
            not_before = verdict.look_again_at
        if self._venue.can_query_symbol and absent_by_omission(verdict):
            named = await self._venue.fetch_position(request.key)
            verdict = self._decide(request, fills, ignore_live=ignore_live, named=(named,))
        if isinstance(verdict, Absent) and not fills_read:
            found = await self._history(request)
            fills_read = found is not None
            fills = own + tuple(
                f for f in found or () if f.order_id not in {o.order_id for o in own}
            )
        return Judgement(
            verdict=verdict,
            fills=fills,
            fills_read=fills_read,
            seconds=max((self._now() - begun).total_seconds(), 0.0),
        )

    def _decide(
        self,
        request: JudgeLeg,
        fills: tuple[Fill, ...],
        *,
        ignore_live: bool,
        named: tuple[Snapshot, ...] = (),
    ) -> Verdict:
        return judge(
            LegFacts(
                key=request.key,
                now=self._now(),
                snapshots=self._reads.recent + named,
                changed_at=request.changed_at,
                opened_at=request.since,
                fills=fills,
                hint=self.hints.get(request.key),
                order_live=not ignore_live and request.key in self.order_live,
                own_fill_at=self._latest_bound(request),
                other_side_known=request.other_side_known,
                quantity=request.quantity,
            ),
            self._settings,
        )

    def _latest_bound(self, request: JudgeLeg) -> datetime | None:
        """Reads that began before this instant say nothing about what came after it."""
        bounds = [
            at for at in (request.not_before, self.own_fill_at.get(request.key)) if at is not None
        ]
        return max(bounds, default=None)

    async def _history(self, request: JudgeLeg) -> tuple[Fill, ...] | None:
        """The symbol's fills since the leg was opened, or None where they cannot be read."""
        since = request.since or self._now() - UNTOLD_HISTORY
        answer = await self._venue.fetch_fills(request.key.symbol, since)
        if not isinstance(answer, Fills):
            return None
        return answer.fills


def seen(verdict: Verdict) -> str:
    """A verdict in one line, for logs and events."""
    match verdict:
        case Present():
            return f"present, {verdict.quantity}"
        case Absent():
            return f"absent, confirmed by {verdict.evidence.kind.value}"
        case Unknown():
            return f"unknown: {verdict.why}"
