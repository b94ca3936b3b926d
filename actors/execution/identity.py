"""Whose login is this? Asked once a life, and held against what the ledger knows of the account.

A key of another account answers every question truthfully, and with somebody else's positions.
"""

from __future__ import annotations

from actors import paths
from actors.context import Context
from actors.ledger_client import ask_ledger, event
from messages.ledger import AlertDraft, EventDraft, IdentityDiffers, IdentityStored, IdentityTaken
from messages.settings import AccountSettings
from messages.to_alerts import RaiseAlert, ResolveAlert
from messages.to_ledger import StoreIdentity
from messages.venue import Identity, NotTold, VenueError
from rules.absence_alerts import identity_changed, identity_key, identity_shared
from venues.port import Venue


class IdentityCheck:
    """One account's. `told` is the venue's word; None: it has not been asked, or did not answer."""

    def __init__(self, context: Context, venue: Venue, account: AccountSettings) -> None:
        self._context = context
        self._venue = venue
        self._account = account
        self.told: str | None = None

    async def ask(self) -> str | None:
        """Why the account is the wrong one; empty where it is not, None to be asked again."""
        match await self._venue.identity():
            case Identity(id=told):
                self.told = told
                return await self._compare(told, replace=False)
            case NotTold():
                self.told = ""
                return ""
            case VenueError() as error:
                self._context.log.warning("The venue does not say whose login this is: {}", error)
                return None

    async def adopt(self, by: str, why: str) -> str:
        """An operator says that it is rightly another one now. Returns why not, or nothing."""
        if not self.told:
            return "the venue has not said whose login this is"
        self._context.log.warning("{} takes {} for this account", by, self.told)
        adopted = event(
            "identity_adopted",
            self._context.now(),
            actor=self._context.path,
            account=self._account.name,
            by=by,
            why=why,
            identity=self.told,
        )
        return await self._compare(self.told, replace=True, adopted=adopted)

    async def _compare(self, told: str, *, replace: bool, adopted: EventDraft | None = None) -> str:
        account = self._account.name
        question = StoreIdentity(
            account=account,
            exchange=self._account.exchange,
            identity=told,
            replace=replace,
            event=adopted,
        )
        match await ask_ledger(self._context, question):
            case IdentityStored():
                self._context.tell(
                    paths.ALERTS,
                    ResolveAlert(
                        dedup_key=identity_key(account), resolution=f"the account is {told}"
                    ),
                )
                return ""
            case IdentityDiffers(stored=stored):
                self._report(identity_changed(account, stored.identity, told))
                return f"it was {stored.identity} and is {told} now"
            case IdentityTaken(other=other):
                self._report(identity_shared(account, other.account, told))
                return f"it is the same login as {other.account}"

    def _report(self, draft: AlertDraft) -> None:
        self._context.log.critical("{}: {}", draft.title, draft.seen)
        self._context.tell(paths.ALERTS, RaiseAlert(draft=draft))
