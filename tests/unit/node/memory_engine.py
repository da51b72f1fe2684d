"""`MemoryEngine`: a convention inside one process and one event loop, for tests and for the simulator.

Owns delivery between the engines of one `MemoryConvention` and its list of members. Keeps the contract of `garrick.engine.carrier`,
including what it does not promise: with ``faulty`` frames get lost. Must not know frames' contents. Nothing happens inside of the call
that causes it: everything is told in a later turn of the loop, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from garrick.engine.carrier import (
    Caps,
    Down,
    OnEvent,
    OnFrame,
    OnMembers,
    Reset,
    Up,
    Verdict,
    name_of,
)
from garrick.engine.membership import Change, Delta, Joined, Left, Lost, Member, Suspected, Updated
from garrick.errors import JoinRefused

__all__ = ["MemoryConvention", "MemoryEngine"]

CAPS = Caps(
    max_frame=1024 * 1024,
    reliable=True,
    ordered=True,
    peer_close_event=True,
    no_responder_event=True,
    window_hint=4 * 1024 * 1024,
)

Soon: TypeAlias = Callable[..., Any]
"""``soon(function, *arguments)`` calls it in a later turn, in order: ``loop.call_soon``, or the simulator's."""
Faulty: TypeAlias = Callable[[str, str, bytes], bool]
"""``faulty(from, to, frame)``: whether this frame gets lost."""


class MemoryConvention:
    """What the engines of one convention share: the directory, and the wire between them.

    Args:
        soon: how to do something in a later turn.
    """

    def __init__(self, soon: Soon) -> None:
        self.engines: dict[str, MemoryEngine] = {}
        """By name of the system."""
        self.faulty: Faulty = lambda _from, _to, _frame: False
        self.soon = soon
        self._members: dict[str, Member] = {}
        self._sessions: dict[str, int] = {}
        self._version = 0

    def join(self, engine: MemoryEngine, member: Member) -> None:
        """A system takes part; another incarnation of its name is lost."""
        name = name_of(member.system)
        former = self._members.get(name)
        if former is not None:
            replaced = self.engines.pop(name, None)
            if replaced is not None:
                replaced._up = False
            self.lose(former.system, f"replaced by {member.system}")
        member = self._admit(member)
        snapshot = tuple(Joined(m) for m in self._members.values())
        self.engines[name] = engine
        self._members[name] = member
        self._tell(Joined(member), but=engine)
        self._tell_one(engine, (*snapshot, Joined(member)))

    def _admit(self, member: Member) -> Member:
        session = self._sessions[member.system] = self._sessions.get(member.system, 0) + 1
        return replace(member, session=session)

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
        member = self._remove(system)
        if member is not None:
            self._tell(Left(system, member.session))

    def lose(self, system: str, why: str) -> None:
        """A member is declared lost: it has crashed, or nobody reaches it. One that lives joins again."""
        member = self._remove(system)
        if member is None:
            return
        self._tell(Suspected(system, member.session, why))
        self._tell(Lost(system, member.session, False, why))
        engine = self.engines.get(name_of(system))
        if engine is not None and engine.system == system:
            again = self._admit(member)
            self._members[name_of(system)] = again
            self._tell(Joined(again))

    def disconnect(self, engine: MemoryEngine, why: str) -> None:
        """An engine is gone without a word."""
        name = name_of(engine.system)
        if self.engines.get(name) is engine:
            del self.engines[name]
            self.lose(engine.system, why)

    def _remove(self, system: str) -> Member | None:
        member = self._members.get(name_of(system))
        if member is None or member.system != system:
            return None
        return self._members.pop(name_of(system))

    def _tell(self, change: Change, but: MemoryEngine | None = None) -> None:
        for engine in self.engines.values():
            if engine is not but:
                self._tell_one(engine, (change,))

    def _tell_one(self, engine: MemoryEngine, changes: tuple[Change, ...]) -> None:
        self._version += 1
        self.soon(engine.hear, Delta("memory", self._version, changes))


class MemoryEngine:
    """One system's part in a `MemoryConvention`; see `garrick.engine.carrier.Engine`. Credentials: True, or nobody is let in."""

    def __init__(self, convention: MemoryConvention) -> None:
        self.system = ""
        self._convention = convention
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
        """See `Engine.start`."""
        if not credentials:
            raise JoinRefused(f"{system} has no credentials for this convention")
        self.system, self._up = system, True
        self._on_frame, self._on_event, self._on_members = on_frame, on_event, on_members
        self._convention.join(self, Member(system, 0, *self._offer))

    def send(self, peer: str, lane: int, frame: bytes) -> bool:
        """See `Engine.send`."""
        if len(frame) > CAPS.max_frame:
            raise ValueError(f"a frame of {len(frame)} bytes; {CAPS.max_frame} are allowed")
        target = self._convention.engines.get(peer)
        own = name_of(self.system)
        if self._up and target is not None and not self._convention.faulty(own, peer, frame):
            self._convention.soon(target.take, own, lane, bytes(frame))
        return True

    def send_any(self, role: str, lane: int, frame: bytes) -> bool:
        """To the first system, by name, with the capability ``role``."""
        for name, engine in sorted(self._convention.engines.items()):
            if engine is not self and engine._offer[0].get(role):
                return self.send(name, lane, frame)
        return True

    def broadcast(self, lane: int, frame: bytes) -> bool:
        """See `Engine.broadcast`."""
        for name, engine in list(self._convention.engines.items()):
            if engine is not self:
                self.send(name, lane, frame)
        return True

    async def probe(self, peer: str, timeout: float) -> Verdict:
        """See `Engine.probe`."""
        return Verdict.REACHED if peer in self._convention.engines else Verdict.NOBODY

    def announce(self, capabilities: Mapping[str, object], processes: Sequence[int], load: float) -> None:
        """See `Engine.announce`."""
        self._offer = dict(capabilities), tuple(processes), load
        if self._up:
            self._convention.update(self.system, *self._offer)

    async def leave(self) -> None:
        """See `Engine.leave`."""
        self._convention.leave(self.system)

    async def stop(self) -> None:
        """See `Engine.stop`."""
        if self._up:
            self._up = False
            self._convention.disconnect(self, "its connection was closed")

    def reset(self) -> None:
        """As if the connection had broken and were there again."""
        self._convention.soon(self._on_event, Reset())

    # --- called by the convention ----------------------------------------------------------------------------------------

    def take(self, name: str, lane: int, frame: bytes) -> None:
        """A frame of another system."""
        if self._up:
            self._on_frame(name, lane, frame)

    def hear(self, delta: Delta) -> None:
        """News of members."""
        if not self._up:
            return
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
