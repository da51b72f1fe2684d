"""Round trips over a socket, from a program to whoever sends back what it gets, while that one has other work to do.

Owns: the pause between two of them. It makes them samples of all that happens: without it nearly all would fall into
moments at which nothing is in their way, since then they are quick.
"""

from __future__ import annotations

import socket
import time

from measured import Job, Measured, clock, expect, latencies

PAUSE = 0.002


def trips_over(connection: socket.socket, job: Job) -> Measured:
    """Send something over a socket, wait until it comes back, so many times; each is timed by itself."""
    samples: list[float] = []
    begun = clock()
    for index in range(job.warm_up + job.operations):
        if index == job.warm_up:
            samples.clear()
            begun = clock()
        sent = f"message {index}".encode()
        time.sleep(PAUSE)
        start = clock()
        connection.sendall(sent)
        received = connection.recv(1000)
        samples.append(clock() - start)
        expect(received, sent)
    return Measured(clock() - begun, latencies(samples))
