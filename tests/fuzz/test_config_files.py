"""A configuration that is damaged anywhere is either usable or refused with named mistakes."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from console.config.reader import ConfigError, check_config, load_config
from messages.settings import Settings
from tests.console.config.test_config import FULL
from tests.fuzz.damage import Damage, damaged, damages

quick = settings(
    max_examples=300, deadline=2000, suppress_health_check=list(HealthCheck), database=None
)


def answered(read: Callable[[], Settings]) -> Settings | tuple[str, ...]:
    """The settings, or the mistakes; anything else that is raised is a crash."""
    try:
        return read()
    except ConfigError as refused:
        return refused.mistakes


@quick
@given(changes=st.lists(damages, min_size=1, max_size=3))
@example(changes=[Damage(where=0.0, delete=False, junk={})])
def test_a_damaged_table_is_usable_or_refused_with_its_mistakes(
    changes: list[Damage], tmp_path: Path
) -> None:
    table = tomllib.loads(FULL)
    for change in changes:
        found, _ = damaged(table, change)
        # A TOML file is always a table.
        table = found if isinstance(found, dict) else table
    file = tmp_path / "sexton.toml"
    answer = answered(lambda: check_config(table, file, keys=False))
    if isinstance(answer, Settings):
        assert answer.accounts
    else:
        assert answer
        assert all(str(file) in mistake for mistake in answer)


@quick
@given(cut=st.integers(0, len(FULL)), put=st.binary(max_size=40), drop=st.integers(0, 60))
def test_a_damaged_file_is_usable_or_refused_with_its_mistakes(
    cut: int, put: bytes, drop: int, tmp_path: Path
) -> None:
    file = tmp_path / "sexton.toml"
    text = FULL.encode()
    file.write_bytes(text[:cut] + put + text[cut + drop :])
    assert answered(lambda: load_config(file, keys=False))
