"""Supervision at work: the instance of an actor, what happens when it fails, and how it is made again.

The policies themselves are data (`garrick.supervision`). Every function runs on the holder of the baton. Those that may run user code
return True when the baton was lost in it; the caller must then return at once without touching the runtime.
"""

from __future__ import annotations

import importlib
import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from garrick.actor import Actor
from garrick.address import ReplyAddress
from garrick.errors import BadActorClass, GarrickError, NoCapableSystem
from garrick.messages import Notice, Poisoned
from garrick.requirements import is_demanding, missing, requirements_of
from garrick.runtime import crash, load, stash
from garrick.runtime.cell import AT_ONCE, ENDED, RESTARTING, RUNNING, STARTING, STOPPING, SUSPENDED, Cell
from garrick.runtime.ending import begin_stop
from garrick.runtime.failures import failures_of, signal_of, signals_in
from garrick.runtime.groups import delay
from garrick.runtime.keeping import keep
from garrick.runtime.reports import class_name, describe, handler_failed, sendable
from garrick.runtime.signals import Escalated, GroupFailed, GroupVerdict, Started, Told, Verdict
from garrick.runtime.signals import Stop as SignalStop
from garrick.supervision import Escalate, Policy, Restart, Resume, Stop, choose, in_group
from garrick.wire.envelope import FAILURE, REPLY, SIGNAL

if TYPE_CHECKING:
    from garrick.runtime.runtime import Runtime

Done = Callable[["Runtime", Cell, Any, Any, "BaseException | None"], bool]

log = logging.getLogger("garrick.actor")

WITHOUT_ASKER = Restart()
WITH_ASKER = Resume()
"""The defaults of DESIGN: a failure that an asker hears of must not wipe a service."""


# --- the instance ----------------------------------------------------------------------------------------------------------


def make(runtime: Runtime, cell: Cell) -> bool:
    """Make the instance, the first or another one."""
    return runtime.run_step(cell, _construct, None, _constructed)


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


def _construct(cell: Cell, _context: Any) -> Actor:
    spec = cell.spec
    cls: type[Actor] = spec.actor_class
    if not spec.plain:
        cls = resolve_class(cls)
        if cell.actor is None and is_demanding(cls, spec.requires):
            _check_fit(cell, cls)
    cell.behaviour = None
    actor = cls.__new__(cls)
    actor._cell = cell
    actor.address = cell.address
    if spec.plain:
        actor.__init__()  # type: ignore[misc]
    else:
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
        return _make_failed(runtime, cell, error)
    cell.actor = actor
    cls = type(actor)
    cell.replies = cls.receive is Actor.receive
    stash.install(cell)
    if cls._reentrant:
        from garrick.runtime.reentrant import open_up  # late: loads asyncio

        open_up(cell)
    if cls.started is not Actor.started:
        return runtime.run_step(cell, _call_started, None, _running)
    return _running(runtime, cell, context, None, None)


def _call_started(cell: Cell, _context: Any) -> Any:
    return cell.actor.started()


def _make_failed(runtime: Runtime, cell: Cell, error: BaseException) -> bool:
    # There is no instance that any hook could be called on, but children and timers that the constructor has made.
    runtime.history.failed(cell, runtime.clock.now(), "its start", error)
    cell.actor = None
    if cell.state != RESTARTING:
        return begin_stop(runtime, cell, "refused" if isinstance(error, NoCapableSystem) else "failed", error)
    # What the constructor needs may be away for a while, which is what the back-off is for: one failure more.
    log.warning("%s could not be made again: %s (%s)", class_name(cell), describe(error), cell.address)
    kept = failures_of(cell).kept
    for child in tuple(cell.children or ()):
        if child not in kept:
            runtime.route(child, SignalStop(), cell.address, SIGNAL)
    if isinstance(error, NoCapableSystem):
        return begin_stop(runtime, cell, "capability lost", error)
    if cell.stop_asked or _stop_waits(runtime, cell):
        return begin_stop(runtime, cell, "failed", error)
    return _decide(runtime, cell, error, WITHOUT_ASKER)


def _running(runtime: Runtime, cell: Cell, _context: Any, _result: Any, error: BaseException | None) -> bool:
    if error is not None:
        return _make_failed(runtime, cell, error)
    first = cell.state != RESTARTING
    cell.state = RUNNING
    if first and not runtime.load_due:
        load.report_load(runtime)
    problem = keep(runtime, cell) if first else None
    if problem is not None:
        return begin_stop(runtime, cell, "failed", problem)
    if first and cell.parent.serial == 0 and cell.parent.process == 0:
        # The admin is the parent: it can say what became of it only if it knows of it.
        runtime.route(cell.parent, Started(cell.address), cell.address, SIGNAL)
    if first and cell.notify is not None:
        runtime.route(cell.notify, Started(cell.address), cell.address, REPLY)
        cell.notify = None
    if cell.failures is not None:
        _settle_escalated(runtime, cell, restart=True)
    if cell.stop_asked:
        return _stop_as_asked(runtime, cell)
    runtime.unbusy(cell)
    return False


# --- handling and failing ------------------------------------------------------------------------------------------------


def handled(runtime: Runtime, cell: Cell, envelope: Any, _result: Any, error: BaseException | None) -> bool:
    """A message has been handled, or failed; a synchronous ``@on`` handler has given its answer by itself (`Actor.receive`)."""
    if error is not None:
        return fail(runtime, cell, envelope, error)
    if cell.pending:
        stash.settle(runtime, cell, envelope)
        if cell.failures is not None and cell.failures.due is not None and not cell.stop_asked:
            return group_due(cell)  # before what came back from the stash
    if cell.stop_asked:
        return _stop_as_asked(runtime, cell)
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
    if cell.pending:
        stash.spoil(runtime, cell, envelope)
    text = f"{type(cell.actor).__qualname__} failed on {type(message).__name__}: {describe(error)}"
    runtime.history.failed(cell, runtime.clock.now(), type(message).__qualname__, error)
    asked = type(sender) is ReplyAddress and cell.answered is not sender and not isinstance(message, Notice)
    default = WITH_ASKER if asked else WITHOUT_ASKER
    crash.tell(cell, text, message, sender, error, choose(cell.spec.supervision, error, default))
    if not isinstance(message, Notice):
        if type(sender) is ReplyAddress:
            if asked:
                runtime.route(sender, handler_failed(text, error), cell.address, FAILURE)
        elif sender is not None:
            runtime.route(sender, Told(Poisoned(message, error, cell.address)), cell.address, SIGNAL)
    if cell.state != RUNNING:
        return False  # decided already
    return _decide(runtime, cell, error, default)


def _stop_as_asked(runtime: Runtime, cell: Cell) -> bool:
    return begin_stop(runtime, cell, "stopped", None, drain=cell.stop_asked != AT_ONCE)


def _decide(runtime: Runtime, cell: Cell, error: BaseException, default: Policy) -> bool:
    """Apply the policy of an actor to a failure: of a handler, of the instance that was to replace a failed one, or of a child."""
    policy = choose(cell.spec.supervision, error, default)
    if isinstance(error, SystemExit) or isinstance(policy, Stop):
        return begin_stop(runtime, cell, "failed", error)
    if cell.stop_asked:
        return _stop_as_asked(runtime, cell)
    if cell.failures is not None and cell.failures.due is not None:
        return _with_group(runtime, cell, error)
    if (isinstance(policy, Escalate) or (isinstance(policy, Restart) and policy.all_for_one)) and _stop_waits(
        runtime, cell
    ):
        return begin_stop(runtime, cell, "failed", error)  # nobody is left to decide what is decided already
    if isinstance(policy, Escalate):
        return _escalate(runtime, cell, error)
    if isinstance(policy, Resume):
        if cell.actor is not None:
            return _resume(runtime, cell)
        policy = WITHOUT_ASKER  # there is no instance to go on with
    if policy.all_for_one:
        return _report_to_group(runtime, cell, policy, error)
    attempt = failures_of(cell).intensity.allow(policy, runtime.clock.now())
    if attempt == 0:
        return begin_stop(runtime, cell, "failed", error)
    return _renew(runtime, cell, error, delay(runtime, policy.backoff, attempt))


def _resume(runtime: Runtime, cell: Cell) -> bool:
    if cell.failures is not None:
        _settle_escalated(runtime, cell, restart=False)
    if cell.stop_asked:
        return _stop_as_asked(runtime, cell)
    if cell.state == SUSPENDED:
        cell.state = RUNNING
        runtime.unbusy(cell)
    return False


# --- left to the parent ----------------------------------------------------------------------------------------------------


def _suspend(cell: Cell, error: BaseException) -> None:
    cell.state = SUSPENDED
    cell.hold()
    failures_of(cell).error = error


def _escalate(runtime: Runtime, cell: Cell, error: BaseException) -> bool:
    parent = cell.parent
    if parent.serial == 0:
        log.error(
            "%s (%s) stops: it escalates, and nobody is above it: %s", class_name(cell), cell.address, describe(error)
        )
        return begin_stop(runtime, cell, "failed", error)
    _suspend(cell, error)
    failures_of(cell).decider = parent
    _gather_escalated(runtime, cell)
    near = parent._cell is not None and parent._cell.runtime is runtime
    runtime.route(parent, Escalated(cell.address, error if near else _portable(error)), cell.address, SIGNAL)
    return False


def escalated(runtime: Runtime, cell: Cell, signal: Escalated) -> bool:
    """A child is suspended and leaves the decision to this actor."""
    if signal.child not in (cell.children or ()) or cell.state not in (RUNNING, RESTARTING, SUSPENDED):
        return False
    failures_of(cell).escalated.append(signal.child)
    if cell.state != RUNNING:
        return False  # what becomes of the actor becomes of the child, too
    text = f"{class_name(cell)} has the failure of its child {signal.child}: {describe(signal.error)}"
    log.warning("%s (%s)", text, cell.address)
    return _decide(runtime, cell, signal.error, WITHOUT_ASKER)


def _gather_escalated(runtime: Runtime, cell: Cell) -> None:
    """Children whose escalation waits in the mailbox share what becomes of the actor now: one cause should not count many times."""
    for item in tuple(cell.queue):
        signal = signal_of(runtime, item)
        if isinstance(signal, Escalated):
            cell.queue.remove(item)
            escalated(runtime, cell, signal)


def _settle_escalated(runtime: Runtime, cell: Cell, *, restart: bool) -> None:
    failures = failures_of(cell)
    children, failures.escalated = failures.escalated, []
    for child in children:
        runtime.route(child, Verdict(restart), cell.address, SIGNAL)


def verdict(runtime: Runtime, cell: Cell, signal: Verdict) -> bool:
    """The parent has decided about the failure that this actor escalated."""
    if cell.state != SUSPENDED:
        return False
    failures_of(cell).decider = None
    error = failures_of(cell).error
    assert error is not None
    if signal.restart:
        return _renew(runtime, cell, error, 0.0)
    if cell.actor is None:
        return begin_stop(runtime, cell, "failed", error)  # there is no instance to go on with
    return _resume(runtime, cell)


def _report_to_group(runtime: Runtime, cell: Cell, policy: Restart, error: BaseException) -> bool:
    _suspend(cell, error)
    failed = GroupFailed(cell.address, policy, failures_of(cell).epoch, _portable(error))
    runtime.route(cell.parent, failed, cell.address, SIGNAL)
    return False


def group_verdict(runtime: Runtime, cell: Cell, signal: GroupVerdict) -> bool:
    """A sibling has failed, or this actor, and the group restarts or stops."""
    if not in_group(cell.spec.supervision):
        return False
    failures = failures_of(cell)
    if signal.epoch <= failures.epoch:
        return False
    failures.epoch = signal.epoch
    if signal.delay is not None and cell.state in (STARTING, RESTARTING):
        return False  # it is as good as new
    failures.due = signal
    if cell.state == SUSPENDED or failures.waiting or (cell.state == RUNNING and not cell.busy):
        return group_due(cell)
    if cell.queue is None:
        cell.queue = deque()
    cell.queue.appendleft((runtime.control, group_due, cell))
    cell.pending |= stash.LOOK
    return False


def group_due(cell: Cell) -> bool:
    """The message is over that was being handled when the verdict over the group came."""
    failures = failures_of(cell)
    if failures.due is None or cell.state in (STARTING, STOPPING, ENDED):
        return False
    error = failures.error if cell.state == SUSPENDED else None
    return _with_group(cell.runtime, cell, error or failures.due.error)


def _with_group(runtime: Runtime, cell: Cell, error: BaseException) -> bool:
    failures = failures_of(cell)
    signal, failures.due = failures.due, None
    assert signal is not None
    if signal.delay is not None:
        return _renew(runtime, cell, error, signal.delay)
    if cell.state == RESTARTING:
        cell.actor = None  # it has heard `restarting`
    return begin_stop(runtime, cell, "failed", error)


def _portable(error: BaseException) -> BaseException:
    return sendable(error) or GarrickError(describe(error))


# --- restarting ------------------------------------------------------------------------------------------------------------


def _renew(runtime: Runtime, cell: Cell, error: BaseException, delay: float) -> bool:
    """Replace the instance after ``delay`` seconds."""
    cell.state = RESTARTING
    cell.hold()
    failures_of(cell).decider = None
    stash.restore(runtime, cell)
    if cell.children:
        _gather_escalated(runtime, cell)
    for timer in tuple(cell.timers or ()):
        if not timer.keep:
            timer.cancel()
    if cell.executor is not None:
        return cell.executor.quiet(lambda: _restart(runtime, cell, error, delay), cancel=True)
    return _restart(runtime, cell, error, delay)


def _restart(runtime: Runtime, cell: Cell, error: BaseException, delay: float) -> bool:
    if cell.actor is not None and type(cell.actor).restarting is not Actor.restarting:
        return runtime.run_step(cell, _call_restarting, (error, delay), _await_backoff)
    return _await_backoff(runtime, cell, (error, delay), None, None)


def renew(runtime: Runtime, cell: Cell, error: BaseException) -> bool:
    """Replace the instance of a running actor at once, for a reason of its own; no policy is asked and nothing is counted."""
    return _renew(runtime, cell, error, 0.0)


def _call_restarting(cell: Cell, context: tuple[BaseException, float]) -> Any:
    return cell.actor.restarting(context[0])


def _await_backoff(
    runtime: Runtime, cell: Cell, context: tuple[BaseException, float], _result: Any, error: BaseException | None
) -> bool:
    if error is not None:
        log.warning("restarting() of %s failed: %s", cell.address, describe(error))
    cell.hold()
    failures = failures_of(cell)
    if cell.stop_asked == AT_ONCE:
        cell.actor = None  # it has heard `restarting`
        return _stop_as_asked(runtime, cell)
    if failures.due is not None:  # while its own hook ran, the group has come to its limit
        cell.actor = None
        return _with_group(runtime, cell, failures.due.error)
    failures.waiting = True
    failures.backoff += 1
    if context[1] <= 0 or cell.stop_asked or _stop_waits(runtime, cell):
        return again(runtime, cell)
    number, failures.until = failures.backoff, runtime.clock.now() + context[1]
    runtime.timers.arm(failures.until, lambda: runtime.post(lambda _: _backoff_over(runtime, cell, number), None))
    return False


def _backoff_over(runtime: Runtime, cell: Cell, number: int) -> bool:
    return again(runtime, cell) if cell.failures is not None and cell.failures.backoff == number else False


def again(runtime: Runtime, cell: Cell) -> bool:
    """End the back-off of an actor, if it is in one: make the new instance."""
    failures = cell.failures
    if cell.state != RESTARTING or failures is None or not failures.waiting:
        return False
    failures.waiting = False
    failures.kept = frozenset(cell.children or ())
    cell.busy = False
    return make(runtime, cell)


def _stop_waits(runtime: Runtime, cell: Cell) -> bool:
    """Whether the actor is to end anyway: nobody waits for the end of its back-off."""
    return any(isinstance(signal, SignalStop) for signal in signals_in(runtime, cell))
