"""What a process has of the system's sources: what of each is in use here, and taking one out.

Owns counting and forgetting. The table is the admin's (`garrick.sources.roster`), the modules are those of `garrick.sources.loading`. This
module is loaded with the first table. Invariants:

* Whatever the runtime knows of a class only to be faster, or to explain absence, is forgotten before the class is taken out.
* Where several systems live in one operating-system process (a simulated world, a program with two systems), a source is taken out of it
  with the last of them.
"""

from __future__ import annotations

import gc
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from garrick.actor import Actor
from garrick.errors import GarrickError, SourceMissing
from garrick.runtime.cell import Cell
from garrick.runtime.failures import signal_of
from garrick.runtime.inspection import chunks, row
from garrick.runtime.reports import describe
from garrick.runtime.signals import SourceAct, Stop, Told
from garrick.runtime.succession import Successions
from garrick.sources import loading
from garrick.sources.roster import UNLOADED, Roster, part, part_of, parts_in
from garrick.wire.envelope import SIGNAL

if TYPE_CHECKING:
    from garrick.address import Address
    from garrick.runtime.runtime import Runtime

LEASE = 2.0
"""Seconds for which a spawn that was sent to another process counts here: its process counts it then, or has refused it."""
ROWS = 10
"""Actors of one source that are told by name."""
PATIENCE = 1.0
"""Seconds in which what other threads still have in their hands may end."""

_keys = itertools.count(1)
_HASH = re.compile(r"[0-9a-f]{64}\Z")

Answer = Callable[[Any], None]
Params = Mapping[str, Any]


def on_roster(runtime: Runtime, roster: Roster) -> None:
    """The table is this now; any thread."""
    known = runtime.roster
    if known is not None and known.epoch >= roster.epoch:
        return
    runtime.roster = roster
    if runtime.successions is None:
        runtime.successions = Successions(runtime)
    runtime.post(runtime.successions.roster_is, roster)
    for version in roster.versions.values():
        if version.state != UNLOADED:
            loading.hold(version.hash, runtime)


def met(runtime: Runtime, actor_class: type) -> None:
    """An actor of a source is to start here that another process spawned: the system has the source, whether it knows or not."""
    name = part_of(actor_class)
    if runtime.roster is not None and any(part(digest) == name for digest in runtime.roster.versions):
        return
    loaded = next((each for each in loading.all_loaded() if each.name == name), None)
    if loaded is not None:
        manifest = loaded.storage.manifest
        params = {"hash": loaded.hash, "name": manifest.name, "version": manifest.version}
        runtime.route(runtime.admin, SourceAct("source.add", params), None, SIGNAL)


def find_class(runtime: Runtime, name: Any, source: Any, key: str | None) -> Any:
    """The class that a spawn means.

    Args:
        runtime: who spawns.
        name: of the class, as the source calls it.
        source: a source as `load_source` gives it, or what leads to a version (`Roster.resolve`).
        key: decides while the next version of a group is for some only; None: each spawn for itself.

    Raises:
        SourceMissing, SourceRetired, BadActorClass: there is no such version, it takes no new actors, or it has no such class.
    """
    roster = runtime.roster or Roster()
    if isinstance(source, str):
        try:
            digest = roster.resolve(source, key if key is not None else str(next(_keys)))
        except SourceMissing:
            if runtime.fetch_source is None or not _HASH.match(source):
                raise
            digest = source
            if loading.loaded(digest) is None:
                runtime.fetch_source(part(digest))
        loaded = loading.loaded(digest) or loading.wanted(part(digest))
    else:
        roster.check(source.hash)
        loaded = source.loaded
    return loading.class_of(loaded, name)


def inspect(runtime: Runtime, what: str, params: Params, answer: Answer) -> bool:
    """Answer a question of the admin; False when there is no such question."""
    if what == "source.known":
        answer({})
    elif what == "source.count":
        if runtime.answers_at_once:
            for _ in _count(runtime, params, answer):
                pass
        else:
            _go_on(runtime, _count(runtime, params, answer))
    elif what == "source.end":
        runtime.post(_end, (runtime, params, answer))
    elif what == "source.unload":
        runtime.post(_unload, (runtime, params, answer))
    else:
        return False
    return True


def _go_on(runtime: Runtime, steps: Iterator[None]) -> None:
    if next(steps, StopIteration) is not StopIteration:
        runtime.post(lambda rest: _go_on(runtime, rest), steps)


# --- counting ------------------------------------------------------------------------------------------------------------


def launched(runtime: Runtime, address: Address[Any], actor_class: Any) -> None:
    """A spawn is on its way to another process; any thread."""
    name = part_of(actor_class)
    if name is not None:
        runtime.launched[address] = (name, runtime.clock.now() + LEASE)


def _count(runtime: Runtime, params: Params, answer: Answer) -> Iterator[None]:
    """What is in use of some versions: numbers by kind, and a few actors."""
    names = {part(digest): digest for digest in params["hashes"]}
    counts: dict[str, Counter[str]] = {name: Counter() for name in names}
    rows: dict[str, list[Any]] = {name: [] for name in names}
    assert runtime.successions is not None
    for each in loading.all_loaded():
        for used in each.held:
            if used.name in counts:
                counts[used.name]["sources"] += 1
    for digest in names.values():
        if runtime.answers_at_once:  # by another thread than the lane's
            runtime.post(_look, (runtime, digest))
        else:
            yield from runtime.successions.look(digest)

    def message(value: Any, kind: str) -> None:
        for name in parts_in(value):
            if name in counts:
                counts[name][kind] += 1

    for cells in chunks(runtime):
        for cell in cells:
            name = part_of(cell.spec.actor_class)
            if name in counts:
                counts[name]["pending" if cell in runtime.relocations.waiting else "actors"] += 1
                if len(rows[name]) < ROWS:
                    why = runtime.successions.why(names[name], cell.address.serial)
                    rows[name].append({**row(cell, {}), "stays": why})
            for item in _copied(cell.queue) if cell.queue is not None else ():
                if item[0] is cell:
                    message(item[1], "messages")
            if cell.stash is not None:
                for item in tuple(cell.stash.aside):
                    message(item[1], "messages")
            for timer in tuple(cell.timers or ()):
                message(timer.message, "timers")
        yield
    for item in _copied(runtime.lane):
        if item[0] is not runtime.control:
            message(item[1], "messages")
        elif (signal := signal_of(runtime, item)) is not None and isinstance(signal, Told):
            message(signal.notice, "messages")
    for waiting in list(runtime.arrivals.held.values()):
        for held in tuple(waiting):
            message(held[2], "messages")
    here = set(runtime.cells)
    for address, movable in list(runtime.relocations.movable.items()):
        name = part_of(movable.spec.actor_class)
        if name in counts and not (address.process == runtime.number and address.serial in here):
            counts[name]["children elsewhere"] += 1
    now = runtime.clock.now()
    for address, (name, until) in list(runtime.launched.items()):
        if until < now:
            runtime.launched.pop(address, None)
        elif name in counts:
            counts[name]["starting"] += 1
    answer({digest: {"counts": dict(counts[name]), "rows": rows[name]} for name, digest in names.items()})


def _look(argument: tuple[Runtime, str]) -> None:
    runtime, digest = argument
    assert runtime.successions is not None
    for _ in runtime.successions.look(digest):
        pass


def _copied(items: Any) -> list[Any]:
    for _ in range(10):
        try:
            return list(items)
        except RuntimeError:  # another thread appended meanwhile
            continue
    return []


# --- ending --------------------------------------------------------------------------------------------------------------


def _end(argument: tuple[Runtime, Params, Answer]) -> None:
    """End all actors of a version."""
    runtime, params, answer = argument
    name = part(params["hash"])
    mine = [cell for cell in list(runtime.cells.values()) if part_of(cell.spec.actor_class) == name]
    for cell in mine:
        stop = Stop(reason="source retired", drain=not params.get("at_once", False))
        runtime.post(runtime.signal, (cell, stop, None))
    answer({"ended": len(mine)})


def bury(cell: Cell) -> None:
    """An actor has ended whose address may be known for long, and with it the cell: let go of its class."""
    spec = cell.spec
    if part_of(spec.actor_class) is not None and not isinstance(spec.actor_class, str):
        cls = spec.actor_class
        cell.spec = type(spec)(f"{cls.__module__}.{cls.__qualname__}", name=spec.name, global_name=spec.global_name)
        cell.timers = cell.mailbox = None
        cell.executor = cell.sender = cell.answered = None


# --- taking it out -------------------------------------------------------------------------------------------------------


def _unload(argument: tuple[Runtime, Params, Answer]) -> None:
    """On the lane: nothing of the runtime holds it from now on. The rest runs functions of the source, and is done aside."""
    runtime, params, answer = argument
    digest = params["hash"]
    _forget(runtime, part(digest))
    runtime.aside(lambda: answer(_taken_out(runtime, digest)))


def _forget(runtime: Runtime, name: str) -> None:
    def gone(thing: Any) -> bool:
        return part_of(thing) == name

    forget: Any
    for place in (runtime.scheduler, runtime.placement, runtime.history, runtime.letter_log):
        forget = getattr(place, "forget", None)
        if forget is not None:
            forget(gone)
    for cell in list(runtime.cells.values()):
        if not cell.busy:  # what it was asked last, and with it the answer
            cell.sender = cell.answered = None
    classes: list[type] = [Actor]
    for cls in classes:
        vars(cls).get("_handlers", Actor._handlers).forget(gone)
        classes.extend(type.__subclasses__(cls))


def _taken_out(runtime: Runtime, digest: str) -> dict[str, Any]:
    from garrick.sources.unload import unload  # late: looks at all that the process has

    if loading.let_go(digest, runtime):
        return {"kept": True}
    loaded = loading.loaded(digest)
    loading.retired.add(part(digest))
    if loaded is None:
        return {"absent": True}
    try:
        found = unload(loaded, patience=PATIENCE if runtime.threads else 0.0)
    except GarrickError as error:
        return {"error": {"code": error.code, "message": describe(error), "hint": error.hint}}
    finally:
        gc.collect()
    return {"leaked": list(found.leaked), "chains": list(found.chains), "complaints": list(found.complaints)}
