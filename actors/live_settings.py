"""The settings, venues and channels in force, and with which of them each actor was started.

A reload replaces them and restarts each actor that `needs_restart`. The record of it is here and
not in the reload, so that the next reload completes one that was broken off. The console reads and
compares settings.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from actors import paths
from actors.alerting.notifications import Channel
from messages.settings import AccountSettings, AlertSettings, Settings
from venues.port import Venue


class LiveSettings:
    """Read by the factories of `actors.tree` at each start of an actor."""

    def __init__(
        self, settings: Settings, venues: dict[str, Venue], channels: Sequence[Channel] = ()
    ) -> None:
        self.settings = settings
        self.venues = venues
        self.channels = tuple(channels)
        self.retired: list[Venue] = []
        """Venues of earlier settings, to be closed once no actor has them."""
        self._started: dict[str, object] = {}

    @property
    def accounts(self) -> tuple[str, ...]:
        """The names of the accounts to guard."""
        return tuple(account.name for account in self.settings.accounts)

    def account(self, name: str) -> AccountSettings:
        """One account's settings. Raises KeyError."""
        for account in self.settings.accounts:
            if account.name == name:
                return account
        raise KeyError(name)

    def started(self, path: str) -> None:
        """The actor at this path is being started with what is in force now."""
        self._started[path] = self._needs(path)

    def stopped(self, path: str) -> None:
        """The actor at this path is no longer running."""
        self._started.pop(path, None)

    def is_started(self, path: str) -> bool:
        return path in self._started

    def needs_restart(self, path: str) -> bool:
        """Whether an actor was started there with something else than is in force now."""
        return path in self._started and self._started[path] != self._needs(path)

    def removed_accounts(self) -> tuple[str, ...]:
        """Accounts whose actors were started and which are no longer configured."""
        begin = paths.account("")
        made = (path.removeprefix(begin) for path in self._started if path.startswith(begin))
        return tuple(name for name in made if name not in self.accounts)

    def _needs(self, path: str) -> object:
        settings = self.settings
        if path == paths.ALERTS:
            return settings.alerts, settings.orphans.remind_every, bool(self.channels)
        if path == paths.DELIVERY:
            exchanges = [(account.name, account.exchange) for account in settings.accounts]
            return settings.alerts, self.channels, exchanges
        name = path.removeprefix(paths.account(""))
        if name not in self.accounts:
            return None
        # An account's actors depend neither on the other accounts nor on how alerts are sent.
        own = msgspec.structs.replace(settings, accounts=(), alerts=AlertSettings())
        return own, self.account(name), self.venues.get(name)
