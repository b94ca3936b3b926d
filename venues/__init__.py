"""The exchange side: the typed gateway on ccxt, and the simulated venue.

Lives here: what differs between exchanges, and everything that knows ccxt; its dicts end here.
Does not live here: verdicts, what to do about a refusal, sending an order again.
"""
