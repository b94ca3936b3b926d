"""The actor that puts a changed configuration in force while the guard runs.

Reads the file as `run` does; compares; keeps what can't change as it was; replaces what is in
force; and has the supervisors restart the actors that were made with something else. An account
of which nothing changed is not touched. A close under way is broken off where it is and finished
by the next incarnation, as after a crash: its intent is in the ledger. Configurations are
compared in `console.config.diff`; `console.service.restarts` asks for the restarts.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec

from actors import paths
from actors.live_settings import LiveSettings
from actors.runtime import Actor, handles
from console.config.diff import account_section, changes, fixed, kept, needs_new_venue
from console.config.reader import ConfigError, load_config
from console.config.rules import cross_problems
from console.control import protocol as p
from console.service.channels import ChannelUnusable, open_channels
from console.service.key_rights import withdrawal_keys
from console.service.restarts import Restarts
from console.service.shared_logins import shared_logins
from messages.base import Request
from messages.ledger import EventDraft
from messages.settings import AccountSettings, Settings
from messages.to_ledger import AppendEvent
from venues.gateway import open_venue
from venues.port import Venue

RELOAD = "reload"
"""Where the actor lives, beside the control socket's."""


class Reload(Request["p.Reloaded | NotReloaded"], frozen=True, kw_only=True):
    """Take what has changed in the configuration file; with `dry_run` only say what that is."""

    dry_run: bool = False
    by: str = ""


class NotReloaded(msgspec.Struct, frozen=True, kw_only=True):
    """The file can't be used, and nothing was changed. `mistakes` has one line each."""

    mistakes: tuple[str, ...]


class ReloadingState(msgspec.Struct):
    """`applied` and `refused` are the lines of the last reload."""

    file: Path | None
    reloads: int = 0
    last_at: datetime | None = None
    applied: list[str] = []
    refused: list[str] = []


class Reloading(Actor[ReloadingState]):
    """`file` is the configuration that the service was started with. One reload at a time.

    `learn` is told of the settings that are about to be in force.
    """

    def __init__(
        self, file: Path | None, in_force: LiveSettings, *, learn: Callable[[Settings], None]
    ) -> None:
        super().__init__(ReloadingState(file=file))
        self._file = file
        self._in_force = in_force
        self._learn = learn

    @handles
    async def reload(self, message: Reload) -> p.Reloaded | NotReloaded:
        if self._file is None:
            return self._unusable(("this service was started without a configuration file",))
        try:
            wanted = load_config(self._file)
        except ConfigError as error:
            return self._unusable(error.mistakes)
        plan = await self._planned(self._file, wanted)
        if isinstance(plan, NotReloaded):
            return plan
        settings, report = plan
        if message.dry_run:
            return msgspec.structs.replace(report, dry_run=True)
        report = await self._put_in_force(settings, report)
        await self._record(report, message.by)
        return report

    def _unusable(self, mistakes: tuple[str, ...]) -> NotReloaded:
        self.log.error("Nothing was reloaded: {}", "; ".join(mistakes))
        return NotReloaded(mistakes=mistakes)

    async def _planned(
        self, file: Path, wanted: Settings
    ) -> tuple[Settings, p.Reloaded] | NotReloaded:
        """The settings to put in force, and what becomes of each key that differs."""
        old = self._in_force.settings
        refused = fixed(old, wanted) | _unusable_channels(old, wanted)
        refused |= await self._unusable_keys(old, wanted)
        settings = kept(old, wanted, refused)
        # What must stay and what was to come may not fit one another: a restart takes both.
        problems = tuple(
            f"{file}: {key} = {value}: allowed: {allowed}"
            for key, value, allowed in cross_problems(settings)
        )
        if problems:
            return self._unusable(problems)
        found = changes(old, wanted, refused)
        return settings, p.Reloaded(
            file=str(file),
            applied=tuple(change for change in found if not change.refused),
            refused=tuple(change for change in found if change.refused),
        )

    async def _unusable_keys(self, old: Settings, wanted: Settings) -> dict[str, str]:
        """New and changed accounts whose key is not to act, and why."""
        before = {account.name: account for account in old.accounts}
        asked = [a for a in wanted.accounts if _is_another_key(before.get(a.name), a)]
        found = await shared_logins(
            wanted.accounts, now=self.now, new=[account.name for account in asked]
        )
        found |= await withdrawal_keys(asked, old.mode, now=self.now)
        return {account_section(name): why for name, why in found.items()}

    async def _put_in_force(self, settings: Settings, plan: p.Reloaded) -> p.Reloaded:
        self._learn(settings)
        self._replace(settings)
        restarts = Restarts(self, self._in_force)
        await restarts.run()
        if not restarts.troubles:
            while self._in_force.retired:
                await self._in_force.retired.pop().close()
        return msgspec.structs.replace(
            plan, restarted=tuple(restarts.done), troubles=tuple(restarts.troubles)
        )

    def _replace(self, settings: Settings) -> None:
        """In one step, so that whoever starts meanwhile finds all of it or nothing."""
        in_force = self._in_force
        before = {account.name: account for account in in_force.settings.accounts}
        fresh: dict[str, Venue] = {}
        for account in settings.accounts:
            was = before.pop(account.name, None)
            if was is None or needs_new_venue(was, account):
                fresh[account.name] = open_venue(account, now=self.now)
        if settings.alerts != in_force.settings.alerts:
            in_force.channels = open_channels(settings.alerts)
        for name in (*fresh, *before):
            if name in in_force.venues:
                in_force.retired.append(in_force.venues.pop(name))
        in_force.venues.update(fresh)
        in_force.settings = settings

    async def _record(self, report: p.Reloaded, by: str) -> None:
        applied = [str(change) for change in report.applied]
        refused = [str(change) for change in report.refused]
        self.state.reloads += 1
        self.state.last_at = self.now()
        self.state.applied, self.state.refused = applied, refused
        for line in applied:
            self.log.info("Reloaded: {}", line)
        for line in (*refused, *report.troubles):
            self.log.warning("Not reloaded: {}", line)
        if not (applied or refused or report.restarted):
            self.log.info("Nothing to reload: {} says what is in force", report.file)
            return
        draft = EventDraft(
            event_id=f"reload-{uuid.uuid4().hex}",
            at=self.now(),
            kind="config_reloaded",
            actor=self.path,
            details={
                "by": by,
                "applied": applied,
                "refused": refused,
                "restarted": list(report.restarted),
                "troubles": list(report.troubles),
            },
        )
        await self.ask(paths.LEDGER, AppendEvent(draft=draft), timeout=60.0)


def _unusable_channels(old: Settings, wanted: Settings) -> dict[str, str]:
    if wanted.alerts == old.alerts:
        return {}
    try:
        open_channels(wanted.alerts)
    except ChannelUnusable as error:
        return {"alerts": str(error)}
    return {}


def _is_another_key(old: AccountSettings | None, new: AccountSettings) -> bool:
    return old is None or needs_new_venue(old, new) or old.allow_withdraw != new.allow_withdraw
