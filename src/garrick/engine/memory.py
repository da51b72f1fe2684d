"""Carrier inside one process: for simulation, and for tests that want faults on demand.

Owns a network of named systems around a hub, as the real engine has it, and the faults of that network. Everything
happens through `schedule(delay, function)`, so whoever gives that function decides about time and order; without one the
network keeps its own virtual time, moved by `advance`. Must not know threads, clocks or asyncio: its `async` methods
never suspend. Membership is the real directory and the real followers, only their messages travel by memory.

Faults: `drop_next`, `duplicate_next`, `drop_feed`, `partition` and `heal` (frames between two groups vanish without a sign), `isolate`
and `reconnect` (a system is cut from the hub), `reset` (its connection breaks), `hang` and `resume` (SIGSTOP), `kill` (the process is
gone) and `power_off` (the same, and nobody is told), `choke` and `unchoke` (the local queue is full), `stop_hub`, `start_hub`,
`restart_hub`. How long a frame takes, and whether and how often it arrives, is up to `Ways`, if given.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from typing import TYPE_CHECKING

from garrick.engine import directory as d
from garrick.engine import follower as f
from garrick.engine.carrier import (
    LANES,
    Caps,
    Cut,
    OnEvent,
    OnFrame,
    OnNames,
    Reset,
    Verdict,
    Writable,
    name_of,
)
from garrick.engine.epochs import leased
from garrick.engine.lore import Shared
from garrick.engine.membership import Snapshot
from garrick.errors import EngineError, InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from garrick.engine.names import Reply
    from garrick.engine.ways import Ways

__all__ = ["CAPS", "STEP", "MemoryCarrier", "MemoryNetwork", "nobody"]

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
STEP = 1e-6  # a wake-up moves time, so that a rounded deadline can't stand still


class MemoryNetwork:
    """The hub.

    Args:
        schedule: runs a function after a delay in seconds; None: own virtual time, see `advance`.
        now: the time that belongs to `schedule`.
        latency: seconds of one frame from one name to another.
        patience: times of the directory.
        ways: decides instead of ``latency``.
    """

    def __init__(
        self,
        schedule: Callable[[float, Callable[[], None]], object] | None = None,
        now: Callable[[], float] | None = None,
        *,
        latency: Callable[[str, str], float] = lambda _from, _to: 0.0,
        patience: d.Patience | None = None,
        ways: Ways | None = None,
    ) -> None:
        if (schedule is None) != (now is None):
            raise InvalidArgument("only one of schedule and now was given", hint="give both or neither")
        self._time = 0.0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = 0
        self._schedule = schedule or self._plan
        self.now = now or (lambda: self._time)
        self._latency = latency
        self._ways = ways
        self.shared = Shared()
        """What all followers know together; see `garrick.engine.lore`."""
        self.running = True
        """Whether the hub can be connected to."""
        self._cut_off: list[MemoryCarrier] = []
        self._due: dict[tuple[str, str], float] = {}
        self.carriers: dict[str, MemoryCarrier] = {}
        self._drop: Counter[tuple[str, str]] = Counter()
        self._duplicate: Counter[tuple[str, str]] = Counter()
        self._drop_feed: Counter[str] = Counter()
        self._walls: list[tuple[frozenset[str], frozenset[str]]] = []
        self._turn: Counter[str] = Counter()
        self._connections = 0
        self._starts = 1
        self.directory = d.Directory(leased(1, "memory"), self.now(), patience)
        self._ghosts: list[d.Directory] = []
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

    def reset(self, name: str) -> None:
        """Its connection to the hub breaks, and both sides know it; it connects again at once, unless it is isolated."""
        self.carriers[name].reset()

    def hang(self, name: str) -> None:
        """The process stops: it takes nothing and sends nothing."""
        self.carriers[name].hang()

    def resume(self, name: str) -> None:
        """Undo `hang`."""
        self.carriers[name].resume()

    def kill(self, name: str) -> None:
        """The process ends this moment, without a word."""
        self.carriers[name].crash()

    def power_off(self, name: str) -> None:
        """The machine is gone: its connection just falls silent."""
        self.carriers[name].power_off()

    def choke(self, name: str) -> None:
        """Its local queue is full: `send` answers False."""
        self.carriers[name].choked = True

    def unchoke(self, name: str) -> None:
        """Undo `choke`; `Writable` follows."""
        self.carriers[name].unchoke()

    def restart_hub(self, gap: float = 0.5, *, forget: bool = False) -> None:
        """The server ends and comes back; `forget`: the directory loses its memory, too."""
        self.stop_hub()
        self.later(gap, lambda: self.start_hub(forget=forget))

    def stop_hub(self) -> None:
        """The server ends: all connections break."""
        self.running = False
        for carrier in [carrier for carrier in self.carriers.values() if carrier.connection]:
            self._cut_off.append(carrier)
            carrier.cut("the hub is restarted")
        self.tell_directory(d.Deaf())

    def start_hub(self, *, forget: bool = False, after: Callable[[str], float] = lambda _name: 0.0) -> None:
        """Undo `stop_hub`.

        Args:
            forget: the directory has lost its memory.
            after: seconds after which a system, given by name, connects again.
        """
        self.running = True
        self._ghosts = []
        if forget:
            self._starts += 1
            epoch = leased(self._starts, "memory")
            self.directory = d.Directory(epoch, self.now(), self._patience, term=self._starts)
            self.tell_directory(d.Tick())
        else:
            self.tell_directory(d.Interrupted())
        carriers, self._cut_off = self._cut_off, []
        for carrier in carriers:
            delay = after(carrier.name)
            if delay > 0:
                self.later(delay, carrier.connect_again)
            else:
                carrier.connect_again()

    def take_over(self, before: Snapshot | None, *, ghost: bool = False) -> None:
        """Another system becomes the directory, under the next term.

        Args:
            before: what it knows of the one before.
            ghost: that one goes on as if nothing had happened: members hear both.
        """
        self._ghosts = [self.directory] if ghost else []
        self._starts += 1
        self.directory = d.Directory(
            leased(self._starts, "memory"), self.now(), self._patience, term=self._starts, before=before
        )
        self.tell_directory(d.Tick())

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

    def wait_for_hub(self, carrier: MemoryCarrier) -> None:
        """It connects when the hub runs again."""
        if carrier not in self._cut_off:
            self._cut_off.append(carrier)

    def walled(self, one: str, other: str) -> bool:
        """Whether a partition separates the two."""
        if self._ways is not None and not self._ways.is_open(one, other):
            return True
        return any((one in a and other in b) or (one in b and other in a) for a, b in self._walls)

    def carry(self, source: str, target: str, lane: int, frame: bytes) -> None:
        """A frame on its way."""
        key = (source, target)
        if self._walls and self.walled(*key):
            return
        if self._drop[key]:
            self._drop[key] -= 1
            return
        copies = 1
        if self._duplicate[key]:
            self._duplicate[key] -= 1
            copies = 2

        def arrive(frame: bytes) -> None:
            receiver = self.carriers.get(target)
            if receiver is not None:
                for _ in range(copies):
                    receiver.deliver(source, lane, frame)

        if self._ways is not None:
            self._ways.carry(source, target, frame, arrive)
            return
        # FIFO whatever the latency says: nothing overtakes what was sent before it.
        due = max(self.now() + self._latency(*key), self._due.get(key, 0.0))
        self._due[key] = due
        self.later(due - self.now(), lambda: arrive(frame))

    def tell(self, source: str, target: str, arrive: Callable[[], None]) -> None:
        """A message between a system and the hub, whose name is empty."""
        if self._ways is not None:
            self._ways.tell(source, target, arrive)
        else:
            arrive()

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
        for ghost in self._ghosts:
            for effect in ghost.handle(event, self.now()):
                if not isinstance(effect, d.Probe | d.Count):
                    self._do(effect)
        for effect in self.directory.handle(event, self.now()):
            self._do(effect)
        self._wake_directory()

    def _do(self, effect: d.Effect) -> None:
        match effect:
            case d.Publish(delta):
                names = [name for name in self.carriers if not self._drop_feed[name]]
                self._drop_feed -= Counter(self.carriers.keys())  # one each, of those that are to get lost

                def arrive(name: str) -> None:
                    receiver = self.carriers.get(name)
                    if receiver is not None:
                        receiver.receive(delta)

                if self._ways is not None:
                    self._ways.tell_all(names, arrive)
                else:
                    for name in names:
                        arrive(name)
            case d.Answer(token, accepted, session, why, epoch):
                assert isinstance(token, MemoryCarrier)
                self._inform(token, f.Answered(accepted, session, why, epoch))
            case d.Reply(token, snapshot):
                assert isinstance(token, MemoryCarrier)
                self._inform(token, snapshot)
            case d.NamesAnswer(token, answer):
                assert isinstance(token, MemoryCarrier)
                self.tell(_EVERYBODY, token.name, lambda: token.receive_names(answer))
            case d.Probe(name, within):
                verdict, system = self.probe(_EVERYBODY, name)
                delay = within if verdict is Verdict.SILENT else 0.0
                self.later(delay, lambda: self.tell_directory(d.Probed(name, verdict, system)))
            case d.Count():
                self.later(0.0, lambda: self.tell_directory(d.Present(self._present())))

    def _inform(self, carrier: MemoryCarrier, message: f.Event) -> None:
        self.tell(_EVERYBODY, carrier.name, lambda: carrier.receive(message))

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

        self.later(max(STEP, at - self.now()), wake)


class MemoryCarrier:
    """See `garrick.engine.carrier.Carrier`."""

    def __init__(
        self,
        network: MemoryNetwork,
        roles: Iterable[str] = (),
        schedule: Callable[[float, Callable[[], None]], object] | None = None,
    ) -> None:
        self.network = network
        self.later = schedule or network.later
        """Runs something of this system's after a delay."""
        self._own_order = schedule is not None
        self.roles = frozenset(roles)
        self.system = ""
        self.name = ""
        self.connection = ""
        self.hung = False
        self.isolated = False
        self.choked = False
        self.on_feed: Callable[[f.Event], None] | None = None
        """What the hub sends besides frames: the feed of members."""
        self.on_names: OnNames = nobody
        self.is_idle: Callable[[f.Event], bool] = lambda _: False
        """Whether a message of the feed says nothing that this system would do something about: it needs no turn of its own."""
        self._feed_came = self._feed_taken = 0
        """Messages of the feed that came, and the last one that was handled: they keep their order."""
        self._on_frame: OnFrame = nobody
        self._on_event: OnEvent = nobody
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
        if self.network.running:
            self.connection = self.network.open_connection(system)
        else:
            self.network.wait_for_hub(self)

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
        if not self.connection or self.isolated:
            return
        if self._feed_taken == self._feed_came and not self.hung and self.is_idle(message):
            self._tell_feed(message)
            return
        self._feed_came += 1
        number = self._feed_came

        def take() -> None:
            self._feed_taken = number
            if isinstance(message, f.Answered):
                self._open_questions.pop("announce", None)
            elif isinstance(message, Snapshot):
                self._open_questions.pop("snapshot", None)
            self._tell_feed(message)

        self._arrived(take)

    def receive_names(self, reply: Reply) -> None:
        """The authority over names has answered."""
        self._arrived(lambda: self.on_names(reply))

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

        self.later(0.0, take)

    def _run(self, function: Callable[[], None]) -> None:
        """Something that the hub or a fault tells this system: in its own order, if it has one."""
        if self._own_order:
            self.later(0.0, function)
        else:
            function()

    def _tell_feed(self, event: f.Event) -> None:
        if self.on_feed is not None:
            self.on_feed(event)

    def ask(self, event: d.Event) -> None:
        """To the directory."""
        if isinstance(event, d.Announced | d.Asked):
            self._expect("announce" if isinstance(event, d.Announced) else "snapshot")
        if self.connection and not self.isolated:
            self.network.later(
                0.0, lambda: self.network.tell(self.name, _EVERYBODY, lambda: self.network.tell_directory(event))
            )

    def _expect(self, what: str) -> None:
        """No answer within a second, whatever the reason: tell the feed so."""
        self._asked += 1
        number = self._open_questions[what] = self._asked

        def give_up() -> None:
            if self._open_questions.get(what) == number:
                del self._open_questions[what]
                self._tell_feed(f.Unanswered(what))

        self.later(_ANSWER, give_up)

    # -- faults -------------------------------------------------------------------------------------------------------

    def cut(self, why: str) -> None:
        """The connection is gone and this side knows it."""
        self.connection = ""
        self._open_questions.clear()
        self._held.clear()
        self._feed_taken = self._feed_came

        def tell() -> None:
            self._tell_feed(f.Disconnected())
            self._on_event(Cut(why))

        self._run(tell)

    def connect_again(self) -> None:
        """The connection is back."""
        if self.connection or self.isolated or self.network.carriers.get(self.name) is not self:
            return
        if not self.network.running:
            self.network.wait_for_hub(self)
            return
        connection = self.connection = self.network.open_connection(self.system)

        def tell() -> None:
            if self.connection == connection:
                self._tell_feed(f.Connected())
                self._on_event(Reset())
                self._unblock()

        self._run(tell)

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

    def reset(self) -> None:
        """See `MemoryNetwork`."""
        connection = self.connection
        if connection:
            self._given_up(connection)
            self.cut("connection reset")
            self.connect_again()

    def power_off(self) -> None:
        """See `MemoryNetwork`."""
        connection = self.connection
        self._forget()
        if connection:

            def stale() -> None:
                self.network.tell_directory(d.Closed(connection, by_peer=False, why="Stale Connection"))

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
                self._run(handle)
            self._run(lambda: self._tell_feed(f.Tick()))  # what became due meanwhile
        else:
            self.cut("closed by the server")
            self.connect_again()

    def crash(self) -> None:
        """See `MemoryNetwork`."""
        if self.isolated:
            self.power_off()  # the hub hears nothing of its end
            return
        connection = self.connection
        self._forget()
        if connection:
            self.network.tell_directory(d.Closed(connection, by_peer=True, why="Client Closed"))

    def _forget(self) -> None:
        self.connection = ""
        if self.network.carriers.get(self.name) is self:
            del self.network.carriers[self.name]
        self.on_feed = None
        self._on_frame = self._on_event = self.on_names = nobody

    def unchoke(self) -> None:
        """See `MemoryNetwork`."""
        self.choked = False
        self._run(self._unblock)

    def _unblock(self) -> None:
        blocked, self._blocked = self._blocked, set()
        for peer in sorted(blocked):
            self._on_event(Writable(peer))


def nobody(*_arguments: object) -> None:
    """Before start and after the end nobody listens."""
