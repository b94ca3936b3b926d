"""Makes trouble in a simulated world, drawn from its seed, for a while; then none.

Each kind of trouble has a file: `venue_troubles.py`, `market_troubles.py`, `guard_troubles.py`,
`operator_troubles.py`.
Left to others: whether the guard stood it (`invariants.py`).
"""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

import detangle

from messages.ledger import AlertDraft, AlertLevel, AlertType
from messages.to_alerts import RaiseAlert
from tests.simulation.guard_troubles import GuardTroubles
from tests.simulation.market_troubles import MarketTroubles
from tests.simulation.operator_troubles import OperatorTroubles
from tests.simulation.scene import SYMBOLS, Trade
from tests.simulation.venue_troubles import VenueTroubles
from tests.simulation.world import World

PAUSE = 6.0
"""Seconds between two troubles, at most."""


class Troubles:
    """Makes trouble in one world. `only` limits what concerns an account to that account."""

    def __init__(self, world: World, trades: list[Trade], *, only: str | None = None) -> None:
        self.world = world
        self.accounts = [only] if only else sorted(world.market.accounts)
        self.probes: list[tuple[str, int]] = []
        self.rng = random.Random(world.seed * 7919 + 1)
        shared = (world, trades, self.rng, self.accounts)
        venue, guard = VenueTroubles(*shared), GuardTroubles(*shared)
        guard.probe, guard.venue = self._probe, venue
        self._operator = OperatorTroubles(*shared)
        market = MarketTroubles(*shared)
        makers = [maker for one in (venue, market, guard, self._operator) for maker in one.makers()]
        self._makers = [maker for weight, maker in makers for _ in range(weight)]

    async def make(self, seconds: float) -> None:
        """Trouble for so long, then none."""
        end = detangle.now() + seconds
        while detangle.now() < end:
            await asyncio.sleep(self.rng.uniform(0.0, PAUSE))
            await self.rng.choice(self._makers)()
            self._probe()
        await self.calm()

    async def calm(self) -> None:
        """End every trouble that lasts."""
        world = self.world
        world.faults.clear()
        world.bugs.clear()
        world.to_double.clear()
        for line in world.lines.values():
            line.calm()
        world.market.set_fill_delay(timedelta(0))
        for name, symbol in [(a, s) for a in self.accounts for s in SYMBOLS]:
            world.market.set_book_depth(world.market.accounts[name].exchange, symbol, None)
        world.clock.off = timedelta(0)
        if world.process is None:
            await world.start_guard()
        assert world.process is not None
        world.process.disk.outage = ""
        self._operator.release_all()
        world.tell("from here on nothing goes wrong")

    def _probe(self) -> None:
        """7: a message whose arrival can be seen: it must be stored, whatever happens."""
        if self.world.process is None:
            return
        number = len(self.probes) + 1
        self.probes.append((f"probe:{number}", self.world.lives))
        self.world.system.tell(
            "alerts",
            RaiseAlert(
                draft=AlertDraft(
                    type=AlertType.GUARD_DEGRADED,
                    level=AlertLevel.INFO,
                    dedup_key=f"probe:{number}",
                    title="a probe",
                    lasting=False,
                )
            ),
        )

    def lost_probes(self) -> list[str]:
        """Probes of the last life that are not stored; a kill may cost the one in hand each."""
        stored = {key for _, key, _ in self.world.alerts()}
        lost = [name for name, life in self.probes if life == self.world.lives]
        lost = [name for name in lost if name not in stored]
        # A kill in the tree's upper part may take the one in hand; a crash, the one on record.
        excused = sum("/" not in path for path in self.world.ended)
        excused += sum(" by RaiseAlert" in crash for crash in self.world.crashes)
        return lost if len(lost) > excused else []
