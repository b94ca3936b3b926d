"""Stops and take-profits that wait for their parent order (grouping `normalTpsl`).

They are orders with ids of their own, and stand in the list of open orders as well as in their
parent's `children`, but nothing looks at their price before the parent has filled whole. They end
with a parent that is cancelled; of two that were placed, one that fires ends the other. Source:
the page "Take profit and stop loss orders" of the venue's documentation.
"""

from __future__ import annotations

from datetime import datetime

from simulator.market import Market
from simulator.state import Account, MarketEvent, Order, OrderChanged, OrderSpec, State


class Children:
    """Which orders wait for which."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._of: dict[str, list[Order]] = {}
        self._siblings: dict[str, list[Order]] = {}
        market.listen(self._on_event)

    def add(self, account: Account, parent: Order, spec: OrderSpec, at: datetime) -> None:
        child = self._market.clearing.new_order(account, spec, parent.listing, at)
        family = self._of.setdefault(parent.id, [])
        family.append(child)
        for each in family:
            self._siblings[each.id] = family
        self._hide(account, child)
        self._market.clearing.announce(account, child, at)
        if not parent.state.live:
            self._decide(account, parent, at)

    def of(self, parent: Order) -> list[Order]:
        """The children that still wait."""
        return [it for it in self._of.get(parent.id, ()) if it.state.live]

    def waiting(self, account: Account) -> list[Order]:
        """All children of an account that wait for their parents."""
        return [
            child
            for parent, family in self._of.items()
            if parent in account.orders
            for child in family
            if child.state.live
        ]

    def _hide(self, account: Account, child: Order) -> None:
        # Nothing in the market sees it before it is placed.
        account.live.get(child.listing.id, {}).pop(child.id, None)

    def _on_event(self, event: MarketEvent) -> None:
        if not isinstance(event, OrderChanged):
            return
        account, order = event.account, event.order
        if order.id in self._of and not order.state.live:
            self._decide(account, order, event.at)
        elif order.state is State.FILLED and order.id in self._siblings:
            for other in self._siblings.pop(order.id):
                if other is not order and other.state.live:
                    self._market.clearing.end(
                        account, other, State.CANCELED, event.at, "siblingFilledCanceled"
                    )

    def _decide(self, account: Account, parent: Order, at: datetime) -> None:
        for child in self._of.pop(parent.id, []):
            if not child.state.live:
                continue
            if parent.state is State.FILLED:
                account.live.setdefault(child.listing.id, {})[child.id] = child
            else:
                self._market.clearing.end(account, child, State.CANCELED, at, "ParentCanceled")
