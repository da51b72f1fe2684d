"""`AdminEdge`: what stands around an `AdminMachine` wherever its processes are: real ones, or those of a simulated world.

Owns how the machine's effects are executed over `Links`, and what it is told of envelopes and processes. Must not know what a process
is, how time passes, or who else asks: who makes one of it says that (`_start`, `_kill`, `_finish`, `_answered`, `_arm`, `now`). No user
code and no class of a user is ever loaded here.
"""

from __future__ import annotations

import logging
from collections.abc import Set as AbstractSet
from typing import Protocol

from garrick.engine.names import Request
from garrick.errors import UndecodableMessage
from garrick.node.admin import (
    AdminMachine,
    Announce,
    Answer,
    AskNames,
    Deliver,
    Effect,
    EndSystem,
    KillProcess,
    Report,
    Send,
    StartProcess,
)
from garrick.node.handshake import Hello
from garrick.node.inlink import Listener
from garrick.node.links import Links
from garrick.node.salvage import salvage
from garrick.runtime.signals import SystemInfo
from garrick.wire.envelope import SIGNAL, Raw, decode, peek

log = logging.getLogger("garrick.node")


class Gateway(Protocol):
    """The way to other systems."""

    def forward(self, envelope: Raw) -> None:
        """An envelope whose target is in another system (see `garrick.wire.envelope.qualify`)."""
        ...

    def announce(self, info: SystemInfo) -> None:
        """Tell the convention about this system."""
        ...

    def ask_names(self, request: Request) -> None:
        """Speak to the convention's authority over names."""
        ...

    @property
    def suspected(self) -> AbstractSet[str]:
        """Members in doubt, by id."""
        ...

    @property
    def directory(self) -> str:
        """Id of the system that keeps the list of members; empty: none is known."""
        ...

    async def ping(self, name: str, timeout: float) -> str:
        """Whether a system answers over the engine: ``reached``, ``nobody`` (is connected under that name) or ``silent``."""
        ...

    async def close(self, reason: str) -> None:
        """Say good-bye and end."""
        ...


class AdminEdge:
    """See the module.

    Args:
        machine: decides.
        links: to the processes of the system.
        listener: where they call; it gives what they send to `receive`.
    """

    def __init__(self, machine: AdminMachine, links: Links, listener: Listener) -> None:
        self.machine = machine
        self.system = machine.core.system
        self.links = links
        self.listener = listener
        self.gateway: Gateway | None = None
        self._greeted_numbers: set[int] = set()
        links.undeliverable = self._undeliverable
        links.moved = machine.moved
        listener.on_greeted = self._greeted

    # --- what whoever makes one says ----------------------------------------------------------------------------------------

    def now(self) -> float:
        """Monotonic seconds."""
        raise NotImplementedError

    def _start(self, effect: StartProcess) -> None:
        raise NotImplementedError

    def _kill(self, effect: KillProcess) -> None:
        raise NotImplementedError

    def _finish(self, end: EndSystem) -> None:
        raise NotImplementedError

    def _answered(self, effect: Answer) -> None:
        raise NotImplementedError

    def _arm(self) -> None:
        """See to it that the machine's `tick` is called when its deadline, which may be another one now, has come."""
        raise NotImplementedError

    def _owns(self, number: int) -> bool:
        """Whether the system ends with this process."""
        raise NotImplementedError

    def _buried(self, number: int) -> None:
        """A process has ended, and all that it had written has been taken in."""

    @property
    def ending(self) -> bool:
        """Whether the system is over."""
        raise NotImplementedError

    # --- what arrives -----------------------------------------------------------------------------------------------------

    def receive(self, envelopes: list[Raw], _number: int) -> None:
        """Envelopes from a process of this system, in order."""
        for raw in envelopes:
            header = peek(raw)
            if header.target_system is not None and header.target_system != self.system:
                self._forward(raw)
            elif header.target_process != 0:
                self.links.send(header.target_process, raw, header.kind)
            else:
                self.handle(raw)

    def handle(self, raw: Raw, origin: str | None = None) -> None:
        """An envelope for the admin itself. ``origin``: the other system that it came from, as its link proves."""
        _, target, sender, body = decode(raw, self.system)
        try:
            message = salvage(body)
        except UndecodableMessage as error:
            log.warning("from %s: %s", sender or origin, error)
            self.apply(self.machine.undeliverable(target, sender, "undecodable", self.now()))
            return
        self.apply(self.machine.handle(message, sender, self.now(), target=target, origin=origin))

    def _forward(self, raw: Raw) -> None:
        if self.gateway is not None:
            self.gateway.forward(raw)
        else:
            self._undeliverable(raw, "system unknown")

    def _undeliverable(self, raw: Raw, reason: str) -> None:
        kind, target, sender, body = decode(raw, self.system)
        del kind, body
        self.apply(self.machine.undeliverable(target, sender, reason, self.now()))

    # --- processes ----------------------------------------------------------------------------------------------------------

    def _greeted(self, hello: Hello) -> None:
        if hello.number in self._greeted_numbers:
            return  # another connection of one that is known
        self._greeted_numbers.add(hello.number)
        owner = self._owns(hello.number)
        self.apply(self.machine.process_joined(hello.number, hello.role, self.now(), pid=hello.pid, owner=owner))

    def process_died(self, number: int, detail: str, expected: bool) -> None:
        """A process has ended, or could not be started.

        Args:
            number: which.
            detail: how, for a person.
            expected: whether it said good-bye.
        """
        self.listener.drain(number)
        self._buried(number)
        self.apply(self.machine.process_died(number, detail, self.now(), expected=expected))
        self.links.lost(number, "stopped" if self.ending else self.machine.why_gone(number))

    # --- effects --------------------------------------------------------------------------------------------------------------

    def apply(self, effects: list[Effect]) -> None:
        """Execute what the machine decided."""
        for effect in effects:
            match effect:
                case Send():
                    self._send(effect)
                case Deliver():
                    self.links.send(effect.number, effect.envelope, SIGNAL)
                case StartProcess():
                    self._start(effect)
                case KillProcess():
                    self._kill(effect)
                case Announce():
                    if self.gateway is not None:
                        self.gateway.announce(effect.info)
                case AskNames():
                    if self.gateway is not None:
                        self.gateway.ask_names(effect.request)
                case Answer():
                    self._answered(effect)
                case Report():
                    log.log(logging.getLevelName(effect.level.upper()), "%s: %s", self.system, effect.text)
                case EndSystem():
                    self._finish(effect)
        self._arm()

    def _send(self, effect: Send) -> None:
        target = effect.target
        if target.system == self.system:
            if target.process == 0:
                self.apply(self.machine.handle(effect.message, effect.sender, self.now(), target=target))
            else:
                self.links.post(target, effect.message, effect.sender, effect.kind)
        else:
            self._forward(self.links.envelope(target, effect.message, effect.sender, effect.kind))


__all__ = ["AdminEdge", "Gateway"]
