"""What each operator's command does: asks the actors, and puts their answers into replies.

Used by the socket's server, and by the demo in its own process. The wire is in
`server`, what is on record in `records`, and finding the leg that a person means in `legs`.
"""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Callable
from difflib import get_close_matches
from importlib.metadata import version

from actors import paths
from actors.aged_memory import AgedState
from actors.runtime import AskFailed, NoSuchActor, Pauses, Started, System
from actors.venue_actor import ExchangeState
from console.control import protocol as p
from console.control.budgets import account_budgets
from console.control.legs import find_leg, no_such_account
from console.control.orders import Orders
from console.control.overview import leg_view, overview
from console.control.records import Records, failed
from console.control.sending import ROOT, Sending, inner_path
from console.service.actor_states import shown_state
from console.service.reload import RELOAD, NotReloaded, Reload
from messages.ledger import EventDraft, LedgerLeg
from messages.to_ledger import ReadCounters, SetHeld
from messages.to_monitors import Release as ReleaseLeg
from messages.to_monitors import ScanNow, ScanReport

CONTROL = "control"
"""Where the actor that serves the control socket lives."""

_RELOAD_WITHIN = 600.0
"""Seconds: actors stop in order, and a new key's rights are asked for first."""

_SCAN_WITHIN = 45.0
"""Seconds that one monitor may take; below the client's patience."""


class Operator:
    """Answers commands about one running system. `accounts` gives the names in force."""

    def __init__(
        self, system: System, *, mode: str, accounts: Callable[[], tuple[str, ...]]
    ) -> None:
        self._system = system
        self._mode = mode
        self._accounts_now = accounts
        self._started_at = system.now()
        self._records = Records(system, accounts)
        self._sending = Sending(system)
        self._orders = Orders(system, mode=mode, accounts=accounts)

    @property
    def _accounts(self) -> tuple[str, ...]:
        return self._accounts_now()

    async def answer(self, command: p.AnyCommand) -> p.Reply:
        """The reply to one command. What can't be done is a Refused, never an exception."""
        match command:
            case p.GetService():
                return self._service()
            case p.GetTree():
                return p.Nodes(nodes=await self._system.tree_in_parts())
            case p.GetDump():
                return await self._dump(command.path)
            case p.GetFigures():
                return await self.figures()
            case p.GetBudget():
                return await self._budgets(command)
            case p.Scan():
                return await self._scan(command.account, (paths.aged_scan, paths.orphans))
            case p.Reconcile():
                return await self._scan(command.account, (paths.reconciliation,))
            case p.CloseNow() | p.Accept() | p.GetCommand() | p.AdoptIdentity():
                return await self._orders.answer(command)
            case p.Hold() | p.Release():
                return await self._leg_command(command)
            case p.Suspend() | p.Resume() | p.Restart() | p.Kill() | p.Trace():
                return await self._actor_command(command)
            case p.GetOverview():
                return await overview(self._system, self._service(), command)
            case p.GetLegs():
                return p.Legs(legs=await self._legs())
            case p.GetMessages() | p.Tell() | p.Ask():
                if command.path is not None and (refused := self._unknown(command.path)):
                    return refused
                return await self._sending.answer(command)
            case p.Why():
                return await self._records.story(command)
            case p.Reload():
                return await self._reload(command)
            case _:
                return await self._records.answer(command)

    def _service(self) -> p.Service:
        now = self._system.now()
        return p.Service(
            version=version("sexton"),
            pid=os.getpid(),
            mode=self._mode,
            accounts=self._accounts,
            started_at=self._started_at,
            uptime=(now - self._started_at).total_seconds(),
            dead_letters=self._system.dead_letters.count,
        )

    async def _dump(self, path: str | None) -> p.Reply:
        if path is None:
            return p.Dumped(dump=await self._system.dump_in_parts())
        if refused := self._unknown(path):
            return refused
        return p.Dumped(dump=self._system.dump(inner_path(path)))

    async def figures(self) -> p.Figures | p.Refused:
        """Statistics, API calls by endpoint and whole-account reads, by account and in total."""
        counters = await self._system.attempt(paths.LEDGER, ReadCounters())
        if isinstance(counters, AskFailed):
            return failed(counters)
        total: Counter[str] = Counter()
        found = {}
        for name in self._accounts:
            statistics = counters.get(name, {})
            total.update(statistics)
            state = shown_state(self._system, paths.exchange(name), ExchangeState)
            found[name] = p.AccountFigures(
                statistics=statistics,
                calls=state.calls if state else {},
                snapshots=state.snapshots if state else 0,
            )
        return p.Figures(accounts=found, total=dict(total))

    async def _budgets(self, command: p.GetBudget) -> p.Reply:
        if command.account is not None and command.account not in self._accounts:
            return no_such_account(command.account, self._accounts)
        names = self._accounts if command.account is None else (command.account,)
        return p.Budgets(budgets=await account_budgets(self._system, names))

    async def _reload(self, command: p.Reload) -> p.Reply:
        order = Reload(dry_run=command.dry_run, by=command.by or "operator")
        answer = await self._system.attempt(RELOAD, order, timeout=_RELOAD_WITHIN)
        if isinstance(answer, AskFailed):
            return failed(answer)
        if isinstance(answer, NotReloaded):
            return p.Refused(code="bad_config", message="\n".join(answer.mistakes))
        return answer

    async def _scan(
        self, account: str | None, monitors: tuple[Callable[[str], str], ...]
    ) -> p.Reply:
        if account is not None and account not in self._accounts:
            return no_such_account(account, self._accounts)
        reports: dict[str, ScanReport] = {}
        for name in (account,) if account is not None else self._accounts:
            for monitor in monitors:
                path = monitor(name)
                report = await self._system.attempt(path, ScanNow(), timeout=_SCAN_WITHIN)
                reports[path] = (
                    ScanReport(errors=1, problem=report.reason)
                    if isinstance(report, AskFailed)
                    else report
                )
        return p.Scanned(reports=reports)

    async def _leg_command(self, command: p.Hold | p.Release) -> p.Reply:
        leg = await find_leg(
            self._system,
            self._accounts,
            symbol=command.symbol,
            side=command.side,
            account=command.account,
        )
        if isinstance(leg, p.Refused):
            return leg
        held = isinstance(command, p.Hold)
        if isinstance(command, p.Release):
            self._release_lifecycle(leg, command.by)
        return await self._set_held(leg, held=held, by=command.by)

    def _release_lifecycle(self, leg: LedgerLeg, by: str) -> None:
        """A leg that needed an operator goes on; a leg that is not aged has no such actor."""
        path = paths.aged_leg(leg.key)
        if self._unknown(path) is None:
            self._system.tell(path, ReleaseLeg(by=by or "operator"))

    async def _set_held(self, leg: LedgerLeg, *, held: bool, by: str) -> p.Reply:
        event = EventDraft(
            event_id=f"hold-{uuid.uuid4().hex}",
            at=self._system.now(),
            kind="operator_hold" if held else "operator_release",
            account=leg.key.account,
            symbol=leg.key.symbol,
            side=leg.key.side,
            actor="control",
            details={"by": by, "row_ids": list(leg.row_ids)},
        )
        # First, so that it is on record who did it: the leg's own actor knows only that it is held.
        # What is ordered in between ends when that actor sees the hold.
        taken_back = await self._orders.take_back(leg, by) if held else ()
        done = await self._system.attempt(
            paths.LEDGER, SetHeld(row_ids=leg.row_ids, held=held, event=event)
        )
        if isinstance(done, AskFailed):
            return failed(done)
        rows = ", ".join(map(str, leg.row_ids))
        what = "held: the guard leaves it alone" if held else "released: the guard looks after it"
        also = "; what was ordered for it is taken back" if taken_back else ""
        return p.Carried(message=f"{leg.key} (row {rows}) is {what}{also}")

    async def _actor_command(
        self, command: p.Suspend | p.Resume | p.Restart | p.Kill | p.Trace
    ) -> p.Reply:
        if refused := self._unknown(command.path):
            return refused
        path = inner_path(command.path)
        try:
            done = await self._order(command, path)
        except NoSuchActor as error:
            # Workers have no mailbox to suspend, and the root nobody to restart it.
            return p.Refused(code="no_such_path", message=f"{command.path}: {error.reason}")
        return done if isinstance(done, p.Refused) else p.Carried(message=f"{command.path} {done}")

    async def _order(
        self, command: p.Suspend | p.Resume | p.Restart | p.Kill | p.Trace, path: str
    ) -> str | p.Refused:
        """Carry an order to an actor out; what was done, in words. Raises NoSuchActor."""
        match command:
            case p.Suspend():
                self._system.suspend(path)
                return "is suspended; `resume` lets it go on"
            case p.Resume():
                self._system.resume(path)
                return "is resumed"
            case p.Restart():
                restarting = self._system.restart(path)
                if path == CONTROL:
                    # Waiting for its own end, the answer would never be sent.
                    return "is restarting"
                started = await restarting
                if isinstance(started, Started):
                    return "is started afresh"
                why = started.reason if isinstance(started, AskFailed) else started.why
                return p.Refused(code="failed", message=f"{command.path} did not restart: {why}")
            case p.Kill() if path == "":
                text = "nobody would start the root again: stop the service with SIGTERM"
                return p.Refused(code="failed", message=f"{command.path} is not killed: {text}")
            case p.Kill():
                self._system.kill(path)
                return "is killed; its supervisor decides what comes next"
            case p.Trace():
                self._system.trace(path, command.on)
                return "is traced into the log" if command.on else "is no longer traced"

    def _unknown(self, path: str) -> p.Refused | None:
        if inner_path(path) == "" or self._system.knows(path):
            return None
        # A worker, or nobody: that is rare enough to look everywhere.
        known = [node.path or ROOT for node in self._system.tree()]
        if path in known:
            return None
        near = get_close_matches(path, known, n=1)
        hint = f"did you mean {near[0]}? `tree` shows all" if near else "see `tree`"
        return p.Refused(code="no_such_path", message=f"no actor at {path!r}: {hint}")

    async def _legs(self) -> tuple[p.LegView, ...]:
        pauses = Pauses()
        states = self._system.states_of(AgedState)
        found = []
        for node in await self._system.tree_in_parts():
            if node.path in states:
                found.append(leg_view(self._system, node.path, states[node.path]))
                await pauses.here()
        return tuple(found)
