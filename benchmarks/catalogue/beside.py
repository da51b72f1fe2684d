"""Latency while others keep a process busy: of a link between processes, and of I/O.

The rows without load are what those with load are held against, so both pause between two round trips.
"""

from __future__ import annotations

from benchmarks.catalogue.model import Size, Workload

TRIP = (
    "the 99th percentile of single round trips of a small tuple between actors in two processes, with a pause of 2 ms "
    "before each"
)
TALK = (
    "the 99th percentile of single round trips of a few bytes over a Unix socket, from the program to an async handler "
    "in a worker (or to asyncio in another process) and back, with a pause of 2 ms before each"
)


def link(name: str, load: str, note: str, trips: int, actors: int) -> Workload:
    sizes = {"garrick-multiprocess": Size(trips, 100, actors)}
    return Workload(name, f"link beside {load}", "µs", f"{TRIP}; {note}", sizes, "beside", "p99", short=False)


def io(name: str, load: str, note: str, trips: int, actors: int) -> Workload:
    size = Size(trips, 50, actors)
    sizes = {"garrick-multiprocess": size, "floor-asyncio": size}
    return Workload(name, f"io beside {load}", "µs", f"{TALK}; {note}", sizes, "beside", "p99", short=False)


WORKLOADS = (
    link("link p99", "nothing", "nothing else runs", 1_000, 0),
    link(
        "link p99 beside a sleeper",
        "sleepers",
        "in one of the processes an actor sleeps 100 ms in every handler, again and again",
        1_000,
        1,
    ),
    link(
        "link p99 beside a blocking async handler",
        "blockers",
        "in one of the processes an async handler blocks its loop for 100 ms, again and again",
        1_000,
        1,
    ),
    link(
        "link p99 beside 1 burner",
        "burners",
        "in one of the processes an actor computes for 20 ms in every handler, again and again",
        1_000,
        1,
    ),
    link("link p99 beside 4 burners", "burners", "four such actors in one of the processes", 500, 4),
    io("I/O p99", "nothing", "nothing else runs", 1_000, 0),
    io(
        "I/O p99 beside 1 burner",
        "burners",
        "beside it in the process an actor (a thread) computes all the time",
        500,
        1,
    ),
    io(
        "I/O p99 beside 4 burners",
        "burners",
        "beside it in the process four actors (threads) compute all the time",
        200,
        4,
    ),
)
