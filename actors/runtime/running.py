"""The systems that run in this process, for what has no actor to ask: pykka's `start`."""

from __future__ import annotations

import asyncio

from actors.runtime.ports import Host

_running: list[Host] = []


def join(system: Host) -> None:
    _running.append(system)


def leave(system: Host) -> None:
    if system in _running:
        _running.remove(system)


def running_systems() -> list[Host]:
    return list(_running)


def current() -> Host:
    """The system of this thread's loop, or the only one that runs.

    Raises:
        RuntimeError: there is none, or no way to tell which.
    """
    loop = asyncio._get_running_loop()
    here = [system for system in _running if system.loop is loop] or list(_running)
    if len(here) != 1:
        raise RuntimeError(
            f"{len(here)} actor systems are running here; start a System first, and call "
            "start() on its loop"
        )
    return here[0]
