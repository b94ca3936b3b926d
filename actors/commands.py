"""Operators' commands, from being given to their outcome: stored first, then carried out.

The record in the ledger is what counts: an actor reads it back after a crash, and asks it again
before each order, so that a command which a hold took back moves nothing. The rules are in
`rules.commands`; who carries out what is up to the actors.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from actors.context import Context
from actors.ledger_client import ask_ledger, event
from actors.monitoring.row_closing import is_ours
from messages.ledger import Command, CommandKind, CommandState, LedgerLeg, NewCommand
from messages.to_ledger import FindClosedSince, FindCommands, StoreCommand, UpdateCommand
from messages.to_monitors import AcceptAbsence, CloseByOrder
from messages.values import LegKey
from rules.commands import LASTS, outcome_of, withdrawal

MARGIN = timedelta(hours=1)
"""How long before a command its rows may say that they were closed: a bot has its own clock."""


async def give(
    context: Context, kind: CommandKind, message: CloseByOrder | AcceptAbsence, leg: LedgerLeg
) -> Command:
    """Store a command for the rows of a leg, with who gave it and why."""
    now = context.now()
    new = NewCommand(
        kind=kind,
        key=leg.key,
        row_ids=leg.row_ids,
        expires_at=message.expires_at or now + LASTS,
        by=message.by,
        why=message.why,
        request_id=message.request_id,
    )
    given = event(
        f"operator_{kind.value}",
        now,
        actor=context.path,
        key=leg.key,
        by=message.by,
        why=message.why,
        row_ids=list(leg.row_ids),
    )
    return await ask_ledger(context, StoreCommand(command=new, event=given))


async def begin(context: Context, command: Command) -> Command:
    """It is carried out now. One that is final already comes back as it is."""
    return await ask_ledger(context, UpdateCommand(command_id=command.id, state=CommandState.BEGUN))


async def end(context: Context, command: Command, state: CommandState, outcome: str) -> None:
    """Write down what became of a command. Of several outcomes the first stays."""
    context.log.info(
        "The operator's {} of {} is {}: {}", command.kind.value, command.key, state.value, outcome
    )
    ended = event(
        "command_ended",
        context.now(),
        actor=context.path,
        key=command.key,
        command=command.kind.value,
        state=state.value,
        outcome=outcome,
        by=command.by,
        row_ids=list(command.row_ids),
    )
    await ask_ledger(
        context,
        UpdateCommand(command_id=command.id, state=state, outcome=outcome, event=ended),
    )


async def end_by_rows(context: Context, command: Command) -> None:
    """None of its rows is active any more: the outcome is what became of them."""
    closed = await ask_ledger(
        context,
        FindClosedSince(account=command.key.account, since=command.given_at - MARGIN),
    )
    rows = [row for row in closed if row.id in command.row_ids]
    by_guard = [row.id for row in rows if is_ours(row)]
    await end(context, command, *outcome_of(command, rows, by_guard))


class CloseCommands:
    """Operators' commands to close one leg, as its actor knows them."""

    def __init__(self, context: Context, key: LegKey) -> None:
        self._context = context
        self._key = key
        self._open: tuple[Command, ...] | None = None

    @property
    def stand(self) -> bool:
        """Whether an operator wants the leg closed."""
        return bool(self._open)

    @property
    def have_begun(self) -> bool:
        """Whether an order may have left for one of them."""
        return any(command.state is CommandState.BEGUN for command in self._open or ())

    @property
    def are_over(self) -> bool:
        """Whether the end of all of them has come: no further order leaves for them then."""
        now = self._context.now()
        return self.stand and all(command.expires_at <= now for command in self._open or ())

    @property
    def end_at(self) -> datetime | None:
        """When the first of them ends that has not ended yet."""
        now = self._context.now()
        ahead = [c.expires_at for c in self._open or () if c.expires_at > now]
        return min(ahead, default=None)

    def over_for(self) -> timedelta:
        """How long ago the last of them ended."""
        last = max((command.expires_at for command in self._open or ()), default=None)
        return self._context.now() - last if last is not None else timedelta()

    async def read(self, *, again: bool = False) -> None:
        """Read them from the ledger: at first, and where there may be new ones."""
        if self._open is None or again:
            found = await ask_ledger(self._context, FindCommands(key=self._key, open_only=True))
            self._open = tuple(c for c in found if c.kind is CommandKind.CLOSE)

    async def review(self, leg: LedgerLeg | None) -> None:
        """End those that are not for these rows, or that a hold has taken back."""
        for command in self._open or ():
            if leg is None or not set(leg.row_ids) & set(command.row_ids):
                await end_by_rows(self._context, command)
                self._drop(command)
            elif why := withdrawal(command, leg):
                await end(self._context, command, CommandState.WITHDRAWN, why)
                self._drop(command)

    async def begin(self) -> bool:
        """An order is about to leave. False where none of them holds any more."""
        for command in self._open or ():
            if command.expires_at <= self._context.now():
                continue
            begun = await begin(self._context, command)
            self._drop(command)
            if not begun.state.final:
                self._open = (*(self._open or ()), begun)
        return self.stand and not self.are_over

    async def expire(self, status: str) -> None:
        """End those that were not begun in time. `status` is what the leg waits for."""
        for command in self._open or ():
            if command.state is CommandState.WAITING and command.expires_at <= self._context.now():
                lasted = (command.expires_at - command.given_at).total_seconds()
                why = f"not begun within {lasted:.0f} s: {status}"
                await end(self._context, command, CommandState.EXPIRED, why)
                self._drop(command)

    async def end(self, state: CommandState, outcome: str) -> None:
        """All of them have come to this."""
        for command in self._open or ():
            await end(self._context, command, state, outcome)
        self._open = ()

    def _drop(self, command: Command) -> None:
        self._open = tuple(one for one in self._open or () if one.id != command.id)
