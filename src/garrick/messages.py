"""Messages that users see: requests with a reply type, and the notices of the system.

Notices go to ``@on`` handlers and hooks, never to an overridden ``receive``. All are immutable and picklable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from garrick.address import Address

R = TypeVar("R")


class Request(Generic[R]):
    """Base of messages that are asked; ``R`` is the type of the reply, which ``ask`` then infers."""

    __slots__ = ()


class Notice:
    """Base of what the system tells an actor of its own accord."""

    __slots__ = ()


@dataclass(frozen=True)
class ChildExited(Notice):
    """A child has ended; told once to its parent.

    Attributes:
        child: the address, which from now on leads to dead letters.
        reason: ``stopped``, ``failed``, ``worker lost``, ``system lost``, ``capability lost``, ``system left``,
            ``refused``.
        detail: one sentence for a person, e.g. the exception.
        error: the exception of a failed child, when it can be pickled.
        name: the name given at spawn, if any.
    """

    child: Address[Any]
    reason: str
    detail: str = ""
    error: BaseException | None = None
    name: str | None = None


@dataclass(frozen=True)
class ChildMoved(Notice):
    """A child goes on at another address: it was made again elsewhere (``Restart(relocate=True)``), or has got its first place.

    Attributes:
        child: the former address. What is sent there still arrives if it was that of a child that waited for a place.
        address: the new one; that of a child that waits (``detail`` says for what) changes once more.
        reason: ``capability lost``, ``system lost``, ``system left``, ``worker lost``, ``refused`` or ``placed``.
        detail: one sentence for a person.
        name: the name given at spawn, if any.
    """

    child: Address[Any]
    address: Address[Any]
    reason: str
    detail: str = ""
    name: str | None = None


@dataclass(frozen=True)
class Terminated(Notice):
    """A watched actor has ended; told once to each watcher. Reasons as in ChildExited."""

    actor: Address[Any]
    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Poisoned(Notice):
    """A message that this actor sent made its receiver fail, or could not be decoded there.

    Attributes:
        message: the message (None when only its remains are known).
        error: what the handler raised.
        target: who was to handle it.
    """

    message: Any
    error: BaseException
    target: Address[Any] | None = None


@dataclass(frozen=True)
class Subscribed(Notice):
    """A program subscribed to what this actor publishes (``ActorSystem.subscribe``).

    Attributes:
        subscriber: the address of the subscription; what is sent to it, a snapshot for example, reaches this subscriber alone.
        request: what the program gave with it.
    """

    subscriber: Address[Any]
    request: Any = None


@dataclass(frozen=True)
class Unsubscribed(Notice):
    """A subscriber of this actor has closed its subscription, or is gone with its process."""

    subscriber: Address[Any]


@dataclass(frozen=True)
class Lagged:
    """An item of a subscription: here events are missing, since the reader was too slow for them.

    Attributes:
        missed: how many; None when nobody knows, because the actor was lost with its process and made again.
    """

    missed: int | None


@dataclass(frozen=True)
class CapabilityLost(Notice):
    """The hosting system no longer has a capability that this actor requires; the actor ends after this notice."""

    capabilities: tuple[str, ...]


@dataclass(frozen=True)
class SourceDraining(Notice):
    """The version that this actor is made of drains: no new actors are made of it, and those that are there should finish.

    Attributes:
        hash: of the version.
        successor: the hash of the one that is current; None: there is none.
        seconds: until the deadline; None: there is none.
    """

    hash: str
    successor: str | None
    seconds: float | None


@dataclass(frozen=True)
class SystemJoined(Notice):
    """Another system is in the convention; for who called `Actor.watch_systems`.

    Attributes:
        system: its name and incarnation, ``name@incarnation``.
        capabilities: as it has told them.
    """

    system: str
    capabilities: dict[str, Any]


@dataclass(frozen=True)
class SystemChanged(Notice):
    """The capabilities of another system are different now; see `SystemJoined`."""

    system: str
    capabilities: dict[str, Any]


@dataclass(frozen=True)
class SystemGone(Notice):
    """Another system has left the convention or is lost, or this one is cut off; see `SystemJoined`."""

    system: str


@dataclass(frozen=True)
class ProbeNow:
    """Ask a prober (whose address `ActorSystem.probe` returns) to look now; the answer is the value that it found, or None."""


@dataclass(frozen=True)
class DeadLetter:
    """A message that nobody handled, as subscribers of dead letters receive it.

    Attributes:
        message: the message; None if it could not be decoded where it died, or the way to this subscriber was full.
        target: where it was meant to go.
        sender: who sent it, if anybody.
        reason: ``stopped``, ``failed``, ``unhandled``, ``unknown``, ``worker lost``, ``late reply``, ``mailbox full``, ...
    """

    message: Any
    target: Address[Any]
    sender: Address[Any] | None
    reason: str
