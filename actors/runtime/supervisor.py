"""The supervisor: what becomes of a child that ends, and of those beside it.

The rules, in the order in which they are applied to the end of a child (`_child_ended`):

1. The end of an incarnation that is no longer current is ignored.
2. Permanent children come back always, transient ones after a crash or a kill, temporary never.
3. A child that does not come back may end its supervisor, if it is significant.
4. A child that fails again and again waits (back-off), is quarantined, or makes the supervisor
   give up: more than `intensity` restarts within `period` seconds.
5. The strategy says who is stopped and started with it: in reverse, and in order.
6. A restart that fails is a failure like any other.

How one child is started and stopped is in `children.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from actors.runtime.actor import Actor
from actors.runtime.children import (
    Child,
    ChildEnded,
    Standing,
    add_cell,
    kill_children,
    remove_cell,
    start_life,
    stop_children,
)
from actors.runtime.ends import End, Ignore, Reason
from actors.runtime.errors import BadChildSpec, StartFailed
from actors.runtime.events import (
    ChildRestarted,
    ChildWaiting,
    Quarantined,
    Recovered,
    SupervisorGaveUp,
)
from actors.runtime.handlers import handles
from actors.runtime.life import Life
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
)


class SupervisorState(msgspec.Struct):
    """What a dump shows of a supervisor; `restarts` counts those since its own start."""

    strategy: Strategy
    children: dict[str, str] = {}
    restarts: int = 0
    gave_up: str = ""


class Retry(msgspec.Struct, frozen=True):
    """To itself: the wait of this child, and of those that follow it, is over."""

    name: str


class Calm(msgspec.Struct, frozen=True):
    """To itself: this incarnation of a quarantined child has run long enough."""

    name: str
    life: Life


class Supervisor(Actor[SupervisorState]):
    """Starts its children in order, restarts them by its rules, stops them in reverse.

    Static children are given here, dynamic ones come by `StartChild` and are forgotten once they
    have ended for good. `intensity` restarts within `period` seconds are borne, one more ends
    the supervisor; None bears any number. Without `backoff` a restart is immediate.

    Raises:
        BadChildSpec: options or specifications that contradict themselves.
    """

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
        self._specs = tuple(children)
        self._strategy = strategy
        self._intensity = intensity
        self._period = period
        self._backoff = backoff
        self._auto_shutdown = auto_shutdown
        self._max_children = max_children
        self._quarantine = quarantine
        self._children: dict[str, Child] = {}
        self._restarted_at: list[float] = []
        self._check_options()

    # Start: in order, each acknowledged before the next; a failure undoes those before it

    async def on_start(self) -> None:
        self._life.cell.children = {}
        for spec in self._specs:
            self._add(spec, dynamic=False)
        for child in list(self._children.values()):
            failure = await self._start(child)
            if failure is not None:
                await stop_children(list(self._children.values()))
                self._forget_all("was undone: a sibling failed to start")
                raise failure

    # The end of a child

    @handles
    async def _child_ended(self, message: ChildEnded) -> None:
        child = self._children.get(message.name)
        if child is None or child.life is not message.life:
            return
        child.life = None
        if comes_back(child.spec.restart, message.end):
            await self._failed(
                child, str(message.end), outage=message.end.outage, life=message.life
            )
        else:
            self._over(child)
            self._end_with_significant(child)

    async def _failed(
        self, child: Child, why: str, *, outage: bool = False, life: Life | None = None
    ) -> None:
        """A child has to come back: at once, after a wait, or not at all because it is too much."""
        self._count_failure(child, life)
        too_many = not outage and not child.quarantined and self._restarts_exceed()
        if self._quarantine is not None and (too_many or child.failures > self._quarantine.after):
            self._enter_quarantine(child, why)
        elif too_many:
            self._give_up(child, why)
            return
        group = self._group_of(child)
        if len(group) > 1:
            await stop_children([member for member in group if member is not child])
        for member in group:
            self._await_return(member, child.spec.name)
        delay = self._delay(child, outage=outage)
        if delay > 0:
            child.timer = self.after(delay, Retry(child.spec.name))
            self._tell_of_wait(child, why, delay)
        else:
            await self._bring_back(child.spec.name)

    @handles
    async def _retry(self, message: Retry) -> None:
        await self._bring_back(message.name)

    async def _bring_back(self, leader: str) -> None:
        """Start in order all that wait for `leader`; a failure stops those before it again."""
        waiting = [child for child in self._children.values() if child.leader == leader]
        for child in waiting:
            failure = await self._start(child, again=True)
            if failure is not None:
                started = waiting[: waiting.index(child)]
                await stop_children(started)
                for member in started:
                    self._await_return(member, leader)
                await self._restart_failed(child, failure)
                return

    async def _restart_failed(self, child: Child, failure: StartFailed) -> None:
        # By a message to itself, so that a stop or an operator can come in between.
        self._count_failure(child, None)
        too_many = not child.quarantined and self._restarts_exceed()
        if self._quarantine is not None and (too_many or child.failures > self._quarantine.after):
            self._enter_quarantine(child, failure.cause)
        elif too_many:
            self._give_up(child, failure.cause)
            return
        delay = self._delay(child, outage=False)
        leader = self._children.get(child.leader, child)
        leader.timer = self.after(delay, Retry(child.leader))
        self._tell_of_wait(child, failure.cause, delay)

    # Who is restarted with it

    def _group_of(self, child: Child) -> list[Child]:
        """The child and those that its strategy restarts with it, in starting order.

        Children that an operator stopped, or that ended for good, stay as they are.
        """
        members = list(self._children.values())
        if self._strategy is Strategy.ONE_FOR_ONE:
            return [child]
        if self._strategy is Strategy.REST_FOR_ONE:
            members = members[members.index(child) :]
        return [m for m in members if m is child or m.standing is not Standing.STOPPED]

    def _await_return(self, child: Child, leader: str) -> None:
        child.cancel_timers()
        if child.spec.restart is Restart.TEMPORARY:
            self._over(child)
            return
        child.leader = leader
        self._stand(child, Standing.WAITING)

    # How often, and how long to wait

    def _restarts_exceed(self) -> bool:
        """Count one restart; say whether there were too many within the period."""
        if self._intensity is None:
            return False
        now = self.system.loop.time()
        self._restarted_at = [at for at in self._restarted_at if now - at <= self._period]
        self._restarted_at.append(now)
        return len(self._restarted_at) > self._intensity

    def _count_failure(self, child: Child, life: Life | None) -> None:
        """Failures in a row: a run that was long enough begins a new row."""
        policy = self._policy(child)
        if life is not None and self.system.loop.time() - life.born >= policy.reset_after:
            child.failures = 0
        child.failures += 1

    def _policy(self, child: Child) -> Backoff:
        if child.quarantined and self._quarantine is not None:
            return self._quarantine.backoff
        return self._backoff or DEFAULT_BACKOFF

    def _delay(self, child: Child, *, outage: bool) -> float:
        if child.quarantined and self._quarantine is not None:
            beyond = max(1, child.failures - self._quarantine.after)
            return self._quarantine.backoff.delay(beyond, self.system.rng)
        if self._backoff is None and not outage:
            return 0.0
        return self._policy(child).delay(child.failures, self.system.rng)

    def _enter_quarantine(self, child: Child, why: str) -> None:
        assert self._quarantine is not None
        child.quarantined = True
        child.failures = max(child.failures, self._quarantine.after + 1)

    @handles
    def _calm(self, message: Calm) -> None:
        child = self._children.get(message.name)
        if child is None or child.life is not message.life:
            return
        child.quarantined = False
        child.failures = 0
        child.calm = None
        child.cell.log.info("recovered from quarantine")
        self.system.emit(Recovered(path=child.cell.path))

    def _tell_of_wait(self, child: Child, why: str, delay: float) -> None:
        path, why = child.cell.path, self.system.scrubber.text(why)
        policy = self._policy(child)
        loud = child.quarantined or child.failures >= policy.loud_after
        child.cell.log.log(
            "ERROR" if loud else "WARNING",
            "{} in {:.1f} s, after {} failure(s) in a row: {}",
            "quarantined: back" if child.quarantined else "back",
            delay,
            child.failures,
            why,
        )
        if child.quarantined:
            self.system.emit(
                Quarantined(path=path, why=why, retry_in=delay, failures=child.failures)
            )
        else:
            self.system.emit(
                ChildWaiting(path=path, why=why, retry_in=delay, failures=child.failures)
            )

    # The supervisor's own end

    def _give_up(self, child: Child, why: str) -> None:
        """Stop all children and end with `shutdown`, for the parent to decide."""
        assert self._intensity is not None
        why = self.system.scrubber.text(why)
        self.state.gave_up = f"{child.spec.name}: {why}"
        self.log.error("gives up because of {}: {}", child.spec.name, why)
        self.system.emit(
            SupervisorGaveUp(
                path=self.path,
                child=child.cell.path,
                why=why,
                intensity=self._intensity,
                period=self._period,
            )
        )
        self._life.stop(Reason.SHUTDOWN)

    def _end_with_significant(self, child: Child) -> None:
        """Automatic shutdown: at the first significant child's own end, or at the last's."""
        if not child.spec.significant or self._auto_shutdown == "never":
            return
        others = [
            other
            for other in self._children.values()
            if other is not child
            and other.spec.significant
            and other.standing in (Standing.RUNNING, Standing.WAITING)
        ]
        if self._auto_shutdown == "any" or not others:
            self._life.stop(Reason.SHUTDOWN)

    async def bury(self, end: End) -> None:
        """Stop the children in reverse; kill them if this supervisor was killed or crashed."""
        children = list(self._children.values())
        for child in children:
            child.cancel_timers()
        orderly = False
        try:
            if not end.abnormal:
                await stop_children(children)
                orderly = True
        finally:
            if not orderly:
                await kill_children(children)
            self._forget_all("ended with its supervisor")

    # Orders

    @handles
    async def _start_child(self, message: StartChild) -> Started | AlreadyThere | StartRefused:
        spec = message.spec
        there = self._children.get(spec.name)
        if there is not None:
            return AlreadyThere(
                there.cell.path,
                running=there.standing is Standing.RUNNING,
                waiting=there.standing is Standing.WAITING,
            )
        if refusal := self._refusal(spec):
            return StartRefused(refusal)
        child = self._add(spec, dynamic=True)
        failure = await self._start(child)
        if failure is not None:
            self._over(child)
            return StartRefused(str(failure))
        if child.standing is Standing.IGNORED:
            self._over(child)
            return Started(child.cell.path, ignored=True)
        return Started(child.cell.path)

    @handles
    async def _stop_child(self, message: StopChild) -> Stopped:
        child = self._children.get(message.name)
        if child is None:
            return Stopped(known=False)
        await stop_children([child])
        leader = child.leader
        others = [other for other in self._children.values() if other.leader == child.spec.name]
        self._over(child)
        if leader == child.spec.name and len(others) > 1:
            await self._bring_back(leader)
        return Stopped(known=True)

    @handles
    async def _restart_child(self, message: RestartChild) -> Started | StartRefused:
        child = self._children.get(message.name)
        if child is None:
            return StartRefused(f"{self.path or 'the root'} has no child {message.name!r}")
        wanted = child.standing in (Standing.RUNNING, Standing.WAITING)
        leader = child.leader or child.spec.name
        await stop_children([child])
        child.cancel_timers()
        child.quarantined = False
        child.failures = 0
        if wanted:
            self._await_return(child, leader)
        failure = await self._start(child, again=True)
        if failure is not None:
            if wanted:
                await self._restart_failed(child, failure)
            else:
                self._over(child)
            return StartRefused(str(failure))
        await self._bring_back(child.spec.name)
        return Started(child.cell.path, ignored=child.standing is Standing.IGNORED)

    # Records

    def _add(self, spec: ChildSpec, *, dynamic: bool) -> Child:
        child = Child(spec, add_cell(self.system, self._life.cell, spec), dynamic=dynamic)
        self._children[spec.name] = child
        return child

    async def _start(self, child: Child, *, again: bool = False) -> StartFailed | None:
        """Start one child and record where it stands. The failure is returned, not raised."""
        outcome = await start_life(child.cell)
        if isinstance(outcome, StartFailed):
            return outcome
        child.leader = ""
        if isinstance(outcome, Ignore):
            self._ignored(child)
            return None
        child.life = outcome
        self._stand(child, Standing.RUNNING)
        if again:
            child.cell.restarts += 1
            self.state.restarts += 1
            self.system.emit(ChildRestarted(path=child.cell.path, restarts=child.cell.restarts))
        if child.quarantined:
            wait = self._policy(child).reset_after
            child.calm = self.after(wait, Calm(child.spec.name, outcome))
        return None

    def _ignored(self, child: Child) -> None:
        if child.spec.restart is Restart.TEMPORARY:
            self._over(child)
        child.cell.shut("has nothing to do")
        self._stand(child, Standing.IGNORED)

    def _over(self, child: Child) -> None:
        """The child does not come back: forgotten, or kept as stopped where it is static."""
        child.cancel_timers()
        child.leader = ""
        if child.forgotten_when_over:
            self._children.pop(child.spec.name, None)
            self.state.children.pop(child.spec.name, None)
            remove_cell(child.cell, "has ended")
            return
        child.cell.shut("has stopped")
        self._stand(child, Standing.STOPPED)

    def _stand(self, child: Child, standing: Standing) -> None:
        child.stand(standing)
        if child.spec.name in self._children:
            self.state.children[child.spec.name] = str(standing)

    def _forget_all(self, why: str) -> None:
        for child in reversed(list(self._children.values())):
            remove_cell(child.cell, why)
        self._children.clear()

    # Refusals

    def _refusal(self, spec: ChildSpec) -> str:
        """Why a dynamic child may not be started; empty if it may."""
        if spec.significant and self._auto_shutdown == "never":
            return _significant_without_shutdown(spec.name)
        if self._max_children is not None:
            alive = [
                child
                for child in self._children.values()
                if child.standing in (Standing.RUNNING, Standing.WAITING)
            ]
            if len(alive) >= self._max_children:
                return f"{self.path or 'the root'} has its {self._max_children} children already"
        if self._life.stopping is not None:
            return f"{self.path or 'the root'} is stopping"
        return ""

    def _check_options(self) -> None:
        if not isinstance(self._strategy, Strategy):
            raise BadChildSpec(f"strategy is {self._strategy!r}; use a member of Strategy")
        if self._intensity is not None and self._intensity < 0:
            raise BadChildSpec(f"intensity is {self._intensity}; use zero or more, or None")
        if self._period <= 0:
            raise BadChildSpec(f"period is {self._period} s; use a positive number of seconds")
        if self._auto_shutdown not in ("never", "any", "all"):
            raise BadChildSpec(f"auto_shutdown is {self._auto_shutdown!r}; use never, any or all")
        if self._max_children is not None and self._max_children < 0:
            raise BadChildSpec(f"max_children is {self._max_children}; use zero or more, or None")
        names: set[str] = set()
        for spec in self._specs:
            if spec.name in names:
                raise BadChildSpec(f"two children are named {spec.name!r}; rename one of them")
            names.add(spec.name)
            if spec.significant and self._auto_shutdown == "never":
                raise BadChildSpec(_significant_without_shutdown(spec.name))


DEFAULT_BACKOFF = Backoff()


def comes_back(restart: Restart, end: End) -> bool:
    """Whether a child with this restart type returns after such an end."""
    match restart:
        case Restart.PERMANENT:
            return True
        case Restart.TRANSIENT:
            return end.abnormal
        case Restart.TEMPORARY:
            return False


def _significant_without_shutdown(name: str) -> str:
    return (
        f"child {name!r} is significant, but auto_shutdown is 'never'; "
        "set auto_shutdown, or make the child ordinary"
    )
