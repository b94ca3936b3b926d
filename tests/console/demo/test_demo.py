"""The demo, end to end as a user runs it: real service, real ccxt, simulated venue over TLS."""

from __future__ import annotations

import json

import pytest

from tests.console.conftest import DEMO_SECONDS, Demo
from tests.console.processes import as_json, command


@pytest.mark.timeout(DEMO_SECONDS * 3)
def test_the_demo_finds_and_deals_with_all_five_kinds_of_trouble(demo: Demo) -> None:
    printed = demo.process.stdout(DEMO_SECONDS * 2)
    assert demo.process.wait() == 0, demo.process.output
    result = json.loads(printed)
    assert set(result["found"]) == {"ghost", "orphan", "naked", "mismatch", "closed"}
    assert all(result["found"].values()), result["found"]
    assert set(result["accounts"]) == set(result["venue"]) == {"bybit-main", "binance-main"}
    # Every row that the ledger calls closed is flat at the venue, and nothing else is closed.
    assert result["rows"]["closed"] >= result["found"]["closed"]
    for name, account in result["accounts"].items():
        assert account["statistics"]["total_aged"] >= 1, name
        assert account["calls"]["fetch_positions"] >= account["snapshots"] > 0, name
    assert not result["interrupted"]


def test_what_the_demo_counted_is_what_its_ledger_holds(demo: Demo) -> None:
    demo.process.wait()
    events = as_json("events", "--limit", "100000", config=demo.config)
    rows = as_json("positions", "--all", config=demo.config)
    closed = {
        (e["account"], e["symbol"], e["side"]) for e in events if e["kind"] == "position_closed"
    }
    reasons = [row["exit_reason"] for row in rows if row["status"] == "closed"]
    assert closed
    assert len([r for r in reasons if r.startswith("aged_close")]) >= len(closed)
    assert all(reasons)
    text = json.dumps([events, rows])
    assert "demo-bybit-secret" not in text


def test_a_demo_will_not_overwrite_a_folder_that_is_not_its_own(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("mine")
    (folder / "precious.txt").write_text("mine", encoding="utf-8")
    done = command("demo", "--dir", str(folder))
    assert done.returncode == 2
    assert "an empty or a new folder" in done.stderr
    assert (folder / "precious.txt").exists()
