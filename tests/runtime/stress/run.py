"""Runs many trees: `python -m tests.runtime.stress.run --seeds 10000`.

`--first N --seeds 1` replays one. Exit code 1 where an invariant did not hold.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter

from loguru import logger

from tests.runtime.stress.trial import run_trial


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--keep-going", action="store_true", help="list all seeds that break")
    options = parser.parse_args()
    logger.remove()
    if options.seeds == 1:
        logger.add(sys.stderr, level="INFO")
    began = time.monotonic()
    events: Counter[str] = Counter()
    broken: list[int] = []
    for seed in range(options.first, options.first + options.seeds):
        try:
            events += run_trial(seed).events
        except BaseException as error:  # noqa: BLE001  whatever it is belongs to its seed
            broken.append(seed)
            if options.keep_going and not isinstance(error, KeyboardInterrupt):
                print(f"seed {seed}: {type(error).__name__}: {error}")
                continue
            traceback.print_exc()
            break
    seconds = time.monotonic() - began
    print(f"{options.seeds} trees in {seconds:.1f} s: {dict(events.most_common())}")
    print(f"broken: {', '.join(map(str, broken)) or 'none'}")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
