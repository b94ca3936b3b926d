"""A source of positions: opened, read again and again, and written to only where that is on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import PurePath

import msgspec

from messages.ledger import ClosedRows, PositionRow, RowClose
from messages.settings import QuantityUnit, SourceKind, SourceSettings
from storage.errors import LedgerRefused
from storage.sources import freqtrade, monitoring, query
from storage.sources.freqtrade_api import FreqtradeApi
from storage.sources.reading import ForeignDatabase, parse_source

ContractSize = Callable[[str, str], Decimal | None]
"""From account and symbol as written to base units a contract; None where that isn't known."""


SECOND_LOOK_SECONDS = 1.0
"""An upgrade of freqtrade with 20,000 trades shows no position for 0.3 s, measured."""


def _unknown(_account: str, _symbol: str) -> Decimal | None:
    return None


class Source:
    """Somebody else's open positions. `active_rows` reads like the ledger's own."""

    def __init__(self, settings: SourceSettings, database: ForeignDatabase) -> None:
        self.settings = settings
        self.api = None if settings.api is None else FreqtradeApi(settings.api)
        self._database = database
        self._before: frozenset[int] | None = None

    async def active_rows(
        self, account: str | None = None, *, contract_size: ContractSize = _unknown
    ) -> tuple[PositionRow, ...]:
        """Open positions, of one account or of all, quantities in base units.

        `contract_size` is asked where the source counts in contracts; a quantity whose contract
        size is not known is None, so that the row is reported and not misread. Raises
        LedgerUnavailable, or LedgerRefused where the source is not what its settings say.
        """
        found = [
            msgspec.structs.replace(row, account=owner)
            for exchange, row in await self._read()
            if (owner := self._account(exchange, row)) and account in (None, owner)
        ]
        if self.settings.unit is QuantityUnit.CONTRACTS:
            return tuple(_in_base(row, contract_size) for row in found)
        return tuple(found)

    async def write_back(self, closes: Sequence[RowClose]) -> ClosedRows:
        """Close rows in the source. Raises LedgerRefused unless `write_back` is switched on."""
        if not self.settings.write_back:
            raise LedgerRefused("the source is read-only: write_back is not switched on")
        return ClosedRows(changed=await monitoring.write_back(self._database, closes))

    async def _read(self) -> Sequence[tuple[str, PositionRow]]:
        """What is open, looked at twice where several positions, or the last one, are gone at once.

        So is a first read that shows nothing. A bot that upgrades its tables or restores a backup
        shows less for a moment, without any error; taken for closings, it would close every copy.
        """
        found = await self._read_once()
        while self._less(found):
            before = found
            await asyncio.sleep(SECOND_LOOK_SECONDS)
            found = await self._read_once()
            if _ids(found) == _ids(before):
                break
        self._before = _ids(found)
        return found

    def _less(self, found: Sequence[tuple[str, PositionRow]]) -> bool:
        if self._before is None:
            return not found
        gone = self._before - _ids(found)
        return len(gone) > 1 or (bool(gone) and not found)

    async def _read_once(self) -> Sequence[tuple[str, PositionRow]]:
        match self.settings.kind:
            case SourceKind.FREQTRADE:
                return await freqtrade.read(self._database)
            case SourceKind.MONITORING:
                return await monitoring.read(self._database)
            case SourceKind.QUERY:
                return await query.read(self._database, self.settings.query, self.settings.columns)

    def _account(self, exchange: str, row: PositionRow) -> str:
        if self.settings.exchanges:
            return self.settings.exchanges.get(exchange, "")
        return row.account or self.settings.account


def _ids(found: Sequence[tuple[str, PositionRow]]) -> frozenset[int]:
    return frozenset(row.id for _, row in found)


def _in_base(row: PositionRow, contract_size: ContractSize) -> PositionRow:
    size = contract_size(row.account, row.symbol)
    quantity = None if row.quantity is None or size is None else row.quantity * size
    return msgspec.structs.replace(row, quantity=quantity)


async def open_source(settings: SourceSettings) -> Source:
    """Open a source and check that it is what its settings say.

    Raises LedgerRefused for a dry run's file, a database of another shape, a wrong mapping, or
    write-back where the kind doesn't allow it; LedgerUnavailable where it can't be reached.
    """
    url = parse_source(settings.url)
    if settings.write_back and settings.kind is not SourceKind.MONITORING:
        raise LedgerRefused(f"a source of kind {settings.kind} is never written to")
    if not (settings.account or settings.exchanges or "account" in settings.columns):
        raise LedgerRefused("the source needs `account` or `exchanges`, to say whose its rows are")
    database = ForeignDatabase(url)
    match settings.kind:
        case SourceKind.FREQTRADE:
            await freqtrade.check(database, PurePath(url.database or "").name)
        case SourceKind.MONITORING:
            await monitoring.check(database)
        case SourceKind.QUERY:
            query.check_columns(settings.columns, settings.query)
    return Source(settings, database)
