"""`ActorSystem`: what a program uses; and `ExternalContext`, a second address of it for another thread.

Owns the singleton of the process and the checks of arguments. Everything else is the base's (`thespian._base`).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from thespian._address import ActorAddress
from thespian._errors import ActorSystemFailure

if TYPE_CHECKING:
    from thespian._base import Base, Endpoint


class ActorSystem:
    """The actor system of this process.

    A second one with the same base is the same system. Attributes can be set at will.

    Args:
        systemBase: the name of a base, or one that runs; None: the one that runs, or ``simpleSystemBase``.
        capabilities: what actors can require; the system's own are written into it.
        logDefs: for `logging.config.dictConfig`; None: the base's default; False: nothing is configured.
        transientUnique: whether this is a system beside the one of this process.
    """

    systemBase: ClassVar[Base | None] = None
    systemAddress = ActorAddress("/ActorSys")

    def __init__(
        self,
        systemBase: Any = None,
        capabilities: dict[str, Any] | None = None,
        logDefs: Any = None,
        transientUnique: bool = False,
    ) -> None:
        self.capabilities: dict[str, Any] = {} if capabilities is None else capabilities
        self._systemBase: Base | None
        running = None if transientUnique else ActorSystem.systemBase
        if systemBase is None and running is not None:
            self._systemBase = running
            return
        made: Any = None
        if systemBase is None or isinstance(systemBase, str):
            module = importlib.import_module(f"thespian.system.{systemBase or 'simpleSystemBase'}")
            kind = module.ActorSystemBase
        else:
            made, kind = systemBase, type(systemBase)
        if running is not None and type(running) is kind:
            self._systemBase = running
            return
        self._systemBase = made if made is not None else kind(self.capabilities, logDefs)
        if not transientUnique:
            ActorSystem.systemBase = self._systemBase

    def createActor(
        self,
        actorClass: Any,
        targetActorRequirements: Any = None,
        globalName: str | None = None,
        sourceHash: str | None = None,
    ) -> ActorAddress:
        """Create a top-level actor.

        Args:
            actorClass: the class, or ``"package.module.Class"``.
            targetActorRequirements: passed to the class's ``actorSystemCapabilityCheck``.
            globalName: the actor of this name, which is created only if there is none.
            sourceHash: of a loaded source.

        Raises:
            InvalidActorSpecification, ImportError, TypeError, AttributeError: there is no such class.
            NoCompatibleSystemForActor: no system has what it requires.
            InvalidActorSourceHash: there is no such source.
            ActorSystemFailure: the system does not answer, or has ended.
        """
        return self._base.create(actorClass, targetActorRequirements, globalName, sourceHash)

    def tell(self, actorAddr: ActorAddress, msg: Any) -> None:
        """Send a message.

        Raises:
            ValueError: the target is no address.
            ActorSystemRequestTimeout: it was not taken within a minute.
        """
        self._base.endpoint.tell(actorAddr, msg)

    def ask(self, actorAddr: ActorAddress, msg: Any, timeout: timedelta | float | None = None) -> Any:
        """Send a message, and return the first one that any actor sends to this program.

        Args:
            actorAddr: whom to send to.
            msg: what.
            timeout: a timedelta, or seconds; None waits for ever.

        Returns:
            The message; None when none came in time, or the target does not exist any more.
        """
        return self._base.endpoint.ask(actorAddr, msg, seconds(timeout))

    def listen(self, timeout: timedelta | float | None = None) -> Any:
        """The next message that any actor sends to this program; None when none comes in time."""
        return self._base.endpoint.listen(seconds(timeout))

    @contextmanager
    def private(self) -> Iterator[ExternalContext]:
        """Another address, so that threads of the program don't get each other's messages."""
        from thespian._base import Endpoint

        endpoint = Endpoint(self._base)
        try:
            yield ExternalContext(self._base, endpoint)
        finally:
            endpoint.close()

    def updateCapability(self, name: str, value: Any = None) -> None:
        """Change a capability of the system; None removes it. Actors that no longer fit exit."""
        base = self._base
        if value is None:
            self.capabilities.pop(name, None)
        else:
            self.capabilities[name] = value
        base.update_capability(name, value)

    def shutdown(self) -> None:
        """End the system and all its actors; also when other programs use it."""
        base, self._systemBase = self._systemBase, None
        if base is None:
            return
        if ActorSystem.systemBase is base:
            ActorSystem.systemBase = None
        base.shutdown()

    def systemUpdate(self, updateType: str, *args: Any, **kw: Any) -> Any:
        """Call the base's method of that name, if it has one."""
        method = getattr(self._base, updateType, None)
        return None if method is None else method(*args, **kw)

    @property
    def _base(self) -> Base:
        if self._systemBase is None:
            raise ActorSystemFailure("the actor system has been shut down")
        return self._systemBase


class ExternalContext:
    """A second address of the program; made by `ActorSystem.private`."""

    def __init__(self, base: Base, endpoint: Endpoint) -> None:
        self._base = base
        self._endpoint = endpoint

    def createActor(
        self,
        actorClass: Any,
        targetActorRequirements: Any = None,
        globalName: str | None = None,
        sourceHash: str | None = None,
    ) -> ActorAddress:
        """See `ActorSystem.createActor`."""
        return self._base.create(actorClass, targetActorRequirements, globalName, sourceHash)

    def tell(self, actorAddr: ActorAddress, msg: Any) -> None:
        """See `ActorSystem.tell`."""
        self._endpoint.tell(actorAddr, msg)

    def ask(self, actorAddr: ActorAddress, msg: Any, timeout: timedelta | float | None = None) -> Any:
        """See `ActorSystem.ask`."""
        return self._endpoint.ask(actorAddr, msg, seconds(timeout))

    def listen(self, timeout: timedelta | float | None = None) -> Any:
        """See `ActorSystem.listen`."""
        return self._endpoint.listen(seconds(timeout))


def seconds(timeout: timedelta | float | None) -> float | None:
    """A time-out as a number.

    Raises:
        TypeError: it is none.
    """
    if timeout is None:
        return None
    if isinstance(timeout, timedelta):
        return timeout.total_seconds()
    if isinstance(timeout, (int, float)):
        return float(timeout)
    raise TypeError(f"a timeout is a timedelta, a number of seconds or None, not {timeout!r}")
