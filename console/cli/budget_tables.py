"""How `budget` and the REPL show the venues' limits and what the guard spends of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table

from console.cli.tables import span, table_of
from console.control.replies import AccountBudget
from messages.budget import Lane
from rules.budget import headroom

_LANES = {
    Lane.ORDER: "orders",
    Lane.CLOSE: "closes",
    Lane.ANSWER: "verdicts",
    Lane.ROUND: "rounds",
}


def limits_table(budgets: Sequence[AccountBudget]) -> Table:
    """One line a limit that anybody has used something of, in its own unit."""
    right = ("used", "by the guard", "limit", "left")
    table = table_of("account", "limit", "whose", *right, right=right)
    for one in budgets:
        for limit in one.use.limits if one.use is not None else ():
            table.add_row(
                one.account,
                f"{limit.name} ({limit.unit} in {limit.seconds:g} s)",
                str(limit.scope),
                f"{limit.used:g}",
                f"{limit.used_by_guard:g}",
                f"{limit.limit:g}",
                f"{headroom(limit):g}",
            )
    return table


def spending_table(budgets: Sequence[AccountBudget]) -> Table:
    """What the last minute's requests were for, the most costly first."""
    right = ("requests", "weight")
    table = table_of("account", "asked for", "lane", *right, right=right)
    for one in budgets:
        for spent in one.use.spent if one.use is not None else ():
            table.add_row(
                one.account,
                spent.purpose.replace("_", " "),
                _LANES[spent.lane],
                str(spent.requests),
                f"{spent.weight:g}",
            )
    return table


def outlook(budgets: Sequence[AccountBudget]) -> Iterator[str]:
    """A line an account: how fast it can be flat, who waits, and what is wrong."""
    for one in budgets:
        use = one.use
        if use is None:
            yield f"{one.account}: not known: {one.problem}"
            continue
        if use.banned_until is not None:
            yield f"{one.account}: banned until {use.banned_until:%H:%M:%S} UTC: nothing is sent"
        waits = ", ".join(
            f"{_LANES[lane]} {seconds:.2f} s" for lane, seconds in sorted(use.longest_wait.items())
        )
        yield (
            f"{one.account}: {_flat(one)}; rounds may use {use.share:.0%} of each limit; "
            f"{use.waiting} waiting; longest wait of the last minute: {waits or 'none'}"
        )


def _flat(one: AccountBudget) -> str:
    """How fast what is open can be closed."""
    if not one.legs:
        return "nothing is open"
    legs = "1 leg is open" if one.legs == 1 else f"{one.legs} legs are open"
    if one.seconds_to_flat <= 0:
        return f"{legs}: the limits let all be closed at once"
    return f"{legs}: within the limits closing all takes {span(one.seconds_to_flat)}"
