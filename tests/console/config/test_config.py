"""The configuration file: what is read rightly, and what each mistake is answered with."""

from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from console.config.reader import ConfigError, load_config
from messages.ledger import AlertType
from messages.settings import AlertSettings, Loudness, Mode, OnUnknown, OrphanPolicy, Settings
from messages.values import Secret
from messages.venue import OrderType

ACCOUNT = """
[accounts.bybit-main]
exchange = "bybit"
key = "k"
secret = "s"
"""
FULL = """
mode = "enforce"
data_dir = "var"

[storage]
url = "sqlite:///var/sexton.db"

[accounts.bybit-main]
exchange = "bybit"
key = "env:SEXTON_TEST_KEY"
secret = "file:secret.txt"
connect = "127.0.0.1:8443"
ca_file = "var/venue-ca.pem"
on_unknown = "wait"
orphans = "protect"
protect_distance = "2.5%"
share = "30%"
orphan_allow = ["BTC/USDT:USDT"]

[aged]
max_age = "3h"
grace = "1h30m"
fee = "0.05%"
loss_step = "0.5%"
max_loss = "10%"
market_after = "20h"
scan_every = "5m"
validate_every = "off"

[verdict]
confirm_after = "2s"
settle = "60s"

[orders]
ladder = ["limit_maker", "market"]
attempts = 5
backoff_first = "250ms"

[orphans]
every = "5m"
remind_every = "1h"

[reconciliation]
every = "10m"

[control]
socket = "var/sexton.sock"
http = "127.0.0.1:9464"
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "sexton.toml"
    file.write_text(text, encoding="utf-8")
    return file


def load(folder: Path, text: str) -> Settings:
    return load_config(write(folder, text))


def mistakes(folder: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    return caught.value.mistakes


def test_every_documented_key_is_read_into_its_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEXTON_TEST_KEY", "the-key")
    (tmp_path / "secret.txt").write_text("the-secret\n", encoding="utf-8")
    settings = load(tmp_path, FULL)
    account = settings.accounts[0]
    assert settings.mode is Mode.ENFORCE
    assert settings.data_dir == tmp_path / "var"
    assert settings.storage.url == Secret(f"sqlite:///{tmp_path}/var/sexton.db")
    assert settings.control.socket == tmp_path / "var/sexton.sock"
    assert account.name == "bybit-main"
    assert account.key == Secret("the-key")
    assert account.secret == Secret("the-secret")
    assert account.ca_file == tmp_path / "var/venue-ca.pem"
    assert account.on_unknown is OnUnknown.WAIT
    assert account.orphans is OrphanPolicy.PROTECT
    assert account.protect_distance == Decimal("0.025")
    assert account.share == Decimal("0.3")
    assert account.orphan_allow == ("BTC/USDT:USDT",)
    assert settings.aged.grace == timedelta(minutes=90)
    assert settings.aged.fee == Decimal("0.0005")
    assert settings.aged.validate_every is None
    assert settings.orders.ladder == (OrderType.LIMIT_MAKER, OrderType.MARKET)
    assert settings.orders.backoff_first == timedelta(milliseconds=250)


def test_the_least_configuration_has_the_defaults_of_the_types(tmp_path: Path) -> None:
    settings = load(tmp_path, f'mode = "observe"{ACCOUNT}')
    assert settings.aged.max_age == timedelta(hours=3)
    assert settings.control.socket == tmp_path / "var/sexton.sock"
    assert settings.storage.url == Secret(f"sqlite:///{tmp_path}/var/sexton.db")


def test_an_absolute_database_path_and_a_postgresql_address_stay_as_they_are(
    tmp_path: Path,
) -> None:
    for url in ("sqlite:////srv/x.db", "sqlite:///:memory:", "postgresql://u:p@h/db"):
        settings = load(tmp_path, f'mode = "observe"\n[storage]\nurl = "{url}"{ACCOUNT}')
        assert settings.storage.url == Secret(url)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "mode is missing"),
        ('mode = "on"', 'mode = "on": allowed: "observe" or "enforce"'),
        ("mode = 1", "mode = 1: allowed"),
        ('modus = "observe"', "modus: unknown key; did you mean mode?"),
        ("[aged]\nmax_agee = '3h'", "aged.max_agee: unknown key; did you mean max_age?"),
        ("[aged]\nmax_age = 3", 'aged.max_age = 3: allowed: a duration such as "2s"'),
        ("[aged]\nmax_age = '3 hours'", 'aged.max_age = "3 hours"'),
        ("[aged]\nmax_age = '0s'", "a duration above zero"),
        ("[aged]\nmax_age = '99999999999d'", "aged.max_age"),
        ("[aged]\nmax_age = 'off'", 'aged.max_age = "off"'),
        ("[aged]\nvalidate_every = 'of'", 'aged.validate_every = "of"'),
        ("[aged]\nfee = 0.0005", 'aged.fee = 0.0005: allowed: a percentage such as "0.05%"'),
        ("[aged]\nfee = 'x%'", 'aged.fee = "x%"'),
        ("[aged]\nfee = '-1%'", 'from "0%" to "5%"'),
        ("[aged]\nfee = 'NaN%'", "aged.fee"),
        ("[aged]\nmax_loss = '101%'", 'from "0%" to "100%"'),
        ("[verdict]\nconfirm_after = '0s'", "verdict.confirm_after"),
        ("[orders]\nladder = ['market', 'stop']", "orders.ladder"),
        ("[orders]\nladder = ['stop_market']", "orders.ladder"),
        ("[orders]\nladder = []", "orders.ladder"),
        ("[orders]\nattempts = 0", "a whole number from 1 to 20"),
        ("[orders]\nattempts = true", "orders.attempts = True: allowed: a whole number"),
        ("[orders]\nbackoff_first = '9s'", "orders.backoff_last"),
        ("[control]\nhttp = 'localhost'", 'control.http = "localhost": allowed: "host:port"'),
        (f"[control]\nsocket = '/{'x' * 120}'", "at most 107 bytes"),
        ("[storage]\nurl = 'mysql://x'", "storage.url"),
        ("[storage]\nurl = 'sqlite://x.db'", "three slashes"),
        ("aged = 3", "aged = 3: allowed: a table: write [aged]"),
        ("[orphans]\nevery = '1ms'", "at least 100ms"),
    ],
)
def test_a_mistake_names_the_file_the_key_the_value_and_what_is_allowed(
    tmp_path: Path, text: str, expected: str
) -> None:
    mode = "" if "mod" in text or not text else 'mode = "observe"\n'
    found = mistakes(tmp_path, f"{mode}{text}{ACCOUNT}")
    matching = [line for line in found if expected in line]
    assert matching, found
    assert all(line.startswith(f"{tmp_path / 'sexton.toml'}: ") for line in found)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            'exchange = "bibit"',
            'accounts.a.exchange = "bibit": allowed: an exchange that the gateway knows: ',
        ),
        ("exchange = 3", "accounts.a.exchange = 3: allowed: a text"),
        ('on_unknown = "guess"', '"proceed" or "wait"'),
        ('orphans = "kill"', '"alert" or "adopt" or "protect" or "close"'),
        ('key = ""', "accounts.a.key"),
        ('key = "env:SEXTON_NOT_SET"', "the environment variable SEXTON_NOT_SET is not set"),
        ('secret = "file:nowhere"', "nowhere can't be read: No such file or directory"),
        ('connect = "127.0.0.1"', "accounts.a.connect"),
        ('connect = "127.0.0.1:99999"', "a port from 1 to 65535"),
        ('connect = "192.0.2.1:443"\nca_file = "x.pem"', "localhost or [::1] with a port"),
        ('ca_file = "x.pem"', "only together with connect"),
        ('name = "b"', "accounts.a.name"),
        ('secrt = "x"', "accounts.a.secrt: unknown key; did you mean secret?"),
        ('stream = "yes"', "true or false"),
        ("settles = []", "at least one settle currency"),
        ('settles = "USDT"', "a list such as"),
        ('orphan_allow = ["A"]\norphan_deny = ["A"]', "accounts.a.orphan_deny"),
        ('protect_distance = "0%"', 'from "0.1%" to "90%"'),
        ('share = "0%"', 'from "1%" to "100%"'),
    ],
)
def test_a_mistake_in_an_account_names_the_account(
    tmp_path: Path, lines: str, expected: str
) -> None:
    given = {line.partition(" ")[0] for line in lines.splitlines()}
    rest = {"exchange": '"bybit"', "key": '"k"', "secret": '"s"'}
    filled = "\n".join(f"{k} = {v}" for k, v in rest.items() if k not in given)
    found = mistakes(tmp_path, f'mode = "observe"\n[accounts.a]\n{lines}\n{filled}')
    assert any(expected in line for line in found), found


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = """
        [aged]
        fee = 1
        grace = "x"
        [accounts.a]
        exchange = "bybit"
        [accounts."b/c"]
        exchange = "bybit"
        key = "k"
        secret = "s"
    """
    found = mistakes(tmp_path, text)
    for part in ("mode is missing", "aged.fee", "aged.grace", "accounts.a.key is missing"):
        assert any(part in line for line in found), (part, found)
    assert any("accounts.b/c" in line and "a name of letters" in line for line in found)


def test_no_account_at_all_is_a_mistake(tmp_path: Path) -> None:
    assert "no account to guard" in mistakes(tmp_path, 'mode = "observe"')[0]


def test_a_file_that_is_missing_or_not_toml_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "none.toml")
    assert "is not TOML" in mistakes(tmp_path, "mode = ")[0]
    (tmp_path / "latin.toml").write_bytes(b"mode = '\xff'")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(tmp_path / "latin.toml")


def test_commands_that_need_no_keys_read_a_configuration_without_them(tmp_path: Path) -> None:
    account = ACCOUNT.replace('"k"', '"env:SEXTON_NOT_SET"').replace('"s"', '"file:nowhere"')
    file = write(tmp_path, f'mode = "observe"{account}')
    assert load_config(file, keys=False).accounts[0].key == Secret("")


def test_no_secret_is_ever_shown_by_a_mistake(tmp_path: Path) -> None:
    text = 'mode = "x"\n[storage]\nurl = "mysql://u:hunter2@h"\n[accounts.a]\nkey = ["hunter3"]'
    found = "\n".join(mistakes(tmp_path, text))
    assert "storage.url = ***" in found
    assert "accounts.a.key = ***" in found
    assert "hunter" not in found


def test_alerts_are_read_with_their_channels_types_and_hour(tmp_path: Path) -> None:
    alerts = """
    [alerts]
    channels = ["json://127.0.0.1:9/token"]
    callable = "my.module:function"
    daily_summary = "07:30"
    remind_every = "2h"
    [alerts.types]
    ghost_position = "off"
    """
    file = tmp_path / "sexton.toml"
    file.write_text(f'mode = "observe"\n{ACCOUNT}{alerts}', encoding="utf-8")
    found = load_config(file).alerts
    assert found == AlertSettings(
        channels=(Secret("json://127.0.0.1:9/token"),),
        callable="my.module:function",
        types={AlertType.GHOST_POSITION: Loudness.OFF},
        daily_summary=time(7, 30),
        remind_every=timedelta(hours=2),
    )


@pytest.mark.parametrize(
    ("lines", "mistake"),
    [
        ("[alerts]\ndaily_summary = '25:00'", 'a time of day in UTC such as "08:00", or "off"'),
        ("[alerts]\ncallable = 'nonsense'", '"package.module:function"'),
        ("[alerts.types]\nghost_position = 'loud'", '"on" or "silent" or "off"'),
        ("[alerts.types]\nghosts = 'off'", '"orphaned_position" or'),
        ("[control]\nhttp = '0.0.0.0:9464'", "127.0.0.1, localhost or [::1] with a port"),
    ],
)
def test_mistakes_about_alerts_and_the_page_say_what_is_allowed(
    tmp_path: Path, lines: str, mistake: str
) -> None:
    file = tmp_path / "sexton.toml"
    file.write_text(f'mode = "observe"\n{ACCOUNT}{lines}', encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert mistake in str(caught.value)
