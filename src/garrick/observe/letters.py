"""What to do about dead letters: a hint per reason, and letters in groups.

Owns the words. Pure: rows in, rows out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

HINTS = {
    "stopped": "the target had ended; `garrick actor why` says when. Watch actors whose address you keep, and forget it when they end",
    "failed": "the target had failed for good; `garrick actor show` has the traceback. See its supervision",
    "refused": "the target could never start: its requirements, its name, or its constructor; `garrick actor why` says which",
    "unhandled": "no handler of the target takes this type: add an @on handler, or override receive",
    "late reply": "the ask had ended before its answer came: give timeout= what the work needs, and answer once",
    "unknown": "the target was never heard of: is the address of an earlier start?",
    "worker lost": "the process of the target died; Restart(on_loss=True) makes an actor again elsewhere",
    "system lost": "the system of the target is gone from the convention",
    "system unknown": "no system of that name is known here: has it left, or is the address of an earlier start?",
    "capability lost": "the system of the target lost a capability that it requires",
    "system left": "the system of the target ended; the target was made again elsewhere",
    "moved": "the target is elsewhere now: its parent was told the new address",
    "unpicklable": "the target waited for a place and was made elsewhere: the message can't travel there",
    "parent lost": "the target ended with its parent",
    "mailbox full": "the target's mailbox is bounded and was full: it is too slow, or its senders don't wait",
    "way full": "more waited for another system than is kept: is the way to it slow, or interrupted?",
    "undecodable": "the body could not be read there: is its class importable in that process?",
}
"""Reason -> what usually helps."""


def hint(reason: str) -> str | None:
    """What usually helps against this reason."""
    return HINTS.get(reason)


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
