"""`Systems`: all systems that a process may spawn on: its own, and those of the convention.

Owns the joining of the two, without a copy: the others may be thousands, and one object for many systems. Pickled it is a plain dict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from garrick.runtime.signals import SystemInfo


class Systems(Mapping[str, SystemInfo]):
    """Never changed. The own system comes first; what ``others`` say of it does not count."""

    __slots__ = ("_others", "_own")

    def __init__(self, own: SystemInfo, others: Mapping[str, SystemInfo]) -> None:
        self._own = own
        self._others = others

    def __getitem__(self, system: str) -> SystemInfo:
        return self._own if system == self._own.system else self._others[system]

    def __iter__(self) -> Iterator[str]:
        own = self._own.system
        yield own
        for system in self._others:
            if system != own:
                yield system

    def __len__(self) -> int:
        return len(self._others) + (self._own.system not in self._others)

    def __reduce__(self) -> Any:
        return dict, (tuple(self.items()),)

    def __repr__(self) -> str:
        return repr(dict(self))


def changed_by(
    systems: Mapping[str, SystemInfo], changed: Mapping[str, SystemInfo], gone: Iterable[str]
) -> dict[str, SystemInfo]:
    """The systems of a View after a `ViewChange`; the given mapping stays as it is."""
    after = {**systems, **changed}
    for system in gone:
        after.pop(system, None)
    return after
