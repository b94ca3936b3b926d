"""The actor that serves the control socket: one worker listens, one more for each client.

A worker that crashes takes its one connection with it; a listener that crashes takes the actor,
which its supervisor starts again. The socket's file is `socket_file`'s; commands are answered in
`commands`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import msgspec

from actors.runtime import Actor, Down, System, WorkerDone, handles
from console.control.commands import Operator
from console.control.protocol import MAX_COMMAND_BYTES, Refused, decode_command, encode_line
from console.control.socket_file import open_socket, remove_socket

MAX_CLIENTS = 32
_LISTENER = "listener"
_CLIENT = "client"


class ControlState(msgspec.Struct):
    socket: Path
    clients: int = 0
    commands: int = 0
    refused: int = 0
    last_command: str = ""


class ListenerEndedError(Exception):
    """The control socket's listener is gone; a restart opens a new one."""


class Control(Actor[ControlState]):
    """Answers operators. `accounts` gives the names that commands may say."""

    def __init__(self, path: Path, *, mode: str, accounts: Callable[[], tuple[str, ...]]) -> None:
        super().__init__(ControlState(socket=path))
        self._mode = mode
        self._accounts = accounts

    def on_start(self) -> None:
        listening = open_socket(self.state.socket)
        self._operator = Operator(System.of(self), mode=self._mode, accounts=self._accounts)
        self.work(self._listen(listening), _LISTENER, name="listener")
        self.log.info(f"Control socket open at {self.state.socket}")

    @handles
    def worker_crashed(self, message: Down) -> None:
        if message.tag == _LISTENER:
            raise ListenerEndedError(message.reason)
        self.state.clients -= 1

    @handles
    def worker_ended(self, message: WorkerDone) -> None:
        if message.tag == _CLIENT:
            self.state.clients -= 1

    async def _listen(self, listening: socket.socket) -> None:
        inode = self.state.socket.stat().st_ino
        server = await asyncio.start_unix_server(
            self._welcome, sock=listening, limit=MAX_COMMAND_BYTES
        )
        try:
            await server.serve_forever()
        finally:
            server.close()
            remove_socket(self.state.socket, inode)

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.state.clients >= MAX_CLIENTS:
            writer.write(
                encode_line(
                    Refused(
                        code="too_many_clients",
                        message=f"{MAX_CLIENTS} clients are connected: close one of them",
                    )
                )
            )
            writer.close()
            return
        self.state.clients += 1
        self.work(self._serve(reader, writer), _CLIENT, name="client")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await self._next_line(reader, writer):
                writer.write(await self._answer(line))
                await writer.drain()
        except ConnectionError:
            # A client may leave whenever it likes.
            self.log.debug("A control client went away in the middle of a reply")
        finally:
            writer.close()

    async def _next_line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """The next command's line; empty at the end, or where a line is too long to go on."""
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return b""
        except asyncio.LimitOverrunError:
            self.state.refused += 1
            message = f"a command has at most {MAX_COMMAND_BYTES} bytes"
            writer.write(encode_line(Refused(code="too_long", message=message)))
            await writer.drain()
            return b""
        return line

    async def _answer(self, line: bytes) -> bytes:
        try:
            command = decode_command(line)
        except msgspec.DecodeError as error:
            self.state.refused += 1
            return encode_line(Refused(code="bad_command", message=str(error)))
        self.state.commands += 1
        self.state.last_command = type(command).__name__
        reply = await self._operator.answer(command)
        if isinstance(reply, Refused):
            self.state.refused += 1
        return encode_line(reply)
