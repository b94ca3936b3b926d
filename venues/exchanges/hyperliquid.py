"""Hyperliquid: the main dex's perpetuals. Source: the venue's documentation of /info and /exchange.

The settings' key is the account's address, the secret an API wallet's private key. Reads go by
the address, actions by who signed them: that the one is the other's is proved before anything is
signed.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from messages.budget import LimitScope
from messages.values import ZERO, Side
from messages.venue import (
    ClosedPosition,
    FillKind,
    Identity,
    Instrument,
    InstrumentStatus,
    KeyRights,
    NotTold,
    OrderRequest,
    PriceKind,
    VenueErrorKind,
)
from venues.exchanges.base import Exchange
from venues.exchanges.reading import ending, is_true, other_id, raw_of, rows_of, signed_row
from venues.exchanges.values import (
    Ask,
    Asked,
    Charge,
    Facts,
    LegPush,
    Limit,
    Order,
    OrderPush,
    PriceList,
    Row,
    RowReading,
    Session,
    Step,
    Trade,
)
from venues.numbers import decimal_or_none
from venues.strict import CannotTellError, MalformedReplyError, Place, Reply, WrongAccountError

_WEIGHT = Limit("weight", LimitScope.ADDRESS, "weight", 60.0, 1200.0)
_LIGHT = (
    "l2Book",
    "allMids",
    "clearinghouseState",
    "orderStatus",
    "spotClearinghouseState",
    "exchangeStatus",
)
_BY_LENGTH = ("userFills", "userFillsByTime", "historicalOrders", "userFunding", "recentTrades")
"""Twenty items of the answer weigh one more."""
_MOST_FILLS = 10_000
_KINDS = (
    ("liquidat", FillKind.LIQUIDATION),
    ("auto-delever", FillKind.ADL),
    ("settlement", FillKind.SETTLEMENT),
)
"""`dir` of a fill."""
_CANONICAL = re.compile(r"[0-9a-f]{28}")
_ID_TAIL = "0000"
_PROVED = "provedWallet"
_TABLES = ("hip3TokensByName", "cachedCurrenciesById")


async def _no_builder() -> bool:
    """In place of an approval of ccxt's own builder: none is wanted in our orders."""
    return False


async def _role(exchange: Any, address: str) -> tuple[str, Mapping[str, Any]]:
    """What an address is (`userRole`), and whose. Raises `MalformedReplyError`."""
    body = await exchange.publicPostInfo({"type": "userRole", "user": address})
    role = body.get("role") if isinstance(body, Mapping) else None
    data = body.get("data") if isinstance(body, Mapping) else None
    if role not in ("user", "subAccount", "vault", "agent", "missing"):
        raise MalformedReplyError("what the address is, role, is not told")
    return role, data if isinstance(data, Mapping) else {}


async def _own_role(exchange: Any) -> tuple[str, Mapping[str, Any]]:
    """What the account's own address is. Raises `WrongAccountError` for one that has no account.

    With such an address every read answers well, and shows an empty account.
    """
    role, data = await _role(exchange, exchange.walletAddress.lower())
    if role == "agent":
        whose = other_id(data.get("user")) or "another"
        raise WrongAccountError(f"`key` is an API wallet's address; the account's is {whose}")
    if role == "missing":
        raise WrongAccountError("`key` is the address of no account of the venue")
    return role, data


async def _prove_wallet(exchange: Any) -> bool:
    """Whether the secret is the account's own key, and not an API wallet's. Asked once.

    An action is done for whoever the signer belongs to, whatever address is read: one signed by a
    stranger's wallet would reduce a stranger's position. A sub-account or vault is named in the
    action, or it would be the main account's. Raises `WrongAccountError`, `MalformedReplyError`.
    """
    known = exchange.options.get(_PROVED)
    if isinstance(known, bool):
        return known
    address = exchange.walletAddress.lower()
    role, data = await _own_role(exchange)
    acting = address
    if role == "subAccount":
        acting = other_id(data.get("master")).lower()
    elif role == "vault":
        vault = await exchange.publicPostInfo({"type": "vaultDetails", "vaultAddress": address})
        acting = other_id(vault.get("leader") if isinstance(vault, Mapping) else None).lower()
    if not acting:
        raise MalformedReplyError("whose sub-account or vault the address is, is not told")
    try:
        wallet = str(exchange.eth_get_address_from_private_key(exchange.privateKey)).lower()
    except ValueError:
        # Without its cause, which may quote the secret.
        raise WrongAccountError("`secret` is not a private key") from None
    if wallet != acting:
        of_wallet, whose = await _role(exchange, wallet)
        if of_wallet != "agent" or other_id(whose.get("user")).lower() != acting:
            raise WrongAccountError(
                f"`secret` is the key of {wallet}, which is no API wallet of the account of `key`"
            )
    if acting != address:
        exchange.options["vaultAddress"] = address
    own = bool(wallet == acting)
    exchange.options[_PROVED] = own
    return own


class _Contexts(PriceList):
    """Contracts and their prices come as two lists of one order."""

    async def read(self, exchange: Any) -> list[tuple[str, dict[str, Any]]]:
        body = await exchange.publicPostInfo({"type": "metaAndAssetCtxs"})
        if not (isinstance(body, list) and len(body) == 2 and isinstance(body[0], Mapping)):
            raise MalformedReplyError("the contracts' contexts are not two lists")
        named, contexts = body[0].get("universe"), body[1]
        if not (isinstance(named, list) and isinstance(contexts, list)):
            raise MalformedReplyError("the contracts' contexts are not two lists")
        if len(named) != len(contexts) or not all(
            isinstance(each, Mapping) for each in (*named, *contexts)
        ):
            raise MalformedReplyError("the contracts' contexts do not fit the contracts")
        return [
            (str(each.get("name")), _prices_of(context))
            for each, context in zip(named, contexts, strict=True)
        ]


def _prices_of(context: Row) -> dict[str, Any]:
    impact = context.get("impactPxs")
    bid, ask = impact if isinstance(impact, list) and len(impact) == 2 else (None, None)
    return {"bid": bid, "ask": ask, "mark": context.get("markPx")}


_CONTEXTS = _Contexts("", Place("/info#metaAndAssetCtxs", ()), "name", {})


class Hyperliquid(Exchange):
    facts = Facts(
        exchange="hyperliquid",
        positions=("/info#clearinghouseState",),
        places=(
            Place("/info#clearinghouseState", ("assetPositions",)),
            Place("/info#frontendOpenOrders", ()),
            Place("/info#openOrders", ()),
            Place("/info#historicalOrders", ()),
            Place("/info#userFills", ()),
            Place("/info#userFillsByTime", ()),
        ),
        options={
            # With a private key ccxt would sign and send a referral and a builder's approval.
            "refSet": True,
            "approvedBuilderFee": False,
            "builderFee": False,
            "fetchMarkets": {"types": ["swap"]},
            # A second account takes these tables from the first, and stumbles where there are none.
            **{name: {} for name in _TABLES},
        },
        # Main dex only: builders' dexes settle in USDC as well, and are not in this read.
        listed_only=True,
        filled_fields=("sz", "origSz"),
        amount_fields=("origSz", "sz"),
        triggers=(),
        wallet=True,
        fill_page=2000,
        account_fills=True,
        keeps_closed=True,
        cancels_by_kind=False,
        streams=True,
        stream_topics=2,
    )
    phrases = (
        ("reduce only order would increase position", VenueErrorKind.NOTHING_TO_REDUCE),
        ("insufficient margin to place order", VenueErrorKind.MARGIN),
        ("never placed, already canceled, or filled", VenueErrorKind.NO_SUCH_ORDER),
        ("unknownoid", VenueErrorKind.NO_SUCH_ORDER),
        ("user or api wallet", VenueErrorKind.KEY),
        ("minimum value of", VenueErrorKind.SIZE),
        ("invalid size", VenueErrorKind.SIZE),
        ("zero size", VenueErrorKind.SIZE),
        ("divisible by tick size", VenueErrorKind.PRICE_BAND),
        ("could not immediately match", VenueErrorKind.PRICE_BAND),
        ("no liquidity available", VenueErrorKind.PRICE_BAND),
        ("invalid tp/sl price", VenueErrorKind.PRICE_BAND),
        ("post only order would have immediately matched", VenueErrorKind.PRICE_BAND),
        ("away from the reference price", VenueErrorKind.PRICE_BAND),
        ("too many cumulative requests", VenueErrorKind.RATE_LIMIT),
        ("duplicate cloid", VenueErrorKind.DUPLICATE_ID),
        ("vault not registered", VenueErrorKind.KEY),
        ("must deposit before", VenueErrorKind.KEY),
        ("invalid nonce", VenueErrorKind.CLOCK),
        ("trading is halted", VenueErrorKind.NOT_TRADABLE),
        ("invalid asset", VenueErrorKind.NOT_TRADABLE),
    )

    def adjust(self, exchange: Any) -> None:
        exchange.handle_builder_fee_approval = _no_builder

        async def proved() -> bool:
            await _prove_wallet(exchange)
            return True

        # ccxt awaits this before it signs an order or a cancel; what it does itself there is to
        # approve a builder, to set a referrer, and to ask how the account is unified.
        exchange.initialize_client = proved
        indexed = exchange.set_markets

        def named(*args: Any) -> Any:
            # ccxt's ids are asset numbers; the venue's own rows name the coin.
            markets = indexed(*args)
            for market in list(exchange.markets.values()):
                exchange.markets_by_id.setdefault(market["baseName"], [market])
            return markets

        exchange.set_markets = named

    limits = (_WEIGHT,)

    def charges(self, asked: Asked) -> tuple[Charge, ...]:
        """Page "Rate limits and user limits": 1,200 a minute an address. No header tells of it.

        What an address may act goes by what it has traded; nobody can know that here.
        """
        if asked.path != "info":
            return (Charge(_WEIGHT, 1.0),)
        kind = str(asked.param("type"))
        return (Charge(_WEIGHT, 60.0 if kind == "userRole" else 2.0 if kind in _LIGHT else 20.0),)

    def charges_after(self, asked: Asked, reply: Reply) -> tuple[Charge, ...]:
        if str(asked.param("type")) not in _BY_LENGTH or not isinstance(reply.body, list):
            return ()
        return (Charge(_WEIGHT, float(len(reply.body) // 20)),)

    async def identity(self, session: Session) -> Identity | NotTold:
        """`userRole`: the address itself, unless it is an agent's, or nobody's.

        With such an address every read answers well, and shows an empty account.
        """
        address = session.settings.key.reveal().lower()
        role, data = await _own_role(session.exchange)
        main = other_id(data.get("master")).lower()
        return Identity(id=address, sub_account=role == "subAccount", main_id=main)

    async def key_rights(self, session: Session) -> KeyRights:
        """An API wallet trades and cannot withdraw; the account's own key can do everything."""
        own = await _prove_wallet(session.exchange)
        return KeyRights(read=True, trade=True, withdraw=own)

    def price_lists(self, settles: tuple[str, ...], kinds: frozenset[PriceKind]) -> list[PriceList]:
        """`metaAndAssetCtxs`: what is paid for a usual size (impactPxs), and the mark price.

        No list has the last trades' prices.
        """
        return [] if PriceKind.LAST in kinds else [_CONTEXTS]

    def market_status(self, market: Mapping[str, Any]) -> InstrumentStatus:
        ended = is_true(market["info"].get("isDelisted"))
        return InstrumentStatus.DELISTING if ended else InstrumentStatus.TRADING

    def read_row(self, row: Row) -> RowReading | None:
        entry = row.get("position")
        return signed_row(entry, "szi", "", ()) if isinstance(entry, Mapping) else None

    def symbol_of(self, session: Session, name: str) -> str | None:
        return str(session.exchange.coin_to_market_id(name))

    def to_venue_id(self, canonical: str) -> str:
        """0x and 32 hex characters."""
        return f"0x{canonical}{_ID_TAIL}" if _CANONICAL.fullmatch(canonical) else canonical

    def from_venue_id(self, written: str) -> str:
        inner = written.removeprefix("0x")[: -len(_ID_TAIL)]
        return inner if written.endswith(_ID_TAIL) and _CANONICAL.fullmatch(inner) else written

    def leg_params(self, order: OrderRequest) -> dict[str, Any]:
        # One-way only.
        return {}

    def lookup_steps(
        self, session: Session, instrument: Instrument, wanted: str, *, by_id: bool
    ) -> list[Step]:
        async def one() -> list[Order]:
            return await self.one_order(session, instrument, wanted, by_id=by_id)

        return [Step(one)]

    def protecting(self, orders: list[Order]) -> list[Order]:
        """The children of an order are placed when it fills, and protect nothing before."""
        waiting = {
            str(child.get("oid"))
            for order in orders
            for child in rows_of(raw_of(order).get("children"))
        }
        return [order for order in orders if str(order.get("id")) not in waiting]

    def corrected(self, order: Order) -> Order:
        # The one word for a cancelled order that ccxt does not know.
        ended = order.get("status") == "scheduledCancel"
        return {**order, "status": "canceled"} if ended else order

    def fill_kind(self, session: Session, raw: Row, client_order_id: str) -> FillKind:
        liquidation, does = raw.get("liquidation"), str(raw.get("dir") or "").lower()
        if isinstance(liquidation, Mapping):
            # It stands in the fills of both sides, and names the one who was liquidated.
            whose = str(liquidation.get("liquidatedUser") or "").lower()
            ours = not whose or whose == session.settings.key.reveal().lower()
            return FillKind.LIQUIDATION if ours else FillKind.TRADE
        return next((kind for word, kind in _KINDS if word in does), FillKind.TRADE)

    async def fill_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[Trade], str]:
        """`userFillsByTime`: the whole account's, from a time on, as many as fit in a reply."""
        at, before = (int(part) for part in (ask.at or f"{ask.start_ms} 0").split())
        await session.exchange.fetch_my_trades(instrument.symbol, at, None)
        # The parts of one order come as they were filled, whichever way the times go.
        trades = sorted(self.trades_taken(session, instrument), key=lambda it: it["timestamp"])
        rows = self.rows_taken()
        read = before + len(rows)
        if read >= _MOST_FILLS:
            raise CannotTellError(
                f"the venue keeps the last {_MOST_FILLS} fills only; older ones may be gone"
            )
        if len(rows) < self.facts.fill_page:
            return trades, ""
        times = [decimal_or_none(row.get("time")) for row in rows]
        newest = max(time for time in times if time is not None)
        return trades, f"{newest} {read}"

    def fill_closed(self, raw: Row) -> Decimal | None:
        """What of a fill brought `startPosition` (signed) nearer to zero."""
        start, size = decimal_or_none(raw.get("startPosition")), decimal_or_none(raw.get("sz"))
        if start is None or size is None:
            return None
        reduces = (start > 0) == (raw.get("side") == "A")
        return min(size, abs(start)) if reduces and start else ZERO

    def fill_pnl(self, raw: Row) -> Decimal | None:
        return decimal_or_none(raw.get("closedPnl"))

    async def closed_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[ClosedPosition], str]:
        """The venue keeps none, but each fill tells what it closed, of what, and for how much."""
        trades, following = await self.fill_page(session, instrument, ask)
        records = []
        for trade in trades:
            raw = trade["info"]
            start, closed = decimal_or_none(raw.get("startPosition")), self.fill_closed(raw)
            if not start or not closed:
                continue
            records.append(
                ending(
                    instrument,
                    record_id=f"{raw.get('tid')} {raw.get('oid')}",
                    side=Side.LONG if start > 0 else Side.SHORT,
                    size=closed,
                    ended=raw.get("time"),
                    price=raw.get("px"),
                    pnl=raw.get("closedPnl"),
                    order_id=raw.get("oid"),
                    kind=self.fill_kind(session, raw, ""),
                    whole=closed == abs(start),
                )
            )
        return records, following

    def fill_fee(self, trade: Trade, raw: Row) -> tuple[Any, str | None]:
        # The fee includes the builder's, which ccxt adds once more.
        _, currency = super().fill_fee(trade, raw)
        return decimal_or_none(raw.get("fee")), currency

    def prepare_stream(self, exchange: Any) -> None:
        # The pushed list of positions leaves out a leg that is closed; each fill tells the leg that
        # it found, and so what became of it.
        exchange.watch_positions = exchange.watch_my_trades
        # ccxt reads a frame's errors as if they were a reply's, which our check of replies takes
        # for an empty one. This instance asks nothing over HTTP.
        exchange.handle_errors = functools.partial(type(exchange).handle_errors, exchange)

    def read_push(self, message: Mapping[str, Any]) -> list[LegPush | OrderPush] | None:
        """The channels `userFills` and `orderUpdates`."""
        channel, data = message.get("channel"), message.get("data")
        if channel == "userFills":
            told = data if isinstance(data, Mapping) else {}
            # The first message has the last fills of before.
            fills = [] if is_true(told.get("isSnapshot")) else rows_of(told.get("fills"))
            return [LegPush(row) for row in map(_leg_after, fills) if row is not None]
        if channel != "orderUpdates":
            return None
        return [_order_push(row) for row in rows_of(data)]

    def confirms_subscription(self, message: Mapping[str, Any]) -> bool:
        data = message.get("data")
        confirmed = isinstance(data, Mapping) and data.get("method") == "subscribe"
        return message.get("channel") == "subscriptionResponse" and confirmed


def _leg_after(fill: Row) -> Row | None:
    """The leg as a fill leaves it, in the names of a position's row."""
    start, size = decimal_or_none(fill.get("startPosition")), decimal_or_none(fill.get("sz"))
    side = {"B": 1, "A": -1}.get(str(fill.get("side")))
    if start is None or size is None or side is None:
        return None
    coin = fill.get("coin")
    return {"symbol": coin, "position": {"coin": coin, "szi": str(start + side * size)}}


def _order_push(row: Row) -> OrderPush:
    order = row.get("order")
    order = order if isinstance(order, Mapping) else {}
    amount, left = decimal_or_none(order.get("origSz")), decimal_or_none(order.get("sz"))
    status = row.get("status")
    return OrderPush(
        symbol=order.get("coin"),
        order_id=order.get("oid"),
        client_id=order.get("cloid"),
        status="canceled" if status == "scheduledCancel" else status,
        amount=order.get("origSz"),
        filled=None if amount is None or left is None else str(amount - left),
    )
