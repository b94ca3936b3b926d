"""What a helper of an actor may use of it: who it is, its clock, and its ways to other actors.

Helpers take a `Context` and not the actor, so that they cannot read its state (which is made for
dumps, and decides nothing) and can be tested without a tree.
"""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from actors.runtime import AskFailed
from messages.base import Request

if TYPE_CHECKING:
    from loguru import Logger

R = TypeVar("R")


class Context(Protocol):
    """The part of `Actor` that helpers use. Every actor is one."""

    @property
    def path(self) -> str:
        """The actor's address."""

    @property
    def log(self) -> Logger:
        """The logger that is bound to the actor's path."""

    def now(self) -> datetime:
        """The system's clock: aware, UTC."""

    def tell(self, path: str, message: object) -> None:
        """Send and forget."""

    def ask(
        self, path: str, request: Request[R], *, timeout: float = 30.0
    ) -> Coroutine[Any, Any, R]:
        """The reply, within `timeout` seconds. Raises `AskError`."""

    def attempt(
        self, path: str, request: Request[R], *, timeout: float = 30.0
    ) -> Coroutine[Any, Any, R | AskFailed]:
        """As `ask`, with the failure as a value."""
