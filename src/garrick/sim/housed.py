"""`HousedNode`: a system of a world with an admin, workers and dedicated processes of its own, as base ``multiprocess`` has them.

Owns which of its processes run, and what happens to them: they start, end, are killed, stand still, are slow. Messages between them are
pickled and go over the real links, on simulated sockets. Must not know why that happens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from garrick.errors import InvalidArgument
from garrick.node.joining import HostHouse
from garrick.runtime import process
from garrick.runtime.signals import SystemLost
from garrick.sim.host import DONE, KILLED, SimHost
from garrick.sim.node import STOP_MARGIN, SimNode
from garrick.sim.process import SimProcess
from garrick.sim.wires import Wires
from garrick.wire.envelope import SIGNAL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from garrick.engine.names import Request
    from garrick.runtime.signals import SystemInfo
    from garrick.sim.choices import Choices
    from garrick.sim.gate import Gate
    from garrick.sim.hands import Crew
    from garrick.sim.loop import StepLoop
    from garrick.sim.membership import WorldMembership
    from garrick.sim.runtime import SimRuntime
    from garrick.wire.envelope import Raw


class HousedNode(SimNode):
    """See the module.

    Args:
        crew: of the world.
        choices: of the world.
        name: of the system.
        incarnation: ten hex digits.
        capabilities: of the system.
        seed: of the world.
        workers: how many.
    """

    def __init__(
        self,
        crew: Crew,
        choices: Choices,
        name: str,
        incarnation: str,
        capabilities: Mapping[str, Any],
        seed: int,
        *,
        workers: int,
    ) -> None:
        self.choices = choices
        self._wanted = workers
        self.wires = Wires(crew.kernel, choices, name)
        self.processes: dict[int, SimProcess] = {}
        """Those that run, the program's among them."""
        self._loops: list[StepLoop] = []
        """Of processes that have ended."""
        super().__init__(crew, name, incarnation, capabilities, seed, member=True)

    def _build(self, system: str, *, member: bool) -> None:
        del member
        self.workers = self._wanted
        self._pauses = 0
        self.admin = host = SimHost(self, system, self.capabilities, self.workers)
        self.gate = host.gate
        self.house = HostHouse(host)
        host.on_end = self._over
        self.start_process(host.number, "client")
        client = self.processes[host.number]
        self.stepped = client.runtime
        self.runtime = client.runtime
        client.inbound.on_view = lambda _view: host.up.finish()
        host.up.on_done(lambda: _ignore(client.numbers.fetch()))
        host.begin()

    def runtimes(self) -> list[SimRuntime]:
        """See SimNode."""
        return [each.runtime for each in self.processes.values()]

    def gates(self) -> list[Gate]:
        """See SimNode."""
        return [self.gate, *(each.gate for each in self.processes.values())]

    def loops(self) -> list[StepLoop]:
        """See SimNode."""
        return [*self._loops, *(each.loop for each in self.processes.values() if each.loop is not None)]

    def attach(self, membership: WorldMembership) -> None:
        """See SimNode."""
        self.membership = membership
        host = self.host
        host.gateway = _Posted(membership)
        host.links.undeliverable = membership.give_back

    @property
    def host(self) -> SimHost:
        """The admin."""
        assert isinstance(self.admin, SimHost)
        return self.admin

    # --- processes -----------------------------------------------------------------------------------------------------------

    def start_process(self, number: int, role: str) -> None:
        """A process begins."""
        started = self.processes[number] = SimProcess(self, number, role, self._exited)
        if self._pauses:
            started.pause()
        started.begin()

    def process(self, number: int) -> SimProcess:
        """One that runs and is not the program's.

        Raises:
            InvalidArgument: there is none of that number.
        """
        found = self.processes.get(number)
        if found is None or found.role == "client":
            known = ", ".join(str(each) for each, role in self.roles().items()) or "none"
            raise InvalidArgument(f"no process {number} runs in {self.name!r}", hint=f"there are {known}")
        return found

    def roles(self) -> dict[int, str]:
        """What runs, without the program."""
        return {number: each.role for number, each in self.processes.items() if each.role != "client"}

    def kill_process(self, number: int) -> None:
        """Kill a process; its admin is told."""
        if self.end_process(number):
            self.host.exited(number, KILLED, expected=False)

    def end_process(self, number: int) -> bool:
        """A process is gone at once; False if none of that number runs."""
        killed = self.processes.pop(number, None)
        if killed is None:
            return False
        self.crew.kernel.happen(
            (self.crew.kernel.clock.ns, killed.runtime.system, 0, f"process {number} is killed"), user=False
        )
        killed.kill()
        self._remember(killed)
        return True

    def _exited(self, ended: SimProcess) -> None:
        del self.processes[ended.number]
        self._remember(ended)
        self.host.exited(ended.number, DONE, expected=True)

    def _remember(self, ended: SimProcess) -> None:
        self.crew.buried += 1
        if ended.loop is not None:
            self._loops.append(ended.loop)

    # --- the whole -----------------------------------------------------------------------------------------------------------

    def stop(self, grace: float) -> list[str]:
        """See SimNode."""
        if self.world is not None:
            self.world.ending()
        try:
            if not self.host.reactor.dead:
                self.host.shutdown(grace)
                self.crew.wait(self._ended, self.crew.kernel.clock.now() + grace + STOP_MARGIN)
                if self.membership is not None and self.farewell:
                    self.membership.leave()
                self._end_tasks()
        finally:
            self.end()
            self.on_stopped(self)
        return list(self.host.abandoned)

    def _over(self) -> None:
        """The admin has said that the system has ended: what still waits for it in the program fails."""
        runtime = self.stepped
        ended = SystemLost(runtime.system, "stopped", "the system has ended")
        runtime.deliver(runtime.address, SIGNAL, ended, runtime.admin)
        runtime.ending = True
        runtime.post(process.shutdown, runtime)
        runtime.post(lambda _: self._ended.finish(), None)

    def crash(self, *, silent: bool = False) -> None:
        """See SimNode."""
        self.host.reactor.dead = True
        if self.membership is not None:
            self.membership.cut(silent=silent)
        self.gate.slow_down(0)
        self.gate.open()
        for each in self.processes.values():
            each.kill()
        self.host.reactor.drop()
        self.end()

    def pause(self) -> None:
        """See SimNode."""
        self._pauses += 1
        if self._pauses == 1 and not self.host.reactor.dead:
            self.gate.shut_down()
            for each in self.processes.values():
                each.pause()
            if self.membership is not None:
                self.membership.hang()

    def resume(self) -> None:
        """See SimNode."""
        if self._pauses:
            self._pauses -= 1
            if not self._pauses and not self.host.reactor.dead:
                if self.membership is not None and not self._stopped:
                    self.membership.resume()
                self.gate.open()
                for each in self.processes.values():
                    each.resume()

    def end(self) -> None:
        """See SimNode."""
        if not self._stopped:
            self._stopped = True
            self.host.reactor.dead = True
            for each in self.processes.values():
                each.abandon()

    def recover(self) -> None:
        """See SimNode."""
        self.gate.slow_down(0)
        self.barren.end()
        self.wires.latency = (0, 0)
        if self._pauses:
            self._pauses = 1
            self.resume()
        for each in self.processes.values():
            each.recover()


def _ignore(_slot: object) -> None:
    """It comes when it comes."""


class _Posted:
    """The gateway of a host, which has a loop of its own here."""

    def __init__(self, membership: WorldMembership) -> None:
        self._membership = membership

    def forward(self, envelope: Raw) -> None:
        """See `garrick.node.edge.Gateway`."""
        self._membership.forward_raw(bytes(envelope))

    def announce(self, info: SystemInfo) -> None:
        """See `garrick.node.edge.Gateway`."""
        self._membership.announce(info)

    def ask_names(self, request: Request) -> None:
        """See `garrick.node.edge.Gateway`."""
        self._membership.ask_names(request)

    @property
    def suspected(self) -> AbstractSet[str]:
        """See `garrick.node.edge.Gateway`."""
        return self._membership.suspected

    @property
    def directory(self) -> str:
        """Nobody asks for it here."""
        raise NotImplementedError

    async def ping(self, name: str, timeout: float) -> str:
        """Nobody asks for it here."""
        raise NotImplementedError

    async def close(self, reason: str) -> None:
        """Nobody asks for it here."""
        raise NotImplementedError


__all__ = ["HousedNode"]
