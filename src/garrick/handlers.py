"""``@on``: choose a handler by the type of the message.

Owns the table of one actor class. Must not know cells or threads. The most specific type wins (the order of the message's
MRO, then abstract classes that it is registered with); a bare ``object`` or ``Any`` catches everything. What else an annotation may be
says `garrick.message_types`. A class's handlers win over those that it inherits; within one class each type has one handler, which is
checked when the class is made, as far as its annotations are known then, and else at the first message.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, overload

from garrick.cancellation import guard
from garrick.errors import InvalidArgument
from garrick.message_types import message_types

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

    __slots__ = ("_cache", "_levels", "_resolved", "owner")

    def __init__(self, owner: type) -> None:
        self.owner = owner
        defined = {name: cls for cls in reversed(owner.__mro__) for name in vars(cls)}
        # By the class that defines them, the most derived last: its handlers win, whatever their names are.
        self._levels: list[list[Handler]] = []
        for cls in reversed(owner.__mro__):
            attributes = [getattr(owner, name, None) for name in vars(cls) if defined[name] is cls]
            level: list[Any] = list(dict.fromkeys(filter(_is_marked, attributes)))
            if level:
                self._levels.append(level)
        # Annotations may name types that are defined later in the module, so they are looked up at the first message.
        self._resolved: dict[type, Handler] | None = None
        self._cache: dict[type, Handler | None] = {}
        self._resolve(strict=False)

    def __bool__(self) -> bool:
        return bool(self._levels)

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

    def forget(self, gone: Callable[[Any], bool]) -> None:
        """Keep no type of messages for which this is true."""
        for message_type in [each for each in self._cache if gone(each)]:
            self._cache.pop(message_type, None)

    def find_notice(self, notice_type: type) -> Handler | None:
        """The handler that names this kind of notice; a catch-all for ``object`` is for messages only."""
        table = self._table()
        return next((table[cls] for cls in notice_type.__mro__ if cls in table and cls is not object), None)

    def _table(self) -> dict[type, Handler]:
        if self._resolved is None:
            self._resolved = self._resolve(strict=True)
        return self._resolved

    def all_async(self) -> bool:
        """Whether every handler is a coroutine function (then a burst of messages stays on the event loop)."""
        return bool(self._levels) and all(inspect.iscoroutinefunction(h) for level in self._levels for h in level)

    def _resolve(self, *, strict: bool) -> dict[type, Handler]:
        """The table; without ``strict`` of what is known so far, to find what contradicts itself as soon as the class is made."""
        table: dict[type, Handler] = {}
        for level in self._levels:
            here: dict[type, Handler] = {}
            for handler in level:
                try:
                    types = message_types(self.owner, handler)
                except InvalidArgument:
                    if strict:
                        raise
                    continue
                for message_type in types:
                    if message_type in here:
                        raise _twice(message_type, here[message_type], handler)
                    here[message_type] = handler
            table.update(here)
        return {t: guard(h) if getattr(h, _MARK) == CANCELLABLE else h for t, h in table.items()}


def _is_marked(attribute: Any) -> bool:
    return bool(getattr(attribute, _MARK, False)) and callable(attribute)


def _twice(message_type: type, first: Handler, second: Handler) -> InvalidArgument:
    return InvalidArgument(
        f"{first.__qualname__} and {second.__qualname__} both take messages of class {message_type.__qualname__}",
        hint="what is in the brackets of a generic type does not show in a message: join the two, or send classes of your own",
    )


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
    except TypeError:  # a class that does not want to be asked
        return False
