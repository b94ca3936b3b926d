"""Words that every room shares: sides, legs, secrets."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import NoReturn

import msgspec


class OrderSide(StrEnum):
    """Which way an order trades."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> OrderSide:
        return OrderSide.SELL if self is OrderSide.BUY else OrderSide.BUY


class Side(StrEnum):
    """Position side. In hedge mode one symbol has one leg a side."""

    LONG = "long"
    SHORT = "short"

    @property
    def closing(self) -> OrderSide:
        """The order side that reduces a leg of this side."""
        return OrderSide.SELL if self is Side.LONG else OrderSide.BUY

    @property
    def sign(self) -> int:
        """+1 for long, -1 for short: the direction in which a rising price pays."""
        return 1 if self is Side.LONG else -1

    @property
    def opposite(self) -> Side:
        return Side.SHORT if self is Side.LONG else Side.LONG


LARGEST = 40
"""The power of ten beyond which nothing is an amount or a price."""
SMALLEST = -400
"""The power of ten below which a number is no rounding of a computation either."""


def is_amount(number: Decimal) -> bool:
    """Whether a number can be an amount or a price at all: finite, and of a size that exists.

    What is beyond is rubbish that no exchange means: a text of a megabyte, or an overflow where it
    is reckoned with.
    """
    return number.is_finite() and (not number or SMALLEST <= number.adjusted() <= LARGEST)


def check_amounts(*numbers: Decimal | None) -> None:
    """Raise ValueError if one of them is no amount. What enters is checked where it is made."""
    for number in numbers:
        if number is not None and not is_amount(number):
            raise ValueError(f"{number} is no amount that can be stored")


# Legs, rows and positions come by the 100,000 and can't be part of a cycle: with gc=False the
# collector does not walk them, which takes three quarters off a reconciliation.
class LegKey(msgspec.Struct, frozen=True, order=True, gc=False):
    """A leg: what every decision is made for. `symbol` is ccxt's unified symbol."""

    account: str
    symbol: str
    side: Side

    def __str__(self) -> str:
        return f"{self.account} {self.symbol} {self.side}"

    @property
    def actor_name(self) -> str:
        """The leg's name in an actor path: `BTCUSDT.long`. No two legs of an account share one.

        `BTC/USDT:USDT-261225` is BTCUSDT-261225, `BTC/USD:BTC` BTCUSD_BTC. Only a dollar is
        written on to its base, and left out where it is the settle currency too. What is neither
        letter nor digit in a currency's name is escaped.
        """
        pair, _, contract = self.symbol.partition(":")
        base, _, quote = pair.partition("/")
        settle, dash, rest = contract.partition("-")
        dollar = quote in _DOLLARS
        name = f"{_escaped(base)}{'' if dollar else '_'}{_escaped(quote)}"
        if not dollar or settle != quote:
            name += f"_{_escaped(settle)}"
        return f"{name}{dash}{'-'.join(map(_escaped, rest.split('-')))}.{self.side}"


# None of them ends with another, so a name that ends with one divides in one way only.
_DOLLARS = frozenset({"USD", "USDC", "USDT"})


def _escaped(text: str) -> str:
    return "".join(one if one.isalnum() else f"%{ord(one):x}%" for one in text)


class Secret:
    """A string that never prints: keys and passwords travel in this type only.

    `reveal()` is the one way out. It refuses to be pickled or encoded, and shows as `***` in
    repr, str, format and dumps.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(("Secret", self._text))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled; pass the setting that names it instead")


ZERO = Decimal(0)
