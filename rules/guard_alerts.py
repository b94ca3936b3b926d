"""What people are told of the guard itself: the words and the dedup key of each alert.

Crashes, quarantines, what it cannot see or say, and the daily proof of life. Takes paths and
texts, never the runtime's own types. Does not live here: what is said of positions
(`rules.alerts`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from messages.ledger import Alert, AlertDraft, AlertLevel, AlertType
from messages.settings import Settings
from messages.venue import VenueError

RETENTION_KEY = "retention"

SUMMARY = "daily_summary"
"""The kind of the event that notes a daily summary, and how its key begins."""


# An account that cannot be read


def degraded_key(account: str) -> str:
    """Under which key an account's outage is one alert."""
    return f"degraded:{account}"


def degraded(account: str, since: datetime, error: VenueError) -> AlertDraft:
    return AlertDraft(
        type=AlertType.GUARD_DEGRADED,
        level=AlertLevel.CRITICAL,
        dedup_key=degraded_key(account),
        title=f"{account}: positions cannot be read",
        account=account,
        seen=f"reads fail since {since:%H:%M:%S} UTC: {error}",
        done="the guard keeps trying; nothing is called absent meanwhile",
        next_step="check the venue's status page, the key and the network",
    )


# Crashes


def worker_crashed(account: str, path: str, error: str) -> AlertDraft:
    return AlertDraft(
        type=AlertType.ACTOR_CRASHED,
        level=AlertLevel.CRITICAL,
        dedup_key=f"worker:{path}",
        title=f"{path} crashed",
        account=account,
        seen=error,
        done="whoever waited for it was told that nothing is known",
        next_step="report it with the log's traceback: this is a bug",
        lasting=False,
    )


def actor_crashed(
    path: str,
    account: str,
    *,
    class_name: str,
    message_type: str,
    error: str,
    restarts: int,
    uptime: float,
) -> AlertDraft:
    """`message_type` is what it failed on (empty: its start); `uptime` is seconds."""
    return AlertDraft(
        type=AlertType.ACTOR_CRASHED,
        level=AlertLevel.WARNING,
        # The same error of the same actor is said once in a while, not at every restart; workers
        # of one kind differ by a number.
        dedup_key=f"crash:{path.partition('#')[0]}:{error}",
        title=f"{path or 'sexton'} crashed: {error}",
        account=account,
        seen=f"{class_name} failed on {message_type or 'its start'}: {error}",
        done="its supervisor restarts it; the message that it had in hand is in the crash dump",
        next_step="read the newest file in `crashes`; if it repeats, `suspend` the actor",
        details={"restarts": restarts, "uptime": round(uptime, 3)},
        lasting=False,
    )


def quarantine_key(path: str) -> str:
    return f"quarantine:{path}"


def quarantined(path: str, account: str, *, failures: int, why: str, retry_in: float) -> AlertDraft:
    """`failures` in a row; `retry_in` is seconds."""
    return AlertDraft(
        type=AlertType.ACCOUNT_QUARANTINED,
        level=AlertLevel.CRITICAL,
        dedup_key=quarantine_key(path),
        title=f"{path} keeps failing and is in quarantine",
        account=account,
        seen=f"{failures} failures in a row, the last: {why}",
        done=f"it is tried again in {retry_in:.0f} s, then ever more slowly",
        next_step="mend what the failure names; until then nobody guards this account",
    )


def supervisor_gave_up(
    path: str, account: str, *, child: str, intensity: int, period: float, why: str
) -> AlertDraft:
    """More than `intensity` restarts of its children within `period` seconds."""
    return AlertDraft(
        type=AlertType.GUARD_DEGRADED,
        level=AlertLevel.CRITICAL,
        dedup_key=f"gave-up:{path}",
        title=f"{path or 'sexton'} gave up on {child}",
        account=account,
        seen=f"more than {intensity} restarts within {period:g} s: {why}",
        done="the supervisor above decides what comes next",
        next_step="read the newest files in the folder `crashes`",
        lasting=False,
    )


# What does not get through


def channel_key(channel: str) -> str:
    return f"channel:{channel}"


def channel_refuses(channel: str, tries: int, why: str) -> AlertDraft:
    return AlertDraft(
        type=AlertType.GUARD_DEGRADED,
        level=AlertLevel.WARNING,
        dedup_key=channel_key(channel),
        title=f"alerts do not get through {channel}",
        seen=f"{tries} tries in a row were refused, the last: {why}",
        done="notices are kept, and tried again at least every 5 minutes",
        next_step="check the channel's URL, its token and its service",
        details={"channel": channel},
    )


BOT_KEY = "bot"


def bot_not_told(trades: Sequence[int], why: str) -> AlertDraft:
    """The bot still has `trades` open; `why` is what its API says, empty where it took the call."""
    named = ", ".join(map(str, trades))
    return AlertDraft(
        type=AlertType.GUARD_DEGRADED,
        level=AlertLevel.WARNING,
        dedup_key=BOT_KEY,
        title="the bot does not know of what the guard has closed",
        seen=f"its API does not take the call: {why}"
        if why
        else "its API takes the call, and the trades stay open",
        done=f"trades {named} are closed at the exchange; the bot is told again every few minutes",
        next_step="check ledger.api and the bot's api_server, or in freqtrade: "
        + " and ".join(f"/reload_trade {trade}" for trade in trades),
        details={"trades": named},
    )


def events_stay(problem: str) -> AlertDraft:
    """Old events could not be exported or deleted."""
    return AlertDraft(
        type=AlertType.GUARD_DEGRADED,
        level=AlertLevel.WARNING,
        dedup_key=RETENTION_KEY,
        title="Old events can't leave the ledger",
        seen=problem,
        done="nothing was lost; it is tried again every hour",
        next_step="make storage.export_events writable, or free space on its disk",
    )


# Proof of life


def summary_key(due: datetime) -> str:
    """One summary for each instant at which one was due; its event has the same id."""
    return f"{SUMMARY}:{due.isoformat()}"


def daily_summary(
    due: datetime,
    settings: Settings,
    *,
    positions: int,
    alerts: Sequence[Alert],
    moved: Mapping[str, int],
) -> AlertDraft:
    """`alerts` are the open ones; `moved`, by how much each statistic moved since the last."""
    kinds = Counter(alert.type.value for alert in alerts)
    open_now = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    names = ", ".join(account.name for account in settings.accounts)
    return AlertDraft(
        type=AlertType.DAILY_SUMMARY,
        level=AlertLevel.INFO,
        dedup_key=summary_key(due),
        title=f"Sexton is on guard: {positions} positions, {len(alerts)} open alerts",
        seen=f"open alerts: {open_now or 'none'}",
        done=f"{settings.mode.value} mode, accounts {names}",
        next_step="acknowledge what is open" if alerts else "nothing",
        details=dict(sorted(moved.items())),
        lasting=False,
    )
