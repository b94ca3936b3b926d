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
    """One child. `due` is the message that will bring it back, and those that wait with it."""

    __slots__ = (
        "cell",
        "due",
        "dynamic",
        "failures",
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
        self.due: object = None
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
        self.due = None


class Roster:
    """The children by name. `shown` mirrors where each stands, for dumps.

    `wanted` counts those that run or are to run again.
    """

    def __init__(self, shown: dict[str, str]) -> None:
        self._children: dict[str, Child] = {}
        self._shown = shown
        self.wanted = 0

    def get(self, name: object) -> Child | None:
        """The child of this name; None for a stranger, and for what cannot be a name."""
        return self._children.get(name) if isinstance(name, str) else None

    def all(self) -> list[Child]:
        """Every child, in starting order."""
        return list(self._children.values())

    def add(self, system: Host, parent: Address, spec: ChildSpec, *, dynamic: bool) -> Child:
        child = Child(spec, add_cell(system, parent, spec), dynamic=dynamic)
        self._children[spec.name] = child
        return child

    def stand(self, child: Child, standing: Standing) -> None:
        was = child.wanted
        child.standing = standing
        self.wanted += child.wanted - was
        child.cell.status = _SHOWN.get(standing, Status.STOPPED)
        if child.name in self._children:
            self._shown[child.name] = str(standing)

    def over(self, child: Child) -> None:
        """The child does not come back: forgotten, or kept as stopped if it is static."""
        self._rest(child, Standing.STOPPED, "has stopped", "has ended")

    def ignored(self, child: Child) -> None:
        """The child has nothing to do. Static ones are kept, to be tried again."""
        self._rest(child, Standing.IGNORED, "has nothing to do", "has nothing to do")

    def _rest(self, child: Child, standing: Standing, kept: str, forgotten: str) -> None:
        child.cancel_timers()
        self.stand(child, standing)
        if child.dynamic or child.spec.restart is Restart.TEMPORARY:
            self._children.pop(child.name, None)
            self._shown.pop(child.name, None)
            remove_cell(child.cell, forgotten)
        else:
            child.cell.shut(kept)

    def forget_all(self, why: str) -> None:
        for child in reversed(self.all()):
            remove_cell(child.cell, why)
        self._children.clear()
        self.wanted = 0


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
