"""A Gate account: who it is, balances, positions, modes and leverage, fills, ended positions.

Left to others: orders (`gate_orders.py`), rows (`gate_rows.py`, `gate_order_rows.py`).
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from messages.values import ZERO, Side
from messages.venue import FillKind
from simulator.binance_rows import flat_position
from simulator.checks import available
from simulator.gate_order_rows import close_row, ended_positions, trade_row
from simulator.gate_public import instant
from simulator.gate_rows import MOST_LEVERAGE, account_row, position_row, precise, seconds
from simulator.gate_spec import (
    answered,
    belongs,
    listings,
    named_listing,
    page_of,
    settle_of,
)
from simulator.gate_words import error, invalid, missing, read_only
from simulator.instruments import Listing
from simulator.market import Market
from simulator.state import Execution, Position, Slot
from simulator.wire import Call, Reply, Route, Row, text

RECENT = timedelta(days=180)
"""What my_trades and position_close go back without a window ("within the past 6 months")."""


class GateAccount:
    """The handlers of the endpoints that tell or set something of an account."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        found = {
            ("GET", "/account/detail"): Route("account", self._detail),
            ("GET", "/wallet/fee"): Route("fee_rate", self._wallet_fee),
            ("GET", "/futures/{settle}/fee"): Route("fee_rate", self._fee),
            ("GET", "/futures/{settle}/my_trades_timerange"): Route("fills", self._fills_of_range),
            ("POST", "/futures/{settle}/dual_mode"): Route("mode.set", self._set_dual_mode),
            ("POST", "/futures/{settle}/set_position_mode"): Route("mode.set", self._set_mode),
            ("GET", "/delivery/{settle}/settlements"): Route("settlements", self._settlements),
        }
        for root in ("/futures/{settle}", "/delivery/{settle}"):
            one = f"{root}/positions/{{contract}}"
            found |= {
                ("GET", f"{root}/accounts"): Route("balance", self._account),
                ("GET", f"{root}/account_book"): Route("income", self._book),
                ("GET", f"{root}/positions"): Route("positions", self._positions),
                ("GET", one): Route("positions", self._position),
                ("POST", f"{one}/leverage"): Route("leverage.set", self._set_leverage),
                ("POST", f"{one}/margin"): Route("margin.set", self._add_margin),
                ("POST", f"{one}/risk_limit"): Route("risk_limit.set", self._set_risk_limit),
                ("GET", f"{root}/my_trades"): Route("fills", self._fills),
                ("GET", f"{root}/position_close"): Route("closed", self._closed),
            }
        for dual in ("", "/dual_comp"):
            one = f"/futures/{{settle}}{dual}/positions/cross_mode"
            found["POST", one] = Route("margin_type.set", self._set_cross_mode)
        one = "/futures/{settle}/dual_comp/positions/{contract}"
        return found | {
            ("GET", one): Route("positions", self._both),
            ("POST", f"{one}/leverage"): Route("leverage.set", self._set_leverage),
            ("POST", f"{one}/margin"): Route("margin.set", self._add_margin),
            ("POST", f"{one}/risk_limit"): Route("risk_limit.set", self._set_risk_limit),
        }

    def _detail(self, call: Call) -> Reply:
        return Reply(
            {
                "user_id": call.owner.uid,
                "ip_whitelist": [],
                "currency_pairs": [],
                "key": {"mode": 1},
                "tier": 0,
                "tier_expire_time": "0001-01-01T00:00:00Z",
                "copy_trading_role": 0,
            }
        )

    def _wallet_fee(self, call: Call) -> Reply:
        return Reply(
            {
                "user_id": call.owner.uid,
                "taker_fee": "0.002",
                "maker_fee": "0.002",
                "gt_discount": False,
                "gt_taker_fee": "0.0015",
                "gt_maker_fee": "0.0015",
                "loan_fee": "0.18",
                "point_type": "0",
                "futures_taker_fee": "0.0005",
                "futures_maker_fee": "0.0002",
                "delivery_taker_fee": "0.0005",
                "delivery_maker_fee": "0.0002",
                "debit_fee": 3,
            }
        )

    def _fee(self, call: Call) -> Reply:
        return Reply(
            {
                it.id: {"taker_fee": text(it.taker_fee), "maker_fee": text(it.maker_fee)}
                for it in listings(self._market, call)
                if call.params.get("contract") in (None, "", it.id)
            }
        )

    def _account(self, call: Call) -> Reply:
        coin = settle_of(call)
        return _unknown_user(call) or Reply(account_row(call.owner, coin, self._market.prices))

    def _book(self, call: Call) -> Reply:
        """Fees and profits, newest first."""
        coin, page = settle_of(call), page_of(call)
        if isinstance(page, Reply):
            return page
        balance, rows = call.owner.wallet.get(coin, ZERO), []
        for fill in sorted(self._executions(call), key=_newest, reverse=True):
            for kind, change in (("pnl", fill.pnl), ("fee", -fill.fee)):
                if not change or call.params.get("type") not in (None, "", kind):
                    continue
                row: Row = {
                    "time": precise(fill.at),
                    "change": text(change),
                    "balance": text(balance),
                    "type": kind,
                    "text": f"{fill.listing.id}:{fill.order_id}",
                    "contract": fill.listing.id,
                    "trade_id": fill.id,
                    "id": f"{fill.sequence}{'1' if kind == 'pnl' else '2'}",
                }
                rows.append(row)
                balance -= change
        return Reply(page.of(rows), rows=())

    def _row(self, call: Call, position: Position) -> Row:
        return position_row(position, call.owner, self._market.prices)

    def _positions(self, call: Call) -> Reply:
        """`holding` leaves out what is flat; else whatever was ever traded is in the list."""
        page = page_of(call, most=100)
        if isinstance(page, Reply):
            return page
        as_of = call.as_of
        held = (
            list(call.owner.positions.values()) if as_of is None else call.owner.positions_at(as_of)
        )
        rows = [
            self._row(call, it)
            for it in held
            if belongs(it.listing, call) and (it.size or not call.flag("holding"))
        ]
        # Without a limit all are returned.
        shown = page.of(rows) if call.params.get("limit") else rows[page.offset :]
        return _unknown_user(call) or answered(call, shown)

    def _slots(self, call: Call, listing: Listing) -> list[Position]:
        owner = call.owner
        then = (
            owner.positions
            if call.as_of is None
            else {(it.listing.id, it.slot): it for it in owner.positions_at(call.as_of)}
        )
        slots = (Slot.LONG, Slot.SHORT) if owner.hedged else (Slot.BOTH,)
        return [
            then.get((listing.id, slot)) or flat_position(owner, listing, slot) for slot in slots
        ]

    def _position(self, call: Call) -> Reply:
        """One position; in dual mode the venue was seen to answer with both, undocumented."""
        listing = named_listing(self._market, call)
        if isinstance(listing, Reply):
            return listing
        rows = [self._row(call, it) for it in self._slots(call, listing)]
        return answered(call, rows if call.owner.hedged else rows[0])

    def _both(self, call: Call) -> Reply:
        listing = named_listing(self._market, call)
        if isinstance(listing, Reply):
            return listing
        return answered(call, [self._row(call, it) for it in self._slots(call, listing)])

    def _changed(self, call: Call) -> Reply:
        """What the endpoints that change a position answer: it, or both in dual mode."""
        return self._both(call) if "/dual_comp/" in call.path else self._position(call)

    def _set_leverage(self, call: Call) -> Reply:
        """`leverage` 0 is crossed margin, which `cross_leverage_limit` then limits."""
        listing, wanted = named_listing(self._market, call), call.number("leverage")
        limit = call.number("cross_leverage_limit") or ZERO
        if isinstance(listing, Reply):
            return listing
        if wanted is None:
            return missing("leverage")
        if (refusal := read_only(call)) is not None:
            return refusal
        if max(wanted, limit) > MOST_LEVERAGE:
            return error("LEVERAGE_TOO_HIGH", f"leverage is limited to {MOST_LEVERAGE}")
        if wanted < 0 or (wanted and limit):
            return error("LEVERAGE_TOO_LOW", "leverage must not be negative")
        if wanted:
            call.owner.isolated.add(listing.id)
        else:
            call.owner.isolated.discard(listing.id)
        level = wanted or limit or Decimal(10)
        self._market.set_leverage(call.owner, listing, level)
        return self._changed(call)

    def _set_cross_mode(self, call: Call) -> Reply:
        listing, mode = named_listing(self._market, call), call.params.get("mode", "").upper()
        if isinstance(listing, Reply):
            return listing
        if mode not in ("CROSS", "ISOLATED"):
            return invalid("mode")
        if (refusal := read_only(call)) is not None:
            return refusal
        if mode == "CROSS":
            call.owner.isolated.discard(listing.id)
        else:
            call.owner.isolated.add(listing.id)
        return self._changed(call)

    def _add_margin(self, call: Call) -> Reply:
        listing, change = named_listing(self._market, call), call.number("change")
        if isinstance(listing, Reply):
            return listing
        if change is None:
            return missing("change")
        if (refusal := read_only(call)) is not None:
            return refusal
        if listing.id not in call.owner.isolated:
            return error("POSITION_CROSS_MARGIN", "margin of a crossed position does not change")
        slots = self._slots(call, listing)
        position = slots[-1] if call.params.get("dual_side") == "dual_short" else slots[0]
        if not position.size:
            return error("POSITION_EMPTY", "position is empty")
        if change > available(call.owner, listing.instrument.settle, self._market.prices):
            return error("INSUFFICIENT_AVAILABLE", "balance not enough")
        if -change > position.added_margin:
            return error("REMOVE_TOO_MUCH", "more than what was added")
        position.added_margin += change
        self._market.clearing.changed(call.owner, position, call.at)
        return self._changed(call)

    def _set_risk_limit(self, call: Call) -> Reply:
        """There is one tier here: its limit is taken and changes nothing."""
        listing = named_listing(self._market, call)
        if isinstance(listing, Reply):
            return listing
        if call.number("risk_limit") is None:
            return missing("risk_limit")
        return self._changed(call)

    def _set_dual_mode(self, call: Call) -> Reply:
        wanted = call.params.get("dual_mode", "").lower()
        if wanted not in ("true", "false"):
            return missing("dual_mode")
        return self._switch(call, hedged=wanted == "true")

    def _set_mode(self, call: Call) -> Reply:
        wanted = call.params.get("position_mode", "")
        if wanted not in ("single", "dual"):
            return invalid("position_mode")
        return self._switch(call, hedged=wanted == "dual")

    def _switch(self, call: Call, *, hedged: bool) -> Reply:
        if (refusal := read_only(call)) is not None:
            return refusal
        if call.owner.hedged is hedged:
            return error("NO_CHANGE", "no change is made")
        try:
            self._market.set_mode(call.owner.name, hedged=hedged)
        except ValueError as held:
            return error("POSITION_HOLDING", str(held))
        return self._account(call)

    def _executions(self, call: Call) -> list[Execution]:
        named = call.params.get("contract", "")
        return [
            fill
            for history in call.owner.executions.values()
            for fill in call.told(history, lambda it: it.at)
            if belongs(fill.listing, call) and named in ("", fill.listing.id)
        ]

    def _fills(self, call: Call) -> Reply:
        return self._fills_page(call, "id")

    def _fills_of_range(self, call: Call) -> Reply:
        return self._fills_page(call, "trade_id")

    def _fills_page(self, call: Call, id_name: str) -> Reply:
        """Newest first. What a delivery closed is no trade: /settlements has it."""
        page = page_of(call)
        if isinstance(page, Reply):
            return page
        since, until = _range(call)
        order = call.params.get("order", "")
        found = [
            fill
            for fill in self._executions(call)
            if since <= seconds(fill.at) <= until
            and fill.kind is not FillKind.DELIVERY
            and order in ("", fill.order_id)
            and call.params.get("role") in (None, "", "maker" if fill.maker else "taker")
        ]
        found.sort(key=_newest, reverse=True)
        return answered(call, page.of([trade_row(it, call.owner, id_name) for it in found]))

    def _settlements(self, call: Call) -> Reply:
        """What deliveries closed, newest first."""
        page = page_of(call)
        if isinstance(page, Reply):
            return page
        found = [it for it in self._executions(call) if it.kind is FillKind.DELIVERY]
        rows: list[Row] = [
            {
                "time": seconds(it.at),
                "contract": it.listing.id,
                "leverage": text(call.owner.leverage_of(it.listing.id)),
                "size": it.quantity if it.side == "sell" else -it.quantity,
                "margin": "0",
                "entry_price": text(it.price - it.pnl / it.quantity),
                "settle_price": text(it.price),
                "profit": text(it.pnl),
                "fee": text(it.fee),
            }
            for it in sorted(found, key=_newest, reverse=True)
        ]
        return answered(call, page.of(rows))

    def _closed(self, call: Call) -> Reply:
        """Positions that ended, newest first: one record each, whatever closed it."""
        page, named = page_of(call), call.params.get("contract", "")
        if isinstance(page, Reply):
            return page
        side = call.params.get("side", "")
        if side not in ("", *Side):
            return invalid("side")
        since, until = _range(call)
        traded = {
            history[0].listing.id: history[0].listing
            for history in call.owner.executions.values()
            if history and belongs(history[0].listing, call)
        }
        found = [
            ended
            for listing in traded.values()
            if named in ("", listing.id)
            for ended in call.told(ended_positions(call.owner, listing), lambda it: it.ended_at)
            if since <= seconds(ended.ended_at) <= until and side in ("", ended.side)
        ]
        found.sort(key=lambda it: it.ended_at, reverse=True)
        return answered(call, page.of([close_row(it) for it in found]))


def _unknown_user(call: Call) -> Reply | None:
    """Gate opens an account of a settle currency with the first transfer into it."""
    if settle_of(call) in call.owner.wallet:
        return None
    return error("USER_NOT_FOUND", "please transfer funds first to create futures account")


def _newest(fill: Execution) -> tuple[object, int]:
    return fill.at, fill.sequence


def _range(call: Call) -> tuple[int, int]:
    """The window that a call names, in seconds, both ends within it."""
    until = call.integer("to", seconds(call.at) + 1)
    since = call.integer("from", seconds(instant(until) - RECENT))
    return since, until
