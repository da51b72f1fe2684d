"""Actors of a version that drains: they are told, and those that want it go over to the next version, each at its own address.

Owns the attempts of one process. Must not know when a version drains, nor who decides (`garrick.node.admin.sources`). Runs on the holder of
the baton. Invariants:

* An instance is replaced between two messages, when none of its handlers is under way and nothing in its mailbox is of its own version.
* Whatever raises on the way leaves the old instance as it was, and in its place.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from garrick.actor import Actor
from garrick.errors import BadActorClass, SourceRetired
from garrick.messages import SourceDraining
from garrick.runtime import stash, supervise
from garrick.runtime.cell import RUNNING, Cell
from garrick.runtime.inspection import chunks
from garrick.runtime.keeping import keep
from garrick.runtime.reports import class_name, describe
from garrick.runtime.signals import Told
from garrick.sources import loading
from garrick.sources.roster import DRAINING, Roster, Version, part, part_of, parts_in

if TYPE_CHECKING:
    from garrick.runtime.runtime import Runtime

log = logging.getLogger("garrick.actor")

ATTEMPTS = 3
"""So many attempts of one actor may fail; then it stays what it is."""


@dataclass
class Draining:
    """What this process knows of the draining of one version.

    Attributes:
        version: as it was told last.
        told: serials of actors that have got the notice.
        trying: those with an attempt under way.
        failed: how many attempts of each have failed.
        why: why an actor is still what it was.
    """

    version: Version
    told: set[int] = field(default_factory=set)
    trying: set[int] = field(default_factory=set)
    failed: dict[int, int] = field(default_factory=dict)
    why: dict[int, str] = field(default_factory=dict)


class Successions:
    """All versions that drain, in one runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.draining: dict[str, Draining] = {}

    def roster_is(self, roster: Roster) -> None:
        """The table is this now; holder only."""
        drains = {v.hash: v for v in roster.versions.values() if v.state == DRAINING}
        for digest in [digest for digest in self.draining if digest not in drains]:
            del self.draining[digest]
        for digest, version in drains.items():
            known = self.draining.get(digest)
            if known is None:
                self.draining[digest] = Draining(version)
            elif (known.version.successor, known.version.seconds) != (version.successor, version.seconds):
                known.version = version
                known.told.clear()
                known.failed.clear()

    def look(self, digest: str) -> Iterator[None]:
        """Tell the actors of a version that have not been told, and try again with those that have not gone over; in steps."""
        draining = self.draining.get(digest)
        if draining is None:
            return
        name = part(digest)
        self._elsewhere(draining, name)
        for cells in chunks(self.runtime):
            for cell in cells:
                if part_of(cell.spec.actor_class) == name:
                    self._deal_with(draining, cell)
            yield

    def why(self, digest: str, serial: int) -> str | None:
        """Why this actor has not gone over."""
        draining = self.draining.get(digest)
        return draining.why.get(serial) if draining is not None else None

    def _elsewhere(self, draining: Draining, name: str) -> None:
        """Children that are made again here, or wait for a place: of the next version."""
        relocations = self.runtime.relocations
        specs: list[Any] = [*relocations.movable.values(), *relocations.waiting]
        for each in specs:
            cls = each.spec.actor_class
            if part_of(cls) == name and draining.version.successor is not None and policy_of(cls) != "pin":
                try:
                    new = successor_of(cls, draining.version)
                except Exception as error:
                    log.warning("%s has no successor: %s", cls.__qualname__, describe(error))
                    continue
                each.spec = replace(each.spec, actor_class=new, plain=False)

    def _deal_with(self, draining: Draining, cell: Cell) -> None:
        runtime, version, serial = self.runtime, draining.version, cell.address.serial
        if cell in runtime.relocations.waiting or cell.state != RUNNING:
            return
        if serial not in draining.told:
            draining.told.add(serial)
            notice = SourceDraining(version.hash, version.successor, version.seconds)
            runtime.post(runtime.signal, (cell, Told(notice), None))
        policy = policy_of(type(cell.actor))
        if policy not in ("restart", "migrate"):
            draining.why[serial] = f"on_drain is {policy!r}"
        elif version.successor is None:
            draining.why[serial] = "there is no next version"
        elif serial not in draining.trying and draining.failed.get(serial, 0) < ATTEMPTS:
            draining.trying.add(serial)
            attempt = (draining, cell, policy)
            if cell.queue is None:
                runtime.post(self._in_turn, attempt)
            else:
                runtime.enqueue(cell, (runtime.control, self._attempt, attempt))

    def _in_turn(self, attempt: tuple[Draining, Cell, str]) -> bool:
        cell = attempt[1]
        if cell.queue is None:
            return self._attempt(attempt)
        self.runtime.enqueue(cell, (self.runtime.control, self._attempt, attempt))
        return False

    def _attempt(self, attempt: tuple[Draining, Cell, str]) -> bool:
        """In the turn of the actor."""
        draining, cell, _policy = attempt
        serial = cell.address.serial
        obstacle = self._obstacle(draining, cell)
        if obstacle is not None:
            draining.trying.discard(serial)
            draining.why[serial] = obstacle
            return False
        return self.runtime.run_step(cell, _change, attempt, _changed)

    def _obstacle(self, draining: Draining, cell: Cell) -> str | None:
        if self.draining.get(draining.version.hash) is not draining or cell.state != RUNNING or cell.stop_asked:
            return "it is ending, or nothing drains any more"
        if cell.busy or cell.waits or (cell.executor is not None and cell.executor.flights):
            return "one of its handlers is under way"
        if cell.behaviour is not None:
            return "it has another behaviour (become) for the time being"
        if type(cell.actor)._reentrant:
            return "reentrant actors can't go over"
        name = part(draining.version.hash)
        waiting = [*(cell.queue or ()), *(cell.stash.aside if cell.stash is not None else ())]
        if any(name in parts_in(item[1]) for item in waiting if item[0] is cell):
            return "messages of its own version wait in its mailbox"
        return None


def policy_of(cls: Any) -> str:
    """What becomes of the actors of a class."""
    return str(getattr(cls, "on_drain", "finish"))


def successor_of(cls: type, version: Version) -> type[Actor]:
    """The class of the same name in the next version.

    Raises:
        BadActorClass: there is none, or it is no actor class.
    """
    assert version.successor is not None
    loaded = loading.loaded(version.successor) or loading.wanted(part(version.successor))
    name = f"{cls.__module__.partition(part(version.hash) + '.')[2]}.{cls.__qualname__}"
    found = loading.class_of(loaded, name)
    if not issubclass(found, Actor):
        raise BadActorClass(f"{name} of the next version is no actor class")
    return found  # type: ignore[no-any-return]


def _change(cell: Cell, attempt: tuple[Draining, Cell, str]) -> Any:
    """User code: the new instance, or None if it can't be now."""
    draining, _, policy = attempt
    old, spec = cell.actor, cell.spec
    cls = successor_of(type(old), draining.version)
    if policy == "migrate" and not old.can_migrate():
        return None
    new: Any = cls.__new__(cls)
    new._cell, new.address = cell, cell.address
    if policy == "restart":
        new.__init__(*spec.args, **spec.kwargs)
        return new
    outcome = new.import_state(type(old).state_version, old.export_state())
    if type(outcome) is CoroutineType:
        outcome.close()
        raise TypeError("import_state is async, and can't be")
    return new


def _changed(runtime: Runtime, cell: Cell, attempt: Any, new: Any, error: BaseException | None) -> bool:
    draining, _, policy = attempt
    old, serial = cell.actor, cell.address.serial
    if error is not None:
        return _failed(runtime, cell, draining, error)
    if new is None:
        draining.trying.discard(serial)
        draining.why[serial] = "can_migrate says no"
        return False
    _put(cell, new)
    if policy == "restart" and type(new).started is not Actor.started:
        return runtime.run_step(cell, _call_started, (draining, old), _started)
    return _settled(runtime, cell, draining, old)


def _put(cell: Cell, actor: Any) -> None:
    cell.actor = actor
    cell.replies = type(actor).receive is Actor.receive
    stash.install(cell)


def _call_started(cell: Cell, _context: Any) -> Any:
    return cell.actor.started()


def _started(runtime: Runtime, cell: Cell, context: Any, _result: Any, error: BaseException | None) -> bool:
    draining, old = context
    if error is not None:
        _put(cell, old)
        return _failed(runtime, cell, draining, error)
    return _settled(runtime, cell, draining, old)


def _failed(runtime: Runtime, cell: Cell, draining: Draining, error: BaseException) -> bool:
    serial = cell.address.serial
    draining.trying.discard(serial)
    draining.failed[serial] = draining.failed.get(serial, 0) + 1
    draining.why[serial] = f"it failed to go over: {describe(error)}"
    log.warning("%s (%s) stays what it is: %s", class_name(cell), cell.address, draining.why[serial])
    return supervise.handled(runtime, cell, (cell, None, None), None, None)


def _settled(runtime: Runtime, cell: Cell, draining: Draining, old: Any) -> bool:
    """The new instance is in its place."""
    serial, policy = cell.address.serial, policy_of(type(old))
    draining.trying.discard(serial)
    draining.why.pop(serial, None)
    cell.spec = replace(cell.spec, actor_class=type(cell.actor), plain=False)
    if policy == "restart":
        for timer in tuple(cell.timers or ()):
            if not timer.keep:
                timer.cancel()
    keep(runtime, cell)
    if policy == "restart" and type(old).restarting is not Actor.restarting:
        context = (old, SourceRetired(f"{draining.version} drains"))
        return runtime.run_step(cell, _call_restarting, context, _over)
    return supervise.handled(runtime, cell, (cell, None, None), None, None)


def _call_restarting(_cell: Cell, context: tuple[Any, SourceRetired]) -> Any:
    return context[0].restarting(context[1])


def _over(runtime: Runtime, cell: Cell, _context: Any, _result: Any, error: BaseException | None) -> bool:
    if error is not None:
        log.warning("restarting() of %s failed: %s", cell.address, describe(error))
    return supervise.handled(runtime, cell, (cell, None, None), None, None)
