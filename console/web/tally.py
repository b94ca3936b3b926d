"""Counts that no actor's state and no ledger row holds: kept by the process, from its events.

They begin at zero with each start, as Prometheus expects of counters. What must survive is in the
ledger's statistics.
"""

from __future__ import annotations

from collections import Counter

from prometheus_client import CollectorRegistry, Histogram

from actors.runtime.events import (
    ChildCrashed,
    ChildRestarted,
    Quarantined,
    SupervisionEvent,
)

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; the goal is a validation within half a second."""


class Tally:
    """Give `event` to the system and `judged` to the tree. `accounts` are the configured names."""

    def __init__(self, accounts: tuple[str, ...]) -> None:
        self.restarts: Counter[str] = Counter()
        self.crashes: Counter[str] = Counter()
        self.quarantines: Counter[str] = Counter()
        self.registry = CollectorRegistry()
        self._validations = Histogram(
            "aged_close_validation_duration_seconds",
            "Seconds that the validation before a close took",
            ("account",),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.expect(accounts)

    def expect(self, accounts: tuple[str, ...]) -> None:
        """Show these accounts from now on, with zeros where nothing has happened yet."""
        for account in accounts:
            self._validations.labels(account=account)

    def judged(self, account: str, seconds: float) -> None:
        """A leg was validated before its close."""
        self._validations.labels(account=account).observe(seconds)

    def event(self, event: SupervisionEvent) -> None:
        match event:
            case ChildRestarted():
                self.restarts[account_of(event.path)] += 1
            case ChildCrashed():
                self.crashes[account_of(event.path)] += 1
            case Quarantined():
                self.quarantines[account_of(event.path)] += 1
            case _:
                pass


def account_of(path: str) -> str:
    """The account that an actor works for; empty for those who work for all."""
    parts = path.split("/")
    return parts[1] if len(parts) > 1 and parts[0] == "accounts" else ""
