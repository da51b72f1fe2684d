"""Workloads whose actors live in two processes."""

from __future__ import annotations

from benchmarks.catalogue.model import Size, Workload

WORKLOADS = (
    Workload(
        "ping-pong between processes",
        "ping-pong",
        "/s",
        "messages: as local, the two actors in two processes; every hop is pickled. In xoscar and Ray the one calls the "
        "other and waits for what it returns; Erlang has its own format and sends it over TCP",
        {
            "garrick-multiprocess": Size(20_000, 2_000),
            "thespian-tcp": Size(2_000, 200),
            "thespian-queue": Size(3_000, 300),
            "thespian-udp": Size(5_000, 500),
            "xoscar-processes": Size(5_000, 500),
            "ray": Size(2_000, 200),
            "beam-nodes": Size(20_000, 2_000),
            "floor-socket": Size(20_000, 2_000),
            "floor-loop": Size(20_000, 2_000),
            "floor-uvloop": Size(50_000, 5_000),
        },
    ),
    Workload(
        "flood between processes",
        "flood",
        "/s",
        "messages: as local, the two actors in two processes; every message is pickled by itself. Thespian sends "
        "2,500 in batches of ten: that is where it is fastest (1,500/s one by one, 550/s all at once), and below "
        "the 3,136 sends after which its rate limit begins; on its Queue and UDP bases the same 2,500 in batches of a "
        "hundred. In xoscar each message is a `tell`, in Ray a call whose result nobody reads, and the answer to one more "
        "call closes the batch",
        {
            "garrick-multiprocess": Size(200_000, 20_000, 1000),
            "thespian-tcp": Size(2_500, 250, 10),
            "thespian-queue": Size(2_500, 250, 100),
            "thespian-udp": Size(2_500, 250, 100),
            "xoscar-processes": Size(10_000, 1_000, 1000),
            "ray": Size(2_500, 250, 1000),
            "beam-nodes": Size(200_000, 20_000, 10_000),
            "floor-socket": Size(500_000, 50_000, 0),
            "floor-loop": Size(300_000, 30_000, 1000),
            "floor-uvloop": Size(300_000, 30_000, 1000),
        },
    ),
    Workload(
        "ask between processes",
        "ask",
        "/s",
        "questions: the program asks an actor in another process, waits for the answer, checks it, asks again (the "
        "floor answers with what it was sent)",
        {
            "garrick-multiprocess": Size(5_000, 500),
            "thespian-tcp": Size(1_000, 100),
            "thespian-queue": Size(1_500, 150),
            "thespian-udp": Size(5_000, 500),
            "xoscar-processes": Size(5_000, 500),
            "ray": Size(1_000, 100),
            "beam-nodes": Size(10_000, 1_000),
            "floor-socket": Size(10_000, 1_000),
        },
    ),
)
