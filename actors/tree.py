"""The tree: who supervises whom, and how each of them is restarted.

Factories read what is in force at each start, so an actor that is restarted after a reload has the
new settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from actors import paths
from actors.aged_scan import AgedScan
from actors.alerting.notifications import Channel
from actors.alerts import Alerts
from actors.bot import Bot
from actors.delivery import Deliverer
from actors.exchange import Exchange
from actors.keeper import Keeper
from actors.ledger import LedgerActor
from actors.ledger_access import UnderWay
from actors.live_settings import LiveSettings
from actors.monitoring.account_view import LedgerLegs
from actors.orphans import Orphans
from actors.prices import Prices
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
"""Seconds that a monitor may take to stop: its work may be interrupted anywhere."""


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
    operator_children: Sequence[ChildSpec] = (),
) -> ChildSpec:
    """The whole guard with settings that stay. `venues` has one for each account, by name."""
    return live_tree(
        LiveSettings(settings, dict(venues), channels),
        ledger=ledger,
        holder=holder,
        deliver=deliver,
        judged=judged,
        source=source,
        operator_children=operator_children,
    )


def live_tree(
    live: LiveSettings,
    *,
    ledger: Ledger,
    holder: str,
    deliver: Callable[[str, AlertDraft], None] | None = None,
    judged: Callable[[str, float], None] | None = None,
    source: Source | None = None,
    operator_children: Sequence[ChildSpec] = (),
) -> ChildSpec:
    """The whole guard as one spec.

    `holder` names this start of this process in the accounts' leases. The keeper starts the
    accounts, so it comes before them and releases their leases after they have stopped.
    `operator_children` are the operators' side: they start last and stop first.

    Alerts go to the channels in force; without any there is no delivery actor. `deliver` is called
    in this process with each alert that is announced, `judged` with the account and the seconds of
    each validation before a close; neither may raise. `source` is another program's ledger, where
    one is followed.
    """
    settings = live.settings
    leases: dict[str, Lease] = {}
    under_way = UnderWay()

    def ledger_actor() -> LedgerActor:
        names = tuple(channel.name for channel in live.channels)
        return LedgerActor(ledger, leases, names, source, live.settings, under_way)

    def alerts() -> Alerts:
        live.started(paths.ALERTS)
        return Alerts(live.settings, deliver, notices=bool(live.channels))

    def keeper() -> Keeper:
        after = settings.verdict.unjudged_after
        return Keeper(holder, settings.storage.lease, account_specs, after)

    def account_specs() -> dict[str, ChildSpec]:
        return {name: account_spec(live, name, judged) for name in live.accounts}

    return ChildSpec(
        name="sexton",
        factory=partial(
            Supervisor,
            (
                ChildSpec(name="ledger", factory=ledger_actor, shutdown=30.0),
                ChildSpec(name="alerts", factory=alerts),
                *((delivery_spec(live),) if live.channels else ()),
                *_retention(settings.storage),
                # Each exchange's actor is started by the first account that asks for a price.
                ChildSpec(
                    name=paths.PRICES,
                    factory=partial(Supervisor, intensity=None, quarantine=Quarantine()),
                ),
                *_bot(source),
                ChildSpec(name="keeper", factory=keeper, shutdown=10.0),
                ChildSpec(
                    name="accounts",
                    factory=partial(Supervisor, intensity=None, quarantine=Quarantine()),
                    shutdown=None,
                ),
                *operator_children,
            ),
            intensity=10,
            period=60.0,
            backoff=QUICK,
        ),
        shutdown=None,
    )


def delivery_spec(live: LiveSettings) -> ChildSpec:
    """The actor that carries notices to the channels in force."""

    def deliverer() -> Deliverer:
        live.started(paths.DELIVERY)
        return Deliverer(live.settings, live.channels)

    return ChildSpec(name="delivery", factory=deliverer, shutdown=MONITOR)


def _retention(storage: StorageSettings) -> tuple[ChildSpec, ...]:
    if storage.keep_events is None:
        return ()
    factory = partial(Retention, storage.keep_events, storage.export_events)
    return (ChildSpec(name="retention", factory=factory, shutdown=MONITOR),)


def prices_spec(live: LiveSettings, account: AccountSettings) -> ChildSpec:
    """The actor with the prices of an account's exchange, shared by all accounts of its markets.

    It asks through the venues in force when it asks.
    """
    market = _market_of(live, account)

    def venues() -> dict[str, Venue]:
        return {
            other.name: live.venues[other.name]
            for other in live.settings.accounts
            if other.name in live.venues and _market_of(live, other) == market
        }

    return ChildSpec(name=market, factory=partial(Prices, venues), shutdown=MONITOR)


def _market_of(live: LiveSettings, account: AccountSettings) -> str:
    """A name for the markets that an account loads: its exchange's.

    Settle currencies other than USDT alone are named, since they decide which markets there are.
    A further address of the exchange, a second simulated venue, has its number in their order.
    """
    name = _kind_of(account)
    same = (other.connect for other in live.settings.accounts if _kind_of(other) == name)
    number = list(dict.fromkeys(same)).index(account.connect) + 1
    return name if number == 1 else f"{name}~{number}"


def _kind_of(account: AccountSettings) -> str:
    settles = "-".join(sorted(account.settles))
    return account.exchange if settles == "USDT" else f"{account.exchange}-{settles}"


def _bot(source: Source | None) -> tuple[ChildSpec, ...]:
    """Whoever speaks to the bot whose ledger is followed, where it offers an API."""
    if source is None or source.api is None:
        return ()
    return (ChildSpec(name="bot", factory=partial(Bot, source.api), shutdown=MONITOR),)


def account_spec(
    live: LiveSettings, name: str, judged: Callable[[str, float], None] | None
) -> ChildSpec:
    """One account's subtree, which may fail without effect on the others."""
    return ChildSpec(name=name, factory=partial(_account, live, name, judged), shutdown=None)


def _account(
    live: LiveSettings, name: str, judged: Callable[[str, float], None] | None
) -> Supervisor:
    # Its children keep what was in force at its own start, whichever of them is restarted.
    live.started(paths.account(name))
    settings, account, venue = live.settings, live.account(name), live.venues[name]
    legs = LedgerLegs(name)
    children = [
        ChildSpec(
            name="exchange",
            factory=partial(Exchange, venue, account, settings, prices_spec(live, account)),
            shutdown=20.0,
        ),
        ChildSpec(
            name="orphans", factory=partial(Orphans, account, settings, legs), shutdown=MONITOR
        ),
        ChildSpec(
            name="reconciliation",
            factory=partial(Reconciliation, account, settings, legs),
            shutdown=MONITOR,
        ),
        ChildSpec(
            name="aged",
            factory=partial(
                Supervisor,
                (
                    ChildSpec(
                        name="scan",
                        factory=partial(AgedScan, account, settings, legs, judged),
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
    return Supervisor(tuple(children), intensity=5, period=60.0, backoff=QUICK)
