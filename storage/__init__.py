"""The ledger: what must survive, in SQLite or PostgreSQL. SQL stops at this folder.

Lives here: the tables and their migrations, every query, the meaning of a database's errors,
leases, retention, other people's ledgers (`sources/`), and the bot's side (`bot.py`). Does not
live here: any decision about a position; actors and rules make those.
"""

from storage.errors import LedgerRefused, LedgerUnavailable, StaleLease, StatementRefused
from storage.ledger import Ledger, open_ledger

__all__ = [
    "Ledger",
    "LedgerRefused",
    "LedgerUnavailable",
    "StaleLease",
    "StatementRefused",
    "open_ledger",
]
