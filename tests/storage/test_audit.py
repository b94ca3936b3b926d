"""Events: append-only, in one order, each once."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messages.ledger import EventDraft
from messages.values import Secret
from storage import Ledger, open_ledger
from tests.storage.build import KEY, event
from tests.storage.conftest import START, OpenLedger
from tests.storage.test_positions import bot_says


async def test_the_same_event_twice_is_one_event(opened: OpenLedger) -> None:
    async with opened() as ledger:
        first = await ledger.append_event(event(details={"n": 1}))
        assert await ledger.append_event(event(details={"n": 2})) == first
        assert await ledger.events() == (first,)


async def test_events_are_read_on_from_a_point_and_by_what_they_are_about(
    opened: OpenLedger,
) -> None:
    drafts = [
        event("a", kind="scan", symbol="BTC/USDT:USDT"),
        event("b", kind="scan", account="binance"),
        event("c", kind="close", symbol="BTC/USDT:USDT"),
    ]
    async with opened() as ledger:
        a, b, c = await ledger.append_events(drafts)
        assert a.seq < b.seq < c.seq
        assert await ledger.events() == (a, b, c)
        assert await ledger.events(newest_first=True, limit=2) == (c, b)
        assert await ledger.events(after_seq=a.seq) == (b, c)
        assert await ledger.events(kind="scan") == (a, b)
        assert await ledger.events(account="bybit-main") == (a, c)
        assert await ledger.events(symbol="BTC/USDT:USDT", kind="close") == (c,)


async def test_nobody_who_reads_on_ever_misses_an_event_of_concurrent_writers(
    opened: OpenLedger,
) -> None:
    seen: list[str] = []

    async def write(ledger: Ledger, writer: int) -> None:
        for number in range(10):
            await ledger.append_event(event(f"{writer}-{number}"))

    async def read_on(ledger: Ledger) -> None:
        last = 0
        while len(seen) < 40:
            for found in await ledger.events(after_seq=last):
                seen.append(found.event_id)
                last = found.seq

    async with opened() as ledger, opened() as second, asyncio.timeout(30):
        await asyncio.gather(
            read_on(ledger), *(write((ledger, second)[n % 2], n) for n in range(4))
        )
    assert sorted(seen) == sorted(f"{w}-{n}" for w in range(4) for n in range(10))


async def test_the_database_refuses_to_change_an_event(opened: OpenLedger, url: str) -> None:
    async with opened() as ledger:
        await ledger.append_event(event())
        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            await bot_says(url, "UPDATE events SET kind = 'nothing happened'")


async def test_details_keep_amounts_instants_and_structs_as_plain_json(
    opened: OpenLedger,
) -> None:
    details: dict[str, object] = {"size": Decimal("1.50"), "at": START, "leg": KEY, "x": [1, None]}
    async with opened() as ledger:
        await ledger.append_event(event(details=details))
        (found,) = await ledger.events()
    assert found.details == {
        "size": "1.50",
        "at": "2026-03-01T12:00:00.123456Z",
        "leg": {"account": KEY.account, "symbol": KEY.symbol, "side": "long"},
        "x": [1, None],
    }


async def test_a_secret_is_never_written_into_an_event(opened: OpenLedger) -> None:
    async with opened() as ledger:
        with pytest.raises(sa.exc.StatementError, match="Secret"):
            await ledger.append_event(event(details={"key": Secret("hunter2")}))
        assert await ledger.events() == ()


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def _storable(value: object) -> object:
    """NUL and lone surrogates, which a venue's reply may hold, are the one thing replaced."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_storable(one) for one in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(one) for key, one in value.items()}
    return value


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts=st.lists(st.text(), min_size=2, max_size=2), value=ANYTHING)
def test_no_text_that_a_venue_may_send_can_break_the_audit_trail(
    url: str, texts: list[str], value: object
) -> None:
    async def story() -> None:
        async with await open_ledger(url, now=lambda: START) as ledger:
            seq = (await ledger.events(newest_first=True, limit=1) or [None])[0]
            draft = EventDraft(
                event_id=f"{seq.seq if seq else 0}",
                at=START,
                kind="k",
                symbol=texts[0],
                actor=texts[1],
                details={"value": value},
            )
            written = await ledger.append_event(draft)
            assert (written.symbol, written.actor) == (_storable(texts[0]), _storable(texts[1]))
            assert written.details == {"value": _storable(value)}

    asyncio.run(story())
