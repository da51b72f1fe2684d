"""The status of one process as plain data: sums, its first actors, its newest dead letters.

Owns the shape of the answer to `StatusWanted`. Runs no user code, in steps of the lane (`garrick.runtime.inspection`). Invariant: lists are
bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from garrick.address import ReplyAddress
from garrick.runtime.cell import STATES, Cell
from garrick.runtime.inspection import PENDING, Answer, Steps, chunks, class_text, mailbox, type_text, waiting_in_lane

if TYPE_CHECKING:
    from garrick.runtime.runtime import Runtime

ACTORS = 1000
"""Actors that are listed."""
LETTERS = 20


def status(runtime: Runtime, answer: Answer) -> Steps:
    """What is known in this process: actors, mailboxes, dead letters."""
    waiting = waiting_in_lane(runtime)
    actors: list[dict[str, Any]] = []
    total, most, fullest = len(runtime.lane), 0, None
    for cells in chunks(runtime):
        if len(actors) < ACTORS:
            actors += [_actor(cell, mailbox(cell, waiting)) for cell in cells[: ACTORS - len(actors)]]
        for cell in cells:
            if cell.queue or waiting:
                count = mailbox(cell, waiting)
                total += count - waiting[id(cell)]
                if count > most:
                    most, fullest = count, cell
        yield
    letters = [kept.letter for kept in tuple(runtime.history.letters)[-LETTERS:]]
    answer(
        {
            "process": runtime.number,
            "actors": len(runtime.cells),
            "actor_list": actors,
            "mailbox": total,
            "mailbox_max": None
            if fullest is None
            else {"address": str(fullest.address), "class": class_text(fullest.spec.actor_class), "mailbox": most},
            "asks": len(runtime.slots),
            "timers": len(runtime.timers),
            "dead_letters": dict(runtime.dead_letter_count),
            "dead_letter_list": [
                {
                    "reason": letter.reason,
                    "message": type_text(letter.message),
                    "target": str(letter.target),
                    "sender": None
                    if letter.sender is None
                    else ("ask" if isinstance(letter.sender, ReplyAddress) else str(letter.sender)),
                }
                for letter in letters
            ],
        }
    )


def _actor(cell: Cell, waiting: int) -> dict[str, Any]:
    waits = tuple(cell.waits)
    pending = cell.runtime.relocations.why(cell)
    return {
        "address": str(cell.address),
        "class": class_text(cell.spec.actor_class),
        "name": cell.spec.name,
        "state": STATES[cell.state] if pending is None else PENDING,
        "mailbox": waiting,
        "busy": cell.busy and pending is None,
        "waits_for": str(waits[-1].target) if waits else None,
        "pending": pending,
        "parent": str(cell.parent),
    }
