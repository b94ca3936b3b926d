"""The REPL at a terminal: ptpython, whose completion knows the service's paths and messages.

What can be called is in `console.repl.functions`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from ptpython.repl import PythonRepl

from console.cli.exit_codes import CommandError
from console.cli.service_client import ask_socket
from console.control.protocol import (
    Command,
    GetMessages,
    GetPositions,
    GetService,
    GetTree,
    MessageInfo,
    Reply,
)
from console.repl.functions import Functions
from console.repl.show import show_value

R = TypeVar("R", bound=Reply)

_PATIENCE = 0.7
"""Seconds: a Tab that takes longer feels broken."""

_PATHS = re.compile(
    r"\b(?:tell|ask|dump|suspend|resume|restart|kill|trace|messages)\(\s*[\"']([^\"']*)$"
)
_NAMES = re.compile(r"\b(?:tell|ask)\(\s*[\"']([^\"']+)[\"']\s*,\s*[\"'](\w*)$")
_FIELDS = re.compile(
    r"\b(?:tell|ask)\(\s*[\"'][^\"']+[\"']\s*,\s*[\"'](\w+)[\"']\s*,(.*,)?\s*(\w*)$", re.DOTALL
)
_SYMBOLS = re.compile(r"\b(?:why|close|hold|release)\(\s*[\"']([^\"']*)$")
_ACCOUNTS = re.compile(r"(?:\b(?:scan|reconcile|positions)\(\s*|\baccount=)[\"']([^\"']*)$")


def talk(functions: Functions) -> None:
    """Read, run and show until the person leaves."""
    service = functions.status()
    sys.stdout.write(
        f"Attached to sexton {service.version} in {service.mode} mode at {functions.socket}: "
        f"{', '.join(service.accounts)}.\nhelp() shows what there is; Tab completes; "
        "Ctrl-D leaves.\n"
    )
    namespace = functions.namespace()
    repl = _Repl(get_globals=lambda: namespace)
    repl.completer = ServiceCompleter(functions, fallback=repl.completer)
    repl.title = "sexton "
    repl.show_signature = True
    repl.confirm_exit = False
    repl.run()


class _Repl(PythonRepl):
    """Shows the service's values as tables, and its refusals as one line."""

    def _show_result(self, result: object) -> None:
        show_value(result)

    def _handle_exception(self, e: BaseException) -> None:
        if isinstance(e, CommandError):
            self.app.output.write(f"{e}\n")
            self.app.output.flush()
        else:
            super()._handle_exception(e)


class ServiceCompleter(Completer):
    """Completes paths, messages, fields, symbols and accounts; Python's own for all else."""

    def __init__(self, functions: Functions, *, fallback: Completer) -> None:
        self._functions = functions
        self._fallback = fallback

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """What fits at the cursor; nothing while the service does not answer."""
        text = document.text_before_cursor
        try:
            found = self._of_service(text)
        except CommandError:
            # Whoever types is in the middle of a line: the call itself will say what is wrong.
            return ()
        if found is None:
            return self._fallback.get_completions(document, complete_event)
        return list(found)

    def _of_service(self, text: str) -> Iterator[Completion] | None:
        """None where the cursor is at none of the places that the service knows about."""
        if match := _NAMES.search(text):
            return self._names(match[1], match[2])
        if match := _FIELDS.search(text):
            return self._fields(match[1], match[2] or "", match[3])
        if match := _PATHS.search(text):
            nodes = self._asked(GetTree()).nodes
            paths = ((n.path or "sexton", n.status) for n in nodes if n.kind != "worker")
            return _fitting(paths, match[1])
        if match := _SYMBOLS.search(text):
            rows = self._asked(GetPositions()).rows
            return _fitting(((row.symbol, f"{row.account} {row.side}") for row in rows), match[1])
        if match := _ACCOUNTS.search(text):
            return _fitting(((name, "") for name in self._asked(GetService()).accounts), match[1])
        return None

    def _names(self, path: str, begun: str) -> Iterator[Completion]:
        known = self._asked(GetMessages(path=path)).messages
        return _fitting(((info.name, info.about) for info in known), begun)

    def _fields(self, message: str, before: str, begun: str) -> Iterator[Completion]:
        used = set(re.findall(r"(\w+)\s*=", before))
        for info in self._asked(GetMessages()).messages:
            if info.name == message:
                return _fitting(_open_fields(info, used), begun)
        return iter(())

    def _asked(self, command: Command[R]) -> R:
        return ask_socket(self._functions.socket, command, timeout=_PATIENCE)


def _open_fields(info: MessageInfo, used: set[str]) -> Iterator[tuple[str, str]]:
    for field in info.fields:
        if field.name not in used:
            yield f"{field.name}=", field.type + (", required" if field.required else "")


def _fitting(found: Iterable[tuple[str, str]], begun: str) -> Iterator[Completion]:
    seen: set[str] = set()
    for text, about in found:
        if text.startswith(begun) and text not in seen:
            seen.add(text)
            yield Completion(text, start_position=-len(begun), display_meta=about)
