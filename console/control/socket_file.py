"""The control socket's file: made for its owner alone, replaced when stale, never stolen.

What is said over it is in `server`.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from pathlib import Path


class SocketTakenError(Exception):
    """Another service, or another kind of file, is where the socket should be."""


def open_socket(path: Path) -> socket.socket:
    """A listening unix socket with mode 0600 from its first moment on.

    A file that a dead service left is replaced. Raises SocketTakenError for a live one and for
    anything that is no socket; OSError where the folder can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _make_room(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The mode comes from the umask, so that there is no moment in which others could connect.
    before = os.umask(0o177)
    try:
        listening.bind(str(path))
    except BaseException:
        listening.close()
        raise
    finally:
        os.umask(before)
    listening.listen(64)
    listening.setblocking(False)
    return listening


def ensure_free(path: Path) -> None:
    """Raises SocketTakenError where `open_socket` would; changes nothing."""
    if _kind(path) == "live":
        raise SocketTakenError(f"a service already listens at {path}: stop it first")
    if _kind(path) == "other":
        raise SocketTakenError(
            f"{path} is not a socket: remove it, or set control.socket elsewhere"
        )


def remove_socket(path: Path, inode: int) -> None:
    """Remove the socket's file, if it is still the one with this inode."""
    try:
        if path.stat().st_ino == inode:
            path.unlink()
    except FileNotFoundError:
        return


def _make_room(path: Path) -> None:
    ensure_free(path)
    if _kind(path) == "stale":
        path.unlink(missing_ok=True)


def _kind(path: Path) -> str:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return "none"
    if not stat.S_ISSOCK(mode):
        return "other"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except TimeoutError:
            return "live"
        except OSError:
            return "stale"
        return "stale" if _peer(probe) == os.getpid() else "live"


def _peer(connected: socket.socket) -> int:
    """The pid at the other end: our own is a listener that a restart is about to close."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return 0
    size = struct.calcsize("3i")
    pid, _, _ = struct.unpack("3i", connected.getsockopt(socket.SOL_SOCKET, option, size))
    return int(pid)
