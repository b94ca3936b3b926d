"""How Bybit v5 words instruments, prices, positions and wallets.

Field names and value sets follow the v5 documentation; the private streams use the same rows.
Left to others: orders and fills (`bybit_order_rows.py`), and which rows are asked for.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from messages.values import ZERO
from simulator.checks import available
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.prices import Prices
from simulator.state import Account, Position, Slot
from simulator.wire import Row, ms, text

MAINTENANCE = Decimal("0.005")
MOST_LEVERAGE = Decimal(100)
RISK_LIMIT = "200000000"
FUNDING_MS = 8 * 3600 * 1000
FUNDING_RATE = "0.0001"
LAUNCHED = 1584230400000
BIG = "1000000000"
ISOLATED = "ISOLATED_MARGIN"
DAY = timedelta(days=1)


def category(listing: Listing) -> str:
    return "inverse" if listing.inverse else "linear"


def instrument_row(listing: Listing) -> Row:
    it = listing.instrument
    kind = "Inverse" if listing.inverse else "Linear"
    return {
        "symbol": it.venue_id,
        "symbolId": 1 + sum(it.venue_id.encode()),
        "contractType": f"{kind}{'Futures' if it.expires_at else 'Perpetual'}",
        "status": "Trading" if it.active else "Closed",
        "baseCoin": it.base,
        "quoteCoin": it.quote,
        "settleCoin": it.settle,
        "launchTime": str(LAUNCHED),
        "deliveryTime": str(ms(it.expires_at)) if it.expires_at else "0",
        "deliveryFeeRate": "",
        "priceScale": str(max(0, -int(it.price_step.as_tuple().exponent))),
        "leverageFilter": {
            "minLeverage": "1",
            "maxLeverage": f"{MOST_LEVERAGE:.2f}",
            "leverageStep": "0.01",
        },
        "priceFilter": {
            "minPrice": text(it.price_step),
            "maxPrice": "1999999.80",
            "tickSize": text(it.price_step),
        },
        "lotSizeFilter": {
            "maxOrderQty": text(it.max_market_amount, BIG),
            "minOrderQty": text(it.min_amount),
            "qtyStep": text(it.amount_step),
            "postOnlyMaxOrderQty": BIG,
            "maxMktOrderQty": text(it.max_market_amount, BIG),
            "minNotionalValue": text(it.min_notional),
        },
        "unifiedMarginTrade": True,
        "fundingInterval": 480,
        "copyTrading": "none",
        "upperFundingRate": "0.00375",
        "lowerFundingRate": "-0.00375",
        "isPreListing": False,
        "preListingInfo": None,
        "riskParameters": {
            "priceLimitRatioX": text(listing.price_band),
            "priceLimitRatioY": text(listing.price_band),
        },
        "symbolType": "",
    }


def next_funding(at: datetime) -> int:
    return (ms(at) // FUNDING_MS + 1) * FUNDING_MS


def ticker_row(listing: Listing, prices: Prices, at: datetime) -> Row:
    last, expires_at = text(prices.last(listing)), listing.instrument.expires_at
    (day,) = prices.bars(listing, ms(at - DAY), int(DAY.total_seconds() * 1000) + 1, 1)
    (hour,) = prices.bars(listing, ms(at) - 3_600_000, 3_600_001, 1)
    dated = expires_at is not None
    return {
        "symbol": listing.id,
        "lastPrice": last,
        "indexPrice": last,
        "markPrice": text(prices.mark(listing)),
        "prevPrice24h": text(day.open),
        "price24hPcnt": text(prices.last(listing) / day.open - 1),
        "highPrice24h": text(max(day.high, prices.last(listing))),
        "lowPrice24h": text(min(day.low, prices.last(listing))),
        "prevPrice1h": text(hour.open),
        "openInterest": "50000",
        "openInterestValue": "1000000",
        "turnover24h": "100000000",
        "volume24h": "50000",
        "fundingRate": "" if dated else FUNDING_RATE,
        "nextFundingTime": "" if dated else str(next_funding(at)),
        "fundingIntervalHour": "" if dated else "8",
        "fundingCap": "" if dated else "0.005",
        "predictedDeliveryPrice": "",
        "basisRate": "",
        "basisRateYear": "",
        "basis": "",
        "deliveryFeeRate": "0" if dated else "",
        "deliveryTime": str(ms(expires_at)) if expires_at else "0",
        "preOpenPrice": "",
        "preQty": "",
        "curPreListingPhase": "",
        "bid1Price": text(prices.bid(listing)),
        "bid1Size": "50",
        "ask1Price": text(prices.ask(listing)),
        "ask1Size": "50",
    }


def risk_row(number: int, listing: Listing) -> Row:
    return {
        "id": number,
        "symbol": listing.id,
        "riskLimitValue": RISK_LIMIT,
        "maintenanceMargin": text(MAINTENANCE),
        "initialMargin": text(1 / MOST_LEVERAGE),
        "isLowestRisk": 1,
        "maxLeverage": f"{MOST_LEVERAGE:.2f}",
        "mmDeduction": "",
    }


def position_row(position: Position, prices: Prices, account: Account) -> Row:
    listing = position.listing
    mark = prices.mark(listing)
    size = abs(position.size)
    if not size:
        return flat_row(listing, position.slot, prices, account) | {
            "curRealisedPnl": text(position.realized),
            "cumRealisedPnl": text(position.realized),
            "createdTime": str(ms(position.first_at)),
            "updatedTime": str(ms(position.updated_at)),
            "seq": 1,
        }
    value = listing.value(size, position.entry)
    stop, profit = position.stop_loss, position.take_profit
    trailing = position.trailing_stop
    trail = trailing.spec.trail.distance if trailing and trailing.spec.trail else None
    margin = text(value / position.leverage)
    maintenance = text(value * MAINTENANCE)
    return {
        "positionIdx": int(position.slot),
        "riskId": 1,
        "riskLimitValue": RISK_LIMIT,
        "symbol": listing.id,
        "side": "Buy" if position.size > 0 else "Sell",
        "size": text(size),
        "avgPrice": text(position.entry),
        "positionValue": text(value),
        "tradeMode": int(account.margin_mode == ISOLATED),
        "autoAddMargin": 0,
        "positionStatus": "Normal",
        "leverage": text(position.leverage),
        "markPrice": text(mark),
        "liqPrice": text(position.liquidation_price),
        "bustPrice": "",
        "breakEvenPrice": text(position.entry),
        "positionIM": margin,
        "positionIMByMp": margin,
        "positionMM": maintenance,
        "positionMMByMp": maintenance,
        "positionBalance": margin,
        "takeProfit": text(profit.spec.trigger_price) if profit else "",
        "stopLoss": text(stop.spec.trigger_price) if stop else "",
        "trailingStop": text(trail, "0"),
        "tpslMode": "Full",
        "sessionAvgPrice": "",
        "unrealisedPnl": text(position.unrealized(mark)),
        "curRealisedPnl": text(position.realized),
        "cumRealisedPnl": text(position.realized),
        "adlRankIndicator": 2,
        "isReduceOnly": False,
        "createdTime": str(ms(position.first_at)),
        "openTime": ms(position.opened_at),
        "updatedTime": str(ms(position.updated_at)),
        "seq": 1,
        "mmrSysUpdatedTime": "",
        "leverageSysUpdatedTime": "",
    }


def flat_row(listing: Listing, slot: Slot, prices: Prices, account: Account) -> Row:
    """The row of a symbol without a position: asked for by symbol, it is there, at zero."""
    return {
        "positionIdx": int(slot),
        "riskId": 1,
        "riskLimitValue": RISK_LIMIT,
        "symbol": listing.id,
        "side": "",
        "size": "0",
        "avgPrice": "0",
        "positionValue": "",
        "tradeMode": int(account.margin_mode == ISOLATED),
        "autoAddMargin": 0,
        "positionStatus": "Normal",
        "leverage": text(account.leverage_of(listing.id)),
        "markPrice": text(prices.mark(listing)),
        "liqPrice": "",
        "bustPrice": "",
        "breakEvenPrice": "",
        "positionIM": "",
        "positionIMByMp": "",
        "positionMM": "",
        "positionMMByMp": "",
        "positionBalance": "0",
        "takeProfit": "",
        "stopLoss": "",
        "trailingStop": "0",
        "tpslMode": "Full",
        "sessionAvgPrice": "",
        "unrealisedPnl": "",
        "curRealisedPnl": "0",
        "cumRealisedPnl": "0",
        "adlRankIndicator": 0,
        "isReduceOnly": False,
        "createdTime": "0",
        "openTime": 0,
        "updatedTime": "0",
        "seq": -1,
        "mmrSysUpdatedTime": "",
        "leverageSysUpdatedTime": "",
    }


def wallet_row(market: Market, account: Account, coins: list[str]) -> Row:
    """An account's wallet; `coins` are those that are shown."""
    prices = market.prices
    worth = {coin: _worth(market, coin) for coin in account.wallet}
    total = sum((worth[it] * amount for it, amount in account.wallet.items()), ZERO)
    unrealized = {coin: _unrealized(market, account, coin) for coin in account.wallet}
    perpetual = sum((worth[it] * amount for it, amount in unrealized.items()), ZERO)
    margin = sum((worth[coin] * _margin(market, account, coin) for coin in account.wallet), ZERO)
    free = sum((worth[coin] * available(account, coin, prices) for coin in account.wallet), ZERO)
    maintenance = margin * MAINTENANCE * 10
    equity = total + perpetual
    used, least = (margin / equity, maintenance / equity) if equity > 0 else (ZERO, ZERO)
    return {
        "accountType": "UNIFIED",
        "accountLTV": "0",
        "accountIMRate": text(used),
        "accountIMRateByMp": text(used),
        "accountMMRate": text(least),
        "accountMMRateByMp": text(least),
        "totalEquity": text(equity),
        "totalWalletBalance": text(total),
        "totalMarginBalance": text(equity),
        "totalAvailableBalance": text(free),
        "totalPerpUPL": text(perpetual),
        "totalInitialMargin": text(margin),
        "totalInitialMarginByMp": text(margin),
        "totalMaintenanceMargin": text(maintenance),
        "totalMaintenanceMarginByMp": text(maintenance),
        "coin": [_coin_row(market, account, it, unrealized[it], worth[it]) for it in coins],
    }


def _coin_row(
    market: Market, account: Account, coin: str, unrealized: Decimal, worth: Decimal
) -> Row:
    balance = account.wallet[coin]
    margin = _margin(market, account, coin)
    realized = sum((it.pnl for it in account.closed if it.listing.instrument.settle == coin), ZERO)
    return {
        "coin": coin,
        "equity": text(balance + unrealized),
        "usdValue": text((balance + unrealized) * worth),
        "walletBalance": text(balance),
        "availableToWithdraw": text(available(account, coin, market.prices)),
        "availableToBorrow": "",
        "borrowAmount": "0",
        "accruedInterest": "0",
        "totalOrderIM": "0",
        "totalPositionIM": text(margin),
        "totalPositionMM": text(margin * MAINTENANCE * 10),
        "unrealisedPnl": text(unrealized),
        "cumRealisedPnl": text(realized),
        "bonus": "0",
        "collateralSwitch": True,
        "marginCollateral": True,
        "locked": "0",
        "spotHedgingQty": "0",
        "spotBorrow": "0",
    }


def _worth(market: Market, coin: str) -> Decimal:
    """A coin in dollars; a stable one is one."""
    listing = market.find_symbol(Exchange.BYBIT, f"{coin}/USDT:USDT")
    return Decimal(1) if listing is None else market.prices.last(listing)


def _unrealized(market: Market, account: Account, coin: str) -> Decimal:
    held = (it for it in account.positions.values() if it.listing.instrument.settle == coin)
    return sum((it.unrealized(market.prices.mark(it.listing)) for it in held), ZERO)


def _margin(market: Market, account: Account, coin: str) -> Decimal:
    return sum(
        (
            it.listing.value(abs(it.size), market.prices.mark(it.listing)) / it.leverage
            for it in account.positions.values()
            if it.size and it.listing.instrument.settle == coin
        ),
        ZERO,
    )
