"""What the venue wrote down of a storm, and questions about it. Sizes are in base units."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from messages.values import ZERO, LegKey, Side
from rules.ids import is_ours


class RequestSeen(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A request that arrived, whatever was answered. `account` is empty for public ones."""

    at: datetime
    account: str
    endpoint: str
    client_order_id: str


class PositionSeen(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A leg has another size."""

    at: datetime
    account: str
    symbol: str
    side: Side
    size: Decimal

    @property
    def key(self) -> LegKey:
        return LegKey(self.account, self.symbol, self.side)


class OrderSeen(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An order was taken, filled or ended. `executed` and `closed` are of this very fill."""

    at: datetime
    account: str
    symbol: str
    side: Side
    order_id: str
    client_order_id: str
    live: bool
    reduces: bool
    filled: Decimal
    average: Decimal | None
    executed: Decimal | None
    closed: Decimal | None

    @property
    def key(self) -> LegKey:
        return LegKey(self.account, self.symbol, self.side)

    @property
    def ours(self) -> bool:
        return is_ours(self.client_order_id)


Seen = RequestSeen | PositionSeen | OrderSeen
_line = msgspec.json.Decoder(Seen)


class Record:
    """All of it, in the order in which it happened."""

    def __init__(self, seen: list[Seen]) -> None:
        self.requests = [one for one in seen if isinstance(one, RequestSeen)]
        self.orders = [one for one in seen if isinstance(one, OrderSeen)]
        self._times: defaultdict[LegKey, list[datetime]] = defaultdict(list)
        self._sizes: defaultdict[LegKey, list[Decimal]] = defaultdict(list)
        for one in seen:
            if isinstance(one, PositionSeen):
                self._times[one.key].append(one.at)
                self._sizes[one.key].append(one.size)

    def flat_within(self, key: LegKey, begin: datetime, end: datetime) -> bool:
        """Whether the leg had no size at some instant from `begin` to `end`."""
        times, sizes = self._times[key], self._sizes[key]
        before = bisect_right(times, begin)
        at_first = sizes[before - 1] if before else ZERO
        return ZERO in (at_first, *sizes[before : bisect_right(times, end)])

    def most(self, key: LegKey) -> Decimal:
        """The largest size that the leg ever had."""
        return max(self._sizes[key], default=ZERO)

    def held(self) -> dict[LegKey, Decimal]:
        """Every leg that is open at the end."""
        return {key: sizes[-1] for key, sizes in self._sizes.items() if sizes[-1]}

    def opened_before(self, key: LegKey, at: datetime) -> bool:
        return bisect_left(self._times[key], at) > 0


def read_record(file: Path) -> Record:
    """Raises ValidationError for a line that the writer cannot have meant."""
    lines = file.read_bytes().splitlines()
    return Record([_line.decode(line) for line in lines])
