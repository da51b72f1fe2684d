"""How errors and actors are told: to people as text, to other processes as what can travel.

Must not change anything; every function is safe against user code that raises.
"""

from __future__ import annotations

import inspect
import pickle
import traceback
from typing import TYPE_CHECKING, Any

from garrick.actor import Actor
from garrick.address import Address
from garrick.errors import ActorGone, GarrickError, HandlerFailed
from garrick.messages import Poisoned
from garrick.observe.letters import hint
from garrick.runtime.signals import Signal, Spec, Told

if TYPE_CHECKING:
    from garrick.runtime.cell import Cell


def describe(error: BaseException) -> str:
    """Type and text of an error; safe against exceptions that can't even be printed."""
    try:
        return f"{type(error).__name__}: {error}"
    except BaseException as second:  # user code, and we are on the lane
        return f"{type(error).__name__} (its text can't be had: {type(second).__name__})"


def gone(target: Address[Any], reason: str, *, outcome_unknown: bool = False) -> ActorGone:
    """What an asker hears when nobody can answer."""
    return ActorGone(
        f"{target} can't answer: {reason}", reason=reason, outcome_unknown=outcome_unknown, hint=hint(reason)
    )


def handler_failed(text: str, error: BaseException) -> HandlerFailed:
    """What an asker hears when the handler raised."""
    return HandlerFailed(text, error=sendable(error), remote_traceback="".join(traceback.format_exception(error)))


def sendable(error: BaseException | None) -> BaseException | None:
    """The error if it can leave the process, else None."""
    # Checked here, on the failing side, where losing the exception object costs least; its text travels anyway.
    if error is None:
        return None
    try:
        pickle.loads(pickle.dumps(error))
    except BaseException:  # user code, and we are on the lane
        return None
    return error


def can_travel(message: Any) -> bool:
    """Whether a message can leave the process."""
    try:
        pickle.dumps(message)
    except BaseException:  # user code, and we are on the lane
        return False
    return True


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
