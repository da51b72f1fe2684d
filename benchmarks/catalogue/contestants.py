"""Who takes part: every library on each of its bases, and the floors, as programs to start.

Owns: their names, versions and environments.
"""

from __future__ import annotations

from benchmarks.catalogue.model import Contestant

THESPIAN = "thespian==4.0.1"
PYKKA = "pykka==4.5.0"

CONTESTANTS = {
    contestant.key: contestant
    for contestant in (
        Contestant("garrick-local", "Garrick, `local`", "use_garrick.py", "local", ours=True),
        Contestant("garrick-multiprocess", "Garrick, `multiprocess`", "use_garrick.py", "multiprocess", ours=True),
        Contestant("garrick-import", "`import garrick`", "import_time.py", "garrick", ours=True),
        Contestant("thespian-simple", "Thespian, simpleSystemBase", "use_thespian.py", "simpleSystemBase", THESPIAN),
        Contestant("thespian-tcp", "Thespian, multiprocTCPBase", "use_thespian.py", "multiprocTCPBase", THESPIAN),
        Contestant("thespian-import", "`import thespian.actors`", "import_time.py", "thespian.actors", THESPIAN),
        Contestant("pykka", "Pykka, ThreadingActor", "use_pykka.py", "ThreadingActor", PYKKA),
        Contestant("pykka-import", "`import pykka`", "import_time.py", "pykka", PYKKA),
        Contestant("floor-deque", "floor: a deque and a loop", "floors.py", "deque", floor=True),
        Contestant("floor-socket", "floor: a Unix socket and pickle", "floors.py", "socket", floor=True),
        Contestant("floor-import", "floor: `import asyncio`", "import_time.py", "asyncio", floor=True),
    )
}
