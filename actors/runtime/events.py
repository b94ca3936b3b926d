"""What the runtime tells its owner: one frozen type for each thing that can happen to an actor.

Delivered to `System(on_event=…)` in the order of their happening, soon after it, never from
within a handler. Text in them is free of secrets and bounded.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class CrashReport(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known about a crash. `message`, `state` and `recent` are plain JSON values.

    `recent` are the last messages that were handled, oldest first; `uptime` is seconds.
    """

    at: datetime
    path: str
    class_name: str
    error: str
    traceback: str
    message_type: str
    message: Any
    state: Any
    recent: tuple[Any, ...]
    restarts: int
    mailbox: int
    uptime: float


class SupervisionEvent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The base of all events. `path` is the actor that the event is about."""

    path: str


class ChildStarted(SupervisionEvent, frozen=True, kw_only=True):
    class_name: str


class ChildStopped(SupervisionEvent, frozen=True, kw_only=True):
    """An incarnation ended without a crash; `reason` is normal, shutdown or killed."""

    reason: str


class ChildCrashed(SupervisionEvent, frozen=True, kw_only=True):
    report: CrashReport


class ChildStartFailed(SupervisionEvent, frozen=True, kw_only=True):
    why: str


class ChildRestarted(SupervisionEvent, frozen=True, kw_only=True):
    restarts: int


class ChildWaiting(SupervisionEvent, frozen=True, kw_only=True):
    """The child comes back in `retry_in` seconds; `failures` counts those in a row."""

    why: str
    retry_in: float
    failures: int


class ChildOverdue(SupervisionEvent, frozen=True, kw_only=True):
    """The child did not stop within its `seconds` and is killed."""

    seconds: float


class ChildUnstoppable(SupervisionEvent, frozen=True, kw_only=True):
    """The child's task ignored being cancelled; it is abandoned."""

    seconds: float


class SupervisorGaveUp(SupervisionEvent, frozen=True, kw_only=True):
    """More than `intensity` restarts within `period` seconds: the supervisor ends."""

    child: str
    why: str
    intensity: int
    period: float


class Quarantined(SupervisionEvent, frozen=True, kw_only=True):
    why: str
    retry_in: float
    failures: int


class Recovered(SupervisionEvent, frozen=True, kw_only=True):
    """A quarantined child has run for its back-off's `reset_after` without failing."""


class DeadLetter(SupervisionEvent, frozen=True, kw_only=True):
    """A message that nobody took. `message` is its type's name."""

    message: str
    why: str


class SlowHandler(SupervisionEvent, frozen=True, kw_only=True):
    message: str
    seconds: float
    stack: str


class AskCycle(SupervisionEvent, frozen=True, kw_only=True):
    """Actors that wait for one another's answers, in order; the first is named again last."""

    names: tuple[str, ...]
