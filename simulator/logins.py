"""Who an API key is: which account it opens, and whose number that account has.

One account may have several keys (one login under two names), and a key can be made to lead to
another account (a sub-account's key, a stranger's, a key that was replaced). Left to others:
signatures (each protocol), what an account holds (`state.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from messages.values import Secret
from simulator.state import Account

FIRST_UID = 24617703
PASSPHRASE = "demo-passphrase"  # noqa: S105  # opens nothing but the simulated venue
"""Of every key, at exchanges whose keys have one."""


@dataclass(slots=True, eq=False)
class ApiKey:
    """A key, its secret, and the account that it opens now."""

    key: str
    secret: Secret
    account: Account


class Logins:
    """All keys of a market."""

    def __init__(self) -> None:
        self._by_key: dict[str, ApiKey] = {}
        self._uids = 0

    def __contains__(self, key: str) -> bool:
        return key in self._by_key

    def number(self, account: Account) -> None:
        """Give an account its number. The same accounts in the same order get the same ones."""
        account.uid = FIRST_UID + self._uids
        self._uids += 1

    def add(self, account: Account, key: str, secret: Secret) -> ApiKey:
        """Issue a key. Raises ValueError where it is taken."""
        if key in self._by_key:
            raise ValueError(f"key {key!r} is there already")
        self._by_key[key] = ApiKey(key, secret, account)
        return self._by_key[key]

    def find(self, key: str) -> ApiKey | None:
        return self._by_key.get(key)

    def keys_of(self, account: Account) -> list[str]:
        return [it.key for it in self._by_key.values() if it.account is account]

    def lead(self, key: str, account: Account) -> None:
        """Let a key open another account from now on. Raises KeyError for an unknown key."""
        found = self._by_key[key]
        if found.account.exchange is not account.exchange:
            raise ValueError(f"{account.name} is at another exchange than the key")
        found.account = account

    def revoke(self, key: str) -> None:
        """Take a key back: it opens nothing any more. Raises KeyError for an unknown key."""
        del self._by_key[key]
