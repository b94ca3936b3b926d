"""Two views of an account's legs, gathered for the monitors: what the ledger and the venue say.

A difference counts only when two looks, spaced by `confirm_after`, both show it: a bot writes its
row a moment after its fill, and a venue may flicker. What is missing at the venue is only a
suspect here; `JudgeLeg` gives the verdict.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from actors import paths
from actors.ledger_client import ask_ledger
from actors.runtime import Actor, AskFailed
from messages.ledger import LedgerLeg, PositionRow
from messages.to_exchange import GetMarkets, Markets, NotReady, ReadPositions
from messages.to_ledger import ActiveRows, FindIntents
from messages.to_monitors import LookAt
from messages.values import ZERO, LegKey
from messages.venue import Instrument, Snapshot, VenuePosition
from rules.diff import Comparison, QuantityMismatch, SideMismatch, compare, same_quantity
from rules.legs import LedgerView, ledger_legs
from rules.symbols import SymbolIndex

READ_TIMEOUT = 60.0
"""Seconds: longer than the exchange actor lets an asker wait for a read."""


KEPT_ACCOUNTS = 64
"""Accounts whose symbol index and legs are kept; one more costs the oldest its own."""


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides at one time, and how they compare."""

    markets: Markets
    ledger: LedgerView
    snapshot: Snapshot
    comparison: Comparison

    def is_conclusive_for(self, key: LegKey) -> bool:
        """Whether this look says how it is with a leg.

        That a leg of the ledger is not at the venue, only a complete read that covers it says.
        """
        read = self.snapshot
        if read.find(key) is not None:
            return True
        return read.complete and (read.scope.covers(key.symbol) or key not in self.ledger.legs)


class ViewUnavailable(msgspec.Struct, frozen=True, kw_only=True):
    """One of the sides cannot be seen now."""

    why: str


class Differences(msgspec.Struct, frozen=True, kw_only=True):
    """What both looks showed. `view` is the later one."""

    view: AccountView
    missing: tuple[LedgerLeg, ...] = ()
    orphans: tuple[VenuePosition, ...] = ()
    quantity: tuple[QuantityMismatch, ...] = ()
    side: tuple[SideMismatch, ...] = ()


async def markets_of(actor: Actor[Any], account: str) -> Markets | ViewUnavailable:
    answer = await actor.attempt(paths.exchange(account), GetMarkets())
    match answer:
        case Markets():
            return answer
        case NotReady(why=why):
            return ViewUnavailable(why=why)
        case AskFailed():
            return ViewUnavailable(why=f"the exchange actor gives no answer: {answer.why}")


async def ledger_view(actor: Actor[Any], account: str, markets: Markets) -> LedgerView:
    """The ledger's legs of an account, and the rows that cannot be used."""
    rows = await ask_ledger(actor, ActiveRows(account=account))
    return _legs_of(rows, account, _index_of(markets.instruments))


_views: OrderedDict[str, tuple[tuple[PositionRow, ...], SymbolIndex, LedgerView]] = OrderedDict()


def _legs_of(rows: tuple[PositionRow, ...], account: str, index: SymbolIndex) -> LedgerView:
    """The legs of these rows, worked out once for as long as the rows stay the same objects."""
    known = _views.pop(account, None)
    if known is None or known[0] is not rows or known[1] is not index:
        known = rows, index, ledger_legs(rows, account, index)
    _views[account] = known
    while len(_views) > KEPT_ACCOUNTS:
        _views.popitem(last=False)
    return known[2]


_indexes: OrderedDict[int, tuple[Mapping[str, Instrument], SymbolIndex]] = OrderedDict()


def _index_of(instruments: Mapping[str, Instrument]) -> SymbolIndex:
    """The index of an account's instruments, made once for as long as they stay the same."""
    known = _indexes.get(id(instruments))
    if known is not None and known[0] is instruments:
        return known[1]
    index = SymbolIndex(instruments)
    _indexes[id(instruments)] = (instruments, index)
    while len(_indexes) > KEPT_ACCOUNTS:
        _indexes.popitem(last=False)
    return index


async def look(
    actor: Actor[Any], account: str, *, not_before: datetime | None = None
) -> AccountView | ViewUnavailable:
    """One look at both sides. The rows are read after the positions."""
    markets = await markets_of(actor, account)
    if isinstance(markets, ViewUnavailable):
        return markets
    snapshot = await actor.attempt(
        paths.exchange(account), ReadPositions(not_before=not_before), timeout=READ_TIMEOUT
    )
    if isinstance(snapshot, AskFailed):
        return ViewUnavailable(why=f"the exchange actor gives no answer: {snapshot.why}")
    ledger = await ledger_view(actor, account, markets)
    return AccountView(
        markets=markets,
        ledger=ledger,
        snapshot=snapshot,
        comparison=compare(
            ledger.legs, snapshot, markets.instruments, unclear_legs=ledger.unclear_legs
        ),
    )


async def differences(
    actor: Actor[Any],
    account: str,
    confirm_after: timedelta,
    *,
    not_before: datetime | None = None,
) -> Differences | ViewUnavailable:
    """Look once, and where orphans or mismatches show a second time; keep what both looks show.

    Missing legs need no second look here: they are suspects, and each gets its own verdict.
    """
    first = await look(actor, account, not_before=not_before)
    if isinstance(first, ViewUnavailable):
        return first
    a = first.comparison
    if not (a.orphans or a.quantity or a.side):
        return Differences(view=first, missing=a.missing)
    second = await look(actor, account, not_before=first.snapshot.started_at + confirm_after)
    if isinstance(second, ViewUnavailable):
        return second
    b = second.comparison
    live, filled = await _own_orders(actor, account, second.ledger)
    orphans = _keys(position.key for position in a.orphans)
    quantity = {(m.leg.key, m.leg.quantity, m.position.quantity) for m in a.quantity}
    side = {(m.leg.key, m.position.key) for m in a.side}
    return Differences(
        view=second,
        missing=b.missing,
        orphans=tuple(
            p for p in b.orphans if p.key in orphans and p.key not in live and p.key not in filled
        ),
        quantity=tuple(
            m
            for m in b.quantity
            if (m.leg.key, m.leg.quantity, m.position.quantity) in quantity
            and m.leg.key not in live
            and not _by_us(m, filled.get(m.leg.key, ZERO), second.markets)
        ),
        side=tuple(m for m in b.side if (m.leg.key, m.position.key) in side),
    )


def _keys(keys: Iterable[LegKey]) -> frozenset[LegKey]:
    return frozenset(keys)


async def _own_orders(
    actor: Actor[Any], account: str, ledger: LedgerView
) -> tuple[frozenset[LegKey], Mapping[LegKey, Decimal]]:
    """Legs with an order of ours on the way, and how much our unbooked ones have filled.

    An order for rows that are active no more says nothing of the leg that has come after them.
    """
    intents = await ask_ledger(actor, FindIntents(account=account, unbooked_only=True))
    active = {row_id for leg in ledger.legs.values() for row_id in leg.row_ids}
    filled: dict[LegKey, Decimal] = {}
    for intent in intents:
        if intent.state.final and active.intersection(intent.row_ids):
            filled[intent.key] = filled.get(intent.key, ZERO) + intent.filled
    return frozenset(intent.key for intent in intents if not intent.state.final), filled


def _by_us(mismatch: QuantityMismatch, filled: Decimal, markets: Markets) -> bool:
    """Whether our own fills are all the difference: a close that is under way, or has failed."""
    leg = mismatch.leg
    expected = leg.quantity - filled
    instrument = markets.instruments.get(leg.key.symbol)
    return same_quantity(expected, mismatch.position.quantity, instrument)


def wake_leg(actor: Actor[Any], key: LegKey) -> None:
    """Let the leg's own actor, if there is one, see at once that its row has changed."""
    path = paths.aged_leg(key)
    if path in actor.system.cells:
        actor.tell(path, LookAt(key=key))
