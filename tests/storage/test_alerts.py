"""Alerts: stored before they are told, one while it lasts, none lost on its way out."""

from __future__ import annotations

import asyncio

from messages.ledger import AlertLevel, AlertType, NoticeKind
from tests.storage.build import alert, close, event, position
from tests.storage.conftest import START, Clock, OpenLedger


async def test_an_open_alert_raised_again_is_touched_not_doubled(
    opened: OpenLedger, clock: Clock
) -> None:
    async with opened() as ledger:
        first = await ledger.raise_alert(alert(details={"n": 1}))
        clock.advance(minutes=5)
    async with opened() as ledger:
        again = await ledger.raise_alert(
            alert(details={"n": 2}, title="a ghost, still", level=AlertLevel.CRITICAL)
        )
        assert (first.new, again.new) == (True, False)
        assert again.alert.id == first.alert.id
        assert (again.alert.raised_at, again.alert.last_seen_at) == (START, clock.time)
        assert (again.alert.details, again.alert.title) == ({"n": 2}, "a ghost, still")
        assert again.alert.level is AlertLevel.CRITICAL
        assert await ledger.open_alerts() == (again.alert,)


async def test_the_same_alert_raised_at_once_by_two_guards_is_one(opened: OpenLedger) -> None:
    async with opened() as ledger, opened() as second:
        raised = await asyncio.gather(
            *((ledger, second)[n % 2].raise_alert(alert()) for n in range(8))
        )
        assert sum(one.new for one in raised) == 1
        assert len(await ledger.alerts()) == 1


async def test_what_comes_back_after_it_was_resolved_is_a_new_alert(
    opened: OpenLedger, clock: Clock
) -> None:
    async with opened() as ledger:
        first = await ledger.raise_alert(alert())
        clock.advance(minutes=1)
        resolved = await ledger.resolve_alert("ghost 1", "closed by hand")
        assert resolved is not None
        assert (resolved.resolved_at, resolved.resolution) == (clock.time, "closed by hand")
        assert await ledger.open_alerts() == ()
        assert await ledger.resolve_alert("ghost 1", "again") is None
        second = await ledger.raise_alert(alert())
        assert second.new
        assert second.alert.id != first.alert.id
        assert [one.id for one in await ledger.alerts()] == [second.alert.id, first.alert.id]


async def test_an_alert_that_does_not_last_is_never_open_and_said_again_later(
    opened: OpenLedger, clock: Clock
) -> None:
    once = alert(lasting=False)
    async with opened() as ledger:
        assert (await ledger.raise_alert(once)).new
        clock.advance(seconds=1)
        assert not (await ledger.raise_alert(once)).new
        clock.advance(hours=1)
        assert (await ledger.raise_alert(once)).new
        assert await ledger.open_alerts() == ()


async def test_open_alerts_are_found_by_account_and_type(opened: OpenLedger) -> None:
    async with opened() as ledger:
        ghost = (await ledger.raise_alert(alert("g"))).alert
        orphan = (
            await ledger.raise_alert(
                alert("o", type=AlertType.ORPHANED_POSITION, account="binance")
            )
        ).alert
        assert await ledger.open_alerts() == (ghost, orphan)
        assert await ledger.open_alerts(account="binance") == (orphan,)
        assert await ledger.open_alerts(type=AlertType.GHOST_POSITION) == (ghost,)
        assert await ledger.alert(orphan.id) == orphan
        assert await ledger.alert(99) is None


async def test_who_acknowledged_first_and_how_often_was_reminded_survives_a_restart(
    opened: OpenLedger, clock: Clock
) -> None:
    async with opened() as ledger:
        raised = await ledger.raise_alert(alert())
        clock.advance(hours=1)
        await ledger.reminded_alert(raised.alert.id)
        await ledger.ack_alert(raised.alert.id, "ann")
        clock.advance(hours=1)
        await ledger.ack_alert(raised.alert.id, "bob")
        assert await ledger.ack_alert(99, "ann") is None
    async with opened() as ledger:
        (kept,) = await ledger.open_alerts()
    assert (kept.reminders, kept.acked_by) == (1, "ann")
    assert kept.reminded_at == kept.acked_at
    assert kept.acked_at is not None
    assert (clock.time - kept.acked_at).total_seconds() == 3600


async def test_each_notice_waits_for_each_channel_until_it_is_delivered(
    opened: OpenLedger, clock: Clock
) -> None:
    async with opened() as ledger:
        ledger.use_channels(["telegram", "mail"])
        raised = await ledger.raise_alert(alert())
        await ledger.raise_alert(alert())
        waiting = await ledger.pending_deliveries()
        assert [(one.kind, one.channel) for one in waiting] == [
            (NoticeKind.RAISED, "telegram"),
            (NoticeKind.RAISED, "mail"),
        ]
        await ledger.delivered(waiting[0].id, "telegram")
        await ledger.delivery_failed(waiting[1].id, "mail", "refused")
        await ledger.reminded_alert(raised.alert.id)
        await ledger.resolve_alert("ghost 1", "over")
    async with opened() as ledger:
        waiting = await ledger.pending_deliveries()
        assert [(one.kind, one.channel, one.attempts) for one in waiting] == [
            (NoticeKind.RAISED, "mail", 1),
            (NoticeKind.REMINDER, "telegram", 0),
            (NoticeKind.REMINDER, "mail", 0),
            (NoticeKind.RESOLVED, "telegram", 0),
            (NoticeKind.RESOLVED, "mail", 0),
        ]
        assert (waiting[0].last_error, waiting[0].tried_at) == ("refused", clock.time)
        assert waiting[0].alert.resolution == "over"
        for one in waiting:
            await ledger.delivered(one.id, one.channel)
        assert await ledger.pending_deliveries() == ()


async def test_an_alert_that_a_closing_raises_is_queued_in_the_closing(
    opened: OpenLedger,
) -> None:
    async with opened() as ledger:
        ledger.use_channels(["mail"])
        row = await ledger.add_position(position())
        await ledger.close_rows([close(row.id)], event=event(), alert=alert(lasting=False))
        (waiting,) = await ledger.pending_deliveries()
        assert waiting.alert.dedup_key == "ghost 1"
