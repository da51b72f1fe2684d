"""Who is in the convention: the vocabulary of the feed.

Owns the value types that travel from the directory to every member. Sans-IO.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from garrick.engine.lore import Table

__all__ = ["Change", "Delta", "Joined", "Left", "Lost", "Member", "Restored", "Snapshot", "Suspected", "Updated"]


@dataclass(frozen=True)
class Member:
    """A system that takes part. `session` grows each time it comes back after having been declared lost."""

    system: str
    session: int
    capabilities: Mapping[str, object]
    processes: tuple[int, ...]
    load: float


@dataclass(frozen=True)
class Joined:
    """A system takes part from now on (its first session, or a later one after a `Lost`)."""

    member: Member


@dataclass(frozen=True)
class Updated:
    """Capabilities, processes or load of a member changed."""

    member: Member


@dataclass(frozen=True)
class Suspected:
    """A member's connection is gone; it may be back in a moment. Nothing is decided."""

    system: str
    session: int
    why: str


@dataclass(frozen=True)
class Restored:
    """A suspicion is over: the member is there, in the same session."""

    system: str
    session: int


@dataclass(frozen=True)
class Left:
    """The member said good-bye."""

    system: str
    session: int


@dataclass(frozen=True)
class Lost:
    """The session is over, for ever. `certain`: the process has ended; else it may live on and will join anew."""

    system: str
    session: int
    certain: bool
    why: str


Change = Joined | Updated | Suspected | Restored | Left | Lost


@dataclass(frozen=True)
class Delta:
    """Changes that belong together. `version` counts the deltas of one directory, whose start is `epoch`."""

    epoch: str
    version: int
    changes: tuple[Change, ...]
    settled: bool = True
    after: tuple[str, int, int] | None = None
    """Epoch and version of an earlier directory from where this one goes on, and a digest of the members: who has that is up to date."""
    state: Table | None = field(default=None, compare=False, repr=False)
    """What a follower tells upward: all members when this has happened."""

    @cached_property
    def by_system(self) -> Mapping[str, list[tuple[int, Change]]]:
        """The changes of each system, with their places; doubts are none: nothing is decided by them, and they may be about everybody."""
        found: dict[str, list[tuple[int, Change]]] = {}
        for place, change in enumerate(self.changes):
            if isinstance(change, Suspected | Restored):
                continue
            system = change.member.system if isinstance(change, Joined | Updated) else change.system
            found.setdefault(system, []).append((place, change))
        return found

    @cached_property
    def joined(self) -> Mapping[str, int]:
        """The systems that joined by this -> their sessions."""
        return {c.member.system: c.member.session for c in self.changes if isinstance(c, Joined)}

    @cached_property
    def ends(self) -> Mapping[str, str]:
        """Systems that are gone by this, and whether they ``stopped`` or were lost (``system lost``)."""
        gone: dict[str, str] = {}
        for change in self.changes:
            if isinstance(change, Left | Lost):
                gone[change.system] = "stopped" if isinstance(change, Left) else "system lost"
            elif isinstance(change, Joined):
                gone.pop(change.member.system, None)
        return gone

    def about(self, systems: Collection[str]) -> list[Change]:
        """The changes of these systems, in order, but for doubts."""
        news = self.by_system
        if len(systems) < len(news):
            found = [item for system in systems if system in news for item in news[system]]
        else:
            found = [item for system, items in news.items() if system in systems for item in items]
        return [change for _, change in sorted(found, key=itemgetter(0))]


@dataclass(frozen=True)
class Snapshot:
    """Everybody at one version. Not `settled`: the directory has just (re)started and may not know everybody yet."""

    epoch: str
    version: int
    settled: bool
    members: tuple[Member, ...]
    suspected: tuple[tuple[str, str], ...] = ()
    """Systems in doubt, and why."""

    @cached_property
    def joined(self) -> Mapping[str, int]:
        """Their sessions by system."""
        return {member.system: member.session for member in self.members}

    @cached_property
    def by_name(self) -> Mapping[str, Member]:
        """The members by the part of their id that is their name."""
        return {member.system.partition("@")[0]: member for member in self.members}
