"""The exchange side: the typed gateway on ccxt, and the simulated venue."""
