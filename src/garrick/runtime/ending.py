"""The end of an actor: its children, its last hook, what waits in its mailbox, and whom to tell.

Every function runs on the holder of the baton. Those that may run user code return True when the baton was lost in it; the caller
must then return at once without touching the runtime (the rest happens when the step comes back through the lane).
"""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

from garrick.actor import Actor
from garrick.errors import GarrickError, NameTaken, SpawnFailed
from garrick.messages import ChildExited, Terminated
from garrick.runtime import load
from garrick.runtime.ask import Slot
from garrick.runtime.cell import ENDED, STOPPING, Cell
from garrick.runtime.failures import signals_in
from garrick.runtime.keeping import forget
from garrick.runtime.reports import class_name, describe, sendable
from garrick.runtime.signals import Lookup, NameReleased, Stop, Told, Unwatch
from garrick.wire.envelope import FAILURE, MESSAGE, REPLY, SIGNAL

if TYPE_CHECKING:
    from garrick.runtime.runtime import Runtime

log = logging.getLogger("garrick.actor")

TOMBSTONES = 10_000
"""Ended actors whose reason is remembered."""


class _Grave:
    """The queue of an ended actor: whatever arrives is a dead letter."""

    __slots__ = ("cell", "reason")

    def __init__(self, cell: Cell, reason: str) -> None:
        self.cell = cell
        self.reason = reason

    def append(self, item: Any) -> None:
        cell = self.cell
        if item[0] is cell and not cell.runtime.relocations.forward(cell.address, MESSAGE, item[1], item[2]):
            cell.runtime.undeliverable(cell.address, item[1], item[2], self.reason)

    def __len__(self) -> int:
        return 0


def begin_stop(runtime: Runtime, cell: Cell, reason: str, error: BaseException | None, *, drain: bool = True) -> bool:
    """No further message is handled; children end first, without ``drain`` as soon as they can."""
    if cell.state in (STOPPING, ENDED):
        return False
    forget(runtime, cell)
    cell.state = STOPPING
    cell.hold()
    cell.ending = (reason, error)
    for timer in tuple(cell.timers or ()):
        timer.cancel()
    if cell.executor is not None:
        return cell.executor.quiet(lambda: _end(runtime, cell, drain), cancel=error is not None)
    return _end(runtime, cell, drain)


def _end(runtime: Runtime, cell: Cell, drain: bool) -> bool:
    if cell.children:
        for signal in signals_in(runtime, cell):  # nobody takes it from the mailbox any more
            if isinstance(signal, Told) and isinstance(signal.notice, ChildExited):
                cell.children.pop(signal.notice.child, None)
    return False if _stop_children(runtime, cell, drain=drain) else children_ended(runtime, cell)


def _stop_children(runtime: Runtime, cell: Cell, *, drain: bool = True) -> bool:
    """False when there are none; else `_tell` goes on when the last of them has ended."""
    for child in tuple(cell.children or ()):
        runtime.route(child, Stop(drain=drain), cell.address, SIGNAL)
    return bool(cell.children)


def children_ended(runtime: Runtime, cell: Cell) -> bool:
    """The last child of an actor that stops has ended."""
    if cell.executor is not None and cell.executor.flights:
        return False  # its handlers may still spawn, and `_end` comes when they have ended
    reason, _error = cell.ending or ("stopped", None)
    if cell.actor is not None and type(cell.actor).stopping is not Actor.stopping:
        return runtime.run_step(cell, _call_stopping, reason, _stopped)
    return _stopped(runtime, cell, reason, None, None)


def _call_stopping(cell: Cell, reason: str) -> Any:
    return cell.actor.stopping(reason)


def _stopped(runtime: Runtime, cell: Cell, _context: Any, _result: Any, error: BaseException | None) -> bool:
    reason, cause = cell.ending or ("stopped", None)
    if error is not None:
        log.warning("stopping() of %s failed: %s", cell.address, describe(error))
    cell.actor = None  # its last word is said, also when `stopping` has made children that have to end now
    if _stop_children(runtime, cell):
        return False
    return finish(runtime, cell, reason, cause)


def finish(runtime: Runtime, cell: Cell, reason: str, error: BaseException | None) -> bool:
    """The actor has ended: bury what waits and tell everybody who must know. Never runs user code."""
    if cell.state == ENDED:
        return False
    cell.state = ENDED
    waiting, cell.queue = cell.queue, _Grave(cell, reason)
    cell.busy = True
    runtime.cells.pop(cell.address.serial, None)
    if not runtime.load_due:
        load.report_load(runtime)
    runtime.tombstones[cell.address.serial] = reason
    if len(runtime.tombstones) > TOMBSTONES:
        runtime.tombstones.popitem(last=False)
    detail = describe(error) if error is not None else ""
    runtime.history.ended(cell, runtime.clock.now(), reason, detail)
    if cell.executor is not None:
        cell.executor.retire(cell)
    if cell.subscribers is not None:
        cell.subscribers.end()
    for slot in tuple(cell.asks or ()):
        slot.cancel()  # nobody is left to read the answers
    runtime.swollen.discard(cell)
    aside, cell.stash = cell.stash.aside if cell.stash is not None else (), None
    for item in (*aside, *(waiting or ())):
        if item[0] is cell:
            runtime.undeliverable(cell.address, item[1], item[2], reason)
        elif item[0] is runtime.control:
            item[1](item[2])  # a signal: it finds the actor ended and answers accordingly
    spec = cell.spec
    if spec.global_name is None and (spec.name is None or isinstance(error, NameTaken)):
        return _tell_all(runtime, cell, reason, detail, error)
    # Who hears of the end may use the name again at once, so the admin has to know first: an answer to a question behind the release.
    runtime.leaving += 1
    if spec.global_name is not None:
        runtime.epochs.pop(cell.address.serial, None)
        freed_name = NameReleased(spec.global_name, cell.address, everywhere=True)
        runtime.route(runtime.admin, freed_name, runtime.address, SIGNAL)
    if spec.name is not None:
        runtime.route(runtime.admin, NameReleased(spec.name, cell.address), runtime.address, SIGNAL)
    freed = Slot(runtime, runtime.admin, 0.0, None)
    freed.expose()
    freed.on_done(lambda: runtime.post(_name_freed, (runtime, cell, reason, detail, error)))
    runtime.route(runtime.admin, Lookup(spec.name or ""), freed.address, SIGNAL)
    return False


def _name_freed(ended: tuple[Runtime, Cell, str, str, BaseException | None]) -> bool:
    ended[0].leaving -= 1
    return _tell_all(*ended)


def _tell_all(runtime: Runtime, cell: Cell, reason: str, detail: str, error: BaseException | None) -> bool:
    if cell.notify is not None:
        failure = (
            error if isinstance(error, GarrickError) else SpawnFailed(f"{class_name(cell)} could not start: {detail}")
        )
        if failure is not error and error is not None:
            failure.__cause__ = error
            failure.add_note("".join(traceback.format_exception(error)))
        runtime.route(cell.notify, failure, cell.address, FAILURE)
        cell.notify = None
    exited = ChildExited(cell.address, reason, detail, sendable(error), cell.spec.name)
    runtime.route(cell.parent, Told(exited), cell.address, SIGNAL)
    for watcher in cell.watchers or ():
        runtime.route(watcher, Told(Terminated(cell.address, reason, detail)), cell.address, SIGNAL)
    for watched in cell.watching or ():
        runtime.route(watched, Unwatch(cell.address), cell.address, SIGNAL)
    for notify in cell.stop_notify or ():
        runtime.route(notify, None, cell.address, REPLY)
    cell.actor = cell.handle = cell.behaviour = cell.context = cell.ending = cell.failures = None
    if runtime.roster is not None:
        from garrick.runtime import sourced  # late: most systems have no sources

        sourced.bury(cell)
    if not runtime.cells and not runtime.leaving:
        (runtime.on_shutdown if runtime.ending else runtime.on_empty)()
    return False
