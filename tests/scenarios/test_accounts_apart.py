"""An account's trouble is its own: wrong keys, a venue that is down, a venue that answers HTML."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from actors.reconciliation import Reconcile
from messages.values import Side
from simulator.faults import FaultKind
from tests.scenarios.world import XRP, World, scenario, until, world

BOTH = ("bybit-main", "binance-main")


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (FaultKind.HTML, {}),
        (FaultKind.STATUS, {"status": 503}),
        (FaultKind.DROP_BEFORE, {}),
        (FaultKind.EMPTY_BODY, {}),
        (FaultKind.ERROR_CODE, {"code": "10003"}),
    ],
)
@scenario
async def test_one_accounts_trouble_leaves_the_other_untouched(
    tmp_path: Path, kind: FaultKind, more: dict[str, object]
) -> None:
    async with world(tmp_path, accounts=BOTH) as guard:
        ill = await guard.both(XRP, Side.LONG, "10", account="bybit-main")
        well = await guard.both(XRP, Side.LONG, "10", account="binance-main")
        guard.fault(kind, "*", account="bybit-main", count=None, **more)
        guard.by_hand("bybit-main", XRP, Side.LONG)
        guard.system.tell("accounts/bybit-main/reconciliation", Reconcile())
        await guard.scan("aged/scan", "binance-main")
        closed = await guard.closed(well)
        assert closed.exit_source == "fill"
        assert await guard.same(ill)
        assert guard.held(XRP, Side.LONG, "binance-main") == 0
        report = await guard.scan("reconciliation", "binance-main")
        assert report.problem == ""


@scenario
async def test_an_actor_that_is_killed_comes_back_and_goes_on(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        for path in ("accounts/bybit-main/exchange", "accounts/bybit-main/orphans", "ledger"):
            before = restarts(guard, path)
            guard.system.kill(path)
            await until(functools.partial(is_back, guard, path, before), f"{path} is back")
        await guard.ready()
        row = await guard.both(XRP, Side.LONG, "10")
        await guard.scan("aged/scan")
        assert (await guard.closed(row)).exit_source == "fill"


@scenario
async def test_when_the_accounts_supervisor_dies_every_account_is_guarded_again(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, accounts=BOTH) as guard:
        before = restarts(guard, "accounts")
        guard.system.kill("accounts")
        await until(functools.partial(is_back, guard, "accounts", before), "accounts is back")
        await guard.ready(*BOTH)
        row = await guard.both(XRP, Side.LONG, "10")
        await guard.scan("aged/scan")
        assert (await guard.closed(row)).exit_source == "fill"


def restarts(guard: World, path: str) -> int:
    return next(node.restarts for node in guard.system.tree() if node.path == path)


def is_back(guard: World, path: str, before: int) -> bool:
    return any(
        node.path == path and node.restarts == before + 1 and node.status == "running"
        for node in guard.system.tree()
    )
