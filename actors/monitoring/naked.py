"""Naked positions (C5): those that the ledger knows and that no working stop covers.

A helper of the orphans' monitor, which has read both sides and the stops already.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from actors import paths
from actors.context import Context
from actors.ledger_client import ask_ledger, note
from actors.monitoring.account_view import READ_TIMEOUT, AccountView, Differences
from actors.runtime import AskFailed
from messages.budget import Lane
from messages.ledger import AlertType
from messages.to_alerts import RaiseAlert, ResolveAlert
from messages.to_exchange import ReadPositions, ReadProtection
from messages.to_ledger import FindAlerts
from messages.values import LegKey, Side
from messages.venue import Protection, VenuePosition
from rules.alerts import naked, naked_key, naked_text
from rules.protection import Cover, Coverage, coverage


class NakedWatch:
    """Remembers which legs are naked, so that each is said once and resolved once.

    A row younger than `settle` is left in peace: its stop may be on the way. A bot that moves its
    stop cancels one and places the next, so a leg is naked only when two looks, `confirm_after`
    apart, say so; and it is gone only when two reads do not show it.
    """

    def __init__(
        self, context: Context, account: str, settle: timedelta, confirm_after: timedelta
    ) -> None:
        self._context = context
        self._account = account
        self._settle = settle
        self._confirm_after = confirm_after
        self._known: dict[LegKey, Cover] | None = None

    def judged(self, view: AccountView, only: frozenset[LegKey] | None = None) -> frozenset[LegKey]:
        """The legs that both sides show, and that are old enough to have their stop.

        `only` leaves out all others.
        """
        now = self._context.now()
        return frozenset(
            position.key
            for position in view.snapshot.positions
            if (only is None or position.key in only)
            and (leg := view.ledger.legs.get(position.key)) is not None
            and now - leg.opened_at >= self._settle
        )

    async def look(
        self, found: Differences, judged: frozenset[LegKey], protection: Protection
    ) -> tuple[str, ...]:
        """Report what is newly naked, resolve what is no more; return the legs that are now.

        `protection` has the stops of the legs that are `judged`, and perhaps of no other.
        """
        view = found.view
        before = await self._recall()
        bare: dict[LegKey, Cover] = {}
        fresh: list[tuple[VenuePosition, Coverage]] = []
        for position in view.snapshot.positions:
            if position.key not in judged:
                continue
            step = view.markets.instruments[position.key.symbol].quantity_step
            cover = coverage(position, protection, step=step)
            if cover.level in (Cover.NAKED, Cover.PARTLY):
                bare[position.key] = cover.level
                if before.get(position.key) is not cover.level:
                    fresh.append((position, cover))
            elif cover.level is Cover.CANNOT_TELL and position.key in before:
                bare[position.key] = before[position.key]
        confirmed = await self._still_naked(view, fresh, protection)
        for position, cover in fresh:
            if (position, cover) in confirmed:
                await self._report_naked(position, cover)
            else:
                # Not said, so not remembered: the next scan looks at it anew.
                del bare[position.key]
        unjudged = self.judged(view) - judged
        for key in [k for k in before if k not in bare]:
            if key in unjudged:
                bare[key] = before[key]
                continue
            told = _is_shown(view, key) or found.gone_from_both(key)
            if not told and key in view.ledger.legs:
                bare[key] = before[key]
                continue
            self._context.tell(
                paths.ALERTS,
                ResolveAlert(dedup_key=naked_key(key), resolution="a stop covers it, or it ended"),
            )
        self._known = bare
        return tuple(sorted(str(key) for key in bare))

    async def _recall(self) -> dict[LegKey, Cover]:
        """What is known to be naked; at first, what an earlier incarnation has alerted."""
        if self._known is None:
            alerts = await ask_ledger(
                self._context, FindAlerts(open_only=True, account=self._account)
            )
            self._known = {
                LegKey(a.account, a.symbol, Side(a.side)): (
                    Cover.PARTLY if Decimal(str(a.details.get("covered", 0))) else Cover.NAKED
                )
                for a in alerts
                if a.type is AlertType.NAKED_POSITION
            }
        return self._known

    async def _still_naked(
        self,
        view: AccountView,
        found: list[tuple[VenuePosition, Coverage]],
        protection: Protection,
    ) -> list[tuple[VenuePosition, Coverage]]:
        """Those that are as they were, by a second look at positions and stops.

        A closing leg loses its stop, and a stop that is moved is away for a moment.
        """
        if not found:
            return []
        exchange = paths.exchange(self._account)
        later = await self._context.attempt(
            exchange,
            ReadPositions(not_before=protection.started_at + self._confirm_after, lane=Lane.ROUND),
            timeout=READ_TIMEOUT,
        )
        symbols = tuple(sorted({position.key.symbol for position, _ in found}))
        again = await self._context.attempt(
            exchange, ReadProtection(symbols=symbols), timeout=READ_TIMEOUT
        )
        if isinstance(later, AskFailed) or isinstance(again, AskFailed):
            return []
        now = {p.key: p for p in later.positions}
        still = []
        for position, cover in found:
            shown = now.get(position.key)
            if shown is None or shown.quantity != position.quantity:
                continue
            step = view.markets.instruments[position.key.symbol].quantity_step
            if coverage(shown, again, step=step).level is cover.level:
                still.append((position, cover))
        return still

    async def _report_naked(self, position: VenuePosition, cover: Coverage) -> None:
        key = position.key
        text = naked_text(position, cover)
        self._context.log.critical(
            "NAKED POSITION DETECTED: {} {}, {}", key, position.quantity, text
        )
        await note(
            self._context,
            "naked_detected",
            key,
            quantity=position.quantity,
            covered=cover.quantity,
        )
        self._context.tell(paths.ALERTS, RaiseAlert(draft=naked(position, cover)))


def _is_shown(view: AccountView, key: LegKey) -> bool:
    return view.snapshot.find(key) is not None
