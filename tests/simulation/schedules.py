"""One schedule: a small world, a few minutes of trouble, and then quiet until all is well.

Left to others: the troubles (`faults.py`), the rules (`invariants.py`), who runs how many.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import detangle
from loguru import logger

from messages.settings import Mode, OnUnknown, Settings, VerdictSettings
from messages.values import Side
from tests.simulation.scene import ACCOUNTS, BINANCE, BYBIT, SYMBOLS, Trade
from tests.simulation.sqlite_on_loop import aiosqlite_on_loop
from tests.simulation.story import about, timeline
from tests.simulation.templates import Template
from tests.simulation.troubles import Troubles
from tests.simulation.world import World, coarse_ticks, sim_settings, until

EVERY = timedelta(seconds=90)
SETTLE = timedelta(seconds=30)
TROUBLE = 120.0
A_LOOK = 10.0
"""Seconds that a look takes at most: two reads, `confirm_after` apart, and what they wait for."""

IN_SECONDS = 6.0
"""Seconds within which the stream's word has led to a finding: a hint, a second, spaced read."""

PATIENCE = 1500.0
"""Seconds of quiet within which everything must have come right: ladders, back-offs, monitors."""


@dataclass
class Outcome:
    """What a schedule covered, and what broke: empty when all held."""

    seed: int
    broken: list[str]
    flags: str = ""
    story: list[str] = field(default_factory=list)
    days: float = 0.0
    messages: int = 0
    closes: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def told(self) -> str:
        """The failure as a person reads it; the seed replays it."""
        return "\n".join(
            [
                f"seed {self.seed} {'broke:' if self.broken else 'held'}",
                *dict.fromkeys(self.broken),
                f"replay: python -m tests.simulation.run --first {self.seed} --seeds 1{self.flags}",
                "the story, lines that concern what broke marked by > (the numbers before what",
                "broke are those of the invariants in the design):",
                *about(self.broken, self.story),
            ]
        )


class Schedule:
    """One seed's world and what happens in it. `only` keeps all trouble to one account."""

    def __init__(self, path: Path, seed: int, *, only: str | None = None) -> None:
        self.seed = seed
        self.only = only
        self._path = path
        self.world: World
        self.trades: list[Trade] = []

    async def run(self) -> None:
        """Raises AssertionError, or detangle's own errors, where something broke."""
        seed = self.seed
        settings = _settings(self._path, seed, everywhere=self.only is not None)
        world = World(self._path, settings, seed=seed, volatility=0.02, hedged=seed % 3 == 0)
        self.world = world
        self._populate()
        self._undisturbed = world.open(BINANCE, "DOGE/USDT:USDT", Side.LONG, hours=0.5)
        detangle.invariant(world.watch.check_step)
        await world.start_guard()
        troubles = Troubles(world, self.trades, only=self.only)
        elsewhere = asyncio.ensure_future(self._bury_elsewhere())
        await troubles.make(TROUBLE)
        await elsewhere
        await self._come_right()
        lost = troubles.lost_probes()
        assert not lost, f"7: messages were lost: {lost}"
        await self._find_at_once()
        await world.stop_guard()

    async def _bury_elsewhere(self) -> None:
        """6: where all trouble is another account's, a ghost is found as soon as without it."""
        if self.only is None or self.world.settings.mode is Mode.OBSERVE:
            return
        trade = self._undisturbed
        await asyncio.sleep(self.world.rng.uniform(5.0, TROUBLE / 2))
        self.world.hand_closes(trade)
        await until(
            lambda: all(row_id != trade.row_id for row_id, _, _ in self.world.active_rows()),
            SETTLE.total_seconds() + IN_SECONDS,
            f"6: {trade.key} is buried, whatever {self.only} suffers from",
        )

    async def _find_at_once(self) -> None:
        """5: with nothing else wrong, an orphan, a ghost and a mismatch are found in an interval.

        Where the account's stream runs, an orphan is found as soon as it is old enough to be one,
        and a ghost as soon as its bot has had `settle` to write the end.
        """
        world, rng = self.world, self.world.rng
        account = rng.choice(ACCOUNTS)
        taken = {(t.key.account, t.key.symbol) for t in self.trades}
        free = [s for s in SYMBOLS if (account, s) not in taken]
        if len(free) < 3:
            return
        symbols = rng.sample(free, 3)
        streams = next(a.stream for a in world.settings.accounts if a.name == account)
        await world.writable()
        gone = world.open(account, symbols[0], rng.choice(list(Side)), hours=0.5)
        halved = world.open(account, symbols[1], rng.choice(list(Side)), hours=0.5)
        await asyncio.sleep(rng.uniform(10.0, EVERY.total_seconds()))
        world.lines[account].cut()  # it is to be followed again by the time that it matters
        await asyncio.sleep(5.0)
        orphan = world.open(account, symbols[2], rng.choice(list(Side)), row=False)
        world.hand_closes(gone)
        world.hand_closes(halved, Decimal("0.5"))
        settled = SETTLE.total_seconds() + IN_SECONDS
        # Without a stream the next round may be as late as that, and `settle` is over by then.
        soon = settled if streams else EVERY.total_seconds() + A_LOOK
        ghost = f"ghost:{gone.key}:{gone.row_id}"
        for key, seconds in (
            (f"orphan:{orphan.key}", soon),
            (ghost, soon),
            (f"mismatch:{halved.key}", EVERY.total_seconds() + A_LOOK),
        ):
            left = seconds - (detangle.now() - orphan.made_at)
            await until(partial(self._stands, key), left, f"5: {key} is found within {seconds} s")
        if world.settings.mode is Mode.ENFORCE:
            assert all(row_id != gone.row_id for row_id, _, _ in world.active_rows())

    def _stands(self, key: str) -> bool:
        return any(key == known for _, known, _ in self.world.alerts())

    def _populate(self) -> None:
        world, rng = self.world, self.world.rng
        places = [(a, s) for a in ACCOUNTS for s in SYMBOLS]
        for account, symbol in rng.sample(places, rng.randint(2, 4)):
            side = rng.choice(list(Side))
            hours = rng.choice((0.5, 5.0, 13.0, 40.0, 40.0, 40.0))
            kind = rng.choice(("plain", "plain", "plain", "ghost", "orphan", "half", "half"))
            trade = world.open(account, symbol, side, row=kind != "orphan", hours=hours)
            self.trades.append(trade)
            if kind == "ghost":
                world.hand_closes(trade)
            elif kind == "half":
                world.hand_closes(trade, Decimal("0.5"))
            if world.market.accounts[account].hedged and rng.random() < 0.5:
                self.trades.append(world.open(account, symbol, side.opposite, hours=hours))

    async def _come_right(self) -> None:
        """Wait until everything is as it must be, and see that it stays so for a round."""
        end = detangle.now() + PATIENCE
        calm = 0
        while calm < 2:
            await asyncio.sleep(EVERY.total_seconds() / 2 + 1)
            wrong = self.world.watch.unsettled()
            calm = 0 if wrong else calm + 1
            assert detangle.now() < end, "\n".join(["when all was quiet:", *wrong])


def _settings(path: Path, seed: int, *, everywhere: bool) -> Settings:
    """What the seed's guard is set to. `everywhere`: both accounts follow their streams."""
    return sim_settings(
        path,
        every=EVERY,
        check=timedelta(seconds=60),
        lease=timedelta(minutes=1 if seed % 3 == 1 else 20),
        streams=ACCOUNTS if everywhere else ((BYBIT,), ACCOUNTS, (BYBIT,), ())[seed % 4],
        mode=Mode.OBSERVE if seed % 16 == 15 else Mode.ENFORCE,
        account={"on_unknown": OnUnknown.PROCEED if seed % 4 == 1 else OnUnknown.WAIT},
        verdict=VerdictSettings(settle=SETTLE),
    )


def run_schedule(
    template: Template, seed: int, *, only: str | None = None, keep_story: bool = False
) -> Outcome:
    """Run one seed to its end. Whatever breaks is in the outcome; nothing is raised for it."""
    path = template.copy()
    schedule = Schedule(path, seed, only=only)
    broken: list[str] = []
    days = 0.0
    logger.disable("actors")
    try:
        with aiosqlite_on_loop(), coarse_ticks(timedelta(minutes=5)):
            result = detangle.execute(
                schedule.run,
                config=detangle.SimConfig(max_steps=3_000_000),
                strategy=detangle.RandomWalk(seed),
            )
        world = schedule.world
        days = result.virtual_time / 86_400
        if result.failure is not None:
            broken = world.watch.broken or [result.failure.message]
            broken += [other.message for other in result.secondary]
    finally:
        logger.enable("actors")
    story = timeline(world) if broken or keep_story else []
    world.truth.close()
    template.remove(path)
    return Outcome(
        seed=seed,
        broken=broken,
        story=story,
        flags=f" --only {only}" if only else "",
        days=days,
        messages=world.messages,
        closes=world.watch.closes,
        faults=world.happened,
    )
