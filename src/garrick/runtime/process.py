"""Signals to a process as a whole (serial 0): views, losses, names, shutdown, status.

Every function runs on the holder of the baton; those that may run user code return True when the baton was lost in it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from garrick.address import Address
from garrick.messages import CapabilityLost, ChildExited, Terminated
from garrick.requirements import missing, requirements_of
from garrick.runtime import cancelling, lifecycle, reports, streams
from garrick.runtime.cell import STOPPING, Cell
from garrick.runtime.inspection import class_text, in_steps, inspect
from garrick.runtime.operator import act
from garrick.runtime.signals import (
    Drain,
    Inspect,
    Leased,
    NameAnswer,
    ProcessLost,
    Shutdown,
    SourcesAre,
    SourceWanted,
    StatusWanted,
    Stop,
    SubscribeDeadLetters,
    SystemLost,
    SystemsChanged,
    Told,
    View,
    ViewChange,
)
from garrick.runtime.status import status
from garrick.runtime.systems import changed_by
from garrick.supervision import relocatable
from garrick.wire.envelope import REPLY, SIGNAL

if TYPE_CHECKING:
    from garrick.runtime.runtime import Runtime

log = logging.getLogger("garrick")


def on_control(runtime: Runtime, message: Any, sender: Address[Any] | None) -> bool:
    """One signal for the process."""
    if isinstance(message, NameAnswer):
        return lifecycle.name_answered(runtime, message)
    if isinstance(message, View):
        _on_view(runtime, message)
    elif isinstance(message, Leased):
        lifecycle.leased(runtime, message.until)
    elif isinstance(message, ViewChange):
        _on_view(runtime, View(changed_by(runtime.view.systems, message.changed, message.gone)))
    elif isinstance(message, ProcessLost):
        lost = set(message.processes)
        system = sender.system if sender is not None else runtime.system
        moved = message.moved
        if system == runtime.system:
            relocate(runtime, moved)
        _on_loss(
            runtime,
            lambda a: (a.process in lost and a.system == system) or (bool(moved) and a in moved),
            message.reason,
            message.detail,
            {address for address, process in moved.items() if process},
        )
    elif isinstance(message, SystemLost):
        _on_loss(runtime, lambda a: a.system == message.system, message.reason, message.detail, left=True)
    elif isinstance(message, SubscribeDeadLetters):
        if message.active:
            runtime.dead_letter_listeners[message.subscriber] = None
        else:
            runtime.dead_letter_listeners.pop(message.subscriber, None)
    elif isinstance(message, StatusWanted):
        if sender is not None:
            asker = sender
            in_steps(runtime, status(runtime, lambda found: runtime.route(asker, found, runtime.address, REPLY)))
    elif isinstance(message, Inspect):
        if sender is not None:
            _operate(runtime, message, sender)
    elif isinstance(message, Shutdown):
        shutdown(runtime, message.grace, sender)
    elif isinstance(message, SourcesAre):
        from garrick.runtime import sourced  # late: most systems have no sources

        sourced.on_roster(runtime, message.roster)
    elif isinstance(message, SourceWanted):
        if sender is not None:
            from garrick.sources import fetching  # late: most systems have no sources

            runtime.route(sender, fetching.chunk(message.part, message.offset), runtime.address, REPLY)
    elif isinstance(message, Drain):
        runtime.draining = message.active
        for cell in list(runtime.cells.values()) if message.active else ():
            if can_move(cell):
                runtime.post(runtime.signal, (cell, Stop(reason="system left"), None))
    elif isinstance(message, SystemsChanged):
        runtime.relocations.systems_changed()
        runtime.neighbourhood.changed()
    elif isinstance(message, Told):
        pass  # an inbox of the program has ended
    else:
        runtime.undeliverable(runtime.address, message, sender, "unhandled")
    return False


def _operate(runtime: Runtime, message: Inspect, sender: Address[Any]) -> None:
    def answer(value: Any) -> None:
        runtime.route(sender, value, runtime.address, REPLY)

    if message.what.startswith("source."):
        from garrick.runtime import sourced  # late: most systems have no sources

        sourced.inspect(runtime, message.what, message.params, answer)
    elif not (
        inspect(runtime, message.what, message.params, answer) or act(runtime, message.what, message.params, answer)
    ):
        answer({"error": {"code": "GAR-5001", "message": f"process {runtime.number} can't {message.what!r}"}})


def _on_view(runtime: Runtime, view: View) -> None:
    runtime.view = view
    runtime.relocations.systems_changed()
    runtime.neighbourhood.changed()
    own = view.systems.get(runtime.system)
    if own is None or own.capabilities == runtime.capabilities:
        return
    runtime.capabilities = own.capabilities
    for cell in list(runtime.cells.values()):
        if cell.actor is None or cell.state == STOPPING:
            continue
        lacking = missing(requirements_of(type(cell.actor), cell.spec.requires), own.capabilities)
        if lacking or not _can_run(cell, own.capabilities):
            runtime.post(runtime.signal, (cell, Told(CapabilityLost(lacking)), None))
            runtime.post(runtime.signal, (cell, Stop(reason="capability lost"), None))


def _can_run(cell: Cell, capabilities: Mapping[str, Any]) -> bool:
    check = getattr(type(cell.actor), "can_run_on", None)
    try:
        return check is None or bool(check(capabilities))
    except BaseException as error:  # user code, and we are on the lane
        log.warning("can_run_on of %s failed: %s", cell_class(cell), reports.describe(error))
        return False


def relocate(runtime: Runtime, moved: Mapping[Address[Any], int]) -> None:
    """Actors of this system are made again elsewhere (0: not any more); any thread."""
    for address, process in moved.items():
        if process:
            runtime.moved[address] = process
        else:
            runtime.moved.pop(address, None)


def _on_loss(
    runtime: Runtime,
    hit: Any,
    reason: str,
    detail: str,
    survivors: Collection[Address[Any]] = frozenset(),
    *,
    left: bool = False,
) -> None:
    """Processes or a system are gone: everything here that hangs on them learns it.

    What survives is made again by the admin: nobody is told of an end, but what its process knew of others has to be said again.
    """
    for slot in list(runtime.slots.values()):
        if hit(slot.target):
            slot.gone(reason, outcome_unknown=True)
    for cell in list(runtime.cells.values()):
        for child in tuple(cell.children or ()):
            if child in survivors:
                if cell.state == STOPPING:
                    runtime.route(child, Stop(), cell.address, SIGNAL)
            elif hit(child):
                moves = left and reason == "stopped" and child in runtime.relocations.movable
                how = "system left" if moves else reason
                exited = ChildExited(child, how, detail, name=(cell.children or {}).get(child))
                runtime.post(runtime.signal, (cell, Told(exited), None))
        for watched in tuple(cell.watching or ()):
            if watched in survivors:
                streams.made_again(runtime, cell, watched)
            elif hit(watched):
                runtime.post(runtime.signal, (cell, Told(Terminated(watched, reason, detail)), None))
        if hit(cell.parent) and cell.parent.serial != 0:
            # The parent's end reaches its children also when its process could not say good-bye.
            runtime.post(runtime.signal, (cell, Stop(reason="parent lost"), None))
        streams.subscribers_lost(runtime, cell, hit)
        if cell.watchers:
            for watcher in [w for w in cell.watchers if hit(w)]:
                del cell.watchers[watcher]
    for listener in [a for a in runtime.dead_letter_listeners if hit(a)]:
        del runtime.dead_letter_listeners[listener]
    cancelling.askers_lost(runtime, hit)
    runtime.arrivals.give_up(hit, reason)
    runtime.relocations.lost(hit, reason)


def shutdown(runtime: Runtime, grace: float | None = None, requester: Address[Any] | None = None) -> None:
    """End all actors, parents last; `Runtime.on_shutdown` is called when none is left.

    Args:
        runtime: whose.
        grace: after so many seconds `Runtime.on_shutdown` is called in any case; None: never.
        requester: is told then what is left.
    """
    runtime.ending = True
    here = (runtime.system, runtime.number)
    tops = [
        cell
        for cell in runtime.cells.values()
        if cell.parent.serial == 0 or (cell.parent.system, cell.parent.process) != here
    ]
    for cell in tops:
        runtime.post(runtime.signal, (cell, Stop(reason="system left" if can_move(cell) else "stopped"), None))
    if not runtime.cells and not runtime.leaving:
        runtime.on_shutdown()
    elif grace is not None:
        runtime.timers.arm(runtime.clock.now() + grace, lambda: _give_up(runtime, requester))


def can_move(cell: Cell) -> bool:
    """Whether an actor goes on elsewhere when its system does not want it any more: its parent is there, and makes it again."""
    return cell.parent.system != cell.runtime.system and relocatable(cell.spec.supervision) is not None


def _give_up(runtime: Runtime, requester: Address[Any] | None) -> None:
    if runtime.cells or runtime.leaving:
        if requester is not None:
            runtime.route(requester, left(runtime), runtime.address, REPLY)
        runtime.on_shutdown()


def left(runtime: Runtime) -> list[str]:
    """The actors that have not ended, as text."""
    return [f"{cell_class(cell)} {cell.address}: {cell.whereabouts()}" for cell in list(runtime.cells.values())]


def abandon(runtime: Runtime) -> list[str]:
    """The process ends now: pending asks fail; returns the actors that had not ended, as text."""
    texts = left(runtime)
    runtime.abandoned = True
    # Asks within the process are not in the table: they are found at those who wait.
    waits = [slot for cell in list(runtime.cells.values()) for slot in tuple(cell.waits)]
    for slot in (*list(runtime.slots.values()), *list(runtime.waiting), *waits):
        slot.gone("system stopped", outcome_unknown=True)
    return texts


def cell_class(cell: Cell) -> str:
    """The class of a cell's actor as text."""
    return class_text(cell.spec.actor_class if cell.actor is None else type(cell.actor))
