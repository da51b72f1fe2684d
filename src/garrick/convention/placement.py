"""Placement: which system and process a new actor goes to, decided by the spawner from what it knows.

Owns the choice and nothing else. Must not know runtimes, links or the directory: it is given a view, which may be stale. Rules:

* Here if it fits, else the least loaded system that fits. A refusal names the nearest miss.
* Inside a system children stay in the process of their parent; what is spawned from outside is spread by load.
* A system with the capability ``weight=3`` takes three times the actors of one without it.
* Loads in a view are stale, so what this spawner has placed since is added to them.
* ``can_run_on`` is user code: it runs here, in the spawner, on cached capabilities, once per class and set of capabilities.

Safe to call from several threads: a lost count of a placement makes the spread a little worse, nothing else.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from garrick.errors import NoCapableSystem
from garrick.requirements import missing, requirements_of


class ProcessLike(Protocol):
    """A process that hosts actors; ``load`` is how many."""

    @property
    def number(self) -> int: ...
    @property
    def load(self) -> int: ...


class SystemLike(Protocol):
    """What is known of a system; as `garrick.runtime.signals.SystemInfo`."""

    @property
    def system(self) -> str: ...
    @property
    def capabilities(self) -> Mapping[str, Any]: ...
    @property
    def processes(self) -> Sequence[ProcessLike]: ...


class ViewLike(Protocol):
    """All systems that may be spawned on; as `garrick.runtime.signals.View`. Never changed once it is given out."""

    @property
    def systems(self) -> Mapping[str, SystemLike]: ...


class SpawnerLike(Protocol):
    """The process that spawns; as `garrick.runtime.Runtime`."""

    @property
    def system(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def capabilities(self) -> Mapping[str, Any]: ...
    @property
    def view(self) -> ViewLike: ...
    @property
    def hosts_actors(self) -> bool: ...


_Place = tuple[str, int]
_NO_PROCESS = ("a process that is up",)


class Placer:
    """The placement of one spawner; called as ``placer(actor_class, requires, runtime) -> (system, process)``."""

    def __init__(self) -> None:
        self._view: ViewLike | None = None
        self._placed: dict[_Place, int] = {}
        """Actors placed since the load of that process was last heard to change."""
        self._loads: dict[_Place, int] = {}
        self._undemanding: set[Any] = set()
        """Classes without any requirement: the most frequent case is decided by one look-up."""
        self._classes: dict[str, type | None] = {}
        self._can_run: dict[tuple[type, Any], str] = {}

    def __call__(self, actor_class: Any, requires: Mapping[str, Any], spawner: SpawnerLike) -> _Place:
        """Where to create the actor.

        Raises:
            NoCapableSystem: no known system fits.
        """
        if not requires and spawner.hosts_actors and actor_class in self._undemanding:
            return spawner.system, spawner.number
        return self.choose(
            actor_class,
            requires,
            spawner.view,
            spawner.system,
            spawner.number,
            near=spawner.hosts_actors,
            capabilities=spawner.capabilities,
        )

    def forget(self, gone: Callable[[Any], bool]) -> None:
        """Keep no class for which this is true, nor its name."""
        self._undemanding = {each for each in self._undemanding if not gone(each)}
        self._classes = {each: cls for each, cls in self._classes.items() if not gone(each) and not gone(cls)}
        self._can_run = {key: verdict for key, verdict in self._can_run.items() if not gone(key[0])}

    def choose(
        self,
        actor_class: Any,
        requires: Mapping[str, Any],
        view: ViewLike,
        here: str,
        process_here: int,
        *,
        near: bool = True,
        capabilities: Mapping[str, Any] | None = None,
    ) -> _Place:
        """Where to create the actor.

        Args:
            actor_class: a class or ``"package.module.Class"``; what can't be imported here has no requirements but ``requires``.
            requires: of this spawn.
            view: what is known of all systems.
            here: the spawner's system.
            process_here: the spawner's process.
            near: whether a child stays in the spawner's process (else the load decides).
            capabilities: of ``here``, in case the view does not have it yet.

        Raises:
            NoCapableSystem: no known system fits.
        """
        if view is not self._view:
            self._take(view)
        cls = self._classes[actor_class] if actor_class in self._classes else self._resolve(actor_class)
        wanted = requirements_of(cls, requires)
        own = view.systems.get(here)
        lacking = self._lacking(cls, wanted, own.capabilities if own is not None else capabilities or {})
        if not lacking:
            if near:
                if not wanted and getattr(cls, "can_run_on", None) is None:
                    self._undemanding.add(actor_class)
                return here, process_here
            if own is not None and own.processes:
                return self._least_loaded(own, process_here)
            lacking = _NO_PROCESS
        misses = [(here, lacking)]
        fitting: list[SystemLike] = []
        for info in view.systems.values():
            if info.system != here:
                lacking = self._lacking(cls, wanted, info.capabilities) or (() if info.processes else _NO_PROCESS)
                if lacking:
                    misses.append((info.system, lacking))
                else:
                    fitting.append(info)
        if not fitting:
            raise _refusal(actor_class, wanted, misses)
        # Spawners that know the same begin at different systems, or they would all choose the same one.
        turn = process_here % len(fitting)
        best = min(fitting[turn:] + fitting[:turn], key=self._system_load)
        return self._least_loaded(best, process_here)

    def _take(self, view: ViewLike) -> None:
        loads = {(i.system, p.number): p.load for i in view.systems.values() for p in i.processes}
        self._placed = {
            place: count for place, count in self._placed.items() if self._loads.get(place) == loads.get(place, -1)
        }
        self._loads = loads
        self._view = view

    def _least_loaded(self, info: SystemLike, process_here: int) -> _Place:
        processes = info.processes
        turn = process_here % len(processes)
        best = min(
            (*processes[turn:], *processes[:turn]),
            key=lambda p: p.load + self._placed.get((info.system, p.number), 0),
        )
        place = (info.system, best.number)
        self._placed[place] = self._placed.get(place, 0) + 1
        return place

    def _system_load(self, info: SystemLike) -> float:
        load = sum(p.load + self._placed.get((info.system, p.number), 0) for p in info.processes)
        given = info.capabilities.get("weight")
        sound = isinstance(given, (int, float)) and not isinstance(given, bool) and given > 0
        weight = float(given) if sound else 1.0  # type: ignore[arg-type]
        return (load + 1) / (
            len(info.processes) * weight
        )  # plus the one to come: of two that are empty the stronger one

    def _lacking(self, cls: type | None, wanted: Mapping[str, Any], capabilities: Mapping[str, Any]) -> tuple[str, ...]:
        lacking = missing(wanted, capabilities) if wanted else ()
        check = getattr(cls, "can_run_on", None)
        if lacking or cls is None or check is None:
            return lacking
        key = (cls, _frozen(capabilities))
        verdict = self._can_run.get(key)
        if verdict is None:
            try:
                verdict = "" if check(dict(capabilities)) else "can_run_on says no"
            except Exception as error:
                verdict = f"can_run_on raised {type(error).__name__}: {error}"
            self._can_run[key] = verdict
        return (verdict,) if verdict else ()

    def _resolve(self, actor_class: Any) -> type | None:
        if not isinstance(actor_class, str):
            return actor_class if isinstance(actor_class, type) else None
        module, _, name = actor_class.rpartition(".")
        try:
            found = getattr(importlib.import_module(module), name, None)
        except Exception:
            # It may be installed on the system that runs it; if it is nowhere, the start of the actor fails and says why.
            found = None
        cls = found if isinstance(found, type) else None
        self._classes[actor_class] = cls
        return cls


def _frozen(capabilities: Mapping[str, Any]) -> Any:
    key = frozenset(capabilities.items()) if all(map(_hashable, capabilities.values())) else None
    return key if key is not None else repr(sorted(capabilities.items(), key=lambda item: item[0]))


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _refusal(
    actor_class: Any, wanted: Mapping[str, Any], misses: Sequence[tuple[str, tuple[str, ...]]]
) -> NoCapableSystem:
    name = actor_class if isinstance(actor_class, str) else getattr(actor_class, "__qualname__", repr(actor_class))
    system, lacking = min(misses, key=lambda miss: 0 if miss[1] == _NO_PROCESS else len(miss[1]))
    requirements = ", ".join(key if value is True else f"{key}={value!r}" for key, value in wanted.items())
    demand = f" (requires {requirements})" if requirements else ""
    known = f" of the {len(misses)} known" if len(misses) > 1 else ""
    return NoCapableSystem(
        f"no system{known} can run {name}{demand}; the nearest is {system.partition('@')[0]!r}, which lacks {', '.join(lacking)}",
        hint="start or join a system with these capabilities, or change the requirements; `garrick status` lists what each has",
    )
