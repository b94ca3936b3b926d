"""PostgreSQL stopped, frozen or out of reach: an outage with a name, and then work goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
import sqlalchemy as sa

from messages.ledger import Intent, Lease
from storage import Ledger, LedgerRefused, LedgerUnavailable, StaleLease, open_ledger
from storage.audit import APPEND_LOCK
from tests.storage.build import close, event, intent, position
from tests.storage.conftest import Clock, OpenLedger
from tests.storage.patience import patiently
from tests.storage.postgres import Server


@pytest.fixture
def url(postgres_url: str) -> str:
    return postgres_url


@pytest.fixture
def crashed(postgres: Server) -> Iterator[Server]:
    """The server, which the test may halt: it runs again afterwards in any case."""
    yield postgres
    postgres.start_if_down()


async def test_a_stopped_server_is_an_outage_and_the_same_ledger_goes_on_when_it_is_back(
    opened: OpenLedger, crashed: Server
) -> None:
    async with opened() as ledger:
        row = await ledger.add_position(position())
        await ledger.commit_intent(intent())
        await asyncio.to_thread(crashed.halt)
        for _ in range(2):
            with pytest.raises(
                LedgerUnavailable, match=r"connection to PostgreSQL is lost|stopping"
            ):
                await ledger.commit_intent(intent("sx-2"))
        with pytest.raises(LedgerUnavailable):
            await ledger.active_rows()
        await asyncio.to_thread(crashed.start)
        assert await ledger.active_rows() == (row,)
        assert await ledger.commit_intent(intent("sx-2")) == intent("sx-2")
        assert [one.client_order_id for one in await ledger.intents()] == ["sx-1", "sx-2"]


async def test_work_under_way_while_the_server_is_stopped_and_started_is_all_done_once(
    opened: OpenLedger, crashed: Server
) -> None:
    outages: list[str] = []
    under_way, struck = asyncio.Event(), asyncio.Event()
    through: list[Intent] = []

    async def closes(ledger: Ledger, number: int) -> None:
        """What an actor does: an intent, then the closing, each repeated until it is in."""
        one = intent(f"sx-{number}")

        def heard(error: LedgerUnavailable, _wait: float) -> None:
            outages.append(str(error))
            struck.set()

        row = await patiently(
            lambda: ledger.add_position(position(request_id=f"r{number}")), on_outage=heard
        )
        through.append(
            await patiently(lambda: ledger.commit_intent(one), on_outage=heard, last=0.5)
        )
        if len(through) == 20:
            under_way.set()
        closed = await patiently(
            lambda: ledger.close_rows(
                [close(row.id)], event=event(f"e{number}"), counters={"closed": 1}
            ),
            on_outage=heard,
            last=0.5,
        )
        assert closed.changed == (row.id,)

    async def work(ledger: Ledger, first: int) -> None:
        for number in range(first, first + 25):
            await closes(ledger, number)

    async def strike() -> None:
        await under_way.wait()
        await asyncio.to_thread(crashed.halt)
        await struck.wait()
        assert len(through) < 100
        await asyncio.to_thread(crashed.start)

    async with opened() as ledger, asyncio.timeout(60):
        await asyncio.gather(strike(), *(work(ledger, 25 * n) for n in range(4)))
        assert outages
        assert len(await ledger.rows(status="closed")) == len(await ledger.rows()) == 100
        assert len(await ledger.intents()) == 100
        assert len(await ledger.events(limit=1000)) == 100
        assert await ledger.counters() == {"bybit-main": {"closed": 100}}


async def test_a_server_that_hangs_is_an_outage_and_not_silence(
    opened: OpenLedger, postgres: Server, url: str, clock: Clock
) -> None:
    async with await open_ledger(url, now=clock, patience=0.5) as ledger:
        await ledger.append_event(event("before"))
        postgres.freeze()
        try:
            with pytest.raises(LedgerUnavailable, match=r"not answered for 0\.5 s"):
                await ledger.append_event(event("during"))
        finally:
            postgres.thaw()
        await patiently(lambda: ledger.append_event(event("during")))
        assert [one.event_id for one in await ledger.events()] == ["before", "during"]


class Wire:
    """A way to the server that can be cut: bytes are swallowed, and nobody is told."""

    def __init__(self, server: Server, folder: Path) -> None:
        self._target = str(server.sockets / ".s.PGSQL.5432")
        self._folder = folder
        self._whole = asyncio.Event()
        self._whole.set()
        self._pumps: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Wire:
        path = str(self._folder / ".s.PGSQL.5432")
        self._server = await asyncio.start_unix_server(self._connected, path)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        self._whole.set()

    async def _connected(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, there = await asyncio.open_unix_connection(self._target)
        for source, target in ((near, there), (far, back)):
            self._pumps.add(asyncio.create_task(self._pump(source, target)))

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            await self._whole.wait()
            target.write(data)
        target.close()


async def test_a_guard_that_is_cut_off_is_replaced_and_can_write_nothing_when_it_is_back(
    postgres: Server, url: str, tmp_path: Path
) -> None:
    def now() -> datetime:
        return datetime.now(UTC)

    term = timedelta(seconds=0.5)
    through_wire = url.replace(str(postgres.sockets), str(tmp_path))
    async with Wire(postgres, tmp_path) as wire, await open_ledger(url, now=now) as second:
        async with await open_ledger(through_wire, now=now, patience=1) as first:
            lease = await first.acquire_lease("bybit-main", "one", term)
            assert isinstance(lease, Lease)
            await first.append_event(event("before"), lease=lease)
            wire.cut()
            with pytest.raises(LedgerUnavailable, match="not answered"):
                await first.append_event(event("while cut off"), lease=lease)
            taken = await second.acquire_lease("bybit-main", "two", term)
            assert isinstance(taken, Lease)
            await second.append_event(event("successor"), lease=taken)
            wire.mend()
            with pytest.raises(StaleLease):
                await patiently(lambda: first.append_event(event("back"), lease=lease))
        told = [one.event_id for one in await second.events()]
    assert told == ["before", "successor"]


async def test_a_ledger_whose_server_hangs_can_still_be_closed(
    postgres: Server, url: str, tmp_path: Path, clock: Clock
) -> None:
    through_wire = url.replace(str(postgres.sockets), str(tmp_path))
    async with Wire(postgres, tmp_path) as wire, asyncio.timeout(20):
        ledger = await open_ledger(through_wire, now=clock, patience=0.3)
        wire.cut()
        with pytest.raises(LedgerUnavailable):
            await ledger.append_event(event())
        await ledger.close()


async def test_a_session_that_the_server_ends_costs_at_most_one_outage(
    opened: OpenLedger, postgres: Server, url: str
) -> None:
    async with opened() as ledger:
        await ledger.append_event(event("before"))
        with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'sexton'"
            )
        await ledger.append_event(event("after"))
        assert len(await ledger.events()) == 2


async def test_a_server_that_is_read_only_says_so(
    opened: OpenLedger, postgres: Server, url: str
) -> None:
    async with opened() as ledger:
        await ledger.append_event(event())
    name = url.partition("@/")[2].partition("?")[0]
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    async with opened() as ledger:
        assert len(await ledger.events()) == 1
        with pytest.raises(LedgerUnavailable, match="read-only"):
            await ledger.append_event(event("e2"))


async def test_a_server_that_is_not_there_is_an_outage(clock: Clock, url: str) -> None:
    with pytest.raises(LedgerUnavailable, match="is the server up"):
        await open_ledger("postgresql://postgres@127.0.0.1:1/x", now=clock)


async def test_a_database_or_user_that_does_not_exist_is_refused(
    postgres: Server, clock: Clock, url: str
) -> None:
    with pytest.raises(LedgerRefused, match="does not exist"):
        await open_ledger(postgres.url("nowhere"), now=clock)
    with pytest.raises(LedgerRefused, match="does not exist"):
        await open_ledger(url.replace("postgres@", "nobody@"), now=clock)


async def test_two_guards_that_close_the_same_rows_in_opposite_order_never_deadlock(
    opened: OpenLedger, postgres: Server
) -> None:
    async with opened() as first, opened() as second:
        rows = [await first.add_position(position()) for _ in range(6)]
        there = [close(row.id) for row in rows]
        answers = await asyncio.gather(
            *(
                (first, second)[n % 2].close_rows(
                    there if n % 2 else there[::-1], event=event(f"e{n}")
                )
                for n in range(6)
            )
        )
        changed = [row_id for answer in answers for row_id in answer.changed]
        assert sorted(changed) == [row.id for row in rows]
    assert "deadlock detected" not in postgres.log()


async def test_a_deadlock_with_a_bots_transaction_is_tried_again_and_nobody_notices(
    opened: OpenLedger, postgres: Server, url: str
) -> None:
    name = url.partition("@/")[2].partition("?")[0]
    async with opened() as ledger:
        one, two = [(await ledger.add_position(position())).id for _ in range(2)]
        bot = await psycopg.AsyncConnection.connect(postgres.conninfo(name))
        # The bot never looks for deadlocks itself, so that ours is the one to be given up.
        await bot.execute("SET deadlock_timeout = '60s'")
        touch = "UPDATE positions SET held = true WHERE id = %s"
        await bot.execute(touch, (two,))
        closing = asyncio.create_task(ledger.close_rows([close(one), close(two)], event=event()))
        await _blocked(bot)
        await bot.execute(touch, (one,))
        await bot.commit()
        await bot.close()
        assert (await closing).changed == (one, two)
    assert "deadlock detected" in postgres.log()


async def test_an_event_is_not_seen_before_an_earlier_one_that_commits_late(
    opened: OpenLedger, postgres: Server, url: str
) -> None:
    name = url.partition("@/")[2].partition("?")[0]
    slow = await psycopg.AsyncConnection.connect(postgres.conninfo(name))
    async with opened() as ledger:
        await slow.execute("SELECT pg_advisory_xact_lock(%s)", (APPEND_LOCK,))
        await slow.execute(
            "INSERT INTO events (event_id, at, kind, account, symbol, side, actor, details)"
            " VALUES ('slow', now(), '', '', '', '', '', '{}')"
        )
        quick = asyncio.create_task(ledger.append_event(event("quick")))
        await _blocked(slow)
        assert await ledger.events() == ()
        await slow.commit()
        await quick
        assert [one.event_id for one in await ledger.events()] == ["slow", "quick"]
    await slow.close()


async def _blocked(connection: psycopg.AsyncConnection) -> None:
    """Wait until another session waits for a lock."""
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    async with asyncio.timeout(10):
        while await _count(connection, waiting) == 0:  # noqa: ASYNC110 - the server brings it about
            await asyncio.sleep(0.01)


async def _count(connection: psycopg.AsyncConnection, query: LiteralString) -> int:
    row = await (await connection.execute(query)).fetchone()
    assert row is not None
    return int(row[0])


async def test_no_statement_is_prepared_that_a_pooler_would_look_for_in_another_session(
    opened: OpenLedger,
) -> None:
    async with opened() as ledger:
        for number in range(20):
            await ledger.append_event(event(f"e{number}"))
            await ledger.active_rows()
        count = sa.text("SELECT count(*) FROM pg_prepared_statements")
        async with ledger._db.engines.write.connect() as connection:
            assert (await connection.execute(count)).scalar() == 0


async def test_a_pooler_that_takes_no_session_settings_is_refused_with_the_way_out(
    tmp_path: Path, clock: Clock
) -> None:
    """What pgbouncer 1.18 answers, byte for byte but for its severity's translation."""
    said = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0"

    async def bouncer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.write(b"N")  # the client asks for TLS first
        await reader.read(1000)
        writer.write(b"E" + (4 + len(said)).to_bytes(4, "big") + said)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(bouncer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(LedgerRefused, match=r"a pooler stands before.*lead to PostgreSQL"):
            await open_ledger(f"postgresql://postgres@127.0.0.1:{port}/x", now=clock)
