"""Says on the terminal what a command waits for, once that takes longer than a second.

What is printed at the end is in `console.cli.tables`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

PATIENCE = 1.0
"""Seconds: what is done by then needs no words."""


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """While the block runs. Nothing is written where stderr is no terminal."""
    terminal = Console(stderr=True)
    if not terminal.is_terminal:
        yield
        return
    status = terminal.status(what)
    late = threading.Timer(PATIENCE, status.start)
    late.daemon = True
    late.start()
    try:
        yield
    finally:
        late.cancel()
        # It may be starting at this very moment.
        late.join()
        status.stop()
