"""The messages that the actor system and actors exchange.

Owns the classes, their equality and their texts. All are picklable.
"""

from __future__ import annotations

from typing import Any

from thespian._address import ActorAddress


class ActorSystemMessage:
    """Base of the system's messages; ask and listen don't return them, so messages of users are not derived from it."""


class ActorExitRequest(ActorSystemMessage):
    """Tells an actor to exit; it can still send, but not refuse.

    Args:
        recursive: whether its children exit as well.
    """

    def __init__(self, recursive: bool = True) -> None:
        self._recursive = recursive

    @property
    def isRecursive(self) -> bool:
        """Whether the children of the actor exit as well."""
        return self._recursive

    def notRecursive(self) -> None:
        """The children of the actor live on; the system is their parent then."""
        self._recursive = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActorExitRequest)

    def __hash__(self) -> int:
        return hash(ActorExitRequest)

    def __str__(self) -> str:
        return "ActorExitRequest"


class ChildActorExited(ActorSystemMessage):
    """Tells an actor that a child of it has ended, or could not be started."""

    def __init__(self, exitedChildAddress: ActorAddress) -> None:
        self.childAddress = exitedChildAddress

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ChildActorExited) and self.childAddress == other.childAddress

    def __hash__(self) -> int:
        return hash(self.childAddress)

    def __str__(self) -> str:
        return f"ChildActorExited:{self.childAddress}"


class PoisonMessage(ActorSystemMessage):
    """Tells a sender that its message could not be handled.

    Args:
        poison: the message.
        details: a traceback as text.
    """

    def __init__(self, poison: Any, details: str | None = None) -> None:
        self._poison = poison
        self._details = details

    @property
    def poisonMessage(self) -> Any:
        """The message that could not be handled."""
        return self._poison

    @property
    def details(self) -> str | None:
        """Why."""
        return self._details

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PoisonMessage) and bool(self._poison == other._poison)

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"Poison<{self._poison}>" + (f": {self._details}" if self._details else "")


class WakeupMessage(ActorSystemMessage):
    """Comes to an actor when a time that it asked for is over.

    Args:
        delayPeriod: what it gave to ``wakeupAfter``.
        payload: likewise.
    """

    def __init__(self, delayPeriod: Any, payload: Any = None) -> None:
        self.delayPeriod = delayPeriod
        self.payload = payload

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, WakeupMessage)
            and bool(self.delayPeriod == other.delayPeriod)
            and bool(self.payload == other.payload)
        )

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"WakeupMessage({self.delayPeriod}, {self.payload})"


class DeadEnvelope(ActorSystemMessage):
    """A message that reached nobody, for the actor that handles such messages.

    Args:
        origTgt: whom it was sent to.
        origMsg: the message.
    """

    def __init__(self, origTgt: Any, origMsg: Any) -> None:
        self.deadAddress = origTgt
        self.deadMessage = origMsg

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, DeadEnvelope)
            and bool(self.deadAddress == other.deadAddress)
            and bool(self.deadMessage == other.deadMessage)
        )

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        message = "self" if self.deadMessage is self else self.deadMessage
        return f"DeadEnvelope({message})->{self.deadAddress}"


class WatchMessage(ActorSystemMessage):
    """Tells an actor that watched files can be read; see `ThespianWatch`.

    Args:
        ready: their descriptors.
    """

    def __init__(self, ready: list[int]) -> None:
        self.ready = ready

    def __str__(self) -> str:
        return f"WatchMessage({self.ready})"


class ActorSystemConventionUpdate(ActorSystemMessage):
    """Tells of a system that has joined or left the convention.

    Args:
        adminAddress: its address.
        capabilities: what it has, or had.
        added: whether it has joined.
    """

    def __init__(self, adminAddress: ActorAddress, capabilities: Any = None, added: bool = True) -> None:
        self.remoteAdminAddress = adminAddress
        self.remoteCapabilities = capabilities or {}
        self.remoteAdded = added

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ActorSystemConventionUpdate)
            and self.remoteAdminAddress == other.remoteAdminAddress
            and bool(self.remoteCapabilities == other.remoteCapabilities)
            and self.remoteAdded == other.remoteAdded
        )

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        change = "added" if self.remoteAdded else "removed"
        return f"ActorSystemConventionUpdate({self.remoteAdminAddress}, {self.remoteCapabilities}, {change})"


class ValidateSource(ActorSystemMessage):
    """Asks the source authority whether a source may be used.

    Args:
        sourceHash: the source's.
        sourceData: its bytes.
        sourceInfo: where it comes from.
    """

    def __init__(self, sourceHash: str, sourceData: bytes, sourceInfo: Any = None) -> None:
        self.sourceHash = sourceHash
        self.sourceData = sourceData
        self.sourceInfo = sourceInfo

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ValidateSource) and self.sourceHash == other.sourceHash

    def __hash__(self) -> int:
        return hash(self.sourceHash)


class ValidatedSource(ActorSystemMessage):
    """The source authority's answer.

    Args:
        sourceHash: the source's.
        sourceZip: the archive to use; None: the source is refused.
        sourceInfo: for those who are told of the source.
    """

    def __init__(self, sourceHash: str, sourceZip: bytes | None, sourceInfo: Any = None) -> None:
        self.sourceHash = sourceHash
        self.sourceZip = sourceZip
        self.sourceInfo = sourceInfo

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ValidatedSource) and self.sourceHash == other.sourceHash

    def __hash__(self) -> int:
        return hash(self.sourceHash)


class _SourceChangeNotification(ActorSystemMessage):
    def __init__(self, sourceHash: str, sourceInfo: Any) -> None:
        self.sourceHash = sourceHash
        self.sourceInfo = sourceInfo

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other)

    def __hash__(self) -> int:
        return hash(self.sourceHash)

    def __str__(self) -> str:
        return f"{type(self).__name__}(sourceHash={self.sourceHash}, sourceInfo={self.sourceInfo})"


class LoadedSource(_SourceChangeNotification):
    """Tells that a source can be used."""


class UnloadedSource(_SourceChangeNotification):
    """Tells that a source can be used no longer."""


def is_hidden(message: Any) -> bool:
    """Whether ask and listen pass over this message."""
    if isinstance(message, PoisonMessage):
        return is_hidden(message.poisonMessage)
    return isinstance(message, ActorSystemMessage)
