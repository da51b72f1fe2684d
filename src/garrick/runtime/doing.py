"""What an actor is doing right now: which message it handles, on which thread or task, and where its code is.

Owns looking at frames. It finds the step of an actor by the runtime's own functions on the stacks of the process's threads, so that
running a step costs nothing for it. Never runs user code; what it sees may be over before it is told.
"""

from __future__ import annotations

import sys
import threading
import traceback
from types import CoroutineType, FrameType, GeneratorType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from garrick.runtime.cell import Cell

FRAMES = 8
"""Frames of a stack that are shown, the innermost."""
_RUNTIME = "garrick.runtime."
_STEPS = {"run_step", "_run"}
"""Functions of the runtime that call user code, and have the actor in ``cell``."""


def doing(cell: Cell) -> dict[str, Any] | None:
    """Where the code of a busy actor is: ``message``, ``seconds``, ``thread``, ``stack``; None when nothing of it runs."""
    lane = cell.runtime.async_lane
    if lane is not None:
        for task, owner in list(lane._tasks.items()):
            if getattr(owner, "cell", owner) is cell and not task.done():
                return _task(task)
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, top in sys._current_frames().items():
        if ident != threading.get_ident():
            found = _step(top, cell)
            if found is not None:
                return {"thread": names.get(ident, str(ident)), **found}
    return None


def _step(top: FrameType, cell: Cell) -> dict[str, Any] | None:
    """The innermost step of the actor on one thread's stack."""
    frames: list[tuple[FrameType, int]] = []
    frame: FrameType | None = top
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if frame.f_code.co_name in _STEPS and module.startswith(_RUNTIME):
            variables = frame.f_locals
            if variables.get("cell") is cell and _is_running(variables):
                began = variables.get("began")
                return {
                    "message": _message(variables, cell),
                    "seconds": cell.runtime.clock.now() - began if isinstance(began, float) else None,
                    "stack": _text(frames[:FRAMES][::-1]),
                }
            frames.clear()  # of an actor that was asked, whose step runs on the stack of ours
        elif not module.startswith("garrick."):
            frames.append((frame, frame.f_lineno))
        frame = frame.f_back
    return None


def _is_running(variables: dict[str, Any]) -> bool:
    """Whether user code of this frame's actor runs.

    The frame of one step lasts as long as the step; the loop of the lane keeps its last actor in its variables when it rests.
    """
    tenure = variables.get("tenure")
    if tenure is None or "context" in variables:
        return True
    # `depth`: its handler asks, and the asked actor runs on its stack.
    return tenure.depth > 0 or (tenure.envelope is not None and tenure.envelope is variables.get("envelope"))


def _message(variables: dict[str, Any], cell: Cell) -> str | None:
    for name in ("envelope", "context"):
        envelope = variables.get(name)
        if isinstance(envelope, tuple) and len(envelope) >= 3 and envelope[0] is cell:
            return type(envelope[1]).__qualname__
    return None


def _text(frames: list[tuple[FrameType, int]]) -> str:
    return "".join(traceback.StackSummary.extract(iter(frames)).format())


def _task(task: Any) -> dict[str, Any]:
    """A coroutine: the chain of what it awaits."""
    frames: list[tuple[FrameType, int]] = []
    message = None
    waited: Any = task.get_coro()
    while isinstance(waited, (CoroutineType, GeneratorType)):
        frame = waited.cr_frame if isinstance(waited, CoroutineType) else waited.gi_frame
        if frame is None:
            break
        variables = frame.f_locals
        if not str(frame.f_globals.get("__name__", "")).startswith(_RUNTIME):
            frames.append((frame, frame.f_lineno))
        elif message is None:  # AsyncLane._step
            envelope = variables.get("context")
            if isinstance(envelope, tuple) and len(envelope) >= 3:
                message = type(envelope[1]).__qualname__
        if isinstance(waited, GeneratorType):  # Turns._in_turn drives the coroutine by hand
            waited = variables.get("coroutine", waited.gi_yieldfrom)
        else:
            waited = waited.cr_await
    return {"thread": "event loop", "message": message, "seconds": None, "stack": _text(frames[-FRAMES:])}


def executor_of(cell: Cell) -> str:
    """Where the steps of the actor run: the lane, or the executor that it was moved to."""
    return "lane" if cell.executor is None else type(cell.executor).__name__
