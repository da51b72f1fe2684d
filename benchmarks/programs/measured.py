"""What every benchmark program shares: its arguments, the clock, and the one JSON line it prints.

Owns: the command line `PROGRAM WORKLOAD BASE OPERATIONS WARM_UP BATCH` and the shape of the result line.
Must not know: any actor library, the harness, what a workload does.
Runs inside the peers' virtual environments too, so it needs the standard library alone.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

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


def emit(job: Job, seconds: float, **facts: Any) -> None:
    """Print the result as one JSON line, the last thing a program does."""
    line = {"workload": job.workload, "operations": job.operations, "seconds": seconds, **facts}
    print(json.dumps(line), flush=True)


def expect(found: object, wanted: object) -> None:
    """Stop the run with a non-zero exit when the work was not done as described."""
    if found != wanted:
        sys.exit(f"the work was not done: expected {wanted!r}, found {found!r}")
