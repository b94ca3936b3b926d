"""The REPL: Python in the operator's own process, with the service's commands as functions.

At a terminal it is ptpython, with completion of paths, messages and fields; with `-c`, or with
input from a pipe, the same functions run without one. Only typed commands cross the socket.
The functions are in `console.repl.functions`, what they show in `console.repl.show`.
"""

from __future__ import annotations

import ast
import sys
from code import InteractiveInterpreter
from pathlib import Path
from types import CodeType
from typing import Any

from console.cli.exit_codes import CommandError, ExitCode
from console.cli.service_client import settings_from
from console.repl.functions import Functions
from console.repl.show import show_value


def repl_from_cli(config: Path, *, code: str | None, as_json: bool) -> ExitCode:
    """`repl`: run `code`, or what comes through a pipe, or talk with the person at the terminal.

    Raises CommandError where no service answers.
    """
    if code is not None and code.endswith(".toml") and Path(code).exists():
        raise CommandError(ExitCode.USAGE, f"-c takes code here: say --config {code}")
    functions = Functions(settings_from(config, keys=False).control.socket)
    functions.status()
    if code is None and sys.stdin.isatty():
        from console.repl.terminal import talk

        talk(functions)
        return ExitCode.OK
    batch = Batch(functions.namespace(), as_json=as_json)
    return batch.run(code if code is not None else sys.stdin.read())


class Batch(InteractiveInterpreter):
    """Runs statements one after the other and shows what each expression gives.

    Ends at the first that fails. A command that was refused is one line; anything else is the
    operator's own mistake in Python, and shows its traceback.
    """

    def __init__(self, namespace: dict[str, Any], *, as_json: bool = False) -> None:
        super().__init__(namespace)
        self._as_json = as_json
        self._ended = ExitCode.OK

    def run(self, source: str) -> ExitCode:
        """The exit code as the one-shot command would have it."""
        try:
            statements = ast.parse(source, "<repl>").body
        except SyntaxError as error:
            raise CommandError(ExitCode.USAGE, f"not Python: {error}") from None
        before, sys.displayhook = sys.displayhook, self._show
        try:
            for statement in statements:
                self.runcode(_compiled(statement))
                if self._ended is not ExitCode.OK:
                    break
        finally:
            sys.displayhook = before
        return self._ended

    def _show(self, value: object) -> None:
        if value is not None:
            show_value(value, as_json=self._as_json)

    def showtraceback(self) -> None:
        """Called by the base class while the exception is being handled."""
        error = sys.exception()
        if isinstance(error, CommandError):
            self._ended = error.code
            self.write(f"{error}\n")
        else:
            self._ended = ExitCode.REFUSED
            super().showtraceback()


def _compiled(statement: ast.stmt) -> CodeType:
    return compile(ast.Interactive([statement]), "<repl>", "single")
