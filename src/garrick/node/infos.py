"""`infos_of`: the members of a convention as placement wants to know them.

Owns the translation, and when it is made: for a table that many systems of one process share only when somebody places an actor, once for
all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from garrick.engine.carrier import name_of
from garrick.runtime.signals import ProcessInfo, SystemInfo

if TYPE_CHECKING:
    from garrick.engine.lore import Table
    from garrick.engine.membership import Member


class Infos(Mapping[str, SystemInfo]):
    """By system id."""

    __slots__ = ("_made", "_members")

    def __init__(self, members: Mapping[str, Member]) -> None:
        self._members = members
        self._made: dict[str, SystemInfo] | None = None

    def _all(self) -> dict[str, SystemInfo]:
        made = self._made
        if made is None:
            made = self._made = {member.system: info_of(member) for member in self._members.values()}
        return made

    def __getitem__(self, system: str) -> SystemInfo:
        return self._all()[system]

    def __contains__(self, system: object) -> bool:
        member = self._members.get(name_of(system)) if isinstance(system, str) else None
        return member is not None and member.system == system

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._members)


def infos_of(table: Table, before: Mapping[str, SystemInfo], *, keep: bool) -> Mapping[str, SystemInfo]:
    """What placement wants to know.

    Args:
        table: of the members.
        before: the last answer; what has not changed is the same object in this one.
        keep: the table is never changed, and the answer is the same object for everybody.
    """
    if not keep:
        fresh = {member.system: info_of(member) for member in table.members.values()}
        return {system: info if before.get(system) != info else before[system] for system, info in fresh.items()}
    if not isinstance(table.extra, Infos):
        table.extra = Infos(table.members)
    infos: Infos = table.extra
    return infos


def info_of(member: Member) -> SystemInfo:
    """What placement wants to know of a member; its load is spread evenly over its processes."""
    share = round(member.load / len(member.processes)) if member.processes else 0
    processes = tuple(ProcessInfo(number, share) for number in member.processes)
    return SystemInfo(member.system, dict(member.capabilities), processes)
