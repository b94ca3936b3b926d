"""Goes through all worlds of so many events and says where the rule fails.

Left to others: what a world is (`world.py`), what is gathered from it (`guard.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from messages.verdict import Absent, ExplainedBy, Present, Unexplained, Verdict
from tests.rules.worlds.guard import Judge, Judged, Look, look, looked, truly_explained
from tests.rules.worlds.world import State, Told, Venue, happenings, merged

INTERVAL = 5
"""Minutes of truth at the end: a bot that was late has written, and settle is over."""
KEPT = 3
"""So many worlds of each kind are told with their events."""


class Called(StrEnum):
    """How a leg that is there all the same came to be called absent.

    ALL_LIED: list, answer by name (where there is one) and history. OWN: our own fills reached
    what was seen before them, and somebody had opened more. UNSEEN: no read ever showed it, and
    it held more than its rows say, from before they were opened. FALSE: anything else, which must
    never be. TOO_SOON: it is gone, and its bot would have written so within `settle`.
    """

    ALL_LIED = "list, answer by name and history all lied"
    OWN = "our own fills closed all that was seen, and more was there"
    UNSEEN = "never shown, and more was there than its rows from the first"
    FALSE = "a living leg was called absent"
    TOO_SOON = "a row was closed before its bot could"


NEVER = frozenset({Called.FALSE, Called.TOO_SOON})


class Fault(NamedTuple):
    """A world in which the rule fails: what is wrong, and the events that lead there."""

    what: str
    events: tuple[str, ...]

    def __str__(self) -> str:
        return "\n  ".join((self.what, *self.events))


class Layer(NamedTuple):
    """All worlds of one venue and so many events."""

    events: int
    worlds: int
    states: int
    called: Counter[Called]
    faults: list[Fault]


_Endings = dict[tuple[State, int], str]
_REMEMBERED = 200_000


class _Search:
    """One venue's worlds, layer by layer, and one way to each of their states."""

    def __init__(self, judge: Judge, venue: Venue) -> None:
        self.judge = judge
        self.states: dict[State, int] = {State(venue): 1}
        self.ways: list[dict[State, tuple[State, str]]] = []
        self._endings: _Endings = {}

    def layer(self, events: int, *, last: bool) -> Layer:
        """All worlds of one event more. The last layer is checked and counted, and not kept."""
        after: dict[State, int] = {}
        seen: set[int] = set()
        way: dict[State, tuple[State, str]] = {}
        worlds, called, faults = 0, Counter[Called](), list[Fault]()
        for state, known in self.states.items():
            for event, times, judged, next_state in _next(self.judge, state):
                to = merged(next_state)
                worlds += known * times
                wrong: str = ""
                # Of states that are not kept only the hash is: two in a few millions that share
                # one would cost the second its check, and no count.
                if last and hash(to) not in seen:
                    seen.add(hash(to))
                    wrong = self._last_word(to)
                elif not last and to not in after:
                    way[to] = (state, event)
                    wrong = self._last_word(to)
                if not last:
                    after[to] = after.get(to, 0) + known * times
                how = None if judged is None else classify(judged)
                if how is not None:
                    called[how] += known * times
                wrong = str(how) if how in NEVER else wrong
                if wrong and len(faults) < KEPT:
                    faults.append(Fault(wrong, (*self._way(state), event)))
        states = len(seen) if last else len(after)
        self.ways.append(way)
        self.states = after
        return Layer(events, worlds, states, called, faults)

    def _last_word(self, state: State) -> str:
        if len(self._endings) > _REMEMBERED:
            self._endings.clear()
        return last_word(self.judge, state, self._endings)

    def _way(self, state: State) -> tuple[str, ...]:
        events: list[str] = []
        venue = state.venue
        for way in reversed(self.ways):
            state, event = way[state]
            events.append(event)
        return (str(venue), *events[::-1])


def layers(judge: Judge, venue: Venue, events: int) -> Iterator[Layer]:
    """The worlds of one event, then of two, up to `events`."""
    search = _Search(judge, venue)
    for number in range(1, events + 1):
        yield search.layer(number, last=number == events)


def follow(judge: Judge, venue: Venue, *events: str | Look) -> Judged:
    """One world, by what happens in it. The last event is a look, and it is judged."""
    state = State(venue)
    for event in events[:-1]:
        if isinstance(event, Look):
            state = look(judge, state, event).state
        else:
            state = dict(happenings(state))[event]
    last = events[-1]
    assert isinstance(last, Look)
    return look(judge, state, last)


def ending(judge: Judge, venue: Venue, *events: str | Look) -> str:
    """What is wrong with the last word on one world; nothing is."""
    return last_word(judge, follow(judge, venue, *events, Look()).state, {})


def _next(judge: Judge, state: State) -> Iterator[tuple[str, int, Judged | None, State]]:
    for event, after in happenings(state):
        yield event, 1, None, after
    for judged in looked(judge, state):
        yield str(judged.look), judged.looks, judged, judged.state


def classify(judged: Judged) -> Called | None:
    """None: no verdict of absence, or a true one."""
    state, verdict = judged.called_absent, judged.verdict
    if state is None or not isinstance(verdict, Absent):
        return None
    own = verdict.evidence.accounting.explained_by is ExplainedBy.OWN_ORDERS
    if not state.living:
        closed = set(state.active) - set(judged.state.active)
        late = {one.row for one in state.pending if not one.quantity}
        # A history that hides the end cannot tell when it was.
        hidden = judged.look.told is Told.LATE
        return Called.TOO_SOON if closed & late and not (hidden or own) else None
    if own:
        return Called.OWN
    if state.seen is None and state.held_before_rows:
        return Called.UNSEEN
    if state.venue.asks and verdict.evidence.named_at is None:
        return Called.FALSE
    # Of a renamed position list and answer by name say the truth: its old name holds nothing.
    if state.renamed or truly_explained(state):
        return Called.FALSE
    return Called.ALL_LIED


def last_word(judge: Judge, state: State, endings: _Endings, minutes: int = INTERVAL) -> str:
    """What is wrong with the verdict after an interval in which everything tells the truth."""
    found = endings.get((state, minutes))
    if found is None:
        judged = look(judge, state, Look())
        how = classify(judged)
        if how in NEVER or how is Called.ALL_LIED:
            found = str(how)
        elif minutes > 1:
            found = last_word(judge, merged(judged.state), endings, minutes - 1)
        else:
            found = _wrong(judged.state, judged.verdict)
        endings[state, minutes] = found
    return found


def _wrong(state: State, verdict: Verdict) -> str:
    if not state.watched:
        return ""
    if state.was.quantity:
        return "" if isinstance(verdict, Present) else f"there, but {verdict}"
    if state.lost and state.lost >= _told_of_from(state):
        return "" if isinstance(verdict, Unexplained | Absent) else f"lost, but {verdict}"
    return "" if isinstance(verdict, Absent) else f"gone, with a record, but {verdict}"


def _told_of_from(state: State) -> int:
    """From when on the records must tell all for the leg's end to be explained by them."""
    if not state.venue.tells_change:
        # What was last seen may be of any time.
        return 0
    opened = [row.opened for row in state.rows if row.by != "guard"]
    seen = [] if state.seen is None else [state.seen.was.changed]
    return min(opened + seen)


def told(layer: Layer) -> str:
    """A layer in one line."""
    called = "".join(f"; {number:,} where {how}" for how, number in sorted(layer.called.items()))
    return f"{layer.events} events: {layer.worlds:,} worlds in {layer.states:,} states{called}"
