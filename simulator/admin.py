"""The operators' side of the simulated venue, under `/admin/…` of localhost: order trouble, trade
by hand, do what exchanges do, look at everything. Only the server decides who is an operator.

Left to others: what a command may say (`admin_words.py`), and `docs/simulator.md` lists them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from messages.values import Secret
from simulator import admin_words as words
from simulator import contracts
from simulator.desk import Answer, Desk
from simulator.faults import Fault, FaultBook
from simulator.instruments import linear
from simulator.market import Market
from simulator.streams import Streams
from simulator.views import account_views, opening_fills, order_views, position_views
from simulator.wire import encode, text

C = TypeVar("C", bound=msgspec.Struct)
Handler = Callable[[bytes], object]


class Admin:
    """Answers operators. Wrong input is 400, an unknown path 404, always as JSON."""

    def __init__(self, market: Market, faults: FaultBook, desk: Desk, streams: Streams) -> None:
        self._market = market
        self._faults = faults
        self._desk = desk
        self._streams = streams
        self._paths: dict[tuple[str, str], Handler] = {
            ("GET", "/admin/faults"): lambda _: faults.standing(),
            ("POST", "/admin/faults"): _takes(Fault, lambda it: {"id": faults.order(it)}),
            ("DELETE", "/admin/faults"): self._clear_faults,
            ("POST", "/admin/positions"): _takes(words.OpenPosition, self._open),
            ("GET", "/admin/positions"): lambda _: position_views(market),
            ("POST", "/admin/close"): _takes(words.CloseByHand, self._close),
            ("POST", "/admin/liquidate"): _takes(words.Leg, self._liquidate),
            ("POST", "/admin/move"): _takes(words.Move, self._move),
            ("POST", "/admin/price"): _takes(words.SetPrice, self._price),
            ("POST", "/admin/depth"): _takes(words.SetDepth, self._depth),
            ("POST", "/admin/listings"): _takes(words.NewListing, self._list),
            ("DELETE", "/admin/listings"): _takes(words.Contract, self._delist),
            ("POST", "/admin/halt"): _takes(words.Halt, self._halt),
            ("POST", "/admin/rules"): _takes(words.Rules, self._rules),
            ("POST", "/admin/rename"): _takes(words.Rename, self._rename),
            ("POST", "/admin/settle"): _takes(words.Settle, self._settle),
            ("GET", "/admin/accounts"): lambda _: account_views(market),
            ("POST", "/admin/accounts"): _takes(words.NewAccount, self._add_account),
            ("POST", "/admin/mode"): _takes(words.Mode, self._mode),
            ("POST", "/admin/keys"): _takes(words.NewKey, self._add_key),
            ("PUT", "/admin/keys"): _takes(words.LeadKey, self._lead_key),
            ("DELETE", "/admin/keys"): _takes(words.RevokeKey, self._revoke_key),
            ("POST", "/admin/limits"): _takes(words.Limits, self._limits),
            ("POST", "/admin/latency"): _takes(words.Latency, self._latency),
            ("POST", "/admin/cut"): _takes(words.Cut, self._cut),
            ("GET", "/admin/counts"): lambda _: desk.log.counts,
            ("GET", "/admin/requests"): lambda _: list(desk.log.requests),
            ("GET", "/admin/orders"): lambda _: order_views(market),
            ("GET", "/admin/openings"): lambda _: len(opening_fills(market)),
            ("GET", "/admin/state"): self._state,
        }

    @property
    def commands(self) -> list[str]:
        """Every command, as "METHOD /path"."""
        return sorted(f"{verb} {name}" for verb, name in self._paths)

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        handler = self._paths.get((method, path))
        if handler is None:
            return Answer(404, encode({"error": f"no {method} {path}", "known": self.commands}))
        try:
            return Answer(200, encode(handler(body)))
        except (msgspec.MsgspecError, ValueError, KeyError) as error:
            return Answer(400, encode({"error": f"{type(error).__name__}: {error}"}))

    def _clear_faults(self, body: bytes) -> object:  # noqa: ARG002  # every path takes a body
        self._faults.clear()
        return {"cleared": True}

    def _open(self, asked: words.OpenPosition) -> object:
        position = self._market.open_position(
            asked.account,
            asked.symbol,
            asked.side,
            asked.quantity,
            asked.price,
            asked.opened_at,
            stop_loss=asked.stop_loss,
            take_profit=asked.take_profit,
            leverage=asked.leverage,
        )
        return {"size": text(position.size)}

    def _close(self, asked: words.CloseByHand) -> object:
        position = self._market.close_by_hand(
            asked.account, asked.symbol, asked.side, asked.quantity, asked.price, kind=asked.kind
        )
        return {"size": text(position.size)}

    def _liquidate(self, leg: words.Leg) -> object:
        return {"size": text(self._market.liquidate(leg.account, leg.symbol, leg.side).size)}

    def _move(self, asked: words.Move) -> object:
        contracts.move_position(
            self._market,
            asked.account,
            asked.symbol,
            asked.side,
            to=asked.to,
            quantity=asked.quantity,
            price=asked.price,
            recorded=asked.recorded,
        )
        return {"moved": True}

    def _price(self, asked: words.SetPrice) -> object:
        self._market.set_price(asked.symbol, asked.price, mark=asked.mark)
        return {"price": text(asked.price)}

    def _depth(self, asked: words.SetDepth) -> object:
        self._market.set_book_depth(asked.exchange, asked.symbol, asked.quantity)
        return {"depth": text(asked.quantity)}

    def _list(self, asked: words.NewListing) -> object:
        listing = linear(
            asked.exchange,
            asked.base,
            asked.price,
            asked.price_step,
            asked.amount_step,
            asked.min_amount,
            asked.max_market,
            settle=asked.settle,
        )
        if self._market.find_symbol(asked.exchange, listing.symbol) is not None:
            raise ValueError(f"{listing.symbol} is listed already")
        self._market.list(listing)
        return {"symbol": listing.symbol}

    def _delist(self, asked: words.Contract) -> object:
        contracts.delist(self._market, asked.exchange, asked.symbol)
        return {"delisted": asked.symbol}

    def _halt(self, asked: words.Halt) -> object:
        act = contracts.halt if asked.halted else contracts.resume
        act(self._market, asked.exchange, asked.symbol)
        return {"halted": asked.halted}

    def _rules(self, asked: words.Rules) -> object:
        given = {
            name: value
            for name, value in msgspec.structs.asdict(asked).items()
            if value is not None and name not in ("exchange", "symbol")
        }
        listing = self._market.listing(asked.exchange, asked.symbol)
        return {"changed": sorted(given)} | {
            "now": contracts.change_instrument(self._market, listing, **given).instrument
        }

    def _rename(self, asked: words.Rename) -> object:
        listing = contracts.rename(
            self._market,
            asked.exchange,
            asked.symbol,
            asked.to,
            venue_id=asked.venue_id,
            ratio=asked.ratio,
        )
        return {"symbol": listing.symbol}

    def _settle(self, asked: words.Settle) -> object:
        closed = contracts.settle(
            self._market,
            asked.exchange,
            asked.symbol,
            asked.price,
            kind=asked.kind,
            recorded=asked.recorded,
            account=asked.account,
        )
        return {"closed": closed}

    def _add_account(self, asked: words.NewAccount) -> object:
        account = self._market.add_account(**msgspec.structs.asdict(asked))
        return {"uid": account.uid}

    def _mode(self, asked: words.Mode) -> object:
        self._market.set_mode(asked.account, hedged=asked.hedged)
        return {"hedged": asked.hedged}

    def _add_key(self, asked: words.NewKey) -> object:
        account = self._market.accounts[asked.account]
        self._market.logins.add(account, asked.key, Secret(asked.secret))
        return {"uid": account.uid}

    def _lead_key(self, asked: words.LeadKey) -> object:
        account = self._market.accounts[asked.account]
        self._market.logins.lead(asked.key, account)
        return {"uid": account.uid}

    def _revoke_key(self, asked: words.RevokeKey) -> object:
        self._market.logins.revoke(asked.key)
        return {"revoked": asked.key}

    def _limits(self, asked: words.Limits) -> object:
        self._desk.enforces_quotas = asked.enforced
        return {"enforced": asked.enforced}

    def _latency(self, asked: words.Latency) -> object:
        if not 0 <= asked.seconds < 60:
            raise ValueError("latency is 0 to 60 seconds")
        self._desk.latency = asked.seconds
        return {"seconds": asked.seconds}

    def _cut(self, asked: words.Cut) -> object:
        self._streams.cut(asked.account)
        return {"cut": True}

    def _state(self, body: bytes) -> object:  # noqa: ARG002  # every path takes a body
        wallets = {
            account.name: {coin: text(amount) for coin, amount in account.wallet.items()}
            for account in self._market.accounts.values()
        }
        return {
            "now": self._market.now(),
            "positions": position_views(self._market),
            "orders": order_views(self._market),
            "wallets": wallets,
            "counts": self._desk.log.counts,
            "faults": self._faults.standing(),
        }


def _takes(kind: type[C], handler: Callable[[C], object]) -> Handler:
    """A handler of raw bodies from one of decoded commands; an empty body is an empty command."""
    return lambda body: handler(msgspec.json.decode(body or b"{}", type=kind))
