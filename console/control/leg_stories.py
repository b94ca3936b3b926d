"""What is known of a symbol's legs at this moment: last seen, asked, answered, concluded.

Each leg is judged anew, by the same question that the guard's own actors ask; nothing is written.
How it is put into words is `console.cli.evidence_text`'s.
"""

from __future__ import annotations

import asyncio

from actors import paths
from actors.monitoring.verdicts import JUDGE_TIMEOUT
from actors.runtime import AskFailed, System
from actors.venue_actor import ExchangeState
from console.control.legs import markets_of
from console.control.replies import LegStory
from console.service.actor_states import shown_state
from messages.ledger import LedgerLeg
from messages.to_exchange import JudgeLeg
from messages.to_ledger import ActiveRows, FindCommands, FindLastSeen
from rules.legs import LedgerView, ledger_legs
from rules.symbols import SymbolIndex

SHOWN = 20
"""So many legs are judged for one question at most: more have one symbol in many accounts only."""


async def leg_stories(
    system: System, accounts: tuple[str, ...], symbol: str
) -> tuple[LegStory, ...]:
    """The legs of the ledger that are this symbol, in whatever spelling."""
    found: list[tuple[LedgerLeg, LedgerView]] = []
    for name in accounts:
        markets = await markets_of(system, name)
        rows = await system.attempt(paths.LEDGER, ActiveRows(account=name))
        if isinstance(markets, str) or isinstance(rows, AskFailed):
            continue
        index = SymbolIndex(markets.instruments)
        wanted = index.find(symbol)
        view = ledger_legs(rows, name, index)
        found += [(leg, view) for key, leg in view.legs.items() if key.symbol == wanted]
    return tuple(await asyncio.gather(*(_story(system, leg, view) for leg, view in found[:SHOWN])))


async def _story(system: System, leg: LedgerLeg, view: LedgerView) -> LegStory:
    key = leg.key
    question = JudgeLeg(
        key=key,
        row_ids=leg.row_ids,
        changed_at=leg.updated_at,
        since=leg.opened_at,
        quantity=leg.quantity,
        opposite_rows=view.has_opposite(key),
    )
    judged = await system.attempt(paths.exchange(key.account), question, timeout=JUDGE_TIMEOUT / 2)
    seen = await system.attempt(paths.LEDGER, FindLastSeen(account=key.account))
    commands = await system.attempt(paths.LEDGER, FindCommands(key=key, open_only=True))
    exchange = shown_state(system, paths.exchange(key.account), ExchangeState)
    return LegStory(
        key=key,
        row_ids=leg.row_ids,
        quantity=leg.quantity,
        last_seen=None
        if isinstance(seen, AskFailed)
        else next((one for one in seen if one.key == key), None),
        verdict=None if isinstance(judged, AskFailed) else judged.verdict,
        problem=judged.reason if isinstance(judged, AskFailed) else "",
        suspect="" if exchange is None else exchange.wrong_identity or exchange.suspect,
        commands=() if isinstance(commands, AskFailed) else commands,
    )
