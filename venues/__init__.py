"""The exchange side: the typed gateway on ccxt, and what is particular to each exchange.

Everything that knows ccxt lives here; its dicts end here. Verdicts, what to do about a refusal, and
sending an order again do not.
"""
