"""A command at a terminal of its own, as a person has it: keys go in, the screen's bytes come out.

Leaves what is asserted to the tests.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path
from types import TracebackType

from tests.console.processes import PATIENCE, ROOT, until

_ESCAPES = re.compile(r"\x1b\[[0-9;?<>=]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b[=>78]")


class Terminal:
    """`python supervisor.py …` on a terminal of 30 lines. Ended with its `with` block."""

    def __init__(
        self,
        *arguments: str,
        term: str = "xterm-256color",
        width: int = 100,
        cwd: Path | None = None,
    ) -> None:
        self._mine, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, width, 0, 0))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SEXTON_")}
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "supervisor.py"), *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            # Without being told, programs take a terminal that cannot draw for 80 columns wide.
            env=environment | {"TERM": term, "COLUMNS": str(width), "LINES": "30"},
            cwd=cwd,
            start_new_session=True,
        )
        os.close(theirs)
        self._bytes = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        os.close(self._mine)

    def _read(self) -> None:
        while True:
            try:
                read = os.read(self._mine, 65536)
            except OSError:
                # Linux says so when the last process has left the terminal.
                return
            if not read:
                return
            self._bytes += read

    @property
    def raw(self) -> str:
        """Everything that was written so far, escapes included."""
        return self._bytes.decode(errors="replace")

    @property
    def text(self) -> str:
        """As `raw`, without what only moves the cursor or colours."""
        return _ESCAPES.sub("", self.raw)

    def press(self, keys: str) -> None:
        os.write(self._mine, keys.encode())

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait_for(self, text: str) -> None:
        until(lambda: text in self.text, f"{text!r} in {self.text[-2000:]}")

    def wait(self) -> int:
        """The exit code; everything written has then been read."""
        code = self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code
