"""An address and its mailbox: what outlives the incarnations of an actor."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from actors.runtime.checks import check_count, check_type
from actors.runtime.deferred import fail
from actors.runtime.ends import End
from actors.runtime.errors import AskError, MailboxFull, NoSuchActor
from actors.runtime.ports import Address, Entry, Host, Owner, Reply
from actors.runtime.specs import ChildSpec

if TYPE_CHECKING:
    from loguru import Logger


class Status(StrEnum):
    """What an address is doing. Waiting: for a back-off to end. Stopped: until it is started."""

    RUNNING = "running"
    SUSPENDED = "suspended"
    RESTARTING = "restarting"
    WAITING = "waiting"
    STOPPED = "stopped"


class Overflow(StrEnum):
    """What a full mailbox does: refuse the new message, or drop the oldest told one."""

    REFUSE = "refuse"
    DROP_OLDEST = "drop_oldest"


class Cell:
    """One address of the system. `limit` is zero while nothing is accepted."""

    __slots__ = (
        "_log",
        "asking",
        "attention",
        "bound",
        "children",
        "handled",
        "last_end",
        "last_message",
        "life",
        "limit",
        "mailbox",
        "name",
        "overflow",
        "parent",
        "path",
        "restarts",
        "spec",
        "status",
        "suspended",
        "system",
        "tracing",
        "waiter",
        "watchers",
        "worker_count",
    )

    def __init__(self, system: Host, path: str, spec: ChildSpec, parent: Address | None) -> None:
        self.system: Host = system
        self.path = path
        self.name = spec.name
        self.spec = spec
        self.parent: Address | None = parent
        self.children: dict[str, Cell] | None = None
        self.mailbox: deque[Entry] = deque()
        self.bound = 10_000
        self.limit = self.bound
        self.overflow = Overflow.REFUSE
        self.life: Owner | None = None
        self.last_end: End | None = None
        self.status = Status.RESTARTING
        self.suspended = False
        self.tracing = False
        # Whether the message loop has more to look at than its mailbox: one flag, as it is hot.
        self.attention = False
        self.restarts = 0
        self.handled = 0
        self.worker_count = 0
        self.last_message = ""
        self.waiter: asyncio.Future[None] | None = None
        self.watchers: dict[Owner, None] | None = None
        # Whom the running handler waits for, and the future it waits on.
        self.asking: tuple[Address, Reply] | None = None
        self._log: Logger | None = None

    @property
    def shown(self) -> str:
        """The path as people read it; the root has an empty one and shows its name."""
        return self.path or self.name

    @property
    def latest(self) -> str:
        """The type of the message that is being handled, or else of the last one that was."""
        life = self.life
        if life is not None and life.in_hand is not None:
            return type(life.in_hand[0]).__name__
        if life is not None and life.recent:
            return type(life.recent[-1]).__name__
        return self.last_message

    @property
    def log(self) -> Logger:
        """The actor's logger: bound to its path, and to its account where it has one."""
        if self._log is None:
            bound: dict[str, Any] = {"actor": self.shown}
            steps = self.path.split("/")
            if len(steps) > 1 and steps[0] == "accounts":
                bound["account"] = steps[1]
            self._log = self.system.logger.bind(**bound)
        return self._log

    def accept(self, message: object, reply: Reply | None = None) -> None:
        """Put a message from somebody else into the mailbox, or refuse it as the policy says."""
        mailbox = self.mailbox
        if len(mailbox) >= self.limit and not self._make_room():
            self._refuse(message, reply)
            return
        mailbox.append((message, reply, None))
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def accept_own(self, message: object, life: Owner | None) -> None:
        """Put in what the runtime or the actor itself sends: never refused for want of room."""
        if life is not None and (life is not self.life or life.end is not None):
            return
        self.mailbox.append((message, None, life))
        self.wake()

    def notice(self) -> None:
        """Have the message loop look at what was ordered: stop, suspend, resume, trace."""
        life = self.life
        ending = life is not None and (life.stopping is not None or life.killing is not None)
        self.attention = self.suspended or self.tracing or ending
        self.wake()

    def wake(self) -> None:
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def open(self, bound: int, overflow: Overflow) -> None:
        """Accept messages, up to a bound."""
        check_count(self.shown, "mailbox_bound", bound, 1)
        check_type(self.shown, "overflow", overflow, Overflow)
        self.bound = self.limit = bound
        self.overflow = overflow

    def shut(self, why: str) -> None:
        """Accept nothing more; what is still queued fails (asks) or is a dead letter (tells)."""
        self.limit = 0
        queued = list(self.mailbox)
        self.mailbox.clear()
        for message, reply, own in queued:
            if own is None:
                self.system.dead_letter(self.path, message, why)
                fail(reply, NoSuchActor(self.path, f"{self.shown} {why}"))

    def forget_own(self, life: Owner) -> None:
        """Drop what an incarnation that is gone had sent itself: its plans died with it."""
        if self.mailbox:
            kept = [entry for entry in self.mailbox if entry[2] is not life]
            self.mailbox.clear()
            self.mailbox.extend(kept)

    def _make_room(self) -> bool:
        if self.limit == 0 or self.overflow is not Overflow.DROP_OLDEST:
            return False
        for index, (message, reply, own) in enumerate(self.mailbox):
            if reply is None and own is None:
                del self.mailbox[index]
                self.system.dead_letter(self.path, message, "dropped as the oldest: mailbox full")
                return True
        return False

    def _refuse(self, message: object, reply: Reply | None) -> None:
        error: AskError
        if self.limit == 0:
            why = "has stopped"
            error = NoSuchActor(self.path, f"{self.shown} {why}")
        else:
            why = f"has a full mailbox ({self.limit} messages)"
            error = MailboxFull(self.path, f"{self.shown} {why}")
        self.system.dead_letter(self.path, message, why)
        fail(reply, error)
