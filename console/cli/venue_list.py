"""`venues`: what the guard can do at each exchange, from the registry of exchanges."""

from __future__ import annotations

import msgspec

from console.cli import tables
from venues.exchanges import EXCHANGES
from venues.exchanges.values import Facts

TRIED = frozenset({"bybit", "binanceusdm", "okx", "bitget", "gate", "hyperliquid"})
"""Tried end to end on the simulated venue; the others were fed documented replies only."""


class Abilities(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange.

    `opened`: whether a position row tells when its leg was opened; `ends`: whether the exchange
    keeps a record of closed positions.
    """

    exchange: str
    pages: str
    by_name: bool
    stream: bool
    stops: bool
    opened: bool
    ends: bool
    tried: bool


def abilities() -> tuple[Abilities, ...]:
    """All supported exchanges, in the registry's order."""
    return tuple(_of(known.facts) for known in EXCHANGES.values())


def _of(facts: Facts) -> Abilities:
    return Abilities(
        exchange=facts.exchange,
        pages=facts.page or "one",
        by_name=facts.by_symbol,
        stream=facts.streams,
        stops=facts.stops,
        opened=bool(facts.opened),
        ends=facts.keeps_closed,
        tried=facts.exchange in TRIED,
    )


def list_venues(*, as_json: bool) -> None:
    """Print them."""
    found = abilities()
    if as_json:
        tables.print_json(found)
        return
    table = tables.table_of(
        "exchange", "pages", "asked by name", "stream", "stops", "opening", "ends"
    )
    table.add_column("tried on", header_style="dim")
    for one in found:
        table.add_row(
            one.exchange,
            one.pages,
            _yes(one.by_name),
            _yes(one.stream),
            "placed" if one.stops else "read only",
            "told" if one.opened else "from fills",
            "recorded" if one.ends else "-",
            "simulated venue" if one.tried else "documented replies",
        )
    tables.console_out().print(table)


def _yes(has: bool) -> str:
    return "yes" if has else "-"
