"""Breakpoints of a world: before a message is handled, before a step, or when something becomes true.

Owns where a debugger stops. It stops in the handler's own frame, at its first line, on the thread that runs it. Must not know which
debugger: `make_debugger` says. Invariant: a run that is looked at in a debugger is the same run.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from garrick.actor import Actor
from garrick.address import Address
from garrick.runtime.inspection import class_text

if TYPE_CHECKING:
    from garrick.runtime.cell import Cell
    from garrick.sim.hands import Crew


def plain_debugger() -> Any:
    """The one of the standard library."""
    return importlib.import_module("pdb").Pdb()  # late: it is needed by few


make_debugger: Callable[[], Any] = plain_debugger
"""Makes the debugger that stops; something like `pdb.Pdb`. A plugin of a test runner may have its own."""


class Handling(NamedTuple):
    """A message that is about to be handled, as conditions of breakpoints see it."""

    actor: Any
    """The instance."""
    msg: Any
    sender: Address[Any] | None
    address: Address[Any]
    step: int
    now: float


class Break(NamedTuple):
    """A breakpoint on messages."""

    actor: Any
    message: type[Any] | None
    when: Callable[[Handling], Any] | None

    def hits(self, cell: Cell, handling: Handling) -> bool:
        """Whether to stop before this message."""
        if self.message is not None and not isinstance(handling.msg, self.message):
            return False
        return self._is_meant(cell) and (self.when is None or bool(self.when(handling)))

    def _is_meant(self, cell: Cell) -> bool:
        actor, cls = self.actor, cell.spec.actor_class
        if actor is None:
            return True
        if isinstance(actor, Address):
            return bool(actor == cell.address)
        if isinstance(actor, type):
            return isinstance(cell.actor, actor)
        return actor in (cell.spec.name, class_text(cls).rpartition(".")[2], class_text(cls))


class Breaks:
    """All breakpoints of one world."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._messages: list[Break] = []
        self._steps: set[int] = set()
        self._conditions: list[Callable[[], Any]] = []
        self._next = False
        self.make: Callable[[], Any] | None = None
        """Makes the debugger; None: `make_debugger` does."""

    def on(self, actor: Any, message: type[Any] | None, when: Callable[[Handling], Any] | None) -> None:
        """Stop before messages."""
        self._messages.append(Break(actor, message, when))
        self._crew.breaks = self

    def at(self, step: int) -> None:
        """Stop before a step."""
        self._steps.add(step)
        self._crew.breaks = self

    def when(self, condition: Callable[[], Any]) -> None:
        """Stop after the step that makes it true, each time it becomes true."""
        self._conditions.append(_edge(condition))
        self._crew.breaks = self

    def clear(self) -> None:
        """Stop nowhere."""
        self._messages.clear()
        self._steps.clear()
        self._conditions.clear()
        self._next = False
        self._crew.breaks = None

    # --- asked by those who step ---------------------------------------------------------------------------------------------

    def before(self) -> None:
        """A step begins."""
        self._next = self._crew.kernel.steps + 1 in self._steps

    def after(self) -> None:
        """A step is over."""
        if self._next:  # it ran nobody's code
            self._next = False
            self._here("a step without user code is over")
        for condition in self._conditions:
            if condition():
                self._here("the condition has become true")

    def call(self, cell: Cell, call: Callable[[Cell, Any], Any], context: Any) -> Any:
        """Run a step of an actor, and stop in it if somebody wants that."""
        hit, self._next = self._next, False
        if not hit and cell.actor is not None and _is_message(cell, context):
            kernel = self._crew.kernel
            _, message, sender, *_ = context
            handling = Handling(cell.actor, message, sender, cell.address, kernel.steps, kernel.clock.now())
            hit = any(each.hits(cell, handling) for each in self._messages)
        if not hit:
            return call(cell, context)
        code = _code_of(cell, call, context)
        if code is None:
            self._here("the step has no Python code of its own")
            return call(cell, context)
        before = sys.gettrace()
        tracer = self._stop_in(code)
        sys.settrace(tracer)
        try:
            result = call(cell, context)
        finally:
            if sys.gettrace() is tracer and not code.co_flags & inspect.CO_COROUTINE:
                sys.settrace(before)  # it was not called after all; a coroutine begins in a later step
        return result

    def _stop_in(self, code: CodeType) -> Any:
        def tracer(frame: FrameType, event: str, _argument: Any) -> Any:
            if event != "call" or frame.f_code is not code:
                return None
            sys.settrace(None)
            debugger = self._debugger()
            debugger.set_trace(frame)
            return debugger.trace_dispatch

        return tracer

    def _here(self, why: str) -> None:
        debugger = self._debugger()
        debugger.message(f"world stopped at step {self._crew.kernel.steps}: {why}")
        debugger.set_trace(sys._getframe(1))

    def _debugger(self) -> Any:
        return (self.make or make_debugger)()


def _is_message(cell: Cell, context: Any) -> bool:
    return isinstance(context, tuple) and len(context) > 2 and context[0] is cell


def _edge(condition: Callable[[], Any]) -> Callable[[], bool]:
    was = False

    def became() -> bool:
        nonlocal was
        before, was = was, bool(condition())
        return was and not before

    return became


def _code_of(cell: Cell, call: Callable[[Cell, Any], Any], context: Any) -> CodeType | None:
    """The code that a step of this actor runs first."""
    actor = cell.actor
    if _is_message(cell, context):
        function: Any = context[3] if len(context) > 3 else cell.behaviour
        if function is None:
            function = type(actor).receive
            if function is Actor.receive:
                function = type(actor)._handlers.find(type(context[1]))
    else:
        hook = call.__name__.removeprefix("_call_")
        cls = type(actor) if actor is not None else cell.spec.actor_class
        function = getattr(cls, "__init__" if hook == "_construct" else hook, None)
    return getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
