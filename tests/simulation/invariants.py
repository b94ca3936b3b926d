"""What must hold in every simulated world, checked against the market itself and the ledger's file.

The market tells each change and each order as it arrives; the ledger is read by a connection of
the test's own, so nothing that the guard believes is believed here. The numbers in messages are
those of the invariants in the design. Left to others: making the trouble.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from messages.settings import Mode, OnUnknown, Settings
from messages.values import ZERO, LegKey, Side
from rules.ids import is_ours
from simulator.desk import LoggedRequest, RequestLog
from simulator.market import Market
from simulator.state import MarketEvent, Order, OrderChanged, PositionChanged, Slot

RECENT = timedelta(seconds=45)
"""How old the read may be by which an order was sized: the order may be long on its way."""

HELD_UP = timedelta(seconds=14)
"""How old an order may be that a guard sent on its way while the account was its own."""

GHOSTS = ("ghost_detected_aged_close", "ghost_detected_periodic_validation")
RECONCILED = "reconciliation: position not found on exchange"
WRITING = ("order.create", "order.cancel")


class WatchedLog(RequestLog):
    """The venue's log of requests, which shows each one to the watch as it arrives."""

    def __init__(self, seen: Callable[[LoggedRequest], None]) -> None:
        super().__init__()
        self._seen = seen

    def add(self, request: LoggedRequest) -> None:
        super().add(request)
        self._seen(request)


class Watch:
    """Sees everything, believes nothing, and collects what broke in `broken`."""

    def __init__(
        self,
        market: Market,
        truth: sqlite3.Connection,
        settings: Settings,
        now: Callable[[], datetime],
        happened: Counter[str],
    ) -> None:
        self._market = market
        self._happened = happened
        self._truth = truth
        self._settings = settings
        self._now = now
        self._wait = {a.name: a.on_unknown is OnUnknown.WAIT for a in settings.accounts}
        self._version = 0
        self._begun = now()
        self.broken: list[str] = []
        self.orders: list[tuple[datetime, str]] = []
        self.closes = 0
        self.lies = 0
        self.doubled: set[str] = set()
        self.senders: list[tuple[datetime, str]] = []
        self._holders: dict[str, tuple[str, datetime]] = {}
        self.episodes: Counter[str] = Counter()
        self._wrong: set[str] = set()
        self._sent: set[str] = set()
        self._sizes: dict[LegKey, list[tuple[datetime, Decimal]]] = {}
        self._rows: dict[int, tuple[LegKey, datetime | None]] = {}
        self._ended: set[int] = set()
        self.held: dict[int, datetime] = {}
        """Rows that an operator holds, by the ledger's word, and since when."""
        market.listen(self._on_event)

    def break_(self, text: str) -> None:
        self.broken.append(f"{self._now():%a %H:%M:%S.%f} {text}")

    # --- what happens at the venue --------------------------------------------------------------

    def _on_event(self, event: MarketEvent) -> None:
        match event:
            case PositionChanged(account=account, position=position, at=at):
                size = position.size * position.listing.instrument.contract_size
                sides = {Slot.LONG: (Side.LONG,), Slot.SHORT: (Side.SHORT,)}.get(
                    position.slot, tuple(Side)
                )
                for side in sides:
                    key = LegKey(account.name, position.listing.symbol, side)
                    held = max(size * side.sign, ZERO)
                    self._sizes.setdefault(key, []).append((at, held))
                self.compare()
            case OrderChanged(account=account, order=order, execution=execution):
                if not is_ours(order.spec.client_id):
                    return
                state = f"{order.state}, filled {order.filled} {order.cancel_reason}"
                self.orders.append((self._now(), f"{account.name}: {_order(order)}: {state}"))
                if not order.state.live and ZERO < order.filled < order.quantity:
                    self._happened["partial fill"] += 1
                if not order.reduces:
                    self.break_(f"1: {_order(order)} is not reduce-only")
                if execution is not None and execution.closed != execution.quantity:
                    self.break_(
                        f"1: {_order(order)} filled {execution.quantity}, closed {execution.closed}"
                    )

    def on_send(self, key: LegKey, name: str, guard: str) -> None:
        """2: an order leaves a guard that has not lost the account to another long ago."""
        self.senders.append((self._now(), guard))
        holder, since = self._holders.get(key.account, (guard, self._now()))
        if holder != guard and self._now() - since > HELD_UP:
            self.break_(f"2: {guard} sends {name}, and {holder} guards {key.account}")

    def on_request(self, request: LoggedRequest) -> None:
        """An order of the guard arrives at the venue, whatever the venue will say to it."""
        if request.endpoint in WRITING and self._settings.mode is Mode.OBSERVE:
            self.break_(f"8: {request.method} was sent in observe mode: {request.params}")
        if request.endpoint != "order.create":
            return
        name = request.params["client_order_id"]
        if name in self._sent and name not in self.doubled:
            self.break_(f"2: the order {name} was sent twice")
        if name in self._sent:
            return  # what a way that doubles requests does is not the guard's
        self._sent.add(name)
        found = self._truth.execute(
            "SELECT symbol, side, purpose, state, row_ids FROM intents WHERE client_order_id = ?",
            (name,),
        ).fetchone()
        if found is None:
            self.break_(f"4: the order {name} left before its intent was committed")
            return
        symbol, side, purpose, state, row_ids = found
        key = LegKey(request.account, symbol, Side(side))
        if state not in ("pending", "sent"):
            self.break_(f"4: the order {name} arrives, and its intent is {state} already")
        if purpose == "protect":
            return
        held = [self.held[row_id] for row_id in json_ids(row_ids) if row_id in self.held]
        if held and self._now() - min(held) > HELD_UP:
            self.break_(f"9: the order {name} leaves for rows that an operator holds")
        others = self._truth.execute(
            "SELECT client_order_id FROM intents WHERE account = ? AND symbol = ? AND side = ?"
            " AND state IN ('pending', 'sent') AND client_order_id <> ? AND purpose <> 'protect'",
            (key.account, key.symbol, key.side.value, name),
        ).fetchall()
        if others:
            self.break_(f"2: {name} is sent for {key} while {others} has no known outcome")
        most = self._most_held(key)
        if self._wait[key.account] and Decimal(request.params["quantity"]) > most:
            self.break_(f"2: {name} asks for {request.params['quantity']} of {key}, held {most}")

    def _most_held(self, key: LegKey) -> Decimal:
        """The most that the leg held within the time that a read may be old."""
        changes = self._sizes.get(key, [])
        since = max(self._now() - RECENT, self._begun)
        before = [held for at, held in changes if at <= since][-1:]
        return max([*before, *(held for at, held in changes if at > since)], default=ZERO)

    def row_written(self, row_id: int, key: LegKey, opened_at: datetime | None) -> None:
        """`opened_at` is when the market had the position; None: it has none yet, and will."""
        self._rows[row_id] = key, opened_at
        self.compare()

    # --- what happens in the ledger -------------------------------------------------------------

    def open_ids(self, account: str) -> list[tuple[str, str]]:
        """The orders of an account that have no known outcome: client order id and symbol."""
        query = (
            "SELECT client_order_id, symbol FROM intents"
            " WHERE account = ? AND state IN ('pending', 'sent') ORDER BY 1"
        )
        return [(name, symbol) for name, symbol in self._truth.execute(query, (account,))]

    def check_step(self) -> None:
        """After every step: look at the ledger if it changed. Raises AssertionError."""
        (version,) = self._truth.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._version = version
            self.check_rows()
        assert not self.broken, "\n".join(self.broken)

    def check_rows(self) -> None:
        """3: whatever row the guard has closed, its leg was flat at some time while it was open."""
        for account, holder in self._truth.execute("SELECT account, holder FROM leases"):
            if self._holders.get(account, ("",))[0] != holder and holder:
                self._holders[account] = holder, self._now()
        held = self._truth.execute("SELECT id FROM positions WHERE held AND status = 'active'")
        self.held = {row_id: self.held.get(row_id, self._now()) for (row_id,) in held}
        closed = self._truth.execute(
            "SELECT id, exit_reason, quantity FROM positions WHERE status = 'closed'"
            " AND exit_reason <> 'bot'"
        )
        fresh = [row for row in closed.fetchall() if row[0] not in self._ended]
        for row_id, reason, quantity in fresh:
            self._ended.add(row_id)
            self.closes += 1
            if self._settings.mode is Mode.OBSERVE:
                self.break_(f"8: row {row_id} was closed in observe mode")
            if row_id not in self._rows:
                continue
            key, opened_at = self._rows[row_id]
            if opened_at is None or not self.was_flat(key, opened_at):
                self.break_(f"3: row {row_id} of {key} is closed ({reason}) and it lives")
            ours = self._our_fills(key, row_id)
            if reason in (*GHOSTS, RECONCILED) and opened_at is not None and not ours:
                self._check_settled(row_id, key, opened_at)
            if reason in (*GHOSTS, RECONCILED) and ours >= Decimal(str(quantity)):
                self.break_(f"3: row {row_id} of {key} is called a ghost; our orders closed {ours}")
        if fresh:
            self.compare()

    def _our_fills(self, key: LegKey, row_id: int) -> Decimal:
        """What our orders for this very row have filled, by the market's own record."""
        owner = self._market.accounts[key.account]
        total = ZERO
        for name, rows in self._truth.execute(
            "SELECT client_order_id, row_ids FROM intents WHERE account = ? AND symbol = ?"
            " AND side = ?",
            (key.account, key.symbol, key.side.value),
        ):
            if row_id in json_ids(rows):
                orders = owner.by_client_id.get(name, [])
                total += sum((o.filled * o.listing.instrument.contract_size for o in orders), ZERO)
        return total

    def _unbooked(self, key: LegKey) -> Decimal:
        """What our orders have filled of a leg's active rows, as the ledger has it."""
        rows = self._truth.execute(
            "SELECT filled, row_ids FROM intents WHERE account = ? AND symbol = ? AND side = ?"
            " AND booked = 0",
            (key.account, key.symbol, key.side.value),
        ).fetchall()
        active = {
            row_id
            for (row_id,) in self._truth.execute("SELECT id FROM positions WHERE status = 'active'")
        }
        return sum((Decimal(str(f)) for f, ids in rows if active & set(json_ids(ids))), ZERO)

    def was_flat(self, key: LegKey, since: datetime) -> bool:
        """Whether a leg was flat at some instant after `since`, as the market knows it."""
        changes = self._sizes.get(key, [])
        before = [held for at, held in changes if at <= since]
        return not before or not before[-1] or any(not h for at, h in changes if at >= since)

    def _check_settled(self, row_id: int, key: LegKey, opened_at: datetime) -> None:
        """3: the bot has had `settle` to write its exit. A clock that jumps may shorten that."""
        if self._happened["clock jump"]:
            return
        ends = (at for at, held in self._sizes.get(key, []) if at >= opened_at and not held)
        end = next(ends, opened_at)
        if self._now() - end < self._settings.verdict.settle:
            self.break_(f"3: row {row_id} of {key} is closed {self._now() - end} after its end")

    # --- both sides -----------------------------------------------------------------------------

    def legs(self) -> tuple[dict[LegKey, Decimal], dict[LegKey, Decimal]]:
        """What the ledger's active rows say, and what the market holds; base units."""
        ledger: dict[LegKey, Decimal] = {}
        for account, symbol, side, quantity in self._truth.execute(
            "SELECT account, symbol, side, quantity FROM positions WHERE status = 'active'"
        ):
            key = LegKey(account, symbol, Side(side))
            ledger[key] = ledger.get(key, ZERO) + Decimal(str(quantity))
        held = {key: changes[-1][1] for key, changes in self._sizes.items() if changes[-1][1]}
        return ledger, held

    def compare(self) -> None:
        """5: count each time that something began to be wrong, by the key of its alert."""
        ledger, held = self.legs()
        wrong = {f"orphan:{key}" for key in held if key not in ledger}
        wrong |= {
            f"mismatch:{key}|{quantity}|{held.get(key)}"
            for key, quantity in ledger.items()
            if held.get(key, quantity) != quantity or held.get(_other(key))
        }
        for begun in wrong - self._wrong:
            self.episodes[begun.partition("|")[0]] += 1
        self._wrong = wrong

    # --- when all is quiet ----------------------------------------------------------------------

    def unsettled(self) -> list[str]:
        """What is not as it must be once faults are over and the monitors have been round."""
        return [
            *self._unsettled_intents(),
            *self._unsettled_legs(),
            *self._unsettled_commands(),
        ]

    def _unsettled_commands(self) -> list[str]:
        """9: each command has come to its end, and says what became of it."""
        commands = self._truth.execute(
            "SELECT id, kind, account, symbol, side, state, outcome FROM commands"
        )
        return [
            f"9: the command {number} to {kind} {account} {symbol} {side} is still {state}: {told}"
            for number, kind, account, symbol, side, state, told in commands
            if state in ("waiting", "begun") or not told
        ]

    def _unsettled_intents(self) -> list[str]:
        """4: each intent is final, and says of its order what the market says."""
        wrong = []
        for name, account, purpose, state, filled in self._truth.execute(
            "SELECT client_order_id, account, purpose, state, filled FROM intents"
        ):
            orders = self._market.accounts[account].by_client_id.get(name, [])
            real = sum((o.filled * o.listing.instrument.contract_size for o in orders), ZERO)
            if state in ("pending", "sent"):
                wrong.append(f"4: intent {name} ({purpose}) is still {state}")
            elif state == "done" and purpose != "protect" and Decimal(str(filled)) != real:
                wrong.append(f"4: intent {name} says {filled} was filled, the market {real}")
            elif state in ("refused", "never_arrived") and orders:
                wrong.append(f"4: intent {name} is {state}, and the market has its order")
            if len(orders) > 1:
                wrong.append(f"2: {len(orders)} orders of the id {name}")
            if any(o.state.live for o in orders) and purpose != "protect":
                wrong.append(f"4: the order {name} still rests")
        return wrong

    def _unsettled_legs(self) -> list[str]:
        if self._settings.mode is Mode.OBSERVE:
            return []
        ledger, held = self.legs()
        alerts = self._truth.execute(
            "SELECT dedup_key, count(*), sum(resolved_at IS NULL) FROM alerts GROUP BY dedup_key"
        ).fetchall()
        standing = {key for key, _, opened in alerts if opened}
        # A lone long in the ledger and a lone short at the venue are one mismatch, and no ghost.
        turned = {
            key
            for key in ledger
            if key not in held and _other(key) in held and _other(key) not in ledger
        }
        ghosts = [key for key in ledger if key not in held and key not in turned]
        wrong = [f"5: {key} is a ghost and nobody sees it" for key in ghosts]
        due = {f"orphan:{k}" for k in held if k not in ledger and _other(k) not in turned}
        due |= {f"mismatch:{k}" for k, q in ledger.items() if k in held and held[k] != q}
        due |= {f"mismatch:{key}" for key in turned}
        # What our own fills alone account for is the story of a close, not of a mismatch.
        by_us = {f"mismatch:{k}" for k, q in ledger.items() if held.get(k) == q - self._unbooked(k)}
        about = {key for key in standing if key.startswith(("orphan:", "mismatch:"))}
        wrong += [f"5: {key} was never alerted" for key in sorted(due - about - by_us)]
        wrong += [f"5: {key} is over and still alerted" for key in sorted(about - due - by_us)]
        for key, count, _ in alerts:
            limit = 1 if key.startswith("ghost:") else self.episodes[key] + self.lies
            if key.startswith(("ghost:", "orphan:", "mismatch:")) and count > limit:
                wrong.append(f"5: {key} was alerted {count} times, {limit} at most were due")
        return wrong


def json_ids(text: object) -> list[int]:
    return [int(word) for word in str(text).strip("[]").split(",") if word.strip()]


def _other(key: LegKey) -> LegKey:
    return LegKey(key.account, key.symbol, key.side.opposite)


def _order(order: Order) -> str:
    return f"order {order.spec.client_id} {order.spec.side} {order.quantity} {order.listing.symbol}"
