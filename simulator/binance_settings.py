"""What can be set on a Binance USD-M account, and how it is set: leverage, margin, position mode.

Left to others: positions and balances (`binance_account.py`). Multi-assets mode is not simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from simulator.binance_rows import MAX_NOTIONAL
from simulator.binance_spec import SLOTS, named_listing
from simulator.binance_words import RATE_LIMITS, error, missing
from simulator.checks import available
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.state import Account
from simulator.wire import Call, Reply, Route, Row, ms, text

MOST_LEVERAGE = 100
DONE: Row = {"code": 200, "msg": "success"}
Push = Callable[[Account, Row], None]
"""Sends an event to whoever follows an account's stream."""


class BinanceSettings:
    """The handlers of the endpoints that set something, and of those that tell what is set."""

    def __init__(self, market: Market, push: Push) -> None:
        self._market = market
        self._push = push
        self._margin_changes: dict[str, list[Row]] = {}

    def routes(self) -> dict[tuple[str, str], Route]:
        multi = "/fapi/v1/multiAssetsMargin"
        return {
            ("POST", "/fapi/v1/leverage"): Route("leverage.set", self._set_leverage),
            ("POST", "/fapi/v1/marginType"): Route("margin_type.set", self._set_margin_type),
            ("POST", "/fapi/v1/positionMargin"): Route("margin.set", self._add_margin),
            ("GET", "/fapi/v1/positionMargin/history"): Route("margin", self._margin_history),
            ("GET", "/fapi/v1/positionSide/dual"): Route("mode", self._mode),
            ("POST", "/fapi/v1/positionSide/dual"): Route("mode.set", self._set_mode),
            ("GET", multi): Route("multi_assets", lambda _: Reply({"multiAssetsMargin": False})),
            ("POST", multi): Route("multi_assets.set", self._set_multi_assets),
            ("GET", "/fapi/v1/feeBurn"): Route("fee_burn", lambda _: Reply({"feeBurn": False})),
            ("GET", "/fapi/v1/accountConfig"): Route("account", self._account_config),
            ("GET", "/fapi/v1/symbolConfig"): Route("symbol_config", self._symbol_config),
            ("GET", "/fapi/v1/leverageBracket"): Route("brackets", self._brackets),
            ("GET", "/fapi/v1/commissionRate"): Route("fee_rate", self._fees),
            ("GET", "/fapi/v1/apiTradingStatus"): Route("trading_status", self._trading_status),
            ("GET", "/fapi/v1/rateLimit/order"): Route("order_limits", self._order_limits),
        }

    def _shown(self, call: Call) -> list[Listing]:
        wanted = call.params.get("symbol")
        every = self._market.listings(Exchange.BINANCE)
        return [it for it in every if wanted in (None, "", it.id)]

    def _set_leverage(self, call: Call) -> Reply:
        owner, listing, wanted = (
            call.owner,
            named_listing(self._market, call),
            call.integer("leverage", 0),
        )
        if isinstance(listing, Reply):
            return listing
        if not 1 <= wanted <= MOST_LEVERAGE:
            return error("-4028", f"Leverage {wanted} is not valid")
        held = [it for it in owner.positions.values() if it.listing.id == listing.id]
        lower = wanted < owner.leverage_of(listing.id)
        if lower and listing.id in owner.isolated and any(it.size for it in held):
            return error(
                "-4161",
                "Leverage reduction is not supported in Isolated Margin Mode with open positions",
            )
        owner.leverages[listing.id] = Decimal(wanted)
        for position in held:
            position.leverage = Decimal(wanted)
        at = ms(call.at)
        event: Row = {"e": "ACCOUNT_CONFIG_UPDATE", "E": at, "T": at}
        self._push(owner, {**event, "ac": {"s": listing.id, "l": wanted}})
        return Reply({"leverage": wanted, "maxNotionalValue": MAX_NOTIONAL, "symbol": listing.id})

    def _set_margin_type(self, call: Call) -> Reply:
        owner, listing = call.owner, named_listing(self._market, call)
        wanted = call.params.get("marginType", "")
        if isinstance(listing, Reply):
            return listing
        if wanted not in ("ISOLATED", "CROSSED"):
            return missing("marginType")
        if (wanted == "ISOLATED") is (listing.id in owner.isolated):
            return error("-4046", "No need to change margin type.")
        if owner.live_orders(listing.id):
            return error("-4047", "Margin type cannot be changed if there exists open orders.")
        if any(it.size for it in owner.positions.values() if it.listing.id == listing.id):
            return error("-4048", "Margin type cannot be changed if there exists position.")
        if wanted == "ISOLATED":
            owner.isolated.add(listing.id)
        else:
            owner.isolated.discard(listing.id)
        return Reply({**DONE})

    def _add_margin(self, call: Call) -> Reply:
        owner, listing, amount = (
            call.owner,
            named_listing(self._market, call),
            call.number("amount"),
        )
        slot, kind = SLOTS.get(call.params.get("positionSide", "")), call.integer("type", 0)
        if isinstance(listing, Reply):
            return listing
        if amount is None or kind not in (1, 2) or slot is None:
            return missing("amount" if amount is None else "type")
        if amount <= 0:
            return error("-4055", "Amount must be positive.")
        if listing.id not in owner.isolated:
            return error("-4049", "Add margin only support for isolated position.")
        position = owner.position(listing.id, slot)
        if position is None or not position.size:
            return error("-4054", "Cannot add position margin: position is 0.")
        settle = listing.instrument.settle
        if kind == 1 and amount > available(owner, settle, self._market.prices):
            return error("-4050", "Cross balance insufficient.")
        if kind == 2 and amount > position.added_margin:
            return error("-4051", "Isolated balance insufficient.")
        position.added_margin += amount if kind == 1 else -amount
        self._market.clearing.changed(owner, position, call.at)
        self._margin_changes.setdefault(owner.name, []).append(
            {
                "symbol": listing.id,
                "type": kind,
                "deltaType": "USER_ADJUST",
                "amount": text(amount),
                "asset": settle,
                "time": ms(call.at),
                "positionSide": call.params.get("positionSide") or "BOTH",
            }
        )
        told = {"code": 200, "msg": "Successfully modify position margin.", "type": kind}
        return Reply({"amount": float(amount), **told})

    def _margin_history(self, call: Call) -> Reply:
        rows = self._margin_changes.get(call.owner.name, [])
        kind, symbol = call.integer("type", 0), call.params.get("symbol")
        found = [it for it in rows if it["symbol"] == symbol and kind in (0, it["type"])]
        return Reply(found[-min(max(1, call.integer("limit", 500)), 500) :], rows=())

    def _mode(self, call: Call) -> Reply:
        return Reply({"dualSidePosition": call.owner.hedged})

    def _set_mode(self, call: Call) -> Reply:
        owner, wanted = call.owner, call.params.get("dualSidePosition", "").lower()
        if wanted not in ("true", "false"):
            return missing("dualSidePosition")
        if (wanted == "true") is owner.hedged:
            return error("-4059", "No need to change position side.")
        if any(owner.live.values()):
            return error("-4067", "Position side cannot be changed if there exists open orders.")
        if any(it.size for it in owner.positions.values()):
            return error("-4068", "Position side cannot be changed if there exists position.")
        owner.hedged = wanted == "true"
        return Reply({**DONE})

    def _set_multi_assets(self, call: Call) -> Reply:
        if call.flag("multiAssetsMargin"):
            return error("-4084", "Method is not allowed currently. Upcoming soon.")
        message = (
            "Adjusted asset mode is currently set and does not need to be adjusted repeatedly."
        )
        return error("-4171", message)

    def _account_config(self, call: Call) -> Reply:
        owner = call.owner
        return Reply(
            {
                "feeTier": 0,
                "canTrade": owner.can_trade,
                "canDeposit": True,
                "canWithdraw": owner.can_withdraw,
                "dualSidePosition": owner.hedged,
                "updateTime": 0,
                "multiAssetsMargin": False,
                "tradeGroupId": -1,
            }
        )

    def _symbol_config(self, call: Call) -> Reply:
        owner = call.owner
        rows: list[Row] = [
            {
                "symbol": it.id,
                "marginType": "ISOLATED" if it.id in owner.isolated else "CROSSED",
                "isAutoAddMargin": False,
                "leverage": int(owner.leverage_of(it.id)),
                "maxNotionalValue": MAX_NOTIONAL,
            }
            for it in self._shown(call)
        ]
        return Reply(rows, rows=())

    def _brackets(self, call: Call) -> Reply:
        rows: list[Row] = [
            {
                "symbol": it.id,
                "notionalCoef": 1,
                "brackets": [
                    {
                        "bracket": 1,
                        "initialLeverage": MOST_LEVERAGE,
                        "notionalCap": int(MAX_NOTIONAL),
                        "notionalFloor": 0,
                        "maintMarginRatio": 0.005,
                        "cum": 0.0,
                    }
                ],
            }
            for it in self._shown(call)
        ]
        return Reply(rows, rows=())

    def _fees(self, call: Call) -> Reply:
        listing = named_listing(self._market, call)
        if isinstance(listing, Reply):
            return listing
        return Reply(
            {
                "symbol": listing.id,
                "makerCommissionRate": text(listing.maker_fee),
                "takerCommissionRate": text(listing.taker_fee),
                "rpiCommissionRate": "0.00005",
            }
        )

    def _trading_status(self, call: Call) -> Reply:
        """No rule of quantitative trading was ever broken here."""
        return Reply({"indicators": {}, "updateTime": ms(call.at)})

    def _order_limits(self, call: Call) -> Reply:  # noqa: ARG002  # every route takes a call
        rows: list[Row] = [{**it} for it in RATE_LIMITS if it["rateLimitType"] == "ORDERS"]
        return Reply(rows, rows=())
