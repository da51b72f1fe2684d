"""The boundary of a simulated world, as data: what code inside may use, what it gets instead, and what nobody can catch.

Owns the list. `garrick.sim.fences` puts it into effect, and a test compares the two, so that the documentation stays true.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

How: TypeAlias = Literal["virtual", "seeded", "refused", "not caught"]


class Border(NamedTuple):
    """One thing outside of the world."""

    name: str
    """As a program names it: ``"time.time"``."""
    how: How
    """``virtual``: it works, on the world's time. ``seeded``: it works, and its outcome follows from the seed. ``refused``: it raises
    `NotSimulated`. ``not caught``: it does what it always does, and two runs may differ."""
    instead: str
    """What to use in a world, or what to know."""


_NOW = "self.now(), and self.after(...) to wait without a thread"
_DRAW = "self.random, whose stream belongs to the actor"
_THREAD = "asyncio.to_thread(...) in an async handler, which is an event of its own here; an actor; or spawn(..., isolation='thread')"
_PROCESS = "an actor that does it, for which a simulation spawns a stand-in"
_NETWORK = (
    "an actor that talks to the outside, for which a simulation spawns a stand-in; actors reach one another by messages"
)

_TIME = (
    "time",
    "time_ns",
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "process_time",
    "thread_time",
    "sleep",
    "localtime",
    "gmtime",
    "ctime",
    "strftime",
)
_RANDOM = (
    "random",
    "uniform",
    "triangular",
    "randint",
    "choice",
    "randrange",
    "sample",
    "shuffle",
    "choices",
    "normalvariate",
    "lognormvariate",
    "expovariate",
    "vonmisesvariate",
    "gammavariate",
    "gauss",
    "betavariate",
    "paretovariate",
    "weibullvariate",
    "getrandbits",
    "randbytes",
    "seed",
)
_SOCKET = ("connect", "connect_ex", "send", "sendall", "sendto", "recv", "recv_into", "recvfrom", "accept")

BOUNDARY: Final[tuple[Border, ...]] = (
    *(Border(f"time.{name}", "virtual", _NOW) for name in _TIME),
    *(Border(f"random.{name}", "seeded", _DRAW) for name in _RANDOM),
    Border("random.Random.seed", "seeded", "random.Random() without a seed gets one that follows from the world's"),
    Border("random._urandom", "seeded", "random.SystemRandom and secrets"),
    Border("os.urandom", "seeded", _DRAW),
    Border("uuid.uuid1", "seeded", "a counter of the actor, or its address"),
    Border("uuid.uuid4", "seeded", "a counter of the actor, or its address"),
    Border("threading.Thread.start", "refused", _THREAD),
    Border("_thread.start_new_thread", "refused", _THREAD),
    Border("concurrent.futures.ThreadPoolExecutor.submit", "refused", _THREAD),
    Border("multiprocessing.process.BaseProcess.start", "refused", _PROCESS),
    Border("subprocess.Popen.__init__", "refused", _PROCESS),
    Border("os.fork", "refused", _PROCESS),
    Border("os.system", "refused", _PROCESS),
    Border("os.posix_spawn", "refused", _PROCESS),
    Border("socket.socket.__init__", "refused", _NETWORK),
    *(Border(f"socket.socket.{name}", "refused", _NETWORK) for name in _SOCKET),
    Border("socket.socketpair", "refused", _NETWORK),
    Border("socket.getaddrinfo", "refused", _NETWORK),
    Border("socket.gethostbyname", "refused", _NETWORK),
    Border("select.select", "refused", _NETWORK),
    Border("datetime.datetime.now", "not caught", "datetime.fromtimestamp(time.time()); the class can't be changed"),
    Border("names bound before", "not caught", "`from time import time`: import the module, and call time.time()"),
    Border("open", "not caught", "files are the machine's: give each run a directory of its own"),
    Border("os.listdir", "not caught", "its order is the machine's: sort it"),
    Border("os.environ, os.getpid, os.getcwd", "not caught", "they are the machine's: hand in what an actor needs"),
    Border("threading.Lock and Event", "not caught", "waiting for another thread stops the world: ask, or await"),
    Border("hash() and sets of str", "not caught", "it differs between processes unless PYTHONHASHSEED is set: sort"),
    Border("id() and object.__hash__", "not caught", "they are addresses of memory: count, or use the actor's address"),
    Border(
        "extension modules", "not caught", "what C code does by itself: numpy.random without a seed, database drivers"
    ),
)
"""Everything that the simulator knows of."""


def boundary() -> tuple[Border, ...]:
    """What code in a simulated world meets at its border: time, randomness, threads, processes, sockets, and what nobody catches."""
    return BOUNDARY
