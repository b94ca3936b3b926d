"""Whose login is each account's key, and are its positions those that the ledger speaks of?

A key of another account answers every question truthfully, and with somebody else's positions.
What the running guard does about one is `rules.suspicion` and `actors.execution.identity`.
"""

from __future__ import annotations

from console.doctor.checks import Book, Check, failure, ok, warning
from messages.settings import AccountSettings
from messages.venue import Connected, Identity, NotTold, Snapshot, VenueError
from rules.legs import ledger_legs
from rules.suspicion import MANY, may_be_another_account
from rules.symbols import SymbolIndex
from venues.port import Venue

_WHOSE = (
    "check that the key, and the sub-account or address that it stands for, is the one that the"
    " bot trades with"
)


class Logins:
    """Those of one configuration, met one account after the other."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._met: dict[tuple[str, str, str], str] = {}

    async def check(self, venue: Venue, account: AccountSettings) -> Check:
        """Whose login the venue says it is; nobody else's here, and nobody else's than before."""
        name = f"{account.name} login"
        match await venue.identity():
            case NotTold(why=why):
                return ok(
                    name, "the exchange does not tell whose it is" + (f": {why}" if why else "")
                )
            case VenueError() as error:
                return warning(name, f"the exchange does not say whose it is: {error}", _WHOSE)
            case Identity(id=told):
                return self._known(name, account, told)

    def _known(self, name: str, account: AccountSettings, told: str) -> Check:
        other = self._met.setdefault((account.exchange, account.connect or "", told), account.name)
        if other != account.name:
            return failure(
                name,
                f"{account.name} and {other} are one login, {told}: each would close the other's"
                " positions",
                f"take one of the two out, or give {account.name} its own key",
            )
        stored = self._book.identities.get(account.name, told)
        if stored != told:
            return failure(
                name,
                f"the exchange says that this key is of {told}; so far {account.name} was {stored}",
                f"{_WHOSE}; if the change is meant: adopt-identity {account.name} once it runs",
            )
        return ok(name, f"it is {told}")

    def compare(self, name: str, connected: Connected, snapshot: Snapshot) -> Check:
        """The ledger's rows against a complete read of the account."""
        view = ledger_legs(self._book.rows, name, SymbolIndex(connected.instruments))
        rows = sum(len(leg.rows) for leg in view.legs.values()) + len(view.unusable)
        expected = view.unclear_legs.union(view.legs)
        shown = len(expected.intersection(position.key for position in snapshot.positions))
        missing = len(expected) - shown
        said = f"{rows} rows, {shown} legs"
        if not missing:
            return ok(f"{name} rows", f"{said} of theirs are open")
        if missing >= MANY and may_be_another_account(missing=missing, shown=shown):
            return failure(f"{name} rows", f"{said}: whose key is this?", _WHOSE)
        return warning(
            f"{name} rows",
            f"{said} of theirs are open, {missing} not",
            "closed at the exchange and not in the ledger, perhaps: `run` judges them",
        )
