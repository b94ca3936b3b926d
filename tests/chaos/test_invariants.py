"""The judge of a storm is itself judged: each invariant that is broken on purpose is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from messages.ledger import (
    Alert,
    AlertLevel,
    AlertType,
    Event,
    ExitSource,
    Intent,
    IntentState,
    PositionRow,
    RowStatus,
)
from messages.values import LegKey, Side
from messages.venue import OrderType
from rules.ids import client_order_id
from tests.chaos.bot import Trade, TradeKind
from tests.chaos.invariants import Facts, LogLine, broken_by
from tests.chaos.record import OrderSeen, PositionSeen, Record, RequestSeen, Seen
from tests.chaos.storm_world import BYBIT, WATCHED

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = LegKey(BYBIT, "SOL/USDT:USDT", Side.LONG)
LEFT = LegKey(BYBIT, "XRP/USDT:USDT", Side.SHORT)
SIZE = Decimal(1000)
OURS, NEXT = (client_order_id(KEY.account, KEY.symbol, KEY.side, [1], "close", n) for n in (1, 2))


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def order(seconds: float, name: str = OURS, **changes: object) -> OrderSeen:
    seen = OrderSeen(
        at=at(seconds),
        account=KEY.account,
        symbol=KEY.symbol,
        side=KEY.side,
        order_id=f"id of {name}",
        client_order_id=name,
        live=True,
        reduces=True,
        filled=Decimal(0),
        average=None,
        executed=None,
        closed=None,
    )
    return msgspec.structs.replace(seen, **changes)


def size(seconds: float, key: LegKey, quantity: Decimal) -> PositionSeen:
    return PositionSeen(
        at=at(seconds), account=key.account, symbol=key.symbol, side=key.side, size=quantity
    )


def request(seconds: float, endpoint: str, name: str = "", account: str = BYBIT) -> RequestSeen:
    return RequestSeen(at=at(seconds), account=account, endpoint=endpoint, client_order_id=name)


FILL = order(5, live=False, filled=SIZE, average=Decimal(1), executed=SIZE, closed=SIZE)
SEEN: tuple[Seen, ...] = (
    size(0, KEY, SIZE),
    size(1, LEFT, SIZE),
    request(4, "order.create", OURS),
    order(4),
    size(5, KEY, Decimal(0)),
    FILL,
)
ROW = PositionRow(
    id=1,
    account=KEY.account,
    symbol=KEY.symbol,
    side="long",
    quantity=SIZE,
    entry_price=Decimal(1),
    opened_at=START,
    status=RowStatus.CLOSED,
    exit_source=ExitSource.FILL,
)
INTENT = Intent(
    client_order_id=OURS,
    key=KEY,
    purpose="close",
    row_ids=(1,),
    attempt=1,
    type=OrderType.MARKET,
    quantity=SIZE,
    seen_quantity=SIZE,
    created_at=at(3),
    state=IntentState.DONE,
    filled=SIZE,
    booked=True,
)


def told(seq: int, kind: str, **details: object) -> Event:
    return Event(
        seq=seq,
        event_id=f"e{seq}",
        at=at(seq),
        kind=kind,
        account=KEY.account,
        symbol=KEY.symbol,
        side="long",
        details=details,
    )


def closing(seq: int, *reads: tuple[float, float], kind: str = "two_complete_reads") -> Event:
    seen = [
        {"started_at": at(begin).isoformat(), "finished_at": at(end).isoformat()}
        for begin, end in reads
    ]
    return told(seq, "position_closed", position_id=[1], evidence={"kind": kind, "reads": seen})


EVENTS = (
    told(3, "order_intent", client_order_id=OURS),
    told(6, "order_final", client_order_id=OURS),
    closing(9, (6, 6.1), (7, 7.1)),
)


def alert(kind: AlertType, key: str) -> Alert:
    return Alert(
        id=1,
        type=kind,
        level=AlertLevel.CRITICAL,
        dedup_key=key,
        title=key,
        raised_at=START,
        last_seen_at=START,
    )


ORPHAN = alert(AlertType.ORPHANED_POSITION, f"orphan:{LEFT}")
WHOLE = Facts(
    record=Record(list(SEEN)),
    trades=[
        Trade(kind=TradeKind.DUE, key=KEY, opened_at=START, row_id=1, written_at=START),
        Trade(kind=TradeKind.ORPHAN, key=LEFT, opened_at=START),
    ],
    rows=(ROW,),
    intents=(INTENT,),
    events=EVENTS,
    alerts=(ORPHAN,),
    log=[],
    watched_rows=(ROW,),
    watched_rows_now=(ROW,),
    watched_alerts=(),
    watched_log=[],
)


def but(**changes: object) -> Facts:
    return msgspec.structs.replace(WHOLE, **changes)


def seen(*more: Seen, without: Seen | None = None) -> Facts:
    kept = [one for one in SEEN if one is not without]
    return but(record=Record([*kept, *more]))


def logged(message: str) -> Facts:
    return but(log=[LogLine(START, "WARNING", message, "accounts/bybit-main/exchange")])


def test_a_storm_in_which_all_went_well_is_broken_by_nothing() -> None:
    assert broken_by(WHOLE) == []


BROKEN = {
    "an order that may increase": ("1", seen(order(6, NEXT, reduces=False, live=False))),
    "a fill that opened": (
        "1",
        seen(order(6, live=False, filled=SIZE, executed=SIZE, closed=Decimal(0))),
    ),
    "two orders that are live together": ("2", seen(order(4.1, NEXT), order(4), order(6, NEXT))),
    "the same order sent twice": ("2", seen(request(5, "order.create", OURS))),
    "an order decided while another is out": (
        "2",
        but(
            events=(
                told(3, "order_intent", client_order_id=OURS),
                told(4, "order_intent", client_order_id=NEXT),
                *EVENTS[1:],
            )
        ),
    ),
    "more filled than was there": ("2", seen(FILL)),
    "a row closed by two events": ("3", but(events=(*EVENTS, closing(10, (6, 6.1), (7, 7.1))))),
    "a row closed on no read": ("3", but(events=(*EVENTS[:2], closing(9)))),
    "a row closed on reads too close together": (
        "3",
        but(events=(*EVENTS[:2], closing(9, (6, 6.1), (6.2, 6.3)))),
    ),
    "a living position buried": ("3", but(events=(*EVENTS[:2], closing(9, (1, 1.1), (7, 7.1))))),
    "a row closed by a fill that is not there": ("3", but(intents=())),
    "an order without an intent": ("4", but(intents=(), rows=())),
    "an intent without an end": (
        "4",
        but(intents=(msgspec.structs.replace(INTENT, state=IntentState.SENT),)),
    ),
    "an intent given up whose order filled": (
        "4",
        but(intents=(msgspec.structs.replace(INTENT, state=IntentState.NEVER_ARRIVED),)),
    ),
    "a fill that the ledger has otherwise": (
        "4",
        but(intents=(msgspec.structs.replace(INTENT, filled=Decimal(1)),)),
    ),
    "an intent made after its order left": (
        "4",
        but(intents=(msgspec.structs.replace(INTENT, created_at=at(8)),)),
    ),
    "an orphan without an alert": ("5", but(alerts=())),
    "an orphan alerted twice": ("5", but(alerts=(ORPHAN, ORPHAN))),
    "a leg of the bot's called an orphan": (
        "5",
        but(alerts=(ORPHAN, alert(AlertType.ORPHANED_POSITION, f"orphan:{KEY}"))),
    ),
    "a ghost buried without an alert": (
        "5",
        but(rows=(msgspec.structs.replace(ROW, exit_source=ExitSource.UNKNOWN),)),
    ),
    "an actor that crashed": ("7", logged("crashed: ValueError('no')")),
    "a lost report of a worker": ("7", logged("dead letter #1: WorkerDone for 'x': has ended")),
    "an order of the observing guard": ("8", seen(request(5, "order.create", "x", WATCHED))),
    "a row that the observing guard changed": ("8", but(watched_rows_now=())),
    "a leg that is left open": ("the venue holds", seen(size(8, KEY, SIZE))),
    "a row that is left active": (
        "row 1 is still active",
        but(rows=(msgspec.structs.replace(ROW, status=RowStatus.ACTIVE),)),
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_it_is_named(what: str) -> None:
    invariant, facts = BROKEN[what]
    assert any(text.startswith(invariant) for text in broken_by(facts)), broken_by(facts)
