"""`SimHost`: the admin of a simulated system with processes of its own, and the fork-server beside it.

Owns what `garrick.node.edge` leaves open: here processes are objects, and time is virtual. Must not know faults, but for processes that
can't be started. Invariant: what the fork-server tells (a process has ended, or could not be started) is one line of events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from garrick.node.admin import AdminMachine, Answer, Effect, EndSystem, KillProcess, StartProcess
from garrick.node.edge import AdminEdge
from garrick.node.inlink import Listener
from garrick.node.links import Links
from garrick.node.mainmodule import Bodies
from garrick.runtime.once import Once
from garrick.sim.gate import Gate
from garrick.sim.kernel import Due, Idle
from garrick.sim.process import TOKEN
from garrick.sim.wires import SimReactor

if TYPE_CHECKING:
    from garrick.sim.clock import LocalClock
    from garrick.sim.housed import HousedNode

START_NS = (2_000_000, 40_000_000)
"""How long it takes to start a process: that is drawn."""
KILLED = "killed by SIGKILL"
DONE = "done"


class SimHost(AdminEdge):
    """See the module.

    Args:
        node: its system.
        system: its id.
        capabilities: of it.
        workers: how many.
    """

    def __init__(self, node: HousedNode, system: str, capabilities: Mapping[str, Any], workers: int) -> None:
        self.clock: LocalClock = node.local_clock()
        self.gate = Gate(node.crew.kernel)
        self.up = Once()
        """The program's process knows the system."""
        self.on_end: Callable[[], object] = lambda: None
        self.abandoned: tuple[str, ...] = ()
        self._node = node
        self._kernel = node.crew.kernel
        self._label = f"{node.name}/0"
        self._over = False
        self._armed: float | None = None
        self._starts = 0
        self.reactor = SimReactor(node.wires, self.clock, self.gate, self._label)
        machine = AdminMachine(system, capabilities=capabilities, now=self.clock.now(), pulse=True)
        links = Links(
            system=system,
            number=0,
            role="admin",
            rundir=node.wires,
            token=TOKEN,
            reactor=self.reactor,
            bodies=Bodies(None, None, program=False),
            pid=0,
        )
        sock: Any = node.wires.listen(0, self.reactor)
        super().__init__(machine, links, Listener(sock, self.reactor, TOKEN, self.receive))
        self._first = machine.start(workers, self.clock.now())
        self.number = machine.allot("client", self.clock.now())
        """The program's process."""

    def begin(self) -> None:
        """Start the workers."""
        self.apply(self._first)

    def shutdown(self, grace: float) -> None:
        """Begin to end the system."""
        self.reactor.put(("program", self.reactor.name), lambda: self.apply(self.machine.shutdown(grace, self.now())))

    def inspect(self, what: str, params: dict[str, Any], tell: Callable[[Any], None]) -> None:
        """Answer a question of an operator with ``tell``."""

        def ask() -> None:
            try:
                if what == "status":
                    self.apply(self.machine.status_wanted(tell, self.now()))
                else:
                    self.apply(self.machine.inspect(tell, what, params, self.now()))
            except Exception as error:
                tell(error)

        self.reactor.put(("program", self.reactor.name), ask)

    def exited(self, number: int, detail: str, *, expected: bool) -> None:
        """The fork-server tells that a process has ended."""
        self.reactor.put(
            ("fork-server", self.reactor.name), lambda: self.process_died(number, detail, expected=expected)
        )

    # --- AdminEdge -----------------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """See AdminEdge."""
        return self.clock.now()

    @property
    def ending(self) -> bool:
        """See AdminEdge."""
        return self._over

    def apply(self, effects: list[Effect]) -> None:
        """See AdminEdge."""
        if not self.reactor.dead:
            super().apply(effects)

    def _owns(self, number: int) -> bool:
        return number == self.number

    def _start(self, effect: StartProcess) -> None:
        self._starts += 1
        key = (self._node.name, self._starts)
        due = self._kernel.clock.ns + self._node.choices.between("process.start", key, *START_NS)
        line = ("fork-server", self._label)
        self._kernel.at(due, Due(lambda: self._fork(effect.number, effect.role), line))

    def _fork(self, number: int, role: str) -> None:
        if self.reactor.dead or self._over or not self.machine.alive(number):
            return
        if self._node.barren.lasts:
            self.exited(number, "it could not be forked: a fault of the simulation", expected=False)
        else:
            self._node.start_process(number, role)

    def _kill(self, effect: KillProcess) -> None:
        if self._node.end_process(effect.number):
            self.exited(effect.number, KILLED, expected=False)

    def _answered(self, effect: Answer) -> None:
        effect.token(effect.value)

    def _finish(self, end: EndSystem) -> None:
        if not self._over:
            self._over = True
            self.abandoned = tuple(end.abandoned)
            self.on_end()

    def _arm(self) -> None:
        deadline = self.machine.deadline
        if deadline is not None and (self._armed is None or deadline < self._armed):
            self._armed = deadline
            line = ("timer", self.reactor.name)
            at = self.clock.instant(deadline)
            self._kernel.at(at, Idle(lambda: self.reactor.put(line, lambda: self._tick(deadline)), line))

    def _tick(self, deadline: float) -> None:
        if self._armed == deadline:
            self._armed = None
            self.apply(self.machine.tick(self.now()))
