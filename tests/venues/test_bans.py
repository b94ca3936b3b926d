"""A rate limit or a ban carries its end, where the venue tells it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from messages.venue import VenueErrorKind
from tests.venues.bodies import BY_EXCHANGE
from tests.venues.canned import Answer
from tests.venues.conftest import Opened, now, run
from venues.exchanges.reading import retry_after

LATER = datetime(2030, 1, 1, tzinfo=UTC)
MS = int(LATER.timestamp() * 1000)
SEVEN_MINUTES = timedelta(minutes=7)


@dataclass(frozen=True, slots=True)
class Ban:
    """A refusal of the positions read, and when it ends: then, or so long from the answer."""

    exchange: str
    answer: Answer
    ends: datetime | timedelta | None
    name: str = ""


BANS = (
    Ban(
        "binanceusdm",
        Answer(
            body={"code": -1003, "msg": f"Way too many requests; IP banned until {MS}."},
            status=418,
            headers={"Retry-After": "1"},
        ),
        LATER,
        name="in words",
    ),
    Ban(
        "binanceusdm",
        Answer(
            body={"code": -1003, "msg": "Too many requests."},
            status=429,
            headers={"Retry-After": "420"},
        ),
        SEVEN_MINUTES,
        name="in a header",
    ),
    Ban(
        "bybit",
        Answer(
            body={"retCode": 10006, "retMsg": "Too many visits!", "result": {}},
            headers={"X-Bapi-Limit-Reset-Timestamp": str(MS)},
        ),
        LATER,
        name="in a header",
    ),
    Ban("bybit", Answer(text="", status=403), timedelta(minutes=10), name="documented"),
    Ban(
        "gate",
        Answer(
            body={"label": "TOO_MANY_REQUESTS", "message": "slow down"},
            status=429,
            headers={"X-Gate-RateLimit-Reset-Timestamp": str(MS // 1000)},
        ),
        LATER,
        name="in a header",
    ),
    Ban(
        "kucoinfutures",
        Answer(
            body={"code": "429000", "msg": "too many requests"},
            status=429,
            headers={"gw-ratelimit-reset": "420000"},
        ),
        SEVEN_MINUTES,
        name="in a header",
    ),
    Ban(
        "bingx",
        Answer(
            body={"code": 100410, "msg": f"rate limited, please retry after time: {MS}", "data": {}}
        ),
        LATER,
        name="in words",
    ),
    Ban("okx", Answer(body={"code": "50011", "msg": "Too Many Requests", "data": []}), None),
    Ban(
        "okx",
        Answer(
            body={"code": "50011", "msg": "Too Many Requests", "data": []},
            status=429,
            headers={"Retry-After": "420"},
        ),
        SEVEN_MINUTES,
        name="in a header",
    ),
    Ban("hyperliquid", Answer(text="", status=429, headers={"Retry-After": "420"}), SEVEN_MINUTES),
)


@pytest.mark.parametrize("ban", BANS, ids=lambda ban: f"{ban.exchange} {ban.name}")
def test_a_ban_tells_when_it_ends_where_its_venue_does(ban: Ban, opened: Opened) -> None:
    bodies = BY_EXCHANGE[ban.exchange]

    async def scenario() -> None:
        async with opened(ban.exchange) as (canned, venue):
            canned.on(bodies.method, bodies.positions, ban.answer)
            await venue.connect()
            before = now()
            (problem,) = (await venue.fetch_positions()).problems
            assert problem.kind is VenueErrorKind.RATE_LIMIT
            if isinstance(ban.ends, timedelta):
                assert problem.retry_at is not None
                assert before + ban.ends <= problem.retry_at <= now() + ban.ends
            else:
                assert problem.retry_at == ban.ends

    run(scenario())


def test_what_is_no_rate_limit_has_no_end(opened: Opened) -> None:
    bodies = BY_EXCHANGE["bybit"]

    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            headers = {"X-Bapi-Limit-Reset-Timestamp": str(MS), "Retry-After": "420"}
            body = {"retCode": 10016, "retMsg": "Server error", "result": {}}
            canned.on("GET", bodies.positions, Answer(body=body, headers=headers))
            (problem,) = (await venue.fetch_positions()).problems
            assert problem.retry_at is None

    run(scenario())


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("120", 120), ("0", 0), ("-1", None), ("soon", None), ("", None), ("9" * 12, None)],
)
def test_a_retry_after_is_a_number_of_seconds(written: str, seconds: int | None) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    expected = None if seconds is None else at + timedelta(seconds=seconds)
    assert retry_after(written, at) == expected


def test_a_retry_after_may_be_a_date() -> None:
    assert retry_after(format_datetime(LATER, usegmt=True), now()) == LATER
