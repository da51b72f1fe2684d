"""`World`: systems that run in one process, on one thread, in one order, from one seed.

Owns the systems, the convention between them, and their end. A program drives it: each call that waits (``ask``, ``spawn``,
``Inbox.receive``, `World.run`) lets things happen until it has what it waits for; between such calls nothing happens.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from garrick.errors import InvalidArgument, SystemExists
from garrick.runtime.once import Once
from garrick.sim.bugs import Bugs
from garrick.sim.checks import Checks
from garrick.sim.choices import Choices, Label
from garrick.sim.debugging import Breaks
from garrick.sim.fidelity import OBJECTS, copies
from garrick.sim.hands import Crew
from garrick.sim.kernel import Due, Kernel
from garrick.sim.leaks import sources
from garrick.sim.nemesis import Nemesis
from garrick.sim.net import Net, name_of
from garrick.sim.node import SimNode
from garrick.sim.order import OpenKernel, Policy
from garrick.sim.policies import FIFO, Fifo, policy_of
from garrick.sim.rng import SeededIds
from garrick.sim.systems import EngineFaults, SystemFaults
from garrick.sim.trace import Trace
from garrick.sim.units import MILLION, Duration, nanoseconds, per_million, rate
from garrick.sim.watching import Watching
from garrick.system import ActorSystem

log = logging.getLogger("garrick")

PATIENCE = 10.0
"""Virtual seconds that joining may take."""
UNWIND_SECONDS = 1.0
"""Real seconds that a handler gets to leave when its world has ended."""
GRACE = 5.0
"""Virtual seconds that actors get to end when the world closes."""
VIEW_SECONDS = 0.1
VIEW_SECONDS_EACH = 0.001
"""Virtual seconds after which all systems know a new one, and more for each of many."""


class World(SystemFaults, Watching):
    """Several simulated systems; they form a convention.

    Args:
        seed: all randomness and all identifiers follow from it.
        policy: in which order the events happen that the semantics leave in any order, see `garrick.sim.policies.policy_of`; ``"fifo"``
            is the order of arrival.
        choices: what else may go otherwise, of the same seed; by default what the seed says.
        record: keep what is needed to make the run again (`garrick.sim.artefact`).
        fences: whether code of the world that reaches for time, randomness, threads, processes or sockets gets what the seed decides, or
            `NotSimulated` (`garrick.sim.boundary()`). False: it gets the real ones, and nothing promises that two runs are equal.
        own_thread: whether handlers run on a thread of the world's own. By default they run on the program's, where a debugger finds
            them on one stack; then a handler that waits (``time.sleep``, ``.result()``) may hold up the program that waits for
            something else meanwhile. With a thread of their own they never do, as on the other bases.
    """

    def __init__(
        self,
        seed: int = 0,
        policy: str | Policy = FIFO,
        *,
        choices: Choices | None = None,
        record: bool = False,
        fences: bool = True,
        own_thread: bool = False,
    ) -> None:
        super().__init__()
        self.seed = seed
        self.choices = choices or Choices(seed, taped=record)
        order = policy_of(policy, seed) if isinstance(policy, str) else policy
        if order is None and record:
            order = Fifo()
        self._kernel = Kernel(self.choices) if order is None else OpenKernel(order, self.choices, record=record)
        if record:
            self._kernel.trace = Trace(keep=None)
        self._crew = Crew(self._kernel, seed, fences=fences, own_thread=own_thread)
        self._ids = SeededIds(seed)
        self._nodes: dict[str, SimNode] = {}
        self._systems: dict[str, ActorSystem] = {}
        self._dead: list[SimNode] = []
        """Crashed or ended: what waits in them must not be collected, or it would run its last words."""
        self.net = Net(self._kernel, self.choices)
        """The network between the systems, and its faults."""
        self.engine = EngineFaults(self.choices)
        """The server between the systems, and its faults."""
        self.checks = Checks(self._crew)
        """What is looked at after each step."""
        self.breaks = Breaks(self._crew)
        """Where a debugger stops."""
        self._convention: Any = None
        self.bugs = Bugs(self.choices)
        """The places of `garrick.buggify`, and how often each has fired."""
        self._nemeses: list[Nemesis] = []
        self._nemesis_count = 0
        self._alone = False
        self._sources = sources()

    # --- systems -------------------------------------------------------------------------------------------------------------

    def system(
        self,
        name: str,
        capabilities: Mapping[str, Any] | None = None,
        *,
        workers: int = 0,
        fidelity: str = OBJECTS,
    ) -> ActorSystem:
        """Start a system, which joins the convention.

        Args:
            name: unique among those that run.
            capabilities: what actors can require.
            workers: 0: the system is one process, and messages between its actors are passed as they are. Else it has an admin, so many
                workers, and processes for actors with ``isolation="process"``, as base ``multiprocess`` has them; the program only asks.
            fidelity: ``"pickle"``: also what actors of one process give to one another (messages, answers, arguments) is copied, so that a
                test sees what the actors would see in processes of their own.

        Raises:
            SystemExists: one of that name runs.
            InvalidArgument: ``workers`` is negative, or there is no such fidelity.
        """
        system = self._begin(name, capabilities or {}, workers, fidelity)
        self._await([name])
        self.run(VIEW_SECONDS)
        return system

    def systems(
        self,
        count: int,
        prefix: str = "s",
        capabilities: Mapping[str, Any] | Callable[[int], Mapping[str, Any]] | None = None,
        *,
        workers: int = 0,
        fidelity: str = OBJECTS,
    ) -> list[ActorSystem]:
        """Start ``count`` systems ``<prefix>1``, ``<prefix>2``, ..., which know one another then.

        Args:
            count: how many.
            prefix: of their names.
            capabilities: of each of them; a function gets its number, from 1.
            workers: of each of them, see `system`.
            fidelity: of each of them, see `system`.
        """
        names = [f"{prefix}{number}" for number in range(1, count + 1)]
        systems = [
            self._begin(name, capabilities(number) if callable(capabilities) else capabilities or {}, workers, fidelity)
            for number, name in enumerate(names, 1)
        ]
        self._await(names)
        self.run(VIEW_SECONDS + VIEW_SECONDS_EACH * count)
        return systems

    def find(self, name: str) -> ActorSystem:
        """The system of that name that runs now: after a restart another one than before.

        Raises:
            InvalidArgument: no such system runs.
        """
        return self._systems[self._node(name).name]

    def start(self, name: str, capabilities: Mapping[str, Any], fidelity: str = OBJECTS) -> SimNode:
        """Start the one system of this world, without a convention; the world ends with it."""
        self._alone = True
        return self._new(name, capabilities, 0, fidelity)

    def _begin(
        self, name: str, capabilities: Mapping[str, Any], workers: int = 0, fidelity: str = OBJECTS
    ) -> ActorSystem:
        if workers < 0:
            raise InvalidArgument(f"workers={workers}", hint="0: one process; else how many")
        if name in self._nodes:
            raise SystemExists(f"a system {name!r} runs in this world")
        from garrick.sim.membership import Convention, WorldMembership  # late: loads asyncio

        if self._convention is None:
            self._convention = Convention(self._crew, self.net)
            self.net.attach(self._convention.network, name)
            self.engine.attach(self._convention.network)
        self._down.pop(name, None)
        node = self._new(name, capabilities, workers, fidelity)
        membership = WorldMembership(node, self._convention)
        node.attach(membership)
        self._kernel.put(Due(membership.join))
        system = self._systems[name] = ActorSystem.__new__(ActorSystem)
        system._adopt(node)
        return system

    def _await(self, names: list[str]) -> None:
        memberships = [membership for name in names if (membership := self._nodes[name].membership) is not None]
        left, over = len(memberships), Once()

        def one_less() -> None:
            nonlocal left
            left -= 1
            if not left:
                over.finish()

        for membership in memberships:
            membership.joined.on_done(one_less)
        if memberships:
            self._crew.wait(over, self.now + PATIENCE)
        for membership in memberships:
            membership.check()

    def _new(self, name: str, capabilities: Mapping[str, Any], workers: int, fidelity: str) -> SimNode:
        copying = copies(fidelity)
        incarnation = self._ids.incarnation(name)
        node: SimNode
        if workers:
            from garrick.sim.housed import HousedNode  # late: loads what real processes are made of

            node = HousedNode(self._crew, self.choices, name, incarnation, capabilities, self.seed, workers=workers)
        else:
            node = SimNode(self._crew, name, incarnation, capabilities, self.seed, member=not self._alone)
        node.world = self
        if copying:
            node.copy_messages()
        node.on_stopped = self._node_stopped
        self._nodes[name] = node
        return node

    def ending(self) -> None:
        """A system begins to end; if it is the only one, so does the world."""
        if self._alone:
            self.checks.end()

    def _node_stopped(self, node: SimNode) -> None:
        if self._nodes.get(node.name) is node:
            del self._nodes[node.name]
            self._bury(node)
        if self._alone:
            self._crew.afterwards(self._end)

    # --- random faults -------------------------------------------------------------------------------------------------------

    def nemesis(
        self,
        *,
        clock_skew: Duration = 0,
        spare: Iterable[Any] = (),
        swarm: bool = False,
        buggify: bool = False,
        **rates: str,
    ) -> Nemesis:
        """From now on, faults happen at random until `quiet`, or until the nemesis is stopped.

        Args:
            clock_skew: wall clocks are wrong by at most so much.
            spare: systems that are never killed, paused, slowed or cut off.
            swarm: each seed has only some of the faults; the log says which.
            buggify: Garrick's own code takes rarer ways here and there (`garrick.buggify`).
            rates: how often, such as ``"1/10min"``, or ``"1/5min:2s..20s"`` with how long it lasts. To each system: ``kill_system``,
                ``pause``, ``slow``, ``cut_off``, ``clock_jump``, ``full_mailbox`` (bounded ones), ``spawn_failure``, and if it has workers,
                to one of its processes: ``kill_process``, ``pause_process``, ``slow_process``; to each rack (all systems with one value of
                the capability ``rack``): ``rack_power``, ``rack_cut`` (cut off from the others); to the whole: ``partition``, ``swizzle``
                (some systems are cut off one by one and come back in another order), ``engine`` (an outage), ``directory`` (an outage
                after which the directory knows nobody).

        Raises:
            InvalidArgument: something is not understood.
        """
        if buggify:
            self._crew.decide = self.bugs.decide
        drawn = {kind: rate(text) for kind, text in rates.items()}
        self._nemesis_count += 1
        nemesis = Nemesis(
            self,
            self._nemesis_count,
            drawn,
            nanoseconds(clock_skew),
            [name_of(system) for system in spare],
            swarm=swarm,
        )
        self._nemeses.append(nemesis)
        return nemesis

    def quiet(self, core: float = 1.0, *, keep: Iterable[Any] = ()) -> list[ActorSystem]:
        """The end of the phase with faults: all of them stop, and what is left has to get its work done.

        Args:
            core: this part of all systems is there again afterwards; of the others, those that are down stay down.
            keep: systems that belong to the core in any case.

        Returns:
            The core.

        Raises:
            InvalidArgument: ``core`` is not between 0 and 1.
        """
        for nemesis in self._nemeses:
            nemesis.stop()
        self._nemeses.clear()
        self._crew.decide = None
        self.calm_down()
        kept = {name_of(system): None for system in keep}
        rest = [name for name in (*self.up, *self.down) if name not in kept]
        wanted = max(0, -(-per_million(core) * (len(rest) + len(kept)) // MILLION) - len(kept))
        for turn in range(min(wanted, len(rest))):
            kept[rest.pop(self.choices.choose("quiet.core", (turn,), len(rest)))] = None
        started = [name for name in kept if name in self._down]
        for name in started:
            self.revive(name)
        self._await(started)
        return [self.find(name) for name in kept if name in self._nodes]

    # --- time ------------------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Virtual seconds since the beginning."""
        return self._kernel.clock.now()

    @property
    def made(self) -> dict[Label, int]:
        """All choices so far that are not 0: what made this run differ from the simplest one.

        How many later events overtook another one (kind ``pick``) is known if the world is recorded, or if it follows such choices.
        """
        kernel = self._kernel
        return {**(kernel.deviations() if isinstance(kernel, OpenKernel) else {}), **self.choices.made}

    @property
    def contested(self) -> list[Label]:
        """The events that were taken while others were ready too, in order; only if the world is recorded."""
        return list(self._kernel.contested) if isinstance(self._kernel, OpenKernel) else []

    @property
    def names(self) -> dict[str, str]:
        """The classes of actors, by what they are called in the keys of choices of kind ``pick``."""
        return dict(self._kernel.names) if isinstance(self._kernel, OpenKernel) else {}

    @property
    def trace(self) -> Trace:
        """What has happened so far; equal runs have equal hashes."""
        return self._kernel.trace

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        self._crew.sleep(seconds)

    # --- the end -----------------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop all systems at the same time, and end all threads. Nothing is checked any more."""
        self.checks.end()
        self.breaks.clear()
        for nemesis in self._nemeses:
            nemesis.stop()
        self.calm_down()
        alive = [] if self._alone else list(self._nodes.items())
        for _, node in alive:
            node.farewell = False
            node.admin.shutdown(GRACE)
        for name, _ in alive:
            self._systems[name].stop(GRACE)
        self._crew.afterwards(self._end)

    def _end(self) -> None:
        left = self._crew.close(UNWIND_SECONDS)
        if left:
            log.warning("a handler did not leave when its world ended; threads left over: %s", ", ".join(left))
        for node in [*self._nodes.values(), *self._dead]:
            node.close()
        self._nodes.clear()
        self._dead.clear()
        self._systems.clear()

    def _bury(self, node: SimNode) -> None:
        """See SystemFaults."""
        self._systems.pop(node.name, None)
        self._crew.buried += 1
        if node.loops():
            self._dead.append(node)
        else:
            node.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def world_of(system: ActorSystem) -> World | None:
    """The world of a simulated system; None if it is not simulated."""
    world: World | None = getattr(system._node, "world", None)
    return world
