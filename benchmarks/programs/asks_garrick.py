"""Questions in Garrick: by actors, who wait in a synchronous or in an async handler, and by the program, one by one.

BASE is `local`, or `multiprocess` for the questions of the program. The batch is how many questions are under way at once.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from measured import Job, Measured, clock, emit, expect, job_from_arguments, latencies, timed

from garrick import Actor, ActorSystem, Address, Request, __version__, on

TIMEOUT = 50


class Echo(Actor):
    """Answers with the question, synchronously."""

    @on
    def question(self, message: tuple) -> tuple:  # type: ignore[type-arg]
        return message


class AsyncEcho(Actor):
    """Answers with the question, from an async handler."""

    @on
    async def question(self, message: tuple) -> tuple:  # type: ignore[type-arg]
        return message


@dataclass
class Order(Request[int]):
    """Ask so many questions, `at_once` of them under way at a time; the answer is how many were answered rightly."""

    target: Address[tuple[str, int]]
    count: int
    at_once: int


class Asker(Actor):
    """Asks from a synchronous handler, which waits for each answer."""

    @on
    def ask_many(self, order: Order) -> int:
        right = 0
        for index in range(order.count):
            right += self.ask(order.target, ("question", index)).result() == ("question", index)
        return right


class AsyncAsker(Actor):
    """Asks from an async handler, which awaits each answer."""

    @on
    async def ask_many(self, order: Order) -> int:
        right = 0
        if order.at_once == 1:
            for index in range(order.count):
                right += await self.ask(order.target, ("question", index)) == ("question", index)
            return right
        for start in range(0, order.count, order.at_once):
            upto = range(start, min(start + order.at_once, order.count))
            replies = [self.ask(order.target, ("question", index)) for index in upto]
            for index, reply in zip(upto, replies, strict=True):
                right += await reply == ("question", index)
        return right


def inside(system: ActorSystem, job: Job, asker_class: type[Actor], echo_class: type[Actor], at_once: int) -> Measured:
    """One actor asks another; both in the same process."""
    asker, echo = system.spawn(asker_class), system.spawn(echo_class)

    def work(questions: int) -> None:
        expect(system.ask(asker, Order(echo, questions, at_once), timeout=TIMEOUT), questions)

    return Measured(timed(work, job))


def outside(system: ActorSystem, job: Job) -> Measured:
    """The program asks; each question is timed by itself."""
    echo = system.spawn(Echo)
    samples: list[float] = []

    def work(questions: int) -> None:
        samples.clear()
        for index in range(questions):
            begun = clock()
            answer = system.ask(echo, ("question", index), timeout=TIMEOUT)
            samples.append(clock() - begun)
            expect(answer, ("question", index))

    return Measured(timed(work, job), latencies(samples))


def run(system: ActorSystem, job: Job) -> Measured:
    if job.workload == "latency":
        return outside(system, job)
    asker, echo, at_once = {
        "sync": (Asker, Echo, 1),
        "async": (AsyncAsker, AsyncEcho, 1),
        "hop": (AsyncAsker, Echo, 1),
        "hops": (AsyncAsker, Echo, job.batch),
    }[job.workload]
    return inside(system, job, asker, echo, at_once)


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    with ActorSystem(job.base) if job.base == "local" else ActorSystem(job.base, workers=1) as system:
        found = run(system, job)
    emit(job, found.seconds, figures=found.figures, version=__version__, python=sys.version.split()[0])


if __name__ == "__main__":
    main()
