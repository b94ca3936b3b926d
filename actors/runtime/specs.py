"""What a supervisor is told about its children: specifications, strategies, waits, requests."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Literal

import msgspec

from actors.runtime.checks import check_count, check_seconds, check_type, is_number
from actors.runtime.errors import BadChildSpec
from actors.runtime.ports import Behaviour
from messages.base import Request

AutoShutdown = Literal["never", "any", "all"]


class Restart(StrEnum):
    """When a child comes back: always; after a crash or a kill; never."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


class Strategy(StrEnum):
    """Who is restarted with a child: nobody; all; those that were started after it."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


class _Unset(Enum):
    """A stop deadline that the kind of child decides."""

    BY_KIND = "by kind"


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How one child is made, when it comes back and how long it may take to stop.

    `factory` is an actor class, or any callable without arguments that returns a new actor; it
    is called again for each incarnation. `shutdown` is seconds: zero kills at once, None waits
    for ever; by default the class's `stop_within`: 5 s, and None for supervisors. `significant`
    children may end their supervisor (`auto_shutdown`).

    Raises:
        BadChildSpec: when the values contradict themselves.
    """

    name: str
    factory: Callable[[], Behaviour]
    restart: Restart = Restart.PERMANENT
    shutdown: float | _Unset | None = _Unset.BY_KIND
    significant: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name or "/" in self.name:
            raise BadChildSpec(
                f"child name {self.name!r}: a name is a non-empty string without '/', "
                "because it becomes one step of a path"
            )
        if not callable(self.factory):
            raise BadChildSpec(
                f"child {self.name!r}: factory {self.factory!r} cannot be called; pass an actor "
                "class or a callable that returns a new actor"
            )
        if not isinstance(self.restart, Restart):
            raise BadChildSpec(
                f"child {self.name!r}: restart is {self.restart!r}; use one of "
                f"{', '.join(f'Restart.{item.name}' for item in Restart)}"
            )
        if not (
            self.shutdown is None
            or isinstance(self.shutdown, _Unset)
            or (is_number(self.shutdown) and self.shutdown >= 0)
        ):
            raise BadChildSpec(
                f"child {self.name!r}: shutdown is {self.shutdown!r}; use zero to kill at once, "
                "a positive number of seconds, or None to wait for ever"
            )
        check_type(f"child {self.name!r}", "significant", self.significant, bool, BadChildSpec)
        if self.significant and self.restart is Restart.PERMANENT:
            raise BadChildSpec(
                f"child {self.name!r} is significant and permanent: it would always come back; "
                "make it transient or temporary"
            )
        made = self.factory
        while isinstance(made, functools.partial):
            made = made.func
        if self.shutdown is _Unset.BY_KIND and hasattr(made, "stop_within"):
            object.__setattr__(self, "shutdown", made.stop_within)

    def stop_deadline(self, actor: Behaviour) -> float | None:
        """Seconds that the child may take to stop. A plain function as factory does not tell."""
        return actor.stop_within if isinstance(self.shutdown, _Unset) else self.shutdown


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """Ever longer waits before a restart, in seconds.

    The n-th wait in a row is `first * factor**(n-1)`, at most `cap`, spread by ± `jitter` (a
    fraction) of itself. A run of `reset_after` seconds starts the row anew. From the
    `loud_after`-th failure in a row on, the log's level is error instead of warning.
    """

    first: float = 0.2
    cap: float = 30.0
    factor: float = 2.0
    jitter: float = 0.2
    reset_after: float = 60.0
    loud_after: int = 3

    def __post_init__(self) -> None:
        for name in ("first", "cap", "reset_after"):
            check_seconds("back-off", name, getattr(self, name), kind=BadChildSpec)
        if self.first > self.cap:
            raise BadChildSpec(f"back-off: first is {self.first}, above cap, which is {self.cap}")
        if not is_number(self.factor) or self.factor < 1:
            raise BadChildSpec(f"back-off: factor is {self.factor!r}; it is a number, 1 or more")
        if not is_number(self.jitter) or not 0 <= self.jitter < 1:
            raise BadChildSpec(f"back-off: jitter is {self.jitter!r}; it is zero or more, below 1")
        check_count("back-off", "loud_after", self.loud_after, 0, BadChildSpec)

    def delay(self, failures: int, rng: random.Random) -> float:
        """Seconds to wait after the given number of failures in a row (1 is the first)."""
        exponent = min(failures - 1, 64)
        wait = min(self.cap, self.first * self.factor**exponent)
        return min(self.cap, wait * (1 + self.jitter * rng.uniform(-1, 1)))


class Quarantine(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a child that keeps failing, in place of the supervisor's giving up.

    After more than `after` failures in a row it is restarted by `backoff`, ever slower, for
    ever, without counting against the intensity.
    """

    after: int = 5
    backoff: Backoff = Backoff(first=30.0, cap=3600.0, reset_after=300.0)

    def __post_init__(self) -> None:
        check_count("quarantine", "after", self.after, 0, BadChildSpec)
        check_type("quarantine", "backoff", self.backoff, Backoff, BadChildSpec)


class Started(msgspec.Struct, frozen=True, tag=True):
    """The child runs, under this path. `ignored`: it said that there is nothing to do."""

    path: str
    ignored: bool = False


class AlreadyThere(msgspec.Struct, frozen=True, tag=True):
    """A child of this name is there. Not running: stopped, or `waiting` for its restart."""

    path: str
    running: bool
    waiting: bool = False


class StartRefused(msgspec.Struct, frozen=True, tag=True):
    """The child was not started, and why."""

    why: str


class Stopped(msgspec.Struct, frozen=True, tag=True):
    """The child does not run (any more). `known`: there was a child of that name."""

    known: bool


class StartChild(Request[Started | AlreadyThere | StartRefused], frozen=True):
    """Start a dynamic child. It is forgotten once it has ended for good."""

    spec: ChildSpec


class StopChild(Request[Stopped], frozen=True):
    """Stop a child in order. A dynamic one is forgotten, a static one stays as stopped."""

    name: str


class RestartChild(Request[Started | StartRefused], frozen=True):
    """Start a stopped or waiting child now; stop a running one first."""

    name: str


def check_children(
    children: Sequence[ChildSpec],
    strategy: Strategy,
    auto_shutdown: AutoShutdown,
    max_children: int | None,
) -> None:
    """Refuse what contradicts itself, before anything is started. Raises `BadChildSpec`."""
    if not isinstance(strategy, Strategy):
        raise BadChildSpec(f"strategy is {strategy!r}; use a member of Strategy")
    if auto_shutdown not in ("never", "any", "all"):
        raise BadChildSpec(f"auto_shutdown is {auto_shutdown!r}; use never, any or all")
    if max_children is not None:
        check_count("supervisor", "max_children", max_children, 0, BadChildSpec)
    given: object = children
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise BadChildSpec(f"children is {given!r}; use a sequence of ChildSpec")
    names: set[str] = set()
    for spec in children:
        check_type("supervisor", "one of children", spec, ChildSpec, BadChildSpec)
        if spec.name in names:
            raise BadChildSpec(f"two children are named {spec.name!r}; rename one of them")
        names.add(spec.name)
        if spec.significant and auto_shutdown == "never":
            raise BadChildSpec(significant_without_shutdown(spec.name))


def significant_without_shutdown(name: str) -> str:
    return (
        f"child {name!r} is significant, but auto_shutdown is 'never'; "
        "set auto_shutdown, or make the child ordinary"
    )
