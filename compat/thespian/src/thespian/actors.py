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
    ActorSystemMessage,
    ChildActorExited,
    DeadEnvelope,
    PoisonMessage,
    WakeupMessage,
)
from thespian._system import ActorSystem, ExternalContext

__all__ = [
    "Actor",
    "ActorAddress",
    "ActorExitRequest",
    "ActorSystem",
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
    "NoCompatibleSystemForActor",
    "PoisonMessage",
    "ThespianGeneration",
    "WakeupMessage",
    "contextmanager",
    "inspect",
    "logging",
    "requireCapability",
]
