"""What the REPL offers: one function a command, with typed replies as plain Python values.

Each raises CommandError with one line that says what and what next. Values are shown by
`console.repl.show`.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from actors.runtime import NodeInfo
from console.cli.exit_codes import CommandError, ExitCode
from console.cli.ledger_commands import since_when
from console.cli.outcome import exit_code_of, wait_for_outcome
from console.cli.service_client import ask_socket
from console.control import protocol as p
from console.control.sending import SENDABLE
from messages.ledger import Alert, Event, PositionRow
from messages.to_monitors import ScanReport
from messages.values import LegKey, Side

R = TypeVar("R", bound=p.Reply)


class Said(str):
    """A sentence of the service; shown as it is."""

    __slots__ = ()


def ask_person(question: str) -> bool:
    """Whether the person at the terminal says yes. Nobody there is no."""
    if not sys.stdin.isatty():
        raise CommandError(
            ExitCode.REFUSED, f"{question} Nobody is there to answer: add yes=True to the call"
        )
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


class Functions:
    """The REPL's functions, bound to the service at a socket."""

    def __init__(self, socket: Path, *, confirm: Callable[[str], bool] = ask_person) -> None:
        self.socket = socket
        self._confirm = confirm

    def namespace(self) -> dict[str, Any]:
        """Every function by its name, the messages' types, and what their fields need."""
        functions = {f.__name__: f for f in self.all()}
        return {"__name__": "sexton", **SENDABLE, "LegKey": LegKey, "Side": Side, **functions}

    def all(self) -> tuple[Callable[..., object], ...]:
        """In the order in which `help()` shows them."""
        return (
            self.status,
            self.positions,
            self.legs,
            self.why,
            self.events,
            self.alerts,
            self.stats,
            self.budget,
            self.scan,
            self.reconcile,
            self.close,
            self.accept,
            self.adopt_identity,
            self.hold,
            self.release,
            self.ack,
            self.reload,
            self.tree,
            self.dump,
            self.trace,
            self.suspend,
            self.resume,
            self.restart,
            self.kill,
            self.messages,
            self.ask,
            self.tell,
            self.help,
        )

    def _call(self, command: p.Command[R], *, timeout: float = 120.0) -> R:
        return ask_socket(self.socket, command, timeout=timeout)

    # --- looking --------------------------------------------------------------------------------

    def status(self) -> p.Service:
        """Who is listening: version, mode, accounts.  status().mode"""
        return self._call(p.GetService())

    def positions(
        self, account: str | None = None, symbol: str | None = None, *, everything: bool = False
    ) -> tuple[PositionRow, ...]:
        """Ledger rows: what the bot believes is open.  positions("bybit-main", everything=True)"""
        status = None if everything else "active"
        return self._call(p.GetPositions(account=account, symbol=symbol, status=status)).rows

    def legs(self) -> tuple[p.LegView, ...]:
        """Aged legs: phase, target and price.  [leg.path for leg in legs()]"""
        return self._call(p.GetLegs()).legs

    def why(self, symbol: str, account: str | None = None) -> p.Story:
        """A symbol's story: seen, decided, sent, answered.  why("BTCUSDT")"""
        return self._call(p.Why(symbol=symbol, account=account))

    def events(
        self,
        limit: int = 30,
        *,
        account: str | None = None,
        symbol: str | None = None,
        kind: str | None = None,
        since: str | None = None,
    ) -> tuple[Event, ...]:
        """The audit trail, newest last.  events(5, kind="config_reloaded", since="1d")"""
        begin = since_when(since)
        command = p.GetEvents(account=account, symbol=symbol, kind=kind, since=begin, limit=limit)
        return self._call(command).events

    def alerts(self, account: str | None = None, *, everything: bool = False) -> tuple[Alert, ...]:
        """Open alerts with their numbers.  alerts()"""
        return self._call(p.GetAlerts(account=account, open_only=not everything)).alerts

    def stats(self) -> p.Figures:
        """Statistics, API calls and snapshots.  stats().total"""
        return self._call(p.GetFigures())

    def budget(self, account: str | None = None) -> tuple[p.AccountBudget, ...]:
        """What the venues' limits leave, and what is spent of them.  budget("bybit-main")"""
        return self._call(p.GetBudget(account=account)).budgets

    # --- positions ------------------------------------------------------------------------------

    def scan(self, account: str | None = None) -> dict[str, ScanReport]:
        """Look for aged, orphaned and naked positions now.  scan("bybit-main")"""
        return self._call(p.Scan(account=account), timeout=600.0).reports

    def reconcile(self, account: str | None = None) -> dict[str, ScanReport]:
        """Compare the ledger with the venues now.  reconcile()"""
        return self._call(p.Reconcile(account=account), timeout=600.0).reports

    def close(
        self,
        symbol: str,
        side: str | None = None,
        account: str | None = None,
        *,
        yes: bool = False,
        wait: bool = True,
        reason: str = "",
    ) -> Said:
        """Close a leg at market now, reduce-only; asks, and waits.  close("BTCUSDT", "long")"""
        command = p.CloseNow(
            symbol=symbol, side=_side(side), account=account, by=getpass.getuser(), reason=reason
        )
        if not yes and not self._confirm(f"Close {symbol} at market now?"):
            return Said("nothing was closed")
        return self._ordered(command, wait=wait)

    def accept(
        self,
        symbol: str,
        side: str | None = None,
        account: str | None = None,
        *,
        yes: bool = False,
        wait: bool = True,
        reason: str = "",
    ) -> Said:
        """Take a leg that is gone without a record for closed.  accept("BTCUSDT")"""
        command = p.Accept(
            symbol=symbol, side=_side(side), account=account, by=getpass.getuser(), reason=reason
        )
        if not yes and not self._confirm(f"Close the rows of {symbol} with an unknown exit?"):
            return Said("nothing was closed")
        return self._ordered(command, wait=wait)

    def _ordered(self, command: p.CloseNow | p.Accept, *, wait: bool) -> Said:
        """What became of it. Raises CommandError where it was not carried out."""
        ordered = self._call(command)
        if wait:
            ordered = wait_for_outcome(self.socket, ordered)
        code = exit_code_of(ordered)
        if code is not ExitCode.OK and (wait or code is not ExitCode.PENDING):
            raise CommandError(code, ordered.message)
        return Said(ordered.message)

    def adopt_identity(self, account: str, *, yes: bool = False, reason: str = "") -> Said:
        """The login that the venue tells of is this account's.  adopt_identity("bybit-main")"""
        if not yes and not self._confirm(f"Is {account} meant to be another login than before?"):
            return Said("nothing was changed")
        command = p.AdoptIdentity(account=account, by=getpass.getuser(), reason=reason)
        return Said(self._call(command).message)

    def hold(self, symbol: str, side: str | None = None, account: str | None = None) -> Said:
        """The guard leaves a leg alone until release.  hold("ETHUSDT")"""
        command = p.Hold(symbol=symbol, side=_side(side), account=account, by=getpass.getuser())
        return Said(self._call(command).message)

    def release(self, symbol: str, side: str | None = None, account: str | None = None) -> Said:
        """End a hold; the guard looks after the leg again.  release("ETHUSDT")"""
        command = p.Release(symbol=symbol, side=_side(side), account=account, by=getpass.getuser())
        return Said(self._call(command).message)

    def ack(self, alert_id: int) -> Said:
        """Acknowledge an alert: no more reminders.  ack(12)"""
        return Said(self._call(_checked(p.Acknowledge, alert_id, getpass.getuser())).message)

    def reload(self, *, dry_run: bool = False) -> p.Reloaded:
        """Take what has changed in the configuration file.  reload(dry_run=True)"""
        return self._call(p.Reload(dry_run=dry_run, by=getpass.getuser()), timeout=600.0)

    # --- actors ---------------------------------------------------------------------------------

    def tree(self) -> tuple[NodeInfo, ...]:
        """Every actor: status, restarts, mailbox.  [n.path for n in tree() if n.restarts]"""
        return self._call(p.GetTree()).nodes

    def dump(self, path: str | None = None) -> dict[str, object]:
        """State of an actor, or of all.  dump("accounts/bybit-main/exchange")["state"]"""
        return self._call(p.GetDump(path=path)).dump

    def trace(self, path: str, on: bool = True) -> Said:
        """Log each message of an actor.  trace("alerts"); trace("alerts", False)"""
        return Said(self._call(p.Trace(path=path, on=on)).message)

    def suspend(self, path: str) -> Said:
        """An actor takes no message until resume.  suspend("accounts/bybit-main/orphans")"""
        return Said(self._call(p.Suspend(path=path)).message)

    def resume(self, path: str) -> Said:
        """Let a suspended actor go on.  resume("accounts/bybit-main/orphans")"""
        return Said(self._call(p.Resume(path=path)).message)

    def restart(self, path: str) -> Said:
        """Stop an actor in order and start it afresh.  restart("accounts/bybit-main/stream")"""
        return Said(self._call(p.Restart(path=path), timeout=600.0).message)

    def kill(self, path: str) -> Said:
        """End an actor as a crash would; its supervisor decides.  kill("alerts")"""
        return Said(self._call(p.Kill(path=path)).message)

    def messages(self, path: str | None = None) -> tuple[p.MessageInfo, ...]:
        """What an actor takes, with fields and replies.  messages("ledger")"""
        return self._call(p.GetMessages(path=path)).messages

    def ask(
        self, path: str, message: str | msgspec.Struct, /, *, within: float = 30.0, **fields: object
    ) -> object:
        """Send a request, get its reply.  ask("ledger", "FindRows", symbol="BTCUSDT")"""
        name, said = _named(message, fields)
        command = p.Ask(path=path, message=name, fields=said, timeout=within)
        return self._call(command, timeout=within + 30).value

    def tell(self, path: str, message: str | msgspec.Struct, /, **fields: object) -> Said:
        """Send a message.  tell("accounts/bybit-main/aged/BTCUSDT.long", Release(by="me"))"""
        name, said = _named(message, fields)
        return Said(self._call(p.Tell(path=path, message=name, fields=said)).message)

    def help(self, topic: object = None) -> Said:
        """This list; one function's signature and example.  help(close)"""
        if topic is not None:
            return _about(topic)
        lines = ["What there is, each with an example; Tab completes paths, messages and fields:"]
        for function in self.all():
            about, _, example = (function.__doc__ or "").partition("  ")
            lines.append(f"  {function.__name__:<10} {about}")
            if example:
                lines.append(f"  {'':<10}   {example}")
        lines.append("Replies are plain values: keep them, filter them, index them. exit() leaves.")
        return Said("\n".join(lines))


def _about(topic: object) -> Said:
    import inspect

    name = getattr(topic, "__name__", type(topic).__name__)
    try:
        signature = str(inspect.signature(topic)) if callable(topic) else ""
    except ValueError:
        signature = ""
    about = "\n".join((inspect.getdoc(topic) or "").split("  "))
    return Said(f"{name}{signature.replace(chr(39), '')}\n{about}".rstrip())


def _checked(kind: type[p.Acknowledge], alert_id: object, by: str) -> p.Acknowledge:
    if not isinstance(alert_id, int):
        raise CommandError(
            ExitCode.USAGE, f"ack takes an alert's number, not {alert_id!r}: see alerts()"
        )
    return kind(alert_id=alert_id, by=by)


def _side(text: str | None) -> Side | None:
    if text is None or text in (Side.LONG, Side.SHORT):
        return Side(text) if text is not None else None
    raise CommandError(ExitCode.USAGE, f"no side {text!r}: long or short")


def _named(
    message: str | msgspec.Struct, fields: dict[str, object]
) -> tuple[str, dict[str, object]]:
    """A message's name and its fields as they cross the socket.

    Fields of the default value are left out: the service has the same defaults.
    """
    if isinstance(message, str):
        return message, {name: msgspec.to_builtins(value) for name, value in fields.items()}
    given = msgspec.structs.asdict(message) | fields
    return type(message).__name__, {n: msgspec.to_builtins(v) for n, v in given.items()}
