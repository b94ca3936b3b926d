"""Commands about what is on record: rows, events, alerts, and a symbol's whole story.

Everything is asked from the ledger's actor. Commands about actors, monitors and legs are in
`commands`.
"""

from __future__ import annotations

from collections.abc import Callable

from actors import paths
from actors.runtime import AskFailed, System
from console.control import protocol as p
from console.control.leg_stories import leg_stories
from console.control.legs import markets_of, no_such_account
from messages.ledger import Event, NewPosition
from messages.to_alerts import AckAlert
from messages.to_ledger import (
    AddPosition,
    FindAlerts,
    FindEvents,
    FindEventSymbols,
    FindIntents,
    FindRows,
)
from rules.symbols import SymbolIndex, may_be_one


class Records:
    """Answers from the ledger of one running system."""

    def __init__(self, system: System, accounts: Callable[[], tuple[str, ...]]) -> None:
        self._system = system
        self._accounts_now = accounts

    @property
    def _accounts(self) -> tuple[str, ...]:
        return self._accounts_now()

    async def answer(
        self, command: p.GetPositions | p.GetEvents | p.GetAlerts | p.AddRow | p.Acknowledge
    ) -> p.Reply:
        """The reply to a command about what is on record."""
        match command:
            case p.GetPositions():
                return await self._rows(command)
            case p.GetEvents():
                return await self._events(command)
            case p.GetAlerts():
                alerts = await self._system.attempt(
                    paths.LEDGER,
                    FindAlerts(
                        open_only=command.open_only, account=command.account, limit=command.limit
                    ),
                )
                return failed(alerts) if isinstance(alerts, AskFailed) else p.Alerts(alerts=alerts)
            case p.AddRow():
                return await self._add_row(command)
            case p.Acknowledge():
                acked = await self._system.attempt(
                    paths.ALERTS, AckAlert(alert_id=command.alert_id, by=command.by)
                )
                if isinstance(acked, AskFailed):
                    return failed(acked)
                if acked is None:
                    text = f"no open alert has the number {command.alert_id}: see `alerts`"
                    return p.Refused(code="no_such_alert", message=text)
                return p.Carried(message=f"alert {acked.id} acknowledged: {acked.title}")

    async def _rows(self, command: p.GetPositions) -> p.Reply:
        symbol = command.symbol
        rows = await self._system.attempt(
            paths.LEDGER,
            FindRows(
                account=command.account,
                status=command.status,
                limit=command.limit if symbol is None else None,
            ),
        )
        if isinstance(rows, AskFailed):
            return failed(rows)
        if symbol is not None:
            rows = tuple(row for row in rows if may_be_one(symbol, row.symbol))[: command.limit]
        return p.Rows(rows=rows)

    async def _events(self, command: p.GetEvents) -> p.Reply:
        spellings: tuple[str | None, ...] = (None,)
        if command.symbol is not None:
            known = await self._system.attempt(paths.LEDGER, FindEventSymbols())
            if isinstance(known, AskFailed):
                return failed(known)
            spellings = tuple(name for name in known if may_be_one(command.symbol, name))
        # With a starting point the oldest come first, so that a follower misses none.
        follows = command.after_seq > 0
        found: list[Event] = []
        for symbol in spellings:
            events = await self._system.attempt(
                paths.LEDGER,
                FindEvents(
                    account=command.account,
                    symbol=symbol,
                    kind=command.kind,
                    after_seq=command.after_seq,
                    since=command.since,
                    limit=command.limit,
                    newest_first=not follows,
                ),
            )
            if isinstance(events, AskFailed):
                return failed(events)
            found += events
        found.sort(key=lambda event: event.seq)
        return p.Events(
            events=tuple(found[: command.limit] if follows else found[-command.limit :])
        )

    async def _add_row(self, command: p.AddRow) -> p.Reply:
        if command.account not in self._accounts:
            return no_such_account(command.account, self._accounts)
        new = NewPosition(
            account=command.account,
            symbol=command.symbol,
            side=command.side,
            quantity=command.quantity,
            entry_price=command.entry_price,
            opened_at=command.opened_at,
            stop_price=command.stop_price,
        )
        row = await self._system.attempt(paths.LEDGER, AddPosition(new=new))
        return failed(row) if isinstance(row, AskFailed) else p.Rows(rows=(row,))

    async def story(self, command: p.Why) -> p.Reply:
        """What is known of a symbol, in whatever spelling it was asked for."""
        if command.account is not None and command.account not in self._accounts:
            return no_such_account(command.account, self._accounts)
        spellings = await self._spellings(command)
        rows = await self._system.attempt(paths.LEDGER, FindRows(account=command.account))
        alerts = await self._system.attempt(
            paths.LEDGER, FindAlerts(open_only=False, account=command.account, limit=command.limit)
        )
        intents = await self._system.attempt(paths.LEDGER, FindIntents(account=command.account))
        events: list[Event] = []
        for spelling in sorted(spellings):
            found = await self._system.attempt(
                paths.LEDGER,
                FindEvents(
                    account=command.account,
                    symbol=spelling,
                    limit=command.limit,
                    newest_first=True,
                ),
            )
            if isinstance(found, AskFailed):
                return failed(found)
            events += found
        if isinstance(rows, AskFailed):
            return failed(rows)
        if isinstance(alerts, AskFailed):
            return failed(alerts)
        if isinstance(intents, AskFailed):
            return failed(intents)
        if not any(
            (
                events,
                any(row.symbol in spellings for row in rows),
                any(alert.symbol in spellings for alert in alerts),
            )
        ):
            text = f"nothing is on record about {command.symbol}: see `positions --all`"
            return p.Refused(code="nothing_on_record", message=text)
        accounts = self._accounts if command.account is None else (command.account,)
        return p.Story(
            symbol=command.symbol,
            rows=tuple(row for row in rows if row.symbol in spellings),
            intents=tuple(i for i in intents if i.key.symbol in spellings),
            alerts=tuple(alert for alert in alerts if alert.symbol in spellings),
            events=tuple(sorted(events, key=lambda event: event.seq)[-command.limit :]),
            legs=await leg_stories(self._system, accounts, command.symbol),
        )

    async def _spellings(self, command: p.Why) -> set[str]:
        """The symbol as it was typed, as ccxt spells it, and as rows spell it."""
        spellings = {command.symbol}
        rows = await self._system.attempt(paths.LEDGER, FindRows(account=command.account))
        for name in self._accounts:
            markets = await markets_of(self._system, name)
            if isinstance(markets, str):
                continue
            index = SymbolIndex(markets.instruments)
            unified = index.find(command.symbol)
            if unified is None:
                continue
            spellings.add(unified)
            if not isinstance(rows, AskFailed):
                spellings |= {row.symbol for row in rows if index.find(row.symbol) == unified}
        return spellings


def failed(failed: AskFailed) -> p.Refused:
    """An actor gave no answer; a time-out's reason names it already."""
    said = failed.reason.startswith(failed.path)
    message = failed.reason if said else f"{failed.path} did not answer: {failed.reason}"
    return p.Refused(code="failed", message=message)
