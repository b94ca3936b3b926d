"""What the suite's tests share beside `tests.runtime.kit`."""

from __future__ import annotations

from typing import Any

from actors.runtime import (
    ChildSpec,
    Restart,
    RestartChild,
    StartChild,
    Started,
    StopChild,
    Supervisor,
)
from actors.runtime.events import ChildRestarted, ChildStopped, SupervisorGaveUp
from tests.runtime.kit import Crash, Finish, World, nested, until

EVERY_END = ("normal", "crash", "kill")


async def sup(
    children: list[ChildSpec] | None = None, *, world: World | None = None, **options: Any
) -> World:
    """A root over one supervisor `sup`, which never comes back, so that its end can be seen."""
    world = world or World()
    spec = nested("sup", children or [], restart=Restart.TEMPORARY, **options)
    await world.up([spec], intensity=None)
    return world


def counts(world: World, path: str = "sup") -> list[int]:
    """Specifications, running children, supervisors and workers, as OTP's count_children."""
    cell = world.system.cells[path]
    cells = list((cell.children or {}).values())
    supervisors = [one for one in cells if one.children is not None or _makes_supervisor(one.spec)]
    return [
        len(cells),
        sum(one.life is not None for one in cells),
        len(supervisors),
        len(cells) - len(supervisors),
    ]


def _makes_supervisor(spec: ChildSpec) -> bool:
    made: Any = spec.factory
    return getattr(made, "func", made) is Supervisor


def children(world: World, path: str = "sup") -> dict[str, str]:
    """Name and status of each child in starting order, as OTP's which_children."""
    cell = world.system.cells[path]
    return {name: world.status(f"{path}/{name}") for name in cell.children or {}}


async def start(world: World, spec: ChildSpec, path: str = "sup") -> Any:
    return await world.system.ask(path, StartChild(spec))


async def started(world: World, *specs: ChildSpec, path: str = "sup") -> None:
    for spec in specs:
        answer = await start(world, spec, path)
        assert answer == Started(f"{path}/{spec.name}".lstrip("/"))


async def stop(world: World, name: str, path: str = "sup") -> Any:
    return await world.system.ask(path, StopChild(name), timeout=1e6)


async def restart(world: World, name: str, path: str = "sup") -> Any:
    return await world.system.ask(path, RestartChild(name))


async def ends(world: World, path: str, how: str) -> None:
    """Let an actor end by itself, and wait until its incarnation is over."""
    life = world.system.cells[path].life
    assert life is not None
    if how == "kill":
        world.system.kill(path)
    else:
        world.system.tell(path, Finish() if how == "normal" else Crash())
    await until(lambda: life.task.done())


async def restarted(world: World, path: str, times: int = 1) -> None:
    """Wait until an address has been restarted so often."""

    def enough() -> bool:
        return len([event for event in world.heard(ChildRestarted) if event.path == path]) >= times

    await until(enough)


async def gave_up(world: World, path: str = "sup") -> None:
    """Wait until a supervisor has given up and is gone."""
    await until(lambda: path in [event.path for event in world.heard(SupervisorGaveUp)])
    await until(lambda: world.status(path) == "gone")


def reasons(world: World) -> dict[str, str]:
    """How each actor ended last, without a crash."""
    return {event.path: event.reason for event in world.heard(ChildStopped)}
