"""What the guard's actors ask of the ledger actor reaches the database and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from actors.ledger import LedgerActor
from actors.runtime import ChildSpec, Supervisor, System
from messages.ledger import (
    BookedFill,
    CommandState,
    IdentityDiffers,
    IdentityStored,
    LedgerReplaced,
)
from messages.to_ledger import (
    AddPosition,
    CheckLedgerFile,
    CloseRows,
    FindBookedFills,
    FindClosedSince,
    FindCommands,
    FindIdentities,
    FindLastSeen,
    ForgetIdentity,
    GetLedgerId,
    SaveLastSeen,
    StoreCommand,
    StoreIdentity,
    UpdateCommand,
)
from storage import Ledger, open_ledger
from tests.storage.build import KEY, close, event, position
from tests.storage.conftest import START, Clock
from tests.storage.test_commands import ordered
from tests.storage.test_last_seen import seen

MAIN = KEY.account


@asynccontextmanager
async def actor(ledger: Ledger, clock: Clock) -> AsyncIterator[System]:
    system = System(now=clock)
    spec = ChildSpec("ledger", partial(LedgerActor, ledger, {}))
    await system.start(ChildSpec("sexton", partial(Supervisor, (spec,))))
    try:
        yield system
    finally:
        await system.stop()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


async def test_what_is_seen_booked_ordered_and_told_goes_through_the_actor(
    file: Path, clock: Clock
) -> None:
    async with (
        await open_ledger(f"sqlite:///{file}", now=clock) as ledger,
        actor(ledger, clock) as system,
    ):
        await system.ask("ledger", SaveLastSeen(account=MAIN, seen=(seen(),)))
        assert await system.ask("ledger", FindLastSeen(account=MAIN)) == (seen(),)

        row = await system.ask("ledger", AddPosition(new=position()))
        fills = (BookedFill(fill_id="f1", quantity=Decimal(1)),)
        told = event(symbol=KEY.symbol, side=KEY.side.value)
        closes = (close(row.id, fills=fills),)
        await system.ask("ledger", CloseRows(account=MAIN, closes=closes, event=told))
        (fill,) = await system.ask("ledger", FindBookedFills(key=KEY, since=START))
        assert (fill.fill_id, fill.row_id) == ("f1", row.id)
        (closed,) = await system.ask("ledger", FindClosedSince(account=MAIN, since=START))
        assert closed.id == row.id

        given = await system.ask("ledger", StoreCommand(command=ordered(), event=event("c")))
        assert await system.ask("ledger", FindCommands(key=KEY, open_only=True)) == (given,)
        clock.advance(seconds=1)
        done = UpdateCommand(command_id=given.id, state=CommandState.DONE, outcome="closed")
        ended = await system.ask("ledger", done)
        assert ended.ended_at == given.given_at + timedelta(seconds=1)

        me = StoreIdentity(account=MAIN, exchange="bybit", identity="1001")
        assert isinstance(await system.ask("ledger", me), IdentityStored)
        other = StoreIdentity(account=MAIN, exchange="bybit", identity="2002")
        assert isinstance(await system.ask("ledger", other), IdentityDiffers)
        (identity,) = await system.ask("ledger", FindIdentities())
        assert identity.identity == "1001"
        assert await system.ask("ledger", ForgetIdentity(account=MAIN))

        assert await system.ask("ledger", GetLedgerId()) == ledger.ledger_id
        assert await system.ask("ledger", CheckLedgerFile()) is None
        await asyncio.to_thread(file.unlink)
        assert isinstance(await system.ask("ledger", CheckLedgerFile()), LedgerReplaced)
