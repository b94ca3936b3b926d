"""What people and prices do to the positions that the guard watches.

Left to others: the doing itself (`world.py`), and what goes wrong on the way to the venue.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from simulator import Exchange
from tests.simulation.scene import SYMBOLS
from tests.simulation.trouble import Maker, Trouble


class MarketTroubles(Trouble):
    """A trader beside the bot, a careless bot, the venue's risk engine, and the market."""

    def makers(self) -> list[Maker]:
        return [
            (3, self.closed_by_hand),
            (2, self.more_by_hand),
            (2, self.flipped_by_hand),
            (2, self.an_orphan),
            (2, self.a_slow_open),
            (3, self.liquidation),
            (2, self.price_jump),
            (3, self.thin_book),
        ]

    async def closed_by_hand(self) -> None:
        trade = self.open_trade()
        if trade is not None:
            self.world.hand_closes(trade, self.rng.choice((Decimal(1), Decimal("0.5"))))

    async def more_by_hand(self) -> None:
        trade = self.open_trade()
        if trade is not None:
            self.world.hand_adds(trade)

    async def flipped_by_hand(self) -> None:
        trade = self.open_trade()
        if trade is not None:
            self.world.hand_flips(trade)

    async def liquidation(self) -> None:
        trade = self.open_trade()
        if trade is not None:
            self.world.liquidates(trade)

    async def an_orphan(self) -> None:
        place = self.free_place()
        if place is not None:
            self.trades.append(self.world.open(*place, self.side(), row=False))
            self.world.happened["orphan opened"] += 1

    async def a_slow_open(self) -> None:
        """The bot writes its row a few seconds before the venue has the position."""
        place = self.free_place()
        if place is not None:
            delay = self.rng.uniform(1.0, 12.0)
            self.trades.append(await self.world.open_slowly(*place, self.side(), delay))

    async def price_jump(self) -> None:
        symbol = self.rng.choice(SYMBOLS)
        listing = self.world.market.listing(Exchange.BYBIT, symbol)
        price = self.world.market.price(Exchange.BYBIT, symbol)
        jump = Decimal(self.rng.randint(-40, 40)) / 1000
        self.world.market.set_price(symbol, listing.to_tick(price * (1 + jump)))
        self.world.happened["price jump"] += 1

    async def thin_book(self) -> None:
        """Orders fill only a few steps at a time, and perhaps seconds later."""
        trade = self.open_trade()
        account, symbol = self.account(), self.rng.choice(SYMBOLS)
        if trade is not None:
            account, symbol = trade.key.account, trade.key.symbol
        exchange = self.world.market.accounts[account].exchange
        step = self.world.market.listing(exchange, symbol).instrument.quantity_step
        self.world.market.set_book_depth(exchange, symbol, step * self.rng.randint(1, 4))
        self.world.market.set_fill_delay(timedelta(seconds=self.rng.choice((0, 1, 6))))
