"""The configuration of other people's ledgers, of retention, and of what must come together."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from console.config.keys import as_toml, effective
from console.config.reader import load_config
from messages.settings import BotApiSettings, QuantityUnit, Settings, SourceKind, SourceSettings
from messages.values import Secret
from tests.console.config.test_config import ACCOUNT, mistakes, write

BASE = f'mode = "observe"\n{ACCOUNT}'


LIVE = 'source = "freqtrade"\nurl = "sqlite:///f.db"\naccount = "bybit-main"\n'


def api(url: str) -> str:
    return f'api = {{ url = "{url}", username = "u", password = "hunter3" }}'


def test_freqtrades_api_is_a_table_of_its_own_and_its_password_is_never_shown(
    tmp_path: Path,
) -> None:
    settings = load(
        tmp_path,
        f'[ledger]\n{LIVE}[ledger.api]\nurl = "http://127.0.0.1:8080"\nusername = "sexton"\n'
        'password = "hunter3"\n',
    )
    assert settings.ledger is not None
    assert settings.ledger.api == BotApiSettings(
        url="http://127.0.0.1:8080", username="sexton", password=Secret("hunter3")
    )
    shown = as_toml(effective(settings))
    assert "hunter3" not in shown + repr(settings)
    written = shown.replace('url = "***"', 'url = "sqlite:////again.db"')
    again = load_config(write(tmp_path, written))
    assert again.ledger is not None
    assert again.ledger.api is not None
    assert again.ledger.api.username == "sexton"


def load(folder: Path, text: str, *, keys: bool = True) -> Settings:
    return load_config(write(folder, BASE + text), keys=keys)


def test_a_freqtrade_ledger_is_named_by_its_source_and_starts_at_the_files_folder(
    tmp_path: Path,
) -> None:
    settings = load(
        tmp_path,
        '[ledger]\nsource = "freqtrade"\nurl = "sqlite:///tradesv3.sqlite"\n'
        'exchanges = { bybit = "bybit-main" }\n',
    )
    assert settings.ledger == SourceSettings(
        kind=SourceKind.FREQTRADE,
        url=Secret(f"sqlite:///{tmp_path}/tradesv3.sqlite"),
        exchanges={"bybit": "bybit-main"},
    )


def test_a_query_says_its_columns_and_its_unit(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        '[ledger]\nsource = "query"\nurl = "mysql+pymysql://reader@db/bot"\n'
        'account = "bybit-main"\nquery = "SELECT * FROM open_trades"\nunit = "contracts"\n'
        'columns = { quantity = "size" }\n',
    )
    assert settings.ledger is not None
    assert settings.ledger.unit is QuantityUnit.CONTRACTS
    assert settings.ledger.columns == {"quantity": "size"}
    assert settings.ledger.url == Secret("mysql+pymysql://reader@db/bot")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('source = "freqtrade"\naccount = "bybit-main"', "ledger.url is missing"),
        (f'{LIVE}api = {{ url = "http://h:1", username = "u" }}', "ledger.api.password is missing"),
        (f'{LIVE}api = {{ url = "http://h:1", user = "u" }}', "did you mean username?"),
        (f'{LIVE}api = "http://h:1"', "a table: write [ledger.api]"),
        (f"{LIVE}{api('ftp://h:1')}", "ledger.api.url"),
        (f"{LIVE}{api('http://u:hunter2@h:1')}", "without user and password"),
        (f"{LIVE}{api('http://h:99999')}", "ledger.api.url"),
        (f"{LIVE.replace('freqtrade', 'monitoring')}{api('http://h:1')}", "ledger.api"),
        ('source = "freqtrade"\nurl = "sqlite:///f.db"', "ledger.account"),
        ('source = "freqtrade"\nurl = "sqlite:///f.db"\naccount = "okx"', "bybit-main"),
        (
            'source = "freqtrade"\nurl = "sqlite:///f.db"\nexchanges = { okx = "nobody" }',
            "ledger.exchanges.okx",
        ),
        (
            'source = "freqtrade"\nurl = "sqlite:///f.db"\naccount = "bybit-main"\n'
            "write_back = true",
            'only with source = "monitoring"',
        ),
        ('source = "query"\nurl = "sqlite:///f.db"\naccount = "bybit-main"', "ledger.query"),
        (
            'source = "monitoring"\nurl = "sqlite:///f.db"\naccount = "bybit-main"\n'
            'query = "SELECT 1"',
            'only with source = "query"',
        ),
        ('source = "hummingbot"\nurl = "sqlite:///f.db"', '"freqtrade" or "monitoring"'),
        ('kind = "freqtrade"\nurl = "sqlite:///f.db"', "ledger.kind: unknown key"),
    ],
)
def test_a_source_that_cannot_be_used_is_a_mistake_of_the_file(
    tmp_path: Path, text: str, said: str
) -> None:
    found = "\n".join(mistakes(tmp_path, f"{BASE}[ledger]\n{text}\n"))
    assert said in found


def test_events_are_kept_for_good_or_for_a_stated_time(tmp_path: Path) -> None:
    assert load(tmp_path, "").storage.keep_events is None
    kept = load(tmp_path, '[storage]\nkeep_events = "90d"\nexport_events = "old.jsonl"\n').storage
    assert kept.keep_events == timedelta(days=90)
    assert kept.export_events == tmp_path / "old.jsonl"


def test_a_file_for_old_events_without_an_age_is_a_mistake(tmp_path: Path) -> None:
    (mistake,) = mistakes(tmp_path, f'{BASE}[storage]\nexport_events = "old.jsonl"\n')
    assert "only together with storage.keep_events" in mistake


def test_carrying_traffic_elsewhere_without_a_ca_is_a_mistake(tmp_path: Path) -> None:
    (mistake,) = mistakes(tmp_path, f'{BASE}connect = "127.0.0.1:8443"\n')
    assert "accounts.bybit-main.connect" in mistake
    assert "only together with ca_file" in mistake


def test_a_ledgers_address_comes_from_the_environment_for_commands_without_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEXTON_TEST_LEDGER", "postgresql://guard@db/sexton")
    text = '[storage]\nurl = "env:SEXTON_TEST_LEDGER"\n'
    found = load(tmp_path, text, keys=False)
    assert found.storage.url == Secret("postgresql://guard@db/sexton")
