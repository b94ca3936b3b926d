"""Rounding to an instrument's steps, exactly. Knows nothing of what is being rounded."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal

from messages.values import ZERO

# The default context's 28 digits overflow in `//` for huge quantities of tiny steps.
_WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `value`. A step of zero rounds nothing."""
    return _to_step(value, step, ROUND_FLOOR)


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` that is not below `value`. A step of zero rounds nothing."""
    return _to_step(value, step, ROUND_CEILING)


def _to_step(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    if step <= ZERO:
        return value
    whole = _WIDE.divide_int(value, step)
    rounded = _WIDE.multiply(whole, step)
    if rounding == ROUND_FLOOR and rounded > value:
        rounded = _WIDE.subtract(rounded, step)
    if rounding == ROUND_CEILING and rounded < value:
        rounded = _WIDE.add(rounded, step)
    return rounded


def to_places(value: Decimal, places: int) -> Decimal:
    """`value` with so many decimal places, halves to even."""
    return value.quantize(Decimal(1).scaleb(-places), context=_WIDE)
