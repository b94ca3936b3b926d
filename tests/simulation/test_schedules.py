"""A few hundred drawn schedules: whatever goes wrong, the design's invariants hold."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from tests.simulation.happenings import HAPPENINGS
from tests.simulation.run import main
from tests.simulation.scene import BYBIT
from tests.simulation.schedules import run_schedule
from tests.simulation.templates import Template

BATCH = 100
BATCHES = 2
AT_LEAST = 10
"""How often each kind of trouble must have struck in a batch, at the very least."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(1, BATCHES * BATCH, BATCH))
def test_the_invariants_hold_whatever_goes_wrong(template: Template, first: int) -> None:
    outcomes = [run_schedule(template, seed) for seed in range(first, first + BATCH)]
    broken = [outcome for outcome in outcomes if outcome.broken]
    assert not broken, broken[0].told()
    assert sum(outcome.closes for outcome in outcomes) > BATCH
    struck: Counter[str] = sum((outcome.faults for outcome in outcomes), Counter())
    rare = {name: struck[name] for name in HAPPENINGS if struck[name] < AT_LEAST}
    assert not rare, f"what hardly happens proves nothing: {rare}"
    assert set(struck) == set(HAPPENINGS)
    assert timedelta(days=sum(outcome.days for outcome in outcomes)) > timedelta(hours=1)


def test_trouble_on_one_account_never_delays_another(template: Template) -> None:
    for seed in range(500, 508):
        outcome = run_schedule(template, seed, only=BYBIT)
        assert not outcome.broken, outcome.told()


def test_a_seed_repeats_its_schedule(template: Template) -> None:
    first, again = (run_schedule(template, 48, keep_story=True) for _ in range(2))
    assert first.story == again.story
    assert len(first.story) > 50


def test_the_long_runner_sums_up_what_it_covered(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "2", "--first", "900"]) == 0
    said = capsys.readouterr().out
    assert "2 schedules" in said
    assert "broken: none" in said
    for covered in ("simulated days", "messages", "faults", "rows closed"):
        assert covered in said
