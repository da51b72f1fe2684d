"""`SimNode`: one system of a world; and ``start``, which makes base ``"sim"`` of it.

Owns the parts of one system: the real runtime, the real admin in its lane, a loop for async handlers when one is needed, and the way
out. What it has to do with other systems is `garrick.sim.membership`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from garrick.address import Address
from garrick.convention.placement import Placer
from garrick.engine.names import Request
from garrick.node.admin.effects import Announce, AskNames, Effect
from garrick.node.local import InProcessAdmin
from garrick.runtime import process
from garrick.runtime.once import Once
from garrick.runtime.runtime import Runtime
from garrick.runtime.signals import SystemInfo
from garrick.sim.clock import LocalClock, VirtualClock
from garrick.sim.hands import Crew
from garrick.sim.rng import SeededRandom
from garrick.sim.runtime import Fault, SimRuntime
from garrick.sim.stepped import Stepped
from garrick.wire.envelope import MESSAGE

if TYPE_CHECKING:
    from garrick.node.joining import HostHouse
    from garrick.runtime.async_lane import AsyncLane
    from garrick.sim.gate import Gate
    from garrick.sim.host import SimHost
    from garrick.sim.loop import StepLoop
    from garrick.sim.membership import WorldMembership
    from garrick.wire.envelope import Raw

STOP_MARGIN = 5.0
"""Virtual seconds beyond the grace that the end of a system may take."""


class Membership(Protocol):
    """A system's part in the convention of its world."""

    def forward(self, target: Address[Any], message: Any, sender: Address[Any] | None, kind: int) -> None:
        """Send to another system."""
        ...

    def announce(self, info: SystemInfo) -> None:
        """Tell the others about this system."""
        ...

    def ask_names(self, request: Request) -> None:
        """Speak to the convention's authority over names."""
        ...

    def join(self) -> None:
        """Begin to take part."""
        ...

    def forward_raw(self, raw: Raw) -> None:
        """Send an envelope to another system."""
        ...

    def give_back(self, raw: Raw, reason: str) -> None:
        """An envelope from another system finds nobody."""
        ...

    @property
    def joined(self) -> Once:
        """`join` is done."""
        ...

    def check(self) -> None:
        """Raises if `join` failed."""
        ...

    def leave(self) -> None:
        """Say good-bye, and wait until that is done."""
        ...

    def cut(self, *, silent: bool) -> None:
        """Vanish without a word; ``silent``: not even its connections break."""
        ...

    def hang(self) -> None:
        """Its process stands still: it takes nothing from its connections."""
        ...

    def resume(self) -> None:
        """Undo `hang`."""
        ...

    def close(self) -> None:
        """The world has ended."""
        ...


class SimAdmin(InProcessAdmin):
    """The admin of one system."""

    membership: Membership | None = None

    def attach(self, runtime: Runtime) -> None:
        """See InProcessAdmin."""
        self.up = Once()
        """The process of the system has joined its admin."""
        super().attach(runtime)

    def _join(self, _argument: None) -> None:
        super()._join(None)
        self.up.finish()

    def _apply(self, effects: list[Effect]) -> None:
        super()._apply(effects)
        if self.membership is not None:
            for effect in effects:
                if isinstance(effect, Announce):
                    self.membership.announce(effect.info)
                elif isinstance(effect, AskNames):
                    self.membership.ask_names(effect.request)

    def apply(self, effects: list[Effect]) -> None:
        """Execute what the machine decided on an input that came from the convention."""
        self._apply(effects)

    def _send(self, effect: Any) -> None:
        target = effect.target
        if self.membership is not None and target.system != self.runtime.system:
            self.membership.forward(target, effect.message, effect.sender, effect.kind)
        else:
            super()._send(effect)


class SimNode:
    """See `garrick.node.base.Node`.

    Args:
        crew: of the world.
        name: of the system.
        incarnation: ten hex digits.
        capabilities: of the system.
        seed: of the world.
        member: whether there are other systems.
    """

    def __init__(
        self, crew: Crew, name: str, incarnation: str, capabilities: Mapping[str, Any], seed: int, *, member: bool
    ) -> None:
        self.name = name
        self.crew = crew
        self.seed = seed
        self.copies = False
        self.workers = 0
        """Processes for its actors; 0: it is one process."""
        self.clock: LocalClock | VirtualClock = LocalClock(crew.kernel.clock) if member else crew.kernel.clock
        self.capabilities = dict(capabilities)
        """Those that it started with."""
        self.membership: Membership | None = None
        self.world: Any = None
        """Whose system it is."""
        self.on_stopped: Callable[[SimNode], None] = lambda _: None
        """Called when the system has ended, with its threads and loops still there."""
        self.farewell = True
        """Whether the others are told of its end: not when all end at once."""
        self.loop: StepLoop | None = None
        self.house: HostHouse | None = None
        """What the gateway speaks to; None: `garrick.sim.membership` itself."""
        self.barren = Fault(crew.kernel.clock)
        """No process can be started."""
        self._stopped = False
        self._ended = Once()
        self._build(f"{name}@{incarnation}", member=member)

    def _build(self, system: str, *, member: bool) -> None:
        crew, capabilities, seed = self.crew, self.capabilities, self.seed
        self.admin: SimAdmin | SimHost
        self.admin = admin = SimAdmin(system, capabilities, self.clock)
        self.stepped = runtime = SimRuntime(
            crew,
            member=member,
            system=system,
            number=admin.number,
            clock=self.clock,
            random=SeededRandom(seed, system),
            outbound=self,
            placement=Placer(),
            capabilities=capabilities,
        )
        runtime.barren = self.barren
        self.runtime: Runtime = runtime
        self.gate = runtime.gate
        if member:
            admin.machine.pulled = True
            runtime.convention = admin.machine.core.members
        self._pauses = 0
        runtime.start_async = self._start_async
        admin.on_end = self._ended.finish
        self._scheduler = Stepped(runtime, crew)
        admin.attach(runtime)

    def runtimes(self) -> list[SimRuntime]:
        """Of all its processes that run."""
        return [self.stepped]

    def copy_messages(self) -> None:
        """What actors of one process give to one another is copied."""
        self.copies = True
        for runtime in self.runtimes():
            runtime.copy_messages()

    def gates(self) -> list[Gate]:
        """Of all its processes that run."""
        return [self.gate]

    def loops(self) -> list[StepLoop]:
        """Those on which code of users runs, or has run."""
        return [] if self.loop is None else [self.loop]

    def attach(self, membership: WorldMembership) -> None:
        """It is to be a member of a convention."""
        self.membership = membership
        assert isinstance(self.admin, SimAdmin)
        self.admin.membership = membership

    def post(self, target: Address[Any], message: Any, sender: Address[Any] | None, kind: int) -> None:
        """See `garrick.ports.Outbound`."""
        runtime = self.stepped
        if runtime.dead:
            return
        if target.system != runtime.system and self.membership is not None:
            self.membership.forward(target, message, sender, kind)
            return
        reason = "worker lost" if target.system == runtime.system else "system unknown"
        if kind == MESSAGE:
            runtime.undeliverable(target, message, sender, reason)
        else:
            runtime.arrivals.bounce(target, message, reason)

    def room(self, target: Address[Any]) -> Once | None:
        """See `garrick.ports.Outbound`: what is under way takes no room here."""
        return None

    def stop(self, grace: float) -> list[str]:
        """See Node; ``grace`` is virtual."""
        if self.world is not None:
            self.world.ending()
        try:
            if not self.stepped.dead:
                self.admin.shutdown(grace)
                self.crew.wait(self._ended, self.crew.kernel.clock.now() + grace + STOP_MARGIN)
                if self.membership is not None and self.farewell:
                    self.membership.leave()
                self._end_tasks()
        finally:
            self.end()
            self.on_stopped(self)
        return list(self.admin.abandoned)

    def crash(self, *, silent: bool = False) -> None:
        """Power cut: nothing of the system happens any more, and it tells nobody; ``silent``: its connections do not even break."""
        self.stepped.dead = True
        if self.loop is not None:
            self.loop.dead = True
        if self.membership is not None:
            self.membership.cut(silent=silent)
        # Nothing of it happens, paused or not; but a program that waits below one of its handlers has to get there.
        self.gate.slow_down(0)
        self.gate.open()
        self.end()

    def pause(self) -> None:
        """Nothing of the system happens until `resume`, as when its processes are stopped; counted."""
        self._pauses += 1
        if self._pauses == 1 and not self.stepped.dead:
            self.gate.shut_down()
            if self.membership is not None:
                self.membership.hang()

    def resume(self) -> None:
        """Undo one `pause`."""
        if self._pauses:
            self._pauses -= 1
            if not self._pauses and not self.stepped.dead:
                if self.membership is not None and not self._stopped:
                    self.membership.resume()
                self.gate.open()

    def end(self) -> None:
        """Nobody waits for anything here any more."""
        if not self._stopped:
            self._stopped = True
            self.runtime.ending = True
            process.abandon(self.runtime)
            self._scheduler.stop(0.0)

    def slow_down(self, cost: int) -> None:
        """Each event takes ``cost`` nanoseconds; 0: none, as usual."""
        for gate in self.gates():
            gate.slow_down(cost)

    def recover(self) -> None:
        """It is neither paused nor slow any more, and can do all that it could."""
        self.slow_down(0)
        self.stepped.full.end()
        self.barren.end()
        if self._pauses:
            self._pauses = 1
            self.resume()

    def local_clock(self) -> LocalClock:
        """The clock that this system has for itself, as a member of a convention."""
        assert isinstance(self.clock, LocalClock)
        return self.clock

    def close(self) -> None:
        """Release the loop, when the world's threads have ended."""
        for loop in self.loops():
            loop.forget()
            loop.close()
        if self.membership is not None:
            self.membership.close()

    # --- async handlers ------------------------------------------------------------------------------------------------------

    def _start_async(self, *step: Any) -> None:
        from garrick.runtime.async_lane import AsyncLane  # late: loads asyncio
        from garrick.sim.loop import StepLoop

        self.loop = StepLoop(self.crew, f"{self.runtime.system} loop", self.clock, self.gate)
        self.loop.runtime = self.stepped
        lane: AsyncLane = AsyncLane(self.runtime, self.loop)
        self.runtime.async_lane = lane
        self.runtime.start_async = lane.submit
        lane.submit(*step)

    def _end_tasks(self) -> None:
        for loop in self.loops():
            ended = Once()
            loop.cancel_all(ended.finish)
            self.crew.wait(ended, self.crew.kernel.clock.now() + STOP_MARGIN)


def start(
    name: str, capabilities: Mapping[str, Any], *, seed: int = 0, fences: bool = True, fidelity: str = "objects"
) -> SimNode:
    """Start a world of one system: base ``"sim"``.

    Args:
        name: of the system.
        capabilities: of the system.
        seed: what is random follows from it.
        fences: see `garrick.sim.world.World`.
        fidelity: see `garrick.sim.world.World.system`.
    """
    from garrick.sim.world import World

    if name == f"sim-{os.getpid()}":
        name = "sim"  # a name that was made up must not make two runs differ
    return World(seed=seed, fences=fences).start(name, capabilities, fidelity)
