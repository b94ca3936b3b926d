"""A supervisor's list of its children: who there is, in starting order, and where each stands."""

from __future__ import annotations

from enum import StrEnum

from actors.runtime.cell import Cell, Status
from actors.runtime.ports import Address, Host, Owner, Plan
from actors.runtime.restart_limits import Failures
from actors.runtime.specs import ChildSpec, Restart


class Standing(StrEnum):
    """Where a child stands with its supervisor."""

    RUNNING = "running"
    WAITING = "waiting"
    STOPPED = "stopped"
    IGNORED = "ignored"


_SHOWN = {Standing.RUNNING: Status.RUNNING, Standing.WAITING: Status.WAITING}


class Child:
    """One child. `leader` names the child whose return it waits for (itself, mostly)."""

    __slots__ = (
        "cell",
        "dynamic",
        "failures",
        "leader",
        "life",
        "name",
        "quarantine_timer",
        "spec",
        "standing",
        "timer",
    )

    def __init__(self, spec: ChildSpec, cell: Cell, *, dynamic: bool) -> None:
        self.name = spec.name
        self.spec = spec
        self.cell = cell
        self.dynamic = dynamic
        self.standing = Standing.STOPPED
        self.life: Owner | None = None
        self.leader = ""
        self.failures = Failures()
        self.timer: Plan | None = None
        self.quarantine_timer: Plan | None = None

    @property
    def wanted(self) -> bool:
        """Whether it runs or is to run again."""
        return self.standing in (Standing.RUNNING, Standing.WAITING)

    def cancel_timers(self) -> None:
        for timer in (self.timer, self.quarantine_timer):
            if timer is not None:
                timer.cancel()
        self.timer = self.quarantine_timer = None


class Roster:
    """The children by name. `shown` mirrors where each stands, for dumps."""

    def __init__(self, shown: dict[str, str]) -> None:
        self._children: dict[str, Child] = {}
        self._shown = shown

    def get(self, name: str) -> Child | None:
        return self._children.get(name)

    def all(self) -> list[Child]:
        """Every child, in starting order."""
        return list(self._children.values())

    def waiting_for(self, leader: str) -> list[Child]:
        return [child for child in self._children.values() if child.leader == leader]

    def add(self, system: Host, parent: Address, spec: ChildSpec, *, dynamic: bool) -> Child:
        child = Child(spec, add_cell(system, parent, spec), dynamic=dynamic)
        self._children[spec.name] = child
        return child

    def stand(self, child: Child, standing: Standing) -> None:
        child.standing = standing
        child.cell.status = _SHOWN.get(standing, Status.STOPPED)
        if child.name in self._children:
            self._shown[child.name] = str(standing)

    def over(self, child: Child) -> None:
        """The child does not come back: forgotten, or kept as stopped if it is static."""
        child.cancel_timers()
        child.leader = ""
        if child.dynamic or child.spec.restart is Restart.TEMPORARY:
            self._children.pop(child.name, None)
            self._shown.pop(child.name, None)
            remove_cell(child.cell, "has ended")
        else:
            child.cell.shut("has stopped")
            self.stand(child, Standing.STOPPED)

    def ignored(self, child: Child) -> None:
        """The child has nothing to do: its spec stays, unless it is temporary."""
        if child.spec.restart is Restart.TEMPORARY:
            self.over(child)
        child.cell.shut("has nothing to do")
        self.stand(child, Standing.IGNORED)

    def forget_all(self, why: str) -> None:
        for child in reversed(self.all()):
            remove_cell(child.cell, why)
        self._children.clear()


def add_cell(system: Host, parent: Address | None, spec: ChildSpec) -> Cell:
    """A new address below `parent` (the root's is empty); nothing runs there yet."""
    path = "" if parent is None else f"{parent.path}/{spec.name}".lstrip("/")
    cell = Cell(system, path, spec, parent)
    system.cells[path] = cell
    if parent is not None:
        if parent.children is None:
            parent.children = {}
        parent.children[spec.name] = cell
    return cell


def remove_cell(cell: Address, why: str) -> None:
    """Forget an address. What still waits there fails or becomes dead letters."""
    cell.shut(why)
    cell.status = Status.STOPPED
    cell.system.cells.pop(cell.path, None)
    if cell.parent is not None and cell.parent.children is not None:
        cell.parent.children.pop(cell.name, None)
