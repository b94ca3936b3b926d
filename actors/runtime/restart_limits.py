"""How often a supervisor bears failures, and how long it lets a child wait. No actor in here.

Two kinds of trouble, two answers: an outage waits, a bug counts against the intensity. Instants
are seconds of the loop's own clock, which no change of the wall clock moves.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from actors.runtime.checks import check_count, check_seconds, check_type
from actors.runtime.errors import BadChildSpec
from actors.runtime.specs import Backoff, Quarantine

# For outages below a supervisor without a back-off of its own.
DEFAULT_BACKOFF = Backoff()


@dataclass(slots=True)
class Failures:
    """One child's failures in a row, and whether it is in quarantine."""

    in_a_row: int = 0
    quarantined: bool = False

    def clear(self) -> None:
        self.in_a_row = 0
        self.quarantined = False


@dataclass(slots=True)
class RestartLimits:
    """A supervisor's limits; `period` is seconds, `intensity` None bears any number.

    Raises:
        BadChildSpec: on limits that make no sense.
    """

    intensity: int | None
    period: float
    backoff: Backoff | None
    quarantine: Quarantine | None
    _restarts: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        where = "supervisor"
        if self.intensity is not None:
            check_count(where, "intensity", self.intensity, 0, BadChildSpec)
        check_seconds(where, "period", self.period, kind=BadChildSpec)
        if self.backoff is not None:
            check_type(where, "backoff", self.backoff, Backoff, BadChildSpec)
        if self.quarantine is not None:
            check_type(where, "quarantine", self.quarantine, Quarantine, BadChildSpec)

    def wait_for(
        self, failures: Failures, *, ran: float, outage: bool, now: float, rng: random.Random
    ) -> float | None:
        """Count a failure after a run of `ran` seconds; the wait before the restart, or None.

        None says that it is too much: the supervisor gives up. Where there is a quarantine the
        child goes there instead.
        """
        if ran >= self.policy(failures).reset_after:
            failures.in_a_row = 0
        failures.in_a_row += 1
        too_many = not outage and not failures.quarantined and self._exceeded(now)
        if self.quarantine is not None:
            if too_many or failures.in_a_row > self.quarantine.after:
                failures.quarantined = True
                failures.in_a_row = max(failures.in_a_row, self.quarantine.after + 1)
        elif too_many:
            return None
        if failures.quarantined and self.quarantine is not None:
            beyond = failures.in_a_row - self.quarantine.after
            return self.quarantine.backoff.delay(beyond, rng)
        if self.backoff is None and not outage:
            return 0.0
        return self.policy(failures).delay(failures.in_a_row, rng)

    def policy(self, failures: Failures) -> Backoff:
        """The back-off that applies to a child just now."""
        if failures.quarantined and self.quarantine is not None:
            return self.quarantine.backoff
        return self.backoff or DEFAULT_BACKOFF

    def _exceeded(self, now: float) -> bool:
        """Count one restart; say whether there are now more than `intensity` in the period."""
        if self.intensity is None:
            return False
        self._restarts = [at for at in self._restarts if now - at <= self.period]
        self._restarts.append(now)
        return len(self._restarts) > self.intensity
