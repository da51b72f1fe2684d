"""Other messages than small tuples between two processes."""

from __future__ import annotations

from benchmarks.catalogue.model import Size, Workload

WORKLOADS = (
    Workload(
        "flood of dataclasses between processes",
        "dataclasses",
        "/s",
        "messages: as the flood of tuples, of new instances of a dataclass with four fields. Batches: Garrick 1,000, "
        "Thespian 10",
        {"garrick-multiprocess": Size(100_000, 10_000, 1_000), "thespian-tcp": Size(2_500, 250, 10)},
        "bulk",
        short=False,
    ),
    Workload(
        "flood of 64 KB between processes",
        "64 KB",
        "/s",
        "messages: as the flood of tuples, each with 65,536 bytes. Batches: Garrick 100, Thespian 10",
        {"garrick-multiprocess": Size(10_000, 1_000, 100), "thespian-tcp": Size(500, 50, 10)},
        "bulk",
        short=False,
    ),
    Workload(
        "array of 64 MiB between processes",
        "array",
        "ms",
        "transfers: an actor sends another an array, which hands its memory to pickle as NumPy's do, and waits until that "
        "one has told what is in two places of it. The floor copies 64 MiB inside one process into fresh memory",
        {"garrick-multiprocess": Size(20, 4, 64), "thespian-tcp": Size(2, 0, 64), "floor-copy": Size(20, 4, 64)},
        "bulk",
        short=False,
    ),
)
