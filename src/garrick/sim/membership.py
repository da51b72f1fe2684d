"""`Convention` and `WorldMembership`: simulated systems form a convention by the real gateway, link, directory and followers.

Owns the connection of `SimNode`, `garrick.node.gateway.Gateway` and `garrick.engine.memory`. Messages between systems are pickled,
enveloped and sent through the real link. Must not know user messages. Invariant: everything of a system's part happens on a simulated
loop of its own, on which no user code runs, by its own clock; what arrives for it goes by its lane.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from garrick.address import Address
from garrick.engine.memory import MemoryNetwork
from garrick.engine.memory_engine import MemoryEngine
from garrick.engine.names import Request
from garrick.node.admin import AdminMachine, Effect
from garrick.node.gateway import Gateway
from garrick.node.inbound import Inbound
from garrick.node.salvage import salvage
from garrick.runtime.once import Once
from garrick.runtime.signals import SystemInfo
from garrick.sim.clock import instant
from garrick.sim.hands import Crew
from garrick.sim.kernel import Idle
from garrick.sim.loop import StepLoop
from garrick.wire.codec import dumps
from garrick.wire.envelope import Raw, decode, encode

if TYPE_CHECKING:
    from asyncio import Task

    from garrick.engine.membership import Delta
    from garrick.sim.net import Net
    from garrick.sim.node import SimNode

PATIENCE = 10.0
"""Virtual seconds that joining or leaving may take."""


class Convention:
    """What the systems of a world share: the network and its directory."""

    def __init__(self, crew: Crew, net: Net) -> None:
        self.net = net
        self._kernel = crew.kernel
        self.network = MemoryNetwork(self._schedule, crew.kernel.clock.now, ways=net)

    def _schedule(self, delay: float, function: Callable[[], None]) -> None:
        kernel = self._kernel
        if delay > 0:
            kernel.at(instant(kernel.clock.now() + delay), Idle(function))
        else:
            kernel.put(Idle(function))


class WorldMembership:
    """See `garrick.sim.node.Membership`; also the `garrick.node.gateway.House` of the gateway."""

    def __init__(self, node: SimNode, convention: Convention) -> None:
        self._node = node
        self._runtime = node.runtime
        self._network = convention.network
        self._convention = convention
        self.loop = StepLoop(node.crew, f"{node.runtime.system} gateway", node.clock, node.gate)
        engine = MemoryEngine(
            convention.network, schedule=self._schedule, now=self.loop.time, reachability=False, is_news=self._is_news
        )
        self._gateway = Gateway(node.runtime.system, node.house or self, engine)
        self._joining: Task[None] | None = None
        self.joined = Once()
        """`join` is done."""
        self._inbound: Inbound | None = None

    def join(self) -> None:
        """Begin to take part, as soon as the process of the system has joined its admin: events may come in any order."""
        self._node.admin.up.on_done(self._join)

    def _join(self) -> None:
        if self.loop.dead:
            return  # the power was cut before it began
        task = self._joining = self.loop.create_task(self._start())
        task.add_done_callback(lambda _: self.joined.finish())

    async def _start(self) -> None:
        await self._gateway.start(None)
        self._convention.net.joins(self._node.name)

    def _is_news(self, delta: Delta) -> bool:
        return self._gateway.is_news(delta)

    def check(self) -> None:
        """Whether `join` went well.

        Raises:
            EngineError: the engine refused this system.
        """
        if self._joining is not None and self._joining.done():
            self._joining.result()

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """From the program or a handler: let the world go on until ``coroutine`` has ended on the loop."""
        over = Once()
        crew = self._node.crew
        task = self.loop.create_task(coroutine)
        task.add_done_callback(lambda _: over.finish())
        crew.wait(over, crew.kernel.clock.now() + PATIENCE)
        if task.done():
            task.result()

    def _schedule(self, delay: float, function: Callable[[], None]) -> None:
        if self.loop.is_closed():
            return  # what still arrives where a system was
        if delay > 0:
            self.loop.call_later(delay, function)
        else:
            self.loop.call_soon(function)

    # --- Membership ------------------------------------------------------------------------------------------------------

    def forward(self, target: Address[Any], message: Any, sender: Address[Any] | None, kind: int) -> None:
        """See Membership."""
        self.forward_raw(encode(kind, target, sender, dumps(message), self._runtime.system))

    def forward_raw(self, raw: Raw) -> None:
        """See Membership."""
        self.loop.call_soon_threadsafe(self._gateway.forward, raw)

    def give_back(self, raw: Raw, reason: str) -> None:
        """See Membership."""
        self.loop.call_soon_threadsafe(self._gateway.give_back, raw, reason)

    @property
    def suspected(self) -> AbstractSet[str]:
        """See `garrick.node.edge.Gateway`."""
        return self._gateway.suspected

    def announce(self, info: SystemInfo) -> None:
        """See Membership."""
        self.loop.call_soon_threadsafe(self._gateway.announce, info)

    def ask_names(self, request: Request) -> None:
        """See Membership."""
        self.loop.call_soon_threadsafe(self._gateway.ask_names, request)

    def leave(self) -> None:
        """See Membership."""
        self._run(self._gateway.leave())

    def cut(self, *, silent: bool) -> None:
        """See Membership."""
        self.loop.dead = True
        if silent:
            self._network.power_off(self._node.name)
        else:
            self._network.kill(self._node.name)

    def hang(self) -> None:
        """See Membership."""
        self._network.hang(self._node.name)

    def resume(self) -> None:
        """See Membership."""
        self._network.resume(self._node.name)

    def close(self) -> None:
        """See Membership."""
        self.loop.dead = True
        self.loop.forget()
        self.loop.close()

    # --- House -------------------------------------------------------------------------------------------------------------

    @property
    def machine(self) -> AdminMachine:
        """See House."""
        return self._node.admin.machine

    def deliver(self, number: int, envelope: Raw) -> None:
        """See House: there is one process. By its lane, so that what the admin has told it before comes first."""
        self._runtime.post(self._receive, bytes(envelope))

    def to_admin(self, envelope: Raw, origin: str) -> None:
        """See House."""
        _, target, sender, body = decode(envelope, self._runtime.system)
        admin = self._node.admin
        admin.apply(self.machine.handle(salvage(body), sender, admin.clock.now(), target=target, origin=origin))

    def apply(self, effects: list[Effect]) -> None:
        """See House."""
        self._node.admin.apply(effects)

    def _receive(self, raw: bytes) -> None:
        if self._inbound is None:
            self._inbound = Inbound(self._runtime, _NoLinks())  # type: ignore[arg-type]
        self._inbound.receive([raw], 0)


class _NoLinks:
    """Stands in for `garrick.node.links.Links`, of which `Inbound` needs this much."""

    def __init__(self) -> None:
        self.undeliverable: Any = None

    def lost(self, number: int, reason: str) -> None:
        """There are no links between processes here."""
