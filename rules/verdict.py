"""Is a leg there? Present, absent or unknown, judged from what was read (`mission.md` A5).

This is where a false ghost is prevented, the worst error that the guard can make: absence is
only ever a conclusion from complete reads that began after the last thing known to have changed
the leg. Leaves taking the reads, and when to take another, to the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from messages.settings import VerdictSettings
from messages.values import ZERO, LegKey, Side
from messages.venue import Fill, PositionHint, Snapshot
from messages.verdict import Absent, Evidence, EvidenceKind, Present, ReadSeen, Unknown, Verdict


class LegFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one leg at `now`.

    `snapshots` are recent reads in any order; those of another account or scope are passed over.
    `changed_at` is the row's last change or opening (None for an orphan, which has no row), and
    `opened_at` the leg's opening, from which `settle` counts (without it, from `changed_at`).
    `quantity` is the ledger's, in base units; without it no fill accounts for the leg.
    `fills` are executions of the symbol, opening ones too; `hint` is the stream's last word,
    `order_live` whether an order of ours is not yet final, `own_fill_at` when one last filled.
    `other_side_known`: the ledger has a row for the symbol's other side as well.
    `not_before` asks for reads that began at that instant or later: after a refusal, say. Unlike
    `changed_at` it makes the row no younger.
    """

    key: LegKey
    now: datetime
    snapshots: tuple[Snapshot, ...] = ()
    changed_at: datetime | None = None
    opened_at: datetime | None = None
    quantity: Decimal | None = None
    fills: tuple[Fill, ...] = ()
    hint: PositionHint | None = None
    order_live: bool = False
    own_fill_at: datetime | None = None
    other_side_known: bool = False
    not_before: datetime | None = None


def judge(facts: LegFacts, settings: VerdictSettings) -> Verdict:
    """The verdict that the facts allow, and no more.

    Present: the newest read in scope shows the leg, damaged or not. Absent: two complete reads
    that began at least `confirm_after` apart do not show it and none between them does, or one
    does not and closing fills account for all of it. Everything else is unknown. A read that
    began before the leg's last change or our last fill counts for nothing.
    """
    since = _latest(facts.changed_at, facts.own_fill_at, facts.not_before)
    reads = [read for read in _of_leg(facts) if since is None or read.started_at >= since]
    if not reads:
        return Unknown(why=_no_read(facts, since), look_again_at=_ahead(since, facts.now))
    newest = reads[-1]
    if facts.now - newest.finished_at > settings.stale_after:
        return Unknown(why=f"the newest read is of {newest.finished_at.isoformat()}: stale")
    position = newest.find(facts.key)
    if position is not None:
        return Present(position=position, seen_at=newest.started_at)
    if not newest.complete:
        return Unknown(
            why="the newest read failed or is incomplete: " + _problems(newest), failed=True
        )
    return _not_shown(facts, reads, settings)


def _not_shown(
    facts: LegFacts, reads: Sequence[Snapshot], settings: VerdictSettings
) -> Absent | Unknown:
    """What it means that the newest read is complete and does not show the leg."""
    if facts.order_live:
        return Unknown(why="not shown, but an order of ours for this leg is not final yet")
    born = facts.opened_at or facts.changed_at
    settled = None if born is None else born + settings.settle
    if settled is not None and facts.now < settled:
        return Unknown(why="not shown, but the row is younger than settle", look_again_at=settled)
    shown_by_stream = facts.hint is not None and facts.hint.quantity > ZERO
    hinted = facts.hint.at if facts.hint is not None and shown_by_stream else None
    run = [
        read
        for read in _run_of_absence(reads, facts.key)
        if (settled is None or read.started_at >= settled)
        and (hinted is None or read.started_at > hinted)
    ]
    if not run:
        why = "the stream has shown it since" if hinted else "the read began before settle was over"
        return Unknown(why=f"not shown, but {why}", look_again_at=facts.now)
    first, newest = run[0], run[-1]
    closing = closing_fills(facts)
    if not (closing or facts.other_side_known) and _holds_other_side(newest, facts.key):
        return Unknown(
            why="not shown, but the venue holds the other side, and no fills say why",
            other_side=True,
        )
    if newest.started_at - first.started_at >= settings.confirm_after and first is not newest:
        return Absent(
            evidence=Evidence(
                kind=EvidenceKind.TWO_READS,
                reads=(_seen(first), _seen(newest)),
                named_flat_at=_named_flat(run, facts.key),
            )
        )
    if closing and newest.started_at >= closing[-1].at:
        return Absent(
            evidence=Evidence(
                kind=EvidenceKind.READ_AND_FILL,
                reads=(_seen(newest),),
                fills=closing,
                named_flat_at=_named_flat(run, facts.key),
            )
        )
    return Unknown(
        why="not shown once; a second complete read must confirm it",
        look_again_at=first.started_at + settings.confirm_after,
    )


def _holds_other_side(read: Snapshot, key: LegKey) -> bool:
    """Whether a net position of the other side is there: a mismatch of sides, for a person (D2)."""
    other = read.find(LegKey(key.account, key.symbol, key.side.opposite))
    return other is not None and not other.hedged


def absent_by_omission(verdict: Verdict) -> bool:
    """Whether a leg was called absent only because lists left it out.

    Lists lie in ways that the venue's answer to a question for the one symbol does not
    (`venues.md` section 1), so that question is worth a request before a row is closed.
    """
    return (
        isinstance(verdict, Absent)
        and verdict.evidence.kind is EvidenceKind.TWO_READS
        and verdict.evidence.named_flat_at is None
    )


def closing_fills(facts: LegFacts) -> tuple[Fill, ...]:
    """The fills since the leg's last change that took it to zero, oldest first, or nothing.

    Counted net of what was opened again in between. Where the venue says how much of a fill
    reduced a leg, only that counts as closing, and only the rest as opening.
    """
    if facts.quantity is None or facts.quantity <= ZERO:
        return ()
    fills = [
        fill
        for fill in sorted(facts.fills, key=lambda fill: fill.at)
        if fill.symbol == facts.key.symbol
        and fill.position_side in (None, facts.key.side)
        and (facts.changed_at is None or fill.at > facts.changed_at)
    ]
    closing = tuple(fill for fill in fills if closed_by(fill, facts.key.side) > ZERO)
    opened = sum((opened_by(fill, facts.key.side) for fill in fills), ZERO)
    closed = sum((closed_by(fill, facts.key.side) for fill in closing), ZERO)
    return closing if closed - opened >= facts.quantity else ()


def closed_by(fill: Fill, side: Side) -> Decimal:
    """How much of a leg of this side a fill may have closed, in base units.

    Without the venue's `closed_quantity` the whole fill is taken to close: in one-way mode a fill
    that flips a leg then counts for more than it closed.
    """
    if fill.side is not side.closing or fill.position_side is side.opposite:
        return ZERO
    if fill.closed_quantity is None:
        return fill.quantity
    return min(fill.closed_quantity, fill.quantity)


def opened_by(fill: Fill, side: Side) -> Decimal:
    """How much of a leg of this side a fill opened, in base units."""
    if fill.side is side.closing:
        return ZERO
    return fill.quantity - (fill.closed_quantity or ZERO)


def _of_leg(facts: LegFacts) -> list[Snapshot]:
    """Reads that can speak of the leg, oldest first: in scope, or showing it all the same."""
    return sorted(
        (
            read
            for read in facts.snapshots
            if read.account == facts.key.account
            and (
                read.scope.covers(facts.key.symbol)
                or read.find(facts.key) is not None
                # A read that failed before it knew its scope is a failure for every leg.
                or not (read.complete or read.scope.settles)
            )
        ),
        key=lambda read: (read.started_at, read.finished_at),
    )


def _run_of_absence(reads: Sequence[Snapshot], key: LegKey) -> list[Snapshot]:
    """The complete reads since the leg was last shown, oldest first.

    A damaged read between them that does not show it neither helps nor hinders.
    """
    run: list[Snapshot] = []
    for read in reversed(reads):
        if read.find(key) is not None:
            break
        if read.complete:
            run.append(read)
    return run[::-1]


def _named_flat(run: Sequence[Snapshot], key: LegKey) -> datetime | None:
    """When the newest of these reads began that names the leg with a size of zero."""
    return next((read.started_at for read in reversed(run) if key in read.flat), None)


def _seen(read: Snapshot) -> ReadSeen:
    return ReadSeen(started_at=read.started_at, finished_at=read.finished_at)


def _problems(read: Snapshot) -> str:
    return "; ".join(str(problem) for problem in read.problems)


def _latest(*instants: datetime | None) -> datetime | None:
    known: Iterable[datetime] = (instant for instant in instants if instant is not None)
    return max(known, default=None)


def _ahead(since: datetime | None, now: datetime) -> datetime | None:
    """A row that claims to change in the future can't be judged before then."""
    return since if since is not None and since > now else None


def _no_read(facts: LegFacts, since: datetime | None) -> str:
    if since is None or not _of_leg(facts):
        return "no read covers this leg"
    if since > facts.now:
        return f"the leg's last change lies ahead, at {since.isoformat()}: a clock is wrong"
    return "every read began before the leg's last change, our last fill, or the question"
