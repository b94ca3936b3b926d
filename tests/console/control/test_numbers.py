"""A command with a number that is none is refused to its sender before anybody acts on it."""

from __future__ import annotations

import msgspec
import pytest

from console.control.protocol import AddRow, decode_command


def line(**numbers: str) -> bytes:
    row = {
        "type": "add-row",
        "account": "bybit-main",
        "symbol": "XRPUSDT",
        "side": "long",
        "quantity": "10",
        "entry_price": "0.5",
        "opened_at": "2026-11-27T10:00:00Z",
        **numbers,
    }
    return msgspec.json.encode(row)


@pytest.mark.parametrize("field", ["quantity", "entry_price", "stop_price"])
@pytest.mark.parametrize("bad", ["NaN", "Infinity", "1e999999"])
def test_a_row_with_a_number_that_is_none_is_a_bad_command(field: str, bad: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="no amount"):
        decode_command(line(**{field: bad}))


def test_a_row_with_good_numbers_is_taken() -> None:
    assert isinstance(decode_command(line()), AddRow)
