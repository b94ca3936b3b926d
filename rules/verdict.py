"""Is a leg there? Present, absent, unexplained or unknown (`docs/spec/truth.md`).

This is where a false ghost is prevented, the worst error that the guard can make. Absence is only
ever a conclusion from complete reads that began after the last thing known to have changed the
leg, from the venue's answer to a question for the leg by name, and from a record that says how
the leg ended. Leaves taking the reads, and when to take another, to the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from messages.settings import VerdictSettings
from messages.values import ZERO, LegKey
from messages.venue import PositionHint, Snapshot
from messages.verdict import (
    Absent,
    Accounting,
    Evidence,
    EvidenceKind,
    ExplainedBy,
    Present,
    ReadSeen,
    Unexplained,
    Unknown,
    Verdict,
    Want,
)
from rules.explanation import explain
from rules.leg_records import Account


class LegFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one leg at `now`.

    `snapshots` are recent reads in any order; those of another account or scope are passed
    over. A read whose scope names symbols is the venue's answer to a question by name.
    `changed_at` is the row's last change or opening (None for an orphan, which has no row).
    `account` is what the records say. `hint` is the stream's last word, `order_live` whether an
    order of ours is not yet final, `own_fill_at` when one last filled. `netted`: the ledger has
    rows of both sides of the symbol, and the account holds one net position. `absent_since`:
    when the first read began that did not show the leg, where that is longer ago than
    `snapshots` reach. `can_query_symbol`: the venue can be asked for a leg by name.
    `not_before` asks for reads that began at that instant or later: after a refusal, say.
    Unlike `changed_at` it makes the row no younger.
    """

    account: Account
    now: datetime
    snapshots: tuple[Snapshot, ...] = ()
    changed_at: datetime | None = None
    hint: PositionHint | None = None
    order_live: bool = False
    own_fill_at: datetime | None = None
    netted: bool = False
    can_query_symbol: bool = False
    absent_since: datetime | None = None
    not_before: datetime | None = None

    @property
    def key(self) -> LegKey:
        return self.account.key


def judge(facts: LegFacts, settings: VerdictSettings) -> Verdict:
    """The verdict that the facts allow, and no more.

    Present: the newest read in scope shows the leg, damaged or not. Absent: complete reads that
    began at least `confirm_after` apart do not show it and none between them does, or one does
    not that began after the leg's recorded end; the venue, asked by name, does not show it
    either; and a record says how it ended. Without a record it is unexplained, once it has been
    absent for `settle`. Everything else is unknown. A read that began before the leg's last
    change or our last fill counts for nothing.
    """
    since = _latest(facts.changed_at, facts.own_fill_at, facts.not_before)
    reads = [read for read in _of_leg(facts) if since is None or read.started_at >= since]
    if not reads:
        return Unknown(why=_no_read(facts, since), look_again_at=_ahead(since, facts.now))
    newest = reads[-1]
    if facts.now - newest.finished_at > settings.stale_after:
        return Unknown(why=f"the newest read is of {newest.finished_at.isoformat()}: stale")
    position = newest.find(facts.key)
    if facts.netted and not (position is not None and position.hedged):
        return Unknown(
            why="the ledger has rows of both sides, and the account holds their net", netted=True
        )
    if position is not None:
        return Present(position=position, seen_at=newest.started_at)
    if not newest.complete:
        return Unknown(
            why="the newest read failed or is incomplete: " + _problems(newest),
            failed=True,
            banned_until=_latest(*(problem.retry_at for problem in newest.problems)),
        )
    return _not_shown(facts, reads, settings)


def _not_shown(
    facts: LegFacts, reads: Sequence[Snapshot], settings: VerdictSettings
) -> Absent | Unexplained | Unknown:
    """What it means that the newest read is complete and does not show the leg."""
    if facts.order_live:
        return Unknown(
            not_shown=True, why="not shown, but an order of ours for this leg is not final yet"
        )
    born = facts.account.opened_at or facts.changed_at
    settled = None if born is None else born + settings.settle
    if settled is not None and facts.now < settled:
        return Unknown(
            not_shown=True,
            why="not shown, but the row is younger than settle",
            look_again_at=settled,
        )
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
        return Unknown(not_shown=True, why=f"not shown, but {why}", look_again_at=facts.now)
    turned = _other_side(run[-1], facts.key)
    accounting = explain(msgspec.structs.replace(facts.account, turned=turned))
    if accounting.explained_by is None and turned > ZERO:
        if facts.account.history is None and not facts.account.unread:
            return Unknown(
                not_shown=True, why="not shown, but the other side is", wants=Want.HISTORY
            )
        return Unknown(
            not_shown=True,
            why="not shown, but the venue holds the other side, and no record says why",
            other_side=True,
        )
    return _confirmed(facts, run, accounting, settings)


def _confirmed(
    facts: LegFacts, run: Sequence[Snapshot], accounting: Accounting, settings: VerdictSettings
) -> Absent | Unexplained | Unknown:
    """Reads that do not show the leg, and what the records add up to."""
    first, newest = run[0], run[-1]
    spaced = first is not newest and (
        newest.started_at - first.started_at >= settings.confirm_after
    )
    ended = accounting.ended_at if accounting.explained_by is not None else None
    after_end = ended is not None and newest.started_at >= ended
    if accounting.explained_by is None:
        wanted = _unread(facts)
        if wanted is not None:
            return Unknown(
                not_shown=True, why="not shown; how it ended is not read yet", wants=wanted
            )
    if not (spaced or after_end):
        return Unknown(
            not_shown=True,
            why="not shown once; a second complete read must confirm it",
            look_again_at=first.started_at + settings.confirm_after,
        )
    named = _named(run)
    ours = accounting.explained_by is ExplainedBy.OWN_ORDERS
    if facts.can_query_symbol and named is None and not ours:
        return Unknown(
            not_shown=True, why="not shown; the venue is asked for it by name", wants=Want.NAME
        )
    absent_since = min(first.started_at, facts.absent_since or first.started_at)
    if accounting.explained_by is None:
        told = absent_since + settings.settle
        if facts.now < told:
            return Unknown(
                not_shown=True,
                why=f"not shown, and not explained yet: {accounting.why}",
                look_again_at=told,
            )
        return Unexplained(
            why=accounting.why,
            since=absent_since,
            reads=(_seen(first), _seen(newest)),
            accounting=accounting,
            last_seen=facts.account.last_seen,
            named_at=named,
        )
    return Absent(
        evidence=Evidence(
            kind=EvidenceKind.TWO_READS if spaced else EvidenceKind.READ_AND_FILL,
            reads=(_seen(first), _seen(newest)) if spaced else (_seen(newest),),
            accounting=accounting,
            last_seen=facts.account.last_seen,
            named_at=named,
            named_flat_at=_named_flat(run, facts.key),
        ),
        # A list may have left the leg out before it ended, so the record's word counts; by a clock
        # that is ahead of ours it is no later than now.
        due_at=None
        if ended is None or ours or _by_us(facts.account, accounting)
        else min(ended, facts.now) + settings.settle,
    )


def _by_us(account: Account, accounting: Accounting) -> bool:
    """Whether all closings that were counted are of orders of ours: no bot will write that end."""
    ours = {one.order_id for one in account.own if one.order_id}
    return bool(accounting.fills) and all(fill.order_id in ours for fill in accounting.fills)


def accepted(verdict: Unexplained) -> Absent:
    """The verdict that a person's word makes of an absence that nothing explains."""
    accounting = msgspec.structs.replace(
        verdict.accounting,
        explained_by=ExplainedBy.ACCEPTED,
        ended_at=None,
        fills=(),
        records=(),
    )
    return Absent(
        evidence=Evidence(
            kind=EvidenceKind.TWO_READS,
            reads=verdict.reads,
            accounting=accounting,
            last_seen=verdict.last_seen,
            named_at=verdict.named_at,
        )
    )


def _unread(facts: LegFacts) -> Want | None:
    """The record that has not been read yet and might explain the absence."""
    account = facts.account
    if account.unread or (account.last_seen is None and account.rows_quantity is None):
        return None
    if account.history is None:
        return Want.HISTORY
    if account.history.records is None:
        return Want.RECORDS
    return None


def _other_side(read: Snapshot, key: LegKey) -> Decimal:
    """What a net position has on the other side: a mismatch of sides, for a person (D2)."""
    other = read.find(LegKey(key.account, key.symbol, key.side.opposite))
    return ZERO if other is None or other.hedged else other.quantity


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


def _named(run: Sequence[Snapshot]) -> datetime | None:
    """When the newest of these reads began that asked for the leg by name."""
    return next((read.started_at for read in reversed(run) if read.scope.symbols is not None), None)


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
