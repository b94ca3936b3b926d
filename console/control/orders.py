"""What operators order of a leg or an account: given, followed to its outcome, or taken back.

The record is the ledger's, and the actors carry it out; the other commands are in `commands`.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from datetime import timedelta

from actors import paths
from actors.runtime import AskFailed, AskFailure, System
from console.control import protocol as p
from console.control.legs import find_leg, no_such_account
from console.control.records import failed
from messages.ledger import Command, CommandKind, CommandState, EventDraft, LedgerLeg
from messages.settings import Mode
from messages.to_exchange import AdoptIdentity, NotReady
from messages.to_ledger import FindCommands, UpdateCommand
from messages.to_monitors import AcceptAbsence, CloseByOrder
from rules.commands import LASTS

POLL = 0.2
"""Seconds between two looks at a command whose outcome somebody waits for."""

AFTER = timedelta(seconds=5)
"""How long after its end a command that nobody took up is ended here."""

ADOPT_WITHIN = 30.0

_VERBS = {CommandKind.CLOSE: "close", CommandKind.ACCEPT: "accept"}


class Orders:
    """Answers CloseNow, Accept, GetCommand and AdoptIdentity for one running system."""

    def __init__(
        self, system: System, *, mode: str, accounts: Callable[[], tuple[str, ...]]
    ) -> None:
        self._system = system
        self._mode = mode
        self._accounts = accounts

    async def answer(
        self, command: p.CloseNow | p.Accept | p.GetCommand | p.AdoptIdentity
    ) -> p.Reply:
        match command:
            case p.GetCommand():
                return await self._follow(command)
            case p.AdoptIdentity():
                return await self._adopt(command)
            case _:
                return await self._give(command)

    # --- giving ---------------------------------------------------------------------------------

    async def _give(self, command: p.CloseNow | p.Accept) -> p.Reply:
        leg = await find_leg(
            self._system,
            self._accounts(),
            symbol=command.symbol,
            side=command.side,
            account=command.account,
        )
        if isinstance(leg, p.Refused):
            return leg
        close = isinstance(command, p.CloseNow)
        if leg.held:
            verb = _VERBS[CommandKind.CLOSE if close else CommandKind.ACCEPT]
            return p.Refused(
                code="held", message=f"{leg.key} is held: `release` it first, then {verb} it"
            )
        kind = CloseByOrder if close else AcceptAbsence
        order = kind(
            key=leg.key,
            row_ids=command.row_ids or leg.row_ids,
            by=command.by or "operator",
            why=command.reason,
            expires_at=self._system.now() + LASTS,
            request_id=command.request_id or uuid.uuid4().hex,
        )
        return await self._put(order)

    async def _put(self, order: CloseByOrder | AcceptAbsence) -> p.Reply:
        """Have the actor take it, which may come back from a crash first: it is one command."""
        account = order.key.account
        closing = isinstance(order, CloseByOrder)
        path = paths.aged_scan(account) if closing else paths.reconciliation(account)
        while True:
            left = ((order.expires_at or self._system.now()) - self._system.now()).total_seconds()
            answer = await self._system.attempt(path, order, timeout=max(left, POLL))
            if not isinstance(answer, AskFailed):
                break
            stored = await self._stored(order)
            if stored is not None:
                return self._said(stored)
            if left <= 0 or answer.why is AskFailure.NOT_UNDERSTOOD:
                return failed(answer)
            await asyncio.sleep(POLL)
        if isinstance(answer, NotReady):
            return p.Refused(code="refused", message=answer.why)
        return self._said(answer.command)

    async def _stored(self, order: CloseByOrder | AcceptAbsence) -> Command | None:
        """The command, where it was stored although nobody said so."""
        found = await self._system.attempt(paths.LEDGER, FindCommands(key=order.key))
        if isinstance(found, AskFailed):
            return None
        return next((one for one in found if one.request_id == order.request_id), None)

    # --- following ------------------------------------------------------------------------------

    async def _follow(self, asked: p.GetCommand) -> p.Reply:
        loop = asyncio.get_running_loop()
        until = loop.time() + asked.wait
        while True:
            found = await self._system.attempt(
                paths.LEDGER, FindCommands(command_id=asked.command_id)
            )
            if isinstance(found, AskFailed):
                return failed(found)
            if not found:
                text = f"no command has the number {asked.command_id}"
                return p.Refused(code="no_such_command", message=text)
            command = await self._expired(found[0])
            if command.state.final or loop.time() >= until:
                return self._said(command)
            await asyncio.sleep(POLL)

    async def _expired(self, command: Command) -> Command:
        """End a command that nobody has taken up: its actor may be suspended, or gone."""
        late = command.expires_at + AFTER < self._system.now()
        if command.state is not CommandState.WAITING or not late:
            return command
        why = "nobody took it up in its time: see `tree` for an actor that is suspended"
        return await self._end(command, CommandState.EXPIRED, why, by="control")

    def _said(self, command: Command) -> p.Ordered:
        key = command.key
        match command.state:
            case CommandState.WAITING | CommandState.BEGUN if self._mode == Mode.OBSERVE:
                what = "in observe mode nothing is sent; `why` tells what would have been"
            case CommandState.WAITING:
                what = f"{command.kind.value} ordered, until {command.expires_at:%H:%M:%S} UTC"
            case CommandState.BEGUN:
                what = f"{command.kind.value} under way"
            case state:
                what = f"{state.value}: {command.outcome}"
        return p.Ordered(command=command, message=f"{key}: {what}")

    # --- taking back ----------------------------------------------------------------------------

    async def take_back(self, leg: LedgerLeg, by: str) -> tuple[Command, ...]:
        """A hold ends what was ordered for these rows and has no outcome yet."""
        found = await self._system.attempt(paths.LEDGER, FindCommands(key=leg.key, open_only=True))
        if isinstance(found, AskFailed):
            return ()
        mine = [one for one in found if set(one.row_ids) & set(leg.row_ids)]
        why = f"taken back: {by or 'an operator'} holds the leg"
        return tuple([await self._end(one, CommandState.WITHDRAWN, why, by=by) for one in mine])

    async def _end(self, command: Command, state: CommandState, why: str, *, by: str) -> Command:
        event = EventDraft(
            event_id=f"command-{command.id}-{state.value}",
            at=self._system.now(),
            kind="command_ended",
            account=command.key.account,
            symbol=command.key.symbol,
            side=command.key.side,
            actor="control",
            details={
                "command": command.kind.value,
                "state": state.value,
                "outcome": why,
                "by": by or command.by,
                "row_ids": list(command.row_ids),
            },
        )
        ended = await self._system.attempt(
            paths.LEDGER,
            UpdateCommand(command_id=command.id, state=state, outcome=why, event=event),
        )
        return command if isinstance(ended, AskFailed) else ended

    # --- identities -----------------------------------------------------------------------------

    async def _adopt(self, command: p.AdoptIdentity) -> p.Reply:
        account = command.account
        if account not in self._accounts():
            return no_such_account(account, self._accounts())
        order = AdoptIdentity(by=command.by or "operator", why=command.reason)
        done = await self._system.attempt(paths.exchange(account), order, timeout=ADOPT_WITHIN)
        if isinstance(done, AskFailed):
            return failed(done)
        if isinstance(done, NotReady):
            return p.Refused(code="refused", message=f"{account}: {done.why}")
        text = "the login that the venue tells of is this account's from now on"
        return p.Carried(message=f"{account}: {text}")
