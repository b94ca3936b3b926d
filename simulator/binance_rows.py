"""How Binance USD-M words instruments, positions, orders, algo orders and trades.

Field names and value sets follow the USD-M futures REST documentation. Left to others: which
rows are asked for (`binance.py`), and the short names of the stream (`streams.py`).
"""

from __future__ import annotations

from decimal import Decimal

from messages.values import ZERO
from simulator.instruments import Listing
from simulator.prices import Prices
from simulator.state import Execution, Order, Position, Slot, State, TimeInForce
from simulator.wire import Row, ms, text

POSITION_SIDES = {Slot.BOTH: "BOTH", Slot.LONG: "LONG", Slot.SHORT: "SHORT"}
STATUSES = {
    State.UNTRIGGERED: "NEW",
    State.OPEN: "NEW",
    State.FILLED: "FILLED",
    State.CANCELED: "CANCELED",
    State.EXPIRED: "EXPIRED",
    State.REJECTED: "REJECTED",
}
ALGO_STATUSES = {
    State.UNTRIGGERED: "NEW",
    State.TRIGGERED: "FINISHED",
    State.CANCELED: "CANCELED",
    State.EXPIRED: "EXPIRED",
    State.REJECTED: "REJECTED",
}
NEVER_DELIVERED = 4133404800000


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


def premium_row(listing: Listing, prices: Prices, at: int) -> Row:
    mark = text(prices.mark(listing))
    return {
        "symbol": listing.id,
        "markPrice": mark,
        "indexPrice": mark,
        "estimatedSettlePrice": mark,
        "lastFundingRate": "0.0001",
        "interestRate": "0.0001",
        "nextFundingTime": 0,
        "time": at,
    }


def position_row(position: Position, prices: Prices) -> Row:
    listing = position.listing
    mark = prices.mark(listing)
    value = listing.value(position.size, mark)
    margin = text(abs(value) / position.leverage)
    return {
        "symbol": listing.id,
        "positionSide": POSITION_SIDES[position.slot],
        "positionAmt": text(position.size, "0"),
        "entryPrice": text(position.entry) if position.size else "0.0",
        "breakEvenPrice": text(position.entry) if position.size else "0.0",
        "markPrice": text(mark),
        "unRealizedProfit": text(position.unrealized(mark)),
        "liquidationPrice": text(position.liquidation_price, "0"),
        "isolatedMargin": "0",
        "notional": text(value),
        "marginAsset": listing.instrument.settle,
        "isolatedWallet": "0",
        "initialMargin": margin,
        "maintMargin": text(abs(value) * Decimal("0.005")),
        "positionInitialMargin": margin,
        "openOrderInitialMargin": "0",
        "adl": 2 if position.size else 0,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": ms(position.updated_at),
    }


def flat_row(listing: Listing, slot: Slot, prices: Prices) -> Row:
    """Version 2's row of a symbol without a position."""
    return {
        "symbol": listing.id,
        "positionSide": POSITION_SIDES[slot],
        "positionAmt": "0",
        "entryPrice": "0.0",
        "breakEvenPrice": "0.0",
        "markPrice": text(prices.mark(listing)),
        "unRealizedProfit": "0",
        "liquidationPrice": "0",
        "isolatedMargin": "0",
        "notional": "0",
        "isolatedWallet": "0",
        "updateTime": 0,
    }


def order_type(order: Order) -> str:
    return "MARKET" if order.spec.price is None else "LIMIT"


def algo_type(order: Order) -> str:
    name = "TAKE_PROFIT" if order.spec.take_profit else "STOP"
    return f"{name}_MARKET" if order.spec.price is None else name


def time_in_force(order: Order) -> str:
    chosen = order.spec.time_in_force
    return "GTX" if chosen is TimeInForce.POST_ONLY else str(chosen)


def status(order: Order) -> str:
    if order.state is State.OPEN and order.filled:
        return "PARTIALLY_FILLED"
    return STATUSES.get(order.state, "EXPIRED")


def order_row(order: Order) -> Row:
    spec = order.spec
    return {
        "orderId": int(order.id),
        "symbol": order.listing.id,
        "status": status(order),
        "clientOrderId": spec.client_id or f"web_{order.id}",
        "price": text(spec.price, "0"),
        "avgPrice": text(order.average, "0.00"),
        "origQty": text(order.quantity),
        "executedQty": text(order.filled),
        "cumQty": text(order.filled),
        "cumQuote": text(order.cost),
        "timeInForce": time_in_force(order),
        "type": order_type(order),
        "reduceOnly": spec.reduce_only,
        "closePosition": spec.close_position,
        "side": spec.side.upper(),
        "positionSide": POSITION_SIDES[spec.slot],
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceMatch": "NONE",
        "selfTradePreventionMode": "NONE",
        "goodTillDate": 0,
        "priceProtect": False,
        "origType": order_type(order),
        "time": ms(order.created_at),
        "updateTime": ms(order.updated_at),
    }


def algo_row(order: Order) -> Row:
    spec = order.spec
    return {
        "algoId": int(order.id),
        "clientAlgoId": spec.client_id or f"web_{order.id}",
        "algoType": "CONDITIONAL",
        "orderType": algo_type(order),
        "symbol": order.listing.id,
        "side": spec.side.upper(),
        "positionSide": POSITION_SIDES[spec.slot],
        "timeInForce": time_in_force(order),
        "quantity": text(ZERO if spec.close_position else order.quantity),
        "algoStatus": ALGO_STATUSES.get(order.state, "NEW"),
        "actualOrderId": order.triggered_as,
        "actualPrice": "0.00",
        "triggerPrice": text(spec.trigger_price),
        "price": text(spec.price, "0.00"),
        "icebergQuantity": None,
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "workingType": "CONTRACT_PRICE",
        "priceMatch": "NONE",
        "closePosition": spec.close_position,
        "priceProtect": False,
        "reduceOnly": spec.reduce_only,
        "createTime": ms(order.created_at),
        "updateTime": ms(order.updated_at),
        "triggerTime": ms(order.updated_at) if order.state is State.TRIGGERED else 0,
        "goodTillDate": 0,
    }


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
