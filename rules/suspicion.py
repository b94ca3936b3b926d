"""Is this the account that the ledger speaks of? Judged from how its legs came out.

The rule is 5 of `docs/spec/truth.md`.
A wrong key, a rotated key or another sub-account's answers every question with an empty account,
and truthfully. What gives it away is that many legs end at once and no record says how.
"""

from __future__ import annotations

import msgspec

MANY = 2
"""One leg without an explanation is a leg's trouble; two or more may be the account's."""


class LegsJudged(msgspec.Struct, frozen=True, kw_only=True):
    """How many legs of the ledger one complete read showed, and how the others came out.

    `undecided` may still be explained, or turn out to be there; so may all that an incomplete
    read does not show.
    """

    shown: int = 0
    explained: int = 0
    unexplained: int = 0
    undecided: int = 0

    @property
    def total(self) -> int:
        return self.shown + self.explained + self.unexplained + self.undecided


def suspicion(legs: LegsJudged) -> str:
    """Why the account is suspect, in words; empty where it is not.

    Suspect: a read shows none of the ledger's legs and no record explains any of their ends, or
    more than half of them (and at least two) would be left unexplained.
    """
    if legs.unexplained < MANY:
        return ""
    if legs.shown == 0 and legs.explained == 0:
        return (
            f"the venue shows none of the ledger's {legs.total} legs, and no record says how any "
            "of them ended: whose key is this?"
        )
    if legs.unexplained * 2 > legs.total:
        return (
            f"{legs.unexplained} of the ledger's {legs.total} legs are gone and no record says "
            "how: whose key is this?"
        )
    return ""


def may_be_suspect(legs: LegsJudged) -> bool:
    """Whether it is suspect if none of the undecided legs is there or explained.

    As long as it may be, a suspicion stands: a read that fails is no evidence against it.
    """
    worst = msgspec.structs.replace(
        legs, unexplained=legs.unexplained + legs.undecided, undecided=0
    )
    return bool(suspicion(worst))


def undecided(legs: LegsJudged) -> str:
    """What is waited for before it can be said whether the account is suspect; empty: nothing."""
    if suspicion(legs) or not may_be_suspect(legs):
        return ""
    return f"{legs.undecided} of the ledger's {legs.total} legs are not shown, and not judged yet"


def is_emptied(*, missing: int, shown: int) -> bool:
    """Whether a complete read leaves out so many legs of the one before that nothing should be
    sent before it is known why. `shown` are those of the earlier read that the later one shows.
    """
    return missing >= MANY and missing > shown


def may_be_another_account(*, missing: int, shown: int) -> bool:
    """Whether a read leaves so much out that nothing should be done to what it does show.

    `missing` are legs of the ledger that a complete read left out and whose ends are not explained
    yet, `shown` those that it shows.
    """
    return missing > 0 and (shown == 0 or missing > shown)
