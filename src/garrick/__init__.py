"""Garrick: an actor system for Python.

Actors own their state, talk only by messages, and neither know nor care where the other one lives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from garrick.actor import Actor
from garrick.address import Address
from garrick.errors import (
    ActorGone,
    AskCancelled,
    AskDeadlock,
    AskError,
    AskTimeout,
    BackPressure,
    BadActorClass,
    GarrickError,
    HandlerFailed,
    InvalidArgument,
    MailboxFull,
    NameTaken,
    NoCapableSystem,
    NotAnAddress,
    SpawnFailed,
    SystemStopped,
    UnpicklableMessage,
)
from garrick.handlers import on
from garrick.inbox import Inbox
from garrick.mailbox import Bounded
from garrick.messages import (
    CapabilityLost,
    ChildExited,
    ChildMoved,
    DeadLetter,
    Lagged,
    Notice,
    Poisoned,
    ProbeNow,
    Request,
    SourceDraining,
    Subscribed,
    SystemChanged,
    SystemGone,
    SystemJoined,
    Terminated,
    Unsubscribed,
)
from garrick.reply import Replies, Reply
from garrick.requirements import requires
from garrick.streams import AsyncSubscription, Subscription
from garrick.supervision import Backoff, Escalate, Restart, Resume, Stop, Supervision
from garrick.system import ActorSystem
from garrick.upgrades import Migratable
from garrick.version import __version__ as __version__

if TYPE_CHECKING:
    from garrick.aio import AsyncActorSystem

__all__ = [
    "Actor",
    "ActorGone",
    "ActorSystem",
    "Address",
    "AskCancelled",
    "AskDeadlock",
    "AskError",
    "AskTimeout",
    "AsyncActorSystem",
    "AsyncSubscription",
    "BackPressure",
    "Backoff",
    "BadActorClass",
    "Bounded",
    "CapabilityLost",
    "ChildExited",
    "ChildMoved",
    "DeadLetter",
    "Escalate",
    "GarrickError",
    "HandlerFailed",
    "Inbox",
    "InvalidArgument",
    "Lagged",
    "MailboxFull",
    "Migratable",
    "NameTaken",
    "NoCapableSystem",
    "NotAnAddress",
    "Notice",
    "Poisoned",
    "ProbeNow",
    "Replies",
    "Reply",
    "Request",
    "Restart",
    "Resume",
    "SourceDraining",
    "SpawnFailed",
    "Stop",
    "Subscribed",
    "Subscription",
    "Supervision",
    "SystemChanged",
    "SystemGone",
    "SystemJoined",
    "SystemStopped",
    "Terminated",
    "UnpicklableMessage",
    "Unsubscribed",
    "on",
    "requires",
]


def __getattr__(name: str) -> Any:
    if name == "AsyncActorSystem":  # loads asyncio, which most programs don't need
        from garrick.aio import AsyncActorSystem

        return AsyncActorSystem
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
