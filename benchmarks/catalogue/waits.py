"""Handlers that block, and what else goes on meanwhile."""

from __future__ import annotations

from benchmarks.catalogue.model import Size, Workload

FIFTY = {"garrick-local": Size(50, 0, 100), "pykka": Size(50, 0, 100), "thespian-tcp": Size(50, 0, 100)}
FIFTY_IN_A_WORKER = {"garrick-multiprocess": Size(50, 0, 100)}
CLASSES = {"garrick-local": Size(50, 0, 100)}
CLASSES_IN_A_WORKER = {"garrick-multiprocess": Size(50, 0, 100)}
DONE = "the time until so many actors, each of which was told to sleep for 100 ms in its handler, have told that they are awake"
PING = (
    "the 99th percentile of the asks of the same program to another actor of the same process while they sleep; one is "
    "due every 2 ms, and its time counts from then"
)


def rows(name: str, program_key: str, note: str, sizes: dict[str, Size]) -> tuple[Workload, Workload]:
    """How long all take, and how long others wait meanwhile."""
    asking = {key: size for key, size in sizes.items() if key != "thespian-tcp"}
    return (
        Workload(name, program_key, "ms", f"{DONE}{note}", sizes, "waits", "done", short=False),
        Workload(f"{name}: ping p99", program_key, "ms", f"{PING}{note}", asking, "waits", "p99", short=False),
    )


WORKLOADS = (
    *rows("fifty sleepers", "one class", "; all of one class, which has never blocked before", FIFTY),
    *rows("fifty sleepers in a worker", "one class", "; the actors in one worker process", FIFTY_IN_A_WORKER),
    *rows("fifty sleepers of fifty classes", "many classes", "; each of a class never seen before", CLASSES),
    *rows(
        "fifty sleepers of fifty classes in a worker",
        "many classes",
        "; each of a class never seen before, in one worker process",
        CLASSES_IN_A_WORKER,
    ),
)
