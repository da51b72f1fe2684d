"""`SimProcess`: one process of a simulated system: the real runtime, links, listener and inbound, on simulated sockets.

Owns putting the parts together, as `garrick.node.worker` does, and the end of the process. Must not know the admin. Invariants:

* A process that is killed does nothing any more, and has no last words.
* One that ends by itself first gets rid of what it has to say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from garrick.convention.placement import Placer
from garrick.node.inbound import Inbound
from garrick.node.inlink import Listener
from garrick.node.links import Links
from garrick.node.mainmodule import Bodies
from garrick.node.numbers import Numbers
from garrick.node.worker import FLUSH_SECONDS, LAST_SECONDS, ROOM_SECONDS, say_farewell
from garrick.runtime import process
from garrick.runtime.once import Once
from garrick.sim.gate import Gate
from garrick.sim.lines import OpenLane
from garrick.sim.rng import SeededRandom
from garrick.sim.runtime import SimRuntime
from garrick.sim.stepped import Stepped
from garrick.sim.wires import SimReactor

if TYPE_CHECKING:
    from garrick.runtime.async_lane import AsyncLane
    from garrick.sim.housed import HousedNode
    from garrick.sim.loop import StepLoop

TOKEN = bytes(32)
"""What processes of one simulated system know."""
LOOK_SECONDS = 0.0005
"""How often a process that ends looks whether everything is written."""


class SimProcess:
    """See the module.

    Args:
        node: its system.
        number: in its system.
        role: ``worker``, ``dedicated`` or ``client`` (the program's).
        exited: told when it has ended by itself.
    """

    def __init__(self, node: HousedNode, number: int, role: str, exited: Callable[[SimProcess], None]) -> None:
        self.number = number
        self.role = role
        self.crew = crew = node.crew
        self.label = label = f"{node.name}/{number}"
        self.loop: StepLoop | None = None
        self._exited = exited
        self._clock = node.local_clock()
        self._pauses = 0
        self._gone = False
        system, wires = node.host.system, node.wires
        self.gate = Gate(crew.kernel)
        self.reactor = SimReactor(wires, self._clock, self.gate, label)
        self.links = Links(
            system=system,
            number=number,
            role=role,
            rundir=wires,
            token=TOKEN,
            reactor=self.reactor,
            bodies=Bodies(None, None, program=False),
            pid=number,
        )
        self.runtime = runtime = SimRuntime(
            crew,
            member=True,
            label=label,
            gate=self.gate,
            system=system,
            number=number,
            clock=self._clock,
            random=SeededRandom(node.seed, label + system),
            outbound=self.links,
            placement=Placer(),
            capabilities=node.capabilities,
        )
        if node.copies:
            runtime.copy_messages()
        if isinstance(runtime.lane, OpenLane):
            self.reactor.around = runtime.lane.arrival
        runtime.seal = self.links.envelope
        runtime.start_async = self._start_async
        runtime.on_shutdown = self._leave
        if role == "dedicated":
            runtime.on_empty = runtime.on_shutdown
        runtime.hosts_actors = role != "client"
        self.links.moved = runtime.moved
        self.links.wait = self._wait_for_room
        runtime.away = self.links.shortcut(runtime.route)
        self.scheduler = Stepped(runtime, crew)
        self.inbound = Inbound(runtime, self.links)
        sock: Any = wires.listen(number, self.reactor)
        self.listener = Listener(sock, self.reactor, TOKEN, self.inbound.receive_first)
        self.inbound.listener = self.listener
        self.numbers = Numbers(runtime)

    def begin(self) -> None:
        """Call the admin."""
        self.links.open(0)
        if self.role == "worker":
            self.numbers.fetch()

    def _wait_for_room(self, space: Once, asking: bool) -> bool:
        patient = self.runtime.hosts_actors and not asking
        return self.scheduler.wait(space, None if patient else self._clock.now() + ROOM_SECONDS)

    def _start_async(self, *step: Any) -> None:
        from garrick.runtime.async_lane import AsyncLane  # late: loads asyncio
        from garrick.sim.loop import StepLoop

        self.loop = StepLoop(self.crew, f"{self.runtime.system}/{self.number} loop", self._clock, self.gate)
        self.loop.runtime = self.runtime
        lane: AsyncLane = AsyncLane(self.runtime, self.loop)
        self.runtime.async_lane = lane
        self.runtime.start_async = lane.submit
        lane.submit(*step)

    # --- faults ------------------------------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Nothing happens here until `resume`; counted."""
        self._pauses += 1
        if self._pauses == 1 and not self.runtime.dead:
            self.gate.shut_down()

    def resume(self) -> None:
        """Undo one `pause`."""
        if self._pauses:
            self._pauses -= 1
            if not self._pauses and not self.runtime.dead:
                self.gate.open()

    def recover(self) -> None:
        """Neither paused nor slow nor full any more."""
        self.gate.slow_down(0)
        self.runtime.full.end()
        if self._pauses:
            self._pauses = 1
            self.resume()

    def kill(self) -> None:
        """It is gone, in the middle of whatever it does; its sockets close."""
        self.runtime.dead = self.reactor.dead = True
        if self.loop is not None:
            self.loop.dead = True
        # Nothing of it happens, paused or not; but a program that waits below one of its handlers has to get there.
        self.gate.slow_down(0)
        self.gate.open()
        self.abandon()
        self.reactor.drop()

    def abandon(self) -> None:
        """Nobody waits for anything here any more."""
        if not self._gone:
            self._gone = True
            self.runtime.ending = True
            process.abandon(self.runtime)
            self.scheduler.stop(0.0)

    # --- the end -------------------------------------------------------------------------------------------------------------

    def _leave(self) -> None:
        """All actors have ended; see `garrick.node.worker.run`."""
        runtime = self.runtime
        if runtime.ending and self._gone:
            return
        runtime.ending = True
        if self.role == "client":
            return  # the program goes on
        if self.role == "dedicated":
            say_farewell(runtime)
        self._when(lambda: not self.links.pending, FLUSH_SECONDS, self._part)

    def _part(self) -> None:
        if self.role == "dedicated":
            # Whoever writes to an actor that has just ended must hear of it: what has come is a dead letter here, what comes later is
            # one there.
            self.listener.part()
            self._when(lambda: not len(self.runtime.lane), LAST_SECONDS, self._last)
        else:
            self._exit()

    def _last(self) -> None:
        self._when(lambda: not self.links.pending, LAST_SECONDS, self._exit)

    def _exit(self) -> None:
        if not self.runtime.dead:
            self.kill()
            self._exited(self)

    def _when(self, condition: Callable[[], bool], seconds: float, action: Callable[[], None]) -> None:
        end = self._clock.now() + seconds

        def look() -> None:
            if condition() or self._clock.now() >= end:
                action()
            else:
                self.reactor.later(LOOK_SECONDS, look)

        self.reactor.later(0.0, look)  # behind all that can happen now


__all__ = ["TOKEN", "SimProcess"]
