"""A code that nobody has listed is no refusal: the order may have taken effect all the same."""

from __future__ import annotations

import pytest

from messages.venue import OutcomeUnknown, Refused, VenueErrorKind
from tests.venues.canned import Answer
from tests.venues.conftest import Opened, run
from tests.venues.test_errors import ORDERS, refused_with

UNLISTED = {
    "bybit": {"retCode": 199999, "retMsg": "%s", "result": {}},
    "binanceusdm": {"code": -9999, "msg": "%s"},
    "okx": {"code": "1", "data": [{"sCode": "59999", "sMsg": "%s"}], "msg": "failed"},
    "bitget": {"code": "99999", "msg": "%s", "data": None},
    "gate": {"label": "SOMETHING_NEW", "message": "%s"},
    "kucoinfutures": {"code": "199999", "msg": "%s"},
    "hyperliquid": {"status": "err", "response": "%s"},
    "krakenfutures": {"result": "error", "error": "%s"},
    "mexc": {"success": False, "code": 9999, "message": "%s"},
    "bingx": {"code": 199999, "msg": "%s", "data": {}},
}
every_venue = pytest.mark.parametrize("exchange", list(ORDERS))


def written(exchange: str, words: str) -> Answer:
    def fill(value: object) -> object:
        if isinstance(value, dict):
            return {key: fill(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [fill(inner) for inner in value]
        return value % words if isinstance(value, str) and "%s" in value else value

    return Answer(body=fill(UNLISTED[exchange]))


@every_venue
@pytest.mark.parametrize(
    "words", ["something new", "Request timed out. Please try again.", "rpc timeout"]
)
def test_an_unlisted_code_leaves_the_outcome_of_an_order_unknown(
    exchange: str, words: str, opened: Opened
) -> None:
    async def scenario() -> None:
        async with opened(exchange) as (canned, venue):
            placed = await refused_with(canned, venue, exchange, written(exchange, words))
            assert isinstance(placed, OutcomeUnknown), placed
            if words != "something new":
                assert placed.error.kind is VenueErrorKind.NETWORK, placed

    run(scenario())


@pytest.mark.parametrize("status", [200, 400])
def test_a_code_that_ccxt_lists_as_a_refusal_stays_one(status: int, opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("okx") as (canned, venue):
            row = {"sCode": "51092", "sMsg": "TP order prices must be different.", "ordId": ""}
            body = {"code": "1", "data": [row], "msg": "failed"}
            placed = await refused_with(canned, venue, "okx", Answer(body=body, status=status))
            assert isinstance(placed, Refused), placed
            assert placed.error.kind is VenueErrorKind.OTHER

    run(scenario())


def test_a_good_answer_that_is_misread_is_never_a_refusal(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            # The number would be a refusal's code, if this were an answer of refusal.
            body = {"retCode": 0, "retMsg": "OK", "result": [{"price": 110007}]}
            placed = await refused_with(canned, venue, "bybit", Answer(body=body))
            assert isinstance(placed, OutcomeUnknown), placed

    run(scenario())
