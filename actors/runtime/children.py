"""Starting and stopping children: the mechanics below the supervisor's rules."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import msgspec

from actors.runtime.actor import Actor
from actors.runtime.cell import Cell, Status
from actors.runtime.ends import End, Ignore, Reason
from actors.runtime.errors import StartFailed, in_words
from actors.runtime.events import ChildStarted, ChildStartFailed
from actors.runtime.incarnation import Incarnation, all_ended
from actors.runtime.ports import Owner
from actors.runtime.roster import Child
from actors.runtime.specs import ChildSpec


class ChildEnded(msgspec.Struct, frozen=True):
    """From the runtime to the supervisor: an incarnation is over."""

    name: str
    life: Owner
    end: End


async def start_life(cell: Cell) -> Incarnation | Ignore | StartFailed:
    """Make a fresh actor at an address and wait until its start is acknowledged.

    A start that fails leaves nothing running. What the cell's mailbox holds is kept. Only the
    end of the supervisor that waits here leaves as an exception; whatever the child's own code
    raises, a `CancelledError` included, is the child's failure.
    """
    system = cell.system
    life: Incarnation | None = None
    outcome: asyncio.Future[Ignore | None] | Ignore | None
    try:
        # Nothing is awaited in here, so no cancellation of the supervisor can arrive.
        actor = _made_by(cell.spec)
        life = Incarnation(cell, actor)
        actor.adopt(life)
        cell.open(actor.mailbox_bound, actor.overflow)
        cell.status = Status.RUNNING
        outcome = life.start()
    except BaseException as error:  # noqa: BLE001  whatever the child's own code raised is its failure
        if life is not None:
            life.abort(End(Reason.CRASHED, error))
            await all_ended([life])
        if isinstance(error, SystemExit | KeyboardInterrupt):
            system.leave(error)
        return _failed(cell, in_words(error))
    try:
        if isinstance(outcome, asyncio.Future):
            outcome = await _acknowledged(cell, life, outcome)
            if isinstance(outcome, Ignore):
                await all_ended([life])
        elif isinstance(outcome, Ignore):
            life.abort(End(Reason.NORMAL))
            await all_ended([life])
    except StartFailed as failure:
        await all_ended([life])
        return _failed(cell, failure.cause)
    if isinstance(outcome, Ignore):
        cell.status = Status.STOPPED
        return outcome
    system.emit(ChildStarted(path=cell.path, class_name=type(actor).__name__))
    return life


def _failed(cell: Cell, cause: str) -> StartFailed:
    cell.status = Status.STOPPED
    cell.system.emit(ChildStartFailed(path=cell.path, why=cell.system.scrubber.text(cause)))
    return StartFailed(cell.shown, cause)


def _made_by(spec: ChildSpec) -> Actor[object]:
    actor = spec.factory()
    if not isinstance(actor, Actor):
        raise TypeError(
            f"the factory of {spec.name!r} returned {type(actor).__name__}, not an Actor; "
            "it must return a new actor each time"
        )
    if actor.adopted:
        raise TypeError(
            f"the factory of {spec.name!r} returned an actor that has been started before; "
            "it must return a new one each time"
        )
    if "state" not in actor.__dict__:
        raise TypeError(f"{type(actor).__name__}.__init__ did not call super().__init__(state)")
    return actor


async def _acknowledged(
    cell: Cell, life: Incarnation, started: asyncio.Future[Ignore | None]
) -> Ignore | None:
    parent = cell.parent
    if parent is None:
        return await started
    # The parent's mailbox waits meanwhile: an ask of the child to its parent is a cycle, and a
    # stop of the parent has to reach the child.
    parent.asking = (cell, started)
    above = parent.life
    if above is not None:
        above.awaited = (life, cell.spec.stop_deadline(life.actor))
        if above.stopping is not None:
            life.stop_within(cell.spec.stop_deadline(life.actor))
    try:
        return await started
    finally:
        parent.asking = None
        if above is not None:
            above.awaited = None


async def stop_children(children: Sequence[Child]) -> None:
    """Stop in order: dynamic ones all together, then the others from last to first."""
    await stop_lives(_running(child for child in children if child.dynamic))
    for child in reversed([child for child in children if not child.dynamic]):
        await stop_lives(_running([child]))
    for child in children:
        child.life = None


def _running(children: Iterable[Child]) -> list[tuple[Owner, float | None]]:
    # By address: a child whose start is still awaited is not on the supervisor's record yet.
    found = [(child.cell.life, child.spec) for child in children]
    return [(life, spec.stop_deadline(life.actor)) for life, spec in found if life is not None]


async def stop_lives(lives: Sequence[tuple[Owner, float | None]]) -> None:
    """Ask all to stop, kill each that is not gone within its own seconds, and wait for all.

    Zero kills at once; None waits for as long as it takes.
    """
    for life, seconds in lives:
        life.stop_within(seconds)
    await all_ended([life for life, _ in lives])


def kill_children(children: Sequence[Child]) -> None:
    """Kill all that run, last first, and do not wait for it."""
    for child in reversed(children):
        if child.cell.life is not None:
            child.cell.life.kill()
