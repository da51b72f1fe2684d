"""Who is in the convention: the vocabulary of the feed.

Owns the value types that travel from the directory to every member. Sans-IO.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

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


@dataclass(frozen=True)
class Snapshot:
    """Everybody at one version. Not `settled`: the directory has just (re)started and may not know everybody yet."""

    epoch: str
    version: int
    settled: bool
    members: tuple[Member, ...]
    suspected: tuple[tuple[str, str], ...] = ()
    """Systems in doubt, and why."""
