"""Comparing two configurations: each key by its name, no secret, and what is refused as a whole."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from actors import paths
from actors.live_settings import LiveSettings
from console.config.diff import (
    FIXED,
    OTHER_EXCHANGE,
    VENUE_KEYS,
    Change,
    changes,
    fixed,
    kept,
    needs_new_venue,
)
from messages.settings import (
    AccountSettings,
    AgedSettings,
    AlertSettings,
    ControlSettings,
    Mode,
    OrphanPolicy,
    Settings,
    SourceKind,
    SourceSettings,
    StorageSettings,
)
from messages.values import Secret


def account(name: str = "main", **keys: object) -> AccountSettings:
    usual = AccountSettings(name=name, exchange="bybit", key=Secret("k-1"), secret=Secret("s-1"))
    return msgspec.structs.replace(usual, **keys)


def settings(**sections: object) -> Settings:
    usual = Settings(
        mode=Mode.ENFORCE,
        data_dir=Path("var"),
        storage=StorageSettings(url=Secret("sqlite:///a.db")),
        control=ControlSettings(socket=Path("s")),
        accounts=(account(),),
    )
    return msgspec.structs.replace(usual, **sections)


def lines(new: Settings, refused: dict[str, str] | None = None) -> list[str]:
    return [str(change) for change in changes(settings(), new, refused or {})]


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (settings(), []),
        (
            settings(aged=AgedSettings(fee=Decimal("0.001"), validate_every=None)),
            ["aged.fee: 0.05% -> 0.1%", "aged.validate_every: 5m -> off"],
        ),
        (settings(mode=Mode.OBSERVE), ["mode: enforce -> observe"]),
        (settings(accounts=(account(key=Secret("k-2")),)), ["accounts.main.key: changed"]),
        (
            settings(accounts=(account(password=Secret("p")),)),
            ["accounts.main.password: added (***)"],
        ),
        (
            settings(accounts=(account(orphan_allow=("BTC/USDT:USDT",)),)),
            ['accounts.main.orphan_allow: [] -> ["BTC/USDT:USDT"]'],
        ),
        (
            settings(accounts=(account("other.key"),)),
            ["accounts.main: removed (was bybit)", "accounts.other.key: added (bybit)"],
        ),
        (
            settings(alerts=AlertSettings(channels=(Secret("tgram://token"),))),
            ['alerts.channels: [] -> ["***"]'],
        ),
        (
            settings(ledger=SourceSettings(kind=SourceKind.FREQTRADE, url=Secret("sqlite:///b"))),
            ["ledger: added"],
        ),
    ],
)
def test_each_difference_is_told_by_its_key_in_the_files_notation(
    new: Settings, expected: list[str]
) -> None:
    found = lines(new)
    assert len(found) == len(expected)
    for line, wanted in zip(found, expected, strict=True):
        assert line.startswith(wanted)
    for hidden in ("k-1", "k-2", "token", "a.db", "sqlite"):
        assert hidden not in " ".join(found)


def test_what_is_refused_stays_as_a_whole_and_the_rest_is_new() -> None:
    new = settings(
        mode=Mode.OBSERVE,
        aged=AgedSettings(max_age=timedelta(hours=9)),
        accounts=(account(exchange="okx", orphans=OrphanPolicy.CLOSE), account("new")),
    )
    refused = fixed(settings(), new) | {"accounts.new": "why not"}
    assert refused["accounts.main"] == OTHER_EXCHANGE
    merged = kept(settings(), new, refused)
    assert merged == settings(aged=new.aged)
    told = {change.key: change.refused for change in changes(settings(), new, refused)}
    assert told == {
        "mode": "needs a restart of the service",
        "accounts.main.exchange": OTHER_EXCHANGE,
        "accounts.main.orphans": OTHER_EXCHANGE,
        "accounts.new": "why not",
        "aged.max_age": "",
    }


def test_a_change_says_what_and_the_cure() -> None:
    change = Change(key="mode", before="observe", after="enforce", refused="restart it")
    assert str(change) == "mode: observe -> enforce: restart it"


def test_somebody_has_decided_for_every_section_and_every_key_of_an_account() -> None:
    """A new one fails here until it is said what a reload does with it."""
    at_run_time = {"accounts", "aged", "verdict", "orders", "orphans", "reconciliation", "alerts"}
    assert set(FIXED) | at_run_time == {f.name for f in msgspec.structs.fields(Settings)}
    the_actors_own = {
        "name",
        "on_unknown",
        "orphans",
        "orphan_allow",
        "orphan_deny",
        "orphan_actions_per_hour",
        "protect_distance",
        "leftovers",
        "stream",
        "allow_withdraw",
    }
    every = {f.name for f in msgspec.structs.fields(AccountSettings)}
    assert VENUE_KEYS | the_actors_own == every
    assert not VENUE_KEYS & the_actors_own


@pytest.mark.parametrize(
    ("new", "fresh"),
    [
        (account(orphans=OrphanPolicy.CLOSE, stream=False), False),
        (account(secret=Secret("s-2")), True),
        (account(request_timeout=timedelta(seconds=3)), True),
        (account(share=Decimal("0.3")), True),
    ],
)
def test_a_connection_is_made_anew_only_for_what_it_is_made_with(
    new: AccountSettings, fresh: bool
) -> None:
    assert needs_new_venue(account(), new) is fresh


def test_an_actor_is_stale_when_something_of_its_own_has_changed_and_fresh_once_made_again() -> (
    None
):
    two = (account("a"), account("b"))
    in_force = LiveSettings(settings(accounts=two), {})
    a, b = paths.account("a"), paths.account("b")
    every = (a, b, paths.ALERTS)
    assert not any(map(in_force.needs_restart, every)), "nobody has been made yet"
    for path in every:
        in_force.started(path)
    in_force.settings = settings(accounts=(account("a"), account("b", stream=False)))
    assert [in_force.needs_restart(path) for path in every] == [False, True, False]
    in_force.started(b)
    in_force.settings = settings(
        accounts=in_force.settings.accounts, alerts=AlertSettings(daily_summary=None)
    )
    assert [in_force.needs_restart(path) for path in every] == [False, False, True]
    in_force.settings = settings(accounts=(account("b", stream=False),))
    assert in_force.removed_accounts() == ("a",)
    in_force.stopped(a)
    assert in_force.removed_accounts() == ()
