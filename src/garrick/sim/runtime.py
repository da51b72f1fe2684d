"""`SimRuntime`: the real runtime, whose lane, timers and steps are told to the kernel.

Owns the connection of `garrick.runtime.runtime.Runtime` to a world: every envelope in its lane is an event in the kernel's order, every
timer an instant, and every piece of user code an entry of the trace. Decides nothing.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from garrick.address import Address
from garrick.errors import GarrickError, SpawnFailed
from garrick.inbox import _InboxActor
from garrick.observe.here import HERE
from garrick.runtime.copying import CopyingSlot, copied, of_envelope
from garrick.runtime.mailbox import Mailbox
from garrick.runtime.once import Once
from garrick.runtime.reports import class_name
from garrick.runtime.runtime import Runtime
from garrick.runtime.signals import Spec, SystemInfo, View
from garrick.runtime.supervise import _construct
from garrick.runtime.systems import Systems
from garrick.runtime.timers import Timer, TimerHeap
from garrick.sim.clock import LocalClock, VirtualClock
from garrick.sim.gate import Gate
from garrick.sim.kernel import Due, Kernel
from garrick.sim.lines import OpenLane
from garrick.sim.order import OpenKernel
from garrick.sim.story import SimHistory
from garrick.wire.envelope import MESSAGE

if TYPE_CHECKING:
    from garrick.mailbox import Bounded
    from garrick.node.admin.members import Members
    from garrick.runtime.ask import Slot
    from garrick.runtime.cell import Cell
    from garrick.runtime.supervise import Done
    from garrick.sim.hands import Crew


class Lane(deque[Any]):
    """The lane of one runtime; a `garrick.sim.kernel.Channel`."""

    __slots__ = ("_put", "_runtime")

    def __init__(self, runtime: SimRuntime, kernel: Kernel) -> None:
        super().__init__()
        self._runtime = runtime
        self._put = kernel.put

    def append(self, envelope: Any) -> None:
        """Any thread."""
        super().append(envelope)
        self._put(self)

    def appendleft(self, envelope: Any) -> None:
        """Any thread."""
        super().appendleft(envelope)
        self._put(self)

    def extend(self, envelopes: Iterable[Any]) -> None:
        """Any thread."""
        for envelope in envelopes:
            self._runtime.append(envelope)

    def step(self) -> None:
        """See Channel."""
        gate = self._runtime.gate
        if not (gate.closed and gate.stops(self)):
            self._runtime.dispatch(self.popleft())

    def run(self) -> None:
        """See Gated."""
        self._runtime.dispatch(self.popleft())


class MemberLane(Lane):
    """The lane of a system that is one of several.

    The program gives addresses of one system to another; they know their cell, which other systems could reach only by the wire. So what
    an actor elsewhere appends here takes the way that it would take from there.
    """

    __slots__ = ("_crew",)

    def __init__(self, runtime: SimRuntime, crew: Crew) -> None:
        super().__init__(runtime, crew.kernel)
        self._crew = crew

    def append(self, envelope: Any) -> None:
        """See Lane."""
        running = self._crew.running
        origin = running.runtime if running is not None else None
        if origin is None or origin is self._runtime or envelope[0] is self._runtime.control:
            super().append(envelope)
        else:
            cell, message, sender = envelope
            origin.outbound.post(cell.address, message, sender, MESSAGE)


class _TimerDue(Due):
    __slots__ = ("_gate", "timer")

    def __init__(self, timer: Any, action: Callable[[], object], gate: Gate, line: tuple[str, str]) -> None:
        super().__init__(action, line)
        self.timer = timer
        self._gate = gate

    def dead(self) -> bool:
        return isinstance(self.timer, Timer) and self.timer.cancelled

    def step(self) -> None:
        if not (self._gate.closed and self._gate.stops(self)):
            super().step()

    def run(self) -> None:
        super().step()


class SimTimers(TimerHeap):
    """The timers of one runtime; they are kept by the kernel."""

    __slots__ = ("_clock", "_count", "_fired", "_kernel", "_line", "_runtime")

    def __init__(self, runtime: SimRuntime, kernel: Kernel) -> None:
        super().__init__()
        self._runtime = runtime
        self._kernel = kernel
        self._clock: VirtualClock | LocalClock = runtime.clock  # type: ignore[assignment]
        self._fired: list[Any] = []
        self._count = 0
        self._line = ("timer", f"timers of {runtime.label}")

    def arm(self, due: float, item: Any) -> None:
        """See TimerHeap."""
        self._count += 1
        due_then = _TimerDue(item, lambda: self._fire(item), self._runtime.gate, self._line)
        self._kernel.at(self._clock.instant(due), due_then)

    def take_due(self, now: float) -> list[Any]:
        """See TimerHeap."""
        fired, self._fired = self._fired, []
        return fired

    def __len__(self) -> int:
        return self._count

    def _fire(self, item: Any) -> None:
        self._count -= 1
        if not self._runtime.dead:
            self._fired.append(item)
            self._runtime.fire_timers()


class SimMailbox(Mailbox):
    """A bounded mailbox that a fault can fill."""

    __slots__ = ("_runtime",)

    def __init__(self, bound: Bounded, runtime: SimRuntime) -> None:
        super().__init__(bound)
        self._runtime = runtime

    def take(self) -> bool:
        """See Mailbox."""
        return not self._runtime.full.lasts and super().take()


class Fault:
    """Something about a system that is wrong for a while."""

    __slots__ = ("_clock", "_until")

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._until = 0

    @property
    def lasts(self) -> bool:
        """Whether it is wrong now."""
        return self._clock.ns < self._until

    def begin(self, ns: int) -> None:
        """For so long; what lasts longer already goes on lasting."""
        self._until = max(self._until, self._clock.ns + ns)

    def end(self) -> None:
        """It is over."""
        self._until = 0


class TurnLock:
    """As a lock of threads: who holds it may wait, and others come meanwhile, on the one thread that runs."""

    __slots__ = ("_crew", "_held", "_waiting")

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._held = False
        self._waiting: deque[Once] = deque()

    def __enter__(self) -> None:
        while self._held:
            turn = Once()
            self._waiting.append(turn)
            self._crew.wait(turn, None)
        self._held = True

    def __exit__(self, *_: object) -> None:
        self._held = False
        if self._waiting:
            self._waiting.popleft().finish()


class SimRuntime(Runtime):
    """See the module.

    Args:
        crew: of the world.
        member: whether there are other runtimes.
        label: what its process is called in choices; by default as its system.
        gate: of its process, if there is one already.
        arguments: of Runtime.
    """

    _view: View
    _told_of: Mapping[str, SystemInfo] | None

    threads = False

    def __init__(
        self, crew: Crew, *, member: bool, label: str = "", gate: Gate | None = None, **arguments: Any
    ) -> None:
        super().__init__(**arguments)
        kernel = crew.kernel
        self.label = label or self.system.partition("@")[0]
        self.convention: Members | None = None
        """What its admin knows of other systems: looked up when an actor is placed, so that nobody has to be told of each change."""
        self.dead = False
        """Its system has crashed: nothing happens any more, not even a ``finally``."""
        self.gate = gate or Gate(kernel)
        self.copies = False
        """Whether what its actors give to one another is copied, see `garrick.sim.fidelity`."""
        self.full = Fault(kernel.clock)
        """No bounded mailbox has room."""
        self.barren = Fault(kernel.clock)
        """No actor can be made, for want of a process."""
        self._crew = crew
        self._time = kernel.clock
        self._kernel = kernel
        self.history = SimHistory(kernel.story, kernel)
        lane: Any
        if isinstance(kernel, OpenKernel):
            lane = OpenLane(self, crew, kernel, member=member)
        else:
            lane = MemberLane(self, crew) if member else Lane(self, kernel)
        self.lane = lane
        self.append = self._noting(lane.append)
        self.timers = SimTimers(self, kernel)
        self.spawn_lock = TurnLock(crew)  # type: ignore[assignment]

    def aside(self, work: Callable[[], None]) -> None:
        """See Runtime: one thing happens at a time here."""
        work()

    def armed(self) -> list[Timer]:
        """Timers of actors of the whole world that have not fired."""
        return [
            due.timer for due in self._kernel.later() if isinstance(due, _TimerDue) and isinstance(due.timer, Timer)
        ]

    def _noting(self, append: Callable[[Any], None]) -> Callable[[Any], None]:
        kernel, sent = self._kernel, self._kernel.story.sent

        def noting(envelope: Any) -> None:
            sent(envelope, kernel.cause)
            append(envelope)

        return noting

    def copy_messages(self) -> None:
        """What its actors give to one another is copied from now on, see `garrick.sim.fidelity`."""
        self.copies = True
        append = self.append

        def copying(envelope: Any) -> None:
            append(of_envelope(self, envelope))

        self.append = copying

    @property
    def view(self) -> View:
        """See Runtime."""
        convention = self.convention
        if convention is not None and convention.systems is not self._told_of:
            self._told_of = convention.systems
            own = self._view.systems.get(self.system)
            if own is not None:
                self._view = View(Systems(own, self._told_of))
        return self._view

    @view.setter
    def view(self, view: View) -> None:
        self._view = view
        self._told_of = None

    def dispatch(self, envelope: Any) -> None:
        """One envelope of the lane."""
        if self.dead:
            return
        cell, message, sender = envelope
        if cell.queue is None:
            self.run_message(cell, envelope)
        elif cell is self.control:
            self._kernel.cause = self._kernel.story.cause_of(envelope, self._kernel.cause)
            message(sender)
        else:
            self.enqueue(cell, envelope)

    def route(self, target: Address[Any], message: Any, sender: Address[Any] | None, kind: int = MESSAGE) -> None:
        """See Runtime. The cell of another system is never reached directly."""
        cell = getattr(target, "_cell", None)
        if cell is None or cell.runtime is self:
            super().route(target, message, sender, kind)
        else:
            self._post_out(target, message, sender, kind)

    def send_question(self, slot: Slot, message: Any, kind: int = MESSAGE) -> None:
        """See Runtime."""
        if self.copies and kind == MESSAGE:
            slot.__class__ = CopyingSlot
        super().send_question(slot, message, kind)

    def spawn(
        self,
        spec: Spec,
        parent: Address[Any],
        notify: Address[Any] | None = None,
        children: dict[Address[Any], str | None] | None = None,
    ) -> Address[Any]:
        """See Runtime."""
        if self.copies:
            try:
                spec.args, spec.kwargs = copied((spec.args, spec.kwargs))
            except GarrickError as error:
                address: Address[Any] = Address(self.system, self.number, self.next_serial())
                if children is not None:
                    children[address] = spec.name
                self.post(self.refuse, (self.new_cell(address, spec, parent, notify), error))
                return address
        return super().spawn(spec, parent, notify, children)

    def new_mailbox(self, bound: Bounded) -> Mailbox:
        """See Runtime."""
        return SimMailbox(bound, self)

    def run_step(self, cell: Cell, call: Callable[[Cell, Any], Any], context: Any, done: Done) -> bool:
        """See Runtime."""
        kernel, story = self._kernel, self._kernel.story
        if type(context) is tuple and len(context) > 2:
            what = type(context[1]).__qualname__
            kernel.cause = story.cause_of(context, kernel.cause)
            story.covered[cell.spec.actor_class, getattr(cell.behaviour, "__name__", ""), what] += 1
        else:
            what = call.__name__
        kernel.happen((self._time.ns, self.system, cell.address.serial, what), cell.spec.actor_class)
        if call is _construct and cell.actor is None and self.barren.lasts and cell.spec.actor_class is not _InboxActor:
            error = SpawnFailed(f"no process could be started for {class_name(cell)}", hint="a fault of the simulation")
            return self.refuse((cell, error))
        hand = self._crew.running
        assert hand is not None
        before, hand.cell = hand.cell, cell
        outer, HERE.step = HERE.step, (cell, call, context)
        try:
            return super().run_step(cell, self._watched(call), context, done)
        finally:
            hand.cell = before
            HERE.step = outer

    def _watched(self, call: Callable[[Cell, Any], Any]) -> Callable[[Cell, Any], Any]:
        def watched(cell: Cell, context: Any) -> Any:
            breaks = self._crew.breaks
            try:
                return call(cell, context) if breaks is None else breaks.call(cell, call, context)
            except BaseException as error:
                if _ends_program(error):
                    self._crew.fail(error)
                raise

        return watched


def _ends_program(error: BaseException) -> bool:
    """Whether a person at the keyboard wants to end the program: handlers run on its own thread here."""
    bdb = sys.modules.get("bdb")
    return isinstance(error, KeyboardInterrupt) or (bdb is not None and isinstance(error, bdb.BdbQuit))
