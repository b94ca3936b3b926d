"""Loaded markets are kept out of the garbage collector's full rounds.

An account's markets are hundreds of thousands of small objects that live as long as the account.
A full round looks at each of them, and nothing else runs in that time: with fifty accounts for
most of a second.
"""

from __future__ import annotations

import gc


def set_apart() -> None:
    """After loading: whatever lives now is looked at no more.

    What is rubbish just now stays until an account is closed; collecting it first would cost the
    very pause that this is to spare.
    """
    gc.freeze()


def give_back() -> None:
    """After closing an account: what was set apart may be rubbish now."""
    gc.unfreeze()
