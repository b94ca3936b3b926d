"""Starting and stopping children: the mechanics below the supervisor's rules."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from actors.runtime.actor import Actor
from actors.runtime.cell import Cell, Status
from actors.runtime.ends import End, Ignore, Reason
from actors.runtime.errors import StartFailed, in_words
from actors.runtime.events import ChildOverdue, ChildStarted, ChildStartFailed
from actors.runtime.incarnation import GRACE, Incarnation, all_ended
from actors.runtime.ports import Address, Owner
from actors.runtime.roster import Child
from actors.runtime.specs import ChildSpec


class ChildEnded(msgspec.Struct, frozen=True):
    """From the runtime to the supervisor: an incarnation is over."""

    name: str
    life: Owner
    end: End


async def start_life(cell: Cell) -> Incarnation | Ignore | StartFailed:
    """Make a fresh actor at an address and wait until its start is acknowledged.

    A start that fails leaves nothing running. What the cell's mailbox holds is kept.
    """
    system = cell.system
    life: Incarnation | None = None
    try:
        actor = _made_by(cell.spec)
        life = Incarnation(cell, actor)
        actor.adopt(life)
        cell.open(actor.mailbox_bound, actor.overflow)
        cell.status = Status.RUNNING
        outcome = life.start()
        if isinstance(outcome, asyncio.Future):
            outcome = await _acknowledged(cell, outcome)
            if isinstance(outcome, Ignore):
                await all_ended([life], None)
        elif isinstance(outcome, Ignore):
            life.abort(End(Reason.NORMAL))
    except Exception as error:  # noqa: BLE001  whatever the child's own code raised is its failure
        cause = error.cause if isinstance(error, StartFailed) else in_words(error)
        if life is not None:
            if not hasattr(life, "task"):
                life.abort(End(Reason.CRASHED, error))
            else:
                await all_ended([life], None)
        cell.status = Status.STOPPED
        system.emit(ChildStartFailed(path=cell.path, why=system.scrubber.text(cause)))
        return StartFailed(cell.shown, cause)
    if isinstance(outcome, Ignore):
        cell.status = Status.STOPPED
        return outcome
    system.emit(ChildStarted(path=cell.path, class_name=type(actor).__name__))
    return life


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


async def _acknowledged(cell: Cell, started: asyncio.Future[Ignore | None]) -> Ignore | None:
    # The parent's mailbox waits meanwhile: an ask of the child to its parent is a cycle.
    parent = cell.parent
    if parent is None:
        return await started
    parent.asking = (cell, started)
    try:
        return await started
    finally:
        parent.asking = None


async def stop_children(children: Sequence[Child]) -> None:
    """Stop in order: dynamic ones all together, then the others from last to first."""
    dynamic = [child for child in children if child.dynamic]
    static = [child for child in children if not child.dynamic]
    await stop_lives([_deadline(child) for child in dynamic if child.life is not None])
    for child in reversed(static):
        if child.life is not None:
            await stop_lives([_deadline(child)])
    for child in children:
        child.life = None


async def kill_children(children: Sequence[Child]) -> None:
    """End all at once, last first; wait only as long as cancelled tasks may take."""
    # By address: a child whose start was still awaited is not on the supervisor's record yet.
    lives = [child.cell.life for child in reversed(children) if child.cell.life is not None]
    for life in lives:
        life.kill()
    await _gone(lives)
    for child in children:
        child.life = None


def _deadline(child: Child) -> tuple[Owner, float | None]:
    assert child.life is not None
    return child.life, child.spec.stop_deadline(child.life.actor)


async def stop_lives(lives: Sequence[tuple[Owner, float | None]]) -> None:
    """Ask all to stop, then kill each that is not gone within its own seconds.

    Zero kills at once; None waits for as long as it takes.
    """
    at_once = [life for life, deadline in lives if deadline == 0]
    orderly = [(life, deadline) for life, deadline in lives if deadline != 0]
    for life in at_once:
        life.kill()
    for life, _ in orderly:
        life.stop(Reason.SHUTDOWN)
    began = asyncio.get_running_loop().time()
    for seconds in sorted({deadline for _, deadline in orderly if deadline is not None}):
        due = [life for life, deadline in orderly if deadline == seconds]
        waited = asyncio.get_running_loop().time() - began
        if await all_ended(due, max(0.0, seconds - waited)):
            continue
        overdue = [life for life in due if not life.task.done()]
        for life in overdue:
            cell = life.cell
            cell.log.error("did not stop within {:g} s and is killed", seconds)
            cell.system.emit(ChildOverdue(path=cell.path, seconds=seconds))
            life.kill()
        await _gone(overdue)
    await _gone(at_once)
    await all_ended([life for life, deadline in orderly if deadline is None], None)


async def _gone(lives: Sequence[Owner]) -> None:
    """Wait until killed tasks have ended; abandon those that ignore being cancelled."""
    grace = max((_kill_grace(life.cell) for life in lives), default=0.0)
    if await all_ended(lives, grace):
        return
    for life in lives:
        if not life.task.done():
            life.cell.system.unstoppable(life.cell, grace)
            for child in (life.cell.children or {}).values():
                if child.life is not None:
                    child.life.kill()
            life.abandon()


def _kill_grace(cell: Address) -> float:
    """Seconds for a killed task to end: more than those below it may take before it gives up."""
    below = [_kill_grace(child) for child in (cell.children or {}).values()]
    return max(below, default=GRACE) + GRACE
