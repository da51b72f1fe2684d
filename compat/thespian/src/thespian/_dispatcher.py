"""`ActorTypeDispatcher`: an actor whose handlers are chosen by the name of the message's class."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from thespian._actor import Actor
from thespian._address import ActorAddress


class ActorTypeDispatcher(Actor):
    """Calls ``receiveMsg_<name of the message's class>(message, sender)``, the most specific class of the message first.

    A handler that returns ``self.SUPER`` lets the next one have the message too: that of the actor's base classes, then those for base
    classes of the message. What no handler takes goes to ``receiveUnrecognizedMessage``, if there is one.
    """

    SUPER = 0x5C5_2E2
    """What a handler returns that leaves the message to the next one."""

    def receiveMessage(self, message: Any, sender: ActorAddress, /) -> Any:
        """See Actor."""
        for cls in type(message).__mro__:
            for handler in _handlers(self, f"receiveMsg_{cls.__name__}"):
                result = handler(message, sender)
                if type(result) is not int or result != self.SUPER:
                    return result
        last = getattr(self, "receiveUnrecognizedMessage", None)
        if last is not None:
            return last(message, sender)
        self._garrick_host.unhandled(message, sender)
        return None


def _handlers(actor: Actor, name: str) -> Iterator[Callable[[Any, ActorAddress], Any]]:
    if name in actor.__dict__:
        yield actor.__dict__[name]
    for cls in type(actor).__mro__:
        if name in cls.__dict__:
            yield cls.__dict__[name].__get__(actor, type(actor))
