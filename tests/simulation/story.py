"""A broken schedule as a person reads it: one timeline of world, orders and ledger.

Left to others: what is in it (`world.py`, `invariants.py`), and what broke.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from tests.simulation.scene import SYMBOLS
from tests.simulation.world import World

DULL = {"client_order_id", "order_type", "purpose", "attempt", "exchange", "evidence"}
"""Details of events that the line has already, or that nobody reads first."""
WIDEST = 160
"""Characters of an event's details: enough to know it by."""


def timeline(world: World) -> list[str]:
    """All that happened, in order. Lines of the ledger say who wrote them, by the guard's clock."""
    lines = [(at, f"{_stamp(at)} {text}") for at, text in [*world.story, *world.watch.orders]]
    for at, kind, account, symbol, side, actor, details in world.trail():
        instant = datetime.fromisoformat(str(at))
        leg = f" {account} {symbol} {side}" if symbol else ""
        lines.append(
            (instant, f"{_stamp(instant)}   ledger: {kind}{leg} by {actor}{_told(details)}")
        )
    return [text for _, text in sorted(lines, key=lambda line: line[0])]


def about(broken: Iterable[str], story: list[str]) -> list[str]:
    """The same timeline, with the lines marked that name a symbol of what broke."""
    text = "\n".join(broken)
    named = [symbol for symbol in (*SYMBOLS, "DOGE/USDT:USDT") if symbol in text]
    return [f"{'>' if any(symbol in line for symbol in named) else ' '} {line}" for line in story]


def _stamp(at: datetime) -> str:
    return f"{at:%a %H:%M:%S}.{at.microsecond // 1000:03d}"


def _told(details: object) -> str:
    known = json.loads(str(details)) if details else {}
    said = [f"{name}={value}" for name, value in known.items() if name not in DULL and value]
    return (": " + " ".join(said))[:WIDEST] if said else ""
