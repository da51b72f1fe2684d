"""The floor under large messages: 64 MiB copied inside one process, into fresh memory. The batch is the size in MiB."""

from __future__ import annotations

import sys

from items import array
from measured import Job, emit, expect, job_from_arguments, timed


def copy(job: Job) -> float:
    source = array(job.batch * 2**20)

    def work(copies: int) -> None:
        for _ in range(copies):
            target = bytes(source.data)
            expect((len(target), target[1], target[-1]), source.signature())
            del target

    return timed(work, job)


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    python = sys.version.split()[0]
    emit(job, copy(job), version=python, python=python)


if __name__ == "__main__":
    main()
