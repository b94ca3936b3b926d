"""When was a leg opened? Told from its fills, where the venue's position row does not say.

A leg's age decides at what price it may be left, so an opening that the fills do not show whole
is not known, rather than guessed. Leaves reading the fills to the caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from messages.values import ZERO, LegKey
from messages.venue import Fill
from rules.leg_records import closed_by, opened_by


def opened_when(
    fills: Iterable[Fill], key: LegKey, quantity: Decimal, *, hedged: bool
) -> datetime | None:
    """The fill from which a leg of `quantity` (base units) has been open ever since.

    Walks back from what is held now, until nothing was held. In one-way mode the fill that opened
    the leg may have closed the other side first, so it may be larger than what it opened. None
    where the fills do not reach back that far, or cannot add up to what is held.
    """
    held = quantity
    # Fills of one instant keep the venue's order, which `reverse=True` would not turn round.
    for fill in sorted(fills, key=lambda it: it.at)[::-1]:
        if fill.symbol != key.symbol or fill.position_side is key.side.opposite:
            continue
        held += closed_by(fill, key.side) - opened_by(fill, key.side)
        if held == ZERO or (held < ZERO and not hedged):
            return fill.at
        if held < ZERO:
            return None
    return None
