"""The exit codes of every command, and the one way in which a command ends early.

What is printed on success is in `console.cli.tables`.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Stable: scripts may depend on them.

    OK: done. REFUSED: understood, and not done (no such leg, no such actor, …). USAGE: a mistake
    on the command line or in the configuration. NO_SERVICE: the command needs the running
    service, and none answers. NO_LEDGER: the database can't be had. FAILED: the service ended
    because something broke. NOT_DONE: what was ordered was taken up and not carried out: it failed,
    expired or was taken back. PENDING: it is still under way, and nobody waits for it any more.
    INTERRUPTED: Ctrl-C, as shells have it.
    """

    OK = 0
    REFUSED = 1
    USAGE = 2
    NO_SERVICE = 3
    NO_LEDGER = 4
    FAILED = 5
    NOT_DONE = 6
    PENDING = 7
    INTERRUPTED = 130


EXIT_HELP = (
    "Exit codes: 0 done, 1 refused, 2 mistake in usage or configuration, 3 no service answers, "
    "4 the ledger can't be had, 5 the service broke, 6 ordered and not carried out, 7 ordered and "
    "still under way, 130 interrupted."
)


class CommandError(Exception):
    """A command ends with a code and a message for the person at the terminal."""

    def __init__(self, code: ExitCode, message: str) -> None:
        super().__init__(message)
        self.code = code
