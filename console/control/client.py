"""Talking to a running service: one call for commands, one connection for those that stay.

Every way in which nobody answers is a `NoServiceError` with one line that says what to do next; a
command that was refused is a `CommandRefusedError`. Replies are shown by `console.cli.tables`.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from pathlib import Path
from typing import NoReturn, TypeVar, cast

import msgspec

from console.cli.program import typed
from console.control.protocol import (
    MAX_REPLY_BYTES,
    Command,
    Refused,
    Reply,
    decode_reply,
    encode_line,
)

R = TypeVar("R", bound=Reply)

ANSWER_WITHIN = 60.0
"""Seconds. A scan reads a whole account, so that commands may take a while."""


class NoServiceError(Exception):
    """Nobody answers at the socket; the message says what to do next."""


class CommandRefusedError(Exception):
    """The service understood, and did not do it."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.message)
        self.code = refused.code


def call(path: Path, command: Command[R], *, timeout: float = ANSWER_WITHIN) -> R:
    """Send one command to the service at `path` and wait for its reply.

    `timeout` is seconds. Raises NoServiceError or CommandRefusedError.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(path))
            # A service that hangs up at once may have said why before it did.
            with suppress(BrokenPipeError):
                connection.sendall(encode_line(command))
            with connection.makefile("rb") as stream:
                line = stream.readline(MAX_REPLY_BYTES)
        except OSError as error:
            _explain(path, error, timeout)
    # The reply's type is the command's parameter: the server answers each with its own.
    return cast(R, _reply(path, line))


class ControlClient:
    """A connection that stays: `async with ControlClient(path) as service: await service.call(…)`.

    Calls of one client are answered in turn.
    """

    def __init__(self, path: Path, *, timeout: float = ANSWER_WITHIN) -> None:
        self._path = path
        self._timeout = timeout
        self._turn = asyncio.Lock()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> ControlClient:
        try:
            self._reader, self._writer = await asyncio.open_unix_connection(
                self._path, limit=MAX_REPLY_BYTES
            )
        except OSError as error:
            _explain(self._path, error, self._timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    async def call(self, command: Command[R]) -> R:
        """Send a command and wait for its reply. Raises NoServiceError or CommandRefusedError."""
        reader, writer = self._reader, self._writer
        if reader is None or writer is None:
            raise RuntimeError("enter the client first: async with ControlClient(path) as service")
        async with self._turn:
            try:
                writer.write(encode_line(command))
                async with asyncio.timeout(self._timeout):
                    await writer.drain()
                    line = await reader.readline()
            except OSError as error:
                # A reply that comes after its time would be taken for the next one's.
                writer.close()
                _explain(self._path, error, self._timeout)
        return cast(R, _reply(self._path, line))


def _reply(path: Path, line: bytes) -> Reply:
    if not line.endswith(b"\n"):
        raise NoServiceError(f"the service at {path} hung up before it answered: see its log")
    try:
        reply = decode_reply(line)
    except msgspec.DecodeError as error:
        raise NoServiceError(
            f"what listens at {path} is not this version of sexton: {error}"
        ) from None
    if isinstance(reply, Refused):
        raise CommandRefusedError(reply)
    return reply


def _explain(path: Path, error: OSError, timeout: float) -> NoReturn:
    start = f"start it with: {typed('run --config FILE')}"
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        raise NoServiceError(f"no service listens at {path}: {start}") from None
    if isinstance(error, PermissionError):
        raise NoServiceError(
            f"the service at {path} belongs to another user: run this as that user"
        ) from None
    if isinstance(error, TimeoutError):
        raise NoServiceError(f"the service at {path} did not answer within {timeout:g} s") from None
    raise NoServiceError(f"the service at {path} can't be reached: {error.strerror}") from None
