"""Where log lines go: human ones to the terminal, JSON lines with rotation to the data folder.

The standard library's logging (ccxt, SQLAlchemy, aiohttp, asyncio) goes the same way. Tracebacks
never show variables, since a secret may be among them.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from loguru import logger

if TYPE_CHECKING:
    from loguru import Record

LOG_FOLDER = "log"
LOG_FILE = "sexton.jsonl"
_ROTATE_AT = "20 MB"
_KEEP = 10


def set_up_logs(data_dir: Path, *, terminal: TextIO | None = None, level: str = "INFO") -> None:
    """Send every log line to `data_dir/log/sexton.jsonl`, and to `terminal` in human form.

    Replaces all earlier sinks. None for `terminal` keeps the terminal quiet, for a live view.
    Raises OSError where the folder can't be written.
    """
    logger.remove()
    if terminal is not None:
        human_terminal(terminal, level=level)
    logger.add(
        data_dir / LOG_FOLDER / LOG_FILE,
        level=level,
        format=_json_line,
        rotation=_ROTATE_AT,
        retention=_KEEP,
        encoding="utf-8",
        backtrace=False,
        diagnose=False,
    )
    logging.basicConfig(handlers=[_Intercept()], level=logging.WARNING, force=True)
    logging.captureWarnings(True)


def human_terminal(terminal: TextIO, *, level: str = "INFO") -> None:
    """Show log lines to a person, and to nobody else; replaces all earlier sinks."""
    logger.remove()
    logger.add(
        terminal,
        level=level,
        format=_human,
        colorize=terminal.isatty(),
        backtrace=False,
        diagnose=False,
    )


def close_logs() -> None:
    """Write out what is left; from then on only errors are shown, on stderr."""
    logger.remove()
    logger.add(sys.stderr, level="ERROR", backtrace=False, diagnose=False)


def _human(record: Record) -> str:
    actor = record["extra"].get("actor")
    record["extra"]["who"] = f"{actor:<34} " if actor else ""
    return (
        "<dim>{time:HH:mm:ss.SSS}</dim> <level>{level:<8}</level> "
        "<cyan>{extra[who]}</cyan>{message}\n{exception}"
    )


def _json_line(record: Record) -> str:
    extra = record["extra"]
    line: dict[str, Any] = {
        "at": record["time"].isoformat(),
        "level": record["level"].name,
        "message": record["message"],
        **{key: value for key, value in extra.items() if key not in ("line", "who")},
        "source": record["name"],
    }
    extra["line"] = json.dumps(line, default=str, ensure_ascii=False)
    # The traceback follows on lines of its own only where there is one.
    return "{extra[line]}\n" if record["exception"] is None else "{extra[line]}\n{exception}\n"


class _Intercept(logging.Handler):
    """Hands the standard library's records to loguru, under the same name and level."""

    def emit(self, record: logging.LogRecord) -> None:
        level: str | int = record.levelname
        if record.levelname not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
            level = record.levelno
        logger.bind(logger=record.name).opt(exception=record.exc_info, depth=6).log(
            level, "{}", record.getMessage()
        )
