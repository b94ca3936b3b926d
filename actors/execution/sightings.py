"""What was last seen of each leg of an account, kept through restarts by the ledger.

An absence must account for what was last seen (`rules.explanation`), so every complete read is
remembered leg by leg. In memory each read counts; into the ledger goes what changed, and now and
then the rest, in one statement. A plain object that the exchange actor owns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from messages.ledger import LastSeen
from messages.values import LegKey
from messages.venue import Snapshot, VenuePosition

SAVED_AGAIN = timedelta(minutes=5)
"""A sighting that says nothing new is stored at most so often.

An older one is as good: from then on the executions are read, and they tell the same.
"""


class Sightings:
    """The newest sighting of each leg, and since when a leg has not been shown."""

    def __init__(self) -> None:
        self._seen: dict[LegKey, LastSeen] = {}
        self._stored: dict[LegKey, LastSeen] = {}
        self._absent_since: dict[LegKey, datetime] = {}

    def recall(self, stored: Iterable[LastSeen]) -> None:
        """Take over what the ledger has kept, where nothing newer was seen."""
        for seen in stored:
            self._stored[seen.key] = seen
            known = self._seen.get(seen.key)
            if known is None or known.finished_at < seen.finished_at:
                self._seen[seen.key] = seen

    def last_seen(self, key: LegKey) -> LastSeen | None:
        """The newest complete read that showed the leg."""
        return self._seen.get(key)

    def absent_since(self, key: LegKey) -> datetime | None:
        """When the first complete read began that did not show a leg that had been shown."""
        return self._absent_since.get(key)

    def observe(
        self, read: Snapshot, ordered: Callable[[LegKey], bool] = lambda _: False
    ) -> tuple[LastSeen, ...]:
        """Take in a read. Returns the sightings that the ledger should keep.

        `ordered` says of a leg whether an order of ours was on its way during the read. What such
        a read shows may be from before the order or from after it, so it is no sight that comes
        after the order's fill, and the sight from before the order stays.
        """
        if not read.complete:
            return ()
        shown = {position.key: position for position in read.positions}
        to_store = []
        for key, position in shown.items():
            self._absent_since.pop(key, None)
            seen = _sighting(position, read)
            before = self._seen.get(key)
            if before is not None and before.quantity >= seen.quantity and ordered(key):
                continue
            self._seen[key] = seen
            if _worth_storing(seen, self._stored.get(key)):
                self._stored[key] = seen
                to_store.append(seen)
        for key in self._seen:
            if key not in shown and read.scope.covers(key.symbol):
                self._absent_since.setdefault(key, read.started_at)
        return tuple(to_store)

    def missing(self, key: LegKey, read: Snapshot) -> None:
        """A leg that was never seen is asked for, and this complete read does not show it."""
        self._absent_since.setdefault(key, read.started_at)


def _sighting(position: VenuePosition, read: Snapshot) -> LastSeen:
    return LastSeen(
        key=position.key,
        started_at=read.started_at,
        finished_at=read.finished_at,
        quantity=position.quantity,
        entry_price=position.entry_price,
        changed_at=position.updated_at,
    )


def _worth_storing(seen: LastSeen, stored: LastSeen | None) -> bool:
    return (
        stored is None
        or stored.quantity != seen.quantity
        or stored.entry_price != seen.entry_price
        or stored.changed_at != seen.changed_at
        or seen.finished_at - stored.finished_at >= SAVED_AGAIN
    )
