"""What becomes of objects that one actor of a process gives to another one: passed as they are, or copied as between processes.

Owns the two fidelities and the copy. A copy is what the codec of the links makes: what can't be pickled can't be sent, and nobody changes
what somebody else has.
"""

from __future__ import annotations

from typing import Any, Final

from garrick.errors import GarrickError, InvalidArgument
from garrick.runtime.ask import Slot
from garrick.wire.codec import dumps, loads

OBJECTS: Final = "objects"
PICKLE: Final = "pickle"


def copies(fidelity: str) -> bool:
    """Whether objects are copied.

    Raises:
        InvalidArgument: there is no such fidelity.
    """
    if fidelity not in (OBJECTS, PICKLE):
        raise InvalidArgument(f"fidelity={fidelity!r}", hint=f"{OBJECTS!r}, or {PICKLE!r}: what is sent is copied")
    return fidelity == PICKLE


def copied(message: Any) -> Any:
    """What arrives of it.

    Raises:
        UnpicklableMessage: it can't be sent.
        UndecodableMessage: it can be sent, and not be received.
    """
    return loads(dumps(message))


class CopyingSlot(Slot):
    """A question whose answer is copied."""

    __slots__ = ()

    def complete(self, value: Any, failure: BaseException | None = None, *, given_up: bool = False) -> bool:
        """See Slot."""
        if failure is None and not self.done:
            try:
                value = copied(value)
            except GarrickError as error:
                value, failure = None, error
        return super().complete(value, failure, given_up=given_up)
