"""The bot actor: has the bot look for itself at what the guard's own orders have closed.

The bot's ledger is only read; where its API is configured, it is told as `/reload_trade` would
tell it. Nothing waits for this actor, and a bot that does not answer holds up nothing. What is
still open in the bot is the ledger actor's to say, at each read of the bot's ledger; so nothing is
forgotten across restarts, and no trade is told of that the bot has closed meanwhile.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from actors import paths
from actors.backoff import backoff
from actors.runtime import Actor, Down, WorkerDone, handles
from messages.to_alerts import RaiseAlert, ResolveAlert
from messages.to_bot import StillOpen
from messages.to_ledger import ReadSource
from rules.guard_alerts import BOT_KEY, bot_not_told

AGAIN_FIRST = 2.0
AGAIN_LAST = 300.0
"""Seconds from one try of a trade to the next, for as long as the bot has it open."""
TROUBLED_AFTER = 4
"""Tries of one trade after which people are told: half a minute."""


class BotApi(Protocol):
    """What the bot offers."""

    async def reload_trade(self, trade: int) -> str | None:
        """Have it look at the exchange; None where it did, or why not, without any secret."""


class Look(msgspec.Struct, frozen=True):
    """Sent to itself: see what the bot has made of it."""


class Waiting(msgspec.Struct):
    """A trade that the bot still has open, how often it was told, and when it is told again."""

    tries: int = 0
    again_at: datetime | None = None


class BotState(msgspec.Struct):
    """`told` counts the calls that the bot took, `refused` the others."""

    waiting: dict[int, Waiting] = {}
    asking: int | None = None
    told: int = 0
    refused: int = 0
    last_error: str = ""


class Bot(Actor[BotState]):
    """Tells a bot of our own closes, one trade at a time."""

    def __init__(self, api: BotApi) -> None:
        super().__init__(BotState())
        self._api = api

    @handles
    def still_open(self, message: StillOpen) -> None:
        known = self.state.waiting
        self.state.waiting = {it: known.get(it) or Waiting() for it in message.trades}
        if not self.state.waiting:
            self.tell(
                paths.ALERTS,
                ResolveAlert(dedup_key=BOT_KEY, resolution="the bot knows what was closed"),
            )
        self._ask()

    @handles
    def look(self, message: Look) -> None:
        self.tell(paths.LEDGER, ReadSource())

    @handles
    def asked(self, message: WorkerDone) -> None:
        """The bot has answered. Whether that helped, the next read of its ledger says."""
        if isinstance(message.tag, int):
            self._answered(message.tag, None if message.result is None else str(message.result))

    @handles
    def crashed(self, message: Down) -> None:
        """A call that fails in an unforeseen way is one more that the bot did not take."""
        if isinstance(message.tag, int):
            self._answered(message.tag, f"its code failed: {type(message.error).__name__}")

    def _answered(self, trade: int, refused: str | None) -> None:
        self.state.asking = None
        waiting = self.state.waiting.get(trade, Waiting())
        waiting.tries += 1
        delay = backoff(waiting.tries, AGAIN_FIRST, AGAIN_LAST)
        waiting.again_at = self.now() + timedelta(seconds=delay)
        if refused is None:
            self.state.told += 1
            self.state.last_error = ""
            self.log.info("The bot has looked for what became of its trade {}", trade)
        else:
            refused = self.system.scrubber.text(refused)
            self.state.refused += 1
            if self.state.last_error != refused:
                self.log.warning("The bot did not look at its trade {}: {}", trade, refused)
            self.state.last_error = refused
        if waiting.tries == TROUBLED_AFTER and trade in self.state.waiting:
            trades = tuple(self.state.waiting)
            self.tell(paths.ALERTS, RaiseAlert(draft=bot_not_told(trades, refused or "")))
        self.after(delay, Look())
        self._ask()

    def _ask(self) -> None:
        """The next trade that is due, unless one is being asked about."""
        if self.state.asking is not None:
            return
        now = self.now()
        for trade, waiting in self.state.waiting.items():
            if waiting.again_at is None or waiting.again_at <= now:
                self.state.asking = trade
                self.work(self._api.reload_trade(trade), trade, name=f"trade {trade}")
                return
