"""The words of a link: its limits, its states and their transitions, and what it tells its owner.

Owns names and tables only; `garrick.wire.link` acts on them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from garrick.errors import WireError
from garrick.wire.envelope import Raw


@dataclass(frozen=True)
class LinkConfig:
    """Limits in bytes, times in seconds."""

    window: int = 4 * 1024 * 1024
    """Most that is un-acknowledged at a time. The peer's credit may be lower."""
    queue_limit: int = 16 * 1024 * 1024
    """Most that waits outside of the window; then `Link.send` says False."""
    frame_payload: int = 64 * 1024
    """A frame holds no more than this; longer envelopes travel in pieces."""
    batch: int = 256
    """Most envelopes in a frame."""
    linger: float = 0.0
    """How long an envelope may wait for company. 0: until the next `Link.poll_out`, which is called once per turn of a loop."""
    ack_bytes: int = 512 * 1024
    ack_after: float = 0.05
    resend_after: float = 0.5
    resend_max: float = 4.0
    """The longest pause between two tries to reach a peer that does not acknowledge."""
    gap_pause: float = 0.1
    """Gaps are told, and answered, no more often than this."""
    heartbeat: float = 1.0
    suspect_after: float = 3.0
    hello_every: float = 0.25
    """First pause between two HELLOs to a peer that does not answer; doubles up to `hello_max`."""
    hello_max: float = 2.0
    hello_pause: float = 0.05
    """HELLOs of a peer are answered no more often than this."""
    max_envelope: int = 64 * 1024 * 1024


class State(enum.Enum):
    """Where the conversation stands."""

    OPENING = "opening"
    """The peer's HELLO is awaited."""
    UNREACHED = "unreached"
    """... and has not come for too long."""
    UP = "up"
    SUSPECT = "suspect"
    """The peer was there and says nothing."""
    CLOSED = "closed"


class Trigger(enum.Enum):
    """What moves a link from one state to another."""

    MET = "the peer introduced itself"
    HEARD = "the peer said something"
    SILENT = "the peer said nothing for suspect_after"
    REJOINED = "this system has a new session"
    ENDED = "one side closed the link"


@dataclass(frozen=True, slots=True)
class Delivered:
    """Envelopes arrived, in order."""

    envelopes: list[Raw]


@dataclass(frozen=True, slots=True)
class Met:
    """The peer is known: from now on envelopes flow."""

    system: str
    session: int


@dataclass(frozen=True, slots=True)
class PeerRestarted:
    """The peer is another incarnation, or has another session, than the one so far."""

    system: str
    session: int
    undelivered: list[Raw]
    """What the former one has not acknowledged, oldest first."""


@dataclass(frozen=True, slots=True)
class PeerLeft:
    """The peer closed the link; what it had not acknowledged, it has not accepted."""

    undelivered: list[Raw]


@dataclass(frozen=True, slots=True)
class Suspected:
    """The peer says nothing."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """A suspected peer speaks again."""


@dataclass(frozen=True, slots=True)
class Writable:
    """`Link.send` returned False before, and is worth trying again."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A frame was dropped."""

    error: WireError


Event: TypeAlias = Delivered | Met | PeerRestarted | PeerLeft | Suspected | Recovered | Writable | Refused

TRANSITIONS: Final[dict[tuple[State, Trigger], tuple[State, type[Suspected | Recovered] | None]]] = {
    (State.OPENING, Trigger.MET): (State.UP, None),
    (State.OPENING, Trigger.SILENT): (State.UNREACHED, Suspected),
    (State.OPENING, Trigger.REJOINED): (State.OPENING, None),
    (State.OPENING, Trigger.ENDED): (State.CLOSED, None),
    (State.UNREACHED, Trigger.MET): (State.UP, Recovered),
    (State.UNREACHED, Trigger.REJOINED): (State.UNREACHED, None),
    (State.UNREACHED, Trigger.ENDED): (State.CLOSED, None),
    (State.UP, Trigger.MET): (State.UP, None),
    (State.UP, Trigger.HEARD): (State.UP, None),
    (State.UP, Trigger.SILENT): (State.SUSPECT, Suspected),
    (State.UP, Trigger.REJOINED): (State.OPENING, None),
    (State.UP, Trigger.ENDED): (State.CLOSED, None),
    (State.SUSPECT, Trigger.MET): (State.UP, Recovered),
    (State.SUSPECT, Trigger.HEARD): (State.UP, Recovered),
    (State.SUSPECT, Trigger.REJOINED): (State.UNREACHED, None),
    (State.SUSPECT, Trigger.ENDED): (State.CLOSED, None),
}
"""(state, trigger) -> (state, what the caller is told). What is not listed changes nothing."""


class LinkStatistics(NamedTuple):
    """Counters since the link was made, and what it holds now."""

    state: State
    peer: str
    envelopes_out: int
    envelopes_in: int
    frames_out: int
    frames_in: int
    resent: int
    duplicates: int
    gaps: int
    foreign: int
    refused: int
    in_window: int
    queued: int
