"""The entry: `python supervisor.py COMMAND`. Everything it can do is in `console.cli.app`."""

from __future__ import annotations

from console.cli.app import main

if __name__ == "__main__":
    main()
