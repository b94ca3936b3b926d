"""What the server answers, and whom it refuses."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse

from actors.runtime import ChildSpec, StartFailed, System
from console.web.server import Web
from console.web.tally import Tally
from tests.actors.kit import settings_of
from tests.console.web.browser import browsing
from tests.console.web.kit import site
from tests.scenarios.world import until


def test_health_readiness_and_files_answer_with_a_strict_policy(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with site(tmp_path) as guard:
            for path in ("/healthz", "/readyz", "/", "/page.js", "/page.css", "/metrics"):
                answer, _ = await guard.get(path)
                assert answer.status == 200, path
                policy = answer.headers["Content-Security-Policy"]
                assert policy.startswith("default-src 'none'; script-src 'self';")
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert (await guard.get("/nothing"))[0].status == 404

    asyncio.run(scenario())


def test_a_foreign_host_name_is_refused_and_a_local_one_is_not(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with site(tmp_path) as guard:
            for host in ("evil.example", "127.0.0.1.evil.example:80", "localhost.evil:1", "[::2]"):
                assert (await guard.get("/metrics", Host=host))[0].status == 403, host
            for host in ("localhost:1", "127.0.0.1", "[::1]:9464", "LOCALHOST"):
                assert (await guard.get("/metrics", Host=host))[0].status == 200, host

    asyncio.run(scenario())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_nothing_but_get_is_taken(tmp_path: Path, method: str) -> None:
    async def scenario() -> None:
        async with site(tmp_path) as guard, guard.session.request(method, guard.url) as answer:
            assert answer.status == 405

    asyncio.run(scenario())


@pytest.mark.parametrize("address", ["0.0.0.0:0", "192.0.2.1:0", "[::]:0"])
def test_an_address_that_others_can_reach_is_refused(tmp_path: Path, address: str) -> None:
    async def scenario() -> None:
        settings = settings_of(tmp_path)
        spec = ChildSpec("metrics", lambda: Web(address, lambda: settings, Tally(())))
        with pytest.raises(StartFailed, match="not on loopback"):
            await System().start(spec)

    asyncio.run(scenario())


def test_a_guard_that_lost_an_account_is_alive_and_not_ready(tmp_path: Path) -> None:
    async def scenario() -> dict[str, object]:
        async with site(tmp_path) as guard:
            guard.running.system.suspend("accounts")
            guard.running.system.kill("accounts/bybit-main")

            async def not_ready() -> bool:
                return not await guard.is_ready()

            await until(not_ready, "the account's loss is told")
            assert (await guard.get("/healthz"))[0].status == 200
            return dict(json.loads((await guard.get("/readyz"))[1]))

    told = asyncio.run(scenario())
    assert told["status"] == "not ready"
    assert told["troubles"] == ["bybit-main: not guarded here now"]


async def _next_event(events: ClientResponse) -> tuple[str, str]:
    """The name and the data of the next event of a page's stream."""
    name = (await events.content.readline()).decode().removeprefix("event: ").strip()
    data = (await events.content.readline()).decode().removeprefix("data: ").strip()
    assert await events.content.readline() == b"\n"
    return name, data


def test_parts_that_did_not_change_are_not_sent_again(tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        async with site(tmp_path) as guard, guard.session.get(f"{guard.url}/events") as events:
            names: list[str] = []
            while names.count("beat") < 3:
                names.append((await _next_event(events))[0])
            return names

    names = asyncio.run(scenario())
    assert set(names) == {"head", "alerts", "accounts", "budget", "positions", "tree", "beat"}
    assert names.count("positions") == 1


def test_the_page_is_fed_with_positions_alerts_and_tree(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with site(tmp_path) as guard, guard.session.get(f"{guard.url}/events") as events:
            assert events.headers["Content-Type"] == "text/event-stream"

            def is_told(view: dict[str, Any]) -> bool:
                return "tree" in view and view["alerts"]["count"] > 0

            view: dict[str, Any] = {}
            raw = ""
            async with asyncio.timeout(20):
                while not (is_told(view) and view["accounts"]["shown"][0]["orphans"]):
                    name, data = await _next_event(events)
                    raw += data
                    if name != "beat":
                        view[name] = json.loads(data)
            assert view["head"]["mode"] == "enforce"
            assert view["head"]["needs_you"]
            assert view["alerts"]["shown"][0]["type"] == "orphaned_position"
            assert view["positions"]["shown"][0]["symbol"] == "BTC/USDT:USDT"
            paths = [node["path"] for node in view["tree"]["shown"]]
            assert "accounts/bybit-main/exchange" in paths
            orphans = view["accounts"]["shown"][0]["orphans"]
            assert orphans == ["bybit-main ETH/USDT:USDT short"]
            assert "demo-bybit-secret" not in raw

    asyncio.run(scenario())


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no browser on this machine")
@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800)])
def test_a_browser_shows_the_guard_within_its_width_and_without_complaint(
    tmp_path: Path, width: int, height: int
) -> None:
    async def scenario() -> tuple[str, list[str], int, bytes]:
        async with (
            site(tmp_path) as guard,
            browsing(f"{guard.url}/", tmp_path / "profile", width=width, height=height) as page,
        ):

            async def is_told() -> bool:
                return "ORPHANED POSITION DETECTED" in await page.text()

            await until(is_told, "the orphan on the page")
            await page.value("document.querySelector('details').open = true")
            shot = await page.screenshot()
            content = await page.value("document.documentElement.scrollWidth")
            return await page.text(), page.complaints, content, shot

    text, complaints, content, shot = asyncio.run(scenario())
    # For whoever wants to look at it; pytest keeps the folders of its last runs.
    (tmp_path / "page.png").write_bytes(shot)
    assert "BTC/USDT:USDT" in text
    assert "needs you" in text
    assert "accounts/bybit-main/exchange" in text
    assert content <= width
    assert complaints == []
