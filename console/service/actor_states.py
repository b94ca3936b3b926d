"""Actors' states for whoever looks often: typed, and without the messages that a dump also shows.

What is shown of a state has passed the scrubber, as in a dump.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, TypeVar

import msgspec

from actors.runtime import System

S = TypeVar("S", bound=msgspec.Struct)


def shown_state(system: System, path: str, kind: type[S]) -> S | None:
    """A copy of an actor's state, fit to be shown; None while no actor runs at `path`.

    Raises:
        TypeError: the actor keeps a state of another type.
    """
    state = system.state_of(path, kind)
    return None if state is None else shown(system, state)


def shown(system: System, state: S) -> S:
    """A copy of a state with every secret that the system knows replaced in its texts."""
    copy: S = _clean(system, "", state)
    return copy


def _clean(system: System, name: str, value: Any) -> Any:
    """The value again, of the same type; `name` is that of the field that holds it."""
    if isinstance(value, str) and not isinstance(value, Enum):
        # The scrubber hides some fields by their name alone.
        return system.scrubber.plain({name: value})[name] if name else system.scrubber.text(value)
    if isinstance(value, msgspec.Struct):
        fields = value.__struct_fields__
        return type(value)(**{f: _clean(system, f, getattr(value, f)) for f in fields})
    if isinstance(value, dict):
        return {
            _clean(system, "", key): _clean(system, str(key), item) for key, item in value.items()
        }
    if isinstance(value, list | set | frozenset):
        return type(value)(_clean(system, "", item) for item in value)
    if type(value) is tuple:
        return tuple(_clean(system, "", item) for item in value)
    return value
