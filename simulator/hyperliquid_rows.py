"""Rows of Hyperliquid's /info: contracts, prices, positions, orders, fills.

Fields are those of the pages "Info endpoint" and "Perpetuals" of the venue's documentation, and
of the bodies that its own SDK recorded. Numbers are written as floats in strings, never as bare
integers. Left to others: what is asked (`hyperliquid_info.py`).
"""

from __future__ import annotations

from decimal import Decimal

from messages.values import ZERO, OrderSide
from messages.venue import FillKind
from simulator.checks import available
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.state import Account, Execution, Order, Position, State, TimeInForce
from simulator.wire import Row, ms, text

USDC = "USDC"
MAX_LEVERAGE = 40
SIGNIFICANT = 5
MAX_DECIMALS = 6
"""Of a perpetual's price: so many digits count, and so many decimals less szDecimals."""
OID_BASE = 91_000_000_000
TID_BASE = 118_906_512_000_000

TIFS = {
    TimeInForce.GTC: "Gtc",
    TimeInForce.IOC: "Ioc",
    TimeInForce.POST_ONLY: "Alo",
}
ENDS = {
    "EC_PostOnlyWillTakeLiquidity": "badAloPxRejected",
    "EC_ReduceOnly": "reduceOnlyCanceled",
    "CancelByReduceOnly": "reduceOnlyCanceled",
    "CancelAllBeforeLiq": "liquidatedCanceled",
    "CancelBySettle": "delistedCanceled",
    "scheduledCancel": "scheduledCancel",
    "siblingFilledCanceled": "siblingFilledCanceled",
}
"""The market's reasons for an order's end in the venue's words; any other is `canceled`."""


def number(value: Decimal | None) -> str:
    """A number as the venue writes it."""
    written = text(value, "0")
    return written if "." in written else f"{written}.0"


def size_decimals(listing: Listing) -> int:
    exponent = listing.instrument.amount_step.normalize().as_tuple().exponent
    return max(0, -int(exponent))


def price_fits(listing: Listing, price: Decimal) -> bool:
    """Whether a price has at most five significant figures, or is whole, and few decimals."""
    if price == price.to_integral_value():
        return True
    digits, exponent = price.normalize().as_tuple().digits, price.normalize().as_tuple().exponent
    return len(digits) <= SIGNIFICANT and -int(exponent) <= MAX_DECIMALS - size_decimals(listing)


class Assets:
    """The contracts by their index. One that was taken off the list keeps its place."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._all: dict[str, Listing] = {}

    def all(self) -> list[Listing]:
        """Every contract that was ever listed, in the order of their indices."""
        for listing in self._market.listings(Exchange.HYPERLIQUID):
            self._all[listing.id] = listing
        return list(self._all.values())

    def at(self, index: int) -> Listing | None:
        every = self.all()
        return every[index] if 0 <= index < len(every) else None

    def index(self, listing: Listing) -> int:
        return [it.id for it in self.all()].index(listing.id)

    def listed(self, listing: Listing) -> bool:
        found = self._market.find_listing(Exchange.HYPERLIQUID, listing.id)
        return found is not None and found.instrument.active


def universe_row(listing: Listing, *, listed: bool) -> Row:
    row: Row = {
        "szDecimals": size_decimals(listing),
        "name": listing.id,
        "maxLeverage": MAX_LEVERAGE,
        "marginTableId": 54,
    }
    return row if listed else {**row, "isDelisted": True}


def context_row(listing: Listing, market: Market) -> Row:
    prices = market.prices
    bid, ask = prices.bid(listing), prices.ask(listing)
    return {
        "funding": "0.0000125",
        "openInterest": "1000.0",
        "prevDayPx": number(prices.last(listing)),
        "dayNtlVlm": "1000000.0",
        "premium": "0.0",
        "oraclePx": number(prices.mark(listing)),
        "markPx": number(prices.mark(listing)),
        "midPx": number((bid + ask) / 2),
        "impactPxs": [number(bid), number(ask)],
        "dayBaseVlm": "1000.0",
    }


def held_row(position: Position, account: Account, market: Market) -> Row:
    listing, mark = position.listing, market.prices.mark(position.listing)
    value = abs(position.size) * mark
    margin = value / position.leverage + position.added_margin
    isolated = listing.id in account.isolated
    leverage: Row = {"type": "isolated" if isolated else "cross", "value": int(position.leverage)}
    if isolated:
        leverage["rawUsd"] = number(margin - position.size * mark)
    profit = position.unrealized(mark)
    return {
        "type": "oneWay",
        "position": {
            "coin": listing.id,
            "szi": number(position.size),
            "leverage": leverage,
            "entryPx": number(position.entry),
            "positionValue": number(value),
            "unrealizedPnl": number(profit),
            "returnOnEquity": number(profit / margin if margin else ZERO),
            "liquidationPx": number(position.liquidation_price)
            if position.liquidation_price
            else None,
            "marginUsed": number(margin),
            "maxLeverage": MAX_LEVERAGE,
            "cumFunding": {"allTime": "0.0", "sinceOpen": "0.0", "sinceChange": "0.0"},
        },
    }


def clearinghouse(account: Account, positions: list[Position], market: Market, at: int) -> Row:
    """What `clearinghouseState` says: held positions only, and the margin summaries."""
    held = [it for it in positions if it.size]
    worth = ZERO
    used = ZERO
    profit = ZERO
    for position in held:
        mark = market.prices.mark(position.listing)
        value = abs(position.size) * mark
        worth += value
        used += value / position.leverage + position.added_margin
        profit += position.unrealized(mark)
    wallet = account.wallet.get(USDC, ZERO)
    summary = {
        "accountValue": number(wallet + profit),
        "totalNtlPos": number(worth),
        "totalRawUsd": number(wallet),
        "totalMarginUsed": number(used),
    }
    free = available(account, USDC, market.prices)
    return {
        "marginSummary": summary,
        "crossMarginSummary": dict(summary),
        "crossMaintenanceMarginUsed": number(worth / (2 * MAX_LEVERAGE)),
        "withdrawable": number(max(ZERO, free)),
        "assetPositions": [held_row(it, account, market) for it in held],
        "time": at,
    }


def oid(order: Order) -> int:
    """The venue numbers orders; the market's own ids are something else."""
    return OID_BASE + order.sequence


def side_word(side: OrderSide) -> str:
    return "B" if side is OrderSide.BUY else "A"


def status_word(order: Order) -> str:
    match order.state:
        case State.FILLED:
            return "filled"
        case State.OPEN if order.conditional:
            return "triggered"
        case State.OPEN | State.UNTRIGGERED:
            return "open"
        case State.EXPIRED if not order.filled:
            return "iocCancelRejected"
        case _:
            return ENDS.get(order.cancel_reason, "canceled")


def basic_order(order: Order) -> Row:
    """The row of `openOrders`, and of the stream's `orderUpdates`."""
    whole = order.attached and order.spec.close_position
    row: Row = {
        "coin": order.listing.id,
        "side": side_word(order.spec.side),
        "limitPx": number(_limit(order)),
        "sz": number(ZERO if whole else order.remaining),
        "oid": oid(order),
        "timestamp": ms(order.created_at),
        "origSz": number(ZERO if whole else order.quantity),
    }
    if order.spec.reduce_only:
        row["reduceOnly"] = True
    if _cloid(order):
        row["cloid"] = _cloid(order)
    return row


def _cloid(order: Order) -> str | None:
    """A client's own id; the market gives others to what it does itself."""
    return order.spec.client_id if order.spec.client_id.startswith("0x") else None


def order_row(order: Order, children: list[Order] | None = None) -> Row:
    """The row of `frontendOpenOrders`, `historicalOrders` and `orderStatus`."""
    spec = order.spec
    trigger = spec.trigger_price
    return {
        **basic_order(order),
        "triggerCondition": _condition(order),
        "isTrigger": order.conditional,
        "triggerPx": number(trigger) if trigger is not None else "0.0",
        "children": [order_row(it) for it in children or ()],
        "isPositionTpsl": order.attached,
        "reduceOnly": spec.reduce_only,
        "orderType": _type(order),
        "tif": None if order.conditional else spec.words.get("tif", TIFS[spec.time_in_force]),
        "cloid": _cloid(order),
    }


def _limit(order: Order) -> Decimal | None:
    if order.spec.price is not None:
        return order.spec.price
    written = order.spec.words.get("p")
    return Decimal(written) if written else order.spec.trigger_price or order.average


def _type(order: Order) -> str:
    if not order.conditional:
        return "Market" if order.spec.price is None else "Limit"
    meant = "Take Profit" if order.spec.take_profit else "Stop"
    return f"{meant} {'Market' if order.spec.price is None else 'Limit'}"


def _condition(order: Order) -> str:
    if order.spec.trigger_price is None:
        return "N/A"
    if order.state is not State.UNTRIGGERED and (order.filled or order.state is State.OPEN):
        return "Triggered"
    way = "above" if order.spec.trigger_rising else "below"
    return f"Price {way} {text(order.spec.trigger_price)}"


def status_row(order: Order, children: list[Order] | None = None) -> Row:
    return {
        "order": order_row(order, children),
        "status": status_word(order),
        "statusTimestamp": ms(order.updated_at),
    }


_WORDS = {
    FillKind.ADL: "Auto-Deleveraging",
    FillKind.SETTLEMENT: "Settlement",
    FillKind.DELIVERY: "Settlement",
}


def fill_rows(account: Account, listing_id: str, market: Market) -> list[tuple[Execution, Row]]:
    """A contract's fills, oldest first, each with the position that it found."""
    held, rows = ZERO, []
    for execution in account.executions.get(listing_id, ()):
        rows.append((execution, fill_row(execution, held, account, market)))
        held += execution.quantity if execution.side is OrderSide.BUY else -execution.quantity
    return rows


def fill_row(execution: Execution, start: Decimal, account: Account, market: Market) -> Row:
    order = account.orders[execution.order_id]
    row: Row = {
        "coin": execution.listing.id,
        "px": number(execution.price),
        "sz": number(execution.quantity),
        "side": side_word(execution.side),
        "time": ms(execution.at),
        "startPosition": number(start),
        "dir": _WORDS.get(execution.kind) or _direction(execution, start),
        "closedPnl": number(execution.pnl),
        "hash": f"0x{execution.sequence:064x}",
        "oid": oid(order),
        "crossed": not execution.maker,
        "fee": number(execution.fee),
        "tid": TID_BASE + execution.sequence,
        "feeToken": USDC,
        "twapId": None,
    }
    if (cloid := _cloid(order)) is not None:
        row["cloid"] = cloid
    if execution.kind is FillKind.LIQUIDATION:
        row["liquidation"] = {
            "liquidatedUser": account.key.lower(),
            "markPx": number(market.prices.mark(execution.listing)),
            "method": "market",
        }
    return row


def _direction(execution: Execution, start: Decimal) -> str:
    signed = execution.quantity if execution.side is OrderSide.BUY else -execution.quantity
    after = start + signed
    if start * after < 0:
        return "Long > Short" if start > 0 else "Short > Long"
    if execution.closed:
        return "Close Long" if signed < 0 else "Close Short"
    return "Open Long" if signed > 0 else "Open Short"
