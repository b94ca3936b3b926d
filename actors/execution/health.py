"""Whether an account's positions can be read: one alert for an outage, one for its end."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from actors import paths
from actors.context import Context
from messages.to_alerts import RaiseAlert, ResolveAlert
from messages.venue import VenueError
from rules.guard_alerts import degraded, degraded_key

DEGRADED_AFTER = timedelta(seconds=60)
"""Reads must fail for this long before the account is called degraded: venues hiccup."""


class HealthState(msgspec.Struct):
    """`resolved_once`: this incarnation has resolved what an earlier one may have raised."""

    failing_since: datetime | None = None
    degraded: bool = False
    resolved_once: bool = False


class Health:
    """The exchange actor's view of its account's reads; `state` is part of the actor's own."""

    def __init__(self, context: Context, account: str, state: HealthState) -> None:
        self._context = context
        self._account = account
        self._state = state

    def troubled(self, error: VenueError) -> None:
        """A read failed. The account is degraded once they have failed for long enough."""
        state, now = self._state, self._context.now()
        if state.failing_since is None:
            state.failing_since = now
        # A ban has come to stay, and its end is known.
        soon = error.retry_at is None and now - state.failing_since < DEGRADED_AFTER
        if state.degraded or soon:
            return
        state.degraded = True
        self._context.tell(
            paths.ALERTS, RaiseAlert(draft=degraded(self._account, state.failing_since, error))
        )

    def recovered(self) -> None:
        """A read succeeded. After a restart nobody knows what was raised: resolved once then."""
        state = self._state
        state.failing_since = None
        if state.degraded:
            self._context.log.info("Positions of {} can be read again", self._account)
        if state.degraded or not state.resolved_once:
            state.degraded = False
            state.resolved_once = True
            self._context.tell(
                paths.ALERTS,
                ResolveAlert(
                    dedup_key=degraded_key(self._account), resolution="positions are read again"
                ),
            )
