"""What is measured: the contestants, the workloads with their sizes, and the budgets they are held against.

Owns: names, sizes and the sentence that says what one operation is. Pure data; it starts nothing.
Invariant: in one workload every contestant does the same work per operation. The number of operations may differ,
since a run has to be long enough to time and short enough to repeat; where a library has a shape in which it is faster
(the batch of a flood), it gets that shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["/s", "ms"]


@dataclass(frozen=True)
class Contestant:
    """One library on one of its bases, as a program to start."""

    key: str
    title: str
    program: str
    base: str = ""
    requirement: str = ""
    """What to install into its own virtual environment; empty: the environment that runs the benchmarks."""
    ours: bool = False
    floor: bool = False

    @property
    def environment(self) -> str:
        """Name of its virtual environment, empty for the running one."""
        return self.requirement.partition("==")[0]


@dataclass(frozen=True)
class Size:
    """How much one run does: timed operations, warm-up operations before them, and the batch of a flood (0: none)."""

    operations: int
    warm_up: int = 0
    batch: int = 1000

    def shortened(self, divisor: int) -> Size:
        """The size for a short run; the batch stays, as it is part of the shape."""
        if self.operations == 1:
            return self
        return Size(max(self.operations // divisor, 10), max(self.warm_up // divisor, 2), self.batch)


@dataclass(frozen=True)
class Workload:
    """One row: the same work by several contestants."""

    key: str
    program_key: str
    unit: Unit
    counts: str
    sizes: dict[str, Size]


@dataclass(frozen=True)
class Budget:
    """A promise about Garrick in one workload: a ratio to a contestant, or (without one) a figure of its own."""

    workload: str
    must: float
    aim: float
    against: str = ""


THESPIAN = "thespian==4.0.1"
PYKKA = "pykka==4.5.0"

CONTESTANTS = {
    contestant.key: contestant
    for contestant in (
        Contestant("garrick-local", "Garrick, `local`", "use_garrick.py", "local", ours=True),
        Contestant("garrick-multiprocess", "Garrick, `multiprocess`", "use_garrick.py", "multiprocess", ours=True),
        Contestant("garrick-import", "`import garrick`", "import_time.py", "garrick", ours=True),
        Contestant("thespian-simple", "Thespian, simpleSystemBase", "use_thespian.py", "simpleSystemBase", THESPIAN),
        Contestant("thespian-tcp", "Thespian, multiprocTCPBase", "use_thespian.py", "multiprocTCPBase", THESPIAN),
        Contestant("thespian-import", "`import thespian.actors`", "import_time.py", "thespian.actors", THESPIAN),
        Contestant("pykka", "Pykka, ThreadingActor", "use_pykka.py", "ThreadingActor", PYKKA),
        Contestant("pykka-import", "`import pykka`", "import_time.py", "pykka", PYKKA),
        Contestant("floor-deque", "floor: a deque and a loop", "floors.py", "deque", floor=True),
        Contestant("floor-socket", "floor: a Unix socket and pickle", "floors.py", "socket", floor=True),
        Contestant("floor-import", "floor: `import asyncio`", "import_time.py", "asyncio", floor=True),
    )
}

WORKLOADS = {
    workload.key: workload
    for workload in (
        Workload(
            "local ping-pong",
            "ping-pong",
            "/s",
            "messages: two actors pass one small tuple to and fro; each handler call counts one, a round trip two",
            {
                "garrick-local": Size(1_000_000, 100_000),
                "thespian-simple": Size(100_000, 10_000),
                "pykka": Size(40_000, 4_000),
                "floor-deque": Size(1_000_000, 100_000),
            },
        ),
        Workload(
            "local flood",
            "flood",
            "/s",
            "messages: one actor sends new small tuples to one other, in batches with one message back after each; "
            "the clock stops when the receiver has handled the last (the floor has no sender)",
            {
                "garrick-local": Size(1_000_000, 100_000, 1000),
                "thespian-simple": Size(50_000, 5_000, 100),
                "pykka": Size(100_000, 10_000, 1000),
                "floor-deque": Size(1_000_000, 100_000, 1000),
            },
        ),
        Workload(
            "local flood from outside",
            "flood-outside",
            "/s",
            "messages: the program itself sends new small tuples to one actor, without batches; the clock stops when "
            "the actor has handled the last (on simpleSystemBase each is handled inside the call that sends it)",
            {
                "garrick-local": Size(200_000, 20_000),
                "thespian-simple": Size(50_000, 5_000),
                "pykka": Size(100_000, 10_000),
            },
        ),
        Workload(
            "local ask",
            "ask",
            "/s",
            "questions: the program asks an actor, waits for the answer, checks it, asks again",
            {
                "garrick-local": Size(30_000, 3_000),
                "thespian-simple": Size(50_000, 5_000),
                "pykka": Size(20_000, 2_000),
            },
        ),
        Workload(
            "local spawn and first reply",
            "spawn",
            "/s",
            "actors: one actor creates children and sends each a message; the clock stops when all have answered; "
            "all of them are alive at once (in Pykka each is a thread)",
            {
                "garrick-local": Size(20_000, 2_000),
                "thespian-simple": Size(5_000, 500),
                "pykka": Size(1_000, 100),
            },
        ),
        Workload(
            "ping-pong between processes",
            "ping-pong",
            "/s",
            "messages: as local, the two actors in two processes; every hop is pickled",
            {
                "garrick-multiprocess": Size(20_000, 2_000),
                "thespian-tcp": Size(2_000, 200),
                "floor-socket": Size(20_000, 2_000),
            },
        ),
        Workload(
            "flood between processes",
            "flood",
            "/s",
            "messages: as local, the two actors in two processes; every message is pickled by itself. Thespian sends "
            "2,500 in batches of ten: that is where it is fastest (1,500/s one by one, 550/s all at once), and below "
            "the 3,136 sends after which its rate limit begins",
            {
                "garrick-multiprocess": Size(200_000, 20_000, 1000),
                "thespian-tcp": Size(2_500, 250, 10),
                "floor-socket": Size(500_000, 50_000, 0),
            },
        ),
        Workload(
            "ask between processes",
            "ask",
            "/s",
            "questions: the program asks an actor in another process, waits for the answer, checks it, asks again",
            {
                "garrick-multiprocess": Size(5_000, 500),
                "thespian-tcp": Size(1_000, 100),
            },
        ),
        Workload(
            "start, in process",
            "start",
            "ms",
            "time until `ActorSystem(…)` has returned, in a fresh process that has imported the library",
            {"garrick-local": Size(1), "thespian-simple": Size(1)},
        ),
        Workload(
            "start, with processes",
            "start",
            "ms",
            "time until `ActorSystem(…)` has returned, in a fresh process that has imported the library",
            {"garrick-multiprocess": Size(1), "thespian-tcp": Size(1)},
        ),
        Workload(
            "import",
            "import",
            "ms",
            "time of the import in a fresh interpreter, over what the bare interpreter has loaded",
            {
                "garrick-import": Size(1),
                "thespian-import": Size(1),
                "pykka-import": Size(1),
                "floor-import": Size(1),
            },
        ),
    )
}

BUDGETS = (
    Budget("local ping-pong", 6, 8, "thespian-simple"),
    Budget("local ping-pong", 20, 20, "pykka"),
    Budget("local flood", 10, 15, "thespian-simple"),
    Budget("local flood", 8, 8, "pykka"),
    Budget("local spawn and first reply", 100_000, 200_000),
    Budget("ping-pong between processes", 8, 8, "thespian-tcp"),
    Budget("flood between processes", 30, 30, "thespian-tcp"),
    Budget("flood between processes", 400_000, 700_000),
    Budget("start, with processes", 300, 150),
    Budget("import", 80, 40),
)


def ours(workload: Workload) -> str:
    """The contestant of a workload that is Garrick."""
    return next(key for key in workload.sizes if CONTESTANTS[key].ours)
