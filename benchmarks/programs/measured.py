"""What every benchmark program shares: its arguments, the clock, and the one JSON line it prints.

Owns: the command line `PROGRAM WORKLOAD BASE OPERATIONS WARM_UP BATCH` and the shape of the result line.
Must not know: any actor library, the harness, what a workload does.
Runs inside the peers' virtual environments too, so it needs the standard library alone.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Self

clock = time.perf_counter


class Job(NamedTuple):
    """One run: `workload` by name on a `base`, how many operations to time, and how many to do before that.

    `batch`: a flood sends so many messages, then waits until the receiver asks for more.
    """

    workload: str
    base: str
    operations: int
    warm_up: int
    batch: int


def job_from_arguments(arguments: list[str]) -> Job:
    """Read the command line of a benchmark program (without the program's own name)."""
    workload, base, operations, warm_up, batch = arguments
    return Job(workload, base, int(operations), int(warm_up), int(batch))


def timed(work: Callable[[int], object], job: Job) -> float:
    """Do the warm-up, then the real thing; return the seconds the real thing took."""
    if job.warm_up:
        work(job.warm_up)
    begun = clock()
    work(job.operations)
    return clock() - begun


class Measured(NamedTuple):
    """What a run found out: the seconds of its operations, and figures by name, in seconds, bytes or per second."""

    seconds: float
    figures: dict[str, float] = {}  # noqa: RUF012  (never changed; a tuple has no factories)


def latencies(samples: list[float]) -> dict[str, float]:
    """The median and the 99th percentile (nearest rank) of single times."""
    ordered = sorted(samples)
    return {f"p{share}": ordered[-(-len(ordered) * share // 100) - 1] for share in (50, 99)}


class Pings:
    """A thread that does something short again and again, PERIOD seconds apart, and times it, while other work runs.

    A time counts from the moment at which it was due, so that whoever stalls it pays for all that were due meanwhile.
    """

    PERIOD = 0.002
    WARM_UP = 100

    def __init__(self, ping: Callable[[int], object]) -> None:
        self.ping = ping
        self.times: list[tuple[float, float]] = []
        self.warm, self.over = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        due = clock()
        number = 0
        while not self.over.is_set():
            time.sleep(max(due - clock(), 0))
            self.ping(number)
            self.times.append((due, clock() - due))
            due += self.PERIOD
            number += 1
            if number == self.WARM_UP:
                self.warm.set()

    def __enter__(self) -> Self:
        self.thread.start()
        self.warm.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def between(self, begun: float, ended: float) -> dict[str, float]:
        """Median and 99th percentile of those that were due between two moments."""
        return latencies([seconds for due, seconds in self.times if begun <= due <= ended])


def burn(seconds: float = 0.02) -> int:
    """Compute in pure Python, without ever waiting, until a thread has used so much of a core."""
    end = time.thread_time() + seconds
    rounds = 0
    while time.thread_time() < end:
        rounds += sum(range(1000)) > 0
    return rounds


def emit(job: Job, seconds: float, **facts: Any) -> None:
    """Print the result as one JSON line, the last thing a program does."""
    line = {"workload": job.workload, "operations": job.operations, "seconds": seconds, **facts}
    print(json.dumps(line), flush=True)


def expect(found: object, wanted: object) -> None:
    """Stop the run with a non-zero exit when the work was not done as described."""
    if found != wanted:
        sys.exit(f"the work was not done: expected {wanted!r}, found {found!r}")
