"""How Bitget v2 words contracts, prices, positions and accounts.

Field names and value sets follow the documentation and what `typed-bitget` decodes; the private
streams have rows of their own (`bitget_stream.py`). Left to others: orders, fills and ends of
positions (`bitget_order_rows.py`), and which rows are asked for.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from messages.values import ZERO
from simulator.bitget_words import product
from simulator.checks import available
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.matching import reducible
from simulator.prices import Prices
from simulator.state import Account, Position
from simulator.wire import Row, ms, text

KEEP_MARGIN = Decimal("0.004")
MOST_LEVERAGE = Decimal(125)
FUNDING_MS = 8 * 3600 * 1000
FUNDING_RATE = "0.0001"
DAY = timedelta(days=1)
COINS = {"USDT-FUTURES": "USDT", "USDC-FUTURES": "USDC"}
"""The margin coin of each product type; COIN-FUTURES have one for each base."""


def contract_row(listing: Listing) -> Row:
    it = listing.instrument
    step = it.price_step.normalize()
    digits = max(0, -int(step.as_tuple().exponent))
    expires = "" if it.expires_at is None else str(ms(it.expires_at))
    began = "" if it.expires_at is None else str(ms(it.expires_at - timedelta(days=180)))
    return {
        "symbol": it.venue_id,
        "baseCoin": it.base,
        "quoteCoin": it.quote,
        "buyLimitPriceRatio": text(listing.price_band),
        "sellLimitPriceRatio": text(listing.price_band),
        "feeRateUpRatio": "0.005",
        "makerFeeRate": text(listing.maker_fee),
        "takerFeeRate": text(listing.taker_fee),
        "openCostUpRatio": "0.01",
        "supportMarginCoins": [it.settle],
        "minTradeNum": text(it.min_amount),
        "maxOrderQty": "" if it.max_market_amount is None else text(it.max_market_amount * 2),
        "maxMarketOrderQty": text(it.max_market_amount),
        "priceEndStep": text(step.scaleb(digits)),
        "volumePlace": str(max(0, -int(it.amount_step.normalize().as_tuple().exponent))),
        "pricePlace": str(digits),
        "sizeMultiplier": text(it.amount_step),
        "symbolType": "perpetual" if it.expires_at is None else "delivery",
        "minTradeUSDT": text(it.min_notional, "5"),
        "maxSymbolOrderNum": "200",
        "maxProductOrderNum": "1000",
        "maxPositionNum": "150",
        "symbolStatus": "normal" if it.active else "maintain",
        "offTime": "-1",
        "limitOpenTime": "-1",
        "deliveryTime": expires,
        "deliveryStartTime": began,
        "deliveryPeriod": "" if it.expires_at is None else "this_quarter",
        "launchTime": "",
        "fundInterval": "8" if it.expires_at is None else "",
        "minLever": "1",
        "maxLever": text(MOST_LEVERAGE),
        "posLimit": "0.1",
        "maintainTime": "",
        "openTime": "",
        "isRwa": "NO",
    }


def ticker_row(listing: Listing, prices: Prices, at: datetime) -> Row:
    last, expires_at = prices.last(listing), listing.instrument.expires_at
    (day,) = prices.bars(listing, ms(at - DAY), int(DAY.total_seconds() * 1000) + 1, 1)
    change = text(last / day.open - 1)
    return {
        "symbol": listing.id,
        "lastPr": text(last),
        "askPr": text(prices.ask(listing)),
        "bidPr": text(prices.bid(listing)),
        "bidSz": "50",
        "askSz": "50",
        "high24h": text(max(day.high, last)),
        "low24h": text(min(day.low, last)),
        "ts": str(ms(at)),
        "change24h": change,
        "baseVolume": "50000",
        "quoteVolume": "100000000",
        "usdtVolume": "100000000",
        "openUtc": text(day.open),
        "changeUtc24h": change,
        "indexPrice": text(last),
        "fundingRate": "0" if expires_at else FUNDING_RATE,
        "holdingAmount": "50000",
        "deliveryStartTime": None if expires_at is None else str(ms(expires_at - 180 * DAY)),
        "deliveryTime": None if expires_at is None else str(ms(expires_at)),
        "deliveryStatus": "delivery_normal" if expires_at else "",
        "open24h": text(day.open),
        "markPrice": text(prices.mark(listing)),
    }


def pos_mode(account: Account) -> str:
    return "hedge_mode" if account.hedged else "one_way_mode"


def margin_mode(account: Account, listing: Listing) -> str:
    return "isolated" if listing.id in account.isolated else "crossed"


def hold_side(position: Position) -> str:
    return "short" if position.size < 0 else "long"


def locked(account: Account, position: Position) -> Decimal:
    """What orders that rest to close a position have reserved of it."""
    held = (
        it.remaining
        for it in account.live_orders(position.listing.id)
        if it.reduces and not it.conditional and it.spec.slot is position.slot
    )
    return min(sum(held, ZERO), abs(position.size))


def position_row(position: Position, prices: Prices, account: Account) -> Row:
    """A held leg; what is flat has no row."""
    listing = position.listing
    mark, size = prices.mark(listing), abs(position.size)
    reserved = locked(account, position)
    margin = listing.value(size, position.entry) / position.leverage
    return {
        "marginCoin": listing.instrument.settle,
        "symbol": listing.id,
        "holdSide": hold_side(position),
        "openDelegateSize": text(_opening(account, position)),
        "marginSize": text(margin),
        "available": text(size - reserved),
        "locked": text(reserved),
        "total": text(size),
        "leverage": text(position.leverage),
        "achievedProfits": text(position.realized),
        "openPriceAvg": text(position.entry),
        "marginMode": margin_mode(account, listing),
        "posMode": pos_mode(account),
        "unrealizedPL": text(position.unrealized(mark)),
        "liquidationPrice": text(position.liquidation_price, "0"),
        "keepMarginRate": text(KEEP_MARGIN),
        "markPrice": text(mark),
        "breakEvenPrice": text(position.entry),
        "totalFee": "0",
        "deductedFee": text(position.open_fee),
        "grant": "",
        "marginRatio": text(KEEP_MARGIN * position.leverage),
        "assetMode": "single",
        "autoMargin": "off",
        "takeProfit": text(_price_of(position, profit=True)),
        "stopLoss": text(_price_of(position, profit=False)),
        "takeProfitId": position.take_profit.id if position.take_profit else "",
        "stopLossId": position.stop_loss.id if position.stop_loss else "",
        "cTime": str(ms(position.opened_at)),
        "uTime": str(ms(position.updated_at)),
    }


def _price_of(position: Position, *, profit: bool) -> Decimal | None:
    order = position.take_profit if profit else position.stop_loss
    return None if order is None else order.spec.trigger_price


def _opening(account: Account, position: Position) -> Decimal:
    waiting = (
        it.remaining
        for it in account.live_orders(position.listing.id)
        if not it.reduces and not it.conditional and it.spec.slot is position.slot
    )
    return sum(waiting, ZERO)


def account_row(market: Market, account: Account, coin: str) -> Row:
    """What the list of accounts says of one margin coin."""
    prices = market.prices
    balance, free = account.wallet.get(coin, ZERO), available(account, coin, prices)
    held = [it for it in account.positions.values() if it.listing.instrument.settle == coin]
    gained = sum((it.unrealized(prices.mark(it.listing)) for it in held), ZERO)
    bitcoin = prices.last(market.listing(Exchange.BITGET, "BTC/USDT:USDT"))
    worth = (balance + gained) * (bitcoin if coin == "BTC" else 1)
    return {
        "marginCoin": coin,
        "locked": "0",
        "available": text(free),
        "crossedMaxAvailable": text(free),
        "isolatedMaxAvailable": text(free),
        "maxTransferOut": text(max(ZERO, free)),
        "accountEquity": text(balance + gained),
        "usdtEquity": text(worth),
        "btcEquity": text(worth / bitcoin),
        "crossedRiskRate": "0",
        "unrealizedPL": text(gained),
        "coupon": "0",
        "crossedUnrealizedPL": text(gained),
        "isolatedUnrealizedPL": "0",
        "assetMode": "single",
        "grant": "",
        "unionTotalMargin": "0",
        "unionAvailable": "0",
        "unionMm": "0",
        "assetList": [],
        "isolatedMargin": "0",
        "crossedMargin": "0",
    }


def coins_of(account: Account, named: str) -> list[str]:
    """The margin coins of a product type."""
    if named in COINS:
        return [COINS[named]]
    return [it for it in account.wallet if it not in COINS.values()]


def is_of(listing: Listing, named: str) -> bool:
    return product(listing) == named


def closable(account: Account, position: Position) -> Decimal:
    """How many contracts of a leg a further order could close in hedge mode."""
    side = position.side
    if side is None:
        return ZERO
    left = reducible(account, position.listing.id, position.slot, side.closing)
    return left - locked(account, position)
