"""One value of the configuration: its text turned into its type, or a sentence about what is
allowed.

Knows the notations (durations, percentages, secrets, paths). Sections, keys and the
collecting of mistakes are in `console.config.reader`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import time, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

from messages.values import Secret

_UNIT_SECONDS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d)\s*)+")
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_HOST_PORT = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):(\d{1,5})")

DURATION_HELP = 'a duration such as "2s", "5m", "3h", "1h30m" or "1d"'
FRACTION_HELP = 'a percentage such as "0.05%"'


@dataclass(frozen=True)
class Refused:
    """Why a value can't be used: `allowed` says what could stand there instead."""

    allowed: str


def duration(value: object) -> timedelta | Refused:
    """ "1h30m" → 90 minutes. Bare numbers are refused: nobody can tell their unit."""
    if not isinstance(value, str) or not _DURATION.fullmatch(value.strip()):
        return Refused(DURATION_HELP)
    parts = _DURATION_PART.findall(value)
    seconds = sum((Decimal(amount) * _UNIT_SECONDS[unit] for amount, unit in parts), Decimal(0))
    try:
        return timedelta(seconds=float(seconds))
    except OverflowError:
        return Refused(DURATION_HELP)


def time_of_day(value: object) -> time | Refused:
    """ "08:00" → eight in the morning, UTC."""
    match = _TIME_OF_DAY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return Refused('a time of day in UTC such as "08:00"')
    return time(int(match.group(1)), int(match.group(2)))


def fraction(value: object) -> Decimal | Refused:
    """ "0.05%" → Decimal("0.0005"). A number without the sign is refused: 0.5 may mean either."""
    if not isinstance(value, str) or not value.strip().endswith("%"):
        return Refused(FRACTION_HELP)
    try:
        percent = Decimal(value.strip()[:-1].strip())
    except InvalidOperation:
        return Refused(FRACTION_HELP)
    return percent / 100 if percent.is_finite() else Refused(FRACTION_HELP)


def secret(value: object, folder: Path, *, resolve: bool) -> Secret | Refused:
    """env:NAME, file:PATH (its first line, relative to `folder`), or the value itself.

    With `resolve` false only the notation is looked at, and what stands behind env: or file: is
    left empty: commands that send nothing to a venue need no keys.
    """
    if not isinstance(value, str) or not value:
        return Refused("env:NAME, file:PATH, or the value itself")
    source, _, rest = value.partition(":")
    if source == "env":
        if not resolve:
            return Secret("")
        text = os.environ.get(rest, "")
        return Secret(text) if text else Refused(f"the environment variable {rest} is not set")
    if source == "file":
        return _secret_file(folder / Path(rest).expanduser(), resolve=resolve)
    return Secret(value)


def shown_secret(value: object) -> object:
    """What a mistake may show of a secret: the place that it comes from, never the value."""
    named = isinstance(value, str) and value.startswith(("env:", "file:"))
    return value if named else Secret("")


def _secret_file(file: Path, *, resolve: bool) -> Secret | Refused:
    if not resolve:
        return Secret("")
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        return Refused(f"a readable file; {file} can't be read: {reason}")
    if not lines or not lines[0].strip():
        return Refused(f"a file whose first line is the secret; {file} has none")
    return Secret(lines[0].strip())


def host_port(value: object) -> str | Refused:
    """ "127.0.0.1:8443", with a port from 1 to 65535."""
    match = _HOST_PORT.fullmatch(value) if isinstance(value, str) else None
    if match is None or not 0 < int(match.group(2)) < 65536:
        return Refused('"host:port" with a port from 1 to 65535')
    return match.group(0)


def is_loopback(address: str) -> bool:
    """Whether a "host:port" can be reached from this machine only."""
    return address.rpartition(":")[0].lower() in ("127.0.0.1", "localhost", "[::1]")


def path(value: object, folder: Path) -> Path | Refused:
    """A path; a relative one starts at `folder`, `~` is the user's home."""
    if not isinstance(value, str) or not value or "\0" in value:
        return Refused("a path")
    return folder / Path(value).expanduser()


def database_url(url: Secret, folder: Path) -> Secret | Refused:
    """A ledger's address; the file of a relative SQLite one starts at `folder`."""
    text = url.reveal()
    scheme, found, rest = text.partition("://")
    if found and scheme == "sqlite":
        if not rest.startswith("/") or rest == "/":
            return Refused('"sqlite:///PATH" with three slashes, or four before an absolute path')
        file = rest[1:]
        return Secret(text if file == ":memory:" else f"sqlite:///{folder / file}")
    if found and scheme in ("postgresql", "postgres") and rest:
        return Secret(text)
    return Refused('"sqlite:///PATH" or "postgresql://USER@HOST/DATABASE"')


def source_url(url: Secret, folder: Path) -> Secret:
    """Another program's database, by any SQLAlchemy URL; a relative SQLite file is `folder`'s."""
    scheme, found, file = url.reveal().partition(":///")
    if found and scheme.partition("+")[0] == "sqlite" and file and file != ":memory:":
        return Secret(f"{scheme}:///{folder / file}")
    return url
