"""What happens to an actor whose handler raised: the supervision policies.

Pure data plus one pure decision (`Restarts.allow`). Must not know cells, threads or clocks: time comes in as seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True)
class Backoff:
    """Delay before the n-th restart in a row: ``first * factor**(n-1)``, at most ``limit``, plus or minus ``jitter``.

    Jitter is there so that actors which failed together (a database went away) do not come back together.
    All times in seconds; ``jitter`` is a fraction of the delay.
    """

    first: float = 0.1
    factor: float = 2.0
    limit: float = 30.0
    jitter: float = 0.2

    def delay(self, attempt: int, random: float) -> float:
        """The delay before restart number ``attempt`` (from 1); ``random`` in [0, 1) places it within the jitter."""
        base = min(self.limit, self.first * self.factor ** (attempt - 1))
        return base * (1.0 + self.jitter * (2.0 * random - 1.0))


@dataclass(frozen=True)
class Restart:
    """Make a new instance with the same arguments; address, mailbox, children and watchers stay.

    Attributes:
        max: restarts allowed ``within`` seconds before the actor stops as failed.
        within: the window of ``max``, seconds.
        backoff: pause before each restart; None restarts at once.
        on_loss: whether the actor is also made again when its process dies, in another one: the same address and arguments, an
            empty mailbox, a new instance. That may happen ``max`` times ``within`` seconds too, counted by itself.
    """

    max: int = 3
    within: float = 60.0
    backoff: Backoff | None = field(default_factory=Backoff)
    on_loss: bool = False


@dataclass(frozen=True)
class Resume:
    """Keep the instance and its state; the message is skipped."""


@dataclass(frozen=True)
class Stop:
    """End the actor; its parent and watchers learn ``failed``."""


Supervision: TypeAlias = Restart | Resume | Stop


class Restarts:
    """The recent restarts of one actor."""

    __slots__ = ("times", "waiting")

    def __init__(self) -> None:
        self.times: list[float] = []
        self.waiting = False
        """Whether the actor is in its back-off now."""

    def allow(self, policy: Restart, now: float) -> int:
        """Record a restart at ``now`` and return its number in the window (from 1), or 0 when the limit is reached."""
        self.times = [t for t in self.times if now - t < policy.within]
        if len(self.times) >= policy.max:
            return 0
        self.times.append(now)
        return len(self.times)
