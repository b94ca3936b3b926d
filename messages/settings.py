"""The types of the configuration. Reading and checking TOML is the console's work.

Fractions are plain: 0.0005 is 0.05 %. Defaults are those of `docs/spec/mission.md`.
"""

from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import msgspec

from messages.ledger import AlertType
from messages.values import Secret
from messages.venue import OrderType


class Mode(StrEnum):
    OBSERVE = "observe"
    ENFORCE = "enforce"


class OnUnknown(StrEnum):
    PROCEED = "proceed"
    WAIT = "wait"


class OrphanPolicy(StrEnum):
    ALERT = "alert"
    ADOPT = "adopt"
    PROTECT = "protect"
    CLOSE = "close"


class Leftovers(StrEnum):
    """Whose resting orders of a leg that has ended are cancelled: the guard's own, or all of them.

    ALL takes only such as can do nothing but reduce that leg, and none while the bot's own record
    of the position is open.
    """

    OWN = "own"
    ALL = "all"


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One login. `connect` ("host:port") carries all its traffic there, URLs untouched.

    A key that may withdraw is refused in enforce mode unless `allow_withdraw` is true. `share` is
    how much of each of the venue's rate limits the guard's rounds may use.
    """

    name: str
    exchange: str
    key: Secret
    secret: Secret
    password: Secret | None = None
    connect: str | None = None
    ca_file: Path | None = None
    on_unknown: OnUnknown = OnUnknown.PROCEED
    orphans: OrphanPolicy = OrphanPolicy.ALERT
    orphan_allow: tuple[str, ...] = ()
    orphan_deny: tuple[str, ...] = ()
    orphan_actions_per_hour: int = 3
    protect_distance: Decimal = Decimal("0.05")
    leftovers: Leftovers = Leftovers.OWN
    settles: tuple[str, ...] = ("USDT",)
    stream: bool = True
    allow_withdraw: bool = False
    request_timeout: timedelta = timedelta(seconds=10)
    share: Decimal = Decimal("0.5")
    options: dict[str, str] = {}


class AgedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`validate_every` None switches periodic validation off, not the one before a close."""

    max_age: timedelta = timedelta(hours=3)
    grace: timedelta = timedelta(hours=8)
    fee: Decimal = Decimal("0.0005")
    loss_step: Decimal = Decimal("0.005")
    max_loss: Decimal = Decimal("0.10")
    market_after: timedelta = timedelta(hours=20)
    scan_every: timedelta = timedelta(minutes=5)
    validate_every: timedelta | None = timedelta(minutes=5)
    check_every: timedelta = timedelta(seconds=10)


class OnUnexplained(StrEnum):
    """What becomes of a leg that is absent while nothing says how it ended.

    ACCEPT closes its row after `accept_after`, with an unknown exit.
    """

    ALERT = "alert"
    ACCEPT = "accept"


class VerdictSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`fresh` is the window within which all askers share one read.

    A read that ended longer ago than `stale_after` says nothing of the present any more. `settle`
    is what a bot needs to write its row after its fill, at the opening and at the end. What could
    not be judged for `unjudged_after` is alerted.
    """

    confirm_after: timedelta = timedelta(seconds=2)
    settle: timedelta = timedelta(seconds=60)
    fresh: timedelta = timedelta(seconds=1)
    stale_after: timedelta = timedelta(seconds=60)
    unexplained: OnUnexplained = OnUnexplained.ALERT
    accept_after: timedelta = timedelta(hours=24)
    unjudged_after: timedelta = timedelta(minutes=10)


class OrderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The order ladder (`docs/spec/mission.md` B4). Back-off doubles from first to last.

    An order that no record knows `arrival_limit` after its intent cannot arrive any more: venues
    refuse requests older than their receive window, 5 s on Bybit and Binance as ccxt signs them
    and 10 s at most elsewhere; the rest is margin for a skewed clock.
    """

    ladder: tuple[OrderType, ...] = (
        OrderType.MARKET,
        OrderType.LIMIT_AGGRESSIVE,
        OrderType.LIMIT_MAKER,
    )
    attempts: int = 3
    backoff_first: timedelta = timedelta(seconds=0.5)
    backoff_last: timedelta = timedelta(seconds=5)
    rate_limit_wait: timedelta = timedelta(seconds=15)
    aggressive_offset: Decimal = Decimal("0.001")
    maker_wait: timedelta = timedelta(seconds=20)
    fill_wait: timedelta = timedelta(seconds=10)
    arrival_limit: timedelta = timedelta(seconds=20)


class OrphanSettings(msgspec.Struct, frozen=True, kw_only=True):
    every: timedelta = timedelta(minutes=5)
    remind_every: timedelta = timedelta(hours=1)


class ReconciliationSettings(msgspec.Struct, frozen=True, kw_only=True):
    every: timedelta = timedelta(minutes=10)


class Loudness(StrEnum):
    """How an alert type reaches people. Whatever it is, the alert is stored, shown and logged.

    SILENT: sent without a sound where the channel knows how, and never reminded of.
    OFF: not sent.
    """

    ON = "on"
    SILENT = "silent"
    OFF = "off"


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where alerts go. `channels` are Apprise URLs, which carry passwords and tokens.

    `callable` is "package.module:function", called as (alert_type, exchange, symbol, details).
    `daily_summary` is a time of day in UTC, None for off. `remind_every` rules every lasting
    alert but those of orphans and naked legs, which have `orphans.remind_every`.
    """

    channels: tuple[Secret, ...] = ()
    callable: str = ""
    types: dict[AlertType, Loudness] = {}
    daily_summary: time | None = time(8, 0)
    remind_every: timedelta = timedelta(hours=1)

    def loudness(self, kind: AlertType) -> Loudness:
        """How an alert of this type is told; on, unless something else is configured."""
        return self.types.get(kind, Loudness.ON)


class StorageSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`url` may carry a password, so it is a secret.

    Events older than `keep_events` leave the ledger, first into the file `export_events` (JSON
    Lines) if one is named. None keeps them for good.
    """

    url: Secret
    lease: timedelta = timedelta(seconds=15)
    keep_events: timedelta | None = None
    export_events: Path | None = None


class SourceKind(StrEnum):
    """Whose ledger is read: this program's own, a bot's known shape, or an operator's query."""

    FREQTRADE = "freqtrade"
    MONITORING = "monitoring"
    QUERY = "query"


class QuantityUnit(StrEnum):
    BASE = "base"
    CONTRACTS = "contracts"


class BotApiSettings(msgspec.Struct, frozen=True, kw_only=True):
    """freqtrade's REST API. `url` is http(s)://HOST:PORT, without a user or a password."""

    url: str
    username: str
    password: Secret


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True, rename={"kind": "source"}):
    """Another program's ledger, read-only unless `write_back` (which only monitoring allows).

    `account` takes every row; or `exchanges` maps the source's exchange names to accounts, and
    rows of other exchanges are left out. `columns` maps our column names (`id`, `symbol`,
    `side`, `quantity`, `entry_price`, `opened_at`, …) to the query's. Through `api` freqtrade is
    told of what the guard has closed.
    """

    kind: SourceKind
    url: Secret
    account: str = ""
    exchanges: dict[str, str] = {}
    query: str = ""
    columns: dict[str, str] = {}
    unit: QuantityUnit = QuantityUnit.BASE
    write_back: bool = False
    api: BotApiSettings | None = None


class ControlSettings(msgspec.Struct, frozen=True, kw_only=True):
    socket: Path
    http: str | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration, checked."""

    mode: Mode
    data_dir: Path
    storage: StorageSettings
    control: ControlSettings
    accounts: tuple[AccountSettings, ...]
    aged: AgedSettings = AgedSettings()
    verdict: VerdictSettings = VerdictSettings()
    orders: OrderSettings = OrderSettings()
    orphans: OrphanSettings = OrphanSettings()
    reconciliation: ReconciliationSettings = ReconciliationSettings()
    ledger: SourceSettings | None = None
    alerts: AlertSettings = AlertSettings()
