"""Actors' states as views read them: typed, copied, free of secrets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import msgspec
import pytest

from actors.aged_memory import AgedState
from actors.runtime import Actor, ChildSpec, Supervisor, System, handles
from actors.venue_actor import ExchangeState
from console.control.overview import leg_view
from console.service.actor_states import shown_state
from messages.base import Request
from messages.values import LegKey, Secret, Side

KEY = "k3y-of-the-account"


class Add(Request[None], frozen=True):
    """A message of the probe's own."""


class Probe(Actor[ExchangeState]):
    """Its state holds a secret in every kind of place."""

    def __init__(self) -> None:
        super().__init__(
            ExchangeState(
                account="a",
                exchange="bybit",
                why=f"refused: {KEY}",
                closing=[f"leg {KEY}"],
                calls={f"order {KEY}": 3},
            )
        )

    @handles
    def add(self, message: Add) -> None:
        self.state.calls["add"] = 1


def with_probe(scenario: Callable[[System], Awaitable[None]]) -> None:
    async def run() -> None:
        system = System(secrets=(Secret(KEY),))
        await system.start(ChildSpec("root", lambda: Supervisor([ChildSpec("probe", Probe)])))
        try:
            await scenario(system)
        finally:
            await system.stop()

    asyncio.run(run())


def test_a_shown_state_has_its_type_and_no_secret() -> None:
    async def scenario(system: System) -> None:
        state = shown_state(system, "probe", ExchangeState)
        assert state is not None
        assert (state.why, state.closing) == ("refused: ***", ["leg ***"])
        assert state.calls == {"order ***": 3}
        assert KEY not in str(msgspec.to_builtins(state))

    with_probe(scenario)


def test_a_shown_state_is_a_copy() -> None:
    async def scenario(system: System) -> None:
        before = shown_state(system, "probe", ExchangeState)
        await system.ask("probe", Add())
        after = shown_state(system, "probe", ExchangeState)
        assert before is not None
        assert after is not None
        assert "add" in after.calls
        assert "add" not in before.calls

    with_probe(scenario)


def test_a_state_of_another_type_is_an_error_and_no_actor_is_no_state() -> None:
    async def scenario(system: System) -> None:
        with pytest.raises(TypeError, match="keeps a ExchangeState, not a AgedState"):
            system.state_of("probe", AgedState)
        assert system.state_of("nobody", ExchangeState) is None
        assert list(system.states_of(ExchangeState)) == ["probe"]
        assert system.states_of(AgedState) == {}

    with_probe(scenario)


def test_the_system_says_whom_it_knows_and_what_they_take() -> None:
    async def scenario(system: System) -> None:
        assert system.knows("probe")
        assert not system.knows("nobody")
        assert Add in system.messages_of("probe")
        assert system.messages_of("nobody") == frozenset()

    with_probe(scenario)


def test_a_legs_view_says_what_its_actor_says_without_secrets() -> None:
    async def scenario(system: System) -> None:
        key = LegKey("a", "BTC/USDT:USDT", Side.LONG)
        state = AgedState(
            key=key, row_ids=(1, 2), target=Decimal("1.5"), operator_needed=f"key {KEY} is refused"
        )
        view = leg_view(system, "accounts/a/aged/x", state)
        assert (view.path, view.row_ids, view.target) == ("accounts/a/aged/x", (1, 2), state.target)
        assert view.operator_needed == "key *** is refused"

    with_probe(scenario)
