"""What an account spends of its venue's limits, for commands, the page and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from actors import paths
from actors.runtime import AskFailed, System
from actors.venue_actor import ExchangeState
from console.control.replies import AccountBudget
from console.service.actor_states import shown_state
from messages.to_exchange import ReadBudget
from rules.budget import seconds_to_flat

_PATIENCE = 2.0
"""Seconds. An exchange actor answers from memory; one that is away is told as such."""


async def account_budgets(system: System, accounts: Iterable[str]) -> tuple[AccountBudget, ...]:
    """One for each account. All are asked at once: the waits for silent ones do not add up."""
    return tuple(await asyncio.gather(*(_account_budget(system, name) for name in accounts)))


async def _account_budget(system: System, account: str) -> AccountBudget:
    """The limits as the exchange actor sees them, and what the open legs mean for them."""
    path = paths.exchange(account)
    use = await system.attempt(path, ReadBudget(), timeout=_PATIENCE)
    if isinstance(use, AskFailed):
        return AccountBudget(account=account, problem=use.reason)
    state = shown_state(system, path, ExchangeState)
    legs = state.last_read_positions if state is not None else 0
    return AccountBudget(
        account=account, use=use, legs=legs, seconds_to_flat=seconds_to_flat(use, legs)
    )
