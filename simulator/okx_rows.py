"""Rows of OKX v5: instruments, prices, balances, positions and their ends, field by field.

Sizes are in contracts, as OKX writes them. Left to others: orders and fills (`okx_order_rows.py`).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from messages.values import ZERO, Side
from messages.venue import FillKind
from simulator.checks import available
from simulator.clearing import MAINTENANCE
from simulator.instruments import Listing
from simulator.prices import Prices
from simulator.records import ClosedTrade
from simulator.state import Account, Position, Slot
from simulator.wire import Row, ms, text

FIRST_POSITION = 2_657_000_000_000_000_000
"""`posId` of an account's first slot."""
SIDES = {Slot.BOTH: "net", Slot.LONG: "long", Slot.SHORT: "short"}
MOST_LEVERAGE = Decimal(100)
FUNDING_RATE = "0.0001"
FUNDING_MS = 8 * 3_600_000
ENDS = {FillKind.LIQUIDATION: ("4", "3"), FillKind.ADL: ("5", "6")}
"""`type` of an end that was not the owner's, in part and whole."""


def instrument_type(listing: Listing) -> str:
    return "FUTURES" if listing.instrument.expires_at else "SWAP"


def family(listing: Listing) -> str:
    """`uly` and `instFamily`."""
    return "-".join(listing.id.split("-")[:2])


def instrument_row(listing: Listing, at: datetime) -> Row:
    """One of the instruments. A contract that is halted stays in the list, as suspended."""
    it = listing.instrument
    most = text(it.max_market_amount)
    return {
        "alias": "quarter" if it.expires_at else "",
        "auctionEndTime": "",
        "baseCcy": "",
        "category": "1",
        "contTdSwTime": "",
        "ctMult": "1",
        "ctType": "inverse" if listing.inverse else "linear",
        "ctVal": text(it.contract_size),
        "ctValCcy": "USD" if listing.inverse else it.base,
        "expTime": str(ms(it.expires_at)) if it.expires_at else "",
        "futureSettlement": False,
        "groupId": "1",
        "instFamily": family(listing),
        "instId": listing.id,
        "instIdCode": zlib.crc32(listing.id.encode()),
        "instType": instrument_type(listing),
        "lever": text(MOST_LEVERAGE),
        "listTime": str(ms(at) - 90 * 86_400_000),
        "lotSz": text(it.amount_step),
        "maxIcebergSz": "100000000",
        "maxLmtAmt": "20000000",
        "maxLmtSz": "100000000",
        "maxMktAmt": "",
        "maxMktSz": most,
        "maxStopSz": most,
        "maxTriggerSz": "100000000",
        "maxTwapSz": "100000000",
        "minSz": text(it.min_amount),
        "openType": "",
        "optType": "",
        "posLmtAmt": "2500000",
        "posLmtPct": "30",
        "preMktSwTime": "",
        "quoteCcy": "",
        "ruleType": "normal",
        "settleCcy": it.settle,
        "state": "live" if it.active else "suspend",
        "stk": "",
        "tickSz": text(it.price_step),
        "tradeQuoteCcyList": [],
        "uly": family(listing),
    }


def ticker_row(listing: Listing, prices: Prices, at: datetime) -> Row:
    last = text(prices.last(listing))
    return {
        "instType": instrument_type(listing),
        "instId": listing.id,
        "last": last,
        "lastSz": text(listing.instrument.min_amount),
        "askPx": text(prices.ask(listing)),
        "askSz": "500",
        "bidPx": text(prices.bid(listing)),
        "bidSz": "500",
        "open24h": last,
        "high24h": last,
        "low24h": last,
        "volCcy24h": "10000",
        "vol24h": "1000000",
        "ts": str(ms(at)),
        "sodUtc0": last,
        "sodUtc8": last,
    }


def funding_row(listing: Listing, at: datetime) -> Row:
    due = (ms(at) // FUNDING_MS + 1) * FUNDING_MS
    return {
        "formulaType": "noRate",
        "fundingRate": FUNDING_RATE,
        "fundingTime": str(due),
        "impactValue": "",
        "instId": listing.id,
        "instType": "SWAP",
        "interestRate": FUNDING_RATE,
        "maxFundingRate": "0.00375",
        "method": "current_period",
        "minFundingRate": "-0.00375",
        "nextFundingRate": "",
        "nextFundingTime": str(due + FUNDING_MS),
        "premium": "0",
        "prevFundingTime": str(due - FUNDING_MS),
        "settFundingRate": FUNDING_RATE,
        "settState": "settled",
        "ts": str(ms(at)),
    }


def balance_row(account: Account, prices: Prices, at: datetime, coins: Iterable[str] = ()) -> Row:
    """The account's balance; `coins` none: all. A coin counts as a dollar, BTC its price.

    In Futures mode, which the simulated accounts have, the figures over all coins are empty.
    """
    wanted = tuple(coins) or tuple(account.wallet)
    details = [_coin(account, prices, coin, at) for coin in wanted if coin in account.wallet]
    total = sum((Decimal(str(row["eqUsd"])) for row in details), ZERO)
    names = (
        "adjEq availEq borrowFroz imr mgnRatio mmr notionalUsd notionalUsdForBorrow "
        "notionalUsdForFutures notionalUsdForOption notionalUsdForSwap ordFroz upl delta "
        "deltaLever deltaNeutralStatus"
    )
    return {
        **dict.fromkeys(names.split(), ""),
        "details": details,
        "isoEq": "0",
        "totalEq": text(total),
        "uTime": str(ms(at)),
    }


def _coin(account: Account, prices: Prices, coin: str, at: datetime) -> Row:
    cash = account.wallet[coin]
    held = [
        it for it in account.positions.values() if it.listing.instrument.settle == coin and it.size
    ]
    upl = sum((it.unrealized(prices.mark(it.listing)) for it in held), ZERO)
    free = max(ZERO, available(account, coin, prices))
    equity = cash + upl
    rate = Decimal(1)
    if coin == "BTC":
        at_dollar = [it for it in held if it.listing.instrument.base == coin]
        rate = prices.last(at_dollar[0].listing) if at_dollar else Decimal(64250)
    empty = (
        "borrowFroz crossLiab imr interest isoLiab liab maxLoan mgnRatio mmr notionalLever "
        "spotInUseAmt clSpotInUseAmt maxSpotInUse maxSpotInUseAmt twap uplLiab spotBal openAvgPx "
        "accAvgPx spotUpl spotUplRatio totalPnl totalPnlRatio"
    )
    zero = (
        "smtSyncEq spotCopyTradingEq fixedBal isoEq isoUpl ordFrozen rewardBal spotIsoBal stgyEq "
        "colBorrAutoConversion colRes frpType autoLendAmt autoLendMtAmt"
    )
    return {
        **dict.fromkeys(empty.split(), ""),
        **dict.fromkeys(zero.split(), "0"),
        "autoLendStatus": "unsupported",
        "autoStakingStatus": "unsupported",
        "availBal": text(min(free, cash)),
        "availEq": text(free),
        "cashBal": text(cash),
        "ccy": coin,
        "collateralEnabled": False,
        "collateralRestrict": False,
        "disEq": text(equity * rate),
        "eq": text(equity),
        "eqUsd": text(equity * rate),
        "frozenBal": text(equity - free),
        "uTime": str(ms(at)),
        "upl": text(upl),
    }


def position_id(account: Account, listing: Listing, slot: Slot) -> str:
    """The same for one slot of one contract, whenever it is asked for."""
    slots = sorted(account.positions, key=lambda key: account.positions[key].first_at)
    key = (listing.id, slot)
    return str(FIRST_POSITION + account.uid * 1000 + (slots.index(key) if key in slots else 999))


def margin_mode(account: Account, listing: Listing) -> str:
    return "isolated" if listing.id in account.isolated else "cross"


def position_row(position: Position, prices: Prices, account: Account, at: datetime) -> Row:
    """A slot, held or flat. Its size is signed in net mode, and never in long/short mode."""
    listing, held = position.listing, abs(position.size)
    mark, last = prices.mark(listing), prices.last(listing)
    isolated = margin_mode(account, listing) == "isolated"
    upl = position.unrealized(mark)
    margin = (listing.value(held, mark) / position.leverage) + position.added_margin
    entry = listing.value(held, position.entry) / position.leverage if held else ZERO
    signed = position.size if position.slot is Slot.BOTH else held
    available_ = held - _reserved(account, position) if position.slot is not Slot.BOTH else None
    value = held * listing.instrument.contract_size * (1 if listing.inverse else mark)
    liquidation = position.liquidation_price
    empty = (
        "baseBal baseBorrowed baseInterest bizRefId bizRefType clSpotInUseAmt deltaBS deltaPA "
        "gammaBS gammaPA hedgedPos interest liab liabCcy maxSpotInUseAmt nonSettleAvgPx optVal "
        "pendingCloseOrdLiabVal posCcy quoteBal quoteBorrowed quoteInterest settledPnl "
        "spotInUseAmt spotInUseCcy thetaBS thetaPA vegaBS vegaPA"
    )
    return {
        **dict.fromkeys(empty.split(), ""),
        "adl": "1",
        "availPos": text(available_),
        "avgPx": text(position.entry) if held else "",
        "bePx": text(position.entry) if held else "",
        "cTime": str(ms(position.opened_at)),
        "ccy": listing.instrument.settle,
        "closeOrderAlgo": list(close_algos(account, position)),
        "fee": text(-position.open_fee),
        "fundingFee": "0",
        "idxPx": text(last),
        "imr": "" if isolated or not held else text(margin),
        "instId": listing.id,
        "instType": instrument_type(listing),
        "last": text(last),
        "lever": text(position.leverage),
        "liqPenalty": "0",
        "liqPx": text(liquidation) if held else "",
        "margin": text(margin) if isolated and held else "",
        "markPx": text(mark),
        "mgnMode": margin_mode(account, listing),
        "mgnRatio": "100" if held else "",
        "mmr": text(listing.value(held, mark) * MAINTENANCE) if held else "",
        "notionalUsd": text(value),
        "pTime": str(ms(at)),
        "pnl": text(position.realized),
        "pos": text(signed),
        "posId": position_id(account, listing, position.slot),
        "posSide": SIDES[position.slot],
        "realizedPnl": text(position.realized - position.open_fee),
        "tradeId": str(ms(position.updated_at) % 1_000_000_000),
        "uTime": str(ms(position.updated_at)),
        "upl": text(upl),
        "uplLastPx": text(position.unrealized(last)),
        "uplRatio": text(upl / entry) if entry else "",
        "uplRatioLastPx": text(position.unrealized(last) / entry) if entry else "",
        "usdPx": text(last) if listing.inverse else "",
    }


def _reserved(account: Account, position: Position) -> Decimal:
    return sum(
        (
            order.remaining
            for order in account.live_orders(position.listing.id)
            if order.reduces and not order.conditional and order.spec.slot is position.slot
        ),
        ZERO,
    )


def close_algos(account: Account, position: Position) -> Iterator[Row]:
    """What closes the whole position, which OKX repeats in the position's row."""
    if not position.size:
        return
    for order in account.live_orders(position.listing.id):
        spec = order.spec
        fits = spec.slot is position.slot and order.reduces
        if not (order.conditional and spec.close_position and fits):
            continue
        price, by = text(spec.trigger_price), "mark" if spec.by_mark else "last"
        empty = {"slTriggerPx": "", "slTriggerPxType": "", "tpTriggerPx": "", "tpTriggerPxType": ""}
        which = "tp" if spec.take_profit else "sl"
        told = {f"{which}TriggerPx": price, f"{which}TriggerPxType": by}
        yield {"algoId": order.id, **empty, **told, "closeFraction": "1"}


@dataclass(slots=True)
class Life:
    """One slot from when it was opened until it was flat, and what closed it."""

    listing: Listing
    slot: Slot
    side: Side
    leverage: Decimal
    opened_at: datetime
    most: Decimal
    open: bool = True
    ends: list[ClosedTrade] = field(default_factory=list)

    @property
    def changed_at(self) -> datetime:
        return max(it.updated_at for it in self.ends)


def lives(account: Account, until: datetime | None = None) -> list[Life]:
    """All positions of which something was closed, the last changed first."""
    found: list[Life] = []
    current: dict[tuple[str, Slot], Life] = {}
    for at, seen in account.journal:
        key = (seen.listing.id, seen.slot)
        life = current.get(key)
        if life is not None and (not seen.size or seen.side is not life.side):
            life.open = False
            del current[key]
            life = None
        if seen.side is None:
            continue
        if life is None:
            opened = min(at, seen.opened_at)
            life = Life(seen.listing, seen.slot, seen.side, seen.leverage, opened, abs(seen.size))
            current[key] = life
            found.append(life)
        life.most = max(life.most, abs(seen.size))
    for record in account.closed:
        if until is not None and record.updated_at > until:
            continue
        slot = account.orders[record.order_id].spec.slot
        fitting = [
            it
            for it in found
            if (it.listing.id, it.slot) == (record.listing.id, slot)
            and it.side.closing is record.side
            and it.opened_at <= record.created_at
        ]
        if fitting:
            max(fitting, key=lambda it: it.opened_at).ends.append(record)
    return sorted((it for it in found if it.ends), key=lambda it: it.changed_at, reverse=True)


def closed_row(account: Account, life: Life) -> Row:
    """A position of the history. `type` says how it last ended: in part, whole, by force."""
    size = sum((it.quantity for it in life.ends), ZERO)
    cost = sum((it.exit_cost for it in life.ends), ZERO)
    fee = sum((it.open_fee + it.close_fee for it in life.ends), ZERO)
    realized = sum((it.pnl for it in life.ends), ZERO)
    last = life.ends[-1]
    in_part, whole = ENDS.get(last.kind, ("1", "2"))
    entry = sum((it.entry * it.quantity for it in life.ends), ZERO) / size
    margin = life.listing.value(size, entry) / life.leverage
    return {
        "cTime": str(ms(life.opened_at)),
        "ccy": life.listing.instrument.settle,
        "closeAvgPx": text(cost / size),
        "closeTotalPos": text(size),
        "direction": life.side.value,
        "fee": text(-fee),
        "fundingFee": "0",
        "instId": life.listing.id,
        "instType": instrument_type(life.listing),
        "lever": text(life.leverage),
        "liqPenalty": "0",
        "mgnMode": margin_mode(account, life.listing),
        "nonSettleAvgPx": "",
        "openAvgPx": text(entry),
        "openMaxPos": text(life.most),
        "pnl": text(realized + fee),
        "pnlRatio": text(realized / margin),
        "posId": position_id(account, life.listing, life.slot),
        "posSide": SIDES[life.slot],
        "realizedPnl": text(realized),
        "settledPnl": "",
        "triggerPx": text(last.exit) if last.kind in ENDS else "",
        "type": in_part if life.open else whole,
        "uTime": str(ms(life.changed_at)),
        "uly": family(life.listing),
    }
