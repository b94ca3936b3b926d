"""A large guard, 5,000 legs, 200 accounts and 500 alerts, is shown in part; that part is small."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from actors import paths
from actors.aged_memory import AgedState
from actors.ledger import LedgerActor
from actors.ledger_access import LedgerState
from actors.orphans import OrphansState
from actors.runtime import ChildSpec, NodeInfo, Supervisor, System
from actors.venue_actor import ExchangeState
from console.control import protocol as p
from console.control.commands import Operator
from console.control.replies import AccountBudget
from console.top.app import PanelTable, Top
from console.top.look import Look, look
from console.top.urgency import troubles, urgent_alerts, urgent_nodes, urgent_rows
from console.web.facts import AccountFacts, Facts
from console.web.view import ACCOUNTS, ACTORS, ALERTS, LIMITS, POSITIONS, view
from messages.budget import BudgetUse, LimitScope, LimitUse
from messages.ledger import Alert, AlertLevel, AlertType, PositionRow
from messages.values import LegKey, Secret, Side
from storage import open_ledger
from tests.actors.kit import settings_of
from tests.console.screens import text_of
from tests.console.top.test_top_screen import AT, alert, node, row

LEGS = 5_000
NODES = (
    node(""),
    node("accounts"),
    *(
        one
        for account in range(200)
        for one in (
            node(f"accounts/a{account}"),
            node(f"accounts/a{account}/aged"),
            *(node(f"accounts/a{account}/aged/S{n}.long") for n in range(25)),
        )
    ),
)
ROWS = tuple(row(n, f"S{n}USDT", "long", hours=n % 50) for n in range(LEGS))
ALL_ALERTS = tuple(
    alert(n, AlertLevel.CRITICAL, AlertType.ORPHANED_POSITION, f"X{n}USDT", acked=n % 2 == 0)
    for n in range(500)
)
LARGE_EVENT = 64 * 1024
LARGE_REPLY = 512 * 1024


def naked(symbol: str, side: str = "long") -> Alert:
    of = alert(900, AlertLevel.CRITICAL, AlertType.NAKED_POSITION, symbol, acked=False)
    return msgspec.structs.replace(of, side=side)


def state(needed: str = "") -> AgedState:
    return AgedState(key=LegKey("bybit-main", "S", Side.LONG), operator_needed=needed)


def test_whoever_needs_a_person_comes_first_then_the_naked_the_aged_and_the_oldest() -> None:
    held = row(60, "HELDUSDT", "long", hours=90, held=True)
    rows = [*ROWS[:50], held]
    random.Random(3).shuffle(rows)
    aged = {7: state("margin is missing"), 8: state(), 49: state()}
    ordered = urgent_rows(rows, aged, [naked("S5/USDT:USDT")], len(rows))
    assert [row.id for row in ordered[:4]] == [7, 5, 49, 8]
    young = [row.opened_at for row in ordered[4:-1]]
    assert young == sorted(young, key=lambda at: at or AT)
    assert ordered[-1] is held


def test_a_row_whose_opening_nobody_knows_is_shown_all_the_same() -> None:
    unknown = msgspec.structs.replace(ROWS[0], opened_at=None)
    assert urgent_rows([unknown, ROWS[1]], {}, [], 5) == (ROWS[1], unknown)


def test_a_rows_trouble_is_its_worst_alert_in_any_spelling() -> None:
    differs = alert(1, AlertLevel.WARNING, AlertType.RECONCILIATION_MISMATCH, "S5USDT", acked=False)
    about_shorts = [differs, naked("S5/USDT:USDT", "short"), differs]
    shorts = [msgspec.structs.replace(row, side="short") for row in ROWS[:10]]
    assert troubles(shorts, about_shorts) == {5: AlertType.NAKED_POSITION}
    assert troubles(ROWS[:10], about_shorts) == {}


def test_unacknowledged_alerts_come_first_and_the_newest_of_them_first() -> None:
    shown = urgent_alerts(ALL_ALERTS, 3)
    assert [alert.id for alert in shown] == [499, 497, 495]


def test_an_actor_in_trouble_is_shown_with_its_parents_before_all_that_run() -> None:
    ill = node("accounts/a199/aged/S24.long", status="restarting", restarts=3)
    nodes = tuple(ill if one.path == ill.path else one for one in NODES)
    shown = urgent_nodes(nodes, 10)
    assert len(shown) == 10
    assert ill in shown
    known = {one.path for one in nodes}
    for one in shown:
        parent = one.path.rpartition("/")[0]
        assert not one.path or parent not in known or parent in {it.path for it in shown}


def overview_of(rows: tuple[PositionRow, ...], nodes: tuple[NodeInfo, ...]) -> p.Overview:
    few = p.GetOverview()
    shown = urgent_rows(rows, {}, ALL_ALERTS, few.rows)
    return p.Overview(
        service=p.Service(
            version="1", pid=1, mode="observe", accounts=tuple(f"a{n}" for n in range(200)),
            started_at=AT, uptime=1.0, dead_letters=0,
        ),
        nodes=urgent_nodes(nodes, few.nodes), node_count=len(nodes),
        rows=shown, row_count=len(rows), legs=(), aged=0, troubles={},
        alerts=urgent_alerts(ALL_ALERTS, few.alerts), alert_count=len(ALL_ALERTS), waiting=250,
        events=(),
    )  # fmt: skip


def test_the_live_view_draws_hundreds_of_lines_of_thousands_and_says_so() -> None:
    async def large(socket: Path, at: datetime) -> Look:
        return look(overview_of(ROWS, NODES), AT)

    async def scenario() -> None:
        app = Top(Path("control.sock"), every=3600.0, now=lambda: AT, look=large)
        async with app.run_test(size=(120, 40)) as pilot:
            async with asyncio.timeout(30):
                while "of 5000" not in text_of(app):
                    await pilot.pause()
            counts = {t.id: t.row_count for t in app.query(PanelTable)}
            assert counts == {"actors": 300, "positions": 200, "alerts": 100}
            shown = text_of(app)
            assert "200 of 5000, the most urgent" in shown
            assert "100 of 500, the most urgent" in shown
            assert "200 accounts" in shown

    asyncio.run(scenario())


def test_a_look_that_changes_one_cell_draws_no_line_anew() -> None:
    async def scenario() -> None:
        app = Top(Path("control.sock"), every=3600.0, now=lambda: AT)
        async with app.run_test(size=(120, 40)) as pilot:
            rows = ROWS[:9]
            seen = msgspec.structs.replace(overview_of(rows, NODES[:9]), rows=rows)
            app.show(look(seen, AT))
            await pilot.pause()
            table = app.query_one("#positions", PanelTable)
            before = list(table.rows.values())
            held = tuple(msgspec.structs.replace(row, held=row.id == 8) for row in rows)
            app.show(look(msgspec.structs.replace(seen, rows=held), AT))
            await pilot.pause()
            assert " held " in text_of(app)
            assert all(a is b for a, b in zip(before, table.rows.values(), strict=True))

    asyncio.run(scenario())


LIMIT = LimitUse(
    scope=LimitScope.ADDRESS,
    name="address",
    unit="requests",
    seconds=5,
    limit=600,
    used=30,
    used_by_guard=20,
)


def facts() -> Facts:
    accounts = tuple(
        AccountFacts(
            name=f"a{n}", exchange="bybit",
            connection=ExchangeState(
                account=f"a{n}", exchange="bybit", status="ready", last_read_at=AT
            ),
            orphans=OrphansState(
                account=f"a{n}", orphans=[f"a{n} X{m}/USDT:USDT long" for m in range(400)]
            ),
            reconciliation=None,
            budget=AccountBudget(
                account=f"a{n}",
                use=BudgetUse(account=f"a{n}", exchange="bybit", share=0.5, limits=(LIMIT,)),
            ),
        )
        for n in range(200)
    )  # fmt: skip
    return Facts(
        at=AT, nodes=NODES, accounts=accounts, ledger=LedgerState(), delivery=None,
        counters={}, alerts=ALL_ALERTS, rows=urgent_rows(ROWS, {}, ALL_ALERTS, POSITIONS),
        row_count=len(ROWS),
    )  # fmt: skip


def test_each_part_of_the_page_is_bounded_and_counts_what_it_leaves_out(tmp_path: Path) -> None:
    parts = view(facts(), settings_of(tmp_path))
    shown = {name: len(part["shown"]) for name, part in parts.items() if name != "head"}
    assert shown == {
        "alerts": ALERTS,
        "accounts": ACCOUNTS,
        "budget": LIMITS,
        "positions": POSITIONS,
        "tree": ACTORS,
    }
    counts = {name: part["count"] for name, part in parts.items() if name != "head"}
    assert counts == {
        "alerts": 500,
        "accounts": 200,
        "budget": 200,
        "positions": LEGS,
        "tree": len(NODES),
    }
    assert parts["accounts"]["shown"][0]["orphans"][-1] == "and 380 more"
    for name, part in parts.items():
        assert len(msgspec.json.encode(part)) < LARGE_EVENT, name


@pytest.mark.parametrize("few", [p.GetOverview(), p.GetOverview(rows=3, alerts=0, events=0)])
def test_a_service_with_thousands_of_rows_answers_with_a_bounded_reply(
    tmp_path: Path, few: p.GetOverview
) -> None:
    async def scenario() -> p.Reply:
        url = Secret(f"sqlite:///{tmp_path}/sexton.db")
        async with await open_ledger(url, now=lambda: AT) as ledger:
            _insert(tmp_path / "sexton.db")
            system = System(now=lambda: AT)
            child = ChildSpec(paths.LEDGER, lambda: LedgerActor(ledger, {}))
            await system.start(ChildSpec("sexton", lambda: Supervisor([child])))
            operator = Operator(system, mode="observe", accounts=lambda: ("bybit-main",))
            answer = await operator.answer(few)
            await system.stop()
            return answer

    answer = asyncio.run(scenario())
    assert isinstance(answer, p.Overview)
    assert (len(answer.rows), answer.row_count) == (few.rows, LEGS)
    oldest = min(row.opened_at or AT for row in answer.rows)
    assert answer.rows[0].opened_at == oldest == AT - timedelta(seconds=LEGS - 1)
    assert len(p.encode_line(answer)) < LARGE_REPLY


def _insert(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executemany(
            "INSERT INTO positions (account, symbol, side, quantity, entry_price, opened_at)"
            " VALUES ('bybit-main', ?, 'long', 1, 100, ?)",
            [(f"S{n}USDT", (AT - timedelta(seconds=n)).isoformat()) for n in range(LEGS)],
        )
