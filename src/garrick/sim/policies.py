"""Policies: which of the ready events of a world is next.

Owns the ways to choose, and their names (``"pct:3"``). Must not know what the events do. Every policy costs a constant time per event, or
the logarithm of the number of ready lines; they draw from streams of their own, so that they move no other choice.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Mapping

from garrick.errors import InvalidArgument
from garrick.sim.choices import Label
from garrick.sim.order import PICK, Line, Policy
from garrick.sim.rng import derive

FIFO = "fifo"
PORTFOLIO = "portfolio"
HORIZON = 100_000
"""Events within which `Pct` demotes; each order of magnitude is as likely as the others."""


class Fifo:
    """Whose head came first. The plain kernel does the same with less."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, Line]] = []

    def add(self, line: Line) -> None:
        """See Policy."""
        heapq.heappush(self._heap, (line.arrival, line))

    def take(self) -> Line:
        """See Policy."""
        return heapq.heappop(self._heap)[1]


class Uniform:
    """All ready lines are equally likely."""

    def __init__(self, seed: int) -> None:
        self._ready: list[Line] = []
        self._draw = random.Random(derive(seed, PICK, "random")).random

    def add(self, line: Line) -> None:
        """See Policy."""
        self._ready.append(line)

    def take(self) -> Line:
        """See Policy."""
        ready = self._ready
        index = int(self._draw() * len(ready))
        last = ready.pop()
        if index == len(ready):
            return last
        ready[index], last = last, ready[index]
        return last


class Pct:
    """Probabilistic concurrency testing: every receiver has a priority, and ``depth - 1`` times the highest one falls below all others.

    A bug that needs ``depth`` ordering decisions among ``n`` receivers and ``k`` events is found with a probability of at least
    ``1 / (n * k ** (depth - 1))``, whatever the program.
    """

    def __init__(self, seed: int, depth: int) -> None:
        draws = random.Random(derive(seed, PICK, "pct", depth))
        self._draw = draws.random
        self._ranks: dict[str, float] = {}
        self._heap: list[tuple[float, int, Line]] = []
        self._events = 0
        self._demotions = sorted(int(math.exp(draws.random() * math.log(HORIZON))) for _ in range(depth - 1))
        self._lowest = 1.0

    def add(self, line: Line) -> None:
        """See Policy."""
        receiver = line.receiver
        rank = self._ranks.get(receiver)
        if rank is None:
            rank = self._ranks[receiver] = self._draw()
        heapq.heappush(self._heap, (rank, line.arrival, line))

    def take(self) -> Line:
        """See Policy."""
        self._events += 1
        while True:
            rank, _, line = self._heap[0]
            now = self._ranks[line.receiver]
            if now != rank:  # demoted since
                heapq.heapreplace(self._heap, (now, line.arrival, line))
            elif self._demotions and self._events >= self._demotions[0]:
                self._demotions.pop(0)
                self._lowest += 1
                self._ranks[line.receiver] = self._lowest
            else:
                heapq.heappop(self._heap)
                return line


class Starving:
    """First come, first served, but the events of some receivers wait as long as there are others.

    Args:
        name: of the receiver, ``"s1#4"``, or of a system, ``"s1"``: all of its receivers.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._fed = Fifo()
        self._starved = Fifo()
        self._fed_count = 0

    def add(self, line: Line) -> None:
        """See Policy."""
        receiver = line.receiver
        if receiver == self._name or receiver.partition("#")[0] == self._name:
            self._starved.add(line)
        else:
            self._fed_count += 1
            self._fed.add(line)

    def take(self) -> Line:
        """See Policy."""
        if not self._fed_count:
            return self._starved.take()
        self._fed_count -= 1
        return self._fed.take()


class Overtaking:
    """First come, first served, but some events let a number of later ones go first.

    With what a recording kernel has found (`garrick.sim.order.OpenKernel.overtaken`) any run is made again, whatever its policy was.

    Args:
        overtaken: by label, how many others go first; what is not named lets nobody.
    """

    def __init__(self, overtaken: Mapping[Label, int]) -> None:
        self._left = {label: count for label, count in overtaken.items() if count > 0}
        self._heap: list[tuple[int, Line]] = []
        self.used: dict[Label, int] = {}
        """How often each was overtaken really."""

    def add(self, line: Line) -> None:
        """See Policy."""
        heapq.heappush(self._heap, (line.arrival, line))

    def take(self) -> Line:
        """See Policy."""
        heap = self._heap
        left = self._left
        if not left:
            return heapq.heappop(heap)[1]
        passed: list[tuple[int, Line]] = []
        while heap:
            entry = heapq.heappop(heap)
            if not left.get(entry[1].head):
                break
            passed.append(entry)
        else:
            entry = passed.pop(0)  # all would wait
            heap.extend(passed)
            heapq.heapify(heap)
            left.pop(entry[1].head)
            return entry[1]
        for item in passed:
            label = item[1].head
            self.used[label] = self.used.get(label, 0) + 1
            left[label] -= 1
            if not left[label]:
                del left[label]
            heapq.heappush(heap, item)
        return entry[1]


def policy_of(name: str, seed: int) -> Policy | None:
    """The policy of that name for one run; None is the plain order of arrival.

    Args:
        name: ``fifo``, ``random``, ``pct:<depth>``, ``starve:<receiver or system>``, or ``portfolio``, which takes one of them by the seed:
            60 % random, 30 % pct with a depth of 2 to 5, 10 % fifo.
        seed: of the run.

    Raises:
        InvalidArgument: there is no such policy.
    """
    kind, _, argument = chosen(name, seed).partition(":")
    make = _POLICIES.get(kind)
    if make is None:
        raise InvalidArgument(f"no policy {name!r}", hint="fifo, random, pct:3, starve:NAME or portfolio")
    return make(argument, seed)


def chosen(name: str, seed: int) -> str:
    """The policy that a portfolio takes for this seed; any other name as it is."""
    if name != PORTFOLIO:
        return name
    draw = derive(seed, PORTFOLIO) % 100
    if draw < 60:
        return "random"
    return f"pct:{2 + draw % 4}" if draw < 90 else FIFO


def _pct(argument: str, seed: int) -> Policy:
    if not argument.isdecimal() or int(argument) < 1:
        raise InvalidArgument(f"pct:{argument} has no depth", hint="pct:3; the depth is at least 1")
    return Pct(seed, int(argument))


def _starve(argument: str, _seed: int) -> Policy:
    if not argument:
        raise InvalidArgument("starve without a name", hint="starve:s1#4, or starve:s1 for a whole system")
    return Starving(argument)


_POLICIES: dict[str, Callable[[str, int], Policy | None]] = {
    FIFO: lambda _argument, _seed: None,
    "random": lambda _argument, seed: Uniform(seed),
    "pct": _pct,
    "starve": _starve,
}
