"""What to do about dead letters and asks that nobody can answer: cause and remedy per reason; and letters in groups.

Owns the words, for the log, errors and the command line. Pure: rows in, rows out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_WATCH = "watch actors whose address you keep, and forget it when they end"
REASONS = {
    "stopped": ("the target had ended; `garrick actor why` says when", _WATCH),
    "failed": (
        "the target had failed for good; the log and `garrick actor show` have the traceback",
        "see its supervision; " + _WATCH,
    ),
    "refused": (
        "the target could never start",
        "its parent is told why by ChildExited: its requirements, its name, or its constructor",
    ),
    "unhandled": (
        "no handler of the target takes this type",
        "write an @on handler for it, or override receive",
    ),
    "late reply": ("the ask had ended before its answer came", "give timeout= what the work needs, and answer once"),
    "unknown": ("nobody has heard of the target", "use addresses of this start of the system only"),
    "worker lost": ("the process of the target died", "give it Restart(on_loss=True), or watch it and spawn it again"),
    "system lost": ("the system of the target is gone from the convention", "watch it, and spawn it again elsewhere"),
    "system unknown": (
        "no system of that name is known here",
        "look the actor up again: has its system left, or is the address of an earlier start?",
    ),
    "system stopped": ("the system has ended", "keep it open for as long as it is used"),
    "capability lost": (
        "the system of the target lost a capability that it requires",
        "spawn it again where its requirements hold, or give it Restart(relocate=True)",
    ),
    "name lost": (
        "the target held a name of the convention, and its system was cut off from it",
        "look the name up again: somebody else may have it now",
    ),
    "system left": (
        "the system of the target ended",
        "it is made again elsewhere; its parent is told where by ChildMoved",
    ),
    "moved": ("the target is elsewhere now", "send to the address that its parent was told by ChildMoved"),
    "unpicklable": (
        "the target waited for a place and was made elsewhere, and the message can't travel there",
        "send only what can be pickled",
    ),
    "parent lost": ("the target ended with its parent", "watch the parent, or spawn the target from the program"),
    "mailbox full": (
        "the target's mailbox is bounded and was full",
        "it is too slow, or its senders don't wait: let them ask now and then",
    ),
    "way full": (
        "more waited for another system than is kept",
        "look at the way to it: is it slow, or interrupted?",
    ),
    "undecodable": (
        "the body could not be unpickled in that process",
        "make its class importable there, and see the log: it may have had no memory left; see GAR-1102",
    ),
}
"""Reason -> cause, and what to do."""


def hint(reason: str) -> str | None:
    """Cause and remedy of what became a dead letter, or of an ask that failed, for this reason; None: it explains itself."""
    known = REASONS.get(reason)
    return f"{known[0]}: {known[1]}" if known is not None else None


def groups(letters: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Letters counted by reason, class of the target, and type of the message; the largest group first, with its newest letter."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for letter in sorted(letters, key=lambda each: float(each["ago"])):
        key = (letter["reason"], letter["target_class"], letter["message"])
        group = found.get(key)
        if group is None:
            found[key] = {
                "reason": letter["reason"],
                "target_class": letter["target_class"],
                "message": letter["message"],
                "count": 1,
                "newest": letter["letter"],
                "ago": letter["ago"],
            }
        else:
            group["count"] += 1
    return sorted(found.values(), key=lambda group: (-group["count"], group["ago"]))
