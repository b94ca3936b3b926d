"""What people are told of legs that are gone without a word, and of what cannot be judged.

As in `rules.alerts`: one function for each alert, which takes facts and decides nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from messages.ledger import Alert, AlertDraft, AlertLevel, AlertType, LedgerLeg
from messages.values import LegKey
from messages.venue import VenuePosition
from messages.verdict import Unexplained

SHOWN = 10
"""So many legs are named in an alert; of the others it says how many there are."""


def unexplained_key(leg: LedgerLeg) -> str:
    """The dedup key: of these rows, since another row of the leg is another position."""
    return f"unexplained:{leg.key}:{','.join(map(str, leg.row_ids))}"


def unexplained_absence(
    leg: LedgerLeg, verdict: Unexplained, *, twin: VenuePosition | None = None
) -> AlertDraft:
    """A leg is absent in every read, and no record says how it ended (D1b).

    `twin`: a position that no row knows and that has this leg's size: a renamed contract, perhaps.
    """
    seen = verdict.last_seen
    last = (
        "it was never seen on the exchange"
        if seen is None
        else f"last seen at {seen.finished_at:%Y-%m-%d %H:%M:%S} UTC with {seen.quantity}"
    )
    asked = "asked by name it is not there either; " if verdict.named_at is not None else ""
    renamed = (
        f" {twin.key.symbol} {twin.key.side} {twin.quantity} is open and in no row: "
        "was the contract renamed?"
        if twin is not None
        else ""
    )
    symbol = leg.key.symbol
    return AlertDraft(
        type=AlertType.UNEXPLAINED_ABSENCE,
        level=AlertLevel.CRITICAL,
        dedup_key=unexplained_key(leg),
        title=f"{leg.key} is gone, and nothing says how it ended",
        account=leg.key.account,
        symbol=symbol,
        side=leg.key.side.value,
        seen=(
            f"the ledger has {leg.quantity} at {leg.entry_price}; {last}; not shown since "
            f"{verdict.since:%H:%M:%S} UTC; {asked}{verdict.why}.{renamed}"
        ),
        done="nothing was written, sent or cancelled; it is looked at again each interval",
        next_step=(
            f"look at the venue; if the position is really closed: accept {symbol}; "
            "if it is open: check whose key this is"
        ),
        details={
            "position_ids": list(leg.row_ids),
            "quantity": str(leg.quantity),
            "absent_since": verdict.since.isoformat(),
            "last_seen": None if seen is None else seen.finished_at.isoformat(),
            "needed": str(verdict.accounting.needed),
            "closed": str(verdict.accounting.closed),
            "opened": str(verdict.accounting.opened),
            "why": verdict.why,
            "renamed_to": None if twin is None else twin.key.symbol,
        },
    )


def is_unexplained(alert: Alert) -> bool:
    """Whether it speaks of a leg that is gone without a record."""
    return alert.type is AlertType.UNEXPLAINED_ABSENCE


def suspect_key(account: str) -> str:
    return f"suspect:{account}"


def account_suspect(account: str, why: str, legs: Collection[LegKey]) -> AlertDraft:
    """The account may not be the one that the ledger speaks of."""
    named = ", ".join(f"{key.symbol} {key.side}" for key in sorted(legs)[:SHOWN])
    more = f" and {len(legs) - SHOWN} more" if len(legs) > SHOWN else ""
    return AlertDraft(
        type=AlertType.ACCOUNT_SUSPECT,
        level=AlertLevel.CRITICAL,
        dedup_key=suspect_key(account),
        title=f"{account} may not be the account that the ledger speaks of",
        account=account,
        seen=why + (f" ({named}{more})" if named else ""),
        done="only reads are sent for this account; no row is closed, no order sent or cancelled",
        next_step=(
            "check that the key, and the sub-account or address that it stands for, is the one "
            "that the bot trades with; doctor shows rows against positions"
        ),
        details={"legs": [str(key) for key in sorted(legs)]},
    )


def identity_key(account: str) -> str:
    return f"identity:{account}"


def identity_changed(account: str, stored: str, told: str) -> AlertDraft:
    """The venue says that the key is another account's than before."""
    return AlertDraft(
        type=AlertType.ACCOUNT_SUSPECT,
        level=AlertLevel.CRITICAL,
        dedup_key=identity_key(account),
        title=f"{account} is another account than before",
        account=account,
        seen=f"the venue says that this key is of {told}; so far {account} was {stored}",
        done="only reads are sent for this account; no row is closed, no order sent or cancelled",
        next_step=(
            f"put the right key into the configuration; if the change is meant: "
            f"adopt-identity {account}"
        ),
        details={"stored": stored, "told": told},
    )


def identity_shared(account: str, other: str, told: str) -> AlertDraft:
    """Two configured accounts are one login: the second is not guarded."""
    return AlertDraft(
        type=AlertType.ACCOUNT_SUSPECT,
        level=AlertLevel.CRITICAL,
        dedup_key=identity_key(account),
        title=f"{account} and {other} are one login",
        account=account,
        seen=f"the venue says that both keys are of {told}",
        done=f"only reads are sent for {account}, or each would close the other's positions",
        next_step=f"take one of the two out of the configuration, or give {account} its own key",
        details={"other": other, "told": told},
    )


def unjudged_key(account: str, what: str) -> str:
    return f"unjudged:{account}:{what}"


def unjudged(
    account: str, what: str, why: str, *, since: datetime, after: timedelta, symbol: str = ""
) -> AlertDraft:
    """A row or a leg could not be judged for too long (F6). `what` names it, `why` says why."""
    minutes = max(int(after.total_seconds() // 60), 1)
    return AlertDraft(
        type=AlertType.UNJUDGED,
        level=AlertLevel.WARNING,
        dedup_key=unjudged_key(account, what),
        title=f"{what} has not been judged for {minutes} minutes",
        account=account,
        symbol=symbol,
        seen=f"since {since:%Y-%m-%d %H:%M:%S} UTC: {why}",
        done="nothing is done to it; everything else goes on",
        next_step="correct what is named, or close the row if it is no longer needed",
        details={"what": what, "why": why, "since": since.isoformat()},
    )
