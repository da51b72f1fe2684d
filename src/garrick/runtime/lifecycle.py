"""The life of an actor: start, failure, restart, stop, and whom to tell.

Every function runs on the holder of the baton. Those that may run user code return True when the baton was lost in it; the caller
must then return at once without touching the runtime (the rest happens when the step comes back through the lane).

::

    starting ──► running ──► stopping ──► ended
                 │    ▲          ▲
                 ▼    │          │ limit of restarts, Stop
               restarting ───────┘
"""

from __future__ import annotations

import importlib
import inspect
import logging
import pickle
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from garrick.actor import Actor
from garrick.address import Address, ReplyAddress
from garrick.errors import (
    ActorGone,
    BadActorClass,
    GarrickError,
    HandlerFailed,
    InvalidArgument,
    NameTaken,
    NoCapableSystem,
    SpawnFailed,
)
from garrick.messages import ChildExited, Notice, Poisoned, Terminated
from garrick.requirements import is_demanding, missing, requirements_of
from garrick.runtime import deadlock, load
from garrick.runtime.ask import Slot
from garrick.runtime.cell import ENDED, RESTARTING, RUNNING, STARTING, STOPPING, Cell
from garrick.runtime.signals import (
    Chase,
    Lookup,
    NameAnswer,
    NameClaim,
    NameReleased,
    Signal,
    Spawn,
    Spec,
    Started,
    Stop,
    Told,
    Unwatch,
    Watch,
)
from garrick.supervision import Restart, Restarts, Resume
from garrick.supervision import Stop as StopPolicy
from garrick.wire.envelope import FAILURE, REPLY, SIGNAL

if TYPE_CHECKING:
    from garrick.runtime.runtime import Runtime
    from garrick.runtime.timers import Timer

Done = Callable[["Runtime", Cell, Any, Any, "BaseException | None"], bool]

log = logging.getLogger("garrick.actor")

TOMBSTONES = 10_000
"""Ended actors whose reason is remembered."""
WITHOUT_ASKER = Restart()
WITH_ASKER = Resume()
"""The defaults of DESIGN: a failure that an asker hears of must not wipe a service."""


class _Grave:
    """The queue of an ended actor: whatever arrives is a dead letter."""

    __slots__ = ("cell", "reason")

    def __init__(self, cell: Cell, reason: str) -> None:
        self.cell = cell
        self.reason = reason

    def append(self, item: Any) -> None:
        cell = self.cell
        if item[0] is cell:
            cell.runtime.undeliverable(cell.address, item[1], item[2], self.reason)

    def __len__(self) -> int:
        return 0


# --- starting ------------------------------------------------------------------------------------------------------------


def check_spec(spec: Spec) -> None:
    """Refuse at once what can never be an actor.

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
    if spec.supervision is not None and not isinstance(spec.supervision, (Restart, Resume, StopPolicy)):
        raise InvalidArgument(
            f"supervision={spec.supervision!r} is no policy", hint="give Restart(...), Resume() or Stop()"
        )
    if spec.isolation not in ("shared", "thread", "process"):
        raise InvalidArgument(f"isolation={spec.isolation!r} is not one of 'shared', 'thread', 'process'")


def resolve_class(named: Any) -> type[Actor]:
    """The class of a spec; imports it when it is given by name."""
    if not isinstance(named, str):
        return named  # type: ignore[no-any-return]
    module_name, _, class_name = named.rpartition(".")
    try:
        cls = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise BadActorClass(f"can't import actor class {named!r}: {error}") from error
    if not (isinstance(cls, type) and issubclass(cls, Actor)):
        raise BadActorClass(f"{named!r} is no subclass of garrick.Actor")
    return cls


def start(runtime: Runtime, cell: Cell) -> bool:
    """First step of a new cell."""
    runtime.scheduler.place(cell)
    if cell.spec.name is not None:
        cell.hold()
        runtime.route(runtime.admin, NameClaim(cell.spec.name, cell.address), runtime.address, SIGNAL)
        return False
    return runtime.run_step(cell, _construct, None, _constructed)


def name_answered(runtime: Runtime, answer: NameAnswer) -> bool:
    """The admin has decided about a name."""
    cell = runtime.cells.get(answer.address.serial)
    if cell is None or cell.state == ENDED:
        if answer.holder == answer.address:
            runtime.route(runtime.admin, NameReleased(answer.name, answer.address), runtime.address, SIGNAL)
        return False
    cell.busy = False
    if answer.holder != answer.address:
        error = NameTaken(f"the name {answer.name!r} belongs to {answer.holder}")
        return finish(runtime, cell, "refused", error)
    return runtime.run_step(cell, _construct, None, _constructed)


def _construct(cell: Cell, _context: Any) -> Actor:
    spec = cell.spec
    cls = resolve_class(spec.actor_class)
    if cell.state == STARTING and is_demanding(cls, spec.requires):
        _check_fit(cell, cls)
    actor = cls.__new__(cls)
    actor._cell = cell
    actor.address = cell.address
    actor.__init__(*spec.args, **spec.kwargs)  # type: ignore[misc]
    return actor


def _check_fit(cell: Cell, cls: type[Actor]) -> None:
    # The spawner chose by what it knew, which may have been out of date.
    runtime = cell.runtime
    lacking = missing(requirements_of(cls, cell.spec.requires), runtime.capabilities)
    check = getattr(cls, "can_run_on", None)
    if not lacking and check is not None:
        try:
            lacking = () if check(runtime.capabilities) else ("what can_run_on wants",)
        except Exception as error:
            lacking = (f"what can_run_on wants, which raised {describe(error)}",)
    if lacking:
        raise NoCapableSystem(
            f"system {runtime.system.partition('@')[0]!r} can no longer run {cls.__qualname__}; it lacks {', '.join(lacking)}",
            hint="it had what is required when it was chosen; spawn the actor again",
        )


def _constructed(runtime: Runtime, cell: Cell, context: Any, actor: Any, error: BaseException | None) -> bool:
    if error is not None:
        return _start_failed(runtime, cell, error)
    cell.actor = actor
    cls = type(actor)
    cell.handle = actor.receive
    cell.replies = cls.receive is Actor.receive
    if cls.started is not Actor.started:
        return runtime.run_step(cell, _call_started, None, _running)
    return _running(runtime, cell, context, None, None)


def _call_started(cell: Cell, _context: Any) -> Any:
    return cell.actor.started()


def _start_failed(runtime: Runtime, cell: Cell, error: BaseException) -> bool:
    # There is no instance that `stopping` could be called on, but children and timers that the constructor has made.
    cell.actor = None
    return begin_stop(runtime, cell, "refused" if isinstance(error, NoCapableSystem) else "failed", error)


def _running(runtime: Runtime, cell: Cell, _context: Any, _result: Any, error: BaseException | None) -> bool:
    if error is not None:
        return _start_failed(runtime, cell, error)
    first = cell.state != RESTARTING
    cell.state = RUNNING
    if first and not runtime.load_due:
        load.report_load(runtime)
    if first and cell.parent.serial == 0 and cell.parent.process == 0:
        # The admin is the parent: it can say what became of it only if it knows of it.
        runtime.route(cell.parent, Started(cell.address), cell.address, SIGNAL)
    if first and cell.notify is not None:
        runtime.route(cell.notify, Started(cell.address), cell.address, REPLY)
        cell.notify = None
    if cell.stop_asked:
        return begin_stop(runtime, cell, "stopped", None)
    runtime.unbusy(cell)
    return False


# --- handling and failing ------------------------------------------------------------------------------------------------


def handled(runtime: Runtime, cell: Cell, envelope: Any, _result: Any, error: BaseException | None) -> bool:
    """A message has been handled, or failed; a synchronous ``@on`` handler has given its answer by itself (`Actor.receive`)."""
    if error is not None:
        return fail(runtime, cell, envelope, error)
    if cell.stop_asked:
        return begin_stop(runtime, cell, "stopped", None)
    return False


def handled_async(runtime: Runtime, cell: Cell, envelope: Any, result: Any, error: BaseException | None) -> bool:
    """As `handled`, for a coroutine, whose result is the answer."""
    if error is None and cell.replies and type(envelope[2]) is ReplyAddress:
        cell.answer(envelope[2], result)
    return handled(runtime, cell, envelope, None, error)


def fail(runtime: Runtime, cell: Cell, envelope: Any, error: BaseException) -> bool:
    """A handler raised: tell who asked or sent, then apply the policy."""
    message, sender = envelope[1], envelope[2]
    if cell.state == ENDED:
        return False
    text = f"{type(cell.actor).__qualname__} failed on {type(message).__name__}: {describe(error)}"
    log.warning("%s (%s)", text, cell.address, exc_info=error if log.isEnabledFor(logging.DEBUG) else None)
    asked = False
    if not isinstance(message, Notice):
        if type(sender) is ReplyAddress:
            if cell.answered is not sender:
                asked = True
                runtime.route(sender, _handler_failed(text, error), cell.address, FAILURE)
        elif sender is not None:
            runtime.route(sender, Told(Poisoned(message, error, cell.address)), cell.address, SIGNAL)
    policy = cell.spec.supervision or (WITH_ASKER if asked else WITHOUT_ASKER)
    if isinstance(error, SystemExit) or isinstance(policy, StopPolicy):
        return begin_stop(runtime, cell, "failed", error)
    if isinstance(policy, Resume):
        return begin_stop(runtime, cell, "stopped", None) if cell.stop_asked else False
    return _restart(runtime, cell, policy, error)


def _restart(runtime: Runtime, cell: Cell, policy: Restart, error: BaseException) -> bool:
    if cell.restarts is None:
        cell.restarts = Restarts()
    attempt = cell.restarts.allow(policy, runtime.clock.now())
    if attempt == 0:
        return begin_stop(runtime, cell, "failed", error)
    cell.state = RESTARTING
    cell.hold()
    for timer in tuple(cell.timers or ()):
        if not timer.keep:
            timer.cancel()
    delay = 0.0
    if policy.backoff is not None:
        delay = policy.backoff.delay(attempt, runtime.random.stream("backoff").random())
    if type(cell.actor).restarting is not Actor.restarting:
        return runtime.run_step(cell, _call_restarting, (error, delay), _await_backoff)
    return _await_backoff(runtime, cell, (error, delay), None, None)


def _call_restarting(cell: Cell, context: tuple[BaseException, float]) -> Any:
    return cell.actor.restarting(context[0])


def _await_backoff(
    runtime: Runtime, cell: Cell, context: tuple[BaseException, float], _result: Any, error: BaseException | None
) -> bool:
    if error is not None:
        log.warning("restarting() of %s failed: %s", cell.address, describe(error))
    cell.hold()
    assert cell.restarts is not None
    cell.restarts.waiting = True
    if context[1] <= 0:
        return again(runtime, cell)
    runtime.timers.arm(runtime.clock.now() + context[1], lambda: runtime.post(lambda _: again(runtime, cell), None))
    return False


def again(runtime: Runtime, cell: Cell) -> bool:
    """End the back-off of an actor, if it is in one: make the new instance."""
    if cell.state != RESTARTING or cell.restarts is None or not cell.restarts.waiting:
        return False
    cell.restarts.waiting = False
    cell.busy = False
    return runtime.run_step(cell, _construct, None, _constructed)


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
    cell = timer.cell
    if timer.cancelled or cell.state != RUNNING:
        return False
    return cell.runtime.run_message(cell, (cell, timer.message, cell.address))


# --- stopping --------------------------------------------------------------------------------------------------------------


def begin_stop(runtime: Runtime, cell: Cell, reason: str, error: BaseException | None) -> bool:
    """No further message is handled; children end first."""
    if cell.state in (STOPPING, ENDED):
        return False
    cell.state = STOPPING
    cell.hold()
    cell.ending = (reason, error)
    for timer in tuple(cell.timers or ()):
        timer.cancel()
    return False if _stop_children(runtime, cell) else _children_ended(runtime, cell)


def _stop_children(runtime: Runtime, cell: Cell) -> bool:
    """False when there are none; else `_tell` goes on when the last of them has ended."""
    for child in tuple(cell.children or ()):
        runtime.route(child, Stop(reason="stopped"), cell.address, SIGNAL)
    return bool(cell.children)


def _children_ended(runtime: Runtime, cell: Cell) -> bool:
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
    if cell.executor is not None:
        cell.executor.retire(cell)
    for item in waiting or ():
        if item[0] is cell:
            runtime.undeliverable(cell.address, item[1], item[2], reason)
        elif item[0] is runtime.control:
            item[1](item[2])  # a signal: it finds the actor ended and answers accordingly
    if cell.spec.name is None or isinstance(error, NameTaken):
        return _tell_all(runtime, cell, reason, detail, error)
    # Who hears of the end may use the name again at once, so the admin has to know first: an answer to a question behind the release.
    runtime.leaving += 1
    runtime.route(runtime.admin, NameReleased(cell.spec.name, cell.address), runtime.address, SIGNAL)
    freed = Slot(runtime, runtime.admin, 0.0, None)
    freed.expose()
    freed.on_done(lambda: runtime.post(_name_freed, (runtime, cell, reason, detail, error)))
    runtime.route(runtime.admin, Lookup(cell.spec.name), freed.address, SIGNAL)
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
    exited = ChildExited(cell.address, reason, detail, _sendable(error), cell.spec.name)
    runtime.route(cell.parent, Told(exited), cell.address, SIGNAL)
    for watcher in cell.watchers or ():
        runtime.route(watcher, Told(Terminated(cell.address, reason, detail)), cell.address, SIGNAL)
    for watched in cell.watching or ():
        runtime.route(watched, Unwatch(cell.address), cell.address, SIGNAL)
    for notify in cell.stop_notify or ():
        runtime.route(notify, None, cell.address, REPLY)
    cell.actor = cell.handle = cell.context = cell.ending = None
    if not runtime.cells and not runtime.leaving:
        (runtime.on_shutdown if runtime.ending else runtime.on_empty)()
    return False


# --- signals -----------------------------------------------------------------------------------------------------------------


def on_signal(runtime: Runtime, cell: Cell, signal: Signal) -> bool:
    """One signal for one actor."""
    if isinstance(signal, Told):
        return _tell(runtime, cell, signal.notice)
    if isinstance(signal, Stop):
        if cell.state == ENDED:
            signal_to_nobody(runtime, cell.address, signal, "stopped")
            return False
        if signal.notify is not None:
            cell.stop_notify = [*(cell.stop_notify or ()), signal.notify]
        return begin_stop(runtime, cell, signal.reason, None)
    if isinstance(signal, Watch):
        if cell.state == ENDED:
            signal_to_nobody(runtime, cell.address, signal, runtime.tombstones.get(cell.address.serial, "unknown"))
            return False
        if cell.watchers is None:
            cell.watchers = {}
        cell.watchers[signal.watcher] = None
    elif isinstance(signal, Chase):
        deadlock.chase(runtime, cell, signal)
    elif isinstance(signal, Unwatch):
        if cell.watchers is not None:
            cell.watchers.pop(signal.watcher, None)
    return False


def signal_to_nobody(runtime: Runtime, target: Address[Any], signal: Any, reason: str) -> None:
    """A signal for an actor that is not there (any more)."""
    if isinstance(signal, Watch):
        runtime.route(signal.watcher, Told(Terminated(target, reason)), target, SIGNAL)
    elif isinstance(signal, Stop) and signal.notify is not None:
        runtime.route(signal.notify, None, target, REPLY)
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
        if cell.state == STOPPING:
            return _children_ended(runtime, cell) if not cell.children else False
    elif isinstance(notice, Terminated):
        if cell.watching is None or notice.actor not in cell.watching:
            return False
        del cell.watching[notice.actor]
    if cell.state != RUNNING:
        return False
    try:
        handler = type(cell.actor)._handlers.find_notice(type(notice))
    except InvalidArgument as error:  # one of its annotations makes no sense, which shows at the first use
        return fail(runtime, cell, (cell, notice, None), error)
    if handler is None:
        return False
    return runtime.run_step(cell, _call_notice, (cell, notice, None, handler), handled)


def _call_notice(cell: Cell, context: Any) -> Any:
    cell.sender = None
    return context[3](cell.actor, context[1])


# --- errors on their way -------------------------------------------------------------------------------------------------------


def describe(error: BaseException) -> str:
    """Type and text of an error; safe against exceptions that can't even be printed."""
    try:
        return f"{type(error).__name__}: {error}"
    except BaseException as second:  # user code, and we are on the lane
        return f"{type(error).__name__} (its text can't be had: {type(second).__name__})"


def gone(target: Address[Any], reason: str, *, outcome_unknown: bool = False) -> ActorGone:
    """What an asker hears when nobody can answer."""
    return ActorGone(f"{target} can't answer: {reason}", reason=reason, outcome_unknown=outcome_unknown)


def _handler_failed(text: str, error: BaseException) -> HandlerFailed:
    return HandlerFailed(text, error=_sendable(error), remote_traceback="".join(traceback.format_exception(error)))


def _sendable(error: BaseException | None) -> BaseException | None:
    # Checked here, on the failing side, where losing the exception object costs least; its text travels anyway.
    if error is None:
        return None
    try:
        pickle.loads(pickle.dumps(error))
    except BaseException:  # user code, and we are on the lane
        return None
    return error


def picklable(message: Any, cause: BaseException) -> Any:
    """A stand-in for an answer or notice that can't leave the process."""
    if isinstance(message, Told) and isinstance(message.notice, Poisoned):
        return Told(Poisoned(None, GarrickError(str(message.notice.error)), message.notice.target))
    if isinstance(message, (Told, Signal)):
        return message
    return cause


def class_name(cell: Cell) -> str:
    """The name of an actor's class, for a person."""
    return spec_class(cell.spec)


def spec_class(spec: Spec) -> str:
    """As `class_name`, of an actor that is still to be made."""
    cls = spec.actor_class
    return cls if isinstance(cls, str) else cls.__qualname__


def is_coroutine_class(cls: type[Actor]) -> bool:
    """Whether every message of the class is handled by a coroutine."""
    if cls.receive is not Actor.receive:
        return inspect.iscoroutinefunction(cls.receive)
    return cls._handlers.all_async()
