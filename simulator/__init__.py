"""The simulated venue: a market in memory, and the protocols that let real clients talk to it.

Here live the market, its faults, the HTTP and WebSocket faces of Bybit v5 and Binance USD-M, and
an in-process face for deterministic simulation. Not here: anything of the guard itself. Nothing
outside this folder knows that a venue is simulated.
"""

from simulator.faults import Fault, FaultBook, FaultKind
from simulator.instruments import Exchange, Listing, linear
from simulator.market import Market
from simulator.memory import MemoryVenue
from simulator.process import run_forever
from simulator.server import SimulatedVenue
from simulator.views import (
    OrderView,
    PositionView,
    opening_fills,
    order_views,
    position_views,
)
from simulator.world import demo_market

__all__ = [
    "Exchange",
    "Fault",
    "FaultBook",
    "FaultKind",
    "Listing",
    "Market",
    "MemoryVenue",
    "OrderView",
    "PositionView",
    "SimulatedVenue",
    "demo_market",
    "linear",
    "opening_fills",
    "order_views",
    "position_views",
    "run_forever",
]
