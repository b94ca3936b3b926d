"""Is an account in hedge mode? Asked by name, where its ledger has rows of both sides.

Some venues tell their position mode with the positions only, and an account that is empty shows
none. Held for one net position, its rows of both sides would be nobody's to judge.
"""

from __future__ import annotations

from actors.context import Context
from actors.ledger_client import ask_ledger
from messages.to_ledger import ActiveRows
from messages.venue import Connected
from rules.legs import ledger_legs
from rules.symbols import SymbolIndex
from venues.port import Venue


async def ask_mode(
    context: Context, venue: Venue, account: str, connected: Connected
) -> bool | None:
    """Whether the sides of a symbol are legs of their own; None where nothing says so.

    Asks only where the ledger has rows of both sides, and for one of those symbols.
    """
    if not venue.can_query_symbol:
        return None
    rows = await ask_ledger(context, ActiveRows(account=account))
    view = ledger_legs(rows, account, SymbolIndex(connected.instruments))
    key = min((key for key in view.legs if view.has_opposite(key)), default=None)
    if key is None:
        return None
    answer = await venue.fetch_position(key)
    if not answer.complete:
        context.log.warning("The position mode of {} is not known: {}", account, answer.problems)
        return None
    return key.symbol in answer.apart
