"""What the demo found: counted from the ledger, the actors and the venue, and from nothing else.

`console.demo.bot` makes the trouble, and `console.demo.summary` shows the counts.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from console.control.protocol import AccountFigures, Refused
from console.service.run import Running
from messages.ledger import Event, PositionRow, RowStatus
from messages.to_ledger import FindEvents, FindRows
from messages.values import ZERO
from simulator import Market

_MANY = 100_000

_GHOSTS = ("aged_ghost_position_detected", "reconciliation_ghost_closed", "ghost_position_closed")
_KINDS: dict[str, tuple[str, ...]] = {
    "ghost": _GHOSTS,
    "orphan": ("orphan_detected",),
    "naked": ("naked_detected",),
    "mismatch": ("reconciliation_mismatch", "quantity_mismatch"),
    "closed": ("position_closed",),
}
"""The events that tell of each kind of trouble."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """How many legs had each kind of trouble; `closed` are those that the guard closed."""

    ghost: int = 0
    orphan: int = 0
    naked: int = 0
    mismatch: int = 0
    closed: int = 0

    @property
    def all_kinds(self) -> bool:
        return all((self.ghost, self.orphan, self.naked, self.mismatch, self.closed))


class VenueLeg(msgspec.Struct, frozen=True, kw_only=True):
    """An open leg as the venue itself holds it. Quantity in base units."""

    symbol: str
    side: str
    quantity: str
    entry_price: str
    stop_loss: str | None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The demo as data. `seconds` is how long it ran; `rows` counts ledger rows by status."""

    found: Found
    accounts: dict[str, AccountFigures]
    venue: dict[str, tuple[VenueLeg, ...]]
    rows: dict[str, int]
    open_alerts: int
    restarts: int
    bot: dict[str, int]
    seed: int
    seconds: float
    interrupted: bool


def count(events: Iterable[Event]) -> Found:
    """Legs by kind of trouble: one leg that is reported twice is counted once."""
    seen: dict[str, set[tuple[str, str, str]]] = {kind: set() for kind in _KINDS}
    kind_of = {name: kind for kind, names in _KINDS.items() for name in names}
    for event in events:
        kind = kind_of.get(event.kind)
        if kind is not None:
            seen[kind].add((event.account, event.symbol, event.side))
    return Found(**{kind: len(legs) for kind, legs in seen.items()})


async def events_of(running: Running) -> tuple[Event, ...]:
    """All events so far, oldest first."""
    return await running.system.ask("ledger", FindEvents(limit=_MANY))


async def rows_of(running: Running) -> tuple[PositionRow, ...]:
    """All rows of the ledger, closed ones too."""
    return await running.system.ask("ledger", FindRows())


async def outcome(
    running: Running,
    market: Market,
    *,
    bot: dict[str, int],
    seed: int,
    seconds: float,
    interrupted: bool,
) -> Outcome:
    """Everything that the demo tells at its end."""
    figures = await running.operator.figures()
    rows = await rows_of(running)
    active = sum(row.status == RowStatus.ACTIVE for row in rows)
    return Outcome(
        found=count(await events_of(running)),
        accounts={} if isinstance(figures, Refused) else figures.accounts,
        venue={name: venue_legs(market, name) for name in market.accounts},
        rows={"active": active, "closed": len(rows) - active},
        open_alerts=len(await running.ledger.open_alerts()),
        restarts=sum(node.restarts for node in running.system.tree()),
        bot=bot,
        seed=seed,
        seconds=round(seconds, 1),
        interrupted=interrupted,
    )


def venue_legs(market: Market, account: str) -> tuple[VenueLeg, ...]:
    """What the venue itself holds for an account."""
    found = []
    for position in market.accounts[account].positions.values():
        if position.size == ZERO or position.side is None:
            continue
        instrument = position.listing.instrument
        stop = position.stop_loss
        live = stop is not None and stop.state.live
        found.append(
            VenueLeg(
                symbol=instrument.symbol,
                side=position.side,
                quantity=str(abs(position.size) * instrument.contract_size),
                entry_price=str(position.entry),
                stop_loss=str(stop.spec.trigger_price) if stop is not None and live else None,
            )
        )
    return tuple(sorted(found, key=lambda leg: leg.symbol))
