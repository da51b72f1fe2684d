"""Supervision at work: the instance of an actor, what happens when it fails, and how it is made again.

The policies themselves are data (`garrick.supervision`). Every function runs on the holder of the baton. Those that may run user code
return True when the baton was lost in it; the caller must then return at once without touching the runtime.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from garrick.actor import Actor
from garrick.address import ReplyAddress
from garrick.errors import BadActorClass, NoCapableSystem
from garrick.messages import Notice, Poisoned
from garrick.requirements import is_demanding, missing, requirements_of
from garrick.runtime import load
from garrick.runtime.cell import ENDED, RESTARTING, RUNNING, STARTING, Cell
from garrick.runtime.ending import begin_stop
from garrick.runtime.keeping import keep
from garrick.runtime.reports import describe, handler_failed
from garrick.runtime.signals import Started, Told
from garrick.supervision import Restart, Restarts, Resume, Stop
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
    problem = keep(runtime, cell) if first else None
    if problem is not None:
        return begin_stop(runtime, cell, "failed", problem)
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
                runtime.route(sender, handler_failed(text, error), cell.address, FAILURE)
        elif sender is not None:
            runtime.route(sender, Told(Poisoned(message, error, cell.address)), cell.address, SIGNAL)
    policy = cell.spec.supervision or (WITH_ASKER if asked else WITHOUT_ASKER)
    if isinstance(error, SystemExit) or isinstance(policy, Stop):
        return begin_stop(runtime, cell, "failed", error)
    if isinstance(policy, Resume):
        return begin_stop(runtime, cell, "stopped", None) if cell.stop_asked else False
    return _restart(runtime, cell, policy, error)


# --- restarting ------------------------------------------------------------------------------------------------------------


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
    return make(runtime, cell)
