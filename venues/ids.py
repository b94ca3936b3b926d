"""Client order ids: our canonical form, and the form that each venue demands.

Canonical ids are 28 lower-case hex characters (`rules` makes them). Both ways are exact, so that
an order found at the venue leads back to its intent.
"""

from __future__ import annotations

import re

_CANONICAL = re.compile(r"[0-9a-f]{28}")
_GATE_PREFIX = "t-"
_WALLET_TAIL = "0000"


def to_venue(exchange: str, canonical: str) -> str:
    """The id as the venue wants it: hyperliquid 0x and 32 hex, gate `t-…`, others as it is."""
    if exchange == "hyperliquid" and _CANONICAL.fullmatch(canonical):
        return f"0x{canonical}{_WALLET_TAIL}"
    if exchange == "gate":
        return f"{_GATE_PREFIX}{canonical}"
    return canonical


def from_venue(exchange: str, written: str | None) -> str:
    """Our canonical id where it is one of ours; a stranger's id as it was written."""
    text = written or ""
    if exchange == "hyperliquid":
        inner = text.removeprefix("0x")[: -len(_WALLET_TAIL)]
        if text.endswith(_WALLET_TAIL) and _CANONICAL.fullmatch(inner):
            return inner
    if exchange == "gate" and text.startswith(_GATE_PREFIX):
        return text[len(_GATE_PREFIX) :]
    return text
