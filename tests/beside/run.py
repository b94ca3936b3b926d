"""Play the guard beside freqtrade: `python -m tests.beside.run --freqtrade .beside/bin/freqtrade`.

Prints a table of what was done, what the guard said, and what was expected. Exit code 1 where a
line is not as expected.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from pathlib import Path
from tempfile import mkdtemp

from rich.console import Console
from rich.table import Table

from tests.beside.script import Line, Play

EXCHANGES = ("bybit", "binance")
MODES = ("observe", "enforce")


def main() -> int:
    parser = argparse.ArgumentParser(description="The guard beside freqtrade, on simulated venues.")
    parser.add_argument("--freqtrade", type=Path, required=True, help="freqtrade's program")
    parser.add_argument("--exchanges", default=",".join(EXCHANGES))
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument(
        "--minutes", type=float, default=0, help="how long each play lasts at least"
    )
    parser.add_argument(
        "--short", action="store_true", help="one exchange for each mode, fewer steps"
    )
    parser.add_argument("--keep", type=Path, help="folder for the logs and databases")
    given = parser.parse_args()
    exchanges, modes = given.exchanges.split(","), given.modes.split(",")
    folder = given.keep or Path(mkdtemp(prefix="beside-"))
    lines: list[Line] = []
    begun = time.monotonic()

    def tell(line: Line) -> None:
        lines.append(line)
        mark = "ok " if line.good else "RED"
        spent = int(time.monotonic() - begun)
        print(
            f"{spent // 60}:{spent % 60:02} {mark} {line.exchange:8} {line.mode:8} {line.done}: "
            f"{line.said}",
            flush=True,
        )

    chosen = [
        (exchange, mode)
        for number, mode in enumerate(modes)
        for exchange in exchanges
        if not given.short or exchange == exchanges[number % len(exchanges)]
    ]
    running = [
        threading.Thread(
            target=Play(
                folder / f"{exchange}-{mode}", exchange, mode, given.freqtrade.absolute(), tell
            ).run,
            kwargs={"short": given.short, "minutes": given.minutes},
        )
        for exchange, mode in chosen
    ]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    Console().print(_table(lines))
    red = [line for line in lines if not line.good]
    print(f"{len(lines)} lines, {len(red)} not as expected; logs in {folder}")
    return 1 if red else 0


def _table(lines: list[Line]) -> Table:
    table = Table(
        "exchange", "mode", "what was done", "what was expected", "what the guard said", ""
    )
    for line in sorted(lines, key=lambda it: (MODES.index(it.mode), it.exchange)):
        mark = "ok" if line.good else "[bold red]RED[/]"
        table.add_row(line.exchange, line.mode, line.done, line.expected, line.said, mark)
    return table


if __name__ == "__main__":
    sys.exit(main())
