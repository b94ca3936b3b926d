"""The keeper: holds this guard's leases, and runs the accounts that it holds one for.

Of all guards on one ledger, one at a time guards an account. The keeper takes what is free,
starts the account's actors, prolongs its lease well before it ends, and stops the actors of an
account that another guard has taken. What it does not hold it asks for again. It waits for nobody
that stops: the other accounts' leases would end meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import msgspec

from actors import paths
from actors.monitoring.unguarded import UnguardedRows
from actors.runtime import (
    Actor,
    AlreadyThere,
    AskFailed,
    ChildSpec,
    DeferredReply,
    Down,
    StartChild,
    Started,
    StopChild,
    Timer,
    WorkerCrashed,
    WorkerDone,
    handles,
)
from messages.base import Done, Request
from messages.ledger import HeldBy, Lease
from messages.to_ledger import AcquireLease, LeaseLost, ReleaseLease, RenewLease

RETRY = timedelta(seconds=0.05)
"""How soon to try again while the tree is still starting."""


START_TIMEOUT = 3.0
"""Seconds: far longer than a subtree takes to start, which does no I/O."""


class Tend(msgspec.Struct, frozen=True):
    """Sent to itself: take what is free, prolong what is held."""


class LookForUnguarded(msgspec.Struct, frozen=True):
    """Sent to itself: are there rows of accounts that no configuration has?"""


class Refill(msgspec.Struct, frozen=True):
    """Sent to itself: start the held accounts again under a new supervisor."""


class AccountsChanged(Request[Done], frozen=True, kw_only=True):
    """Others are to be guarded from now on; answered when the actors of `gone` have stopped."""

    gone: tuple[str, ...] = ()


class KeeperState(msgspec.Struct):
    """`held` accounts are guarded here, those that are `leaving` until their actors have stopped.

    `elsewhere` says who guards the others.
    """

    holder: str
    held: list[str] = []
    leaving: list[str] = []
    elsewhere: dict[str, str] = {}
    lost: int = 0


class Keeper(Actor[KeeperState]):
    """`accounts` gives the specs of the subtrees to have now, by the accounts' names.

    Rows of accounts that are not among them are told of after `unjudged_after`; None: never.
    """

    def __init__(
        self,
        holder: str,
        lease: timedelta,
        accounts: Callable[[], Mapping[str, ChildSpec]],
        unjudged_after: timedelta | None = None,
    ) -> None:
        super().__init__(KeeperState(holder=holder))
        self._lease = lease
        self._accounts_now = accounts
        self._accounts = accounts()
        self._running: set[str] = set()
        self._letting_go: dict[str, list[DeferredReply[Done]]] = {}
        self._lost: set[str] = set()
        self._next: Timer | None = None
        self._unguarded = None if unjudged_after is None else UnguardedRows(self, unjudged_after)

    def on_start(self) -> None:
        self.tell_self(Tend())
        self.tell_self(LookForUnguarded())

    async def on_stop(self) -> None:
        """The accounts have stopped by now: whoever waits for them may have them at once."""
        for account in sorted(self._running | set(self._letting_go)):
            await self.attempt(paths.LEDGER, ReleaseLease(account=account), timeout=5.0)

    @handles
    async def tend(self, message: Tend) -> None:
        await self._tend()

    async def _tend(self) -> None:
        """Look after every lease, and plan the next time: soon where the tree is not ready yet."""
        starting = False
        for account in self._letting_go:
            await self.attempt(
                paths.LEDGER, RenewLease(account=account, duration=self._lease), timeout=300.0
            )
        for account in self._accounts:
            if account in self._running:
                await self._prolong(account)
            elif not self._letting_go and account not in self._lost:
                # What is let go may be the same login under another name, and actors that are still
                # stopping must not write under a lease of their successors: one after the other.
                starting = not await self._take(account) or starting
        if self._next is not None:
            self._next.cancel()
        self._next = self.after(RETRY if starting else self._lease / 3, Tend())

    @handles
    async def look_for_unguarded(self, message: LookForUnguarded) -> None:
        if self._unguarded is None:
            return
        await self._unguarded.look(self._accounts.keys())
        self.after(self._unguarded.look_every, LookForUnguarded())

    @handles
    async def changed(self, message: AccountsChanged) -> Done | DeferredReply[Done]:
        self._accounts = self._accounts_now()
        gone = [name for name in message.gone if name not in self._accounts]
        answer: DeferredReply[Done] = self.later()
        for account in gone:
            self.log.info("{} is no longer guarded: stopping its actors", account)
            waiting = self._letting_go.setdefault(account, [])
            waiting.append(answer)
            if len(waiting) == 1:
                self._forget(account)
                self.work(self._stopped(account), account, name=f"stop {account}")
        self._show()
        if not gone:
            await self._tend()
        return answer if gone else Done()

    @handles
    async def stopped(self, message: WorkerDone) -> None:
        """The actors of an account have stopped; one that was let go is anybody's now.

        One that was lost is asked for again at the next round.
        """
        if not isinstance(message.tag, str):
            return
        self._lost.discard(message.tag)
        answers = self._letting_go.pop(message.tag, None)
        if answers is None:
            return
        await self.attempt(paths.LEDGER, ReleaseLease(account=message.tag), timeout=5.0)
        self._show()
        for answer in answers:
            if not any(answer in waiting for waiting in self._letting_go.values()):
                answer.set(Done())
        await self._tend()

    @handles
    def lost(self, message: LeaseLost) -> None:
        self._stop(message.account)

    async def _take(self, account: str) -> bool:
        """Try to take an account. False: the tree is not ready for it, try again soon."""
        answer = await self.attempt(
            paths.LEDGER,
            AcquireLease(account=account, holder=self.state.holder, duration=self._lease),
            timeout=300.0,
        )
        match answer:
            case HeldBy(holder=holder):
                if self.state.elsewhere.get(account) != holder:
                    self.log.warning(
                        "{} is guarded by {} until {:%H:%M:%S} UTC: waiting for it",
                        account,
                        holder,
                        answer.expires_at,
                    )
                self.state.elsewhere[account] = holder
                return True
            case Lease(token=token):
                if not await self._start(account):
                    return False
                self.watch(paths.ACCOUNTS)
                self.log.info("Guarding {} (lease {})", account, token)
                self.state.elsewhere.pop(account, None)
                self._running.add(account)
                self._show()
                return True
            case AskFailed():
                return False

    async def _prolong(self, account: str) -> None:
        answer = await self.attempt(
            paths.LEDGER, RenewLease(account=account, duration=self._lease), timeout=300.0
        )
        if answer is None:
            self._stop(account)
        elif isinstance(answer, Lease) and not self.system.knows(paths.account(account)):
            # The supervisor of the accounts forgets its children when it is restarted itself. One
            # that is busy with another account's stop is not waited for: leases would end.
            await self._start(account)

    async def _start(self, account: str) -> bool:
        """Have the account's actors running; they may be already."""
        # A supervisor that is stopping answers no more: the keeper must not wait for it.
        started = await self.attempt(
            paths.ACCOUNTS, StartChild(spec=self._accounts[account]), timeout=START_TIMEOUT
        )
        return isinstance(started, Started | AlreadyThere)

    @handles
    def accounts_ended(self, message: Down) -> None:
        """The accounts' supervisor is being restarted, and comes back empty."""
        if message.path != paths.ACCOUNTS:
            raise WorkerCrashed(f"{message.path} {message.reason}") from message.error
        self.after(RETRY, Refill())

    @handles
    async def refill(self, message: Refill) -> None:
        if all([await self._start(account) for account in sorted(self._running)]):
            self.watch(paths.ACCOUNTS)
        else:
            self.after(RETRY, Refill())

    def _stop(self, account: str) -> None:
        if account not in self._running:
            return
        self.log.error("The lease of {} was lost to another guard: stopping its actors", account)
        self.state.lost += 1
        self._forget(account)
        self._lost.add(account)
        self.work(self._stopped(account), account, name=f"stop {account}")

    async def _stopped(self, account: str) -> None:
        await self.attempt(paths.ACCOUNTS, StopChild(account), timeout=300.0)

    def _forget(self, account: str) -> None:
        self._running.discard(account)
        self._show()

    def _show(self) -> None:
        self.state.held = sorted(self._running)
        self.state.leaving = sorted(self._letting_go)
