"""Who takes part: every library on each of its bases, and the floors, as programs to start.

Owns: their names, versions and environments.
"""

from __future__ import annotations

from benchmarks.catalogue.model import Contestant

THESPIAN = "thespian==4.0.1"
PYKKA = "pykka==4.5.0"
XOSCAR = "xoscar==0.12.2"
RAY = "ray==2.60.0"
CASTY = "casty==0.30.2"
UVLOOP = "uvloop==0.23.0"

CONTESTANTS = {
    contestant.key: contestant
    for contestant in (
        Contestant("garrick-local", "Garrick, `local`", "use_garrick.py", "local", ours=True),
        Contestant("garrick-multiprocess", "Garrick, `multiprocess`", "use_garrick.py", "multiprocess", ours=True),
        Contestant("garrick-import", "`import garrick`", "import_time.py", "garrick", ours=True),
        Contestant("thespian-simple", "Thespian, simpleSystemBase", "use_thespian.py", "simpleSystemBase", THESPIAN),
        Contestant("thespian-tcp", "Thespian, multiprocTCPBase", "use_thespian.py", "multiprocTCPBase", THESPIAN),
        Contestant(
            "thespian-queue",
            "Thespian, multiprocQueueBase",
            "use_thespian.py",
            "multiprocQueueBase",
            THESPIAN,
            guard=False,
        ),
        Contestant(
            "thespian-udp", "Thespian, multiprocUDPBase", "use_thespian.py", "multiprocUDPBase", THESPIAN, guard=False
        ),
        Contestant("thespian-import", "`import thespian.actors`", "import_time.py", "thespian.actors", THESPIAN),
        Contestant("pykka", "Pykka, ThreadingActor", "use_pykka.py", "ThreadingActor", PYKKA),
        Contestant("pykka-import", "`import pykka`", "import_time.py", "pykka", PYKKA),
        Contestant("xoscar-local", "xoscar, one process", "use_xoscar.py", "local", XOSCAR, guard=False),
        Contestant("xoscar-processes", "xoscar, sub-processes", "use_xoscar.py", "processes", XOSCAR, guard=False),
        Contestant("ray", "Ray", "use_ray.py", "processes", RAY, guard=False),
        Contestant("casty", "casty, one system", "use_casty.py", "local", CASTY, guard=False, least_python="3.12"),
        Contestant("beam-local", "Erlang, one node", "use_beam.erl", "local", guard=False),
        Contestant("beam-nodes", "Erlang, two nodes", "use_beam.erl", "nodes", guard=False),
        Contestant("floor-deque", "floor: a deque and a loop", "floors.py", "deque", floor=True),
        Contestant("floor-asyncio", "floor: asyncio and its queues", "use_asyncio.py", "asyncio", floor=True),
        Contestant("floor-copy", "floor: a copy inside one process", "floor_copy.py", "memory", floor=True),
        Contestant("floor-socket", "floor: a Unix socket and pickle", "floors.py", "socket", floor=True),
        Contestant("floor-loop", "floor: the same on asyncio's loop", "loops.py", "asyncio", floor=True),
        Contestant("floor-uvloop", "floor: the same on uvloop", "loops.py", "uvloop", UVLOOP, floor=True, guard=False),
        Contestant("floor-import", "floor: `import asyncio`", "import_time.py", "asyncio", floor=True),
    )
}
