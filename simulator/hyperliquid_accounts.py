"""Whose address an address is: accounts, sub-accounts, vaults, and the API wallets that sign.

An account's key is its address, and the secret that goes with it the private key of an API wallet
(an agent) which the account, or its main account, has approved. Reads name any address, and show
an empty account for one that has nothing; actions are the signer's own account's, unless they name
a sub-account or vault of it.
"""

from __future__ import annotations

import itertools

from messages.values import Secret
from simulator.hyperliquid_keys import address_of
from simulator.instruments import Exchange
from simulator.market import Market
from simulator.state import Account
from simulator.wire import Row


class Addresses:
    """All addresses of a market. `vaults` are the names of accounts that are vaults."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self.vaults: set[str] = set()
        self.abstraction: dict[str, str] = {}
        """How an account is unified (`unifiedAccount`, `portfolioMargin`), by its name."""

    def _accounts(self) -> list[Account]:
        every = self._market.accounts.values()
        return [it for it in every if it.exchange is Exchange.HYPERLIQUID]

    def _keys(self) -> list[tuple[str, str, Account]]:
        """Each address with its API wallet's address and the account that it opens."""
        found = (
            self._market.logins.find(key)
            for account in self._accounts()
            for key in self._market.logins.keys_of(account)
        )
        return [
            (it.key.lower(), address_of(it.secret.reveal()), it.account)
            for it in found
            if it is not None
        ]

    def read(self, address: str) -> Account:
        """What is shown under an address: an empty account where there is none."""
        for known, _, account in self._keys():
            if known == address.lower():
                return account
        return Account(
            name="", exchange=Exchange.HYPERLIQUID, key=address.lower(), secret=Secret("")
        )

    def signer(self, address: str) -> Account | None:
        """The account that an address may act for: its own, or the one that approved it."""
        known = self._keys()
        # An API wallet of a sub-account is one of its main account's.
        by_wallet = [account for _, wallet, account in known if wallet == address]
        own = [account for key, _, account in known if key == address]
        found = next(iter(own + sorted(by_wallet, key=lambda it: bool(it.master))), None)
        if found is not None and found.master and not own:
            return self._main(found) or found
        return found

    def acts_for(self, signer: Account, address: str) -> Account | None:
        """The sub-account or vault that a signer's action names; None where it may not."""
        named = self.read(address)
        return named if named.name and named.master == signer.uid else None

    def _main(self, account: Account) -> Account | None:
        return next((it for it in self._accounts() if it.uid == account.master), None)

    def role(self, address: str) -> Row:
        """The answer of `userRole`."""
        account = self.read(address)
        if not account.name:
            owner = self.signer(address.lower())
            if owner is not None:
                return {"role": "agent", "data": {"user": owner.key.lower()}}
            return {"role": "missing"}
        if account.name in self.vaults:
            return {"role": "vault"}
        main = self._main(account)
        if main is not None:
            return {"role": "subAccount", "data": {"master": main.key.lower()}}
        return {"role": "user"}

    def vault(self, address: str) -> Row | None:
        """The answer of `vaultDetails`, as far as it is about who leads it."""
        account = self.read(address)
        if account.name not in self.vaults:
            return None
        leader = self._main(account)
        return {
            "name": account.name,
            "vaultAddress": account.key.lower(),
            "leader": "" if leader is None else leader.key.lower(),
            "description": "",
            "followers": [],
            "leaderCommission": 0.1,
            "isClosed": False,
            "allowDeposits": True,
            "relationship": {"type": "normal"},
        }

    def agents(self, account: Account) -> list[Row]:
        """The answer of `extraAgents`: the wallets that an account approved by name."""
        wallets = dict.fromkeys(
            wallet for key, wallet, owner in self._keys() if owner is account and wallet != key
        )
        return [
            {"name": f"wallet {at}", "address": wallet, "validUntil": 4_102_444_800_000}
            for at, wallet in zip(itertools.count(1), filter(None, wallets))
        ]

    def subs(self, account: Account) -> list[Account]:
        return [
            it
            for it in self._accounts()
            if it.master and it.master == account.uid and it.name not in self.vaults
        ]
