"""What a refused order means, and what to do about it (`docs/spec/mission.md` B3, B5).

The venue's error arrives classified by the venue's own code. "Nothing to reduce" and
"insufficient balance" are questions: the first answer says to ask the venue for the leg, the
second is given with its verdict. Leaves the order of the tries to ladder.py.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from messages.execution import ErrorCode
from messages.ledger import AlertType
from messages.settings import OrderSettings
from messages.venue import VenueError, VenueErrorKind
from messages.verdict import Absent, Present, Unknown, Verdict

_CODES = {
    VenueErrorKind.NOTHING_TO_REDUCE: ErrorCode.INSUFFICIENT_BALANCE,
    VenueErrorKind.REDUCE_ONLY_RESERVED: ErrorCode.REDUCE_ONLY_BLOCKED,
    VenueErrorKind.MARGIN: ErrorCode.INSUFFICIENT_BALANCE,
    VenueErrorKind.WRONG_ROUTING: ErrorCode.INSUFFICIENT_BALANCE,
    VenueErrorKind.RATE_LIMIT: ErrorCode.RATE_LIMITED,
    VenueErrorKind.NO_SUCH_ORDER: ErrorCode.UNKNOWN,
    VenueErrorKind.DUPLICATE_ID: ErrorCode.UNKNOWN,
    VenueErrorKind.KEY: ErrorCode.AUTH,
    VenueErrorKind.RIGHTS: ErrorCode.AUTH,
    VenueErrorKind.CLOCK: ErrorCode.AUTH,
    VenueErrorKind.MAINTENANCE: ErrorCode.NETWORK,
    VenueErrorKind.SIZE: ErrorCode.MIN_SIZE,
    VenueErrorKind.PRICE_BAND: ErrorCode.PRICE_BAND,
    VenueErrorKind.NOT_TRADABLE: ErrorCode.NOT_TRADABLE,
    VenueErrorKind.NETWORK: ErrorCode.NETWORK,
    VenueErrorKind.MALFORMED: ErrorCode.UNKNOWN,
    VenueErrorKind.UNSUPPORTED: ErrorCode.NOT_TRADABLE,
    VenueErrorKind.OTHER: ErrorCode.UNKNOWN,
}

# Refusals that a leg which is gone, or held back by other orders, would explain.
_QUESTIONS = frozenset(
    {
        VenueErrorKind.NOTHING_TO_REDUCE,
        VenueErrorKind.REDUCE_ONLY_RESERVED,
        VenueErrorKind.MARGIN,
        VenueErrorKind.WRONG_ROUTING,
        VenueErrorKind.NO_SUCH_ORDER,
        VenueErrorKind.OTHER,
    }
)
_BALANCE = frozenset(
    {
        VenueErrorKind.NOTHING_TO_REDUCE,
        VenueErrorKind.MARGIN,
        VenueErrorKind.WRONG_ROUTING,
    }
)
_RESERVING = frozenset({VenueErrorKind.NOTHING_TO_REDUCE, VenueErrorKind.REDUCE_ONLY_RESERVED})
_PERMANENT = frozenset(
    {
        VenueErrorKind.KEY,
        VenueErrorKind.RIGHTS,
        VenueErrorKind.SIZE,
        VenueErrorKind.UNSUPPORTED,
    }
)
# A halt ends: only a contract that is off the list is closed by nobody any more.
_SLOW = frozenset(
    {
        VenueErrorKind.RATE_LIMIT,
        VenueErrorKind.MAINTENANCE,
        VenueErrorKind.CLOCK,
        VenueErrorKind.NOT_TRADABLE,
    }
)
_DEGRADED = frozenset({VenueErrorKind.MAINTENANCE, VenueErrorKind.CLOCK})


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a refusal comes to.

    `ask_venue`: nothing is decided, read the leg and answer again with the verdict.
    `cancel_resting`: first cancel what reserves the size; if there was something, try again.
    `look_up_order`: an order of this id exists; its record is the outcome.
    `permanent`: no further try. `retry_after`: how long to wait before one, None for none.
    """

    code: ErrorCode
    permanent: bool
    text: str
    retry_after: timedelta | None = None
    cancel_resting: bool = False
    ask_venue: bool = False
    look_up_order: bool = False
    alert: AlertType | None = None


def code_of(kind: VenueErrorKind) -> ErrorCode:
    """The error code that a kind of refusal has before the venue is asked."""
    return _CODES[kind]


def retry_wait(kind: VenueErrorKind, settings: OrderSettings) -> timedelta:
    """The least wait after a refusal of this kind; the ladder's back-off may be longer."""
    return settings.rate_limit_wait if kind in _SLOW else settings.backoff_first


def answer_refusal(
    error: VenueError, after: Verdict | None, settings: OrderSettings | None = None
) -> Answer:
    """Answer a refused order: with `after` None at first, then with the verdict asked for.

    Confirmed absence explains every refusal: `POSITION_NOT_FOUND`, whatever the venue called it.
    """
    settings = settings or OrderSettings()
    if isinstance(after, Absent):
        return Answer(
            code=ErrorCode.POSITION_NOT_FOUND,
            permanent=True,
            text=f"the leg is not on the exchange; the refusal was {error}",
        )
    if error.kind in _QUESTIONS and after is None:
        return Answer(
            code=code_of(error.kind),
            permanent=False,
            text=f"refused with {error}: the venue is asked whether the leg is there",
            ask_venue=True,
            cancel_resting=error.kind in _RESERVING,
        )
    if error.kind in _BALANCE:
        return _balance(error, after)
    if error.kind in _PERMANENT:
        return Answer(
            code=code_of(error.kind),
            permanent=True,
            text=f"refused for good: {error}",
            alert=AlertType.OPERATOR_NEEDED,
        )
    if error.kind is VenueErrorKind.DUPLICATE_ID:
        return Answer(
            code=code_of(error.kind),
            permanent=False,
            text=f"an order of this id exists already and is looked up: {error}",
            look_up_order=True,
        )
    return Answer(
        code=code_of(error.kind),
        permanent=False,
        text=f"refused for now: {error}",
        retry_after=retry_wait(error.kind, settings),
        alert=AlertType.GUARD_DEGRADED if error.kind in _DEGRADED else None,
    )


def _balance(error: VenueError, after: Verdict | None) -> Answer:
    """A leg that is not confirmed gone, and a venue that speaks of missing balance or size."""
    if not isinstance(after, Present):
        why = after.why if isinstance(after, Unknown) else "it was not read"
        return Answer(
            code=ErrorCode.UNKNOWN,
            permanent=True,
            text=f"refused with {error}, and whether the leg is there is not known: {why}",
            alert=AlertType.CLOSE_FAILED,
        )
    return Answer(
        code=ErrorCode.INSUFFICIENT_BALANCE,
        permanent=True,
        text=f"real insufficient balance: {_explained(error)}; {after.quantity} is open",
        alert=AlertType.INSUFFICIENT_BALANCE,
    )


def _explained(error: VenueError) -> str:
    match error.kind:
        case VenueErrorKind.WRONG_ROUTING:
            return f"{error} is a spot market's code, so the order may have been routed to spot"
        case VenueErrorKind.NOTHING_TO_REDUCE:
            return f"{error}, so the position mode or side of the order may be wrong"
        case _:
            return str(error)
