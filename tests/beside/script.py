"""What is played, step by step, on one exchange in one mode, and what must come out of it.

What the bot does by itself: no alert of any kind, and no order of the guard's. Planted trouble: one
alert of its type for its symbol, in time, which ends when the trouble does. A line says what was
done, what was expected, and what the guard said; expectations are the specification's, not bent to
what the guard does today.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from messages.ledger import Alert
from tests.beside.processes import (
    SETTLE,
    Freqtrade,
    Guard,
    NotSeen,
    Venue,
    pair,
    until,
)

T = TypeVar("T")
ROUND = 3.0
"""Seconds between the guard's rounds."""
IN_TIME = SETTLE + 6 * ROUND + 12
"""Seconds in which planted trouble must be found: it settles, and some rounds look at it."""
GONE = "reconciliation_mismatch"
"""A row that is not at the venue, as reconciliation calls it (`mission.md` D1)."""
WORDS_OF_GHOSTS = ("ghost_position", GONE, "unexplained_absence", "guard_degraded")
PRICES = {"BTC": 64250, "ETH": 3120, "SOL": 148.2, "XRP": 0.5321, "DOGE": 0.1211, "LINK": 13.45}


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    exchange: str
    mode: str
    done: str
    expected: str
    said: str
    good: bool


class Play:
    """One venue, one bot, one guard, and the script. `tell` gets each line as it is played."""

    def __init__(
        self,
        folder: Path,
        exchange: str,
        mode: str,
        program: Path,
        tell: Callable[[Line], None],
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.exchange = exchange
        self.mode = mode
        self.account = f"{exchange}-main"
        self.venue = Venue(folder)
        self.bot = Freqtrade(folder, exchange, self.venue, program)
        self.guard = Guard(folder, mode, self.bot)
        self._tell = tell
        self._known: set[int] = set()
        self._errors: list[str] = []
        self._errors_read = 0

    def run(self, *, short: bool, minutes: float) -> None:
        """Play it once, and what the bot does alone again until the minutes are over."""
        until_when = time.monotonic() + minutes * 60
        try:
            self._start()
            self._bot_alone()
            if not short:
                self._restarts()
            self._planted(short=short)
            again = 0
            while time.monotonic() < until_when:
                again += 1
                self._quiet("the bot exits all that is left", self._exit_all)
                self._bot_alone()
                if again % 2 == 0:
                    self._restarts()
                self._planted(short=again % 2 == 1)
            self._close_of_ours()
            self._at_the_end()
        except Exception as failure:  # noqa: BLE001  # a red line, whatever it is: the others play on
            self._line(
                "the script", "plays to its end", f"{type(failure).__name__}: {failure}", False
            )
        finally:
            self.guard.stop()
            self.bot.stop()
            self.venue.stop()

    def _start(self) -> None:
        self.venue.start()
        self.bot.start()
        self.guard.start()

    def _bot_alone(self) -> None:
        """Entries, stops that move, exits by signal, by force and by stop, fills in part."""
        bot, venue = self.bot, self.venue
        for base, price in PRICES.items():
            venue.admin("POST", "price", symbol=pair(base), price=str(price))

        def enter() -> None:
            bot.enter(BTC="long", ETH="long", SOL="short", XRP="long")
            until(lambda: bot.holds("BTC", "ETH", "SOL", "XRP"), "four entries with stops", 150)
            bot.enter()

        def enter_in_part() -> None:
            venue.admin(
                "POST", "depth", exchange=self._venue_name, symbol=pair("LINK"), quantity="40"
            )
            bot.enter(LINK="long")
            until(lambda: bot.holds("LINK"), "an entry in part", 150)
            bot.enter()
            venue.admin(
                "POST", "depth", exchange=self._venue_name, symbol=pair("LINK"), quantity=None
            )

        def move_stop() -> None:
            # An earlier trade's stop may stand there still: freqtrade's reload races with its loop.
            before = {it["trigger_price"] for it in venue.stops(self.account, pair("ETH"))}
            bot.tell(stop={pair("ETH"): -0.08})
            until(
                lambda: [
                    it
                    for it in venue.stops(self.account, pair("ETH"))
                    if it["trigger_price"] not in before
                ],
                "a stop that moved",
            )
            bot.tell(stop={})

        def exit_by_signal() -> None:
            bot.tell(exit=[pair("BTC")])
            until(lambda: bot.flat("BTC"), "an exit by signal")
            bot.tell(exit=[])

        def exit_by_force() -> None:
            bot.force_exit("XRP")
            until(lambda: bot.flat("XRP"), "a forced exit")

        def stop_hit() -> None:
            stops = venue.stops(self.account, pair("SOL"))
            beyond = max(float(it["trigger_price"]) for it in stops) * 1.001
            venue.admin("POST", "price", symbol=pair("SOL"), price=f"{beyond:.2f}")
            until(lambda: bot.flat("SOL"), "an exit by stop")

        self._quiet("the bot enters three longs and a short", enter)
        self._quiet("an entry is filled in part", enter_in_part)
        self._quiet("the bot moves a stop", move_stop)
        self._quiet("the bot exits by signal", exit_by_signal)
        self._quiet("the bot exits by force", exit_by_force)
        self._quiet("the bot's stop is hit", stop_hit)

    def _restarts(self) -> None:
        bot, guard, venue = self.bot, self.guard, self.venue

        def restart_bot() -> None:
            bot.restart()
            until(lambda: bot.holds("ETH", "LINK"), "the bot's trades after its restart", 90)

        def restart_guard() -> None:
            guard.stop()
            guard.start()

        def restart_venue() -> None:
            with self._errors_expected():
                venue.leave_port()
                venue.return_to_port()
                until(lambda: guard.look(), "the guard's reads after the venue's return", 90)
                until(
                    lambda: bot.holds("ETH", "LINK"),
                    "the bot's trades after the venue's return",
                    90,
                )

        self._quiet("the bot is restarted", restart_bot)
        self._quiet("the guard is restarted", restart_guard)
        self._quiet("the venue is restarted", restart_venue)

    def _planted(self, *, short: bool) -> None:
        bot, venue = self.bot, self.venue

        def close_by_hand() -> None:
            venue.admin("POST", "close", account=self.account, symbol=pair("ETH"), side="long")

        def told_to_bot() -> None:
            with self._errors_expected():
                bot.reload_trade("ETH")
                until(lambda: bot.flat("ETH"), "the bot's own end of the trade")

        def orphan() -> None:
            venue.admin(
                "POST",
                "positions",
                account=self.account,
                symbol="ADA/USDT:USDT",
                side="long",
                quantity="500",
            )

        def orphan_gone() -> None:
            venue.admin("POST", "close", account=self.account, symbol="ADA/USDT:USDT", side="long")

        def remove_stop() -> None:
            bot.pause()
            assert venue.cancel_stops(self.exchange, pair("LINK"))

        def bot_goes_on() -> None:
            bot.resume()
            until(lambda: bot.holds("LINK"), "the bot's stop again")

        def half_by_hand() -> None:
            _, held = venue.legs(self.account)[pair("LINK")]
            self._half = f"{held / 2:.1f}"
            venue.admin(
                "POST",
                "close",
                account=self.account,
                symbol=pair("LINK"),
                side="long",
                quantity=self._half,
            )

        def half_again() -> None:
            venue.admin(
                "POST",
                "positions",
                account=self.account,
                symbol=pair("LINK"),
                side="long",
                quantity=self._half,
            )

        found = self._found("a position is closed by hand", close_by_hand, GONE, "ETH", told_to_bot)
        words = found.next_step if found is not None else ""
        self._line(
            "the ghost's alert is read",
            "it names /reload_trade",
            f"{words!r}",
            "/reload_trade" in words,
        )
        self._found("somebody opens a position", orphan, "orphaned_position", "ADA", orphan_gone)
        if short:
            return
        self._found("a stop is removed", remove_stop, "naked_position", "LINK", bot_goes_on)
        self._found(
            "half of a position is sold by hand",
            half_by_hand,
            "reconciliation_mismatch",
            "LINK",
            half_again,
        )

    def _exit_all(self, but: str = "") -> None:
        for base in [it.partition("/")[0] for it in self.bot.trades()]:
            if base != but:
                self.bot.force_exit(base)
                until(partial(self.bot.flat, base), f"the exit of {base}")

    def _close_of_ours(self) -> None:
        """One leg becomes aged: the guard closes it in enforce, and says so in observe."""
        bot, guard, venue = self.bot, self.guard, self.venue
        symbol = pair("LINK")
        self._exit_all(but="LINK")
        guard.look()
        seen = self._news()
        ended = {it.id for it in guard.rows(symbol) if it.status == "closed"}
        guard.configure(max_age="1s", grace="0s", market_after="0s")
        guard.reload()
        if self.mode == "observe":
            said_so = self._try(lambda: self._would(symbol), "what the guard would do")
            kinds, still = sorted(said_so or []), symbol in venue.legs(self.account)
            sent = len(venue.guards_orders(self.account))
            self._line(
                "a leg is aged",
                "what would be done is said, nothing is done",
                f"{', '.join(kinds) or 'nothing'}; {sent} orders; {'open' if still else 'gone'}",
                bool(kinds) and still and not sent,
            )
            guard.configure()
            guard.reload()
            return
        gone = self._try(lambda: symbol not in venue.legs(self.account), "the guard's close")
        orders = venue.guards_orders(self.account)
        filled = [it for it in orders if float(it["filled"])]
        closed = self._try(
            lambda: [
                it for it in guard.rows(symbol) if it.status == "closed" and it.id not in ended
            ],
            "the row's end",
        )
        said = f"leg {'gone' if gone else 'open'}, {len(filled)} filled orders, rows " + ", ".join(
            f"{it.exit_source} {it.exit_reason}" for it in closed or []
        )
        self._line(
            "a leg is aged",
            "closed by one order, on record as ours",
            said,
            bool(gone)
            and len(filled) == 1
            and bool(closed)
            and all(it.exit_source == "fill" for it in closed or []),
        )
        left = venue.stops(self.account, symbol)
        self._line(
            "the bot's stop is looked for",
            "it is left to the bot",
            "left" if left else "gone",
            bool(left),
        )
        with self._errors_expected():
            flat = self._try(lambda: bot.flat("LINK"), "the bot's own end of the trade")
        guard.configure()
        guard.reload()
        guard.look()
        news = [it for it in self._news() if it not in seen]
        wrong = [it for it in news if it.type in WORDS_OF_GHOSTS]
        self._line(
            "the bot is told of it by the guard",
            "its trade ends; no word of a ghost, nor of an API that fails",
            f"trade {'ended' if flat else 'open'}; {_words(wrong)}",
            bool(flat) and not wrong,
        )

    def _at_the_end(self) -> None:
        """Bot and venue agree, every leg has its stop, and freqtrade logged no error."""
        bot, venue = self.bot, self.venue
        trades = {
            symbol: ("short" if it["is_short"] else "long", float(it["amount"]))
            for symbol, it in bot.trades().items()
        }
        legs = venue.legs(self.account)
        self._line("bot and venue are compared", "they agree", f"{trades} / {legs}", trades == legs)
        bare = [symbol for symbol in legs if not venue.stops(self.account, symbol)]
        self._line("stops are counted", "every leg has one", f"without: {bare or 'none'}", not bare)
        self._read_errors()
        self._line(
            "freqtrade's log is read",
            "no error of the guard's making",
            "; ".join(self._errors)[:200] or "none",
            not self._errors,
        )

    @contextmanager
    def _errors_expected(self) -> Iterator[None]:
        """What freqtrade logs meanwhile is its own doing: its reload races with its loop."""
        self._read_errors()
        yield
        self._errors_read = len(self.bot.errors())

    def _read_errors(self) -> None:
        every = self.bot.errors()
        self._errors += every[self._errors_read :]
        self._errors_read = len(every)

    def _quiet(self, what: str, act: Callable[[], None]) -> None:
        """Something that the guard has no business with."""
        orders = len(self.venue.guards_orders(self.account))
        act()
        self._settle()
        news = self._news()
        sent = len(self.venue.guards_orders(self.account)) - orders
        said = _words(news) + (f", {sent} orders" if sent else "")
        self._line(what, "nothing", said, not news and not sent)

    def _settle(self) -> None:
        """Let whatever a round could mistake come to its end: rounds until all has settled."""
        until_when = time.monotonic() + SETTLE + ROUND
        while time.monotonic() < until_when:
            self.guard.look()
            time.sleep(1)

    def _found(
        self,
        what: str,
        act: Callable[[], None],
        kind: str,
        base: str,
        undo: Callable[[], None],
    ) -> Alert | None:
        """Trouble that must be found once, in time, and whose alert ends with it."""
        act()
        begun = datetime.now(UTC)
        # The wait is generous, for a machine that is busy: whether it was in time, the guard's own
        # clock says.
        self._try(lambda: self._fitting(kind, base), what, 3 * IN_TIME)
        self._settle()
        news = self._news()
        wanted = [it for it in news if it.type == kind and it.symbol.startswith(f"{base}/")]
        took = (wanted[0].raised_at - begun).total_seconds() if wanted else 3 * IN_TIME
        good = len(news) == len(wanted) == 1 and took <= IN_TIME
        said = f"{_words(news)} after {took:.0f} s" if news else "nothing"
        self._line(what, f"{kind} {base}, once, within {IN_TIME:.0f} s", said, good)
        undo()
        if not wanted:
            self._settle()
            self._news()
            return None
        number = wanted[0].id
        over = self._try(lambda: self._is_over(number), "the alert's end", 3 * IN_TIME)
        more = self._news()
        self._line(
            "it is put right",
            "the alert ends, and none comes",
            f"{'ended' if over else 'still open'}; {_words(more)}",
            bool(over) and not more,
        )
        return wanted[0]

    def _would(self, symbol: str) -> set[str]:
        """The kinds of events that say what would be done."""
        kinds = {str(it.kind) for it in self.guard.events(symbol)}
        return {it for it in kinds if it.startswith("would_")}

    def _fitting(self, kind: str, base: str) -> list[Alert]:
        """New alerts of a type for a base."""
        new = [it for it in self.guard.alerts() if it.id not in self._known]
        return [it for it in new if it.type == kind and it.symbol.startswith(f"{base}/")]

    def _is_over(self, number: int) -> bool:
        return any(it.id == number and it.resolved_at for it in self.guard.alerts())

    def _news(self) -> list[Alert]:
        """Alerts that were raised since the last time."""
        new = [it for it in self.guard.alerts() if it.id not in self._known]
        self._known |= {it.id for it in new}
        return new

    def _try(self, look: Callable[[], T], what: str, seconds: float = 60.0) -> T | None:
        """What came of waiting; nothing where it did not come."""
        try:
            return until(look, what, seconds)
        except NotSeen:
            return None

    def _line(self, done: str, expected: str, said: str, good: bool) -> None:
        self._tell(Line(self.exchange, self.mode, done, expected, said, good))

    @property
    def _venue_name(self) -> str:
        return "bybit" if self.exchange == "bybit" else "binanceusdm"


def _words(alerts: list[Alert]) -> str:
    return ", ".join(f"{it.type} {it.symbol.partition('/')[0]}" for it in alerts) or "nothing"
