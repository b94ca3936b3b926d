"""`reload`: what can change changes under the running guard, and the rest is refused by name."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from console.config.reader import ConfigError, load_config
from console.control import protocol as p
from console.control.client import CommandRefusedError
from messages.ledger import PositionRow
from messages.values import Side
from simulator.faults import Fault, FaultKind
from simulator.instruments import Exchange
from tests.console.service.reload_kit import QUICK, XRP, Guard, account, guard, until

BOTH = ("accounts/bybit-main", "accounts/binance-main")
heard: list[str] = []


def hear(alert_type: str, exchange: str, symbol: str, details: dict[str, object]) -> None:
    """A channel of the tests' own, as an operator's function is."""
    heard.append(alert_type)


def test_a_changed_setting_rules_the_accounts_actors_from_then_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with guard(tmp_path) as g:
            await g.position(hours=2)
            leg = "accounts/bybit-main/aged/XRPUSDT.long"
            scans = g.state("accounts/bybit-main/aged/scan")["scans"]
            await until(
                lambda: g.state("accounts/bybit-main/aged/scan")["scans"] > scans + 1, "two scans"
            )
            assert not g.there(leg)
            done = await g.reload(g.both(QUICK.replace('max_age = "3h"', 'max_age = "1h"')))
            assert [str(change) for change in done.applied] == ["aged.max_age: 3h -> 1h"]
            assert not done.refused
            assert not done.troubles
            assert set(done.restarted) == set(BOTH)
            await until(lambda: g.there(leg), "the leg is aged now")

    asyncio.run(scenario())


def test_an_account_of_which_nothing_changed_is_not_touched(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with guard(tmp_path) as g:
            untouched = [path for path in g.running.system.cells if "binance-main" in path]
            before = {path: g.life(path) for path in untouched}
            bybit, keeper = g.life("accounts/bybit-main/exchange"), g.life("keeper")
            venues = dict(g.running.venues)
            text = QUICK + account("bybit-main", g.venue, orphans="protect")
            done = await g.reload(text + account("binance-main", g.venue))
            assert [c.key for c in done.applied] == ["accounts.bybit-main.orphans"]
            assert done.restarted == ("accounts/bybit-main",)
            await g.ready("bybit-main")
            assert g.life("accounts/bybit-main/exchange") is not bybit
            assert {path: g.life(path) for path in untouched} == before
            assert g.life("keeper") is keeper
            # The same logins: their sessions and rate limits go on.
            assert g.running.venues == venues
            assert g.state("accounts/binance-main/stream")["failures"] == 0

    asyncio.run(scenario())


def test_a_file_that_says_the_same_restarts_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with guard(tmp_path) as g:
            before = {path: cell.life for path, cell in g.running.system.cells.items()}
            text = g.file.read_text(encoding="utf-8")
            done = await g.reload(text.replace('"3h"', '"180m"') + "# a word more\n")
            assert done == p.Reloaded(file=str(g.file))
            assert str(done) == f"nothing in {g.file} has changed"
            assert {path: g.life(path) for path in before} == before

    asyncio.run(scenario())


def test_what_the_service_stands_on_is_refused_with_the_cure_and_the_rest_taken(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with guard(tmp_path) as g:
            text = g.both(QUICK.replace('"enforce"', '"observe"').replace('"3h"', '"4h"'))
            text += '[storage]\nurl = "sqlite:///other.db"\n[control]\nhttp = "127.0.0.1:1"\n'
            done = await g.reload(text)
            assert [str(change) for change in done.refused] == [
                "mode: enforce -> observe: needs a restart of the service",
                "storage.url: changed: needs a restart of the service",
                "control.http: added (127.0.0.1:1): needs a restart of the service",
            ]
            assert [str(change) for change in done.applied] == ["aged.max_age: 3h -> 4h"]
            assert (await g.client.call(p.GetService())).mode == "enforce"
            again = await g.client.call(p.Reload())
            assert not again.applied
            assert not again.restarted
            assert again.refused == done.refused

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "spoiled",
    [
        pytest.param(lambda text: text.replace('"3h"', "3"), id="a value"),
        pytest.param(lambda text: text + "[agde]\n", id="a table"),
        pytest.param(lambda text: text + "[[[\n", id="the notation"),
    ],
)
def test_a_file_with_mistakes_changes_nothing_and_says_what_run_would_say(
    tmp_path: Path, spoiled: object
) -> None:
    assert callable(spoiled)

    async def scenario() -> None:
        async with guard(tmp_path) as g:
            before = {path: cell.life for path, cell in g.running.system.cells.items()}
            text = g.both(QUICK.replace('"200ms"', '"300ms"'))
            with pytest.raises(CommandRefusedError) as refused:
                await g.reload(spoiled(text))
            with pytest.raises(ConfigError) as mistakes:
                load_config(g.file)
            assert refused.value.code == "bad_config"
            assert str(refused.value) == str(mistakes.value)
            assert {path: g.life(path) for path in before} == before
            assert g.running.system.cells["reload"].restarts == 0

    asyncio.run(scenario())


def test_what_must_stay_and_what_comes_have_to_fit_one_another(tmp_path: Path) -> None:
    async def scenario() -> None:
        source = (
            '[ledger]\nsource = "query"\nurl = "sqlite:///bot.db"\naccount = "binance-main"\n'
            'query = "SELECT 1"\n'
        )
        async with guard(tmp_path, QUICK + source) as g:
            with pytest.raises(CommandRefusedError, match=r"ledger\.account = binance-main"):
                await g.reload(QUICK + account("bybit-main", g.venue))
            assert g.there("accounts/binance-main/exchange")

    asyncio.run(scenario())


def test_a_dry_run_says_it_all_and_does_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with guard(tmp_path) as g:
            before = {path: cell.life for path, cell in g.running.system.cells.items()}
            text = QUICK.replace('"enforce"', '"observe"') + account("bybit-main", g.venue)
            done = await g.reload(text, dry_run=True)
            assert done.dry_run
            assert [change.key for change in done.applied] == ["accounts.binance-main"]
            assert [change.key for change in done.refused] == ["mode"]
            assert (
                str(done).splitlines()[0]
                == "would take: accounts.binance-main: removed (was binanceusdm)"
            )
            assert {path: g.life(path) for path in before} == before

    asyncio.run(scenario())


def test_an_account_is_taken_up_and_let_go_with_its_lease(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with guard(tmp_path, QUICK, "bybit-main") as g:
            done = await g.reload(g.both())
            assert [str(change) for change in done.applied] == [
                "accounts.binance-main: added (binanceusdm)"
            ]
            await g.ready("binance-main")
            assert (await g.client.call(p.GetService())).accounts == ("bybit-main", "binance-main")
            bybit = g.life("accounts/bybit-main/exchange")
            venue = g.running.venues["binance-main"]
            done = await g.reload(QUICK + account("bybit-main", g.venue))
            assert done.restarted == ("accounts/binance-main",)
            assert not [path for path in g.running.system.cells if "binance-main" in path]
            assert g.state("keeper")["held"] == ["bybit-main"]
            assert "binance-main" not in g.running.venues
            assert venue not in g.running.venues.values()
            # Its lease is free at once: another guard need not wait for it to end.
            lease = await g.running.ledger.acquire_lease(
                "binance-main", "another", timedelta(seconds=1)
            )
            assert getattr(lease, "token", 0) > 0
            assert g.life("accounts/bybit-main/exchange") is bybit
            with pytest.raises(CommandRefusedError, match="no account 'binance-main'"):
                await g.client.call(p.Scan(account="binance-main"))

    asyncio.run(scenario())


def test_a_new_key_is_used_by_a_new_connection_and_shown_nowhere(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with guard(tmp_path, QUICK, "bybit-main") as g:
            g.venue.market.add_account(
                "bybit-two", Exchange.BYBIT, key="second-key-4711", secret="second-secret-4711"
            )
            old = g.running.venues["bybit-main"]
            table = account(
                "bybit-main", g.venue, key="second-key-4711", secret="second-secret-4711"
            )
            done = await g.reload(QUICK + table)
            assert [str(change) for change in done.applied] == [
                "accounts.bybit-main.key: changed",
                "accounts.bybit-main.secret: changed",
            ]
            await g.ready("bybit-main")
            assert g.running.venues["bybit-main"] is not old
            await until(
                lambda: g.venue.requests.count("positions", "bybit-two") > 0, "the new key reads"
            )
            dump = json.dumps((await g.client.call(p.GetDump())).dump)
            events = repr(await g.running.ledger.events(kind="config_reloaded"))
            for text in (dump, events, repr(done)):
                assert "4711" not in text

    asyncio.run(scenario())


def test_a_key_that_may_withdraw_is_refused_and_the_account_stays_as_it_was(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with guard(tmp_path, QUICK, "bybit-main") as g:
            g.venue.market.add_account(
                "rich", Exchange.BYBIT, key="rich-key", secret="rich-secret", can_withdraw=True
            )
            before = g.life("accounts/bybit-main/exchange")
            rich = {"key": "rich-key", "secret": "rich-secret"}
            g.venue.market.add_account(
                "richer", Exchange.BYBIT, key="richer-key", secret="rich-secret", can_withdraw=True
            )
            richer = {**rich, "key": "richer-key"}
            text = QUICK + account("bybit-main", g.venue, orphans="adopt", **rich)
            done = await g.reload(text + account("bybit-new", g.venue, **richer))
            assert not done.applied
            assert not done.restarted
            assert [change.key for change in done.refused] == [
                "accounts.bybit-main.key",
                "accounts.bybit-main.secret",
                "accounts.bybit-main.orphans",
                "accounts.bybit-new",
            ]
            for change in done.refused:
                assert "may withdraw" in change.refused
                assert "allow_withdraw = true" in change.refused
            assert g.life("accounts/bybit-main/exchange") is before
            assert not g.there("accounts/bybit-new")
            allowed = await g.reload(
                QUICK + account("bybit-main", g.venue, allow_withdraw=True, **rich)
            )
            assert allowed.refused == ()
            back = await g.reload(QUICK + account("bybit-main", g.venue, **rich))
            assert [change.key for change in back.refused] == ["accounts.bybit-main.allow_withdraw"]

    asyncio.run(scenario())


def test_another_exchange_under_the_same_name_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with guard(tmp_path, QUICK, "bybit-main") as g:
            done = await g.reload(QUICK + account("bybit-main", g.venue, exchange="binanceusdm"))
            (change,) = done.refused
            assert str(change).startswith(
                "accounts.bybit-main.exchange: bybit -> binanceusdm: another exchange is another"
            )
            assert done.restarted == ()

    asyncio.run(scenario())


@pytest.mark.parametrize("lost", [False, True], ids=["on its way", "reply lost"])
def test_a_close_under_way_is_finished_once_whatever_the_reload_breaks_off(
    tmp_path: Path, lost: bool
) -> None:
    async def scenario() -> None:
        async with guard(tmp_path, QUICK, "bybit-main") as g:
            kind = FaultKind.DROP_AFTER if lost else FaultKind.DELAY
            g.venue.faults.order(Fault(kind=kind, endpoint="order.create", seconds=1.0))
            row = await g.position(hours=60)
            await until(lambda: bool(g.venue.requests.orders("bybit-main")), "the close is out")
            before = g.life("accounts/bybit-main/exchange")
            done = await g.reload(QUICK.replace('"3h"', '"4h"') + account("bybit-main", g.venue))
            assert done.restarted == ("accounts/bybit-main",)
            assert g.life("accounts/bybit-main/exchange") is not before
            closed = await g.closed(row)
            assert closed.exit_source == "fill"
            assert len(g.venue.requests.orders("bybit-main")) == 1
            (intent,) = await g.running.ledger.intents(account="bybit-main")
            assert (intent.state, intent.filled, intent.booked) == ("done", Decimal(10), True)
            assert g.venue.market.quantity("bybit-main", XRP, Side.LONG) == 0
            assert len(await g.running.ledger.rows(account="bybit-main")) == 1

    asyncio.run(scenario())


def test_reloads_without_end_neither_double_a_close_nor_keep_one_from_its_end(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with guard(tmp_path, QUICK, "bybit-main") as g:
            g.venue.faults.order(
                Fault(kind=FaultKind.DELAY, endpoint="order.create", seconds=0.3, count=None)
            )
            row = await g.position(hours=60)
            for number in range(10):
                # Every reload is a change, and comes at another moment of the close.
                seen = _requests(g)
                await until(partial(_moved_on, g, row, seen + number % 4), "the close moves on")
                text = QUICK.replace('"3h"', f'"{180 + number}m"')
                done = await g.reload(text + account("bybit-main", g.venue))
                assert not done.troubles
            closed = await g.closed(row)
            assert closed.exit_source == "fill"
            intents = await g.running.ledger.intents(account="bybit-main")
            assert [i.state for i in intents if i.filled] == ["done"]
            assert sum(i.filled for i in intents) == Decimal(10)
            ids = [order.params["orderLinkId"] for order in g.venue.requests.orders("bybit-main")]
            assert len(ids) == len(set(ids))

    asyncio.run(scenario())


def _requests(g: Guard) -> int:
    return sum(sum(counts.values()) for counts in g.venue.requests.counts.values())


async def _moved_on(g: Guard, row: PositionRow, seen: int) -> bool:
    """More requests than those seen, or nothing left to ask for."""
    found = await g.running.ledger.row(row.id)
    return _requests(g) > seen or (found is not None and found.status == "closed")


def test_alerts_are_told_anew_and_no_account_notices(tmp_path: Path) -> None:
    async def scenario() -> None:
        heard.clear()
        async with guard(tmp_path, QUICK, "bybit-main") as g:
            table = account("bybit-main", g.venue)
            before = g.life("accounts/bybit-main/exchange")
            assert not g.there("delivery")
            channel = f'[alerts]\ncallable = "{__name__}:hear"\n'
            done = await g.reload(QUICK + table + channel)
            assert done.restarted == ("delivery", "alerts")
            await _orphan(g)
            await until(lambda: "orphaned_position" in heard, "the channel hears of the orphan")
            quieter = await g.reload(QUICK + table + channel + 'daily_summary = "off"\n')
            assert quieter.restarted == ("delivery", "alerts")
            unusable = await g.reload(QUICK + table + '[alerts]\ncallable = "no_such:thing"\n')
            assert unusable.restarted == ()
            assert "no_such can't be imported" in unusable.refused[0].refused
            off = await g.reload(QUICK + table)
            assert off.restarted == ("delivery", "alerts")
            assert not g.there("delivery")
            on = await g.reload(QUICK + table + channel)
            assert on.restarted == ("delivery", "alerts")
            assert g.life("delivery") is not None
            assert g.life("accounts/bybit-main/exchange") is before

    asyncio.run(scenario())


def test_a_channel_that_was_there_from_the_start_goes_and_comes_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        channel = f'[alerts]\ncallable = "{__name__}:hear"\n'
        async with guard(tmp_path, QUICK + channel, "bybit-main") as g:
            table = account("bybit-main", g.venue)
            await g.reload(QUICK + table)
            assert g.life("delivery") is None
            back = await g.reload(QUICK + channel + table)
            assert back.restarted == ("delivery", "alerts")
            assert g.life("delivery") is not None

    asyncio.run(scenario())


async def _orphan(g: Guard) -> None:
    price = g.venue.market.price(Exchange.BYBIT, XRP)
    g.venue.market.open_position("bybit-main", XRP, Side.SHORT, Decimal(5), price)
    await g.client.call(p.Scan())


def test_a_reload_that_was_broken_off_is_made_good_by_the_next(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with guard(tmp_path) as g:
            system = g.running.system
            system.suspend("accounts")
            g.write(g.both(QUICK.replace('"3h"', '"4h"')))
            broken = asyncio.create_task(g.client.call(p.Reload()))
            waiting = system.cells["accounts"].mailbox
            await until(lambda: len(waiting) > 0, "the first restart is ordered")
            system.kill("reload")
            with pytest.raises(CommandRefusedError, match="reload ended with the request in hand"):
                await broken
            system.resume("accounts")
            done = await g.client.call(p.Reload())
            assert done.applied == ()
            assert set(done.restarted) <= set(BOTH)
            assert "accounts/binance-main" in done.restarted
            third = await g.client.call(p.Reload())
            assert third.restarted == ()

    asyncio.run(scenario())


def test_while_an_account_takes_its_time_to_stop_no_lease_ends(tmp_path: Path) -> None:
    async def scenario() -> None:
        lease = '[storage]\nlease = "4s"\n'
        async with guard(tmp_path, QUICK + lease) as g:
            # As good as a stop that takes long: the supervisor of all accounts does not answer.
            g.running.system.suspend("accounts")
            file = tmp_path / "var/sexton.db"
            ends: set[str] = set()

            def renewed() -> bool:
                with closing(sqlite3.connect(file, timeout=10)) as connection:
                    found = connection.execute("SELECT expires_at FROM leases").fetchall()
                assert len(found) == 2
                for (end,) in found:
                    assert datetime.fromisoformat(end).replace(tzinfo=UTC) > datetime.now(UTC)
                ends.update(end for (end,) in found)
                return len(ends) >= 8

            await until(renewed, "each lease was prolonged three times")
            g.running.system.resume("accounts")

    asyncio.run(scenario())


def test_each_reload_is_in_the_trail_with_who_asked(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with guard(tmp_path, QUICK, "bybit-main") as g:
            await g.reload(QUICK.replace('"3h"', '"4h"') + account("bybit-main", g.venue))
            (event,) = await g.running.ledger.events(kind="config_reloaded")
            assert event.details["by"] == "ann"
            assert event.details["applied"] == ["aged.max_age: 3h -> 4h"]
            assert event.details["restarted"] == ["accounts/bybit-main"]

    asyncio.run(scenario())
