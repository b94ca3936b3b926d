"""Writes `docs/configuration.md` from the settings' types: `python -m console.config.reference`.

Keys, defaults and words come from `console.config.keys` and `console.config.help`.
"""

from __future__ import annotations

from pathlib import Path

from console.config.diff import FIXED
from console.config.keys import Key, tables

FILE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"
_HEAD = """\
# Configuration

<!-- Written by `python -m console.config.reference`; a test fails where it is out of date. -->

One TOML file, `sexton.toml` unless `--config` or `SEXTON_CONFIG` names another. It is checked whole
before anything starts: each mistake names file, key, value and what is allowed, and the exit code
is 2.

- `python supervisor.py init` writes a first file, in observe mode, with every key in it.
- `python supervisor.py show-config` prints what is in force, defaults and all, without secrets.
- `python supervisor.py doctor` tells what would go wrong with it, and the cure.

| notation | written as |
|---|---|
| duration | `"500ms"`, `"2s"`, `"5m"`, `"1h30m"`, `"1d"`; a bare number is refused |
| percentage | `"0.05%"`; a number without the sign is refused |
| secret | `"env:NAME"`, `"file:PATH"` (its first line), or the value itself |
| path | relative ones start at the folder of the configuration file; `~` is the home |
| time of day | `"08:00"`, in UTC |

A key without a default that is not marked *required* may be left out.

After a change, `reload` takes what can change at run time; tables that say so need a restart of
the service instead. See [operating.md](operating.md#changing-the-configuration).
"""


_NEEDS_RESTART = "A change needs a restart of the service."


def reference() -> str:
    """The whole page."""
    parts = [_HEAD]
    for table, purpose, keys in tables():
        title = f"## `[{table}]`" if table else "## Outside of any table"
        rows = [_row(key) for key in keys]
        head = ["| key | what for | value | default |", "|---|---|---|---|"]
        # The keys outside of any table are the first two that can't change.
        stays = not table or table.partition(".")[0] in FIXED
        said = " ".join(part for part in (purpose, _NEEDS_RESTART if stays else "") if part)
        parts.append("\n".join([title, "", *([said, ""] if said else []), *head, *rows, ""]))
    return "\n".join(parts)


def _row(key: Key) -> str:
    default = "*required*" if key.required else f"`{key.default}`" if key.default else ""
    choice = key.choice if key.choice != key.notation else ""
    # "a duration of at least 1s" says that it is a duration.
    said = choice and key.notation in choice
    value = choice if said else f"{key.notation}; {choice}" if choice else key.notation
    cells = (f"`{key.name}`", key.help, value, default)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    FILE.write_text(reference(), encoding="utf-8")
