"""The configuration's documents are what the types say, and their examples load."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from console.config.reader import check_config
from console.config.reference import FILE, reference
from messages.settings import SourceKind

FREQTRADE = FILE.with_name("freqtrade.md").read_text(encoding="utf-8")


def test_the_reference_is_current() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert text == reference(), "run: python -m console.config.reference"


def test_the_examples_for_other_bots_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BYBIT_MAIN_KEY", "BYBIT_MAIN_SECRET", "BOT_DATABASE", "FREQTRADE_PASSWORD"):
        monkeypatch.setenv(name, "sqlite:///bot.db")
    first, api, second = re.findall(r"```toml\n(.*?)```", FREQTRADE, re.DOTALL)
    whole = tomllib.loads(first)
    settings = check_config(whole, tmp_path / "sexton.toml")
    assert settings.ledger is not None
    assert settings.ledger.kind is SourceKind.FREQTRADE
    assert settings.ledger.api is None
    settings = check_config(tomllib.loads(f"{first}\n{api}"), tmp_path / "sexton.toml")
    assert settings.ledger is not None
    assert settings.ledger.api is not None
    assert settings.ledger.api.url == "http://127.0.0.1:8080"
    settings = check_config(whole | tomllib.loads(second), tmp_path / "sexton.toml")
    assert settings.ledger is not None
    assert settings.ledger.columns["quantity"] == "size"
