"""Which values of the configuration make sense: ranges, and values that must fit one another.

Notations are in `console.config.values`; mistakes are reported by `console.config.reader`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from console.config.values import Refused, host_port, is_loopback
from messages.settings import AccountSettings, Settings, SourceKind, SourceSettings
from messages.venue import OrderType
from venues.exchanges import EXCHANGES

# Linux holds a socket's path in 108 bytes, the closing zero among them.
SOCKET_PATH_BYTES = 107
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class Limit:
    """A range that a single value must lie in."""

    holds: Callable[[Any], bool]
    allowed: str


_ZERO = timedelta(0)
_LATER_THAN_NOW = Limit(lambda d: d > _ZERO, "a duration above zero")
_A_TENTH = Limit(lambda d: d >= timedelta(seconds=0.1), "a duration of at least 100ms")
_SECONDS = Limit(lambda d: d >= timedelta(seconds=1), "a duration of at least 1s")


def _percent(low: str, high: str) -> Limit:
    least, most = Decimal(low) / 100, Decimal(high) / 100
    return Limit(lambda value: least <= value <= most, f'from "{low}%" to "{high}%"')


LIMITS: dict[str, Limit] = {
    "storage.lease": _SECONDS,
    "storage.keep_events": Limit(lambda d: d >= timedelta(days=1), "a duration of at least 1d"),
    "aged.max_age": _LATER_THAN_NOW,
    "aged.fee": _percent("0", "5"),
    "aged.loss_step": _percent("0", "100"),
    "aged.max_loss": _percent("0", "100"),
    "aged.scan_every": _A_TENTH,
    "aged.validate_every": _A_TENTH,
    "aged.check_every": _A_TENTH,
    "verdict.confirm_after": _LATER_THAN_NOW,
    "verdict.accept_after": _SECONDS,
    "verdict.unjudged_after": _SECONDS,
    "orders.attempts": Limit(lambda n: 1 <= n <= 20, "a whole number from 1 to 20"),
    "orders.aggressive_offset": _percent("0", "10"),
    "orders.maker_wait": _LATER_THAN_NOW,
    "orders.fill_wait": _LATER_THAN_NOW,
    "orders.ladder": Limit(
        lambda rungs: bool(rungs) and OrderType.STOP_MARKET not in rungs,
        'at least one of "market", "limit_aggressive", "limit_maker"',
    ),
    "orphans.every": _A_TENTH,
    "orphans.remind_every": _SECONDS,
    "reconciliation.every": _A_TENTH,
    "alerts.remind_every": _SECONDS,
    "accounts.*.orphan_actions_per_hour": Limit(lambda n: n >= 0, "a whole number from 0"),
    "accounts.*.protect_distance": _percent("0.1", "90"),
    "accounts.*.request_timeout": _A_TENTH,
    "accounts.*.share": _percent("1", "100"),
    "accounts.*.settles": Limit(bool, 'at least one settle currency, such as ["USDT"]'),
}


def account_problem(account: AccountSettings) -> tuple[str, str, str] | None:
    """What is wrong with an account beyond its single values: key, value, what is allowed."""
    if account.exchange not in EXCHANGES:
        known = ", ".join(sorted(EXCHANGES))
        return "exchange", account.exchange, f"an exchange that the gateway knows: {known}"
    if account.connect is not None:
        answer = host_port(account.connect)
        if isinstance(answer, Refused):
            return "connect", account.connect, answer.allowed
        if not is_loopback(answer):
            # Its traffic would go, with the keys, to whoever answers there.
            return "connect", account.connect, "127.0.0.1, localhost or [::1] with a port"
    if account.ca_file is not None and account.connect is None:
        return "ca_file", str(account.ca_file), 'only together with connect = "host:port"'
    if account.connect is not None and account.ca_file is None:
        return "connect", account.connect, "only together with ca_file, the CA to trust there"
    return None


def source_problem(source: SourceSettings) -> tuple[str, str, str] | None:
    """What is wrong with [ledger] beyond its single values: key, value, what is allowed."""
    if source.write_back and source.kind is not SourceKind.MONITORING:
        return "write_back", "true", 'only with source = "monitoring"'
    if source.kind is SourceKind.QUERY and not source.query.strip():
        return "query", source.query, 'a SELECT, with source = "query"'
    if source.kind is not SourceKind.QUERY and (source.query or source.columns):
        key = "query" if source.query else "columns"
        return key, str(getattr(source, key)), 'only with source = "query"'
    if not (source.account or source.exchanges or "account" in source.columns):
        return "account", "", "an account's name, or exchanges, to say whose the rows are"
    if source.api is not None and source.kind is not SourceKind.FREQTRADE:
        return "api", source.kind.value, 'only with source = "freqtrade"'
    if source.api is not None and not _web_address(source.api.url):
        # It may be that a password stands in it.
        return "api.url", "***", "http://HOST:PORT or https://HOST, without user and password"
    return None


def _web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    more = parts.username or parts.password or parts.query or parts.fragment
    return parts.scheme in ("http", "https") and named and not more


def socket_problem(socket: Path) -> str:
    """Why a unix socket can't have this path, or nothing."""
    length = len(bytes(socket))
    if length > SOCKET_PATH_BYTES:
        return f"a path of at most {SOCKET_PATH_BYTES} bytes; this one has {length}"
    return ""


def cross_problems(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Values that are good alone, but not together: key, value, what is allowed."""
    orders = settings.orders
    if orders.backoff_last < orders.backoff_first:
        yield (
            "orders.backoff_last",
            f"{orders.backoff_last.total_seconds():g}s",
            f"no less than orders.backoff_first ({orders.backoff_first.total_seconds():g}s)",
        )
    if settings.control.http is not None:
        answer = host_port(settings.control.http)
        if isinstance(answer, Refused):
            yield "control.http", settings.control.http, answer.allowed
        elif not is_loopback(answer):
            # Whoever reads the page needs no password: it stays on this machine.
            yield "control.http", answer, "127.0.0.1, localhost or [::1] with a port"
    if settings.alerts.callable and not _FUNCTION.fullmatch(settings.alerts.callable):
        yield "alerts.callable", settings.alerts.callable, '"package.module:function"'
    yield from _source_accounts(settings)
    if settings.storage.export_events is not None and settings.storage.keep_events is None:
        yield (
            "storage.export_events",
            str(settings.storage.export_events),
            'only together with storage.keep_events, such as "90d"',
        )
    yield from _one_key_twice(settings)
    for account in settings.accounts:
        both = sorted(set(account.orphan_allow) & set(account.orphan_deny))
        if both:
            yield (
                f"accounts.{account.name}.orphan_deny",
                ", ".join(both),
                "symbols that are not in orphan_allow as well",
            )


def _one_key_twice(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """One login under two names would have each close the other's positions as orphans."""
    first: dict[tuple[str, str | None, str], str] = {}
    for account in settings.accounts:
        login = (account.exchange, account.connect, account.key.reveal())
        other = first.setdefault(login, account.name)
        if other != account.name:
            yield (
                f"accounts.{account.name}.key",
                "***",
                f"another key than that of accounts.{other}, which is the same login",
            )


def _source_accounts(settings: Settings) -> Iterator[tuple[str, str, str]]:
    if settings.ledger is None:
        return
    known = [account.name for account in settings.accounts]
    allowed = f"an account of this file: {', '.join(known)}"
    if settings.ledger.account and settings.ledger.account not in known:
        yield "ledger.account", settings.ledger.account, allowed
    for exchange, account in settings.ledger.exchanges.items():
        if account not in known:
            yield f"ledger.exchanges.{exchange}", account, allowed
