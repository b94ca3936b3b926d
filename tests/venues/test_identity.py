"""Whose a login is, as each venue tells it; what does not tell it is never guessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from messages.venue import Identity, NotTold, VenueError, VenueErrorKind
from tests.venues.canned import Answer
from tests.venues.conftest import Opened, run

ADDRESS = "0x" + "11" * 20
MAIN = "0x" + "33" * 20


@dataclass(frozen=True, slots=True)
class Told:
    """The documented reply of one venue's own question, the field of the id, and who it is."""

    exchange: str
    path: str
    body: Any
    field: str
    told: Identity
    method: str = "GET"


TOLD = (
    Told(
        "bybit",
        "/v5/user/query-api",
        {
            "retCode": 0,
            "retMsg": "",
            "result": {"userID": 24617703, "parentUid": "0", "note": "guard", "readOnly": 1},
        },
        "userID",
        Identity(id="24617703", sub_account=False, label="guard"),
    ),
    Told(
        "bybit",
        "/v5/user/query-api",
        {"retCode": 0, "retMsg": "", "result": {"userID": 7, "parentUid": "24617703"}},
        "userID",
        Identity(id="7", sub_account=True, main_id="24617703"),
    ),
    Told(
        "binanceusdm",
        "/fapi/v3/balance",
        [{"accountAlias": "SgsR", "asset": "USDT", "balance": "122607.35"}],
        "accountAlias",
        Identity(id="SgsR"),
    ),
    Told(
        "okx",
        "/api/v5/account/config",
        {
            "code": "0",
            "msg": "",
            "data": [{"uid": "44705892343619584", "mainUid": "44705892343619584", "label": "v5"}],
        },
        "uid",
        Identity(id="44705892343619584", sub_account=False, label="v5"),
    ),
    Told(
        "bitget",
        "/api/v2/spot/account/info",
        {"code": "00000", "msg": "", "data": {"userId": "1234567", "parentId": 1}},
        "userId",
        Identity(id="1234567", sub_account=True, main_id="1"),
    ),
    Told(
        "gate",
        "/api/v4/account/detail",
        {"user_id": 1667201533, "key": {"mode": 1}, "ip_whitelist": []},
        "user_id",
        Identity(id="1667201533"),
    ),
    Told(
        "kucoinfutures",
        "/api/v1/user/api-key",
        {
            "code": "200000",
            "data": {"uid": 165111215, "isMaster": False, "subName": "apitest", "remark": "v1"},
        },
        "uid",
        Identity(id="165111215", sub_account=True, label="apitest"),
    ),
    Told(
        "hyperliquid",
        "/info#userRole",
        {"role": "user"},
        "role",
        Identity(id=ADDRESS, sub_account=False),
        "POST",
    ),
    Told(
        "hyperliquid",
        "/info#userRole",
        {"role": "subAccount", "data": {"master": MAIN}},
        "role",
        Identity(id=ADDRESS, sub_account=True, main_id=MAIN),
        "POST",
    ),
    Told(
        "krakenfutures",
        "/api/history/v3/account-log",
        {"accountUid": "f7d5571c-6d10-4cf1-944a-048d25682ed0", "logs": []},
        "accountUid",
        Identity(id="f7d5571c-6d10-4cf1-944a-048d25682ed0"),
    ),
    Told("mexc", "/api/v3/uid", {"uid": "209302839"}, "uid", Identity(id="209302839")),
    Told(
        "bingx",
        "/openApi/account/v1/uid",
        {"code": 0, "msg": "", "data": {"uid": 16789}},
        "uid",
        Identity(id="16789"),
    ),
)


@pytest.mark.parametrize("case", TOLD, ids=lambda case: f"{case.exchange} {case.told.id[-4:]}")
def test_a_login_is_who_its_venue_says(case: Told, opened: Opened) -> None:
    async def scenario() -> None:
        async with opened(case.exchange) as (canned, venue):
            canned.on(case.method, case.path, Answer(body=case.body))
            assert await venue.identity() == case.told

    run(scenario())


@pytest.mark.parametrize("case", TOLD, ids=lambda case: f"{case.exchange} {case.told.id[-4:]}")
def test_a_reply_that_names_nobody_is_an_error(case: Told, opened: Opened) -> None:
    async def scenario() -> None:
        async with opened(case.exchange) as (canned, venue):
            for written in ("", None):
                body = _with(case.body, case.field, written)
                canned.on(case.method, case.path, Answer(body=body))
                assert isinstance(await venue.identity(), VenueError), body
            canned.on(case.method, case.path, Answer(text=""))
            assert isinstance(await venue.identity(), VenueError)

    run(scenario())


def _with(body: Any, name: str, value: Any) -> Any:
    if isinstance(body, list):
        return [_with(each, name, value) for each in body]
    if not isinstance(body, dict):
        return body
    return {key: value if key == name else _with(each, name, value) for key, each in body.items()}


@pytest.mark.parametrize(
    "body", [{"role": "agent", "data": {"user": MAIN}}, {"role": "missing"}], ids=["agent", "none"]
)
def test_an_address_that_shows_an_empty_account_for_ever_is_refused(
    body: Any, opened: Opened
) -> None:
    async def scenario() -> None:
        async with opened("hyperliquid") as (canned, venue):
            canned.on("POST", "/info#userRole", body)
            refused = await venue.identity()
            assert isinstance(refused, VenueError)
            assert refused.kind is VenueErrorKind.KEY
            assert ADDRESS not in refused.message
            assert (MAIN in refused.message) is (body["role"] == "agent")

    run(scenario())


def test_an_account_without_a_balance_does_not_tell_its_alias(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("binanceusdm") as (canned, venue):
            canned.on("GET", "/fapi/v3/balance", [])
            assert isinstance(await venue.identity(), NotTold)

    run(scenario())
