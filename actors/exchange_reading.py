"""What the exchange actor asks: it connects, reads, judges and doubts, and sends nothing.

Reads of the positions are shared. What may be sent, and when, is `actors.exchange`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import msgspec

from actors import paths
from actors.backoff import backoff
from actors.execution.evidence import LegJudge
from actors.execution.health import Health
from actors.execution.identity import IdentityCheck
from actors.execution.leg_opening import find_opening
from actors.execution.orders import Orders
from actors.execution.position_mode import ask_mode
from actors.execution.shared_reads import SharedReads
from actors.ledger_client import ask_ledger
from actors.prices import PriceReader
from actors.runtime import (
    ChildSpec,
    DeferredReply,
    Timer,
    handles,
)
from actors.venue_actor import VenueActor, as_error
from messages.base import Done
from messages.budget import BudgetUse, Lane
from messages.execution import ExecutionResult
from messages.settings import AccountSettings, Settings
from messages.to_exchange import (
    AdoptIdentity,
    FindOpening,
    GetMarkets,
    JudgeLeg,
    Judgement,
    Markets,
    NotReady,
    Opening,
    ReadBudget,
    ReadPositions,
    ReadProtection,
    ReadQuote,
    RefreshMarkets,
    StreamHint,
)
from messages.to_ledger import (
    FindIntents,
    FindLastSeen,
    GetLedgerId,
    SaveLastSeen,
)
from messages.to_monitors import ScanNow
from messages.values import ZERO, LegKey
from messages.venue import (
    Connected,
    NotTold,
    OrderHint,
    PositionHint,
    Price,
    Protection,
    Snapshot,
    VenueError,
    VenueErrorKind,
)
from messages.venue import Markets as ListedMarkets
from messages.verdict import Unknown
from rules.ids import OwnIds
from rules.suspicion import is_emptied
from venues.port import Venue

RULES_LAST = timedelta(hours=1)
"""How long market rules are believed: steps, sizes and listings change while a guard runs."""

RELOAD_PAUSE = timedelta(seconds=30)
"""How soon at the earliest rules are read anew because something speaks against them."""

IDENTITY_RETRY = timedelta(seconds=60)
"""How soon a venue that did not answer is asked again whose login this is."""

MODE_RETRY = timedelta(seconds=60)
"""How soon an account whose position mode nobody could tell is asked again."""

RECONNECT_FIRST = 1.0
RECONNECT_LAST = 60.0


class AccountUnusable(Exception):
    """The venue refuses this account's key: no waiting helps, so the account is quarantined."""


class Connect(msgspec.Struct, frozen=True):
    """Sent to itself: load the markets."""


class AskMode(msgspec.Struct, frozen=True):
    """Sent to itself: in which position mode is an account that shows no position?"""


class AskIdentity(msgspec.Struct, frozen=True):
    """Sent to itself: whose login is this?"""


class ReloadMarkets(msgspec.Struct, frozen=True):
    """Sent to itself: read the market rules anew."""


class StartRead(msgspec.Struct, frozen=True):
    """Sent to itself: begin one read of all positions."""


class ReadingExchange(VenueActor):
    """All that is known of an account, and how it is found out.

    `prices` is how the actor with its exchange's prices is made, where there is none yet.
    """

    def __init__(
        self, venue: Venue, account: AccountSettings, settings: Settings, prices: ChildSpec
    ) -> None:
        super().__init__(venue, account, settings)
        self._markets: Markets | None = None
        self._prices = PriceReader(self, account.name, prices)
        self._closing: dict[LegKey, list[DeferredReply[ExecutionResult]]] = {}
        self._identity = IdentityCheck(self, venue, account)
        self._reload_due: Timer | None = None
        self._loaded_at: datetime | None = None
        self._asked_for: set[str] = set()
        self._shown: frozenset[LegKey] = frozenset()
        self._shown_at: datetime | None = None
        self._doubted_at: datetime | None = None
        self._asked_whose = False
        self._health = Health(self, account.name, self.state.health)
        self._reads = SharedReads(
            account.name,
            fresh=settings.verdict.fresh,
            now=self.now,
            start_after=self._read_after,
        )
        self._leg_judge = LegJudge(self, venue, self._reads, settings.verdict, self.now)
        self._orders = Orders(self, venue, settings.orders, self._leg_judge.order_live)

    def on_start(self) -> None:
        self.tell_self(Connect())

    def _read_after(self, delay: float) -> Callable[[], object]:
        return self.after(delay, StartRead()).cancel

    # --- connecting -----------------------------------------------------------------------------

    @handles
    def connect(self, message: Connect) -> None:
        self._work(Lane.CLOSE, self._connected(), self._on_connected, name="connect")

    async def _connected(self) -> Connected | VenueError:
        await self._prices.start()
        answer = await self._venue.connect()
        if isinstance(answer, Connected):
            hedged_before = await self._recall()
            # Before anything else: what became of the orders of an earlier incarnation?
            await self._orders.settle_open(None, self._account.name)
            if answer.hedged is None:
                # An account that is empty now shows no mode, and its rows must be judged.
                answer = msgspec.structs.replace(answer, hedged=hedged_before)
        return answer

    async def _recall(self) -> bool | None:
        """What an earlier incarnation saw of the legs, and what orders it sent.

        Returns the position mode that its newest order for a leg that was shown was sent in.
        """
        account = self._account.name
        ledger_id = await ask_ledger(self, GetLedgerId())
        intents = await ask_ledger(self, FindIntents(account=account))
        older = frozenset(i.client_order_id for i in intents)
        self._orders.own_ids = OwnIds(ledger_id, older)
        self._leg_judge.sightings.recall(await ask_ledger(self, FindLastSeen(account=account)))
        for intent in intents:
            if intent.filled > ZERO and not intent.booked and intent.settled_at is not None:
                self._leg_judge.filled(intent.key, intent.settled_at)
        # The mode of an order for a leg that could not be read was a guess.
        shown = [intent for intent in intents if intent.seen_quantity > ZERO]
        return max(shown, key=lambda intent: intent.created_at).hedged if shown else None

    def _on_connected(self, answer: Connected | VenueError) -> None:
        self.state.calls = self._venue.calls()
        if isinstance(answer, Connected):
            self._markets = Markets(instruments=answer.instruments, hedged=answer.hedged)
            self._leg_judge.markets = self._markets
            self.state.status = "ready"
            self.state.why = ""
            self.state.hedged = answer.hedged
            self.state.instruments = len(answer.instruments)
            self.state.reconnects = 0
            self.log.info(
                "Connected to {}: {} instruments, position mode {}",
                self._account.exchange,
                len(answer.instruments),
                {True: "hedge", False: "one-way", None: "not yet known"}[answer.hedged],
            )
            self._loaded_at = self.now()
            self._plan_reload(RULES_LAST)
            self._health.recovered()
            if self._identity.told is None:
                self.tell_self(AskIdentity())
            if answer.hedged is None:
                self.tell_self(AskMode())
            self._have_it_decided()
            return
        self._refuse_if_unusable(answer)
        self.state.why = str(answer)
        self.state.reconnects += 1
        delay = backoff(self.state.reconnects, RECONNECT_FIRST, RECONNECT_LAST)
        self.log.warning("Cannot connect ({}), trying again in {:.0f} s", answer, delay)
        self._health.troubled(answer)
        self._reads.refuse_all(f"not connected: {answer}")
        self.after(delay, Connect())

    @handles
    def ask_mode(self, message: AskMode) -> None:
        """Until it is known, rows of both sides of a symbol are judged as one net position."""
        if self._markets is not None and self._markets.hedged is None:
            job = ask_mode(self, self._venue, self._account.name, self._markets)
            self._work(Lane.ROUND, job, self._on_mode, name="position mode")

    def _on_mode(self, hedged: bool | NotTold | None) -> None:
        if self._markets is None or self._markets.hedged is not None:
            return
        match hedged:
            case bool():
                self._know_mode(hedged)
            case None:
                self.after(MODE_RETRY, AskMode())

    def _know_mode(self, hedged: bool) -> None:
        if self._markets is not None:
            self._markets = msgspec.structs.replace(self._markets, hedged=hedged)
            self._leg_judge.markets = self._markets
            self.state.hedged = hedged

    def _refuse_if_unusable(self, error: VenueError) -> None:
        if error.kind in (VenueErrorKind.KEY, VenueErrorKind.RIGHTS):
            raise AccountUnusable(f"{self._account.name}: the venue refuses the key: {error}")

    # --- whose login is it? ---------------------------------------------------------------------

    @handles
    def ask_identity(self, message: AskIdentity) -> None:
        self._work(Lane.ROUND, self._identity.ask(), self._on_identity, name="identity")

    def _on_identity(self, wrong: str | None) -> None:
        # A venue that does not answer must not bar the account for as long as that lasts.
        self._asked_whose = True
        if wrong is None:
            self.after(IDENTITY_RETRY, AskIdentity())
        else:
            self.state.wrong_identity = wrong

    @handles
    def adopt_identity(self, message: AdoptIdentity) -> DeferredReply[Done | NotReady]:
        """An operator says that the account is rightly what the venue calls it now."""
        return self._answer_later(
            Lane.ANSWER,
            self._adopted(message),
            lambda why: NotReady(why=why),
            name="adopt identity",
        )

    async def _adopted(self, message: AdoptIdentity) -> Done | NotReady:
        wrong = await self._identity.adopt(message.by, message.why)
        if wrong:
            return NotReady(why=wrong)
        self.state.wrong_identity = ""
        return Done()

    # --- market rules ---------------------------------------------------------------------------

    def _plan_reload(self, delay: timedelta) -> None:
        if self._reload_due is not None:
            self._reload_due.cancel()
        self._reload_due = self.after(delay, ReloadMarkets())

    def _doubt_rules(self) -> None:
        """Something speaks against the rules as they were read: read them anew, not too often."""
        age = RULES_LAST if self._loaded_at is None else self.now() - self._loaded_at
        self._plan_reload(max(RELOAD_PAUSE - age, timedelta(0)))

    @handles
    def reload_markets(self, message: ReloadMarkets) -> None:
        self._reload_due = None
        self._loaded_at = self.now()
        self._work(
            Lane.ROUND, self._venue.reload_markets(), self._on_markets, name="reload markets"
        )

    def _on_markets(self, answer: ListedMarkets | VenueError) -> None:
        self._plan_reload(RULES_LAST)
        if isinstance(answer, VenueError):
            self.log.warning("The market rules cannot be read anew: {}", answer)
            return
        if self._markets is None or answer.instruments == self._markets.instruments:
            return
        self._markets = msgspec.structs.replace(self._markets, instruments=answer.instruments)
        self._leg_judge.markets = self._markets
        self.state.instruments = len(answer.instruments)
        self.log.info("Market rules have changed: {} instruments", len(answer.instruments))

    @handles
    def refresh_markets(self, message: RefreshMarkets) -> None:
        """A symbol that nobody knows is a reason to look once, not at each read."""
        if message.symbol not in self._asked_for:
            self._asked_for.add(message.symbol)
            self._doubt_rules()

    # --- reads ----------------------------------------------------------------------------------

    @handles
    def get_markets(self, message: GetMarkets) -> Markets | NotReady:
        return self._markets or NotReady(why=self.state.why or "still connecting")

    @handles
    def read_positions(self, message: ReadPositions) -> Snapshot | DeferredReply[Snapshot]:
        if self._markets is None:
            return self._reads.unknown(self.state.why or "still connecting")
        return self._answer_later(
            message.lane,
            self._reads.snapshot(message.not_before),
            self._reads.unknown,
            name="read",
        )

    @handles
    def start_read(self, message: StartRead) -> None:
        if not self._reads.began():
            return
        self._work(
            self._reads.priority, self._venue.fetch_positions(), self._on_read, name="positions"
        )

    def _on_read(self, snapshot: Snapshot) -> None:
        if any(not self._lists(position.key.symbol) for position in snapshot.positions):
            # Listed, or renamed, since the rules were read: who judges the read needs both.
            self._work(
                self._reads.priority,
                self._venue.reload_markets(),
                partial(self._on_markets_of, snapshot),
                name="reload markets",
            )
            return
        self._take(snapshot)

    def _lists(self, symbol: str) -> bool:
        return self._markets is not None and symbol in self._markets.instruments

    def _on_markets_of(self, snapshot: Snapshot, answer: ListedMarkets | VenueError) -> None:
        """The rules are read anew; what they still do not know makes the read incomplete."""
        self._on_markets(answer)
        listed = tuple(p for p in snapshot.positions if self._lists(p.key.symbol))
        problems = tuple(
            as_error(f"{p.key.symbol} is not listed")
            for p in snapshot.positions
            if not self._lists(p.key.symbol)
        )
        self._take(
            msgspec.structs.replace(
                snapshot, positions=listed, problems=(*snapshot.problems, *problems)
            )
        )

    def _take(self, snapshot: Snapshot) -> None:
        self.state.snapshots += 1
        self.state.calls = self._venue.calls()
        self.state.last_read_at = snapshot.started_at
        self.state.last_read_positions = len(snapshot.positions)
        self._learn_mode(snapshot)
        self._doubt_if_emptied(snapshot)
        ordered = partial(self._leg_judge.was_ordered, during=snapshot)
        seen = self._leg_judge.sightings.observe(snapshot, ordered)
        if seen:
            self.tell(paths.LEDGER, SaveLastSeen(account=self._account.name, seen=seen))
        self._reads.arrived(snapshot)
        if snapshot.complete:
            self._health.recovered()
            self.state.why = ""
            return
        self.state.failed_reads += 1
        problem = snapshot.problems[0]
        self.state.why = str(problem)
        self._refuse_if_unusable(problem)
        self._health.troubled(problem)

    def _learn_mode(self, snapshot: Snapshot) -> None:
        """Some venues show their position mode only in the positions."""
        if self._markets is not None and snapshot.positions:
            self._know_mode(any(position.hedged for position in snapshot.positions))

    @handles
    def judge(self, message: JudgeLeg) -> Judgement | DeferredReply[Judgement]:
        if self._markets is None:
            why = self.state.why or "still connecting"
            return Judgement(verdict=Unknown(why=why, failed=True))
        if self.state.wrong_identity:
            why = f"this is not the ledger's account: {self.state.wrong_identity}"
            return Judgement(verdict=Unknown(why=why, not_shown=True))
        return self._answer_later(
            message.lane,
            self._judged(message),
            lambda why: Judgement(verdict=Unknown(why=why, failed=True)),
            name="judge",
        )

    async def _judged(self, message: JudgeLeg) -> Judgement:
        """A verdict. An order whose worker died is settled first, or it would bar one for ever."""
        if message.key in self._leg_judge.order_live and message.key not in self._closing:
            settled = await self._orders.settle_open(message.key, self._account.name)
            if not settled.unresolved and message.key not in self._closing:
                # The worker may have died before its intent was committed.
                self._leg_judge.order_live.discard(message.key)
        return await self._leg_judge.judge(message)

    @handles
    def find_opening(self, message: FindOpening) -> DeferredReply[Opening]:
        return self._answer_later(
            Lane.ROUND,
            find_opening(self._venue, message, self.now),
            lambda why: Opening(why=why, failed=True),
            name="opening",
        )

    @handles
    def read_quote(self, message: ReadQuote) -> DeferredReply[Price | VenueError]:
        return self._answer_later(
            message.lane,
            self._prices.read(
                message.symbol, message.kinds, max_age=message.max_age, lane=message.lane
            ),
            as_error,
            name="quote",
        )

    @handles
    def read_budget(self, message: ReadBudget) -> BudgetUse:
        return self._venue.budget()

    @handles
    def read_protection(self, message: ReadProtection) -> DeferredReply[Protection]:
        return self._answer_later(
            message.lane,
            self._venue.fetch_protection(message.symbols),
            lambda why: Protection(started_at=self.now(), problems=(as_error(why),)),
            name="stops",
        )

    @handles
    def hint(self, message: StreamHint) -> None:
        match message.hint:
            case PositionHint() as hint:
                self._leg_judge.hints[hint.key] = hint
            case OrderHint() as hint:
                self._orders.heard(hint)

    # --- is it the ledger's account? ------------------------------------------------------------

    def _have_it_decided(self) -> None:
        """Reconciliation compares by itself when it starts; a later incarnation of this asks."""
        monitor = paths.reconciliation(self._account.name)
        if self.state.undecided and self.system.knows(monitor):
            self.tell(monitor, ScanNow())

    def _doubt_if_emptied(self, snapshot: Snapshot) -> None:
        """Most legs gone from one read to the next: a key may have been led elsewhere."""
        if not snapshot.complete:
            return
        before, self._shown = self._shown, frozenset(p.key for p in snapshot.positions)
        since, self._shown_at = self._shown_at, snapshot.started_at
        gone = [key for key in before - self._shown if not self._closed_by_us(key, since)]
        if is_emptied(missing=len(gone), shown=len(before & self._shown)):
            self.state.undecided = f"{len(gone)} of {len(before)} legs are gone at once"
            self._doubted_at = snapshot.started_at
            self._have_it_decided()

    def _closed_by_us(self, key: LegKey, since: datetime | None) -> bool:
        """Whether an order of ours explains that a leg is not shown any more."""
        filled = self._leg_judge.own_fill_at.get(key)
        known = filled is not None and (since is None or filled >= since)
        return known or key in self._leg_judge.order_live
