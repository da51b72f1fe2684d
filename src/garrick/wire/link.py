"""The link: a lossless, ordered, bounded conversation between two systems over a carrier that may lose and repeat frames.

Owns who the two ends are, what has arrived, and when to speak. Must not know what envelopes hold, which carrier is used, or
what time it is: every call brings ``now`` in seconds of a clock that never goes back. Nothing here blocks, or raises because of
what a peer sent: damaged frames become a `Refused` event, foreign ones are counted.

How it works:

* A *conversation* belongs to a pair of tokens: one session of one incarnation on either side. A HELLO tells session and system;
  nothing else is sent before the peer is known. A HELLO alone may be the echo of a dead incarnation, that a carrier repeats after
  a reset: the peer is known when it has answered to this side's own token. When either token changes, both directions start
  again with number 0, and the side that sees it hands back what was not acknowledged: exactly the messages of whose arrival it
  does not know.
* DATA frames are numbered and received in order only. The receiver acknowledges cumulatively in every frame that it sends, and
  at the latest after `LinkConfig.ack_bytes` or `LinkConfig.ack_after`; a gap is told at once.
* The sender keeps frames until they are acknowledged, and goes back to the oldest one after a reset, a told gap, or
  `resend_after` without progress. If that does not help it sends only the oldest one, more and more rarely: a peer that hangs
  is not flooded.
* A peer that says nothing for `suspect_after` is *suspected*, not buried: its messages wait within the window. That it is gone
  is told by others (`close`), or by itself in a new incarnation.

Invariants:

* An envelope for which `send` returned True is delivered once and in order, or handed back, or still here. Only one that was
  delivered to a peer which ended before it could acknowledge it is delivered *and* handed back.
* Memory is bounded: window + queue + one envelope in either direction.
* A session number is greater than that of any earlier link of this incarnation to the same peer.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from garrick.errors import WireError
from garrick.wire import frame as frames
from garrick.wire.envelope import Raw, split
from garrick.wire.frame import BEAT, BYE, DATA, FRAME_SIZE, GAP, HELLO, MORE, PART
from garrick.wire.link_model import (
    TRANSITIONS,
    Delivered,
    Event,
    LinkConfig,
    LinkStatistics,
    Met,
    PeerLeft,
    PeerRestarted,
    Recovered,
    Refused,
    State,
    Suspected,
    Trigger,
    Writable,
)
from garrick.wire.outbox import Chunk, Outbox

__all__ = [
    "TRANSITIONS",
    "Delivered",
    "Event",
    "Link",
    "LinkConfig",
    "LinkStatistics",
    "Met",
    "PeerLeft",
    "PeerRestarted",
    "Recovered",
    "Refused",
    "State",
    "Suspected",
    "Writable",
]

_RETIRED: Final = 64


class Link:
    """One end of a conversation.

    Args:
        local_system: ``name@incarnation`` of this system.
        peer: ``name`` of the other one, or ``name@incarnation`` if only that one is meant: when another one answers, everything
            waiting is handed back by `PeerRestarted`.
        now: the time.
        session: this system's session with the peer, greater than any earlier one of this incarnation.
        config: limits and times.
    """

    def __init__(
        self, local_system: str, peer: str, *, now: float, session: int = 1, config: LinkConfig | None = None
    ) -> None:
        self.config = config = config or LinkConfig()
        self.local_system = local_system
        self.peer = peer
        """The peer's name, or its whole id as far as it is known."""
        self.peer_session = 0
        self.session = session
        self.state = State.OPENING
        self.last_error: WireError | None = None
        self.idle_since = now
        """When the last envelope was sent or delivered."""
        self._name = peer.partition("@")[0]
        self._token = frames.token_of(local_system, session)
        self._peer_token = 0
        self._candidate: tuple[int, str, int] | None = None
        """Who introduced itself as the peer and has not shown yet that it lives: (token, system, session)."""
        self._retired: deque[int] = deque(maxlen=_RETIRED)
        self._box = Outbox(
            window=config.window,
            queue_limit=config.queue_limit,
            payload=config.frame_payload,
            batch=config.batch,
            linger=config.linger,
            max_envelope=config.max_envelope,
        )
        self._granted = min(config.window, frames.MAX_CREDIT)
        self._blocked = False
        # What has arrived.
        self._expected = 0
        self._pieces: list[Raw] = []
        self._pieces_size = 0
        self._unacknowledged = 0
        self._gap_told: tuple[int, float] = (-1, now)
        # Timers. None: not set.
        self._now = now
        self._heard_at = now
        self._hello_at: float | None = now
        self._hello_sent_at = now - config.hello_pause
        self._hello_wait = config.hello_every
        self._ack_at: float | None = None
        self._ack_flags = 0
        self._resend_at: float | None = None
        self._tries = 0
        self._probe = False
        self._back_at = now - config.gap_pause
        self._beat_at = now + config.heartbeat
        self._excused = False
        self._bye = False
        # Counters.
        self._envelopes_out = self._envelopes_in = self._frames_out = self._frames_in = 0
        self._resent = self._duplicates = self._gaps = self._foreign = self._refused = 0

    # ------------------------------------------------------------------------------------------------------- outwards

    def send(self, envelope: Raw, now: float) -> bool:
        """Take an envelope for the peer. False: window and queue are full (wait for `Writable`), or the link is closed.

        Raises:
            WireError: the envelope is too long for any link: the caller's mistake.
        """
        if self.state is not State.CLOSED and self._box.offer(envelope, now):
            self._now = self.idle_since = now
            self._envelopes_out += 1
            return True
        self._blocked = True
        return False

    def poll_out(self, now: float) -> list[bytes]:
        """Frames for the carrier, in this order. To be called once per turn of the loop.

        A frame that the carrier refuses may be dropped or kept by the caller, but later ones must not overtake it.
        """
        self._now = now
        config = self.config
        out: list[bytes] = []
        if self._hello_at is not None and now >= self._hello_at:
            out.append(self._hello())
            self._hello_sent_at = now
            self._hello_at = None
            if self.state in {State.OPENING, State.UNREACHED}:
                self._hello_at = now + self._hello_wait
                self._hello_wait = min(2 * self._hello_wait, config.hello_max)
        if self._peer_token:
            introduced = len(out)
            chunks = self._box.take(now)
            if self._probe:
                self._probe = False
                if not chunks and self._box.flight:
                    chunks = [self._box.flight[0]]
                    self._resent += 1
            out += map(self._data, chunks)
            if chunks:
                if self._resend_at is None:
                    self._resend_at = now + config.resend_after
            elif self._bye:
                out.append(self._header(BYE, 0, 0))
                self._bye, self._peer_token = False, 0
            elif (self._ack_at is not None and now >= self._ack_at) or now >= self._beat_at:
                out.append(self._header(BEAT, self._ack_flags, 0))
            if len(out) > introduced:
                self._ack_at, self._ack_flags, self._unacknowledged = None, 0, 0
                self._beat_at = now + config.heartbeat
        self._frames_out += len(out)
        return out

    def _header(self, kind: int, flags: int, sequence: int) -> bytes:
        return frames.pack(kind, flags, self._token, self._peer_token, sequence, self._expected, self._granted)

    def _hello(self) -> bytes:
        if self._candidate:
            # With that one nothing has been exchanged: what the former peer sent acknowledges nothing of it.
            header = frames.pack(HELLO, 0, self._token, self._candidate[0], 0, 0, self._granted)
        else:
            header = self._header(HELLO, 0, 0)
        return header + frames.introduction(self.local_system, self.session)

    def _data(self, chunk: Chunk) -> bytes:
        chunk.parts[0] = self._header(DATA, chunk.flags | self._ack_flags, chunk.sequence)
        return b"".join(chunk.parts)

    def grant(self, credit: int, now: float) -> None:
        """Allow the peer to have so many bytes un-acknowledged (never more than its own window); 0 stops it."""
        self._granted = max(0, min(credit, frames.MAX_CREDIT))
        self._ack_at = self._now = now

    # -------------------------------------------------------------------------------------------------------- inwards

    def on_frame(self, frame: bytes, now: float) -> list[Event]:
        """Take a frame that the carrier brought from the peer. Never raises."""
        self._now = now
        self._frames_in += 1
        events: list[Event] = []
        try:
            kind, flags, source, target, sequence, expected, credit = frames.unpack(frame)
            if self.state is State.CLOSED:
                return []
            if kind == HELLO:
                self._on_hello(frame, source, target, expected, credit, events, now)
                return events
            if source != self._peer_token or target != self._token or not source:
                if target != self._token or self._candidate is None or source != self._candidate[0]:
                    self._on_stranger(source, now)
                    return events
                self._meet(self._candidate, events, now)
            self._check(expected)
            if kind == DATA:
                self._on_data(frame, flags, sequence, events, now)
            self._on_progress(flags, expected, credit, events, now)
            if kind == BYE:
                self._move(Trigger.ENDED, events)
                events.append(PeerLeft(self._begin(now)))
                self._peer_token, self._hello_at = 0, None
        except WireError as error:
            self._refused += 1
            self.last_error = error
            events.append(Refused(error))
        return events

    def _check(self, expected: int) -> None:
        """Before anything of a frame is taken over, so that a damaged one changes nothing."""
        if expected > self._box.sent:
            raise WireError(f"frame {expected - 1} is acknowledged, and {self._box.sent} frames have been sent")

    def _on_data(self, frame: bytes, flags: int, sequence: int, events: list[Event], now: float) -> None:
        if sequence != self._expected:
            if sequence < self._expected:
                self._duplicates += 1
                self._ack_at = now  # it was sent again because an acknowledgement got lost
            else:
                self._gaps += 1
                told, told_at = self._gap_told
                if told != self._expected or now >= told_at + self.config.gap_pause:
                    self._gap_told = (self._expected, now)
                    self._ack_at, self._ack_flags = now, GAP
            return
        if flags & PART:
            envelopes = self._on_piece(frame, flags, events)
        else:
            envelopes, end, problem = split(frame, FRAME_SIZE, self.config.max_envelope)
            if problem is not None or end != len(frame):
                raise problem or WireError("the last envelope of a frame is cut off")
        self._expected += 1
        if envelopes:
            self._envelopes_in += len(envelopes)
            self.idle_since = now
            events.append(Delivered(envelopes))
        self._unacknowledged += len(frame)
        if self._unacknowledged >= self.config.ack_bytes:
            self._ack_at = now
        elif self._ack_at is None:
            self._ack_at = now + self.config.ack_after

    def _on_piece(self, frame: bytes, flags: int, events: list[Event]) -> list[Raw]:
        self._pieces_size += len(frame) - FRAME_SIZE
        if self._pieces_size <= self.config.max_envelope:
            self._pieces.append(memoryview(frame)[FRAME_SIZE:])
        else:
            self._pieces.clear()
        if flags & MORE:
            return []
        size, envelope = self._pieces_size, b"".join(self._pieces)
        self._pieces, self._pieces_size = [], 0
        whole, end, problem = split(envelope, 0, self.config.max_envelope)
        if len(whole) == 1 and end == size and problem is None:
            return whole
        # Sending it again would bring the same: the peer wrote it so. It is told, and the conversation goes on.
        self._refused += 1
        self.last_error = WireError(f"an envelope of {size} bytes in pieces is too long or damaged")
        events.append(Refused(self.last_error))
        return []

    def _on_progress(self, flags: int, expected: int, credit: int, events: list[Event], now: float) -> None:
        self._hear(now, events)
        box = self._box
        if credit != box.credit:
            box.credit = credit
            box.admit()
        if box.acknowledge(expected):
            self._tries = 0
            self._resend_at = now + self.config.resend_after if box.flight else None
        if flags & GAP and expected == box.acknowledged and now >= self._back_at + self.config.gap_pause:
            self._go_back(now)
        self._look_writable(events)

    def _on_hello(
        self, frame: bytes, source: int, target: int, expected: int, credit: int, events: list[Event], now: float
    ) -> None:
        system, session = frames.introduced(frame, source)
        if system.partition("@")[0] != self._name:
            raise WireError(f"a HELLO of {system!r} on the link to {self._name!r}")
        if source in self._retired or (system == self.peer and session < self.peer_session):
            return  # the late echo of a session that has ended
        if source != self._peer_token and target != self._token:
            # It may be the echo of somebody long dead. Who lives will answer to this side's token.
            if self._candidate is None or self._candidate[0] != source:
                self._candidate = source, system, session
                self._hello_at = now
            self._answer(now)
            return
        if source != self._peer_token:
            self._meet((source, system, session), events, now)
        self._hear(now, events)
        if target == self._token:
            self._check(expected)
            self._on_progress(0, expected, credit, events, now)
        else:
            self._answer(now)  # it is not sure who this side is: an echo has come to it, or this is one

    def _hear(self, now: float, events: list[Event]) -> None:
        self._heard_at, self._excused, self._candidate = now, False, None
        if self.state is State.SUSPECT:
            self._move(Trigger.HEARD, events)
            if self._resend_at is not None:
                # Only its oldest frame has been tried lately; all follow, unless it soon shows that it had them.
                self._resend_at = now + self.config.gap_pause
                self._tries = 0

    def _meet(self, who: tuple[int, str, int], events: list[Event], now: float) -> None:
        """The peer is somebody new, and has shown that it lives."""
        token, system, session = who
        if self._peer_token:
            self._retired.append(self._peer_token)
        another = bool(self._peer_token) or ("@" in self.peer and self.peer != system)
        self._peer_token, self.peer, self.peer_session = token, system, session
        self._heard_at, self._excused, self._candidate = now, False, None
        self._hello_at, self._hello_wait = None, self.config.hello_every
        self._beat_at = now  # so that the peer learns at once that it is known
        if another:
            events.append(PeerRestarted(system, session, self._begin(now)))
        self._move(Trigger.MET, events)
        events.append(Met(system, session))

    def _begin(self, now: float) -> list[Raw]:
        """Start a conversation with number 0 in both directions; gives what the former one leaves behind."""
        self._expected = self._unacknowledged = self._tries = self._ack_flags = 0
        self._pieces, self._pieces_size = [], 0
        self._gap_told = (-1, now)
        self._ack_at = self._resend_at = None
        self._probe = False
        return self._box.abandon()

    def _on_stranger(self, source: int, now: float) -> None:
        """A frame of another conversation. Unless that is over, its sender has to hear who this side is."""
        self._foreign += 1
        if source not in self._retired:
            self._answer(now)

    def _answer(self, now: float) -> None:
        due = max(now, self._hello_sent_at + self.config.hello_pause)
        self._hello_at = due if self._hello_at is None else min(due, self._hello_at)

    def _go_back(self, now: float) -> None:
        self._back_at = now
        self._resent += self._box.go_back()
        self._resend_at = None

    def _look_writable(self, events: list[Event]) -> None:
        if self._blocked and self._box.queued <= self.config.queue_limit // 2:
            self._blocked = False
            events.append(Writable())

    def _move(self, trigger: Trigger, events: list[Event]) -> None:
        self.state, told = TRANSITIONS.get((self.state, trigger), (self.state, None))
        if told is not None:
            events.append(told())

    # ----------------------------------------------------------------------------------------------------------- time

    def on_tick(self, now: float) -> list[Event]:
        """Let time pass. Frames that have arrived go first, or a peer is suspected because this side was late."""
        events: list[Event] = []
        config = self.config
        self._now = now
        if self.state in {State.UP, State.OPENING} and now >= self._heard_at + config.suspect_after:
            late = now - self._heard_at - config.suspect_after
            if late > config.suspect_after / 4 and not self._excused:
                # It was this side that hung: what the peer said meanwhile may still be on its way up.
                self._excused = True
                self._heard_at += late + config.suspect_after / 4
            else:
                self._move(Trigger.SILENT, events)
        if self._resend_at is not None and now >= self._resend_at:
            self._tries += 1
            if self._tries == 1:
                self._go_back(now)
            else:
                self._probe = True
            self._resend_at = now + min(config.resend_after * 2 ** min(self._tries, 16), config.resend_max)
        self._look_writable(events)
        return events

    def on_reset(self, now: float) -> None:
        """The carrier has a new connection: everything in flight is in doubt."""
        self._now = now
        if self.state is State.CLOSED:
            return
        self._hello_at = now
        self._hello_wait = self.config.hello_every
        self._tries = 0
        self._go_back(now)

    def next_deadline(self) -> float | None:
        """When `on_tick` and `poll_out` have to be called at the latest; in the past: at once. None: never."""
        if self.state is State.CLOSED:
            return self._now if self._bye else None
        times = [self._hello_at]
        if self._peer_token:
            times += [self._ack_at, self._resend_at, self._beat_at, self._box.ready_at()]
            if self._probe:
                return self._now
        if self.state in {State.UP, State.OPENING}:
            times.append(self._heard_at + self.config.suspect_after)
        return min((at for at in times if at is not None), default=None)

    # ------------------------------------------------------------------------------------------------------------ end

    def rejoin(self, session: int, now: float) -> list[Raw]:
        """This system has a new session (it had been declared lost): begin again; gives what is not acknowledged."""
        if self.state is State.CLOSED or session <= self.session:
            raise ValueError(
                f"session {session} can't follow session {self.session} of a link that is {self.state.value}"
            )
        self.session, self._token = session, frames.token_of(self.local_system, session)
        self._peer_token, self._candidate = 0, None
        self._now = self._heard_at = self._hello_at = now
        self._hello_wait = self.config.hello_every
        self._move(Trigger.REJOINED, [])
        return self._begin(now)

    def close(self) -> list[Raw]:
        """End the conversation; gives what is not acknowledged. The next `poll_out` has a last frame that tells the peer."""
        if self.state is State.CLOSED:
            return []
        self._move(Trigger.ENDED, [])
        self._bye = bool(self._peer_token)
        self._resend_at = self._hello_at = self._ack_at = None
        return self._box.abandon()

    @property
    def idle(self) -> bool:
        """Nothing waits and everything is acknowledged."""
        return self._box.empty

    def statistics(self) -> LinkStatistics:
        return LinkStatistics(
            self.state,
            self.peer,
            self._envelopes_out,
            self._envelopes_in,
            self._frames_out,
            self._frames_in,
            self._resent,
            self._duplicates,
            self._gaps,
            self._foreign,
            self._refused,
            self._box.in_window,
            self._box.queued,
        )
