"""Damages valid JSON bodies where they have structure: a value replaced, a key or a row gone.

Left to others: the bodies, and what must hold of whoever reads them.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

Json = Any
Path = tuple[str | int, ...]

JUNK: tuple[Json, ...] = (
    None,
    "",
    " ",
    0,
    -1,
    True,
    "NaN",
    "Infinity",
    "-0.0",
    "1e999",
    10**30,
    1.5e308,
    [],
    {},
    [None],
    [[]],
    {"a": {"b": []}},
    "\ud7ff\u0000",
    "x" * 5000,
)


@dataclass(frozen=True, slots=True)
class Damage:
    """One change of a body. `where` is a fraction of the way through its nodes, in order."""

    where: float
    delete: bool
    junk: Json


damages = st.builds(
    Damage,
    where=st.floats(min_value=0, max_value=1, exclude_max=True),
    delete=st.booleans(),
    junk=st.sampled_from(JUNK),
)


def nodes(body: Json, at: Path = ()) -> list[Path]:
    """The paths of all values in a body, outer before inner."""
    found: list[Path] = [at]
    if isinstance(body, dict):
        for key, value in body.items():
            found += nodes(value, (*at, key))
    elif isinstance(body, list):
        for index, value in enumerate(body):
            found += nodes(value, (*at, index))
    return found


def at_path(body: Json, path: Path) -> Json:
    for step in path:
        body = body[step]
    return body


def damaged(body: Json, damage: Damage) -> tuple[Json, Path]:
    """A copy of the body with one change, and where it is."""
    paths = nodes(body)
    path = paths[int(damage.where * len(paths))]
    if not path:
        return damage.junk, path
    changed = copy.deepcopy(body)
    holder = at_path(changed, path[:-1])
    if damage.delete:
        del holder[path[-1]]
    else:
        holder[path[-1]] = damage.junk
    return changed, path
