"""Each bench still runs, with its sizes turned down: no figure of these runs means anything.

A bench measures what the guard does today, so a change of the guard can break one unnoticed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

SMALL: dict[str, tuple[str, list[str]]] = {
    "budget": (
        "ROUND_TRIP, WAVES, IDLE, AFTER_ROWS = 0.02, (1, 2), (2,), 0.5",
        ["--exchange", "binanceusdm", "--part", "waves", "--rounds", "1"],
    ),
    "close": ("ACCOUNTS, SYMBOLS = 1, 5", ["--rounds", "1"]),
    "ledger": ("ROUNDS, SERIAL, TOGETHER, BATCH, HISTORY, POSITIONS = 1, 5, 5, 5, 200, 50", []),
    "reconcile": ("SIZES, ROUNDS, CLOSES = (100, 1_000), 1, 1", []),
    "runtime": (
        "TELLS, ASKS, THREAD_TELLS, THREAD_ASKS, CRASHES, MANY, FEW_STOPS, MANY_STOPS = "
        "50, 50, 50, 50, 5, 50, 10, 40",
        ["--rounds", "1"],
    ),
    "soak": ("ACCOUNTS, SYMBOLS, WARM_ROUNDS = 2, 2, 1", ["--minutes", "0.15", "--interval", "1"]),
    "views": ("ACCOUNTS, SYMBOLS, ALERTS, ROUNDS = 2, 3, 5, 1", []),
}


def test_every_bench_is_run_here() -> None:
    assert {path.stem for path in (ROOT / "bench").glob("*.py")} - {"__init__"} == set(SMALL)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_small_run_of_a_bench_prints_figures_and_goals(name: str) -> None:
    sizes, arguments = SMALL[name]
    names, _, values = sizes.partition(" = ")
    code = (
        f"import sys, bench.{name} as bench\n"
        f"names, values = {names.split(', ')!r}, ({values})\n"
        "for each, value in zip(names, values, strict=True):\n"
        "    assert hasattr(bench, each), each\n"
        "    setattr(bench, each, value)\n"
        f"sys.argv = [{name!r}, '--json', *{arguments!r}]\n"
        "sys.exit(bench.main())\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    # 1 says that a goal was missed, which is no wonder here.
    assert ran.returncode in (0, 1), ran.stderr[-4000:]
    told = json.loads(ran.stdout)
    assert told["figures"]
    assert all({"name", "value", "goal", "met"} <= set(goal) for goal in told["goals"])
