"""What an account's policy does with an orphan: adopt it, protect it, close it.

Which policy applies is `rules.orphans`; this carries it out, and says so in the trail.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from actors import paths
from actors.context import Context
from actors.ledger_client import ask_ledger, event, note
from actors.monitoring.account_view import AccountView
from actors.runtime import AskFailed
from messages.execution import ErrorCode
from messages.ledger import NewPosition
from messages.settings import OrphanPolicy
from messages.to_alerts import RaiseAlert
from messages.to_exchange import CloseLeg, PlaceStop
from messages.to_ledger import AddPosition
from messages.values import LegKey
from messages.venue import VenuePosition
from rules.alerts import orphan_policy_failed
from rules.orphans import OrphanAction, protect_price

PURPOSE = "orphan_close"


async def carry_out(
    context: Context,
    decided: OrphanAction,
    position: VenuePosition,
    view: AccountView,
    distance: Decimal,
    *,
    first_seen_at: datetime,
) -> str:
    """Carry a policy out for the monitor of `context`. Returns what was done, or an empty string.

    `distance` is that of a protective stop from the mark, as a fraction. `first_seen_at` is the
    orphan record's: the same action on the same orphan is one, however often it is repeated.
    """
    match decided.policy:
        case OrphanPolicy.ALERT:
            if decided.wanted is not OrphanPolicy.ALERT:
                context.log.warning("Orphan {}: {}", position.key, decided.why)
            return ""
        case OrphanPolicy.ADOPT:
            return await _adopt(context, position, first_seen_at)
        case OrphanPolicy.PROTECT:
            return await _protect(context, position, view, distance)
        case OrphanPolicy.CLOSE:
            return await _close(context, position)


async def _adopt(context: Context, position: VenuePosition, first_seen_at: datetime) -> str:
    key = position.key
    if position.opened_at is None or position.entry_price is None:
        return ""
    row = await ask_ledger(
        context,
        AddPosition(
            new=NewPosition(
                account=key.account,
                symbol=key.symbol,
                side=key.side,
                quantity=position.quantity,
                entry_price=position.entry_price,
                opened_at=position.opened_at,
                stop_price=position.stop_loss,
                request_id=f"adopt:{key}:{first_seen_at.isoformat()}",
            ),
            event=event(
                "orphan_adopted",
                context.now(),
                actor=context.path,
                key=key,
                quantity=position.quantity,
                opened_at=position.opened_at,
            ),
        ),
    )
    context.log.warning("Orphan {} adopted as ledger row {}", key, row.id)
    return f"adopted as row {row.id}"


async def _protect(
    context: Context, position: VenuePosition, view: AccountView, distance: Decimal
) -> str:
    key = position.key
    price = protect_price(position, distance, view.markets.instruments[key.symbol])
    if price is None:
        context.log.error("No stop can be placed for {}: no usable price", key)
        return ""
    placed = await context.attempt(
        paths.exchange(key.account), PlaceStop(key=key, trigger_price=price), timeout=120.0
    )
    failure = placed.why if isinstance(placed, AskFailed) else placed.error
    if not isinstance(placed, AskFailed) and placed.waits:
        return ""
    if isinstance(placed, AskFailed) or not placed.success:
        _failed(context, key, f"no stop could be placed: {failure}")
        return ""
    await note(context, "orphan_protected", key, trigger_price=price, order_id=placed.order_id)
    context.log.warning("Orphan {} protected by a stop at {}", key, price)
    return f"protected by a stop at {price}"


async def _close(context: Context, position: VenuePosition) -> str:
    key = position.key
    result = await context.attempt(
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
    if not isinstance(result, AskFailed) and result.error_code is ErrorCode.ACCOUNT_UNDECIDED:
        return ""
    if isinstance(result, AskFailed) or not result.success:
        why = result.why if isinstance(result, AskFailed) else result.error_message
        _failed(context, key, f"it could not be closed: {why}")
        return ""
    await note(
        context, "orphan_closed", key, executed=result.executed, average_price=result.average_price
    )
    return f"closed {result.executed} at {result.average_price}"


def _failed(context: Context, key: LegKey, why: str) -> None:
    context.log.error("Orphan {}: {}", key, why)
    context.tell(paths.ALERTS, RaiseAlert(draft=orphan_policy_failed(key, why)))
