"""Old events leave the ledger by themselves, and none is lost on the way."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from messages.ledger import EventDraft
from messages.settings import StorageSettings
from messages.values import Secret
from tests.scenarios.world import World, ago, scenario, until, world


def keeping(tmp_path: Path, export: Path | None) -> StorageSettings:
    return StorageSettings(
        url=Secret(f"sqlite:///{tmp_path}/sexton.db"),
        keep_events=timedelta(days=90),
        export_events=export,
    )


async def remember(guard: World) -> None:
    for number, days in ((1, 200), (2, 91), (3, 89)):
        await guard.ledger.append_event(
            EventDraft(event_id=f"old-{number}", at=ago(days * 24), kind="remembered")
        )


@scenario
async def test_events_beyond_their_age_are_kept_in_the_file_and_leave_the_ledger(
    tmp_path: Path,
) -> None:
    export = tmp_path / "old.jsonl"
    storage = keeping(tmp_path, export)
    async with world(tmp_path, before=remember, storage=storage) as guard:
        await until(lambda: guard.state("retention").get("removed") == 2, "the old ones are gone")
        assert [event.event_id for event in await guard.events("remembered")] == ["old-3"]
        lines = export.read_text(encoding="utf-8").splitlines()
        assert [json.loads(line)["event_id"] for line in lines] == ["old-1", "old-2"]


@scenario
async def test_a_file_that_cannot_be_written_loses_no_event_and_is_alerted(tmp_path: Path) -> None:
    storage = keeping(tmp_path, tmp_path / "nowhere" / "old.jsonl")
    async with world(tmp_path, before=remember, storage=storage) as guard:
        (alert,) = await guard.alerted("guard_degraded")
        assert "nowhere" in alert.seen
        assert len(await guard.events("remembered")) == 3
        assert guard.alive("ledger")


@scenario
async def test_without_a_stated_age_nothing_is_let_go(tmp_path: Path) -> None:
    async with world(tmp_path, before=remember) as guard:
        assert not guard.alive("retention")
        assert len(await guard.events("remembered")) == 3
