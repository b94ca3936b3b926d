"""Who a key is: several keys to one account, sub-accounts, keys that lead elsewhere."""

from __future__ import annotations

import ccxt.async_support as ccxt
import pytest

from messages.values import Secret, Side
from messages.venue import Identity, Snapshot, VenueErrorKind
from simulator import Exchange, Market, MemoryVenue
from tests.simulator.conftest import BTC, client, connected, dec, still_venue
from tests.simulator.operators import admin, done

SECOND = {"key": "second-key", "secret": "second-secret"}


async def identity(exchange: ccxt.bybit) -> dict[str, object]:
    told: dict[str, object] = (await exchange.privateGetV5UserQueryApi())["result"]
    return told


async def test_two_keys_of_one_account_are_one_identity_and_one_position() -> None:
    async with connected("bybit-main") as (venue, first):
        await done(venue, "POST", "keys", account="bybit-main", **SECOND)
        keys = {"apiKey": SECOND["key"], "secret": SECOND["secret"]}
        async with client(venue, "bybit-main", **keys) as second:
            await second.load_markets()
            venue.market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
            assert [it["contracts"] for it in await first.fetch_positions()] == [1]
            assert [it["contracts"] for it in await second.fetch_positions()] == [1]
            one, other = await identity(first), await identity(second)
            assert one["userID"] == other["userID"]
            assert (one["apiKey"], other["apiKey"]) == ("demo-bybit-key", "second-key")


async def test_a_sub_account_has_its_own_wallet_and_names_its_master() -> None:
    async with connected("bybit-main") as (venue, main):
        await done(
            venue,
            "POST",
            "accounts",
            name="bybit-sub",
            exchange="bybit",
            master="bybit-main",
            **SECOND,
        )
        async with client(venue, "bybit-sub", ccxt_class=ccxt.bybit) as sub:
            await sub.load_markets()
            venue.market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
            assert await sub.fetch_positions() == []
            master, child = await identity(main), await identity(sub)
            assert (master["isMaster"], child["isMaster"]) == (True, False)
            assert child["parentUid"] == str(master["userID"])
            assert child["userID"] != master["userID"]


async def test_a_key_that_leads_elsewhere_shows_another_wallet_and_another_identity() -> None:
    async with connected("bybit-main") as (venue, exchange):
        venue.market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
        mine = await identity(exchange)
        stranger = {"name": "stranger", "exchange": "bybit", **SECOND}
        await done(venue, "POST", "accounts", **stranger)
        await done(venue, "PUT", "keys", key="demo-bybit-key", account="stranger")
        assert await exchange.fetch_positions() == []
        assert await exchange.fetch_my_trades(BTC) == []
        assert (await identity(exchange))["userID"] != mine["userID"]
        await done(venue, "PUT", "keys", key="demo-bybit-key", account="bybit-main")
        assert len(await exchange.fetch_positions()) == 1


async def test_a_revoked_key_opens_nothing() -> None:
    async with connected("bybit-main") as (venue, exchange):
        await done(venue, "DELETE", "keys", key="demo-bybit-key")
        with pytest.raises(ccxt.AuthenticationError, match="10003"):
            await exchange.fetch_positions()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "keys", {"account": "bybit-main", "key": "demo-bybit-key", "secret": "s"}),
        ("PUT", "keys", {"key": "demo-bybit-key", "account": "binance-main"}),
        ("PUT", "keys", {"key": "nobody's", "account": "bybit-main"}),
        ("DELETE", "keys", {"key": "nobody's"}),
        ("POST", "accounts", {"name": "a", "exchange": "bybit", "master": "nobody", **SECOND}),
        ("POST", "accounts", {"name": "bybit-main", "exchange": "bybit", **SECOND}),
    ],
)
async def test_keys_and_accounts_that_cannot_be_are_refused(
    method: str, path: str, body: dict[str, object]
) -> None:
    async with still_venue() as venue:
        status, told = await admin(venue, method, path, **body)
        assert status == 400, told
        assert len(venue.market.accounts) == 2


async def test_operators_see_who_a_key_is() -> None:
    async with still_venue() as venue:
        await done(venue, "POST", "keys", account="bybit-main", **SECOND)
        (bybit, _) = await done(venue, "GET", "accounts")
        assert bybit["keys"] == ["demo-bybit-key", "second-key"]
        assert bybit["uid"] == venue.market.accounts["bybit-main"].uid


async def shown(venue: MemoryVenue) -> list[str]:
    snapshot = await venue.fetch_positions()
    assert isinstance(snapshot, Snapshot)
    assert snapshot.complete
    assert {it.key.account for it in snapshot.positions} <= {venue.account}
    return [it.key.symbol for it in snapshot.positions]


async def test_in_process_one_login_can_be_had_under_two_names(market: Market) -> None:
    market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
    first = MemoryVenue(market, "bybit-main")
    second = MemoryVenue(market, "bybit-again", key="demo-bybit-key")
    assert await shown(first) == await shown(second) == [BTC]


async def test_in_process_a_key_can_lead_elsewhere_and_be_revoked(market: Market) -> None:
    market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
    venue = MemoryVenue(market, "bybit-main")
    market.add_account("stranger", Exchange.BYBIT, key="k", secret="s")
    market.logins.lead("demo-bybit-key", market.accounts["stranger"])
    assert await shown(venue) == []
    market.logins.lead("demo-bybit-key", market.accounts["bybit-main"])
    assert await shown(venue) == [BTC]
    market.logins.revoke("demo-bybit-key")
    snapshot = await venue.fetch_positions()
    assert [it.kind for it in snapshot.problems] == [VenueErrorKind.KEY]


async def test_in_process_a_login_tells_who_it_is(market: Market) -> None:
    market.add_account("sub", Exchange.BYBIT, key="k", secret="s", master="bybit-main")
    told = [await MemoryVenue(market, it).identity() for it in ("bybit-main", "sub")]
    main, sub = told
    assert isinstance(main, Identity)
    assert isinstance(sub, Identity)
    assert (main.sub_account, sub.sub_account) == (False, True)
    assert sub.main_id == main.id != sub.id
    again = await MemoryVenue(market, "other name", key="demo-bybit-key").identity()
    assert again == main


def test_a_key_cannot_be_issued_twice(market: Market) -> None:
    with pytest.raises(ValueError, match="is there already"):
        market.logins.add(market.accounts["bybit-main"], "demo-bybit-key", Secret("s"))
