"""What a link still owes its peer: envelopes that wait, and frames that are not acknowledged.

Owns batching, the window and the order of sending again. Must not know headers, peers or clocks. Invariants:

* An envelope is in exactly one of four places, in this order of age: *flight* (sent, not acknowledged), *unsent* (within the
  window, to be sent or sent again), *closed* (in a full batch outside of the window), *open* (in the batch being filled).
* A chunk gets its sequence number when it enters the window and keeps it; the numbers of flight and unsent are consecutive.
* Bytes within the window and bytes that wait are bounded separately; one chunk may always enter an empty window, and one
  envelope an empty queue, or something larger than the bound would never go.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from garrick.errors import WireError
from garrick.wire.envelope import Raw
from garrick.wire.frame import FRAME_SIZE, MORE, PART

_HEADER_TO_COME: Final[Raw] = b""


class Chunk:
    """The content of one DATA frame."""

    __slots__ = ("envelopes", "flags", "parts", "sequence", "size")

    def __init__(self, flags: int, parts: list[Raw], size: int, envelopes: list[Raw] | None) -> None:
        self.flags = flags
        self.parts = parts
        """Place 0 is for the header, so that a frame is one ``join``."""
        self.size = size
        self.envelopes = envelopes
        """What is handed back if this is never acknowledged; None: all parts. The last piece of an envelope stands for all."""
        self.sequence = -1

    def undelivered(self) -> list[Raw]:
        return self.parts[1:] if self.envelopes is None else self.envelopes


class Outbox:
    """See the module. Sizes are bytes, times seconds."""

    __slots__ = (
        "_batch",
        "_closed",
        "_in_window",
        "_linger",
        "_max_envelope",
        "_open",
        "_open_size",
        "_opened_at",
        "_payload",
        "_queue_limit",
        "_window",
        "acknowledged",
        "credit",
        "flight",
        "next",
        "queued",
        "sent",
        "unsent",
    )

    def __init__(
        self, *, window: int, queue_limit: int, payload: int, batch: int, linger: float, max_envelope: int
    ) -> None:
        self._window = window
        self._queue_limit = queue_limit
        self._payload = payload
        self._batch = batch
        self._linger = linger
        self._max_envelope = max_envelope
        self.credit = 0
        """What the peer allows to be in its window; nothing before it has said so."""
        self.flight: deque[Chunk] = deque()
        self.unsent: deque[Chunk] = deque()
        self._closed: deque[Chunk] = deque()
        self._open: list[Raw] = [_HEADER_TO_COME]
        self._open_size = 0
        self._opened_at = 0.0
        self.queued = 0
        """Bytes outside of the window."""
        self._in_window = 0
        self.next = 0
        """Number that the next chunk gets."""
        self.sent = 0
        """All chunks with smaller numbers have been sent at least once."""
        self.acknowledged = 0
        """All chunks with smaller numbers have arrived."""

    @property
    def in_window(self) -> int:
        """Bytes in flight or within the window, headers of frames included."""
        return self._in_window

    @property
    def empty(self) -> bool:
        return not (self._in_window or self.queued)

    def offer(self, envelope: Raw, now: float) -> bool:
        """Take an envelope; False: the queue is full.

        Raises:
            WireError: it is longer than any link carries.
        """
        size = len(envelope)
        if self.queued + size > self._queue_limit or size > self._payload:
            if size > self._max_envelope:
                raise WireError(
                    f"an envelope of {size} bytes is longer than the {self._max_envelope} that a link carries"
                )
            if self.queued and self.queued + size > self._queue_limit:
                return False
            if size > self._payload:
                self._cut(envelope, size)
                return True
        total = self._open_size + size
        parts = self._open
        if total > self._payload and len(parts) > 1:
            self._close()
            parts, total = self._open, size
        if len(parts) == 1:
            self._opened_at = now
        parts.append(envelope)
        self._open_size = total
        self.queued += size
        if len(parts) > self._batch or total >= self._payload:
            self._close()
        return True

    def _close(self) -> None:
        """End the open batch; it enters the window at once if there is room."""
        if len(self._open) > 1:
            self._closed.append(Chunk(0, self._open, self._open_size, None))
            self._open = [_HEADER_TO_COME]
            self._open_size = 0
        self.admit()

    def _cut(self, envelope: Raw, size: int) -> None:
        self._close()
        view = memoryview(envelope)
        for at in range(0, size, self._payload):
            piece = view[at : at + self._payload]
            last = at + self._payload >= size
            flags = PART if last else PART | MORE
            self._closed.append(Chunk(flags, [_HEADER_TO_COME, piece], len(piece), [envelope] if last else []))
        self.queued += size
        self.admit()

    def _room(self, size: int) -> bool:
        limit = min(self._window, self.credit)
        return self._in_window + size + FRAME_SIZE <= limit or (not self._in_window and limit > 0)

    def admit(self) -> None:
        """Let closed batches enter the window while there is room."""
        closed = self._closed
        while closed and self._room(closed[0].size):
            chunk = closed.popleft()
            chunk.sequence = self.next
            self.next += 1
            self.queued -= chunk.size
            self._in_window += chunk.size + FRAME_SIZE
            self.unsent.append(chunk)

    def ready_at(self) -> float | None:
        """When `take` will give something, if nothing happens; None: not before the peer speaks."""
        if self.unsent:
            return float("-inf")
        return self._opened_at + self._linger if self._open_may_go() else None

    def _open_may_go(self) -> bool:
        return len(self._open) > 1 and not self._closed and self._room(self._open_size)

    def take(self, now: float) -> list[Chunk]:
        """What is to be sent now; it counts as in flight from here on."""
        if now >= self._opened_at + self._linger and self._open_may_go():
            self._close()
        chunks = list(self.unsent)
        if chunks:
            self.unsent.clear()
            self.flight.extend(chunks)
            self.sent = self.next
        return chunks

    def acknowledge(self, expected: int) -> bool:
        """The peer has everything below `expected`, which is not above `sent`; says whether that is news."""
        if expected <= self.acknowledged:
            return False
        self.acknowledged = expected
        # While frames wait to be sent again, the acknowledgement of their first sending may still come.
        for place in (self.flight, self.unsent):
            while place and place[0].sequence < expected:
                self._in_window -= place.popleft().size + FRAME_SIZE
        self.admit()
        return True

    def go_back(self) -> int:
        """Everything in flight is to be sent again, in order; says how many frames that is."""
        count = len(self.flight)
        self.unsent.extendleft(reversed(self.flight))
        self.flight.clear()
        return count

    def abandon(self) -> list[Raw]:
        """Hand back everything that is not acknowledged, oldest first, and start again with number 0."""
        envelopes: list[Raw] = []
        for place in (self.flight, self.unsent, self._closed):
            for chunk in place:
                envelopes += chunk.undelivered()
            place.clear()
        envelopes += self._open[1:]
        self._open = [_HEADER_TO_COME]
        self._open_size = 0
        self.queued = self._in_window = self.next = self.sent = self.acknowledged = self.credit = 0
        return envelopes
