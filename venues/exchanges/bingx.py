"""BingX perpetuals. Source: the venue's documentation of its swap API v2."""

from __future__ import annotations

from messages.venue import Instrument, VenueErrorKind
from venues.exchanges.base import (
    STABLE,
    Exchange,
    Facts,
    Order,
    Row,
    RowReading,
    Session,
    Step,
    codes_by_kind,
    is_true,
    signed_row,
)
from venues.strict import Place


class Bingx(Exchange):
    facts = Facts(
        exchange="bingx",
        positions=("/swap/v2/user/positions",),
        places=(
            Place("/swap/v2/user/positions", ("data",)),
            Place("/swap/v2/quote/contracts", ("data",)),
            Place("/swap/v2/trade/openOrders", ("data", "orders")),
        ),
        success=("code", frozenset({"0"})),
        options={"defaultType": "swap"},
        one_call_scope=False,
        settles=frozenset(STABLE),
        size_in_base=True,
        filled_fields=("executedQty",),
        amount_fields=("origQty", "quantity"),
        triggers=(),
    )
    codes = codes_by_kind(
        nothing_to_reduce="101205 101290",
        margin="101204 100202 101253",
        rate_limit="100410 109429",
        no_such_order="80016 109414 109421",
        duplicate_id="101400 101481 109201",
        key="100001 100413 100412",
        rights="100004 100419",
        clock="100421",
        maintenance="80012 100500 100503 109500 110500",
        size="109400 110422 110425",
        price_band="100440",
        not_tradable="100490 109418 109425",
    )
    # The codes of inner services are wrapped, and one code stands for many things.
    phrases_first = (
        ("system is busy", VenueErrorKind.MAINTENANCE),
        ("margin is not enough", VenueErrorKind.MARGIN),
        ("minimum order amount", VenueErrorKind.SIZE),
        ("position not exist", VenueErrorKind.NOTHING_TO_REDUCE),
        ("position does not exist", VenueErrorKind.NOTHING_TO_REDUCE),
        ("less than the available amount", VenueErrorKind.REDUCE_ONLY_RESERVED),
    )

    def read_row(self, row: Row) -> RowReading | None:
        reading = signed_row(row, "positionAmt", "positionSide", ("both",))
        if reading is None:
            return None
        hedged = reading.hedged and not is_true(row.get("onlyOnePosition", ""))
        return RowReading(reading.size, reading.side, hedged)

    def lookup_steps(
        self, session: Session, instrument: Instrument, wanted: str, *, by_id: bool
    ) -> list[Step]:
        async def one() -> list[Order]:
            # ccxt's fetch_order sends `orderId=None` beside our id.
            name = "orderId" if by_id else "clientOrderId"
            body = await session.exchange.swapV2PrivateGetTradeOrder(
                {"symbol": instrument.venue_id, name: wanted}
            )
            order = body["data"]["order"]
            market = session.exchange.market(instrument.symbol)
            return [session.exchange.parse_order(order, market)]

        return [Step(one)]
