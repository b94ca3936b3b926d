"""What operators hear of the machinery itself: crashes and quarantines, as alerts.

Turns supervision events into messages for the alerts actor, which stores and delivers them. The
words are in `rules.guard_alerts`; restarting is the supervisors' business.
"""

from __future__ import annotations

from loguru import logger

from actors import paths
from actors.paths import account_of
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
from messages.ledger import AlertDraft
from messages.to_alerts import RaiseAlert, ResolveAlert
from rules.guard_alerts import (
    actor_crashed,
    quarantine_key,
    quarantined,
    supervisor_gave_up,
)


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
                report = event.report
                self._raise(
                    actor_crashed(
                        event.path,
                        account_of(event.path),
                        class_name=report.class_name,
                        message_type=report.message_type,
                        error=report.error,
                        restarts=report.restarts,
                        uptime=report.uptime,
                    )
                )
            case Quarantined():
                self._raise(
                    quarantined(
                        event.path,
                        account_of(event.path),
                        failures=event.failures,
                        why=event.why,
                        retry_in=event.retry_in,
                    )
                )
            case SupervisorGaveUp():
                self._raise(
                    supervisor_gave_up(
                        event.path,
                        account_of(event.path),
                        child=event.child,
                        intensity=event.intensity,
                        period=event.period,
                        why=event.why,
                    )
                )
            case Recovered():
                resolution = "it has run without failing since"
                self._tell(
                    ResolveAlert(dedup_key=quarantine_key(event.path), resolution=resolution)
                )
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
