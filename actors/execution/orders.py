"""One order, from its intent to its final record: committed, sent once, followed, settled.

The intent is in the ledger before the order leaves. Whatever is not the venue's own refusal is
looked up under the client order id until the venue's record is final; nothing is sent again here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec

from actors.backoff import backoffs
from actors.context import Context
from actors.execution.order_news import News, OrderNews
from actors.ledger_client import ask_ledger, event
from messages.budget import Lane
from messages.ledger import EventDraft, Intent, IntentState
from messages.settings import OrderSettings
from messages.to_exchange import Settled
from messages.to_ledger import CommitIntent, FindIntents, UpdateIntent
from messages.values import ZERO, LegKey
from messages.venue import (
    Accepted,
    Canceled,
    Fills,
    NoSuchOrder,
    OrderHint,
    OrderRecord,
    OrderRequest,
    OrderStatus,
    OrderType,
    OutcomeUnknown,
    Placement,
    Refused,
    VenueError,
    VenueErrorKind,
)
from rules.ids import OwnIds
from rules.own_orders import Outcome, is_record_of, outcome_of_fills, outcome_of_record
from venues.limits.priority import asking
from venues.port import Venue

LONG_AGO = 30
"""How many arrival limits are more than a wall clock's jump explains."""

FORGOTTEN_AFTER = timedelta(hours=6)
"""How old an order is that the venue took and no record knows: venues forget ended orders.

Long enough for any record to have come, and well before a leg has waited for a day.
"""

_PROTECTING = (OrderStatus.OPEN, OrderStatus.FILLED)

POLL_FIRST = 0.1
POLL_LAST = 2.0


class Unresolved(msgspec.Struct, frozen=True, kw_only=True):
    """The venue could not be asked what became of an order. Nothing else may be sent for it."""

    why: str


class Orders:
    """Sends and settles the orders of one account. Run in the exchange actor's workers."""

    def __init__(
        self,
        context: Context,
        venue: Venue,
        settings: OrderSettings,
        live: set[LegKey],
    ) -> None:
        self._context = context
        self._venue = venue
        self._settings = settings
        self._now = context.now
        self._live = live
        self.news = OrderNews()
        self.own_ids = OwnIds()

    async def send(
        self, intent: Intent, wanted: Callable[[], Awaitable[bool]] | None = None
    ) -> Intent | Refused | Unresolved:
        """Commit, send once, follow. Returns the settled intent, a refusal, or Unresolved.

        An order that rests is taken back as soon as `wanted` says no: its rows may be held, or
        closed by their bot, while it waits to be filled.
        """
        self._live.add(intent.key)
        stored = await ask_ledger(
            self._context, CommitIntent(intent=intent, event=self._event("order_intent", intent))
        )
        if stored.state is not IntentState.PENDING or stored.created_at != intent.created_at:
            # An earlier incarnation had this very intent: its order may be out already.
            return await self.resolve(stored)
        not_after = intent.created_at + self._settings.arrival_limit / 2
        if self._now() > not_after:
            # This process was held up, and another guard may have given the order up by now.
            return await self.resolve(intent)
        order = OrderRequest(
            key=intent.key,
            client_order_id=intent.client_order_id,
            type=intent.type,
            quantity=intent.quantity,
            price=intent.price,
            trigger_price=intent.trigger_price,
            hedged=intent.hedged,
            not_after=not_after,
        )
        # The stream may tell of the order before the venue has answered.
        with self.news.of(intent.client_order_id) as news:
            with asking(Lane.ORDER):
                placement = await self._venue.place(order)
            return await self._placed(intent, placement, news, wanted)

    async def _placed(
        self,
        intent: Intent,
        placement: Placement,
        news: News,
        wanted: Callable[[], Awaitable[bool]] | None,
    ) -> Intent | Refused | Unresolved:
        """Follow what the venue answered to an order."""
        match placement:
            case Refused(error=error) if (
                error.kind is not VenueErrorKind.DUPLICATE_ID or await self._id_taken(intent)
            ):
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
            case Accepted(order_id=order_id, end=end):
                sent = msgspec.structs.replace(intent, state=IntentState.SENT, order_id=order_id)
                if end is None:
                    await self._update(sent, "order_accepted")
                    end = await self._told_by_stream(sent, news)
                elif end.filled > ZERO and end.fee is None:
                    end = _with_fee(end, await self._told_by_stream(sent, news))
                if end is not None:
                    return await self._settle(sent, end)
                return await self.resolve(sent, wanted=wanted)
            case Refused(error=error) | OutcomeUnknown(error=error):
                # A duplicate whose record is not another order's may be this very order.
                self._context.log.warning(
                    "Outcome of order {} is unknown ({}): looking it up, not sending it again",
                    intent.client_order_id,
                    error,
                )
                await ask_ledger(
                    self._context,
                    UpdateIntent(
                        intent=intent,
                        event=self._event("order_outcome_unknown", intent, answer=str(error)),
                    ),
                )
                return await self.resolve(intent)

    async def _told_by_stream(self, intent: Intent, news: News) -> OrderRecord | None:
        """The end of an accepted order, where the stream tells it before the venue is asked."""
        if not self.news.standing or intent.type is OrderType.STOP_MARKET:
            return None
        end = await news.end_of(intent.order_id)
        key = intent.key
        ours = end is not None and (
            end.client_order_id == intent.client_order_id
            and end.symbol == key.symbol
            and end.side is key.side.closing
            and end.position_side in (None, key.side)
            and end.quantity == intent.quantity
        )
        return end if ours else None

    def heard(self, hint: OrderHint) -> None:
        """The stream has news of an order."""
        self.news.heard(hint)

    async def resolve(
        self,
        intent: Intent,
        begun: float | None = None,
        wanted: Callable[[], Awaitable[bool]] | None = None,
    ) -> Intent | Unresolved:
        """Follow an intent's order by its client order id until its record is final.

        `begun` is the loop's time, in seconds, since when it is waited for; None: from now on.
        `wanted` is that of `send`.
        """
        if intent.state.final:
            self._live.discard(intent.key)
            return intent
        with self.news.of(intent.client_order_id) as news:
            return await self._follow(intent, begun, news, wanted)

    async def _follow(
        self,
        intent: Intent,
        begun: float | None,
        news: News,
        wanted: Callable[[], Awaitable[bool]] | None,
    ) -> Intent | Unresolved:
        # Waits go by the loop's clock: a wall clock that jumps stretches none of them.
        loop = asyncio.get_running_loop()
        since = loop.time() if begun is None else begun
        limit = self._settings.arrival_limit
        delays = backoffs(POLL_FIRST, POLL_LAST)
        give_up = loop.time() + self._patience(intent).total_seconds()
        if intent.state is IntentState.PENDING:
            give_up = max(give_up, loop.time() + limit.total_seconds())
        fill_wait = self._settings.fill_wait.total_seconds()
        cancelled = False
        why = ""
        while True:
            news.ignore_so_far()
            found = await self._venue.find_order(intent.key.symbol, intent.client_order_id)
            now = self._now()
            taken = ""
            if isinstance(found, OrderRecord) and not is_record_of(intent, found):
                taken = f", but another order of this id does: {found.order_id}"
                found = NoSuchOrder(client_order_id=intent.client_order_id)
            match found:
                case OrderRecord() if found.status.final or intent.type is OrderType.STOP_MARKET:
                    # A protective stop is settled by resting: nobody waits until it triggers.
                    return await self._settle(intent, found)
                case OrderRecord():
                    why = "the order is still open"
                    if not cancelled and (
                        loop.time() >= give_up or (wanted is not None and not await wanted())
                    ):
                        cancelled = True
                        with asking(Lane.ORDER):
                            await self._venue.cancel(intent.key.symbol, found.order_id)
                        give_up = loop.time() + fill_wait
                        delays = backoffs(POLL_FIRST, POLL_LAST)
                        continue
                case NoSuchOrder():
                    why = "no record of the venue knows it" + taken
                    age = now - intent.created_at
                    # A wall clock may have jumped since, so the limit is waited out as well.
                    waited = loop.time() - since >= limit.total_seconds()
                    late = age >= limit and (waited or age >= limit * LONG_AGO)
                    if intent.state is IntentState.PENDING and late:
                        return await self._never_arrived(intent, why)
                    if intent.state is IntentState.SENT and age >= _forgotten_after(intent, limit):
                        settled = await self._forgotten(intent)
                        if settled is not None:
                            return settled
                        why += ", nor can its fills be read"
                case VenueError():
                    why = f"the order's record cannot be read: {found}"
            if loop.time() >= give_up + fill_wait:
                return Unresolved(why=why)
            # A hint that came while the record was read is not lost: it ends the wait at once.
            await news.wait(next(delays))

    async def settle_open(self, key: LegKey | None, account: str) -> Settled:
        """Bring every open intent (of one leg, or of the account) to its final state."""
        open_intents = await ask_ledger(
            self._context, FindIntents(account=account, key=key, open_only=True)
        )
        for intent in open_intents:
            self._live.add(intent.key)
        unresolved = 0
        begun = asyncio.get_running_loop().time()
        for intent in open_intents:
            outcome = await self.resolve(intent, begun)
            if isinstance(outcome, Unresolved):
                unresolved += 1
                self._context.log.warning(
                    "Order {} is unresolved: {}", intent.client_order_id, outcome.why
                )
        return Settled(unresolved=unresolved)

    def _patience(self, intent: Intent) -> timedelta:
        """How long an order of this type may stay open before it is cancelled."""
        if intent.type is OrderType.LIMIT_MAKER:
            return self._settings.maker_wait
        return self._settings.fill_wait

    async def _id_taken(self, intent: Intent) -> bool:
        """Whether the id of a refused order is an older order's, so that ours does not exist."""
        found = await self._venue.find_order(intent.key.symbol, intent.client_order_id)
        return isinstance(found, OrderRecord) and not is_record_of(intent, found)

    async def _settle(self, intent: Intent, record: OrderRecord) -> Intent:
        outcome = outcome_of_record(intent, record)
        if record.filled > ZERO and (outcome.fee is None or outcome.average is None):
            outcome = await self._from_history(intent, record, outcome)
        if intent.type is OrderType.STOP_MARKET and record.status not in _PROTECTING:
            intent = msgspec.structs.replace(intent, error=f"the stop is {record.status.value}")
        return await self._done(intent, record.order_id, outcome, status=record.status.value)

    async def _from_history(
        self, intent: Intent, record: OrderRecord, recorded: Outcome
    ) -> Outcome:
        """The outcome with the fills' price and fee, for venues whose order record lacks them."""
        since = intent.created_at - timedelta(minutes=1)
        delays = backoffs(POLL_FIRST, POLL_LAST)
        for _ in range(5):
            history = await self._venue.order_fills(intent.key.symbol, record.order_id, since)
            if isinstance(history, Fills):
                found = outcome_of_fills(intent, history.fills, record.order_id)
                if found.filled == recorded.filled:
                    return msgspec.structs.replace(found, average=recorded.average or found.average)
            await asyncio.sleep(next(delays))
        return recorded

    async def _forgotten(self, intent: Intent) -> Intent | None:
        """The end of an order that the venue took long ago and has no record of any more.

        Cancelling by the venue's own id makes sure that it does not rest, and may return its
        record; else its fills say what became of it. None where neither can be read.
        """
        if intent.order_id:
            trigger = intent.type is OrderType.STOP_MARKET
            with asking(Lane.ORDER):
                ended = await self._venue.cancel(
                    intent.key.symbol, intent.order_id, trigger=trigger
                )
            if isinstance(ended, Canceled) and ended.record is not None:
                return await self._settle(intent, ended.record)
        since = intent.created_at - timedelta(minutes=1)
        history = await self._venue.fetch_fills(intent.key.symbol, since)
        if not isinstance(history, Fills):
            return None
        outcome = outcome_of_fills(intent, history.fills, intent.order_id)
        self._context.log.warning(
            "Order {} is forgotten by the venue: by its fills it made {}",
            intent.client_order_id,
            outcome.filled,
        )
        return await self._done(intent, intent.order_id, outcome, status="forgotten")

    async def _done(
        self, intent: Intent, order_id: str, outcome: Outcome, *, status: str
    ) -> Intent:
        """Write the final state. Only the event has fees in other than the settle currency."""
        settled = msgspec.structs.replace(
            intent,
            state=IntentState.DONE,
            order_id=order_id,
            filled=outcome.filled,
            average=outcome.average,
            fee=outcome.fee if outcome.fee is not None else ZERO,
            settled_at=self._now(),
            # Nothing is booked where nothing filled, or where no row waits for it.
            booked=outcome.filled == ZERO or not intent.row_ids,
        )
        await self._update(
            settled,
            "order_final",
            status=status,
            filled=str(outcome.filled),
            average=str(outcome.average),
            fee=outcome.told_fee,
        )
        self._live.discard(intent.key)
        return settled

    async def _never_arrived(self, intent: Intent, why: str) -> Intent:
        gone = msgspec.structs.replace(
            intent,
            state=IntentState.NEVER_ARRIVED,
            settled_at=self._now(),
            booked=True,
            error=f"{why}; it is too old to arrive",
        )
        await self._update(gone, "order_never_arrived", why=why)
        self._live.discard(intent.key)
        return gone

    async def _update(self, intent: Intent, kind: str, **details: object) -> None:
        await ask_ledger(
            self._context, UpdateIntent(intent=intent, event=self._event(kind, intent, **details))
        )

    def _event(self, kind: str, intent: Intent, **details: object) -> EventDraft:
        return event(
            kind,
            self._now(),
            actor=self._context.path,
            key=intent.key,
            client_order_id=intent.client_order_id,
            order_type=intent.type.value,
            quantity=str(intent.quantity),
            price=str(intent.price) if intent.price is not None else None,
            purpose=intent.purpose,
            attempt=intent.attempt,
            details=details,
        )


def _with_fee(end: OrderRecord, told: OrderRecord | None) -> OrderRecord:
    """The end that an acceptance told, with the fee that the stream told of the same fills."""
    if told is None or told.filled != end.filled:
        return end
    return msgspec.structs.replace(end, fee=told.fee, fee_currency=told.fee_currency)


def _forgotten_after(intent: Intent, limit: timedelta) -> timedelta:
    """A stop's record is only ever looked for, and an unknown one bars its leg's closes."""
    return limit * LONG_AGO if intent.type is OrderType.STOP_MARKET else FORGOTTEN_AFTER
