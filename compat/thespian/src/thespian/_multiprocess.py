"""The bases with a process for every actor: TCP and UDP, which go on when the program ends, and Queue, which does not.

Owns how a system is found: its name says the kind and the Admin Port, and Garrick keeps a private directory for each name. The names of the
transports are upstream's; all use Garrick's links.
"""

from __future__ import annotations

import atexit
import itertools
import os
import threading
import time
import weakref
from typing import Any, ClassVar

from garrick.errors import GarrickError, MissingMainGuard, NoSuchSystem, SystemExists
from garrick.node import client
from garrick.node.rundir import base_directory
from garrick.runtime.signals import Lookup
from garrick.system import ActorSystem
from garrick.wire.envelope import SIGNAL
from thespian._address import PREFIX, ActorAddress
from thespian._base import Base
from thespian._capabilities import add_own, other_leader
from thespian._errors import (
    ActorSystemFailure,
    ActorSystemRequestTimeout,
    ActorSystemStartupFailure,
    InvalidActorAddress,
)
from thespian._host import Setting
from thespian._output import Output, Relay, output
from thespian._port import NAME as PORT
from thespian._port import AdminPort, taken

START_SECONDS = 11.0
TELL_SECONDS = 60.0
SHUTDOWN_SECONDS = 10.0
CAPABILITY_SECONDS = 5.0
PAUSE = 0.1
PRELOADED = ("thespian.actors", "thespian._host", "thespian._logging", "thespian._output", "thespian._port")
"""What the process of every actor needs; imported once, it costs each of them nothing."""

_count = itertools.count(1)
_held: weakref.WeakSet[ProcessBase] = weakref.WeakSet()


class ProcessBase(Base):
    """See the module."""

    version: ClassVar[int]
    watches: ClassVar[bool] = False
    """Whether files are watched for actors."""
    _node: client.ClientNode
    _relay: Relay | None = None
    """Shows what the actors print, in the program that started the system."""

    def __init__(self, capabilities: dict[str, Any], logDefs: Any = None) -> None:
        add_own(capabilities, self.name, self.version, **({"Thespian Watch Supported": True} if self.watches else {}))
        self._node = self._find(capabilities)
        system = ActorSystem.__new__(ActorSystem)
        system._adopt(self._node)
        super().__init__(system, Setting("process", logDefs, self.watches, self._output()))
        _held.add(self)

    def _find(self, capabilities: dict[str, Any]) -> client.ClientNode:
        raise NotImplementedError

    def _output(self) -> Output | None:
        """Where actors print; see `Setting`."""
        return None

    def sent(self) -> None:
        """See Base: returns when the kernel has all that was sent."""
        process = self._node._process
        if process.links.pending and not process.flushed(TELL_SECONDS):
            raise ActorSystemRequestTimeout(f"what was sent was not taken within {TELL_SECONDS:g} s")

    def update_capability(self, key: str, value: Any) -> None:
        """See Base."""
        self.system.set_capability(key, value)
        runtime = self.system._runtime
        try:
            # The admin answers behind the view that it sends because of the change.
            runtime.ask(runtime.admin, Lookup(""), CAPABILITY_SECONDS, kind=SIGNAL).result()
        except TimeoutError as error:
            raise ActorSystemRequestTimeout(f"{key!r} was not changed within {CAPABILITY_SECONDS:g} s") from error
        except GarrickError as error:
            raise ActorSystemFailure(f"{key!r} was not changed: {error}") from error
        seen = threading.Event()
        runtime.post(lambda _: seen.set(), None)
        seen.wait(CAPABILITY_SECONDS)

    def shutdown(self) -> None:
        """See Base; also when another program started the system."""
        self._node.shutdown(SHUTDOWN_SECONDS)
        self.leave()

    def leave(self) -> None:
        """Let go of the system; a detached one goes on."""
        _held.discard(self)
        self.system.stop(SHUTDOWN_SECONDS)
        if self._relay is not None:
            self._relay.close()


class DetachedBase(ProcessBase):
    """A system that is found by its Admin Port and goes on until somebody shuts it down."""

    kind: ClassVar[str]
    default_port: ClassVar[int]

    def _find(self, capabilities: dict[str, Any]) -> client.ClientNode:
        port = int(capabilities.get("Admin Port", self.default_port))
        leader = other_leader(capabilities, port)
        if leader is not None:
            raise ActorSystemStartupFailure(
                f"this system would have to join the convention of {leader}, and joining is not offered yet"
            )
        name = f"{PREFIX}{self.kind}-{port}"
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                try:
                    return client.attach(name)
                except NoSuchSystem:
                    return self._start(name, capabilities, port)
            except MissingMainGuard:
                raise
            except GarrickError as error:
                # Another program is starting or ending it just now, perhaps.
                if time.monotonic() > deadline or not isinstance(error, (NoSuchSystem, SystemExists)):
                    raise self._unusable(port, error) from error
            time.sleep(PAUSE)

    def _start(self, name: str, capabilities: dict[str, Any], port: int) -> client.ClientNode:
        try:
            taken(self.kind, port).close()
        except OSError as error:
            raise self._unusable(port, error) from error
        node = client.start(name, capabilities, workers=1, detached=True, preload=PRELOADED)
        system = ActorSystem.__new__(ActorSystem)
        system._adopt(node)
        try:
            system.spawn(AdminPort, self.kind, port, name=PORT, timeout=START_SECONDS)
        except GarrickError as error:
            node.shutdown(SHUTDOWN_SECONDS)
            system.stop(SHUTDOWN_SECONDS)
            raise self._unusable(port, error) from error
        self._relay = Relay(str(base_directory() / name))
        return node

    def _output(self) -> Output | None:
        return output(str(base_directory() / self._node.name))

    def _unusable(self, port: int, error: Exception) -> InvalidActorAddress:
        admin = ActorAddress(f"({'T' if self.kind == 'tcp' else 'UDP'}|:{port})")
        return InvalidActorAddress(admin, f"not a valid or useable ActorSystem Admin: {error}")


class OwnedBase(ProcessBase):
    """A system that belongs to the program, and ends with it."""

    def _find(self, capabilities: dict[str, Any]) -> client.ClientNode:
        name = f"{PREFIX}queue-{os.getpid()}-{next(_count)}"
        try:
            return client.start(name, capabilities, workers=1, preload=PRELOADED)
        except MissingMainGuard:
            raise
        except GarrickError as error:
            admin = ActorAddress(str(capabilities.get("Admin Address", "ThespianQ")))
            raise InvalidActorAddress(admin, f"not a valid or useable ActorSystem Admin: {error}") from error


@atexit.register
def _leave_all() -> None:
    for base in list(_held):
        base.leave()
