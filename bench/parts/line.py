"""A TCP line of a given length: it takes a round trip to connect, and half of one each way.

A delay inside the simulated venue leaves handshakes free, which are most of what a cold socket
costs; so the bytes themselves are late here. Loopback only.
"""

from __future__ import annotations

import asyncio
import contextlib


class Line:
    """Carries every connection to one loopback port. `round_trip` is in seconds."""

    def __init__(self, target_port: int, round_trip: float) -> None:
        self._target = target_port
        self._round_trip = round_trip
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def connect(self) -> str:
        """Where clients are to be carried: "127.0.0.1:PORT". Raises RuntimeError before start."""
        if self._server is None:
            raise RuntimeError("start the line first")
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1000)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self.cut()

    def cut(self) -> None:
        """End every connection: whoever comes next has to connect anew."""
        for writer in tuple(self._open):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self._round_trip)
        try:
            there, away = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        both = {writer, away}
        self._open |= both
        # A server's task that is cancelled prints a traceback when its loop ends.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(self._carry(reader, away), self._carry(there, writer))
        self._open -= both

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass bytes on as late as they are due, and the end of the stream after them."""
        loop = asyncio.get_running_loop()
        due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        delivery = asyncio.create_task(self._deliver(due, writer))
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                due.put_nowait((loop.time() + self._round_trip / 2, data))
        due.put_nowait((loop.time() + self._round_trip / 2, b""))
        await delivery

    @staticmethod
    async def _deliver(
        due: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while True:
                at, data = await due.get()
                await asyncio.sleep(max(at - loop.time(), 0))
                if not data:
                    break
                writer.write(data)
                await writer.drain()
        writer.close()
