"""Facts of the login itself: position mode, clock, rights of the key."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from messages.venue import Connected, KeyRights, VenueError, VenueErrorKind
from venues.client import Client, VenueCallError
from venues.numbers import instant_or_none
from venues.strict import MalformedReplyError

_FATAL = (VenueErrorKind.KEY, VenueErrorKind.RIGHTS, VenueErrorKind.CLOCK)


async def connected(client: Client) -> Connected | VenueError:
    """What the account is, markets being loaded. A key that is refused is an error at once."""
    hedged: bool | None = None
    if client.exchange.has.get("fetchPositionMode") is True:
        try:
            async with client.call("connect"):
                symbol = None
                if client.facts.exchange == "kucoinfutures":
                    symbol = next(iter(client.instruments), None)
                mode = await client.exchange.fetch_position_mode(symbol)
                told = mode.get("hedged")
                hedged = told if isinstance(told, bool) else None
        except VenueCallError as failed:
            # The mode is also told by the positions themselves; only the key cannot wait.
            if failed.error.kind in _FATAL:
                return failed.error
    return Connected(instruments=dict(client.instruments), hedged=hedged)


async def server_time(client: Client) -> datetime | VenueError:
    """The venue's clock, for comparison with ours."""
    try:
        await client.ready()
        async with client.call("server_time"):
            instant = instant_or_none(await client.exchange.fetch_time())
            if instant is None:
                raise MalformedReplyError("the venue did not tell its time")
    except VenueCallError as failed:
        return failed.error
    return instant


async def key_rights(client: Client) -> KeyRights | VenueError:
    """What the key may do, where the venue tells it: bybit, binanceusdm, okx."""
    read = _RIGHTS.get(client.facts.exchange)
    if read is None:
        return KeyRights()
    try:
        await client.ready()
        async with client.call("key_rights"):
            rights: KeyRights = await read(client.exchange)
    except VenueCallError as failed:
        return failed.error
    return rights


async def _bybit(exchange: Any) -> KeyRights:
    """GET /v5/user/query-api: readOnly 1 is a reading key; Wallet lists Withdraw."""
    body = await exchange.privateGetV5UserQueryApi()
    result = _object(body, "result")
    permissions = _object(result, "permissions")
    trades = [*_list(permissions, "ContractTrade"), *_list(permissions, "Derivatives")]
    return KeyRights(
        read=True,
        trade=str(result.get("readOnly")) == "0" and bool(trades),
        withdraw="Withdraw" in _list(permissions, "Wallet"),
    )


async def _binance(exchange: Any) -> KeyRights:
    """GET /sapi/v1/account/apiRestrictions."""
    body = await exchange.sapiGetAccountApiRestrictions()
    if "enableReading" not in body or "enableWithdrawals" not in body:
        raise MalformedReplyError("the key's restrictions are not told")
    return KeyRights(
        read=bool(body["enableReading"]),
        trade=bool(body.get("enableFutures")),
        withdraw=bool(body["enableWithdrawals"]),
    )


async def _okx(exchange: Any) -> KeyRights:
    """GET /api/v5/account/config: perm is "read_only,trade,withdraw"."""
    body = await exchange.privateGetAccountConfig()
    rows = _list(body, "data")
    if not rows or "perm" not in rows[0]:
        raise MalformedReplyError("the key's permissions are not told")
    granted = str(rows[0]["perm"]).split(",")
    return KeyRights(read=True, trade="trade" in granted, withdraw="withdraw" in granted)


_RIGHTS = {"bybit": _bybit, "binanceusdm": _binance, "okx": _okx}


def _object(body: Any, key: str) -> Mapping[str, Any]:
    found = body.get(key) if isinstance(body, Mapping) else None
    if not isinstance(found, Mapping):
        raise MalformedReplyError(f"{key} is not told")
    return found


def _list(body: Mapping[str, Any], key: str) -> list[Any]:
    found = body.get(key)
    return found if isinstance(found, list) else []
