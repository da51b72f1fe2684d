"""Why something still lives: the shortest chains of references that lead to it from outside.

Owns the search: layer by layer backwards over what the garbage collector knows, so the cost is a few passes over the heap, whatever the
number of objects asked for. What only a compiled extension refers to is not seen.
"""

from __future__ import annotations

import gc
import sys
import threading
import types
import weakref
from collections.abc import Sequence
from inspect import CO_OPTIMIZED
from typing import Any, Final

from garrick.sources.loading import Loaded
from garrick.sources.purge import belongs

DEPTH: Final = 12
CHAINS: Final = 3
HIDDEN: Final = "something that the garbage collector does not see, such as a compiled extension"


def why_alive(references: Sequence[weakref.ref[Any]], loaded: Loaded) -> list[tuple[str, ...]]:
    """Chains from outside of a source to code of it that should be gone.

    Args:
        references: to the code.
        loaded: the source.
    """
    return _Search(references, loaded).chains()


def _variables(frame: types.FrameType) -> list[tuple[str, Any]]:
    """The variables of a frame; up to Python 3.12 looking at them leaves a copy in the frame, which would keep them alive."""
    seen = frame.f_locals
    found = list(seen.items())
    if type(seen) is dict and frame.f_code.co_flags & CO_OPTIMIZED:
        seen.clear()
    return found


class _Search:
    def __init__(self, references: Sequence[weakref.ref[Any]], loaded: Loaded) -> None:
        self._loaded = loaded
        self._below: dict[int, tuple[Any, Any]] = {}
        """What was found, by id: the thing, and the one that it refers to and that was found before."""
        for ref in references:
            thing = ref()
            if thing is not None:
                self._below[id(thing)] = (thing, None)
        self._modules = {
            id(vars(module)): name for name, module in list(sys.modules.items()) if hasattr(module, "__dict__")
        }

        self._roots: dict[int, str] = {}
        """What variables of functions that run now refer to, by id."""

    def chains(self) -> list[tuple[str, ...]]:
        found = self._running()
        heap = [each for each in gc.get_objects() if each is not self and each is not self._below and each is not found]
        layer = set(self._below)
        for _ in range(DEPTH):
            if len(found) >= CHAINS or not layer:
                break
            following: set[int] = set()
            for thing in heap:
                if id(thing) in self._below or isinstance(thing, types.FrameType):
                    continue
                for referent in gc.get_referents(thing):
                    if id(referent) in layer:
                        self._below[id(thing)] = (thing, referent)
                        end = self._end(thing)
                        if end is None:
                            following.add(id(thing))
                        elif len(found) < CHAINS:
                            found.append((end, *self._path(referent, thing)))
                        break
            layer = following
        return found or [(HIDDEN,)]

    def _running(self) -> list[tuple[str, ...]]:
        """Code that runs now, and variables of functions that run now."""
        found: list[tuple[str, ...]] = []
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        for ident, top in sys._current_frames().items():
            frame: types.FrameType | None = top
            while frame is not None:
                where = f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})"
                if frame.f_globals.get("__builtins__") is self._loaded.builtins:
                    found.append((f"thread {names.get(ident, ident)}", f"runs {where}"))
                elif frame.f_globals.get("__name__") not in {__name__, "garrick.sources.unload"}:
                    for variable, value in _variables(frame):
                        self._roots.setdefault(id(value), f"{where}, {variable}")
                        if id(value) in self._below or belongs(value, self._loaded):
                            found.append(
                                (f"thread {names.get(ident, ident)}", where, f"{variable}: {self._name(value)}")
                            )
                frame = frame.f_back
        return found[:CHAINS]

    def _end(self, thing: Any) -> str | None:
        """How something outside of the source is called, if it lives anyway; None: it is one more link."""
        root = self._roots.get(id(thing))
        if root is not None:
            return root
        if isinstance(thing, types.ModuleType) and not belongs(thing, self._loaded):
            return f"module {thing.__name__}"
        name = self._modules.get(id(thing))
        return None if name is None else f"module {name}"

    def _path(self, thing: Any, above: Any) -> list[str]:
        found = []
        while thing is not None:
            found.append(self._described(thing, above))
            above, thing = thing, self._below[id(thing)][1]
        return found

    def _described(self, thing: Any, above: Any) -> str:
        text = self._name(thing)
        if isinstance(above, dict):
            key = next((key for key, value in above.items() if value is thing), None)
            if isinstance(key, str):
                return f"{key}: {text}"
        return text

    def _name(self, thing: Any) -> str:
        if isinstance(thing, type | types.FunctionType):
            kind = "class" if isinstance(thing, type) else "function"
            return f"{kind} {self._own(thing.__module__)}.{thing.__qualname__}"
        if isinstance(thing, types.ModuleType):
            return f"module {self._own(thing.__name__)}"
        if isinstance(thing, dict) and thing.get("__builtins__") is self._loaded.builtins:
            return f"globals of {self._own(thing.get('__name__', '?'))}"
        cls = type(thing)
        return f"{self._own(cls.__module__)}.{cls.__qualname__}".removeprefix("builtins.")

    def _own(self, name: Any) -> str:
        return str(name).removeprefix(self._loaded.prefix + ".")
