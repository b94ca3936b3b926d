"""One order, from its intent to its final record: committed, sent once, followed, settled.

The intent is in the ledger before the order leaves. Whatever is not the venue's own refusal is
looked up under the client order id until the venue's record is final; nothing is sent again here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from actors.bookkeeping import ask_ledger
from actors.records import event
from actors.runtime import Actor
from messages.ledger import EventDraft, Intent, IntentState
from messages.requests import CommitIntent, FindIntents, Settled, UpdateIntent
from messages.settings import OrderSettings
from messages.values import ZERO, LegKey
from messages.venue import (
    Accepted,
    Fills,
    NoSuchOrder,
    OrderHint,
    OrderRecord,
    OrderRequest,
    OrderStatus,
    OrderType,
    OutcomeUnknown,
    Refused,
    VenueError,
    VenueErrorKind,
)
from venues.port import Venue

LONG_AGO = 30
"""How many arrival limits are more than a wall clock's jump explains."""

POLL_FIRST = 0.1
POLL_LAST = 2.0


class Unresolved(msgspec.Struct, frozen=True, kw_only=True):
    """The venue could not be asked what became of an order. Nothing else may be sent for it."""

    why: str


class Orders:
    """Sends and settles the orders of one account. Run in the exchange actor's workers."""

    def __init__(
        self,
        owner: Actor[Any],
        venue: Venue,
        settings: OrderSettings,
        now: Callable[[], datetime],
        live: set[LegKey],
    ) -> None:
        self._owner = owner
        self._venue = venue
        self._settings = settings
        self._now = now
        self._live = live
        self._waiting: dict[str, asyncio.Event] = {}

    async def send(self, intent: Intent) -> Intent | Refused | Unresolved:
        """Commit, send once, follow. Returns the settled intent, a refusal, or Unresolved."""
        self._live.add(intent.key)
        stored = await ask_ledger(
            self._owner, CommitIntent(intent=intent, event=self._event("order_intent", intent))
        )
        if stored.state is not IntentState.PENDING or stored.created_at != intent.created_at:
            # An earlier incarnation had this very intent: its order may be out already.
            return await self.resolve(stored)
        if self._now() - intent.created_at > self._settings.arrival_limit / 2:
            # This process was held up, and another guard may have given the order up by now.
            return await self.resolve(intent)
        placement = await self._venue.place(
            OrderRequest(
                key=intent.key,
                client_order_id=intent.client_order_id,
                type=intent.type,
                quantity=intent.quantity,
                price=intent.price,
                trigger_price=intent.trigger_price,
                hedged=intent.hedged,
            )
        )
        match placement:
            case Refused(error=error) if error.kind is VenueErrorKind.DUPLICATE_ID:
                # An order of this id exists: its record is the outcome.
                return await self.resolve(msgspec.structs.replace(intent, state=IntentState.SENT))
            case Refused(error=error):
                refused = msgspec.structs.replace(
                    intent,
                    state=IntentState.REFUSED,
                    error=str(error),
                    settled_at=self._now(),
                    booked=True,
                )
                await self._update(refused, "order_refused", answer=str(error))
                self._live.discard(intent.key)
                return placement
            case Accepted(order_id=order_id):
                sent = msgspec.structs.replace(intent, state=IntentState.SENT, order_id=order_id)
                await self._update(sent, "order_accepted")
                return await self.resolve(sent)
            case OutcomeUnknown(error=error):
                self._owner.log.warning(
                    "Outcome of order {} is unknown ({}): looking it up, not sending it again",
                    intent.client_order_id,
                    error,
                )
                await ask_ledger(
                    self._owner,
                    UpdateIntent(
                        intent=intent,
                        event=self._event("order_outcome_unknown", intent, answer=str(error)),
                    ),
                )
                return await self.resolve(intent)

    def heard(self, hint: OrderHint) -> None:
        """The stream tells of an order: whoever waits for its record looks at once."""
        waiting = self._waiting.get(hint.client_order_id)
        if waiting is not None:
            waiting.set()

    async def resolve(self, intent: Intent, begun: float | None = None) -> Intent | Unresolved:
        """Follow an intent's order by its client order id until its record is final.

        `begun` is the loop's time, in seconds, since when it is waited for; None: from now on.
        """
        if intent.state.final:
            self._live.discard(intent.key)
            return intent
        if intent.type is OrderType.STOP_MARKET:
            return await self._resolve_stop(intent)
        told = self._waiting.setdefault(intent.client_order_id, asyncio.Event())
        # Whatever ends the wait, a cancelled worker included: nobody listens for this id any more.
        try:
            return await self._follow(intent, begun, told)
        finally:
            self._waiting.pop(intent.client_order_id, None)

    async def _follow(
        self, intent: Intent, begun: float | None, told: asyncio.Event
    ) -> Intent | Unresolved:
        loop = asyncio.get_running_loop()
        since = loop.time() if begun is None else begun
        limit = self._settings.arrival_limit
        delay = POLL_FIRST
        give_up = self._now() + self._patience(intent)
        if intent.state is IntentState.PENDING:
            give_up = max(give_up, intent.created_at + limit, self._now() + limit)
        cancelled = False
        why = ""
        while True:
            told.clear()
            found = await self._venue.find_order(intent.key.symbol, intent.client_order_id)
            now = self._now()
            match found:
                case OrderRecord() if found.status.final:
                    return await self._settle(intent, found)
                case OrderRecord():
                    why = "the order is still open"
                    if now >= give_up and not cancelled:
                        cancelled = True
                        await self._venue.cancel(intent.key.symbol, found.order_id)
                        give_up = now + self._settings.fill_wait
                        delay = POLL_FIRST
                        continue
                case NoSuchOrder():
                    why = "no record knows the order"
                    age = now - intent.created_at
                    # A wall clock may have jumped since, so the limit is waited out as well.
                    waited = loop.time() - since >= limit.total_seconds()
                    late = age >= limit and (waited or age >= limit * LONG_AGO)
                    if intent.state is IntentState.PENDING and late:
                        return await self._never_arrived(intent)
                case VenueError():
                    why = f"the order's record cannot be read: {found}"
            if now >= give_up + self._settings.fill_wait:
                return Unresolved(why=why)
            # A hint that came while the record was read is not lost: it ends the wait at once.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), delay)
            delay = min(delay * 2, POLL_LAST)

    async def settle_open(self, key: LegKey | None, account: str) -> Settled:
        """Bring every open intent (of one leg, or of the account) to its final state."""
        open_intents = await ask_ledger(
            self._owner, FindIntents(account=account, key=key, open_only=True)
        )
        for intent in open_intents:
            self._live.add(intent.key)
        unresolved = 0
        begun = asyncio.get_running_loop().time()
        for intent in open_intents:
            outcome = await self.resolve(intent, begun)
            if isinstance(outcome, Unresolved):
                unresolved += 1
                self._owner.log.warning(
                    "Order {} is unresolved: {}", intent.client_order_id, outcome.why
                )
        return Settled(unresolved=unresolved)

    def _patience(self, intent: Intent) -> timedelta:
        """How long an order of this type may stay open before it is cancelled."""
        if intent.type is OrderType.LIMIT_MAKER:
            return self._settings.maker_wait
        return self._settings.fill_wait

    async def _resolve_stop(self, intent: Intent) -> Intent | Unresolved:
        """A protective stop is settled by resting: it is not followed until it triggers."""
        found = await self._venue.find_order(intent.key.symbol, intent.client_order_id)
        match found:
            case OrderRecord(status=OrderStatus.OPEN | OrderStatus.FILLED):
                return await self._settle(intent, found)
            case OrderRecord():
                return await self._settle(intent, found)
            case NoSuchOrder():
                if self._now() >= intent.created_at + self._settings.arrival_limit:
                    return await self._never_arrived(intent)
                return Unresolved(why="no record knows the stop yet")
            case VenueError():
                return Unresolved(why=f"the stop's record cannot be read: {found}")

    async def _settle(self, intent: Intent, record: OrderRecord) -> Intent:
        fee, average = record.fee, record.average
        if record.filled > ZERO and (fee is None or average is None):
            fee, average = await self._from_history(intent, record)
        settled = msgspec.structs.replace(
            intent,
            state=IntentState.DONE,
            order_id=record.order_id,
            filled=record.filled,
            average=average,
            fee=fee if fee is not None else ZERO,
            settled_at=self._now(),
            # Nothing is booked where nothing filled, or where no row waits for it.
            booked=record.filled == ZERO or not intent.row_ids,
        )
        await self._update(
            settled,
            "order_final",
            status=record.status.value,
            filled=str(record.filled),
            average=str(average),
            fee=str(fee) if fee is not None else "unknown",
        )
        self._live.discard(intent.key)
        return settled

    async def _from_history(
        self, intent: Intent, record: OrderRecord
    ) -> tuple[Decimal | None, Decimal | None]:
        """Fee and average from the fills, for venues whose order record has none."""
        since = intent.created_at - timedelta(minutes=1)
        delay = POLL_FIRST
        for _ in range(5):
            history = await self._venue.fetch_fills(intent.key.symbol, since)
            if isinstance(history, Fills):
                own = [f for f in history.fills if f.order_id == record.order_id]
                total = sum((f.quantity for f in own), ZERO)
                if total == record.filled:
                    average = sum((f.quantity * f.price for f in own), ZERO) / total
                    return sum((f.fee for f in own), ZERO), record.average or average
            await asyncio.sleep(delay)
            delay = min(delay * 2, POLL_LAST)
        return record.fee, record.average

    async def _never_arrived(self, intent: Intent) -> Intent:
        gone = msgspec.structs.replace(
            intent,
            state=IntentState.NEVER_ARRIVED,
            settled_at=self._now(),
            booked=True,
            error="no record of the venue knows it, and it is too old to arrive",
        )
        await self._update(gone, "order_never_arrived")
        self._live.discard(intent.key)
        return gone

    async def _update(self, intent: Intent, kind: str, **details: object) -> None:
        await ask_ledger(
            self._owner, UpdateIntent(intent=intent, event=self._event(kind, intent, **details))
        )

    def _event(self, kind: str, intent: Intent, **details: object) -> EventDraft:
        return event(
            kind,
            self._now(),
            actor=self._owner.path,
            key=intent.key,
            client_order_id=intent.client_order_id,
            order_type=intent.type.value,
            quantity=str(intent.quantity),
            price=str(intent.price) if intent.price is not None else None,
            purpose=intent.purpose,
            attempt=intent.attempt,
            details=details,
        )
