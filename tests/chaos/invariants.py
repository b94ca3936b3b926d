"""The eight invariants of the design, over what a storm left behind.

Judged by the exchange's own record, the ledger's rows and events, and the logs: nothing that a
guard believes is believed. The numbers in messages are those of the invariants in the design; the
sixth, which needs a clock, is watched by the storm while it blows.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from messages.ledger import (
    Alert,
    AlertType,
    Event,
    ExitSource,
    Intent,
    IntentState,
    PositionRow,
    RowStatus,
)
from messages.values import ZERO, LegKey
from tests.chaos.bot import Trade, TradeKind
from tests.chaos.record import OrderSeen, Record
from tests.chaos.storm_world import CONFIRM, WATCHED

CLOSINGS = (
    "position_closed",
    "aged_ghost_position_detected",
    "reconciliation_ghost_closed",
    "ghost_position_closed",
)
SETTLED = ("order_final", "order_refused", "order_never_arrived")
CHANGING = ("order.create", "order.cancel", "algo.create", "algo.cancel")

# What a guard tells of: were one of these lost, somebody would be left in doubt.
NEVER_LOST = (
    "RaiseAlert",
    "AlertStored",
    "CloseRows",
    "CommitIntent",
    "UpdateIntent",
    "WorkerDone",
)


class LogLine(msgspec.Struct, frozen=True):
    at: datetime
    level: str
    message: str
    actor: str = ""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that is judged. `watched` is of the guard that only observes."""

    record: Record
    trades: list[Trade]
    rows: tuple[PositionRow, ...]
    intents: tuple[Intent, ...]
    events: tuple[Event, ...]
    alerts: tuple[Alert, ...]
    log: list[LogLine]
    watched_rows: tuple[PositionRow, ...]
    watched_rows_now: tuple[PositionRow, ...]
    watched_alerts: tuple[Alert, ...]
    watched_log: list[LogLine]


def read_log(data_dir: Path) -> list[LogLine]:
    """The service's own log. Lines cut by a kill or a full disk are passed over."""
    lines = []
    for file in sorted((data_dir / "log").glob("*.jsonl")):
        for text in file.read_text(encoding="utf-8", errors="replace").splitlines():
            if text.startswith("{") and text.endswith("}"):
                try:
                    lines.append(msgspec.convert(json.loads(text), LogLine))
                except ValueError:
                    continue
    return lines


def broken_by(facts: Facts) -> list[str]:
    """Everything that does not hold, each with its invariant's number."""
    return [
        broken
        for check in (
            _never_increases,
            _one_live_order_a_leg,
            _no_more_than_was_there,
            _rows_closed_on_evidence,
            _intents_end_as_their_orders,
            _alerted_once,
            _nothing_is_lost,
            _observing_leaves_no_trace,
            _venue_and_ledger_agree,
        )
        for broken in check(facts)
    ]


def _ours(facts: Facts) -> list[OrderSeen]:
    return [order for order in facts.record.orders if order.ours]


def _never_increases(facts: Facts) -> Iterator[str]:
    for order in _ours(facts):
        if not order.reduces:
            yield f"1: {order.client_order_id} is not reduce-only"
        if order.executed != order.closed:
            yield f"1: {order.client_order_id} filled {order.executed}, closed {order.closed}"


def _one_live_order_a_leg(facts: Facts) -> Iterator[str]:
    live: defaultdict[LegKey, set[str]] = defaultdict(set)
    for order in _ours(facts):
        (live[order.key].add if order.live else live[order.key].discard)(order.client_order_id)
        if len(live[order.key]) > 1:
            yield f"2: {sorted(live[order.key])} are live together for {order.key}"
    sent = Counter(
        it.client_order_id for it in facts.record.requests if it.endpoint == "order.create"
    )
    yield from (f"2: the order {name} was sent {n} times" for name, n in sent.items() if n > 1)
    # The same by the ledger's own story: none is decided while another has no known outcome.
    unknown: defaultdict[tuple[str, str, str], set[object]] = defaultdict(set)
    for event in facts.events:
        leg, name = (event.account, event.symbol, event.side), event.details.get("client_order_id")
        if event.kind == "order_intent":
            if unknown[leg]:
                yield f"2: {name} was decided while {unknown[leg]} had no known outcome"
            unknown[leg].add(name)
        elif event.kind in SETTLED:
            unknown[leg].discard(name)


def _no_more_than_was_there(facts: Facts) -> Iterator[str]:
    filled: Counter[LegKey] = Counter()
    for order in _ours(facts):
        filled[order.key] += order.executed or ZERO  # type: ignore[assignment]  # Counter of Decimal
    for key, quantity in filled.items():
        if quantity > facts.record.most(key):
            yield f"2: {quantity} of {key} filled, {facts.record.most(key)} was there"


def _rows_closed_on_evidence(facts: Facts) -> Iterator[str]:
    closings: defaultdict[int, list[Event]] = defaultdict(list)
    for event in facts.events:
        if event.kind in CLOSINGS:
            for row_id in _ids(event.details.get("position_id")):
                closings[row_id].append(event)
    keys = {trade.row_id: trade.key for trade in facts.trades}
    for row in facts.rows:
        if row.status != RowStatus.CLOSED or row.id not in keys:
            continue
        if len(closings[row.id]) != 1:
            yield f"3: row {row.id} is closed by {len(closings[row.id])} events"
            continue
        yield from _evidence(facts, row, keys[row.id], closings[row.id][0])


def _evidence(facts: Facts, row: PositionRow, key: LegKey, closing: Event) -> Iterator[str]:
    evidence = msgspec.convert(closing.details["evidence"], _Evidence)
    if not evidence.reads:
        yield f"3: row {row.id} is closed on no read at all"
    if evidence.kind == "two_complete_reads":
        begun = sorted(read.started_at for read in evidence.reads)
        if len(begun) < 2 or begun[-1] - begun[0] < CONFIRM:
            yield f"3: row {row.id} is closed on reads that began at {begun}"
    for read in evidence.reads:
        if not facts.record.flat_within(key, read.started_at, read.finished_at):
            yield f"3: {key} was there all through the read that says it was not: row {row.id}"
    if row.exit_source == ExitSource.FILL:
        done = [i for i in facts.intents if row.id in i.row_ids and i.filled > ZERO]
        if not done or not all(i.booked and i.state is IntentState.DONE for i in done):
            yield f"3: row {row.id} is closed by a fill of ours that is not there or not booked"


class _Read(msgspec.Struct, frozen=True):
    started_at: datetime
    finished_at: datetime


class _Evidence(msgspec.Struct, frozen=True):
    kind: str
    reads: tuple[_Read, ...]


def _intents_end_as_their_orders(facts: Facts) -> Iterator[str]:
    at_venue = {order.client_order_id: order for order in _ours(facts)}
    known = {intent.client_order_id: intent for intent in facts.intents}
    for name in at_venue.keys() - known.keys():
        yield f"4: the order {name} has no intent"
    for intent in facts.intents:
        name, order = intent.client_order_id, at_venue.get(intent.client_order_id)
        if not intent.state.final:
            yield f"4: the intent {name} is {intent.state} for ever"
        elif intent.state is IntentState.DONE:
            if order is None:
                yield f"4: the intent {name} is done, and the venue knows no such order"
            elif (order.filled, order.live) != (intent.filled, False):
                yield f"4: {name} filled {order.filled} at the venue, {intent.filled} in the ledger"
        elif order is not None and order.filled > ZERO:
            yield f"4: the intent {name} is {intent.state}, and its order filled {order.filled}"
    arrived = {r.client_order_id: r.at for r in reversed(facts.record.requests)}
    for name, intent in known.items():
        if name in arrived and arrived[name] < intent.created_at:
            yield f"4: the order {name} left before its intent was made"


def _alerted_once(facts: Facts) -> Iterator[str]:
    said = Counter(alert.dedup_key for alert in facts.alerts)
    by_key = {trade.key: trade for trade in facts.trades}
    for trade in facts.trades:
        orphan = f"orphan:{trade.key}"
        if trade.kind is TradeKind.ORPHAN and said[orphan] != 1:
            yield f"5: {said[orphan]} alerts of the orphan {trade.key}"
        ghost = f"ghost:{trade.key}:{trade.row_id}"
        row = next((row for row in facts.rows if row.id == trade.row_id), None)
        buried = row is not None and row.exit_source != ExitSource.FILL
        if said[ghost] != buried:
            yield f"5: {said[ghost]} alerts of {ghost}, buried: {buried}"
    for alert in facts.alerts:
        if alert.type is not AlertType.ORPHANED_POSITION:
            continue
        key = next(key for key in by_key if alert.dedup_key == f"orphan:{key}")
        written = by_key[key].written_at
        # A bot that cannot reach its ledger leaves an orphan for as long.
        if written is not None and written - by_key[key].opened_at < CONFIRM:
            yield f"5: {key} was called an orphan, and its row was there at once"


def _nothing_is_lost(facts: Facts) -> Iterator[str]:
    for line in (*facts.log, *facts.watched_log):
        if line.message.startswith("crashed: "):
            yield f"7: {line.actor} crashed by itself: {line.message}"
        if "dead letter" in line.message and any(name in line.message for name in NEVER_LOST):
            yield f"7: {line.message} (for {line.actor})"
    numbers = [event.seq for event in facts.events]
    for before, after in itertools.pairwise(numbers):
        if after <= before:
            yield f"7: event {after} stands after {before}"


def _observing_leaves_no_trace(facts: Facts) -> Iterator[str]:
    for request in facts.record.requests:
        if request.account == WATCHED and request.endpoint in CHANGING:
            yield f"8: {request.endpoint} was sent at {request.at} in observe mode"
    if facts.watched_rows != facts.watched_rows_now:
        yield f"8: observed rows are {facts.watched_rows_now}, were {facts.watched_rows}"
    for kind in (AlertType.ORPHANED_POSITION, AlertType.RECONCILIATION_MISMATCH):
        count = sum(alert.type is kind for alert in facts.watched_alerts)
        if count > 1:
            yield f"5: the observing guard said {kind} {count} times"


def _venue_and_ledger_agree(facts: Facts) -> Iterator[str]:
    held = {key: size for key, size in facts.record.held().items() if key.account != WATCHED}
    left = {trade.key for trade in facts.trades if trade.kind is TradeKind.ORPHAN}
    if held.keys() != left:
        yield f"the venue holds {sorted(map(str, held))}, left open were {sorted(map(str, left))}"
    for row in facts.rows:
        if row.status != RowStatus.CLOSED:
            yield f"row {row.id} is still {row.status}"


def _ids(value: object) -> list[int]:
    return [int(each) for each in value] if isinstance(value, list) else []
