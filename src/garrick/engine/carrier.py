"""The seam between a system and whatever carries its frames: `Carrier`, `Engine`, their events and limits.

Owns the contract only; every implementation must pass `tests/conformance/carriers`. Must not know frames' contents,
actors or any particular engine.

The contract is what the weakest engine can keep:

* A frame arrives whole or not at all. Frames of one lane keep their order while one connection of the carrier lives;
  between lanes there is no order.
* A frame may get lost without a sign, and after `Reset` it may arrive twice. `wire.Link` repairs both.
* `send` never blocks and never awaits. False means "not now": the *local* queue for the peer is full, and
  `Writable(peer)` tells when it is worth trying again. It says nothing about the peer's own queue.
* Callbacks run on the thread of the loop, one at a time, and must not block.

A peer is addressed by its *name*; a system id is `name@incarnation`. The incarnation travels in the HELLO of the link
and in the announcements of members, never in the address of a frame.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from garrick.engine.membership import Delta
from garrick.engine.names import Reply, Request

__all__ = [
    "LANES",
    "Caps",
    "Carrier",
    "CarrierEvent",
    "Cut",
    "Down",
    "Engine",
    "OnEvent",
    "OnFrame",
    "OnMembers",
    "OnNames",
    "Refused",
    "Reset",
    "Slow",
    "Up",
    "Verdict",
    "Writable",
    "incarnation_of",
    "name_of",
]

#: Lanes are 0 .. LANES-1. Lane 0 is control traffic; the others are free for the link to use.
LANES = 8


def name_of(system: str) -> str:
    """The carrier address of a system: what stands before the `@` of its id."""
    return system.partition("@")[0]


def incarnation_of(system: str) -> str:
    """What stands behind the `@` of a system id; empty if there is none."""
    return system.partition("@")[2]


class Caps(NamedTuple):
    """What a carrier can do, so that the link does no more than it has to."""

    max_frame: int
    """Bytes of the largest frame; `send` of a larger one raises `ValueError`."""
    reliable: bool
    """Neither loss nor duplicates while the carrier's connection lives."""
    ordered: bool
    """FIFO per lane while the carrier's connection lives."""
    peer_close_event: bool
    """`Down(certain)` comes by itself when the peer's process ends."""
    no_responder_event: bool
    """`probe` can tell `NOBODY` from `SILENT`."""
    window_hint: int
    """The link keeps no more bytes than this un-acknowledged per peer."""


@dataclass(frozen=True)
class Up:
    """The peer can be reached (again). `peer` is its name."""

    peer: str


@dataclass(frozen=True)
class Down:
    """The peer can't be reached. Only `certain` says that its process has ended; else it is a suspicion."""

    peer: str
    certain: bool
    why: str


@dataclass(frozen=True)
class Cut:
    """The carrier lost its connection and tries to get a new one; until `Reset` nothing moves. No verdict on peers."""

    why: str


@dataclass(frozen=True)
class Reset:
    """The carrier has a new connection: every frame in flight, to and from every peer, is in doubt."""


@dataclass(frozen=True)
class Writable:
    """`send` to this peer is worth trying again after it returned False."""

    peer: str


@dataclass(frozen=True)
class Refused:
    """The engine refused something this system tried: a permission is missing, or credentials are not accepted."""

    subject: str
    why: str


@dataclass(frozen=True)
class Slow:
    """This system did not take its frames off the carrier in time and frames were dropped (a fault of our credit)."""

    why: str


CarrierEvent = Up | Down | Cut | Reset | Writable | Refused | Slow
OnFrame = Callable[[str, int, bytes], None]
OnEvent = Callable[[CarrierEvent], None]
OnMembers = Callable[[Delta], None]
OnNames = Callable[[Reply], None]


class Verdict(enum.Enum):
    """Answer of a probe."""

    REACHED = "reached"
    NOBODY = "nobody"
    """Nobody is subscribed now. A peer that is just reconnecting looks the same: a suspicion, not a death."""
    SILENT = "silent"


class Carrier(Protocol):
    """Whole frames between systems, and what is known about their reachability."""

    @property
    def caps(self) -> Caps: ...

    async def start(self, system: str, on_frame: OnFrame, on_event: OnEvent) -> None:
        """Connect as `system` (name@incarnation). Raises a `GarrickError` when that is impossible."""
        ...

    def send(self, peer: str, lane: int, frame: bytes) -> bool:
        """Queue a frame for the system named `peer`; False: try again after `Writable(peer)`."""
        ...

    def send_any(self, role: str, lane: int, frame: bytes) -> bool:
        """Queue a frame for exactly one of the systems that hold `role` (if any does)."""
        ...

    def broadcast(self, lane: int, frame: bytes) -> bool:
        """Queue a frame for every other system of the convention."""
        ...

    async def probe(self, peer: str, timeout: float) -> Verdict:
        """Ask whether anybody is subscribed as `peer`. Seconds."""
        ...

    async def stop(self, drain: float = 1.0) -> None:
        """Give queued frames up to `drain` seconds to leave, then close. Idempotent."""
        ...


class Engine(Protocol):
    """What the admin of a system holds: a carrier and the feed of members, behind one face.

    `credentials` is what `garrick.engine.identity` issues (memory: ignored). `server` is an embedded server that the
    engine starts first and stops last (memory: ignored).
    """

    on_names: OnNames

    @property
    def caps(self) -> Caps: ...

    @property
    def directory(self) -> str:
        """Id of the system whose list of members this one goes by; empty: it has not heard of any."""
        ...

    async def start(
        self,
        system: str,
        credentials: Any,
        *,
        server: Any = None,
        on_frame: OnFrame,
        on_event: OnEvent,
        on_members: OnMembers,
    ) -> None:
        """Connect, join, and start to tell the callbacks. The own system is among the members once it has joined."""
        ...

    def send(self, peer: str, lane: int, frame: bytes) -> bool: ...

    def send_any(self, role: str, lane: int, frame: bytes) -> bool: ...

    def broadcast(self, lane: int, frame: bytes) -> bool: ...

    async def probe(self, peer: str, timeout: float) -> Verdict: ...

    def announce(self, capabilities: Mapping[str, object], processes: Sequence[int], load: float) -> None:
        """Publish what others may know of this system; goes out at once the first time, then coalesced."""
        ...

    def ask_names(self, request: Request) -> None:
        """Send this to the convention's authority over names; it may get lost. What it answers goes to `on_names`."""
        ...

    async def leave(self) -> None:
        """Tell everybody at once that this system goes. Frames can still be sent until `stop`."""
        ...

    async def stop(self) -> None:
        """Close everything that `start` opened, the embedded server last. Idempotent; without `leave` it is a crash."""
        ...
