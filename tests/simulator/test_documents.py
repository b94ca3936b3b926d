"""`docs/simulator.md` names every command and every kind of fault."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from simulator import FaultKind, admin_words
from tests.simulator.conftest import still_venue
from tests.simulator.operators import admin

PAGE = Path("docs/simulator.md").read_text()


async def test_every_command_is_documented_and_every_documented_one_exists() -> None:
    async with still_venue() as venue:
        _, told = await admin(venue, "GET", "nothing")
    documented = re.findall(r"`((?:GET|POST|PUT|DELETE) /admin/\w+)`", PAGE)
    assert sorted(set(documented)) == told["known"]


@pytest.mark.parametrize("kind", list(FaultKind))
def test_every_kind_of_fault_is_documented(kind: FaultKind) -> None:
    assert f"`{kind}`" in PAGE


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (admin_words.OpenPosition, "POST /admin/positions"),
        (admin_words.CloseByHand, "POST /admin/close"),
        (admin_words.Move, "POST /admin/move"),
        (admin_words.NewListing, "POST /admin/listings"),
        (admin_words.Rules, "POST /admin/rules"),
        (admin_words.Rename, "POST /admin/rename"),
        (admin_words.Settle, "POST /admin/settle"),
        (admin_words.NewAccount, "POST /admin/accounts"),
        (admin_words.LeadKey, "PUT /admin/keys"),
    ],
)
def test_every_member_of_a_command_is_documented(command: type[msgspec.Struct], path: str) -> None:
    (line,) = [it for it in PAGE.splitlines() if it.startswith(f"| `{path}`")]
    body = line.split("|")[2]
    assert set(re.findall(r"`(\w+)`", body)) == {it.name for it in msgspec.structs.fields(command)}
