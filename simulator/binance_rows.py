"""How Binance USD-M words instruments, positions, orders, algo orders and trades.

Field names and value sets follow the USD-M futures REST documentation. Left to others: which
rows are asked for (`binance.py`), and the short names of the stream (`streams.py`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from messages.values import ZERO
from simulator.clearing import MAINTENANCE
from simulator.instruments import Listing
from simulator.prices import Prices
from simulator.state import Account, Execution, Position, Slot
from simulator.wire import Row, ms, text

POSITION_SIDES = {Slot.BOTH: "BOTH", Slot.LONG: "LONG", Slot.SHORT: "SHORT"}
NEVER_DELIVERED = 4133404800000
EIGHT_HOURS = 8 * 3600 * 1000


def instrument_row(listing: Listing) -> Row:
    it = listing.instrument
    step, least = text(it.amount_step), text(it.min_amount)
    most = text(it.max_market_amount, "1000000000")
    return {
        "symbol": it.venue_id,
        "pair": f"{it.base}{it.quote}",
        "contractType": "CURRENT_QUARTER" if it.expires_at else "PERPETUAL",
        "deliveryDate": ms(it.expires_at) if it.expires_at else NEVER_DELIVERED,
        "onboardDate": 1569398400000,
        "status": "TRADING" if it.active else "SETTLING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": it.base,
        "quoteAsset": it.quote,
        "marginAsset": it.settle,
        "pricePrecision": max(0, -int(it.price_step.as_tuple().exponent)),
        "quantityPrecision": max(0, -int(it.amount_step.as_tuple().exponent)),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "settlePlan": 0,
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": text(listing.price_band),
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": text(it.price_step),
                "maxPrice": "4529764",
                "tickSize": text(it.price_step),
            },
            {"filterType": "LOT_SIZE", "minQty": least, "maxQty": "1000000000", "stepSize": step},
            {"filterType": "MARKET_LOT_SIZE", "minQty": least, "maxQty": most, "stepSize": step},
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 200},
            {"filterType": "MIN_NOTIONAL", "notional": text(it.min_notional)},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": text(1 + listing.price_band),
                "multiplierDown": text(1 - listing.price_band),
                "multiplierDecimal": "4",
            },
        ],
        "orderTypes": [
            "LIMIT",
            "MARKET",
            "STOP",
            "STOP_MARKET",
            "TAKE_PROFIT",
            "TAKE_PROFIT_MARKET",
            "TRAILING_STOP_MARKET",
        ],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }


def ticker_row(listing: Listing, prices: Prices, at: int) -> Row:
    last = text(prices.last(listing))
    return {
        "symbol": listing.id,
        "priceChange": "0",
        "priceChangePercent": "0",
        "weightedAvgPrice": last,
        "lastPrice": last,
        "lastQty": "1",
        "openPrice": text(listing.price),
        "highPrice": last,
        "lowPrice": last,
        "volume": "50000",
        "quoteVolume": "1000000",
        "openTime": at - 86_400_000,
        "closeTime": at,
        "firstId": 1,
        "lastId": 2,
        "count": 2,
    }


def book_ticker_row(listing: Listing, prices: Prices, at: int) -> Row:
    return {
        "symbol": listing.id,
        "bidPrice": text(prices.bid(listing)),
        "bidQty": "50",
        "askPrice": text(prices.ask(listing)),
        "askQty": "50",
        "time": at,
    }


def price_row(listing: Listing, prices: Prices, at: int) -> Row:
    return {"symbol": listing.id, "price": text(prices.last(listing)), "time": at}


def premium_row(listing: Listing, prices: Prices, at: int) -> Row:
    mark = text(prices.mark(listing))
    dated = listing.instrument.expires_at is not None
    return {
        "symbol": listing.id,
        "markPrice": mark,
        "indexPrice": mark,
        "estimatedSettlePrice": mark,
        "lastFundingRate": "0.00000000",
        "interestRate": "0.00000000",
        "nextFundingTime": 0 if dated else (at // EIGHT_HOURS + 1) * EIGHT_HOURS,
        "time": at,
    }


POSITION_V3_FIELDS = (
    "symbol",
    "positionSide",
    "positionAmt",
    "entryPrice",
    "breakEvenPrice",
    "markPrice",
    "unRealizedProfit",
    "liquidationPrice",
    "isolatedMargin",
    "notional",
    "marginAsset",
    "isolatedWallet",
    "initialMargin",
    "maintMargin",
    "positionInitialMargin",
    "openOrderInitialMargin",
    "adl",
    "bidNotional",
    "askNotional",
    "updateTime",
)
POSITION_V2_FIELDS = (
    "symbol",
    "positionSide",
    "positionAmt",
    "entryPrice",
    "breakEvenPrice",
    "markPrice",
    "unRealizedProfit",
    "liquidationPrice",
    "leverage",
    "maxNotionalValue",
    "marginType",
    "isolatedMargin",
    "isAutoAddMargin",
    "notional",
    "isolatedWallet",
    "updateTime",
)
ACCOUNT_V2_FIELDS = (
    "positionInitialMargin",
    "openOrderInitialMargin",
    "leverage",
    "isolated",
    "entryPrice",
    "breakEvenPrice",
    "maxNotional",
    "bidNotional",
    "askNotional",
)
"""What version 2 of the account tells of a position and version 3 does not."""
MAX_NOTIONAL = "500000000"


def flat_position(owner: Account, listing: Listing, slot: Slot) -> Position:
    """A slot that was never traded, for versions that show it all the same."""
    never = datetime.fromtimestamp(0, UTC)
    return Position(
        listing=listing,
        slot=slot,
        leverage=owner.leverage_of(listing.id),
        first_at=never,
        opened_at=never,
        updated_at=never,
    )


def position_row(position: Position, owner: Account, prices: Prices) -> Row:
    """All that either version of the position endpoint tells."""
    listing = position.listing
    mark = prices.mark(listing)
    value = listing.value(position.size, mark)
    margin = text(abs(value) / position.leverage)
    isolated, profit = listing.id in owner.isolated, position.unrealized(mark)
    wallet = isolated_wallet(position) if isolated else ZERO
    return {
        "symbol": listing.id,
        "positionSide": POSITION_SIDES[position.slot],
        "positionAmt": text(position.size, "0"),
        "entryPrice": text(position.entry) if position.size else "0.0",
        "breakEvenPrice": text(position.entry) if position.size else "0.0",
        "markPrice": text(mark),
        "unRealizedProfit": text(profit),
        "liquidationPrice": text(position.liquidation_price, "0"),
        "leverage": text(position.leverage),
        "maxNotionalValue": MAX_NOTIONAL,
        "marginType": "isolated" if isolated else "cross",
        "isAutoAddMargin": "false",
        "isolatedMargin": text(wallet + profit if isolated else ZERO, "0"),
        "notional": text(value),
        "marginAsset": listing.instrument.settle,
        "isolatedWallet": text(wallet, "0"),
        "initialMargin": margin,
        "maintMargin": text(abs(value) * MAINTENANCE),
        "positionInitialMargin": margin,
        "openOrderInitialMargin": "0",
        "adl": 2 if position.size else 0,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": ms(position.updated_at),
    }


def account_position_row(position: Position, owner: Account, prices: Prices) -> Row:
    """A position as the account endpoint tells it, in version 2 with all of it."""
    row = position_row(position, owner, prices)
    same = (
        "symbol",
        "positionSide",
        "positionAmt",
        "isolatedMargin",
        "notional",
        "isolatedWallet",
        "initialMargin",
        "maintMargin",
        "updateTime",
        "positionInitialMargin",
        "openOrderInitialMargin",
        "leverage",
        "entryPrice",
        "breakEvenPrice",
        "bidNotional",
        "askNotional",
    )
    return {
        **{name: row[name] for name in same},
        "unrealizedProfit": row["unRealizedProfit"],
        "isolated": position.listing.id in owner.isolated,
        "maxNotional": MAX_NOTIONAL,
    }


def isolated_wallet(position: Position) -> Decimal:
    """The margin that was put into an isolated position, in settle currency."""
    value = position.listing.value(abs(position.size), position.entry) if position.size else ZERO
    return value / position.leverage + position.added_margin


def trade_row(execution: Execution) -> Row:
    return {
        "symbol": execution.listing.id,
        "id": int(execution.id),
        "orderId": int(execution.order_id),
        "side": execution.side.upper(),
        "price": text(execution.price),
        "qty": text(execution.quantity),
        "realizedPnl": text(execution.pnl),
        "quoteQty": text(execution.listing.value(execution.quantity, execution.price)),
        "commission": text(execution.fee),
        "commissionAsset": execution.listing.instrument.settle,
        "time": ms(execution.at),
        "positionSide": POSITION_SIDES[execution.slot],
        "maker": execution.maker,
        "buyer": execution.side == "buy",
    }
