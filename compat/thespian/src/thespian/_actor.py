"""`Actor`: what programs derive their actors from.

Owns the names of the API. Every operation is a call into the actor's host, a Garrick actor (see `thespian._host`), which sets
``_garrick_host`` when ``__init__`` is over; so an actor that a program makes by a plain call works as an object and has no operations.
Attributes of users can have any other names.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from thespian._address import ActorAddress

if TYPE_CHECKING:
    from thespian._host import Host


class Actor:
    """An object with a state of its own that handles one message at a time.

    ``__init__`` may have parameters named ``capabilities`` and ``requirements``; it can't use the operations yet.
    """

    _garrick_host: Host

    def receiveMessage(self, msg: Any, sender: ActorAddress, /) -> Any:
        """Handle one message. To be overridden.

        Args:
            msg: what was sent.
            sender: who sent it.
        """
        raise AssertionError(f"{type(self).__name__} has no receiveMessage")

    @property
    def myAddress(self) -> ActorAddress:
        """The actor's own address."""
        return self._garrick_host.own

    @property
    def globalName(self) -> str | None:
        """The name by which it is known in its system, or None."""
        return self._garrick_host.name

    def createActor(
        self,
        actorClass: Any,
        targetActorRequirements: Any = None,
        globalName: str | None = None,
        sourceHash: str | None = None,
    ) -> ActorAddress:
        """Create a child and return its address at once; when it can't start, `ChildActorExited` tells so.

        Args:
            actorClass: the class, or ``"package.module.Class"``.
            targetActorRequirements: passed to the class's ``actorSystemCapabilityCheck``.
            globalName: the actor of this name, which is created only if there is none.
            sourceHash: of a loaded source.
        """
        return self._garrick_host.create(actorClass, targetActorRequirements, globalName, sourceHash)

    def send(self, targetAddr: ActorAddress, msg: Any) -> None:
        """Send a message; returns at once. One that can't be sent comes back as `PoisonMessage`.

        Raises:
            InvalidActorAddress: the target is no address.
        """
        self._garrick_host.forward(targetAddr, msg)

    def wakeupAfter(self, timePeriod: timedelta | float, payload: Any = None) -> None:
        """Get a `WakeupMessage` later.

        Args:
            timePeriod: a timedelta, or seconds.
            payload: comes back with the message.
        """
        self._garrick_host.wake(timePeriod, payload)

    def handleDeadLetters(self, startHandling: bool = True) -> None:
        """Get the messages of this system that reach nobody, each as a `DeadEnvelope`, or no longer.

        There is one such actor in a system: the last that asked for it.
        """
        self._garrick_host.handle_dead_letters(startHandling)

    def updateCapability(self, capabilityName: str, capabilityValue: Any = None) -> None:
        """Change a capability of the hosting system; None removes it. Actors that no longer fit exit, this one included."""
        self._garrick_host.update_capability(capabilityName, capabilityValue)

    def notifyOnSystemRegistrationChanges(self, startHandling: bool = True) -> None:
        """Get an `ActorSystemConventionUpdate` for every system that joins or leaves the convention, or no longer.

        No system can join one that runs here yet, so that none comes.
        """

    def actorSystemShutdown(self) -> None:
        """End the whole system.

        Raises:
            AttributeError: it is a ``simpleSystemBase``, which only its program ends.
        """
        self._garrick_host.shutdown_system()

    def logger(self, name: str | None = None) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose records carry ``actorAddress``."""
        extra: MutableMapping[str, Any] = {"actorAddress": self.myAddress}
        return logging.LoggerAdapter(logging.getLogger(name), extra)

    def __str__(self) -> str:
        return f"{{A:{type(self).__name__} @ {self.myAddress}}}"
