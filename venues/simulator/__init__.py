"""The simulated venue: a market in memory, and the protocols that let real clients talk to it.

Here live the market, its faults, the HTTP and WebSocket faces of Bybit v5 and Binance USD-M, and
an in-process face for deterministic simulation. Not here: anything of the guard itself. Nothing
outside this folder knows that a venue is simulated.
"""
