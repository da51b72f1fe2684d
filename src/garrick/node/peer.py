"""`Peer`: the conversation with one other system: a `wire.Link` on an engine, driven by asyncio.

Owns the link's clock (its timer and its turns), what the engine refused for the moment, and what does not fit into the link's
queue. Must not know what envelopes mean or who else is in the convention. Invariants:

* Frames reach the engine in the order in which the link made them.
* Every envelope given to `send` is delivered, or handed back exactly once (`PeerEvents.handed_back`), or still here.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol

from garrick.buggify import buggify
from garrick.engine.carrier import Engine
from garrick.errors import WireError
from garrick.wire.envelope import Raw
from garrick.wire.link import (
    Delivered,
    Event,
    Link,
    LinkConfig,
    PeerLeft,
    PeerRestarted,
    Recovered,
    Refused,
    Suspected,
    Writable,
)

log = logging.getLogger("garrick.node")

LANE = 1
"""All frames of a conversation go over one lane, which keeps their order."""
OVERFLOW = 64 * 1024 * 1024
"""Bytes that may wait here beyond the link's own queue; what comes then is handed back."""
FULL = "way full"
LATE = 0.05
"""Seconds that a turn may be late when a simulation wants it."""
REFUSED = 0.1
"""Seconds between two attempts while the engine refuses frames, in case it does not say that it takes them again."""


class PeerEvents(Protocol):
    """Who holds the peers."""

    def delivered(self, peer: Peer, envelopes: list[Raw]) -> None:
        """Envelopes arrived, in order."""
        ...

    def ended(self, peer: Peer) -> None:
        """The conversation is over, perhaps because the other side said so; another one needs another `Peer`."""
        ...

    def handed_back(self, peer: Peer, envelopes: list[Raw], reason: str) -> None:
        """These will not arrive, or it will never be known whether they did."""
        ...


class Peer:
    """See the module.

    Args:
        local: ``name@incarnation`` of this system.
        system: of the other one.
        engine: carries the frames.
        events: told what happens.
        session: greater than that of any earlier conversation of this incarnation.
        config: of the link.
    """

    def __init__(
        self,
        local: str,
        system: str,
        engine: Engine,
        events: PeerEvents,
        session: int,
        config: LinkConfig | None = None,
    ) -> None:
        self.system = system
        self.name = system.partition("@")[0]
        self._engine = engine
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._now: Callable[[], float] = self._loop.time
        self.link = Link(local, system, now=self._now(), session=session, config=config)
        self._frames: deque[bytes] = deque()
        self._overflow: deque[Raw] = deque()
        self._overflow_size = 0
        self._turn: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self.wake()

    def send(self, envelope: Raw) -> None:
        """Take an envelope for the peer."""
        if self._closed:
            self._events.handed_back(self, [envelope], "stopped")
        elif self._overflow:
            self._put_over(envelope)
        else:
            self._offer(envelope)
        self.wake()

    def _offer(self, envelope: Raw) -> bool:
        try:
            if self.link.send(envelope, self._now()):
                return True
        except WireError as error:
            log.warning("an envelope for %s can't be sent: %s", self.system, error)
            self._events.handed_back(self, [envelope], "too long")
            return True
        self._put_over(envelope)
        return False

    def _put_over(self, envelope: Raw) -> None:
        if self._overflow_size + len(envelope) > OVERFLOW:
            self._events.handed_back(self, [envelope], FULL)
            return
        self._overflow.append(envelope)
        self._overflow_size += len(envelope)

    def frame(self, frame: bytes) -> None:
        """The engine brought a frame of this peer."""
        if not self._closed:
            self._happen(self.link.on_frame(frame, self._now()))
            self.wake()

    def reset(self) -> None:
        """The engine has a new connection."""
        if not self._closed:
            self.link.on_reset(self._now())
            self.wake()

    def close(self, reason: str) -> None:
        """End the conversation; everything that is not acknowledged is handed back."""
        if self._closed:
            return
        unsent = self.link.close()
        self._frames.clear()
        self._run()  # the last frame tells the peer
        self._end(unsent, reason)

    def _end(self, unsent: list[Raw], reason: str) -> None:
        self._closed = True
        if self._turn is not None:
            self._turn.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._events.ended(self)
        self._hand_back(unsent, reason)

    @property
    def idle(self) -> bool:
        """Everything is acknowledged."""
        return self._closed or (self.link.idle and not self._overflow and not self._frames)

    # --- turns -----------------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """There is something to do in the next turn of the loop: what comes until then shares its frames."""
        if self._turn is None and not self._closed:
            late = buggify("peer.late turn")
            self._turn = self._loop.call_later(LATE, self._run) if late else self._loop.call_soon(self._run)

    def _run(self) -> None:
        self._turn = None
        if self._closed:
            return
        now = self._now()
        self._happen(self.link.on_tick(now))
        if self._closed:
            return
        if not self._frames:
            self._frames.extend(self.link.poll_out(now))
        while self._frames:
            if not self._engine.send(self.name, LANE, self._frames[0]):
                break  # `wake` comes with the engine's Writable
            self._frames.popleft()
        self._set_timer(now)

    def _set_timer(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.link.next_deadline()
        if deadline is not None:
            # An engine that takes nothing says when it does again; what the link is due to say meanwhile must not make the loop spin.
            self._timer = self._loop.call_at(max(deadline, now + (REFUSED if self._frames else 0.001)), self.wake)

    def _happen(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Delivered(envelopes):
                    self._events.delivered(self, envelopes)
                case Writable():
                    self._refill()
                case PeerRestarted(system, _, undelivered):
                    log.warning("%s answers in a new session (known was %s)", system, self.system)
                    self._hand_back(undelivered, "system lost")
                case PeerLeft(undelivered):
                    self._end(undelivered, "stopped")
                    return
                case Refused(error):
                    log.warning("a frame of %s was refused: %s", self.system, error)
                case Suspected() | Recovered():
                    log.info("%s: %s", self.system, type(event).__name__.lower())
                case _:
                    log.debug("%s: %s", self.system, event)

    def _refill(self) -> None:
        while self._overflow:
            envelope = self._overflow.popleft()
            self._overflow_size -= len(envelope)
            if not self._offer(envelope):
                # It went to the end; it was the first.
                self._overflow.rotate(1)
                break

    def _hand_back(self, envelopes: list[Raw], reason: str) -> None:
        everything = [*envelopes, *self._overflow]
        self._overflow.clear()
        self._overflow_size = 0
        if everything:
            self._events.handed_back(self, everything, reason)
