"""Two links joined by a network that does what a test says: loses, keeps, repeats, resets; and restarts either side."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from garrick.address import Address
from garrick.errors import WireError
from garrick.wire import envelope as wire
from garrick.wire import link as links
from garrick.wire.frame import token_of

SMALL = links.LinkConfig(window=2000, queue_limit=3000, frame_payload=300, batch=4, ack_bytes=600, max_envelope=4000)
"""Limits so tight that every one of them is met."""


def other(side: str) -> str:
    return "b" if side == "a" else "a"


def make(number: int, size: int = 0) -> bytes:
    """An envelope that is told by its number, `size` bytes longer than it has to be."""
    target, sender = Address[Any]("b@0", 1, 1), Address[Any]("a@0", 1, 1)
    return wire.encode(wire.MESSAGE, target, sender, number.to_bytes(4, "little") + bytes(size), "none")


def number_of(raw: wire.Raw) -> int:
    return int.from_bytes(wire.decode(raw, "none")[3][:4], "little")


@dataclass
class Side:
    """One system: its link, and what happened to it over all of its incarnations."""

    name: str
    incarnation: int = 1
    session: int = 1
    link: Any = None
    events: list[links.Event] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    """Sent by the incarnation that runs now."""
    lost: list[int] = field(default_factory=list)
    """Sent by incarnations that were killed: nobody is left to be told."""
    handed_back: list[int] = field(default_factory=list)
    received: list[int] = field(default_factory=list)

    @property
    def system(self) -> str:
        return f"{self.name}@{self.incarnation:010x}"


class Network:
    def __init__(self, config: links.LinkConfig = SMALL, now: float = 100.0) -> None:
        self.config = config
        self.now = now
        self.sides = {name: Side(name) for name in "ab"}
        self.wires: dict[str, deque[bytes]] = {"a": deque(), "b": deque()}
        """Frames under way, by their sender."""
        self.passed: dict[str, deque[bytes]] = {"a": deque(maxlen=8), "b": deque(maxlen=8)}
        """Frames that have arrived lately: what a reset may bring again."""
        self.names: dict[int, str] = {}
        self.next_number = 0
        for name in "ab":
            self.start(name)

    def start(self, name: str) -> None:
        side = self.sides[name]
        side.link = links.Link(side.system, other(name), now=self.now, session=side.session, config=self.config)
        self.name_token(name)

    def name_token(self, name: str) -> None:
        side = self.sides[name]
        self.names[token_of(side.system, side.session)] = f"{name}{side.incarnation}.{side.session}"

    def take(self, name: str, events: list[links.Event]) -> list[links.Event]:
        side = self.sides[name]
        side.events += events
        for event in events:
            if isinstance(event, links.Delivered):
                side.received += map(number_of, event.envelopes)
            elif isinstance(event, (links.PeerRestarted, links.PeerLeft)):
                side.handed_back += map(number_of, event.undelivered)
        return events

    # What a test does.

    def send(self, name: str, size: int = 0) -> bool:
        side = self.sides[name]
        if not side.link.send(make(self.next_number, size), self.now):
            return False
        side.accepted.append(self.next_number)
        self.next_number += 1
        return True

    def poll(self, name: str) -> list[bytes]:
        frames: list[bytes] = self.sides[name].link.poll_out(self.now)
        self.wires[name].extend(frames)
        return frames

    def deliver(self, name: str) -> tuple[bytes, list[links.Event]] | None:
        """Bring the oldest frame of `name` to the other side."""
        if not self.wires[name]:
            return None
        frame = self.wires[name].popleft()
        self.passed[name].append(frame)
        to = other(name)
        return frame, self.take(to, self.sides[to].link.on_frame(frame, self.now))

    def drop(self, name: str, index: int = 0) -> bytes | None:
        wire_ = self.wires[name]
        if not wire_:
            return None
        index %= len(wire_)
        frame = wire_[index]
        del wire_[index]
        return frame

    def reset(self, name: str, repeat: int = 0) -> None:
        """The connection of `name` is new: what it had under way is gone or comes twice."""
        frames = list(self.passed[name])[-repeat:] if repeat else []
        self.wires[name].extendleft(reversed(frames))
        self.sides[name].link.on_reset(self.now)

    def restart(self, name: str) -> None:
        """Killed without a word, and started again."""
        side = self.sides[name]
        side.lost += side.accepted
        side.accepted, side.session = [], 1
        side.incarnation += 1
        self.start(name)

    def rejoin(self, name: str) -> None:
        side = self.sides[name]
        side.session += 1
        side.handed_back += map(number_of, side.link.rejoin(side.session, self.now))
        self.name_token(name)

    def renew(self, name: str) -> None:
        """The link is closed and another one is made, by the same incarnation."""
        side = self.sides[name]
        side.handed_back += map(number_of, side.link.close())
        self.poll(name)
        side.session += 1
        self.start(name)

    def tick(self, name: str) -> list[links.Event]:
        return self.take(name, self.sides[name].link.on_tick(self.now))

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        for name in "ab":
            self.tick(name)

    def settle(self, seconds: float = 60.0, rounds: int = 20_000) -> None:
        """A perfect network, driven by the links' own deadlines, until nothing is owed or the time is over."""
        end = self.now + seconds
        for _ in range(rounds):
            moved = False
            for name in "ab":
                self.poll(name)
                while self.deliver(name):
                    moved = True
                self.revive(name)
            if moved:
                continue
            if all(side.link.idle and side.link.state is links.State.UP for side in self.sides.values()):
                return
            deadlines = [self.sides[name].link.next_deadline() for name in "ab"]
            due = min(at for at in deadlines if at is not None)
            if due > end:
                break
            self.now = max(self.now, due)
            for name in "ab":
                self.tick(name)
        states = {name: side.link.statistics() for name, side in self.sides.items()}
        raise AssertionError(f"the links did not come to rest: {states}")

    def revive(self, name: str) -> None:
        """A link that the peer closed is replaced, as an admin does when there is something to say again."""
        if self.sides[name].link.state is links.State.CLOSED:
            self.renew(name)


def refused(side: Side) -> list[WireError]:
    return [event.error for event in side.events if isinstance(event, links.Refused)]
