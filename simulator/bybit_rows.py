"""How Bybit v5 words instruments, positions, orders and executions.

Field names and value sets follow the v5 REST documentation; the private stream uses the same
rows. Left to others: which rows are asked for (`bybit.py`, `streams.py`).
"""

from __future__ import annotations

from decimal import Decimal

from messages.values import OrderSide
from messages.venue import FillKind
from simulator.instruments import Listing
from simulator.prices import Prices
from simulator.records import ClosedTrade
from simulator.state import Execution, Order, Position, Slot, State, TimeInForce
from simulator.wire import Row, ms, text

SIDES = {OrderSide.BUY: "Buy", OrderSide.SELL: "Sell"}
CREATE_TYPES = {
    FillKind.TRADE: "CreateByUser",
    FillKind.LIQUIDATION: "CreateByLiq",
    FillKind.ADL: "CreateByAdl_PassThrough",
    FillKind.SETTLEMENT: "CreateBySettle",
    FillKind.DELIVERY: "CreateBySettle",
    FillKind.TRANSFER: "CreateByBlockTradeMovePosition_PassThrough",
}
EXEC_TYPES = {
    FillKind.TRADE: "Trade",
    FillKind.LIQUIDATION: "BustTrade",
    FillKind.ADL: "AdlTrade",
    FillKind.SETTLEMENT: "Settle",
    FillKind.DELIVERY: "Delivery",
    FillKind.TRANSFER: "MovePosition",
}


def category(listing: Listing) -> str:
    return "inverse" if listing.inverse else "linear"


def instrument_row(listing: Listing) -> Row:
    it = listing.instrument
    kind = "Inverse" if listing.inverse else "Linear"
    return {
        "symbol": it.venue_id,
        "contractType": f"{kind}{'Futures' if it.expires_at else 'Perpetual'}",
        "status": "Trading" if it.active else "Closed",
        "baseCoin": it.base,
        "quoteCoin": it.quote,
        "settleCoin": it.settle,
        "launchTime": "1584230400000",
        "deliveryTime": str(ms(it.expires_at)) if it.expires_at else "0",
        "deliveryFeeRate": "",
        "priceScale": str(max(0, -int(it.price_step.as_tuple().exponent))),
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
        "priceFilter": {
            "minPrice": text(it.price_step),
            "maxPrice": "1999999.80",
            "tickSize": text(it.price_step),
        },
        "lotSizeFilter": {
            "maxOrderQty": text(it.max_market_amount, "1000000000"),
            "minOrderQty": text(it.min_amount),
            "qtyStep": text(it.amount_step),
            "postOnlyMaxOrderQty": "1000000000",
            "maxMktOrderQty": text(it.max_market_amount, "1000000000"),
            "minNotionalValue": text(it.min_notional),
        },
        "unifiedMarginTrade": True,
        "fundingInterval": 480,
        "copyTrading": "none",
        "isPreListing": False,
    }


def ticker_row(listing: Listing, prices: Prices) -> Row:
    last = text(prices.last(listing))
    return {
        "symbol": listing.id,
        "lastPrice": last,
        "indexPrice": last,
        "markPrice": text(prices.mark(listing)),
        "prevPrice24h": text(listing.price),
        "price24hPcnt": text(prices.last(listing) / listing.price - 1),
        "highPrice24h": last,
        "lowPrice24h": last,
        "prevPrice1h": last,
        "openInterest": "50000",
        "openInterestValue": "1000000",
        "turnover24h": "1000000",
        "volume24h": "50000",
        "fundingRate": "0.0001",
        "nextFundingTime": "0",
        "bid1Price": text(prices.bid(listing)),
        "bid1Size": "50",
        "ask1Price": text(prices.ask(listing)),
        "ask1Size": "50",
    }


def position_row(position: Position, prices: Prices) -> Row:
    listing = position.listing
    mark = prices.mark(listing)
    size = abs(position.size)
    value = listing.value(size, position.entry) if size else Decimal(0)
    stop, profit = position.stop_loss, position.take_profit
    return {
        "positionIdx": int(position.slot),
        "riskId": 1,
        "riskLimitValue": "2000000",
        "symbol": listing.id,
        "side": "" if not size else ("Buy" if position.size > 0 else "Sell"),
        "size": text(size),
        "avgPrice": text(position.entry) if size else "0",
        "positionValue": text(value) if size else "",
        "tradeMode": 0,
        "autoAddMargin": 0,
        "positionStatus": "Normal",
        "leverage": text(position.leverage),
        "markPrice": text(mark),
        "liqPrice": text(position.liquidation_price),
        "bustPrice": "",
        "positionIM": text(value / position.leverage),
        "positionMM": text(value * Decimal("0.005")),
        "positionBalance": text(value / position.leverage),
        "takeProfit": text(profit.spec.trigger_price) if profit else "",
        "stopLoss": text(stop.spec.trigger_price) if stop else "",
        "trailingStop": "0",
        "tpslMode": "Full",
        "sessionAvgPrice": "",
        "unrealisedPnl": text(position.unrealized(mark)) if size else "",
        "curRealisedPnl": text(position.realized),
        "cumRealisedPnl": text(position.realized),
        "adlRankIndicator": 2 if size else 0,
        "isReduceOnly": False,
        "createdTime": str(ms(position.first_at)),
        "openTime": ms(position.opened_at) if size else 0,
        "updatedTime": str(ms(position.updated_at)),
        "seq": 1,
        "mmrSysUpdatedTime": "",
        "leverageSysUpdatedTime": "",
    }


def flat_row(listing: Listing, slot: Slot, prices: Prices, leverage: Decimal) -> Row:
    """The row of a symbol that was never traded: asked for by symbol, it is there, at zero."""
    return {
        "positionIdx": int(slot),
        "symbol": listing.id,
        "side": "",
        "size": "0",
        "avgPrice": "0",
        "positionValue": "",
        "tradeMode": 0,
        "positionStatus": "Normal",
        "leverage": text(leverage),
        "markPrice": text(prices.mark(listing)),
        "liqPrice": "",
        "bustPrice": "",
        "positionIM": "",
        "positionMM": "",
        "takeProfit": "",
        "stopLoss": "",
        "trailingStop": "0",
        "tpslMode": "Full",
        "unrealisedPnl": "",
        "curRealisedPnl": "0",
        "cumRealisedPnl": "0",
        "createdTime": "0",
        "updatedTime": "0",
        "seq": -1,
    }


def order_status(order: Order) -> str:
    match order.state:
        case State.UNTRIGGERED:
            return "Untriggered"
        case State.OPEN:
            return "PartiallyFilled" if order.filled else "New"
        case State.FILLED:
            return "Filled"
        case State.REJECTED:
            return "Rejected"
        case _:
            if order.conditional and not order.filled:
                return "Deactivated"
            # PartiallyFilledCanceled is spot's; a derivative's cancelled order may have fills.
            return "Cancelled"


def order_row(order: Order) -> Row:
    spec, listing = order.spec, order.listing
    in_force = TimeInForce.IOC if spec.price is None else spec.time_in_force
    remaining = order.remaining if order.state.live else Decimal(0)
    stop_type = ""
    if order.attached:
        stop_type = "TakeProfit" if spec.take_profit else "StopLoss"
    elif order.conditional:
        stop_type = "Stop"
    coin = listing.instrument.settle
    return {
        "orderId": order.id,
        "orderLinkId": spec.client_id,
        "blockTradeId": "",
        "symbol": listing.id,
        "category": category(listing),
        "price": text(spec.price, "0"),
        "qty": text(order.quantity),
        "side": SIDES[spec.side],
        "isLeverage": "",
        "positionIdx": int(spec.slot),
        "orderStatus": order_status(order),
        "createType": CREATE_TYPES[order.kind],
        "cancelType": order.cancel_reason
        if order.cancel_reason.startswith("Cancel")
        else "UNKNOWN",
        "rejectReason": order.cancel_reason
        if order.cancel_reason.startswith("EC_")
        else "EC_NoError",
        "avgPrice": text(order.average),
        "leavesQty": text(remaining),
        "leavesValue": text(listing.value(remaining, spec.price) if spec.price else Decimal(0)),
        "cumExecQty": text(order.filled),
        "cumExecValue": text(
            listing.value(order.filled, order.average) if order.average else None, "0"
        ),
        "cumExecFee": text(order.fee),
        "cumFeeDetail": {coin: text(order.fee)} if order.filled else {},
        "timeInForce": str(in_force),
        "orderType": "Market" if spec.price is None else "Limit",
        "stopOrderType": stop_type,
        "triggerPrice": text(spec.trigger_price),
        "triggerDirection": 0 if spec.trigger_rising is None else (1 if spec.trigger_rising else 2),
        "triggerBy": "LastPrice" if order.conditional else "",
        "takeProfit": "",
        "stopLoss": "",
        "tpslMode": "Full" if order.attached else "",
        "reduceOnly": spec.reduce_only,
        "closeOnTrigger": order.attached,
        "placeType": "",
        "smpType": "None",
        "createdTime": str(ms(order.created_at)),
        "updatedTime": str(ms(order.updated_at)),
    }


def execution_row(execution: Execution, order: Order) -> Row:
    listing = execution.listing
    price = text(execution.price)
    return {
        "symbol": listing.id,
        "category": category(listing),
        "orderId": execution.order_id,
        "orderLinkId": execution.client_id,
        "side": SIDES[execution.side],
        "orderPrice": text(order.spec.price, "0"),
        "orderQty": text(order.quantity),
        "leavesQty": text(order.remaining),
        "createType": CREATE_TYPES[execution.kind],
        "orderType": "Market" if order.spec.price is None else "Limit",
        "stopOrderType": "UNKNOWN",
        "execFee": text(execution.fee),
        "execId": execution.id,
        "execPrice": price,
        "execQty": text(execution.quantity),
        "execType": EXEC_TYPES[execution.kind],
        "execValue": text(listing.value(execution.quantity, execution.price)),
        "execTime": str(ms(execution.at)),
        "feeCurrency": "",
        "isMaker": execution.maker,
        "feeRate": text(listing.maker_fee if execution.maker else listing.taker_fee),
        "markPrice": price,
        "indexPrice": price,
        "closedSize": text(execution.closed),
        "execPnl": text(execution.pnl),
        "seq": execution.sequence,
    }


def closed_row(closed: ClosedTrade, order: Order) -> Row:
    """A row of closed PnL; `closedPnl` is after the fees of opening and closing."""
    listing = closed.listing
    return {
        "symbol": listing.id,
        "orderId": closed.order_id,
        "side": SIDES[closed.side],
        "qty": text(order.quantity),
        "orderPrice": text(order.spec.price or closed.exit),
        "orderType": "Market" if order.spec.price is None else "Limit",
        "execType": EXEC_TYPES[closed.kind],
        "closedSize": text(closed.quantity),
        "cumEntryValue": text(listing.value(closed.quantity, closed.entry)),
        "avgEntryPrice": text(closed.entry),
        "cumExitValue": text(listing.value(closed.quantity, closed.exit)),
        "avgExitPrice": text(closed.exit),
        "closedPnl": text(closed.pnl),
        "fillCount": str(closed.fills),
        "leverage": text(closed.leverage),
        "openFee": text(closed.open_fee),
        "closeFee": text(closed.close_fee),
        "createdTime": str(ms(closed.created_at)),
        "updatedTime": str(ms(closed.updated_at)),
    }
