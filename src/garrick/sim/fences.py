"""The fences of a world: what code inside of it gets when it reaches for the outside.

Owns the patches of the standard library that put `garrick.sim.border` into effect. They are in place only while some world is being
driven, and even then only code that a kernel steps notices them: everybody else gets the real thing. Invariants:

* Nothing stays patched when no world runs.
* What is seeded follows from the world's seed and the actor alone: what one actor draws moves nothing of another one.

The garbage collector is driven here, too: finalizers run at fixed steps, not when memory happens to be short.
"""

from __future__ import annotations

import gc
import importlib
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from garrick.errors import InvalidArgument, NotSimulated
from garrick.observe.here import OWNER
from garrick.sim.border import BOUNDARY, Border

if TYPE_CHECKING:
    from garrick.runtime.cell import Cell
    from garrick.sim.hands import Crew

COLLECT_STEPS: Final = 1009
"""Steps between two runs of the garbage collector over what is young."""
BURIED: Final = 100
"""Systems that end between two runs of it over everything."""

_NOT_THERE: Final = object()
_lock = threading.Lock()
_crews: list[Crew] = []
_patches: list[tuple[Any, str, Any, Any]] = []
"""``(owner, name, the real one, the one in its place)``"""


class HandThread(threading.Thread):
    """A thread of the world's own, of which one runs at a time: the only kind that may be started inside."""


def inside() -> Crew | None:
    """The world whose code the current thread runs."""
    for crew in tuple(_crews):
        if crew.inside():
            return crew
    return None


def _cell(crew: Crew) -> Cell | None:
    hand = crew.running
    cell = hand.cell if hand is not None else None
    return cell if cell is not None else OWNER.get(None)


def _clock(crew: Crew) -> Any:
    cell = _cell(crew)
    if cell is not None:
        return cell.runtime.clock
    runtime = crew.running.runtime if crew.running is not None else None
    return runtime.clock if runtime is not None else crew.kernel.clock


def _stream(crew: Crew) -> random.Random:
    """What the current actor draws from outside of ``self.random``."""
    cell = _cell(crew)
    if cell is not None:
        return cell.runtime.random.stream(f"{cell.address} outside")
    return crew.random.stream("outside")


# --- what code inside gets ------------------------------------------------------------------------------------------------


def _sleep(crew: Crew, _real: Any, seconds: float) -> None:
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    crew.sleep(seconds)


def _broken_down(crew: Crew, real: Any, seconds: float | None = None) -> Any:
    return real(_clock(crew).wall() if seconds is None else seconds)


def _strftime(crew: Crew, real: Any, form: str, *given: Any) -> Any:
    return real(form, *(given or (_real(time, "localtime")(_clock(crew).wall()),)))


def _wall_ns(crew: Crew, _real: Any) -> int:
    wall: float = _clock(crew).wall()
    return round(wall * 1e9)


def _seed(crew: Crew, real: Any, generator: random.Random, a: Any = None, *rest: Any, **more: Any) -> Any:
    if a is None and not isinstance(generator, random.SystemRandom):
        a = _stream(crew).getrandbits(64)
    return real(generator, a, *rest, **more)


def _bytes(crew: Crew, _real: Any, count: int) -> bytes:
    return _stream(crew).randbytes(count)


def _uuid1(crew: Crew, _real: Any, node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
    stream = _stream(crew)
    stamp = _clock(crew).ns // 100 + 0x01B21DD213814000 + stream.getrandbits(16)
    sequence = stream.getrandbits(14) if clock_seq is None else clock_seq
    fields = (stamp & 0xFFFFFFFF, stamp >> 32 & 0xFFFF, stamp >> 48 & 0x0FFF, sequence >> 8 & 0x3F, sequence & 0xFF)
    return uuid.UUID(fields=(*fields, stream.getrandbits(48) if node is None else node), version=1)


def _uuid4(crew: Crew, _real: Any) -> uuid.UUID:
    return uuid.UUID(bytes=_stream(crew).randbytes(16), version=4)


def _start_thread(_crew: Crew, real: Any, thread: threading.Thread) -> Any:
    if isinstance(thread, HandThread):
        return real(thread)
    raise refusal("threading.Thread.start")


_SPECIAL: Final[dict[str, Callable[..., Any]]] = {
    "time.time": lambda crew, _: _clock(crew).wall(),
    "time.time_ns": _wall_ns,
    **{
        f"time.{name}": lambda crew, _: _clock(crew).now()
        for name in ("monotonic", "perf_counter", "process_time", "thread_time")
    },
    "time.monotonic_ns": lambda crew, _: _clock(crew).ns,
    "time.perf_counter_ns": lambda crew, _: _clock(crew).ns,
    "time.sleep": _sleep,
    "time.localtime": _broken_down,
    "time.gmtime": _broken_down,
    "time.ctime": _broken_down,
    "time.strftime": _strftime,
    "random.Random.seed": _seed,
    "random._urandom": _bytes,
    "os.urandom": _bytes,
    "uuid.uuid1": _uuid1,
    "uuid.uuid4": _uuid4,
    "threading.Thread.start": _start_thread,
}
"""What takes the place of what, called with the world and the real one; what is not here draws from a stream or is refused."""


def refusal(name: str) -> NotSimulated:
    """What raises in place of this name of the boundary."""
    border = next(border for border in BOUNDARY if border.name == name)
    return NotSimulated(f"{name} can't be repeated in a simulated world", hint=f"use {border.instead}")


def _replacement(border: Border, real: Any) -> Any:
    name = border.name
    special = _SPECIAL.get(name)
    if special is not None:

        def instead(*args: Any, **kwargs: Any) -> Any:
            crew = inside()
            return real(*args, **kwargs) if crew is None else special(crew, real, *args, **kwargs)

    elif border.how == "seeded":
        method = name.rpartition(".")[2]

        def instead(*args: Any, **kwargs: Any) -> Any:
            crew = inside()
            return real(*args, **kwargs) if crew is None else getattr(_stream(crew), method)(*args, **kwargs)

    else:

        def instead(*args: Any, **kwargs: Any) -> Any:
            if inside() is None:
                return real(*args, **kwargs)
            raise refusal(name)

    instead.__name__ = name.rpartition(".")[2]
    return instead


# --- putting it into effect -------------------------------------------------------------------------------------------------


def place(name: str) -> tuple[Any, str]:
    """The object and its attribute that a name of the boundary stands for."""
    path = name.split(".")
    for cut in range(len(path) - 1, 0, -1):
        try:
            owner: Any = importlib.import_module(".".join(path[:cut]))
        except ModuleNotFoundError:
            continue
        for part in path[cut:-1]:
            owner = getattr(owner, part)
        return owner, path[-1]
    raise InvalidArgument(f"{name!r} is nowhere", hint="names begin with a module")


def _prepare() -> None:
    for border in BOUNDARY:
        if border.how != "not caught":
            owner, name = place(border.name)
            inherited = getattr(owner, name)
            real = vars(owner).get(name, _NOT_THERE)
            _patches.append((owner, name, real, _replacement(border, inherited)))


def _real(owner: Any, name: str) -> Any:
    return next(real for where, what, real, _ in _patches if where is owner and what == name)


def _patch() -> None:
    if not _patches:
        _prepare()
    for at, (owner, name, before, instead) in enumerate(_patches):
        real = vars(owner).get(name, _NOT_THERE)
        if real is not before:  # somebody else has patched it meanwhile: what they did is what is real
            border = next(border for border in BOUNDARY if place(border.name) == (owner, name))
            instead = _replacement(border, getattr(owner, name))
            _patches[at] = (owner, name, real, instead)
        setattr(owner, name, instead)


def _restore() -> None:
    for owner, name, real, instead in _patches:
        if vars(owner).get(name) is instead:
            if real is _NOT_THERE:
                delattr(owner, name)
            else:
                setattr(owner, name, real)


@contextmanager
def fenced(crew: Crew) -> Iterator[None]:
    """Code that this crew steps meets the fences."""
    with _lock:
        if not _crews:
            _patch()
        _crews.append(crew)
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.collect(0)  # what has become garbage ends here, not wherever the program happens to allocate next
        if collects:
            gc.enable()
        with _lock:
            _crews.remove(crew)
            if not _crews:
                _restore()


__all__ = ["BURIED", "COLLECT_STEPS", "HandThread", "fenced", "inside", "place", "refusal"]
