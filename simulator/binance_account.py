"""Binance USD-M's reads of an account: positions, balances, trades, income, rights.

Left to others: orders (`binance_orders.py`), what can be set (`binance_settings.py`), the stream
(`binance_stream.py`).
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from decimal import Decimal

from messages.values import ZERO
from simulator.binance_rows import (
    ACCOUNT_V2_FIELDS,
    POSITION_V2_FIELDS,
    POSITION_V3_FIELDS,
    account_position_row,
    flat_position,
    isolated_wallet,
    position_row,
    trade_row,
)
from simulator.binance_words import error
from simulator.checks import available
from simulator.clearing import MAINTENANCE
from simulator.instruments import Exchange
from simulator.market import Market
from simulator.state import Account, Execution, Position, PositionKey, Slot
from simulator.wire import Call, Reply, Route, Row, ms, text

WEEK = timedelta(days=7)
QUARTER = timedelta(days=92)


class BinanceAccount:
    """The handlers of the account's own endpoints."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        no_pairs = Route("currencies", lambda _: Reply([], rows=()))
        return {
            ("GET", "/fapi/v3/positionRisk"): Route("positions", self._positions),
            ("GET", "/fapi/v2/positionRisk"): Route("positions", self._positions_v2),
            ("GET", "/fapi/v3/account"): Route("balance", self._account_v3),
            ("GET", "/fapi/v2/account"): Route("balance", self._account_v2),
            ("GET", "/fapi/v3/balance"): Route("balance", self._balance),
            ("GET", "/fapi/v2/balance"): Route("balance", self._balance),
            ("GET", "/fapi/v1/userTrades"): Route("fills", self._trades),
            ("GET", "/fapi/v1/income"): Route("income", self._income),
            ("GET", "/fapi/v1/adlQuantile"): Route("adl", self._adl),
            ("GET", "/sapi/v1/capital/config/getall"): Route("currencies", self._currencies),
            # ccxt's start-up asks for margin pairs too; a futures account has none.
            ("GET", "/sapi/v1/margin/allPairs"): no_pairs,
            ("GET", "/sapi/v1/margin/isolated/allPairs"): no_pairs,
            ("GET", "/sapi/v1/account/apiRestrictions"): Route("rights", self._rights),
        }

    def _positions(self, call: Call) -> Reply:
        """Version 3: only symbols that have a position, or an order that rests."""
        owner = call.owner
        held = owner.positions.values() if call.as_of is None else owner.positions_at(call.as_of)
        wanted = call.params.get("symbol")
        shown: dict[PositionKey, Position] = {
            (it.listing.id, it.slot): it for it in self._beside_orders(owner)
        }
        shown |= {(it.listing.id, it.slot): it for it in held if it.size}
        rows = [
            _only(position_row(it, owner, self._market.prices), POSITION_V3_FIELDS)
            for _, it in sorted(shown.items(), key=lambda item: item[0])
            if wanted in (None, "", it.listing.id)
        ]
        return Reply(rows, rows=())

    def _beside_orders(self, owner: Account) -> list[Position]:
        """Flat slots of the symbols in which a plain order of the account rests."""
        return [
            flat_position(owner, order.listing, slot)
            for live in owner.live.values()
            for order in live.values()
            if not order.conditional
            for slot in _slots(owner)
        ]

    def _positions_v2(self, call: Call) -> Reply:
        """Version 2: a row even of flat symbols, in hedge mode for either side."""
        owner = call.owner
        wanted, held = call.params.get("symbol"), owner.positions
        if call.as_of is not None:
            held = {(it.listing.id, it.slot): it for it in owner.positions_at(call.as_of)}
        rows: list[Row] = []
        for listing in self._market.listings(Exchange.BINANCE):
            if wanted not in (None, "", listing.id):
                continue
            both = held.get((listing.id, Slot.BOTH)) or flat_position(owner, listing, Slot.BOTH)
            sides = (
                [
                    held.get((listing.id, it)) or flat_position(owner, listing, it)
                    for it in (Slot.LONG, Slot.SHORT)
                ]
                if owner.hedged
                else []
            )
            rows += [
                _only(position_row(it, owner, self._market.prices), POSITION_V2_FIELDS)
                for it in (both, *sides)
            ]
        return Reply(rows, rows=())

    def _assets(self, owner: Account) -> list[Row]:
        return [self._asset(owner, coin, balance) for coin, balance in owner.wallet.items()]

    def _asset(self, owner: Account, coin: str, balance: Decimal) -> Row:
        prices = self._market.prices
        held = [it for it in _held(owner) if it.listing.instrument.settle == coin]
        profit = sum((it.unrealized(prices.mark(it.listing)) for it in held), ZERO)
        values = [(it, it.listing.value(abs(it.size), prices.mark(it.listing))) for it in held]
        margin = sum((value / it.leverage for it, value in values), ZERO)
        alone = [it for it in held if it.listing.id in owner.isolated]
        apart = sum((isolated_wallet(it) for it in alone), ZERO)
        apart_profit = sum((it.unrealized(prices.mark(it.listing)) for it in alone), ZERO)
        free = text(available(owner, coin, prices))
        return {
            "asset": coin,
            "walletBalance": text(balance),
            "unrealizedProfit": text(profit),
            "marginBalance": text(balance + profit),
            "maintMargin": text(sum((value for _, value in values), ZERO) * MAINTENANCE),
            "initialMargin": text(margin),
            "positionInitialMargin": text(margin),
            "openOrderInitialMargin": "0",
            "crossWalletBalance": text(balance - apart),
            "crossUnPnl": text(profit - apart_profit),
            "availableBalance": free,
            "maxWithdrawAmount": free,
            "marginAvailable": True,
            "updateTime": ms(self._market.started_at),
        }

    def _account_v3(self, call: Call) -> Reply:
        """Only what is held; totals are of USDT, as in single-asset mode."""
        owner = call.owner
        rows = [account_position_row(it, owner, self._market.prices) for it in _held(owner)]
        kept = [_only(row, ACCOUNT_V2_FIELDS, without=True) for row in rows]
        return self._account(call, kept)

    def _account_v2(self, call: Call) -> Reply:
        """Every symbol, held or not, in hedge mode for either side."""
        owner = call.owner
        slots = (Slot.BOTH, Slot.LONG, Slot.SHORT) if owner.hedged else (Slot.BOTH,)
        rows = [
            account_position_row(
                owner.position(listing.id, slot) or flat_position(owner, listing, slot),
                owner,
                self._market.prices,
            )
            for listing in self._market.listings(Exchange.BINANCE)
            for slot in slots
        ]
        reply = self._account(call, rows)
        if isinstance(reply.body, dict):
            reply.body |= {
                "feeTier": 0,
                "feeBurn": False,
                "canTrade": owner.can_trade,
                "canDeposit": True,
                "canWithdraw": owner.can_withdraw,
                "multiAssetsMargin": False,
                "tradeGroupId": -1,
                "updateTime": 0,
            }
        return reply

    def _account(self, call: Call, positions: list[Row]) -> Reply:
        owner = call.owner
        assets = self._assets(owner)
        of = next((it for it in assets if it["asset"] == "USDT"), None)
        of = of or self._asset(owner, "USDT", ZERO)
        body: Row = {
            "totalInitialMargin": of["initialMargin"],
            "totalMaintMargin": of["maintMargin"],
            "totalWalletBalance": of["walletBalance"],
            "totalUnrealizedProfit": of["unrealizedProfit"],
            "totalMarginBalance": of["marginBalance"],
            "totalPositionInitialMargin": of["positionInitialMargin"],
            "totalOpenOrderInitialMargin": of["openOrderInitialMargin"],
            "totalCrossWalletBalance": of["crossWalletBalance"],
            "totalCrossUnPnl": of["crossUnPnl"],
            "availableBalance": of["availableBalance"],
            "maxWithdrawAmount": of["maxWithdrawAmount"],
            "assets": assets,
            "positions": positions,
        }
        return Reply(body, rows=("positions",))

    def _balance(self, call: Call) -> Reply:
        kept = (
            "asset",
            "crossWalletBalance",
            "crossUnPnl",
            "availableBalance",
            "maxWithdrawAmount",
            "marginAvailable",
            "updateTime",
        )
        alias = account_alias(call.owner)
        rows = [
            {"accountAlias": alias, "balance": row["walletBalance"], **_only(row, kept)}
            for row in self._assets(call.owner)
        ]
        return Reply(rows, rows=())

    def _trades(self, call: Call) -> Reply:
        """Oldest first. Without a start, the last week; a window is never longer than one."""
        owner, symbol = call.owner, call.params.get("symbol", "")
        if self._market.find_listing(Exchange.BINANCE, symbol) is None:
            return error("-1121", "Invalid symbol.")
        limit = min(max(1, call.integer("limit", 500)), 1000)
        found = call.told(owner.executions.get(symbol, []), lambda it: it.at)
        if call.params.get("orderId"):
            found = [it for it in found if it.order_id == call.params["orderId"]]
        if call.params.get("fromId"):
            first = call.integer("fromId", 0)
            found = sorted((it for it in found if int(it.id) >= first), key=lambda it: int(it.id))
            return Reply([trade_row(it) for it in found[:limit]], rows=())
        since, until = call.instant("startTime"), call.instant("endTime")
        newest_first = since is None
        if since is None:
            since = (until or call.at) - WEEK
        until = until or min(since + WEEK, call.at)
        if until - since > WEEK:
            return error("-4166", "Search window is restricted to recent 7 days only.")
        found = [it for it in found if since <= it.at <= until]
        page = found[-limit:] if newest_first else found[:limit]
        return Reply([trade_row(it) for it in page], rows=())

    def _income(self, call: Call) -> Reply:
        """What trades earned and cost, oldest first; without a window, the last week's."""
        kind, symbol = call.params.get("incomeType"), call.params.get("symbol")
        limit = min(max(1, call.integer("limit", 100)), 1000)
        since, until = call.instant("startTime"), call.instant("endTime")
        newest = since is None
        if since is None:
            since = (until or call.at) - WEEK
        until, since = until or call.at, max(since, call.at - QUARTER)
        executions = sorted(
            (
                it
                for of, history in call.owner.executions.items()
                for it in history
                if symbol in (None, "", of) and since <= it.at <= until
            ),
            key=lambda it: (it.at, it.sequence),
        )
        rows = [
            row
            for it in executions
            for row in _incomes(it)
            if kind in (None, "", row["incomeType"])
        ]
        return Reply(rows[-limit:] if newest else rows[:limit], rows=())

    def _adl(self, call: Call) -> Reply:
        """How near each symbol is to be deleveraged; hedged sides are told together too."""
        owner, wanted = call.owner, call.params.get("symbol")
        symbols = {it.listing.id for it in _held(owner)}
        told: dict[str, object] = (
            {"LONG": 2, "SHORT": 2, "HEDGE": 0} if owner.hedged else {"BOTH": 2}
        )
        rows: list[Row] = [
            {"symbol": it, "adlQuantile": told}
            for it in sorted(symbols)
            if wanted in (None, "", it)
        ]
        return Reply(rows, rows=())

    def _currencies(self, call: Call) -> Reply:
        rows: list[Row] = [
            {
                "coin": coin,
                "name": coin,
                "depositAllEnable": True,
                "withdrawAllEnable": call.owner.can_withdraw,
                "free": text(balance),
                "locked": "0",
                "freeze": "0",
                "withdrawing": "0",
                "ipoing": "0",
                "ipoable": "0",
                "storage": "0",
                "isLegalMoney": False,
                "trading": True,
                "networkList": [],
            }
            for coin, balance in call.owner.wallet.items()
        ]
        return Reply(rows, rows=())

    def _rights(self, call: Call) -> Reply:
        owner = call.owner
        return Reply(
            {
                "ipRestrict": False,
                "createTime": ms(self._market.started_at),
                "enableReading": True,
                "enableWithdrawals": owner.can_withdraw,
                "enableInternalTransfer": False,
                "enableMargin": False,
                "enableFutures": owner.can_trade,
                "permitsUniversalTransfer": False,
                "enableVanillaOptions": False,
                "enableFixApiTrade": False,
                "enableFixReadOnly": False,
                "enableSpotAndMarginTrading": False,
                "enablePortfolioMarginTrading": False,
            }
        )


def account_alias(owner: Account) -> str:
    """The short code that Binance knows a futures account by; the same one for ever."""
    return hashlib.sha256(f"alias {owner.name}".encode()).hexdigest()[:8]


def _held(owner: Account) -> list[Position]:
    return [it for it in owner.positions.values() if it.size]


def _slots(owner: Account) -> tuple[Slot, ...]:
    return (Slot.LONG, Slot.SHORT) if owner.hedged else (Slot.BOTH,)


def _only(row: Row, names: tuple[str, ...], *, without: bool = False) -> Row:
    return {name: value for name, value in row.items() if (name in names) is not without}


def _incomes(execution: Execution) -> list[Row]:
    row: Row = {
        "symbol": execution.listing.id,
        "asset": execution.listing.instrument.settle,
        "info": execution.id,
        "time": ms(execution.at),
        "tranId": int(execution.id),
        "tradeId": execution.id,
    }
    fee: Row = {**row, "incomeType": "COMMISSION", "income": text(-execution.fee)}
    if not execution.pnl:
        return [fee]
    return [fee, {**row, "incomeType": "REALIZED_PNL", "income": text(execution.pnl)}]
