"""`run` and the commands that talk to it, as processes, on the simulated venue over TLS."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import stat
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from console.cli.app import app
from tests.console.processes import Process, as_json, command, until, write_config

pytestmark = pytest.mark.usefixtures("demo")
"""The demo takes its time: it runs while these tests do."""

NOT_HERE = {"run", "demo", "venue", "top"}
"""Commands that stay: each has its own tests."""

EXPECTED = {"ack": 1, "init": 1, "close": 6, "accept": 6, "doctor": 1}
"""No alert has the example's number, `init` writes over no file, and doctor asks whose key it is:
the rows here have no legs.

An observing guard carries nothing out.
"""


class Guard:
    """A running service on the simulated venue, observing."""

    def __init__(self, folder: Path, connect: str, ca_from: Path, **environment: str) -> None:
        self.folder = folder
        (folder / "venue-ca.pem").write_bytes((ca_from / "venue-ca.pem").read_bytes())
        self.config = write_config(folder, connect)
        self.process = Process(
            "run", "--config", str(self.config), cwd=folder, environment=environment
        )

    @property
    def socket(self) -> Path:
        return self.folder / "var/sexton.sock"

    def ready(self) -> None:
        self.process.wait_for("Sexton is ready: observe mode")


@pytest.fixture(scope="module")
def guard(venue: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    running = Guard(tmp_path_factory.mktemp("guard"), *venue)
    running.ready()
    running.process.wait_for("Connected to bybit")
    for symbol, price in (("BTCUSDT", "60000"), ("ETHUSDT", "3000")):
        added = command(
            "position", "add", "bybit-main", symbol, "long", "0.5", price, "--age", "5h",
            config=running.config,
        )  # fmt: skip
        assert added.returncode == 0, added.stderr
    yield running
    running.process.end()


def examples() -> list[str]:
    """The example that each command's help shows, in the order of the help."""
    found: list[str] = []
    groups = [typer.main.get_group(app)]
    while groups:
        for sub in groups.pop().commands.values():
            if isinstance(sub, TyperGroup):
                groups.append(sub)
            else:
                assert sub.epilog, f"{sub.name} has no example"
                found.append(sub.epilog)
    return found


def test_every_command_has_help_with_an_example_that_names_it() -> None:
    for example in examples():
        assert example.startswith("python supervisor.py "), example


def test_the_version_is_told_from_a_checkout() -> None:
    done = command("--version")
    assert (done.returncode, done.stdout) == (0, f"sexton {version('sexton')}\n")
    mistake = command("tree", "--nope")
    assert mistake.stderr.endswith("see python supervisor.py tree --help\n")


def test_every_documented_command_runs_against_the_service(guard: Guard) -> None:
    ran = 0
    for example in examples():
        arguments = shlex.split(example)[2:]
        if arguments[0] in NOT_HERE:
            continue
        done = command(*arguments, config=guard.config)
        assert done.returncode == EXPECTED.get(arguments[0], 0), (example, done.stderr)
        assert done.stdout or done.stderr, example
        ran += 1
    assert ran >= 19


def test_reading_commands_print_json_that_can_be_read(guard: Guard) -> None:
    assert {node["path"] for node in as_json("tree", config=guard.config)} >= {"ledger", "control"}
    assert as_json("dump", "ledger", config=guard.config)["class_name"] == "LedgerActor"
    assert set(as_json("stats", config=guard.config)["accounts"]) == {"bybit-main", "binance-main"}
    assert as_json("status", config=guard.config)["mode"] == "observe"
    assert as_json("why", "ETHUSDT", config=guard.config)["rows"][0]["symbol"] == "ETHUSDT"
    assert any(row["symbol"] == "ETHUSDT" for row in as_json("positions", config=guard.config))
    assert isinstance(as_json("events", config=guard.config), list)
    assert isinstance(as_json("alerts", config=guard.config), list)


def test_hold_and_release_are_on_the_row_and_in_the_trail(guard: Guard) -> None:
    assert "is held" in as_json("hold", "ETH/USDT:USDT", config=guard.config)["message"]
    rows = as_json("positions", "--symbol", "ETHUSDT", config=guard.config)
    assert rows[0]["held"] is True
    assert command("release", "ETHUSDT", config=guard.config).returncode == 0
    rows = as_json("positions", "--symbol", "ETHUSDT", config=guard.config)
    assert rows[0]["held"] is False
    kinds = [event["kind"] for event in as_json("events", config=guard.config)]
    assert kinds.index("operator_hold") < kinds.index("operator_release")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("dump", "nowhere"), 1, "no actor at 'nowhere': see `tree`"),
        (("kill", "nowhere"), 1, "no actor at"),
        (("kill", "sexton"), 1, "sexton is not killed: nobody would start the root again"),
        (("why", "NOSUCH"), 1, "nothing is on record about NOSUCH: see `positions --all`"),
        (("positions", "--account", "x"), 1, "no account 'x': there is bybit-main, binance-main"),
        (("events", "--account", "x"), 1, "no account 'x'"),
        (("alerts", "--account", "x"), 1, "no account 'x'"),
        (("close", "BTCUSDT"), 1, "nothing was closed: say yes, or add --yes"),
        (("accept", "BTCUSDT"), 1, "nothing was closed: say yes, or add --yes"),
        (("dump", "--out", "/dev/null/x"), 2, "/dev/null/x can't be written: Not a directory"),
        (("hold", "NOSUCH"), 1, "no active row of the ledger is NOSUCH"),
        (("scan", "--account", "x"), 1, "no account 'x': there is bybit-main, binance-main"),
        (("hold",), 2, "Missing argument 'SYMBOL'"),
        (("hold", "BTCUSDT", "--side", "up"), 2, "Invalid value for '--side'"),
        (("elephant",), 2, "No such command"),
        (("position", "add", "x", "BTCUSDT", "long", "1", "1"), 2, "no account 'x'"),
        (("position", "add", "bybit-main", "B", "long", "-1", "1"), 2, ""),
        (("position", "add", "bybit-main", "B", "long", "0", "1"), 2, "a number above zero"),
        (("position", "add", "bybit-main", "B", "long", "1", "1", "--age", "4"), 2, "a duration"),
        (
            ("position", "add", "bybit-main", "B", "long", "1", "1", "--opened-at", "noon"),
            2,
            "ISO 8601",
        ),
    ],
)
def test_a_mistake_on_the_command_line_has_its_exit_code_and_its_line(
    guard: Guard, arguments: tuple[str, ...], code: int, text: str
) -> None:
    done = command(*arguments, config=guard.config)
    assert done.returncode == code, done.stderr
    assert text in done.stderr
    # One line that says what, and where to look; a question before it is a line of its own.
    assert done.stderr.rstrip("\n").count("\n") == (1 if arguments[0] in ("close", "accept") else 0)
    if code == 2 and arguments[0] != "position":
        assert "--help" in done.stderr or "can't be written" in done.stderr


def test_symbols_are_found_in_whatever_spelling(guard: Guard) -> None:
    for spelling in ("ETHUSDT", "ETH/USDT:USDT", "eth-usdt-swap"):
        (row,) = as_json("positions", "--symbol", spelling, config=guard.config)
        assert row["symbol"] == "ETHUSDT"
    assert command("hold", "ETHUSDT", config=guard.config).returncode == 0
    for spelling in ("ETHUSDT", "ETH/USDT:USDT"):
        found = as_json("events", "--symbol", spelling, config=guard.config)
        assert {event["symbol"] for event in found} == {"ETH/USDT:USDT"}
        code = f"print(len(events(100, symbol={spelling!r})), len(positions(symbol={spelling!r})))"
        shown = command("repl", "-c", code, config=guard.config)
        assert shown.stdout == f"{len(found)} 1\n", shown.stderr
    assert command("release", "ETHUSDT", config=guard.config).returncode == 0


def test_a_second_service_is_refused_while_the_first_runs(guard: Guard) -> None:
    second = command("run", "--config", str(guard.config))
    assert second.returncode == 1
    assert "a service already listens at" in second.stderr
    assert as_json("status", config=guard.config)["mode"] == "observe"


def test_sigusr1_writes_a_dump_of_the_tree_without_secrets(guard: Guard) -> None:
    guard.process.signal(signal.SIGUSR1)
    file = Path(guard.process.wait_for(r"State dump written to (\S+)").group(1))
    text = file.read_text(encoding="utf-8")
    assert any(
        actor["path"] == "accounts/bybit-main/exchange" for actor in json.loads(text)["actors"]
    )
    assert "demo-bybit-secret" not in text
    assert "demo-binance-key" not in text


def test_sigterm_stops_the_service_in_order_and_systemd_is_told(
    venue: tuple[str, Path], tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)
        guard = Guard(
            tmp_path, *venue, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="60000000"
        )
        try:
            assert systemd.recv(500).startswith(b"READY=1\nSTATUS=guarding bybit-main")
            assert systemd.recv(500) == b"WATCHDOG=1"
            assert stat.S_IMODE(guard.socket.stat().st_mode) == 0o600
            guard.process.wait_for("Connected to bybit")
            guard.process.signal(signal.SIGTERM)
            guard.process.signal(signal.SIGTERM)
            assert guard.process.wait() == 0, guard.process.output
        finally:
            guard.process.end()
        told = systemd.recv(500)
        while told == b"WATCHDOG=1":
            told = systemd.recv(500)
        assert told == b"STOPPING=1"
    assert not guard.socket.exists()
    assert guard.process.output.rstrip().endswith("Stopped")
    log = (tmp_path / "var/log/sexton.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(log[-1])["message"] == "Stopped"
    assert not any("demo-bybit-secret" in line for line in log)


def test_the_ledger_is_read_without_the_service_and_the_rest_says_that_it_is_missing(
    tmp_path: Path,
) -> None:
    config = write_config(tmp_path, "127.0.0.1:1")
    missing = command("positions", config=config)
    assert missing.returncode == 4
    assert "there is no ledger at" in missing.stderr
    assert not (tmp_path / "var/sexton.db").exists()
    tree = command("tree", config=config)
    assert tree.returncode == 3
    assert "no service listens at" in tree.stderr
    assert tree.stderr.count("\n") == 1


def test_a_row_can_be_added_before_there_is_a_service(tmp_path: Path) -> None:
    config = write_config(tmp_path, "127.0.0.1:1")
    added = as_json(
        "position", "add", "bybit-main", "BTCUSDT", "short", "0.25", "61000.5",
        "--opened-at", "2026-01-02T03:04:05", config=config,
    )  # fmt: skip
    assert added["opened_at"].startswith("2026-01-02T03:04:05")
    assert as_json("positions", config=config) == [added]


def test_run_and_every_other_command_refuse_a_configuration_with_mistakes(tmp_path: Path) -> None:
    config = tmp_path / "sexton.toml"
    config.write_text('mode = "on"\n[aged]\nmax_age = 3\n', encoding="utf-8")
    for arguments in (("run",), ("tree",), ("positions",)):
        done = command(*arguments, "--config", str(config))
        assert done.returncode == 2
        assert f'{config}: mode = "on": allowed: "observe" or "enforce"' in done.stderr
        assert "aged.max_age = 3: allowed" in done.stderr
        assert "no account to guard" in done.stderr
    gone = command("run", "--config", str(tmp_path / "none.toml"))
    assert gone.returncode == 2
    assert "can't be read: No such file" in gone.stderr


def test_a_ledger_that_cannot_be_had_ends_run_with_its_own_code(tmp_path: Path) -> None:
    (tmp_path / "rubbish.db").write_bytes(b"this is no database, however long it may be" * 100)
    extra = f'[storage]\nurl = "sqlite:///{tmp_path}/rubbish.db"\n'
    config = write_config(tmp_path, "127.0.0.1:1", extra=extra)
    done = command("run", "--config", str(config))
    assert done.returncode == 4
    assert "The ledger can't be had" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_interrupted_demo_sums_up_what_it_found(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    process = Process("demo", "--for", "60", "--json", "--dir", str(folder))
    try:
        process.wait_for("Look in from another terminal")
        process.signal(signal.SIGINT)
        result = json.loads(process.stdout())
        assert process.wait() == 0
    finally:
        process.end()
    assert result["interrupted"] is True
    until(lambda: not (folder / "sexton.sock").exists(), "the demo's socket is gone")
