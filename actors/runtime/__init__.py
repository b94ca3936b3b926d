"""The machinery below the actors: mailboxes, supervision, asking, dumps. pykka on asyncio.

Lives here: how an actor lives, ends and comes back. Does not live here: anything about
exchanges, positions or the ledger; it imports no other room but `messages.base` and
`messages.values`. What a part needs of one above it is a Protocol in `ports.py`.
"""

from actors.runtime.actor import Actor
from actors.runtime.cell import Overflow
from actors.runtime.deferred import DeferredReply
from actors.runtime.ends import Down, End, Ignore, Reason, WorkerDone
from actors.runtime.errors import (
    ActorCrashed,
    AskCycleError,
    AskedItself,
    AskError,
    AskFailed,
    AskFailure,
    AskTimeout,
    BadChildSpec,
    BadHandler,
    BadOption,
    BlockingOnLoop,
    MailboxFull,
    NoSuchActor,
    NotUnderstood,
    Outage,
    StartFailed,
    WorkerCrashed,
)
from actors.runtime.events import CrashReport, SupervisionEvent
from actors.runtime.handlers import handles
from actors.runtime.introspection import GetState, GetStatistics, NodeInfo
from actors.runtime.pauses import Pauses
from actors.runtime.specs import (
    AlreadyThere,
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
from actors.runtime.supervisor import Supervisor, SupervisorState
from actors.runtime.system import System, utc_now
from actors.runtime.timers import Timer
from actors.runtime.workers import Worker

__all__ = [
    "Actor",
    "ActorCrashed",
    "AlreadyThere",
    "AskCycleError",
    "AskError",
    "AskFailed",
    "AskFailure",
    "AskTimeout",
    "AskedItself",
    "Backoff",
    "BadChildSpec",
    "BadHandler",
    "BadOption",
    "BlockingOnLoop",
    "ChildSpec",
    "CrashReport",
    "DeferredReply",
    "Down",
    "End",
    "GetState",
    "GetStatistics",
    "Ignore",
    "MailboxFull",
    "NoSuchActor",
    "NodeInfo",
    "NotUnderstood",
    "Outage",
    "Overflow",
    "Pauses",
    "Quarantine",
    "Reason",
    "Restart",
    "RestartChild",
    "StartChild",
    "StartFailed",
    "StartRefused",
    "Started",
    "StopChild",
    "Stopped",
    "Strategy",
    "SupervisionEvent",
    "Supervisor",
    "SupervisorState",
    "System",
    "Timer",
    "Worker",
    "WorkerCrashed",
    "WorkerDone",
    "handles",
    "utc_now",
]
