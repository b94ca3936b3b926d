"""The control socket: a real system with a real ledger behind it, real clients before it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from actors.alerts import Alerts
from actors.ledger import LedgerActor
from actors.runtime import ChildSpec, Supervisor, System
from console.config.reader import load_config
from console.control import protocol as p
from console.control.client import CommandRefusedError, ControlClient, NoServiceError, call
from console.control.server import MAX_CLIENTS, Control
from console.control.socket_file import SocketTakenError, ensure_free, open_socket
from messages.ledger import AlertDraft, AlertLevel, AlertType
from messages.to_alerts import RaiseAlert
from messages.values import Side
from storage import open_ledger

CONFIG = (
    'mode = "observe"\n[accounts.a]\nexchange = "bybit"\nkey = "top-key"\nsecret = "top-secret"'
)


def now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def service(folder: Path) -> AsyncIterator[tuple[System, Path]]:
    """A system with a ledger, alerts and the control socket, and no account."""
    (folder / "sexton.toml").write_text(CONFIG, encoding="utf-8")
    settings = load_config(folder / "sexton.toml")
    path = folder / "control.sock"
    ledger = await open_ledger(settings.storage.url, now=now)
    system = System()
    children = (
        ChildSpec("ledger", partial(LedgerActor, ledger, {})),
        ChildSpec("alerts", partial(Alerts, settings)),
        ChildSpec("control", partial(Control, path, mode="observe", accounts=lambda: ("a",))),
    )
    await system.start(ChildSpec("sexton", partial(Supervisor, children)))
    try:
        yield system, path
    finally:
        await system.stop()
        await ledger.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  the condition is anybody's
            await asyncio.sleep(0.005)


def restarts(system: System, path: str) -> int:
    return next(node.restarts for node in system.tree() if node.path == path)


async def talk(path: Path, sent: bytes) -> bytes:
    """What a raw client that sends these bytes reads until the server hangs up or answers."""
    reader, writer = await asyncio.open_unix_connection(path, limit=p.MAX_REPLY_BYTES)
    writer.write(sent)
    await writer.drain()
    line = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    return line


def test_the_socket_is_only_its_owners_from_the_start_and_goes_with_the_service(
    tmp_path: Path,
) -> None:
    async def scenario() -> Path:
        async with service(tmp_path) as (_, path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            return path

    assert not asyncio.run(scenario()).exists()


def test_a_socket_is_made_private_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with open_socket(tmp_path / "s"):
            assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
    finally:
        assert os.umask(before) == 0


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    async def scenario() -> p.Service:
        async with service(tmp_path) as (_, found):
            assert found == path
            return await asyncio.to_thread(call, path, p.GetService())

    assert asyncio.run(scenario()).pid == os.getpid()


def test_a_live_service_keeps_its_socket(tmp_path: Path) -> None:
    path = tmp_path / "live.sock"
    listening = os.fork()
    if listening == 0:  # a process of its own, since our own listener counts as one being replaced
        with socket.socket(socket.AF_UNIX) as live:
            live.bind(str(path) + ".new")
            live.listen()
            Path(f"{path}.new").rename(path)
            live.accept()
        os._exit(0)
    try:
        asyncio.run(until(path.exists))
        with pytest.raises(SocketTakenError, match="already listens"):
            ensure_free(path)
    finally:
        os.waitpid(listening, 0)


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(SocketTakenError, match="is not a socket"):
        open_socket(path)
    assert path.read_text(encoding="utf-8") == "mine"


def test_who_calls_where_nobody_listens_is_told_how_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(NoServiceError, match=r"no service listens at .*: start it with"):
        call(tmp_path / "none.sock", p.GetTree())

    async def asynchronous() -> None:
        async with ControlClient(tmp_path / "none.sock"):
            pass

    with pytest.raises(NoServiceError, match="start it with"):
        asyncio.run(asynchronous())


def test_a_service_that_hangs_up_or_says_nothing_is_one_line_too(tmp_path: Path) -> None:
    async def scenario(answer: bytes) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(answer)
            writer.close()

        path = tmp_path / f"odd{len(answer)}.sock"
        server = await asyncio.start_unix_server(serve, path)
        async with server:
            await asyncio.to_thread(call, path, p.GetTree())

    with pytest.raises(NoServiceError, match="hung up"):
        asyncio.run(scenario(b""))
    with pytest.raises(NoServiceError, match="not this version"):
        asyncio.run(scenario(b'{"type":"elephant"}\n'))


def test_a_silent_service_is_given_up_in_time(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        with pytest.raises(NoServiceError, match=r"did not answer within 0\.05 s"):
            call(tmp_path / "s", p.GetTree(), timeout=0.05)


def test_tree_and_dump_show_every_actor_and_no_secret(tmp_path: Path) -> None:
    async def scenario() -> tuple[p.Nodes, p.Dumped, p.Dumped]:
        async with service(tmp_path) as (_, path), ControlClient(path) as client:
            nodes = await client.call(p.GetTree())
            return (
                nodes,
                await client.call(p.GetDump()),
                await client.call(p.GetDump(path="ledger")),
            )

    nodes, whole, one = asyncio.run(scenario())
    assert {"", "ledger", "alerts", "control"} <= {node.path for node in nodes.nodes}
    assert one.dump["path"] == "ledger"
    assert one.dump["state"]
    text = json.dumps(whole.dump)
    assert "LedgerActor" in text
    assert "top-key" not in text
    assert "top-secret" not in text


def test_a_row_that_is_added_is_listed(tmp_path: Path) -> None:
    opened = datetime(2026, 1, 2, 3, tzinfo=UTC)

    async def scenario() -> tuple[p.Rows, p.Rows, p.Rows]:
        async with service(tmp_path) as (_, path), ControlClient(path) as client:
            added = await client.call(
                p.AddRow(
                    account="a",
                    symbol="BTCUSDT",
                    side=Side.LONG,
                    quantity=Decimal("0.5"),
                    entry_price=Decimal("60000.10"),
                    opened_at=opened,
                )
            )
            return (
                added,
                await client.call(p.GetPositions()),
                await client.call(p.GetPositions(symbol="ETHUSDT")),
            )

    added, listed, others = asyncio.run(scenario())
    assert added.rows == listed.rows
    assert others.rows == ()
    row = added.rows[0]
    assert (row.symbol, row.side, row.quantity) == ("BTCUSDT", "long", Decimal("0.5"))
    assert (row.entry_price, row.opened_at) == (Decimal("60000.10"), opened)


def test_an_alert_is_acknowledged_by_its_number(tmp_path: Path) -> None:
    draft = AlertDraft(
        type=AlertType.ORPHANED_POSITION,
        level=AlertLevel.CRITICAL,
        dedup_key="k",
        title="An orphan",
        account="a",
    )

    async def scenario() -> tuple[str, p.Alerts]:
        async with service(tmp_path) as (system, path), ControlClient(path) as client:
            system.tell("alerts", RaiseAlert(draft=draft))
            async with asyncio.timeout(10):
                found = await client.call(p.GetAlerts())
                while not found.alerts:
                    found = await client.call(p.GetAlerts())
            done = await client.call(p.Acknowledge(alert_id=found.alerts[0].id, by="ann"))
            with pytest.raises(CommandRefusedError, match="no open alert has the number 999"):
                await client.call(p.Acknowledge(alert_id=999, by="ann"))
            return done.message, await client.call(p.GetAlerts())

    message, after = asyncio.run(scenario())
    assert "acknowledged: An orphan" in message
    assert after.alerts[0].acked_by == "ann"


def test_a_killed_actor_is_seen_restarted_and_a_restarted_one_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with service(tmp_path) as (system, path), ControlClient(path) as client:
            done = await client.call(p.Kill(path="alerts"))
            assert done.message.startswith("alerts is killed")
            await until(lambda: restarts(system, "alerts") == 1)
            done = await client.call(p.Restart(path="alerts"))
            assert done.message == "alerts is started afresh"
            nodes = {node.path: node for node in (await client.call(p.GetTree())).nodes}
            assert nodes["alerts"].status == "running"

    asyncio.run(scenario())


def test_the_control_actor_comes_back_after_it_was_killed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with service(tmp_path) as (system, path):
            await asyncio.to_thread(call, path, p.Kill(path="control"))
            await until(lambda: restarts(system, "control") == 1)
            await until(path.exists)
            answer = await asyncio.to_thread(call, path, p.GetService())
            assert answer.mode == "observe"
            assert stat.S_IMODE(path.stat().st_mode) == 0o600

    asyncio.run(scenario())


def test_a_listener_that_is_killed_is_opened_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with service(tmp_path) as (system, path):
            await asyncio.to_thread(call, path, p.Kill(path="control/listener"))
            await until(lambda: restarts(system, "control") == 1)
            await until(path.exists)
            assert (await asyncio.to_thread(call, path, p.GetService())).pid == os.getpid()

    asyncio.run(scenario())


def test_suspend_keeps_messages_waiting_until_resume(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with service(tmp_path) as (system, path), ControlClient(path) as client:
            await client.call(p.Suspend(path="alerts"))
            nodes = {node.path: node for node in (await client.call(p.GetTree())).nodes}
            assert nodes["alerts"].status == "suspended"
            await client.call(p.Resume(path="alerts"))
            nodes = {node.path: node for node in system.tree()}
            assert nodes["alerts"].status == "running"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("command", "code", "text"),
    [
        (p.GetDump(path="nowhere"), "no_such_path", "no actor at 'nowhere': see `tree`"),
        (p.Kill(path="accounts/x"), "no_such_path", "no actor at"),
        (p.Restart(path="sexton"), "no_such_path", "no supervisor"),
        (p.Scan(account="b"), "no_such_account", "no account 'b': there is a"),
        (p.Reconcile(account="b"), "no_such_account", "no account 'b'"),
        (p.Why(symbol="BTC", account="b"), "no_such_account", "no account 'b'"),
        (p.Hold(symbol="BTCUSDT", account="b"), "no_such_account", "no account 'b'"),
        (p.CloseNow(symbol="BTCUSDT"), "no_such_leg", "no active row of the ledger is BTCUSDT"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_code_and_a_reason(
    tmp_path: Path, command: p.Command[p.Reply], code: str, text: str
) -> None:
    async def scenario() -> None:
        async with service(tmp_path) as (_, path), ControlClient(path) as client:
            with pytest.raises(CommandRefusedError, match=text) as caught:
                await client.call(command)
            assert caught.value.code == code
            # A refusal is no reason to hang up.
            await client.call(p.GetService())

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "line",
    [
        b"hello\n",
        b"\n",
        b"[]\n",
        b"{}\n",
        b'{"type":"fire"}\n',
        b'{"type":"kill"}\n',
        b'{"type":"kill","path":7}\n',
        b'{"type":"get-tree","extra":1}\n',
        b'{"type":"acknowledge","alert_id":"x","by":"y"}\n',
        b"\xff\xfe\n",
    ],
)
def test_a_line_that_is_no_command_is_refused_by_naming_what_is_wrong(
    tmp_path: Path, line: bytes
) -> None:
    async def scenario() -> None:
        async with service(tmp_path) as (_, path):
            reply = p.decode_reply(await talk(path, line))
            assert isinstance(reply, p.Refused)
            assert reply.code == "bad_command"
            assert reply.message

    asyncio.run(scenario())


def test_a_line_without_an_end_is_cut_off_at_the_bound(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with service(tmp_path) as (_, path):
            reply = p.decode_reply(await talk(path, b"x" * (p.MAX_COMMAND_BYTES + 1)))
            assert isinstance(reply, p.Refused)
            assert reply.code == "too_long"
            assert (await asyncio.to_thread(call, path, p.GetService())).pid == os.getpid()

    asyncio.run(scenario())


def test_clients_beyond_the_bound_are_turned_away_and_places_come_free(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with service(tmp_path) as (_, path):
            clients = [ControlClient(path) for _ in range(MAX_CLIENTS)]
            for client in clients:
                await client.__aenter__()
                await client.call(p.GetService())
            with pytest.raises(CommandRefusedError, match="clients are connected"):
                await asyncio.to_thread(call, path, p.GetService())
            for client in clients:
                await client.__aexit__()
            async with asyncio.timeout(10):
                while True:
                    reply = p.decode_reply(await talk(path, p.encode_line(p.GetService())))
                    if isinstance(reply, p.Service):
                        break

    asyncio.run(scenario())
