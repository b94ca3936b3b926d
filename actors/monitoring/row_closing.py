"""Closing the rows of a leg whose position is gone: as our own close, or as a ghost.

The one place that closes rows. It takes a confirmed verdict, looks first whether our own orders
account for the leg (an earlier incarnation may have closed it), and writes rows, event, alert,
orders and counters in one transaction; of several actors that see the same ghost, one changes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from actors import paths
from actors.context import Context
from actors.ledger_client import ask_ledger, event, note
from actors.runtime import AskFailed
from messages.ledger import AlertDraft, ExitSource, Intent, LedgerLeg, PositionRow, RowClose
from messages.settings import Mode, Settings, SourceKind
from messages.to_alerts import AlertStored, RaiseAlert
from messages.to_exchange import CleanUp, Judgement, SettleLeg
from messages.to_ledger import CloseRows, FindIntents
from messages.values import ZERO
from messages.venue import Instrument, Kind
from messages.verdict import Absent, Evidence, ExplainedBy
from rules.alerts import ghost, ghost_only_observed
from rules.pnl import Exit, exit_of, exit_of_records, mean_price, own_exit, split_exit

AGED_GHOST = "ghost_detected_aged_close"
PERIODIC_GHOST = "ghost_detected_periodic_validation"
RECONCILED = "reconciliation: position not found on exchange"
ACCEPTED = "accepted: gone from the exchange without a record"
"""The reason of a row that was closed because a person, or the settings, took it for closed."""

_BY_OUR_ORDERS = "aged_close_"

CLOSE_COUNTERS: Mapping[str, str] = {
    "grace": "grace_closes",
    "progressive": "progressive_closes",
    "market": "market_closes_triggered",
}

GHOST_COUNTERS: Mapping[str, int] = {
    "ghost_positions_detected": 1,
    "ghost_positions_handled": 1,
}

_GHOST_EVENTS: Mapping[str, str] = {
    AGED_GHOST: "aged_ghost_position_detected",
    PERIODIC_GHOST: "aged_ghost_position_detected",
    RECONCILED: "reconciliation_ghost_closed",
}


def is_ours(row: PositionRow) -> bool:
    """Whether the guard has closed a row, by its own orders or as a ghost's."""
    reason = row.exit_reason or ""
    known = (AGED_GHOST, PERIODIC_GHOST, RECONCILED, ACCEPTED)
    return reason.startswith(_BY_OUR_ORDERS) or reason in known


def by_our_orders(reason: str) -> bool:
    """Whether a row that the guard has closed ended by its own orders, and not as a ghost's."""
    return reason not in (AGED_GHOST, PERIODIC_GHOST, RECONCILED, ACCEPTED)


class RowsClosed(msgspec.Struct, frozen=True, kw_only=True):
    """The leg's rows are closed. `by_us` is false where another actor had closed them already."""

    by_us: bool
    ghost: bool


class RowsLeft(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing was written. `again_at`: from when on it may be."""

    why: str
    again_at: datetime | None = None


class _Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a leg came to its end. `own` are our orders that filled for its rows, booked or not."""

    own: tuple[Intent, ...]
    ours: bool
    exit: Exit
    reason: str
    counters: Mapping[str, int]


async def close_rows_of(
    context: Context,
    settings: Settings,
    leg: LedgerLeg,
    verdict: Absent,
    judgement: Judgement,
    *,
    instrument: Instrument,
    ghost_reason: str,
) -> RowsClosed | RowsLeft:
    """Close the rows of a leg that is confirmed absent, once its bot has had time to do so itself.

    `judgement` has the fills and records of its end. `instrument` gives the PnL's formula and
    step; `ghost_reason` is written where the leg did not end by our own orders.
    """
    evidence = verdict.evidence
    if verdict.due_at is not None and context.now() < verdict.due_at:
        return RowsLeft(
            why=f"it has ended; its bot has until {verdict.due_at:%H:%M:%S} UTC to close its row",
            again_at=verdict.due_at,
        )
    own = await _own_orders(context, leg)
    if isinstance(own, RowsLeft):
        return own
    ending = _ending_of(leg, own, verdict, judgement, settings, instrument, ghost_reason, context)
    alert = None
    if not ending.ours:
        copied, reconciled = settings.ledger is not None, ghost_reason == RECONCILED
        alert = ghost(
            leg,
            ending.exit,
            ghost_reason,
            copied=copied,
            reconciled=reconciled,
            in_the_bot=_cure(settings),
        )
    if settings.mode is Mode.OBSERVE:
        await _say_what_would_close(context, leg, ending.reason, alert)
        return RowsLeft(why="mode is observe: the row stays as it is")
    closed = await ask_ledger(
        context,
        _transaction(context, settings, leg, ending, evidence, alert, instrument.kind),
    )
    if closed.moved:
        return RowsLeft(why="a row of it changed while it was judged: it is judged again")
    by_us = bool(closed.changed)
    if by_us and alert is not None:
        _log_ghost(context, leg, ghost_reason, evidence)
        context.tell(paths.ALERTS, AlertStored(draft=alert))
        context.log.info("Ghost position handled successfully: {}", leg.key)
    if by_us:
        await context.attempt(paths.exchange(leg.key.account), CleanUp(key=leg.key), timeout=120.0)
    return RowsClosed(by_us=by_us, ghost=not ending.ours)


async def _own_orders(context: Context, leg: LedgerLeg) -> tuple[Intent, ...] | RowsLeft:
    """Our filled and not yet booked orders for this leg; none may be open."""
    settled = await context.attempt(
        paths.exchange(leg.key.account), SettleLeg(key=leg.key), timeout=120.0
    )
    if isinstance(settled, AskFailed):
        return RowsLeft(why=f"our own orders cannot be settled: {settled.why}")
    if settled.unresolved:
        return RowsLeft(why="an order of ours for this leg has no known outcome yet")
    intents = await ask_ledger(
        context, FindIntents(account=leg.key.account, key=leg.key, unbooked_only=True)
    )
    rows = set(leg.row_ids)
    return tuple(i for i in intents if i.filled > ZERO and rows & set(i.row_ids))


def _ending_of(
    leg: LedgerLeg,
    own: tuple[Intent, ...],
    verdict: Absent,
    judgement: Judgement,
    settings: Settings,
    instrument: Instrument,
    ghost_reason: str,
    context: Context,
) -> _Ending:
    """Whether our own orders ended the leg, at which price, and how that is written down."""
    filled = sum((intent.filled for intent in own), ZERO)
    # A close covers what the venue held when it was sized, which may be less than the ledger had.
    # It may have been more as well, and then what we closed of it was the row's all the same.
    ours = filled > ZERO and filled >= min(leg.quantity, max(i.seen_quantity for i in own))
    accepted = verdict.evidence.accounting.explained_by is ExplainedBy.ACCEPTED
    from_history = _exit_from_history(leg, judgement, settings, instrument, accepted=accepted)
    if not ours:
        return _Ending(
            own=own, ours=False, exit=from_history, reason=ghost_reason, counters=GHOST_COUNTERS
        )
    average = _average(own, instrument.kind)
    phase = own[-1].phase
    return _Ending(
        own=own,
        ours=True,
        # An order whose price is not known is booked by the venue's history, or as unknown.
        exit=from_history
        if average is None
        else own_exit(
            leg,
            quantity=filled,
            average=average,
            fee=sum((i.fee for i in own), ZERO),
            at=own[-1].settled_at or context.now(),
            entry_fee=settings.aged.fee,
            kind=instrument.kind,
        ),
        reason=f"{_BY_OUR_ORDERS}{phase}" if phase else own[-1].purpose,
        counters={CLOSE_COUNTERS[phase]: 1} if phase in CLOSE_COUNTERS else {},
    )


def _cure(settings: Settings) -> str:
    """What lets the bot whose ledger is followed see at once that its position is gone."""
    source = settings.ledger
    if source is None or source.kind is not SourceKind.FREQTRADE:
        return ""
    return "in freqtrade: /reload_trade with the trade's number, and it books the exit itself"


def _exit_from_history(
    leg: LedgerLeg,
    judgement: Judgement,
    settings: Settings,
    instrument: Instrument,
    *,
    accepted: bool,
) -> Exit:
    """The exit by the executions, else by the venue's record of closed positions, else unknown.

    What a person accepted without a record has no exit, whatever fills there may be.
    """
    fee, kind, step = settings.aged.fee, instrument.kind, instrument.quantity_step
    fills = () if accepted else judgement.fills
    found = exit_of(leg, fills, leg.opened_at, entry_fee=fee, kind=kind, step=step)
    if found.source is not ExitSource.UNKNOWN or accepted:
        return found
    return exit_of_records(
        leg, judgement.records, leg.opened_at, entry_fee=fee, kind=kind, step=step
    )


def _transaction(
    context: Context,
    settings: Settings,
    leg: LedgerLeg,
    ending: _Ending,
    evidence: Evidence,
    alert: AlertDraft | None,
    kind: Kind,
) -> CloseRows:
    """All that is written of the end, at once."""
    now, exit_, reason = context.now(), ending.exit, ending.reason
    ghost_event = _GHOST_EVENTS.get(reason, "ghost_position_closed")
    return CloseRows(
        account=leg.key.account,
        closes=_as_judged(leg, split_exit(leg, exit_, reason=reason, closed_at=now, kind=kind)),
        event=event(
            "position_closed" if ending.ours else ghost_event,
            now,
            actor=context.path,
            key=leg.key,
            event_id=f"{context.path}:end:{','.join(map(str, leg.row_ids))}:{reason}",
            exchange=_exchange_of(settings, leg.key.account),
            position_id=list(leg.row_ids),
            entry_price=leg.entry_price,
            quantity=leg.quantity,
            exit_price=exit_.price,
            exit_source=exit_.source.value,
            realized_pnl=exit_.pnl,
            reason=reason,
            evidence=msgspec.to_builtins(evidence),
        ),
        alert=alert,
        settles=tuple(msgspec.structs.replace(i, booked=True) for i in ending.own),
        counters=dict(ending.counters),
    )


def _average(own: tuple[Intent, ...], kind: Kind) -> Decimal | None:
    """The mean price of our own orders' fills; None where that of any is not known."""
    prices = [(i.filled, i.average) for i in own if i.filled > ZERO]
    known = [(filled, average) for filled, average in prices if average is not None]
    if len(known) < len(prices):
        return None
    return mean_price(known, kind)


def _as_judged(leg: LedgerLeg, closes: tuple[RowClose, ...]) -> tuple[RowClose, ...]:
    """The bot may rewrite a row while it is judged, and then the position lives again."""
    changed = {row.id: row.updated_at for row in leg.rows}
    return tuple(
        msgspec.structs.replace(close, changed_at=changed[close.row_id]) for close in closes
    )


async def _say_what_would_close(
    context: Context, leg: LedgerLeg, reason: str, alert: AlertDraft | None
) -> None:
    """Observe mode changes nothing and says once what it would have done."""
    if alert is not None:
        context.tell(paths.ALERTS, RaiseAlert(draft=ghost_only_observed(alert, reason)))
    rows = ",".join(map(str, leg.row_ids))
    await note(
        context,
        "would_close_row",
        leg.key,
        event_id=f"would-end:{leg.key.account}:{rows}:{reason}",
        reason=reason,
        position_id=list(leg.row_ids),
    )


def _log_ghost(context: Context, leg: LedgerLeg, reason: str, evidence: Evidence) -> None:
    if reason == RECONCILED:
        context.log.warning(
            "RECONCILIATION MISMATCH {}: ledger {}, venue nothing ({})",
            leg.key,
            leg.quantity,
            evidence.kind.value,
        )
    context.log.warning(
        "GHOST POSITION detected: {} {} at {}, rows {}, {}",
        leg.key,
        leg.quantity,
        leg.entry_price,
        list(leg.row_ids),
        evidence.kind.value,
    )


def _exchange_of(settings: Settings, account: str) -> str:
    return next((a.exchange for a in settings.accounts if a.name == account), "")
