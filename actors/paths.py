"""Where each actor lives in the tree: the one place that spells a path."""

from __future__ import annotations

from messages.values import LegKey

LEDGER = "ledger"
ALERTS = "alerts"
DELIVERY = "delivery"
BOT = "bot"
KEEPER = "keeper"
ACCOUNTS = "accounts"
PRICES = "prices"


def account(name: str) -> str:
    return f"{ACCOUNTS}/{name}"


def account_of(path: str) -> str:
    """The account that an actor belongs to; empty for those that belong to none."""
    top, _, rest = path.partition("/")
    return rest.partition("/")[0] if top == ACCOUNTS else ""


def prices(name: str) -> str:
    """The prices of one exchange, by the name that `actors.tree` gives it."""
    return f"{PRICES}/{name}"


def exchange(name: str) -> str:
    return f"{ACCOUNTS}/{name}/exchange"


def orphans(name: str) -> str:
    return f"{ACCOUNTS}/{name}/orphans"


def reconciliation(name: str) -> str:
    return f"{ACCOUNTS}/{name}/reconciliation"


def aged(name: str) -> str:
    """The supervisor of an account's aged legs."""
    return f"{ACCOUNTS}/{name}/aged"


def aged_scan(name: str) -> str:
    return f"{ACCOUNTS}/{name}/aged/scan"


def aged_leg(key: LegKey) -> str:
    return f"{ACCOUNTS}/{key.account}/aged/{key.actor_name}"
