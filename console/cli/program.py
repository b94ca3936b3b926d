"""How this program was called, so that its texts show commands as they are typed here.

The only place that knows: installed, it is `sexton`; from a checkout, `python supervisor.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

INSTALLED = "sexton"
FROM_CHECKOUT = "python supervisor.py"


def program() -> str:
    """The words that come before a command's name."""
    return INSTALLED if Path(sys.argv[0]).stem == INSTALLED else FROM_CHECKOUT


def typed(command: str) -> str:
    """A command with its arguments as a person types it here."""
    return f"{program()} {command}"
