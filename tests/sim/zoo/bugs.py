"""The planted bugs: which function is swapped, what for, and the scenario that must find it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from garrick.messages import DeadLetter
from garrick.node.admin import machine, moving
from garrick.node.admin import processes as numbers
from garrick.node.admin.core import Core
from garrick.node.admin.machine import AdminMachine
from garrick.node.admin.names import Holder, Names
from garrick.node.admin.processes import Process
from garrick.node.inlink import Listener
from garrick.runtime import ending, lifecycle, stash, supervise
from garrick.runtime.cell import RUNNING, Cell
from garrick.runtime.failures import failures_of
from garrick.runtime.mailbox import Mailbox
from garrick.runtime.runtime import Runtime
from garrick.runtime.timers import Timer
from garrick.sim.rng import SeededIds, derive
from garrick.sim.world import World
from garrick.wire.link import Link
from garrick.wire.outbox import Outbox

from . import scenarios


class Bug(NamedTuple):
    """One planted bug."""

    name: str
    owner: Any
    function: str
    instead: Callable[..., Any]
    scenario: Callable[[World], None]


def lost_wakeup(self: Runtime, cell: Cell) -> None:
    """What has come for an actor while it was busy is forgotten until something else comes."""
    cell.busy = False


def newest_first(self: Runtime, cell: Cell, item: Any) -> None:
    """What waits for a busy actor is put in front."""
    cell.queue.appendleft(item)
    if not (cell.busy or cell.scheduled):
        cell.scheduled = True
        self.append((self.control, self.run_queue, cell))


def one_too_many(self: Mailbox) -> bool:
    """The bound is off by one."""
    with self.lock:
        if self.waiting > self.bound.limit:
            return False
        self.waiting += 1
        return True


_dead_letter = Runtime.dead_letter


def uncounted(self: Runtime, target: Any, message: Any, sender: Any, reason: str) -> None:
    """Messages to actors that stopped are no dead letters."""
    if reason != "stopped" or isinstance(message, DeadLetter):
        _dead_letter(self, target, message, sender, reason)


def forgotten_ask(self: Runtime, target: Any, message: Any, sender: Any, reason: str) -> None:
    """Whoever asked an actor that has ended is not told."""
    self.dead_letter(target, message, sender, reason)


_renew = supervise._renew


def renewed_twice(runtime: Runtime, cell: Cell, error: BaseException, delay: float) -> bool:
    """A failure restarts the actor twice."""
    supervise._restart(runtime, cell, error, delay)
    return _renew(runtime, cell, error, delay)


def never_cancelled(self: Timer) -> None:
    """Timers go on after a restart or the end."""


def stash_dropped(runtime: Runtime, cell: Cell) -> None:
    """A new instance does not get what the old one has put aside."""
    cell.stash = None


_install = stash.install


def old_instance(cell: Cell) -> None:
    """Messages go to the instance that was replaced."""
    if cell.handle is None or cell.behaviour is not None:
        _install(cell)


def escalation_lost(runtime: Runtime, cell: Cell, error: BaseException) -> bool:
    """A child waits for the decision of its parent, which never hears of it."""
    supervise._suspend(cell, error)
    failures_of(cell).decider = cell.parent
    return False


def told_always(runtime: Runtime, cell: Cell, notice: Any) -> bool:
    """Notices of ends are told as often as they come."""
    if cell.state != RUNNING:
        return _tell(runtime, cell, notice)
    handler = type(cell.actor)._handlers.find_notice(type(notice))
    if handler is None:
        return False
    return runtime.run_step(cell, lifecycle._call_notice, (cell, notice, None, handler), supervise.handled)


_tell = lifecycle._tell


def orphans(runtime: Runtime, cell: Cell, *, drain: bool = True) -> bool:
    """Children are forgotten when their parent ends."""
    cell.children = None
    return False


def split_name(self: Names, name: str, address: Any, process: int) -> Any:
    """A name is given to everybody who wants it."""
    self._holders[name] = Holder(address, process)
    return address


def freed_late(self: Names, name: str, address: Any) -> bool:
    """A name is freed when the next one is."""
    late = self.__dict__.setdefault("late", [])
    for earlier, of in late:
        if self._holders.get(earlier) == Holder(of, self._holders[earlier].process):
            del self._holders[earlier]
    late[:] = [(name, address)]
    return False


def never_acknowledged(self: Outbox, expected: int) -> bool:
    """Acknowledgements are not taken."""
    return False


def resent_backwards(self: Outbox) -> int:
    """What is sent again goes out in the wrong order."""
    count = len(self.flight)
    self.unsent.extendleft(self.flight)
    self.flight.clear()
    return count


def not_resent(self: Outbox) -> int:
    """What got lost is not sent again."""
    return 0


_on_data = Link._on_data


def duplicates_taken(self: Link, frame: bytes, flags: int, sequence: int, events: Any, now: float) -> None:
    """A frame that has come before is taken again."""
    expected = self._expected
    if sequence < expected:
        self._expected = sequence
    _on_data(self, frame, flags, sequence, events, now)
    self._expected = max(expected, self._expected)


def gaps_taken(self: Link, frame: bytes, flags: int, sequence: int, events: Any, now: float) -> None:
    """A frame that comes too early is taken, and those before it are not missed."""
    self._expected = max(self._expected, sequence)
    _on_data(self, frame, flags, sequence, events, now)


def loss_unnoticed(self: AdminMachine, system: str, reason: str, detail: str, now: float) -> Any:
    """Nobody is told that another system is gone."""
    return self._finish(now)


def last_words_late(self: Listener, number: int) -> None:
    """What a dead process had written is read when its turn comes, and not before its loss is told."""


def process_unnoticed(self: AdminMachine, number: int, detail: str, now: float, *, expected: bool = False) -> Any:
    """Nobody is told that a process is gone, but it is replaced."""
    core = self.core
    core.broadcast = lambda *_, **__: None  # type: ignore[method-assign]
    try:
        return _process_died(self, number, detail, now, expected=expected)
    finally:
        del core.broadcast


_process_died = AdminMachine.process_died


def nobody_survives(core: Core, dead: Process, replacement: Process | None, now: float) -> Any:
    """Actors that were to survive their process end with it."""
    return moving.give_up(core, core.kept.at(dead.number))


def patient_backoff(failures: int) -> float:
    """A worker that died is started again after an hour."""
    return 3600.0


def same_incarnation(self: SeededIds, name: str) -> str:
    """A system that comes back is taken for the one that it was."""
    return f"{derive(self._seed, 'incarnation', name) >> 24:010x}"


BUGS = [
    Bug("lost wake-up", Runtime, "unbusy", lost_wakeup, scenarios.queues),
    Bug("newest first", Runtime, "enqueue", newest_first, scenarios.queues),
    Bug("bounded mailbox off by one", Mailbox, "take", one_too_many, scenarios.bounded),
    Bug("dead letter not counted", Runtime, "dead_letter", uncounted, scenarios.questions),
    Bug("forgotten ask", Runtime, "undeliverable", forgotten_ask, scenarios.questions),
    Bug("double restart", supervise, "_renew", renewed_twice, scenarios.restarts),
    Bug("timer after stop", Timer, "cancel", never_cancelled, scenarios.restarts),
    Bug("stash lost at restart", stash, "restore", stash_dropped, scenarios.restarts),
    Bug("handled by the old instance", stash, "install", old_instance, scenarios.restarts),
    Bug("escalation lost", supervise, "_escalate", escalation_lost, scenarios.family),
    Bug("orphans", ending, "_stop_children", orphans, scenarios.family),
    Bug("watch told twice", lifecycle, "_tell", told_always, scenarios.twice),
    Bug("split name", Names, "claim", split_name, scenarios.names),
    Bug("name freed too late", Names, "release", freed_late, scenarios.names),
    Bug("lost acknowledgement", Outbox, "acknowledge", never_acknowledged, scenarios.good_links),
    Bug("resent in the wrong order", Outbox, "go_back", resent_backwards, scenarios.links),
    Bug("not resent", Outbox, "go_back", not_resent, scenarios.links),
    Bug("duplicates taken", Link, "_on_data", duplicates_taken, scenarios.links),
    Bug("gaps taken", Link, "_on_data", gaps_taken, scenarios.links),
    Bug("loss of a system unnoticed", AdminMachine, "_system_gone", loss_unnoticed, scenarios.losses),
    Bug("last words late", Listener, "drain", last_words_late, scenarios.processes),
    Bug("loss of a process unnoticed", AdminMachine, "process_died", process_unnoticed, scenarios.processes),
    Bug("nobody survives", machine, "rehouse", nobody_survives, scenarios.processes),
    Bug("worker not replaced", numbers, "backoff", patient_backoff, scenarios.processes),
    Bug("stale address after restart", SeededIds, "incarnation", same_incarnation, scenarios.losses),
]
