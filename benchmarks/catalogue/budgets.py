"""The promises about Garrick that a run is held against."""

from __future__ import annotations

from benchmarks.catalogue.model import Budget

BUDGETS = (
    Budget("local ping-pong", 6, 8, "thespian-simple"),
    Budget("local ping-pong", 20, 20, "pykka"),
    Budget("local ping-pong", 0.25, 0.4, "beam-local"),
    Budget("local flood", 10, 15, "thespian-simple"),
    Budget("local flood", 8, 8, "pykka"),
    Budget("local flood", 0.15, 0.25, "beam-local"),
    Budget("local spawn and first reply", 100_000, 200_000),
    Budget("ping-pong between processes", 8, 8, "thespian-tcp"),
    Budget("ping-pong between processes", 8, 8, "thespian-queue"),
    Budget("ping-pong between processes", 3, 3, "xoscar-processes"),
    Budget("ping-pong between processes", 10, 10, "ray"),
    Budget("flood between processes", 30, 30, "thespian-tcp"),
    Budget("flood between processes", 30, 30, "thespian-queue"),
    Budget("flood between processes", 30, 30, "xoscar-processes"),
    Budget("flood between processes", 400_000, 700_000),
    Budget("start, with processes", 300, 150),
    Budget("import", 80, 40),
    Budget("ask from inside", 5, 10, "pykka"),
    Budget("ask from inside, awaited", 5, 10, "pykka"),
    Budget("ask from async to sync, one by one", 100, 100),
    Budget("ask from async to sync, many at once", 15, 15),
    Budget("fifty sleepers", 250, 250),
    Budget("fifty sleepers: ping p99", 20, 10),
    Budget("fifty sleepers in a worker", 250, 250),
    Budget("fifty sleepers in a worker: ping p99", 20, 10),
    Budget("fifty sleepers of fifty classes", 350, 350),
    Budget("fifty sleepers of fifty classes: ping p99", 150, 50),
    Budget("fifty sleepers of fifty classes in a worker", 350, 350),
    Budget("fifty sleepers of fifty classes in a worker: ping p99", 150, 50),
    Budget("memory of an idle actor", 1024, 750),
    Budget("a million idle actors, memory of each", 1024, 750),
    Budget("actors with a process each", 150, 150),
    Budget("actors with a process each, memory", 5, 5),
)
