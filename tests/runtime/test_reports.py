"""Crash reports, plain values, secrets. Scenario 41 of `docs/spec/supervision.md`."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from loguru import logger

from actors.runtime import (
    Actor,
    ChildSpec,
    StopChild,
    System,
    handles,
)
from actors.runtime.events import ChildCrashed, ChildRestarted
from actors.runtime.scrubber import MAX_ITEMS, MAX_TEXT, Scrubber
from messages.values import LegKey, Secret, Side
from tests.runtime.kit import (
    Crash,
    Finish,
    Note,
    World,
    crash_dumps,
    passing,
    root,
    simulated,
    until,
)

KEY = "AKIA-this-is-the-key-000"
PASSWORD = "correct horse battery staple"


@simulated
async def test_the_crash_report_is_complete() -> None:
    with tempfile.TemporaryDirectory() as directory:
        world = World(crash_dir=Path(directory))
        await world.up(world.probes("a"))
        for number in range(20):
            world.system.tell("a", Note(str(number)))
        await until(lambda: world.node("a").handled == 20)  # type: ignore[union-attr]  # it is there
        await passing(10.0)
        world.system.tell("a", Crash("the reason"))
        await until(lambda: bool(world.heard(ChildCrashed)))
        (event,) = world.heard(ChildCrashed)
        report = event.report
        assert (report.path, report.class_name) == ("a", "Probe")
        assert report.error == "ValueError: the reason"
        assert "raise ValueError(message.text)" in report.traceback
        assert (report.message_type, report.message) == ("Crash", {"text": "the reason"})
        assert len(report.state["notes"]) == 20
        last = [item["message"]["text"] for item in report.recent]
        assert last == [str(number) for number in range(10, 20)]
        assert 10.0 <= report.uptime < 11.0
        assert crash_dumps(Path(directory)) == [msgspec.json.decode(msgspec.json.encode(report))]
        await world.down()


@simulated
async def test_the_crash_report_is_bounded_in_size() -> None:
    world = World()
    await world.up(world.probes("a"))
    for number in range(5000):
        world.system.tell("a", Note(f"{number} " * 3))
    world.system.tell("a", Crash("x" * 10_000_000))
    await until(lambda: bool(world.heard(ChildCrashed)))
    (event,) = world.heard(ChildCrashed)
    assert len(msgspec.json.encode(event.report)) < 200_000
    assert event.report.state["notes"][-1] == "… (5000 items)"
    await world.down()


@simulated
async def test_normal_ends_and_shutdowns_write_no_crash_report() -> None:
    with tempfile.TemporaryDirectory() as directory:
        world = World(crash_dir=Path(directory))
        await world.up(world.probes("a", "b"))
        world.system.tell("a", Finish())
        await until(lambda: bool(world.heard(ChildRestarted)))
        await world.system.ask("", StopChild("b"))
        await world.down()
        assert crash_dumps(Path(directory)) == []
        assert world.heard(ChildCrashed) == []


class VaultState(msgspec.Struct):
    key: Secret
    password: str
    nested: dict[str, Any]


class Login(msgspec.Struct, frozen=True):
    secret: Secret


class Vault(Actor[VaultState]):
    """Holds secrets, and is careless with one of them when it crashes."""

    def __init__(self) -> None:
        secret = Secret(KEY)
        super().__init__(VaultState(secret, PASSWORD, {"deep": [secret, {"keys": (secret,)}]}))

    @handles
    def login(self, message: Login) -> None:
        raise PermissionError(f"login with {message.secret.reveal()} was refused")


def test_no_secret_is_in_anything_that_is_written(tmp_path: Path) -> None:
    lines: list[str] = []
    sink = logger.add(lines.append, level=0, format="{message} {extra} {exception}")
    events: list[object] = []

    async def main() -> None:
        system = System(crash_dir=tmp_path, on_event=events.append, secrets=[Secret(KEY)])
        await system.start(root([ChildSpec("vault", Vault)]))
        system.trace("vault")
        system.tell("nobody", Login(Secret(KEY)))
        system.tell("vault", Login(Secret(KEY)))
        await until(lambda: any(isinstance(event, ChildRestarted) for event in events))
        system.suspend("vault")
        system.tell("vault", Login(Secret(KEY)))
        (tmp_path / "one.txt").write_text(json.dumps(system.dump("vault")))
        system.write_dump(tmp_path)
        (tmp_path / "tree.txt").write_text(str(system.tree()))
        await system.stop()
        (tmp_path / "events.txt").write_text(repr(events))

    try:
        asyncio.run(main())
    finally:
        logger.remove(sink)
    (tmp_path / "log.txt").write_text("".join(lines))
    written = {path: path.read_text() for path in tmp_path.iterdir()}
    assert len(written) == 6
    for path, text in written.items():
        assert KEY not in text, path
        assert PASSWORD not in text, path
    assert any("***" in text for text in written.values())
    assert any("was refused" in text for path, text in written.items() if path.name == "log.txt")


@dataclasses.dataclass
class Plain:
    token: str
    size: Decimal
    when: datetime
    leg: LegKey
    odd: object
    wait: timedelta
    tags: frozenset[str]


def test_any_value_becomes_plain_json_and_the_same_one_each_time() -> None:
    value = Plain(
        token="abcdef",
        size=Decimal("0.10"),
        when=datetime(2026, 1, 1, tzinfo=UTC),
        leg=LegKey("a", "BTC/USDT:USDT", Side.LONG),
        odd=object(),
        wait=timedelta(seconds=90),
        tags=frozenset("cab"),
    )
    plain = Scrubber().plain({1: value, value.leg: b"1234"})
    assert plain == {
        "1": {
            "token": "***",
            "size": "0.10",
            "when": "2026-01-01T00:00:00+00:00",
            "leg": {"account": "a", "symbol": "BTC/USDT:USDT", "side": "long"},
            "odd": "<builtins.object>",
            "wait": 90.0,
            "tags": ["a", "b", "c"],
        },
        "a BTC/USDT:USDT long": "4 bytes",
    }
    json.dumps(plain, allow_nan=False)


def test_what_is_endless_or_huge_is_cut() -> None:
    endless: list[Any] = []
    endless.append(endless)
    scrubber = Scrubber()
    assert "…" in json.dumps(scrubber.plain(endless), ensure_ascii=False)
    assert len(scrubber.plain("x" * 10**6)) < MAX_TEXT + 50
    assert len(scrubber.plain(dict.fromkeys(range(10**4)))) == MAX_ITEMS + 1
    assert scrubber.plain(float("nan")) == "nan"


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even my text")


class Speechless(Actor[None]):
    def __init__(self) -> None:
        super().__init__(None)

    @handles
    def crash(self, message: Crash) -> None:
        raise Unspeakable


@simulated
async def test_an_error_whose_text_cannot_be_made_is_reported_all_the_same() -> None:
    world = World()
    await world.up([ChildSpec("a", Speechless)])
    world.system.tell("a", Crash())
    await until(lambda: len(world.heard(ChildRestarted)) == 1)
    await world.down()
    assert "Unspeakable" in world.heard(ChildCrashed)[0].report.error
