"""`Probe`: stands where an actor would, and says what should come.

Owns an inbox. On a simulated base its time-outs are virtual and cost nothing, on the others they are real.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeVar

from garrick.address import Address
from garrick.messages import Terminated
from garrick.sim.units import Duration, nanoseconds
from garrick.system import ActorSystem

T = TypeVar("T")

SECOND = 1e9


class Probe:
    """An address that a test sends from, and whose messages it expects one after the other.

    Args:
        system: where it lives.
    """

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._inbox = system.inbox()
        self.last_sender: Address[Any] | None = None
        """Who sent what was expected last."""

    @property
    def address(self) -> Address[Any]:
        """To be given to actors."""
        return self._inbox.address

    def send(self, target: Address[Any], message: Any) -> None:
        """Send with the probe as the sender."""
        self._inbox.send(target, message)

    def reply(self, message: Any) -> None:
        """Send to whoever sent what was expected last."""
        if self.last_sender is None:
            raise AssertionError("nobody to reply to: the last message had no sender")
        self._inbox.send(self.last_sender, message)

    def watch(self, target: Address[Any]) -> None:
        """Get `Terminated` when ``target`` ends, see `expect_end`."""
        self._inbox.watch(target)

    def expect(
        self, kind: type[T], within: Duration = 3, where: Callable[[T], Any] | None = None, *, skip: bool = False
    ) -> T:
        """The next message, which must be one of this type.

        Args:
            kind: its type.
            within: how long it may take: seconds, or text such as ``"200ms"``.
            where: must be true of it.
            skip: pass over messages that are not meant, until the time is over.

        Raises:
            AssertionError: nothing came in time, or something else.
        """
        seconds = nanoseconds(within) / SECOND
        end = self._now() + seconds
        passed: list[Any] = []
        while True:
            try:
                message, self.last_sender = self._inbox.receive_from(max(0.0, end - self._now()))
            except TimeoutError:
                came = f"; before came {', '.join(map(repr, passed))}" if passed else ""
                raise AssertionError(f"no {kind.__name__} came within {seconds:g} s{came}") from None
            if isinstance(message, kind) and (where is None or where(message)):
                return message
            if not skip:
                raise AssertionError(
                    f"expected a {kind.__name__}{' with a property' if isinstance(message, kind) else ''}, got {message!r}"
                )
            passed.append(message)

    def expect_end(self, target: Address[Any], within: Duration = 3) -> Terminated:
        """That ``target``, which is watched, ends; other messages are passed over.

        Raises:
            AssertionError: it has not ended in time.
        """
        return self.expect(Terminated, within, lambda notice: notice.actor == target, skip=True)

    def expect_nothing(self, during: Duration = 0.1) -> None:
        """That no message comes for so long.

        Raises:
            AssertionError: one came.
        """
        seconds = nanoseconds(during) / SECOND
        try:
            message = self._inbox.receive(seconds)
        except TimeoutError:
            return
        raise AssertionError(f"expected nothing for {seconds:g} s, got {message!r}")

    def close(self) -> None:
        """It receives nothing any more."""
        self._inbox.close()

    def _now(self) -> float:
        return self._system._runtime.clock.now()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
