"""The life of an actor, from outside: its start, its timers, and the signals that concern it.

Every function runs on the holder of the baton. Those that may run user code return True when the baton was lost in it; the caller must
then return at once without touching the runtime (the rest happens when the step comes back through the lane).
`garrick.runtime.supervise` makes instances and deals with failures, `garrick.runtime.ending` with the end.

::

    starting ──► running ──► stopping ──► ended
                 │    ▲          ▲
                 ▼    │          │ limit of restarts, Stop
               restarting ───────┤
                 ▲ │             │
                 │ ▼             │ the parent ends
               suspended ────────┘
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from garrick.actor import Actor
from garrick.address import Address
from garrick.errors import BadActorClass, InvalidArgument, NameTaken
from garrick.mailbox import Bounded
from garrick.messages import ChildExited, Notice, Terminated
from garrick.runtime import cancelling, deadlock, ending, groups, streams, supervise
from garrick.runtime.cell import AT_ONCE, ENDED, RESTARTING, RUNNING, STARTING, STOPPING, SUSPENDED, Cell
from garrick.runtime.reports import gone
from garrick.runtime.signals import (
    Cancel,
    Chase,
    Demand,
    Escalated,
    Event,
    GroupFailed,
    GroupVerdict,
    Mark,
    Marked,
    Missed,
    NameAnswer,
    NameClaim,
    NameReleased,
    Signal,
    Spawn,
    Spec,
    Stop,
    Subscribe,
    Told,
    Unsubscribe,
    Unwatch,
    Verdict,
    Watch,
)
from garrick.runtime.stash import LOOK, NOTICE
from garrick.supervision import checked, relocatable
from garrick.wire.envelope import FAILURE, REPLY, SIGNAL

if TYPE_CHECKING:
    from garrick.runtime.runtime import Runtime
    from garrick.runtime.timers import Timer


# --- starting ------------------------------------------------------------------------------------------------------------


def check_spec(spec: Spec, *, top_level: bool = False) -> None:
    """Refuse at once what can never be an actor; a mapping of policies is copied.

    Raises:
        BadActorClass: neither an actor class nor the name of one.
        InvalidArgument: isolation, name or supervision make no sense.
    """
    cls = spec.actor_class
    if isinstance(cls, str):
        if "." not in cls.strip("."):
            raise BadActorClass(f"{cls!r} is no class name", hint='give "package.module.Class"')
    elif not (isinstance(cls, type) and issubclass(cls, Actor)):
        raise BadActorClass(f"{cls!r} is no subclass of garrick.Actor")
    if spec.name is not None and not (isinstance(spec.name, str) and spec.name):
        raise InvalidArgument(f"name={spec.name!r} is no name", hint="a text that is not empty, or None")
    if top_level and relocatable(spec.supervision):
        raise InvalidArgument(
            "a top-level actor can't be told where it is made again, and so can't move",
            hint="spawn it from a parent of your own, which stays",
        )
    if spec.global_name is not None and not (isinstance(spec.global_name, str) and spec.global_name):
        raise InvalidArgument(f"global_name={spec.global_name!r} is no name", hint="a text that is not empty, or None")
    spec.supervision = checked(spec.supervision, top_level=top_level)
    if spec.isolation not in ("shared", "thread", "process"):
        raise InvalidArgument(
            f"isolation={spec.isolation!r} is not possible", hint="give 'shared', 'thread' or 'process'"
        )
    if spec.mailbox is not None and not isinstance(spec.mailbox, Bounded):
        raise InvalidArgument(
            f"mailbox={spec.mailbox!r} is no mailbox", hint="give Bounded(...), or None for one without a bound"
        )


def start(cell: Cell) -> bool:
    """First step of a new cell."""
    runtime = cell.runtime
    runtime.scheduler.place(cell)
    if cell.spec.name is not None:
        cell.hold()
        runtime.route(runtime.admin, NameClaim(cell.spec.name, cell.address), runtime.address, SIGNAL)
        return False
    return _named(cell)


def _named(cell: Cell) -> bool:
    """The actor has its name in this system, if it wants one: what is left is the name in the convention."""
    runtime, name = cell.runtime, cell.spec.global_name
    if name is not None:
        cell.hold()
        runtime.route(runtime.admin, NameClaim(name, cell.address, everywhere=True), runtime.address, SIGNAL)
        return False
    return supervise.make(runtime, cell)


def leased(runtime: Runtime, until: float | None) -> None:
    """Actors that hold a name in the convention may go on until then (None: for ever)."""
    runtime.lease_until = until
    if until is not None:
        runtime.timers.arm(until, lambda: _lease_ends(runtime))


def _lease_ends(runtime: Runtime) -> None:
    """The admin does the same when it can; it may be stopped, while this process is not."""
    if runtime.lease_until is None or runtime.clock.now() < runtime.lease_until:
        return
    for serial in list(runtime.epochs):
        cell = runtime.cells.get(serial)
        if cell is not None:
            runtime.post_signal(cell, Stop(reason="name lost", drain=False), None)


def name_answered(runtime: Runtime, answer: NameAnswer) -> bool:
    """The admin has decided about a name."""
    cell = runtime.cells.get(answer.address.serial)
    if cell is None or cell.state == ENDED:
        if answer.holder == answer.address:
            released = NameReleased(answer.name, answer.address, answer.everywhere)
            runtime.route(runtime.admin, released, runtime.address, SIGNAL)
        return False
    cell.busy = False
    if answer.holder != answer.address:
        error = NameTaken(f"the name {answer.name!r} belongs to {answer.holder}")
        return ending.finish(runtime, cell, "refused", error)
    if not answer.everywhere:
        return _named(cell)
    runtime.epochs[cell.address.serial] = answer.epoch
    leased(runtime, answer.until)
    return supervise.make(runtime, cell)


# --- timers ----------------------------------------------------------------------------------------------------------------


def tick(runtime: Runtime, timer: Timer) -> None:
    """A timer of an actor is due."""
    cell = timer.cell
    if timer.period is not None:
        timer.due += timer.period
        now = runtime.clock.now()
        if timer.due <= now:  # we were late: skip, never pile up
            timer.due = now + timer.period
        runtime.timers.arm(timer.due, timer)
        if timer.waiting:
            return
        timer.waiting = True
    elif cell.timers is not None:
        cell.timers.discard(timer)
    runtime.post(_ticked, timer)


def _ticked(timer: Timer) -> bool:
    cell = timer.cell
    if cell.queue is None:
        return _tick_now(timer)
    cell.runtime.enqueue(cell, (cell.runtime.control, _tick_now, timer))
    return False


def _tick_now(timer: Timer) -> bool:
    timer.waiting = False
    cell, message = timer.cell, timer.message  # before the look: whoever cancels it says so first
    if timer.cancelled or cell.state != RUNNING:
        return False
    if cell.mailbox is not None:
        cell.mailbox.add(1)
    return cell.runtime.run_message(cell, (cell, message, cell.address))


# --- signals -----------------------------------------------------------------------------------------------------------------


STREAMS = (Subscribe, Unsubscribe, Demand)


def at_once(cell: Cell, signal: Signal) -> bool:
    """Whether a signal does not wait behind what is in the mailbox."""
    if isinstance(signal, Stop):
        return not signal.drain or cell.state == SUSPENDED
    if isinstance(signal, Escalated):
        return cell.state in (RESTARTING, SUSPENDED)
    return isinstance(signal, (Watch, Unwatch, Chase, Cancel, Verdict, GroupFailed, GroupVerdict, *STREAMS))


def on_signal(runtime: Runtime, cell: Cell, signal: Signal) -> bool:
    """One signal for one actor."""
    if isinstance(signal, Told):
        return _tell(runtime, cell, signal.notice)
    if isinstance(signal, Stop):
        return _stop(runtime, cell, signal)
    if isinstance(signal, Watch):
        if cell.state == ENDED:
            signal_to_nobody(runtime, cell.address, signal, runtime.tombstones.get(cell.address.serial, "unknown"))
            return False
        if cell.watchers is None:
            cell.watchers = {}
        cell.watchers[signal.watcher] = None
    elif isinstance(signal, Chase):
        deadlock.chase(runtime, cell, signal)
    elif isinstance(signal, Cancel):
        cancelling.arrived(runtime, signal.question)
    elif isinstance(signal, Escalated):
        return supervise.escalated(runtime, cell, signal)
    elif isinstance(signal, Verdict):
        return supervise.verdict(runtime, cell, signal)
    elif isinstance(signal, GroupFailed):
        groups.member_failed(runtime, cell, signal)
    elif isinstance(signal, GroupVerdict):
        return supervise.group_verdict(runtime, cell, signal)
    elif isinstance(signal, STREAMS):
        return streams.on_signal(runtime, cell, signal)
    elif isinstance(signal, (Event, Missed)):
        streams.arrived(cell, signal)
    elif isinstance(signal, Mark):
        if cell.state == RUNNING:
            runtime.route(signal.to, Marked(signal.number), cell.address)
    elif isinstance(signal, Unwatch):
        if cell.watchers is not None:
            cell.watchers.pop(signal.watcher, None)
    return False


def _stop(runtime: Runtime, cell: Cell, signal: Stop) -> bool:
    if cell.state == ENDED:
        if not runtime.relocations.forward(cell.address, SIGNAL, signal, None):
            signal_to_nobody(runtime, cell.address, signal, "stopped")
        return False
    if signal.notify is not None:
        cell.stop_notify = [*(cell.stop_notify or ()), signal.notify]
    reason, error = signal.reason, None
    failures = cell.failures
    if cell.state == SUSPENDED:
        if reason == "stopped" and failures is not None:
            reason, error = "failed", failures.error  # which is how it ends: nobody let it go on
    elif not signal.drain and cell.state != STOPPING:
        waiting = failures is not None and failures.waiting
        if cell.state == STARTING or (cell.busy and not waiting):
            cell.stop_asked = AT_ONCE
            cell.pending = cell.pending or LOOK  # what its handler, on another thread, asks for meanwhile says the same
            return False
        if waiting:
            cell.actor = None  # it has heard `restarting`
    return ending.begin_stop(runtime, cell, reason, error, drain=signal.drain)


def signal_to_nobody(runtime: Runtime, target: Address[Any], signal: Any, reason: str) -> None:
    """A signal for an actor that is not there (any more)."""
    if isinstance(signal, Watch):
        runtime.route(signal.watcher, Told(Terminated(target, reason)), target, SIGNAL)
    elif isinstance(signal, Stop) and signal.notify is not None:
        runtime.route(signal.notify, None, target, REPLY)
    elif isinstance(signal, (Escalated, GroupFailed)):
        runtime.route(signal.child, Stop(reason="parent lost"), target, SIGNAL)
    elif isinstance(signal, Spawn):
        spawn_refused(runtime, target, signal, reason)


def spawn_refused(runtime: Runtime, target: Address[Any], spawn: Spawn, reason: str) -> None:
    """A spawn could not reach its process."""
    if spawn.notify is not None:
        runtime.route(spawn.notify, gone(target, reason), target, FAILURE)
    runtime.route(spawn.parent, Told(ChildExited(target, reason, name=spawn.spec.name)), target, SIGNAL)


def _tell(runtime: Runtime, cell: Cell, notice: Notice) -> bool:
    if isinstance(notice, ChildExited):
        if cell.children is None or notice.child not in cell.children:
            return False  # told before (a loss and an end may both report it)
        del cell.children[notice.child]
        cell.runtime.launched.pop(notice.child, None)
        if notice.child in cell.runtime.relocations.movable:
            told = runtime.relocations.exited(cell, notice)
            if told is None:
                return False
            notice = told
        if cell.state == STOPPING:
            return ending.children_ended(runtime, cell) if not cell.children else False
    elif isinstance(notice, Terminated):
        if cell.watching is None or notice.actor not in cell.watching:
            return False
        del cell.watching[notice.actor]
    if cell.state != RUNNING:
        return False
    try:
        handler = type(cell.actor)._handlers.find_notice(type(notice))
    except InvalidArgument as error:  # one of its annotations makes no sense, which shows at the first use
        return supervise.fail(runtime, cell, (cell, notice, None), error)
    if handler is None:
        return False
    return runtime.run_step(cell, _call_notice, (cell, notice, None, handler), supervise.handled)


def _call_notice(cell: Cell, context: Any) -> Any:
    cell.sender = None
    cell.pending = LOOK | NOTICE
    return context[3](cell.actor, context[1])
