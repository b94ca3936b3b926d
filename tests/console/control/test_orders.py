"""What operators order over the real socket, of a guard that acts on the simulated venue."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from actors import paths
from actors.runtime import ChildSpec, StartChild
from console.cli.exit_codes import CommandError, ExitCode
from console.cli.outcome import exit_code_of, wait_for_outcome
from console.control import protocol as p
from console.control.client import CommandRefusedError, ControlClient, call
from console.control.server import Control
from console.repl.functions import Functions
from messages.ledger import Command, CommandKind, CommandState, NewCommand
from messages.settings import VerdictSettings
from messages.values import LegKey, Side
from messages.venue import Identity
from messages.verdict import Present, Unexplained, Unknown
from simulator.faults import FaultKind
from tests.console.processes import command
from tests.scenarios.world import XRP, World, now, scenario, until, world
from venues.port import Venue

BYBIT = "bybit-main"
QUICK = VerdictSettings(
    confirm_after=timedelta(seconds=0.3),
    settle=timedelta(seconds=2),
    fresh=timedelta(seconds=0.1),
)


@asynccontextmanager
async def served(folder: Path, **changes: Any) -> AsyncIterator[tuple[World, Path]]:
    """A guard at work, and the socket at which it listens to operators."""
    async with world(folder, **changes) as guard:
        path = guard.settings.control.socket
        control = partial(Control, path, mode=guard.settings.mode.value, accounts=lambda: (BYBIT,))
        await guard.system.ask("", StartChild(spec=ChildSpec("control", control)))
        await until(path.exists, "the socket is open")
        yield guard, path


class Telling:
    """A gateway to a venue that says whose login it is."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._venue, name)

    async def identity(self) -> Identity:
        return Identity(id="uid 7")


def config(folder: Path, path: Path) -> Path:
    """What a one-shot command reads to find the socket."""
    file = folder / "sexton.toml"
    file.write_text(
        f'mode = "enforce"\n[control]\nsocket = "{path}"\n'
        f'[accounts.{BYBIT}]\nexchange = "bybit"\nkey = "k"\nsecret = "s"\n',
        encoding="utf-8",
    )
    return file


async def told(path: Path, order: p.CloseNow | p.Accept) -> p.Ordered:
    """Give an order over the socket and wait for its outcome, as the command line does."""

    def job() -> p.Ordered:
        return wait_for_outcome(path, call(path, order))

    return await asyncio.to_thread(job)


@scenario
async def test_a_close_is_waited_for_and_says_what_it_came_to(tmp_path: Path) -> None:
    async with served(tmp_path) as (guard, path):
        row = await guard.both(XRP, Side.LONG, "10", hours=1)
        done = await asyncio.to_thread(
            command,
            "close",
            "XRPUSDT",
            "--yes",
            "--reason",
            "before the news",
            config=config(tmp_path, path),
        )
        assert done.returncode == 0, done.stderr
        assert f"done: row {row.id} is closed (aged_close_market): exit " in done.stdout
        assert guard.held(XRP, Side.LONG) == 0
        (event,) = await guard.events("operator_close")
        assert event.details["why"] == "before the news"
        assert event.details["by"]


@scenario
async def test_json_has_the_command_with_its_state(tmp_path: Path) -> None:
    async with served(tmp_path) as (guard, path):
        row = await guard.both(XRP, Side.LONG, "10", hours=1)
        done = await asyncio.to_thread(
            command, "close", "XRPUSDT", "--yes", "--json", config=config(tmp_path, path)
        )
        found = json.loads(done.stdout)["command"]
        assert (found["kind"], found["state"], found["row_ids"]) == ("close", "done", [row.id])


@scenario
async def test_a_close_that_fails_has_an_exit_code_of_its_own(tmp_path: Path) -> None:
    async with served(tmp_path) as (guard, path):
        await guard.both(XRP, Side.LONG, "10", hours=1)
        guard.fault(FaultKind.ERROR_CODE, "order.create", code="110007", count=None)
        done = await asyncio.to_thread(
            command, "close", "XRPUSDT", "--yes", config=config(tmp_path, path)
        )
        assert done.returncode == ExitCode.NOT_DONE
        assert "failed: not closed: INSUFFICIENT_BALANCE" in done.stdout
        assert guard.held(XRP, Side.LONG) == 10


@scenario
async def test_the_repl_waits_too_and_raises_what_was_not_carried_out(tmp_path: Path) -> None:
    async with served(tmp_path) as (guard, path):
        await guard.both(XRP, Side.LONG, "10", hours=1)
        fault = guard.fault(FaultKind.ERROR_CODE, "order.create", code="110007", count=None)
        functions = Functions(path)
        with pytest.raises(CommandError, match="INSUFFICIENT_BALANCE") as refused:
            await asyncio.to_thread(partial(functions.close, "XRPUSDT", yes=True))
        assert refused.value.code is ExitCode.NOT_DONE
        guard.venue.faults.clear(fault)
        said = await asyncio.to_thread(partial(functions.close, "XRPUSDT", yes=True))
        assert "done: row " in said


@scenario
async def test_rows_that_were_not_seen_are_not_ordered_closed(tmp_path: Path) -> None:
    async with served(tmp_path) as (guard, path):
        row = await guard.both(XRP, Side.LONG, "10", hours=1)
        late = await guard.row(XRP, Side.LONG, "5", hours=0.5)
        order = p.CloseNow(symbol="XRPUSDT", row_ids=(row.id,))
        with pytest.raises(CommandRefusedError, match=f"row {late.id} by now"):
            await asyncio.to_thread(call, path, order)
        assert guard.orders() == []


@scenario
async def test_a_hold_takes_back_what_was_ordered_and_a_held_leg_takes_no_order(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as (guard, path), ControlClient(path) as client:
        await guard.both(XRP, Side.LONG, "10", hours=1)
        guard.fault(FaultKind.ERROR_CODE, "order.create", code="30208", count=None)
        given = await client.call(p.CloseNow(symbol="XRPUSDT"))
        held = await client.call(p.Hold(symbol="XRPUSDT", by="ann"))
        assert held.message.endswith("what was ordered for it is taken back")
        # At once, whatever the leg's own actor is in the middle of.
        found = await client.call(p.GetCommand(command_id=given.command.id))
        assert found.command.state is CommandState.WITHDRAWN
        assert "ann holds the leg" in found.message
        assert exit_code_of(found) is ExitCode.NOT_DONE
        with pytest.raises(CommandRefusedError, match="is held: `release` it first") as refused:
            await client.call(p.CloseNow(symbol="XRPUSDT"))
        assert refused.value.code == "held"
        await client.call(p.Release(symbol="XRPUSDT", by="ann"))
        guard.venue.faults.clear()
        await until(lambda: not guard.alive(paths.aged_leg(given.command.key)), "it has ended")
        assert guard.held(XRP, Side.LONG) == 10


@scenario
async def test_an_order_that_nobody_takes_up_expires_and_says_so(tmp_path: Path) -> None:
    async with served(tmp_path) as (guard, path), ControlClient(path) as client:
        row = await guard.both(XRP, Side.LONG, "10", hours=4)
        # Under water, so that it waits for its target.
        await guard.ledger.amend_position(BYBIT, row.id, entry_price=guard.price(XRP) * 2)
        await guard.scan("aged/scan")
        leg = "accounts/bybit-main/aged/XRPUSDT.long"
        await until(lambda: "holding" in guard.state(leg).get("status", ""), "it holds")
        guard.system.suspend(leg)
        given = await client.call(p.CloseNow(symbol="XRPUSDT"))
        assert given.command.state is CommandState.WAITING
        assert "close ordered, until " in given.message
        waiting = await client.call(p.GetCommand(command_id=given.command.id))
        assert exit_code_of(waiting) is ExitCode.PENDING
        guard.system.resume(leg)
        ended = await asyncio.to_thread(wait_for_outcome, path, waiting)
        assert ended.command.state is CommandState.DONE
        with pytest.raises(CommandRefusedError, match="no command has the number 99"):
            await client.call(p.GetCommand(command_id=99))


@scenario
async def test_what_no_actor_ends_is_ended_where_it_is_asked_for(tmp_path: Path) -> None:
    async with served(tmp_path) as (guard, path), ControlClient(path) as client:
        row = await guard.both(XRP, Side.LONG, "10", hours=1)
        forgotten = NewCommand(
            kind=CommandKind.CLOSE,
            key=LegKey(BYBIT, XRP, Side.LONG),
            row_ids=(row.id,),
            expires_at=now() - timedelta(minutes=1),
            by="ann",
        )
        given = await guard.ledger.store_command(forgotten)
        found = await client.call(p.GetCommand(command_id=given.id, wait=30.0))
        assert found.command.state is CommandState.EXPIRED
        assert "nobody took it up in its time" in found.message
        (event,) = await guard.events("command_ended")
        assert event.details["by"] == "control"


@scenario
async def test_a_close_that_is_not_waited_for_is_only_given(tmp_path: Path) -> None:
    async with served(tmp_path) as (guard, path):
        row = await guard.both(XRP, Side.LONG, "10", hours=1)
        done = await asyncio.to_thread(
            command, "close", "XRPUSDT", "--yes", "--no-wait", config=config(tmp_path, path)
        )
        assert done.returncode == 0, done.stderr
        assert "close ordered, until " in done.stdout
        # It is carried out all the same.
        await guard.closed(row)


def test_a_service_that_stays_away_leaves_the_outcome_open(tmp_path: Path) -> None:
    given = Command(
        id=1,
        kind=CommandKind.CLOSE,
        key=LegKey(BYBIT, XRP, Side.LONG),
        row_ids=(1,),
        expires_at=now() + timedelta(minutes=1),
        given_at=now(),
    )
    with pytest.raises(CommandError, match="close ordered; its outcome is not known") as gone:
        wait_for_outcome(
            tmp_path / "none.sock", p.Ordered(command=given, message="close ordered"), away=0.0
        )
    assert gone.value.code is ExitCode.PENDING


@scenario
async def test_accept_over_the_socket_closes_what_nothing_explains(tmp_path: Path) -> None:
    async with served(tmp_path, verdict=QUICK) as (guard, path):
        row = await guard.row(XRP, Side.LONG, "10", hours=1)
        early = await told(path, p.Accept(symbol="XRPUSDT", by="ann"))
        assert early.command.state is CommandState.FAILED
        assert "not accepted: whether it is gone is not known yet" in early.message

        async def gone() -> bool:
            await guard.scan("reconciliation")
            return bool(guard.state("accounts/bybit-main/reconciliation")["unexplained"])

        await until(gone, "it is unexplained")
        done = await asyncio.to_thread(
            command, "accept", "XRPUSDT", "--yes", config=config(tmp_path, path)
        )
        assert done.returncode == 0, done.stderr
        assert f"row {row.id} is closed (accepted: " in done.stdout
        assert "exit price and PnL are unknown" in done.stdout
        shown = await asyncio.to_thread(command, "why", "XRPUSDT", config=config(tmp_path, path))
        assert "unknown" in shown.stdout
        assert "exit_price=unknown" in shown.stdout
        as_json = await asyncio.to_thread(
            command, "why", "XRPUSDT", "--json", config=config(tmp_path, path)
        )
        (told_row,) = json.loads(as_json.stdout)["rows"]
        assert told_row["exit_source"] == "unknown"
        assert told_row["exit_price"] is not None


@pytest.mark.parametrize(
    ("prepare", "verdict", "said"),
    [
        ("both", Present, "present: 10"),
        ("row", Unexplained, "gone, and nothing says how"),
    ],
)
@scenario
async def test_why_shows_what_was_seen_asked_and_answered(
    tmp_path: Path, prepare: str, verdict: type[object], said: str
) -> None:
    async with served(tmp_path, verdict=QUICK) as (guard, path):
        make: Callable[..., Any] = getattr(guard, prepare)
        row = await make(XRP, Side.LONG, "10", hours=1)
        await guard.scan("reconciliation")

        async def judged() -> bool:
            story = await asyncio.to_thread(call, path, p.Why(symbol="xrp-usdt-swap"))
            (leg,) = story.legs
            assert leg.row_ids == (row.id,)
            assert isinstance(leg.verdict, verdict | Unknown), leg
            return isinstance(leg.verdict, verdict)

        await until(judged, "the verdict")
        done = await asyncio.to_thread(command, "why", "XRPUSDT", config=config(tmp_path, path))
        assert said in done.stdout
        if verdict is Unexplained:
            assert "never: no complete read has shown it" in done.stdout
            assert "complete reads without it" in done.stdout
            assert "asked by name" in done.stdout
            assert "0 closed and 0 opened, 10 needed; they do not explain it" in done.stdout
            assert "accept XRP/USDT:USDT" in done.stdout
        else:
            assert ", 10 at " in done.stdout


@scenario
async def test_a_login_that_is_meant_to_be_another_is_adopted_by_an_operators_word(
    tmp_path: Path,
) -> None:
    def exchange(guard: World) -> dict[str, Any]:
        return guard.state("accounts/bybit-main/exchange")

    async with (
        served(tmp_path, wrap=Telling) as (guard, path),
        ControlClient(path) as client,
    ):
        # The account was another login's, as the ledger has it; asked anew, that is noticed.
        await guard.ledger.store_identity(BYBIT, "bybit", "somebody else", replace=True)
        guard.system.kill("accounts/bybit-main/exchange")
        await until(lambda: bool(exchange(guard).get("wrong_identity")), "it is noticed")
        await guard.both(XRP, Side.LONG, "10", hours=1)
        refused = await told(path, p.CloseNow(symbol="XRPUSDT"))
        assert refused.command.state is CommandState.FAILED
        assert "it was somebody else" in refused.message
        (leg,) = (await client.call(p.Why(symbol="XRPUSDT"))).legs
        assert "it was somebody else" in leg.suspect
        with pytest.raises(CommandRefusedError, match="no account 'x'"):
            await client.call(p.AdoptIdentity(account="x"))
        done = await client.call(p.AdoptIdentity(account=BYBIT, by="ann", reason="new key"))
        assert "this account's from now on" in done.message
        (event,) = await guard.events("identity_adopted")
        assert (event.details["by"], event.details["why"]) == ("ann", "new key")
        closed = await told(path, p.CloseNow(symbol="XRPUSDT"))
        assert closed.command.state is CommandState.DONE, closed.message

        async def over() -> bool:
            return all(a.resolved_at for a in await guard.alerts("account_suspect"))

        await until(over, "the alert is over")
