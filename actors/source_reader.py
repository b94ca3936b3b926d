"""Follows another program's ledger: one fresh read of it for all who ask at the same time.

The ledger actor owns it and runs its reads in workers, so that another program's slow or absent
database delays no write of ours. The copies are kept by `storage.mirror`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal

from loguru import logger

from actors.backoff import backoffs
from actors.monitoring.row_closing import by_our_orders
from actors.runtime import DeferredReply
from messages.ledger import PositionRow, RowClose
from messages.settings import QuantityUnit
from messages.to_exchange import Markets
from rules.symbols import SymbolIndex
from storage import Ledger, LedgerRefused, LedgerUnavailable
from storage.sources import Source

RETRY_FIRST = 0.5
RETRY_LAST = 30.0

Rows = DeferredReply[tuple[PositionRow, ...]]
MarketsOf = Callable[[], Awaitable[dict[str, Markets]]]
TellBot = Callable[[tuple[int, ...]], None]


class SourceReader:
    """The askers of one source. A read answers those who asked before it began.

    `write_back` closes in the source what this guard has closed; without it the source is only
    read. `markets` gives the listed instruments by account, for a source that counts contracts.
    `tell_bot` is called with the source's own ids of what our orders have closed and it still has
    open, whenever that is something or has changed.
    """

    def __init__(
        self,
        source: Source,
        ledger: Ledger,
        *,
        write_back: bool,
        markets: MarketsOf,
        tell_bot: TellBot | None = None,
    ) -> None:
        self._source = source
        self._ledger = ledger
        self._write_back = write_back and source.settings.write_back
        self._markets = markets
        self._tell_bot = tell_bot
        self._told: tuple[int, ...] | None = None
        self._wanted = False
        self._waiting: list[tuple[str | None, Rows]] = []
        self._rows: tuple[PositionRow, ...] = ()
        self._served: list[tuple[str | None, Rows]] | None = None

    def asked(self, account: str | None, answer: Rows) -> None:
        self._waiting.append((account, answer))

    def wanted(self) -> None:
        """Read it, though nobody waits for the answer: what it has open is to be seen anew."""
        self._wanted = True

    def begin(self) -> bool:
        """Whether a read is to start now: it is wanted, and none is under way."""
        if self._served is not None or not (self._waiting or self._wanted):
            return False
        self._served, self._waiting, self._wanted = self._waiting, [], False
        return True

    def done(self) -> None:
        """The read has finished: answer whoever waited for it."""
        served, self._served = self._served or [], None
        for account, answer in served:
            answer.set(tuple(row for row in self._rows if account in (None, row.account)))

    async def read(self) -> None:
        """One read of the source into its copies; an outage of either database is waited out."""
        delays = backoffs(RETRY_FIRST, RETRY_LAST)
        while True:
            # Somebody else's database may be away or be altered: nothing is decided meanwhile.
            try:
                await self._read_once()
            except (LedgerUnavailable, LedgerRefused) as why:
                logger.error("The source of positions can't be read, trying again: {}", why)
                await asyncio.sleep(next(delays))
            else:
                return

    async def _read_once(self) -> None:
        settings = self._source.settings
        sizes = await self._sizes() if settings.unit is QuantityUnit.CONTRACTS else _no_size
        rows = await self._source.active_rows(contract_size=sizes)
        ended = await self._ledger.mirror(settings.kind.value, rows)
        if ended and self._write_back:
            closed = await self._source.write_back(ended)
            logger.info("Closed in the source: rows {}", list(closed.changed))
        self._rows = await self._ledger.active_rows()
        self._tell_of(ended)

    def _tell_of(self, ended: Sequence[RowClose]) -> None:
        if self._tell_bot is None:
            return
        ours = tuple(sorted(it.row_id for it in ended if by_our_orders(it.reason)))
        if ours or ours != self._told:
            self._tell_bot(ours)
        self._told = ours

    async def _sizes(self) -> Callable[[str, str], Decimal | None]:
        markets = await self._markets()
        indexes = {name: SymbolIndex(known.instruments) for name, known in markets.items()}

        def size(account: str, symbol: str) -> Decimal | None:
            unified = indexes[account].find(symbol) if account in indexes else None
            if unified is None:
                return None
            return markets[account].instruments[unified].contract_size

        return size


def _no_size(_account: str, _symbol: str) -> Decimal | None:
    return None
