"""What it costs to begin: to make a system, to import a library."""

from __future__ import annotations

from benchmarks.catalogue.model import Size, Workload

WORKLOADS = (
    Workload(
        "start, in process",
        "start",
        "ms",
        "time until `ActorSystem(…)` has returned, in a fresh process that has imported the library",
        {"garrick-local": Size(1), "thespian-simple": Size(1), "xoscar-local": Size(1)},
    ),
    Workload(
        "start, with processes",
        "start",
        "ms",
        "time until `ActorSystem(…)` has returned, in a fresh process that has imported the library",
        {
            "garrick-multiprocess": Size(1),
            "thespian-tcp": Size(1),
            "thespian-queue": Size(1),
            "thespian-udp": Size(1),
            "xoscar-processes": Size(1),
            "ray": Size(1),
        },
    ),
    Workload(
        "import",
        "import",
        "ms",
        "time of the import in a fresh interpreter, over what the bare interpreter has loaded",
        {
            "garrick-import": Size(1),
            "thespian-import": Size(1),
            "pykka-import": Size(1),
            "floor-import": Size(1),
        },
    ),
)
