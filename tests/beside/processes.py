"""The three processes that a script plays with: the venue, freqtrade, the guard.

Each writes what it says into a log file of its own in the play's folder.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import ccxt.async_support as ccxt

from console.control.client import NoServiceError, call
from console.control.protocol import (
    GetAlerts,
    GetEvents,
    GetPositions,
    GetService,
    Reconcile,
    Reload,
    Scan,
)
from messages.ledger import Alert, Event, PositionRow
from rules.ids import is_ours
from venues.transport import loopback_session

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
BOT = Path(__file__).parent / "bot"
KEYS = {
    "bybit": ("demo-bybit-key", "demo-bybit-secret"),
    "binance": ("demo-binance-key", "demo-binance-secret"),
}
CCXT = {"bybit": "bybit", "binance": "binanceusdm"}
"""Which exchange of ccxt the guard uses for one that freqtrade calls so."""
PAIRS = ("BTC", "ETH", "SOL", "XRP", "DOGE", "LINK")


class NotSeen(AssertionError):
    """What was waited for did not come."""


given_up = threading.Event()
"""Set where nothing is to be waited for any more."""


def until(look: Callable[[], T], what: str, seconds: float = 60.0) -> T:
    """Wait for something true, and give it back. Raises NotSeen."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline or given_up.is_set():
            raise NotSeen(f"waited {seconds:.0f} s for: {what}")
        time.sleep(0.2)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A program that can be started again after it was stopped."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = folder
        self.log = folder / f"{name}.log"
        self._running: subprocess.Popen[bytes] | None = None

    def command(self) -> tuple[list[str], dict[str, str]]:
        """What is run, and what its environment has besides this one's."""
        raise NotImplementedError

    def launch(self) -> None:
        command, more = self.command()
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(  # our own programs
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env=os.environ | more,
            )

    @property
    def alive(self) -> bool:
        return self._running is not None and self._running.poll() is None

    def send(self, number: signal.Signals) -> None:
        if self._running is not None and self.alive:
            self._running.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end, and insist after a while."""
        if self._running is None:
            return
        self.send(number)
        try:
            self._running.wait(30)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Venue(Process):
    """Both exchanges, with prices that only move when they are told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__("venue", folder)
        self.port = free_port()
        self.ca_file = folder / "ca.pem"

    @property
    def connect(self) -> str:
        return f"127.0.0.1:{self.port}"

    def command(self) -> tuple[list[str], dict[str, str]]:
        told = ["-m", "tests.beside.venue", str(self.port), str(self.ca_file)]
        return [sys.executable, *told], {"PYTHONPATH": str(ROOT)}

    def start(self) -> None:
        self.launch()
        until(lambda: self.ca_file.exists() and self.answers(), "the venue")

    def answers(self) -> bool:
        try:
            self.admin("GET", "state")
        except OSError:
            return False
        return True

    def admin(self, method: str, path: str, **body: Any) -> Any:
        """What an operator of the venue may ask or do (`docs/simulator.md`)."""
        request = urllib.request.Request(  # loopback only
            f"https://127.0.0.1:{self.port}/admin/{path}",
            method=method,
            data=json.dumps(body).encode() if body else None,
        )
        trust = ssl.create_default_context(cafile=str(self.ca_file))
        with urllib.request.urlopen(request, context=trust, timeout=20) as reply:
            return json.loads(reply.read())

    def legs(self, account: str) -> dict[str, tuple[str, float]]:
        """Open legs by symbol: side and base quantity."""
        rows = self.admin("GET", "positions")
        return {
            it["symbol"]: (it["side"], float(it["quantity"]))
            for it in rows
            if it["account"] == account
        }

    def orders(self, account: str) -> list[dict[str, Any]]:
        return [it for it in self.admin("GET", "orders") if it["account"] == account]

    def stops(self, account: str, symbol: str) -> list[dict[str, Any]]:
        """Orders that wait for a trigger to close a leg."""
        return [
            it
            for it in self.orders(account)
            if it["symbol"] == symbol and it["state"] == "untriggered" and it["reduce_only"]
        ]

    def guards_orders(self, account: str) -> list[dict[str, Any]]:
        """Orders whose client ids are of the guard's making."""
        return [it for it in self.orders(account) if is_ours(it["client_order_id"])]

    def leave_port(self) -> None:
        self.send(signal.SIGUSR1)
        until(lambda: not self.answers(), "the venue's absence")

    def return_to_port(self) -> None:
        self.send(signal.SIGUSR2)
        until(self.answers, "the venue's return")

    async def _cancel_stops(self, exchange: str, symbol: str) -> int:
        key, secret = KEYS[exchange]
        session = loopback_session(self.connect, self.ca_file)
        options = {"fetchMarkets": {"types": ["linear"]}, "fetchCurrencies": False}
        config = {"apiKey": key, "secret": secret, "session": session, "options": options}
        client = getattr(ccxt, CCXT[exchange])(config)
        client.has["fetchCurrencies"] = False
        try:
            await client.load_markets()
            orders = await client.fetch_open_orders(symbol, params={"trigger": True})
            for order in orders:
                await client.cancel_order(order["id"], symbol, {"trigger": True})
            return len(orders)
        finally:
            await client.close()
            await session.close()

    def cancel_stops(self, exchange: str, symbol: str) -> int:
        """Cancel a leg's stops as somebody at the exchange's own site would; how many."""
        return asyncio.run(self._cancel_stops(exchange, symbol))


class Freqtrade(Process):
    """freqtrade, live. What it does is told by `tell`, and by its own REST API."""

    def __init__(self, folder: Path, exchange: str, venue: Venue, program: Path) -> None:
        super().__init__("freqtrade", folder)
        self.exchange = exchange
        self.program = program
        self.venue = venue
        self.port = free_port()
        self.database = folder / "trades.sqlite"
        self._told: dict[str, Any] = {"enter": {}, "exit": [], "stop": {}}

    def command(self) -> tuple[list[str], dict[str, str]]:
        told = ["trade", "-c", "config.json", "--userdir", ".", "--strategy", "Told"]
        environment = {
            "BESIDE_PORT": str(self.venue.port),
            "BESIDE_CA": str(self.venue.ca_file),
            "PYTHONPATH": str(BOT),
        }
        return [str(self.program), *told, "--strategy-path", str(BOT)], environment

    def start(self) -> None:
        (self.folder / "config.json").write_text(json.dumps(self._config(), indent=1))
        self.tell()
        self.launch()
        until(lambda: self.state() == "running", "freqtrade", 600)

    def restart(self) -> None:
        """As an operator does it: paused first, so that its end breaks off nothing."""
        self.pause()
        self.stop()
        self.start()

    def pause(self) -> None:
        """Until its loop rests: the API says stopped while a round is still under way."""
        rested = "Changing state from RUNNING to: STOPPED"
        before = self.said().count(rested)
        self.ask("POST", "stop")
        until(lambda: self.said().count(rested) > before, "the bot's pause")

    def resume(self) -> None:
        self.ask("POST", "start")
        until(lambda: self.state() == "running", "the bot's going on")

    def tell(self, **changes: Any) -> None:
        """Change what the strategy reads: `enter`, `exit`, `stop`."""
        self._told |= changes
        draft = self.folder / "told.draft"
        draft.write_text(json.dumps(self._told))
        draft.replace(self.folder / "told.json")

    def enter(self, **sides: str) -> None:
        """Let it enter these bases, and no other from now on."""
        self.tell(enter={pair(base): side for base, side in sides.items()}, exit=[])

    def state(self) -> str:
        try:
            return str(self.ask("GET", "show_config")["state"])
        except OSError:
            return ""

    def ask(self, method: str, path: str, **body: Any) -> Any:
        word = b64encode(b"beside:beside").decode()
        request = urllib.request.Request(  # loopback only
            f"http://127.0.0.1:{self.port}/api/v1/{path}",
            method=method,
            data=json.dumps(body).encode() if body else None,
            headers={"Authorization": f"Basic {word}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.loads(reply.read())

    def trades(self) -> dict[str, dict[str, Any]]:
        """Open trades by pair."""
        return {it["pair"]: it for it in self.ask("GET", "status")}

    def holds(self, *bases: str) -> bool:
        """Whether these are open, filled, and have their stop at the venue."""
        trades = self.trades()
        account = f"{self.exchange}-main"
        return all(
            pair(base) in trades
            and trades[pair(base)]["amount"] > 0
            and not trades[pair(base)]["has_open_orders"]
            and self.venue.stops(account, pair(base))
            for base in bases
        )

    def flat(self, base: str) -> bool:
        return pair(base) not in self.trades()

    def force_exit(self, base: str) -> None:
        trade = self.trades()[pair(base)]
        self.ask("POST", "forceexit", tradeid=str(trade["trade_id"]), ordertype="market")

    def reload_trade(self, base: str) -> None:
        """What `/reload_trade ID` does: look at the exchange for what became of a trade."""
        trade = self.trades()[pair(base)]
        self.ask("POST", f"trades/{trade['trade_id']}/reload")

    def errors(self) -> list[str]:
        """What it logged as errors, and what it did not catch."""
        lines = self.said().splitlines()
        return [it.partition(" - ")[2] for it in lines if " - ERROR - " in it] or [
            it for it in lines if it.startswith("Traceback")
        ]

    def _config(self) -> dict[str, Any]:
        key, secret = KEYS[self.exchange]
        price = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
        return {
            "max_open_trades": len(PAIRS),
            "stake_currency": "USDT",
            "stake_amount": 300,
            "tradable_balance_ratio": 0.99,
            "dry_run": False,
            "trading_mode": "futures",
            "margin_mode": "isolated",
            "timeframe": "1m",
            "cancel_open_orders_on_exit": False,
            "unfilledtimeout": {"entry": 10, "exit": 10, "unit": "minutes"},
            "entry_pricing": price,
            "exit_pricing": price,
            "exchange": {
                "name": self.exchange,
                "key": key,
                "secret": secret,
                "pair_whitelist": [pair(base) for base in PAIRS],
                "pair_blacklist": [],
                "enable_ws": False,
            },
            "pairlists": [{"method": "StaticPairList"}],
            "api_server": {
                "enabled": True,
                "listen_ip_address": "127.0.0.1",
                "listen_port": self.port,
                "username": "beside",
                "password": "beside",
                "jwt_secret_key": "beside-beside-beside-beside-beside-beside",
                "ws_token": "beside-beside-beside",
                "verbosity": "error",
            },
            "bot_name": "beside",
            "initial_state": "running",
            "force_entry_enable": True,
            "internals": {"process_throttle_secs": 1},
            "db_url": f"sqlite:///{self.database}",
        }


class Guard(Process):
    """The guard as a user runs it, on freqtrade's database, with short intervals."""

    def __init__(self, folder: Path, mode: str, bot: Freqtrade) -> None:
        super().__init__("guard", folder)
        self.mode = mode
        self.bot = bot
        self.config = folder / "sexton.toml"
        self.socket = folder / "sexton.sock"

    def command(self) -> tuple[list[str], dict[str, str]]:
        program = [sys.executable, str(ROOT / "supervisor.py")]
        return [*program, "run", "--config", str(self.config)], {}

    def start(self) -> None:
        self.configure()
        self.launch()
        until(self._has_looked, "the guard's first rounds", 120)

    def _has_looked(self) -> bool:
        try:
            call(self.socket, GetService(), timeout=5)
            return self.look()
        except NoServiceError:
            return False

    def configure(self, **aged: str) -> None:
        """Write the configuration; `aged` are keys of that table."""
        key, secret = KEYS[self.bot.exchange]
        given = {"max_age": "12h", "scan_every": "3s", "check_every": "2s"} | aged
        lines = [
            f'mode = "{self.mode}"',
            f'data_dir = "{self.folder}"',
            f'storage.url = "sqlite:///{self.folder}/sexton.db"',
            f'control.socket = "{self.socket}"',
            f"[accounts.{self.account}]",
            f'exchange = "{CCXT[self.bot.exchange]}"',
            f'key = "{key}"',
            f'secret = "{secret}"',
            f'connect = "{self.bot.venue.connect}"',
            f'ca_file = "{self.bot.venue.ca_file}"',
            "[ledger]",
            'source = "freqtrade"',
            f'url = "sqlite:///{self.bot.database}"',
            f'account = "{self.account}"',
            "[ledger.api]",
            f'url = "http://127.0.0.1:{self.bot.port}"',
            'username = "beside"',
            'password = "beside"',
            "[orphans]",
            'every = "3s"',
            "[reconciliation]",
            'every = "3s"',
            "[verdict]",
            f'settle = "{SETTLE:.0f}s"',
            "[aged]",
            *(f'{name} = "{value}"' for name, value in given.items()),
        ]
        self.config.write_text("\n".join(lines) + "\n")

    @property
    def account(self) -> str:
        return f"{self.bot.exchange}-main"

    def reload(self) -> None:
        call(self.socket, Reload(by="the script"), timeout=60)

    def look(self) -> bool:
        """Let every monitor go through once, now; whether all could."""
        scanned = call(self.socket, Scan(), timeout=60).reports
        compared = call(self.socket, Reconcile(), timeout=60).reports
        return bool(scanned and compared)

    def alerts(self) -> list[Alert]:
        """All that were ever raised, oldest first, but the daily sign of life."""
        told = call(self.socket, GetAlerts(open_only=False, limit=1000), timeout=60).alerts
        return sorted((it for it in told if it.type != "daily_summary"), key=lambda it: it.id)

    def events(self, symbol: str) -> list[Event]:
        return list(call(self.socket, GetEvents(symbol=symbol, limit=1000), timeout=60).events)

    def rows(self, symbol: str) -> list[PositionRow]:
        asked = GetPositions(symbol=symbol, status=None)
        return list(call(self.socket, asked, timeout=60).rows)


SETTLE = 10.0
"""Seconds: how long the guard waits for the bot to write what it has done."""


def pair(base: str) -> str:
    return f"{base}/USDT:USDT"
