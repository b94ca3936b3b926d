"""Intents: committed before the order leaves, found again after a crash."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import msgspec
import pytest

from messages.ledger import IntentState
from messages.values import LegKey, Side
from messages.venue import OrderType
from tests.storage.build import KEY, event, intent
from tests.storage.conftest import START, OpenLedger


async def test_an_intent_survives_a_restart_exactly(opened: OpenLedger) -> None:
    whole = intent(
        key=LegKey("binance", "1000PEPE/USDT:USDT", Side.SHORT),
        purpose="protect",
        row_ids=(7,),
        attempt=3,
        type=OrderType.STOP_MARKET,
        quantity=Decimal("1000.000000000000000001"),
        price=Decimal("0.5"),
        trigger_price=Decimal("0.0000001"),
        hedged=True,
        phase="grace",
        state=IntentState.SENT,
        order_id="venue-1",
        filled=Decimal("0.1"),
        average=Decimal("0.49"),
        fee=Decimal("-0.0001"),
        error="10001: nothing\x00",
        settled_at=START,
        booked=True,
    )
    async with opened() as ledger:
        await ledger.commit_intent(whole)
    async with opened() as ledger:
        stored = await ledger.intent("sx-1")
    assert stored is not None
    assert stored.error == "10001: nothing\ufffd"
    assert msgspec.structs.replace(stored, error=whole.error) == whole


async def test_the_same_client_order_id_again_returns_what_has_become_of_the_first(
    opened: OpenLedger,
) -> None:
    async with opened() as ledger:
        assert await ledger.commit_intent(intent(), event=event("sent")) == intent()
        sent = intent(state=IntentState.SENT, order_id="venue-1", filled=Decimal("0.2"))
        await ledger.update_intent(sent)
        assert await ledger.commit_intent(intent(attempt=9), event=event("twin")) == sent
        assert await ledger.intents() == (sent,)
        assert [found.event_id for found in await ledger.events()] == ["sent"]


async def test_twins_that_race_are_one_intent(opened: OpenLedger) -> None:
    async with opened() as ledger:
        answers = await asyncio.gather(
            *(ledger.commit_intent(intent(attempt=number)) for number in range(8))
        )
        assert len(set(map(str, answers))) == 1
        assert len(await ledger.intents()) == 1


async def test_an_update_of_what_was_never_committed_is_a_bug(opened: OpenLedger) -> None:
    async with opened() as ledger:
        with pytest.raises(LookupError, match="sx-1"):
            await ledger.update_intent(intent())
        assert await ledger.intents() == ()


async def test_a_final_intent_stays_as_it_is_whatever_a_slower_follower_writes(
    opened: OpenLedger,
) -> None:
    done = intent(state=IntentState.DONE, filled=Decimal("0.5"), booked=True)
    slower = (
        intent(),
        intent(state=IntentState.SENT, order_id="venue-1"),
        intent(state=IntentState.NEVER_ARRIVED, booked=True),
        intent(state=IntentState.DONE, filled=Decimal("0.5")),
    )
    async with opened() as ledger:
        await ledger.commit_intent(intent())
        await ledger.update_intent(done)
        for number, late in enumerate(slower):
            await ledger.update_intent(late, event=event(f"late {number}"))
            assert await ledger.intent("sx-1") == done
        assert len(await ledger.events()) == len(slower)


async def test_intents_are_found_by_account_leg_openness_and_booking_oldest_first(
    opened: OpenLedger,
) -> None:
    other_leg = LegKey(KEY.account, KEY.symbol, Side.SHORT)
    other_account = LegKey("binance", KEY.symbol, KEY.side)
    made = [
        intent("pending"),
        intent("sent", state=IntentState.SENT, filled=Decimal("0.1")),
        intent("booked", state=IntentState.DONE, filled=Decimal("0.5"), booked=True),
        intent("unbooked", state=IntentState.DONE, filled=Decimal("0.5")),
        intent("nothing", state=IntentState.DONE, filled=Decimal("0.000")),
        intent("refused", state=IntentState.REFUSED),
        intent("short", key=other_leg, state=IntentState.NEVER_ARRIVED),
        intent("elsewhere", key=other_account),
    ]
    async with opened() as ledger:
        for one in made:
            await ledger.commit_intent(one)
        found = {
            "all": await ledger.intents(),
            "leg": await ledger.intents(key=KEY),
            "account": await ledger.intents(account="binance"),
            "open": await ledger.intents(account=KEY.account, open_only=True),
            "unbooked": await ledger.intents(key=KEY, unbooked_only=True),
        }
        assert await ledger.intent("no such") is None
    ids = {name: [one.client_order_id for one in some] for name, some in found.items()}
    assert ids["all"] == [one.client_order_id for one in made]
    assert ids["leg"] == ids["all"][:6]
    assert ids["account"] == ["elsewhere"]
    assert ids["open"] == ["pending", "sent"]
    assert ids["unbooked"] == ["pending", "sent", "unbooked"]
