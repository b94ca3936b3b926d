"""What the simulated exchanges list: instruments with real-like steps, fees and first prices.

Left to others: how prices move (`prices.py`) and how each exchange words an instrument.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import msgspec

from messages.venue import Instrument, Kind


class Exchange(StrEnum):
    """The exchanges that are simulated, by their ccxt ids."""

    BYBIT = "bybit"
    BINANCE = "binanceusdm"
    OKX = "okx"
    BITGET = "bitget"
    GATE = "gate"
    HYPERLIQUID = "hyperliquid"


WHOLE = (Exchange.BYBIT, Exchange.BINANCE)
"""Those whose simulated venue serves everything: REST, streams, limits, and every kind of trouble.
"""

ALGO_APART = frozenset({Exchange.BINANCE, Exchange.OKX, Exchange.BITGET, Exchange.GATE})
"""Those whose conditional orders are a kind apart: one that fires becomes an order of its own."""
IDS_USED_AGAIN = frozenset({Exchange.BINANCE, Exchange.OKX, Exchange.BITGET})
"""Those where a client order id is free again once its order has ended."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One instrument at one exchange. Fees are fractions; `price` is its first price.

    `underlying` names the walk that it follows, `basis` its distance from it as a fraction.
    `base_sized` inverse contracts are sized in base currency, not in quote.
    """

    exchange: Exchange
    instrument: Instrument
    price: Decimal
    underlying: str
    basis: Decimal = Decimal(0)
    taker_fee: Decimal = Decimal("0.00055")
    maker_fee: Decimal = Decimal("0.0002")
    price_band: Decimal = Decimal("0.05")
    base_sized: bool = False

    @property
    def symbol(self) -> str:
        return self.instrument.symbol

    @property
    def id(self) -> str:
        return self.instrument.venue_id

    @property
    def inverse(self) -> bool:
        return self.instrument.kind is Kind.INVERSE

    def value(self, contracts: Decimal, price: Decimal) -> Decimal:
        """What that many contracts are worth, in settle currency."""
        size = contracts * self.instrument.contract_size
        if self.inverse:
            return size if self.base_sized else size / price
        return size * price

    def profit(self, contracts: Decimal, entry: Decimal, price: Decimal) -> Decimal:
        """What signed contracts gain from one price to another, in settle currency."""
        size = contracts * self.instrument.contract_size
        if not self.inverse:
            return size * (price - entry)
        if self.base_sized:
            return size * (price - entry) / price
        return size / entry - size / price

    def to_tick(self, price: Decimal) -> Decimal:
        step = self.instrument.price_step
        return max(step, (price / step).quantize(Decimal(1)) * step)


# base, first price, price step (five significant figures), quantity step (szDecimals)
_HYPERLIQUID: tuple[tuple[str, str, str, str], ...] = (
    ("BTC", "64250", "1", "0.00001"),
    ("ETH", "3120.0", "0.1", "0.0001"),
    ("SOL", "148.20", "0.01", "0.01"),
    ("AVL", "0.21450", "0.00001", "1"),
    ("XRP", "0.53210", "0.00001", "1"),
    ("DOGE", "0.12110", "0.00001", "1"),
    ("LINK", "13.450", "0.001", "0.1"),
    ("ADA", "0.44100", "0.00001", "1"),
)


def hyperliquid_perpetual(base: str, price: str, price_step: str, amount_step: str) -> Listing:
    """A perpetual of Hyperliquid's main dex, all of which settle in USDC; its id is the coin.

    A price may be 80 % off the mark; any order that opens is worth 10 USDC or more.
    """
    return Listing(
        exchange=Exchange.HYPERLIQUID,
        instrument=Instrument(
            symbol=f"{base}/USDC:USDC",
            venue_id=base,
            base=base,
            quote="USDC",
            settle="USDC",
            kind=Kind.LINEAR,
            contract_size=Decimal(1),
            amount_step=Decimal(amount_step),
            min_amount=Decimal(amount_step),
            price_step=Decimal(price_step),
            min_notional=Decimal(10),
        ),
        price=Decimal(price),
        underlying=base,
        taker_fee=Decimal("0.00045"),
        maker_fee=Decimal("0.00015"),
        price_band=Decimal("0.8"),
    )


# base, first price, price step, quantity step, least quantity, most in one market order
_LINEAR: tuple[tuple[str, str, str, str, str, str], ...] = (
    ("BTC", "64250.0", "0.10", "0.001", "0.001", "120"),
    ("ETH", "3120.00", "0.01", "0.01", "0.01", "2000"),
    ("SOL", "148.200", "0.01", "0.1", "0.1", "8000"),
    ("AVL", "0.2145", "0.0001", "1", "1", "900000"),
    ("XRP", "0.5321", "0.0001", "0.1", "0.1", "2000000"),
    ("DOGE", "0.12110", "0.00001", "1", "1", "9000000"),
    ("LINK", "13.450", "0.001", "0.1", "0.1", "100000"),
    ("ADA", "0.4410", "0.0001", "1", "1", "3000000"),
    ("1000PEPE", "0.0093210", "0.0000001", "100", "100", "120000000"),
    ("PEPE", "0.000009321", "0.000000001", "1000", "5000", "90000000000"),
)


def quarter_end(after: datetime) -> datetime:
    """The last Friday of the first quarter's end that is at least 14 days away, 08:00 UTC."""
    year, month = after.year, (after.month - 1) // 3 * 3 + 3
    while True:
        first_of_next = datetime(year + month // 12, month % 12 + 1, 1, 8, tzinfo=UTC)
        last_day = first_of_next - timedelta(days=1)
        friday = last_day - timedelta(days=(last_day.weekday() - 4) % 7)
        if friday - after >= timedelta(days=14):
            return friday
        year, month = (year, month + 3) if month < 12 else (year + 1, 3)


def linear(
    exchange: Exchange,
    base: str,
    price: str,
    price_step: str,
    amount_step: str,
    min_amount: str | None = None,
    max_market: str = "1000000",
    *,
    settle: str = "USDT",
) -> Listing:
    """A linear perpetual of one base unit a contract, as both exchanges list them."""
    bybit = exchange is Exchange.BYBIT
    venue_id = f"{base}PERP" if settle == "USDC" and bybit else f"{base}{settle}"
    return Listing(
        exchange=exchange,
        instrument=Instrument(
            symbol=f"{base}/{settle}:{settle}",
            venue_id=venue_id,
            base=base,
            quote=settle,
            settle=settle,
            kind=Kind.LINEAR,
            contract_size=Decimal(1),
            amount_step=Decimal(amount_step),
            min_amount=Decimal(min_amount or amount_step),
            price_step=Decimal(price_step),
            min_notional=Decimal(5),
            max_market_amount=Decimal(max_market),
        ),
        price=Decimal(price),
        underlying=base,
        taker_fee=Decimal("0.00055") if bybit else Decimal("0.0005"),
    )


def _dated(exchange: Exchange, now: datetime) -> Listing:
    expiry = quarter_end(now)
    bybit = exchange is Exchange.BYBIT
    code = expiry.strftime("%y%m%d")
    venue_id = f"BTCUSDT-{expiry.strftime('%d%b%y').upper()}" if bybit else f"BTCUSDT_{code}"
    return Listing(
        exchange=exchange,
        instrument=Instrument(
            symbol=f"BTC/USDT:USDT-{code}",
            venue_id=venue_id,
            base="BTC",
            quote="USDT",
            settle="USDT",
            kind=Kind.LINEAR,
            contract_size=Decimal(1),
            amount_step=Decimal("0.001"),
            min_amount=Decimal("0.001"),
            price_step=Decimal("0.10"),
            min_notional=Decimal(5),
            max_market_amount=Decimal(50),
            expires_at=expiry,
        ),
        price=Decimal("64892.5"),
        underlying="BTC",
        basis=Decimal("0.01"),
        taker_fee=Decimal("0.00055") if bybit else Decimal("0.0005"),
    )


def _inverse_btc() -> Listing:
    return Listing(
        exchange=Exchange.BYBIT,
        instrument=Instrument(
            symbol="BTC/USD:BTC",
            venue_id="BTCUSD",
            base="BTC",
            quote="USD",
            settle="BTC",
            kind=Kind.INVERSE,
            contract_size=Decimal(1),
            amount_step=Decimal(1),
            min_amount=Decimal(1),
            price_step=Decimal("0.10"),
            max_market_amount=Decimal(5_000_000),
        ),
        price=Decimal("64250.0"),
        underlying="BTC",
    )


_BITGET_TAKER = Decimal("0.0006")


def bitget_linear(
    base: str,
    price: str,
    price_step: str,
    amount_step: str,
    min_amount: str | None = None,
    max_market: str = "1000000",
    *,
    settle: str = "USDT",
) -> Listing:
    """A linear perpetual as Bitget lists it: sizes in base units, USDC ones named by PERP."""
    listing = linear(
        Exchange.BITGET,
        base,
        price,
        price_step,
        amount_step,
        min_amount,
        max_market,
        settle=settle,
    )
    named = f"{base}PERP" if settle == "USDC" else f"{base}{settle}"
    instrument = msgspec.structs.replace(listing.instrument, venue_id=named)
    return replace(listing, instrument=instrument, taker_fee=_BITGET_TAKER)


def bitget_inverse(
    base: str, price: str, price_step: str, amount_step: str, expires_at: datetime | None = None
) -> Listing:
    """A contract margined in its coin, and sized in it: Bitget's COIN-FUTURES.

    A dated one bears the letter of its month and its year: BTCUSDH26.
    """
    letter = "" if expires_at is None else "FGHJKMNQUVXZ"[expires_at.month - 1]
    dated = "" if expires_at is None else f"{letter}{expires_at:%y}"
    return Listing(
        exchange=Exchange.BITGET,
        instrument=Instrument(
            symbol=f"{base}/USD:{base}" + ("" if expires_at is None else f"-{expires_at:%y%m%d}"),
            venue_id=f"{base}USD{dated}",
            base=base,
            quote="USD",
            settle=base,
            kind=Kind.INVERSE,
            contract_size=Decimal(1),
            amount_step=Decimal(amount_step),
            min_amount=Decimal(amount_step),
            price_step=Decimal(price_step),
            max_market_amount=Decimal(1000),
            expires_at=expires_at,
        ),
        price=Decimal(price),
        underlying=base,
        basis=Decimal(0) if expires_at is None else Decimal("0.01"),
        base_sized=True,
        taker_fee=_BITGET_TAKER,
    )


def bitget_listings(now: datetime) -> list[Listing]:
    """What Bitget lists by default, in all three product types."""
    return [
        *(bitget_linear(*row) for row in _LINEAR),
        bitget_linear("BTC", "64250.0", "0.10", "0.0001", settle="USDC"),
        bitget_inverse("BTC", "64250.0", "0.10", "0.001"),
        bitget_inverse("BTC", "64892.5", "0.10", "0.001", quarter_end(now)),
    ]


# base, first price, price step, base units a contract, contract step, most in one market order
_OKX: tuple[tuple[str, str, str, str, str, str], ...] = (
    ("BTC", "64250.0", "0.1", "0.01", "0.01", "12000"),
    ("ETH", "3120.00", "0.01", "0.1", "0.01", "20000"),
    ("SOL", "148.20", "0.01", "1", "0.01", "12000"),
    ("AVL", "0.2145", "0.0001", "10", "0.1", "90000"),
    ("XRP", "0.5321", "0.0001", "100", "0.01", "20000"),
    ("DOGE", "0.12110", "0.00001", "1000", "0.01", "9000"),
    ("LINK", "13.450", "0.001", "1", "0.1", "100000"),
    ("ADA", "0.4410", "0.0001", "100", "0.1", "30000"),
    ("PEPE", "0.000009321", "0.000000001", "10000000", "0.1", "9000"),
)
_OKX_TAKER = Decimal("0.0005")


def okx_linear(
    base: str,
    price: str,
    price_step: str,
    contract_size: str,
    amount_step: str,
    max_market: str = "100000",
    *,
    settle: str = "USDT",
) -> Listing:
    """A linear swap as OKX lists it: `contract_size` base units a contract, sizes in contracts."""
    return Listing(
        exchange=Exchange.OKX,
        instrument=Instrument(
            symbol=f"{base}/{settle}:{settle}",
            venue_id=f"{base}-{settle}-SWAP",
            base=base,
            quote=settle,
            settle=settle,
            kind=Kind.LINEAR,
            contract_size=Decimal(contract_size),
            amount_step=Decimal(amount_step),
            min_amount=Decimal(amount_step),
            price_step=Decimal(price_step),
            max_market_amount=Decimal(max_market),
        ),
        price=Decimal(price),
        underlying=base,
        taker_fee=_OKX_TAKER,
    )


def okx_inverse(base: str, price: str, price_step: str, contract_size: str) -> Listing:
    """A swap margined in its coin: `contract_size` US dollars a contract."""
    return Listing(
        exchange=Exchange.OKX,
        instrument=Instrument(
            symbol=f"{base}/USD:{base}",
            venue_id=f"{base}-USD-SWAP",
            base=base,
            quote="USD",
            settle=base,
            kind=Kind.INVERSE,
            contract_size=Decimal(contract_size),
            amount_step=Decimal("0.1"),
            min_amount=Decimal("0.1"),
            price_step=Decimal(price_step),
            max_market_amount=Decimal(35_000),
        ),
        price=Decimal(price),
        underlying=base,
        taker_fee=_OKX_TAKER,
    )


def okx_dated(now: datetime) -> Listing:
    """The quarter's BTC future, of 0.01 BTC a contract."""
    expiry = quarter_end(now)
    code = expiry.strftime("%y%m%d")
    swap = okx_linear("BTC", "64892.5", "0.1", "0.01", "0.01", "12000")
    instrument = msgspec.structs.replace(
        swap.instrument,
        symbol=f"BTC/USDT:USDT-{code}",
        venue_id=f"BTC-USDT-{code}",
        expires_at=expiry,
    )
    return replace(swap, instrument=instrument, basis=Decimal("0.01"))


def okx_listings(now: datetime) -> list[Listing]:
    """OKX's swaps in USDT, one in USDC, those margined in coins, and the quarter's future."""
    return [
        *(okx_linear(*row) for row in _OKX),
        okx_linear("BTC", "64250.0", "0.1", "0.0001", "1", "120000", settle="USDC"),
        okx_inverse("BTC", "64250.0", "0.1", "100"),
        okx_inverse("ETH", "3120.00", "0.01", "10"),
        okx_dated(now),
    ]


# base, first price, price step, contract size in base units, most contracts in one order
_GATE: tuple[tuple[str, str, str, str, str], ...] = (
    ("BTC", "64250.0", "0.1", "0.0001", "1000000"),
    ("ETH", "3120.00", "0.01", "0.01", "1000000"),
    ("SOL", "148.20", "0.01", "0.1", "1000000"),
    ("AVL", "0.2145", "0.0001", "1", "1000000"),
    ("XRP", "0.5321", "0.0001", "1", "2000000"),
    ("DOGE", "0.12110", "0.00001", "10", "1000000"),
    ("LINK", "13.450", "0.001", "1", "1000000"),
    ("ADA", "0.4410", "0.0001", "10", "1000000"),
    ("PEPE", "0.000009321", "0.000000001", "10000000", "1000000"),
)


def gate_contract(
    base: str,
    price: str,
    price_step: str,
    contract_size: str,
    most: str = "1000000",
    *,
    settle: str = "USDT",
    expires_at: datetime | None = None,
) -> Listing:
    """A contract of Gate's: sized in whole contracts, inverse where it settles in its base."""
    inverse = settle == base
    quote = "USD" if inverse else settle
    name, symbol = f"{base}_{quote}", f"{base}/{quote}:{settle}"
    if expires_at is not None:
        name = f"{name}_{expires_at.strftime('%Y%m%d')}"
        symbol = f"{symbol}-{expires_at.strftime('%y%m%d')}"
    return Listing(
        exchange=Exchange.GATE,
        instrument=Instrument(
            symbol=symbol,
            venue_id=name,
            base=base,
            quote=quote,
            settle=settle,
            kind=Kind.INVERSE if inverse else Kind.LINEAR,
            contract_size=Decimal(contract_size),
            amount_step=Decimal(1),
            min_amount=Decimal(1),
            price_step=Decimal(price_step),
            max_market_amount=Decimal(most),
            expires_at=expires_at,
        ),
        price=Decimal(price),
        underlying=base,
        basis=Decimal(0) if expires_at is None else Decimal("0.01"),
        taker_fee=Decimal("0.0005"),
        maker_fee=Decimal("0.0002"),
    )


def gate_listings(now: datetime) -> list[Listing]:
    """What Gate lists by default: perpetuals in USDT, one that settles in bitcoin, a dated one."""
    return [
        *(gate_contract(*row) for row in _GATE),
        gate_contract("BTC", "64250.0", "0.1", "1", settle="BTC"),
        gate_contract("BTC", "64892.5", "0.1", "0.0001", expires_at=quarter_end(now)),
    ]


def default_listings(now: datetime) -> list[Listing]:
    """What the exchanges list by default; `now` decides which quarter's future is trading."""
    listings: list[Listing] = []
    for exchange in (Exchange.BYBIT, Exchange.BINANCE):
        listings += [linear(exchange, *row) for row in _LINEAR]
        listings.append(linear(exchange, "BTC", "64250.0", "0.10", "0.001", settle="USDC"))
        listings.append(_dated(exchange, now))
    listings.append(_inverse_btc())
    listings += [hyperliquid_perpetual(*row) for row in _HYPERLIQUID]
    listings += okx_listings(now)
    listings += bitget_listings(now)
    listings += gate_listings(now)
    return listings
