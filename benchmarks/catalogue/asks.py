"""Questions: from actor to actor, and how long the program waits for a single answer."""

from __future__ import annotations

from benchmarks.catalogue.model import Size, Workload

ASKED = "the program asks an actor, waits for the answer, asks again; every question is timed by itself"
LOCAL = {
    "garrick-local": Size(20_000, 1_000),
    "thespian-simple": Size(20_000, 1_000),
    "pykka": Size(10_000, 1_000),
}
ACROSS = {"garrick-multiprocess": Size(5_000, 500), "thespian-tcp": Size(1_000, 100)}

WORKLOADS = (
    Workload(
        "ask from inside",
        "sync",
        "/s",
        "questions: an actor asks another in its process from a synchronous handler, waits for the answer and checks it",
        {"garrick-local": Size(50_000, 5_000), "pykka": Size(20_000, 2_000)},
        group="asks",
    ),
    Workload(
        "ask from inside, awaited",
        "async",
        "/s",
        "questions: as before, asked by an async handler, answered by an async handler (in Pykka, which has none, by "
        "synchronous ones; in asyncio a task takes them from its queue and sets a future)",
        {
            "garrick-local": Size(20_000, 2_000),
            "pykka": Size(20_000, 2_000),
            "floor-asyncio": Size(20_000, 2_000),
        },
        group="asks",
    ),
    Workload(
        "ask from async to sync, one by one",
        "hop",
        "µs",
        "questions: an async handler asks an actor with a synchronous one, one question at a time",
        {"garrick-local": Size(10_000, 1_000)},
        group="asks",
        short=False,
    ),
    Workload(
        "ask from async to sync, many at once",
        "hops",
        "µs",
        "questions: an async handler asks an actor with a synchronous one, 1,000 questions at a time",
        {"garrick-local": Size(50_000, 5_000, 1_000)},
        group="asks",
        short=False,
    ),
    Workload("local ask latency, p50", "latency", "µs", f"the median: {ASKED}", LOCAL, "asks", "p50", short=False),
    Workload(
        "local ask latency, p99", "latency", "µs", "the 99th percentile of the same", LOCAL, "asks", "p99", short=False
    ),
    Workload(
        "ask latency between processes, p50",
        "latency",
        "µs",
        f"the median: {ASKED}",
        ACROSS,
        "asks",
        "p50",
        short=False,
    ),
    Workload(
        "ask latency between processes, p99",
        "latency",
        "µs",
        "the 99th percentile of the same",
        ACROSS,
        "asks",
        "p99",
        short=False,
    ),
)
