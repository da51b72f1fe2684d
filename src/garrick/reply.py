"""`Reply`: the answer that an ask inside an actor will bring.

Owns only the two ways to wait (``await`` and ``.result()``); the pending ask itself is `garrick.runtime.ask.Slot`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Generic, TypeVar, cast

R = TypeVar("R", covariant=True)


class Reply(Generic[R]):
    """A future answer. Awaitable in async handlers; `result` blocks a synchronous one, while other actors go on."""

    __slots__ = ("_slot",)

    def __init__(self, slot: Any) -> None:
        self._slot = slot

    @property
    def done(self) -> bool:
        """Whether the answer, or its failure, is here."""
        return cast("bool", self._slot.done)

    def result(self) -> R:
        """Wait for the answer and return it.

        Raises:
            AskTimeout: the time given to the ask is over.
            ActorGone: the target has ended.
            HandlerFailed: the handler raised; its traceback is attached.
            AskDeadlock: the target waits for this actor.
        """
        return cast("R", self._slot.wait())

    def cancel(self) -> None:
        """Give up: a later answer becomes a dead letter, and waiting raises `AskCancelled`."""
        self._slot.cancel()

    def __await__(self) -> Generator[Any, None, R]:
        return cast("Generator[Any, None, R]", self._slot.wait_async().__await__())

    def __repr__(self) -> str:
        return f"<Reply from {self._slot.target} {'done' if self.done else 'pending'}>"
