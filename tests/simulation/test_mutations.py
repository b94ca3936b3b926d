"""The harness can find bugs: each deliberate one is caught within a bounded number of seeds.

The same schedules run as in `test_schedules.py`, where they hold; the bugs are in `mutations.py`.
"""

from __future__ import annotations

import pytest

from tests.simulation.mutations import ALL, Mutation
from tests.simulation.schedules import run_schedule
from tests.simulation.templates import Template

SEEDS = 60
"""Within so many schedules each mutation must be caught; most are within five."""


def caught_by(template: Template, mutation: Mutation) -> int | None:
    """The first of the seeds that shows the bug, in the way that it must show."""
    with mutation.applied():
        for seed in range(mutation.first, mutation.first + SEEDS * mutation.step, mutation.step):
            outcome = run_schedule(template, seed, only=mutation.only)
            if outcome.broken and mutation.sign in "\n".join(outcome.broken):
                return seed
    return None


@pytest.mark.parametrize("mutation", ALL, ids=[mutation.name for mutation in ALL])
def test_a_deliberate_bug_is_caught(template: Template, mutation: Mutation) -> None:
    seed = caught_by(template, mutation)
    assert seed is not None, f"{SEEDS} schedules ran with the bug, and nobody saw it"
