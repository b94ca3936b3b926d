"""The supervisor: what becomes of a child that ends, and of those beside it.

The rules, in the order in which they are applied to the end of a child (`_child_ended`):

1. The end of an incarnation that is no longer current is ignored.
2. Permanent children come back always, transient ones after a crash or a kill, temporary never.
3. A child that does not come back may end its supervisor, if it is significant.
4. A child that fails again and again waits (back-off), is quarantined, or makes the supervisor
   give up: more than `intensity` restarts within `period` seconds.
5. The strategy says who is stopped and started with it: in reverse, and in order.
6. A restart that fails is a failure like any other. Those before it in its group go on running,
   but under `one_for_all`, which stops them again.
7. Those that wait with a child come back with it, and without it if it is stopped meanwhile.
8. No child is started while another incarnation at its address, or anything below that, runs.

How one child is started and stopped is in `children.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from actors.runtime.actor import Actor
from actors.runtime.children import ChildEnded, kill_children, start_life, stop_children
from actors.runtime.ends import End, Ignore, Reason
from actors.runtime.errors import StartFailed
from actors.runtime.events import (
    ChildRestarted,
    ChildWaiting,
    Quarantined,
    Recovered,
    SupervisorGaveUp,
)
from actors.runtime.handlers import handles
from actors.runtime.incarnation import all_ended
from actors.runtime.ports import Owner
from actors.runtime.restart_limits import RestartLimits
from actors.runtime.roster import Child, Roster, Standing
from actors.runtime.specs import (
    AlreadyThere,
    AutoShutdown,
    Backoff,
    ChildSpec,
    Quarantine,
    Restart,
    RestartChild,
    StartChild,
    Started,
    StartRefused,
    StopChild,
    Stopped,
    Strategy,
    check_children,
    significant_without_shutdown,
)


class SupervisorState(msgspec.Struct):
    """What a dump shows of a supervisor; `restarts` counts those since its own start."""

    strategy: Strategy
    children: dict[str, str] = {}
    restarts: int = 0
    gave_up: str = ""


class RestartDue(msgspec.Struct, frozen=True):
    """To itself: the wait of this child, and of those that wait with it, is over."""

    name: str


class QuarantineOver(msgspec.Struct, frozen=True):
    """To itself: this incarnation of a quarantined child has run long enough."""

    name: str
    life: Owner


class Supervisor(Actor[SupervisorState]):
    """Starts its children in order, restarts them by its rules, stops them in reverse.

    Static children are given here, dynamic ones come by `StartChild` and are forgotten once they
    have ended for good. `intensity` restarts within `period` seconds are borne, one more ends
    the supervisor; None bears any number. Without `backoff` a restart is immediate.

    Raises:
        BadChildSpec: options or specifications that contradict themselves.
    """

    stop_within: ClassVar[float | None] = None

    def __init__(
        self,
        children: Sequence[ChildSpec] = (),
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: int | None = 3,
        period: float = 5.0,
        backoff: Backoff | None = None,
        auto_shutdown: AutoShutdown = "never",
        max_children: int | None = None,
        quarantine: Quarantine | None = None,
    ) -> None:
        super().__init__(SupervisorState(strategy=strategy))
        check_children(children, strategy, auto_shutdown, max_children)
        self._specs = tuple(children)
        self._strategy = strategy
        self._limits = RestartLimits(intensity, period, backoff, quarantine)
        self._auto_shutdown = auto_shutdown
        self._max_children = max_children
        self._roster = Roster(self.state.children)

    # Start: in order, each acknowledged before the next; a failure undoes those before it

    async def on_start(self) -> None:
        self._life.cell.children = {}
        for spec in self._specs:
            self._roster.add(self.system, self._life.cell, spec, dynamic=False)
        for child in self._roster.all():
            failure = await self._start(child)
            if failure is not None:
                await stop_children(self._roster.all())
                self._roster.forget_all("was undone: a sibling failed to start")
                raise failure

    # The end of a child

    @handles
    async def _child_ended(self, message: ChildEnded) -> None:
        child = self._roster.get(message.name)
        if child is None or child.life is None or child.life is not message.life:
            return
        child.life = None
        if comes_back(child.spec.restart, message.end):
            ran = self.system.loop.time() - message.life.started_at
            await self._failed(child, str(message.end), ran=ran, outage=message.end.outage)
        else:
            self._roster.over(child)
            self._end_with_significant(child)

    async def _failed(self, child: Child, why: str, *, ran: float, outage: bool) -> None:
        """A child has to come back: at once, after a wait, or not at all because it is too much."""
        wait = self._wait_for(child, ran=ran, outage=outage)
        if wait is None:
            self._give_up(child, why)
            return
        group = self._group_of(child)
        if len(group) > 1:
            await stop_children([member for member in group if member is not child])
        for member in group:
            self._await_return(member)
        if wait > 0:
            self._restart_after(wait, child, why)
        else:
            await self._bring_back(group)

    @handles
    async def _restart_due(self, message: RestartDue) -> None:
        child = self._roster.get(message.name)
        if child is not None and child.due is message:
            await self._bring_back(self._group_of(child))

    async def _bring_back(self, group: Sequence[Child]) -> None:
        """Start in order all of a group that wait, up to the first that fails to start."""
        waiting = [child for child in group if child.standing is Standing.WAITING]
        for child in waiting:
            child.cancel_timers()
        for number, child in enumerate(waiting):
            if self._life.stopping is not None:
                return
            failure = await self._start(child, again=True)
            if failure is not None:
                if self._strategy is Strategy.ONE_FOR_ALL:
                    await stop_children(waiting[:number])
                    for member in waiting[:number]:
                        self._await_return(member)
                self._restart_failed(child, failure.cause)
                return

    def _restart_failed(self, child: Child, why: str) -> None:
        """Try again by a message to itself, so that a stop or an operator can come in between."""
        wait = self._wait_for(child, ran=0.0, outage=False)
        if wait is None:
            self._give_up(child, why)
        else:
            self._await_return(child)
            self._restart_after(wait, child, why)

    # Who is restarted with it

    def _group_of(self, child: Child) -> list[Child]:
        """The child and those that its strategy restarts with it, in starting order.

        Children that an operator stopped, or that ended for good, stay as they are.
        """
        if self._strategy is Strategy.ONE_FOR_ONE:
            return [child]
        members = self._roster.all()
        if self._strategy is Strategy.REST_FOR_ONE:
            members = members[members.index(child) :]
        return [m for m in members if m is child or m.standing is not Standing.STOPPED]

    def _await_return(self, child: Child) -> None:
        child.cancel_timers()
        if child.spec.restart is Restart.TEMPORARY:
            self._roster.over(child)
        else:
            self._roster.stand(child, Standing.WAITING)

    # How long to wait

    def _wait_for(self, child: Child, *, ran: float, outage: bool) -> float | None:
        now, rng = self.system.loop.time(), self.system.rng
        return self._limits.wait_for(child.failures, ran=ran, outage=outage, now=now, rng=rng)

    def _restart_after(self, wait: float, child: Child, why: str) -> None:
        """Plan the return of a child, and of all that wait with it; tell why it is needed."""
        child.due = RestartDue(child.name)
        child.timer = self.after(wait, child.due)
        if wait == 0:
            return
        failures, path, why = child.failures, child.cell.path, self.system.scrubber.text(why)
        loud = failures.quarantined or failures.in_a_row >= self._limits.policy(failures).loud_after
        child.cell.log.log(
            "ERROR" if loud else "WARNING",
            "{}back in {:.1f} s, after {} failure(s) in a row: {}",
            "quarantined, " if failures.quarantined else "",
            wait,
            failures.in_a_row,
            why,
        )
        kind = Quarantined if failures.quarantined else ChildWaiting
        self.system.emit(kind(path=path, why=why, retry_in=wait, failures=failures.in_a_row))

    @handles
    def _quarantine_over(self, message: QuarantineOver) -> None:
        child = self._roster.get(message.name)
        if child is None or child.life is None or child.life is not message.life:
            return
        child.failures.clear()
        child.quarantine_timer = None
        child.cell.log.info("recovered from quarantine")
        self.system.emit(Recovered(path=child.cell.path))

    # The supervisor's own end

    def _give_up(self, child: Child, why: str) -> None:
        """Stop all children and end with `shutdown`, for the parent to decide."""
        why = self.system.scrubber.text(why)
        self.state.gave_up = f"{child.name}: {why}"
        self.log.error("gives up because of {}: {}", child.name, why)
        event = SupervisorGaveUp(
            path=self.path,
            child=child.cell.path,
            why=why,
            intensity=self._limits.intensity or 0,
            period=self._limits.period,
        )
        self.system.emit(event)
        self._life.stop(Reason.SHUTDOWN)

    def _end_with_significant(self, child: Child) -> None:
        """Automatic shutdown: at the first significant child's own end, or at the last's."""
        if not child.spec.significant or self._auto_shutdown == "never":
            return
        others = [
            other
            for other in self._roster.all()
            if other is not child and other.spec.significant and other.wanted
        ]
        if self._auto_shutdown == "any" or not others:
            self._life.stop(Reason.SHUTDOWN)

    async def terminate_children(self, end: End) -> None:
        """Stop the children in reverse; kill them if this supervisor was killed or crashed."""
        children = self._roster.all()
        for child in children:
            child.cancel_timers()
        if end.abnormal:
            kill_children(children)
            await all_ended([life for child in children if (life := child.cell.life) is not None])
        else:
            await stop_children(children)
        self._roster.forget_all("ended with its supervisor")

    def kill_children(self) -> None:
        kill_children(self._roster.all())

    # Orders

    @handles
    async def _start_child(self, message: StartChild) -> Started | AlreadyThere | StartRefused:
        spec: object = message.spec
        if not isinstance(spec, ChildSpec):
            return StartRefused(f"spec is {spec!r}; a child is started from a ChildSpec")
        there = self._roster.get(spec.name)
        if there is not None:
            return AlreadyThere(
                there.cell.path,
                running=there.standing is Standing.RUNNING,
                waiting=there.standing is Standing.WAITING,
            )
        if refusal := self._refusal(spec):
            return StartRefused(refusal)
        child = self._roster.add(self.system, self._life.cell, spec, dynamic=True)
        failure = await self._start(child)
        if failure is not None:
            self._roster.over(child)
            return StartRefused(str(failure))
        return Started(child.cell.path, child.standing is Standing.IGNORED)

    @handles
    async def _stop_child(self, message: StopChild) -> Stopped:
        child = self._roster.get(message.name)
        if child is None:
            return Stopped(known=False)
        followers = self._followers_of(child)
        await stop_children([child])
        self._roster.over(child)
        await self._bring_back(followers)
        return Stopped(known=True)

    @handles
    async def _restart_child(self, message: RestartChild) -> Started | StartRefused:
        child = self._roster.get(message.name)
        if child is None:
            return StartRefused(f"{self._shown} has no child {message.name!r}")
        again = child.wanted and child.spec.restart is not Restart.TEMPORARY
        followers = self._followers_of(child)
        await stop_children([child])
        child.cancel_timers()
        child.failures.clear()
        failure = await self._start(child, again=True)
        if failure is None:
            await self._bring_back(followers)
            return Started(child.cell.path, child.standing is Standing.IGNORED)
        if again:
            self._restart_failed(child, failure.cause)
        else:
            self._roster.over(child)
        return StartRefused(str(failure))

    def _followers_of(self, child: Child) -> list[Child]:
        """Those that wait for the return of this child: nobody, unless it is due to return."""
        return self._group_of(child) if child.due is not None else []

    def _refusal(self, spec: ChildSpec) -> str:
        """Why a dynamic child may not be started; empty if it may."""
        if spec.significant and self._auto_shutdown == "never":
            return significant_without_shutdown(spec.name)
        limit = self._max_children
        if limit is not None and self._roster.wanted >= limit:
            return f"{self._shown} has its {limit} children already"
        return ""

    # Starting one child

    async def _start(self, child: Child, *, again: bool = False) -> StartFailed | None:
        """Start one child and record where it stands. The failure is returned, not raised."""
        if self._life.end is not None:
            # It ignored being killed and was abandoned: its children would be nobody's.
            return StartFailed(child.cell.shown, "its supervisor has ended")
        outcome = await start_life(child.cell)
        if isinstance(outcome, StartFailed):
            return outcome
        if isinstance(outcome, Ignore):
            self._roster.ignored(child)
            return None
        child.life = outcome
        self._roster.stand(child, Standing.RUNNING)
        if again:
            child.cell.restarts += 1
            self.state.restarts += 1
            self.system.emit(ChildRestarted(path=child.cell.path, restarts=child.cell.restarts))
        if child.failures.quarantined:
            healthy = self._limits.policy(child.failures).reset_after
            child.quarantine_timer = self.after(healthy, QuarantineOver(child.name, outcome))
        return None

    @property
    def _shown(self) -> str:
        return self._life.cell.shown


def comes_back(restart: Restart, end: End) -> bool:
    """Whether a child with this restart type returns after such an end."""
    match restart:
        case Restart.PERMANENT:
            return True
        case Restart.TRANSIENT:
            return end.abnormal
        case Restart.TEMPORARY:
            return False
