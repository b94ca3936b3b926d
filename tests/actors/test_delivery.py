"""Notices reach their channel whatever happens in between, and no more often than wanted."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from loguru import logger

from console.service.channels import ChannelUnusable, open_channels
from messages.ledger import AlertLevel, AlertType
from messages.settings import AlertSettings, Loudness
from messages.to_alerts import AckAlert, RaiseAlert, ResolveAlert
from messages.values import Secret
from tests.actors import callables
from tests.actors.kit import Clock, draft, guard, receiver, settings_of, until


def test_an_alert_is_sent_with_what_was_seen_done_and_is_to_do_next(tmp_path: Path) -> None:
    async def scenario() -> dict[str, Any]:
        async with receiver() as hook:
            settings = settings_of(tmp_path, channels=(hook.url,))
            async with guard(settings, open_channels(settings.alerts)) as running:
                running.system.tell("alerts", RaiseAlert(draft=draft()))
                await until(lambda: bool(hook.taken), "the notice")
            return hook.taken[0]

    notice = asyncio.run(scenario())
    assert notice["title"] == "CRITICAL: ORPHANED POSITION DETECTED"
    for part in (
        "bybit-main BTC/USDT:USDT long",
        "Seen: 0.5 long that no row knows of",
        "Done: nothing",
        "Next: adopt or close it",
        "stop loss: NO STOP LOSS",
        "sexton ack 1",
    ):
        assert part in notice["message"]
    assert notice["type"] == "failure"


def test_a_repeated_alert_is_sent_once_and_its_end_is_sent_too(tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        async with receiver() as hook:
            settings = settings_of(tmp_path, channels=(hook.url,))
            async with guard(settings, open_channels(settings.alerts)) as running:
                running.system.tell("alerts", RaiseAlert(draft=draft()))
                running.system.tell("alerts", RaiseAlert(draft=draft()))
                await until(lambda: bool(hook.taken), "the notice")
                running.system.tell(
                    "alerts", ResolveAlert(dedup_key="orphan:1", resolution="it was closed")
                )
                await until(lambda: len(hook.taken) > 1, "the resolution")
                assert "It is over: it was closed" in hook.taken[1]["message"]
            return hook.titles

    assert asyncio.run(scenario()) == [
        "CRITICAL: ORPHANED POSITION DETECTED",
        "RESOLVED: ORPHANED POSITION DETECTED",
    ]


def test_a_notice_that_the_channel_refuses_is_delivered_by_the_next_process(
    tmp_path: Path,
) -> None:
    async def scenario() -> tuple[list[str], int]:
        async with receiver() as hook:
            settings = settings_of(tmp_path, channels=(hook.url,))
            hook.refuse = lambda _: True
            async with guard(settings, open_channels(settings.alerts)) as running:
                running.system.tell("alerts", RaiseAlert(draft=draft()))
                await until(
                    lambda: running.delivery["channels"]["json"]["refusals"] > 0, "a refusal"
                )
                (waiting,) = await running.ledger.pending_deliveries()
                assert waiting.attempts == 1
                assert waiting.last_error
            hook.refuse = lambda _: False
            async with guard(settings, open_channels(settings.alerts)) as running:
                await until(lambda: bool(hook.taken), "the notice of the earlier process")
                await until(lambda: not running.delivery["sending"], "its note in the ledger")
                assert await running.ledger.pending_deliveries() == ()
            return hook.titles, hook.refused

    titles, refused = asyncio.run(scenario())
    assert titles == ["CRITICAL: ORPHANED POSITION DETECTED"]
    assert refused >= 1


def test_a_refused_notice_is_tried_again_by_itself_and_stops_no_other(tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        async with receiver() as hook:
            settings = settings_of(tmp_path, channels=(hook.url,))
            hook.refuse = lambda notice: "first" in notice["title"] and len(hook.taken) < 2
            async with guard(settings, open_channels(settings.alerts)) as running:
                for number, name in enumerate(("first", "second", "third")):
                    new = draft(dedup_key=f"k{number}", title=name)
                    running.system.tell("alerts", RaiseAlert(draft=new))
                await until(lambda: len(hook.taken) == 3, "all three")
            return hook.titles

    assert asyncio.run(scenario()) == ["CRITICAL: second", "CRITICAL: third", "CRITICAL: first"]


def test_a_channel_that_is_down_does_not_hold_up_another(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with receiver() as down, receiver() as up:
            down.refuse = lambda _: True
            settings = settings_of(tmp_path, channels=(down.url, up.url))
            async with guard(settings, open_channels(settings.alerts)) as running:
                for number in range(5):
                    new = draft(dedup_key=f"k{number}", title=f"{number}")
                    running.system.tell("alerts", RaiseAlert(draft=new))
                await until(lambda: len(up.taken) == 5, "all on the channel that works")
                assert down.taken == []
                await until(
                    lambda: running.delivery["channels"]["json-2"]["sent"] == 5, "all are noted"
                )

    asyncio.run(scenario())


def test_types_that_are_off_are_stored_and_not_sent(tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        async with receiver() as hook:
            off = {AlertType.GHOST_POSITION: Loudness.OFF}
            settings = settings_of(tmp_path, channels=(hook.url,), types=off)
            async with guard(settings, open_channels(settings.alerts)) as running:
                ghost = draft(type=AlertType.GHOST_POSITION, dedup_key="g", title="ghost")
                running.system.tell("alerts", RaiseAlert(draft=ghost))
                running.system.tell("alerts", RaiseAlert(draft=draft(title="orphan")))
                await until(lambda: bool(hook.taken), "the other alert")
                await until(lambda: not running.delivery["sending"], "its note in the ledger")
                assert await running.ledger.pending_deliveries() == ()
                assert len(await running.ledger.open_alerts()) == 2
            return hook.titles

    assert asyncio.run(scenario()) == ["CRITICAL: orphan"]


@pytest.mark.parametrize("acked", [False, True])
def test_a_lasting_alert_is_reminded_of_until_it_is_acknowledged(
    tmp_path: Path, acked: bool
) -> None:
    async def scenario() -> list[str]:
        clock = Clock()
        async with receiver() as hook:
            every = timedelta(seconds=1)
            settings = settings_of(tmp_path, channels=(hook.url,), remind_every=every)
            async with guard(settings, open_channels(settings.alerts), clock) as running:
                lasting = draft(type=AlertType.OPERATOR_NEEDED, dedup_key="o", title="help")
                running.system.tell("alerts", RaiseAlert(draft=lasting))
                await until(lambda: bool(hook.taken), "the notice")
                if acked:
                    await running.system.ask("alerts", AckAlert(alert_id=1, by="me"))
                clock.ahead += timedelta(hours=2)
                second = draft(type=AlertType.OPERATOR_NEEDED, dedup_key="p", title="other")
                if acked:
                    running.system.tell("alerts", RaiseAlert(draft=second))
                    clock.ahead += timedelta(hours=2)
                await until(lambda: any("STILL" in t for t in hook.titles), "a reminder")
            return [title for title in hook.titles if "STILL" in title]

    expected = "STILL CRITICAL: other" if acked else "STILL CRITICAL: help"
    assert set(asyncio.run(scenario())) == {expected}


def summaries(taken: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [notice for notice in taken if "on guard" in notice["title"]]


def test_the_daily_summary_comes_once_a_day_across_restarts(tmp_path: Path) -> None:
    async def scenario() -> list[dict[str, Any]]:
        clock = Clock()
        async with receiver() as hook:
            at = (clock() - timedelta(minutes=1)).time().replace(second=0, microsecond=0)
            settings = settings_of(tmp_path, channels=(hook.url,), daily_summary=at)
            async with guard(settings, open_channels(settings.alerts), clock) as running:
                await until(lambda: len(hook.taken) == 1, "the summary")
                await running.ledger.bump("bybit-main", {"grace_closes": 3})
            async with guard(settings, open_channels(settings.alerts), clock) as running:
                running.system.tell("alerts", RaiseAlert(draft=draft()))
                await until(lambda: len(hook.taken) == 2, "the alert")
            clock.ahead = timedelta(days=1)
            async with guard(settings, open_channels(settings.alerts), clock):
                # An alert that the last life did not see delivered may come once more, in between.
                await until(lambda: len(summaries(hook.taken)) == 2, "next day's")
            return hook.taken

    taken = asyncio.run(scenario())
    assert len(summaries(taken)) == 2
    assert "grace closes: 3" in summaries(taken)[1]["message"]
    assert "1 orphaned_position" in summaries(taken)[1]["message"]


def test_a_notice_arrives_by_mail(tmp_path: Path) -> None:
    class Box:
        mails: list[bytes] = []

        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            self.mails.append(envelope.content)
            return "250 OK"

    box = Box()

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(box), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        people = "from=guard@example.org&to=me@example.org"
        url = Secret(f"mailto://127.0.0.1:{port}/?{people}&mode=insecure")
        async with server:
            settings = settings_of(tmp_path, channels=(url,))
            async with guard(settings, open_channels(settings.alerts)) as running:
                running.system.tell("alerts", RaiseAlert(draft=draft()))
                await until(lambda: bool(box.mails), "the mail")

    asyncio.run(scenario())
    mail = message_from_bytes(box.mails[0], policy=policy.default)
    assert mail["Subject"] == "CRITICAL: ORPHANED POSITION DETECTED"
    assert "adopt or close it" in mail.as_string()


@pytest.mark.parametrize("function", ["note", "note_later"])
def test_a_python_callable_gets_type_exchange_symbol_and_details(
    tmp_path: Path, function: str
) -> None:
    callables.heard.clear()

    async def scenario() -> None:
        settings = settings_of(tmp_path, callable=f"tests.actors.callables:{function}")
        async with guard(settings, open_channels(settings.alerts)) as running:
            running.system.tell("alerts", RaiseAlert(draft=draft()))
            await until(lambda: bool(callables.heard), "the call")

    asyncio.run(scenario())
    alert_type, exchange, symbol, details = callables.heard[0]
    assert (alert_type, exchange, symbol) == ("orphaned_position", "bybit", "BTC/USDT:USDT")
    assert details["stop_loss"] == "NO STOP LOSS"
    assert details["account"] == "bybit-main"


def test_a_callable_that_raises_loses_no_notice_and_tells_no_secret(tmp_path: Path) -> None:
    async def scenario() -> str:
        settings = settings_of(tmp_path, callable="tests.actors.callables:fail")
        async with guard(settings, open_channels(settings.alerts)) as running:
            running.system.tell("alerts", RaiseAlert(draft=draft()))
            await until(
                lambda: running.delivery["channels"]["callable"]["refusals"] > 0, "a refusal"
            )
            (waiting,) = await running.ledger.pending_deliveries()
            return waiting.last_error

    assert asyncio.run(scenario()) == "its code failed: LookupError"


def test_no_token_of_a_channel_is_in_log_ledger_or_dump(tmp_path: Path) -> None:
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), level="TRACE")

    async def scenario() -> str:
        async with receiver() as hook:
            hook.refuse = lambda _: True
            settings = settings_of(tmp_path, channels=(hook.url,))
            async with guard(settings, open_channels(settings.alerts)) as running:
                running.system.tell("alerts", RaiseAlert(draft=draft()))
                await until(
                    lambda: running.delivery["channels"]["json"]["refusals"] > 0, "a refusal"
                )
                (waiting,) = await running.ledger.pending_deliveries()
                return f"{running.system.dump()} {waiting}"

    try:
        seen = asyncio.run(scenario())
    finally:
        logger.remove(sink)
    text = seen + "".join(lines)
    assert "refused a notice" in text
    assert "hidden-token" not in text


def test_a_channel_that_cannot_be_used_is_named_without_its_url() -> None:
    with pytest.raises(ChannelUnusable) as caught:
        open_channels(AlertSettings(channels=(Secret("nosuch://hidden-token@x"),)))
    assert "alerts.channels[0]" in str(caught.value)
    assert "hidden-token" not in str(caught.value)
    with pytest.raises(ChannelUnusable, match="no function 'absent'"):
        open_channels(AlertSettings(callable="tests.actors.callables:absent"))


def test_notices_of_a_channel_that_is_not_configured_wait_for_it(tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        async with receiver() as hook:
            hook.refuse = lambda _: True
            settings = settings_of(tmp_path, channels=(hook.url,))
            async with guard(settings, open_channels(settings.alerts)) as running:
                running.system.tell("alerts", RaiseAlert(draft=draft(level=AlertLevel.WARNING)))
                await until(lambda: hook.refused > 0, "a refusal")
            other = settings_of(tmp_path, callable="tests.actors.callables:note")
            async with guard(other, open_channels(other.alerts)) as running:
                await until(lambda: running.delivery["elsewhere"] == 1, "the stranger is counted")
            hook.refuse = lambda _: False
            async with guard(settings, open_channels(settings.alerts)):
                await until(lambda: bool(hook.taken), "the notice")
            return hook.titles

    assert asyncio.run(scenario()) == ["WARNING: ORPHANED POSITION DETECTED"]
