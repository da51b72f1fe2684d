"""Many actors: idle ones in one process, and such that have a process each."""

from __future__ import annotations

from benchmarks.catalogue.model import Size, Workload

IDLE = {
    "garrick-local": Size(100_000),
    "thespian-simple": Size(5_000),
    "pykka": Size(1_000),
    "floor-asyncio": Size(20_000),
}
MILLION = {"garrick-local": Size(1_000_000)}
PROCESSES = {"garrick-multiprocess": Size(60, 2), "thespian-tcp": Size(30)}

WORKLOADS = (
    Workload(
        "memory of an idle actor",
        "idle",
        "bytes",
        "the resident memory of the process after one actor has created so many, over what it was before, divided "
        "by their number; they have no state of their own (in Pykka each is a thread, in asyncio a task with a queue)",
        IDLE,
        "many",
        "memory",
    ),
    Workload(
        "a million idle actors, creation",
        "idle",
        "/s",
        "actors: one actor creates a million; the clock stops when the last one has answered",
        MILLION,
        "many",
        short=False,
    ),
    Workload(
        "a million idle actors, memory of each",
        "idle",
        "bytes",
        "as the memory of an idle actor, of a million",
        MILLION,
        "many",
        "memory",
        short=False,
    ),
    Workload(
        "actors with a process each",
        "processes",
        "/s",
        "actors: one actor creates children with processes of their own and asks each for its process; the clock stops "
        "when all have answered; all are alive at once",
        PROCESSES,
        "many",
    ),
    Workload(
        "actors with a process each, memory",
        "processes",
        "MiB",
        "the proportional set size of each of those processes, on average",
        PROCESSES,
        "many",
        "memory",
    ),
)
