"""What the feed of members says about the reachability of peers. Pure."""

from __future__ import annotations

from garrick.engine.carrier import Down, Up, name_of
from garrick.engine.membership import Delta, Joined, Left, Lost, Member, Restored, Suspected

__all__ = ["events_of"]


def events_of(delta: Delta, me: str) -> list[Up | Down]:
    """What changes among the members mean for the reachability of others than `me`."""
    events: list[Up | Down] = []
    for change in delta.changes:
        match change:
            case Joined(Member(system=system)) | Restored(system, _):
                events.append(Up(name_of(system)))
            case Suspected(system, _, why):
                events.append(Down(name_of(system), certain=False, why=why))
            case Left(system, _):
                events.append(Down(name_of(system), certain=True, why="left"))
            case Lost(system, _, certain, why):
                events.append(Down(name_of(system), certain=certain, why=why))
            case _:
                pass
    return [event for event in events if event.peer != me]
