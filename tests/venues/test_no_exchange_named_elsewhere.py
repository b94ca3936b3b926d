"""An exchange is one file: outside `venues/exchanges/` the guard's rooms name none of them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from venues.exchanges import EXCHANGES

ROOT = Path(__file__).parent.parent.parent
NAMES = (*EXCHANGES, "binance", "kucoin", "kraken")
NAMED = re.compile(rf"(?<![a-z])(?:{'|'.join(NAMES)})(?![a-z])", re.IGNORECASE)
FILES = [
    path
    for room in ("venues", "actors", "rules")
    for path in sorted((ROOT / room).rglob("*.py"))
    if ROOT / "venues" / "exchanges" not in path.parents
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_exchange_is_named_outside_its_file(path: Path) -> None:
    named = [
        f"{number}: {line.strip()}"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if NAMED.search(line)
    ]
    assert not named, named


def test_an_exchanges_name_is_found_in_any_case_and_beside_an_underscore() -> None:
    for text in ('if exchange == "bybit":', "_read_mexc(client)", "KuCoin's own", "gate.io"):
        assert NAMED.search(text), text
    assert not NAMED.search("aggregate delegates to the gateway")


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_an_exchanges_file_sees_no_more_of_venues_than_its_base(exchange: str) -> None:
    tree = ast.parse((ROOT / "venues" / "exchanges" / f"{exchange}.py").read_text("utf-8"))
    imported = {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("venues")
    }
    shared = {f"venues.exchanges.{name}" for name in ("base", "values", "reading")}
    assert imported <= shared | {"venues.strict", "venues.numbers"}, imported
