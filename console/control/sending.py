"""Messages that operators send to actors: which there are, and how their fields are checked.

A fixed list, and nothing on it writes a record or an order without the guard's own evidence: rows,
intents and leases change by the actors that prove the change, or by a command of their own. Other
commands are in `commands`.
"""

from __future__ import annotations

import types
from difflib import get_close_matches
from typing import Union, get_args, get_origin

import msgspec

from actors.runtime import AskFailed, GetState, GetStatistics, System
from console.control import protocol as p
from console.control.records import failed
from messages import to_alerts, to_exchange, to_ledger, to_monitors
from messages.base import Request

ROOT = "sexton"
"""How the root, whose path is empty, is called by operators."""

_FOR_EVERY_ACTOR: tuple[type[msgspec.Struct], ...] = (GetState, GetStatistics)
_FOR_SOME: tuple[type[msgspec.Struct], ...] = (
    to_exchange.GetMarkets,
    to_exchange.ReadPositions,
    to_exchange.JudgeLeg,
    to_exchange.ReadQuote,
    to_exchange.ReadProtection,
    to_exchange.SettleLeg,
    to_monitors.ScanNow,
    to_monitors.LookAt,
    to_monitors.CloseByOrder,
    to_monitors.AcceptAbsence,
    to_monitors.Release,
    to_ledger.ActiveRows,
    to_ledger.FindRows,
    to_ledger.FindIntents,
    to_ledger.FindEvents,
    to_ledger.ReadCounters,
    to_ledger.ReadAged,
    to_ledger.ReadOrphans,
    to_ledger.CountOrphanActions,
    to_ledger.FindAlerts,
    to_alerts.RaiseAlert,
    to_alerts.ResolveAlert,
    to_alerts.AckAlert,
)
_VOCABULARY = (to_alerts, to_exchange, to_ledger, to_monitors)
SENDABLE = {kind.__name__: kind for kind in (*_FOR_EVERY_ACTOR, *_FOR_SOME)}
"""By name: all that `tell` and `ask` can send."""


class Sending:
    """Answers GetMessages, Tell and Ask for one running system."""

    def __init__(self, system: System) -> None:
        self._system = system

    async def answer(self, command: p.GetMessages | p.Tell | p.Ask) -> p.Reply:
        """The reply to a command whose path is known to be an actor's."""
        if isinstance(command, p.GetMessages):
            known = SENDABLE if command.path is None else self._taken_by(command.path)
            return p.MessageTypes(messages=tuple(_info(known[name]) for name in sorted(known)))
        message = _built(command.message, command.fields, self._taken_by(command.path))
        if isinstance(message, p.Refused):
            return message
        path = inner_path(command.path)
        if isinstance(command, p.Tell):
            if isinstance(message, _FOR_EVERY_ACTOR):
                return _refuse("bad_field", f"{command.message} is a question: `ask` it")
            self._system.tell(path, message)
            return p.Carried(message=f"{command.message} is sent to {command.path}")
        if not isinstance(message, Request):
            return _refuse("bad_field", f"{command.message} has no reply: `tell` it")
        answer = await self._system.attempt(path, message, timeout=command.timeout)
        if isinstance(answer, AskFailed):
            return failed(answer)
        return p.Answered(reply=type(answer).__name__, value=self._system.scrubber.plain(answer))

    def _taken_by(self, path: str) -> dict[str, type[msgspec.Struct]]:
        """What the actor takes just now: nothing but its state while it waits to come back."""
        taken = self._system.messages_of(inner_path(path))
        return {
            name: kind
            for name, kind in SENDABLE.items()
            if kind in taken or kind in _FOR_EVERY_ACTOR
        }


def inner_path(path: str) -> str:
    """An operator's path as the runtime knows it."""
    return "" if path == ROOT else path


def _built(
    name: str, fields: dict[str, object], taken: dict[str, type[msgspec.Struct]]
) -> msgspec.Struct | p.Refused:
    kind = taken.get(name)
    if kind is None:
        return _refuse("no_such_message", _not_taken(name, taken))
    known = {field.name for field in msgspec.structs.fields(kind)}
    for field in fields:
        if field not in known:
            has = f"it has {', '.join(sorted(known))}" if known else "it has none"
            near = get_close_matches(field, known, n=1)
            hint = f"did you mean {near[0]}? {has}" if near else has
            return _refuse("bad_field", f"{name} has no field {field!r}: {hint}")
    try:
        # Not strict: a command line knows texts only, and "5" is a number where one is wanted.
        return msgspec.convert(fields, kind, strict=False)
    except msgspec.ValidationError as error:
        return _refuse("bad_field", f"{name}: {error}")


def _not_taken(name: str, taken: dict[str, type[msgspec.Struct]]) -> str:
    if name in SENDABLE:
        what = f"this actor takes no {name}"
    elif any(isinstance(getattr(room, name, None), type) for room in _VOCABULARY):
        what = f"{name} is not for operators: the guard sends it with its evidence"
    else:
        what = f"no message is called {name!r}"
    near = get_close_matches(name, taken, n=1)
    hint = f"did you mean {near[0]}? " if near and near[0] != name else ""
    return f"{what}: {hint}it takes {', '.join(sorted(taken))}"


def _refuse(code: str, message: str) -> p.Refused:
    return p.Refused(code=code, message=message)


def _info(kind: type[msgspec.Struct]) -> p.MessageInfo:
    about = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
    return p.MessageInfo(
        name=kind.__name__,
        about=about,
        reply=_reply_of(kind),
        fields=tuple(
            p.FieldInfo(name=field.name, type=_in_words(field.type), required=field.required)
            for field in msgspec.structs.fields(kind)
        ),
    )


def _reply_of(kind: type[msgspec.Struct]) -> str:
    for base in getattr(kind, "__orig_bases__", ()):
        if get_origin(base) is Request:
            return _in_words(get_args(base)[0])
    return ""


def _in_words(hint: object) -> str:
    """A type as a person writes it: `Decimal | None`, `tuple[str, ...]`."""
    if hint is types.NoneType:
        return "None"
    if get_origin(hint) in (Union, types.UnionType):
        return " | ".join(_in_words(member) for member in get_args(hint))
    if get_args(hint):
        inside = ", ".join("..." if a is ... else _in_words(a) for a in get_args(hint))
        return f"{getattr(get_origin(hint), '__name__', hint)}[{inside}]"
    return str(getattr(hint, "__name__", None) or getattr(hint, "__forward_arg__", hint))
