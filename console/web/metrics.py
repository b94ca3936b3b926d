"""The figures under the names that Prometheus knows them by (`docs/spec/mission.md` E3).

`docs/metrics.md` explains each; a test holds it, the alert rules and the dashboard to the names
here. Durable statistics come from the ledger, so those counters survive restarts.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from itertools import chain

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from console.web.facts import Facts
from console.web.tally import Tally, account_of
from messages.settings import Settings

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_DURABLE = {
    "aged_ghost_positions": (
        "Ghosts: open in the ledger, confirmed absent at the venue",
        "ghost_positions_detected",
    ),
    "aged_position_validation_failures": (
        "Validations that gave no verdict",
        "position_validation_failures",
    ),
    "aged_quantity_mismatches": (
        "Legs whose quantity differs between ledger and venue",
        "quantity_mismatches",
    ),
    "sexton_ghost_positions_handled": (
        "Ghosts whose rows were closed",
        "ghost_positions_handled",
    ),
    "sexton_aged_positions": ("Legs found aged for the first time", "total_aged"),
}
_CLOSES = {
    "grace": "grace_closes",
    "progressive": "progressive_closes",
    "market": "market_closes_triggered",
    "failed": "failed_closes",
}


async def exposition(facts: Facts, settings: Settings, tally: Tally) -> bytes:
    """The text that Prometheus scrapes. Lets others run after each family: some are long."""
    texts = []
    for family in chain(_families(facts, settings, tally), tally.registry.collect()):
        registry = CollectorRegistry()
        registry.register(_Once(family))
        texts.append(generate_latest(registry))
        await asyncio.sleep(0)
    return b"".join(texts)


class _Once(Collector):
    """Hands a family over that was made beforehand."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterator[Metric]:
        return iter((self._family,))

    def describe(self) -> Iterator[Metric]:
        return iter(())


def _families(facts: Facts, settings: Settings, tally: Tally) -> Iterator[Metric]:
    info = GaugeMetricFamily(
        "sexton_info", "Always 1; the labels say what runs", labels=("version", "mode")
    )
    info.add_metric((version("sexton"), settings.mode.value), 1)
    yield info
    ready = not facts.troubles(settings)
    yield GaugeMetricFamily("sexton_ready", "1 while everything is guarded", value=int(ready))
    yield GaugeMetricFamily(
        "sexton_ledger_available", "1 while the ledger answers", int(facts.ledger_available)
    )
    if facts.counters is not None:
        yield from _statistics(facts.counters, settings)
    yield from _accounts(facts)
    yield from _budgets(facts)
    if facts.alerts is not None:
        yield _alerts(facts)
    yield from _actors(facts, settings, tally)
    yield _notices(facts)


def _statistics(counters: dict[str, dict[str, int]], settings: Settings) -> Iterator[Metric]:
    # Accounts without a count yet are told as zero: a rate needs something to rise from.
    names = [account.name for account in settings.accounts]
    for metric, (help_text, statistic) in _DURABLE.items():
        family = CounterMetricFamily(metric, help_text, labels=("account",))
        for name in names:
            family.add_metric((name,), counters.get(name, {}).get(statistic, 0))
        yield family
    closes = CounterMetricFamily("sexton_closes", "Closes by result", labels=("account", "result"))
    for name in names:
        for result, statistic in _CLOSES.items():
            closes.add_metric((name, result), counters.get(name, {}).get(statistic, 0))
    yield closes


def _accounts(facts: Facts) -> Iterator[Metric]:
    one = ("account",)
    ready = GaugeMetricFamily("sexton_account_ready", "1 while it is connected", labels=one)
    age = GaugeMetricFamily(
        "sexton_snapshot_age_seconds", "Seconds since the last read of all positions", labels=one
    )
    reads = CounterMetricFamily("sexton_snapshots", "Reads of all positions", labels=one)
    failed = CounterMetricFamily("sexton_failed_reads", "Reads that were not complete", labels=one)
    calls = CounterMetricFamily(
        "sexton_api_calls", "Requests to the venue", labels=("account", "endpoint")
    )
    orphans = GaugeMetricFamily("sexton_orphans", "Legs that no row knows of", labels=one)
    naked = GaugeMetricFamily(
        "sexton_naked_positions", "Legs without a stop that covers them", labels=one
    )
    mismatches = GaugeMetricFamily(
        "sexton_mismatches", "Legs that differ now in quantity or side", labels=one
    )
    for account in facts.accounts:
        label, state = (account.name,), account.connection
        found, compared = account.orphans, account.reconciliation
        ready.add_metric(label, int(state is not None and state.status == "ready"))
        if state is not None and state.last_read_at is not None:
            age.add_metric(label, max((facts.at - state.last_read_at).total_seconds(), 0.0))
        reads.add_metric(label, state.snapshots if state else 0)
        failed.add_metric(label, state.failed_reads if state else 0)
        for endpoint, count in sorted(state.calls.items() if state else ()):
            calls.add_metric((account.name, endpoint), count)
        orphans.add_metric(label, len(found.orphans) if found else 0)
        naked.add_metric(label, len(found.naked) if found else 0)
        mismatches.add_metric(label, len(compared.mismatches) if compared else 0)
    yield from (ready, age, reads, failed, calls, orphans, naked, mismatches)


def _budgets(facts: Facts) -> Iterator[Metric]:
    names = ("account", "limit", "scope")
    limit = GaugeMetricFamily(
        "sexton_budget_limit", "A rate limit of the venue, in its own unit", labels=names
    )
    used = GaugeMetricFamily(
        "sexton_budget_used", "What all who share it have used of it", labels=names
    )
    own = GaugeMetricFamily(
        "sexton_budget_used_by_guard", "What the guard has used of it", labels=names
    )
    spent = GaugeMetricFamily(
        "sexton_budget_spent",
        "Weight of the last minute's requests",
        labels=("account", "purpose", "lane"),
    )
    waiting = GaugeMetricFamily(
        "sexton_budget_waiting", "Requests that wait for a limit now", labels=("account",)
    )
    longest = GaugeMetricFamily(
        "sexton_budget_longest_wait_seconds",
        "The longest wait for a limit in the last minute",
        labels=("account", "lane"),
    )
    flat = GaugeMetricFamily(
        "sexton_seconds_to_flat",
        "How long the venue's limits make closing all open legs take",
        labels=("account",),
    )
    for account in facts.accounts:
        budget = account.budget
        if budget is None or budget.use is None:
            continue
        for each in budget.use.limits:
            label = (account.name, f"{each.name} {each.seconds:g}s", each.scope.value)
            limit.add_metric(label, each.limit)
            used.add_metric(label, each.used)
            own.add_metric(label, each.used_by_guard)
        for cost in budget.use.spent:
            spent.add_metric((account.name, cost.purpose, cost.lane.name.lower()), cost.weight)
        waiting.add_metric((account.name,), budget.use.waiting)
        for lane, seconds in budget.use.longest_wait.items():
            longest.add_metric((account.name, lane.name.lower()), seconds)
        flat.add_metric((account.name,), budget.seconds_to_flat)
    yield from (limit, used, own, spent, waiting, longest, flat)


def _alerts(facts: Facts) -> Metric:
    family = GaugeMetricFamily(
        "sexton_alerts_open", "Alerts not resolved yet", labels=("account", "type", "level")
    )
    found = Counter((a.account, a.type.value, a.level.value) for a in facts.alerts or ())
    for labels, count in sorted(found.items()):
        family.add_metric(labels, count)
    return family


def _actors(facts: Facts, settings: Settings, tally: Tally) -> Iterator[Metric]:
    states = Counter(node.status for node in facts.nodes if node.kind != "worker")
    actors = GaugeMetricFamily("sexton_actors", "Actors by status", labels=("status",))
    for status, count in sorted(states.items()):
        actors.add_metric((status,), count)
    yield actors
    deepest: dict[tuple[str, str], int] = defaultdict(int)
    for node in facts.nodes:
        if node.kind == "actor" and node.class_name:
            key = (account_of(node.path), node.class_name)
            deepest[key] = max(deepest[key], node.mailbox)
    mailboxes = GaugeMetricFamily(
        "sexton_mailbox_depth",
        "Messages that wait, in the fullest mailbox of an actor's class",
        labels=("account", "class"),
    )
    for labels, depth in sorted(deepest.items()):
        mailboxes.add_metric(labels, depth)
    yield mailboxes
    whole = ("", *(account.name for account in settings.accounts))
    for name, help_text, counts in (
        ("sexton_actor_restarts", "Restarts of actors", tally.restarts),
        ("sexton_actor_crashes", "Crashes of actors and their workers", tally.crashes),
        ("sexton_quarantines", "Times that an account went into quarantine", tally.quarantines),
    ):
        family = CounterMetricFamily(name, help_text, labels=("account",))
        for account in whole:
            family.add_metric((account,), counts[account])
        yield family


def _notices(facts: Facts) -> Metric:
    family = CounterMetricFamily(
        "sexton_notices", "Tries to deliver a notice", labels=("channel", "result")
    )
    channels = facts.delivery.channels if facts.delivery else {}
    for name, state in sorted(channels.items()):
        family.add_metric((name, "sent"), state.sent)
        family.add_metric((name, "failed"), state.failed)
    return family
