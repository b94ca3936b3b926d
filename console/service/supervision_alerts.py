"""What operators hear of the machinery itself: crashes and quarantines, as alerts.

Turns supervision events into messages for the alerts actor, which stores and delivers them.
Leaves restarting to the supervisors.
"""

from __future__ import annotations

from loguru import logger

from actors import paths
from actors.runtime import System
from actors.runtime.events import (
    AskCycle,
    ChildCrashed,
    Quarantined,
    Recovered,
    SlowHandler,
    SupervisionEvent,
    SupervisorGaveUp,
)
from messages.ledger import AlertDraft, AlertLevel, AlertType
from messages.to_alerts import RaiseAlert, ResolveAlert


class SupervisionAlerts:
    """Give `event` to the System as `on_event`, then `attach` the system."""

    def __init__(self) -> None:
        self._system: System | None = None

    def attach(self, system: System) -> None:
        self._system = system

    def event(self, event: SupervisionEvent) -> None:
        """Tell the alerts actor, where the event is something a person should know."""
        match event:
            case ChildCrashed():
                self._raise(_crash(event))
            case Quarantined():
                self._raise(_quarantine(event))
            case SupervisorGaveUp():
                self._raise(_gave_up(event))
            case Recovered():
                resolution = "it has run without failing since"
                self._tell(ResolveAlert(dedup_key=_key(event.path), resolution=resolution))
            case SlowHandler():
                logger.warning(
                    f"{event.path} took {event.seconds:.2f} s for one {event.message}\n"
                    f"{event.stack}"
                )
            case AskCycle():
                logger.error(f"Actors wait for one another: {' -> '.join(event.names)}")
            case _:
                logger.debug(f"{event}")

    def _raise(self, draft: AlertDraft) -> None:
        self._tell(RaiseAlert(draft=draft))

    def _tell(self, message: RaiseAlert | ResolveAlert) -> None:
        if self._system is not None:
            self._system.tell(paths.ALERTS, message)


def _crash(event: ChildCrashed) -> AlertDraft:
    report = event.report
    return AlertDraft(
        type=AlertType.ACTOR_CRASHED,
        level=AlertLevel.WARNING,
        # The same error of the same actor is said once in a while, not at every restart; workers
        # of one kind differ by a number.
        dedup_key=f"crash:{event.path.partition('#')[0]}:{report.error}",
        title=f"{event.path or 'sexton'} crashed: {report.error}",
        account=_account(event.path),
        seen=f"{report.class_name} failed on {report.message_type or 'its start'}: {report.error}",
        done="its supervisor restarts it; the message that it had in hand is in the crash dump",
        next_step="read the newest file in `crashes`; if it repeats, `suspend` the actor",
        details={"restarts": report.restarts, "uptime": round(report.uptime, 3)},
        lasting=False,
    )


def _quarantine(event: Quarantined) -> AlertDraft:
    return AlertDraft(
        type=AlertType.ACCOUNT_QUARANTINED,
        level=AlertLevel.CRITICAL,
        dedup_key=_key(event.path),
        title=f"{event.path} keeps failing and is in quarantine",
        account=_account(event.path),
        seen=f"{event.failures} failures in a row, the last: {event.why}",
        done=f"it is tried again in {event.retry_in:.0f} s, then ever more slowly",
        next_step="mend what the failure names; until then nobody guards this account",
    )


def _gave_up(event: SupervisorGaveUp) -> AlertDraft:
    return AlertDraft(
        type=AlertType.GUARD_DEGRADED,
        level=AlertLevel.CRITICAL,
        dedup_key=f"gave-up:{event.path}",
        title=f"{event.path or 'sexton'} gave up on {event.child}",
        account=_account(event.path),
        seen=f"more than {event.intensity} restarts within {event.period:g} s: {event.why}",
        done="the supervisor above decides what comes next",
        next_step="read the newest files in the folder `crashes`",
        lasting=False,
    )


def _key(path: str) -> str:
    return f"quarantine:{path}"


def _account(path: str) -> str:
    parts = path.split("/")
    return parts[1] if len(parts) > 1 and parts[0] == "accounts" else ""
