"""freqtrade's REST API: its own database is never written to, so it is asked to look for itself.

Facts (freqtrade's page "REST API", API version 2.28 and later): `POST /trades/ID/reload` has the
bot fetch the trade's orders from its exchange and book what it did not know of, as its command
`/reload_trade ID` does; every call takes HTTP basic authentication.
"""

from __future__ import annotations

import json
from base64 import b64encode

import aiohttp

from messages.settings import BotApiSettings

PATIENCE = 30.0
"""Seconds that one call may take: the bot asks its exchange several times meanwhile."""
LONGEST = 300
"""How much of what it says is kept."""


class FreqtradeApi:
    """The calls that the guard makes. What is refused is said without the password."""

    def __init__(self, settings: BotApiSettings) -> None:
        self._base = settings.url.rstrip("/").removesuffix("/api/v1") + "/api/v1"
        self._settings = settings

    async def check(self) -> str | None:
        """None where it answers and takes the password, or why not."""
        return await self._call("GET", "version")

    async def reload_trade(self, trade: int) -> str | None:
        """Have it look at the exchange for what became of a trade; None, or why it did not."""
        return await self._call("POST", f"trades/{trade}/reload")

    def _headers(self) -> dict[str, str]:
        login = f"{self._settings.username}:{self._settings.password.reveal()}"
        return {"Authorization": f"Basic {b64encode(login.encode()).decode()}"}

    async def _call(self, method: str, path: str) -> str | None:
        patience = aiohttp.ClientTimeout(total=PATIENCE)
        try:
            async with (
                aiohttp.ClientSession(headers=self._headers(), timeout=patience) as session,
                # A redirection would carry the password to another place.
                session.request(method, f"{self._base}/{path}", allow_redirects=False) as reply,
            ):
                if reply.status == 200:
                    return None
                said = _said(await reply.content.read(64 * LONGEST))
                return f"HTTP {reply.status}{f': {said}' if said else ''}"
        except TimeoutError:
            return f"no answer within {PATIENCE:.0f} s"
        except (aiohttp.ClientError, OSError) as error:
            return str(error) or type(error).__name__


def _said(body: bytes) -> str:
    """freqtrade's own words for a refusal; nothing where the body is something else."""
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(found, dict):
        return ""
    return str(found.get("error") or found.get("detail") or "")[:LONGEST]
