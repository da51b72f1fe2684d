"""Base ``local``: the whole system inside the calling process.

Owns the edge around the `AdminMachine`: here its inputs come from the lane of the one runtime, and its effects go back into it. The
admin's steps run on the holder of the baton, like any other envelope.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from garrick.address import Address
from garrick.clocks import SystemClock, SystemIds, SystemRandom
from garrick.convention.placement import Placer
from garrick.node.admin import AdminMachine, Answer, EndSystem, KillProcess, Report, Send
from garrick.node.admin.effects import Effect
from garrick.ports import Clock
from garrick.runtime import copying, process
from garrick.runtime.baton import Baton
from garrick.runtime.once import Once
from garrick.runtime.poller import WakePoller
from garrick.runtime.runtime import Runtime
from garrick.wire.envelope import MESSAGE

if TYPE_CHECKING:
    from garrick.node.desk import Desk

log = logging.getLogger("garrick")


class InProcessAdmin:
    """An `AdminMachine` that lives in the lane of a runtime; used by ``local`` and by the simulator."""

    def __init__(self, system: str, capabilities: Mapping[str, Any], clock: Clock) -> None:
        self.clock = clock
        self.machine = AdminMachine(system, capabilities=capabilities, now=clock.now())
        self.number = self.machine.allot("worker", clock.now())
        self.abandoned: tuple[str, ...] = ()
        self.on_end: Any = lambda: None
        self.pid: int | None = None
        self._armed: float | None = None

    def attach(self, runtime: Runtime) -> None:
        """Take over the control address of process 0; the first step on ``runtime``'s lane is the join of its process."""
        self.runtime = runtime
        runtime.local_control[0] = self._handle
        runtime.letters_due = True  # never reported: the admin would not remember their number longer than the process
        runtime.on_shutdown = self._process_ended
        runtime.post(self._join, None)

    def shutdown(self, grace: float) -> None:
        """Begin to end the system; any thread."""
        self.runtime.post(self._shutdown, grace)

    def inspect(self, what: str, params: dict[str, Any], tell: Callable[[Any], None]) -> None:
        """Answer a question of an operator with ``tell``; any thread."""

        def ask(_argument: None) -> None:
            now = self.clock.now()
            try:
                if what == "status":
                    self._apply(self.machine.status_wanted(tell, now))
                else:
                    self._apply(self.machine.inspect(tell, what, params, now))
            except Exception as error:
                tell(error)

        self.runtime.post(ask, None)

    # --- inputs, all on the holder ------------------------------------------------------------------------------------

    def _join(self, _argument: None) -> None:
        self._apply(self.machine.process_joined(self.number, "worker", self.clock.now(), pid=self.pid))

    def _handle(self, target: Address[Any], message: Any, sender: Address[Any] | None) -> None:
        self._apply(self.machine.handle(message, sender, self.clock.now(), target=target))

    def _shutdown(self, grace: float) -> None:
        self._apply(self.machine.shutdown(grace, self.clock.now()))

    def _process_ended(self) -> None:
        self.runtime.post(self._process_died, None)

    def _process_died(self, _argument: None) -> None:
        self._apply(self.machine.process_died(self.number, "ended", self.clock.now(), expected=True))

    def _tick(self) -> None:
        self._armed = None
        self._apply(self.machine.tick(self.clock.now()))

    # --- effects ----------------------------------------------------------------------------------------------------------

    def _apply(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self._send(effect)
            elif isinstance(effect, KillProcess):
                # Threads can't be killed: say what is left and let go of it.
                self.abandoned += tuple(process.abandon(self.runtime))
                self._process_ended()
            elif isinstance(effect, EndSystem):
                self.abandoned += tuple(a for a in effect.abandoned if a not in self.abandoned)
                self.on_end()
            elif isinstance(effect, Answer):
                effect.token(effect.value)
            elif isinstance(effect, Report):
                log.log(logging.getLevelName(effect.level.upper()), "%s: %s", self.runtime.system, effect.text)
        deadline = self.machine.deadline
        if deadline is not None and (self._armed is None or deadline < self._armed):
            self._armed = deadline
            self.runtime.timers.arm(deadline, self._tick)

    def _send(self, effect: Send) -> None:
        runtime = self.runtime
        target = effect.target
        if target.system == runtime.system and target.process == 0:
            self._handle(target, effect.message, effect.sender)
        elif effect.kind == MESSAGE and target.system != runtime.system:
            runtime.undeliverable(target, effect.message, effect.sender, "system unknown")
        else:
            runtime.route(target, effect.message, effect.sender, effect.kind)


class NoWayOut:
    """The Outbound of a system that has no other processes: what is addressed elsewhere is undeliverable."""

    runtime: Runtime

    def post(self, target: Address[Any], message: Any, sender: Address[Any] | None, kind: int) -> None:
        """See `garrick.ports.Outbound`."""
        reason = "worker lost" if target.system == self.runtime.system else "system unknown"
        if kind == MESSAGE:
            self.runtime.undeliverable(target, message, sender, reason)
        else:
            self.runtime.arrivals.bounce(target, message, reason)

    def room(self, target: Address[Any]) -> Once | None:
        """See `garrick.ports.Outbound`: there is no way that could be full."""
        return None


class LocalNode:
    """A running ``local`` system; see `garrick.node.base.Node`."""

    def __init__(self, name: str, capabilities: Mapping[str, Any], management: bool, copies: bool) -> None:
        clock = SystemClock()
        self.name = name
        system = f"{name}@{SystemIds.incarnation()}"
        outbound = NoWayOut()
        self._admin = InProcessAdmin(system, capabilities, clock)
        self.runtime = Runtime(
            system=system,
            number=self._admin.number,
            clock=clock,
            random=SystemRandom(),
            outbound=outbound,
            placement=Placer(),
            capabilities=capabilities,
        )
        outbound.runtime = self.runtime
        if copies:
            copying.copy_all(self.runtime)
        self._admin.pid = os.getpid()
        self._desk: Desk | None = None
        if management:
            from garrick.node.desk import Desk  # late: loads asyncio

            self._desk = Desk(name, self._admin.inspect)
        self._ended = threading.Event()
        self._admin.on_end = self._ended.set
        self._baton = Baton(self.runtime, WakePoller(), name=f"garrick-{name}")
        self._admin.attach(self.runtime)
        self._baton.start()

    def stop(self, grace: float) -> list[str]:
        """See Node."""
        self._admin.shutdown(grace)
        self._ended.wait(grace + 5.0)
        self.runtime.ending = True
        process.abandon(self.runtime)
        if not self._baton.stop(1.0):
            log.warning("%s: a thread is still in user code", self.runtime.system)
        if self._desk is not None:
            self._desk.close()
        return list(self._admin.abandoned)


def start(
    name: str, capabilities: Mapping[str, Any], *, management: bool = False, copy: str | None = None
) -> LocalNode:
    """Start a ``local`` system.

    Args:
        name: of the system.
        capabilities: of it.
        management: whether it has a management socket, for the command ``garrick``; then no other system of this user may have its
            name.
        copy: ``"always"``: messages are copied, as they are between processes.

    Raises:
        InvalidArgument: ``copy`` is something else.
        SystemExists: one has it.
    """
    return LocalNode(name, capabilities, management, copying.check(copy))
