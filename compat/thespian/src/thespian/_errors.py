"""The exceptions of the Thespian API, with its texts; unlike upstream's they survive pickling.

Owns the classes, and `StartRefused`, by which one of them travels from the process that could not start an actor to the one that asked.
"""

from __future__ import annotations

from typing import Any

from garrick.errors import GarrickError


class ActorSystemException(Exception):
    """Base of all exceptions of the actor system."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)


class InvalidActorAddress(ActorSystemException):
    """An address can't be used.

    Args:
        addr: the address.
        desc: what is wrong with it.
    """

    def __init__(self, addr: Any, desc: str = "not a valid ActorAddress", *args: Any) -> None:
        super().__init__(addr, desc, *args)
        self.actorAddress = addr

    def __str__(self) -> str:
        return f"{self.actorAddress} is {self.args[1]}"


class NoCompatibleSystemForActor(ActorSystemException):
    """No actor system has the capabilities that the actor requires.

    Args:
        actorClass: the class.
        msg: what happened.
    """

    def __init__(self, actorClass: Any, msg: str, *args: Any) -> None:
        super().__init__(actorClass, msg, *args)

    def __str__(self) -> str:
        return f"{self.args[1]} for Actor {self.args[0]}"


class InvalidActorSourceHash(ActorSystemException):
    """No loaded source has this hash."""

    def __init__(self, badHash: Any) -> None:
        super().__init__(badHash)

    def __str__(self) -> str:
        return f"Source hash {self.args[0]} does not match any loaded sources."


class InvalidActorSpecification(ActorSystemException):
    """What was given is no actor class, and names none.

    Args:
        spec: what was given.
        reason: why not.
    """

    def __init__(self, spec: Any, reason: Any = None) -> None:
        super().__init__(spec, reason)

    def __str__(self) -> str:
        spec, reason = self.args
        return f"Invalid Actor Specification: {spec}" + (f" ({reason})" if reason else "")


class ActorSystemFailure(ActorSystemException):
    """The actor system could not do what was asked."""


class ActorSystemStartupFailure(ActorSystemFailure):
    """The actor system could not be started."""


class ActorSystemRequestTimeout(ActorSystemFailure):
    """The actor system did not do in time what was asked."""


class StartRefused(GarrickError):
    """An actor can't be started; ``error`` is what the creator shall see."""

    code = "GAR-2001"

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.error = error
