"""The harness can find bugs: each deliberate one is caught within a bounded number of seeds.

A mutation swaps one function of the running program for a wrong one and puts it back; the same
schedules then run as in `test_schedules.py`, where they hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from actors import ending, evidence, execution
from actors.orders import Orders
from actors.orphans import Orphans
from actors.reads import SharedReads
from actors.reconciliation import Reconciliation
from actors.runtime.life import Life
from messages.ledger import Intent
from messages.requests import Settled
from messages.venue import OrderRequest, OutcomeUnknown, Placement, Snapshot
from messages.verdict import Absent, Evidence, EvidenceKind, Unknown, Verdict
from rules.sizing import Sized
from rules.verdict import LegFacts
from tests.simulation.process import SimVenue
from tests.simulation.schedules import run_schedule
from tests.simulation.world import Template
from venues.simulator import memory

SEEDS = 60
"""Within so many schedules each mutation must be caught; most are within five.

The last column below says where the search begins, near a seed that meets the bug's conditions.
The one before it is the number of the invariant that must break (empty: any).
"""


@contextmanager
def swapped(owner: Any, name: str, make: Callable[[Any], Any]) -> Iterator[None]:
    """Within it, `owner.name` is what `make` makes of it. Not a stand-in: the bug itself."""
    kept = vars(owner)[name]
    setattr(owner, name, make(kept))
    try:
        yield
    finally:
        setattr(owner, name, kept)


def one_read_is_enough(right: Any) -> Any:
    def judge(facts: LegFacts, settings: Any) -> Verdict:
        verdict: Verdict = right(facts, settings)
        newest = facts.snapshots[-1] if facts.snapshots else None
        shown = not newest or not newest.complete or newest.find(facts.key) is not None
        if isinstance(verdict, Unknown) and not shown:
            return Absent(evidence=Evidence(kind=EvidenceKind.TWO_READS, reads=()))
        return verdict

    return judge


def settle_is_ignored(right: Any) -> Any:
    def judge(facts: LegFacts, settings: Any) -> Verdict:
        changed = msgspec.structs.replace(settings, settle=timedelta(0))
        verdict: Verdict = right(facts, changed)
        return verdict

    return judge


def sent_before_its_intent(right: Any) -> Any:
    async def send(self: Any, intent: Intent) -> Any:
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
        return await right(self, intent)

    return send


def reduce_only_is_dropped(right: Any) -> Any:
    def order_spec(*arguments: Any) -> Any:
        spec = right(*arguments)
        return type(spec)(
            **{name: getattr(spec, name) for name in type(spec).__slots__} | {"reduce_only": False}
        )

    return order_spec


def damaged_reads_are_complete(right: Any) -> Any:
    return property(lambda self: True)


def mailbox_is_lost(right: Any) -> Any:
    def begin(self: Any) -> Any:
        self.cell.mailbox.clear()
        return right(self)

    return begin


def ledger_quantity_is_sent(right: Any) -> Any:
    async def size(self: Any) -> Any:
        sized = await right(self)
        if isinstance(sized, Sized):
            return msgspec.structs.replace(sized, quantity=self._order.quantity)
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
    async def snapshot(self: Any, not_before: Any = None) -> Snapshot:
        if self.recent:
            newest: Snapshot = self.recent[-1]
            return newest
        first: Snapshot = await right(self, not_before)
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
    def __init__(self: Any, owner: Any, venue: Any, settings: Any, now: Any, live: Any) -> None:
        right(self, owner, venue, settings, now, live)
        self._settings = msgspec.structs.replace(settings, arrival_limit=timedelta(seconds=1))

    return __init__


def orphans_are_not_told(right: Any) -> Any:
    async def announce(self: Any, position: Any, cover: Any) -> None:
        await asyncio.sleep(0)

    return announce


def mismatches_are_not_told(right: Any) -> Any:
    async def report(self: Any, mismatch: Any, said: str) -> None:
        await asyncio.sleep(0)

    return report


MUTATIONS: list[tuple[Any, str, Callable[[Any], Any], str, int]] = [
    (evidence, "judge", one_read_is_enough, "3:", 1),
    (evidence, "judge", settle_is_ignored, "3:", 1),
    (Orders, "send", sent_before_its_intent, "4:", 1),
    (memory, "order_spec", reduce_only_is_dropped, "1:", 1),
    (Snapshot, "complete", damaged_reads_are_complete, "3:", 25),
    (Life, "begin", mailbox_is_lost, "7:", 14),
    (execution.Close, "_size", ledger_quantity_is_sent, "2:", 6),
    (SimVenue, "place", unknown_outcomes_are_sent_again, "2:", 1),
    (ending, "_own_orders", own_fills_are_not_booked, "3:", 1),
    (Snapshot, "find", the_side_is_ignored, "5:", 33),
    (Orders, "settle_open", open_orders_are_forgotten, "4:", 20),
    (Orders, "__init__", orders_are_given_up_at_once, "4:", 1),
    (Orphans, "_announce", orphans_are_not_told, "5:", 1),
    (Reconciliation, "_report", mismatches_are_not_told, "5:", 1),
    (SharedReads, "snapshot", any_read_will_do, "", 1),
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return Template(tmp_path_factory.mktemp("mutations"))


@pytest.mark.parametrize(
    ("owner", "name", "make", "sign", "first"), MUTATIONS, ids=[m[2].__name__ for m in MUTATIONS]
)
def test_a_deliberate_bug_is_caught(
    template: Template, owner: Any, name: str, make: Callable[[Any], Any], sign: str, first: int
) -> None:
    with swapped(owner, name, make):
        for seed in range(first, first + SEEDS):
            outcome = run_schedule(template, seed)
            if outcome.broken and sign in "\n".join(outcome.broken):
                return
    raise AssertionError(f"{SEEDS} schedules ran with the bug, and nobody saw it")
