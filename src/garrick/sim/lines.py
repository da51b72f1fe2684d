"""`OpenLane`: the lane of one runtime whose envelopes wait in lines, one per sender and receiver.

Owns the decision which line an envelope belongs to, so that a policy may change the order of everything that the semantics leave open and
of nothing else. Must not know policies. Invariants:

* What one actor sends, asks and says of itself to another one (a question, a signal, a notice of its end) is one line.
* What came over the network is one line per receiver, as a link is. What came over the sockets of a process is one line for all of its
  actors: it was in one order already, and what a lost process had written stays before its loss.
* What a process is told is one line per sender; the creation of an actor comes before everything that is sent to it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from garrick.address import COUNTER_BITS, Address, ReplyAddress
from garrick.observe.here import OWNER
from garrick.runtime.cell import STARTING, Cell
from garrick.runtime.inspection import class_text
from garrick.runtime.timers import Timer
from garrick.sim.order import PROGRAM, Line, OpenKernel
from garrick.sim.trace import actor_text
from garrick.wire.envelope import MESSAGE

if TYPE_CHECKING:
    from garrick.sim.hands import Crew
    from garrick.sim.runtime import SimRuntime


class _Queue:
    """The envelopes of one line; a `garrick.sim.gate.Gated`. Events that a gate holds back come in their order, whatever waits behind."""

    __slots__ = ("_envelopes", "_lane", "line")

    def __init__(self, lane: OpenLane, line: Line) -> None:
        self._lane = lane
        self._envelopes: deque[tuple[int, Any]] = deque()
        self.line = line

    def put(self, number: int, envelope: Any, *, first: bool = False) -> None:
        """One envelope more."""
        if first:
            self._envelopes.appendleft((number, envelope))
        else:
            self._envelopes.append((number, envelope))
        self._lane.kernel.arrive(self.line, self, first=first)

    def step(self) -> None:
        """See Gated."""
        gate = self._lane.runtime.gate
        if not (gate.closed and gate.stops(self)):
            self.run()

    def run(self) -> None:
        """See Gated."""
        number, envelope = self._envelopes.popleft()
        del self._lane.envelopes[number]
        self._lane.runtime.dispatch(envelope)


class _Creation(_Queue):
    """The first step of an actor; what is sent to it waits for that."""

    __slots__ = ("_serial",)

    def __init__(self, lane: OpenLane, line: Line, serial: int) -> None:
        super().__init__(lane, line)
        line.taken = -1  # the number of a creation is 0
        self._serial = serial

    def run(self) -> None:
        self._lane.created(
            self._serial
        )  # an actor that waits in its first step is busy: what comes stands in its own queue
        super().run()


class _Inbound(_Queue):
    """What has come over the sockets of the process, in that order, for whomever."""

    __slots__ = ("_targets",)

    def __init__(self, lane: OpenLane, receiver: str) -> None:
        super().__init__(lane, _InboundLine("sockets", receiver))
        self._targets: deque[tuple[int, bool]] = deque()
        """For each envelope the serial of whom it is for, and whether it creates that one."""
        self.line.queue = self  # type: ignore[attr-defined]

    def add(self, number: int, envelope: Any, serial: int, creates: bool, first: bool) -> None:
        """One envelope more."""
        if first:
            self._targets.appendleft((serial, creates))
        else:
            self._targets.append((serial, creates))
        self.put(number, envelope, first=first)

    def waits_for(self, taken: int) -> list[Line] | None:
        """Who also waits for what the first envelope behind ``taken`` others waits for: its receiver has still to be created."""
        serial, creates = self._targets[taken]
        return None if creates else self._lane.closed.get(serial)

    def __len__(self) -> int:
        return len(self._targets)

    def run(self) -> None:
        """See Gated."""
        serial, creates = self._targets.popleft()
        if creates:
            self._lane.created(serial)
        super().run()


class _InboundLine(Line):
    """A line whose head decides whether it has to wait."""

    __slots__ = ("queue",)

    queue: _Inbound

    @property
    def closed(self) -> list[Line] | None:
        """See Line."""
        if not self.events:
            return None
        return self.queue.waits_for(len(self.queue) - len(self.events))

    @closed.setter
    def closed(self, closed: list[Line] | None) -> None:
        """It is found out each time."""


class OpenLane:
    """Takes the place of `garrick.runtime.runtime.Runtime.lane`; see the module.

    Args:
        runtime: whose lane it is.
        crew: of the world, with an `OpenKernel`.
        member: whether the world has other systems.
    """

    def __init__(self, runtime: SimRuntime, crew: Crew, kernel: OpenKernel, *, member: bool) -> None:
        self.runtime = runtime
        self.envelopes: dict[int, Any] = {}
        """All that is under way, in the order of arrival."""
        self._crew = crew
        self.kernel = kernel
        self._member = member
        self._life = kernel.life(runtime.label)
        self._arrivals = 0
        self._queues: dict[tuple[str, int], _Queue] = {}
        self.closed: dict[int, list[Line]] = {}
        """The lines that wait for the creation of their receiver, by its serial."""
        self.arriving = False
        """Whether what is put in now comes over a socket of the process."""
        self._inbound: _Inbound | None = None
        self._names: dict[int, str] = {0: self._life}

    def __len__(self) -> int:
        return len(self.envelopes)

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self.envelopes.values()))

    def append(self, envelope: Any) -> None:
        """See `garrick.sim.runtime.Lane` and `garrick.sim.runtime.MemberLane`."""
        if self.arriving:
            self._arrive(envelope, first=False)
            return
        cell, message, sender = envelope
        runtime = self.runtime
        hand = self._crew.running
        if cell is not runtime.control:
            if self._member and hand is not None:
                origin = hand.runtime
                if origin is not None and origin is not runtime:
                    origin.outbound.post(cell.address, message, sender, MESSAGE)
                    return
            self._wait(envelope, self._queue(self._origin(sender), cell.address.serial))
            return
        serial = self._subject(message, sender)
        source = self._origin(sender[2] if message == runtime.signal else None)
        if self._creates(message, sender, serial):
            self.closed[serial] = []
            self._wait(envelope, _Creation(self, Line(source, self.name(serial)), serial))
        else:
            self._wait(envelope, self._queue(source, serial))

    def extend(self, envelopes: Iterable[Any]) -> None:
        """See `garrick.sim.runtime.Lane`."""
        for envelope in envelopes:
            self.runtime.append(envelope)

    def _creates(self, message: Any, argument: Any, serial: int) -> bool:
        """Whether an event of the runtime is the first step of an actor."""
        runtime = self.runtime
        if not isinstance(argument, Cell) and message != runtime.refuse:
            return False
        cell = argument if isinstance(argument, Cell) else argument[0]
        return cell.state == STARTING and serial not in self.closed and message != runtime.run_queue

    def _arrive(self, envelope: Any, *, first: bool) -> None:
        cell, message, sender = envelope
        creates = False
        if cell is self.runtime.control:
            serial = self._subject(message, sender)
            creates = self._creates(message, sender, serial)
            if creates:
                self.closed[serial] = []
        else:
            serial = cell.address.serial
        if self._inbound is None:
            self._inbound = _Inbound(self, self._life)
        cell = self.runtime.cells.get(serial)
        if cell is not None:
            cls = class_text(cell.spec.actor_class).rpartition(".")[2]
            self.kernel.names[actor_text(self.runtime.system, serial)] = cls
        self._arrivals += 1
        self.envelopes[self._arrivals] = envelope
        self._inbound.add(self._arrivals, envelope, serial, creates, first)

    def appendleft(self, envelope: Any) -> None:
        """A stop that waits for nothing overtakes what its sender has sent before."""
        if self.arriving:
            self._arrive(envelope, first=True)
            return
        source = self._origin(envelope[2][2])
        self._wait(envelope, self._queue(source, self._subject(envelope[1], envelope[2])), first=True)

    def arrival(self, action: Callable[[], object]) -> object:
        """What ``action`` puts in comes over a socket."""
        self.arriving = True
        try:
            return action()
        finally:
            self.arriving = False

    def created(self, serial: int) -> None:
        """What was sent to a new actor may arrive."""
        self.kernel.open(self.closed.pop(serial))

    def name(self, serial: int) -> str:
        """What an actor of this runtime is called in the order of events."""
        name = self._names.get(serial)
        if name is None:
            creator, counter = serial >> COUNTER_BITS, serial & ((1 << COUNTER_BITS) - 1)
            own = f"{counter}" if creator == self.runtime.number else f"{creator:x}.{counter}"
            name = self._names[serial] = f"{self._life}#{own}"
        return name

    # --- which line ----------------------------------------------------------------------------------------------------------

    def _wait(self, envelope: Any, queue: _Queue, *, first: bool = False) -> None:
        self._arrivals += 1
        self.envelopes[self._arrivals] = envelope
        queue.put(self._arrivals, envelope, first=first)

    def _queue(self, source: str, serial: int) -> _Queue:
        key = (source, serial)
        queue = self._queues.get(key)
        if queue is None:
            name = self.name(serial)
            cell = self.runtime.cells.get(serial)
            if cell is not None:
                cls = class_text(cell.spec.actor_class).rpartition(".")[2]
                self.kernel.names[name] = self.kernel.names[actor_text(self.runtime.system, serial)] = cls
            line = Line(source, name, self.closed.get(serial))
            queue = self._queues[key] = _Queue(self, line)
        return queue

    def _origin(self, sender: Any) -> str:
        """Who sends: the actor whose code runs, else the sender that is named, else whom the current event is for."""
        hand = self._crew.running
        if hand is None:
            return PROGRAM
        cell = hand.cell
        if cell is None and hand.stall is not None:
            cell = OWNER.get(None)
        if cell is not None:
            return self._name_of(cell.address)
        source = self.kernel.source
        if source != self._life and isinstance(sender, Address) and type(sender) is not ReplyAddress and sender.serial:
            return self._name_of(sender)
        return source

    def _name_of(self, address: Address[Any]) -> str:
        if address.system == self.runtime.system and address.process == self.runtime.number:
            return self.name(address.serial)
        return str(address)

    def _subject(self, action: Callable[[Any], Any], argument: Any) -> int:
        """Which actor an event of the runtime is about; 0: none."""
        if isinstance(argument, Cell):
            return argument.address.serial
        if isinstance(argument, Timer):
            return argument.cell.address.serial
        if type(argument) is tuple and argument:
            for item in argument[:2]:
                if isinstance(item, Cell):
                    return item.address.serial
            if action == self.runtime.arrivals.late:
                return int(argument[0].serial)
        return 0
