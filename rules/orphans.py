"""What may be done about an orphan (`docs/spec/mission.md` C3). The orphans' monitor does it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from messages.settings import AccountSettings, Mode, OrphanPolicy
from messages.values import ZERO, Side
from messages.venue import Instrument, VenuePosition
from rules.protection import Cover, Coverage
from rules.rounding import ceil_to, floor_to
from rules.symbols import may_mean

_CAPPED = frozenset({OrphanPolicy.PROTECT, OrphanPolicy.CLOSE})


class OrphanAction(msgspec.Struct, frozen=True, kw_only=True):
    """The policy that applies, and why it is not the `wanted` one where it differs."""

    policy: OrphanPolicy
    wanted: OrphanPolicy
    why: str


def news_at(position: VenuePosition, first_seen_at: datetime, settle: timedelta) -> datetime:
    """From when on a position that no row knows is called an orphan: once it is `settle` old.

    Its age is the venue's word, or without one counts from the first look that showed it.
    """
    told = position.opened_at or position.updated_at
    born = first_seen_at if told is None else min(told, first_seen_at)
    return born + settle


def action_at(first_seen_at: datetime, same_since: datetime, settle: timedelta) -> datetime:
    """From when on an orphan may be acted on: seen, and seen unchanged, for `settle`."""
    return max(first_seen_at, same_since) + settle


def same_position(one: VenuePosition, other: VenuePosition) -> bool:
    """Whether two looks at a leg show one position that nobody has traded in between."""
    reopened = None not in (one.opened_at, other.opened_at) and one.opened_at != other.opened_at
    return (
        not reopened
        and one.key == other.key
        and one.quantity == other.quantity
        and one.entry_price == other.entry_price
    )


def orphan_action(
    position: VenuePosition,
    coverage: Coverage,
    account: AccountSettings,
    actions_last_hour: int,
    mode: Mode,
    *,
    ledger_doubt: bool = False,
    account_doubt: str = "",
) -> OrphanAction:
    """The account's policy, or `alert` wherever something speaks against it.

    An empty allow list allows all; a denied symbol is denied whatever the other list says. Lists
    hold symbols in any spelling, or "*" for all; a deny list also takes a base currency alone.
    `actions_last_hour` counts protective and closing orders. `ledger_doubt` is
    `LedgerView.has_unidentified_row`: the position may be known after all.
    `account_doubt` says why the account, or the ledger's view of it, may not be what it seems.
    """
    wanted = account.orphans
    against = (
        ""
        if wanted is OrphanPolicy.ALERT
        else _objection(
            position, coverage, account, actions_last_hour, mode, ledger_doubt, account_doubt
        )
    )
    if against:
        return OrphanAction(
            policy=OrphanPolicy.ALERT, wanted=wanted, why=f"would {wanted}, but {against}"
        )
    return OrphanAction(policy=wanted, wanted=wanted, why=f"the account's policy is {wanted}")


def _objection(
    position: VenuePosition,
    coverage: Coverage,
    account: AccountSettings,
    actions_last_hour: int,
    mode: Mode,
    ledger_doubt: bool,
    account_doubt: str,
) -> str:
    wanted, symbol = account.orphans, position.key.symbol
    if _listed(account.orphan_deny, symbol) or _named_by_base(account.orphan_deny, symbol):
        return f"{symbol} is on the deny list"
    if account.orphan_allow and not _listed(account.orphan_allow, symbol):
        return f"{symbol} is not on the allow list"
    if ledger_doubt:
        return "a ledger row whose leg cannot be named may be this one"
    if account_doubt:
        return account_doubt
    if wanted is OrphanPolicy.ADOPT and (position.opened_at is None or not position.entry_price):
        return "the venue does not say when or at what price it was opened"
    if wanted is OrphanPolicy.PROTECT and coverage.level is Cover.COVERED:
        return f"a stop at {coverage.stop_price} covers it already"
    if wanted is OrphanPolicy.PROTECT and coverage.level is Cover.CANNOT_TELL:
        return "whether it has a stop cannot be seen"
    if wanted in _CAPPED and actions_last_hour >= account.orphan_actions_per_hour:
        return f"{actions_last_hour} orphans were acted on within the hour, the most allowed"
    if mode is Mode.OBSERVE:
        return "observe mode changes nothing"
    return ""


def protect_price(
    position: VenuePosition, distance: Decimal, instrument: Instrument
) -> Decimal | None:
    """The trigger of a protective stop: `distance` (a fraction) from the mark, in quote currency.

    Without a mark price the entry price is taken. Rounded to the price step towards the market;
    where the venue would liquidate sooner, halfway between the two. None where no price is known
    or no step lies between.
    """
    reference = position.mark_price or position.entry_price
    if reference is None or reference <= ZERO:
        return None
    side = position.key.side
    price = reference * (1 - side.sign * distance)
    liquidation = position.liquidation_price
    if liquidation and (price - liquidation) * side.sign <= ZERO:
        price = (reference + liquidation) / 2
    step = instrument.price_step
    price = ceil_to(price, step) if side is Side.LONG else floor_to(price, step)
    return price if price > ZERO and (reference - price) * side.sign > ZERO else None


def _listed(texts: Iterable[str], symbol: str) -> bool:
    return any(text.strip() == "*" or may_mean(text, symbol) for text in texts)


def _named_by_base(texts: Iterable[str], symbol: str) -> bool:
    base = symbol.partition("/")[0].upper()
    return any(text.strip().upper() == base for text in texts)
