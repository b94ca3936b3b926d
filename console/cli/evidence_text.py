"""The evidence about a leg, in words: what closed a row, and what is known of it now.

Its JSON is in the same command's `--json`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from console.control.replies import LegStory
from messages.ledger import LastSeen
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
)

_EXPLAINED = {
    ExplainedBy.OWN_ORDERS: "our own orders",
    ExplainedBy.FILLS: "the executions",
    ExplainedBy.VENUE_RECORD: "the venue's record of closed positions",
    ExplainedBy.ACCEPTED: "an operator, who took it for closed",
}


def evidence_text(found: object) -> str | None:
    """What the venue showed, and when (UTC); None for what is no evidence of this version."""
    # What an older or a newer version stored is shown as it is, not refused.
    try:
        evidence = msgspec.convert(found, Evidence, strict=False)
    except msgspec.ValidationError:
        return None
    reads = " and ".join(f"{read.started_at:%H:%M:%S}" for read in evidence.reads)
    fills = ", ".join(
        f"{fill.side} {fill.quantity.normalize():f} at {fill.price.normalize():f}"
        f" ({fill.at:%H:%M:%S} UTC{'' if fill.kind == 'trade' else f', {fill.kind}'})"
        for fill in evidence.fills
    )
    if evidence.kind is EvidenceKind.TWO_READS:
        text = f"two complete reads ({reads} UTC) without it"
    else:
        text = f"a complete read ({reads} UTC) without it"
    if fills:
        text += f", and the fills that closed it: {fills}"
    elif evidence.accounting.explained_by is not None:
        text += f"; explained by {_EXPLAINED[evidence.accounting.explained_by]}"
    if evidence.named_flat_at is not None:
        text += f"; named flat by the venue at {evidence.named_flat_at:%H:%M:%S} UTC"
    return f"<{text}>"


def leg_lines(story: LegStory) -> Iterator[tuple[str, str]]:
    """What is known of a leg now: pairs of a heading and a sentence, from first to last."""
    verdict = story.verdict
    rows = ", ".join(map(str, story.row_ids))
    yield "ledger", f"{_plain(story.quantity)} in row {rows}"
    yield "last seen", _last_seen(story.last_seen)
    match verdict:
        case None:
            yield "verdict", f"unknown: {story.problem}"
        case Present():
            yield "verdict", f"present: {_plain(verdict.quantity)}, {_at(verdict.seen_at)}"
        case Unexplained():
            yield "asked", _reads(verdict.reads, verdict.named_at, verdict.since)
            yield "records", _accounting(verdict.accounting)
            yield "verdict", f"gone, and nothing says how: {verdict.why}"
            yield "next", f"if it is really closed: accept {story.key.symbol}"
        case Absent():
            evidence = verdict.evidence
            yield "asked", _reads(evidence.reads, evidence.named_at, None)
            yield "records", _accounting(evidence.accounting)
            yield "verdict", "gone, and explained"
            yield (
                "next",
                (
                    "its row is closed with the next look"
                    if verdict.due_at is None
                    else f"its bot has until {_at(verdict.due_at)} to close its row; then we do"
                ),
            )
        case Unknown():
            yield "verdict", f"{'not shown' if verdict.not_shown else 'unknown'}: {verdict.why}"
            if verdict.look_again_at is not None:
                yield "next", f"it is looked at again {_at(verdict.look_again_at)}"
    if story.suspect:
        yield "account", f"suspect, only reads are sent: {story.suspect}"
    for command in story.commands:
        yield (
            "ordered",
            (
                f"{command.kind.value} by {command.by}, {command.state.value}, "
                f"until {_at(command.expires_at)}"
            ),
        )


def _last_seen(seen: LastSeen | None) -> str:
    if seen is None:
        return "never: no complete read has shown it"
    price = "" if seen.entry_price is None else f" at {_plain(seen.entry_price)}"
    return f"{_at(seen.finished_at)}, {_plain(seen.quantity)}{price}"


def _reads(reads: tuple[ReadSeen, ...], named_at: datetime | None, since: datetime | None) -> str:
    shown = " and ".join(_at(read.started_at) for read in reads)
    named = (
        "not asked by name"
        if named_at is None
        else f"asked by name {_at(named_at)}: not there either"
    )
    absent = "" if since is None else f"; not shown since {_at(since)}"
    return f"complete reads without it {shown}; {named}{absent}"


def _accounting(found: Accounting) -> str:
    since = "the beginning is not known" if found.since is None else f"since {_at(found.since)}"
    sums = (
        f"{_plain(found.closed)} closed and {_plain(found.opened)} opened, "
        f"{_plain(found.needed)} needed"
    )
    if found.explained_by is None:
        return f"{since}: {sums}; they do not explain it: {found.why}"
    ended = "" if found.ended_at is None else f", ended {_at(found.ended_at)}"
    return f"{since}: {sums}; explained by {_EXPLAINED[found.explained_by]}{ended}"


def _at(at: datetime) -> str:
    return f"{at.astimezone(UTC):%m-%d %H:%M:%S} UTC"


def _plain(value: Decimal) -> str:
    return f"{value.normalize() + 0:f}"
