"""What the demo says of itself: the lines above the live view, and the summary at its end.

`console.demo.found` counts; everything that the guard itself shows is `console.top.app`.
"""

from __future__ import annotations

from pathlib import Path

from rich.text import Text

from console.cli import tables
from console.cli.program import typed
from console.demo.bot import Deed
from console.demo.found import Found, Outcome

_KINDS = (
    ("ghost", "magenta"),
    ("orphan", "red"),
    ("naked", "yellow"),
    ("mismatch", "cyan"),
    ("closed", "green"),
)


def band(found: Found, deed: Deed | None, left: float) -> Text:
    """Two lines: what the guard has found so far, and what the bot did last."""
    text = Text(" Demo ", style="bold", no_wrap=True, overflow="ellipsis")
    for kind, style in _KINDS:
        number = getattr(found, kind)
        text.append(f" {kind} ", style="not bold dim")
        text.append(f"{number} ", style=f"bold {style}" if number else "not bold dim")
    text.append(f"  {left:.0f} s left, q ends it", style="not bold dim")
    text.append("\n The bot: ", style="not bold dim")
    if deed is None:
        return text.append("is about to trade", style="not bold dim")
    text.append(f"{deed.account} {tables.plain_symbol(deed.symbol)} {deed.side}", style="not bold")
    return text.append(f" {deed.what}", style="not bold")


def print_summary(result: Outcome, place: Path) -> None:
    """What was found and done, for a person, at the end."""
    console = tables.console_out()
    console.print()
    ending = "ended early" if result.interrupted else "over"
    console.print(Text(f"The demo is {ending} after {result.seconds:.0f} s", style="bold"))
    found = result.found
    for number, text in (
        (found.ghost, "ghosts: rows whose position was gone; closed with the evidence"),
        (found.orphan, "orphans: positions that no row knew; alerted, then protected or closed"),
        (found.naked, "naked positions: no stop covered them; alerted"),
        (found.mismatch, "mismatches: ledger and venue differ in size; alerted for review"),
        (found.closed, "aged positions closed by the guard, reduce-only"),
    ):
        console.print(Text(f"  {number:>3}  ", style="bold").append(text, style="not bold"))
    console.print()
    console.print(tables.figures_table(result.accounts, _total(result)))
    console.print()
    held = sum(map(len, result.venue.values()))
    console.print(
        f"The venue still holds {held} positions, the ledger {result.rows['active']} active rows; "
        f"{result.open_alerts} alerts are open, {result.restarts} actors were restarted."
    )
    config = place / "sexton.toml"
    console.print(f"Its ledger can still be read: {typed(f'events -c {config}')}")


def _total(result: Outcome) -> dict[str, int]:
    total: dict[str, int] = {}
    for account in result.accounts.values():
        for name, number in account.statistics.items():
            total[name] = total.get(name, 0) + number
    return total
