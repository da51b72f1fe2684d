"""What programs get by ``from thespian.actors import *``.

Owns the list of names and nothing else. ``logging``, ``inspect`` and ``contextmanager`` are in it because programs
have come to rely on them.
"""

from __future__ import annotations

import inspect
import logging
from contextlib import contextmanager

from thespian._actor import Actor
from thespian._address import ActorAddress
from thespian._capabilities import ThespianGeneration, requireCapability
from thespian._dispatcher import ActorTypeDispatcher
from thespian._errors import (
    ActorSystemException,
    ActorSystemFailure,
    ActorSystemRequestTimeout,
    ActorSystemStartupFailure,
    InvalidActorAddress,
    InvalidActorSourceHash,
    InvalidActorSpecification,
    NoCompatibleSystemForActor,
)
from thespian._messages import (
    ActorExitRequest,
    ActorSystemConventionUpdate,
    ActorSystemMessage,
    ChildActorExited,
    DeadEnvelope,
    LoadedSource,
    PoisonMessage,
    UnloadedSource,
    ValidatedSource,
    ValidateSource,
    WakeupMessage,
    WatchMessage,
    _SourceChangeNotification,  # noqa: F401 - programs import it
)
from thespian._status import Thespian_ActorStatus, Thespian_StatusReq, Thespian_SystemStatus
from thespian._system import ActorSystem, ExternalContext
from thespian._watch import ThespianWatch

__all__ = [
    "Actor",
    "ActorAddress",
    "ActorExitRequest",
    "ActorSystem",
    "ActorSystemConventionUpdate",
    "ActorSystemException",
    "ActorSystemFailure",
    "ActorSystemMessage",
    "ActorSystemRequestTimeout",
    "ActorSystemStartupFailure",
    "ActorTypeDispatcher",
    "ChildActorExited",
    "DeadEnvelope",
    "ExternalContext",
    "InvalidActorAddress",
    "InvalidActorSourceHash",
    "InvalidActorSpecification",
    "LoadedSource",
    "NoCompatibleSystemForActor",
    "PoisonMessage",
    "ThespianGeneration",
    "ThespianWatch",
    "Thespian_ActorStatus",
    "Thespian_StatusReq",
    "Thespian_SystemStatus",
    "UnloadedSource",
    "ValidateSource",
    "ValidatedSource",
    "WakeupMessage",
    "WatchMessage",
    "contextmanager",
    "inspect",
    "logging",
    "requireCapability",
]
