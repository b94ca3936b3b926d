"""Bitget v2's reads and settings of an account: who it is, balances, leverage, modes, positions.

A classic account: the unified account's API (v3) says so, and nothing else. Left to others: orders
(`bitget_orders.py`), plan orders (`bitget_plans.py`).
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from simulator.bitget_order_rows import ended_lives, ended_row, fill_row
from simulator.bitget_rows import (
    MOST_LEVERAGE,
    account_row,
    coins_of,
    is_of,
    margin_mode,
    pos_mode,
    position_row,
)
from simulator.bitget_words import (
    CLASSIC,
    KEPT,
    MODE_HELD,
    error,
    may_trade,
    ok,
    page,
    product_of,
    refused,
    window,
)
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.state import RejectReason
from simulator.wire import Call, Refusal, Reply, Route, Row, ms, text

WEEK = timedelta(days=7)
READS = ("coor", "cpor")
WRITES = ("coow", "cpow")
"""Futures orders and positions, of an API key's `authorities`: read, and written."""


def named_listing(market: Market, call: Call) -> Listing:
    """The contract that a call must name. Raises Refusal."""
    named = product_of(call)
    if not call.params.get("symbol"):
        raise Refusal("40019", "Parameter symbol cannot be empty")
    listing = market.find_listing(Exchange.BITGET, call.params["symbol"].upper())
    if listing is None or not is_of(listing, named):
        raise refused(RejectReason.UNKNOWN_SYMBOL)
    return listing


class BitgetAccount:
    """The handlers of the account's, the positions' and the fills' endpoints."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        mix = "/api/v2/mix"
        return {
            ("GET", "/api/v3/account/settings"): Route("uta", _classic),
            ("GET", "/api/v3/account/info"): Route("uta", _classic),
            ("GET", "/api/v2/spot/account/info"): Route("rights", self._info),
            ("GET", f"{mix}/account/account"): Route("balance", self._account),
            ("GET", f"{mix}/account/accounts"): Route("balance", self._accounts),
            ("POST", f"{mix}/account/set-leverage"): Route("leverage", self._set_leverage),
            ("POST", f"{mix}/account/set-margin-mode"): Route("margin.set", self._set_margin),
            ("POST", f"{mix}/account/set-position-mode"): Route("mode.set", self._set_mode),
            ("GET", f"{mix}/position/all-position"): Route("positions", self._positions),
            ("GET", f"{mix}/position/single-position"): Route("positions", self._single),
            ("GET", f"{mix}/position/history-position"): Route("closed", self._ended),
            ("GET", f"{mix}/order/fills"): Route("fills", self._fills),
            ("GET", f"{mix}/order/fill-history"): Route("fills", self._fills),
        }

    def _info(self, call: Call) -> Reply:
        owner = call.owner
        data: Row = {
            "userId": str(owner.uid),
            "inviterId": "",
            "ips": "",
            "authorities": [*READS, *(WRITES if owner.can_trade else ())],
            "parentId": owner.master or owner.uid,
            "traderType": "not_trader",
            "channelCode": "",
            "channel": "",
            "regisTime": str(ms(self._market.started_at)),
        }
        return ok(call, data)

    def _accounts(self, call: Call) -> Reply:
        owner = call.owner
        coins = coins_of(owner, product_of(call))
        return ok(call, [account_row(self._market, owner, it) for it in coins], rows=())

    def _account(self, call: Call) -> Reply:
        owner, listing = call.owner, named_listing(self._market, call)
        row = account_row(self._market, owner, listing.instrument.settle)
        union = ("assetList", "unionTotalMargin", "unionAvailable", "unionMm")
        leverage = text(owner.leverage_of(listing.id))
        return ok(
            call,
            {name: it for name, it in row.items() if name not in union}
            | {
                "crossedMarginLeverage": leverage,
                "isolatedLongLever": leverage,
                "isolatedShortLever": leverage,
                "marginMode": margin_mode(owner, listing),
                "posMode": pos_mode(owner),
            },
        )

    def _set_leverage(self, call: Call) -> Reply:
        may_trade(call)
        owner, listing = call.owner, named_listing(self._market, call)
        named = ("leverage", "longLeverage", "shortLeverage")
        leverage = next((it for it in map(call.number, named) if it is not None), None)
        if leverage is None or not 1 <= leverage <= MOST_LEVERAGE:
            raise Refusal("40020", "Parameter leverage error")
        self._market.set_leverage(owner, listing, leverage)
        return ok(call, self._margin_settings(call, listing, leverage))

    def _set_margin(self, call: Call) -> Reply:
        may_trade(call)
        owner, listing = call.owner, named_listing(self._market, call)
        mode = call.params.get("marginMode")
        if mode not in ("isolated", "crossed"):
            raise Refusal("40020", "Parameter marginMode error")
        held = any(it.size and it.listing is listing for it in owner.positions.values())
        if mode != margin_mode(owner, listing) and (held or owner.live_orders(listing.id)):
            message = "Currently holding positions or orders, the margin mode cannot be adjusted"
            raise Refusal("45117", message)
        (owner.isolated.add if mode == "isolated" else owner.isolated.discard)(listing.id)
        return ok(call, self._margin_settings(call, listing, owner.leverage_of(listing.id)))

    def _margin_settings(self, call: Call, listing: Listing, leverage: Decimal) -> Row:
        return {
            "symbol": listing.id,
            "marginCoin": listing.instrument.settle,
            "longLeverage": text(leverage),
            "shortLeverage": text(leverage),
            "crossMarginLeverage": text(leverage),
            "marginMode": margin_mode(call.owner, listing),
        }

    def _set_mode(self, call: Call) -> Reply:
        """The documentation has a mode for each product type; here the account has one."""
        may_trade(call)
        product_of(call)
        wanted = call.params.get("posMode")
        if wanted not in ("one_way_mode", "hedge_mode"):
            raise Refusal("40020", "Parameter posMode error")
        try:
            self._market.set_mode(call.owner.name, hedged=wanted == "hedge_mode")
        except ValueError as held:
            raise Refusal(*MODE_HELD) from held
        return ok(call, {"posMode": wanted})

    def _positions(self, call: Call) -> Reply:
        owner, named = call.owner, product_of(call)
        coin = call.params.get("marginCoin", "").upper()
        held = (
            list(owner.positions.values()) if call.as_of is None else owner.positions_at(call.as_of)
        )
        shown = [
            it
            for it in held
            if it.size and is_of(it.listing, named) and coin in ("", it.listing.instrument.settle)
        ]
        shown.sort(key=lambda it: (it.listing.id, it.slot))
        return ok(call, [position_row(it, self._market.prices, owner) for it in shown], rows=())

    def _single(self, call: Call) -> Reply:
        if not call.params.get("marginCoin"):
            raise Refusal("40019", "Parameter marginCoin cannot be empty")
        listing, owner = named_listing(self._market, call), call.owner
        held = (
            list(owner.positions.values()) if call.as_of is None else owner.positions_at(call.as_of)
        )
        shown = [it for it in held if it.size and it.listing.id == listing.id]
        shown.sort(key=lambda it: it.slot)
        return ok(call, [position_row(it, self._market.prices, owner) for it in shown], rows=())

    def _ended(self, call: Call) -> Reply:
        owner, symbol = call.owner, call.params.get("symbol", "").upper()
        named = product_of(call) if call.params.get("productType") else ""
        since, until = window(call, KEPT)
        lives = [
            life
            for book, history in owner.executions.items()
            if symbol in ("", book)
            for life in ended_lives(history)
            if since <= life.closed_at <= until and (not named or is_of(life.listing, named))
        ]
        lives = call.told(lives, lambda it: it.closed_at)
        lives.sort(key=lambda it: (it.closed_at, int(it.id)), reverse=True)
        return page(
            call,
            lives,
            lambda it: ended_row(it, owner),
            lambda it: it.id,
            key="list",
            empty=[],
            usual=20,
        )

    def _fills(self, call: Call) -> Reply:
        """Newest first; a question has a week at most, and pages go on by the last `tradeId`."""
        owner, named = call.owner, product_of(call)
        since, until = window(call, WEEK)
        symbol, order = call.params.get("symbol", "").upper(), call.params.get("orderId", "")
        shown = [
            it
            for book in ([symbol] if symbol else list(owner.executions))
            for it in call.told(owner.executions.get(book, []), lambda it: it.at)
            if since <= it.at <= until and is_of(it.listing, named) and order in ("", it.order_id)
        ]
        shown.sort(key=lambda it: (it.at, it.sequence), reverse=True)
        return page(
            call,
            shown,
            lambda it: fill_row(it, owner),
            lambda it: it.id,
            key="fillList",
            empty=[],
            end="",
        )


def _classic(call: Call) -> Reply:
    return error(*CLASSIC, call.at)
