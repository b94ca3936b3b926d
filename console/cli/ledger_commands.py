"""Commands on the ledger itself: positions, events, alerts, and adding a row.

They read the database, and ask no service; a row is added through the service where one runs, so
that the ledger has one writer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli import tables
from console.cli.exit_codes import CommandError, ExitCode
from console.cli.service_client import ask_service_if_there, settings_from, with_ledger
from console.config.values import Refused, duration
from console.control.protocol import AddRow
from messages.ledger import Alert, Event, NewPosition, PositionRow, RowStatus
from messages.settings import Settings
from messages.values import Side
from rules.symbols import may_be_one

if TYPE_CHECKING:
    from storage import Ledger


def show_positions(
    config: Path,
    *,
    account: str | None,
    symbol: str | None,
    everything: bool,
    limit: int,
    as_json: bool,
) -> None:
    """Print ledger rows; without `everything` the active ones."""
    settings = settings_from(config, keys=False)
    status = None if everything else RowStatus.ACTIVE

    async def read(ledger: Ledger) -> tuple[PositionRow, ...]:
        if symbol is None:
            return await ledger.rows(account=account, status=status, limit=limit)
        rows = await ledger.rows(account=account, status=status)
        return tuple(row for row in rows if may_be_one(symbol, row.symbol))[:limit]

    rows = with_ledger(settings, read)
    _known(settings, account, found=bool(rows))
    if as_json:
        tables.print_json(rows)
    else:
        tables.print_table(tables.rows_table(rows, datetime.now(UTC)), empty="no positions")


def show_events(
    config: Path,
    *,
    account: str | None,
    symbol: str | None,
    kind: str | None,
    since: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Print the newest events that fit, newest last."""
    settings = settings_from(config, keys=False)
    begin = since_when(since)

    async def read(ledger: Ledger) -> tuple[Event, ...]:
        spellings: tuple[str | None, ...] = (None,)
        if symbol is not None:
            known = await ledger.event_symbols()
            spellings = tuple(name for name in known if may_be_one(symbol, name))
        found: list[Event] = []
        for spelling in spellings:
            found += await ledger.events(
                account=account,
                symbol=spelling,
                kind=kind,
                since=begin,
                limit=limit,
                newest_first=True,
            )
        return tuple(sorted(found, key=lambda event: event.seq)[-limit:])

    events = with_ledger(settings, read)
    _known(settings, account, found=bool(events))
    if as_json:
        tables.print_json(events)
    else:
        tables.print_events(events)


def show_alerts(
    config: Path, *, account: str | None, everything: bool, limit: int, as_json: bool
) -> None:
    """Print open alerts, or all of them."""
    settings = settings_from(config, keys=False)

    async def read(ledger: Ledger) -> Sequence[Alert]:
        if everything:
            alerts = await ledger.alerts(limit=limit)
            return tuple(a for a in alerts if account in (None, a.account))
        return (await ledger.open_alerts(account=account))[:limit]

    alerts = with_ledger(settings, read)
    _known(settings, account, found=bool(alerts))
    if as_json:
        tables.print_json(alerts)
    else:
        tables.print_table(tables.alerts_table(alerts), empty="no open alerts")


def add_position(
    config: Path,
    *,
    account: str,
    symbol: str,
    side: Side | None,
    quantity: str,
    entry_price: str,
    opened_at: str | None,
    age: str | None,
    stop_price: str | None,
    as_json: bool,
) -> None:
    """Write one row and print it. Texts are checked here: quantity and prices are positive."""
    settings = settings_from(config, keys=False)
    names = [known.name for known in settings.accounts]
    if account not in names:
        raise CommandError(
            ExitCode.USAGE, f"no account {account!r} in {config}: there is {', '.join(names)}"
        )
    new = NewPosition(
        account=account,
        symbol=symbol,
        side=side or Side.LONG,
        quantity=_positive("quantity", quantity),
        entry_price=_positive("entry price", entry_price),
        opened_at=_opening(opened_at, age),
        stop_price=_positive("stop price", stop_price) if stop_price is not None else None,
    )
    command = AddRow(
        account=new.account,
        symbol=new.symbol,
        side=new.side,
        quantity=new.quantity,
        entry_price=new.entry_price,
        opened_at=new.opened_at,
        stop_price=new.stop_price,
    )
    answer = ask_service_if_there(settings, command)
    if answer is None:

        async def write(ledger: Ledger) -> PositionRow:
            return await ledger.add_position(new)

        row = with_ledger(settings, write, make=True)
    else:
        (row,) = answer.rows
    if as_json:
        tables.print_json(row)
    else:
        tables.print_table(tables.rows_table([row], datetime.now(UTC)))


def _known(settings: Settings, account: str | None, *, found: bool) -> None:
    """Nothing was found for an account: perhaps there is no such one. Raises CommandError."""
    names = [known.name for known in settings.accounts]
    if not found and account is not None and account not in names:
        text = f"no account {account!r}: there is {', '.join(names)}"
        raise CommandError(ExitCode.REFUSED, text)


def _positive(name: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value <= 0:
        raise CommandError(ExitCode.USAGE, f"{name} {text!r}: allowed: a number above zero")
    return value


def _opening(opened_at: str | None, age: str | None) -> datetime:
    now = datetime.now(UTC)
    if opened_at is not None and age is not None:
        raise CommandError(ExitCode.USAGE, "say --opened-at or --age, not both")
    if age is not None:
        length = duration(age)
        if isinstance(length, Refused):
            raise CommandError(ExitCode.USAGE, f"--age {age!r}: allowed: {length.allowed}")
        return now - length
    if opened_at is None:
        return now
    at = _iso(opened_at)
    if at is None:
        text = "allowed: ISO 8601, such as 2026-01-31T12:00:00Z"
        raise CommandError(ExitCode.USAGE, f"--opened-at {opened_at!r}: {text}")
    return at


def since_when(since: str | None) -> datetime | None:
    """`--since` as an instant: a duration before now, or ISO 8601. Raises CommandError."""
    if since is None:
        return None
    length = duration(since)
    at = _iso(since) if isinstance(length, Refused) else datetime.now(UTC) - length
    if at is None:
        text = "allowed: a duration such as 90m or 1d, or ISO 8601 such as 2026-01-31T12:00:00Z"
        raise CommandError(ExitCode.USAGE, f"--since {since!r}: {text}")
    return at


def _iso(text: str) -> datetime | None:
    """An instant in ISO 8601, in UTC where no zone is given."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
