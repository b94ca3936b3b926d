"""Runs many schedules: `python -m tests.simulation.run --seeds 1000`, with progress and a summary.

`--first N --seeds 1` replays the schedule of one seed. Exit code 1 where something broke.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter

from tests.simulation.happenings import HAPPENINGS
from tests.simulation.scene import ACCOUNTS
from tests.simulation.schedules import Outcome, run_schedule
from tests.simulation.templates import Template, folder_in_memory

PROGRESS = 10.0
"""Seconds between two lines of progress."""


class Covered:
    """Sums over the schedules that have run."""

    def __init__(self) -> None:
        self.schedules = 0
        self.days = 0.0
        self.messages = 0
        self.closes = 0
        self.happened: Counter[str] = Counter()
        self.broken: list[int] = []

    def add(self, outcome: Outcome) -> None:
        self.schedules += 1
        self.days += outcome.days
        self.messages += outcome.messages
        self.closes += outcome.closes
        self.happened += outcome.faults
        if outcome.broken:
            self.broken.append(outcome.seed)

    def __str__(self) -> str:
        return (
            f"{self.days:.2f} simulated days, {self.messages} messages, "
            f"{self.happened.total()} faults, {self.closes} rows closed, "
            f"{len(self.broken)} broken"
        )

    def summary(self, seconds: float) -> str:
        """What the schedules covered, in a few lines."""
        never = [name for name in HAPPENINGS if not self.happened[name]]
        counts = ", ".join(f"{name} {n}" for name, n in self.happened.most_common())
        return "\n".join(
            [
                f"{self.schedules} schedules in {seconds:.0f} s: {self}",
                f"faults that struck: {counts}",
                f"faults that never struck: {', '.join(never) or 'none'}",
                f"broken: {', '.join(map(str, self.broken)) or 'none'}",
            ]
        )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.run")
    parser.add_argument("--seeds", type=int, default=200, help="how many schedules")
    parser.add_argument("--first", type=int, default=1, help="the first one's seed")
    parser.add_argument("--only", choices=ACCOUNTS, help="keep all trouble to one account")
    parser.add_argument("--story", action="store_true", help="tell every schedule, broken or not")
    wanted = parser.parse_args(arguments)
    # A connection that a dead process or a failed disk leaves behind is part of the plan.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    covered = Covered()
    begun = told = time.perf_counter()
    with folder_in_memory() as folder:
        template = Template(folder)
        for seed in range(wanted.first, wanted.first + wanted.seeds):
            outcome = run_schedule(template, seed, only=wanted.only, keep_story=wanted.story)
            covered.add(outcome)
            if outcome.broken or wanted.story:
                print(outcome.told(), flush=True)
            if time.perf_counter() - told > PROGRESS:
                told = time.perf_counter()
                print(f"{covered.schedules} of {wanted.seeds} done: {covered}", flush=True)
    print(covered.summary(time.perf_counter() - begun))
    return int(bool(covered.broken))


if __name__ == "__main__":
    sys.exit(main())
