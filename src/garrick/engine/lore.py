"""What a follower knows of the others, in a form that many followers of one process can share.

Owns `Table`, the members and suspicions after one version of the feed, with what follows from it, and `Over`, the sessions that have ended.
Must not know the rules of the feed. A follower that shares never changes a table that it got: it makes the next one, and remembers at the
old one what led there, so that all others that are at the same point take the same step by one look-up. That is what makes a simulation of
thousands of systems proportional to what changes. A follower that is alone in its process changes its table in place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from garrick.engine.membership import Delta, Member

REMEMBERED = 20_000
"""Sessions that are over; the oldest are forgotten."""
VERSIONS = 100
"""Versions whose tables can be found again: as many as the slowest follower may be behind."""


class Table:
    """Members by name, and the ids of those that are suspected."""

    __slots__ = ("alone", "extra", "members", "next", "suspected")

    def __init__(self, members: dict[str, Member] | None = None, suspected: set[str] | None = None) -> None:
        self.members = members if members is not None else {}
        self.suspected = suspected if suspected is not None else set()
        self.next: Step | None = None
        """The step that was taken last from here."""
        self.alone: Step | None = None
        """The step of those that lost their connection here."""
        self.extra: object = None
        """What a user derives from this table, once for all."""


class Step:
    """From one table to the next, by ``news``."""

    __slots__ = ("ends", "news", "table", "told")

    def __init__(self, news: object, table: Table, told: Delta | None, ends: Mapping[str, int]) -> None:
        self.news = news
        self.table = table
        self.told = told
        """What the user has to hear of it."""
        self.ends = ends
        """Sessions that are over by it."""


class Shared:
    """The tables of all followers of one process that have missed nothing: one for each version."""

    def __init__(self) -> None:
        self.start = Table()
        self._tables: dict[tuple[str, int], Table] = {}

    def at(self, epoch: str, version: int, table: Table) -> Table:
        """The table of this version: the first one that somebody gives."""
        known = self._tables.setdefault((epoch, version), table)
        while len(self._tables) > VERSIONS:
            del self._tables[next(iter(self._tables))]
        return known


class Over:
    """Sessions that are over, by system. What many followers learned by one step, they hold once together."""

    __slots__ = ("_fresh", "_known", "_size")

    def __init__(self) -> None:
        self._known: list[Mapping[str, int]] = []
        self._fresh: dict[str, int] = {}
        self._size = 0

    def get(self, system: str) -> int:
        """The highest session of the system that is over; 0: none."""
        session = self._fresh.get(system, 0)
        for known in self._known:
            session = max(session, known.get(system, 0))
        return session

    def contradicts(self, joined: Mapping[str, int]) -> bool:
        """Whether one of these sessions, by system, is over."""
        for known in (self._fresh, *self._known):
            fewer = known if len(known) < len(joined) else joined
            if any(system in known and joined.get(system, known[system] + 1) <= known[system] for system in fewer):
                return True
        return False

    def add(self, system: str, session: int) -> None:
        """One more."""
        self._fresh[system] = max(session, self._fresh.pop(system, 0))
        while len(self._fresh) > REMEMBERED:
            del self._fresh[next(iter(self._fresh))]

    def learn(self, ends: Mapping[str, int]) -> None:
        """Several, by a step that others take too."""
        self._known.append(ends)
        self._size += len(ends)
        while self._size > REMEMBERED:
            self._size -= len(self._known.pop(0))

    def take_fresh(self) -> Mapping[str, int]:
        """What was added since the last call becomes a part that can be shared."""
        fresh, self._fresh = self._fresh, {}
        if fresh:
            self.learn(fresh)
        return fresh
