"""The tree: who supervises whom, and how each of them is restarted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from actors.aged_scan import AgedScan
from actors.alerts import Alerts
from actors.delivery import Deliverer
from actors.exchange import Exchange
from actors.keeper import Keeper
from actors.ledger import LedgerActor
from actors.notices import Channel
from actors.orphans import Orphans
from actors.reconciliation import Reconciliation
from actors.retention import Retention
from actors.runtime import Backoff, ChildSpec, Quarantine, Supervisor
from actors.stream import Stream
from messages.ledger import AlertDraft, Lease
from messages.settings import AccountSettings, Settings, StorageSettings
from storage import Ledger
from storage.sources import Source
from venues.port import Venue

QUICK = Backoff(first=0.1, cap=5.0)

MONITOR = 1.0
"""Seconds that a monitor may take to stop: what it does may be broken off anywhere."""


def guard_tree(
    settings: Settings,
    *,
    ledger: Ledger,
    venues: Mapping[str, Venue],
    holder: str = "guard",
    deliver: Callable[[str, AlertDraft], None] | None = None,
    channels: Sequence[Channel] = (),
    judged: Callable[[str, float], None] | None = None,
    source: Source | None = None,
    extra: Sequence[ChildSpec] = (),
) -> ChildSpec:
    """The whole guard as one spec. `venues` has one venue for each account, by name.

    `holder` names this start of this process in the accounts' leases. The keeper starts the
    accounts, so it comes before them and releases their leases after they have stopped. `extra`
    children start last and stop first: the operators' side.

    `channels` are where alerts go; without any there is no delivery actor. `deliver` is told in
    this process of each alert that is said, `judged` of each validation before a close: account
    and seconds. Neither may raise. `source` is another program's ledger, where one is followed.
    """
    names = tuple(channel.name for channel in channels)
    leases: dict[str, Lease] = {}
    accounts = {
        account.name: _account(account, settings, venues[account.name], judged)
        for account in settings.accounts
    }
    return ChildSpec(
        name="sexton",
        factory=partial(
            Supervisor,
            (
                ChildSpec(
                    name="ledger",
                    factory=partial(LedgerActor, ledger, leases, names, source, settings),
                    shutdown=30.0,
                ),
                ChildSpec(
                    name="alerts",
                    factory=partial(Alerts, settings, deliver, notices=bool(channels)),
                ),
                *_delivery(settings, channels),
                *_retention(settings.storage),
                ChildSpec(
                    name="keeper",
                    factory=partial(Keeper, holder, settings.storage.lease, accounts),
                    shutdown=10.0,
                ),
                ChildSpec(
                    name="accounts",
                    factory=partial(Supervisor, intensity=None, quarantine=Quarantine()),
                    shutdown=None,
                ),
                *extra,
            ),
            intensity=10,
            period=60.0,
            backoff=QUICK,
        ),
        shutdown=None,
    )


def _retention(storage: StorageSettings) -> tuple[ChildSpec, ...]:
    if storage.keep_events is None:
        return ()
    factory = partial(Retention, storage.keep_events, storage.export_events)
    return (ChildSpec(name="retention", factory=factory, shutdown=MONITOR),)


def _delivery(settings: Settings, channels: Sequence[Channel]) -> tuple[ChildSpec, ...]:
    if not channels:
        return ()
    return (
        ChildSpec(
            name="delivery",
            factory=partial(Deliverer, settings, tuple(channels)),
            shutdown=MONITOR,
        ),
    )


def _account(
    account: AccountSettings,
    settings: Settings,
    venue: Venue,
    judged: Callable[[str, float], None] | None,
) -> ChildSpec:
    """One account's subtree. It may fail, and nobody outside it notices."""
    children = [
        ChildSpec(
            name="exchange",
            factory=partial(Exchange, venue, account, settings),
            shutdown=20.0,
        ),
        ChildSpec(name="orphans", factory=partial(Orphans, account, settings), shutdown=MONITOR),
        ChildSpec(
            name="reconciliation",
            factory=partial(Reconciliation, account, settings),
            shutdown=MONITOR,
        ),
        ChildSpec(
            name="aged",
            factory=partial(
                Supervisor,
                (
                    ChildSpec(
                        name="scan",
                        factory=partial(AgedScan, account, settings, judged),
                        shutdown=MONITOR,
                    ),
                ),
                intensity=20,
                period=60.0,
                backoff=QUICK,
            ),
            shutdown=None,
        ),
    ]
    if account.stream:
        children.insert(1, ChildSpec(name="stream", factory=partial(Stream, venue, account)))
    return ChildSpec(
        name=account.name,
        factory=partial(Supervisor, tuple(children), intensity=5, period=60.0, backoff=QUICK),
        shutdown=None,
    )
