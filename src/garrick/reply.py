"""`Reply`: the answer that an ask inside an actor will bring; `Replies`: the answers to one question to many.

Owns only the ways to wait; the pending asks themselves are `garrick.runtime.ask.Slot` and `garrick.runtime.fanout.Gathering`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any, Generic, TypeVar, cast

from garrick.address import Address

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


class Replies(Generic[R]):
    """What becomes of one question to many actors: for each its answer, or the error that a single ask would have raised.

    ``await`` it, or call `result` in a synchronous handler, for all of them in the order of the targets. To go through them as they come
    write ``for target, outcome in replies`` or ``async for``; those that are open when such a loop is left are cancelled.
    """

    __slots__ = ("_gathering",)

    def __init__(self, gathering: Any) -> None:
        self._gathering = gathering

    @property
    def done(self) -> bool:
        """Whether all have ended."""
        return cast("bool", self._gathering.done)

    def result(self) -> list[R]:
        """Wait until all have ended, or the time is over, and return what became of each; never raises one of their errors."""
        return cast("list[R]", self._gathering.wait())

    def cancel(self) -> None:
        """Give up those that have not ended: their outcome is `AskCancelled`."""
        self._gathering.cancel()

    def __await__(self) -> Generator[Any, None, list[R]]:
        return cast("Generator[Any, None, list[R]]", self._gathering.wait_async().__await__())

    def __iter__(self) -> Iterator[tuple[Address[Any], R]]:
        return cast("Iterator[tuple[Address[Any], R]]", self._gathering.each())

    def __aiter__(self) -> AsyncIterator[tuple[Address[Any], R]]:
        return cast("AsyncIterator[tuple[Address[Any], R]]", self._gathering.each_async())

    def __len__(self) -> int:
        return len(self._gathering.slots)

    def __repr__(self) -> str:
        return f"<Replies of {len(self)}, {len(self._gathering.open())} pending>"
