"""Strict reads: a reply that isn't JSON with the list in its place is an error, never empty.

ccxt turns an empty body, HTML or a missing list into `[]` on most venues (`venues.md` section 1),
and an empty list closes ledger rows. What the rows mean is read elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reply of one endpoint keeps its list; an empty path means the reply is the list.

    `nullable` lists are written as null where they are empty; the key must be there all the same.
    """

    endpoint: str
    path: tuple[str, ...]
    nullable: bool = False


class TooLateError(Exception):
    """A request that was held up until nobody should send it any more. Nothing was sent."""


class BannedError(Exception):
    """A request that waited in the rate limiter while a ban began. Nothing was sent."""


class MalformedReplyError(Exception):
    """A reply without the shape that its endpoint promises."""

    def __init__(self, why: str, status: int | None = None) -> None:
        super().__init__(why)
        self.status = status


class CannotTellError(Exception):
    """The venue answered well, and what it keeps does not tell what was asked."""


class WrongAccountError(Exception):
    """The login is none of an account: every read of it would show nothing, and be well-formed."""


class Passage(Protocol):
    """A request that the rate limiter has let through."""

    def leaves(self) -> None:
        """It goes onto the wire now."""

    def ended(self) -> None:
        """It has been answered, or has failed."""

    def unsent(self) -> None:
        """It was held back after all."""

    def heard(self, reply: Reply) -> None:
        """Its answer."""

    def hold(self, seconds: float | None) -> float:
        """It was refused for its rate: let nothing of its kind through, for so many seconds.

        Without a number as long as its limits take to clear. Answers how long that is.
        """


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer. `body` is None where it was no JSON; `text` is what came.

    `headers` are those of its answer by lower-case name.
    """

    status: int
    path: str
    body: Any
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)
    passage: Passage | None = field(default=None, compare=False)


@dataclass(slots=True)
class Capture:
    """What one call of ours sent and got, in order. `sent` holds (HTTP method, path).

    `may_leave` is asked last before anything but a question is sent, and `banned` before anything.
    `name` is whose call it is. `since` is when it began to wait and `until` when it need not be
    sent any more, both in the monotonic seconds of the running loop.
    """

    name: str = ""
    may_leave: Callable[[], bool] = lambda: True
    banned: Callable[[], bool] = lambda: False
    since: float | None = None
    until: float | None = None
    sent: list[tuple[str, str]] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)

    @property
    def only_questions(self) -> bool:
        """Whether nothing that could have done anything was sent."""
        return all(is_question(*request) for request in self.sent)

    @property
    def answer(self) -> Reply | None:
        """The answer to the last request; None where that one got none."""
        return self.replies[-1] if len(self.replies) == len(self.sent) and self.replies else None


_NEXT_PAGE = "next-continuation-token"

_capture: ContextVar[Capture | None] = ContextVar("capture", default=None)
_passage: ContextVar[Passage | None] = ContextVar("passage", default=None)


@contextmanager
def capturing(capture: Capture | None = None) -> Iterator[Capture]:
    """Collect the requests and replies of the ccxt calls made inside.

    `TooLateError` leaves it where `may_leave` says no, `BannedError` where `banned` says yes.
    """
    capture = capture or Capture()
    token = _capture.set(capture)
    try:
        yield capture
    finally:
        _capture.reset(token)


def capture_here() -> Capture | None:
    """What collects the requests of this task; None outside of any call."""
    return _capture.get()


def let_through(passage: Passage) -> None:
    """The rate limiter's leave for the request that this task sends next."""
    _passage.set(passage)


def last_body() -> Any:
    """The body of the last answer inside `capturing()`; None where the last request got none."""
    capture = _capture.get()
    answer = capture.answer if capture is not None else None
    return answer.body if answer is not None else None


def next_token() -> str:
    """The continuation token of the next page, in header or body; "" where the pages end."""
    capture = _capture.get()
    answer = capture.answer if capture is not None else None
    if answer is None:
        return ""
    body = answer.body
    told = body.get("continuationToken") if isinstance(body, Mapping) else None
    return answer.headers.get(_NEXT_PAGE) or str(told or "")


def rows_taken(places: tuple[Place, ...]) -> list[Mapping[str, Any]]:
    """The rows of the last answer inside `capturing()`; none where its list has no known place."""
    capture = _capture.get()
    answer = capture.answer if capture is not None else None
    place = place_of(places, answer.path) if answer is not None else None
    return rows_at(answer.body, place) if answer is not None and place is not None else []


def place_of(places: tuple[Place, ...], path: str) -> Place | None:
    """The entry of the longest endpoint that ends this path."""
    fitting = [place for place in places if path.endswith(place.endpoint)]
    return max(fitting, key=lambda place: len(place.endpoint), default=None)


def rows_at(body: Any, place: Place) -> list[Mapping[str, Any]]:
    """The list at its place; `MalformedReplyError` where it is not there or not of objects."""
    at = body
    for key in place.path:
        if place.nullable and isinstance(at, Mapping) and at.get(key, ()) is None:
            return []
        at = at.get(key) if isinstance(at, Mapping) else None
    if not isinstance(at, list):
        raise MalformedReplyError(
            f"no list at {'.'.join(place.path) or 'the top'} of {place.endpoint}"
        )
    if not all(isinstance(row, Mapping) for row in at):
        raise MalformedReplyError(f"{place.endpoint} lists something that is no object")
    return at


def demand_strict_replies(
    exchange: Any, places: tuple[Place, ...], success: tuple[str, frozenset[str]] | None
) -> None:
    """Make one ccxt instance record and check every reply that it gets.

    `success` is the envelope's key and the values that mean a good answer.
    ccxt's own reading of errors goes first, so that a venue's refusal keeps its class.
    """
    venue_errors = exchange.handle_errors
    send = exchange.fetch

    async def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        capture, passage = _capture.get(), _passage.get()
        if capture is not None:
            request = (method, urlsplit(url).path)
            # Here the request has been through the rate limiter: only the socket is left.
            refusal = _held_back(capture, *request)
            if refusal is not None:
                if passage is not None:
                    passage.unsent()
                raise refusal
            capture.sent.append(request)
        if passage is None:
            return await send(url, method, headers, body)
        passage.leaves()
        try:
            return await send(url, method, headers, body)
        finally:
            passage.ended()
            _passage.set(None)

    def handle_errors(
        code: int,
        reason: str,
        url: str,
        method: str,
        headers: Any,
        body: str,
        response: Any,
        request_headers: Any,
        request_body: Any,
    ) -> None:
        path = endpoint_of(url, request_body)
        capture, passage = _capture.get(), _passage.get()
        told = {str(name).lower(): str(value) for name, value in headers.items()}
        reply = Reply(code, path, response, body or "", told, passage)
        if passage is not None:
            passage.heard(reply)
        if capture is not None:
            capture.replies.append(reply)
        good = 200 <= code < 300
        place = place_of(places, path) if method == "GET" or "#" in path else None
        if good:
            _demand_shape(place, path, response)
        venue_errors(
            code, reason, url, method, headers, body, response, request_headers, request_body
        )
        if not good:
            # ccxt knows most of these by their number and raises its own class for them.
            exchange.handle_http_status_code(code, reason, url, method, body or "")
            raise MalformedReplyError(f"HTTP {code} from {path}", code)
        if place is not None:
            _demand_success(success, path, response)
            rows_at(response, place)

    exchange.fetch = fetch
    exchange.handle_errors = handle_errors
    # Fractions stay as they were written: a float would lose digits of a size.
    exchange.on_json_response = _exact_json


def _held_back(capture: Capture, method: str, path: str) -> Exception | None:
    if capture.banned():
        return BannedError(f"{method} {path} would have gone into a ban")
    if not is_question(method, path) and not capture.may_leave():
        return TooLateError(f"{method} {path} was held up for too long")
    return None


def _exact_json(text: str) -> Any:
    return json.loads(text, parse_float=str)


def is_question(method: str, path: str) -> bool:
    """Whether a request only reads. `/info` asks by POST."""
    return method == "GET" or path == "/info"


def endpoint_of(url: str, request_body: Any) -> str:
    """The path of a request; where one path serves many questions, `#` and the question's type."""
    path = urlsplit(url).path
    if path == "/info" and isinstance(request_body, str):
        try:
            return f"{path}#{json.loads(request_body).get('type')}"
        except (ValueError, AttributeError):
            return path
    return path


def _demand_shape(place: Place | None, path: str, response: Any) -> None:
    if not isinstance(response, dict | list):
        raise MalformedReplyError(f"{path} answered something that is not JSON")
    if place is None or isinstance(response, list) == (not place.path):
        return
    if isinstance(response, dict) and not place.path:
        # An error object where a list is promised is for ccxt to read.
        return
    raise MalformedReplyError(f"{path} answered a {type(response).__name__}, not what it promises")


def _demand_success(success: tuple[str, frozenset[str]] | None, path: str, response: Any) -> None:
    if success is None or not isinstance(response, Mapping):
        return
    key, good = success
    if str(response.get(key)) not in good:
        raise MalformedReplyError(f"{path} answered without {key} of success")
