"""The configuration file: TOML in, `messages.settings.Settings` out, checked whole beforehand.

The keys are the fields of the settings' types, so that a field added there is a key here. Every
mistake is collected, and says file, key, value and what is allowed. The notation of single values
is in `console.config.values`.

Relative paths, those of `sqlite:///` and `file:` too, start at the folder of the configuration
file, whatever the working directory of the service is.
"""

from __future__ import annotations

import difflib
import re
import tomllib
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from console.config import values
from console.config.keys import struct_of
from console.config.rules import (
    LIMITS,
    account_problem,
    cross_problems,
    socket_problem,
    source_problem,
)
from console.config.values import Refused
from messages.settings import (
    AccountSettings,
    AgedSettings,
    AlertSettings,
    ControlSettings,
    Mode,
    OrderSettings,
    OrphanSettings,
    ReconciliationSettings,
    Settings,
    SourceSettings,
    StorageSettings,
    VerdictSettings,
)
from messages.values import Secret

T = TypeVar("T", bound=msgspec.Struct)

_SECTIONS: dict[str, type[msgspec.Struct]] = {
    "aged": AgedSettings,
    "verdict": VerdictSettings,
    "orders": OrderSettings,
    "orphans": OrphanSettings,
    "reconciliation": ReconciliationSettings,
    "alerts": AlertSettings,
}
_TOP_KEYS = ("mode", "data_dir", "storage", "control", "accounts", "ledger", *_SECTIONS)
_ACCOUNT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class ConfigError(Exception):
    """The configuration can't be used. `mistakes` has one line each."""

    def __init__(self, mistakes: tuple[str, ...]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def load_config(file: Path, *, keys: bool = True) -> Settings:
    """Read and check the configuration.

    `keys=False` leaves the accounts' `env:` and `file:` secrets empty, for commands that talk to
    the service or the ledger only. Raises ConfigError with all mistakes at once.
    """
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError((f"{file}: can't be read: {error.strerror}",)) from None
    except UnicodeDecodeError:
        raise ConfigError((f"{file}: is not UTF-8 text",)) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError((f"{file}: is not TOML: {error}",)) from None
    return check_config(table, file, keys=keys)


def check_config(table: Mapping[str, Any], file: Path, *, keys: bool = True) -> Settings:
    """Check a configuration that was read from `file`. Raises ConfigError."""
    reader = _Reader(file=file, folder=file.absolute().parent, keys=keys)
    settings = reader.settings(table)
    if settings is None:
        raise ConfigError(tuple(reader.mistakes))
    return settings


@dataclass
class _Reader:
    """Collects mistakes while it builds the settings."""

    file: Path
    folder: Path
    keys: bool
    mistakes: list[str] = field(default_factory=list)

    def settings(self, table: Mapping[str, Any]) -> Settings | None:
        """The whole configuration, or None with its mistakes collected."""
        self.unknown_keys(table, _TOP_KEYS, "")
        mode = self.mode(table)
        data_dir = self.checked("data_dir", table.get("data_dir", "var"), Path)
        accounts = self.accounts(table)
        base = data_dir if isinstance(data_dir, Path) else self.folder
        storage = self.storage(table, base)
        control = self.control(table, base)
        ledger = self.ledger(table) if "ledger" in table else None
        sections: dict[str, Any] = {
            name: self.section(kind, self.table_at(table, name), name)
            for name, kind in _SECTIONS.items()
        }
        if self.mistakes or mode is None or storage is None or control is None:
            return None
        settings = Settings(
            mode=mode,
            data_dir=base,
            storage=storage,
            control=control,
            accounts=tuple(accounts),
            ledger=ledger,
            **sections,
        )
        for key, value, allowed in cross_problems(settings):
            self.mistake(key, value, allowed)
        return None if self.mistakes else settings

    def mode(self, table: Mapping[str, Any]) -> Mode | None:
        if "mode" not in table:
            self.mistakes.append(f'{self.file}: mode is missing: allowed: "observe" or "enforce"')
            return None
        mode = self.checked("mode", table["mode"], Mode)
        return mode if isinstance(mode, Mode) else None

    def storage(self, table: Mapping[str, Any], base: Path) -> StorageSettings | None:
        given = self.table_at(table, "storage")
        # Written with four slashes when absolute, as SQLAlchemy reads it.
        given = {"url": f"sqlite:///{base / 'sexton.db'}", **given}
        # Every command needs the ledger's address, those without keys too.
        address = values.secret(given["url"], self.folder, resolve=True)
        if isinstance(address, Secret):
            given["url"] = address.reveal()
        storage = self.section(StorageSettings, given, "storage")
        if storage is None:
            return None
        url = values.database_url(storage.url, self.folder)
        if isinstance(url, Refused):
            self.mistake("storage.url", storage.url, url.allowed)
            return None
        return msgspec.structs.replace(storage, url=url)

    def ledger(self, table: Mapping[str, Any]) -> SourceSettings | None:
        """Whose ledger is read instead of our own."""
        source = self.section(SourceSettings, self.table_at(table, "ledger"), "ledger")
        if source is None:
            return None
        source = msgspec.structs.replace(source, url=values.source_url(source.url, self.folder))
        if problem := source_problem(source):
            self.mistake(f"ledger.{problem[0]}", problem[1], problem[2])
        return source

    def control(self, table: Mapping[str, Any], base: Path) -> ControlSettings | None:
        given = {"socket": str(base / "sexton.sock"), **self.table_at(table, "control")}
        control = self.section(ControlSettings, given, "control")
        if control is not None and (allowed := socket_problem(control.socket)):
            self.mistake("control.socket", str(control.socket), allowed)
            return None
        return control

    def accounts(self, table: Mapping[str, Any]) -> list[AccountSettings]:
        """Every [accounts.NAME] that can be used; the mistakes of the others are collected."""
        given = self.table_at(table, "accounts")
        if not given:
            self.mistakes.append(
                f"{self.file}: no account to guard: write [accounts.NAME] with exchange, key and "
                "secret"
            )
        found = []
        for name, entries in given.items():
            where = f"accounts.{name}"
            if not _ACCOUNT_NAME.fullmatch(name):
                self.mistake(where, name, "a name of letters, digits, '.', '_' and '-'")
            if not isinstance(entries, dict):
                self.mistake(where, entries, "a table: write [accounts.NAME]")
                continue
            if "name" in entries:
                self.mistake(f"{where}.name", entries["name"], "no such key: the table names it")
                continue
            account = self.section(AccountSettings, {"name": name, **entries}, where)
            if account is None:
                continue
            if problem := account_problem(account):
                self.mistake(f"{where}.{problem[0]}", problem[1], problem[2])
            found.append(account)
        return found

    def table_at(self, table: Mapping[str, Any], name: str) -> dict[str, Any]:
        given = table.get(name, {})
        if not isinstance(given, dict):
            self.mistake(name, given, f"a table: write [{name}]")
            return {}
        return given

    def table_in(self, given: Mapping[str, Any], key: str) -> dict[str, Any]:
        """The table of a table that has this dotted key."""
        inner = given[_last(key)]
        if not isinstance(inner, dict):
            self.mistake(key, values.shown_secret(inner), f"a table: write [{key}]")
            return {}
        return inner

    def section(self, kind: type[T], given: Mapping[str, Any], where: str) -> T | None:
        """One table as its settings type; None where it has mistakes."""
        before = len(self.mistakes)
        hints = get_type_hints(kind)
        fields = msgspec.structs.fields(kind)
        self.unknown_keys(given, tuple(f.encode_name for f in fields), where)
        found: dict[str, Any] = {}
        for item in fields:
            key = f"{where}.{item.encode_name}"
            if (inner := struct_of(hints[item.name])) and item.encode_name in given:
                found[item.name] = self.section(inner, self.table_in(given, key), key)
            elif item.encode_name in given:
                found[item.name] = self.checked(key, given[item.encode_name], hints[item.name])
            elif item.required:
                self.mistakes.append(f"{self.file}: {key} is missing")
        return None if len(self.mistakes) > before else kind(**found)

    def unknown_keys(self, given: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
        for key in given:
            if key in known:
                continue
            close = difflib.get_close_matches(key, known, n=1)
            cure = f"did you mean {close[0]}?" if close else f"allowed: {', '.join(known)}"
            dotted = f"{where}.{key}" if where else key
            self.mistakes.append(f"{self.file}: {dotted}: unknown key; {cure}")

    def checked(self, key: str, value: object, kind: Any) -> Any:
        """A value in its type and within its limits; a mistake is collected and None returned."""
        converted = self.convert(value, kind)
        if not isinstance(converted, Refused):
            limit = LIMITS.get(key if not key.startswith("accounts.") else _any_account(key))
            if limit is None or converted is None or limit.holds(converted):
                return converted
            converted = Refused(limit.allowed)
        hidden = kind is Secret or Secret in get_args(kind)
        self.mistake(key, values.shown_secret(value) if hidden else value, converted.allowed)
        return None

    def convert(self, value: object, kind: Any) -> Any:
        """A TOML value as a field's type; Refused says what is allowed instead."""
        if get_origin(kind) in (Union, types.UnionType):
            inner = next(arg for arg in get_args(kind) if arg is not types.NoneType)
            if inner in (timedelta, time) and value == "off":
                return None
            result = self.convert(value, inner)
            if inner in (timedelta, time) and isinstance(result, Refused):
                return Refused(f'{result.allowed}, or "off"')
            return result
        if get_origin(kind) is tuple:
            return self.items(value, get_args(kind)[0])
        if get_origin(kind) is dict and get_args(kind) != (str, str):
            return self.table(value, *get_args(kind))
        if get_origin(kind) is dict:
            ok = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
            return value if ok else Refused("a table of texts")
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            allowed = " or ".join(f'"{member.value}"' for member in kind)
            known = {member.value: member for member in kind}
            return (
                known.get(value, Refused(allowed)) if isinstance(value, str) else Refused(allowed)
            )
        return self.single(value, kind)

    def table(self, value: object, key_kind: Any, kind: Any) -> Any:
        """A table whose keys and values are words of a fixed list."""
        if not isinstance(value, dict):
            return Refused("a table")
        pairs = [(self.convert(k, key_kind), self.convert(v, kind)) for k, v in value.items()]
        for pair in pairs:
            for part in pair:
                if isinstance(part, Refused):
                    return part
        return dict(pairs)

    def items(self, value: object, kind: Any) -> Any:
        if not isinstance(value, list):
            return Refused('a list such as ["BTC/USDT:USDT"]')
        converted = [self.convert(item, kind) for item in value]
        refused = next((item for item in converted if isinstance(item, Refused)), None)
        return Refused(f"a list of {refused.allowed}") if refused else tuple(converted)

    def single(self, value: object, kind: Any) -> Any:
        if kind is timedelta:
            return values.duration(value)
        if kind is time:
            return values.time_of_day(value)
        if kind is Decimal:
            return values.fraction(value)
        if kind is Secret:
            return values.secret(value, self.folder, resolve=self.keys)
        if kind is Path:
            return values.path(value, self.folder)
        if kind is bool:
            return value if isinstance(value, bool) else Refused("true or false")
        if kind is int:
            ok = isinstance(value, int) and not isinstance(value, bool)
            return value if ok else Refused("a whole number")
        return value if isinstance(value, str) and value else Refused("a text")

    def mistake(self, key: str, value: object, allowed: str) -> None:
        shown = f'"{value}"' if isinstance(value, str) else str(value)
        self.mistakes.append(f"{self.file}: {key} = {shown}: allowed: {allowed}")


def _any_account(key: str) -> str:
    """The limit of an account's key is the same for every account."""
    return f"accounts.*.{_last(key)}"


def _last(key: str) -> str:
    return key.rpartition(".")[2]
