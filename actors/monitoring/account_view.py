"""Two views of an account's legs, gathered for the monitors: what the ledger and the venue say.

A difference counts only when two looks, spaced by `confirm_after`, both show it: a bot writes its
row a moment after its fill, and a venue's reads may disagree. That a leg is missing from a read
proves nothing here; `JudgeLeg` gives the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from actors import paths
from actors.context import Context
from actors.ledger_client import ask_ledger
from actors.runtime import AskFailed
from actors.runtime.ports import Host
from messages.budget import Lane
from messages.ledger import LedgerLeg, PositionRow
from messages.to_exchange import GetMarkets, Markets, NotReady, ReadPositions
from messages.to_ledger import ActiveRows, FindIntents
from messages.to_monitors import LookAt
from messages.values import ZERO, LegKey
from messages.venue import Instrument, Snapshot, VenuePosition
from rules.diff import (
    Comparison,
    NetMismatch,
    QuantityMismatch,
    SideMismatch,
    compare,
    same_quantity,
)
from rules.legs import LedgerView, ledger_legs
from rules.symbols import SymbolIndex

READ_TIMEOUT = 60.0
"""Seconds: longer than the exchange actor lets an asker wait for a read."""


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides at one time, and how they compare."""

    markets: Markets
    ledger: LedgerView
    snapshot: Snapshot
    comparison: Comparison

    def is_conclusive_for(self, key: LegKey) -> bool:
        """Whether this look is evidence about a leg.

        Only a complete read that covers it can say that a leg of the ledger is not at the venue.
        """
        read = self.snapshot
        if read.find(key) is not None:
            return True
        return read.complete and (read.scope.covers(key.symbol) or key not in self.ledger.legs)


class ViewUnavailable(msgspec.Struct, frozen=True, kw_only=True):
    """One of the sides cannot be seen now."""

    why: str


class Differences(msgspec.Struct, frozen=True, kw_only=True):
    """What both looks showed. `view` is the later one, `first` the earlier, or the same."""

    view: AccountView
    first: AccountView
    missing: tuple[LedgerLeg, ...] = ()
    orphans: tuple[VenuePosition, ...] = ()
    quantity: tuple[QuantityMismatch, ...] = ()
    side: tuple[SideMismatch, ...] = ()
    net: tuple[NetMismatch, ...] = ()

    @property
    def two_looks(self) -> bool:
        """Whether there were two, so that what neither shows is over."""
        return self.first is not self.view

    def gone_from_both(self, key: LegKey) -> bool:
        """Whether two complete reads in scope did not show a leg."""
        reads = (self.first.snapshot, self.view.snapshot)
        return self.two_looks and all(
            read.complete and read.scope.covers(key.symbol) and read.find(key) is None
            for read in reads
        )


class LedgerLegs:
    """An account's rows as legs, worked out once for as long as the rows stay as they are.

    Made with the account's actors and shared by those that look: there may be 100,000 rows.
    """

    def __init__(self, account: str) -> None:
        self._account = account
        self._index: tuple[Mapping[str, Instrument], SymbolIndex] | None = None
        self._view: tuple[tuple[PositionRow, ...], SymbolIndex, LedgerView] | None = None

    def of(
        self, rows: tuple[PositionRow, ...], instruments: Mapping[str, Instrument]
    ) -> LedgerView:
        """The legs of these rows. The ledger gives the same objects while nothing has changed."""
        if self._index is None or self._index[0] is not instruments:
            self._index = instruments, SymbolIndex(instruments)
        index = self._index[1]
        if self._view is None or self._view[0] is not rows or self._view[1] is not index:
            self._view = rows, index, ledger_legs(rows, self._account, index)
        return self._view[2]


class AccountReader:
    """Gathers both sides of one account for the actor of `context`."""

    def __init__(self, context: Context, account: str, legs: LedgerLegs) -> None:
        self._context = context
        self._account = account
        self._legs = legs

    async def markets(self) -> Markets | ViewUnavailable:
        """The account's instruments, once it is connected."""
        answer = await self._context.attempt(paths.exchange(self._account), GetMarkets())
        match answer:
            case Markets():
                return answer
            case NotReady(why=why):
                return ViewUnavailable(why=why)
            case AskFailed():
                return ViewUnavailable(why=f"the exchange actor gives no answer: {answer.why}")

    async def ledger(self, markets: Markets) -> LedgerView:
        """The ledger's legs of the account, and the rows that cannot be used."""
        rows = await ask_ledger(self._context, ActiveRows(account=self._account))
        return self._legs.of(rows, markets.instruments)

    async def look(
        self, *, not_before: datetime | None = None, lane: Lane = Lane.ROUND
    ) -> AccountView | ViewUnavailable:
        """One look at both sides. The rows are read after the positions."""
        markets = await self.markets()
        if isinstance(markets, ViewUnavailable):
            return markets
        snapshot = await self._context.attempt(
            paths.exchange(self._account),
            ReadPositions(not_before=not_before, lane=lane),
            timeout=READ_TIMEOUT,
        )
        if isinstance(snapshot, AskFailed):
            return ViewUnavailable(why=f"the exchange actor gives no answer: {snapshot.why}")
        ledger = await self.ledger(markets)
        return AccountView(
            markets=markets,
            ledger=ledger,
            snapshot=snapshot,
            comparison=compare(
                ledger.legs,
                snapshot,
                markets.instruments,
                unclear_legs=ledger.unclear_legs,
                hedged=markets.hedged,
            ),
        )

    async def differences(
        self,
        confirm_after: timedelta,
        *,
        not_before: datetime | None = None,
        twice: bool = False,
        lane: Lane = Lane.ROUND,
    ) -> Differences | ViewUnavailable:
        """Look once, and where orphans or mismatches show a second time; keep what both looks show.

        Missing legs need no second look here, since each gets its own verdict. `twice`: look a
        second time in any case, for what ends takes as much evidence as what begins.
        """
        first = await self.look(not_before=not_before, lane=lane)
        if isinstance(first, ViewUnavailable):
            return first
        a = first.comparison
        if not (twice or a.orphans or a.quantity or a.side or a.net):
            return Differences(view=first, first=first, missing=a.missing)
        second = await self.look(not_before=first.snapshot.started_at + confirm_after, lane=lane)
        if isinstance(second, ViewUnavailable):
            return second
        b = second.comparison
        live, filled = await self._own_orders(second.ledger)
        orphans = {position.key for position in a.orphans}
        quantity = {(m.leg.key, m.leg.quantity, m.position.quantity) for m in a.quantity}
        side = {(m.leg.key, m.position.key) for m in a.side}
        net = {(m.long.key, m.expected, m.held) for m in a.net}
        return Differences(
            view=second,
            first=first,
            missing=b.missing,
            orphans=tuple(
                p
                for p in b.orphans
                if p.key in orphans and p.key not in live and p.key not in filled
            ),
            quantity=tuple(
                m
                for m in b.quantity
                if (m.leg.key, m.leg.quantity, m.position.quantity) in quantity
                and m.leg.key not in live
                and not _by_us(m, filled.get(m.leg.key, ZERO), second.markets)
            ),
            side=tuple(m for m in b.side if (m.leg.key, m.position.key) in side),
            net=tuple(
                m
                for m in b.net
                if (m.long.key, m.expected, m.held) in net
                and not live.intersection((m.long.key, m.short.key))
            ),
        )

    async def _own_orders(
        self, ledger: LedgerView
    ) -> tuple[frozenset[LegKey], Mapping[LegKey, Decimal]]:
        """Legs with an order of ours on the way, and how much our unbooked ones have filled.

        An order for rows that are no longer active says nothing of the leg that came after them.
        """
        intents = await ask_ledger(
            self._context, FindIntents(account=self._account, unbooked_only=True)
        )
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


def wake_leg(system: Host, key: LegKey) -> None:
    """Let the leg's own actor, if there is one, see at once that its row has changed."""
    path = paths.aged_leg(key)
    if system.knows(path):
        system.tell(path, LookAt(key=key))
