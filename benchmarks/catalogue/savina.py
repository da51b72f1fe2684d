"""Six workloads of the Savina suite; `programs/savina.py` tells what they are and what their parameters mean.

Sizes differ, since a run has to be long enough to time; the numbers of actors that take part are those of the suite.
"""

from __future__ import annotations

from benchmarks.catalogue.model import Size, Workload


def row(name: str, counts: str, batch: int, sizes: dict[str, int]) -> Workload:
    """A workload of the suite; the warm-up is a twentieth, and as many as there are actors at the least."""
    found = {key: Size(operations, max(operations // 20, batch), batch) for key, operations in sizes.items()}
    return Workload(f"Savina: {name}", name, "/s", counts, found, "savina", short=False)


WORKLOADS = (
    row(
        "thread ring",
        "hops of one message in a ring of 100 actors",
        100,
        {"garrick-local": 500_000, "thespian-simple": 100_000, "pykka": 30_000, "floor-asyncio": 100_000},
    ),
    row(
        "counting",
        "messages from a producer to a counter, all at once; the clock stops when the counter has told how many",
        1,
        {"garrick-local": 1_000_000, "thespian-simple": 100_000, "pykka": 100_000, "floor-asyncio": 1_000_000},
    ),
    row(
        "fork-join create",
        "actors, each of which gets one message, does a little arithmetic and ends; the clock stops when the end of the "
        "last is known",
        1,
        {"garrick-local": 40_000, "thespian-simple": 5_000, "pykka": 5_000, "floor-asyncio": 40_000},
    ),
    row(
        "fork-join throughput",
        "messages, sent to 60 actors in turn, each of which does a little arithmetic",
        60,
        {"garrick-local": 600_000, "thespian-simple": 60_000, "pykka": 60_000, "floor-asyncio": 600_000},
    ),
    row(
        "big",
        "pings among 120 actors, each to one drawn by lot, the next when the pong has come",
        120,
        {"garrick-local": 480_000, "thespian-simple": 60_000, "pykka": 24_000, "floor-asyncio": 240_000},
    ),
    row(
        "concurrent dictionary",
        "requests of 20 actors to one that has a dictionary, a tenth of them writes, the next when the answer has come",
        20,
        {"garrick-local": 200_000, "thespian-simple": 60_000, "pykka": 20_000, "floor-asyncio": 200_000},
    ),
)
