"""What can be seen of running actors: the tree, statistics, state. Reads structs, asks nobody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from actors.runtime.cell import Status
from actors.runtime.pauses import Pauses
from actors.runtime.ports import Address, Host
from messages.base import Request


class NodeInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the tree. `uptime` is seconds; `kind` is actor, supervisor or worker."""

    path: str
    class_name: str
    kind: str
    status: str
    restarts: int
    mailbox: int
    handled: int
    last_message: str
    uptime: float


class GetState(Request[dict[str, Any]], frozen=True):
    """An actor's dump. Answered at once, whatever the actor is doing."""


class GetStatistics(Request[NodeInfo], frozen=True):
    """An actor's counters. Answered at once, whatever the actor is doing."""


# Requests that jump every queue, because they need no more than a look.
SYSTEM_REQUESTS: frozenset[type] = frozenset((GetState, GetStatistics))


def answer_for(cell: Address, request: object) -> Any:
    """The answer to a system request."""
    return dump_of(cell) if isinstance(request, GetState) else node_of(cell)


def status_of(cell: Address) -> str:
    if cell.life is None:
        return str(cell.status)
    return Status.SUSPENDED if cell.suspended else Status.RUNNING


def node_of(cell: Address) -> NodeInfo:
    life = cell.life
    now = cell.system.loop.time()
    return NodeInfo(
        path=cell.path,
        class_name=type(life.actor).__name__ if life is not None else "",
        kind="supervisor" if cell.children is not None else "actor",
        status=status_of(cell),
        restarts=cell.restarts,
        mailbox=len(cell.mailbox),
        handled=cell.handled,
        last_message=cell.latest,
        uptime=now - life.started_at if life is not None else 0.0,
    )


def tree_of(root: Address) -> list[NodeInfo]:
    """All nodes below (and with) a cell, parents before children, in starting order."""
    return [node for cell in cells_of(root) for node in _nodes(cell)]


def cells_of(root: Address) -> Iterator[Address]:
    """The cells below (and with) a cell, in the order of `tree_of`.

    Whoever pauses in between sees those that have come and gone meanwhile, or not.
    """
    waiting = [root]
    while waiting:
        cell = waiting.pop()
        yield cell
        waiting.extend(reversed(list((cell.children or {}).values())))


def _nodes(cell: Address) -> Iterator[NodeInfo]:
    yield node_of(cell)
    if cell.life is None:
        return
    now = cell.system.loop.time()
    for worker in list(cell.life.workers.values()):
        yield NodeInfo(
            path=worker.path,
            class_name=worker.coroutine_name,
            kind="worker",
            status=str(Status.RUNNING),
            restarts=0,
            mailbox=0,
            handled=0,
            last_message="",
            uptime=now - worker.started_at,
        )


async def tree_in_parts(roots: Iterable[Address]) -> tuple[NodeInfo, ...]:
    """As `tree_of`, with pauses in which others run."""
    pauses = Pauses()
    found: list[NodeInfo] = []
    for root in roots:
        for cell in cells_of(root):
            found.extend(_nodes(cell))
            await pauses.here()
    return tuple(found)


def dump_of(cell: Address) -> dict[str, Any]:
    """One actor as plain JSON: its line of the tree, its state, the last messages, its end."""
    scrubber = cell.system.scrubber
    node = node_of(cell)
    result: dict[str, Any] = {name: getattr(node, name) for name in node.__struct_fields__}
    life = cell.life
    result["state"] = scrubber.plain(life.actor.state) if life is not None else None
    in_hand = life.in_hand if life is not None else None
    result["in_hand"] = _named(cell, in_hand[0]) if in_hand is not None else None
    result["recent"] = [_named(cell, message) for message in (life.recent or ())] if life else []
    result["queued"] = [_named(cell, entry[0]) for entry in list(cell.mailbox)[:20]]
    result["waits_for"] = cell.asking[0].shown if cell.asking is not None else None
    result["timers"] = len(life.timers) if life is not None else 0
    result["replies_owed"] = len(life.deferred) if life is not None else 0
    result["watchers"] = [other.cell.shown for other in cell.watchers or ()]
    result["last_end"] = scrubber.text(str(cell.last_end)) if cell.last_end is not None else None
    return result


def dump_all(system: Host, root: Address) -> dict[str, Any]:
    """The subtree as plain JSON, and the system's own counters."""
    actors = [dump_of(cell) for cell in cells_of(root)]
    return _whole(system, actors, [one for cell in cells_of(root) for one in _workers(cell)])


async def dump_in_parts(system: Host, root: Address) -> dict[str, Any]:
    """As `dump_all`, with pauses in which others run, each actor encoded as `msgspec.Raw`.

    An actor is shown as it is at its turn: what a dump says of two is not of one instant.
    """
    pauses = Pauses()
    actors: list[msgspec.Raw] = []
    workers: list[dict[str, Any]] = []
    for cell in cells_of(root):
        actors.append(msgspec.Raw(msgspec.json.encode(dump_of(cell))))
        workers.extend(_workers(cell))
        await pauses.here()
    return _whole(system, actors, workers)


def _workers(cell: Address) -> list[dict[str, Any]]:
    return [
        {"path": node.path, "job": node.class_name, "uptime": node.uptime}
        for node in _nodes(cell)
        if node.kind == "worker"
    ]


def _whole(system: Host, actors: Sequence[object], workers: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "at": system.now().isoformat(),
        "actors": actors,
        "workers": workers,
        "dead_letters": system.dead_letters.count,
        "recent_dead_letters": [
            {"path": letter.path, "message": letter.message, "why": letter.why}
            for letter in system.dead_letters.recent
        ],
    }


def _named(cell: Address, message: object) -> dict[str, Any]:
    return {"type": type(message).__name__, "message": cell.system.scrubber.summary(message)}
