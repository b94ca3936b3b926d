"""`doctor`, against the simulated exchanges over HTTPS: what it finds, and that it changes
nothing.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import random
import shutil
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ParamSpec

import pytest

from console.cli.exit_codes import ExitCode
from console.doctor.checks import Check, Level
from console.doctor.run import examine
from messages.values import Secret, Side
from simulator import Exchange, Market, SimulatedVenue
from simulator.faults import Fault, FaultKind
from storage import open_ledger
from storage.inspection import inspect_ledger
from tests.console.processes import command, write_config

P = ParamSpec("P")
BTC = "BTC/USDT:USDT"
EXCHANGES = (Exchange.BYBIT, Exchange.BINANCE)


def asynchronous(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


def now() -> datetime:
    return datetime.now(UTC)


class Patient:
    """A configuration of one account at a simulated venue, and what doctor says of it."""

    def __init__(self, folder: Path, venue: SimulatedVenue, exchange: Exchange) -> None:
        self.folder = folder
        self.venue = venue
        self.exchange = exchange
        self.announced: list[str] = []
        self.file = folder / "sexton.toml"

    def configure(self, *, key: str = "the-key", mode: str = "enforce", extra: str = "") -> None:
        self.file.write_text(
            f'mode = "{mode}"\n[accounts.main]\nexchange = "{self.exchange.value}"\n'
            f'key = "{key}"\nsecret = "the-secret"\nconnect = "{self.venue.connect}"\n'
            f'ca_file = "{self.venue.ca_file}"\n{extra}\n',
            encoding="utf-8",
        )
        self.file.chmod(0o600)

    async def checks(self) -> dict[str, Check]:
        found = [check async for check in examine(self.file, self.announced.append)]
        names = [check.name for check in found]
        assert len(set(names)) == len(names), names
        return {check.name: check for check in found}


@asynccontextmanager
async def patient(
    folder: Path, exchange: Exchange = Exchange.BYBIT, **account: Any
) -> AsyncIterator[Patient]:
    market = Market(now=now, rng=random.Random(1), volatility=0.0)
    market.add_account("main", exchange, key="the-key", secret="the-secret", **account)
    async with SimulatedVenue(market) as venue:
        one = Patient(folder, venue, exchange)
        one.configure()
        yield one


def levels(checks: dict[str, Check]) -> dict[str, Level]:
    return {name: check.level for name, check in checks.items()}


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_sound_setup_is_ok_in_every_line_and_nothing_is_changed(
    tmp_path: Path, exchange: Exchange
) -> None:
    @asynchronous
    async def examined() -> None:
        async with patient(tmp_path, exchange, hedged=True) as one:
            one.venue.market.open_position("main", BTC, Side.LONG, Decimal("0.1"))
            checks = await one.checks()
            assert set(levels(checks).values()) == {Level.OK}, checks
            told = "hedge mode" if exchange is Exchange.BINANCE else "mode told with each"
            assert checks["main mode"].said.startswith(told)
            assert checks["main positions"].said == "1 legs are open"
            assert all(check.cure == "" for check in checks.values())
            assert any("main" in what for what in one.announced)
            assert one.venue.requests.orders("main") == []
            assert os.listdir(tmp_path) == ["sexton.toml"]  # noqa: PTH208 - beside a loop

    examined()


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_wrong_key_is_a_failure_with_its_cure(tmp_path: Path, exchange: Exchange) -> None:
    @asynchronous
    async def examined() -> None:
        async with patient(tmp_path, exchange) as one:
            one.configure(key="another-key")
            check = (await one.checks())["main key"]
            assert check.level is Level.FAILURE
            assert "check key and secret" in check.cure
            assert "another-key" not in check.said

    examined()


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_key_that_may_withdraw_is_a_failure_unless_the_account_allows_it(
    tmp_path: Path, exchange: Exchange
) -> None:
    @asynchronous
    async def examined() -> None:
        async with patient(tmp_path, exchange, can_withdraw=True) as one:
            check = (await one.checks())["main rights"]
            assert check.level is Level.FAILURE
            assert "allow_withdraw = true in [accounts.main]" in check.cure
            one.configure(extra="allow_withdraw = true")
            assert (await one.checks())["main rights"].level is Level.WARNING

    examined()


@asynchronous
async def test_a_reading_key_is_a_failure_only_for_a_guard_that_acts(tmp_path: Path) -> None:
    async with patient(tmp_path, can_trade=False) as one:
        assert (await one.checks())["main rights"].level is Level.FAILURE
        one.configure(mode="observe")
        assert (await one.checks())["main rights"].level is Level.WARNING


@pytest.mark.parametrize(("seconds", "word"), [(10, "ahead of"), (-10, "behind")])
def test_a_clock_ten_seconds_off_is_a_failure_that_says_which_way(
    tmp_path: Path, seconds: int, word: str
) -> None:
    @asynchronous
    async def examined() -> None:
        async with patient(tmp_path) as one:
            one.venue.desk.skew = timedelta(seconds=seconds)
            check = (await one.checks())["main clock"]
            assert check.level is Level.FAILURE
            assert "the exchange is 10.0" in check.said or "9.9" in check.said
            assert word in check.said
            assert "synchronise" in check.cure

    examined()


@asynchronous
async def test_a_venue_that_is_down_is_one_failure_and_no_wait_for_the_rest(
    tmp_path: Path,
) -> None:
    async with patient(tmp_path) as one:
        with closing(socket.create_server(("127.0.0.1", 0))) as taken:
            port = taken.getsockname()[1]
        text = one.file.read_text(encoding="utf-8")
        one.file.write_text(text.replace(one.venue.connect, f"127.0.0.1:{port}"), encoding="utf-8")
        checks = await one.checks()
        assert checks["main connection"].level is Level.FAILURE
        assert "network" in checks["main connection"].cure
        assert [name for name in checks if name.startswith("main")] == ["main connection"]


@asynchronous
async def test_a_page_of_html_in_the_exchanges_place_is_a_failure(tmp_path: Path) -> None:
    async with patient(tmp_path) as one:
        one.venue.faults.order(Fault(kind=FaultKind.HTML, status=200, count=None))
        checks = await one.checks()
        assert checks["main connection"].level is Level.FAILURE
        assert "proxy" in checks["main connection"].cure


@asynchronous
async def test_stops_and_positions_that_cannot_be_read_are_failures(tmp_path: Path) -> None:
    async with patient(tmp_path) as one:
        for endpoint in ("order.open", "positions"):
            one.venue.faults.order(
                Fault(kind=FaultKind.STATUS, endpoint=endpoint, status=503, count=None)
            )
        checks = await one.checks()
        assert checks["main positions"].level is Level.FAILURE
        assert checks["main stops"].level is Level.FAILURE
        assert "stops can't be seen" in checks["main stops"].said


@asynchronous
async def test_a_configuration_with_mistakes_is_told_and_nothing_else_is_looked_at(
    tmp_path: Path,
) -> None:
    async with patient(tmp_path) as one:
        one.configure(mode="on")
        checks = await one.checks()
        assert list(checks) == ["config"]
        assert 'mode = "on"' in checks["config"].said
        assert one.announced == []


@asynchronous
async def test_secrets_in_a_file_that_others_may_read_are_a_warning(tmp_path: Path) -> None:
    async with patient(tmp_path) as one:
        one.file.chmod(0o644)
        check = (await one.checks())["config"]
        assert check.level is Level.WARNING
        assert "accounts.main.secret" in check.said
        assert f"chmod 600 {one.file}" in check.cure


@asynchronous
async def test_the_ledgers_schema_and_holder_are_told_and_left_alone(tmp_path: Path) -> None:
    async with patient(tmp_path) as one:
        (tmp_path / "var").mkdir()
        file = tmp_path / "var/sexton.db"
        url = Secret(f"sqlite:///{file}")
        ledger = await open_ledger(url, now=now)
        await ledger.acquire_lease("main", "other-host:1:ab", timedelta(minutes=5))
        checks = await one.checks()
        assert checks["ledger"].level is Level.OK
        assert checks["leases"].level is Level.WARNING
        assert "main is held by other-host:1:ab" in checks["leases"].said
        await ledger.close()
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        before = file.read_bytes()
        check = (await one.checks())["ledger"]
        assert check.level is Level.FAILURE
        assert "newer" in check.said
        assert file.read_bytes() == before
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = '0001'")
        assert (await one.checks())["ledger"].level is Level.WARNING
        assert (await inspect_ledger(url)).schema == "0001"


@asynchronous
async def test_a_file_that_is_no_database_is_a_failure(tmp_path: Path) -> None:
    async with patient(tmp_path) as one:
        (tmp_path / "var").mkdir()
        (tmp_path / "var/sexton.db").write_text("not a database at all, " * 50, encoding="utf-8")
        check = (await one.checks())["ledger"]
        assert check.level is Level.FAILURE
        assert check.cure


@asynchronous
async def test_a_socket_path_that_is_taken_by_a_file_is_a_failure(tmp_path: Path) -> None:
    async with patient(tmp_path) as one:
        (tmp_path / "var").mkdir()
        (tmp_path / "var/sexton.sock").touch()
        check = (await one.checks())["socket"]
        assert check.level is Level.FAILURE
        assert "set control.socket elsewhere" in check.cure


@asynchronous
async def test_a_folder_where_everybody_may_replace_the_socket_is_a_warning(
    tmp_path: Path,
) -> None:
    async with patient(tmp_path) as one:
        (tmp_path / "var").mkdir()
        (tmp_path / "var").chmod(0o777)
        assert (await one.checks())["socket"].level is Level.WARNING


@asynchronous
async def test_another_programs_ledger_that_is_missing_is_a_failure(tmp_path: Path) -> None:
    async with patient(tmp_path) as one:
        one.configure(
            extra='[ledger]\nsource = "freqtrade"\nurl = "sqlite:///none.sqlite"\naccount = "main"'
        )
        assert (await one.checks())["source"].level is Level.FAILURE
        assert not (tmp_path / "none.sqlite").exists()


def test_the_command_prints_json_and_its_exit_codes_are_stable(
    tmp_path: Path, venue: tuple[str, Path]
) -> None:
    connect, folder = venue
    shutil.copy(folder / "venue-ca.pem", tmp_path)
    file = write_config(tmp_path, connect)
    done = command("doctor", "--json", config=file)
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["ok"] is True
    names = {check["name"] for check in told["checks"]}
    assert {"config", "ledger", "disk", "bybit-main clock", "binance-main stops"} <= names
    file.write_text(file.read_text(encoding="utf-8").replace("demo-bybit-key", "no"), "utf-8")
    lines = command("doctor", config=file)
    assert lines.returncode == ExitCode.REFUSED
    assert "failure bybit-main key" in lines.stdout
    assert "check key and secret" in lines.stdout
    assert "demo-bybit-secret" not in lines.stdout + lines.stderr
    assert command("doctor", config=tmp_path / "none.toml").returncode == ExitCode.USAGE


def test_rounds_that_do_not_fit_into_the_share_are_told(tmp_path: Path) -> None:
    @asynchronous
    async def examined() -> None:
        async with patient(tmp_path, Exchange.BINANCE) as one:
            assert (await one.checks())["binanceusdm budget"].level is Level.OK
            one.configure(extra='share = "1%"\n[reconciliation]\nevery = "2s"')
            found = (await one.checks())["binanceusdm budget"]
            # A read of all positions weighs 5, thirty times a minute; 1 % of 2,400 is 24.
            assert found.level is Level.WARNING
            assert "cost about 15" in found.said
            assert "the 24 weight a minute" in found.said
            assert "share" in found.cure

    examined()
