"""`AsyncActorSystem`: the same surface as `garrick.system.ActorSystem` for asyncio programs.

Owns only the waiting: everything that blocks there is awaited here. With base ``"local"`` async handlers run on the caller's own loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from garrick.errors import AskTimeout, GarrickError, SystemStopped
from garrick.messages import Request
from garrick.runtime.ask import Slot
from garrick.runtime.async_lane import AsyncLane
from garrick.runtime.offering import offer
from garrick.runtime.signals import Lookup, Spec, StatusWanted, Stop
from garrick.streams import AsyncSubscription
from garrick.system import DEFAULT_TIMEOUT, ActorSystem
from garrick.wire.envelope import SIGNAL

if TYPE_CHECKING:
    from pathlib import Path

    from garrick.actor import Actor
    from garrick.address import Address
    from garrick.mailbox import Bounded
    from garrick.sources.admission import Source
    from garrick.supervision import Supervision

R = TypeVar("R")
T = TypeVar("T")


class AsyncActorSystem:
    """Use as ``async with AsyncActorSystem("local") as system: await system.ask(...)``; arguments as for ActorSystem."""

    def __init__(
        self,
        base: str = "multiprocess",
        *,
        name: str | None = None,
        capabilities: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self._base = base
        self._arguments: dict[str, Any] = {"name": name, "capabilities": capabilities, **options}
        self._system: ActorSystem | None = None

    async def __aenter__(self) -> Self:
        self._system = await asyncio.to_thread(lambda: ActorSystem(self._base, **self._arguments))
        if self._base == "local":
            runtime = self._system._runtime
            runtime.async_lane = AsyncLane(runtime, asyncio.get_running_loop())
            runtime.start_async = runtime.async_lane.submit
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def system(self) -> ActorSystem:
        """The same system with the blocking surface."""
        if self._system is None:
            raise SystemStopped(
                "this system has not been started", hint="use it in `async with AsyncActorSystem(...) as system:`"
            )
        return self._system

    async def spawn(
        self,
        actor_class: type[Actor] | str,
        *args: Any,
        name: str | None = None,
        global_name: str | None = None,
        requires: Mapping[str, Any] | None = None,
        supervision: Supervision | None = None,
        isolation: str = "shared",
        mailbox: Bounded | None = None,
        source: Source | str | None = None,
        source_key: str | None = None,
        pending: bool = False,
        timeout: float = DEFAULT_TIMEOUT,
        **kwargs: Any,
    ) -> Address[Any]:
        """See ActorSystem.spawn."""
        self.system._check()
        if source is not None:
            actor_class = self.system._class_of(actor_class, source, source_key or name or global_name)
        runtime = self.system._runtime
        spec = Spec.of(actor_class, args, kwargs, name, requires, supervision, isolation, mailbox, pending, global_name)
        slot = Slot(runtime, runtime.admin, timeout, None)
        address = runtime.spawn(spec, runtime.admin, notify=slot.address)
        slot.target = address
        if address._cell is None:
            slot.expose()
        try:
            started = await self._wait(slot)
        except AskTimeout:
            if pending:  # nobody knows of it who could use it
                runtime.route(address, Stop(), None, SIGNAL)
            raise
        runtime.launched.pop(address, None)
        return started.address if pending else address

    async def probe(
        self, key: str, function: Callable[[], Any], *, every: float = 5.0, timeout: float = 5.0
    ) -> Address[Any]:
        """See ActorSystem.probe."""
        return await asyncio.to_thread(lambda: self.system.probe(key, function, every=every, timeout=timeout))

    async def load_source(
        self,
        bundle: bytes | str | Path,
        *,
        authorities: Iterable[str] = (),
        development: bool = False,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Source:
        """See ActorSystem.load_source. Files, keys and answers are waited for on a thread."""
        return await asyncio.to_thread(
            self.system.load_source, bundle, authorities=authorities, development=development, timeout=timeout
        )

    async def sources(self, timeout: float = DEFAULT_TIMEOUT) -> list[dict[str, Any]]:
        """See ActorSystem.sources."""
        return await asyncio.to_thread(self.system.sources, timeout)

    async def activate_source(self, source: Source | str, timeout: float = DEFAULT_TIMEOUT) -> dict[str, Any]:
        """See ActorSystem.activate_source."""
        return await asyncio.to_thread(self.system.activate_source, source, timeout)

    async def ramp_source(
        self, source: Source | str, percent: float, timeout: float = DEFAULT_TIMEOUT
    ) -> dict[str, Any]:
        """See ActorSystem.ramp_source."""
        return await asyncio.to_thread(self.system.ramp_source, source, percent, timeout)

    async def drain_source(
        self,
        source: Source | str,
        *,
        deadline: float | None = None,
        force: bool = False,
        wait: bool = False,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> dict[str, Any]:
        """See ActorSystem.drain_source."""
        return await asyncio.to_thread(
            self.system.drain_source, source, deadline=deadline, force=force, wait=wait, timeout=timeout
        )

    async def rollback_source(self, name: str, timeout: float = DEFAULT_TIMEOUT) -> dict[str, Any]:
        """See ActorSystem.rollback_source."""
        return await asyncio.to_thread(self.system.rollback_source, name, timeout)

    async def unload_source(
        self, source: Source | str, *, force: bool = False, timeout: float = DEFAULT_TIMEOUT
    ) -> dict[str, Any]:
        """See ActorSystem.unload_source."""
        return await asyncio.to_thread(self.system.unload_source, source, force=force, timeout=timeout)

    def send(self, target: Address[Any], message: Any) -> None:
        """See ActorSystem.send. It never waits: what does not fit on a full way is queued; see `offer`."""
        self.system.send(target, message)

    async def offer(self, target: Address[Any], message: Any, timeout: float = DEFAULT_TIMEOUT) -> None:
        """As `send`, but wait while the way to the target's process is full; see `garrick.actor.Actor.offer`."""
        self.system._check()
        await offer(self.system._runtime, target, message, None, timeout)

    @overload
    async def ask(self, target: Address[Any], message: Request[R], timeout: float = ...) -> R: ...
    @overload
    async def ask(self, target: Address[Any], message: Any, timeout: float = ...) -> Any: ...
    async def ask(self, target: Address[Any], message: Any, timeout: float = DEFAULT_TIMEOUT) -> Any:
        """See ActorSystem.ask."""
        self.system._check()
        return await self._wait(self.system._runtime.ask(target, message, timeout)._slot)

    @overload
    async def ask_all(
        self, targets: Iterable[Address[Any]], message: Request[R], timeout: float = ...
    ) -> list[R | GarrickError]: ...
    @overload
    async def ask_all(self, targets: Iterable[Address[Any]], message: Any, timeout: float = ...) -> list[Any]: ...
    async def ask_all(
        self, targets: Iterable[Address[Any]], message: Any, timeout: float = DEFAULT_TIMEOUT
    ) -> list[Any]:
        """See ActorSystem.ask_all."""
        self.system._check()
        gathering = self.system._runtime.ask_all(targets, message, timeout)
        if self._base != "sim":
            return await gathering.wait_async()
        try:
            return await asyncio.to_thread(gathering.wait)
        except asyncio.CancelledError:
            gathering.cancel()
            raise

    @overload
    def ask_each(
        self, targets: Iterable[Address[Any]], message: Request[R], timeout: float = ...
    ) -> AsyncIterator[tuple[Address[Any], R | GarrickError]]: ...
    @overload
    def ask_each(
        self, targets: Iterable[Address[Any]], message: Any, timeout: float = ...
    ) -> AsyncIterator[tuple[Address[Any], Any]]: ...
    def ask_each(
        self, targets: Iterable[Address[Any]], message: Any, timeout: float = DEFAULT_TIMEOUT
    ) -> AsyncIterator[tuple[Address[Any], Any]]:
        """See ActorSystem.ask_each: ``async for target, outcome in system.ask_each(...)``."""
        self.system._check()
        gathering = self.system._runtime.ask_all(targets, message, timeout)
        return gathering.each_async() if self._base != "sim" else _each_in_thread(gathering.each())

    async def stop_actor(self, target: Address[Any], timeout: float = DEFAULT_TIMEOUT, *, drain: bool = True) -> None:
        """See ActorSystem.stop_actor."""
        self.system._check()
        runtime = self.system._runtime
        slot = Slot(runtime, target, timeout, None)
        runtime.route(target, Stop(notify=slot.address, drain=drain), None, SIGNAL)
        if target._cell is None:
            slot.expose()
        await self._wait(slot)

    async def lookup(
        self, name: str, timeout: float = DEFAULT_TIMEOUT, *, everywhere: bool = False
    ) -> Address[Any] | None:
        """See ActorSystem.lookup."""
        self.system._check()
        runtime = self.system._runtime
        found: Address[Any] | None = await self._wait(
            runtime.ask(runtime.admin, Lookup(name, everywhere), timeout, kind=SIGNAL)._slot
        )
        return found

    def subscribe(self, target: Address[Any], request: Any = None, *, buffer: int = 1000) -> AsyncSubscription:
        """See ActorSystem.subscribe: ``async for event in system.subscribe(...)``."""
        return AsyncSubscription(self.system.subscribe(target, request, buffer=buffer), in_thread=self._base == "sim")

    async def status(self, timeout: float = 5.0) -> dict[str, Any]:
        """See ActorSystem.status."""
        self.system._check()
        runtime = self.system._runtime
        found: dict[str, Any] = await self._wait(runtime.ask(runtime.admin, StatusWanted(), timeout, kind=SIGNAL)._slot)
        return found

    async def _wait(self, slot: Slot) -> Any:
        if self._base != "sim":
            return await slot.wait_async()
        # Waiting is what drives a simulated system, and its time is not the time of the caller's loop.
        try:
            return await asyncio.to_thread(slot.wait)
        except asyncio.CancelledError:
            slot.cancel()
            raise

    async def stop(self, grace: float = 5.0) -> list[str]:
        """See ActorSystem.stop."""
        left = await asyncio.to_thread(self.system.stop, grace)
        lane = self.system._runtime.async_lane
        if isinstance(lane, AsyncLane) and lane.loop is asyncio.get_running_loop():
            await lane.abandon(1.0)  # the loop goes on, and nothing of the system is to go on with it
        return left


async def _each_in_thread(outcomes: Iterator[T]) -> AsyncIterator[T]:
    while True:
        found = await asyncio.to_thread(next, outcomes, None)
        if found is None:
            return
        yield found
