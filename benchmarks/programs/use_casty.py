# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportArgumentType=false
"""The workloads in casty, by its documented API alone (`@actor`, `system.ref`, `tell`, `ask`).

BASE is `local`: one system without a cluster, in this process. An actor is an async function that reads its inbox; a key
makes it one actor of its kind, which begins with the first message to it. A message carries no sender, so an actor that has
to answer is given the other's reference first. Messages are serialized even within one process.
"""

import asyncio
import sys
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from casty import ActorSystem, Askable, Context, Ref, actor
from measured import Job, clock, emit, expect, job_from_arguments


@dataclass(frozen=True)
class Item:
    """The small message: the two fields of the other programs' tuples, as casty tells dataclasses apart, not tuples."""

    name: str
    number: int


@dataclass(frozen=True)
class Question(Askable[Item]):
    """What an echo answers."""

    message: Item


@dataclass(frozen=True)
class Meet:
    """Tells an echo whom to answer."""

    partner: Ref[Item]


@dataclass(frozen=True)
class Play(Askable[str]):
    """Orders so many rounds of ping-pong with a partner."""

    partner: Ref[Item]
    rounds: int


@dataclass(frozen=True)
class More:
    """A sink is ready for the next batch."""


@dataclass(frozen=True)
class Seen:
    """A sink has seen so many, which is all."""

    count: int


@dataclass(frozen=True)
class Expect:
    """Tells a sink how many will come, and whom to tell after each batch."""

    source: Ref[More | Seen]
    count: int
    batch: int


@dataclass(frozen=True)
class Flood(Askable[int]):
    """Orders so many items to a sink."""

    sink: Ref[Item | Expect]
    count: int
    batch: int


@dataclass(frozen=True)
class Raise(Askable[str]):
    """Orders so many children, with names that begin so."""

    name: str
    children: int


@actor(initial=0)
async def echo(ctx: Context[int, Item | Question | Meet]) -> None:
    """Answers every message with the same message."""
    partner = None
    async for message in ctx.inbox:
        match message:
            case Item():
                partner.tell(message)
            case Question():
                message.reply_to.tell(message.message)
            case Meet():
                partner = message.partner


@actor(initial=0)
async def pinger(ctx: Context[int, Item | Play]) -> None:
    """Plays ping-pong with a partner for a number of rounds, then tells whoever asked for it."""
    left, partner, origin = 0, None, None
    async for message in ctx.inbox:
        match message:
            case Item():
                left -= 1
                if left:
                    partner.tell(message)
                else:
                    origin.tell("done")
            case Play():
                left, partner, origin = message.rounds, message.partner, message.reply_to
                partner.tell(Item("ping", 1))


@actor(initial=0)
async def sink(ctx: Context[int, Item | Expect]) -> None:
    """Counts what it handles; tells the sender after each batch, and at the end how many it has seen."""
    seen = expected = batch = 0
    origin = None
    async for message in ctx.inbox:
        match message:
            case Item():
                seen += 1
                if seen == expected:
                    origin.tell(Seen(seen))
                elif seen % batch == 0:
                    origin.tell(More())
            case Expect():
                seen, expected, batch, origin = 0, message.count, message.batch, message.source
                origin.tell(More())


@actor(initial=0)
async def source(ctx: Context[int, Flood | More | Seen]) -> None:
    """Sends a number of small tuples to a sink, a batch whenever the sink asks for more."""
    order, sent = None, 0
    async for message in ctx.inbox:
        match message:
            case More():
                upto = min(sent + order.batch, order.count)
                for index in range(sent, upto):
                    order.sink.tell(Item("item", index))
                sent = upto
            case Seen():
                order.reply_to.tell(message.count)
            case Flood():
                order, sent = message, 0
                order.sink.tell(Expect(ctx.self, order.count, order.batch))


@actor(initial=0)
async def nursery(ctx: Context[int, Raise | Item]) -> None:
    """Creates children, sends each one message, and answers when each of them has replied."""
    left, origin = 0, None
    async for message in ctx.inbox:
        match message:
            case Item():
                left -= 1
                if not left:
                    origin.tell("done")
            case Raise():
                left, origin = message.children, message.reply_to
                for index in range(left):
                    child = ctx.system.ref(echo, f"{message.name}-{index}")
                    child.tell(Meet(ctx.self))
                    child.tell(Item("hello", 1))


def ping_pong(system: Any, _: Job) -> Any:
    first, partner = system.ref(pinger, "pinger"), system.ref(echo, "partner")
    partner.tell(Meet(first))

    async def work(messages: int) -> None:
        expect(await first.ask(Play(partner, messages // 2)), "done")

    return work


def flood(system: Any, job: Job) -> Any:
    origin, target = system.ref(source, "source"), system.ref(sink, "sink")

    async def work(messages: int) -> None:
        expect(await origin.ask(Flood(target, messages, job.batch)), messages)

    return work


def ask(system: Any, _: Job) -> Any:
    target = system.ref(echo, "echo")

    async def work(questions: int) -> None:
        for _ in range(questions):
            expect(await target.ask(Question(Item("question", 1))), Item("question", 1))

    return work


def spawn(system: Any, _: Job) -> Any:
    async def work(children: int) -> None:
        name = f"child-of-{children}"
        expect(await system.ref(nursery, "nursery").ask(Raise(name, children)), "done")

    return work


WORKLOADS = {"ping-pong": ping_pong, "flood": flood, "ask": ask, "spawn": spawn}


async def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    begun = clock()
    async with ActorSystem() as system:
        seconds = clock() - begun
        if job.workload != "start":
            work = WORKLOADS[job.workload](system, job)
            if job.warm_up:
                await work(job.warm_up)
            begun = clock()
            await work(job.operations)
            seconds = clock() - begun
    emit(job, seconds, version=version("casty"), python=sys.version.split()[0])


if __name__ == "__main__":
    asyncio.run(main())
