"""Workloads inside one process."""

from __future__ import annotations

from benchmarks.catalogue.model import Size, Workload

WORKLOADS = (
    Workload(
        "local ping-pong",
        "ping-pong",
        "/s",
        "messages: two actors pass one small tuple to and fro; each handler call counts one, a round trip "
        "two. In xoscar the one calls the other and waits for what it returns, which is faster there than two `tell`; in "
        "asyncio and casty the message is put into the other's queue; in Erlang it is sent with `!`",
        {
            "garrick-local": Size(1_000_000, 100_000),
            "thespian-simple": Size(100_000, 10_000),
            "pykka": Size(40_000, 4_000),
            "xoscar-local": Size(20_000, 2_000),
            "casty": Size(50_000, 5_000),
            "floor-asyncio": Size(200_000, 20_000),
            "beam-local": Size(3_000_000, 300_000),
            "floor-deque": Size(1_000_000, 100_000),
        },
    ),
    Workload(
        "local flood",
        "flood",
        "/s",
        "messages: one actor sends new small tuples to one other, in batches with one message back after each; "
        "the clock stops when the receiver has handled the last (the floor has no sender). In xoscar each is a `tell`, "
        "and the answer to a call closes the batch",
        {
            "garrick-local": Size(1_000_000, 100_000, 1000),
            "thespian-simple": Size(50_000, 5_000, 100),
            "pykka": Size(100_000, 10_000, 1000),
            "xoscar-local": Size(20_000, 2_000, 1000),
            "casty": Size(100_000, 10_000, 1000),
            "floor-asyncio": Size(500_000, 50_000, 1000),
            "beam-local": Size(5_000_000, 500_000, 1000),
            "floor-deque": Size(1_000_000, 100_000, 1000),
        },
    ),
    Workload(
        "local flood from outside",
        "flood-outside",
        "/s",
        "messages: the program itself sends new small tuples to one actor, without batches; the clock stops when "
        "the actor has handled the last (on simpleSystemBase each is handled inside the call that sends it)",
        {
            "garrick-local": Size(200_000, 20_000),
            "thespian-simple": Size(50_000, 5_000),
            "pykka": Size(100_000, 10_000),
            "floor-asyncio": Size(300_000, 30_000),
            "beam-local": Size(3_000_000, 300_000),
        },
    ),
    Workload(
        "local ask",
        "ask",
        "/s",
        "questions: the program asks an actor, waits for the answer, checks it, asks again. Garrick and Pykka wake a "
        "thread for each; xoscar, casty and asyncio ask from a coroutine in the same event loop, and Erlang's program "
        "is a process that calls a `gen_server`",
        {
            "garrick-local": Size(30_000, 3_000),
            "thespian-simple": Size(50_000, 5_000),
            "pykka": Size(20_000, 2_000),
            "xoscar-local": Size(20_000, 2_000),
            "casty": Size(20_000, 2_000),
            "floor-asyncio": Size(50_000, 5_000),
            "beam-local": Size(500_000, 50_000),
        },
    ),
    Workload(
        "local spawn and first reply",
        "spawn",
        "/s",
        "actors: one actor creates children and sends each a message; the clock stops when all have answered; "
        "all of them are alive at once (in Pykka each is a thread, in asyncio a task with a queue; in xoscar each "
        "creation is awaited and followed by a call; in casty an actor begins with the first message to its name)",
        {
            "garrick-local": Size(20_000, 2_000),
            "thespian-simple": Size(5_000, 500),
            "pykka": Size(1_000, 100),
            "xoscar-local": Size(3_000, 300),
            "casty": Size(10_000, 1_000),
            "floor-asyncio": Size(20_000, 2_000),
            "beam-local": Size(100_000, 10_000),
        },
    ),
)
