"""What is asked of an account's exchange actor, and told to it.

Each message carries a leg's key or speaks of the whole account, so that one account's trouble
stays its own.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from messages.base import Done, Request
from messages.budget import BudgetUse, Lane
from messages.execution import ExecutionResult
from messages.values import LegKey
from messages.venue import (
    ClosedPosition,
    Fill,
    Hint,
    Instrument,
    Price,
    PriceKind,
    Protection,
    Snapshot,
    VenueError,
    VenuePosition,
)
from messages.verdict import Verdict


class NotReady(msgspec.Struct, frozen=True, kw_only=True):
    """The account is not connected (yet, or any more)."""

    why: str


class Markets(msgspec.Struct, frozen=True, kw_only=True):
    """The listed instruments by unified symbol, and whether the account is in hedge mode."""

    instruments: dict[str, Instrument]
    hedged: bool | None = None


class GetMarkets(Request[Markets | NotReady], frozen=True, kw_only=True):
    """Which instruments the account can trade."""


class ReadPositions(Request[Snapshot], frozen=True, kw_only=True):
    """All legs of the account, by a read that began at `not_before` or later.

    None: any read of the current freshness window will do. All askers of a window share one, which
    goes in the best of their lanes.
    """

    not_before: datetime | None = None
    lane: Lane = Lane.ANSWER


class JudgeLeg(Request["Judgement"], frozen=True, kw_only=True):
    """Is this leg there? `changed_at` is its row's last change, `since` when it was opened.

    `quantity` is what all its rows, `row_ids`, have together. A read that began at `not_before` or
    later will do, and no earlier one counts; None asks for one of the current freshness window.
    `opposite_rows`: the ledger has a row for the symbol's other side as well, so that an account
    that holds one net position shows neither of them.
    """

    key: LegKey
    row_ids: tuple[int, ...] = ()
    changed_at: datetime | None = None
    since: datetime | None = None
    quantity: Decimal | None = None
    not_before: datetime | None = None
    opposite_rows: bool = False
    lane: Lane = Lane.ANSWER


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict, and the leg's closing fills where its executions were read.

    `fills` are only those, or those parts, that ended no other row; `records` are the venue's own
    of closed positions. `fills_read` is false where nobody looked or the look-up failed.
    """

    verdict: Verdict
    fills: tuple[Fill, ...] = ()
    records: tuple[ClosedPosition, ...] = ()
    fills_read: bool = False
    seconds: float = 0.0


class FindOpening(Request["Opening"], frozen=True, kw_only=True):
    """When was this leg opened? Looked up in its fills, for venues whose positions don't say."""

    position: VenuePosition
    seen_at: datetime


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """`at` None: not known, and `why`. `failed` look-ups may be tried again."""

    at: datetime | None = None
    why: str = ""
    failed: bool = False


class ReadQuote(Request[Price | VenueError], frozen=True, kw_only=True):
    """A contract's prices of these kinds, by a question that left at most `max_age` ago."""

    symbol: str
    kinds: frozenset[PriceKind] = frozenset(PriceKind)
    max_age: timedelta = timedelta(seconds=1)
    lane: Lane = Lane.ANSWER


class ReadBudget(Request[BudgetUse], frozen=True, kw_only=True):
    """What the venue's limits allow this login now, and what was spent of them."""


class ReadProtection(Request[Protection], frozen=True, kw_only=True):
    """The working stops of these symbols."""

    symbols: tuple[str, ...]
    lane: Lane = Lane.ROUND


class CloseLeg(Request[ExecutionResult], frozen=True, kw_only=True):
    """Close the whole leg, reduce-only, exactly once.

    `quantity` is the ledger's figure in base units, used only where the verdict is unknown and
    `on_unknown` says proceed. `worst_price` bounds every limit and is None in the market phase.
    `opposite_rows` is that of `JudgeLeg`.
    """

    key: LegKey
    row_ids: tuple[int, ...]
    quantity: Decimal
    changed_at: datetime | None
    since: datetime | None
    purpose: str
    phase: str = ""
    worst_price: Decimal | None = None
    opposite_rows: bool = False


class SettleLeg(Request["Settled"], frozen=True, kw_only=True):
    """Bring every open intent of a leg to its final state by asking the venue for its id."""

    key: LegKey


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """`unresolved` intents are those that the venue could not be asked about."""

    unresolved: int = 0


class PlaceStop(Request["StopPlaced"], frozen=True, kw_only=True):
    """Place a reduce-only stop that protects a leg. `row_ids` is empty for an orphan."""

    key: LegKey
    trigger_price: Decimal
    row_ids: tuple[int, ...] = ()


class StopPlaced(msgspec.Struct, frozen=True, kw_only=True):
    """`waits`: nothing was sent yet, as it is being found out whose account it is."""

    success: bool
    order_id: str = ""
    error: str = ""
    waits: bool = False


class CleanUp(Request["CleanedUp"], frozen=True, kw_only=True):
    """Cancel what is left of a flat leg: orders of ours, or proven to belong to it.

    Where something is left, the leg is read again before it is cancelled.
    """

    key: LegKey


class CleanedUp(msgspec.Struct, frozen=True, kw_only=True):
    cancelled: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class SetSuspect(msgspec.Struct, frozen=True, kw_only=True):
    """Told by reconciliation: why this may not be the ledger's account; empty: it is.

    Nothing but reads is sent for a suspect account. `undecided` says what is still waited for
    before that can be said at all; until then no order is sent. `seen_at` is when the read began
    that this is concluded from.
    """

    why: str = ""
    undecided: str = ""
    seen_at: datetime | None = None


class AdoptIdentity(Request[Done | NotReady], frozen=True, kw_only=True):
    """An operator says that the login which the venue tells of is meant to be this account's."""

    by: str = "operator"
    why: str = ""


class RefreshMarkets(msgspec.Struct, frozen=True, kw_only=True):
    """Told by whoever meets a symbol that nobody knows: perhaps it was listed meanwhile."""

    symbol: str


class StreamHint(msgspec.Struct, frozen=True, kw_only=True):
    """Told by the stream actor to the exchange actor."""

    hint: Hint


class StreamStands(msgspec.Struct, frozen=True, kw_only=True):
    """Told by the stream actor to the exchange actor: whether it hears of orders now."""

    standing: bool


class StreamConnected(msgspec.Struct, frozen=True, kw_only=True):
    """The subscription stands (again): what happened before is not in it."""
