"""After a close of ours freqtrade is told through its API, and nothing depends on its answer."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from actors import bot as bot_actor
from messages.settings import BotApiSettings, Mode
from messages.values import Secret, Side
from storage.sources.freqtrade_api import FreqtradeApi
from tests.scenarios.test_a_bots_own_ledger import buy, following, open_trades, rows, sold_by_hand
from tests.scenarios.world import XRP, World, ago, scenario, until, world
from tests.storage.test_sources import Freqtrade

PASSWORD = "hunter2-of-the-bot"


class Api:
    """freqtrade's API as its documentation has it: what is asked, and answers as they are told."""

    def __init__(self, bot: Freqtrade) -> None:
        self.bot = bot
        self.asked: list[str] = []
        self.answer: web.Response | None = None
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        word = b64encode(f"guard:{PASSWORD}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {word}":
            return web.json_response({"detail": "Unauthorized"}, status=401)
        self.asked.append(f"{request.method} {request.path}")
        if self.answer is not None:
            # One response can be sent once only.
            body = self.answer.body if isinstance(self.answer.body, bytes) else b""
            return web.Response(status=self.answer.status, body=body, headers=self.answer.headers)
        if request.path.endswith("/reload"):
            number = int(request.path.split("/")[-2])
            self.bot.say("UPDATE trades SET is_open = 0 WHERE id = ?", number)
        return web.json_response({"trade_id": 1})

    def settings(self, *, password: str = PASSWORD) -> BotApiSettings:
        return BotApiSettings(url=self.url, username="guard", password=Secret(password))


@asynccontextmanager
async def api_of(bot: Freqtrade) -> AsyncIterator[Api]:
    found = Api(bot)
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", found.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield found
    finally:
        await runner.cleanup()


@pytest.fixture
def bot(tmp_path: Path) -> Freqtrade:
    found = Freqtrade(tmp_path / "tradesv3.sqlite")
    buy(found, 7, "40", hours=40)
    return found


async def an_aged_leg(guard: World) -> None:
    guard.market.open_position("bybit-main", XRP, Side.LONG, Decimal(40), Decimal("2.5"), ago(40))


def told_by(guard: World) -> dict[str, Any]:
    state: dict[str, Any] = guard.system.dump("bot")["state"]
    return state


@scenario
async def test_the_bot_is_told_at_once_of_our_own_close_and_once_only(
    tmp_path: Path, bot: Freqtrade
) -> None:
    async with (
        api_of(bot) as api,
        world(tmp_path, before=an_aged_leg, **following(bot.file, api=api.settings())) as guard,
    ):
        await until(lambda: open_trades(bot) == [], "the bot's own end of the trade")
        await until(lambda: not told_by(guard)["waiting"], "the guard's knowing so")
        for _ in range(3):
            await guard.scan("reconciliation")
        assert api.asked == ["POST /api/v1/trades/7/reload"]
        assert await rows(guard) == [(XRP, Decimal(40), "aged_close_market")]
        assert len(guard.orders()) == 1
        assert await guard.alerts("guard_degraded") == ()


@scenario
async def test_a_ghost_is_told_to_people_and_in_observe_mode_the_bot_is_told_nothing(
    tmp_path: Path, bot: Freqtrade
) -> None:
    async def gone(guard: World) -> None:
        sold_by_hand(guard, XRP, "40")

    async with api_of(bot) as api:
        more = following(bot.file, api=api.settings())
        for folder, mode, before in (
            ("ghost", Mode.ENFORCE, gone),
            ("observed", Mode.OBSERVE, an_aged_leg),
        ):
            (tmp_path / folder).mkdir()
            async with world(tmp_path / folder, mode=mode, before=before, **more) as guard:
                await guard.scan("aged/scan")
                for _ in range(2):
                    await guard.scan("reconciliation")
        assert api.asked == []
        assert open_trades(bot) == [7]


REFUSALS: dict[str, tuple[web.Response, str]] = {
    "an error of its own": (
        web.json_response({"error": "Error querying: exchange is away"}, status=502),
        "HTTP 502: Error querying: exchange is away",
    ),
    "another server": (web.Response(status=404, body=b"<html>hello</html>"), "HTTP 404"),
    "a redirection": (
        web.Response(status=307, headers={"Location": "http://127.0.0.1:1/elsewhere"}),
        "HTTP 307",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_a_value_that_says_why(tmp_path: Path, bot: Freqtrade, case: str) -> None:
    answer, said = REFUSALS[case]

    async def play() -> None:
        async with api_of(bot) as api:
            api.answer = answer
            assert await FreqtradeApi(api.settings()).reload_trade(7) == said
            assert len(api.asked) == 1

    asyncio.run(play())


@scenario
async def test_a_wrong_password_and_an_absent_bot_say_why_without_the_password(
    tmp_path: Path, bot: Freqtrade
) -> None:
    async with api_of(bot) as api:
        assert await FreqtradeApi(api.settings()).check() is None
        wrong = FreqtradeApi(api.settings(password="wrong-" + PASSWORD))
        assert await wrong.check() == "HTTP 401: Unauthorized"
        assert PASSWORD not in repr(api.settings())
    for url in (api.url, "http://no-such-host.invalid:8080", "https://127.0.0.1:1"):
        away = BotApiSettings(url=url, username="guard", password=Secret(PASSWORD))
        said = await FreqtradeApi(away).reload_trade(7)
        assert said
        assert PASSWORD not in said


@scenario
async def test_an_api_that_fails_holds_up_nothing_and_is_told_once_until_it_works(
    tmp_path: Path, bot: Freqtrade, monkeypatch: pytest.MonkeyPatch
) -> None:
    buy(bot, 8, "0.3", hours=40, pair="BTC/USDT:USDT")
    monkeypatch.setattr(bot_actor, "AGAIN_FIRST", 0.02)

    async def two_aged_legs(guard: World) -> None:
        await an_aged_leg(guard)
        guard.market.open_position(
            "bybit-main", "BTC/USDT:USDT", Side.LONG, Decimal("0.3"), Decimal("65000"), ago(40)
        )

    async with api_of(bot) as api:
        api.answer = web.json_response({"error": "not now"}, status=503)
        async with world(
            tmp_path, before=two_aged_legs, **following(bot.file, api=api.settings())
        ) as guard:

            async def both_closed() -> bool:
                return [row[2] for row in await rows(guard)] == ["aged_close_market"] * 2

            await until(both_closed, "both closes, whatever the API says")
            (alert,) = await guard.alerted("guard_degraded")
            assert "HTTP 503: not now" in alert.seen
            assert "/reload_trade " in alert.next_step
            assert PASSWORD not in str(guard.system.dump("bot"))
            await until(lambda: told_by(guard)["refused"] > 12, "more tries")
            assert len(await guard.alerts("guard_degraded")) == 1
            api.answer = None
            await until(lambda: open_trades(bot) == [], "the bot's own end of both trades")
            await until(lambda: not told_by(guard)["waiting"], "the guard's knowing so")

            async def over() -> bool:
                return all(it.resolved_at for it in await guard.alerts("guard_degraded"))

            await until(over, "the alert's end")


@scenario
async def test_a_bot_that_notes_its_orders_anew_before_it_ends_the_trade_leaves_our_close_on_record(
    tmp_path: Path, bot: Freqtrade
) -> None:
    bot.say("ALTER TABLE orders ADD COLUMN order_update_date DATETIME")
    async with world(tmp_path, before=an_aged_leg, **following(bot.file)) as guard:
        closed = [(XRP, Decimal(40), "aged_close_market")]

        async def by_us() -> bool:
            return await rows(guard) == closed

        await until(by_us, "our own close on record")
        later = ago(-0.01).strftime("%Y-%m-%d %H:%M:%S.%f")
        bot.say("UPDATE orders SET order_update_date = ?", later)
        await guard.scan("reconciliation")
        assert await rows(guard) == closed
        bot.say("UPDATE trades SET is_open = 0")
        await guard.scan("reconciliation")
        assert await rows(guard) == closed
