"""Round trips over a socket to asyncio, with threads beside its loop that compute. The batch is how many threads."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import time

from measured import Job, Measured, burn, emit, job_from_arguments
from trips import trips_over


async def serve(connection: socket.socket) -> None:
    """Send back over a socket what comes over it, until it is closed."""
    reader, writer = await asyncio.open_unix_connection(sock=connection)
    while data := await reader.read(1000):
        writer.write(data)
    writer.close()


def burn_for_ever() -> None:
    while True:
        burn()


def io(job: Job) -> Measured:
    here, there = socket.socketpair()
    child = os.fork()
    if not child:
        here.close()
        for _ in range(job.batch):
            threading.Thread(target=burn_for_ever, daemon=True).start()
        asyncio.run(serve(there))
        os._exit(0)
    there.close()
    time.sleep(0.3)
    try:
        with here:
            return trips_over(here, job)
    finally:
        os.waitpid(child, 0)


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    found = {"io beside nothing": io, "io beside burners": io}[job.workload](job)
    python = sys.version.split()[0]
    emit(job, found.seconds, figures=found.figures, version=python, python=python)


if __name__ == "__main__":
    main()
