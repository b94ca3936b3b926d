"""What operators order while other things go wrong: close, hold and release, accept, reload.

Left to others: whether a command ended, and for which rows (`invariants.py`).
"""

from __future__ import annotations

from actors import paths
from actors.ledger_client import event
from actors.runtime import RestartChild
from messages.to_ledger import SetHeld
from messages.to_monitors import AcceptAbsence, CloseByOrder
from messages.values import LegKey
from tests.simulation.trouble import Maker, Trouble


class OperatorTroubles(Trouble):
    """An operator who sees what stands in the ledger, and does not wait for answers."""

    def makers(self) -> list[Maker]:
        return [
            (2, self.close),
            (4, self.hold_or_release),
            (2, self.accept),
            (1, self.reload),
        ]

    def _row(self, *, gone: bool = False) -> tuple[int, LegKey] | None:
        """A row that is open; `gone`: one whose position is not there, if there is one."""
        rows = [
            (row_id, key)
            for row_id, key, _ in self.world.active_rows()
            if key.account in self.accounts
        ]
        missing = [(row_id, key) for row_id, key in rows if not self.world.held(key)]
        return self.rng.choice((gone and missing) or rows) if rows else None

    async def close(self) -> None:
        """A leg is to be closed now, whatever its age."""
        found = self._row()
        if found is None or self.world.process is None:
            return
        row_id, key = found
        order = CloseByOrder(key=key, row_ids=(row_id,), by="operator", why="as drawn")
        self.world.system.tell(paths.aged_scan(key.account), order)
        self.world.tell(f"an operator closes {key}, row {row_id}")
        self.world.happened["operator closes"] += 1

    async def hold_or_release(self) -> None:
        holds = [(row, key) for row, key, _ in self.world.active_rows() if self._holds(row, key)]
        found = self.rng.choice(holds) if holds and self.rng.random() < 0.6 else self._row()
        if found is None or self.world.process is None:
            return
        row_id, key = found
        held = row_id not in self.world.watch.held
        self._set_held(row_id, key, held=held)
        self.world.happened["operator holds" if held else "operator releases"] += 1

    def _holds(self, row_id: int, key: LegKey) -> bool:
        return key.account in self.accounts and row_id in self.world.watch.held

    def release_all(self) -> None:
        """When all is to be quiet, every row is the guard's again."""
        for row_id, key, _ in self.world.active_rows():
            if row_id in self.world.watch.held:
                self._set_held(row_id, key, held=False)

    def _set_held(self, row_id: int, key: LegKey, *, held: bool) -> None:
        word = "position_held" if held else "position_released"
        by_hand = event(word, self.world.clock(), actor="an operator", account=key.account)
        self.world.system.tell(paths.LEDGER, SetHeld(row_ids=(row_id,), held=held, event=by_hand))
        self.world.tell(f"an operator {'holds' if held else 'releases'} {key}, row {row_id}")

    async def accept(self) -> None:
        """What is gone is to be taken for closed; what is there, or explained, must not be."""
        found = self._row(gone=True)
        if found is None or self.world.process is None:
            return
        row_id, key = found
        order = AcceptAbsence(key=key, row_ids=(row_id,), by="operator", why="as drawn")
        self.world.system.tell(paths.reconciliation(key.account), order)
        self.world.tell(f"an operator accepts {key}, row {row_id}")
        self.world.happened["operator accepts"] += 1

    async def reload(self) -> None:
        """What `reload` does to an account of which something has changed."""
        if self.world.process is None:
            return
        account = self.account()
        self.world.system.tell(paths.ACCOUNTS, RestartChild(account))
        self.world.tell(f"a reload restarts the actors of {account}")
        self.world.happened["reload"] += 1
