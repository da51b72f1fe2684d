"""Workloads inside one process."""

from __future__ import annotations

from benchmarks.catalogue.model import Size, Workload

WORKLOADS = (
    Workload(
        "local ping-pong",
        "ping-pong",
        "/s",
        "messages: two actors pass one small tuple to and fro; each handler call counts one, a round trip two",
        {
            "garrick-local": Size(1_000_000, 100_000),
            "thespian-simple": Size(100_000, 10_000),
            "pykka": Size(40_000, 4_000),
            "xoscar-local": Size(20_000, 2_000),
            "beam-local": Size(3_000_000, 300_000),
            "floor-deque": Size(1_000_000, 100_000),
        },
    ),
    Workload(
        "local flood",
        "flood",
        "/s",
        "messages: one actor sends new small tuples to one other, in batches with one message back after each; "
        "the clock stops when the receiver has handled the last (the floor has no sender)",
        {
            "garrick-local": Size(1_000_000, 100_000, 1000),
            "thespian-simple": Size(50_000, 5_000, 100),
            "pykka": Size(100_000, 10_000, 1000),
            "xoscar-local": Size(20_000, 2_000, 1000),
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
            "beam-local": Size(3_000_000, 300_000),
        },
    ),
    Workload(
        "local ask",
        "ask",
        "/s",
        "questions: the program asks an actor, waits for the answer, checks it, asks again",
        {
            "garrick-local": Size(30_000, 3_000),
            "thespian-simple": Size(50_000, 5_000),
            "pykka": Size(20_000, 2_000),
            "xoscar-local": Size(20_000, 2_000),
            "beam-local": Size(500_000, 50_000),
        },
    ),
    Workload(
        "local spawn and first reply",
        "spawn",
        "/s",
        "actors: one actor creates children and sends each a message; the clock stops when all have answered; "
        "all of them are alive at once (in Pykka each is a thread)",
        {
            "garrick-local": Size(20_000, 2_000),
            "thespian-simple": Size(5_000, 500),
            "pykka": Size(1_000, 100),
            "xoscar-local": Size(3_000, 300),
            "beam-local": Size(100_000, 10_000),
        },
    ),
)
