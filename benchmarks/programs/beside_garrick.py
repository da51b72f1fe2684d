"""Round trips while others keep a process busy, in Garrick. BASE is `multiprocess`.

`link`: an actor sends a message to one in another process, which sends it back; in that other process lives the load.
`io`: an async handler talks to the program over a socket; in its process live burners.
The batch is how many actors make the load.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from measured import Job, Measured, burn, clock, emit, expect, job_from_arguments, latencies
from trips import PAUSE, trips_over

from garrick import Actor, ActorSystem, Address, __version__

TIMEOUT = 50
NAP = 0.1
"""Seconds that a sleeping handler sleeps."""


class Burner(Actor):
    """Computes for a while in every handler, again and again."""

    def receive(self, message: Any, sender: Any) -> None:
        burn()
        self.send(self.address, "again")


class Sleeper(Actor):
    """Sleeps in every handler, again and again."""

    def receive(self, message: Any, sender: Any) -> None:
        time.sleep(NAP)
        self.send(self.address, "again")


class Blocker(Actor):
    """Blocks the loop that all async handlers of its process share, again and again."""

    async def receive(self, message: Any, sender: Any) -> None:
        time.sleep(NAP)  # noqa: ASYNC251  (that is the point)
        self.send(self.address, "again")


LOADS: dict[str, type[Actor]] = {"sleepers": Sleeper, "blockers": Blocker, "burners": Burner}


class Lodger(Actor):
    """Says in which process it lives, and makes the load there."""

    def receive(self, message: Any, sender: Any) -> Any:
        if message == "pid":
            self.send(sender, os.getpid())
        elif isinstance(message, dict):
            load = [self.spawn(Place, LOADS[message["load"]]) for _ in range(message["actors"])]
            self.send(sender, [self.ask(each, "start").result() for each in load])


class Place(Actor):
    """Starts a piece of load beside itself and says in which process that is."""

    def __init__(self, load: type[Actor]) -> None:
        self.load = load

    def receive(self, message: Any, sender: Any) -> None:
        self.send(self.spawn(self.load), "begin")
        self.send(sender, os.getpid())


class Echo(Lodger):
    """Sends every tuple back."""

    def receive(self, message: Any, sender: Any) -> None:
        if isinstance(message, tuple):
            self.send(sender, message)
        else:
            super().receive(message, sender)


class Prober(Lodger):
    """Sends a message to and fro, pauses, sends it again, and times each round trip by itself."""

    partner: Address[Any]
    origin: Address[Any]
    samples: list[float]
    left: int
    begun: float

    def receive(self, message: Any, sender: Any) -> None:
        if isinstance(message, tuple):
            now = clock()
            self.samples.append(now - self.begun)
            self.left -= 1
            if not self.left:
                self.send(self.origin, self.samples)
                return
            self.after(PAUSE, "next")
        elif message == "next":
            self.begun = clock()
            self.send(self.partner, ("ping", 1))
        elif isinstance(message, dict) and "partner" in message:
            self.partner, self.left, self.origin, self.samples = message["partner"], message["trips"], sender, []
            self.after(PAUSE, "next")
        else:
            super().receive(message, sender)


class Talker(Lodger):
    """Sends back over a socket what comes over it."""

    async def receive(self, message: Any, sender: Any) -> None:
        if not isinstance(message, Path):
            super().receive(message, sender)
            return
        reader, writer = await asyncio.open_unix_connection(message)
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()


def load(system: ActorSystem, job: Job, kind: str, host: Address[Any]) -> None:
    """Make the load, in the process of an actor, and let it become known to whoever schedules it."""
    if kind != "nothing":
        pids = system.ask(host, {"load": kind, "actors": job.batch}, timeout=TIMEOUT)
        expect(pids, [system.ask(host, "pid", timeout=TIMEOUT)] * job.batch)
        time.sleep(0.3)


def link(system: ActorSystem, job: Job, kind: str) -> Measured:
    prober, echo = system.spawn(Prober), system.spawn(Echo)
    pids = {system.ask(actor, "pid", timeout=TIMEOUT) for actor in (prober, echo)}
    expect(len(pids | {os.getpid()}), 3)
    load(system, job, kind, echo)
    begun = clock()
    for trips in (job.warm_up, job.operations):
        begun = clock()
        samples = system.ask(prober, {"partner": echo, "trips": trips}, timeout=TIMEOUT)
        expect(len(samples), trips)
    return Measured(clock() - begun, latencies(samples))


def io(system: ActorSystem, job: Job, kind: str) -> Measured:
    host, talker = system.spawn(Lodger), system.spawn(Talker)
    expect(system.ask(talker, "pid", timeout=TIMEOUT), system.ask(host, "pid", timeout=TIMEOUT))
    load(system, job, kind, host)
    path = Path("socket").absolute()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        system.send(talker, path)
        connection = listener.accept()[0]
    with connection:
        return trips_over(connection, job)


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    what, kind = job.workload.split(" beside ")
    with ActorSystem(job.base, workers=2 if what == "link" else 1) as system:
        found = {"link": link, "io": io}[what](system, job, kind)
    emit(job, found.seconds, figures=found.figures, version=__version__, python=sys.version.split()[0])


if __name__ == "__main__":
    main()
