"""`Ether`: the engine of a simulated convention: frames between systems, and who is there.

Owns delivery, the list of members, and what a crash looks like from outside. Keeps the contract of `garrick.engine.carrier`. Must not
know frames' contents. Invariants: frames of one system for another arrive in order, each as an event of its own; nothing happens inside
of the call that causes it; a crash is told after `SUSPECT` and `DECLARE` seconds, and what is sent to the dead in between gets lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from garrick.engine.carrier import Caps, Down, OnEvent, OnFrame, OnMembers, Up, Verdict, name_of
from garrick.engine.membership import Change, Delta, Joined, Left, Lost, Member, Suspected, Updated
from garrick.sim.clock import SECOND
from garrick.sim.kernel import Due, Kernel
from garrick.sim.loop import StepLoop

SUSPECT = 0.1
"""Seconds from a crash to the suspicion."""
DECLARE = 2.0
"""Seconds from a crash to the loss."""

CAPS = Caps(
    max_frame=1024 * 1024,
    reliable=True,
    ordered=True,
    peer_close_event=True,
    no_responder_event=True,
    window_hint=4 * 1024 * 1024,
)


class Ether:
    """What the engines of one convention share.

    Args:
        kernel: of the world.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.engines: dict[str, EtherEngine] = {}
        """By name of the system."""
        self._kernel = kernel
        self._members: dict[str, Member] = {}
        self._sessions: dict[str, int] = {}
        self._version = 0

    def join(self, engine: EtherEngine, member: Member) -> None:
        """A system takes part; another incarnation of its name is lost."""
        name = name_of(member.system)
        former = self._members.get(name)
        if former is not None:
            self._lose(former, f"replaced by {member.system}")
        session = self._sessions[member.system] = self._sessions.get(member.system, 0) + 1
        member = replace(member, session=session)
        others = tuple(Joined(m) for m in self._members.values())
        self.engines[name] = engine
        self._members[name] = member
        self._tell(Joined(member), but=engine)
        engine.hear(self._delta((*others, Joined(member))))

    def update(self, system: str, capabilities: dict[str, object], processes: tuple[int, ...], load: float) -> None:
        """A member has something new to tell."""
        member = self._members.get(name_of(system))
        if member is not None and member.system == system:
            changed = replace(member, capabilities=capabilities, processes=processes, load=load)
            if changed != member:
                self._members[name_of(system)] = changed
                self._tell(Updated(changed))

    def leave(self, system: str) -> None:
        """A member says good-bye."""
        member = self._members.get(name_of(system))
        if member is not None and member.system == system:
            del self._members[name_of(system)]
            self._tell(Left(system, member.session))

    def disconnect(self, engine: EtherEngine, why: str) -> None:
        """A system is gone; what that means becomes known later, if it did not say good-bye."""
        name = name_of(engine.system)
        if self.engines.get(name) is engine:
            del self.engines[name]
        member = self._members.get(name)
        if member is not None and member.system == engine.system:
            suspicion = Suspected(member.system, member.session, why)
            self._later(SUSPECT, lambda: self._tell(suspicion) if self._members.get(name) == member else None)
            self._later(DECLARE, lambda: self._lose(member, why))

    def _later(self, seconds: float, action: Callable[[], object]) -> None:
        self._kernel.at(self._kernel.clock.ns + round(seconds * SECOND), Due(action))

    def _lose(self, member: Member, why: str) -> None:
        now = self._members.get(name_of(member.system))
        if now is not None and (now.system, now.session) == (member.system, member.session):
            del self._members[name_of(member.system)]
            self._tell(Lost(member.system, member.session, True, why))

    def _tell(self, change: Change, but: EtherEngine | None = None) -> None:
        delta = self._delta((change,))
        for engine in self.engines.values():
            if engine is not but:
                engine.hear(delta)

    def _delta(self, changes: tuple[Change, ...]) -> Delta:
        self._version += 1
        return Delta("world", self._version, changes)


class EtherEngine:
    """One system's part in an `Ether`; see `garrick.engine.carrier.Engine`.

    Args:
        ether: the convention.
        loop: the loop of the system's gateway, on which it is told everything.
    """

    def __init__(self, ether: Ether, loop: StepLoop) -> None:
        self.system = ""
        self._ether = ether
        self._loop = loop
        self._offer: tuple[dict[str, object], tuple[int, ...], float] = ({}, (), 0.0)
        self._on_frame: OnFrame = _nobody
        self._on_event: OnEvent = _nobody
        self._on_members: OnMembers = _nobody
        self._up = False

    @property
    def caps(self) -> Caps:
        """What it can do."""
        return CAPS

    async def start(
        self,
        system: str,
        credentials: Any,
        *,
        server: Any = None,
        on_frame: OnFrame,
        on_event: OnEvent,
        on_members: OnMembers,
    ) -> None:
        """See Engine; a world needs neither credentials nor a server."""
        self.system, self._up = system, True
        self._on_frame, self._on_event, self._on_members = on_frame, on_event, on_members
        self._ether.join(self, Member(system, 0, *self._offer))

    def send(self, peer: str, lane: int, frame: bytes) -> bool:
        """See Engine."""
        if len(frame) > CAPS.max_frame:
            raise ValueError(f"a frame of {len(frame)} bytes; {CAPS.max_frame} are allowed")
        target = self._ether.engines.get(peer)
        if self._up and target is not None:
            target._soon(partial(target._on_frame, name_of(self.system), lane, bytes(frame)))
        return True

    def send_any(self, role: str, lane: int, frame: bytes) -> bool:
        """See Engine: the first system by name that has the capability ``role``."""
        for name, engine in sorted(self._ether.engines.items()):
            if engine is not self and engine._offer[0].get(role):
                return self.send(name, lane, frame)
        return True

    def broadcast(self, lane: int, frame: bytes) -> bool:
        """See Engine."""
        for name, engine in list(self._ether.engines.items()):
            if engine is not self:
                self.send(name, lane, frame)
        return True

    async def probe(self, peer: str, timeout: float) -> Verdict:
        """See Engine; known at once."""
        return Verdict.REACHED if peer in self._ether.engines else Verdict.NOBODY

    def announce(self, capabilities: Mapping[str, object], processes: Sequence[int], load: float) -> None:
        """See Engine."""
        self._offer = dict(capabilities), tuple(processes), load
        if self._up:
            self._ether.update(self.system, *self._offer)

    async def leave(self) -> None:
        """See Engine."""
        self._ether.leave(self.system)

    async def stop(self) -> None:
        """See Engine."""
        self.cut("its connection was closed")

    def cut(self, why: str) -> None:
        """The system is gone from one moment to the next."""
        if self._up:
            self._up = False
            self._ether.disconnect(self, why)

    def hear(self, delta: Delta) -> None:
        """News of members."""
        self._soon(partial(self._tell, delta))

    def _soon(self, action: Callable[[], None]) -> None:
        self._loop.call_soon(self._if_up, action)

    def _if_up(self, action: Callable[[], None]) -> None:
        if self._up:
            action()

    def _tell(self, delta: Delta) -> None:
        self._on_members(delta)
        for change in delta.changes:
            match change:
                case Joined(member) if member.system != self.system:
                    self._on_event(Up(name_of(member.system)))
                case Lost(system, _, certain, why) if system != self.system:
                    self._on_event(Down(name_of(system), certain, why))
                case Left(system, _) if system != self.system:
                    self._on_event(Down(name_of(system), True, "left"))
                case _:
                    pass


def _nobody(*_arguments: object) -> None:
    """Before start nobody listens."""
