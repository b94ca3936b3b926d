"""Any value as plain JSON: bounded in size, the same for the same value, free of secrets."""

from __future__ import annotations

import copy
import dataclasses
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import islice
from pathlib import PurePath
from typing import Any

import msgspec

from actors.runtime.errors import in_words
from messages.values import Secret

MAX_DEPTH = 8
MAX_ITEMS = 1_000
MAX_TEXT = 10_000
FEW_ITEMS = 5
"""Of each collection in a summary: of a message that holds a whole read, say."""

HIDDEN = "***"

# Fields of these names never show a string, in case one was not wrapped in a Secret.
_SECRET_NAMES = ("secret", "password", "passphrase", "token", "api_key", "apikey", "private_key")


class Scrubber:
    """Replaces known secrets in text. It is told of them; a value it never saw it cannot find."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._known: list[str] = []
        self._most = MAX_ITEMS
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: Secret) -> None:
        """Know one more secret. Very short ones are left out: they would hide ordinary text."""
        text = secret.reveal()
        if len(text) >= 4 and text not in self._known:
            self._known.append(text)
            self._known.sort(key=len, reverse=True)

    def text(self, text: str) -> str:
        for known in self._known:
            if known in text:
                text = text.replace(known, HIDDEN)
        if len(text) > MAX_TEXT:
            return f"{text[:MAX_TEXT]}… ({len(text)} characters)"
        return text

    def plain(self, value: object, depth: int = MAX_DEPTH) -> Any:
        """The value as dicts, lists, strings, numbers, booleans and None.

        A value whose own code fails while it is looked at is named by its type.
        """
        try:
            return self._plain(value, depth)
        except Exception as error:  # noqa: BLE001  somebody else's properties and texts may raise anything
            return _unshown(value, error)

    def summary(self, value: object) -> Any:
        """As `plain`, with the first few items of each collection and the number of all."""
        brief = copy.copy(self)
        brief._most = FEW_ITEMS
        return brief.plain(value)

    def _plain(self, value: object, depth: int) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Secret):
            self.learn(value)
            return HIDDEN
        if isinstance(value, Enum):
            return self.plain(value.value, depth)
        if isinstance(value, int | float):
            return value if value == value and abs(value) < 2**63 else str(value)
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Decimal | PurePath):
            return self.text(str(value))
        if isinstance(value, datetime | date | time):
            return value.isoformat()
        if isinstance(value, timedelta):
            return value.total_seconds()
        if isinstance(value, bytes | bytearray | memoryview):
            return f"{len(value)} bytes"
        if isinstance(value, BaseException):
            return self.text(in_words(value))
        if depth == 0:
            return "…"
        return self._container(value, depth - 1)

    def _container(self, value: object, depth: int) -> Any:
        if isinstance(value, msgspec.Struct):
            names: Sequence[str] = value.__struct_fields__
            return self._fields(((name, _attribute(value, name)) for name in names), depth)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = dataclasses.fields(value)
            return self._fields(((f.name, _attribute(value, f.name)) for f in fields), depth)
        if isinstance(value, Mapping):
            return self._items(value, depth)
        if isinstance(value, set | frozenset):
            # Whatever the order of the set is: the same ones are shown each time.
            items = [self.plain(item, depth) for item in value]
            return self._cut(sorted(items, key=repr), len(items))
        if isinstance(value, list | tuple | deque):
            shown = [self.plain(item, depth) for item in islice(value, self._most)]
            return self._cut(shown, len(value))
        # A default repr holds an address, which differs from run to run.
        return f"<{type(value).__module__}.{type(value).__qualname__}>"

    def _fields(self, pairs: Iterable[tuple[str, object]], depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for name, value in pairs:
            hidden = isinstance(value, str) and name.lower().endswith(_SECRET_NAMES)
            result[self.text(name)] = HIDDEN if hidden else self.plain(value, depth)
        return result

    def _items(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        first = islice(value.items(), self._most)
        result = self._fields(((self._key(key), item) for key, item in first), depth)
        if len(value) > self._most:
            result["…"] = "more" if self._most == MAX_ITEMS else f"{len(value)} items"
        return result

    def _key(self, key: object) -> str:
        if isinstance(key, Secret):
            return HIDDEN
        if isinstance(key, str):
            return key
        try:
            return str(key)
        except Exception as error:  # noqa: BLE001  a key that has no text must not cost the whole dump
            return _unshown(key, error)

    def _cut(self, items: list[Any], total: int) -> list[Any]:
        return [*items[: self._most], f"… ({total} items)"] if total > self._most else items


def _attribute(value: object, name: str) -> object:
    try:
        return getattr(value, name, None)
    except Exception as error:  # noqa: BLE001  a property that fails must not cost its siblings
        return _unshown(value, error)


def _unshown(value: object, error: Exception) -> str:
    return f"<{type(value).__qualname__}: {type(error).__name__} while it was shown>"
