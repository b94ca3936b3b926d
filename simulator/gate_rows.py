"""How Gate words contracts, prices, positions and accounts.

Field names and value sets follow the futures and delivery pages of Gate's API v4 documentation and
the models of its SDK. Left to others: orders and fills (`gate_order_rows.py`).
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from messages.values import ZERO
from simulator.checks import available
from simulator.clearing import MAINTENANCE
from simulator.instruments import Listing
from simulator.prices import Prices
from simulator.state import Account, Position, Slot
from simulator.wire import Row, text

MODES = {Slot.BOTH: "single", Slot.LONG: "dual_long", Slot.SHORT: "dual_short"}
MOST_LEVERAGE = 100
RISK_LIMIT = "1000000"
EIGHT_HOURS = 8 * 3600
SIZES = frozenset(
    {
        "size",
        "left",
        "iceberg",
        "close_size",
        "max_size",
        "accum_size",
        "order_size_min",
        "order_size_max",
        "trade_size",
        "position_size",
        "total_size",
        "s",
        "v",
    }
)
"""Fields in contracts: whole numbers, or text for who sends X-Gate-Size-Decimal."""


def sized(row: Any, *, as_text: bool) -> Any:
    """A row, or a list of rows, with its sizes as the client wants them."""
    if isinstance(row, list):
        return [sized(each, as_text=as_text) for each in row]
    if not isinstance(row, dict):
        return row
    return {
        name: (text(value) if as_text else int(value))
        if name in SIZES and isinstance(value, Decimal)
        else sized(value, as_text=as_text)
        for name, value in row.items()
    }


def seconds(at: datetime) -> int:
    return int(at.timestamp())


def precise(at: datetime) -> float:
    """Seconds with milliseconds, as orders and fills are dated."""
    return round(at.timestamp(), 3)


def multiplier(listing: Listing) -> str:
    """Base units a contract; zero for a contract of one US dollar."""
    return "0" if listing.inverse else text(listing.instrument.contract_size)


def contract_row(listing: Listing, prices: Prices, at: datetime) -> Row:
    it = listing.instrument
    mark, last = text(prices.mark(listing)), text(prices.last(listing))
    most = it.max_market_amount or Decimal(1_000_000)
    row: Row = {
        "name": it.venue_id,
        "type": "inverse" if listing.inverse else "direct",
        "quanto_multiplier": multiplier(listing),
        "leverage_min": "1",
        "leverage_max": str(MOST_LEVERAGE),
        "maintenance_rate": text(MAINTENANCE),
        "mark_type": "index",
        "mark_price": mark,
        "index_price": mark,
        "last_price": last,
        "maker_fee_rate": text(listing.maker_fee),
        "taker_fee_rate": text(listing.taker_fee),
        "order_price_round": text(it.price_step),
        "mark_price_round": text(it.price_step),
        "risk_limit_base": RISK_LIMIT,
        "risk_limit_step": RISK_LIMIT,
        "risk_limit_max": "8000000",
        "order_size_min": it.min_amount,
        "order_size_max": most,
        "order_price_deviate": text(listing.price_band),
        "ref_discount_rate": "0",
        "ref_rebate_rate": "0.2",
        "orderbook_id": seconds(at),
        "trade_id": seconds(at),
        "trade_size": Decimal(50_000),
        "position_size": Decimal(10_000),
        "config_change_time": 1593158867,
        "in_delisting": it.expires_at is not None and not it.active,
        "orders_limit": 100,
    }
    if it.expires_at is not None:
        return row | {
            "underlying": f"{it.base}_{it.quote}",
            "cycle": "QUARTERLY",
            "basis_rate": text(listing.basis),
            "basis_value": text(prices.last(listing) * listing.basis),
            "basis_impact_value": "100000",
            "settle_price": "0",
            "settle_price_interval": 60,
            "settle_price_duration": 1800,
            "settle_fee_rate": "0.0005",
            "expire_time": seconds(it.expires_at),
        }
    return row | {
        "funding_rate": "0",
        "funding_rate_indicative": "0",
        "funding_offset": 0,
        "funding_interval": EIGHT_HOURS,
        "funding_next_apply": (seconds(at) // EIGHT_HOURS + 1) * EIGHT_HOURS,
        "funding_impact_value": "60000",
        "funding_cap_ratio": "0.75",
        "funding_rate_limit": "0.003",
        "interest_rate": "0.0003",
        "enable_decimal": False,
        "enable_bonus": True,
        "enable_credit": True,
        "enable_circuit_breaker": False,
        "create_time": 1546300800,
        "launch_time": 1546300800,
        "delisting_time": 0,
        "delisted_time": 0,
        "status": "trading" if it.active else "circuit_breaker",
        "market_order_slip_ratio": text(listing.price_band),
        "market_order_size_max": text(it.max_market_amount, "0"),
        "contract_type": "",
        "cross_leverage_default": "10",
        "is_pre_market": False,
    }


def ticker_row(listing: Listing, prices: Prices) -> Row:
    last, mark = text(prices.last(listing)), text(prices.mark(listing))
    row: Row = {
        "contract": listing.id,
        "last": last,
        "change_percentage": "0",
        "total_size": Decimal(10_000),
        "low_24h": last,
        "high_24h": last,
        "volume_24h": "50000",
        "volume_24h_btc": "5",
        "volume_24h_usd": "321250",
        "volume_24h_base": "5",
        "volume_24h_quote": "321250",
        "volume_24h_settle": "321250",
        "mark_price": mark,
        "funding_rate": "0",
        "funding_rate_indicative": "0",
        "index_price": mark,
        "quanto_base_rate": "",
        "lowest_ask": text(prices.ask(listing)),
        "lowest_size": "5000",
        "highest_bid": text(prices.bid(listing)),
        "highest_size": "5000",
    }
    if listing.instrument.expires_at is not None:
        basis = text(prices.last(listing) * listing.basis)
        return row | {"basis_rate": text(listing.basis), "basis_value": basis}
    return row | dict.fromkeys(
        ("change_utc0", "change_utc8", "change_price", "change_utc0_price", "change_utc8_price"),
        "0",
    )


def position_row(position: Position, owner: Account, prices: Prices) -> Row:
    listing = position.listing
    mark = prices.mark(listing)
    value = listing.value(abs(position.size), mark)
    alone = listing.id in owner.isolated
    leverage = text(position.leverage)
    margin = value / position.leverage + (position.added_margin if alone else ZERO)
    maintenance = text(value * MAINTENANCE)
    pending = [it for it in owner.live_orders(listing.id) if not it.conditional]
    closing = next((it for it in pending if it.reduces), None)
    return {
        "user": owner.uid,
        "contract": listing.id,
        "size": position.size,
        "leverage": leverage if alone else "0",
        "risk_limit": RISK_LIMIT,
        "leverage_max": str(MOST_LEVERAGE),
        "maintenance_rate": text(MAINTENANCE),
        "average_maintenance_rate": text(MAINTENANCE),
        "value": text(value, "0"),
        "margin": text(margin if alone else ZERO, "0"),
        "entry_price": text(position.entry, "0"),
        "liq_price": text(position.liquidation_price, "0"),
        "mark_price": text(mark),
        "initial_margin": text(margin, "0"),
        "maintenance_margin": maintenance,
        "unrealised_pnl": text(position.unrealized(mark)),
        "realised_pnl": text(position.realized),
        "pnl_pnl": text(position.realized),
        "pnl_fund": "0",
        "pnl_fee": "0",
        "history_pnl": "0",
        "last_close_pnl": "0",
        "realised_point": "0",
        "history_point": "0",
        "adl_ranking": 5 if position.size else 6,
        "pending_orders": len(pending),
        "close_order": None
        if closing is None
        else {"id": int(closing.id), "price": text(closing.spec.price, "0"), "is_liq": False},
        "mode": MODES[position.slot],
        "cross_leverage_limit": "0" if alone else leverage,
        "update_time": seconds(position.updated_at),
        "update_id": seconds(position.updated_at),
        "open_time": seconds(position.opened_at) if position.size else 0,
        "risk_limit_table": "",
        "trade_max_size": "0",
        "pid": 0,
        "pos_margin_mode": "isolated" if alone else "cross",
        "lever": leverage,
    }


def account_row(owner: Account, coin: str, prices: Prices) -> Row:
    """The futures account of one settle currency."""
    held = [
        it for it in owner.positions.values() if it.size and it.listing.instrument.settle == coin
    ]
    profit = sum((it.unrealized(prices.mark(it.listing)) for it in held), ZERO)
    values = [(it, it.listing.value(abs(it.size), prices.mark(it.listing))) for it in held]
    initial = sum((value / it.leverage for it, value in values), ZERO)
    maintenance = sum((value for _, value in values), ZERO) * MAINTENANCE
    total = owner.wallet.get(coin, ZERO)
    free = available(owner, coin, prices)
    return {
        "user": owner.uid,
        "currency": coin,
        "total": text(total),
        "unrealised_pnl": text(profit),
        "position_margin": text(initial),
        "order_margin": "0",
        "available": text(free),
        "point": "0",
        "bonus": "0",
        "in_dual_mode": owner.hedged,
        "position_mode": "dual" if owner.hedged else "single",
        "enable_credit": False,
        "enable_evolved_classic": True,
        "enable_new_dual_mode": True,
        "enable_tiered_mm": True,
        "enable_dual_plus": False,
        "margin_mode": 0,
        "position_initial_margin": text(initial),
        "maintenance_margin": text(maintenance),
        "cross_order_margin": "0",
        "cross_initial_margin": text(initial),
        "cross_maintenance_margin": text(maintenance),
        "cross_unrealised_pnl": text(profit),
        "cross_available": text(free),
        "cross_margin_balance": text(total + profit),
        "cross_mmr": "0",
        "cross_imr": "0",
        "isolated_position_margin": "0",
        "history": dict.fromkeys(
            (
                "dnw",
                "pnl",
                "fee",
                "refr",
                "fund",
                "point_dnw",
                "point_fee",
                "point_refr",
                "bonus_dnw",
                "bonus_offset",
                "cross_settle",
            ),
            "0",
        ),
    }
