"""No living leg is called absent in any small world, and each leg gets its verdict.

`docs/spec/truth.md`, "How it is proven". `make worlds` takes seven events.
"""

from __future__ import annotations

from collections import Counter

import pytest

from messages.verdict import Absent, ExplainedBy, Present, Unexplained, Unknown
from rules.verdict import judge
from tests.rules.worlds.check import (
    NEVER,
    Called,
    classify,
    ending,
    follow,
    last_word,
    layers,
    told,
)
from tests.rules.worlds.guard import Look, look, looked
from tests.rules.worlds.world import VENUES, Listed, Named, State, Told, Venue, happenings

EVENTS = 4
VENUE = Venue(asks=True, tells_change=True)
Events = tuple[str | Look, ...]
OMITTED = Look(Listed.OMITTING, Named.OMITTING)


@pytest.mark.parametrize("venue", VENUES, ids=str)
def test_in_no_world_a_living_leg_is_called_absent_and_in_each_it_gets_its_verdict(
    venue: Venue,
) -> None:
    for layer in layers(judge, venue, EVENTS):
        print(told(layer))
        assert not layer.faults, "\n".join(map(str, layer.faults))
        assert not NEVER & layer.called.keys()


def test_the_worlds_are_counted_exactly_and_merging_them_loses_none() -> None:
    """Three events, each way by itself, against the same with equal states taken together."""
    venue = Venue(asks=False, tells_change=True)
    worlds, called, endings = 0, Counter[Called](), Counter[str]()
    ways = [(State(venue), 1)]
    for _ in range(3):
        further = []
        for state, times in ways:
            further += [(after, times) for _, after in happenings(state)]
            for judged in looked(judge, state):
                further.append((judged.state, times * judged.looks))
                how = classify(judged)
                if how is not None:
                    called[how] += times * judged.looks
        ways = further
    worlds = sum(times for _, times in ways)
    for state, times in ways:
        endings[last_word(judge, state, {})] += times
    *_, layer = layers(judge, venue, 3)
    assert (layer.worlds, layer.called) == (worlds, called)
    assert set(endings) == {""}
    assert layer.worlds == 24_272


def test_each_way_to_look_is_among_those_that_are_taken_together() -> None:
    state = dict(happenings(State(VENUE)))["opened, the bot writes at once"]
    together = list(looked(judge, state))
    assert sum(one.looks for one in together) == len(Listed) * len(Named) * len(Told)
    for one in together:
        assert look(judge, state, one.look) == one._replace(looks=1)


# Worlds in which an earlier form of the rule failed.


def test_world_a_list_lagged_behind_a_second_opening_and_then_half_was_sold() -> None:
    """Seen with 2 although 4 were there, the bot late: the sale of 2 is not the end of it."""
    for venue in VENUES:
        judged = follow(
            judge,
            venue,
            "opened, the bot writes at once",
            Look(),
            Look(),
            "opened, the bot writes never",
            Look(Listed.LAGGING),
            "partly closed, the bot writes never",
            "partly closed, the bot writes never",
            OMITTED,
        )
        assert not isinstance(judged.verdict, Absent), venue


def test_world_an_order_was_sent_blindly_and_more_was_there_than_its_rows() -> None:
    judged = follow(
        judge,
        VENUE,
        "opened, the bot writes at once",
        "opened, the bot writes never",
        "closed by us",
        "renamed",
        Look(),
        Look(),
    )
    assert not isinstance(judged.verdict, Absent)


def test_world_a_list_left_the_leg_out_before_its_bot_closed_it_and_wrote_late() -> None:
    events = (
        "opened, the bot writes at once",
        Look(Listed.LAGGING),
        "closed, the bot writes late",
        Look(),
    )
    judged = follow(judge, VENUE, *events)
    assert isinstance(judged.verdict, Absent)
    assert judged.state.active
    assert follow(judge, VENUE, *events, Look()).state.rows[0].by == "bot"


def test_world_a_lagging_list_showed_a_closed_leg_once_more() -> None:
    for venue in VENUES:
        events = ("opened, the bot writes at once", "closed by us", Look(), Look(Listed.LAGGING))
        assert isinstance(follow(judge, venue, *events).verdict, Present)
        assert ending(judge, venue, *events) == ""


def test_world_a_lagging_list_showed_more_than_there_was_and_hides_no_end() -> None:
    for venue in VENUES:
        for how in ("closed, the bot writes never", "closed by us"):
            events = (
                "opened, the bot writes at once",
                "opened, the bot writes at once",
                how,
                Look(Listed.LAGGING),
            )
            assert ending(judge, venue, *events) == ""


def test_world_a_bot_closed_its_first_row_late_when_the_second_was_open() -> None:
    for venue in VENUES:
        events = (
            "opened, the bot writes at once",
            "closed, the bot writes late",
            Look(),
            "opened, the bot writes at once",
            "closed, the bot writes never",
        )
        assert ending(judge, venue, *events) == ""


# Worlds that truth.md names.


def test_world_a_renamed_contract_is_unexplained_for_ever() -> None:
    events: Events = ("opened, the bot writes at once", Look(), "renamed", *[Look()] * 9)
    verdict = follow(judge, VENUE, *events).verdict
    assert isinstance(verdict, Unexplained)


def test_world_the_key_of_another_wallet_buries_nothing() -> None:
    other = Look(Listed.OTHER_WALLET)
    events: Events = ("opened, the bot writes at once", Look(), *[other] * 9)
    assert isinstance(follow(judge, VENUE, *events).verdict, Unexplained)
    assert isinstance(follow(judge, VENUE, *events, Look()).verdict, Present)


def test_world_our_own_close_needs_no_answer_by_name_and_no_history() -> None:
    silent = Look(told=Told.UNREADABLE)
    events = ("opened, the bot writes at once", Look(), "closed by us", silent)
    verdict = follow(judge, VENUE, *events).verdict
    assert isinstance(verdict, Absent)
    assert verdict.evidence.accounting.explained_by is ExplainedBy.OWN_ORDERS
    assert verdict.evidence.named_at is None


def test_world_a_history_that_cannot_be_read_leaves_it_to_a_person_until_it_can() -> None:
    silent = Look(told=Told.UNREADABLE)
    events: Events = ("opened, the bot writes at once", Look(), "closed, the bot writes never")
    assert isinstance(follow(judge, VENUE, *events, silent).verdict, Unknown)
    assert isinstance(follow(judge, VENUE, *events, *[silent] * 4).verdict, Unexplained)
    assert isinstance(follow(judge, VENUE, *events, *[silent] * 4, Look()).verdict, Absent)
