"""Play the guard beside freqtrade: `python -m tests.beside.run --freqtrade .beside/bin/freqtrade`.

Prints a table of what was done, what the guard said, and what was expected. Exit code 1 where a
line is not as expected.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import mkdtemp

from rich.console import Console
from rich.table import Table

from tests.beside.processes import given_up
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
    parser.add_argument("--at-once", type=int, default=2, help="how many plays side by side")
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
    # Stopped from outside, the plays still end their processes.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ThreadPoolExecutor(given.at_once) as stage:
        playing = []
        for exchange, mode in chosen:
            play = Play(
                folder / f"{exchange}-{mode}", exchange, mode, given.freqtrade.absolute(), tell
            )
            playing.append(stage.submit(play.run, short=given.short, minutes=given.minutes))
        try:
            for each in playing:
                each.result()
        finally:
            given_up.set()
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
