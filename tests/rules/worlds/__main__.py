"""`make worlds`: all worlds of up to seven events, with progress.

One process a core; each takes one kind of venue at a time. Prints how many worlds there were, and
each kind of fault with the events that lead to it. The exit code is 1 where there is any.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed

from rules.verdict import judge
from tests.rules.worlds.check import Called, Layer, layers, told
from tests.rules.worlds.world import VENUES, Venue


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    worlds, called, failed = 0, Counter[Called](), False
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for done in as_completed(pool.submit(_all_of, venue, arguments.events) for venue in VENUES):
            for layer in done.result():
                worlds += layer.worlds
                called += layer.called
                failed = failed or bool(layer.faults)
    print(f"{worlds:,} worlds of at most {arguments.events} events")
    for how, number in sorted(called.items()):
        print(f"  {number:,} where {how}")
    print("FAULTS, see above" if failed else "no living leg was called absent but as said above")
    return int(failed)


def _all_of(venue: Venue, events: int) -> list[Layer]:
    found: list[Layer] = []
    start = time.monotonic()
    for layer in layers(judge, venue, events):
        found.append(layer)
        seconds = time.monotonic() - start
        print(f"[{seconds:6.0f} s] {venue}: {told(layer)}", flush=True)
        for fault in layer.faults:
            print(fault, flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
