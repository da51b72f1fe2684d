"""Carrier and engine inside one process: for simulation, and for tests that want faults on demand.

Owns a network of named systems around a hub, as the real engine has it, and the faults of that network. Everything
happens through `schedule(delay, function)`, so whoever gives that function decides about time and order; without one the
network keeps its own virtual time, moved by `advance`. Must not know threads, clocks or asyncio: its `async` methods
never suspend. Membership is the real directory and the real followers, only their messages travel by memory.

Faults: `drop_next`, `duplicate_next`, `drop_feed`, `partition` and `heal` (frames between two groups vanish without a sign), `isolate`
and `reconnect` (a system is cut from the hub), `hang` and `resume` (SIGSTOP), `kill` (the process is gone), `choke` and
`unchoke` (the local queue is full), `restart_hub`.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from garrick.engine import directory as d
from garrick.engine import follower as f
from garrick.engine.carrier import (
    LANES,
    Caps,
    Cut,
    OnEvent,
    OnFrame,
    OnMembers,
    Refused,
    Reset,
    Verdict,
    Writable,
    name_of,
)
from garrick.engine.membership import Snapshot
from garrick.engine.reachability import events_of
from garrick.errors import EngineError, InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from garrick.engine.membership import Delta

__all__ = ["MemoryCarrier", "MemoryEngine", "MemoryNetwork"]

CAPS = Caps(
    max_frame=1024 * 1024,
    reliable=False,
    ordered=True,
    peer_close_event=True,
    no_responder_event=True,
    window_hint=4 * 1024 * 1024,
)

_STALE = 2.5  # seconds until the hub gives up a silent system, as the real server's pings do
_ANSWER = 1.0  # seconds until a question to the directory counts as unanswered
_EVERYBODY = ""
_STEP = 1e-6  # a wake-up moves time, so that a rounded deadline can't stand still


class MemoryNetwork:
    """The hub.

    Args:
        schedule: runs a function after a delay in seconds; None: own virtual time, see `advance`.
        now: the time that belongs to `schedule`.
        latency: seconds of one frame from one name to another.
        patience: times of the directory.
    """

    def __init__(
        self,
        schedule: Callable[[float, Callable[[], None]], object] | None = None,
        now: Callable[[], float] | None = None,
        *,
        latency: Callable[[str, str], float] = lambda _from, _to: 0.0,
        patience: d.Patience | None = None,
    ) -> None:
        if (schedule is None) != (now is None):
            raise InvalidArgument("only one of schedule and now was given", hint="give both or neither")
        self._time = 0.0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = 0
        self._schedule = schedule or self._plan
        self.now = now or (lambda: self._time)
        self._latency = latency
        self._due: dict[tuple[str, str], float] = {}
        self.carriers: dict[str, MemoryCarrier] = {}
        self._drop: Counter[tuple[str, str]] = Counter()
        self._duplicate: Counter[tuple[str, str]] = Counter()
        self._drop_feed: Counter[str] = Counter()
        self._walls: list[tuple[frozenset[str], frozenset[str]]] = []
        self._turn: Counter[str] = Counter()
        self._connections = 0
        self._starts = 1
        self.directory = d.Directory("memory-1", self.now(), patience)
        self._patience = patience
        self._wake_at: float | None = None

    # -- time ---------------------------------------------------------------------------------------------------------

    def _plan(self, delay: float, function: Callable[[], None]) -> None:
        self._serial += 1
        heapq.heappush(self._agenda, (self._time + max(0.0, delay), self._serial, function))

    def advance(self, seconds: float = 0.0) -> None:
        """Only without an injected `schedule`: let that much virtual time pass and do all that is due in it."""
        until = self._time + seconds
        while self._agenda and self._agenda[0][0] <= until:
            self._time, _, function = heapq.heappop(self._agenda)
            function()
        self._time = until

    def later(self, delay: float, function: Callable[[], None]) -> None:
        """Run it after `delay` seconds."""
        self._schedule(delay, function)

    # -- faults -------------------------------------------------------------------------------------------------------

    def drop_next(self, source: str, target: str, count: int = 1) -> None:
        """The next frames from one system to another get lost."""
        self._drop[source, target] += count

    def drop_feed(self, target: str, count: int = 1) -> None:
        """The next messages of the feed of members to a system get lost."""
        self._drop_feed[target] += count

    def duplicate_next(self, source: str, target: str, count: int = 1) -> None:
        """The next frames from one system to another arrive twice."""
        self._duplicate[source, target] += count

    def partition(self, one: Iterable[str], other: Iterable[str]) -> None:
        """Frames between the two groups vanish."""
        self._walls.append((frozenset(one), frozenset(other)))

    def heal(self) -> None:
        """All partitions end."""
        self._walls.clear()

    def isolate(self, name: str) -> None:
        """Cut a system from the hub; both sides notice after the time of their pings."""
        self.carriers[name].isolate()

    def reconnect(self, name: str) -> None:
        """Undo `isolate`."""
        self.carriers[name].reconnect()

    def hang(self, name: str) -> None:
        """The process stops: it takes nothing and sends nothing."""
        self.carriers[name].hang()

    def resume(self, name: str) -> None:
        """Undo `hang`."""
        self.carriers[name].resume()

    def kill(self, name: str) -> None:
        """The process ends this moment, without a word."""
        self.carriers[name].crash()

    def choke(self, name: str) -> None:
        """Its local queue is full: `send` answers False."""
        self.carriers[name].choked = True

    def unchoke(self, name: str) -> None:
        """Undo `choke`; `Writable` follows."""
        self.carriers[name].unchoke()

    def restart_hub(self, gap: float = 0.5, *, forget: bool = False) -> None:
        """The server ends and comes back; `forget`: the directory loses its memory, too."""
        carriers = [carrier for carrier in self.carriers.values() if carrier.connection]
        for carrier in carriers:
            carrier.cut("the hub is restarted")
        self.tell_directory(d.Deaf())

        def back() -> None:
            if forget:
                self._starts += 1
                self.directory = d.Directory(f"memory-{self._starts}", self.now(), self._patience)
                self.tell_directory(d.Tick())
            else:
                self.tell_directory(d.Interrupted())
            for carrier in carriers:
                carrier.connect_again()

        self.later(gap, back)

    # -- traffic ------------------------------------------------------------------------------------------------------

    def enter(self, carrier: MemoryCarrier) -> None:
        """A system connects under its name, which must be free."""
        earlier = self.carriers.get(carrier.name)
        if earlier is not None and earlier is not carrier and earlier.connection:
            raise EngineError(f"{earlier.system} is connected under the name {carrier.name}")
        self.carriers[carrier.name] = carrier

    def open_connection(self, system: str) -> str:
        """The hub notices a new connection; its id."""
        self._connections += 1
        connection = f"c{self._connections}"
        self.tell_directory(d.Opened(connection, system))
        return connection

    def walled(self, one: str, other: str) -> bool:
        """Whether a partition separates the two."""
        return any((one in a and other in b) or (one in b and other in a) for a, b in self._walls)

    def carry(self, source: str, target: str, lane: int, frame: bytes) -> None:
        """A frame on its way."""
        key = (source, target)
        if self.walled(*key):
            return
        if self._drop[key]:
            self._drop[key] -= 1
            return
        copies = 1
        if self._duplicate[key]:
            self._duplicate[key] -= 1
            copies = 2
        # FIFO whatever the latency says: nothing overtakes what was sent before it.
        due = max(self.now() + self._latency(*key), self._due.get(key, 0.0))
        self._due[key] = due

        def arrive() -> None:
            receiver = self.carriers.get(target)
            if receiver is not None:
                for _ in range(copies):
                    receiver.deliver(source, lane, frame)

        self.later(due - self.now(), arrive)

    def one_of(self, role: str) -> str | None:
        """The next system that holds the role, in turn."""
        names = sorted(name for name, c in self.carriers.items() if role in c.roles and c.connection)
        if not names:
            return None
        self._turn[role] += 1
        return names[(self._turn[role] - 1) % len(names)]

    def probe(self, source: str, target: str) -> tuple[Verdict, str]:
        """What a probe would tell."""
        carrier = self.carriers.get(target)
        if carrier is None or not carrier.connection:
            return Verdict.NOBODY, ""
        if carrier.hung or carrier.isolated or self.walled(source, target):
            return Verdict.SILENT, ""
        return Verdict.REACHED, carrier.system

    # -- the directory ------------------------------------------------------------------------------------------------

    def tell_directory(self, event: d.Event) -> None:
        """Something happened that the directory has to judge."""
        for effect in self.directory.handle(event, self.now()):
            self._do(effect)
        self._wake_directory()

    def _do(self, effect: d.Effect) -> None:
        match effect:
            case d.Publish(delta):
                for carrier in list(self.carriers.values()):
                    if self._drop_feed[carrier.name]:
                        self._drop_feed[carrier.name] -= 1
                    else:
                        carrier.receive(delta)
            case d.Answer(token, accepted, session, why):
                assert isinstance(token, MemoryCarrier)
                token.receive(f.Answered(accepted, session, why))
            case d.Reply(token, snapshot):
                assert isinstance(token, MemoryCarrier)
                token.receive(snapshot)
            case d.Probe(name, within):
                verdict, system = self.probe(_EVERYBODY, name)
                delay = within if verdict is Verdict.SILENT else 0.0
                self.later(delay, lambda: self.tell_directory(d.Probed(name, verdict, system)))
            case d.Count():
                self.later(0.0, lambda: self.tell_directory(d.Present(self._present())))

    def _present(self) -> dict[str, str]:
        return {c.connection: c.system for c in self.carriers.values() if c.connection}

    def _wake_directory(self) -> None:
        at = self.directory.next_wake()
        if self._wake_at is not None and self._wake_at <= at:
            return
        self._wake_at = at

        def wake() -> None:
            if self._wake_at == at:
                self._wake_at = None
                self.tell_directory(d.Tick())

        self.later(max(_STEP, at - self.now()), wake)


class MemoryCarrier:
    """See `garrick.engine.carrier.Carrier`."""

    def __init__(self, network: MemoryNetwork, roles: Iterable[str] = ()) -> None:
        self.network = network
        self.roles = frozenset(roles)
        self.system = ""
        self.name = ""
        self.connection = ""
        self.hung = False
        self.isolated = False
        self.choked = False
        self.on_feed: Callable[[f.Event], None] | None = None
        """What the hub sends besides frames: the feed of members."""
        self._on_frame: OnFrame = _nobody
        self._on_event: OnEvent = _nobody
        self._held: deque[Callable[[], None]] = deque()
        self._blocked: set[str] = set()
        self._open_questions: dict[str, int] = {}
        self._asked = 0

    @property
    def caps(self) -> Caps:
        return CAPS

    async def start(self, system: str, on_frame: OnFrame, on_event: OnEvent) -> None:
        self.open(system, on_frame, on_event)

    def open(self, system: str, on_frame: OnFrame, on_event: OnEvent) -> None:
        """`start` for callers without a loop."""
        self.system, self.name = system, name_of(system)
        self._on_frame, self._on_event = on_frame, on_event
        self.network.enter(self)
        self.connection = self.network.open_connection(system)

    def send(self, peer: str, lane: int, frame: bytes) -> bool:
        return self._put(peer, lane, frame, peer)

    def send_any(self, role: str, lane: int, frame: bytes) -> bool:
        return self._put(_EVERYBODY, lane, frame, self.network.one_of(role))

    def broadcast(self, lane: int, frame: bytes) -> bool:
        return self._put(_EVERYBODY, lane, frame, *(name for name in self.network.carriers if name != self.name))

    def _put(self, peer: str, lane: int, frame: bytes, *targets: str | None) -> bool:
        if len(frame) > CAPS.max_frame:
            raise InvalidArgument(
                f"a frame of {len(frame)} bytes; the carrier takes {CAPS.max_frame}", hint="cut it into pieces"
            )
        if not 0 <= lane < LANES:
            raise InvalidArgument(f"there is no lane {lane}", hint=f"lanes are 0 to {LANES - 1}")
        if self.choked or not self.connection:
            self._blocked.add(peer)
            return False
        if self.isolated:
            return True  # into the dead socket
        for target in targets:
            if target is not None:
                self.network.carry(self.name, target, lane, bytes(frame))
        return True

    async def probe(self, peer: str, timeout: float) -> Verdict:
        return self.probe_now(peer)

    def probe_now(self, peer: str) -> Verdict:
        """`probe` for callers without a loop."""
        if not self.connection or self.isolated:
            return Verdict.SILENT
        return self.network.probe(self.name, peer)[0]

    async def stop(self, drain: float = 1.0) -> None:
        self.crash()

    # -- the hub ------------------------------------------------------------------------------------------------------

    def deliver(self, source: str, lane: int, frame: bytes) -> None:
        """A frame has arrived at this system's socket."""
        self._arrived(lambda: self._on_frame(source, lane, frame))

    def receive(self, message: f.Event) -> None:
        """Something of the feed has arrived at this system's socket."""

        def take() -> None:
            if isinstance(message, f.Answered):
                self._open_questions.pop("announce", None)
            elif isinstance(message, Snapshot):
                self._open_questions.pop("snapshot", None)
            self._tell_feed(message)

        self._arrived(take)

    def _arrived(self, handle: Callable[[], None]) -> None:
        if not self.connection or self.isolated:
            return
        if self.hung:
            self._held.append(handle)
            return
        connection = self.connection

        def take() -> None:
            if self.connection != connection:
                return
            if self.hung:
                self._held.append(handle)
            else:
                handle()

        self.network.later(0.0, take)

    def _tell_feed(self, event: f.Event) -> None:
        if self.on_feed is not None:
            self.on_feed(event)

    def ask(self, event: d.Event) -> None:
        """To the directory."""
        if isinstance(event, d.Announced | d.Asked):
            self._expect("announce" if isinstance(event, d.Announced) else "snapshot")
        if self.connection and not self.isolated:
            self.network.later(0.0, lambda: self.network.tell_directory(event))

    def _expect(self, what: str) -> None:
        """No answer within a second, whatever the reason: tell the feed so."""
        self._asked += 1
        number = self._open_questions[what] = self._asked

        def give_up() -> None:
            if self._open_questions.get(what) == number:
                del self._open_questions[what]
                self._tell_feed(f.Unanswered(what))

        self.network.later(_ANSWER, give_up)

    # -- faults -------------------------------------------------------------------------------------------------------

    def cut(self, why: str) -> None:
        """The connection is gone and this side knows it."""
        self.connection = ""
        self._open_questions.clear()
        self._held.clear()
        self._tell_feed(f.Disconnected())
        self._on_event(Cut(why))

    def connect_again(self) -> None:
        """The connection is back."""
        if self.connection or self.network.carriers.get(self.name) is not self:
            return
        self.connection = self.network.open_connection(self.system)
        self._tell_feed(f.Connected())
        self._on_event(Reset())
        self._unblock()

    def isolate(self) -> None:
        """See `MemoryNetwork`."""
        self.isolated = True
        connection = self.connection

        def stale() -> None:
            if self.isolated and connection and self.connection == connection:
                self._given_up(connection)
                self.cut("the server does not answer")

        self.network.later(_STALE, stale)

    def reconnect(self) -> None:
        """See `MemoryNetwork`."""
        self.isolated = False
        self.connect_again()

    def hang(self) -> None:
        """See `MemoryNetwork`."""
        self.hung = True
        connection = self.connection

        def stale() -> None:
            if self.hung and connection and self.connection == connection:
                self._given_up(connection)

        self.network.later(_STALE, stale)

    def _given_up(self, connection: str) -> None:
        self.connection = ""
        self.network.tell_directory(d.Closed(connection, by_peer=False, why="Stale Connection"))

    def resume(self) -> None:
        """See `MemoryNetwork`."""
        self.hung = False
        if self.connection:
            held, self._held = self._held, deque()
            for handle in held:
                handle()
        else:
            self.cut("closed by the server")
            self.connect_again()

    def crash(self) -> None:
        """See `MemoryNetwork`."""
        connection, self.connection = self.connection, ""
        if self.network.carriers.get(self.name) is self:
            del self.network.carriers[self.name]
        self.on_feed = None
        self._on_frame = self._on_event = _nobody
        if connection and not self.isolated:
            self.network.tell_directory(d.Closed(connection, by_peer=True, why="Client Closed"))

    def unchoke(self) -> None:
        """See `MemoryNetwork`."""
        self.choked = False
        self._unblock()

    def _unblock(self) -> None:
        blocked, self._blocked = self._blocked, set()
        for peer in sorted(blocked):
            self._on_event(Writable(peer))


class MemoryEngine:
    """See `garrick.engine.carrier.Engine`."""

    def __init__(self, network: MemoryNetwork, roles: Iterable[str] = ()) -> None:
        self.network = network
        self.carrier = MemoryCarrier(network, roles)
        self.follower: f.Follower | None = None
        self._offer = f.Offer({}, (), 0.0)
        self._on_event: OnEvent = _nobody
        self._on_members: OnMembers = _nobody
        self._wake_at: float | None = None

    @property
    def caps(self) -> Caps:
        return CAPS

    async def start(
        self,
        system: str,
        credentials: Any = None,
        *,
        server: Any = None,
        on_frame: OnFrame,
        on_event: OnEvent,
        on_members: OnMembers,
    ) -> None:
        del credentials, server
        self.open(system, on_frame=on_frame, on_event=on_event, on_members=on_members)

    def open(self, system: str, *, on_frame: OnFrame, on_event: OnEvent, on_members: OnMembers) -> None:
        """`start` for callers without a loop; the callbacks follow as the network moves."""
        self._on_event, self._on_members = on_event, on_members
        self.carrier.open(system, on_frame, on_event)
        self.carrier.on_feed = self._feed
        self.follower = f.Follower(system)
        self._feed(self._offer)
        self._feed(f.Connected())

    def send(self, peer: str, lane: int, frame: bytes) -> bool:
        return self.carrier.send(peer, lane, frame)

    def send_any(self, role: str, lane: int, frame: bytes) -> bool:
        return self.carrier.send_any(role, lane, frame)

    def broadcast(self, lane: int, frame: bytes) -> bool:
        return self.carrier.broadcast(lane, frame)

    async def probe(self, peer: str, timeout: float) -> Verdict:
        return await self.carrier.probe(peer, timeout)

    def announce(self, capabilities: Mapping[str, object], processes: Sequence[int], load: float) -> None:
        self._offer = f.Offer(dict(capabilities), tuple(processes), load)
        self._feed(self._offer)

    async def leave(self) -> None:
        self.leave_now()

    def leave_now(self) -> None:
        """`leave` for callers without a loop."""
        self._feed(f.Leave())

    async def stop(self) -> None:
        self.close()

    def close(self) -> None:
        """`stop` for callers without a loop."""
        self.follower = None
        self.carrier.on_feed = None
        # What was sent before, a good-bye above all, is ahead of the end of the connection.
        self.network.later(0.0, self.carrier.crash)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _feed(self, event: f.Event) -> None:
        follower, carrier = self.follower, self.carrier
        if follower is None:
            return
        for effect in follower.handle(event, self.network.now()):
            match effect:
                case f.Tell(delta):
                    self._tell(delta)
                case f.Announce(member):
                    carrier.ask(d.Announced(carrier.name, member, carrier))
                case f.AskSnapshot():
                    carrier.ask(d.Asked(carrier))
                case f.GoodBye(system, session):
                    carrier.ask(d.Leaving(carrier.name, system, session, carrier))
                case f.Object(system, session):
                    carrier.ask(d.Objected(system, session))
                case f.Shunned(why):
                    self._on_event(Refused("join", why))
        self._plan_wake()

    def _tell(self, delta: Delta) -> None:
        self._on_members(delta)
        for event in events_of(delta, self.carrier.name):
            self._on_event(event)

    def _plan_wake(self) -> None:
        at = None if self.follower is None else self.follower.next_wake()
        if at is None or self._wake_at == at:
            return
        self._wake_at = at

        def wake() -> None:
            if self._wake_at == at:
                self._wake_at = None
                if not self.carrier.hung:
                    self._feed(f.Tick())

        self.network.later(max(_STEP, at - self.network.now()), wake)


def _nobody(*_arguments: object) -> None:
    """Before start and after the end nobody listens."""
