"""Numbers as venues write them, made exact decimals; nothing here ever rounds."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

_TOO_LARGE = 100
"""Powers of ten."""


def decimal_or_none(value: Any) -> Decimal | None:
    """The number that a venue or ccxt wrote, or None where it is no finite number.

    A float is taken by its shortest spelling, which is what stood in the reply. What is beyond
    any market's sizes is nonsense too: arithmetic with it would overflow.
    """
    if value is None or isinstance(value, bool) or value == "":
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and number.adjusted() < _TOO_LARGE else None


def positive_or_none(value: Any) -> Decimal | None:
    """A price, or None: venues write 0 or "" for "there is none"."""
    number = decimal_or_none(value)
    return number if number is not None and number > 0 else None


def instant_or_none(unix_time: Any) -> datetime | None:
    """An aware UTC instant from Unix time; None for zero, empty and nonsense.

    Venues write seconds or milliseconds: below 10^11 only seconds make sense.
    """
    number = decimal_or_none(unix_time)
    if number is None or number <= 0:
        return None
    if number < 10**11:
        number *= 1000
    try:
        return datetime.fromtimestamp(float(number) / 1000, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return None


def milliseconds(at: datetime) -> int:
    """Unix milliseconds of an aware instant."""
    return int(at.timestamp() * 1000)


def plain(number: Decimal) -> str:
    """A decimal without an exponent, as venues want it."""
    return format(number.normalize(), "f")
