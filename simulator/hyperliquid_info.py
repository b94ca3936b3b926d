"""Hyperliquid's POST /info: what it tells of contracts, prices, and of any address.

Questions are unsigned: whoever knows an address may ask. Source: the pages "Info endpoint" and
"Perpetuals" of the venue's documentation, and its own SDK. Left to others: rows
(`hyperliquid_rows.py`), whose address it is (`hyperliquid_accounts.py`).
"""

from __future__ import annotations

from decimal import Decimal
from typing import cast

import msgspec

from messages.values import ZERO
from simulator.hyperliquid_accounts import Addresses
from simulator.hyperliquid_actions import CLOID, by_cloid, by_oid
from simulator.hyperliquid_children import Children
from simulator.hyperliquid_rows import (
    USDC,
    Assets,
    basic_order,
    clearinghouse,
    context_row,
    fill_rows,
    number,
    order_row,
    size_decimals,
    status_row,
    universe_row,
)
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.state import Account, Order
from simulator.wire import Body, Call, Handler, Reply, Route, Row, ms, text

FILLS_A_PAGE = 2000
FILLS_KEPT = 10_000
ORDERS_KEPT = 2000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
MOST_BARS = 5000
INTERVALS = {
    "1m": 1,
    "3m": 3,
    "5m": 5,
    "15m": 15,
    "30m": 30,
    "1h": 60,
    "2h": 120,
    "4h": 240,
    "8h": 480,
    "12h": 720,
    "1d": 1440,
    "3d": 4320,
    "1w": 10080,
}
USDC_TOKEN: Row = {
    "name": USDC,
    "szDecimals": 8,
    "weiDecimals": 8,
    "index": 0,
    "tokenId": "0x6d1e7cde53ba9467b783cb7c530ce054",
    "isCanonical": True,
    "evmContract": None,
    "fullName": None,
}


class Info:
    """Answers questions from the market."""

    def __init__(
        self, market: Market, assets: Assets, addresses: Addresses, children: Children
    ) -> None:
        self._market = market
        self._assets = assets
        self._addresses = addresses
        self._children = children

    def routes(self) -> dict[str, Route]:
        """By the question's `type`. Those about an address have its account."""
        public: dict[str, tuple[str, Handler]] = {
            "meta": ("instruments", self._meta),
            "metaAndAssetCtxs": ("instruments", self._contexts),
            "spotMeta": ("instruments", self._spot),
            "spotMetaAndAssetCtxs": ("instruments", self._spot_contexts),
            "perpDexs": ("instruments", lambda _: Reply(cast(Body, [None]), rows=())),
            "allMids": ("ticker", self._mids),
            "l2Book": ("book", self._book),
            "candleSnapshot": ("candles", self._candles),
            "fundingHistory": ("funding", self._funding),
            "recentTrades": ("trades", self._trades),
            "exchangeStatus": ("time", self._status),
            "vaultDetails": ("rights", self._vault),
        }
        private: dict[str, tuple[str, Handler]] = {
            "clearinghouseState": ("positions", self._positions),
            "spotClearinghouseState": ("balance", self._spot_state),
            "openOrders": ("order.open", self._open),
            "frontendOpenOrders": ("order.open", self._frontend_open),
            "historicalOrders": ("order.history", self._history),
            "orderStatus": ("order.find", self._find),
            "userFills": ("fills", self._fills),
            "userFillsByTime": ("fills", self._fills_by_time),
            "userTwapSliceFills": ("fills", _nothing),
            "userRole": ("rights", self._role),
            "extraAgents": ("rights", self._agents),
            "subAccounts": ("rights", self._subs),
            "userAbstraction": ("mode", self._abstraction),
            "userRateLimit": ("rights", self._rate),
            "userFees": ("fees", self._fees),
            "activeAssetData": ("positions", self._active),
            "userFunding": ("income", _nothing),
            "userNonFundingLedgerUpdates": ("income", _nothing),
            "userVaultEquities": ("income", _nothing),
        }
        return {
            **{
                kind: Route(word, handler, signed=False) for kind, (word, handler) in public.items()
            },
            **{kind: Route(word, handler) for kind, (word, handler) in private.items()},
        }

    # Contracts and prices.

    def _universe(self) -> Row:
        rows = [universe_row(it, listed=self._assets.listed(it)) for it in self._assets.all()]
        return {"universe": rows, "marginTables": [], "collateralToken": 0}

    def _meta(self, _: Call) -> Reply:
        return Reply(self._universe(), rows=("universe",))

    def _contexts(self, _: Call) -> Reply:
        rows = [context_row(it, self._market) for it in self._assets.all()]
        return Reply(cast(Body, [self._universe(), rows]), rows=())

    def _spot(self, _: Call) -> Reply:
        return Reply({"universe": [], "tokens": [USDC_TOKEN]}, rows=("tokens",))

    def _spot_contexts(self, _: Call) -> Reply:
        return Reply(cast(Body, [{"universe": [], "tokens": [USDC_TOKEN]}, []]), rows=())

    def _mids(self, _: Call) -> Reply:
        return Reply(
            {
                it.id: context_row(it, self._market)["midPx"]
                for it in self._assets.all()
                if self._assets.listed(it)
            }
        )

    def _book(self, call: Call) -> Reply:
        listing = self._coin(call)
        step, prices = listing.instrument.price_step, self._market.prices
        bids: list[Row] = []
        asks: list[Row] = []
        for level in range(20):
            bid = max(step, prices.bid(listing) - level * step)
            bids.append({"px": number(bid), "sz": "50.0", "n": 1})
            asks.append({"px": number(prices.ask(listing) + level * step), "sz": "50.0", "n": 1})
        return Reply({"coin": listing.id, "levels": [bids, asks], "time": ms(call.at)})

    def _candles(self, call: Call) -> Reply:
        asked = msgspec.json.decode(call.params.get("req", "{}"), type=dict[str, object])
        interval = str(asked.get("interval"))
        if interval not in INTERVALS:
            raise ValueError("interval")
        listing = self._named(str(asked.get("coin")))
        step = INTERVALS[interval] * MINUTE_MS
        first = int(str(asked.get("startTime", 0)))
        last = min(int(str(asked.get("endTime", ms(call.at)))), ms(call.at)) // step * step
        first = max(-(-first // step) * step, last - (MOST_BARS - 1) * step)
        count = max(0, (last - first) // step + 1)
        rows: list[Row] = [
            {
                "t": bar.start,
                "T": bar.start + step - 1,
                "s": listing.id,
                "i": interval,
                "o": number(bar.open),
                "c": number(bar.close),
                "h": number(bar.high),
                "l": number(bar.low),
                "v": "10.0",
                "n": 10,
            }
            for bar in self._market.prices.bars(listing, first, step, count)
        ]
        return Reply(rows, rows=())

    def _funding(self, call: Call) -> Reply:
        listing = self._coin(call)
        last = min(call.integer("endTime", ms(call.at)), ms(call.at)) // HOUR_MS * HOUR_MS
        first = -(-call.integer("startTime", last) // HOUR_MS) * HOUR_MS
        rows: list[Row] = [
            {"coin": listing.id, "fundingRate": "0.0000125", "premium": "0.0", "time": at}
            for at in range(first, last + 1, HOUR_MS)
        ]
        return Reply(rows[:500], rows=())

    def _trades(self, call: Call) -> Reply:
        listing = self._coin(call)
        row: Row = {
            "coin": listing.id,
            "side": "B",
            "px": number(self._market.prices.last(listing)),
            "sz": number(listing.instrument.min_amount),
            "time": ms(call.at),
            "hash": "0x" + "0" * 64,
            "tid": ms(call.at),
            "users": ["0x" + "a" * 40, "0x" + "b" * 40],
        }
        return Reply([row], rows=())

    def _status(self, call: Call) -> Reply:
        return Reply({"time": ms(call.at), "specialStatuses": None})

    def _coin(self, call: Call) -> Listing:
        return self._named(call.params.get("coin", ""))

    def _named(self, coin: str) -> Listing:
        listing = self._market.find_listing(Exchange.HYPERLIQUID, coin)
        if listing is None:
            raise ValueError(f"unknown coin {coin!r}")
        return listing

    # What an address has.

    def _positions(self, call: Call) -> Reply:
        account = call.owner
        if call.params.get("dex"):
            raise ValueError("no builder's dex is simulated")
        held = (
            list(account.positions.values())
            if call.as_of is None
            else account.positions_at(call.as_of)
        )
        return Reply(
            clearinghouse(account, held, self._market, ms(call.at)), rows=("assetPositions",)
        )

    def _spot_state(self, call: Call) -> Reply:
        name = call.owner.name
        total = ZERO
        if self._addresses.abstraction.get(name) in ("unifiedAccount", "portfolioMargin"):
            total = call.owner.wallet.get(USDC, ZERO)
        row: Row = {
            "coin": USDC,
            "token": 0,
            "hold": "0.0",
            "total": number(total),
            "entryNtl": "0.0",
        }
        return Reply({"balances": [row]}, rows=("balances",))

    def _resting(self, account: Account) -> list[Order]:
        live = [order for orders in account.live.values() for order in orders.values()]
        every = live + [it for it in self._children.waiting(account) if it not in live]
        return sorted(every, key=lambda it: -it.sequence)

    def _open(self, call: Call) -> Reply:
        return Reply([basic_order(it) for it in self._resting(call.owner)], rows=())

    def _frontend_open(self, call: Call) -> Reply:
        rows = [order_row(it, self._children.of(it)) for it in self._resting(call.owner)]
        return Reply(rows, rows=())

    def _history(self, call: Call) -> Reply:
        """Each order's statuses, newest first: a cancelled one was open as well."""
        account = call.owner
        known = call.told(account.orders.values(), lambda it: it.updated_at)
        rows: list[Row] = []
        for order in sorted(known, key=lambda it: (it.updated_at, it.sequence), reverse=True):
            told = status_row(order, self._children.of(order))
            rows.append(told)
            if not order.state.live and not order.by_hand:
                opened = {**told, "status": "open", "statusTimestamp": ms(order.created_at)}
                rows.append(opened)
        return Reply(rows[:ORDERS_KEPT], rows=())

    def _find(self, call: Call) -> Reply:
        wanted, account = call.params.get("oid", ""), call.owner
        if CLOID.fullmatch(wanted):
            order = by_cloid(account, wanted.lower())
        elif wanted.isdecimal():
            order = by_oid(account, int(wanted))
        else:
            raise ValueError("oid")
        if order is None:
            return Reply({"status": "unknownOid"})
        return Reply({"status": "order", "order": status_row(order, self._children.of(order))})

    def _every_fill(self, call: Call) -> list[Row]:
        """The account's last fills, oldest first, as far back as the venue keeps them."""
        account = call.owner
        every = [
            pair
            for listing_id in account.executions
            for pair in fill_rows(account, listing_id, self._market)
        ]
        known = call.told(every, lambda pair: pair[0].at)
        known.sort(key=lambda pair: (pair[0].at, pair[0].sequence))
        return [row for _, row in known[-FILLS_KEPT:]]

    def _fills(self, call: Call) -> Reply:
        return Reply(self._every_fill(call)[: -FILLS_A_PAGE - 1 : -1], rows=())

    def _fills_by_time(self, call: Call) -> Reply:
        start = call.number("startTime")
        if start is None:
            raise ValueError("startTime")
        end = call.number("endTime") or Decimal(ms(call.at))
        rows = [it for it in self._every_fill(call) if start <= cast(int, it["time"]) <= end]
        return Reply(rows[:FILLS_A_PAGE], rows=())

    def _role(self, call: Call) -> Reply:
        return Reply(self._addresses.role(call.params.get("user", "")))

    def _vault(self, call: Call) -> Reply:
        told = self._addresses.vault(call.params.get("vaultAddress", ""))
        return Reply(cast(Body, told))

    def _agents(self, call: Call) -> Reply:
        return Reply(self._addresses.agents(call.owner), rows=())

    def _subs(self, call: Call) -> Reply:
        rows: list[Row] = [
            {
                "name": it.name,
                "subAccountUser": it.key.lower(),
                "master": call.owner.key.lower(),
                "clearinghouseState": clearinghouse(
                    it, list(it.positions.values()), self._market, ms(call.at)
                ),
                "spotState": {"balances": []},
            }
            for it in self._addresses.subs(call.owner)
        ]
        return Reply(rows, rows=()) if rows else Reply(cast(Body, None))

    def _abstraction(self, call: Call) -> Reply:
        return Reply(cast(Body, self._addresses.abstraction.get(call.owner.name, "default")))

    def _rate(self, _: Call) -> Reply:
        return Reply(
            {
                "cumVlm": "1000000.0",
                "nRequestsUsed": 0,
                "nRequestsCap": 1_010_000,
                "nRequestsSurplus": 0,
            }
        )

    def _fees(self, _: Call) -> Reply:
        listing = self._assets.all()[0]
        taker, maker = text(listing.taker_fee), text(listing.maker_fee)
        return Reply(
            {
                "dailyUserVlm": [],
                "feeSchedule": {
                    "cross": taker,
                    "add": maker,
                    "tiers": {"vip": [], "mm": []},
                    "referralDiscount": "0.04",
                },
                "userCrossRate": taker,
                "userAddRate": maker,
                "activeReferralDiscount": "0.0",
            }
        )

    def _active(self, call: Call) -> Reply:
        listing, account = self._coin(call), call.owner
        isolated = listing.id in account.isolated
        return Reply(
            {
                "user": account.key.lower(),
                "coin": listing.id,
                "leverage": {
                    "type": "isolated" if isolated else "cross",
                    "value": int(account.leverage_of(listing.id)),
                },
                "maxTradeSzs": ["100.0", "100.0"],
                "availableToTrade": ["100000.0", "100000.0"],
                "markPx": number(self._market.prices.mark(listing)),
                "szDecimals": size_decimals(listing),
            }
        )


def _nothing(_: Call) -> Reply:
    return Reply([], rows=())
