"""The promises about Garrick that a run is held against."""

from __future__ import annotations

from benchmarks.catalogue.model import Budget

BUDGETS = (
    Budget("local ping-pong", 6, 8, "thespian-simple"),
    Budget("local ping-pong", 20, 20, "pykka"),
    Budget("local flood", 10, 15, "thespian-simple"),
    Budget("local flood", 8, 8, "pykka"),
    Budget("local spawn and first reply", 100_000, 200_000),
    Budget("ping-pong between processes", 8, 8, "thespian-tcp"),
    Budget("flood between processes", 30, 30, "thespian-tcp"),
    Budget("flood between processes", 400_000, 700_000),
    Budget("start, with processes", 300, 150),
    Budget("import", 80, 40),
)
