"""Damaged commands on the control socket: each line gets an answer, and the service lives on."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.runtime import System
from console.control import protocol as p
from messages.values import Side
from tests.console.control.test_control import restarts, service, talk
from tests.fuzz.damage import Damage, damaged, damages

COMMANDS = (
    p.GetService(),
    p.GetTree(),
    p.GetDump(),
    p.GetPositions(),
    p.GetEvents(),
    p.GetEvents(since=datetime(2026, 1, 1, tzinfo=UTC)),
    p.Reload(dry_run=True),
    p.GetAlerts(),
    p.GetFigures(),
    p.Why(symbol="BTC/USDT:USDT"),
    p.CloseNow(symbol="BTC/USDT:USDT", side=Side.LONG, account="a"),
    p.Accept(symbol="BTC/USDT:USDT", row_ids=(1, 2), reason="closed at the desk"),
    p.GetCommand(command_id=1),
    p.AdoptIdentity(account="a", by="me"),
    p.Hold(symbol="BTC/USDT:USDT"),
    p.Acknowledge(alert_id=1, by="me"),
)
quick = settings(
    max_examples=250, deadline=5000, suppress_health_check=list(HealthCheck), database=None
)


def test_every_damaged_command_is_answered_and_none_ends_the_service(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        system, path = runner.run(_served(stack, tmp_path))

        @quick
        @given(
            command=st.sampled_from(COMMANDS),
            changes=st.lists(damages, max_size=2),
            noise=st.one_of(st.just(b""), st.binary(max_size=60)),
            at=st.floats(0, 1),
        )
        def check(
            command: p.Command[p.Reply], changes: list[Damage], noise: bytes, at: float
        ) -> None:
            body = json.loads(p.encode_line(command))
            for change in changes:
                body, _ = damaged(body, change)
            line = json.dumps(body).encode()
            cut = int(at * len(line))
            line = line[:cut] + noise.replace(b"\n", b"") + line[cut:] + b"\n"
            answer = runner.run(talk(path, line))
            assert isinstance(p.decode_reply(answer), p.Reply)

        check()
        answer = runner.run(talk(path, p.encode_line(p.GetService())))
        assert isinstance(p.decode_reply(answer), p.Service)
        assert restarts(system, "control") == restarts(system, "ledger") == 0
        runner.run(stack.aclose())


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**200])
@pytest.mark.parametrize(
    ("command", "field"),
    [
        (p.Acknowledge(alert_id=1, by="me"), "alert_id"),
        (p.GetCommand(command_id=1), "command_id"),
        (p.GetEvents(), "limit"),
        (p.GetEvents(), "after_seq"),
        (p.GetAlerts(), "limit"),
    ],
)
def test_a_number_that_no_row_can_hold_is_refused_and_ends_nobody(
    tmp_path: Path, command: p.Command[p.Reply], field: str, number: int
) -> None:
    async def scenario() -> None:
        async with service(tmp_path) as (system, path):
            body = json.loads(p.encode_line(command)) | {field: number}
            answer = p.decode_reply(await talk(path, json.dumps(body).encode() + b"\n"))
            assert isinstance(answer, p.Refused), answer
            assert restarts(system, "control") == restarts(system, "ledger") == 0

    asyncio.run(scenario())


async def _served(stack: AsyncExitStack, folder: Path) -> tuple[System, Path]:
    return await stack.enter_async_context(service(folder))


@quick
@given(line=st.binary(max_size=200))
def test_no_reply_of_a_stranger_breaks_a_client(line: bytes) -> None:
    try:
        reply = p.decode_reply(line)
    except msgspec.DecodeError:
        return
    assert isinstance(reply, p.Reply)
