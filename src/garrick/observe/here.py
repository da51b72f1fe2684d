"""Which actor the current code belongs to, for records of the log.

Owns the lookup, and the few marks that it reads. Must not know the runtime; it sees a cell as something with an address and a spec.
Invariant: the marks are set per thread, per tenure of the baton, or once per actor with async handlers, never per message of the lane;
what a message costs stays what it is, and the work is done when a record is made.
"""

from __future__ import annotations

import sys
import threading
from contextvars import ContextVar
from types import CodeType, FunctionType
from typing import Any, Final

OWNER: ContextVar[Any] = ContextVar("garrick_owner")
"""The cell whose async handlers run in this context; tasks and threads that they start inherit it."""
FIELDS: Final = ("garrick_system", "garrick_actor", "garrick_class", "garrick_address", "garrick_message")
"""Attributes that records of actors have: the system, the actor's name (or else address), its class, its address, the message's type."""
_DEPTH: Final = 200
"""Frames that are looked through for the step of an async handler."""


class _Here(threading.local):
    tenure: Any = None
    """This thread's turn as holder of a baton; its ``envelope`` is the step in user code."""
    step: Any = None
    """The step ``(cell, call, context)`` that this thread runs for an executor or for the simulator."""
    told: Any = None
    """``(logger name, fields)`` of the record that is about to be made, when its maker knows better than this thread."""


HERE = _Here()
_async_steps: dict[CodeType, str] = {}


def async_step(code: CodeType, envelope: str) -> None:
    """Frames of this code run async handlers; its local variables ``cell`` and ``envelope`` say for what."""
    _async_steps[code] = envelope


def step_fields() -> dict[str, str]:
    """The fields of the actor and message that the current thread or task works on; empty when there is none."""
    step = HERE.step
    if step is None and HERE.tenure is not None:
        step = HERE.tenure.envelope
    if step is not None:
        return fields(step[0], _message(step))
    cell = OWNER.get(None)
    return fields(cell, _async_message(cell)) if cell is not None else {}


def fields(cell: Any, message: Any = None) -> dict[str, str]:
    """The fields of an actor.

    Args:
        cell: of the actor.
        message: that it works on; None: none.
    """
    spec = cell.spec
    if spec.actor_class is None:
        return {}  # the runtime's own steps
    address = str(cell.address)
    cls = spec.actor_class
    values = (
        cell.address.system,
        spec.name or address,
        cls if isinstance(cls, str) else cls.__qualname__,
        address,
        "" if message is None else type(message).__qualname__,
    )
    return dict(zip(FIELDS, values, strict=True))


def _message(step: Any) -> Any:
    # A step is an envelope of the lane (cell, message, sender), or a call of the runtime (cell, call, context), where the context
    # of a message is its envelope. Hooks have no message.
    cell, call, context = step[:3]
    if type(context) is tuple and context and context[0] is cell:
        return context[1]
    if type(call) is FunctionType and call.__module__.startswith("garrick.runtime."):
        return None
    return call


def _async_message(cell: Any) -> Any:
    frame = sys._getframe(2)
    for _ in range(_DEPTH):
        name = _async_steps.get(frame.f_code)
        if name is not None:
            found = frame.f_locals
            envelope = found[name]
            if found["cell"] is cell and type(envelope) is tuple and envelope[0] is cell:
                return envelope[1]
            return None
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return None
