"""The restarts that a reload asks the supervisors for: of what was made with other settings.

Each may be repeated, and leaves alone whatever runs with what is in force. What is in force is
decided in `console.service.reload`.
"""

from __future__ import annotations

from typing import Any

from actors import paths
from actors.keeper import AccountsChanged
from actors.live_settings import LiveSettings
from actors.runtime import (
    Actor,
    AlreadyThere,
    AskFailed,
    RestartChild,
    StartChild,
    StartRefused,
    StopChild,
)
from actors.tree import delivery_spec
from messages.base import Request
from messages.to_ledger import Reconfigure

ROOT = ""
WITHIN = 300.0
"""Seconds for one order to a supervisor: far more than its children's deadlines for stopping."""


class Restarts:
    """`done` are the paths of actors that were started, stopped or started afresh.

    `troubles` are orders that were not carried out, one line each; the supervisor goes on with
    what it can.
    """

    def __init__(self, actor: Actor[Any], in_force: LiveSettings) -> None:
        self._actor = actor
        self._in_force = in_force
        self.done: list[str] = []
        self.troubles: list[str] = []

    async def run(self) -> None:
        """Have every actor run with what is in force."""
        await self._ledger()
        await self._delivery()
        await self._fresh(paths.ALERTS)
        await self._keeper()
        for name in self._in_force.accounts:
            await self._fresh(paths.account(name))

    async def _ledger(self) -> None:
        channels = tuple(channel.name for channel in self._in_force.channels)
        await self._ordered(
            paths.LEDGER,
            paths.LEDGER,
            Reconfigure(accounts=self._in_force.accounts, channels=channels),
        )

    async def _delivery(self) -> None:
        there = self._in_force.is_started(paths.DELIVERY)
        if there and not self._in_force.channels:
            if await self._ordered(paths.DELIVERY, ROOT, StopChild(paths.DELIVERY)):
                self._in_force.stopped(paths.DELIVERY)
                self.done.append(paths.DELIVERY)
        elif there:
            await self._fresh(paths.DELIVERY)
        elif self._in_force.channels:
            start = StartChild(delivery_spec(self._in_force))
            if await self._ordered(paths.DELIVERY, ROOT, start):
                self.done.append(paths.DELIVERY)

    async def _keeper(self) -> None:
        """Accounts come and go by the keeper, who has their leases."""
        gone = self._in_force.removed_accounts()
        if await self._ordered(paths.KEEPER, paths.KEEPER, AccountsChanged(gone=gone)):
            for path in map(paths.account, gone):
                self._in_force.stopped(path)
                self.done.append(path)

    async def _fresh(self, path: str) -> None:
        if not self._in_force.needs_restart(path):
            return
        if not self._actor.system.knows(path):
            # Another guard has the account; it is made with what is in force when it comes back.
            self._in_force.stopped(path)
            return
        parent, _, name = path.rpartition("/")
        if await self._ordered(path, parent, RestartChild(name)):
            self.done.append(path)

    async def _ordered(self, path: str, whom: str, order: Request[Any]) -> bool:
        """Whether an order about the actor at `path` was carried out."""
        answer = await self._actor.attempt(whom, order, timeout=WITHIN)
        if isinstance(answer, AlreadyThere):
            # A static child that was stopped keeps its place.
            answer = await self._actor.attempt(
                whom, RestartChild(path.rpartition("/")[2]), timeout=WITHIN
            )
        if isinstance(answer, AskFailed):
            self.troubles.append(f"{path}: {answer.reason}")
        elif isinstance(answer, StartRefused):
            self.troubles.append(f"{path}: {answer.why}")
        return not isinstance(answer, AskFailed | StartRefused)
