"""`SystemFaults`: what happens to whole systems of a world: crash, restart, pause, slowness, clocks; and to its engine.

Owns the scripted form of these faults; a random one is the same call (`garrick.sim.nemesis`). Must not know why they happen. Invariants:

* Whether a scripted fault happens is a choice, of kind ``script.…``, which is 1: so shrinking can leave it out.
* A crash has no last words. The others learn of it by the end of its connections, or by their silence: a choice.
* A restart is a new incarnation with nothing but what was durable.
* A system that is paused loses nothing by it, if the others did not give it up meanwhile.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from garrick.errors import InvalidArgument
from garrick.sim.clock import SECOND
from garrick.sim.disk import SimDisk
from garrick.sim.fidelity import OBJECTS, PICKLE
from garrick.sim.kernel import Due
from garrick.sim.net import RECONNECT_NS, name_of
from garrick.sim.units import Duration, Span, nanoseconds, span

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from garrick.engine.memory import MemoryNetwork
    from garrick.sim.choices import Choices
    from garrick.sim.housed import HousedNode
    from garrick.sim.kernel import Kernel
    from garrick.sim.net import Net
    from garrick.sim.node import SimNode
    from garrick.sim.process import SimProcess
    from garrick.system import ActorSystem

STEP_NS = 50_000
"""What an event of a system costs that is slowed by the factor 1: about what a message takes on a real machine."""


class SystemFaults:
    """The part of `World` for whole systems. Systems are given by name or as `ActorSystem`."""

    choices: Choices
    net: Net
    engine: EngineFaults
    _kernel: Kernel
    _nodes: dict[str, SimNode]

    def __init__(self) -> None:
        self._crashes: Counter[str] = Counter()
        self._script: Counter[tuple[str, str]] = Counter()
        self._disks: dict[str, SimDisk] = {}
        self._down: dict[str, tuple[Mapping[str, Any], int, str]] = {}
        """What crashed -> its capabilities, workers and fidelity."""

    def system(
        self,
        name: str,
        capabilities: Mapping[str, Any] | None = None,
        *,
        workers: int = 0,
        fidelity: str = OBJECTS,
    ) -> ActorSystem:
        """See World."""
        raise NotImplementedError

    def _begin(
        self, name: str, capabilities: Mapping[str, Any], workers: int = 0, fidelity: str = OBJECTS
    ) -> ActorSystem:
        """Start a system without waiting until it takes part."""
        raise NotImplementedError

    def _scripted(self, what: str, system: Any) -> bool:
        """Whether the program's fault happens."""
        node = self._node(system)
        self._script[what, node.name] += 1
        return self.choices.scripted(f"script.{what}", (node.name, self._script[what, node.name]))

    def _bury(self, node: SimNode) -> None:
        """It has crashed or ended."""
        raise NotImplementedError

    def disk(self, system: Any) -> SimDisk:
        """The disk of a system, whether it runs or not; a `garrick.disk.Disk`."""
        name = name_of(system)
        disk = self._disks.get(name)
        if disk is None:
            disk = self._disks[name] = SimDisk(self.choices, name)
        return disk

    def crash(self, system: Any, *, silent: bool | None = None, keep: Collection[str] = ("disk",)) -> None:
        """Cut the power of a system: no handler and no ``finally`` of it runs any more, and the others have to notice.

        Args:
            system: which one.
            silent: whether they notice only its silence, as when a machine loses power, or the end of its connections, as when its
                processes are killed; None: a choice.

            keep: what survives: ``"disk"``, but for what was not synced; without it the system comes back with an empty one.

        Raises:
            InvalidArgument: no such system runs, or something else is to survive.
        """
        wrong = [what for what in keep if what != "disk"]
        if wrong:
            raise InvalidArgument(f"{wrong[0]!r} does not survive a crash", hint='only "disk" can')
        if self._scripted("crash", system):
            self._crash(system, silent=silent, keep=keep)

    def _crash(self, system: Any, *, silent: bool | None = None, keep: Collection[str] = ("disk",)) -> None:
        node = self._node(system)
        if node.name in self._disks:
            self._disks[node.name].crash()
            if "disk" not in keep and self._scripted("lost disk", system):
                self._disks[node.name].wipe()
        del self._nodes[node.name]
        self._down[node.name] = node.capabilities, node.workers, PICKLE if node.copies else OBJECTS
        if silent is None:
            self._crashes[node.name] += 1
            silent = self.choices.choose("crash.silent", (node.name, self._crashes[node.name]), 2) == 1
        node.crash(silent=silent)
        self._bury(node)

    def revive(self, name: str) -> None:
        """Start a system again that has crashed, as `restart` does, but without waiting for it; nothing if it runs."""
        if name in self._down:
            self._begin(name, *self._down.pop(name))

    @property
    def down(self) -> list[str]:
        """The systems that have crashed and were not started again."""
        return list(self._down)

    @property
    def up(self) -> list[str]:
        """The systems that run."""
        return list(self._nodes)

    def restart(self, system: Any) -> ActorSystem:
        """Start a system again that has crashed, or crash it first: a new incarnation with the capabilities that it started with.

        Raises:
            InvalidArgument: there was none of that name.
        """
        name = name_of(system)
        if name in self._nodes:
            self._crash(name)
        if name not in self._down:
            raise InvalidArgument(f"no system {name!r} has crashed in this world", hint="start it with `World.system`")
        capabilities, workers, fidelity = self._down.pop(name)
        return self.system(name, capabilities, workers=workers, fidelity=fidelity)  # which waits

    def processes(self, system: Any) -> dict[int, str]:
        """The processes of a system that run, but for its admin and the program: by number, ``worker`` or ``dedicated``.

        Raises:
            InvalidArgument: no such system runs, or it has no workers.
        """
        return self._housed(system).roles()

    def kill_process(self, system: Any, process: int) -> None:
        """Kill one process of a system: its actors are lost, the others are told, and a worker is replaced.

        Raises:
            InvalidArgument: no such system runs, or no such process.
        """
        housed = self._housed(system)
        housed.process(process)
        if self._scripted("killed process", system):
            housed.kill_process(process)

    def pause(self, system: Any, duration: Duration, *, process: int | None = None) -> None:
        """Nothing of a system happens for so long, as when its processes are stopped; its connections stay.

        Args:
            system: which one.
            duration: how long.
            process: only this one of its processes.

        Raises:
            InvalidArgument: no such system runs, or no such process, or this is no duration.
        """
        lasts = nanoseconds(duration)
        node: SimNode | SimProcess = self._node(system) if process is None else self._housed(system).process(process)
        if self._scripted("pause" if process is None else "pause of a process", system):
            self._pause(node, lasts)

    def _pause(self, node: SimNode | SimProcess, lasts: int) -> None:
        node.pause()
        self._kernel.at(self._kernel.clock.ns + lasts, Due(node.resume))

    def fill_mailboxes(self, system: Any, duration: Duration) -> None:
        """The bounded mailboxes of a system's actors are full for so long: what is sent to them fails as their overflow says.

        Raises:
            InvalidArgument: no such system runs, or this is no duration.
        """
        lasts = nanoseconds(duration)
        if self._scripted("full mailbox", system):
            self._fill(self._node(system), lasts)

    def _fill(self, node: SimNode, lasts: int) -> None:
        for runtime in node.runtimes():
            runtime.full.begin(lasts)

    def fail_spawns(self, system: Any, duration: Duration) -> None:
        """No process can be started in a system for so long.

        In a system that is one process no actor can be made: `SpawnFailed`, and ``ChildExited`` for parents; one that restarts is there
        already. In a system with workers those that died stay away, and actors with ``isolation="process"`` fail.

        Raises:
            InvalidArgument: no such system runs, or this is no duration.
        """
        lasts = nanoseconds(duration)
        if self._scripted("spawn failure", system):
            self._node(system).barren.begin(lasts)

    def slow(self, system: Any, factor: float, *, process: int | None = None) -> None:
        """Each event of a system takes ``factor`` times `STEP_NS` from now on; 0: no time, as usual.

        Args:
            system: which one.
            factor: how slow.
            process: only this one of its processes.

        Raises:
            InvalidArgument: no such system runs, or no such process, or the factor is negative.
        """
        if factor < 0:
            raise InvalidArgument(f"a factor of {factor}", hint="0 is as fast as can be")
        if process is not None:
            gate = self._housed(system).process(process).gate
            if not factor or self._scripted("slow process", system):
                gate.slow_down(round(factor * STEP_NS))
        elif not factor or self._scripted("slow", system):
            self._node(system).slow_down(round(factor * STEP_NS))

    def delay_sockets(self, system: Any, latency: Span) -> None:
        """What one process of a system writes to another one is under way for so long from now on, between nothing and nothing at first.

        Args:
            system: which one.
            latency: a duration, or from and to.

        Raises:
            InvalidArgument: no such system runs, it has no workers, or this is no duration.
        """
        low, high = span(latency)
        wires = self._housed(system).wires
        if low and not self._scripted("slow sockets", system):
            low, high = 0, high - low
        wires.latency = (low, high)

    def set_clock(self, system: Any, seconds: Duration) -> None:
        """Set the wall clock of a system forward by so much (back, if negative); what measures time spans is not affected.

        Raises:
            InvalidArgument: no such system runs.
        """
        jump = nanoseconds(seconds)
        if self._scripted("clock", system):
            self._node(system).local_clock().jump(jump)

    def drift(self, system: Any, parts_per_million: int) -> None:
        """All clocks of a system gain so much from now on; negative: they lose. Real ones stay below 200.

        Raises:
            InvalidArgument: no such system runs, or its clocks would stand still.
        """
        if abs(parts_per_million) >= 500_000:
            raise InvalidArgument(f"a drift of {parts_per_million} parts per million", hint="less than 500000")
        if self._scripted("drift", system):
            self._node(system).local_clock().set_drift(parts_per_million)

    def calm_down(self) -> None:
        """Nothing is cut, slow, paused or lossy any more, and the engine runs. What has crashed stays down; clocks stay wrong."""
        self.net.heal()
        self.net.calm()
        self.engine.start()
        for node in list(self._nodes.values()):
            node.recover()

    def _housed(self, system: Any) -> HousedNode:
        node = self._node(system)
        if not node.workers:
            raise InvalidArgument(
                f"the system {node.name!r} is one process", hint="World.system(..., workers=2) makes one of several"
            )
        return node  # type: ignore[return-value]

    def _node(self, system: Any) -> SimNode:
        name = name_of(system)
        node = self._nodes.get(name)
        if node is None:
            known = ", ".join(self._nodes) or "none"
            raise InvalidArgument(f"no system {name!r} runs in this world", hint=f"there are {known}")
        return node


class EngineFaults:
    """`World.engine`: the server between the systems."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._network: MemoryNetwork | None = None
        self._starts = 0
        self._stops = 0

    def attach(self, network: MemoryNetwork) -> None:
        """The network whose hub it is."""
        self._network = network

    @property
    def running(self) -> bool:
        """Whether systems can connect to it."""
        return self._network is None or self._network.running

    def stop(self) -> None:
        """It ends: all connections break, and nothing moves between systems until `start`."""
        self._stops += 1
        if self._choices.scripted("script.engine", ("outage", self._stops)):
            self._stop()

    def _stop(self) -> None:
        if self._network is not None and self._network.running:
            self._network.stop_hub()

    def start(self, *, lose_directory: bool = False) -> None:
        """It is back; the systems connect again, each within a second.

        Args:
            lose_directory: the directory has forgotten all members, too.
        """
        network = self._network
        if network is not None and not network.running:
            self._starts += 1
            start = self._starts
            if lose_directory:
                lose_directory = self._choices.scripted("script.directory", ("outage", start))
            network.start_hub(
                forget=lose_directory,
                after=lambda name: (
                    self._choices.between("net.reconnect", (name, "engine", start), 0, RECONNECT_NS) / SECOND
                ),
            )

    def fail_over(self, *, lose_directory: bool = False) -> None:
        """One server ends, and another one of its cluster takes over: connections break, what was under way is in doubt."""
        self.stop()
        self.start(lose_directory=lose_directory)
