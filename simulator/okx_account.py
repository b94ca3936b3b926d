"""OKX v5's account: who it is, its balance, fees and settings, its positions and their ends.

Left to others: orders (`okx_orders.py`, `okx_algo.py`), rows (`okx_rows.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from simulator.checks import available
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.okx_rows import (
    MOST_LEVERAGE,
    SIDES,
    balance_row,
    closed_row,
    instrument_row,
    instrument_type,
    lives,
    margin_mode,
    position_id,
    position_row,
)
from simulator.okx_spec import PORTFOLIO, listed
from simulator.okx_words import needed, ok, page
from simulator.state import Account, Position
from simulator.wire import Call, Refusal, Reply, Route, Row, ms, text

MODES = {"net_mode": False, "long_short_mode": True}
FLAT_KEPT = timedelta(days=30)
HISTORY_KEPT = timedelta(days=90)


class OkxAccount:
    """The handlers of the account's own endpoints."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        account = "/api/v5/account"
        return {
            ("GET", f"{account}/config"): Route("account", self._config),
            ("GET", f"{account}/balance"): Route("balance", self._balance),
            ("GET", f"{account}/instruments"): Route("instruments", self._instruments),
            ("GET", f"{account}/positions"): Route("positions", self._positions),
            ("GET", f"{account}/positions-history"): Route("closed", self._closed),
            ("GET", f"{account}/leverage-info"): Route("leverage", self._leverage),
            ("GET", f"{account}/trade-fee"): Route("fees", self._fees),
            ("GET", f"{account}/max-size"): Route("max_size", self._max_size),
            ("GET", f"{account}/max-avail-size"): Route("max_size", self._max_size),
            ("POST", f"{account}/set-leverage"): Route("leverage.set", self._set_leverage),
            ("POST", f"{account}/set-position-mode"): Route("mode.set", self._set_mode),
            ("POST", f"{account}/position/margin-balance"): Route("margin.add", self._margin),
            ("GET", "/api/v5/asset/currencies"): Route("currencies", self._currencies),
        }

    def _config(self, call: Call) -> Reply:
        """`perm` is the key's, `uid` the account's and `mainUid` its master's."""
        owner = call.owner
        rights = ["read_only", *(["withdraw"] if owner.can_withdraw else [])]
        rights += ["trade"] if owner.can_trade else []
        row: Row = {
            "acctLv": "4" if owner.margin_mode == PORTFOLIO else "2",
            "acctStpMode": "cancel_maker",
            "autoLoan": False,
            "ctIsoMode": "automatic",
            "enableSpotBorrow": False,
            "feeType": "0",
            "greeksType": "PA",
            "ip": "",
            "kycLv": "3",
            "label": owner.name,
            "level": "Lv1",
            "levelTmp": "",
            "liquidationGear": "-1",
            "mainUid": str(owner.master or owner.uid),
            "mgnIsoMode": "automatic",
            "opAuth": "0",
            "perm": ",".join(rights),
            "posMode": "long_short_mode" if owner.hedged else "net_mode",
            "roleType": "0",
            "settleCcy": "USD",
            "settleCcyList": ["USD"],
            "spotBorrowAutoRepay": False,
            "spotOffsetType": "",
            "spotRoleType": "0",
            "spotTraderInsts": [],
            "stgyType": "0",
            "traderInsts": [],
            "type": "1" if owner.master else "0",
            "uid": str(owner.uid),
        }
        return ok([row])

    def _balance(self, call: Call) -> Reply:
        coins = [it for it in call.params.get("ccy", "").split(",") if it]
        return ok([balance_row(call.owner, self._market.prices, call.at, coins)])

    def _instruments(self, call: Call) -> Reply:
        kind = needed(call, "instType")
        return ok(
            instrument_row(it, self._market.started_at)
            for it in self._market.listings(Exchange.OKX)
            if instrument_type(it) == kind and call.params.get("instId", "") in ("", it.id)
        )

    def _positions(self, call: Call) -> Reply:
        """What is open; of a contract or a number that is named also what is flat, for 30 days."""
        owner = call.owner
        names = [it for it in call.params.get("instId", "").split(",") if it]
        ids = [it for it in call.params.get("posId", "").split(",") if it]
        kind = call.params.get("instType", "")
        seen = self._slots(call, owner)
        rows = [
            position_row(it, self._market.prices, owner, call.at)
            for it in seen
            if kind in ("", instrument_type(it.listing))
            and (not names or it.listing.id in names)
            and (not ids or position_id(owner, it.listing, it.slot) in ids)
            and (it.size or ((names or ids) and call.at - it.updated_at <= FLAT_KEPT))
        ]
        return ok(rows)

    @staticmethod
    def _slots(call: Call, owner: Account) -> list[Position]:
        return owner.positions_at(call.as_of) if call.as_of else list(owner.positions.values())

    def _closed(self, call: Call) -> Reply:
        """The last changed first, paged by when they changed."""
        owner = call.owner
        told = [
            it
            for it in lives(owner, call.as_of)
            if call.params.get("instType", "") in ("", instrument_type(it.listing))
            and call.params.get("instId", "") in ("", it.listing.id)
            and call.at - it.changed_at <= HISTORY_KEPT
        ]
        rows = [closed_row(owner, it) for it in page(call, told, lambda it: ms(it.changed_at))]
        for name in ("mgnMode", "type", "posId"):
            wanted = call.params.get(name, "")
            rows = [row for row in rows if wanted in ("", row[name])]
        return ok(rows)

    def _leverage(self, call: Call) -> Reply:
        mode = needed(call, "mgnMode")
        rows: list[Row] = []
        for name in needed(call, "instId").split(","):
            listing = self._market.find_listing(Exchange.OKX, name)
            if listing is None:
                raise Refusal("51001", "Instrument ID doesn't exist.")
            rows += self._leverage_rows(call.owner, listing, mode)
        return ok(rows)

    @staticmethod
    def _leverage_rows(owner: Account, listing: Listing, mode: str) -> Iterator[Row]:
        sides = ("long", "short") if owner.hedged else ("net",)
        for side in sides:
            yield {
                "ccy": "",
                "instId": listing.id,
                "lever": text(owner.leverage_of(listing.id)),
                "mgnMode": mode,
                "posSide": side,
            }

    def _set_leverage(self, call: Call) -> Reply:
        """Of both sides at once, also where `posSide` names one of an isolated pair."""
        listing, lever, mode = listed(self._market, call), call.number("lever"), call.params
        if lever is None or not 1 <= lever <= MOST_LEVERAGE:
            raise Refusal("59102", "Leverage exceeds the maximum limit. Please lower the leverage.")
        if mode.get("mgnMode") not in ("cross", "isolated"):
            raise Refusal("51000", "Parameter mgnMode error")
        self._market.set_leverage(call.owner, listing, lever)
        (row, *_) = self._leverage_rows(call.owner, listing, mode["mgnMode"])
        return ok([{**row, "posSide": mode.get("posSide") or row["posSide"]}])

    def _set_mode(self, call: Call) -> Reply:
        wanted = needed(call, "posMode")
        if wanted not in MODES:
            raise Refusal("51000", "Parameter posMode error")
        try:
            self._market.set_mode(call.owner.name, hedged=MODES[wanted])
        except ValueError as error:
            words = "Settings failed. Close any open positions and orders before modifying settings"
            raise Refusal("59000", words) from error
        return ok([{"posMode": wanted}])

    def _margin(self, call: Call) -> Reply:
        """Adds to an isolated position's margin, or takes from it."""
        listing, amount = listed(self._market, call), call.number("amt")
        named = needed(call, "posSide")
        slot = next((slot for slot, side in SIDES.items() if side == named), None)
        held = None if slot is None else call.owner.position(listing.id, slot)
        if held is None or not held.size or margin_mode(call.owner, listing) != "isolated":
            raise Refusal("51023", "Position doesn't exist.")
        if amount is None or amount <= 0:
            raise Refusal("51000", "Parameter amt error")
        adding = needed(call, "type") == "add"
        free = available(call.owner, listing.instrument.settle, self._market.prices)
        if amount > (free if adding else held.added_margin):
            raise Refusal("59301", "Margin adjustment failed for exceeding the max limit.")
        held.added_margin += amount if adding else -amount
        self._market.clearing.changed(call.owner, held, call.at)
        row: Row = {
            "amt": text(amount),
            "ccy": listing.instrument.settle,
            "instId": listing.id,
            "leverage": text(held.leverage),
            "posSide": named,
            "type": call.params["type"],
        }
        return ok([row])

    def _fees(self, call: Call) -> Reply:
        """Rates are negative where they cost. All contracts of the simulated venue have the same.

        `makerU` and `takerU` are those of contracts in USDT.
        """
        kind = needed(call, "instType")
        listing = next(iter(self._market.listings(Exchange.OKX)))
        maker, taker = text(-listing.maker_fee), text(-listing.taker_fee)
        row: Row = {
            "category": "1",
            "delivery": text(-listing.taker_fee) if kind == "FUTURES" else "",
            "exercise": "",
            "feeGroup": [{"groupId": "1", "maker": maker, "taker": taker}],
            "fiat": [],
            "instType": kind,
            "level": "Lv1",
            "maker": maker,
            "makerU": maker,
            "makerUSDC": maker,
            "ruleType": "normal",
            "taker": taker,
            "takerU": taker,
            "takerUSDC": taker,
            "ts": str(ms(call.at)),
        }
        return ok([row])

    def _max_size(self, call: Call) -> Reply:
        needed(call, "tdMode")
        listing = listed(self._market, call)
        free = available(call.owner, listing.instrument.settle, self._market.prices)
        price = self._market.prices.last(listing)
        most = max(Decimal(0), free) * call.owner.leverage_of(listing.id)
        step = listing.instrument.amount_step
        size = text(most / listing.value(Decimal(1), price) // step * step)
        row: Row = {"instId": listing.id}
        if call.path.endswith("max-avail-size"):
            return ok([{**row, "availBuy": text(free), "availSell": text(free)}])
        return ok([{**row, "ccy": "", "maxBuy": size, "maxSell": size}])

    def _currencies(self, call: Call) -> Reply:
        names = "logoLink depQuotaFixed usedDepQuotaFixed depQuoteDailyLayer2"
        return ok(
            {
                **dict.fromkeys(names.split(), ""),
                "canDep": True,
                "canInternal": True,
                "canWd": True,
                "ccy": coin,
                "chain": f"{coin}-Simulated",
                "mainNet": True,
                "maxFee": "0",
                "maxWd": "0",
                "minDep": "0",
                "minFee": "0",
                "minWd": "0",
                "name": coin,
                "needTag": False,
                "wdTickSz": "8",
            }
            for coin in call.owner.wallet
            if call.params.get("ccy", "") in ("", coin)
        )
