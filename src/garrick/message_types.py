"""From the annotation of a handler's parameter to the classes of messages that it stands for.

Owns the reading of annotations. Must not know tables or actors. What can't be told by the class of a message is refused with an error that
says so: an annotation that is silently wider or narrower than what it says would send messages to the wrong handler.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

from garrick.errors import InvalidArgument

_MESSAGE_ONLY = 2
"""Parameters of a handler: the actor and the message."""


def message_types(owner: type, handler: Callable[..., Any]) -> tuple[type, ...]:
    """The classes that a handler takes, each once.

    Args:
        owner: the class of the actor.
        handler: the function, with the message as its second parameter.

    Raises:
        InvalidArgument: there is no such parameter or annotation, it names something unknown, or nothing to choose by.
    """
    parameters = list(inspect.signature(handler).parameters.values())
    if len(parameters) < _MESSAGE_ONLY:
        raise InvalidArgument(
            f"{handler.__qualname__} needs a parameter for the message", hint="def handler(self, message: Type)"
        )
    needed = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if len(needed) > _MESSAGE_ONLY:
        raise InvalidArgument(
            f"{handler.__qualname__} takes more than the message: {needed[2].name!r}",
            hint="self.sender says who sent it",
        )
    annotation = parameters[1].annotation
    if annotation is inspect.Parameter.empty:
        raise InvalidArgument(
            f"{handler.__qualname__} has no annotation for {parameters[1].name!r}",
            hint="@on chooses by the annotated type of the first parameter",
        )
    return tuple(dict.fromkeys(_Reader(owner, handler).classes(annotation)))


class _Reader:
    """Reads annotations of one handler."""

    def __init__(self, owner: type, handler: Callable[..., Any]) -> None:
        self._owner = owner
        self._handler = handler

    def classes(self, annotation: Any) -> list[type]:
        """What an annotation, or a part of one, stands for."""
        if isinstance(annotation, typing.ForwardRef):
            annotation = annotation.__forward_arg__
        if isinstance(annotation, str):
            return self.classes(self._evaluated(annotation))
        if annotation is Any:
            return [object]
        if annotation is None:
            return [type(None)]
        if isinstance(annotation, typing.NewType):  # the class of its values is that of what it is made from
            return self.classes(annotation.__supertype__)
        if isinstance(annotation, typing.TypeVar):
            return self._all(annotation.__constraints__ or (annotation.__bound__ or object,))
        if type(annotation).__name__ == "TypeAliasType":  # `type X = ...`, from Python 3.12 on
            return self.classes(annotation.__value__)
        if typing.is_typeddict(annotation):
            return [dict]
        origin = typing.get_origin(annotation)
        if origin in (typing.Union, types.UnionType):
            return self._all(typing.get_args(annotation))
        if origin is typing.Annotated:
            return self.classes(annotation.__origin__)
        if origin is typing.Literal:
            values = typing.get_args(annotation)
            kinds = " | ".join(dict.fromkeys(type(value).__name__ for value in values))
            raise self._refused(
                annotation, f"@on chooses by class: annotate with {kinds}, and look at the value in the handler"
            )
        if origin is not None and type(origin).__name__ == "TypeAliasType":
            return self.classes(origin.__value__)
        plain = origin or annotation
        if not isinstance(plain, type):
            raise self._refused(annotation, "annotate with a class, a union of classes, or Any")
        if getattr(plain, "_is_protocol", False):
            self._check_protocol(plain)
        return [plain]

    def _all(self, parts: tuple[Any, ...]) -> list[type]:
        return [cls for part in parts for cls in self.classes(part)]

    def _check_protocol(self, protocol: type) -> None:
        try:
            issubclass(int, protocol)
        except TypeError:
            raise self._refused(
                protocol,
                "only a protocol that is @runtime_checkable and has methods alone can be looked for in a class",
            ) from None

    def _refused(self, annotation: Any, hint: str) -> InvalidArgument:
        return InvalidArgument(f"{annotation!r} of {self._handler.__qualname__} is no class to choose by", hint=hint)

    def _evaluated(self, text: str) -> Any:
        function = inspect.unwrap(self._handler)
        # Local classes of the function that defines the actor are visible only through its closure, if at all.
        local = {**inspect.getclosurevars(function).nonlocals, **vars(self._owner)}
        try:
            return eval(text, function.__globals__, local)  # noqa: S307  (the class's own source)
        except Exception as error:
            raise InvalidArgument(
                f"the message type {text!r} of {function.__qualname__} is not known: {error}",
                hint="define it at module level, or drop `from __future__ import annotations`",
            ) from error
