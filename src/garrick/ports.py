"""Ports: everything the core needs from the outside world, one small Protocol each, injected once at start.

The production implementations are at the edge (`garrick.runtime`, `garrick.node`); the simulator has its own. Code that decides
something takes its time, randomness and identifiers from here, so that it can be replayed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from garrick.address import Address


class Clock(Protocol):
    """Time in seconds."""

    def now(self) -> float:
        """Monotonic seconds; only differences mean something."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch, UTC."""
        ...


class Random(Protocol):
    """Independent streams of randomness, one per purpose, so that one more draw here changes nothing there."""

    def stream(self, name: str) -> random.Random:
        """The generator of that name; the same name continues the same stream."""
        ...


class Ids(Protocol):
    """Identifiers that must differ from all others."""

    def incarnation(self) -> str:
        """Ten hex digits, new at every start of a system."""
        ...


class Outbound(Protocol):
    """The way out of a runtime: to other processes of the system, to the admin, and to other systems."""

    def post(self, target: Address[Any], message: Any, sender: Address[Any] | None, kind: int) -> None:
        """Hand over one message; called from any thread.

        Order between one thread's calls for the same target process is kept. ``kind`` is one of `garrick.wire.envelope`.

        Raises:
            UnpicklableMessage: the message can't leave the process; nothing was sent.
        """
        ...

    def room(self, target: Address[Any]) -> Waitable | None:
        """Something to wait for, if so much waits for the target's process that nothing more should be sent now; any thread."""
        ...


class Poller(Protocol):
    """What the holder of the baton waits on when there is nothing to run."""

    def poll(self, timeout: float | None) -> None:
        """Wait at most ``timeout`` seconds (None: for ever) for I/O or `wake`, and serve the I/O that is due."""
        ...

    def wake(self) -> None:
        """End a running or the next `poll`; any thread, never blocks."""
        ...

    def busy(self) -> None:
        """Serve I/O that is due without waiting; called now and then between two messages."""
        ...

    def close(self) -> None:
        """Release descriptors."""
        ...


class Scheduler(Protocol):
    """Who runs the lane of a runtime: threads with a baton, one main thread, or the simulator's kernel."""

    def start(self) -> None:
        """Begin to run envelopes."""
        ...

    def wake(self) -> None:
        """The lane was idle and got something."""
        ...

    def wait(self, ready: Waitable, deadline: float | None) -> bool:
        """Block the calling thread until ``ready`` is done or the clock passes ``deadline``; True when it is done.

        On a thread that runs a handler other actors go on meanwhile.
        """
        ...

    def may_wait(self) -> bool:
        """Whether the calling thread may be kept.

        Not one that runs the lane or serves links, unless it is in a handler, where `wait` lets others do that: nobody else would make
        the room that it waits for.
        """
        ...

    def place(self, cell: Any) -> None:
        """Decide where the steps of a new actor (a `garrick.runtime.cell.Cell`) run, before the first one."""
        ...

    def lost_baton(self, tenure: Any) -> bool:
        """The thread that ran user code under ``tenure`` saw that it may no longer be the holder: is that so?"""
        ...

    def stop(self, timeout: float) -> bool:
        """End all threads; False when one of them is still in user code."""
        ...


class Waitable(Protocol):
    """Something that becomes done once."""

    done: bool

    def on_done(self, callback: Callable[[], None]) -> None:
        """Call back once when done (at once if it is already); on whatever thread completes it."""
        ...
