"""Every alert has its words in one place, and its page in the runbook."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import combinations
from pathlib import Path

import msgspec
import pytest

from messages.execution import ErrorCode, ExecutionResult
from messages.ledger import Alert, AlertDraft, AlertType, ExitSource
from messages.values import ZERO, LegKey, Side
from messages.venue import VenueError, VenueErrorKind
from messages.verdict import Accounting, Unexplained
from rules import absence_alerts, alerts, guard_alerts
from rules.diff import NetMismatch, QuantityMismatch
from rules.legs import UnusableRow
from rules.pnl import Exit
from rules.protection import Cover, Coverage
from tests.actors.kit import settings_of
from tests.rules import build
from tests.rules.build import leg

ROOT = Path(__file__).parents[2]
WORDS = ("rules/alerts.py", "rules/absence_alerts.py", "rules/guard_alerts.py")
AT = build.T0
ONE, TEN = Decimal(1), Decimal(10)


def every_alert(key: LegKey) -> tuple[AlertDraft, ...]:
    """What can be said of one leg, of its account and of the guard."""
    held, position = leg(key, "10"), build.position(key, "9")
    result = ExecutionResult(
        key=key, success=False, requested=TEN, error_code=ErrorCode.UNKNOWN, error_message="no"
    )
    bare = Coverage(level=Cover.NAKED)
    eth = leg(msgspec.structs.replace(key, symbol="ETH/USDT:USDT"), "10")
    gone = Unexplained(
        why="no closing",
        since=AT,
        reads=(),
        accounting=Accounting(since=AT, needed=TEN, closed=ZERO),
    )
    settings = settings_of(ROOT)
    error = VenueError(kind=VenueErrorKind.NETWORK, message="timed out")
    path = f"accounts/{key.account}/aged/{key.actor_name}"
    exit_ = Exit(price=TEN, quantity=TEN, pnl=ZERO, fees=ZERO, source=ExitSource.UNKNOWN)
    return (
        alerts.insufficient_balance(key, (7,), result),
        alerts.operator_needed(key, (7,), result),
        alerts.close_failed(key, (7,), result),
        alerts.ghost(held, exit_, "gone", copied=False, reconciled=False),
        alerts.orphan_found(position, bare, settings.accounts[0], AT),
        alerts.orphan_policy_failed(key, "no price"),
        alerts.naked(position, bare),
        alerts.mismatch(QuantityMismatch(leg=held, position=position, difference=-ONE)),
        alerts.unusable_row(key.account, UnusableRow(row=held.rows[0], why="no side")),
        alerts.net_mismatch(NetMismatch(long=eth, short=held, expected=TEN, held=ONE)),
        absence_alerts.unexplained_absence(held, gone),
        absence_alerts.account_suspect(key.account, "none is shown", (key,)),
        absence_alerts.identity_changed(key.account, "1", "2"),
        absence_alerts.identity_shared(f"{key.account}-2", "other", "1"),
        absence_alerts.unjudged(
            key.account, "row 1", "dated ahead", since=AT, after=timedelta(minutes=10)
        ),
        guard_alerts.degraded(key.account, AT, error),
        guard_alerts.worker_crashed(key.account, path, "KeyError()"),
        guard_alerts.actor_crashed(
            path,
            key.account,
            class_name="AgedLeg",
            message_type="",
            error="KeyError()",
            restarts=1,
            uptime=1.0,
        ),
        guard_alerts.quarantined(path, key.account, failures=5, why="no key", retry_in=30.0),
        guard_alerts.supervisor_gave_up(
            path, key.account, child="scan", intensity=5, period=60.0, why="no"
        ),
        guard_alerts.channel_refuses("mail", 5, "550"),
        guard_alerts.bot_not_told((7, 8), "HTTP 503"),
        guard_alerts.events_stay("disk full"),
        guard_alerts.daily_summary(AT, settings, positions=1, alerts=(), moved={}),
    )


LEG = LegKey("main", "BTC/USDT:USDT", Side.LONG)


def test_every_type_of_alert_has_its_words() -> None:
    said = every_alert(LEG)
    assert {draft.type for draft in said} == set(AlertType)
    for draft in said:
        assert all((draft.title, draft.seen, draft.done, draft.next_step)), draft


def test_every_function_of_the_words_is_among_them() -> None:
    """Or the test above would miss a new one."""
    functions = {name for file in WORDS for name in _returning_a_draft(ROOT / file)}
    called = ast.parse((ROOT / "tests/actors/test_alert_words.py").read_text(encoding="utf-8"))
    named = {node.attr for node in ast.walk(called) if isinstance(node, ast.Attribute)}
    changing = {"ghost_only_observed", "perhaps_renamed"}
    assert functions - named == changing, "these change what a ghost's or an orphan's says"


def test_two_alerts_never_share_a_dedup_key() -> None:
    other = LegKey(LEG.account, LEG.symbol, Side.SHORT)
    of_legs = [draft.dedup_key for draft in every_alert(LEG)]
    assert not _twice(of_legs)
    mine = {d.dedup_key for d in every_alert(LEG) if d.side}
    assert mine.isdisjoint(d.dedup_key for d in every_alert(other) if d.type is not _ROW)


_ROW = AlertType.UNUSABLE_ROW
"""Known by its row, whatever the side that it names."""


def test_an_alert_is_known_again_as_an_aged_legs_or_a_mismatchs() -> None:
    stored = [_stored(draft) for draft in every_alert(LEG)]
    aged = {alert.dedup_key for alert in stored if alerts.is_of_aged_leg(alert)}
    assert aged == set(alerts.aged_keys(LEG))
    mismatches = [alert.dedup_key for alert in stored if alerts.is_of_mismatch(alert)]
    eth = msgspec.structs.replace(LEG, symbol="ETH/USDT:USDT")
    assert mismatches == [alerts.mismatch_key(LEG), alerts.mismatch_key(eth)]


def test_every_type_of_alert_has_its_heading_in_the_runbook() -> None:
    text = (ROOT / "docs/alerts.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^## `(\w+)`$", text, re.MULTILINE)) == sorted(AlertType)


@pytest.mark.parametrize("room", ["actors", "console"])
def test_no_alert_is_worded_anywhere_else(room: str) -> None:
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in sorted((ROOT / room).rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "AlertDraft"
    ]
    assert found == []


def _returning_a_draft(file: Path) -> Iterator[str]:
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if (
            isinstance(node, ast.FunctionDef)
            and isinstance(node.returns, ast.Name)
            and node.returns.id == "AlertDraft"
            and not node.name.startswith("_")
        ):
            yield node.name


def _twice(keys: Iterable[str]) -> list[str]:
    return [one for one, other in combinations(keys, 2) if one == other]


def _stored(draft: AlertDraft) -> Alert:
    facts = {name: getattr(draft, name) for name in AlertDraft.__struct_fields__}
    return Alert(**facts, id=1, raised_at=AT, last_seen_at=AT)
