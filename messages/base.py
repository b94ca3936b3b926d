"""The base of every message that asks for a reply."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

# A request is nothing but a promise of its reply, so it may be asked where less is expected.
R = TypeVar("R", covariant=True)


class Request(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """A message that is answered with an `R`: `class FetchPositions(Request[Snapshot])`."""


class Done(msgspec.Struct, frozen=True):
    """Carried out; nothing more to say."""
