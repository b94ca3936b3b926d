"""`init` and `show-config`: a first file that loads, and the configuration in force."""

from __future__ import annotations

import json
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from console.cli.exit_codes import CommandError, ExitCode
from console.cli.init_config import init_from_cli
from console.config.keys import as_toml, duration_text, effective, tables
from console.config.reader import check_config, load_config
from console.config.values import duration
from messages.settings import Mode
from messages.values import Secret
from tests.console.config.test_config import FULL, load, write
from tests.console.processes import command


def test_init_writes_a_file_in_observe_mode_that_loads_with_every_default(tmp_path: Path) -> None:
    file = tmp_path / "sexton.toml"
    assert command("init", "--exchange", "okx", config=file).returncode == ExitCode.OK
    written = load_config(file, keys=False)
    least = load(tmp_path, 'mode = "observe"\n[accounts.okx-main]\nexchange = "okx"\n'
                 'key = "k"\nsecret = "s"\n')  # fmt: skip
    assert written.mode is Mode.OBSERVE
    assert effective(written) == effective(least)


def test_init_leaves_an_existing_file_alone_unless_it_is_forced(tmp_path: Path) -> None:
    file = write(tmp_path, "mine")
    with pytest.raises(CommandError, match="--force") as caught:
        init_from_cli(file, exchange="bybit", account="bybit-main", force=False)
    assert caught.value.code is ExitCode.REFUSED
    assert file.read_text(encoding="utf-8") == "mine"
    init_from_cli(file, exchange="bybit", account="bybit-main", force=True)
    assert load_config(file, keys=False).accounts[0].name == "bybit-main"


def test_every_key_that_init_comments_out_is_a_key_of_the_reader(tmp_path: Path) -> None:
    file = tmp_path / "sexton.toml"
    init_from_cli(file, exchange="bybit", account="bybit-main", force=False)
    # [ledger] as a whole is an option: with its table's head still a comment, it can't be opened.
    parts = file.read_text(encoding="utf-8").split("\n\n")
    lines = [line for part in parts if "# [ledger]" not in part for line in part.splitlines()]
    assert any(line.startswith("# max_age = ") for line in lines)
    opened = "\n".join(
        line.removeprefix("# ") for line in lines if not line.startswith("# ") or " = " in line
    )
    assert check_config(tomllib.loads(opened), file, keys=False) == load_config(file, keys=False)


def test_every_key_and_every_table_says_what_it_is_for() -> None:
    for table, purpose, keys in tables():
        assert purpose or not table, table
        for key in keys:
            assert key.help, key.dotted


def test_the_effective_configuration_read_again_is_the_same(tmp_path: Path) -> None:
    text = FULL.replace("env:SEXTON_TEST_KEY", "k1").replace("file:secret.txt", "s1")
    text += '[ledger]\nsource = "freqtrade"\nurl = "sqlite:///f.db"\naccount = "bybit-main"\n'
    settings = load(tmp_path, text)
    shown = effective(settings)
    again = as_toml(shown).replace('url = "***"', 'url = "sqlite:////again.db"')
    assert effective(load(tmp_path, again)) == shown


def test_show_config_prints_defaults_and_no_secret(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        'mode = "enforce"\n[storage]\nurl = "postgresql://guard:hunter2@db/sexton"\n'
        '[accounts.main]\nexchange = "bybit"\nkey = "hunter3"\nsecret = "hunter4"\n',
    )
    text = command("show-config", config=file)
    plain = command("show-config", "--json", config=file)
    assert (text.returncode, plain.returncode) == (ExitCode.OK, ExitCode.OK), (
        text.stderr + plain.stderr
    )
    assert "hunter" not in text.stdout + plain.stdout
    assert 'max_age = "3h"' in text.stdout
    shown = json.loads(plain.stdout)
    assert shown["accounts"]["main"]["secret"] == "***"
    assert shown["aged"]["max_loss"] == "10%"
    assert shown == tomllib.loads(text.stdout)
    assert Secret("hunter3") == load_config(file).accounts[0].key


@pytest.mark.parametrize("text", ["1h30m", "500ms", "1d", "2s", "1d2h3m4s250ms"])
def test_a_duration_is_shown_as_it_is_written(text: str) -> None:
    length = duration(text)
    assert isinstance(length, timedelta)
    assert duration_text(length) == text
