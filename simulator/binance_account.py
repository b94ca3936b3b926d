"""Binance USD-M's reads of an account: positions, balances, trades, rights, the listen key.

Left to others: orders (`binance_orders.py`), the stream that a listen key opens (`streams.py`).
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from simulator.binance_rows import flat_row, position_row, trade_row
from simulator.binance_words import error
from simulator.checks import available
from simulator.instruments import Exchange
from simulator.market import Market
from simulator.state import Account, Slot
from simulator.wire import Call, Reply, Route, Row, ms, text

WEEK = timedelta(days=7)


class BinanceAccount:
    """The handlers of the account's own endpoints."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        listen = Route("listen_key", self._listen_key)
        return {
            ("GET", "/fapi/v1/leverageBracket"): Route("brackets", self._brackets),
            ("GET", "/fapi/v3/positionRisk"): Route("positions", self._positions, weight=5),
            ("GET", "/fapi/v2/positionRisk"): Route("positions", self._positions_v2, weight=5),
            ("GET", "/fapi/v1/positionSide/dual"): Route("mode", self._mode),
            ("GET", "/fapi/v3/account"): Route("balance", self._account, weight=5),
            ("GET", "/fapi/v2/account"): Route("balance", self._account, weight=5),
            ("GET", "/fapi/v3/balance"): Route("balance", self._balance, weight=5),
            ("GET", "/fapi/v1/accountConfig"): Route("account", self._config),
            ("GET", "/fapi/v1/userTrades"): Route("fills", self._trades, weight=5),
            ("GET", "/sapi/v1/capital/config/getall"): Route("currencies", self._currencies),
            # ccxt's fetch_currencies asks for margin pairs too; a futures account has none.
            ("GET", "/sapi/v1/margin/allPairs"): Route("currencies", lambda _: Reply([], rows=())),
            ("GET", "/sapi/v1/account/apiRestrictions"): Route("rights", self._rights),
            ("POST", "/fapi/v1/listenKey"): listen,
            ("PUT", "/fapi/v1/listenKey"): listen,
            ("DELETE", "/fapi/v1/listenKey"): listen,
        }

    def _brackets(self, call: Call) -> Reply:
        wanted = call.params.get("symbol")
        rows: list[Row] = [
            {
                "symbol": it.id,
                "notionalCoef": 1,
                "brackets": [
                    {
                        "bracket": 1,
                        "initialLeverage": 100,
                        "notionalCap": 500_000_000,
                        "notionalFloor": 0,
                        "maintMarginRatio": 0.005,
                        "cum": 0.0,
                    }
                ],
            }
            for it in self._market.listings(Exchange.BINANCE)
            if wanted in (None, "", it.id)
        ]
        return Reply(rows, rows=())

    def _positions(self, call: Call) -> Reply:
        """Version 3: only symbols that have a position."""
        owner = call.owner
        held = owner.positions.values() if call.as_of is None else owner.positions_at(call.as_of)
        wanted = call.params.get("symbol")
        shown = [it for it in held if it.size and wanted in (None, "", it.listing.id)]
        shown.sort(key=lambda it: (it.listing.id, it.slot))
        return Reply([position_row(it, self._market.prices) for it in shown], rows=())

    def _positions_v2(self, call: Call) -> Reply:
        """Version 2: every symbol, with rows at zero."""
        owner, prices = call.owner, self._market.prices
        wanted = call.params.get("symbol")
        slots = (Slot.BOTH, Slot.LONG, Slot.SHORT) if owner.hedged else (Slot.BOTH,)
        held = owner.positions.values() if call.as_of is None else owner.positions_at(call.as_of)
        by_key = {(it.listing.id, it.slot): it for it in held}
        rows = []
        for listing in self._market.listings(Exchange.BINANCE):
            if wanted not in (None, "", listing.id):
                continue
            for slot in slots:
                found = by_key.get((listing.id, slot))
                row = (
                    flat_row(listing, slot, prices)
                    if found is None
                    else position_row(found, prices)
                )
                rows.append({**row, "leverage": text(owner.leverage), "marginType": "cross"})
        return Reply(rows, rows=())

    def _mode(self, call: Call) -> Reply:
        return Reply({"dualSidePosition": call.owner.hedged})

    def _assets(self, owner: Account) -> list[Row]:
        return [
            {
                "asset": coin,
                "walletBalance": text(balance),
                "balance": text(balance),
                "crossWalletBalance": text(balance),
                "unrealizedProfit": "0",
                "marginBalance": text(balance),
                "maintMargin": "0",
                "initialMargin": "0",
                "positionInitialMargin": "0",
                "openOrderInitialMargin": "0",
                "crossUnPnl": "0",
                "availableBalance": text(available(owner, coin, self._market.prices)),
                "maxWithdrawAmount": text(balance),
                "updateTime": ms(self._market.started_at),
            }
            for coin, balance in owner.wallet.items()
        ]

    def _account(self, call: Call) -> Reply:
        owner, prices = call.owner, self._market.prices
        positions = [position_row(it, prices) for it in owner.positions.values() if it.size]
        free = text(available(owner, "USDT", prices))
        body: Row = {
            "totalWalletBalance": text(owner.wallet["USDT"]),
            "availableBalance": free,
            "assets": self._assets(owner),
            "positions": positions,
            "canTrade": owner.can_trade,
            "canWithdraw": owner.can_withdraw,
        }
        return Reply(body, rows=("positions",))

    def _balance(self, call: Call) -> Reply:
        return Reply(self._assets(call.owner), rows=())

    def _config(self, call: Call) -> Reply:
        owner = call.owner
        body: Row = {"feeTier": 0, "canTrade": owner.can_trade, "canDeposit": True}
        return Reply({**body, "canWithdraw": owner.can_withdraw, "dualSidePosition": owner.hedged})

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

    def _currencies(self, call: Call) -> Reply:
        rows: list[Row] = [
            {"coin": coin, "name": coin, "networkList": [], "free": text(balance)}
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
                "enableFutures": owner.can_trade,
                "enableSpotAndMarginTrading": False,
            }
        )

    def _listen_key(self, call: Call) -> Reply:
        return Reply({"listenKey": listen_key(call.owner)})


def listen_key(account: Account) -> str:
    """The key of an account's stream. It says nothing of the API key that it is made from."""
    return hashlib.sha256(f"listen {account.name}".encode()).hexdigest()
