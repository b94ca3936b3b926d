"""What a venue's error means: by the venue's own code first, then its words, then ccxt's class.

The codes are the exchanges' own tables (`venues.md` section 3); here is the one way through them.
ccxt's class cannot tell a ghost: InvalidOrder covers reduce-only, duplicate id and size alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from messages.settings import AccountSettings
from messages.venue import VenueError, VenueErrorKind
from venues.exchanges.base import Exchange
from venues.strict import MalformedReplyError, Reply

_CODE_KEYS = frozenset(
    {"retcode", "ret_code", "scode", "code", "err_code", "errorcode", "label", "status"}
)
_GOOD = frozenset({"", "0", "1", "2", "00000", "200", "200000", "ok", "success", "err", "error"})
_LONGEST_MESSAGE = 400

_BY_CLASS = (
    # Subclasses before their bases; names, since ccxt is not imported until it is needed.
    ("InvalidNonce", VenueErrorKind.CLOCK),
    ("RateLimitExceeded", VenueErrorKind.RATE_LIMIT),
    ("DDoSProtection", VenueErrorKind.RATE_LIMIT),
    ("OnMaintenance", VenueErrorKind.MAINTENANCE),
    ("PermissionDenied", VenueErrorKind.RIGHTS),
    ("AuthenticationError", VenueErrorKind.KEY),
    ("InsufficientFunds", VenueErrorKind.MARGIN),
    ("DuplicateOrderId", VenueErrorKind.DUPLICATE_ID),
    ("OrderNotFound", VenueErrorKind.NO_SUCH_ORDER),
    ("BadSymbol", VenueErrorKind.NOT_TRADABLE),
    ("NetworkError", VenueErrorKind.NETWORK),
)

_NO = frozenset(
    {
        "InsufficientFunds",
        "InvalidOrder",
        "OperationRejected",
        "BadSymbol",
        "AuthenticationError",
        "InvalidNonce",
        "RateLimitExceeded",
        "DDoSProtection",
    }
)
"""ccxt's classes for codes that it lists as refusals. Its others may hide any outcome."""

_PHRASES = (
    ("reduceonly order is rejected", VenueErrorKind.NOTHING_TO_REDUCE),
    ("reduce-only order qty", VenueErrorKind.NOTHING_TO_REDUCE),
    ("reduceonly order failed", VenueErrorKind.REDUCE_ONLY_RESERVED),
    ("insufficient balance", VenueErrorKind.MARGIN),
    ("margin is insufficient", VenueErrorKind.MARGIN),
    ("too many requests", VenueErrorKind.RATE_LIMIT),
)
"""Words that mean the same everywhere, lower case."""

_TIMED_OUT = re.compile(r"tim(?:e|ed)[ _-]?out")

_SECRET_PAIRS = re.compile(
    r"""(?ix) ( (?:signature|sign|api[-_]?key|access[-_]?key|secret|passphrase|listenkey|x-\w+)
                [\\"']* \s* [=:] \s* [\\"']* ) [^&\s\\"',}]+"""
)


@dataclass(frozen=True, slots=True)
class Classified:
    """An error with its meaning. `answered`: the venue itself said so, in its own words.

    `refusal`: what it said is known to be a no, so nothing was done. A code that nobody has listed
    may as well mean that the request timed out inside the venue and took effect.
    """

    error: VenueError
    refusal: bool
    answered: bool


def classify(
    settings: AccountSettings,
    exchange: Exchange,
    raised: BaseException,
    reply: Reply | None,
    now: datetime,
) -> Classified:
    """The meaning of what a ccxt call raised. `reply` is the last answer it got, if any.

    The answer is read for a code wherever it stands: in a field, in the message, in any case. A
    rate limit carries when it ends, where the answer says so.
    """
    found = _classified(settings, exchange, raised, reply)
    if found.error.kind is not VenueErrorKind.RATE_LIMIT or reply is None:
        return found
    until = exchange.listens_again(reply, now)
    return replace(found, error=msgspec.structs.replace(found.error, retry_at=until))


def _classified(
    settings: AccountSettings, exchange: Exchange, raised: BaseException, reply: Reply | None
) -> Classified:
    read = _read_reply(exchange, reply)
    text = scrub(settings, str(raised))
    status = reply.status if reply is not None else None
    if isinstance(raised, MalformedReplyError):
        malformed = VenueError(
            kind=_by_status(exchange, status) or VenueErrorKind.MALFORMED,
            message=text,
            http_status=raised.status or status,
        )
        slowed = malformed.kind is VenueErrorKind.RATE_LIMIT
        return Classified(malformed, refusal=slowed, answered=slowed)
    code, kind = read if read is not None else ("", None)
    if kind is None and (reply is None or reply.body is not None):
        kind = _by_words(exchange, text)
    known = kind is not None and reply is not None
    if kind is None:
        kind = _by_status(exchange, status)
        known = kind is VenueErrorKind.RATE_LIMIT or (kind is VenueErrorKind.KEY and bool(code))
    if kind is None:
        kind = _by_class(raised, code, reply)
        known = bool(code) and any(cls.__name__ in _NO for cls in type(raised).__mro__)
    if not any(cls.__name__ == "BaseError" for cls in type(raised).__mro__):
        # ccxt took the reply for a good one and stumbled over its shape: that is no refusal.
        known = False
    unsure = (VenueErrorKind.NETWORK, VenueErrorKind.MAINTENANCE, VenueErrorKind.MALFORMED)
    answered = (known or bool(code)) and kind not in unsure and (status or 0) < 500
    error = VenueError(kind=kind, message=text or kind.value, code=code, http_status=status)
    return Classified(error, refusal=known and answered, answered=answered)


def scrub(settings: AccountSettings, text: str) -> str:
    """A message that may be shown: no key, no secret, no signature, and not a page of HTML."""
    for secret in (settings.key, settings.secret, settings.password):
        if secret is not None and len(secret.reveal()) > 3:
            text = text.replace(secret.reveal(), "***")
    return _SECRET_PAIRS.sub(r"\1***", text)[:_LONGEST_MESSAGE]


def _read_reply(
    exchange: Exchange, reply: Reply | None
) -> tuple[str, VenueErrorKind | None] | None:
    """The code that the answer carries and its meaning; None where it carries neither.

    Half an answer means nothing, whatever words it still shows.
    """
    if reply is None or not isinstance(reply.body, Mapping | list):
        return None
    for phrase, kind in exchange.phrases_first:
        if phrase in reply.text.lower():
            return next(_codes(reply.body), ""), kind
    codes = list(_codes(reply.body))
    for code in codes:
        kind_found = exchange.meaning_of(code)
        if kind_found is not None:
            return code, kind_found
    for known, kind in exchange.codes.items():
        # A code that is quoted inside a message, as whole number or whole word.
        if not _distinctive(known):
            continue
        quoted = re.search(rf"(?<![\w-]){re.escape(known)}(?!\w)", reply.text, re.IGNORECASE)
        if quoted is not None:
            return quoted.group(0), kind
    words = _by_words(exchange, reply.text)
    if words is not None:
        return (codes[0] if codes else ""), words
    return (codes[0], None) if codes else None


def _distinctive(code: str) -> bool:
    digits = code.lstrip("-")
    return not digits.isdecimal() or len(digits) >= 5 or (code[0] == "-" and len(digits) == 4)


def _codes(body: Any, depth: int = 0) -> Iterator[str]:
    """Codes in an answer, the innermost first: a general one may be wrapped around an order's."""
    if depth > 5:
        return
    if isinstance(body, Mapping):
        for value in body.values():
            if isinstance(value, Mapping | list):
                yield from _codes(value, depth + 1)
        for key, value in body.items():
            spelled = str(value)
            if (
                str(key).lower() in _CODE_KEYS
                and not isinstance(value, Mapping | list)
                and spelled.lower() not in _GOOD
            ):
                yield spelled
    elif isinstance(body, list):
        for value in body[:20]:
            yield from _codes(value, depth + 1)


def _by_words(exchange: Exchange, text: str) -> VenueErrorKind | None:
    lower = text.lower()
    if _TIMED_OUT.search(lower):
        return VenueErrorKind.NETWORK
    for phrase, kind in (*exchange.phrases, *_PHRASES):
        if phrase in lower:
            return kind
    return None


def _by_status(exchange: Exchange, status: int | None) -> VenueErrorKind | None:
    return None if status is None else exchange.meaning_of_status(status)


def _by_class(raised: BaseException, code: str, reply: Reply | None) -> VenueErrorKind:
    classes = {cls.__name__ for cls in type(raised).__mro__}
    if reply is not None and reply.body is None and "NetworkError" not in classes:
        # ccxt looks for words in pages of HTML too; what is no answer has no meaning.
        return VenueErrorKind.MALFORMED
    for name, kind in _BY_CLASS:
        if name in classes:
            return kind
    if code:
        return VenueErrorKind.OTHER
    if classes & {"ClientError", "OSError", "TimeoutError"}:
        return VenueErrorKind.NETWORK
    if "ExchangeError" in classes and reply is None:
        # A connection cut in mid-reply comes as a bare ExchangeError.
        return VenueErrorKind.NETWORK
    if "BaseError" in classes and reply is None:
        return VenueErrorKind.OTHER
    return VenueErrorKind.MALFORMED
