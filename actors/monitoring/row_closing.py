"""Ending a ledger leg whose position is gone: as our own close, or as a ghost.

The one place that closes rows. It takes a confirmed verdict, looks first whether our own orders
account for the leg (an earlier life may have closed it), and writes rows, event, alert, orders
and counters in one transaction; of several actors that see the same ghost, one changes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from actors import paths
from actors.ledger_client import ask_ledger, event, note
from actors.runtime import Actor, AskFailed
from messages.ledger import (
    AlertDraft,
    AlertLevel,
    AlertType,
    ExitSource,
    Intent,
    LedgerLeg,
    RowClose,
)
from messages.settings import Mode, Settings
from messages.to_alerts import AlertStored, RaiseAlert
from messages.to_exchange import CleanUp, SettleLeg
from messages.to_ledger import CloseRows, FindIntents
from messages.values import ZERO
from messages.venue import Fill, Instrument, Kind
from messages.verdict import Evidence
from rules.pnl import Exit, ExitKind, exit_of, mean_price, own_exit, split_exit

AGED_GHOST = "ghost_detected_aged_close"
PERIODIC_GHOST = "ghost_detected_periodic_validation"
RECONCILED = "reconciliation: position not found on exchange"

CLOSE_COUNTERS: Mapping[str, str] = {
    "grace": "grace_closes",
    "progressive": "progressive_closes",
    "market": "market_closes_triggered",
}


class RowsClosed(msgspec.Struct, frozen=True, kw_only=True):
    """The leg's rows are closed. `by_us` is false where another actor had closed them already."""

    reason: str
    by_us: bool
    ghost: bool
    exit: Exit | None = None


class RowsLeft(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing was written. `observed` is true where only the mode forbade it."""

    why: str
    observed: bool = False


async def close_rows_of(
    actor: Actor[Any],
    settings: Settings,
    leg: LedgerLeg,
    evidence: Evidence,
    fills: tuple[Fill, ...],
    *,
    instrument: Instrument,
    ghost_reason: str,
) -> RowsClosed | RowsLeft:
    """Close the rows of a leg that is confirmed absent.

    `instrument` gives the PnL's formula and step; `ghost_reason` is written where the leg did not
    end by our own orders.
    """
    kind = instrument.kind
    own = await _own_orders(actor, leg)
    if isinstance(own, RowsLeft):
        return own
    filled = sum((intent.filled for intent in own), ZERO)
    # A close covers what the venue held when it was sized, which may be less than the ledger had.
    # It may have been more as well, and then what we closed of it was the row's all the same.
    ours = filled > ZERO and filled >= min(leg.quantity, max(i.seen_quantity for i in own))
    from_history = exit_of(
        leg,
        fills,
        leg.opened_at,
        entry_fee=settings.aged.fee,
        kind=kind,
        step=instrument.quantity_step,
    )
    if ours:
        average = _average(own, kind)
        # An order whose price is not known is booked by the venue's history, or as unknown.
        exit_ = (
            from_history
            if average is None
            else own_exit(
                leg,
                quantity=filled,
                average=average,
                fee=sum((i.fee for i in own), ZERO),
                at=own[-1].settled_at or actor.now(),
                entry_fee=settings.aged.fee,
                kind=kind,
            )
        )
        phase = own[-1].phase
        reason = f"aged_close_{phase}" if phase else own[-1].purpose
        counters = {CLOSE_COUNTERS[phase]: 1} if phase in CLOSE_COUNTERS else {}
    else:
        exit_ = from_history
        reason = ghost_reason
        counters = {"ghost_positions_detected": 1, "ghost_positions_handled": 1}
    alert = None if ours else _ghost_alert(leg, exit_, reason, copied=settings.ledger is not None)
    if settings.mode is Mode.OBSERVE:
        await _would_close(actor, leg, reason, alert)
        return RowsLeft(why="mode is observe: the row stays as it is", observed=True)
    closed = await ask_ledger(
        actor,
        CloseRows(
            account=leg.key.account,
            closes=_as_judged(
                leg, split_exit(leg, exit_, reason=reason, closed_at=actor.now(), kind=kind)
            ),
            event=event(
                "position_closed" if ours else _event_kind(ghost_reason),
                actor.now(),
                actor=actor.path,
                key=leg.key,
                event_id=f"{actor.path}:end:{','.join(map(str, leg.row_ids))}:{reason}",
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
            settles=tuple(msgspec.structs.replace(i, booked=True) for i in own),
            counters=counters,
        ),
    )
    if closed.moved:
        return RowsLeft(why="a row of it changed while it was judged: it is judged again")
    by_us = bool(closed.changed)
    if by_us and alert is not None:
        _announce_ghost(actor, leg, ghost_reason, evidence)
        actor.tell(paths.ALERTS, AlertStored(draft=alert))
        actor.log.info("Ghost position handled successfully: {}", leg.key)
    if by_us:
        await actor.attempt(paths.exchange(leg.key.account), CleanUp(key=leg.key), timeout=120.0)
    return RowsClosed(reason=reason, by_us=by_us, ghost=not ours, exit=exit_)


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


async def _own_orders(actor: Actor[Any], leg: LedgerLeg) -> tuple[Intent, ...] | RowsLeft:
    """Our filled and not yet booked orders for this leg; none may be open."""
    settled = await actor.attempt(
        paths.exchange(leg.key.account), SettleLeg(key=leg.key), timeout=120.0
    )
    if isinstance(settled, AskFailed):
        return RowsLeft(why=f"our own orders cannot be settled: {settled.why}")
    if settled.unresolved:
        return RowsLeft(why="an order of ours for this leg has no known outcome yet")
    intents = await ask_ledger(
        actor, FindIntents(account=leg.key.account, key=leg.key, unbooked_only=True)
    )
    rows = set(leg.row_ids)
    return tuple(i for i in intents if i.filled > ZERO and rows & set(i.row_ids))


def _announce_ghost(actor: Actor[Any], leg: LedgerLeg, reason: str, evidence: Evidence) -> None:
    if reason == RECONCILED:
        actor.log.warning(
            "RECONCILIATION MISMATCH {}: ledger {}, venue nothing ({})",
            leg.key,
            leg.quantity,
            evidence.kind.value,
        )
    actor.log.warning(
        "GHOST POSITION detected: {} {} at {}, rows {}, {}",
        leg.key,
        leg.quantity,
        leg.entry_price,
        list(leg.row_ids),
        evidence.kind.value,
    )


def _event_kind(reason: str) -> str:
    return {
        AGED_GHOST: "aged_ghost_position_detected",
        PERIODIC_GHOST: "aged_ghost_position_detected",
        RECONCILED: "reconciliation_ghost_closed",
    }.get(reason, "ghost_position_closed")


def _ghost_alert(leg: LedgerLeg, exit_: Exit, reason: str, *, copied: bool) -> AlertDraft:
    how = {
        ExitKind.LIQUIDATION: "it was liquidated",
        ExitKind.ADL: "it was reduced by auto-deleveraging",
    }.get(exit_.kind, "it was closed by somebody else")
    known = exit_.source is not ExitSource.UNKNOWN
    row = "the guard's copy of the bot's row" if copied else "the row"
    reconciled = reason == RECONCILED
    return AlertDraft(
        type=AlertType.RECONCILIATION_MISMATCH if reconciled else AlertType.GHOST_POSITION,
        level=AlertLevel.WARNING,
        # One ghost is one alert, whoever of the monitors sees it first.
        dedup_key=f"ghost:{leg.key}:{','.join(map(str, leg.row_ids))}",
        title=f"Ghost: {leg.key} is in the ledger and not on the exchange",
        account=leg.key.account,
        symbol=leg.key.symbol,
        side=leg.key.side.value,
        seen=f"the ledger had {leg.quantity} at {leg.entry_price}; the venue holds none",
        done=(
            f"{row} is closed ({reason}); exit {exit_.price}, PnL {exit_.pnl}, from its fills"
            if known
            else f"{row} is closed ({reason}); exit price and PnL are unknown"
        ),
        next_step=(
            f"nothing: {how}"
            if known
            else "look in the venue's trade history for how it was closed"
        ),
        details={
            "position_ids": list(leg.row_ids),
            "quantity": str(leg.quantity),
            "entry_price": str(leg.entry_price),
            "exit_price": str(exit_.price),
            "exit_source": exit_.source.value,
            "realized_pnl": str(exit_.pnl),
            "reason": reason,
        },
        lasting=False,
    )


async def _would_close(
    actor: Actor[Any], leg: LedgerLeg, reason: str, ghost: AlertDraft | None
) -> None:
    """Observe mode changes nothing and says once what it would have done."""
    if ghost is not None:
        done = f"mode is observe: the row would be closed ({reason})"
        draft = msgspec.structs.replace(ghost, done=done, lasting=True)
        actor.tell(paths.ALERTS, RaiseAlert(draft=draft))
    rows = ",".join(map(str, leg.row_ids))
    await note(
        actor,
        "would_close_row",
        leg.key,
        event_id=f"would-end:{leg.key.account}:{rows}:{reason}",
        reason=reason,
        position_id=list(leg.row_ids),
    )


def _exchange_of(settings: Settings, account: str) -> str:
    return next((a.exchange for a in settings.accounts if a.name == account), "")
