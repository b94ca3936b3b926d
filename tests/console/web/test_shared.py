"""However many pages and scrapers ask: one look serves them all, and no old one."""

from __future__ import annotations

import asyncio

import pytest

from console.web.shared import Shared


def test_those_who_ask_together_share_one_look_and_those_who_come_later_get_another() -> None:
    made = 0

    async def make() -> int:
        nonlocal made
        made += 1
        await asyncio.sleep(0)
        return made

    async def scenario() -> None:
        shared = Shared(make, lasts=3600)
        assert await asyncio.gather(*(shared.get() for _ in range(9))) == [1] * 9
        fresh = Shared(make, lasts=0)
        assert [await fresh.get(), await fresh.get()] == [2, 3]

    asyncio.run(scenario())


def test_a_look_that_fails_is_tried_again_by_the_next_who_asks() -> None:
    answers = iter([OSError("away"), None])

    async def make() -> str:
        if error := next(answers):
            raise error
        return "seen"

    async def scenario() -> None:
        shared = Shared(make, lasts=3600)
        with pytest.raises(OSError, match="away"):
            await shared.get()
        assert await shared.get() == "seen"

    asyncio.run(scenario())
