"""Actors' states for whoever looks often: without the messages that a dump also shows.

What is shown of a state has passed the scrubber, as in a dump. Leaves dumps to the runtime.
"""

from __future__ import annotations

from typing import Any

from actors.aged_leg import AgedLeg, AgedState
from actors.runtime import System


def state_of(system: System, path: str) -> dict[str, Any]:
    """An actor's state as plain JSON without secrets; empty while there is no such actor."""
    cell = system.cells.get(path)
    if cell is None or cell.life is None:
        return {}
    state = system.scrubber.plain(cell.life.actor.state)
    return state if isinstance(state, dict) else {}


def aged_legs(system: System) -> dict[str, AgedState]:
    """The aged legs by path, as their actors hold them: to choose from, not to be shown."""
    return {
        path: cell.life.actor.state
        for path, cell in system.cells.items()
        if cell.life is not None and isinstance(cell.life.actor, AgedLeg)
    }
