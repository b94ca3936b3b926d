"""What differs between two configurations, key by key, and which of it can change at run time.

Pure: `console.config.reader` reads a file, and `console.service.reload` puts it in force.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_type_hints

import msgspec

from console.config.keys import as_written, toml
from messages.settings import AccountSettings, Settings

RESTART = "needs a restart of the service"
OTHER_EXCHANGE = (
    "another exchange is another account: give it a name of its own, or restart the service"
)
FIXED = ("mode", "data_dir", "storage", "control", "ledger")
"""What the whole service stands on. Mode among them: nothing begins to act, or ceases to, while
orders may be under way."""

VENUE_KEYS = frozenset(
    (
        "exchange",
        "key",
        "secret",
        "password",
        "connect",
        "ca_file",
        "settles",
        "request_timeout",
        "share",
        "options",
    )
)
"""The keys of an account that its connection is made with; the others are the actors' own."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One key that differs. Values are in the file's notation, secrets as ***; None: not there.

    `refused` says why it stays as it was, and the cure; it is empty where the change is taken.
    """

    key: str
    before: str | None = None
    after: str | None = None
    refused: str = ""

    def __str__(self) -> str:
        cause = f": {self.refused}" if self.refused else ""
        return f"{self.key}: {self._what}{cause}"

    @property
    def _what(self) -> str:
        if self.before is None:
            return f"added ({self.after})"
        if self.after is None:
            return f"removed (was {self.before})"
        if "***" in self.before:
            return "changed"
        return f"{self.before} -> {self.after}"


def fixed(old: Settings, new: Settings) -> dict[str, str]:
    """What can't change at run time, and why: sections by name, accounts as `accounts.NAME`."""
    exchanges = {account.name: account.exchange for account in old.accounts}
    moved = {
        account_section(account.name): OTHER_EXCHANGE
        for account in new.accounts
        if exchanges.get(account.name, account.exchange) != account.exchange
    }
    return dict.fromkeys(FIXED, RESTART) | moved


def changes(old: Settings, new: Settings, refused: Mapping[str, str]) -> tuple[Change, ...]:
    """Every key that differs, in the order of the settings' fields. `refused` is as `fixed` has it.

    What is refused is so as a whole: half of an account's new settings may be worse than none.
    """
    return tuple(
        msgspec.structs.replace(change, refused=refused.get(section, ""))
        for section, change in _changes(old, new)
    )


def kept(old: Settings, new: Settings, refused: Mapping[str, str]) -> Settings:
    """The new settings, but what is refused as it was; an account that was not there stays out."""
    before = {account_section(account.name): account for account in old.accounts}
    accounts = tuple(
        before.get(section, account) if section in refused else account
        for account in new.accounts
        if (section := account_section(account.name)) in before or section not in refused
    )
    names = msgspec.structs.fields(Settings)
    stay = {field.name: getattr(old, field.name) for field in names if field.name in refused}
    return msgspec.structs.replace(new, accounts=accounts, **stay)


def account_section(name: str) -> str:
    return f"accounts.{name}"


def needs_new_venue(old: AccountSettings, new: AccountSettings) -> bool:
    """Whether the account's connection was made with something that is different now."""
    return any(getattr(old, key) != getattr(new, key) for key in VENUE_KEYS)


def _changes(old: Settings, new: Settings) -> Iterator[tuple[str, Change]]:
    """Each change with its section. An account's name may have dots, so a key does not tell it."""
    for name, kind in get_type_hints(Settings).items():
        before, after = getattr(old, name), getattr(new, name)
        if name == "accounts":
            yield from _accounts(old, new)
        elif isinstance(before, msgspec.Struct) and isinstance(after, msgspec.Struct):
            yield from _fields(name, before, after)
        elif before != after:
            yield name, _change(name, before, after, kind)


def _accounts(old: Settings, new: Settings) -> Iterator[tuple[str, Change]]:
    before = {account_section(account.name): account for account in old.accounts}
    after = {account_section(account.name): account for account in new.accounts}
    for section in before | after:
        if section not in after:
            yield section, Change(key=section, before=before[section].exchange)
        elif section not in before:
            yield section, Change(key=section, after=after[section].exchange)
        else:
            yield from _fields(section, before[section], after[section])


def _fields(
    section: str, before: msgspec.Struct, after: msgspec.Struct
) -> Iterator[tuple[str, Change]]:
    hints = get_type_hints(type(before))
    for field in msgspec.structs.fields(before):
        one, other = getattr(before, field.name), getattr(after, field.name)
        if one != other:
            key = f"{section}.{field.encode_name}"
            yield section, _change(key, one, other, hints[field.name])


def _change(key: str, before: Any, after: Any, kind: Any) -> Change:
    return Change(key=key, before=_text(before, kind), after=_text(after, kind))


def _text(value: Any, kind: Any) -> str | None:
    plain = as_written(value, kind)
    return plain if plain is None or isinstance(plain, str) else toml(plain)
