"""Client order ids: the same facts make the same id, on any machine, after any crash.

A venue remembers ids for days, and an account may have had another guard, or this one with
another database in which row ids began at 1 again. So an id holds the random id of the ledger that
it was made for: hashed with the facts, so that no two ledgers ever make the same one, and its
first characters in plain, so that a ledger knows its own orders again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Sequence

import msgspec

from messages.values import Side

_PREFIX = "5e70"
_LENGTH = 28
_TAG = 6

# One venue accepts no text without "t-", so its records carry our ids with it.
_OURS = re.compile(
    rf"(?:t-)?({_PREFIX}([0-9a-f]{{{_TAG}}})[0-9a-f]{{{_LENGTH - len(_PREFIX) - _TAG}}})"
)
_LEDGER_ID = re.compile(rf"[0-9a-f]{{{_TAG},}}")


def client_order_id(
    account: str,
    symbol: str,
    side: Side,
    row_ids: Sequence[int],
    purpose: str,
    attempt: int,
    *,
    ledger_id: str = "",
) -> str:
    """28 lower-case hex characters: 5e70, six of the ledger's id, 18 of a SHA-256 of all facts.

    Short and plain enough for every supported venue's rules. The order of `row_ids` does not
    matter; each other field does, and no two different lists of fields read the same. Without a
    `ledger_id` it is the id that version 0.1.0 made.

    Raises ValueError for a `ledger_id` that is not at least six lower-case hex characters.
    """
    facts: list[object] = [account, symbol, side, sorted(row_ids), purpose, attempt]
    if not ledger_id:
        return _PREFIX + _digest(facts)[: _LENGTH - len(_PREFIX)]
    if _LEDGER_ID.fullmatch(ledger_id) is None:
        raise ValueError(f"{ledger_id!r} is no ledger id")
    made = _PREFIX + ledger_id[:_TAG] + _digest([ledger_id, *facts])
    return made[:_LENGTH]


def is_ours(client_order_id: str, ledger_id: str = "", older: Container[str] = ()) -> bool:
    """Whether an order is one that this ledger's guard made.

    It is if its id carries the ledger's tag, or is among `older`: the client order ids of the
    ledger's own intents, which know those that version 0.1.0 made without a tag. Nothing else is
    proof: an id of the right shape may be another guard's. Without a `ledger_id` the shape alone
    decides.
    """
    found = _OURS.fullmatch(client_order_id)
    if found is None:
        return False
    return not ledger_id or found[2] == ledger_id[:_TAG] or found[1] in older


class OwnIds(msgspec.Struct, frozen=True):
    """By which client order ids this ledger's guard knows its orders again (`is_ours`)."""

    ledger_id: str = ""
    older: frozenset[str] = frozenset()

    def __contains__(self, client_order_id: object) -> bool:
        return isinstance(client_order_id, str) and is_ours(
            client_order_id, self.ledger_id, self.older
        )


def _digest(facts: Sequence[object]) -> str:
    return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()
