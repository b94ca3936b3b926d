"""The keys of the configuration as data: tables, keys, notations, defaults, ranges.

Taken from the settings' types, so that nothing here can go out of date. Used to print the
effective configuration (`show-config`), to write a first one (`init`), and for the reference in
`docs/configuration.md`. The file is read in `console.config.reader`.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import time, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from console.config.help import KEY_HELP, SECTION_HELP
from console.config.rules import LIMITS
from messages.settings import AccountSettings, Mode, Settings
from messages.values import Secret

ACCOUNT_TABLE = "accounts.NAME"
_TOP = (("mode", Mode), ("data_dir", Path))
_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
# Defaults that the reader takes from data_dir.
_DEFAULTS = {
    "data_dir": "var",
    "storage.url": "sqlite:///var/sexton.db",
    "control.socket": "var/sexton.sock",
}


@dataclass(frozen=True)
class Key:
    """One key: its dotted name, what may stand there, and its default as TOML ("": none)."""

    table: str
    name: str
    kind: Any
    default: str
    required: bool

    @property
    def dotted(self) -> str:
        return f"{self.table}.{self.name}" if self.table else self.name

    @property
    def help(self) -> str:
        return KEY_HELP.get(self.dotted, "")

    @property
    def notation(self) -> str:
        """What kind of value it takes."""
        return _notation(self.kind)

    @property
    def choice(self) -> str:
        """Its range or its words; "" where every value of the kind will do."""
        limit = LIMITS.get(self.dotted.replace(ACCOUNT_TABLE, "accounts.*"))
        if limit is not None:
            return limit.allowed
        words = isinstance(self.kind, type) and issubclass(self.kind, StrEnum)
        return self.notation if words else ""


def tables() -> Iterator[tuple[str, str, tuple[Key, ...]]]:
    """Every table with what it is for and its keys; the keys outside of any table come first."""
    yield "", "", tuple(_top_keys())
    found = {name: struct_of(kind) for name, kind in get_type_hints(Settings).items()}
    for name, kind in found.items():
        if kind is not None:
            table = ACCOUNT_TABLE if kind is AccountSettings else name
            yield from _tables(table, kind)


def _tables(table: str, kind: type[msgspec.Struct]) -> Iterator[tuple[str, str, tuple[Key, ...]]]:
    """A table, and then the tables inside it."""
    yield table, SECTION_HELP.get(table, ""), tuple(_keys(table, kind))
    hints = get_type_hints(kind)
    for item in msgspec.structs.fields(kind):
        inner = struct_of(hints[item.name])
        if inner is not None:
            yield from _tables(f"{table}.{item.encode_name}", inner)


def effective(settings: Settings) -> dict[str, Any]:
    """The whole configuration with its defaults, in the file's own notation. No secret is in it."""
    shown = _plain(settings, Settings)
    shown["accounts"] = {
        account.name: {k: v for k, v in _plain(account, AccountSettings).items() if k != "name"}
        for account in settings.accounts
    }
    return dict(shown)


def as_toml(table: dict[str, Any], path: str = "") -> str:
    """What `effective` gives, as the file would have it."""
    lines = []
    values = {k: v for k, v in table.items() if not _is_table(path, k, v)}
    if values and path:
        lines.append(f"[{path}]")
    lines += [f"{name} = {toml(value)}" for name, value in values.items()]
    parts = ["\n".join(lines)] if lines else []
    parts += [
        as_toml(inner, f"{path}.{_bare(name)}" if path else _bare(name))
        for name, inner in table.items()
        if _is_table(path, name, inner)
    ]
    return "\n\n".join(part for part in parts if part)


def toml(value: Any) -> str:
    """A plain value as TOML."""
    if isinstance(value, dict):
        inner = ", ".join(f"{_bare(name)} = {toml(item)}" for name, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(toml(item) for item in value)}]"
    return msgspec.json.encode(value).decode()


def duration_text(length: timedelta) -> str:
    """As the file writes it: `1h30m`, `500ms`."""
    micros = length // timedelta(microseconds=1)
    whole, rest = divmod(micros, 1_000_000)
    parts = []
    for unit, seconds in _UNITS:
        count, whole = divmod(whole, seconds)
        parts += [f"{count}{unit}"] if count else []
    if rest:
        parts.append(f"{Decimal(rest) / 1000:f}ms")
    return "".join(parts) or "0s"


def _is_table(path: str, name: str, value: Any) -> bool:
    """Small tables inside a table are written inline."""
    return isinstance(value, dict) and (not path or path == "accounts") and name != "options"


def _bare(name: str) -> str:
    plain = name.replace("-", "").replace("_", "").isalnum() and name.isascii()
    return name if plain else toml(name)


def _top_keys() -> Iterator[Key]:
    for name, kind in _TOP:
        default = toml(_DEFAULTS[name]) if name in _DEFAULTS else ""
        yield Key(table="", name=name, kind=kind, default=default, required=not default)


def _keys(table: str, kind: type[msgspec.Struct]) -> Iterator[Key]:
    hints = get_type_hints(kind)
    for item in msgspec.structs.fields(kind):
        if table == ACCOUNT_TABLE and item.name == "name":
            continue
        if struct_of(hints[item.name]) is not None:
            continue
        dotted = f"{table}.{item.encode_name}"
        default = _DEFAULTS.get(dotted, "")
        if not item.required and not default:
            value = (
                item.default if item.default is not msgspec.NODEFAULT else item.default_factory()
            )
            plain = as_written(value, hints[item.name])
            yield Key(
                table=table,
                name=item.encode_name,
                kind=hints[item.name],
                default="" if plain in (None, "") else toml(plain),
                required=False,
            )
            continue
        yield Key(
            table=table,
            name=item.encode_name,
            kind=hints[item.name],
            default=toml(default) if default else "",
            required=not default,
        )


def _plain(value: msgspec.Struct, kind: type[msgspec.Struct]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    found = {
        item.encode_name: as_written(getattr(value, item.name), hints[item.name])
        for item in msgspec.structs.fields(kind)
    }
    return {name: plain for name, plain in found.items() if plain is not None}


def as_written(value: Any, kind: Any) -> Any:
    """A setting in the file's notation; None where the file would leave it out."""
    if value is None or value == "":
        return "off" if {time, timedelta} & set(get_args(kind)) else None
    if isinstance(value, msgspec.Struct):
        return _plain(value, type(value))
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, Decimal):
        return f"{(value * 100).normalize():f}%"
    if isinstance(value, Secret):
        return "***"
    if isinstance(value, tuple):
        return [as_written(item, None) for item in value]
    if isinstance(value, dict):
        return {str(name): as_written(item, None) for name, item in value.items()}
    if isinstance(value, Path):
        return str(value)
    return value.value if isinstance(value, StrEnum) else value


def struct_of(kind: Any) -> type[msgspec.Struct] | None:
    """The settings type that a field's type is or has; None where it is no table."""
    inner = [kind, *get_args(kind)]
    return next(
        (one for one in inner if isinstance(one, type) and issubclass(one, msgspec.Struct)), None
    )


def _notation(kind: Any) -> str:
    if get_origin(kind) in (Union, types.UnionType):
        inner = next(arg for arg in get_args(kind) if arg is not types.NoneType)
        off = inner in (time, timedelta)
        return f'{_notation(inner)}, or "off"' if off else _notation(inner)
    if get_origin(kind) is tuple:
        return f"list of {_notation(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return "table of texts"
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return " or ".join(f'"{member.value}"' for member in kind)
    return _NOTATIONS.get(kind, "text")


_NOTATIONS: dict[Any, str] = {
    timedelta: "duration",
    time: "time of day",
    Decimal: "percentage",
    Secret: "secret",
    Path: "path",
    bool: "true or false",
    int: "whole number",
}
