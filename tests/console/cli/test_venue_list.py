"""`venues`: the list follows the gateway's table."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from console.cli.venue_list import TRIED, abilities, list_venues
from tests.venues.bodies import BY_EXCHANGE
from venues.exchanges import EXCHANGES


def test_every_supported_exchange_is_listed_and_fed_with_documented_replies() -> None:
    listed = [one.exchange for one in abilities()]
    assert listed == list(EXCHANGES)
    assert set(listed) == set(BY_EXCHANGE)
    assert set(listed) >= TRIED


def test_what_is_listed_is_what_the_gateway_does(capsys: pytest.CaptureFixture[str]) -> None:
    list_venues(as_json=True)
    listed = {one["exchange"]: one for one in json.loads(capsys.readouterr().out)}
    for exchange, known in EXCHANGES.items():
        facts = known.facts
        assert listed[exchange]["stream"] is facts.streams
        assert listed[exchange]["stops"] is facts.stops
        assert listed[exchange]["by_name"] is facts.by_symbol


def test_the_list_needs_neither_ccxt_nor_a_configuration() -> None:
    code = (
        "import sys; from console.cli.venue_list import list_venues;"
        "list_venues(as_json=False); sys.exit('ccxt' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "krakenfutures" in ran.stdout
