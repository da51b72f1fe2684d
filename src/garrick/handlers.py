"""``@on``: choose a handler by the type of the message.

Owns the table of one actor class. Must not know cells or threads. The most specific type wins (the order of the message's
MRO, then abstract classes that it is registered with); unions register each member, generics their origin, a bare ``object`` or
``Any`` catches everything.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar, overload

from garrick.cancellation import guard
from garrick.errors import InvalidArgument

F = TypeVar("F", bound=Callable[..., Any])
Handler = Callable[[Any, Any], Any]

_MARK = "__garrick_on__"
PLAIN, CANCELLABLE = 1, 2


@overload
def on(handler: F) -> F: ...
@overload
def on(*, cancellable: bool) -> Callable[[F], F]: ...
def on(handler: Any = None, *, cancellable: bool = False) -> Any:
    """Mark a method of an actor as the handler of messages of the type that its first parameter is annotated with.

    Args:
        handler: the method.
        cancellable: whether it need not go on for an ask that has timed out or was cancelled, or whose asker has ended. Then it is not
            called at all if the question still waits; an ``async`` handler gets `asyncio.CancelledError` where it awaits, a synchronous
            one `AskCancelled` where it waits for an answer. Neither counts as a failure. See also `Actor.cancelled`.
    """
    if handler is None:
        return lambda method: _mark(method, cancellable)
    return _mark(handler, cancellable)


def _mark(handler: F, cancellable: bool) -> F:
    setattr(handler, _MARK, CANCELLABLE if cancellable else PLAIN)
    return handler


class HandlerTable:
    """The handlers of one actor class, with a cache per concrete message type."""

    __slots__ = ("_cache", "_declared", "_resolved", "owner")

    def __init__(self, owner: type) -> None:
        self.owner = owner
        names = dict.fromkeys(name for cls in reversed(owner.__mro__) for name in vars(cls))
        attributes: list[Any] = [getattr(owner, name, None) for name in names]
        self._declared: list[Handler] = [a for a in attributes if getattr(a, _MARK, False)]
        # Annotations may name types that are defined later in the module, so they are looked up at the first message.
        self._resolved: dict[type, Handler] | None = None
        self._cache: dict[type, Handler | None] = {}

    def __bool__(self) -> bool:
        return bool(self._declared)

    def find(self, message_type: type) -> Handler | None:
        """The handler for messages of exactly this type, or None."""
        try:
            return self._cache[message_type]
        except KeyError:
            pass
        table = self._table()
        found = next((table[cls] for cls in message_type.__mro__ if cls in table and cls is not object), None)
        if found is None:
            found = _by_abstract_class(table, message_type) or table.get(object)
        self._cache[message_type] = found
        return found

    def find_notice(self, notice_type: type) -> Handler | None:
        """The handler that names this kind of notice; a catch-all for ``object`` is for messages only."""
        table = self._table()
        return next((table[cls] for cls in notice_type.__mro__ if cls in table and cls is not object), None)

    def _table(self) -> dict[type, Handler]:
        if self._resolved is None:
            self._resolved = self._resolve()
        return self._resolved

    def all_async(self) -> bool:
        """Whether every handler is a coroutine function (then a burst of messages stays on the event loop)."""
        return bool(self._declared) and all(inspect.iscoroutinefunction(handler) for handler in self._declared)

    def _resolve(self) -> dict[type, Handler]:
        table: dict[type, Handler] = {}
        for handler in self._declared:
            for message_type in _message_types(self.owner, handler):
                table[message_type] = guard(handler) if getattr(handler, _MARK) == CANCELLABLE else handler
        return table


def _by_abstract_class(table: dict[type, Handler], message_type: type) -> Handler | None:
    """The handler of a type that this one is registered with (a dict is a Mapping), the narrowest such type first."""
    best: type | None = None
    for cls in table:
        if cls is not object and _is_subclass(message_type, cls) and (best is None or _is_subclass(cls, best)):
            best = cls
    return table[best] if best is not None else None


def _is_subclass(cls: type, other: type) -> bool:
    try:
        return issubclass(cls, other)
    except TypeError:  # a Protocol that is not for run time
        return False


def _message_types(owner: type, handler: Callable[..., Any]) -> tuple[type, ...]:
    parameters = list(inspect.signature(handler).parameters.values())
    if len(parameters) < 2:
        raise InvalidArgument(
            f"{handler.__qualname__} needs a parameter for the message", hint="def handler(self, message: Type)"
        )
    annotation = parameters[1].annotation
    if isinstance(annotation, str):
        function = inspect.unwrap(handler)
        # Local classes of the function that defines the actor are visible only through its closure, if at all.
        local = {**inspect.getclosurevars(function).nonlocals, **vars(owner)}
        try:
            annotation = eval(annotation, function.__globals__, local)  # noqa: S307  (the class's own source)
        except NameError as error:
            raise InvalidArgument(
                f"the message type {annotation!r} of {handler.__qualname__} is not known: {error}",
                hint="define it at module level, or drop `from __future__ import annotations`",
            ) from error
    if annotation is inspect.Parameter.empty:
        raise InvalidArgument(
            f"{handler.__qualname__} has no annotation for {parameters[1].name!r}",
            hint="@on chooses by the annotated type of the first parameter",
        )
    return tuple(_plain(member, handler) for member in _members(annotation))


def _members(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return tuple(m for part in typing.get_args(annotation) for m in _members(part))
    return (annotation,)


def _plain(annotation: Any, handler: Callable[..., Any]) -> type:
    if annotation is Any:
        return object
    if annotation is None:
        return type(None)
    plain = typing.get_origin(annotation) or annotation
    if not isinstance(plain, type):
        raise InvalidArgument(
            f"{annotation!r} of {handler.__qualname__} is no class to choose by",
            hint="annotate with a class, a union of classes, or Any",
        )
    return plain
