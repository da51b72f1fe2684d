"""Small helpers that programs take from upstream: an internal log, functions on sequences, and choices by capability."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from thespian._capabilities import CHECK, fits
from thespian._hostclass import resolve

T = TypeVar("T")
R = TypeVar("R")
K = TypeVar("K")
V = TypeVar("V")

_log = logging.getLogger("thespian")


def thesplog(msg: str, *args: Any, **kw: Any) -> None:
    """Write to the logger ``thespian``.

    Args:
        msg: a format for ``args``.
        args: what goes into it.
        kw: ``level``, of the logging module.
    """
    _log.log(kw.get("level", logging.INFO), msg, *args)


def thesplog_control(baseLevel: int = logging.DEBUG, useLogging: bool = True, tmpFileMaxSize: int = 0) -> None:
    """Choose what goes to the logger ``thespian``.

    Args:
        baseLevel: the lowest level.
        useLogging: whether anything is logged.
        tmpFileMaxSize: of upstream's own file, which does not exist here.
    """
    del tmpFileMaxSize
    _log.setLevel(baseLevel)
    _log.disabled = not useLogging


def partition(testPred: Callable[[T], Any], inpList: Iterable[T]) -> tuple[list[T], list[T]]:
    """Those for which the predicate is true, and the others."""
    true: list[T] = []
    false: list[T] = []
    for item in inpList:
        (true if testPred(item) else false).append(item)
    return true, false


def fmap(func: Callable[[Any], Any], obj: Any) -> Any:
    """Apply a function to what is in a list, a tuple, the values of a dict, an object with ``fmap``; else to the thing itself."""
    if hasattr(obj, "fmap"):
        return obj.fmap(func)
    if isinstance(obj, (list, tuple)):
        return type(obj)([fmap(func, item) for item in obj])
    if isinstance(obj, dict):
        return {key: fmap(func, value) for key, value in obj.items()}
    return func(obj)


def actualActorClass(actorClass: Any, *_: Any) -> type:
    """The class, also when only its name is given.

    Raises:
        StartRefused: there is none.
    """
    return resolve(actorClass)


def checkActorCapabilities(
    actorClass: Any, capabilities: Mapping[str, Any] | None = None, requirements: Any = None, *_: Any
) -> bool:
    """Whether an actor of this class may run on a system with these capabilities."""
    cls = resolve(actorClass)
    return not hasattr(cls, CHECK) or fits(cls, capabilities or {}, requirements)


def withPossibleInitArgs(**kw: Any) -> Callable[[type[T]], T]:
    """A function that makes objects of a class and gives its ``__init__`` those of these arguments that it has parameters for."""

    def make(cls: type[T]) -> T:
        init: Any = cls.__init__
        if init is object.__init__:
            return cls()
        parameters = inspect.signature(init).parameters.values()
        wanted = {p.name for p in parameters if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD}
        return cls(**{name: value for name, value in kw.items() if name in wanted})

    return make


class AssocList(Generic[K, V]):
    """Pairs of keys, compared by equality only, and values."""

    def __init__(self) -> None:
        self._pairs: list[tuple[K, V]] = []

    def find(self, key: K) -> V | None:
        """The value of a key, or None."""
        return next((value for one, value in self._pairs if one == key), None)

    def add(self, key: K, value: V) -> None:
        """Set the value of a key."""
        self.rmv(key)
        self._pairs.append((key, value))

    def rmv(self, key: K) -> None:
        """Remove a key, if it is there."""
        self._pairs = [pair for pair in self._pairs if pair[0] != key]

    def rmv_value(self, value: V) -> None:
        """Remove all keys of a value."""
        self._pairs = [pair for pair in self._pairs if pair[1] != value]

    def values(self) -> list[V]:
        """All values."""
        return [value for _, value in self._pairs]

    def items(self) -> list[tuple[K, V]]:
        """All pairs."""
        return list(self._pairs)

    def __iter__(self) -> Iterator[tuple[K, V]]:
        return iter(self.items())

    def __len__(self) -> int:
        return len(self._pairs)


class StatsManager:
    """Counters by name."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def inc(self, kind: str) -> None:
        """Count one more."""
        self._counts[kind] = self._counts.get(kind, 0) + 1

    def copyToStatusResponse(self, response: Any) -> None:
        """Add the counters to a status."""
        response.miscKeyVals.extend(sorted(self._counts.items()))
