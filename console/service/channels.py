"""The ways out to people: an Apprise URL, or an operator's own Python function.

What blocks runs in a thread. Nothing of a URL but its kind leaves this module: Apprise's and
urllib3's own log lines, which may quote addresses with tokens in them, are kept out of the log.
Retries, and what is said, are in `actors.delivery`.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
import re
from collections import Counter
from collections.abc import Callable
from urllib.parse import unquote

import apprise

from actors.alerting.notifications import Channel, Notification
from messages.ledger import AlertLevel
from messages.settings import AlertSettings
from messages.values import Secret

_TYPES = {
    AlertLevel.INFO: apprise.NotifyType.INFO,
    AlertLevel.WARNING: apprise.NotifyType.WARNING,
    AlertLevel.CRITICAL: apprise.NotifyType.FAILURE,
}
_SHORT = 4
"""Parts of a URL of up to this many characters are no secrets, but words and numbers."""


class ChannelUnusable(Exception):
    """A channel of the configuration can't be used; the text holds no secret."""


def open_channels(settings: AlertSettings) -> tuple[Channel, ...]:
    """The configured channels. Raises ChannelUnusable.

    They are named for their kind, the second of a kind with a number: `tgram`, `tgram-2`.
    """
    channels: list[Channel] = []
    seen: Counter[str] = Counter()
    for number, url in enumerate(settings.channels):
        channels.append(AppriseChannel(url, seen, f"alerts.channels[{number}]"))
    if settings.callable:
        channels.append(CallableChannel(settings.callable))
    return tuple(channels)


class AppriseChannel:
    """One Apprise URL."""

    def __init__(self, url: Secret, seen: Counter[str], where: str) -> None:
        _keep_quiet()
        text = url.reveal()
        schema = text.partition("://")[0].lower()
        self._loud = _opened(text)
        if self._loud is None:
            raise ChannelUnusable(f"{where}: Apprise can't read this URL; see its list of services")
        # Services that know silence (Telegram among them) are told by their URL.
        self._silent = _opened(f"{text}{'&' if '?' in text else '?'}silent=yes") or self._loud
        self._hidden = _secret_parts(text)
        seen[schema] += 1
        self.name = schema if seen[schema] == 1 else f"{schema}-{seen[schema]}"

    async def send(self, notice: Notification) -> str | None:
        return await asyncio.to_thread(self._send, notice)

    def _send(self, notice: Notification) -> str | None:
        target = self._silent if notice.silent else self._loud
        if target is None:
            raise ValueError("opened without a target")
        result = target.notify(
            title=notice.title,
            body=notice.body,
            notify_type=_TYPES[notice.level],
            body_format=apprise.NotifyFormat.TEXT,
        )
        if result:
            return None
        reasons = [entry.message for entry in result.logs() if entry.level in ("WARNING", "ERROR")]
        why = "; ".join(dict.fromkeys(reasons)) or "the service did not take it"
        for part in self._hidden:
            why = why.replace(part, "***")
        return why


class CallableChannel:
    """An operator's function, called as (alert_type, exchange, symbol, details).

    What it returns is ignored; it may be a coroutine function. What it raises is a refusal.
    """

    name = "callable"

    def __init__(self, path: str) -> None:
        module, _, attribute = path.partition(":")
        try:
            found = getattr(importlib.import_module(module), attribute, None)
        except ImportError as error:
            raise ChannelUnusable(f"alerts.callable: {module} can't be imported: {error}") from None
        if not callable(found):
            raise ChannelUnusable(f"alerts.callable: {module} has no function {attribute!r}")
        self._function: Callable[[str, str, str, dict[str, object]], object] = found

    async def send(self, notice: Notification) -> str | None:
        told = (notice.type.value, notice.exchange, notice.symbol, dict(notice.details))
        if inspect.iscoroutinefunction(self._function):
            await self._function(*told)
        else:
            await asyncio.to_thread(self._function, *told)
        return None


def _opened(url: str) -> apprise.Apprise | None:
    opened = apprise.Apprise()
    return opened if opened.add(url) else None


def _secret_parts(url: str) -> list[str]:
    """Everything in a URL that might be a secret, longest first, as written and as meant."""
    parts = re.split(r"[:/@?&=]+", url.partition("://")[2])
    both = {form for part in parts for form in (part, unquote(part))}
    return sorted((part for part in (url, *both) if len(part) > _SHORT), key=len, reverse=True)


def _keep_quiet() -> None:
    # Their lines name addresses; what is worth knowing comes back as the reason of a refusal.
    quiet = logging.getLogger("apprise")
    quiet.propagate = False
    if not quiet.handlers:
        quiet.addHandler(logging.NullHandler())
    logging.getLogger("urllib3").setLevel(logging.ERROR)
