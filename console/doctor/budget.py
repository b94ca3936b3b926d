"""Whether what the settings ask for in rounds fits into the guard's share of each venue's limits.

What a round weighs is not looked up but measured: by the reads that `doctor` has just made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta

from console.doctor.checks import Check, ok, warning
from messages.budget import BudgetUse
from messages.settings import AccountSettings, Settings
from rules.budget import Rounds, needed_a_minute, rounds_allowance

_POSITIONS = "fetch_positions"
_STOPS = "fetch_protection"


class Budgets:
    """What each account's rounds cost, gathered while its venue is checked."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._found: dict[tuple[str, str], list[tuple[AccountSettings, BudgetUse]]] = defaultdict(
            list
        )

    def note(self, account: AccountSettings, use: BudgetUse) -> None:
        """After the reads of one account."""
        self._found[account.exchange, account.connect or ""].append((account, use))

    def checks(self) -> Iterator[Check]:
        """One line an address: all its accounts share its limits."""
        for (exchange, _), accounts in self._found.items():
            allowances = [it for it in (rounds_allowance(use) for _, use in accounts) if it]
            if not allowances:
                continue
            allowed, limit = min(allowances, key=lambda it: it[0])
            needed = sum(needed_a_minute(self._rounds(use)) for _, use in accounts)
            names = ", ".join(account.name for account, _ in accounts)
            said = (
                f"rounds of {names} cost about {needed:.0f} of the {allowed:.0f} {limit.unit} a"
                f" minute that their share allows"
            )
            if needed <= allowed:
                yield ok(f"{exchange} budget", said)
            else:
                yield warning(
                    f"{exchange} budget",
                    f"{said}: they will come late",
                    "raise reconciliation.every and orphans.every, or the accounts' share; or guard"
                    " some of them from another address",
                )

    def _rounds(self, use: BudgetUse) -> list[Rounds]:
        every = {
            # Reconciliation and the search for orphans share a read where they come together.
            _POSITIONS: min(self._settings.reconciliation.every, self._settings.orphans.every),
            _STOPS: self._settings.orphans.every,
        }
        weights: dict[str, float] = defaultdict(float)
        for spent in use.spent:
            weights[spent.purpose] += spent.weight
        return [
            Rounds(purpose=purpose, weight=weights[purpose], every=max(often, timedelta(seconds=1)))
            for purpose, often in every.items()
        ]
