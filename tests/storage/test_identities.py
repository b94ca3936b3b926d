"""Who an account is: stored once, never changed unasked, and never two accounts of one login."""

from __future__ import annotations

import asyncio

from messages.ledger import AccountIdentity, IdentityDiffers, IdentityStored, IdentityTaken
from tests.storage.build import event
from tests.storage.conftest import START, Clock, OpenLedger

MAIN = AccountIdentity(account="main", exchange="bybit", identity="1001", stored_at=START)


async def test_an_identity_is_stored_and_known_after_a_restart(
    opened: OpenLedger, clock: Clock
) -> None:
    async with opened() as ledger:
        told = await ledger.store_identity("main", "bybit", "1001", event=event("first"))
        assert told == IdentityStored(identity=MAIN)
    clock.advance(hours=1)
    async with opened() as ledger:
        again = await ledger.store_identity("main", "bybit", "1001", event=event("again"))
        assert again == IdentityStored(identity=MAIN)
        assert await ledger.identities() == (MAIN,)
        assert [it.event_id for it in await ledger.events()] == ["first"]


async def test_another_identity_is_refused_until_a_person_says_so(
    opened: OpenLedger, clock: Clock
) -> None:
    async with opened() as ledger:
        await ledger.store_identity("main", "bybit", "1001")
        clock.advance(hours=1)
        differs = await ledger.store_identity("main", "bybit", "2002", event=event("no"))
        assert differs == IdentityDiffers(stored=MAIN, told="2002")
        assert await ledger.identities() == (MAIN,)
        adopted = await ledger.store_identity(
            "main", "bybit", "2002", replace=True, event=event("yes")
        )
        assert isinstance(adopted, IdentityStored)
        (stored,) = await ledger.identities()
        assert (stored.identity, stored.stored_at) == ("2002", clock.time)
        assert [it.event_id for it in await ledger.events()] == ["yes"]


async def test_one_login_under_two_names_is_refused_whatever_a_person_says(
    opened: OpenLedger,
) -> None:
    async with opened() as ledger:
        await ledger.store_identity("main", "bybit", "1001")
        await ledger.store_identity("copy", "bybit", "3003")
        taken = IdentityTaken(other=MAIN, told="1001")
        for replace in (False, True):
            for account in ("copy", "fresh"):
                told = await ledger.store_identity(account, "bybit", "1001", replace=replace)
                assert told == taken
        elsewhere = await ledger.store_identity("okx-main", "okx", "1001")
        assert isinstance(elsewhere, IdentityStored)
        assert {it.account: it.identity for it in await ledger.identities()} == {
            "copy": "3003",
            "main": "1001",
            "okx-main": "1001",
        }


async def test_an_account_that_was_renamed_gives_its_identity_back(opened: OpenLedger) -> None:
    async with opened() as ledger:
        await ledger.store_identity("main", "bybit", "1001")
        assert await ledger.forget_identity("main", event=event("forgotten"))
        assert not await ledger.forget_identity("main", event=event("nothing there"))
        assert isinstance(await ledger.store_identity("new", "bybit", "1001"), IdentityStored)
        assert [it.event_id for it in await ledger.events()] == ["forgotten"]


async def test_of_two_guards_that_are_told_one_identity_at_once_one_has_it(
    opened: OpenLedger,
) -> None:
    async with opened() as first, opened() as second:
        for number in range(10):
            answers = await asyncio.gather(
                first.store_identity(f"a{number}", "bybit", f"id{number}"),
                second.store_identity(f"b{number}", "bybit", f"id{number}"),
            )
            kinds = sorted(type(answer).__name__ for answer in answers)
            assert kinds == ["IdentityStored", "IdentityTaken"]
        assert len(await first.identities()) == 10
