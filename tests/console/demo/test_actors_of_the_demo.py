"""Actors of the running demo that are killed come back. Runs first, while the demo is young."""

from __future__ import annotations

from functools import partial

from tests.console.conftest import Demo
from tests.console.processes import as_json, command, until


def node(demo: Demo, path: str) -> dict[str, object]:
    nodes = as_json("tree", config=demo.config)
    return next((found for found in nodes if found["path"] == path), {})


def restarted(demo: Demo, path: str) -> bool:
    return node(demo, path).get("restarts") == 1


def test_a_killed_actor_of_the_running_demo_is_seen_restarted_in_the_tree(demo: Demo) -> None:
    demo.process.wait_for("Look in from another terminal")
    for path in ("accounts/bybit-main/exchange", "alerts", "accounts/binance-main/reconciliation"):
        before = node(demo, path)
        killed = command("kill", path, config=demo.config)
        assert killed.returncode == 0, killed.stderr
        until(partial(restarted, demo, path), f"{path} is restarted")
        after = node(demo, path)
        assert (before["restarts"], after["status"]) == (0, "running")
