"""`init`: a first configuration, in observe mode, with every key in it and what it is for.

Keys and defaults come from `console.config.keys`.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

from console.cli.exit_codes import CommandError, ExitCode
from console.cli.program import program
from console.config.keys import ACCOUNT_TABLE, Key, tables

_WIDTH = 98
_HEAD = """\
# Sexton's configuration. Every key that is commented out stands at its default.
# Durations: "500ms", "2s", "5m", "1h30m", "1d". Percentages: "0.05%". Secrets: env:NAME,
# file:PATH, or the value itself. Relative paths start at this file's folder.
# `{program} doctor` says what would go wrong; `{program} show-config` what is in force.
"""
_OPTIONAL_TABLES = ("ledger", "ledger.api")


def init_from_cli(file: Path, *, exchange: str, account: str, force: bool) -> None:
    """Write the file. Raises CommandError where one is there already, or it can't be written."""
    variable = account.upper().replace("-", "_").replace(".", "_")
    given = {
        "mode": '"observe"',
        f"{ACCOUNT_TABLE}.exchange": f'"{exchange}"',
        f"{ACCOUNT_TABLE}.key": f'"env:{variable}_KEY"',
        f"{ACCOUNT_TABLE}.secret": f'"env:{variable}_SECRET"',
    }
    text = template(account, given)
    try:
        with file.open("w" if force else "x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        there = f"{file} is there already: --force writes over it"
        raise CommandError(ExitCode.REFUSED, there) from None
    except OSError as error:
        raise CommandError(ExitCode.FAILED, f"{file} can't be written: {error.strerror}") from None


def template(account: str, given: dict[str, str]) -> str:
    """The file's text. `given` has the keys that are set, by dotted name, as TOML."""
    parts = [_HEAD.format(program=program())]
    for table, purpose, keys in tables():
        lines = []
        if table:
            mark = "# " if table in _OPTIONAL_TABLES else ""
            lines += [_comment(purpose), f"{mark}[{table.replace('NAME', account)}]"]
        for key in keys:
            lines += [_comment(_said(key)), _line(key, given.get(key.dotted))]
        text = "\n".join(lines) + "\n"
        if table.rpartition(".")[0] in _OPTIONAL_TABLES:
            # A table of a table that is left out stands with it.
            parts[-1] += text
        else:
            parts.append(text)
    return "\n".join(parts)


def _said(key: Key) -> str:
    return f"{key.help} Allowed: {key.choice}." if key.choice else key.help


def _line(key: Key, given: str | None) -> str:
    if given is not None:
        return f"{key.name} = {given}"
    return f"# {key.name} = {key.default}" if key.default else f"# {key.name} ="


def _comment(text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")
