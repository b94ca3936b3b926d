"""Checks of what a caller gives: specifications and options, refused with the field's name."""

from __future__ import annotations

import math

from actors.runtime.errors import BadOption


def check_count(
    where: str, name: str, value: object, least: int, kind: type[BadOption] = BadOption
) -> None:
    """Refuse what is no whole number of at least `least`; True and 1.5 are none."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise kind(f"{where}: {name} is {value!r}; it is a whole number, {least} or more")


def check_seconds(
    where: str,
    name: str,
    value: object,
    *,
    zero: bool = False,
    kind: type[BadOption] = BadOption,
) -> None:
    """Refuse what is no finite number above zero (or zero, where that is allowed)."""
    if not is_number(value) or value < 0 or (value == 0 and not zero):  # type: ignore[operator]  # it is a number here
        least = "zero or more" if zero else "more than zero"
        raise kind(f"{where}: {name} is {value!r}; it is a number of seconds, {least}")


def check_type(
    where: str, name: str, value: object, wanted: type, kind: type[BadOption] = BadOption
) -> None:
    if not isinstance(value, wanted):
        raise kind(f"{where}: {name} is {value!r}; it is a {wanted.__name__}")


def is_number(value: object) -> bool:
    """Whether this is a finite int or float, and no bool."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
