"""Which leg an operator means by "BTCUSDT": the ledger's active legs, looked up by any spelling.

What is then done with the leg is in `commands`.
"""

from __future__ import annotations

from actors import paths
from actors.runtime import AskFailed, System
from console.control.protocol import Refused
from messages.ledger import LedgerLeg, PositionRow
from messages.to_exchange import GetMarkets, Markets
from messages.to_ledger import ActiveRows
from messages.values import Side
from rules.legs import ledger_legs
from rules.symbols import SymbolIndex


async def find_leg(
    system: System,
    accounts: tuple[str, ...],
    *,
    symbol: str,
    side: Side | None,
    account: str | None,
) -> LedgerLeg | Refused:
    """The one active leg that fits; Refused where none does, or several do."""
    if account is not None and account not in accounts:
        return no_such_account(account, accounts)
    rows = await system.attempt(paths.LEDGER, ActiveRows(account=account))
    if isinstance(rows, AskFailed):
        return Refused(code="not_ready", message=f"the ledger does not answer: {rows.reason}")
    found: list[LedgerLeg] = []
    unready: list[str] = []
    for name in sorted({row.account for row in rows} & set(accounts)):
        markets = await markets_of(system, name)
        if isinstance(markets, str):
            unready.append(f"{name} ({markets})")
            continue
        found += _matching(rows, name, SymbolIndex(markets.instruments), symbol, side)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(str(leg.key) for leg in found)
        return Refused(
            code="ambiguous_leg", message=f"{symbol} may be {names}: say --account and --side"
        )
    if unready:
        return Refused(
            code="not_ready",
            message=f"not connected yet: {', '.join(unready)}; try again in a moment",
        )
    return Refused(
        code="no_such_leg", message=f"no active row of the ledger is {symbol}: see `positions`"
    )


def _matching(
    rows: tuple[PositionRow, ...], account: str, index: SymbolIndex, symbol: str, side: Side | None
) -> list[LedgerLeg]:
    wanted = index.find(symbol)
    legs = ledger_legs(rows, account, index).legs
    return [
        leg
        for leg in legs.values()
        if leg.key.symbol == wanted and (side is None or leg.key.side is side)
    ]


async def markets_of(system: System, account: str) -> Markets | str:
    """The account's instruments, or why they are not known."""
    markets = await system.attempt(paths.exchange(account), GetMarkets())
    if isinstance(markets, AskFailed):
        return markets.reason
    return markets if isinstance(markets, Markets) else markets.why


def no_such_account(account: str, accounts: tuple[str, ...]) -> Refused:
    known = ", ".join(accounts)
    return Refused(code="no_such_account", message=f"no account {account!r}: there is {known}")
