"""The figures under their promised names, and everything that refers to them."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from console.web.facts import Facts
from console.web.metrics import exposition
from console.web.tally import Tally
from messages.ledger import AlertType
from tests.actors.kit import Clock, settings_of
from tests.console.web.kit import site

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy/prometheus/alerts.yml"
PROMISED = {
    "aged_ghost_positions_total",
    "aged_position_validation_failures_total",
    "aged_quantity_mismatches_total",
    "aged_close_validation_duration_seconds",
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The metrics of a running guard with one orphan."""

    async def scenario() -> str:
        async with site(tmp_path_factory.mktemp("metrics")) as guard:
            return await guard.metrics_with('sexton_orphans{account="bybit-main"} 1.0')

    return asyncio.run(scenario())


def names(text: str) -> set[str]:
    """Metric names as a query writes them; a histogram's is its base name."""
    return {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in text_string_to_metric_families(text)
        if not family.name.endswith("_created")
    }


def mentioned(text: str) -> set[str]:
    found = set(re.findall(r"\b(?:aged|sexton)_[a-z_]+\b", text))
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in found}


def test_the_promised_names_are_exported_with_the_account(exported: str) -> None:
    assert names(exported) >= PROMISED
    for line in (
        'aged_ghost_positions_total{account="bybit-main"} 0.0',
        'aged_close_validation_duration_seconds_count{account="bybit-main"} 0.0',
        'sexton_account_ready{account="bybit-main"} 1.0',
        "sexton_ready 1.0",
    ):
        assert line in exported.splitlines()
    assert 'sexton_api_calls_total{account="bybit-main",endpoint="fetch_positions"}' in exported
    opened = 'sexton_alerts_open{account="bybit-main",level="critical",type="orphaned_position"}'
    assert opened in exported


def test_statistics_outlive_the_process_and_validations_are_timed(tmp_path: Path) -> None:
    async def scenario() -> str:
        async with site(tmp_path) as guard:
            await guard.running.ledger.bump("bybit-main", {"ghost_positions_detected": 4})
        async with site(tmp_path) as guard:
            return await guard.metrics_with('aged_ghost_positions_total{account="bybit-main"} 4.0')

    assert "aged_ghost_positions_total" in asyncio.run(scenario())


def test_a_validation_lands_in_its_bucket(tmp_path: Path) -> None:
    tally = Tally(("a",))
    tally.judged("a", 0.3)
    lines = _exposed(tmp_path, tally).splitlines()
    name = "aged_close_validation_duration_seconds"
    assert f'{name}_bucket{{account="a",le="0.25"}} 0.0' in lines
    assert f'{name}_bucket{{account="a",le="0.5"}} 1.0' in lines


def test_while_the_ledger_is_away_its_counters_are_missing_not_zero(tmp_path: Path) -> None:
    text = _exposed(tmp_path, Tally(("a",)))
    assert "sexton_ledger_available 0.0" in text
    assert "aged_ghost_positions_total" not in text


def _exposed(folder: Path, tally: Tally) -> str:
    """The figures of a guard that knows nothing."""
    facts = Facts(
        at=Clock()(), nodes=(), accounts=(), ledger=None, delivery=None, counters=None, alerts=None
    )
    return asyncio.run(exposition(facts, settings_of(folder), tally)).decode()


def test_rules_dashboard_and_documentation_name_only_what_is_exported(exported: str) -> None:
    known = names(exported)
    rules = {rule["expr"] for group in _rules() for rule in group["rules"]}
    assert mentioned(" ".join(rules)) <= known
    board = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert queries
    assert mentioned(" ".join(queries)) <= known
    documented = mentioned((ROOT / "docs/metrics.md").read_text(encoding="utf-8"))
    assert documented == known


def test_every_rule_says_how_bad_it_is_and_what_to_do() -> None:
    rules = [rule for group in _rules() for rule in group["rules"]]
    assert len(rules) >= 6
    for rule in rules:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool on this machine")
def test_the_rules_fire_when_they_should_and_only_then() -> None:
    test = ROOT / "deploy/prometheus/alerts_test.yml"
    done = subprocess.run(
        ["promtool", "test", "rules", test.name],
        cwd=test.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
def test_the_unit_is_one_that_systemd_understands() -> None:
    unit = (ROOT / "deploy/systemd/sexton.service").read_text(encoding="utf-8")
    for line in ("Type=notify", "NoNewPrivileges=yes", "ProtectSystem=strict"):
        assert line in unit.splitlines()
    assert re.search(r"^WatchdogSec=\d+$", unit, re.MULTILINE)


def test_each_alert_type_has_its_section_in_the_runbook() -> None:
    text = (ROOT / "docs/alerts.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    found = {section.splitlines()[0].strip("`"): section for section in sections}
    for kind in AlertType:
        for part in ("**Meaning.**", "**What the guard did.**", "**What to do.**"):
            assert part in found[kind.value], (kind, part)


def _rules() -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return groups


def test_what_the_limits_leave_is_exported(exported: str) -> None:
    labels = '{account="bybit-main",limit="order/create 1s",scope="login"}'
    assert f"sexton_budget_limit{labels} 10.0" in exported.splitlines()
    assert f"sexton_budget_used{labels} 0.0" in exported.splitlines()
    spent = re.search(
        r'sexton_budget_spent\{account="bybit-main",lane="\w+",purpose="fetch_positions"\} (\S+)',
        exported,
    )
    assert spent is not None
    assert float(spent[1]) >= 1
    assert 'sexton_seconds_to_flat{account="bybit-main"} 0.0' in exported.splitlines()
