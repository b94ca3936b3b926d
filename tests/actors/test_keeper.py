"""The keeper over a real ledger: accounts come, go and are lost, and their leases with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec

from actors import paths
from actors.keeper import AccountsChanged, Keeper
from actors.ledger import LedgerActor
from actors.runtime import Actor, ChildSpec, Supervisor, System
from messages.ledger import HeldBy, Lease
from messages.to_ledger import LeaseLost
from messages.values import Secret
from storage import Ledger, open_ledger
from tests.console.service.reload_kit import until

LEASE = timedelta(seconds=1.5)


def now() -> datetime:
    return datetime.now(UTC)


class NoState(msgspec.Struct):
    pass


class Account(Actor[NoState]):
    """Stands for an account's actors: stops no sooner than it may."""

    def __init__(self, may_stop: asyncio.Event) -> None:
        super().__init__(NoState())
        self._may_stop = may_stop

    async def on_stop(self) -> None:
        await self._may_stop.wait()


@dataclass
class Kept:
    """A keeper of the accounts in `wanted`; `leases` are those that its ledger actor has."""

    system: System
    ledger: Ledger
    wanted: dict[str, asyncio.Event]
    leases: dict[str, Lease] = field(default_factory=dict)

    def account(self, name: str) -> bool:
        return paths.account(name) in self.system.cells

    @property
    def held(self) -> list[str]:
        state = self.system.dump(paths.KEEPER)["state"]
        assert isinstance(state, dict)
        return list(state["held"])

    async def rounds(self, name: str, number: int) -> None:
        """Wait until another account's lease was prolonged so often."""
        ends = {self.leases[name].expires_at}

        def prolonged() -> bool:
            ends.add(self.leases[name].expires_at)
            return len(ends) > number

        await until(prolonged, f"{number} rounds of the keeper")

    async def free(self, name: str) -> bool:
        """Whether another guard may have the account; it gives it back at once."""
        answer = await self.ledger.acquire_lease(name, "another", timedelta(seconds=1))
        if isinstance(answer, HeldBy):
            return False
        await self.ledger.release_lease(answer)
        return True


@asynccontextmanager
async def kept(folder: Path, *names: str) -> AsyncIterator[Kept]:
    wanted = {name: asyncio.Event() for name in names}

    def specs() -> dict[str, ChildSpec]:
        return {
            name: ChildSpec(name, partial(Account, may_stop), shutdown=60.0)
            for name, may_stop in wanted.items()
        }

    ledger = await open_ledger(Secret(f"sqlite:///{folder}/sexton.db"), now=now)
    system = System(now=now)
    found = Kept(system, ledger, wanted)
    children = (
        ChildSpec("ledger", partial(LedgerActor, ledger, found.leases)),
        ChildSpec("keeper", partial(Keeper, "one", LEASE, specs)),
        ChildSpec("accounts", partial(Supervisor, intensity=None), shutdown=None),
    )
    await system.start(ChildSpec("sexton", partial(Supervisor, children)))
    every = list(wanted.values())
    try:
        await until(lambda: found.held == sorted(names), "all accounts are held")
        yield found
    finally:
        for may_stop in (*every, *wanted.values()):
            may_stop.set()
        await system.stop()
        await ledger.close()


def test_an_account_that_is_let_go_keeps_its_lease_until_its_actors_have_stopped(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with kept(tmp_path, "a", "b") as keeper:
            may_stop = keeper.wanted.pop("a")
            keeper.wanted["c"] = asyncio.Event()
            gone = asyncio.create_task(
                keeper.system.ask(paths.KEEPER, AccountsChanged(gone=("a",)), timeout=60.0)
            )
            await until(lambda: keeper.held == ["b"], "it is no longer held")
            await keeper.rounds("b", 4)
            # Longer than a lease lasts: its actors may still write, and nobody else may have it.
            assert not await keeper.free("a")
            assert not gone.done()
            assert not keeper.account("c"), "a newcomer may be the same login under another name"
            may_stop.set()
            await gone
            assert not keeper.account("a")
            assert await keeper.free("a")
            await until(lambda: keeper.held == ["b", "c"], "the newcomer is taken up")

    asyncio.run(scenario())


def test_a_lost_account_is_not_asked_for_again_before_its_actors_have_stopped(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with kept(tmp_path, "a", "b") as keeper:
            lost = keeper.leases["a"]
            keeper.system.tell(paths.KEEPER, LeaseLost(account="a"))
            await until(lambda: keeper.held == ["b"], "it is no longer held")
            await keeper.rounds("b", 4)
            assert keeper.leases["a"] == lost
            keeper.wanted["a"].set()
            await until(lambda: keeper.held == ["a", "b"], "it is taken again")
            assert keeper.leases["a"].token > lost.token

    asyncio.run(scenario())


def test_a_keeper_that_is_killed_lets_its_successor_hold_what_it_held(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with kept(tmp_path, "a", "b") as keeper:
            lives = [keeper.system.cells[paths.account(name)].life for name in ("a", "b")]
            keeper.system.kill(paths.KEEPER)
            await until(lambda: keeper.system.cells[paths.KEEPER].restarts == 1, "a successor")
            await until(lambda: keeper.held == ["a", "b"], "it holds them again")
            assert [
                keeper.system.cells[paths.account(name)].life for name in ("a", "b")
            ] == lives, "their actors did not notice"

    asyncio.run(scenario())
