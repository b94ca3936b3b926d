"""Is an account in hedge mode? Asked by name, where its ledger has rows of both sides.

Some venues tell their position mode with the positions only, and an account that is empty shows
none. Held for one net position, its rows of both sides would be nobody's to judge.
"""

from __future__ import annotations

from actors import paths
from actors.context import Context
from actors.runtime import AskFailed
from messages.to_exchange import Markets
from messages.to_ledger import ActiveRows
from messages.venue import NotTold
from rules.legs import ledger_legs
from rules.symbols import SymbolIndex
from venues.port import Venue

PATIENCE = 5.0
"""Seconds."""


async def ask_mode(
    context: Context, venue: Venue, account: str, markets: Markets
) -> bool | NotTold | None:
    """Whether the sides of a symbol are legs of their own.

    Asks only where the ledger has rows of both sides, and for one of those symbols. `NotTold`:
    there is none, or the venue answers no such question; positions will tell. None: ledger or
    venue could not be read now. A bot's ledger that is away holds up nothing.
    """
    if not venue.can_query_symbol:
        return NotTold()
    rows = await context.attempt(paths.LEDGER, ActiveRows(account=account), timeout=PATIENCE)
    if isinstance(rows, AskFailed):
        return None
    view = ledger_legs(rows, account, SymbolIndex(markets.instruments))
    key = min((key for key in view.legs if view.has_opposite(key)), default=None)
    if key is None:
        return NotTold()
    answer = await venue.fetch_position(key)
    if not answer.complete:
        context.log.warning("The position mode of {} is not known: {}", account, answer.problems)
        return None
    return key.symbol in answer.apart
