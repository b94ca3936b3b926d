"""Helpers of actors see a `Context`: no actor, and no state that is made for dumps."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from actors.context import Context

ACTORS = Path(__file__).parents[2] / "actors"
FOLDERS = ("execution", "monitoring", "alerting")
HELPERS = [
    ACTORS / "ledger_client.py",
    *(file for folder in FOLDERS for file in sorted((ACTORS / folder).glob("*.py"))),
]


@pytest.mark.parametrize("file", HELPERS, ids=lambda file: file.stem)
def test_a_helper_takes_no_actor(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    assert "Actor" not in {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def test_a_context_has_no_state() -> None:
    """So that a helper which decides by what dumps show fails the type checker."""
    assert not hasattr(Context, "state")
