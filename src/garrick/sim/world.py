"""`World`: systems that run in one process, on one thread, in one order, from one seed.

Owns the systems, the convention between them, and their end. A program drives it: each call that waits (``ask``, ``spawn``,
``Inbox.receive``, `World.run`) lets things happen until it has what it waits for; between such calls nothing happens.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Self

from garrick.errors import SystemExists
from garrick.sim.choices import Choices
from garrick.sim.hands import Crew
from garrick.sim.kernel import Kernel
from garrick.sim.net import Net
from garrick.sim.node import SimNode
from garrick.sim.rng import SeededIds
from garrick.sim.systems import EngineFaults, SystemFaults
from garrick.sim.trace import Trace
from garrick.system import ActorSystem

log = logging.getLogger("garrick")

UNWIND_SECONDS = 1.0
"""Real seconds that a handler gets to leave when its world has ended."""
GRACE = 5.0
"""Virtual seconds that actors get to end when the world closes."""
VIEW_SECONDS = 0.1
"""Virtual seconds after which all systems know a new one."""


class World(SystemFaults):
    """Several simulated systems; they form a convention.

    Args:
        seed: all randomness and all identifiers follow from it.
        choices: what else may go otherwise, of the same seed; by default what the seed says.
        fences: whether code of the world that reaches for time, randomness, threads, processes or sockets gets what the seed decides, or
            `NotSimulated` (`garrick.sim.boundary()`). False: it gets the real ones, and nothing promises that two runs are equal.
    """

    def __init__(self, seed: int = 0, *, choices: Choices | None = None, fences: bool = True) -> None:
        super().__init__()
        self.seed = seed
        self.choices = choices or Choices(seed)
        self._kernel = Kernel(self.choices)
        self._crew = Crew(self._kernel, seed, fences=fences)
        self._ids = SeededIds(seed)
        self._nodes: dict[str, SimNode] = {}
        self._systems: list[tuple[SimNode, ActorSystem]] = []
        self._all: list[SimNode] = []
        self.net = Net(self._kernel, self.choices)
        """The network between the systems, and its faults."""
        self.engine = EngineFaults(self.choices)
        """The server between the systems, and its faults."""
        self._convention: Any = None
        self._alone = False

    # --- systems -------------------------------------------------------------------------------------------------------------

    def system(self, name: str, capabilities: Mapping[str, Any] | None = None) -> ActorSystem:
        """Start a system, which joins the convention.

        Args:
            name: unique among those that run.
            capabilities: what actors can require.

        Raises:
            SystemExists: one of that name runs.
        """
        system = self._member(name, capabilities or {})
        self.run(VIEW_SECONDS)
        return system

    def systems(
        self, count: int, prefix: str = "s", capabilities: Mapping[str, Any] | None = None
    ) -> list[ActorSystem]:
        """Start ``count`` systems ``<prefix>1``, ``<prefix>2``, ..., which know one another then."""
        systems = [self._member(f"{prefix}{number}", capabilities or {}) for number in range(1, count + 1)]
        self.run(VIEW_SECONDS)
        return systems

    def start(self, name: str, capabilities: Mapping[str, Any]) -> SimNode:
        """Start the one system of this world, without a convention; the world ends with it."""
        self._alone = True
        return self._new(name, capabilities)

    def _member(self, name: str, capabilities: Mapping[str, Any]) -> ActorSystem:
        if name in self._nodes:
            raise SystemExists(f"a system {name!r} runs in this world")
        from garrick.sim.membership import Convention, WorldMembership  # late: loads asyncio

        if self._convention is None:
            self._convention = Convention(self._crew, self.net)
            self.net.attach(self._convention.network, name)
            self.engine.attach(self._convention.network)
        node = self._new(name, capabilities)
        self.run(0)  # its process has joined its admin
        membership = WorldMembership(node, self._convention)
        node.membership = node.admin.membership = membership
        membership.join()
        system = ActorSystem.__new__(ActorSystem)
        system._adopt(node)
        self._systems.append((node, system))
        return system

    def _new(self, name: str, capabilities: Mapping[str, Any]) -> SimNode:
        incarnation = self._ids.incarnation(name)
        node = SimNode(self._crew, name, incarnation, capabilities, self.seed, member=not self._alone)
        node.on_stopped = self._node_stopped
        self._nodes[name] = node
        self._all.append(node)
        return node

    def _node_stopped(self, node: SimNode) -> None:
        if self._nodes.get(node.name) is node:
            del self._nodes[node.name]
        if self._alone:
            self._crew.afterwards(self._end)

    # --- time ------------------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Virtual seconds since the beginning."""
        return self._kernel.clock.now()

    @property
    def trace(self) -> Trace:
        """What has happened so far; equal runs have equal hashes."""
        return self._kernel.trace

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        self._crew.sleep(seconds)

    # --- the end -----------------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop all systems at the same time, and end all threads."""
        alive = [(node, system) for node, system in self._systems if self._nodes.get(node.name) is node]
        for node, _ in alive:
            node.recover()
        for node, _ in alive:
            node.farewell = False
            node.admin.shutdown(GRACE)
        for _, system in alive:
            system.stop(GRACE)
        self._crew.afterwards(self._end)

    def _end(self) -> None:
        left = self._crew.close(UNWIND_SECONDS)
        if left:
            log.warning("a handler did not leave when its world ended; threads left over: %s", ", ".join(left))
        for node in self._all:
            node.close()
        self._all.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
