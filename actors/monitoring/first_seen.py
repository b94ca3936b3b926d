"""Since when the orphans' monitor has seen a position, and seen it unchanged.

A bot writes its row some time after its fill, so a position without a row is reported, and acted
on, only after that time. `rules.orphans` decides; what must outlive an incarnation is in the
orphans' records.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec

from messages.ledger import OrphanRecord
from messages.values import LegKey
from messages.venue import VenuePosition
from rules.orphans import same_position


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """A position that no row knows. `same_since` is when this very position was first seen."""

    position: VenuePosition
    first_seen_at: datetime
    same_since: datetime


class FirstSeen:
    """What one incarnation has seen, by leg."""

    def __init__(self) -> None:
        self._seen: dict[LegKey, Sighting] = {}

    def see(self, position: VenuePosition, record: OrphanRecord | None, now: datetime) -> Sighting:
        """Note a look at `now` that shows the position. `record` is from an earlier incarnation."""
        before = self._seen.get(position.key)
        if before is None:
            first = now if record is None else record.first_seen_at
            # Only the venue can say that nothing happened while no guard was looking.
            same = position.updated_at is not None and position.updated_at <= first
            since = first if same else now
        else:
            first = before.first_seen_at
            since = before.same_since if same_position(before.position, position) else now
        found = Sighting(position=position, first_seen_at=first, same_since=since)
        self._seen[position.key] = found
        return found

    def forget(self, keys: Collection[LegKey]) -> None:
        for key in keys:
            self._seen.pop(key, None)

    @property
    def keys(self) -> tuple[LegKey, ...]:
        return tuple(self._seen)
