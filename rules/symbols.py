"""From the many spellings of a symbol to ccxt's unified one. Leaves rows and legs to legs.py.

A spelling that fits no listed instrument, or more than one, finds nothing: a row that is matched
to a wrong instrument would make a ghost and an orphan of one healthy position.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from messages.venue import Instrument

_K = TypeVar("_K")

# The texts come from a database: the memo must not grow with whatever is written there.
_MEMO_LIMIT = 65_536

_PERPETUAL = re.compile(r"(?:\.P|[-_]SWAP|[-_]?PERP(?:ETUAL)?|_[UCD]MCBL)$")
_YYMMDD = re.compile(r"^(?:20)?(\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))$")
_DDMMMYY = re.compile(r"^(\d{1,2})([A-Z]{3})(\d\d)$")
_MONTHS = {
    name: f"{number:02}"
    for number, name in enumerate(
        ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"), 1
    )
}


class _Spelling(msgspec.Struct, frozen=True):
    """A symbol text taken apart. `pair` keeps a '/' where the text showed where it divides.

    `settle` is empty where the text does not say; `expiry` is YYMMDD, empty for a perpetual.
    """

    pair: str
    settle: str = ""
    expiry: str = ""


class SymbolIndex:
    """Finds unified symbols among one account's instruments. Build it once for each listing.

    A venue's own id wins over a derived spelling. Derived: base and quote, joined or divided by
    '/', '-' or '_', in any case, with a perpetual's suffix ('.P', '-SWAP', 'PERP') or a date
    ('-251226', '-26DEC25'), after a chart's 'EXCHANGE:' prefix, XBT for BTC. Digits belong to the
    name: 1000PEPE is not PEPE.
    """

    __slots__ = ("_derived", "_exact", "_seen")

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._exact: dict[str, str | None] = {}
        self._derived: dict[_Spelling, str | None] = {}
        self._seen: dict[str, str | None] = {}
        for symbol, instrument in instruments.items():
            _claim(self._exact, instrument.venue_id.upper(), symbol)
        bases = {instrument.base.upper() for instrument in instruments.values()}
        for symbol, instrument in instruments.items():
            # The unified symbol is unique by construction, so it overrides what an id claimed.
            self._exact[symbol.upper()] = symbol
            for spelling in _spellings(instrument, alias_xbt="XBT" not in bases):
                _claim(self._derived, spelling, symbol)

    def find(self, text: str) -> str | None:
        """The unified symbol that `text` means, or None where that is unknown or ambiguous."""
        try:
            return self._seen[text]
        except KeyError:
            found = self._look_up(text.strip().upper())
        if len(self._seen) < _MEMO_LIMIT:
            self._seen[text] = found
        return found

    def _look_up(self, text: str) -> str | None:
        if text in self._exact:
            return self._exact[text]
        spelling = _parse(text)
        return None if spelling is None else self._derived.get(spelling)


def normalise(text: str, instruments: Mapping[str, Instrument]) -> str | None:
    """`SymbolIndex(instruments).find(text)`, for a single question."""
    return SymbolIndex(instruments).find(text)


def may_mean(text: str, symbol: str) -> bool:
    """Whether an operator who wrote `text` in a list may have meant the unified `symbol`.

    Needs no listing; a text without a settle currency means every contract of its pair and date.
    """
    wanted, listed = _parse(text.strip().upper()), _parse(symbol.upper())
    if wanted is None or listed is None:
        return text.strip().upper() == symbol.upper()
    return (
        wanted.pair.replace("/", "") == listed.pair.replace("/", "")
        and wanted.expiry == listed.expiry
        and wanted.settle in ("", listed.settle)
    )


def may_be_one(one: str, other: str) -> bool:
    """Whether two spellings, whoever wrote them, may be of one contract. Needs no listing."""
    return may_mean(one, other) or may_mean(other, one)


def _claim(names: dict[_K, str | None], name: _K, symbol: str) -> None:
    """Give a name to a symbol; a name that two symbols claim means neither."""
    names[name] = symbol if names.get(name, symbol) == symbol else None


def _spellings(instrument: Instrument, *, alias_xbt: bool) -> list[_Spelling]:
    expiry = instrument.symbol.partition(":")[2].partition("-")[2].upper()
    if "-" in expiry:
        return []
    bases = [instrument.base.upper()]
    if bases == ["BTC"] and alias_xbt:
        bases.append("XBT")
    quote, settle = instrument.quote.upper(), instrument.settle.upper()
    return [
        _Spelling(f"{base}{divider}{quote}", written_settle, expiry)
        for base in bases
        for divider in ("/", "")
        for written_settle in ("", settle)
    ]


def _parse(text: str) -> _Spelling | None:
    pair, slash, rest = text.partition("/")
    if slash:
        text_quote, colon, contract = rest.partition(":")
        if not colon:
            text_quote = _PERPETUAL.sub("", text_quote)
        settle, dash, expiry = contract.partition("-")
        date = _date(expiry)
        if (colon and not settle) or (dash and not date):
            return None
        return _Spelling(f"{pair}/{text_quote}", settle, date)
    text = text.rpartition(":")[2]
    bare = _PERPETUAL.sub("", text)
    parts = re.split(r"[-_]", bare)
    expiry = _date(parts[-1]) if bare == text and len(parts) > 1 else ""
    if expiry:
        parts.pop()
    if len(parts) > 2 or not all(parts):
        return None
    return _Spelling("/".join(parts), "", expiry)


def _date(text: str) -> str:
    """YYMMDD of a contract's date, or nothing where `text` is no date."""
    if plain := _YYMMDD.match(text):
        return plain[1]
    spelled = _DDMMMYY.match(text)
    if spelled is None or spelled[2] not in _MONTHS:
        return ""
    return f"{spelled[3]}{_MONTHS[spelled[2]]}{int(spelled[1]):02}"
