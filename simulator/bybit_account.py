"""Bybit v5's reads and settings of an account: who it is, its wallet, fees, log and margin mode.

Left to others: positions (`bybit_positions.py`), orders (`bybit_orders.py`).
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from messages.values import ZERO, OrderSide
from simulator.bybit_order_rows import LOG_TYPES, log_row
from simulator.bybit_rows import category, wallet_row
from simulator.bybit_words import ok, page
from simulator.instruments import Exchange
from simulator.market import Market
from simulator.state import Account, Execution
from simulator.wire import Call, Refusal, Reply, Route, Row, ms, text

DAY = timedelta(days=1)
MARGIN_MODES = ("ISOLATED_MARGIN", "REGULAR_MARGIN", "PORTFOLIO_MARGIN")


class BybitAccount:
    """The handlers of the account's own endpoints."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        return {
            ("GET", "/v5/asset/coin/query-info"): Route("currencies", self._currencies),
            ("GET", "/v5/user/query-api"): Route("rights", self._rights),
            ("GET", "/v5/account/info"): Route("account", self._account_info),
            ("GET", "/v5/account/wallet-balance"): Route("balance", self._wallet),
            ("GET", "/v5/account/fee-rate"): Route("fees", self._fees),
            ("GET", "/v5/account/transaction-log"): Route("log", self._log),
            ("GET", "/v5/account/collateral-info"): Route("collateral", self._collateral),
            ("GET", "/v5/account/query-dcp-info"): Route("dcp", self._dcp),
            ("GET", "/v5/account/smp-group"): Route("smp", self._smp),
            ("GET", "/v5/account/user-setting-config"): Route("settings", self._settings),
            ("POST", "/v5/account/set-margin-mode"): Route("margin.set", self._set_margin),
        }

    def _currencies(self, call: Call) -> Reply:
        rows = [
            {"name": coin, "coin": coin, "remainAmount": "100000000", "chains": []}
            for coin in call.owner.wallet
            if call.params.get("coin") in (None, "", coin)
        ]
        return ok(call, {"rows": rows}, rows="rows")

    def _rights(self, call: Call) -> Reply:
        owner = call.owner
        result: Row = {
            "id": "1000001",
            "note": owner.name,
            "apiKey": call.headers.get("X-BAPI-API-KEY", owner.key),
            "readOnly": 0 if owner.can_trade else 1,
            "secret": "",
            "permissions": {
                "ContractTrade": ["Order", "Position"] if owner.can_trade else [],
                "Spot": [],
                "Wallet": ["Withdraw"] if owner.can_withdraw else [],
                "Options": [],
                "Derivatives": ["DerivativesTrade"] if owner.can_trade else [],
                "CopyTrading": [],
                "BlockTrade": [],
                "Exchange": [],
                "NFT": [],
                "Affiliate": [],
                "Earn": [],
            },
            "ips": ["*"],
            "type": 1,
            "deadlineDay": 85,
            "expiredAt": "2099-01-01T00:00:00Z",
            "createdAt": "2024-01-01T00:00:00Z",
            "unified": 0,
            "uta": 1,
            "userID": owner.uid,
            "inviterID": 0,
            "affiliateID": 0,
            "vipLevel": "No VIP",
            "mktMakerLevel": "0",
            "rsaPublicKey": "",
            "isMaster": not owner.master,
            "parentUid": str(owner.master),
            "kycLevel": "LEVEL_DEFAULT",
            "kycRegion": "",
            "userIDInt64": str(owner.uid),
            "inviterIDInt64": "0",
            "affiliateIDInt64": "0",
        }
        return ok(call, result)

    def _account_info(self, call: Call) -> Reply:
        info: Row = {
            "unifiedMarginStatus": 6,
            "marginMode": call.owner.margin_mode,
            "isMasterTrader": False,
            "spotHedgingStatus": "OFF",
            "dcpStatus": "OFF",
            "timeWindow": 10,
            "smpGroup": 0,
            "updatedTime": str(ms(self._market.started_at)),
        }
        return ok(call, info)

    def _wallet(self, call: Call) -> Reply:
        owner, wanted = call.owner, call.params.get("coin", "")
        if call.params.get("accountType") not in (None, "", "UNIFIED"):
            raise Refusal("10001", "accountType only support UNIFIED.")
        coins = [it for it in owner.wallet if not wanted or it in wanted.split(",")]
        return ok(call, {"list": [wallet_row(self._market, owner, coins)]}, rows="list")

    def _fees(self, call: Call) -> Reply:
        # Documented as required; ccxt's `fetch_trading_fees` leaves it out, and is answered.
        wanted, symbol = call.params.get("category") or "linear", call.params.get("symbol")
        base = call.params.get("baseCoin")
        rows: list[Row] = [
            {
                "symbol": it.id,
                "baseCoin": "",
                "takerFeeRate": text(it.taker_fee),
                "makerFeeRate": text(it.maker_fee),
            }
            for it in self._market.listings(Exchange.BYBIT)
            if category(it) == wanted
            and symbol in (None, "", it.id)
            and base in (None, "", it.instrument.base)
        ]
        if symbol and not rows:
            raise Refusal("10001", "params error: symbol invalid")
        return ok(call, {"list": rows}, rows="list")

    def _log(self, call: Call) -> Reply:
        """Newest first; a window is a day where one is not given, and seven at most."""
        owner, params = call.owner, call.params
        since, until = call.instant("startTime"), call.instant("endTime")
        if since is None:
            since = (until or call.at) - DAY
        until = until or min(since + DAY, call.at)
        if until - since > 7 * DAY:
            message = "The time range between startTime and endTime is over 7 days"
            raise Refusal("10001", message)
        wanted, currency, kind = params.get("category"), params.get("currency"), params.get("type")
        shown = [
            (execution, balance, size)
            for execution, balance, size in _balances(owner)
            if since <= execution.at <= until
            and wanted in (None, "", category(execution.listing))
            and currency in (None, "", execution.listing.instrument.settle)
            and kind in (None, "", LOG_TYPES[execution.kind])
        ]
        shown.reverse()
        return page(call, shown, lambda it: log_row(*it, owner.uid), most=50, usual=20)

    def _collateral(self, call: Call) -> Reply:
        rows: list[Row] = [
            {
                "currency": coin,
                "availableToBorrow": "0",
                "freeBorrowingAmount": "",
                "freeBorrowAmount": "0",
                "freeBorrowingLimit": "0",
                "maxBorrowingAmount": "0",
                "hourlyBorrowRate": "0",
                "borrowUsageRate": "0",
                "borrowAmount": "0",
                "otherBorrowAmount": "0",
                "borrowable": False,
                "marginCollateral": True,
                "collateralSwitch": True,
                "collateralRatio": "1",
            }
            for coin in call.owner.wallet
            if call.params.get("currency") in (None, "", coin)
        ]
        return ok(call, {"list": rows}, rows="list")

    def _dcp(self, call: Call) -> Reply:
        return ok(call, {"dcpInfos": []})

    def _smp(self, call: Call) -> Reply:
        return ok(call, {"smpGroup": 0})

    def _settings(self, call: Call) -> Reply:
        return ok(call, {"lpaSpot": False, "lpaPerp": False, "smsef": False, "fmsef": False})

    def _set_margin(self, call: Call) -> Reply:
        wanted = call.params.get("setMarginMode", "")
        if not call.owner.can_trade:
            raise Refusal("10005", "Permission denied, please check your API key permissions.")
        if wanted not in MARGIN_MODES:
            raise Refusal("10001", "params error: setMarginMode invalid")
        call.owner.margin_mode = wanted
        return ok(call, {"reasons": []})


def _balances(owner: Account) -> list[tuple[Execution, Decimal, Decimal]]:
    """Every execution, oldest first, with the balance and the signed size that it left behind.

    Reckoned back from what the wallet has now; what moved money without an execution is in all.
    """
    every = [it for history in owner.executions.values() for it in history]
    every.sort(key=lambda it: (it.at, it.sequence), reverse=True)
    balance = dict(owner.wallet)
    sizes = {(it.listing.id, it.slot): it.size for it in owner.positions.values() if it.size}
    rows = []
    for execution in every:
        coin = execution.listing.instrument.settle
        key = (execution.listing.id, execution.slot)
        rows.append((execution, balance.get(coin, ZERO), sizes.get(key, ZERO)))
        balance[coin] = balance.get(coin, ZERO) - execution.pnl + execution.fee
        signed = execution.quantity if execution.side is OrderSide.BUY else -execution.quantity
        sizes[key] = sizes.get(key, ZERO) - signed
    rows.reverse()
    return rows
