"""What operators can ask of the simulated venue: one struct for each command's body.

Quantities are base units, prices quote currency, symbols ccxt's unified ones. Left to others:
carrying a command out (`admin.py`).
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from messages.values import Side
from messages.venue import FillKind
from simulator.faults import ANY
from simulator.instruments import Exchange


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A member that is not known is a mistake, not something to pass over."""


class Leg(Command, frozen=True, kw_only=True):
    account: str
    symbol: str
    side: Side


class OpenPosition(Leg, frozen=True, kw_only=True):
    quantity: Decimal
    price: Decimal | None = None
    opened_at: datetime | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    leverage: Decimal | None = None


class CloseByHand(Leg, frozen=True, kw_only=True):
    """`kind` is what the trade history calls it: `adl` or `liquidation`, say."""

    quantity: Decimal | None = None
    price: Decimal | None = None
    kind: FillKind = FillKind.TRADE


class Move(Leg, frozen=True, kw_only=True):
    """Move a leg to another account; `to` null is one that is not simulated."""

    to: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    recorded: bool = True


class SetPrice(Command, frozen=True, kw_only=True):
    """`mark` puts the mark price elsewhere than the last one."""

    symbol: str
    price: Decimal
    mark: Decimal | None = None


class Contract(Command, frozen=True, kw_only=True):
    exchange: Exchange
    symbol: str


class SetDepth(Contract, frozen=True, kw_only=True):
    quantity: Decimal | None = None


class Halt(Contract, frozen=True, kw_only=True):
    halted: bool = True


class Rename(Contract, frozen=True, kw_only=True):
    """`ratio` is how many new contracts one old becomes."""

    to: str
    venue_id: str
    ratio: Decimal = Decimal(1)


class Rules(Contract, frozen=True, kw_only=True):
    """Only what is given changes. Steps and sizes are in contracts, as `Instrument` has them."""

    amount_step: Decimal | None = None
    min_amount: Decimal | None = None
    price_step: Decimal | None = None
    min_notional: Decimal | None = None
    max_market_amount: Decimal | None = None


class Settle(Contract, frozen=True, kw_only=True):
    """`kind` is `settlement` or `delivery`; not `recorded`, it is in no history."""

    price: Decimal | None = None
    kind: FillKind = FillKind.SETTLEMENT
    recorded: bool = True
    account: str | None = None


class NewListing(Command, frozen=True, kw_only=True):
    """A linear perpetual of one base unit a contract."""

    exchange: Exchange
    base: str
    price: str
    price_step: str
    amount_step: str
    min_amount: str | None = None
    max_market: str = "1000000"
    settle: str = "USDT"


class NewAccount(Command, frozen=True, kw_only=True):
    """`master` names the main account where this is a sub-account."""

    name: str
    exchange: Exchange
    key: str
    secret: str
    hedged: bool = False
    usdt: Decimal = Decimal(1_000_000)
    can_trade: bool = True
    can_withdraw: bool = False
    master: str | None = None


class Mode(Command, frozen=True, kw_only=True):
    account: str
    hedged: bool


class NewKey(Command, frozen=True, kw_only=True):
    account: str
    key: str
    secret: str


class LeadKey(Command, frozen=True, kw_only=True):
    """Let a key open another account from now on."""

    key: str
    account: str


class RevokeKey(Command, frozen=True, kw_only=True):
    key: str


class Limits(Command, frozen=True, kw_only=True):
    """Whether the exchanges' own rate limits refuse."""

    enforced: bool


class Latency(Command, frozen=True, kw_only=True):
    """Seconds that each request takes, there and back."""

    seconds: float


class Cut(Command, frozen=True, kw_only=True):
    account: str = ANY
