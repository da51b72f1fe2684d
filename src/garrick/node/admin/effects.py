"""What the admin's decisions ask the edge to do.

Owns only data. The edge (`garrick.node.host`, the calling process of base ``local``, the simulator) executes a list of effects in
order; an effect that can't be executed any more (its process has died) is dropped, since the machine hears of the death by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from garrick.address import Address
from garrick.runtime.signals import SystemInfo

if TYPE_CHECKING:
    from garrick.engine.names import Request

SIGNAL = 2
"""As `garrick.wire.envelope.SIGNAL`."""


@dataclass(frozen=True)
class Send:
    """Send an envelope: to a process of this system, to another system through the gateway, or to the admin itself.

    Attributes:
        target: where to.
        message: a signal, or the answer to an ask.
        kind: one of `garrick.wire.envelope` (SIGNAL, REPLY, FAILURE, MESSAGE).
        sender: the admin's control address, or the one-shot address that an answer is expected at.
    """

    target: Address[Any]
    message: Any
    kind: int = SIGNAL
    sender: Address[Any] | None = None


@dataclass(frozen=True)
class Deliver:
    """Send a whole envelope, as some process of this system made it, to a process of this system.

    Attributes:
        number: of the process, which is up.
        envelope: opaque.
    """

    number: int
    envelope: bytes


@dataclass(frozen=True)
class StartProcess:
    """Start an operating-system process that takes part under this number.

    It is among the processes of the next View at once: links hold what is sent to it until it listens or is reported lost.

    Attributes:
        number: its number in the system.
        role: ``worker`` or ``dedicated``.
        address: the actor that a dedicated process is for; its Spawn follows by itself.
    """

    number: int
    role: str
    address: Address[Any] | None = None


@dataclass(frozen=True)
class KillProcess:
    """End this process now (SIGKILL, and what it started); answered by `AdminMachine.process_died`."""

    number: int
    reason: str


@dataclass(frozen=True)
class Announce:
    """Publish to the convention what others may know of this system (nothing to do for a system on its own)."""

    info: SystemInfo


@dataclass(frozen=True)
class AskNames:
    """Send this to the convention's authority over names; what it answers, if anything, goes to `AdminMachine.names_replied`."""

    request: Request


@dataclass(frozen=True)
class Answer:
    """The result of a request that the edge made under ``token`` (`AdminMachine.status_wanted`)."""

    token: Any
    value: Any


@dataclass(frozen=True)
class Report:
    """Something for the log.

    Attributes:
        level: ``info``, ``warning`` or ``error``.
        text: one sentence for a person.
    """

    level: str
    text: str


@dataclass(frozen=True)
class EndSystem:
    """The system has ended: flush links, leave the convention, remove the run directory, end the admin. The last effect ever.

    Attributes:
        reason: why, for the log and for programs that are still attached.
        abandoned: what did not end by itself within its grace, each as text for a person.
    """

    reason: str
    abandoned: tuple[str, ...] = ()


Effect: TypeAlias = Send | Deliver | StartProcess | KillProcess | Announce | AskNames | Answer | Report | EndSystem
