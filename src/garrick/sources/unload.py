"""Unloading a source, and the proof that nothing of it is left.

Owns the order: refuse while it is in use, remove it everywhere (`garrick.sources.purge`), collect, and look at weak references to all
of its code. What is left is named, with what keeps it (`garrick.sources.alive`).
"""

from __future__ import annotations

import gc
import sys
import time
import types
import weakref
from dataclasses import dataclass
from typing import Any, Final

from garrick.errors import SourceInUse
from garrick.sources import loading
from garrick.sources.alive import why_alive
from garrick.sources.loading import Loaded
from garrick.sources.purge import purge

PAUSE: Final = 0.05
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True)
class Unloaded:
    """What came of it.

    Attributes:
        leaked: names of modules, classes and functions that still live; empty when all is well.
        chains: what keeps some of them, each as a list from something that lives anyway to the one that leaks.
        complaints: what functions of the source raised when they were told to end.
    """

    leaked: tuple[str, ...]
    chains: tuple[tuple[str, ...], ...]
    complaints: tuple[str, ...]


def unload(loaded: Loaded, *, force: bool = False, patience: float = 0.0) -> Unloaded:
    """Take a source out of this process.

    Args:
        loaded: the source. The caller's own reference to it does not count as a leak.
        patience: seconds in which what other threads still have in their hands may end.
        force: also while it is in use. Code that goes on finds that it can import nothing more.

    Raises:
        SourceInUse: somebody holds it.
    """
    if loaded.references > 0 and not force:
        raise SourceInUse(f"the source {loaded.hash[:8]} is held {loaded.references} times")
    if loaded.gone:
        return Unloaded((), (), ())
    watched = _watch(loaded)
    complaints = purge(loaded)
    loaded.gone = True
    loading.forget(loaded)
    deadline = time.monotonic() + patience
    while True:
        for _ in range(3):  # finalizers may make new garbage
            if not gc.collect():
                break
        left = [(name, ref) for name, ref in watched if ref() is not None]
        if not left or time.monotonic() >= deadline:
            break
        time.sleep(PAUSE)
    if not left:
        return Unloaded((), (), tuple(complaints))
    loading.survivors[loaded.name] = [ref for _, ref in left]
    chains = why_alive([ref for _, ref in left], loaded)
    return Unloaded(tuple(name for name, _ in left), tuple(chains), tuple(complaints))


def _watch(loaded: Loaded) -> list[tuple[str, weakref.ref[Any]]]:
    """Weak references to all modules of a source, and to the classes and functions that are defined in them."""
    found: dict[int, tuple[str, weakref.ref[Any]]] = {}
    for name, module in list(sys.modules.items()):
        if not isinstance(module, types.ModuleType) or vars(module).get("__builtins__") is not loaded.builtins:
            continue
        own = name.removeprefix(loaded.prefix + ".")
        found[id(module)] = (own, weakref.ref(module))
        for attribute, value in list(vars(module).items()):
            if isinstance(value, type | types.FunctionType) and value.__module__ == module.__name__:
                found[id(value)] = (f"{own}.{attribute}", weakref.ref(value))
    return list(found.values())
