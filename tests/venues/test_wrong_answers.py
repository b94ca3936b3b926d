"""No wrong answer of a venue, to the list or to the question for one symbol, makes a leg absent.

From the bytes on the wire, through the real ccxt classes and the gateway, to the verdict. The
settings are the most credulous that there are: any two complete reads confirm.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from messages.settings import VerdictSettings
from messages.values import LegKey, Side
from messages.venue import Fill, Snapshot
from messages.verdict import Absent, Present, Unexplained, Unknown, Verdict
from rules.explanation import BEFORE_OPENING
from rules.leg_records import Account, History
from rules.verdict import LegFacts, judge
from tests.venues.bodies import ALL, BY_EXCHANGE, VenueBodies
from tests.venues.canned import Answer, Seen
from tests.venues.conftest import Opened, now, run
from venues.exchanges import EXCHANGES

Json = Any
GONE = (Absent, Unexplained)
"""The verdicts that say that a leg is not there, with and without a record of its end."""

CREDULOUS = VerdictSettings(confirm_after=timedelta(0), settle=timedelta(0))
HTML = "<html><body>Service is being upgraded</body></html>"
every_venue = pytest.mark.parametrize("bodies", ALL, ids=lambda bodies: bodies.exchange)


def key_of(bodies: VenueBodies, symbol: str | None = None) -> LegKey:
    return LegKey("main", symbol or bodies.symbol, Side.LONG)


def verdict(key: LegKey, *snapshots: Snapshot, sold: bool = False) -> Verdict:
    """What is made of reads alone, or (`sold`) of reads and a fill that closed the leg."""
    at = snapshots[0].started_at - timedelta(minutes=5)
    fill = Fill(
        fill_id="1",
        order_id="2",
        symbol=key.symbol,
        side=key.side.closing,
        quantity=Decimal(1),
        price=Decimal(50000),
        at=at,
    )
    opened = at - timedelta(minutes=5)
    account = Account(
        key=key,
        rows_quantity=Decimal(1),
        opened_at=opened,
        history=History(since=opened - BEFORE_OPENING, fills=(fill,) if sold else ()),
    )
    facts = LegFacts(account=account, now=now(), snapshots=snapshots, changed_at=opened)
    return judge(facts, CREDULOUS)


REFUSALS: dict[str, Json] = {
    "bybit": {"retCode": 10016, "retMsg": "Server error", "result": {"list": []}},
    "binanceusdm": {"code": -1001, "msg": "Internal error; unable to process your request."},
    "okx": {"code": "50001", "msg": "Service temporarily unavailable", "data": []},
    "bitget": {"code": "40725", "msg": "service return an error", "data": []},
    "gate": {"label": "SERVER_ERROR", "message": "internal"},
    "kucoinfutures": {"code": "500000", "msg": "Internal Server Error", "data": []},
    "hyperliquid": {"status": "err", "response": "internal", "assetPositions": None},
    "krakenfutures": {"result": "error", "error": "Server Error", "openPositions": []},
    "mexc": {"success": False, "code": 500, "message": "Internal error", "data": []},
    "bingx": {"code": 80012, "msg": "Service unavailable", "data": []},
}
"""Refusals at HTTP 200, most of them with an empty list."""


def wrong_answers(bodies: VenueBodies) -> dict[str, Answer]:
    row = bodies.row(bodies.size)
    whole = Answer(body=bodies.listed([row])).written
    empty = Answer(body=bodies.listed([])).written
    wrong: dict[str, Answer] = {}
    success = EXCHANGES[bodies.exchange].facts.success
    if success is not None:
        unsaid = dict(bodies.listed([]))
        unsaid.pop(success[0])
        wrong["no word of success"] = Answer(body=unsaid)
    return wrong | {
        "empty body": Answer(text=""),
        "blank body": Answer(text=" \n"),
        "HTML": Answer(text=HTML),
        "HTML around a list": Answer(text=f"<html>{empty}</html>"),
        "cut JSON": Answer(text=whole[: len(whole) // 2]),
        "all but the last brace": Answer(text=empty[:-1]),
        "two documents": Answer(text=empty + empty),
        "dropped line": Answer(text=empty[:5], cut=True),
        "null": Answer(text="null"),
        "empty object": Answer(body={}),
        "a string": Answer(text='"ok"'),
        "a number": Answer(text="0"),
        "missing list": Answer(body=bodies.unlisted),
        "list of junk": Answer(body=bodies.listed(["junk"])),
        "list of lists": Answer(body=bodies.listed([[]])),
        "list of null": Answer(body=bodies.listed([None])),
        "an empty row": Answer(body=bodies.listed([{}])),
        "a row of no market": Answer(body=bodies.listed([bodies.stranger(row)])),
        "a size that is no number": Answer(body=bodies.listed([with_size(bodies, "NaN")])),
        "a size that is missing": Answer(body=bodies.listed([with_size(bodies, None)])),
        "a refusal": Answer(body=REFUSALS[bodies.exchange]),
        **{
            f"HTTP {status}": Answer(text=text, status=status)
            for status in (204, 301, 400, 401, 403, 404, 408, 418, 419, 429, 500, 502, 503, 504)
            for text in (empty if status != 204 else "",)
        },
    }


def with_size(bodies: VenueBodies, size: Json) -> Json:
    """The venue's row with another size."""
    row: Json = bodies.row(bodies.size)
    names = ("size", "positionAmt", "pos", "total", "currentQty", "holdVol")
    at = row.get("position", row)
    (name,) = [name for name in (*names, "szi") if name in at]
    at[name] = size
    return row


async def never_absent(
    key: LegKey,
    read: Callable[[], Awaitable[Snapshot]],
    say: Callable[[Answer], None],
    good: Answer,
    wrong: dict[str, Answer],
) -> None:
    """`good` twice makes the leg absent; with a wrong answer in place of one, nothing does."""
    say(good)
    first, second = await read(), await read()
    assert isinstance(verdict(key, first, second), GONE)
    assert isinstance(verdict(key, second, sold=True), GONE)
    for name, answer in wrong.items():
        say(answer)
        bad, worse = await read(), await read()
        for reads in ((bad,), (bad, worse), (first, bad), (first, second, bad)):
            for sold in (False, True):
                found = verdict(key, *reads, sold=sold)
                assert isinstance(found, Unknown), (name, found)
                assert found.failed, (name, found)
        say(good)
        assert not isinstance(verdict(key, bad, await read()), GONE), name


@every_venue
def test_no_wrong_list_of_positions_makes_a_leg_absent(bodies: VenueBodies, opened: Opened) -> None:
    async def scenario() -> None:
        async with opened(bodies.exchange) as (canned, venue):
            await never_absent(
                key_of(bodies),
                venue.fetch_positions,
                lambda answer: canned.on(bodies.method, bodies.positions, answer),
                Answer(body=bodies.listed([])),
                wrong_answers(bodies),
            )

    run(scenario())


BY_SYMBOL = {"bybit": "/v5/position/list", "binanceusdm": "/fapi/v2/positionRisk"}


@pytest.mark.parametrize("exchange", list(BY_SYMBOL))
def test_no_wrong_answer_to_the_question_for_one_symbol_makes_a_leg_absent(
    exchange: str, opened: Opened
) -> None:
    bodies = BY_EXCHANGE[exchange]
    key = key_of(bodies)
    others = bodies.row("0") | {"symbol": "ETHUSDT"}
    wrong = wrong_answers(bodies) | {
        "no row": Answer(body=bodies.listed([])),
        "another symbol's row": Answer(body=bodies.listed([others])),
        "another symbol's row beside it": Answer(body=bodies.listed([bodies.row("0"), others])),
    }

    async def scenario() -> None:
        async with opened(exchange) as (canned, venue):
            await never_absent(
                key,
                lambda: venue.fetch_position(key),
                lambda answer: canned.on("GET", BY_SYMBOL[exchange], answer),
                Answer(body=bodies.listed([bodies.row("0")])),
                wrong,
            )

    run(scenario())


@pytest.mark.parametrize("exchange", ["bybit", "gate"])
def test_no_wrong_second_page_makes_a_leg_absent(exchange: str, opened: Opened) -> None:
    bodies = BY_EXCHANGE[exchange]
    full = [bodies.row("0")] * (200 if exchange == "bybit" else 100)
    second: dict[str, Answer] = {}

    def pages(request: Seen) -> Answer:
        if request.query.get("cursor") or request.query.get("offset", "0") != "0":
            return second["page"]
        body = bodies.listed(full)
        if exchange == "bybit":
            body["result"]["nextPageCursor"] = "more"
        return Answer(body=body)

    def say(answer: Answer) -> None:
        second["page"] = answer

    async def scenario() -> None:
        async with opened(exchange) as (canned, venue):
            canned.on("GET", bodies.positions, pages)
            await never_absent(
                key_of(bodies),
                venue.fetch_positions,
                say,
                # Gate's next page begins with the row that the last one ended with.
                Answer(body=bodies.listed(full[-1:] if exchange == "gate" else [])),
                wrong_answers(bodies),
            )

    run(scenario())


@pytest.mark.parametrize(
    ("exchange", "outside"),
    [
        ("bybit", "BTC/USDC:USDC"),
        ("bybit", "BTC/USD:BTC"),
        ("binanceusdm", "BTC/USD:BTC"),
        ("okx", "BTC/USD:BTC"),
        ("bitget", "BTC/USDC:USDC"),
        ("gate", "BTC/USD:BTC"),
        ("kucoinfutures", "BTC/USD:BTC"),
        ("hyperliquid", "FLX-TSLA/USDC:USDC"),
        ("krakenfutures", "BTC/USD:BTC"),
        ("mexc", "BTC/USD:BTC"),
        ("bingx", "BTC/USD:BTC"),
    ],
)
def test_a_leg_outside_the_scope_of_a_read_is_never_absent(
    exchange: str, outside: str, opened: Opened
) -> None:
    bodies = BY_EXCHANGE[exchange]

    async def scenario() -> None:
        async with opened(exchange) as (canned, venue):
            canned.on(bodies.method, bodies.positions, Answer(body=bodies.listed([])))
            reads = await venue.fetch_positions(), await venue.fetch_positions()
            assert isinstance(verdict(key_of(bodies), *reads), GONE)
            for sold in (False, True):
                assert isinstance(verdict(key_of(bodies, outside), *reads, sold=sold), Unknown)

    run(scenario())


@every_venue
def test_a_leg_that_is_shown_is_there_whatever_else_is_wrong_with_the_read(
    bodies: VenueBodies, opened: Opened
) -> None:
    row = bodies.row(bodies.size)
    spoilt = {
        "beside a row of no market": Answer(body=bodies.listed([row, bodies.stranger(row)])),
        "beside a size that is no number": Answer(
            body=bodies.listed([row, with_size(bodies, "NaN")])
        ),
        "beside a size that is a list": Answer(body=bodies.listed([row, with_size(bodies, [])])),
        "beside a row without a size": Answer(body=bodies.listed([row, with_size(bodies, None)])),
    }

    async def scenario() -> None:
        async with opened(bodies.exchange) as (canned, venue):
            for name, answer in spoilt.items():
                canned.on(bodies.method, bodies.positions, answer)
                snapshot = await venue.fetch_positions()
                assert not snapshot.complete, name
                assert isinstance(verdict(key_of(bodies), snapshot), Present), name

    run(scenario())


@every_venue
def test_a_venue_that_is_not_there_makes_no_leg_absent(bodies: VenueBodies, opened: Opened) -> None:
    async def scenario() -> None:
        async with opened(bodies.exchange, request_timeout=timedelta(seconds=5)) as (canned, venue):
            canned.on(bodies.method, bodies.positions, Answer(body=bodies.listed([])))
            good = await venue.fetch_positions()
            assert isinstance(verdict(key_of(bodies), good), Unknown)
            await canned.stop()
            gone = await venue.fetch_positions()
            found = verdict(key_of(bodies), good, gone)
            assert isinstance(found, Unknown)
            assert found.failed

    run(scenario())
