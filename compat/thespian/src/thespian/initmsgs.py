"""Actors that need some messages before they can do their work.

Owns one class decorator.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

from thespian._messages import ActorSystemMessage

C = TypeVar("C", bound=type)

log = logging.getLogger("thespian")


def initializing_messages(
    initset: Sequence[tuple[Any, ...]], initdone: str | None = None, init_passthru: bool = False
) -> Callable[[C], C]:
    """Class decorator: keep other messages until the initializing ones have come, then handle them in order.

    Args:
        initset: tuples ``(attribute, type)`` or ``(attribute, type, want_sender)``: a message of the type becomes the attribute, and, if
            wanted, its sender ``<attribute>_sender``. The last one wins.
        initdone: the name of a method that is called when all have come.
        init_passthru: whether other messages are handled at once.
    """
    slots = [(entry[0], entry[1], len(entry) > 2 and bool(entry[2])) for entry in initset]

    def mark(cls: C) -> C:
        wrapped: Any = cls.receiveMessage  # type: ignore[attr-defined]

        @wraps(wrapped)
        def receive(self: Any, message: Any, sender: Any) -> Any:
            state = self.__dict__
            if state.get("_initmsgs_done") or isinstance(message, ActorSystemMessage):
                return wrapped(self, message, sender)
            for name, kind, want_sender in slots:
                if isinstance(message, kind):
                    setattr(self, name, message)
                    if want_sender:
                        setattr(self, f"{name}_sender", sender)
                    state.setdefault("_initmsgs_seen", set()).add(name)
                    break
            else:
                if init_passthru:
                    return wrapped(self, message, sender)
                state.setdefault("_initmsgs_kept", []).append((message, sender))
                return None
            if len(state["_initmsgs_seen"]) < len({name for name, _, _ in slots}):
                return None
            state["_initmsgs_done"] = True
            done = None if initdone is None else getattr(self, initdone, None)
            if done is not None:
                done()
            elif initdone is not None:
                log.warning(
                    "%s has no method %s, which was to be called when it is initialized", cls.__qualname__, initdone
                )
            for kept in state.pop("_initmsgs_kept", ()):
                self._garrick_host.again(*kept)
            return None

        cls.receiveMessage = receive  # type: ignore[attr-defined]
        return cls

    return mark
