"""`Net`: what becomes of the frames between the systems of a world, per pair and direction.

Owns the conditions of each way, what is under way, and the cuts. Must not know what frames hold. It is the `garrick.engine.memory.Ways` of
the world's network. Invariants:

* What goes one way arrives in the order in which it was sent, unless it was drawn to be reordered or is released in another order.
* Each draw is a choice with the key (from, to, number of the frame); 0 is: at once, once, whole, in order.
* When a cut lands, of what is under way some passes and some does not.

The engine's server is a party of its own, `ENGINE`: announcements go to it, and the feed of members comes from it. A system keeps one
connection to it, which does not lose what it sends, but the feed may lose a message.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from garrick.errors import InvalidArgument
from garrick.sim.fan import SINGLY, Fan, allows
from garrick.sim.kernel import Due
from garrick.sim.units import Duration, Span, bytes_per_second, nanoseconds, per_million, span

if TYPE_CHECKING:
    from garrick.sim.kernel import Kernel

ENGINE = "engine"
"""Stands for the engine's server where a system's name is expected."""
PASSES = 500_000
"""Per million: of what is under way when a cut lands, so much is lost."""
RECONNECT_NS = 1_000_000_000
"""A system that lost the engine is back at most so long after that is possible."""


class Chooser(Protocol):
    """As `garrick.sim.choices.Choices`."""

    def choose(self, kind: str, key: tuple[str | int, ...], bound: int) -> int:
        """A number below ``bound``; 0 is benign."""
        ...

    def chance(self, kind: str, key: tuple[str | int, ...], per_million: int) -> bool:
        """True with this probability."""
        ...

    def between(self, kind: str, key: tuple[str | int, ...], low_ns: int, high_ns: int) -> int:
        """A time; the shortest is benign."""
        ...

    def scripted(self, kind: str, key: tuple[str | int, ...]) -> bool:
        """Whether what the program asks for happens."""
        ...


class Engine(Protocol):
    """As `garrick.engine.memory.MemoryNetwork`."""

    @property
    def carriers(self) -> Any:
        """The systems that are connected, by name."""
        ...

    def isolate(self, name: str) -> None: ...
    def reconnect(self, name: str) -> None: ...
    def reset(self, name: str) -> None: ...


@dataclass(frozen=True)
class Conditions:
    """Of one way. Times in nanoseconds, probabilities per million."""

    latency: tuple[int, int] = (0, 0)
    drop: int = 0
    delay: int = 0
    delay_by: tuple[int, int] = (100_000_000, 2_000_000_000)
    duplicate: int = 0
    reorder: int = 0
    corrupt: int = 0
    bandwidth: int = 0
    """Bytes per second; 0: no limit."""


CALM = Conditions()


class Flight:
    """One frame under way."""

    __slots__ = ("arrive", "cut", "number")

    def __init__(self, number: int, arrive: Callable[[], None], cut: int) -> None:
        self.number = number
        self.arrive = arrive
        self.cut = cut
        """How many cuts there had been when it set out."""


class Way:
    """From one system to another."""

    __slots__ = (
        "_held",
        "_last",
        "_left_out",
        "_net",
        "_order",
        "_sent",
        "_sent_until",
        "conditions",
        "source",
        "target",
    )

    def __init__(self, net: Net, source: str, target: str) -> None:
        self._net = net
        self.source = source
        self.target = target
        self.conditions: Conditions | None = None
        """None: those of all ways."""
        self._sent = 0
        self._order: deque[Flight] = deque()
        self._held: list[Flight] | None = None
        self._left_out = False
        """The program holds it, but shrinking has left that out: there is nothing to release."""
        self._last = 0
        """When the last one arrives of those in order."""
        self._sent_until = 0
        """Throttled: when the last byte has left."""

    @property
    def in_flight(self) -> int:
        """Frames that were sent and have not arrived."""
        return len(self._order) + len(self._held or ())

    def joins_fan(self) -> bool:
        """Whether what sets out now may travel together with what goes to others: nothing is special about this way."""
        return self.conditions is None and self._held is None and not self._order

    @property
    def last(self) -> int:
        """Nothing that sets out from now on arrives before this instant."""
        return self._last

    def arrives(self, due: int) -> None:
        """Something arrives then that does not take this way, and that nothing on it may overtake."""
        self._last = max(self._last, due + 1)

    @property
    def is_calm(self) -> bool:
        """Whether what sets out now arrives at once."""
        return (self.conditions is None or self.conditions is CALM) and self._held is None and not self._order

    def send(self, frame: bytes, arrive: Callable[[bytes], None], *, loses: bool) -> None:
        """Something sets out; ``loses``: whether it can get lost, double, damaged or out of order."""
        net, number = self._net, self._sent
        self._sent += 1
        now, now_conditions = net.now_ns, self.conditions or net.everywhere
        if net.is_cut(self.source, self.target):
            return
        if now_conditions is CALM and self.is_calm:
            # On a line of its own: whatever order the events of one instant are taken in, frames of one way do not overtake one another.
            landing = (f"wire of {self.source}", self.target)
            net.at(now, Due(lambda: self._land(Flight(number, lambda: arrive(frame), net.cuts)), landing))
            return
        choices, key, way = net.choices, (self.source, self.target, number), now_conditions
        copies = 1
        if loses:
            if way.drop and choices.chance("net.drop", key, way.drop):
                return
            if way.corrupt and choices.chance("net.corrupt", key, way.corrupt):
                frame = frame[: len(frame) - choices.choose("net.cut off", key, len(frame) + 1)]
            if way.duplicate and choices.chance("net.duplicate", key, way.duplicate):
                copies = 2
        due = now + choices.between("net.latency", key, *way.latency) if way.latency[1] else now
        if way.delay and choices.chance("net.delay", key, way.delay):
            due += choices.between("net.delay by", key, *way.delay_by)
        if way.bandwidth:
            self._sent_until = max(now, self._sent_until) + len(frame) * 1_000_000_000 // way.bandwidth
            due += self._sent_until - now
        flight = Flight(number, lambda: arrive(frame), net.cuts)
        if loses and way.reorder and choices.chance("net.reorder", key, way.reorder):
            due += choices.between("net.overtaken for", key, 1_000_000, 100_000_000)
            net.at(due, Due(lambda: self._land(flight)))
            copies -= 1
        due = self._last = max(due, self._last)
        for _ in range(copies):
            self._order.append(flight)
            net.at(due, Due(self._next))

    def hold(self, *, happens: bool) -> None:
        """Nothing arrives until `release`; ``happens``: it is not left out."""
        if happens and self._held is None:
            self._held = []
        self._left_out = not happens

    def release(self, order: Sequence[int]) -> int:
        if self._left_out:
            self._left_out = False
            return 0
        held, self._held = self._held or [], None
        wrong = [index for index in order if not 0 <= index < len(held)]
        if wrong or len(set(order)) != len(order):
            self._held = held
            raise InvalidArgument(
                f"{list(order)} is no order of {len(held)} frames held from {self.source} to {self.target}",
                hint="give each index once, from 0; those that you leave out follow",
            )
        rest = [index for index in range(len(held)) if index not in order]
        for index in (*order, *rest):
            self._land(held[index])
        return len(held)

    def _next(self) -> None:
        # The oldest, whichever event this is: so the order holds even if events of one instant are taken in another order.
        self._land(self._order.popleft())

    def _land(self, flight: Flight) -> None:
        if self._held is not None:
            self._held.append(flight)
        elif not self._net.lost_in_a_cut(self, flight):
            flight.arrive()


class Link:
    """The two ways between two systems, for `set`."""

    def __init__(self, ways: Sequence[Way]) -> None:
        self._ways = ways

    def set(self, **conditions: Any) -> None:
        """Set conditions of this link; those that are not named stay as they are. See `Net.defaults`."""
        for way in self._ways:
            wanted = changed(way.conditions or way._net.everywhere, **conditions)
            way.conditions = way._net.if_slow(wanted, f"{way.source} → {way.target}")

    @property
    def in_flight(self) -> int:
        """Frames that were sent and have not arrived."""
        return sum(way.in_flight for way in self._ways)


class Cut:
    """One cut of the network; see `Net.partition`."""

    def __init__(self) -> None:
        self.walls: list[tuple[frozenset[str], frozenset[str]]] = []
        """What is sent from one of the first to one of the second gets lost."""
        self.apart: list[str] = []
        """Who has lost the engine."""


class Net:
    """See the module. `World.net`."""

    def __init__(self, kernel: Kernel, choices: Chooser) -> None:
        self._kernel = kernel
        self.choices = choices
        self.everywhere = CALM
        self.cuts = 0
        self.at = kernel.at
        self._ways: dict[tuple[str, str], Way] = {}
        self._cuts: dict[Cut, None] = {}
        self._apart: Counter[str] = Counter()
        """Systems that are cut from the engine, by how many cuts."""
        self._script: Counter[tuple[str, str]] = Counter()
        self._engine: Engine | None = None
        self._first = ""
        self._returns = 0
        self._fan = Fan(self)

    @property
    def now_ns(self) -> int:
        """The instant."""
        return self._kernel.clock.ns

    def attach(self, engine: Engine, first: str) -> None:
        """The network whose ways these are; its server runs beside the system ``first``."""
        self._engine, self._first = engine, first

    # --- conditions --------------------------------------------------------------------------------------------------------

    def defaults(self, **conditions: Any) -> None:
        """Set conditions of all ways that have none of their own.

        Args:
            conditions: ``latency`` (a duration, or from and to), ``drop``, ``delay``, ``duplicate``, ``reorder``, ``corrupt``
                (probabilities; what is damaged is cut off), ``delay_by`` (how long, from and to), ``bandwidth`` (``"1MB/s"``, None: no
                limit).

        Raises:
            InvalidArgument: one of them is not understood.
        """
        self.everywhere = self.if_slow(changed(self.everywhere, **conditions), "all ways")

    def if_slow(self, wanted: Conditions, where: str) -> Conditions:
        """These conditions; whether they cost the time that nothing draws (the shortest latency, the bandwidth) is a choice."""
        if not wanted.latency[0] and not wanted.bandwidth:
            return wanted
        if self._scripted("slowness", where):
            return wanted
        quick = replace(wanted, latency=(0, wanted.latency[1] - wanted.latency[0]), bandwidth=0)
        return CALM if quick == CALM else quick

    def calm(self) -> None:
        """No way has faults any more, and latency is 0."""
        self.everywhere = CALM
        for way in self._ways.values():
            way.conditions = None

    def link(self, one: Any, other: Any, *, one_way: bool = False) -> Link:
        """The link of two systems, by name or as `ActorSystem`; `ENGINE` is the engine's server.

        Args:
            one: a system.
            other: the other one.
            one_way: only what goes from ``one`` to ``other``.
        """
        a, b = name_of(one), name_of(other)
        return Link([self.way(a, b)] if one_way else [self.way(a, b), self.way(b, a)])

    def way(self, source: str, target: str) -> Way:
        """From one to another."""
        way = self._ways.get((source, target))
        if way is None:
            way = self._ways[source, target] = Way(self, source, target)
        return way

    # --- holding -----------------------------------------------------------------------------------------------------------

    def hold(self, source: Any, target: Any) -> None:
        """What would arrive at ``target`` from ``source`` waits until `release`."""
        way = self.way(name_of(source), name_of(target))
        way.hold(happens=self._scripted("hold", f"{way.source} → {way.target}"))

    def release(self, source: Any, target: Any, order: Sequence[int] = ()) -> int:
        """What was held arrives now, and nothing is held any more.

        Args:
            source: of the frames.
            target: of the frames.
            order: indices of the held frames, the first to arrive first; the others follow.

        Returns:
            How many frames were held.
        """
        return self.way(name_of(source), name_of(target)).release(order)

    # --- cuts --------------------------------------------------------------------------------------------------------------

    def partition(
        self,
        *groups: Iterable[Any],
        one_way: bool = False,
        engine: bool = True,
        reset: bool = False,
    ) -> Cut:
        """Cut the network between groups of systems, until `heal`. A system in no group is a bridge: it reaches all of them.

        Args:
            groups: of systems, by name or as `ActorSystem`.
            one_way: only what goes from a group to a later one gets lost.
            engine: whether the groups without the world's first system, beside which the engine runs, lose the engine too, and so the
                convention, and one another; False: as with a server of the engine in each group.
            reset: connections to the engine break at once; else nobody is told, and silence has to be noticed.

        Returns:
            What `heal` can end by itself.
        """
        sets = [frozenset(map(name_of, group)) for group in groups]
        if not self._scripted("partition"):
            return Cut()
        return self._partition(*sets, one_way=one_way, engine=engine, reset=reset)

    def _scripted(self, what: str, whom: str = "net") -> bool:
        """Whether the program's fault happens, see `garrick.sim.systems`."""
        self._script[what, whom] += 1
        return self.choices.scripted(f"script.{what}", (whom, self._script[what, whom]))

    def _partition(
        self, *groups: Iterable[str], one_way: bool = False, engine: bool = True, reset: bool = False
    ) -> Cut:
        sets = [frozenset(group) for group in groups]
        cut = Cut()
        for index, one in enumerate(sets):
            for other in sets[index + 1 :]:
                cut.walls.append((one, other))
                if not one_way:
                    cut.walls.append((other, one))
        if engine and not one_way and any(self._first in group for group in sets):
            for group in sets:
                if self._first not in group:
                    cut.apart += sorted(group)
        self._land(cut)
        for name in cut.apart or sorted(frozenset().union(*sets)):
            if reset and self._engine is not None and name in self._engine.carriers:
                self._engine.reset(name)
        return cut

    def cut_off(self, system: Any, *, reset: bool = False) -> Cut:
        """Cut one system from the engine, and so from all others, until `heal`; ``reset`` as with `partition`."""
        return self._cut_off(name_of(system), reset=reset) if self._scripted("cut off") else Cut()

    def _cut_off(self, name: str, *, reset: bool = False) -> Cut:
        cut = Cut()
        cut.apart.append(name)
        self._land(cut)
        if reset and self._engine is not None and cut.apart[0] in self._engine.carriers:
            self._engine.reset(cut.apart[0])
        return cut

    def _land(self, cut: Cut) -> None:
        self.cuts += 1
        self._cuts[cut] = None
        for name in cut.apart:
            self._apart[name] += 1
            if self._engine is not None and name in self._engine.carriers:
                self._engine.isolate(name)

    def heal(self, cut: Cut | None = None) -> None:
        """A cut ends, or all of them; who lost the engine is back within a second."""
        for over in list(self._cuts) if cut is None else [cut] if cut in self._cuts else []:
            del self._cuts[over]
            for name in over.apart:
                self._apart[name] -= 1
                if not self._apart[name]:
                    del self._apart[name]
                    self._returns += 1
                    delay = self.choices.between("net.reconnect", (name, self._returns), 0, RECONNECT_NS)
                    self.at(self.now_ns + delay, Due(partial(self._back, name)))

    def _back(self, name: str) -> None:
        if self._engine is not None and name not in self._apart and name in self._engine.carriers:
            self._engine.reconnect(name)

    def joins(self, name: str) -> None:
        """A system has just connected: if it is cut from the engine, it has got nowhere."""
        if name in self._apart and self._engine is not None and name in self._engine.carriers:
            self._engine.isolate(name)

    def is_apart(self, system: Any) -> bool:
        """Whether this system is cut from the engine."""
        return name_of(system) in self._apart

    def is_cut(self, source: str, target: str) -> bool:
        """Whether what is sent now from the one to the other gets lost."""
        if not self._cuts:
            return False
        if source in self._apart or target in self._apart:
            return True
        return any(source in one and target in other for cut in self._cuts for one, other in cut.walls)

    def lost_in_a_cut(self, way: Way, flight: Flight) -> bool:
        """Whether a frame that has got so far ends in a cut that landed meanwhile."""
        return self.is_lost_in_a_cut(way, flight.cut, (way.source, way.target, flight.number))

    def is_lost_in_a_cut(self, way: Way, cut: int, key: tuple[str | int, ...]) -> bool:
        """The same for what set out when there had been ``cut`` cuts, with the key of its choice."""
        if cut == self.cuts or not self.is_cut(way.source, way.target):
            return False
        return self.choices.chance("net.in flight", key, PASSES)

    @property
    def is_split(self) -> bool:
        """Whether any cut lasts."""
        return bool(self._cuts)

    # --- `garrick.engine.memory.Ways` --------------------------------------------------------------------------------------

    def carry(self, source: str, target: str, frame: bytes, arrive: Callable[[bytes], None]) -> None:
        """See Ways."""
        self.way(source, target).send(frame, arrive, loses=True)

    def tell(self, source: str, target: str, arrive: Callable[[], None]) -> None:
        """See Ways."""
        self.way(source or ENGINE, target or ENGINE).send(b"", lambda _: arrive(), loses=bool(target))

    def tell_all(self, targets: Sequence[str], arrive: Callable[[str], None]) -> None:
        """See Ways. What goes to many takes few events, see `garrick.sim.fan`."""
        if len(targets) > SINGLY and allows(self.everywhere):
            targets = self._fan.send(targets, arrive)
        if self.everywhere is CALM and not self._cuts:
            ways = self._ways
            slow = {name for name in targets if (ENGINE, name) in ways and not ways[ENGINE, name].is_calm}
            quick = [name for name in targets if name not in slow]
            targets = [name for name in targets if name in slow]
            self.at(self.now_ns, Due(lambda: _each(quick, arrive), (f"wire of {ENGINE}", "all")))
        for name in targets:
            self.tell("", name, partial(arrive, name))

    def is_open(self, source: str, target: str) -> bool:
        """See Ways."""
        return not self.is_cut(source or ENGINE, target or ENGINE)


def _each(names: Sequence[str], arrive: Callable[[str], None]) -> None:
    for name in names:
        arrive(name)


def name_of(system: Any) -> str:
    """The name of a system that is given by name or as `ActorSystem`."""
    return system if isinstance(system, str) else str(system.name)


def changed(
    before: Conditions,
    *,
    latency: Span | None = None,
    drop: float | None = None,
    delay: float | None = None,
    delay_by: Span | None = None,
    duplicate: float | None = None,
    reorder: float | None = None,
    corrupt: float | None = None,
    bandwidth: str | int | None = -1,
) -> Conditions:
    """Conditions with some of them changed; see `Net.defaults`."""
    news: dict[str, Any] = {}
    if latency is not None:
        news["latency"] = span(latency)
    if delay_by is not None:
        news["delay_by"] = span(delay_by)
    for name, value in (
        ("drop", drop),
        ("delay", delay),
        ("duplicate", duplicate),
        ("reorder", reorder),
        ("corrupt", corrupt),
    ):
        if value is not None:
            news[name] = per_million(value)
    if bandwidth != -1:
        news["bandwidth"] = 0 if bandwidth is None else bytes_per_second(bandwidth)
    result = replace(before, **news)
    return CALM if result == CALM else result


__all__ = ["ENGINE", "Conditions", "Duration", "Link", "Net", "Way", "nanoseconds"]
