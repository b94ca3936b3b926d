"""Faults on order: which calls they strike, how often, and what they do.

The same faults strike the HTTP face and the in-process one. Left to others: carrying a fault out
(`desk.py` for replies, `memory.py` in-process, `streams.py` for sockets).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec


class FaultKind(StrEnum):
    """What goes wrong.

    DELAY waits before the call takes effect, DELAY_REPLY after it. STATUS, ERROR_CODE, EMPTY_BODY
    and HTML answer in the venue's place, and nothing takes effect; ERROR_AFTER answers with an
    error although the call did take effect. DROP_BEFORE cuts the connection with nothing done,
    DROP_AFTER with everything done. TRUNCATED, MISSING_LIST and EMPTY_LIST damage a good reply:
    half of its JSON, no list in its envelope, a well-formed empty list. SHORT_LIST leaves out the
    second half of the rows, with no word of it. STALE answers positions and histories as they were
    `seconds` ago, CUT_HISTORY histories without what is older than `seconds`. CUT_STREAM ends
    WebSockets, at once when ordered; SILENT_STREAM keeps them open and tells `count` events to
    nobody.

    BAN answers every call that it strikes with the exchange's own words for a ban, which name its
    end: `seconds` after the first one struck. Each call into it makes what is left `growth` times
    longer. `status` says which ban: 418 and 403 are the address's, 429 and 200 the account's (200
    is Bybit's own code 10006).
    """

    DELAY = "delay"
    DELAY_REPLY = "delay_reply"
    STATUS = "status"
    ERROR_CODE = "error_code"
    ERROR_AFTER = "error_after"
    EMPTY_BODY = "empty_body"
    HTML = "html"
    TRUNCATED = "truncated"
    MISSING_LIST = "missing_list"
    EMPTY_LIST = "empty_list"
    SHORT_LIST = "short_list"
    STALE = "stale"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    CUT_STREAM = "cut_stream"
    SILENT_STREAM = "silent_stream"
    CUT_HISTORY = "cut_history"
    BAN = "ban"


ANY = "*"


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One order for trouble.

    `endpoint` is a word that both exchanges share, a path, or `*`; `account` a name or `*`. The
    words: `positions`, `fills`, `balance`, `rights`, `mode`, `ticker`, `book`, `mark`, `time`,
    `instruments`, `currencies`, `order.create`, `.cancel`, `.open`, `.history` and, of Binance,
    `.find`, the same under `algo.`, `brackets` and `listen_key`. `positions.list` are reads of all
    positions, `positions.named` those of one symbol, and so for every word.

    It strikes `count` calls (None: until cleared), after letting `skip` pass, each with
    `probability`; `page` restricts it to that page of a list.
    """

    kind: FaultKind
    endpoint: str = ANY
    account: str = ANY
    count: int | None = 1
    skip: int = 0
    probability: float = 1.0
    page: int | None = None
    seconds: float = 0.0
    status: int = 503
    code: str = ""
    message: str = "ordered by the simulator"
    growth: float = 1.0
    until: datetime | None = None
    """When a ban ends; what is not given is filled in when it first strikes."""


class _Ordered(msgspec.Struct):
    id: int
    fault: Fault
    left: int | None
    to_skip: int
    struck: int = 0

    def over(self, at: datetime) -> bool:
        return self.fault.until is not None and at >= self.fault.until

    def prolong(self, at: datetime) -> None:
        """A call runs into the ban: the first begins it, each further one makes it longer."""
        fault = self.fault
        if fault.until is None:
            until = at + timedelta(seconds=fault.seconds)
        else:
            until = at + (fault.until - at) * fault.growth
        self.fault = msgspec.structs.replace(fault, until=until)


class FaultBook:
    """The faults that are on order. Chances are drawn from the given `rng`."""

    def __init__(self, rng: random.Random, now: Callable[[], datetime] | None = None) -> None:
        self._rng = rng
        self.now = now
        """The clock that bans go by; whoever serves a market sets it."""
        self._ids = itertools.count(1)
        self._ordered: list[_Ordered] = []
        self.on_cut: list[Callable[[str], None]] = []
        """Called with an account's name, or `*`, when a CUT_STREAM is ordered."""

    def order(self, fault: Fault) -> int:
        """Put a fault on order; its id says later how often it struck."""
        ordered = _Ordered(next(self._ids), fault, fault.count, fault.skip)
        if fault.kind is FaultKind.CUT_STREAM:
            ordered.struck = 1
            for cut in tuple(self.on_cut):
                cut(fault.account)
        else:
            self._ordered.append(ordered)
        return ordered.id

    def clear(self, fault_id: int | None = None) -> None:
        """Take one fault off order, or all."""
        self._ordered = [it for it in self._ordered if fault_id not in (None, it.id)]

    def struck(self, fault_id: int) -> int:
        """How often a fault on order has struck. Raises KeyError for one that is not."""
        for it in self._ordered:
            if it.id == fault_id:
                return it.struck
        raise KeyError(fault_id)

    def standing(self) -> list[Fault]:
        """Those that can still strike."""
        at = None if self.now is None else self.now()
        return [
            it.fault
            for it in self._ordered
            if (it.left is None or it.left > 0) and not (at is not None and it.over(at))
        ]

    def silences(self, account: str) -> bool:
        """Whether an event that an account's streams would tell is kept from them."""
        silent = [it for it in self._ordered if it.fault.kind is FaultKind.SILENT_STREAM]
        return any(self._strikes(it, ANY, account, "", 1) for it in silent)

    def strike(
        self, endpoint: str, account: str, *, path: str = "", page: int = 1
    ) -> tuple[Fault, ...]:
        """The faults that strike this call, used up by it."""
        if not self._ordered:
            return ()
        return tuple(
            it.fault
            for it in self._ordered
            if it.fault.kind is not FaultKind.SILENT_STREAM
            and self._strikes(it, endpoint, account, path, page)
        )

    def _strikes(self, it: _Ordered, endpoint: str, account: str, path: str, page: int) -> bool:
        fault = it.fault
        word = endpoint.removesuffix(".list").removesuffix(".named")
        if it.left == 0 or fault.endpoint not in (ANY, endpoint, word, path):
            return False
        if fault.account not in (ANY, account) or fault.page not in (None, page):
            return False
        if it.to_skip:
            it.to_skip -= 1
            return False
        if fault.probability < 1 and self._rng.random() >= fault.probability:
            return False
        if fault.kind is FaultKind.BAN:
            at = self._time()
            if it.over(at):
                return False
            it.prolong(at)
        elif it.left is not None:
            it.left -= 1
        it.struck += 1
        return True

    def _time(self) -> datetime:
        if self.now is None:
            raise RuntimeError("a ban needs the clock of a market")
        return self.now()
