"""The sockets between the processes of one simulated system, and who waits for them.

Owns what is under way between two processes, and when somebody learns of it. The real links (`garrick.node.links`), listeners and their
bytes are above. Must not know envelopes, runtimes or the admin. Invariants:

* A connection is a stream: bytes arrive whole and in order, or not at all because an end was closed.
* What a process had written when it was killed arrives; what it had not read is gone.
* That a socket is ready is one event, of a line for each pair of processes. Times come from the clock of the system.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

from garrick.node.reactor import READ, WRITE, Ready
from garrick.sim.kernel import Due, Idle

if TYPE_CHECKING:
    from garrick.sim.choices import Choices
    from garrick.sim.clock import LocalClock
    from garrick.sim.gate import Gate
    from garrick.sim.kernel import Kernel

ROOM = 208 * 1024
"""Bytes that a socket takes before its writer has to wait, as on Linux."""


class Wires:
    """All sockets of one system; the `garrick.node.links.Sockets` of its processes.

    Args:
        kernel: of the world.
        choices: of the world.
        name: of the system.
    """

    def __init__(self, kernel: Kernel, choices: Choices, name: str) -> None:
        self.kernel = kernel
        self.choices = choices
        self.latency: tuple[int, int] = (0, 0)
        """Nanoseconds that bytes are under way, from and to."""
        self.descriptors: dict[int, SimSocket] = {}
        self.listening: dict[str, SimSocket] = {}
        self._name = name
        self._numbers = count(3)

    def socket(self, number: int) -> str:
        """See Sockets."""
        return f"{self._name}/{number}"

    def open(self, reactor: SimReactor) -> SimSocket:
        """A socket of a process."""
        sock = SimSocket(self, reactor, next(self._numbers))
        self.descriptors[sock.descriptor] = sock
        return sock

    def listen(self, number: int, reactor: SimReactor) -> SimSocket:
        """A socket that the others can call."""
        sock = self.open(reactor)
        sock.path = self.socket(number)
        self.listening[sock.path] = sock
        return sock

    def drop(self, reactor: SimReactor) -> None:
        """A process is gone, and all of its sockets."""
        for sock in [sock for sock in self.descriptors.values() if sock.reactor is reactor]:
            sock.close()


class SimSocket:
    """As a Unix socket that never blocks, as far as links use one."""

    __slots__ = (
        "_backlog",
        "_closed",
        "_deaf",
        "_ended",
        "_flying",
        "_inbox",
        "_last",
        "_pending",
        "_ready",
        "_sent",
        "_size",
        "_watched",
        "_wires",
        "descriptor",
        "path",
        "peer",
        "reactor",
    )

    def __init__(self, wires: Wires, reactor: SimReactor, descriptor: int) -> None:
        self.descriptor = descriptor
        self.reactor = reactor
        self.path = ""
        self.peer: SimSocket | None = None
        self._wires = wires
        self._backlog: deque[SimSocket] = deque()
        self._inbox: deque[tuple[int, bytes]] = deque()
        """What has come, each piece with the event that sent it."""
        self._size = 0
        """Bytes that have come or are under way."""
        self._flying = 0
        self._sent = 0
        self._last = 0
        self._ended = False
        """The other end is closed: after what has come there is nothing more."""
        self._deaf = False
        self._closed = False
        self._watched = 0
        self._ready: Ready = _nothing
        self._pending = False

    # --- what links call ---------------------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """Known to the reactors of this system."""
        return self.descriptor

    def setblocking(self, blocking: bool) -> None:
        """It never blocks."""

    def connect(self, path: str) -> None:
        """Call the process that listens there.

        Raises:
            OSError: nobody does.
        """
        listener = self._wires.listening.get(path)
        if listener is None:
            raise FileNotFoundError(errno.ENOENT, "nobody listens", path)
        other = self._wires.open(listener.reactor)
        self.peer, other.peer = other, self
        listener._backlog.append(other)
        listener.changed()

    def accept(self) -> tuple[SimSocket, str]:
        """The first who calls.

        Raises:
            BlockingIOError: nobody does.
        """
        if not self._backlog:
            raise BlockingIOError
        return self._backlog.popleft(), ""

    def send(self, data: Any) -> int:
        """Write; how many bytes were taken.

        Raises:
            OSError: none, since the other end takes nothing now, or never will.
        """
        peer = self.peer
        if peer is None or peer._closed or peer._deaf:
            raise BrokenPipeError
        room = ROOM - peer._size
        if room <= 0:
            raise BlockingIOError
        piece = bytes(data[:room])
        peer._size += len(piece)
        cause = self._wires.kernel.cause
        self._carry(lambda: peer._inbox.append((cause, piece)))
        return len(piece)

    def sendmsg(self, pieces: list[Any]) -> int:
        """See `send`."""
        total = 0
        for piece in pieces:
            try:
                sent = self.send(piece)
            except BlockingIOError:
                if not total:
                    raise
                break
            total += sent
            if sent < len(piece):
                break
        return total

    def recv(self, size: int) -> bytes:
        """Read; empty when there will be nothing more.

        Raises:
            BlockingIOError: there is nothing yet.
        """
        if not self._inbox:
            if self._ended:
                return b""
            raise BlockingIOError
        cause, piece = self._inbox.popleft()
        if len(piece) > size:
            self._inbox.appendleft((cause, piece[size:]))
            piece = piece[:size]
        self._size -= len(piece)
        if self.peer is not None:
            self.peer.changed()
        return piece

    def recv_into(self, buffer: Any) -> int:
        """See `recv`."""
        piece = self.recv(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def shutdown(self, how: int) -> None:
        """Nothing is taken from the other end any more; what has come can be read."""
        del how
        self._deaf = True

    def close(self) -> None:
        """It is gone; the other end finds out when it has read what is under way."""
        if self._closed:
            return
        self._closed = True
        del self._wires.descriptors[self.descriptor]
        if self.path:
            del self._wires.listening[self.path]
        for caller in self._backlog:
            caller.close()
        peer = self.peer
        if peer is not None:
            self._carry(peer._end)
            peer.changed()

    # --- being ready -------------------------------------------------------------------------------------------------------

    def watch(self, events: int, ready: Ready) -> None:
        """Call ``ready`` whenever one of these is so; 0: never."""
        self._watched, self._ready = events, ready
        self.changed()

    def changed(self) -> None:
        """Something about it is different: perhaps somebody has to be told."""
        if self._watched and not self._pending and self._events() & self._watched:
            self._pending = True
            peer = self._backlog[0].peer if self._backlog else self.peer
            sender = "" if peer is None else peer.reactor.label
            self.reactor.put((f"socket of {sender}", self.reactor.name), self._tell)

    def _events(self) -> int:
        if self._closed:
            return 0
        found = READ if self._inbox or self._ended or self._backlog else 0
        peer = self.peer
        if peer is not None and (peer._closed or peer._deaf or peer._size < ROOM):
            found |= WRITE
        return found

    def _tell(self) -> None:
        self._pending = False
        events = self._events() & self._watched
        if not events:
            return
        kernel = self._wires.kernel
        kernel.cause = self._inbox[0][0] if self._inbox else 0
        self._ready(events)
        self.changed()

    def _end(self) -> None:
        self._ended = True

    def _carry(self, land: Callable[[], object]) -> None:
        """Something goes to the other end."""
        wires, peer = self._wires, self.peer
        assert peer is not None
        if not wires.latency[1] and not self._flying:
            land()
            peer.changed()
            return
        kernel = wires.kernel
        self._sent += 1
        key = (self.reactor.label, peer.reactor.label, self._sent)
        due = kernel.clock.ns + wires.choices.between("wire.latency", key, *wires.latency)
        self._last = due = max(due, self._last)
        self._flying += 1

        def arrive() -> None:
            self._flying -= 1
            land()
            peer.changed()

        kernel.at(due, Due(arrive, (f"wire of {self.reactor.label}", peer.reactor.label)))


class SimReactor:
    """See `garrick.node.reactor.Reactor`; of one process.

    Args:
        wires: of its system.
        clock: of its system.
        gate: of the process.
        label: what the process is called in choices.
    """

    def __init__(self, wires: Wires, clock: LocalClock, gate: Gate, label: str) -> None:
        self.label = label
        self.name = f"links of {label}"
        self.asleep = True
        """See `garrick.node.links`: what an actor sends is written at once, but for floods."""
        self.dead = False
        self.around: Callable[[Callable[[], object]], object] = _call
        """Calls what an arrival does: see `garrick.sim.lines`."""
        self._wires = wires
        self._kernel = wires.kernel
        self._clock = clock
        self._gate = gate
        self._turns: list[Callable[[], None]] = []
        self._turn_due = False

    def watch(self, descriptor: int, events: int, ready: Ready) -> None:
        """See Reactor."""

        def told(events: int) -> None:
            self.around(lambda: ready(events))

        self._wires.descriptors[descriptor].watch(events, told)

    def unwatch(self, descriptor: int) -> None:
        """See Reactor."""
        sock = self._wires.descriptors.get(descriptor)
        if sock is not None:
            sock.watch(0, _nothing)

    def later(self, delay: float, action: Callable[[], None]) -> None:
        """See Reactor."""
        at = self._clock.instant(self._clock.now() + delay)
        line = ("timer", self.name)
        self._kernel.at(at, Idle(lambda: self.put(line, action), line))

    def attention(self) -> None:
        """See Reactor."""
        if not self._turn_due:
            self._turn_due = True
            self.put(("turn", self.name), self._turn)

    def on_turn(self, action: Callable[[], None]) -> None:
        """See Reactor."""
        self._turns.append(action)

    def new_socket(self) -> Any:
        """See Reactor."""
        return self._wires.open(self)

    def put(self, line: tuple[str, str], action: Callable[[], object]) -> None:
        """Something happens in this process."""
        self._kernel.put(_Event(self, line, action))

    def drop(self) -> None:
        """The process is gone, and all of its sockets."""
        self._wires.drop(self)

    def _turn(self) -> None:
        self._turn_due = False
        for action in self._turns:
            action()

    def stops(self, event: _Event) -> bool:
        """Whether the process stands still."""
        return self._gate.closed and self._gate.stops(event)


class _Event:
    """One event of a process that is none of its lane; a `garrick.sim.gate.Gated`."""

    __slots__ = ("_action", "_cause", "_reactor", "line")

    def __init__(self, reactor: SimReactor, line: tuple[str, str], action: Callable[[], object]) -> None:
        self.line = line
        self._reactor = reactor
        self._action = action
        self._cause = reactor._kernel.cause

    def step(self) -> None:
        """See Gated."""
        if not self._reactor.dead and not self._reactor.stops(self):
            self.run()

    def run(self) -> None:
        """See Gated."""
        if not self._reactor.dead:
            self._reactor._kernel.cause = self._cause
            self._action()


def _call(action: Callable[[], object]) -> object:
    return action()


def _nothing(_events: int) -> None:
    """Nobody waits."""
