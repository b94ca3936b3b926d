"""Deliberate bugs: each a function of the program swapped for a wrong one while a test runs.

`ALL` says of each what must notice it. Left to others: the search (`test_mutations.py`), and bugs
that another line of defence keeps from doing harm here: that no leg is asked for by name, and that
a damaged read counts as a whole one. `tests/rules/test_planted_faults.py` plants those.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec

from actors import aged_leg, stream
from actors.exchange_reading import ReadingExchange
from actors.execution import close, evidence
from actors.execution.orders import Orders
from actors.execution.shared_reads import SharedReads
from actors.monitoring import row_closing, verdicts
from actors.orphans import Orphans
from actors.reconciliation import Reconciliation
from actors.runtime.incarnation import Incarnation
from actors.runtime.journal import Journal
from actors.stream import Stream
from messages.ledger import Intent, Lease
from messages.settings import Mode
from messages.to_exchange import Settled
from messages.values import ZERO
from messages.venue import OrderRequest, OutcomeUnknown, Placement, Snapshot
from messages.verdict import (
    Absent,
    Accounting,
    Evidence,
    EvidenceKind,
    ExplainedBy,
    Unknown,
    Verdict,
)
from rules.sizing import Sized
from rules.verdict import LegFacts
from simulator import memory
from storage import database
from storage.leases import Leases
from tests.simulation.process import SimVenue
from tests.simulation.scene import BYBIT

Make = Callable[[Any], Any]
"""Makes the wrong function of the right one."""


@dataclass(frozen=True)
class Mutation:
    """One bug. `sign` is how the report of what broke must begin (empty: in any way).

    The search begins at seed `first` and takes every `step`th, so as to meet the bug's conditions
    soon; `only` keeps all trouble to one account.
    """

    name: str
    swaps: tuple[tuple[Any, str, Make], ...]
    sign: str
    first: int = 1
    step: int = 1
    only: str | None = None

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within it, the program has the bug. Not a stand-in: the bug itself."""
        with ExitStack() as swaps:
            for owner, name, make in self.swaps:
                swaps.enter_context(_swapped(owner, name, make))
            yield


@contextmanager
def _swapped(owner: Any, name: str, make: Make) -> Iterator[None]:
    kept = vars(owner)[name]
    setattr(owner, name, make(kept))
    try:
        yield
    finally:
        setattr(owner, name, kept)


def no_evidence() -> Evidence:
    """What a bug calls evidence."""
    return Evidence(
        kind=EvidenceKind.TWO_READS,
        reads=(),
        accounting=Accounting(since=None, needed=ZERO, closed=ZERO, explained_by=ExplainedBy.FILLS),
    )


def one_read_is_enough(right: Any) -> Any:
    def judge(facts: LegFacts, settings: Any) -> Verdict:
        verdict: Verdict = right(facts, settings)
        newest = facts.snapshots[-1] if facts.snapshots else None
        shown = not newest or not newest.complete or newest.find(facts.key) is not None
        if isinstance(verdict, Unknown) and not shown:
            return Absent(evidence=no_evidence())
        return verdict

    return judge


def settle_is_ignored(right: Any) -> Any:
    def judge(facts: LegFacts, settings: Any) -> Verdict:
        changed = msgspec.structs.replace(settings, settle=timedelta(0))
        verdict: Verdict = right(facts, changed)
        return verdict

    return judge


def sent_before_its_intent(right: Any) -> Any:
    async def send(self: Any, intent: Intent, wanted: Any = None) -> Any:
        await self._venue.place(
            OrderRequest(
                key=intent.key,
                client_order_id=intent.client_order_id,
                type=intent.type,
                quantity=intent.quantity,
                price=intent.price,
                trigger_price=intent.trigger_price,
                hedged=intent.hedged,
            )
        )
        return await right(self, intent, wanted)

    return send


def reduce_only_is_dropped(right: Any) -> Any:
    def order_spec(*arguments: Any) -> Any:
        spec = right(*arguments)
        return type(spec)(
            **{name: getattr(spec, name) for name in type(spec).__slots__} | {"reduce_only": False}
        )

    return order_spec


def mailbox_is_lost(right: Any) -> Any:
    def begin(self: Any) -> Any:
        self.cell.mailbox.clear()
        return right(self)

    return begin


def ledger_quantity_is_sent(right: Any) -> Any:
    async def size(context: Any, progress: Any) -> Any:
        sized = await right(context, progress)
        if isinstance(sized, Sized):
            return msgspec.structs.replace(sized, quantity=progress.order.quantity)
        return sized

    return size


def unknown_outcomes_are_sent_again(right: Any) -> Any:
    async def place(self: Any, order: OrderRequest) -> Placement:
        placement: Placement = await right(self, order)
        if isinstance(placement, OutcomeUnknown):
            placement = await right(self, order)
        return placement

    return place


def any_read_will_do(right: Any) -> Any:
    async def snapshot(self: Any, not_before: Any = None, **how: Any) -> Snapshot:
        if self.recent:
            newest: Snapshot = self.recent[-1]
            return newest
        first: Snapshot = await right(self, not_before, **how)
        return first

    return snapshot


def own_fills_are_not_booked(right: Any) -> Any:
    async def own_orders(actor: Any, leg: Any) -> Any:
        await asyncio.sleep(0)
        return ()

    return own_orders


def the_side_is_ignored(right: Any) -> Any:
    def find(self: Any, key: Any) -> Any:
        return next((p for p in self.positions if p.key.symbol == key.symbol), None)

    return find


def open_orders_are_forgotten(right: Any) -> Any:
    async def settle_open(self: Any, key: Any, account: str) -> Settled:
        await asyncio.sleep(0)
        return Settled()

    return settle_open


def orders_are_given_up_at_once(right: Any) -> Any:
    def __init__(self: Any, context: Any, venue: Any, settings: Any, live: Any) -> None:
        right(self, context, venue, settings, live)
        self._settings = msgspec.structs.replace(settings, arrival_limit=timedelta(seconds=1))

    return __init__


def orphans_are_not_told(right: Any) -> Any:
    async def announce(self: Any, position: Any, cover: Any) -> None:
        await asyncio.sleep(0)

    return announce


def mismatches_are_not_told(right: Any) -> Any:
    async def report(self: Any, found: Any, said: str) -> None:
        await asyncio.sleep(0)

    return report


def a_flat_hint_is_believed(right: Any) -> Any:
    def judge(facts: LegFacts, settings: Any) -> Verdict:
        if facts.hint is not None and facts.hint.quantity == ZERO:
            return Absent(evidence=no_evidence())
        verdict: Verdict = right(facts, settings)
        return verdict

    return judge


def only_the_wall_clock_is_waited_for(right: Any) -> Any:
    async def resolve(self: Any, intent: Intent, begun: float | None = None) -> Any:
        return await right(self, intent, float("-inf"))

    return resolve


def a_dead_workers_order_bars_its_leg(right: Any) -> Any:
    async def judged(self: Any, message: Any) -> Any:
        return await self._leg_judge.judge(message)

    return judged


def hints_wake_nobody(right: Any) -> Any:
    return lambda self, hint: None


def an_hour(right: Any) -> Any:
    return 3600.0


def rows_are_closed_in_observe_mode(right: Any) -> Any:
    async def close_rows_of(actor: Any, settings: Any, *arguments: Any, **named: Any) -> Any:
        acting = msgspec.structs.replace(settings, mode=Mode.ENFORCE)
        return await right(actor, acting, *arguments, **named)

    return close_rows_of


def the_fence_is_open(right: Any) -> Any:
    return lambda connection, job, lease: job(connection)


def a_lost_lease_is_kept(right: Any) -> Any:
    async def renew_lease(self: Any, lease: Lease, duration: timedelta) -> Lease:
        await right(self, lease, duration)
        return lease

    return renew_lease


def one_account_waits_for_the_other(right: Any) -> Any:
    async def fetch_positions(self: Any) -> Snapshot:
        first: Snapshot = await right(self)
        if self.account != BYBIT:
            # One loop over all accounts, which the first failure ends.
            other: Snapshot = await right(SimVenue(self._world, BYBIT, self._process))
            if not other.complete:
                return msgspec.structs.replace(first, problems=other.problems)
        return first

    return fetch_positions


def crashes_are_not_recorded(right: Any) -> Any:
    return lambda self, life, end, worker=None: None


def one(owner: Any, attribute: str, make: Make, sign: str, **where: Any) -> Mutation:
    return Mutation(make.__name__, ((owner, attribute, make),), sign, **where)


WALL_CLOCK = one(Orders, "resolve", only_the_wall_clock_is_waited_for, "4:")
DEAD_WORKER = one(ReadingExchange, "_judged", a_dead_workers_order_bars_its_leg, "5:")
"""Bugs of the past that a story shows surely, and drawn schedules seldom."""

ALL = (
    one(evidence, "judge", one_read_is_enough, "3:", first=3),
    one(evidence, "judge", settle_is_ignored, "3:", first=3),
    one(Orders, "send", sent_before_its_intent, "4:"),
    one(memory, "order_spec", reduce_only_is_dropped, "1:"),
    one(Incarnation, "start", mailbox_is_lost, "7:", first=16),
    one(close, "size_now", ledger_quantity_is_sent, "2:", first=6),
    one(SimVenue, "place", unknown_outcomes_are_sent_again, "2:"),
    one(row_closing, "_own_orders", own_fills_are_not_booked, "3:"),
    one(Snapshot, "find", the_side_is_ignored, "", first=18),
    one(Orders, "settle_open", open_orders_are_forgotten, "", first=3),
    one(Orders, "__init__", orders_are_given_up_at_once, "4:", first=10),
    one(Orphans, "_announce", orphans_are_not_told, "5:"),
    one(Reconciliation, "_report", mismatches_are_not_told, "5:"),
    one(SharedReads, "snapshot", any_read_will_do, ""),
    one(evidence, "judge", a_flat_hint_is_believed, "3:", first=17),
    one(Stream, "_wake", hints_wake_nobody, "5:"),
    Mutation(
        "a_cut_stream_is_not_followed_again",
        ((stream, "RETRY_FIRST", an_hour), (stream, "RETRY_LAST", an_hour)),
        "5:",
        first=2,
    ),
    one(memory.MemoryVenue, "fetch_positions", one_account_waits_for_the_other, "6:", only=BYBIT),
    one(Journal, "crashed", crashes_are_not_recorded, "7:", first=2),
    Mutation(
        "rows_are_closed_in_observe_mode",
        (
            (aged_leg, "close_rows_of", rows_are_closed_in_observe_mode),
            (verdicts, "close_rows_of", rows_are_closed_in_observe_mode),
        ),
        "8:",
        first=15,
        step=16,
    ),
    Mutation(
        "the_lease_is_not_checked",
        ((database, "_fenced", the_fence_is_open), (Leases, "renew_lease", a_lost_lease_is_kept)),
        "2:",
        first=19,
    ),
)
