"""Tests of what a refusal comes to (`docs/spec/mission.md` B5, scenarios 2.1 to 2.6)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.execution import ErrorCode
from messages.ledger import AlertType
from messages.settings import OrderSettings
from messages.venue import VenueError, VenueErrorKind
from messages.verdict import (
    Absent,
    Accounting,
    Evidence,
    EvidenceKind,
    Present,
    Unexplained,
    Unknown,
    Verdict,
)
from rules.refusals import answer_refusal, code_of
from tests.rules.build import D, after, position, prove

GONE = Absent(
    evidence=Evidence(
        kind=EvidenceKind.TWO_READS,
        reads=(),
        accounting=Accounting(since=None, needed=D(7), closed=D(7)),
    )
)
THERE = Present(position=position(quantity="7"), seen_at=after(0))
NOT_KNOWN = Unknown(why="the read failed", failed=True)
UNEXPLAINED = Unexplained(
    why="nothing says how it ended",
    since=after(0),
    reads=(),
    accounting=Accounting(since=None, needed=D(7), closed=D(0)),
)

BALANCE = [VenueErrorKind.NOTHING_TO_REDUCE, VenueErrorKind.MARGIN, VenueErrorKind.WRONG_ROUTING]
ASKED = [*BALANCE, VenueErrorKind.REDUCE_ONLY_RESERVED, VenueErrorKind.NO_SUCH_ORDER,
         VenueErrorKind.OTHER]  # fmt: skip


def error(kind: VenueErrorKind) -> VenueError:
    return VenueError(kind=kind, code="170131", message="Insufficient balance.")


@pytest.mark.parametrize("kind", ASKED)
def test_a_refusal_that_absence_would_explain_is_a_question_first(kind: VenueErrorKind) -> None:
    answer = answer_refusal(error(kind), None)
    assert answer.ask_venue
    assert not answer.permanent
    assert answer.alert is None
    assert answer.retry_after is None


@pytest.mark.parametrize("kind", VenueErrorKind)
def test_confirmed_absence_explains_every_refusal_and_ends_the_tries(kind: VenueErrorKind) -> None:
    answer = answer_refusal(error(kind), GONE)
    assert answer.code is ErrorCode.POSITION_NOT_FOUND
    assert answer.permanent
    assert not answer.ask_venue
    assert answer.retry_after is None
    assert answer.alert is None


@pytest.mark.parametrize("kind", BALANCE)
def test_a_leg_that_is_there_makes_the_insufficient_balance_real(kind: VenueErrorKind) -> None:
    answer = answer_refusal(error(kind), THERE)
    assert answer.code is ErrorCode.INSUFFICIENT_BALANCE
    assert answer.permanent
    assert answer.alert is AlertType.INSUFFICIENT_BALANCE
    assert "real insufficient balance" in answer.text
    assert "7" in answer.text
    assert answer.retry_after is None


@pytest.mark.parametrize("kind", BALANCE)
def test_a_leg_that_cannot_be_read_ends_the_tries_with_an_alert(kind: VenueErrorKind) -> None:
    answer = answer_refusal(error(kind), NOT_KNOWN)
    assert answer.permanent
    assert answer.alert is AlertType.CLOSE_FAILED
    assert answer.code is not ErrorCode.POSITION_NOT_FOUND
    assert "the read failed" in answer.text


@pytest.mark.parametrize("kind", BALANCE)
def test_an_absence_that_nothing_explains_ends_the_tries_and_says_why(kind: VenueErrorKind) -> None:
    answer = answer_refusal(error(kind), UNEXPLAINED)
    assert (answer.permanent, answer.alert) == (True, AlertType.CLOSE_FAILED)
    assert answer.code is ErrorCode.UNKNOWN
    assert "nothing says how it ended" in answer.text


def test_a_spot_code_on_a_derivative_names_the_routing() -> None:
    assert "spot" in answer_refusal(error(VenueErrorKind.WRONG_ROUTING), THERE).text
    nothing = answer_refusal(error(VenueErrorKind.NOTHING_TO_REDUCE), THERE).text
    assert "position mode or side" in nothing
    margin = answer_refusal(error(VenueErrorKind.MARGIN), THERE).text
    assert "Insufficient balance.; 7 is open" in margin


@pytest.mark.parametrize(
    ("kind", "cancels"),
    [
        (VenueErrorKind.REDUCE_ONLY_RESERVED, True),
        (VenueErrorKind.NOTHING_TO_REDUCE, True),
        (VenueErrorKind.MARGIN, False),
        (VenueErrorKind.WRONG_ROUTING, False),
    ],
)
def test_only_refusals_that_resting_orders_explain_cancel_them(
    kind: VenueErrorKind, cancels: bool
) -> None:
    assert answer_refusal(error(kind), None).cancel_resting is cancels


def test_a_size_that_stays_reserved_is_tried_again_and_keeps_its_code() -> None:
    answer = answer_refusal(error(VenueErrorKind.REDUCE_ONLY_RESERVED), THERE)
    assert answer.code is ErrorCode.REDUCE_ONLY_BLOCKED
    assert not answer.permanent
    assert answer.retry_after is not None


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (VenueErrorKind.KEY, ErrorCode.AUTH),
        (VenueErrorKind.RIGHTS, ErrorCode.AUTH),
        (VenueErrorKind.SIZE, ErrorCode.MIN_SIZE),
        (VenueErrorKind.UNSUPPORTED, code_of(VenueErrorKind.UNSUPPORTED)),
    ],
)
def test_what_only_a_person_can_mend_is_permanent(kind: VenueErrorKind, code: ErrorCode) -> None:
    answer = answer_refusal(error(kind), None)
    assert (answer.code, answer.permanent, answer.alert) == (code, True, AlertType.OPERATOR_NEEDED)


@pytest.mark.parametrize(
    ("kind", "code", "alert"),
    [
        (VenueErrorKind.RATE_LIMIT, ErrorCode.RATE_LIMITED, None),
        (VenueErrorKind.NOT_TRADABLE, ErrorCode.NOT_TRADABLE, None),
        (VenueErrorKind.MAINTENANCE, ErrorCode.NETWORK, AlertType.GUARD_DEGRADED),
        (VenueErrorKind.CLOCK, ErrorCode.AUTH, AlertType.GUARD_DEGRADED),
    ],
)
def test_weather_is_waited_out(
    kind: VenueErrorKind, code: ErrorCode, alert: AlertType | None
) -> None:
    patient = OrderSettings(rate_limit_wait=timedelta(seconds=33))
    answer = answer_refusal(error(kind), None, patient)
    assert (answer.code, answer.permanent, answer.alert) == (code, False, alert)
    assert answer.retry_after == timedelta(seconds=33)


def test_a_duplicate_id_is_looked_up_and_never_sent_again() -> None:
    answer = answer_refusal(error(VenueErrorKind.DUPLICATE_ID), None)
    assert answer.look_up_order
    assert answer.retry_after is None


@given(
    st.sampled_from(VenueErrorKind),
    st.sampled_from([None, GONE, THERE, NOT_KNOWN, UNEXPLAINED]),
    st.text(),
)
@prove
def test_only_kind_and_verdict_decide_and_every_answer_says_what_comes_next(
    kind: VenueErrorKind, verdict: Verdict | None, text: str
) -> None:
    answer = answer_refusal(VenueError(kind=kind, message=text), verdict)
    other = answer_refusal(VenueError(kind=kind, message="", code="-1"), verdict)
    for field in ("code", "permanent", "retry_after", "cancel_resting", "ask_venue", "alert"):
        assert getattr(answer, field) == getattr(other, field)
    nexts = [
        answer.permanent,
        answer.ask_venue,
        answer.look_up_order,
        answer.retry_after is not None,
    ]
    assert sum(nexts) == 1
    assert answer.text
    if verdict is not None:
        assert not answer.ask_venue
    assert answer.ask_venue or not answer.cancel_resting
    assert answer.look_up_order == (kind is VenueErrorKind.DUPLICATE_ID and verdict is not GONE)
    if answer.code is ErrorCode.POSITION_NOT_FOUND:
        assert verdict is GONE
    assert isinstance(code_of(kind), ErrorCode)
