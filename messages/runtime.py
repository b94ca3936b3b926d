"""The base of every message that asks for a reply."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

R = TypeVar("R")


class Request(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """A message that is answered with an `R`: `class FetchPositions(Request[Snapshot])`."""
