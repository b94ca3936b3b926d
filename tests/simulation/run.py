"""Runs many schedules: `python -m tests.simulation.run --seeds 1000`, with progress and a summary.

`--first N --seeds 1` replays the schedule of one seed. Exit code 1 where something broke.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.simulation.schedules import Outcome, run_schedule
from tests.simulation.world import Template


def summary(outcomes: list[Outcome], seconds: float) -> str:
    """What the schedules covered, in a few lines."""
    faults: Counter[str] = Counter()
    for outcome in outcomes:
        faults += outcome.faults
    broken = [outcome.seed for outcome in outcomes if outcome.broken]
    return "\n".join(
        [
            f"{len(outcomes)} schedules in {seconds:.0f} s: "
            f"{sum(o.days for o in outcomes):.2f} simulated days, "
            f"{sum(o.messages for o in outcomes)} messages of the last lives, "
            f"{faults.total()} troubles, {sum(o.closes for o in outcomes)} rows closed",
            "troubles: " + ", ".join(f"{name} {n}" for name, n in faults.most_common()),
            f"broken: {broken or 'none'}",
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.run")
    parser.add_argument("--seeds", type=int, default=200, help="how many schedules")
    parser.add_argument("--first", type=int, default=1, help="the first one's seed")
    wanted = parser.parse_args(arguments)
    outcomes: list[Outcome] = []
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        template = Template(Path(folder))
        for seed in range(wanted.first, wanted.first + wanted.seeds):
            outcome = run_schedule(template, seed)
            outcomes.append(outcome)
            if outcome.broken:
                print(outcome.told(), flush=True)
            if len(outcomes) % 25 == 0:
                broken = sum(bool(o.broken) for o in outcomes)
                print(f"{len(outcomes)} of {wanted.seeds} done, {broken} broken", flush=True)
    print(summary(outcomes, time.perf_counter() - begun))
    return int(any(outcome.broken for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
